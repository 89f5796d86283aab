import type { Call, Command } from '../command.ts';
import { FileError } from '../files.ts';
import type { Taken } from '../given.ts';
import { formatInteger } from '../printf.ts';
import { compileRegex, type Regex, RegexError } from '../regex.ts';

const CSPLIT: Taken = {
  known: 'b,suffix-format= f,prefix= k,keep-files n,digits= s,quiet,silent q z,elide-empty-files suppress-matched',
};

/** Thrown when a pattern is invalid or cannot be found. */
class SplitError extends Error {
  /** What has been written stays. */
  readonly keeps: boolean;

  constructor(message: string, keeps = false) {
    super(message);
    this.keeps = keeps;
  }
}

/** A place to divide at: a line's number, or what it matches. */
interface Divider {
  readonly text: string;
  readonly line: number;
  readonly regex: Regex | undefined;
  readonly offset: number;
  /** The part before it is left out. */
  readonly skips: boolean;
  /** How many more times it is used, and whether that was given. */
  repeats: number;
  repeated: boolean;
}

function dividers(call: Call, patterns: readonly string[]): Divider[] {
  const out: Divider[] = [];
  let before = 0;
  for (const text of patterns) {
    const repeats = /^\{(?:([0-9]{1,9})|(\*))\}$/.exec(text);
    if (repeats !== null) {
      const last = out.at(-1);
      if (last === undefined || last.repeated) throw new SplitError(`${text}: invalid pattern`);
      last.repeated = true;
      last.repeats = repeats[2] === undefined ? Number(repeats[1]) : Number.POSITIVE_INFINITY;
      continue;
    }
    const mark = text[0];
    if (mark === '/' || mark === '%') {
      const end = text.lastIndexOf(mark);
      const offset = text.slice(end + 1);
      if (end === 0) throw new SplitError(`${text}: closing delimiter '${mark}' missing`);
      if (!/^([-+]?[0-9]{1,9})?$/.test(offset)) throw new SplitError(`${text}: integer expected after delimiter`);
      const regex = compileRegex(text.slice(1, end), call.shell.budget);
      out.push({ text, line: 0, regex, offset: Number(offset || 0), skips: mark === '%', repeats: 0, repeated: false });
      continue;
    }
    if (!/^[0-9]{1,15}$/.test(text)) throw new SplitError(`${text}: invalid pattern`);
    const line = Number(text);
    if (line === 0) throw new SplitError(`${text}: line number must be greater than zero`);
    if (line < before) throw new SplitError(`line number '${text}' is smaller than preceding line number, ${before}`);
    if (line === before) call.complain(`warning: line number '${text}' is the same as preceding line number`);
    before = line;
    out.push({ text, line, regex: undefined, offset: 0, skips: false, repeats: 0, repeated: false });
  }
  return out;
}

/** Divides the lines of one text into files. */
class Splitter {
  readonly #call: Call;
  readonly #lines: readonly string[];
  readonly #suppresses: boolean;
  readonly #elides: boolean;
  readonly #quiet: boolean;
  readonly #name: (n: number) => string;
  /** The first line that has not been written, and the one where the search goes on. */
  #first = 0;
  #current = 0;
  #piece: string | undefined;
  readonly made: string[] = [];

  constructor(
    call: Call,
    text: string,
    how: { suppresses: boolean; elides: boolean; quiet: boolean; name: (n: number) => string },
  ) {
    this.#call = call;
    this.#lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
    this.#suppresses = how.suppresses;
    this.#elides = how.elides;
    this.#quiet = how.quiet;
    this.#name = how.name;
  }

  /** Makes all parts. Throws a {@link SplitError}; what has been written then is in `made`. */
  run(all: readonly Divider[]): void {
    for (const one of all)
      for (let n = 0; n <= one.repeats; n++) {
        this.#call.shell.budget.spend();
        if (one.regex === undefined) this.#upTo(one, n);
        else if (!this.#upToMatch(one, one.regex, n)) return;
      }
    this.#open();
    this.#write(this.#lines.length);
    this.close();
  }

  #open(): void {
    const path = this.#name(this.made.length);
    this.#call.files.write(path, '');
    this.made.push(path);
    this.#piece = '';
  }

