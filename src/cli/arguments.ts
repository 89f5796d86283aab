import { type ParseArgsConfig, parseArgs } from 'node:util';
import { BuildError } from '../errors/error.ts';
import { didYouMean, nearestNames } from '../errors/nearest.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey } from '../settings/table.ts';
import { supportedChoices } from '../settings/unsupported.ts';
import { ANSWERS, type Arguments, COMMANDS, CONFIG, type CommandRow, positionalsOf, shownUsage } from './commands.ts';

const KEYS = new Map<string, SettingKey>(SETTING_KEYS.map((key) => [flagOf(key), key]));
const BOOLEAN_FLAGS = new Set(SETTING_KEYS.filter((key) => rowOf(key).kind.name === 'yes-no').map(flagOf));
const YES_NO_WORDS = new Set(['yes', 'no', 'true', 'false', '1', '0']);
const SHELLS = ['bash', 'zsh', 'fish'];

/** Every flag there is. Flags of one name have one type in all commands. */
const OPTIONS: NonNullable<ParseArgsConfig['options']> = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
  config: { type: 'string' },
  ...Object.fromEntries(
    Object.values(COMMANDS).flatMap(({ own }) =>
      Object.entries(own).map(([name, { type, alias }]) => [
        name,
        alias === undefined ? { type } : { type, short: alias },
      ]),
    ),
  ),
  ...Object.fromEntries(SETTING_KEYS.map((key) => [flagOf(key), { type: 'string' as const }])),
};

/** What the command line asks for when it is not a command to run. */
export type Answer =
  | { readonly answer: 'version' }
  /** Of a command, or of the program. */
  | { readonly answer: 'help'; readonly command?: string }
  | { readonly answer: 'completion'; readonly shell: string };

/**
 * Yes/no flags in one spelling: `--flag`, `--flag yes`, `--flag=no` and `--no-flag` all become `--flag=WORD`, so that the
 * word after a flag is not taken for a file.
 */
export function spellOut(argv: readonly string[]): string[] {
  const spelled: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') return [...spelled, ...argv.slice(i)];
    const match = /^--(no-)?([a-z0-9-]+)(?:=(.*))?$/s.exec(word);
    const name =
      match === null
        ? undefined
        : BOOLEAN_FLAGS.has(`${match[1] ?? ''}${match[2]}`)
          ? `${match[1] ?? ''}${match[2]}`
          : match[2]!;
    if (match === null || name === undefined || !BOOLEAN_FLAGS.has(name)) {
      spelled.push(word);
      continue;
    }
    const negated = match[1] !== undefined && name === match[2];
    let value = match[3];
    if (negated && value !== undefined)
      throw misuse(`--no-${name} takes no value`, undefined, `--${name}=${value} says it`);
    if (value === undefined && !negated && YES_NO_WORDS.has(argv[i + 1] ?? '')) value = argv[++i]!;
    spelled.push(`--${name}=${negated ? 'no' : (value ?? 'yes')}`);
  }
  return spelled;
}

