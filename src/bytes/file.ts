import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BuildError } from '../errors/error.ts';
import { type Content, type FileContent, PIECE } from './content.ts';

/**
 * Reads slices of files on the build host. Small slices of one file are served from a window read ahead, since a
 * package's files lie one behind the other; handles and windows are few and shared, so that hundreds of spools cost
 * neither file descriptors nor memory.
 */
class SliceReader {
  static readonly HANDLES = 48;
  static readonly WINDOWS = 16;
  static readonly WINDOW = 256 * 1024;
  private readonly handles = new Map<string, number>();
  private readonly windows: { file: string; offset: number; size: number; bytes: Uint8Array }[] = [];

  private handle(file: string): number {
    let fd = this.handles.get(file);
    if (fd !== undefined) {
      this.handles.delete(file);
    } else {
      fd = openSync(file, 'r');
      if (this.handles.size >= SliceReader.HANDLES) {
        const [oldest, oldFd] = this.handles.entries().next().value!;
        this.handles.delete(oldest);
        closeSync(oldFd);
      }
    }
    this.handles.set(file, fd);
    return fd;
  }

  /** Forgets a file: closes its handle and drops its windows. Call it before the file is replaced or removed. */
  forget(file: string): void {
    const fd = this.handles.get(file);
    if (fd !== undefined) {
      this.handles.delete(file);
      closeSync(fd);
    }
    for (let i = this.windows.length - 1; i >= 0; i--) if (this.windows[i]!.file === file) this.windows.splice(i, 1);
  }

  /** Fills `into` from `offset` on. */
  read(file: string, offset: number, into: Uint8Array): void {
    if (into.length >= SliceReader.WINDOW / 2) {
      if (this.readFully(file, offset, into) !== into.length) throw short(file, offset, into.length);
      return;
    }
    let index = this.windows.findIndex(
      (w) => w.file === file && offset >= w.offset && offset + into.length <= w.offset + w.size,
    );
    if (index < 0) {
      const window =
        this.windows.length < SliceReader.WINDOWS
          ? { file, offset, size: 0, bytes: new Uint8Array(SliceReader.WINDOW) }
          : this.windows.shift()!;
      window.file = file;
      window.offset = offset;
      window.size = this.readFully(file, offset, window.bytes);
      if (window.size < into.length) throw short(file, offset, into.length);
      this.windows.push(window);
      index = this.windows.length - 1;
    }
    const window = this.windows[index]!;
    into.set(window.bytes.subarray(offset - window.offset, offset - window.offset + into.length));
    if (index !== this.windows.length - 1) {
      this.windows.splice(index, 1);
      this.windows.push(window);
    }
  }

  private readFully(file: string, offset: number, into: Uint8Array): number {
    const fd = this.handle(file);
    let done = 0;
    while (done < into.length) {
      const n = readSync(fd, into, done, into.length - done, offset + done);
      if (n === 0) break;
      done += n;
    }
    return done;
  }
}

const reader = new SliceReader();

function short(file: string, offset: number, size: number): BuildError<'CONTENT_SHORT'> {
  return new BuildError('CONTENT_SHORT', { path: file, offset, size });
}

/** Lets go of any handle this process keeps on `file`. */
export function forgetFile(file: string): void {
  reader.forget(file);
}

/** `size` bytes of a file on the build host, from `offset` on, as a content. The file must not change meanwhile. */
export function fileSlice(file: string, offset: number, size: number, sha256?: string): FileContent {
  return {
    size,
    async *open() {
      for (let done = 0; done < size; done += PIECE) {
        const piece = new Uint8Array(Math.min(PIECE, size - done));
        reader.read(file, offset + done, piece);
        yield piece;
      }
    },
    readSync() {
      const bytes = new Uint8Array(size);
      reader.read(file, offset, bytes);
      return bytes;
    },
    place: { file, offset },
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}

/** A whole file on the build host, with its size as of now. */
export function hostFile(file: string): FileContent {
  const fd = openSync(file, 'r');
  try {
    return fileSlice(file, 0, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

/** A content whose bytes can be read at any place, as readers of file systems and partition tables need it. */
export interface RandomAccess extends Content {
  /** Fills `into` from `offset` on; a read past the end is refused with `CONTENT_SHORT`. */
  readAt(offset: number, into: Uint8Array): void;
}

/** A file on the build host (or a part of it), readable at any place. */
export function randomAccess(file: string, offset = 0, size = hostFile(file).size - offset): RandomAccess {
  return {
    ...fileSlice(file, offset, size),
    readAt(at, into) {
      if (at < 0 || at + into.length > size) throw short(file, offset + at, into.length);
      reader.read(file, offset + at, into);
    },
  };
}

/** Bytes in memory, readable at any place. */
export function randomAccessMemory(bytes: Uint8Array): RandomAccess {
  return {
    size: bytes.length,
    async *open() {
      yield bytes;
    },
    readAt(at, into) {
      if (at < 0 || at + into.length > bytes.length) throw short('(memory)', at, into.length);
      into.set(bytes.subarray(at, at + into.length));
    },
  };
}

/** The bytes of a file in a tree, readable at any place: straight from the build host's file where they lie whole in one. */
export function accessTo(content: FileContent): RandomAccess {
  const { place } = content;
  if (place !== undefined && content.extents === undefined) return randomAccess(place.file, place.offset, content.size);
  return randomAccessMemory(content.readSync());
}

/** A part of something readable at any place: a partition of a disk. */
export function section(access: RandomAccess, offset: number, size: number): RandomAccess {
  if (offset < 0 || size < 0 || offset + size > access.size) throw short('(section)', offset, size);
  return {
    size,
    async *open() {
      for (let done = 0; done < size; done += PIECE) {
        const piece = new Uint8Array(Math.min(PIECE, size - done));
        access.readAt(offset + done, piece);
        yield piece;
      }
    },
    readAt(at, into) {
      if (at < 0 || at + into.length > size) throw short('(section)', at, into.length);
      access.readAt(offset + at, into);
    },
  };
}
