import type { Node, Redirect, Source } from './ast.ts';
import type { Skip, Variable, World } from './command.ts';
import { expandText, type Scope } from './expand.ts';
import { contentText, FileError, type Files } from './files.ts';
import { glob } from './glob.ts';
import type { Budget } from './limits.ts';
import { NULL, openStream, type Stream, textStream } from './streams.ts';

/** Ends a shell or subshell with a status. */
export class Exit extends Error {
  readonly status: number;

  constructor(status: number) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super('exit');
    Error.stackTraceLimit = stackTraceLimit;
    this.status = status & 255;
  }
}

/** The shell's process number, for `$$`. */
export const PID = '1000';
/** Default search path for programs, unless PATH is set. */
export const PATHS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const STANDARD: Readonly<Record<string, string>> = { '/dev/stdin': '0', '/dev/stdout': '1', '/dev/stderr': '2' };

/** A shell's state: variables, functions, options, positional parameters, and the streams of its descriptors. */
export abstract class ShellState implements Scope {
  readonly world: World;
  readonly files: Files;
  readonly budget: Budget;
  name: string;
  variables = new Map<string, Variable>();
  functions = new Map<string, Node>();
  aliases = new Map<string, string>();
  options = new Set<string>();
  traps = new Map<string, string>();
  positional: readonly string[] = [];
  descriptors = new Map<number, Stream>();
  /** Variables to restore when each running function returns. */
  locals: Map<string, Variable | undefined>[] = [];
  status = 0;
  line = 1;
  source: Source;
  /** Loops that a `break` could leave. */
  loops = 0;
  /** Set while a break, continue or return is pending. */
  skip: Skip | undefined;
  /** Position within an argument that getopts is reading. */
  optionAt = 0;
  /** Statuses of background commands. */
  readonly jobs = new Map<string, number>();
  constructor(world: World, name: string, environment: Iterable<readonly [string, string]> = []) {
    this.world = world;
    this.files = world.files;
    this.budget = world.budget;
    this.name = name;
    this.source = { name, text: '' };
    for (const [key, value] of environment) this.variables.set(key, { value, exported: true, readonly: false });
    if (!this.variables.has('PATH'))
      this.variables.set('PATH', { value: PATHS.join(':'), exported: true, readonly: false });
    this.variables.set('IFS', { value: ' \t\n', exported: false, readonly: false });
    this.variables.set('OPTIND', { value: '1', exported: false, readonly: false });
    for (const fd of [0, 1, 2]) this.descriptors.set(fd, NULL);
  }

  abstract substitute(body: Node | undefined): string;

  get(name: string): string | undefined {
    const c = name.charCodeAt(0);
    if (c >= 48 && c <= 57) return name === '0' ? this.name : this.positional[Number(name) - 1];
    switch (name) {
      case '?':
        return String(this.status);
      case '#':
        return String(this.positional.length);
      case '$':
        return PID;
      case '!':
        return this.jobs.size === 0 ? undefined : String(Number(PID) + this.jobs.size);
      case '-':
        return [...this.options].join('');
      case 'LINENO':
        return String(this.line);
      case 'PWD':
        return this.files.cwd;
      default:
        return this.variables.get(name)?.value;
    }
  }

  assign(name: string, value: string, exported = false): void {
    const old = this.variables.get(name);
    if (old?.readonly) this.fail(`${name}: is read only`);
    this.budget.length(value.length, 'a variable');
    this.budget.scan(value.length >>> 3);
    if (name === 'OPTIND') this.optionAt = 0;
    this.variables.set(name, {
      value,
      exported: exported || old?.exported === true || this.options.has('a'),
      readonly: false,
    });
  }

  option(letter: string): boolean {
    return this.options.has(letter);
  }

  glob(pattern: string): string[] {
    return glob(pattern, this.files);
  }

  home(user: string): string | undefined {
    if (user === '') return this.get('HOME');
    const passwd = this.files.find('/etc/passwd');
    if (passwd?.kind !== 'file') return undefined;
    this.budget.scan(passwd.content.size);
    const entry = contentText(passwd.content, this.budget)
      .split('\n')
      .find((line) => line.startsWith(`${user}:`));
    return entry?.split(':')[5];
  }

  /** Prints a message as the shell itself and ends the shell with status 2. */
  fail(message: string): never {
    this.write(2, `${this.name}: ${this.line}: ${message}\n`);
    throw new Exit(2);
  }

  // --- descriptors

  stream(fd: number): Stream | undefined {
    return this.descriptors.get(fd);
  }

  /** Writes to a descriptor; throws a {@link FileError} when it is closed. */
  write(fd: number, text: string): void {
    if (text === '') return;
    const stream = this.descriptors.get(fd);
    if (stream === undefined) throw new FileError('Bad file descriptor');
    stream.write(text);
  }

  /** Applies redirections; returns the descriptors to restore afterwards. */
  redirect(redirects: readonly Redirect[]): Map<number, Stream | undefined> {
    const saved = new Map<number, Stream | undefined>();
    try {
      for (const redirect of redirects) {
        const { fd, operator } = redirect;
        let stream: Stream | undefined;
        if (operator === '<<') stream = textStream(expandText(redirect.document ?? [], this, 'document'));
        else {
          const target = expandText(redirect.target, this);
          if (operator === '<&' || operator === '>&') stream = this.#duplicate(target);
          else stream = this.#open(target, operator);
        }
        if (!saved.has(fd)) saved.set(fd, this.descriptors.get(fd));
        if (stream === undefined) this.descriptors.delete(fd);
        else this.descriptors.set(fd, stream);
      }
    } catch (error) {
      this.restore(saved);
      throw error;
    }
    return saved;
  }

  #duplicate(target: string): Stream | undefined {
    if (target === '-') return undefined;
    if (!/^[0-9]{1,4}$/.test(target)) this.fail('Bad fd number');
    const stream = this.descriptors.get(Number(target));
    if (stream === undefined) throw new FileError(`${target}: Bad file descriptor`);
    return stream;
  }

  #open(path: string, operator: '<' | '>' | '>>' | '>|' | '<>'): Stream {
    const own = /^\/(?:dev|proc\/self)\/fd\/([0-9]{1,4})$/.exec(path)?.[1] ?? STANDARD[path];
    if (own !== undefined) {
      const stream = this.descriptors.get(Number(own));
      if (stream !== undefined) return stream;
    }
    try {
      return openStream(path, operator, this.files, this.options.has('C'));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      const what = operator === '<' ? 'open' : 'create';
      const reason =
        error.reason === 'No such file or directory' && what === 'create' ? 'Directory nonexistent' : error.reason;
      throw new FileError(`cannot ${what} ${path}: ${reason.replace('such file or directory', 'such file')}`);
    }
  }

  /** Restores descriptors. */
  restore(saved: ReadonlyMap<number, Stream | undefined>): void {
    for (const [fd, stream] of saved)
      if (stream === undefined) this.descriptors.delete(fd);
      else this.descriptors.set(fd, stream);
  }
}
