import type { Inode } from '../tree/inode.ts';
import { FileError, type Files, isNull } from './files.ts';
import type { Budget } from './limits.ts';

/** What a file descriptor refers to. Copies of a descriptor share it and its position. */
export interface Stream {
  /** Everything that has not been read yet. */
  rest(): string;
  /** Consumes `length` bytes. */
  consume(length: number): void;
  write(text: string): void;
  /** Size of the regular file that it reads. */
  readonly size?: number;
  /** True for the null device. */
  readonly isNull?: boolean;
  /** True for the output of a command that another one of its pipeline reads. */
  readonly isPipe?: boolean;
}

function unreadable(): never {
  throw new FileError('Bad file descriptor');
}

/** The null device. */
export const NULL: Stream = { rest: () => '', consume: () => {}, write: () => {}, isNull: true };

/** A readable text: a here-document, or the output of the previous command in a pipeline. */
export function textStream(text: string): Stream {
  let at = 0;
  return {
    rest: () => text.slice(at),
    consume: (length) => {
      at += length;
    },
    write: unreadable,
  };
}

/** Output kept in memory. */
export class OutputStream implements Stream {
  readonly #budget: Budget;
  readonly isPipe: boolean;
  text = '';

  constructor(budget: Budget, isPipe = false) {
    this.#budget = budget;
    this.isPipe = isPipe;
  }

  rest(): string {
    return '';
  }

  consume(): void {}

  write(text: string): void {
    this.#budget.write(text.length);
    this.#budget.length(this.text.length + text.length, 'the output of a command');
    this.text += text;
  }
}

/** An open file of the tree. */
class FileStream implements Stream {
  readonly #files: Files;
  readonly #inode: Inode;
  readonly #mode: { read: boolean; write: boolean; append: boolean };
  #at = 0;
  /** Size of the text when it was last charged for. */
  #charged = -1;

  constructor(files: Files, inode: Inode, mode: { read: boolean; write: boolean; append: boolean }) {
    this.#files = files;
    this.#inode = inode;
    this.#mode = mode;
  }

  get size(): number {
    return this.#size();
  }

  #size(): number {
    return this.#inode.kind === 'file' ? this.#inode.content.size : 0;
  }

  rest(): string {
    if (!this.#mode.read) unreadable();
    // the text is charged for once, and then as it is consumed
    const text = this.#files.readInode(this.#inode, this.#charged === this.#size());
    this.#charged = this.#size();
    return text.slice(this.#at);
  }

  consume(length: number): void {
    this.#at += length;
  }

  write(text: string): void {
    if (!this.#mode.write || this.#inode.kind !== 'file') unreadable();
    const { budget } = this.#files;
    budget.write(text.length);
    // existing content is not read, so appending costs only what is appended
    if (this.#mode.append) this.#at = this.#inode.content.size;
    else if (this.#at !== this.#inode.content.size) budget.look(this.#inode.content.size);
    const before = this.#files.readInode(this.#inode, true);
    const gap = this.#at > before.length ? '\0'.repeat(this.#at - before.length) : '';
    const end = this.#at + text.length;
    const head = this.#at >= before.length ? before : before.slice(0, this.#at);
    this.#files.fill(this.#inode, head + gap + text + (end < before.length ? before.slice(end) : ''));
    this.#at = end;
  }
}

/** Opens a file as a redirection does. */
export function openStream(
  path: string,
  operator: '<' | '>' | '>>' | '>|' | '<>',
  files: Files,
  noclobber: boolean,
): Stream {
  if (path === '/dev/null') return NULL;
  const there = files.find(path);
  if (there !== undefined && isNull(there)) return NULL;
  if (operator === '<') {
    const inode = files.stat(path);
    if (inode.kind !== 'file' && inode.kind !== 'directory') throw new FileError('No such device or address');
    return new FileStream(files, inode, { read: true, write: false, append: false });
  }
  if (operator === '>' && noclobber && there?.kind === 'file') throw new FileError('File exists');
  const inode = files.open(path);
  if (inode === undefined) return NULL;
  if (operator === '>' || operator === '>|') files.fill(inode, '');
  return new FileStream(files, inode, { read: operator === '<>', write: true, append: operator === '>>' });
}