  /** Ends the present part and prints its size. */
  close(): void {
    if (this.#piece === undefined) return;
    const path = this.made.at(-1)!;
    const size = this.#piece.length;
    if (size === 0 && this.#elides) {
      this.#call.files.unlink(path);
      this.made.pop();
    } else {
      this.#call.files.write(path, this.#piece);
      if (!this.#quiet) this.#call.out(`${size}\n`);
    }
    this.#piece = undefined;
  }

  /** Moves lines up to `end` into the present part, if there is one. */
  #write(end: number): void {
    if (this.#piece !== undefined) this.#piece += this.#lines.slice(this.#first, end).join('');
    this.#first = Math.max(this.#first, Math.min(end, this.#lines.length));
  }

  #outOfRange({ text }: Divider, n: number): never {
    throw new SplitError(`'${text}': line number out of range${n > 0 ? ` on repetition ${n}` : ''}`);
  }

  #upTo(one: Divider, n: number): void {
    const end = one.line * (n + 1) - 1;
    const lines = this.#lines.length;
    this.#open();
    if (this.#suppresses && this.#first >= lines) this.#outOfRange(one, n);
    if (this.#first >= lines) {
      // GNU's program leaves its files then, and prints no size
      this.#piece = undefined;
      throw new SplitError('input disappeared', true);
    }
    this.#write(end);
    if (end > lines) this.#outOfRange(one, n);
    this.close();
    if (this.#suppresses) this.#first = Math.min(lines, this.#first + 1);
    else if (Math.max(this.#first, this.#current) >= lines) this.#outOfRange(one, n);
  }

  /** False when a pattern that is repeated for ever does not come again, so that everything has been written. */
  #upToMatch(one: Divider, regex: Regex, n: number): boolean {
    const { budget } = this.#call.shell;
    if (!one.skips) this.#open();
    for (;;) {
      const line = this.#lines[this.#current++];
      if (line === undefined) {
        this.#write(this.#lines.length);
        this.close();
        if (one.repeats === Number.POSITIVE_INFINITY) return false;
        throw new SplitError(`'${one.text}': match not found${n > 0 ? ` on repetition ${n}` : ''}`);
      }
      budget.spend();
      if (this.#current > this.#first && regex.test(line.endsWith('\n') ? line.slice(0, -1) : line, budget)) break;
      if (one.offset >= 0) this.#write(this.#current);
    }
    const at = this.#current + one.offset;
    const end = at - 1;
    if (end < this.#first || end > this.#lines.length) {
      if (end > this.#lines.length) this.#write(this.#lines.length);
      throw new SplitError(`'${one.text}': line number out of range`);
    }
    this.#write(end);
    this.close();
    if (one.offset > 0) this.#current = at;
    if (this.#suppresses) this.#first = Math.min(this.#lines.length, this.#first + 1);
    return true;
  }
}

function csplit(call: Call): number {
  const given = call.parse(CSPLIT);
  const [path, ...patterns] = given.operands;
  if (path === undefined || patterns.length === 0)
    return call.fail(path === undefined ? 'missing operand' : `missing operand after '${path}'`);
  const digits = given.last('n') ?? '2';
  if (!/^[0-9]{1,3}$/.test(digits)) return call.fail(`invalid number: '${digits}'`);
  const format = given.last('b') ?? `%0${digits}d`;
  if (formatInteger(format, 0) === undefined) return call.fail(`invalid conversion specifier in suffix: '${format}'`);
  const prefix = given.last('f') ?? 'xx';
  let status = 0;
  const done = call.attempt(path, () => {
    let splitter: Splitter | undefined;
    try {
      const all = dividers(call, patterns);
      splitter = new Splitter(call, call.read(path), {
        ...{ suppresses: given.has('suppress-matched'), elides: given.has('z'), quiet: given.has('s', 'q') },
        name: (n) => prefix + formatInteger(format, n)!,
      });
      splitter.run(all);
    } catch (error) {
      if (!(error instanceof SplitError || error instanceof RegexError || error instanceof FileError)) throw error;
      splitter?.close();
      if (!given.has('k') && !(error instanceof SplitError && error.keeps))
        for (const name of splitter?.made ?? []) call.files.unlink(name);
      if (error instanceof FileError) throw error;
      status = call.fail(error.message);
    }
  });
  return done ? status : 1;
}

/** `csplit`. */
export const CSPLIT_COMMANDS: Readonly<Record<string, Command>> = { csplit };
