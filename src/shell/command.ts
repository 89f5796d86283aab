import type { Tree } from '../tree/tree.ts';
import type { Node, Source } from './ast.ts';
import type { Scope } from './expand.ts';
import { FileError, type Files } from './files.ts';
import type { Budget } from './limits.ts';
import type { Stream } from './streams.ts';

/** A variable; replaced as a whole when it changes, so that copies of the table may share it. */
export interface Variable {
  readonly value: string | undefined;
  readonly exported: boolean;
  readonly readonly: boolean;
}

/** A command that is neither ours nor a script in the tree. */
export interface UnknownCommand {
  readonly script: string;
  readonly line: number;
  readonly command: string;
  /** The line of the script it stands on, trimmed. */
  readonly text: string;
  /** It stood in a condition or before `||`, where its failure was reckoned with: status 127, and no warning is due. */
  readonly tested: boolean;
  /** The tree has no such program: it would not be found in truth either. */
  readonly missing: boolean;
}

/** What all shells of one run share. */
export interface World {
  readonly tree: Tree;
  readonly files: Files;
  readonly budget: Budget;
  /** Programs by name. */
  readonly commands: ReadonlyMap<string, Command>;
  /** Names of programs that `command -v` finds even when the tree has no such file. */
  readonly present: ReadonlySet<string>;
  /** Files that are not read when sourced: what is done instead. */
  readonly sourced: ReadonlyMap<string, (shell: RunningShell, args: readonly string[]) => number>;
  /** Machine name as `uname -m` gives it. */
  readonly machine: string;
  unknown(command: UnknownCommand): void;
}

/** A break, continue or return on its way up, and how many loops it has yet to leave. */
export interface Skip {
  readonly kind: 'break' | 'continue' | 'return';
  levels: number;
}

/** What a running shell offers to commands, builtins included. The class `Shell` implements it. */
export interface RunningShell extends Scope {
  readonly world: World;
  readonly files: Files;
  readonly budget: Budget;
  /** `$0`. */
  name: string;
  positional: readonly string[];
  readonly variables: Map<string, Variable>;
  readonly functions: Map<string, Node>;
  readonly aliases: Map<string, string>;
  /** Letters of the options that are on. */
  readonly options: Set<string>;
  /** Actions by signal name without SIG. */
  readonly traps: Map<string, string>;
  readonly descriptors: Map<number, Stream>;
  /** Variables to restore when each running function returns, outermost first. */
  readonly locals: readonly Map<string, Variable | undefined>[];
  /** Statuses of background commands by process number. */
  readonly jobs: Map<string, number>;
  /** Status of the last command. */
  readonly status: number;
  /** Line of the script that runs. */
  readonly line: number;
  readonly source: Source;
  /** Number of loops that a `break` could leave. */
  readonly loops: number;
  skip: Skip | undefined;
  /** Position of getopts within its argument. */
  optionAt: number;

  assign(name: string, value: string, exported?: boolean): void;
  stream(fd: number): Stream | undefined;
  /** Writes to a descriptor; throws a {@link FileError} when it is closed. */
  write(fd: number, text: string): void;
  /** Parses and runs a text in this shell. */
  runText(text: string, source: Source, tested?: boolean, line?: number): number;
  /** Runs `body` with a copy of everything a subshell may change. */
  subshell(body: () => number): number;
  /** Runs `body` in a new shell over the same tree. */
  child(name: string, args: readonly string[], options: string, body: (shell: RunningShell) => number): number;
  /** Runs a builtin or program by its arguments; functions are not considered. */
  invoke(args: readonly string[], tested?: boolean): number;
  /** Path of a program of the tree, or one that counts as present. */
  lookUp(name: string): string | undefined;
  /** Reports a command that is not known and returns the status to go on with. */
  unknown(name: string, missing?: boolean, loud?: boolean): number;
}

/**
 * A program as we have it: it sees the tree through `call`, writes to its descriptors and returns its exit status.
 * A {@link FileError} that it lets pass is printed and ends it with 1.
 */
export type Command = (call: Call) => number;

