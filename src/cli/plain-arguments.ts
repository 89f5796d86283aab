import { flagOf, rowOf, SETTING_KEYS } from '../settings/table.ts';
import { type Arguments, COMMANDS, type CommandRow, positionalsOf, sorted } from './commands.ts';

/**
 * A word that every parser takes literally: not a flag, not in quotes that would be removed, and not a yes or no that
 * belongs to the flag before it. `-` is standard input or output.
 */
const PLAIN = /^(?:-|(?!(?:true|false)$)[^-'"].*)$/s;

/** A flag with a string value, and its choices. */
interface Flag {
  readonly name: string;
  readonly choices: readonly string[] | undefined;
}

/**
 * Parses a command line in which everything matches the table of commands: the command first, known flags with
 * their values, as many positionals as it takes. `undefined` for all else, valid or not: yargs parses that.
 * Yes/no flags are expected as `--flag=WORD`.
 */
export function plainArguments(words: readonly string[]): Arguments | undefined {
  const [command, ...rest] = words;
  if (command === undefined || !Object.hasOwn(COMMANDS, command)) return undefined;
  const row = COMMANDS[command]!;
  const flags = flagsOf(row);
  const parsed: Record<string, string | boolean | string[]> = {};
  const positional: string[] = [];
  while (rest.length > 0) {
    const word = rest.shift()!;
    if (PLAIN.test(word)) {
      positional.push(word);
      continue;
    }
    const match = /^(?:--([a-z0-9-]+)(?:=(.*))?|-([a-z]))$/s.exec(word);
    const flag = match === null ? undefined : flags.get(match[1] ?? `-${match[3]}`);
    if (flag === undefined) return undefined;
    if (flag === 'present') {
      if (match![2] !== undefined || rest[0] === 'true' || rest[0] === 'false') return undefined;
      parsed[match![1]!] = true;
      continue;
    }
    const value = match![2] ?? rest.shift();
    if (value === undefined || !PLAIN.test(value)) return undefined;
    if (flag.choices !== undefined && !flag.choices.includes(value)) return undefined;
    const before = parsed[flag.name];
    if (before === undefined) parsed[flag.name] = value;
    else if (Array.isArray(before)) before.push(value);
    else parsed[flag.name] = [String(before), value];
  }
  for (const { name, needed, many } of positionalsOf(row)) {
    if (needed && positional.length === 0) return undefined;
    if (many) parsed[name] = positional.splice(0);
    else if (positional.length > 0) parsed[name] = positional.shift()!;
  }
  return positional.length > 0 ? undefined : sorted(command, row, parsed);
}

/** Everything that may follow a command, by its name without dashes, or with one dash where it is a letter. */
function flagsOf(row: CommandRow): Map<string, Flag | 'present'> {
  const flags = new Map<string, Flag | 'present'>([['config', { name: 'config', choices: undefined }]]);
  for (const key of SETTING_KEYS) {
    const name = flagOf(key);
    flags.set(name, { name, choices: rowOf(key).kind.choices });
  }
  for (const [name, { type, alias }] of Object.entries(row.own)) {
    const flag = type === 'boolean' ? 'present' : { name, choices: undefined };
    flags.set(name, flag);
    if (alias !== undefined) flags.set(`-${alias}`, flag);
  }
  return flags;
}
