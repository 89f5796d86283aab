import type { Tree } from '../tree/tree.ts';
import type { ShellArray } from './arrays.ts';
import type { Assignment, Dialect, Node, Source } from './ast.ts';
import type { Scope } from './expand.ts';
import { FileError, type Files, isZero } from './files.ts';
import { type Given, parseOptions, type Taken } from './given.ts';
import type { Budget } from './limits.ts';
import { type Stream, ZERO } from './streams.ts';

/** A variable. Immutable: a change replaces the object, so copies of the table may share it. */
export interface Variable {
  readonly value: string | undefined;
  readonly exported: boolean;
  readonly readonly: boolean;
  /** Bash's arrays. `value` is undefined then. */
  readonly array?: ShellArray;
  /** Letters of bash's other attributes: i (integer), l, u (case), n (reference). */
  readonly attributes?: string;
}

/** A command that is neither emulated nor a script in the tree. */
export interface UnknownCommand {
  readonly script: string;
  readonly line: number;
  readonly command: string;
  /** The script line that contains it, trimmed. */
  readonly text: string;
  /** It was in a condition or before `||`, where the script handles a failure: status 127 and no warning. */
  readonly tested: boolean;
  /** The tree has no such program: a real system would not find it either. */
  readonly missing: boolean;
}

/** State shared by all shells of one run. */
export interface World {
  readonly tree: Tree;
  readonly files: Files;
  readonly budget: Budget;
  /** Programs by name. */
  readonly commands: ReadonlyMap<string, Command>;
  /** Names of programs that `command -v` finds even when the tree has no such file. */
  readonly present: ReadonlySet<string>;
  /** Replacements for sourced files, by path. */
  readonly sourced: ReadonlyMap<string, (shell: RunningShell, args: readonly string[]) => number>;
  /** Machine name as printed by `uname -m`. */
  readonly machine: string;
  /** The language of the guest's `sh`. */
  readonly sh: 'dash' | 'bash-posix';
  unknown(command: UnknownCommand): void;
}

/** A pending break, continue or return, and how many loops it still has to leave. */
export interface Skip {
  readonly kind: 'break' | 'continue' | 'return';
  levels: number;
}

/** The interface of a running shell to commands, builtins included. The class `Shell` implements it. */
export interface RunningShell extends Scope {
  readonly world: World;
  readonly files: Files;
  readonly budget: Budget;
  readonly dialect: Dialect;
  /** Options of bash's shopt that are on. */
  readonly shopts: Set<string>;
  /** Names of the functions that run, innermost last. */
  /** Files that are being sourced. */
  sourcing: number;
  readonly callers: readonly { readonly name: string; readonly line: number; readonly source: string }[];
  /** `$0`. */
  name: string;
  positional: readonly string[];
  readonly variables: Map<string, Variable>;
  readonly functions: Map<string, Node>;
  readonly aliases: Map<string, string>;
  /** Letters of the options that are set. */
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
  /** Current line of the script. */
  readonly line: number;
  readonly source: Source;
  /** Number of loops that a `break` could leave. */
  readonly loops: number;
  skip: Skip | undefined;
  /** Position of getopts within its argument. */
  optionAt: number;

  assign(name: string, value: string, exported?: boolean): void;
  /** Makes bash's array, replacing what the variable was. */
  makeArray(name: string, values: Iterable<readonly [string, string]>, associative?: boolean): void;
  /** Applies an assignment of the syntax tree, expanding its words. */
  assignWords(assignment: Assignment, exported?: boolean): void;
  /** True when the option with this long name (`errexit`) is on. */
  optionNamed(name: string): boolean;
  /** Assignments of lists among the arguments of the running builtin: `declare -a x=(…)`. */
  readonly lists: readonly Assignment[];
  /** Removes one element of an array. */
  unsetElement(name: string, subscript: string): void;
  /** Evaluates an arithmetic expression. */
  calculate(expression: string): bigint;
  stream(fd: number): Stream | undefined;
  /** Writes to a descriptor; throws a {@link FileError} when it is closed. */
  write(fd: number, text: string): void;
  /** Parses and runs source text in this shell. */
  runText(text: string, source: Source, tested?: boolean, line?: number): number;
  /** Runs a complete script, of which an error in bash ends only one command. */
  runScript(text: string, source: Source): number;
  /** Calls a function. */
  callFunction(name: string, body: Node, args: readonly string[], tested: boolean): number;
  /** Runs `body` with a copy of everything a subshell may change. */
  subshell(body: () => number): number;
  /** Runs `body` in a new shell over the same tree. */
  child(
    name: string,
    args: readonly string[],
    options: string,
    body: (shell: RunningShell) => number,
    dialect?: Dialect,
  ): number;
  /** Runs a builtin or program by its arguments; functions are not considered. */
  invoke(args: readonly string[], tested?: boolean): number;
  /**
   * Runs a script with the guest's `sh`. Its output is returned, or written to standard output if `prints`. `input`
   * replaces its standard input.
   */
  capture(script: string, input?: string, prints?: boolean): { readonly status: number; readonly output: string };
  /** Path of a program in the tree, or of one that counts as present. */
  lookUp(name: string): string | undefined;
  /** Reports an unknown command and returns the status to continue with. */
  unknown(name: string, missing?: boolean, loud?: boolean): number;
}