/** One call of a command. */
export class Call {
  readonly shell: RunningShell;
  /** Its name without a directory. */
  readonly name: string;
  /** Arguments, without the name. */
  readonly args: readonly string[];

  constructor(shell: RunningShell, name: string, args: readonly string[]) {
    this.shell = shell;
    this.name = name;
    this.args = args;
  }

  get files(): Files {
    return this.shell.files;
  }

  /** All of standard input that is left. */
  input(): string {
    const stream = this.shell.stream(0);
    if (stream === undefined) return '';
    const text = stream.rest();
    stream.consume(text.length);
    this.shell.budget.scan(text.length * 2);
    return text;
  }

  /** A file by name, or standard input for `-`. */
  read(path: string): string {
    if (path === '-' || path === '/dev/stdin') return this.input();
    const text = this.files.read(path);
    this.shell.budget.scan(text.length * 2);
    return text;
  }

  /** Writes to standard output. */
  out(text: string): void {
    this.shell.write(1, text);
  }

  /** Writes a line `name: text` to standard error. */
  complain(text: string): void {
    this.shell.write(2, `${this.name}: ${text}\n`);
  }

  /** Complains and gives the status to return. */
  fail(text: string, status = 1): number {
    this.complain(text);
    return status;
  }

  /** Runs `body`; when a file operation in it fails, says so about `path` and returns false. */
  attempt(path: string, body: () => void): boolean {
    try {
      body();
      return true;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.complain(`${this.files.show(path)}: ${error.reason}`);
      return false;
    }
  }
}

/** Options of a command line as getopt(3) reads them. */
export interface Options {
  /** Values of each option given, in order; flags have the value `''`. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
  /** The first option that is not known, if any. */
  readonly unknown: string | undefined;
  has(...names: string[]): boolean;
  /** The last value given for any of these names. */
  last(...names: string[]): string | undefined;
}

const splitWords = new Map<string, readonly string[]>();

/** Long options, divided once. */
function wordsOf(long: string): readonly string[] {
  let words = splitWords.get(long);
  if (words === undefined) {
    words = long.split(/\s+/).filter((word) => word !== '');
    splitWords.set(long, words);
  }
  return words;
}

/**
 * Reads options: `short` as for getopt (`ab:c` : b takes a value), `long` the same with words (`all mode= parents`; a
 * trailing `=` takes a value, `=?` may take one). Operands may stand between options unless `short` begins with `+`.
 */
export function options(args: readonly string[], short: string, long = ''): Options {
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  const words = wordsOf(long);
  let unknown: string | undefined;
  const stop = short.startsWith('+');
  const add = (name: string, value: string) => {
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (arg.startsWith('--')) {
      const equals = arg.indexOf('=');
      const name = arg.slice(2, equals < 0 ? undefined : equals);
      const candidates = words.filter((word) => word.replace(/=\??$/, '') === name);
      const near = candidates.length > 0 ? candidates : words.filter((word) => word.startsWith(name));
      const found = near[0];
      if (found === undefined) {
        unknown ??= arg;
        continue;
      }
      const plain = found.replace(/=\??$/, '');
      if (found.endsWith('=') && equals < 0) add(plain, args[++i] ?? '');
      else add(plain, equals < 0 ? '' : arg.slice(equals + 1));
    } else if (arg.startsWith('-') && arg !== '-') {
      for (let at = 1; at < arg.length; at++) {
        const letter = arg[at]!;
        const where = letter === ':' ? -1 : short.indexOf(letter);
        if (where < 0) {
          unknown ??= `-${letter}`;
          continue;
        }
        if (short[where + 1] !== ':') add(letter, '');
        else if (short[where + 2] === ':') {
          add(letter, arg.slice(at + 1));
          break;
        } else {
          add(letter, at + 1 < arg.length ? arg.slice(at + 1) : (args[++i] ?? ''));
          break;
        }
      }
    } else if (stop) {
      operands.push(...args.slice(i));
      break;
    } else operands.push(arg);
  }
  return {
    values,
    operands,
    unknown,
    has: (...names) => names.some((name) => values.has(name)),
    last: (...names) => names.map((name) => values.get(name)?.at(-1)).find((value) => value !== undefined),
  };
}
