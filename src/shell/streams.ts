import type { Inode } from '../tree/inode.ts';
import { FileError, type Files, isNull, isZero } from './files.ts';
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
  /** True for the output of a command that another one of its pipeline reads, and for that one's input. */
  readonly isPipe?: boolean;
  /** True when what it gives never ends: `rest` is only the beginning. */
  readonly isEndless?: boolean;
  /** The tree's file that it reads or writes. */
  readonly inode?: Inode;
  /** Exactly so many bytes, for an endless stream that can give any number of them. */
  take?(length: number): string;
  /** Says that its writer would write for ever, so that it only ends when its reader does. */
  goOn?(): void;
}

/** Numbers of the descriptors that have names. */
export const STANDARD_FILES: ReadonlyMap<string, number> = new Map(
  Object.entries({ '/dev/stdin': 0, '/dev/stdout': 1, '/dev/stderr': 2 }),
);

/** Bytes that stand for those of an endless stream, which whoever reads it may not use up. */
export const BEGINNING = 1 << 18;

function unreadable(): never {
  throw new FileError('Bad file descriptor');
}

/** The null device. */
export const NULL: Stream = { rest: () => '', consume: () => {}, write: () => {}, isNull: true };

/** The zero device. */
export const ZERO: Stream = {
  rest: () => '\0'.repeat(BEGINNING),
  take: (length) => '\0'.repeat(length),
  consume: () => {},
  write: () => {},
  isEndless: true,
};

/** A readable text: a here-document, or what `from` wrote, the previous command in a pipeline. */
export function textStream(text: string, from?: OutputStream): Stream {
  let at = 0;
  return {
    ...{ isPipe: from !== undefined, isEndless: from?.isEndless === true },
    rest: () => {
      if (from?.isEndless === true && at >= text.length) from.overflow();
      return text.slice(at);
    },
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
  isEndless = false;
  text = '';

  constructor(budget: Budget, isPipe = false) {
    this.#budget = budget;
    this.isPipe = isPipe;
  }

  rest(): string {
    return '';
  }

  consume(): void {}

  goOn(): void {
    this.isEndless = true;
  }

  /** Ends the script because somebody reads on and on. */
  overflow(): never {
    this.#budget.length(Number.POSITIVE_INFINITY, 'the output of a command');
    throw new Error('unreachable');
  }

  write(text: string): void {
    // what comes after something endless never comes
    if (this.isEndless) return;
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

  get inode(): Inode {
    return this.#inode;
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
  if (path === '/dev/zero' || (there !== undefined && isZero(there))) return ZERO;
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
