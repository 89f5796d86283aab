import { constants, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { BuildError } from '../errors/error.ts';
import { type Bytes, type Content, type FileContent, PIECE, type Reopening, type SkippableBytes } from './content.ts';
import { keepsHandles, openFile } from './handles.ts';
import { Digested } from './kept-digest.ts';
import { closeQuietly, reading } from './reason.ts';
import { openRegular } from './regular.ts';

/** The read-ahead window of one file. */
interface Window {
  offset: number;
  size: number;
  bytes: Uint8Array;
  /** Bytes to read at the next miss, if it directly follows the window. */
  ahead: number;
}

/**
 * Reads slices of files on the build host. Small slices are served from a window read ahead, since a package's files
 * are stored back to back. A tree reads from hundreds of spools in turn, so each has its own window; it grows only
 * while reading moves forward, so that scattered slices do not cost a window each. Handles and windows are bounded in
 * number and bytes, regardless of the number of files.
 */
class SliceReader {
  static readonly HANDLES = 150;
  static readonly FEW = 16;
  static readonly FIRST = 16 * 1024;
  static readonly LARGEST = 256 * 1024;
  static readonly BUDGET = 24 * 1024 * 1024;
  private readonly handles = new Map<string, number>();
  // the one filled longest ago comes first
  private readonly windows = new Map<string, Window>();
  private held = 0;
  private most = SliceReader.HANDLES;

  private handle(file: string): number {
    let fd = this.handles.get(file);
    if (fd !== undefined) {
      this.handles.delete(file);
    } else {
      fd = reading(file, () => openFile(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)));
      while (this.handles.size >= this.most) {
        const [oldest, oldFd] = this.handles.entries().next().value!;
        this.handles.delete(oldest);
        closeQuietly(oldFd);
      }
    }
    this.handles.set(file, fd);
    return fd;
  }

  /** Forgets a file: closes its handle and drops its window. Call it before the file is replaced or removed. */
  forget(file: string): void {
    const fd = this.handles.get(file);
    if (fd !== undefined) {
      this.handles.delete(file);
      closeQuietly(fd);
    }
    this.drop(file);
  }

  /** Closes all handles, and keeps half as many from then on. False where there is none. */
  closeAll(): boolean {
    const any = this.handles.size > 0;
    this.most = Math.max(SliceReader.FEW, Math.min(this.most, this.handles.size) >> 1);
    for (const fd of this.handles.values()) closeQuietly(fd);
    this.handles.clear();
    return any;
  }

  private drop(file: string): void {
    this.held -= this.windows.get(file)?.bytes.length ?? 0;
    this.windows.delete(file);
  }

  /** Fills `into` from `offset` on. */
  read(file: string, offset: number, into: Uint8Array): void {
    if (into.length >= SliceReader.LARGEST / 2) {
      if (this.readFully(file, offset, into) !== into.length) throw short(file, offset, into.length);
      return;
    }
    let window = this.windows.get(file);
    if (window === undefined || offset < window.offset || offset + into.length > window.offset + window.size)
      window = this.look(file, offset, into.length, window);
    into.set(window.bytes.subarray(offset - window.offset, offset - window.offset + into.length));
  }

  /** Moves a file's window to `offset`. */
  private look(file: string, offset: number, need: number, old: Window | undefined): Window {
    const forward =
      old !== undefined && offset >= old.offset && offset <= old.offset + old.size + SliceReader.LARGEST / 4;
    const amount = Math.max(need, forward ? old.ahead : SliceReader.FIRST);
    this.drop(file);
    const window: Window = {
      offset,
      size: 0,
      bytes: old !== undefined && old.bytes.length >= amount ? old.bytes : new Uint8Array(amount),
      ahead: Math.min(amount * 2, SliceReader.LARGEST),
    };
    window.size = this.readFully(file, offset, window.bytes.subarray(0, amount));
    if (window.size < need) throw short(file, offset, need);
    this.held += window.bytes.length;
    this.windows.set(file, window);
    for (const oldest of this.windows.keys()) {
      if (this.held <= SliceReader.BUDGET) break;
      this.drop(oldest);
    }
    return window;
  }

  private readFully(file: string, offset: number, into: Uint8Array): number {
    const fd = this.handle(file);
    let done = 0;
    while (done < into.length) {
      const n = this.readSome(file, fd, into, done, offset + done);
      if (n === 0) break;
      done += n;
    }
    return done;
  }

  // not a closure: this is called for every small file of a guest
  private readSome(file: string, fd: number, into: Uint8Array, at: number, from: number): number {
    try {
      return readSync(fd, into, at, into.length - at, from);
    } catch (cause) {
      return reading(file, () => {
        throw cause;
      });
    }
  }
}

const reader = new SliceReader();
keepsHandles(() => reader.closeAll());

function short(file: string, offset: number, size: number): BuildError<'CONTENT_SHORT'> {
  return new BuildError('CONTENT_SHORT', { path: file, offset, size });
}

/** Closes any handle that this process keeps on `file`. */
export function forgetFile(file: string): void {
  reader.forget(file);
}

/** The result of `work`, which reads `file` once: no handle on it is kept afterwards, as threads have hundreds of such files. */
export async function readingOnce<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    reader.forget(file);
  }
}

/** Bytes between two turns of the event loop: reads are synchronous, and a signal or a timer waits for a turn. */
const TURN = 64 << 20;

