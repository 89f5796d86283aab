import { closeSync, constants, writeFileSync, writeSync } from 'node:fs';
import type { Bytes, FileContent } from './content.ts';
import { fileSlice, forgetFile } from './file.ts';
import { openFile } from './handles.ts';
import { closeQuietly, writeFailed, writing } from './reason.ts';

/**
 * Returns the content of a payload of `size` bytes that was read at `offset` of a plain stream. Readers of archives
 * call it once per file, when its last byte has been read; `sha256` is given when they were asked to compute it.
 */
export type ContentAt = (offset: number, size: number, sha256?: string) => FileContent;

const NO_LINK = constants.O_NOFOLLOW ?? 0;
const FRESH = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | NO_LINK;
const APPEND = constants.O_WRONLY | constants.O_APPEND | NO_LINK;

/** Small pieces are gathered to this many bytes before they are written. */
const GATHER = 256 * 1024;

/**
 * Yields `source` unchanged while writing it to a fresh file at `path`: the payload of an archive is decompressed once,
 * and from then on its files are slices of that spool. Slices can be read once the stream has ended.
 */
export async function* spooled(source: Bytes, path: string): AsyncGenerator<Uint8Array> {
  forgetFile(path);
  let fd: number;
  try {
    fd = openFile(path, FRESH, 0o600);
  } catch (cause) {
    throw writeFailed(path, cause);
  }
  let gathered: Uint8Array | undefined;
  let used = 0;
  let position = 0;
  const write = (piece: Uint8Array): void => {
    try {
      for (let at = 0; at < piece.length; ) {
        const written = writeSync(fd, piece, at, piece.length - at, position);
        at += written;
        position += written;
      }
    } catch (cause) {
      throw writeFailed(path, cause);
    }
  };
  let complete = false;
  try {
    for await (const piece of source) {
      if (used + piece.length > GATHER && used > 0) {
        write(gathered!.subarray(0, used));
        used = 0;
      }
      if (piece.length >= GATHER / 4) {
        if (used > 0) write(gathered!.subarray(0, used));
        used = 0;
        write(piece);
      } else {
        gathered ??= new Uint8Array(GATHER);
        gathered.set(piece, used);
        used += piece.length;
      }
      yield piece;
    }
    if (used > 0) write(gathered!.subarray(0, used));
    complete = true;
    writing(path, () => closeSync(fd));
  } finally {
    if (!complete) closeQuietly(fd);
  }
}

/** Appends bytes, such as an index, to a spool whose stream has ended. */
export function appendToSpool(path: string, bytes: Uint8Array): void {
  try {
    const fd = openFile(path, APPEND);
    try {
      writeFileSync(fd, bytes);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw writeFailed(path, cause);
  }
}

/**
 * The files of a spool as slices of it; see `spooled`.
 *
 * @example
 * ```ts
 * import { hostFile, readTar, slicesOf, treeOf } from 'osbuilder';
 *
 * const entries = readTar(hostFile('rootfs.tar').open(), 'rootfs.tar', slicesOf('rootfs.tar'));
 * const tree = await treeOf(entries, { source: 'rootfs.tar' });
 * console.log(tree.text('etc/hostname')); // prints: kata
 * ```
 */
export function slicesOf(path: string): ContentAt {
  return (offset, size, sha256) => fileSlice(path, offset, size, sha256);
}

/**
 * Slices of bytes in memory, for small archives.
 *
 * @example
 * ```ts
 * import { readFile } from 'node:fs/promises';
 * import { memory, readTar, slicesOfMemory, treeOf } from 'osbuilder';
 *
 * const bytes = new Uint8Array(await readFile('rootfs.tar'));
 * const tree = await treeOf(readTar(memory(bytes).open(), 'rootfs.tar', slicesOfMemory(bytes)), { source: 'rootfs.tar' });
 * console.log(tree.text('etc/hostname')); // prints: kata
 * ```
 */
export function slicesOfMemory(bytes: Uint8Array): ContentAt {
  return (offset, size, sha256) => {
    const part = bytes.subarray(offset, offset + size);
    return {
      size,
      async *open() {
        yield part;
      },
      readSync: () => part,
      ...(sha256 === undefined ? {} : { sha256 }),
    };
  };
}