/** Understands the command line. Throws `USAGE` for misuse, with what may have been meant. */
export function understandArguments(argv: readonly string[]): Arguments | Answer {
  rejectSingleDashes(argv);
  const { tokens } = parseArgs({
    args: spellOut(argv),
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const given = tokens.flatMap((token) => (token.kind === 'option' ? [token] : []));
  const [command, ...rest] = words;
  const asked = (name: string) => given.some((one) => one.name === name && one.value === undefined);
  if (asked('version') && command === undefined) return { answer: 'version' };
  if (command !== undefined) expectCommand(command);
  if (asked('help')) return { answer: 'help', ...(command === undefined ? {} : { command }) };
  if (command === undefined) {
    const flags = given.map(({ rawName }) => rawName).join(' ');
    const reason = `no command is given${flags === '' ? '' : `, only ${flags}`}`;
    throw misuse(reason, undefined, 'osbuilder help shows the commands');
  }
  const row = (COMMANDS[command] ?? ANSWERS[command])!;
  const own: Record<string, string | boolean | readonly string[]> = {};
  const flags = new Map<SettingKey, string[]>();
  for (const { name, rawName, value, inlineValue } of given) {
    if (Object.hasOwn(ANSWERS, command)) throw misuse(`"osbuilder ${command}" has no flag ${rawName}`, command);
    const key = KEYS.get(name);
    const flag = Object.hasOwn(row.own, name) ? row.own[name] : name === 'config' ? CONFIG : undefined;
    if (key === undefined && flag === undefined) throw unknownFlag(rawName, command);
    if (flag?.type === 'boolean') {
      if (value !== undefined) throw misuse(`${rawName} takes no value`, command);
      own[name] = true;
      continue;
    }
    const text = valueFor(name, rawName, value, inlineValue, command, argv);
    if (key !== undefined) {
      expectChoice(key, rawName, text, command);
      flags.set(key, [...(flags.get(key) ?? []), text]);
      continue;
    }
    if (flag?.many) {
      own[name] = [...((own[name] as readonly string[] | undefined) ?? []), text];
      continue;
    }
    if (own[name] !== undefined) throw misuse(`--${name} was given more than once`, command);
    own[name] = text;
  }
  expectPositionals(row, rest, command);
  return Object.hasOwn(ANSWERS, command) ? answerOf(command, rest) : { command, positional: rest, flags, own };
}

function answerOf(command: string, [word]: readonly string[]): Answer {
  if (command === 'version') return { answer: 'version' };
  if (command === 'help') {
    if (word === undefined) return { answer: 'help' };
    expectCommand(word);
    return { answer: 'help', command: word };
  }
  if (!SHELLS.includes(word!))
    throw misuse(`unknown shell "${word}": expected one of ${SHELLS.join(', ')}${didYouMean(word!, SHELLS)}`, command);
  return { answer: 'completion', shell: word! };
}

function misuse(reason: string, command?: string, hint?: string): BuildError {
  const help = `osbuilder help${command === undefined ? '' : ` ${command}`} shows what there is`;
  return new BuildError('USAGE', { reason }, { hint: hint ?? help });
}

function expectCommand(word: string): void {
  const names = [...Object.keys(COMMANDS), ...Object.keys(ANSWERS)];
  if (!names.includes(word))
    throw misuse(`unknown command "${word}"${didYouMean(word, names)}`, undefined, 'osbuilder help shows the commands');
}

/** `-distro x`: as single letters it would be nonsense, or worse `-o utput`. */
function rejectSingleDashes(argv: readonly string[]): void {
  const end = argv.indexOf('--');
  for (const word of end < 0 ? argv : argv.slice(0, end)) {
    const name = /^-([a-z][a-z0-9-]+)(?:=.*)?$/s.exec(word)?.[1];
    if (name !== undefined && Object.hasOwn(OPTIONS, name))
      throw misuse(`unknown argument: -${name}; did you mean "--${name}"?`);
  }
}

function unknownFlag(raw: string, command: string): BuildError {
  const name = raw.replace(/^-+/, '');
  const others = Object.entries(COMMANDS).flatMap(([other, { own }]) => (Object.hasOwn(own, name) ? [other] : []));
  if (raw.startsWith('--') && others.length > 0)
    return misuse(`${raw} is a flag of ${others.join(', ')}, not of ${command}`, command);
  const known = [...KEYS.keys(), ...Object.keys(COMMANDS[command]?.own ?? {}), 'config', 'help'];
  const negated = /^no-/.test(name) ? [...BOOLEAN_FLAGS].map((one) => `no-${one}`) : [];
  const near = nearestNames(name, [...known, ...negated], 1)[0];
  return misuse(`unknown argument: ${raw}${near === undefined ? '' : `; did you mean "--${near}"?`}`, command);
}

/** True for values that are options of another program: `--fs-options -zlz4hc`. */
function beginsWithDash(placeholder: string): boolean {
  return placeholder.startsWith('"-');
}

/** True for words that are a flag of ours in any command: `--output`, `--no-trim`, `-o`, `-oFILE`. */
function isFlag(word: string): boolean {
  const name = /^--(?:no-)?([a-z0-9-]+)/.exec(word)?.[1];
  if (name !== undefined) return Object.hasOwn(OPTIONS, name);
  return Object.values(OPTIONS).some(({ short }) => short !== undefined && word.startsWith(`-${short}`));
}

/** Values of commands' own flags that are lists, which may be empty. */
const LISTS: ReadonlySet<string> = new Set(['"A B"', 'WORDS']);

/** The value of a flag. One that looks like a flag was forgotten, unless it is written after `=` or has several words. */
function valueFor(
  name: string,
  raw: string,
  value: string | undefined,
  inline: boolean | undefined,
  command: string,
  argv: readonly string[],
): string {
  const key = KEYS.get(name);
  const what = key === undefined ? (COMMANDS[command]!.own[name] ?? CONFIG).value : rowOf(key).kind.placeholder;
  if (value === undefined) throw misuse(`${raw} needs a value: ${raw} ${what}`, command);
  // from a variable that is not set; settings know themselves whether they may be empty
  if (value === '' && key === undefined && !LISTS.has(what ?? ''))
    throw misuse(`${raw} needs a value, and it is empty: ${raw} ${what}`, command);
  // -o=FILE means FILE
  if (!raw.startsWith('--') && inline && value.startsWith('=')) return value.slice(1);
  if (!inline && /^-[^\d]\S*$/.test(value) && !(beginsWithDash(what ?? '') && !isFlag(value))) {
    // as it was typed, not as `spellOut` has it
    const typed = argv.find((word, i) => argv[i - 1] === raw && spellOut([word])[0] === value) ?? value;
    const hint = `"${typed}" is a flag; ${raw}=${typed} makes it a value`;
    throw misuse(`${raw} needs a value: ${raw} ${what}`, command, hint);
  }
  return value;
}

function expectChoice(key: SettingKey, raw: string, text: string, command: string): void {
  const { choices } = rowOf(key).kind;
  if (choices === undefined || choices.includes(text.trim().toLowerCase())) return;
  const words = supportedChoices(key)!;
  throw misuse(
    `${raw}: invalid value "${text}": expected one of ${words.join(', ')}${didYouMean(text, words)}`,
    command,
  );
}

function expectPositionals(row: CommandRow, words: readonly string[], command: string): void {
  const wanted = positionalsOf(row);
  const missing = wanted[words.length];
  if (missing?.needed)
    throw misuse(`"osbuilder ${command}" needs ${missing.name.toUpperCase()}: osbuilder ${shownUsage(row)}`, command);
  const empty = words.indexOf('');
  if (empty >= 0)
    throw misuse(
      `${(wanted[empty] ?? wanted.at(-1))?.name.toUpperCase() ?? 'an argument'} is empty: osbuilder ${shownUsage(row)}`,
      command,
    );
  if (words.length > wanted.length && wanted.at(-1)?.many !== true)
    throw misuse(`unexpected argument "${words[wanted.length]}": osbuilder ${shownUsage(row)}`, command);
}
