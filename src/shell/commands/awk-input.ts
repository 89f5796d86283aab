import type { Call } from '../command.ts';
import type { Regex } from '../regex.ts';

/** Text that is read record by record, with a separator that may change between two of them. */
export class Records {
  readonly #text: string;
  readonly #call: Call;
  #at = 0;

  constructor(text: string, call: Call) {
    this.#text = text;
    this.#call = call;
  }

  /**
   * The next record; undefined at the end. `separator` is one character, an expression, or empty for paragraphs.
   */
  next(separator: string | Regex): string | undefined {
    const text = this.#text;
    const { budget } = this.#call.shell;
    if (separator === '') while (text[this.#at] === '\n') this.#at++;
    if (this.#at >= text.length) return undefined;
    const from = this.#at;
    if (separator === '') {
      const end = /\n\n+/g;
      end.lastIndex = from;
      const found = end.exec(text);
      this.#at = found === null ? text.length : end.lastIndex;
      budget.look(this.#at - from);
      const record = text.slice(from, found?.index ?? text.length);
      return found === null && record.endsWith('\n') ? record.slice(0, -1) : record;
    }
    if (typeof separator === 'string') {
      const end = text.indexOf(separator, from);
      this.#at = end < 0 ? text.length : end + 1;
      budget.look(this.#at - from);
      return end < 0 ? text.slice(from) : text.slice(from, end);
    }
    // the expression sees the rest of the text, so ^ does not match at each record
    for (let at = from; at <= text.length; ) {
      const found = separator.exec(text, at, budget);
      if (found === undefined) break;
      if (found[1]! > found[0]!) {
        this.#at = found[1]!;
        return text.slice(from, found[0]);
      }
      at = found[1]! + 1;
    }
    this.#at = text.length;
    return text.endsWith('\n') ? text.slice(from, -1) : text.slice(from);
  }
}

/** Where `print` and `getline` read and write besides the standard streams. */
export class AwkStreams {
  readonly #call: Call;
  readonly #readers = new Map<string, Records>();
  /** Files written, and what commands will read. */
  readonly #written = new Map<string, { how: '>' | '>>' | '|'; pieces: string[] }>();

  constructor(call: Call) {
    this.#call = call;
  }

  /** The records of a file or of a command's output; undefined when the file cannot be read. */
  reader(name: string, command: boolean): Records | undefined {
    const key = `${command ? '|' : '<'}${name}`;
    let records = this.#readers.get(key);
    if (records === undefined) {
      let text: string | undefined;
      if (command) {
        this.flush();
        text = this.#call.shell.capture(name).output;
      } else if (name === '-' || name === '/dev/stdin') text = this.#call.input();
      else {
        const inode = this.#call.files.find(name);
        if (inode?.kind === 'file' || name === '/dev/null') text = this.#call.read(name);
      }
      if (text === undefined) return undefined;
      records = new Records(text, this.#call);
      this.#readers.set(key, records);
    }
    return records;
  }

  write(name: string, how: '>' | '>>' | '|', text: string): void {
    const { shell } = this.#call;
    if (how !== '|') {
      if (name === '/dev/stdout' || name === '-') return this.#call.out(text);
      if (name === '/dev/stderr') return shell.write(2, text);
      if (name === '/dev/null') return;
    }
    const key = `${how === '|' ? '|' : '>'}${name}`;
    let target = this.#written.get(key);
    if (target === undefined) {
      // a file is made at once, so that a wrong name is an error here
      if (how === '>') this.#call.files.write(name, '');
      else if (how === '>>' && this.#call.files.find(name) === undefined) this.#call.files.write(name, '');
      target = { how: how === '>' ? '>>' : how, pieces: [] };
      this.#written.set(key, target);
    }
    shell.budget.look(text.length + 256);
    target.pieces.push(text);
  }

  /** Writes what is still kept for files. */
  flush(): void {
    for (const [key, target] of this.#written) if (target.how !== '|') this.#flushFile(key.slice(1), target);
  }

  #flushFile(name: string, target: { pieces: string[] }): void {
    if (target.pieces.length === 0) return;
    const { files } = this.#call;
    const inode = files.open(name);
    const text = target.pieces.join('');
    target.pieces = [];
    files.budget.write(text.length);
    if (inode !== undefined) files.fill(inode, files.readInode(inode, true) + text);
  }

  /** `close(name)`: the status of a command, 0 for a file, -1 when nothing of that name is open. */
  close(name: string): number {
    let status = -1;
    for (const key of [`<${name}`, `|${name}`]) if (this.#readers.delete(key)) status = 0;
    for (const key of [`>${name}`, `|${name}`]) {
      const target = this.#written.get(key);
      if (target === undefined) continue;
      this.#written.delete(key);
      status = 0;
      if (target.how === '|') status = this.#call.shell.capture(name, target.pieces.join(''), true).status;
      else this.#flushFile(name, target);
    }
    return status;
  }

  /** Closes everything, at the end of the program. */
  closeAll(): void {
    for (const key of [...this.#written.keys()]) this.close(key.slice(1));
  }
}