/** Bytes that `read` fills in, from 0 to `size`, in one buffer that is used again for each piece. */
function piecesOf(size: number, read: (at: number, into: Uint8Array) => void): SkippableBytes {
  let next = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const buffer = new Uint8Array(Math.min(PIECE, size));
    for (let turn = TURN; next < size; ) {
      if (next >= turn) {
        turn = next + TURN;
        await setImmediate();
      }
      const piece = buffer.subarray(0, size - next);
      read(next, piece);
      next += piece.length;
      yield piece;
    }
  }
  return Object.assign(pieces(), {
    skip(bytes: number) {
      const skipped = Math.min(bytes, size - next);
      next += skipped;
      return skipped;
    },
  });
}

/**
 * `size` bytes of a file on the build host, from `offset` on, as a content. The file must not change while it is in
 * use.
 */
export function fileSlice(file: string, offset: number, size: number, sha256?: string): FileContent {
  return new FileSlice(file, offset, size, sha256);
}

/**
 * A class, because a root file system has tens of thousands of these, and closures would be created for each; its place is
 * made when it is asked for, for the same reason.
 */
class FileSlice extends Digested implements FileContent {
  readonly size: number;
  private readonly file: string;
  private readonly offset: number;

  constructor(file: string, offset: number, size: number, sha256: string | undefined) {
    super(sha256);
    this.size = size;
    this.file = file;
    this.offset = offset;
  }

  get place(): { readonly file: string; readonly offset: number } {
    return { file: this.file, offset: this.offset };
  }

  open(): Bytes {
    const { file, offset } = this;
    return piecesOf(this.size, (at, into) => reader.read(file, offset + at, into));
  }

  readSync(): Uint8Array {
    const bytes = new Uint8Array(this.size);
    reader.read(this.file, this.offset, bytes);
    return bytes;
  }

  copyTo(into: Uint8Array, at: number): void {
    reader.read(this.file, this.offset, into.subarray(at, at + this.size));
  }

  reopening(): Reopening {
    return { file: this.file, offset: this.offset, size: this.size };
  }
}

/**
 * A regular file on the build host, complete, with its size as of now. Throws `READ_FAILED` for a fifo, a device or a
 * directory.
 *
 * @example
 * ```ts
 * import { hostFile, Tree, file } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.set('usr/bin/kata-agent', file(hostFile('kata-agent'), { mode: 0o755, uid: 0, gid: 0, mtime: 0 }));
 * console.log(tree.file('usr/bin/kata-agent')?.mode.toString(8)); // prints: 755
 * ```
 */
export function hostFile(file: string): FileContent {
  const { fd, size } = reading(file, () => openRegular(file));
  closeQuietly(fd);
  // another file may have taken this name since it was read last
  reader.forget(file);
  return fileSlice(file, 0, size);
}

/** A content with random access, for readers of file systems and partition tables. */
export interface RandomAccess extends Content {
  /** Fills `into` from `offset` on; a read past the end is rejected with `CONTENT_SHORT`. */
  readAt(offset: number, into: Uint8Array): void;
  /** All bytes, where they are in memory anyway. */
  readonly bytes?: Uint8Array;
}

/**
 * A file on the build host (or a part of it) with random access.
 *
 * @example
 * ```ts
 * import { randomAccess, readGpt } from 'osbuilder';
 *
 * const disk = randomAccess('gpt.img');
 * const magic = new Uint8Array(8);
 * disk.readAt(512, magic);
 * console.log(Buffer.from(magic).toString(), readGpt(disk)?.partitions.length); // prints: EFI PART 1
 * ```
 */
export function randomAccess(file: string, offset = 0, size = hostFile(file).size - offset): RandomAccess {
  return {
    size,
    open: () => piecesOf(size, (at, into) => reader.read(file, offset + at, into)),
    reopening: () => ({ file, offset, size }),
    readAt(at, into) {
      if (at < 0 || at + into.length > size) throw short(file, offset + at, into.length);
      reader.read(file, offset + at, into);
    },
  };
}

/** Bytes in memory with random access. */
export function randomAccessMemory(bytes: Uint8Array): RandomAccess {
  return {
    size: bytes.length,
    bytes,
    async *open() {
      yield bytes;
    },
    readAt(at, into) {
      if (at < 0 || at + into.length > bytes.length) throw short('(memory)', at, into.length);
      into.set(bytes.subarray(at, at + into.length));
    },
  };
}

/**
 * The bytes of a file in a tree with random access: directly from the host file where one file contains all of them.
 */
export function accessTo(content: FileContent): RandomAccess {
  const { place } = content;
  if (place !== undefined && content.extents === undefined) return randomAccess(place.file, place.offset, content.size);
  return randomAccessMemory(content.readSync());
}

/**
 * Calls `use` with random access to the bytes of a file in a tree, which ends with the call. A file of the build host is
 * opened once for it, and only what is asked for is read.
 */
export function inParts<T>(content: FileContent, use: (access: RandomAccess) => T): T {
  if (content.inParts === undefined) return use(accessTo(content));
  return content.inParts((readAt) =>
    use({
      size: content.size,
      open: () => content.open(),
      readAt(at, into) {
        if (at < 0 || at + into.length > content.size) throw short('(file)', at, into.length);
        readAt(at, into);
      },
    }),
  );
}

/** A part of a random-access content, such as a partition of a disk. */
export function section(access: RandomAccess, offset: number, size: number): RandomAccess {
  if (offset < 0 || size < 0 || offset + size > access.size) throw short('(section)', offset, size);
  const whole = access.reopening?.();
  return {
    size,
    open: () => piecesOf(size, (at, into) => access.readAt(offset + at, into)),
    ...(whole !== undefined && 'file' in whole
      ? { reopening: () => ({ file: whole.file, offset: whole.offset + offset, size }) }
      : {}),
    readAt(at, into) {
      if (at < 0 || at + into.length > size) throw short('(section)', at, into.length);
      access.readAt(offset + at, into);
    },
  };
}
