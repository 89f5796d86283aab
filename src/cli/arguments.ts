import type { Argv } from 'yargs';
import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import { flagOf, rowOf, SETTING_KEYS } from '../settings/table.ts';
import { isUnsupported, supportedChoices } from '../settings/unsupported.ts';
import { type Arguments, COMMANDS, type CommandRow, sorted } from './commands.ts';
import { plainArguments } from './plain-arguments.ts';

const BOOLEAN_FLAGS = new Set(SETTING_KEYS.filter((key) => rowOf(key).kind.name === 'yes-no').map(flagOf));
const YES_NO_WORDS = new Set(['yes', 'no', 'true', 'false', '1', '0']);

/**
 * Yes/no flags in one spelling: `--flag`, `--flag yes`, `--flag=no` and `--no-flag` all become `--flag=WORD`. yargs
 * knows only true and false, and would take the word after a flag for a file.
 */
export function spellOut(argv: readonly string[]): string[] {
  const spelled: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') return [...spelled, ...argv.slice(i)];
    const match = /^--(no-)?([a-z0-9-]+)(?:=(.*))?$/.exec(word);
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
    if (value === undefined && !negated && YES_NO_WORDS.has(argv[i + 1] ?? '')) value = argv[++i]!;
    spelled.push(`--${name}=${negated ? 'no' : (value ?? 'yes')}`);
  }
  return spelled;
}

/** The text to print when the command line requests help or the version. */
export interface Answer {
  readonly text: string;
}

const OTHER_COMMANDS = ['help', 'version', 'completion'];

/**
 * Parses the command line. Throws `USAGE` for misuse. Plain command lines are parsed from the table
 * alone: yargs and its modules take as long to load as Node itself, so they are used only for help, completion, and
 * everything else.
 */
export async function understandArguments(
  argv: readonly string[],
  version: string,
  columns: number,
): Promise<Arguments | Answer> {
  const [first, second] = argv;
  if (first === 'version' && argv.length === 1) return { text: version };
  if (first === 'help' && (second === undefined || !second.startsWith('-')))
    return understandArguments([...(second === undefined ? [] : [second]), '--help'], version, columns);
  if (first !== undefined && !first.startsWith('-') && !Object.hasOwn(COMMANDS, first) && first !== 'completion')
    throw new BuildError(
      'USAGE',
      { reason: `unknown command "${first}"${didYouMean(first, [...Object.keys(COMMANDS), ...OTHER_COMMANDS])}` },
      { hint: 'osbuilder help shows the commands' },
    );
  return plainArguments(spellOut(argv)) ?? askYargs(argv, version, columns);
}

/** {@link understandArguments} by yargs, for any command line. */
export async function askYargs(argv: readonly string[], version: string, columns: number): Promise<Arguments | Answer> {
  const words = spellOut(argv);
  const { default: yargs } = await import('yargs');
  let chosen: Arguments | undefined;
  let said = '';
  const parser = yargs(words)
    .scriptName('osbuilder')
    .usage(
      '$0 <command>\n\nBuilds the guest operating system of Kata Containers: no root, no mount, the same bytes every time.',
    )
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'duplicate-arguments-array': true,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .version(version)
    .help()
    .alias('h', 'help')
    .completion('completion', 'print a completion script for bash or zsh')
    .recommendCommands()
    .strict()
    .wrap(Math.min(110, columns))
    .demandCommand(1, 'no command is given: osbuilder help shows the commands')
    .epilogue('Each flag has an environment variable and a key of osbuilder.yaml; docs/settings.md lists them.')
    .exitProcess(false)
    .fail((message, error) => {
      throw error instanceof BuildError
        ? error
        : new BuildError(
            'USAGE',
            { reason: explained(message ?? String(error)) },
            { hint: 'osbuilder help COMMAND shows what there is' },
          );
    });
  for (const [name, row] of Object.entries(COMMANDS)) {
    parser.command(
      row.usage,
      row.describe,
      (command) => declare(command as Argv, name, row),
      (parsed) => {
        chosen = sorted(name, row, parsed as Record<string, unknown>);
      },
    );
  }
  await parser.parseAsync(words, {}, (_error, _argv, output) => {
    said = output;
  });
  return chosen ?? { text: said };
}

/** yargs's message, with the flag or value that may have been meant. */
function explained(message: string): string {
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1];
  if (unknown !== undefined) {
    // yargs lists `-x` and `--x` alike, without dashes
    const flags = [
      ...SETTING_KEYS.map(flagOf),
      ...Object.values(COMMANDS).flatMap(({ own }) => Object.keys(own)),
      'config',
    ];
    const first = unknown.split(', ')[0]!;
    const near = didYouMean(first, flags).replace('"', '"--');
    return `unknown argument: ${unknown}${near}`;
  }
  const invalid = /Argument: ([^,]+), Given: "([^"]*)", Choices: (.*)$/m.exec(message);
  if (invalid === null) return message;
  const [, name, given, choices] = invalid as unknown as [string, string, string, string];
  const words = [...choices.matchAll(/"([^"]*)"/g)].map((match) => match[1]!);
  return `--${name}: invalid value "${given}": expected one of ${words.join(', ')}${didYouMean(given, words)}`;
}

function declare(command: Argv, _name: string, row: CommandRow): Argv {
  for (const [flag, own] of Object.entries(row.own))
    command.option(flag, {
      type: own.type,
      describe: own.describe,
      ...(own.alias === undefined ? {} : { alias: own.alias }),
      ...(own.type === 'string' ? { requiresArg: true } : {}),
    });
  command.option('config', {
    type: 'string',
    requiresArg: true,
    describe: 'settings file (default: osbuilder.yaml here, if there is one)',
  });
  for (const key of SETTING_KEYS) {
    const setting = rowOf(key);
    const shown = (row.groups === 'all' || row.groups.includes(setting.group)) && !isUnsupported(key);
    const fallback =
      setting.fallback === undefined || setting.fallback === false || setting.fallback === ''
        ? ''
        : ` (default: ${String(setting.fallback === true ? 'yes' : setting.fallback)})`;
    const words = setting.kind.name === 'yes-no' ? ['yes', 'no'] : supportedChoices(key);
    const value = words === undefined ? setting.kind.placeholder : words.join('|');
    const about = {
      group: `${setting.group}:`,
      hidden: !shown,
      describe: `${value}: ${setting.description}${fallback} [$${setting.environment.join(', $')}]`,
    };
    if (setting.kind.name === 'yes-no') command.option(flagOf(key), { ...about, type: 'string' });
    else
      command.option(flagOf(key), {
        ...about,
        type: 'string',
        requiresArg: true,
        ...(setting.kind.choices === undefined ? {} : { choices: setting.kind.choices }),
      });
  }
  for (const [example, meaning] of row.examples ?? []) command.example(example, meaning);
  return command;
}
