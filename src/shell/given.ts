/** Thrown for a command line that the command does not take. */
export class UsageError extends Error {
  /** The option as written, for the report. */
  readonly option: string;
  /** True for an option that the real program has and this one does not. */
  readonly missing: boolean;
  /** Exit status of the real program for a wrong command line. */
  readonly status: number;

  constructor(message: string, option: string, missing: boolean, status: number) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.option = option;
    this.missing = missing;
    this.status = status;
  }
}

/** The options of a command. */
export interface Taken {
  /**
   * Words such as `a,all` (a flag), `n,lines=` (takes a value), `color=?` (may take one). The first name is the one
   * under which the option is found.
   */
  readonly known: string;
  /** The same for options that the real program has and this one does not: giving one is reported. */
  readonly missing?: string;
  /** Exit status for a wrong option, 1 by default. */
  readonly status?: number;
  /** The first operand ends the options. */
  readonly stop?: boolean;
  /** The option that `-5` means. */
  readonly digits?: string;
}

/** A parsed command line. */
export class Given {
  /** Options in the order in which they were given. */
  readonly order: { readonly name: string; readonly value: string }[] = [];
  readonly operands: string[] = [];

  /** True when any of these options was given. */
  has(...names: readonly string[]): boolean {
    return this.order.some(({ name }) => names.includes(name));
  }

  /** The last value of any of these options. */
  last(...names: readonly string[]): string | undefined {
    return this.order.findLast(({ name }) => names.includes(name))?.value;
  }

  /** All values of an option. */
  all(name: string): string[] {
    return this.order.filter((one) => one.name === name).map(({ value }) => value);
  }

  /** The one of these options that was given last. */
  lastOf(...names: readonly string[]): string | undefined {
    return this.order.findLast(({ name }) => names.includes(name))?.name;
  }
}

interface Option {
  readonly name: string;
  readonly value: 'none' | 'required' | 'optional';
  readonly missing: boolean;
}

interface Table {
  readonly short: ReadonlyMap<string, Option>;
  readonly long: ReadonlyMap<string, Option>;
}

const tables = new WeakMap<Taken, Table>();

function tableOf(taken: Taken): Table {
  let table = tables.get(taken);
  if (table !== undefined) return table;
  const short = new Map<string, Option>();
  const long = new Map<string, Option>();
  const add = (words: string, missing: boolean) => {
    for (const word of words.split(/\s+/)) {
      if (word === '') continue;
      const value = word.endsWith('=?') ? 'optional' : word.endsWith('=') ? 'required' : 'none';
      const names = word.replace(/=\??$/, '').split(',');
      const option: Option = { name: names[0]!, value, missing };
      for (const name of names) (name.length === 1 ? short : long).set(name, option);
    }
  };
  add(taken.known, false);
  add(`${taken.missing ?? ''} help version`, true);
  table = { short, long };
  tables.set(taken, table);
  return table;
}

/** Parses a command line as getopt_long(3) does. Throws {@link UsageError}. */
export function parseOptions(args: readonly string[], taken: Taken): Given {
  const { short, long } = tableOf(taken);
  const given = new Given();
  const status = taken.status ?? 1;
  const add = (option: Option, text: string, value: string) => {
    if (option.missing) throw new UsageError(`option '${text}' is not implemented`, text, true, status);
    given.order.push({ name: option.name, value });
  };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') {
      for (const each of args.slice(i + 1)) given.operands.push(each);
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      if (taken.stop) {
        for (const each of args.slice(i)) given.operands.push(each);
        break;
      }
      given.operands.push(arg);
      continue;
    }
    const required = (text: string): string => {
      const next = args[++i];
      if (next === undefined) throw new UsageError(`option '${text}' requires an argument`, text, false, status);
      return next;
    };
    if (arg.startsWith('--')) {
      const equals = arg.indexOf('=');
      const name = arg.slice(2, equals < 0 ? undefined : equals);
      const text = `--${name}`;
      const option = longOption(long, name);
      if (option === undefined) throw new UsageError(`unrecognized option '${text}'`, text, false, status);
      if (option.value === 'none' && equals >= 0)
        throw new UsageError(`option '${text}' doesn't allow an argument`, text, false, status);
      add(option, text, equals >= 0 ? arg.slice(equals + 1) : option.value === 'required' ? required(text) : '');
      continue;
    }
    if (taken.digits !== undefined && /^-[0-9]+$/.test(arg)) {
      given.order.push({ name: taken.digits, value: arg.slice(1) });
      continue;
    }
    for (let at = 1; at < arg.length; at++) {
      const text = `-${arg[at]}`;
      const option = short.get(arg[at]!);
      if (option === undefined) throw new UsageError(`invalid option -- '${arg[at]}'`, text, false, status);
      if (option.value === 'none') {
        add(option, text, '');
        continue;
      }
      const rest = arg.slice(at + 1);
      add(option, text, rest !== '' || option.value === 'optional' ? rest : required(text));
      break;
    }
  }
  return given;
}

/** A long option by its name or the beginning of it, if only one begins like that. */
function longOption(long: ReadonlyMap<string, Option>, name: string): Option | undefined {
  const exact = long.get(name);
  if (exact !== undefined) return exact;
  const found = new Set([...long].filter(([word]) => word.startsWith(name)).map(([, option]) => option));
  return found.size === 1 ? [...found][0] : undefined;
}
