import { ArithmeticError, arithmetic } from './arithmetic.ts';
import { ShellArray } from './arrays.ts';
import { asArrayElement } from './assignment.ts';
import type { Assignment, Dialect, Node, Redirect, Source, Word } from './ast.ts';
import type { Skip, Variable, World } from './command.ts';
import { expandFields, expandText, type Scope } from './expand.ts';
import { contentText, FileError, type Files } from './files.ts';
import { glob } from './glob.ts';
import type { Budget } from './limits.ts';
import { BASH_OPTIONS, LETTERS } from './options.ts';
import { NULL, openStream, STANDARD_FILES, type Stream, textStream } from './streams.ts';

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

/** Ends what bash runs up to the end of the current command of the script, with status 1. */
export class Discard extends Error {
  constructor() {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super('discard');
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** The shell's process number, for `$$`. */
export const PID = '1000';
/** The version of bash that scripts see: that of Debian 13. */
const VERSION = ['5', '2', '37', '1', 'release'];
/** Options of shopt that are on in a script. */
const DEFAULT_SHOPTS =
  'checkwinsize cmdhist complete_fullquote extquote force_fignore globasciiranges globskipdots hostcomplete interactive_comments patsub_replacement progcomp promptvars sourcepath'.split(
    ' ',
  );
/** Default search path for programs, unless PATH is set. */
export const PATHS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** A shell's state: variables, functions, options, positional parameters, and the streams of its descriptors. */
export abstract class ShellState implements Scope {
  readonly world: World;
  readonly files: Files;
  readonly budget: Budget;
  readonly dialect: Dialect;
  readonly bash: boolean;
  /** Options of bash's shopt that are on. */
  shopts = new Set<string>();
  sourcing = 0;
  callers: { readonly name: string; readonly line: number; readonly source: string }[] = [];
  /** Statuses of the last pipeline, for bash's PIPESTATUS. */
  statuses: readonly number[] = [0];
  /** Owner of the arrays that this shell or subshell may change in place. */
  owner: object = {};
  /** State of bash's RANDOM, which starts at the same number in every run. */
  #random = 1;
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
  constructor(
    world: World,
    name: string,
    environment: Iterable<readonly [string, string]> = [],
    dialect: Dialect = 'dash',
  ) {
    this.world = world;
    this.dialect = dialect;
    this.bash = dialect !== 'dash';
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
    if (this.bash) this.#prepareBash();
  }

  #prepareBash(): void {
    const set = (name: string, value: string) =>
      this.variables.set(name, { value, exported: this.variables.get(name)?.exported === true, readonly: false });
    const machine = this.world.machine;
    set('BASH', this.dialect === 'bash' ? '/usr/bin/bash' : '/usr/bin/sh');
    set('BASH_VERSION', `${VERSION.slice(0, 3).join('.')}(${VERSION[3]})-${VERSION[4]}`);
    this.makeArray('BASH_VERSINFO', [...VERSION, `${machine}-pc-linux-gnu`].entries());
    for (const [name, value] of Object.entries({
      ...{ OPTERR: '1', PS4: '+ ', HOSTNAME: 'localhost', HOSTTYPE: machine, OSTYPE: 'linux-gnu' },
      ...{ MACHTYPE: `${machine}-pc-linux-gnu`, UID: '0', EUID: '0', PPID: '1' },
    }))
      set(name, value);
    for (const name of DEFAULT_SHOPTS) this.shopts.add(name);
    if (this.dialect === 'bash-posix') this.options.add('posix');
    if (!this.variables.has('SHLVL')) this.variables.set('SHLVL', { value: '1', exported: true, readonly: false });
  }

  abstract substitute(body: Node | undefined): string;
  abstract processPath(body: Node | undefined, output: boolean): string;

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
        return this.#letters();
      case 'LINENO':
        return String(this.line);
      case 'PWD':
        return this.files.cwd;
      default: {
        const variable = this.variables.get(name);
        if (!this.bash) return variable?.value;
        if (variable?.array !== undefined) return variable.array.get('0');
        if (variable?.attributes?.includes('n')) return this.#referred(variable.value ?? '');
        return this.#special(name) ?? variable?.value;
      }
    }
  }

  /** `$-`, in the order of each shell. */
  #letters(): string {
    const order = this.bash ? 'abefhkmnptuvxBCEHPT' : 'ubaCEVvxisnmIfe';
    const on = [...this.options, ...(this.bash ? ['h', 'B'] : [])].filter((letter) => letter.length === 1);
    return on
      .filter((letter) => order.includes(letter))
      .sort((a, b) => order.indexOf(a) - order.indexOf(b))
      .join('');
  }

  /** Variables that bash computes when they are read. */
  #special(name: string): string | undefined {
    switch (name) {
      case 'RANDOM':
        // the generator of bash 4 and earlier
        this.#random = (Math.imul(this.#random, 1103515245) + 12345) & 0x7fffffff;
        return String((this.#random >>> 16) & 32767);
      case 'SECONDS':
        return '0';
      case 'EPOCHSECONDS':
        return String(this.files.time);
      case 'BASHPID':
        return PID;
      case 'FUNCNAME':
      case 'BASH_SOURCE':
      case 'BASH_LINENO':
      case 'PIPESTATUS':
        return this.elements(name)[0]?.[1];
      default:
        return undefined;
    }
  }

  /** The value a reference (`declare -n`) names: a variable or an element. */
  #referred(target: string): string | undefined {
    const match = /^([A-Za-z_][A-Za-z0-9_]*)(?:\[(.*)\])?$/s.exec(target);
    if (match === null) return undefined;
    return this.budget.deeper(() => (match[2] === undefined ? this.get(match[1]!) : this.element(match[1]!, match[2])));
  }

  /** The name of the variable that a name means: itself, unless it is a reference. */
  #target(name: string): string {
    let at = name;
    for (let n = 0; n < 10 && this.bash; n++) {
      const variable = this.variables.get(at);
      if (!variable?.attributes?.includes('n') || variable.value === undefined || variable.value === '') break;
      at = variable.value;
    }
    return at;
  }

  // --- arrays of bash

  /** Keys and values of an array, in order. A scalar counts as an array with one element. */
  elements(name: string): readonly (readonly [string, string])[] {
    const list = (values: readonly (string | number)[]) =>
      values.map((value, i) => [String(i), String(value)] as const);
    switch (name) {
      case 'PIPESTATUS':
        return list(this.statuses);
      case 'FUNCNAME':
        return list(this.callers.length === 0 ? [] : [...this.callers.map((one) => one.name).reverse(), 'main']);
      case 'BASH_SOURCE':
        return list([...this.callers.map((one) => one.source).reverse(), this.source.name]);
      case 'BASH_LINENO':
        return list([...this.callers.map((one) => one.line).reverse(), 0]);
    }
    const variable = this.variables.get(this.#target(name));
    if (variable?.array !== undefined) return variable.array.entries(this.budget);
    const value = this.get(name);
    return value === undefined ? [] : [['0', value]];
  }

  /** The key that a subscript means: text for an associative array, else the value of an expression. */
  #key(name: string, subscript: string): string {
    const array = this.variables.get(name)?.array;
    if (array?.associative) return subscript;
    const index = Number(this.calculate(subscript));
    if (index >= 0) return String(index);
    const from = (array?.next ?? 0) + index;
    if (from < 0) this.fail(`${name}: bad array subscript`);
    return String(from);
  }

  element(name: string, subscript: string): string | undefined {
    const at = this.#target(name);
    const key = this.#key(at, subscript);
    const array = this.variables.get(at)?.array;
    if (array !== undefined) return array.get(key);
    if (this.#special(at) !== undefined) return this.elements(at).find(([k]) => k === key)?.[1];
    return key === '0' ? this.get(at) : undefined;
  }

  /** The array of a variable, made or copied so that this shell may change it. */
  #writable(name: string, associative = false): ShellArray {
    const old = this.variables.get(name);
    if (old?.readonly) this.fail(`${name}: readonly variable`);
    if (old?.array?.owner === this.owner) return old.array;
    const made = old?.array?.copy(this.owner, this.budget) ?? new ShellArray(associative, this.owner);
    if (old?.value !== undefined) made.set('0', old.value);
    this.variables.set(name, { exported: false, readonly: false, ...old, value: undefined, array: made });
    return made;
  }

  /** Assigns an element. */
  setElement(name: string, subscript: string, value: string): void {
    const at = this.#target(name);
    const array = this.#writable(at);
    this.budget.length(value.length, 'a variable');
    this.budget.spend();
    array.set(this.#key(at, subscript), this.#converted(at, value));
  }

  unsetElement(name: string, subscript: string): void {
    const at = this.#target(name);
    if (subscript === '@' || subscript === '*') this.makeArray(at, []);
    else {
      const key = this.#key(at, subscript);
      if (this.variables.get(at)?.array !== undefined) this.#writable(at).delete(key);
      else if (key === '0') this.variables.delete(at);
    }
  }

  makeArray(name: string, values: Iterable<readonly [string | number, string]>, associative?: boolean): void {
    const old = this.variables.get(name);
    if (old?.readonly) this.fail(`${name}: readonly variable`);
    const array = new ShellArray(associative ?? old?.array?.associative ?? false, this.owner);
    for (const [key, value] of values) array.set(String(key), value);
    this.budget.spend(1 + (array.size >>> 2));
    this.variables.set(name, { exported: false, readonly: false, ...old, value: undefined, array });
  }

  /** The value after the variable's attributes have been applied. */
  #converted(name: string, value: string): string {
    const attributes = this.variables.get(name)?.attributes;
    if (attributes === undefined) return value;
    if (attributes.includes('i')) return this.calculate(value).toString();
    if (attributes.includes('l')) return value.replace(/[A-Z]+/g, (run) => run.toLowerCase());
    if (attributes.includes('u')) return value.replace(/[a-z]+/g, (run) => run.toUpperCase());
    return value;
  }

  calculate(expression: string): bigint {
    try {
      return arithmetic(
        expression,
        {
          get: (name, subscript) => {
            const value = subscript === undefined ? this.get(name) : this.element(name, subscript);
            if (value === undefined && this.options.has('u')) this.failUnset(name);
            return value;
          },
          set: (name, value, subscript) => {
            if (subscript === undefined) this.assign(name, value);
            else this.setElement(name, subscript, value);
          },
        },
        this.budget,
        this.bash,
      );
    } catch (error) {
      if (error instanceof ArithmeticError) return this.fail(error.message);
      throw error;
    }
  }

  assignWords({ name, value, append, subscript }: Assignment, exported = false): void {
    const list = value.length === 1 && value[0]!.kind === 'array' ? value[0]!.elements : undefined;
    if (list !== undefined) return this.#assignList(this.#target(name), list, append === true);
    const text = expandText(value, this, 'assignment');
    if (subscript !== undefined) {
      const key = expandText(subscript, this);
      const before = append ? (this.element(name, key) ?? '') : '';
      return this.setElement(name, key, this.#appended(name, before, text, append));
    }
    this.assign(name, append ? this.#appended(name, this.get(name) ?? '', text, append) : text, exported);
  }

  #appended(name: string, before: string, text: string, append: boolean | undefined): string {
    if (!append) return text;
    this.budget.look(before.length + text.length);
    return this.variables.get(name)?.attributes?.includes('i') ? `${before || 0}+(${text || 0})` : before + text;
  }

  /** `name=(…)` and `name+=(…)`. */
  #assignList(name: string, elements: readonly Word[], append: boolean): void {
    const old = this.variables.get(name);
    const associative = old?.array?.associative === true;
    // elements are expanded before the array is emptied, since they may use it
    const made: { key: string | undefined; value: string; append: boolean }[] = [];
    for (const word of elements) {
      const element = asArrayElement(word);
      if (element === undefined)
        for (const value of expandFields([word], this)) made.push({ key: undefined, value, append: false });
      else {
        const value = expandText(element.value, this, 'assignment');
        made.push({ key: expandText(element.subscript!, this), value, append: element.append === true });
      }
    }
    if (!append) this.makeArray(name, []);
    const array = this.#writable(name);
    this.budget.spend(made.length);
    let next = append ? array.next : 0;
    for (let i = 0; i < made.length; i++) {
      const { key, value, append: adds } = made[i]!;
      if (key === undefined && associative) array.set(value, this.#converted(name, made[++i]?.value ?? ''));
      else {
        const at = key === undefined ? String(next) : this.#key(name, key);
        next = Number(at) + 1;
        array.set(at, (adds ? (array.get(at) ?? '') : '') + this.#converted(name, value));
      }
    }
  }

  assign(name: string, value: string, exported = false): void {
    const old = this.variables.get(name);
    if (old?.readonly) this.fail(`${name}: ${this.bash ? 'readonly variable' : 'is read only'}`);
    this.budget.length(value.length, 'a variable');
    this.budget.scan(value.length >>> 3);
    if (name === 'OPTIND') this.optionAt = 0;
    if (this.bash) {
      if (old?.array !== undefined) return this.setElement(name, old.array.associative ? '0' : '0', value);
      if (old?.attributes !== undefined) return this.#assignAttributed(name, old, value, exported);
      if (name === 'RANDOM') this.#random = Number.parseInt(value, 10) || 0;
    }
    this.variables.set(name, {
      value,
      exported: exported || old?.exported === true || this.options.has('a'),
      readonly: false,
    });
  }

  #assignAttributed(name: string, old: Variable, value: string, exported: boolean): void {
    if (old.attributes!.includes('n') && old.value) {
      const element = /^([A-Za-z_][A-Za-z0-9_]*)\[(.*)\]$/s.exec(old.value);
      if (element !== null) return this.setElement(element[1]!, element[2]!, value);
      return this.budget.deeper(() => this.assign(old.value!, value, exported));
    }
    this.variables.set(name, { ...old, value: this.#converted(name, value), exported: exported || old.exported });
  }

  optionNamed(name: string): boolean {
    const known = this.bash ? BASH_OPTIONS : LETTERS;
    return Object.hasOwn(known, name) && this.options.has(known[name]!);
  }

  option(letter: string): boolean {
    return this.options.has(letter);
  }

  glob(pattern: string): string[] {
    if (!this.bash) return glob(pattern, this.files);
    const on = (name: string) => this.shopts.has(name);
    return glob(pattern, this.files, {
      ...{ dotglob: on('dotglob'), extglob: on('extglob'), nocaseglob: on('nocaseglob'), globstar: on('globstar') },
      skipDots: on('globskipdots'),
    });
  }

  shopt(name: string): boolean {
    return this.shopts.has(name);
  }

  names(): string[] {
    return [...this.variables.keys()].sort();
  }

  attributes(name: string): string {
    const variable = this.variables.get(name);
    if (variable === undefined) return '';
    const { array, attributes = '' } = variable;
    return [
      ...(array === undefined ? [] : [array.associative ? 'A' : 'a']),
      ...attributes,
      ...(variable.readonly ? ['r'] : []),
      ...(variable.exported ? ['x'] : []),
    ].join('');
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

  /**
   * Prints a message as the shell itself and ends the shell with status 2. Bash ends only the current command of the
   * script.
   */
  fail(message: string): never {
    if (this.bash) {
      this.write(2, `${this.name}: line ${this.line}: ${message}\n`);
      if (this.dialect === 'bash-posix') throw new Exit(1);
      throw new Discard();
    }
    this.write(2, `${this.name}: ${this.line}: ${message}\n`);
    throw new Exit(2);
  }

  /** Ends the shell because of an unset variable, or of `${name?}`. */
  failUnset(name: string, message = this.bash ? 'unbound variable' : 'parameter not set'): never {
    if (!this.bash) return this.fail(`${name}: ${message}`);
    this.write(2, `${this.name}: line ${this.line}: ${name}: ${message}\n`);
    throw new Exit(1);
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
        if (operator === '<<<') stream = textStream(`${expandText(redirect.target, this)}\n`);
        else if (operator === '<<') stream = textStream(expandText(redirect.document ?? [], this, 'document'));
        else {
          const target = expandText(redirect.target, this);
          if (operator === '<&' || operator === '>&') stream = this.#duplicate(target);
          else stream = this.#open(target, operator);
        }
        for (const one of redirect.both ? [fd, 2] : [fd]) {
          if (!saved.has(one)) saved.set(one, this.descriptors.get(one));
          if (stream === undefined) this.descriptors.delete(one);
          else this.descriptors.set(one, stream);
        }
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
    const own = /^\/(?:dev|proc\/self)\/fd\/([0-9]{1,4})$/.exec(path)?.[1] ?? STANDARD_FILES.get(path);
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
