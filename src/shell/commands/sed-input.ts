import type { Call } from '../command.ts';

/** One line without its end; `ended` is false for a last line that has none. */
export interface Line {
  readonly text: string;
  readonly ended: boolean;
}

/** The lines of one or more files. */
export class SedInput {
  readonly #call: Call;
  readonly #end: string;
  readonly #paths: readonly string[];
  #file = -1;
  #text = '';
  #at = 0;
  /** Number of the line read last. */
  line = 0;
  status = 0;

  constructor(call: Call, paths: readonly string[], end: string) {
    this.#call = call;
    this.#paths = paths;
    this.#end = end;
  }

  /** Name of the file that is read. */
  get name(): string {
    return this.#paths[Math.max(0, this.#file)] ?? '-';
  }

  /** Opens files until one has text; false at the end of all. */
  #ready(): boolean {
    while (this.#at >= this.#text.length) {
      if (this.#file + 1 >= this.#paths.length) return false;
      const path = this.#paths[++this.#file]!;
      this.#text = '';
      this.#at = 0;
      const inode = path === '-' ? undefined : this.#call.files.find(path);
      if (inode?.kind === 'directory') {
        this.#call.complain(`couldn't edit ${path}: not a regular file`);
        this.status = 2;
      } else if (!this.#call.attempt(`can't read ${path}`, () => (this.#text = this.#call.read(path)))) this.status = 2;
    }
    return true;
  }

  /** True when no line follows. */
  get isLast(): boolean {
    return !this.#ready();
  }

  next(): Line | undefined {
    if (!this.#ready()) return undefined;
    this.line++;
    const from = this.#at;
    const end = this.#text.indexOf(this.#end, from);
    this.#at = end < 0 ? this.#text.length : end + 1;
    return { text: this.#text.slice(from, end < 0 ? this.#text.length : end), ended: end >= 0 };
  }
}

/** Text that is written, with the missing end of a last line supplied when more follows. */
export class SedOutput {
  readonly #write: (text: string) => void;
  readonly #end: string;
  #missing = false;

  constructor(write: (text: string) => void, end: string) {
    this.#write = write;
    this.#end = end;
  }

  line(text: string, ended = true): void {
    this.#write((this.#missing ? this.#end : '') + text + (ended ? this.#end : ''));
    this.#missing = !ended;
  }

  /** Supplies the end that the last line lacks. */
  complete(): void {
    if (this.#missing) this.#write(this.#end);
    this.#missing = false;
  }

  /** Text with its own line ends. */
  raw(text: string): void {
    if (text === '') return;
    this.#write((this.#missing ? this.#end : '') + text);
    this.#missing = false;
  }
}