/**
 * An emulated program: it accesses the tree through `call`, writes to its descriptors and returns its exit status.
 * A {@link FileError} that it does not catch is printed and ends it with status 1.
 */
export type Command = (call: Call) => number;

/**
 * Commands that write while they read, so that the beginning of their input gives the beginning of their output; true:
 * line by line.
 */
const PREFIXED: ReadonlyMap<string, boolean> = new Map([
  ...['cat', 'head', 'tee', 'tr'].map((name) => [name, false] as const),
  ...['awk', 'cut', 'egrep', 'expand', 'fgrep', 'fold', 'gawk', 'grep', 'mawk', 'nl', 'original-awk', 'rev', 'sed'].map(
    (name) => [name, true] as const,
  ),
]);

/** Status of a command that writes to a pipe without a reader. */
export const SIGPIPE = 141;

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

  /** Parses the command line. Throws a `UsageError`, which the shell prints and reports. */
  parse(taken: Taken, args: readonly string[] = this.args): Given {
    return parseOptions(args, taken);
  }

  #endless: Stream | undefined;

  /** What it has read the beginning of, and what never ends. */
  get endless(): Stream | undefined {
    return this.#endless;
  }

  /** The rest of standard input. */
  input(): string {
    const stream = this.shell.stream(0);
    if (stream === undefined) return '';
    return this.#text(stream);
  }

  #text(stream: Stream): string {
    let text = stream.rest();
    stream.consume(text.length);
    if (stream.isEndless === true) {
      const lines = PREFIXED.get(this.name);
      if (lines === undefined) this.tooMuch();
      if (lines) text = text.slice(0, text.lastIndexOf('\n') + 1);
      this.#endless = stream;
    }
    this.shell.budget.scan(text.length * 2);
    return text;
  }

  /** Ends the script, because a real command would read on and on. */
  tooMuch(): void {
    this.shell.budget.length(Number.POSITIVE_INFINITY, 'the input of a command');
  }

  /** Says that the command has read all that it needs. */
  enough(): void {
    this.#endless = undefined;
  }

  /** Exactly `length` bytes of an endless input that begins with `text`. */
  take(length: number, stream: Stream, text: string): string {
    this.shell.budget.length(length, 'the input of a command');
    const taken = stream.take?.(length) ?? text.slice(0, length);
    if (taken.length < length) this.tooMuch();
    return taken;
  }

  /**
   * Ends the call with its exit status. A command whose input does not end writes for ever, which is fine only where
   * its reader leaves.
   */
  finish(status: number): number {
    if (this.#endless === undefined) return status;
    const out = this.shell.stream(1);
    if (out?.isPipe !== true || out.goOn === undefined) this.tooMuch();
    out?.goOn?.();
    return SIGPIPE;
  }

  /** A file by name, or standard input for `-`. */
  read(path: string): string {
    if (path === '-' || path === '/dev/stdin') return this.input();
    const inode = path === '/dev/zero' ? undefined : this.files.find(path);
    if (path === '/dev/zero' || (inode !== undefined && isZero(inode))) return this.#text(ZERO);
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

  /**
   * Reports something that a real system has and this one does not, with the line of the script. Returns the status to
   * go on with, as for an unknown command.
   */
  unsupported(what: string): number {
    return this.shell.unknown(what, false, true);
  }

  /** Prints an error and returns the exit status to use. */
  fail(text: string, status = 1): number {
    this.complain(text);
    return status;
  }

  /** Runs `body`; when a file operation in it fails, prints the error for `path` and returns false. */
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

/** Options of a command line, parsed as getopt(3) does. */
export interface Options {
  /** Values of each option given, in order; flags have the value `''`. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
  /** The first unknown option, if any. */
  readonly unknown: string | undefined;
  has(...names: string[]): boolean;
  /** The last value given for any of these names. */
  last(...names: string[]): string | undefined;
}

const splitWords = new Map<string, readonly string[]>();

/** Parsed long options, cached. */
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
 * trailing `=` takes a value, `=?` may take one). Operands may come between options unless `short` begins with `+`.
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
      for (const each of args.slice(i + 1)) operands.push(each);
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
      for (const each of args.slice(i)) operands.push(each);
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
