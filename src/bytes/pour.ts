import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { BuildError } from '../errors/error.ts';
import { type Bytes, isZeroPage } from './content.ts';
import { forgetFile } from './file.ts';
import { openFile } from './handles.ts';
import { closeQuietly, removeQuietly, writeFailed, writing } from './reason.ts';
import { dropLeftovers, isSameFile, openTemporary } from './temporary.ts';
import { Writeback } from './writeback.ts';
import { writerOf } from './writer.ts';

/** What was written. */
export interface Poured {
  readonly path: string;
  /** Bytes, holes included. */
  readonly size: number;
  /** SHA-256 in hex. */
  readonly sha256: string;
}

/** How to write. */
export interface PourOptions {
  /** Leave runs of zeros as holes where the file system can. */
  readonly sparse?: boolean;
  /** Permission bits of the result; 0644 by default, regardless of the umask. */
  readonly mode?: number;
  /** Called with the number of bytes written so far. */
  readonly progress?: (bytes: number) => void;
  /** Reject when the stream has another length, in bytes. */
  readonly size?: number;
}

export { reasonOf, writeFailed } from './reason.ts';

const unfinished = new Set<string>();

/** Removes the unfinished files of this process; for use when the process is interrupted. */
export function dropUnfinished(): void {
  for (const path of unfinished) removeQuietly(path);
  unfinished.clear();
}

/** Marks a path to be removed by {@link dropUnfinished} until the returned function is called. */
export function guardUnfinished(path: string): () => void {
  unfinished.add(path);
  return () => unfinished.delete(path);
}

/** A complete output under a temporary name, to be renamed to its final name or removed. */
export interface Prepared<T> {
  readonly value: T;
  /** Where its bytes are until then; left out for a stream, and for a folder. */
  readonly stored?: string;
  /** Renames it to its final name, replacing what was there. */
  commit(): void;
  /** Removes it. */
  abandon(): void;
}

/**
 * Pours a stream into a file: under a temporary name next to the target, hashed on the way, renamed when complete. What
 * was there before stays until then; a failure leaves no files.
 *
 * @example
 * ```ts
 * import { memory, pour } from 'osbuilder';
 *
 * const { size, sha256 } = await pour(memory('hello').open(), 'hello.txt');
 * console.log(size, sha256.slice(0, 8)); // prints: 5 2cf24dba
 * ```
 */
export async function pour(source: Bytes, path: string, options: PourOptions = {}): Promise<Poured> {
  const prepared = await preparePour(source, path, options);
  prepared.commit();
  return prepared.value;
}

/** {@link pour} without the final rename. */
export async function preparePour(source: Bytes, path: string, options: PourOptions = {}): Promise<Prepared<Poured>> {
  if (isStream(path)) {
    const value = await pourThrough(source, path, options);
    return { value, commit() {}, abandon() {} };
  }
  let part: string;
  let size = 0;
  let sha256: string;
  let fd: number;
  try {
    makeFolders(dirname(path));
    dropLeftovers(path);
    ({ path: part, fd } = openTemporary(path));
  } catch (cause) {
    throw writeFailed(path, cause);
  }
  const done = guardUnfinished(part);
  const abandon = () => {
    removeQuietly(part);
    done();
  };
  const writer = writerOf(fd, options.size ?? 0, options.sparse === true);
  const writeback = new Writeback(fd);
  const written = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).syscall === undefined) throw cause;
      throw writeFailed(path, cause);
    }
  };
  try {
    for await (const piece of source) {
      const waiting = writing(path, () => writer.write(piece));
      if (waiting !== undefined) await written(waiting);
      const step = options.sparse && isZeroPage(piece) ? undefined : writeback.wrote(piece.length);
      if (step !== undefined) await step;
      size += piece.length;
      options.progress?.(size);
    }
    if (options.size !== undefined && options.size !== size)
      throw new BuildError('CONTENT_SIZE', { path, declared: options.size, read: size });
    sha256 = await written(writer.finish());
    writing(path, () => {
      // a hole at the end has no byte that would extend the file, so set its length
      if (options.sparse) ftruncateSync(fd, size);
      fchmodSync(fd, options.mode ?? 0o644);
      fsyncSync(fd);
      if (!isSameFile(part, fd)) throw new Error('another process replaced its temporary file');
    });
    await written(writeback.settled());
  } catch (error) {
    await writer.abandon();
    // the number of a closed file may be another file's
    await writeback.settled().catch(() => {});
    closeQuietly(fd);
    abandon();
    throw error;
  }
  // everything is on the disk already
  closeQuietly(fd);
  return {
    value: { path, size, sha256 },
    stored: part,
    commit() {
      try {
        renameSync(part, path);
      } catch (cause) {
        abandon();
        throw writeFailed(path, cause);
      }
      forgetFile(path);
      done();
    },
    abandon,
  };
}

/**
 * Creates a folder on the build host with its missing parents. Not `mkdir` with `recursive`: where a parent
 * cannot be created (below /proc, for example), it never returns (seen with Node 20 and 24). The umask takes bits of `mode`
 * away.
 */
export function makeFolders(path: string, mode = 0o777): void {
  const missing: string[] = [];
  let at = resolve(path);
  for (; !existsSync(at) && at !== dirname(at); at = dirname(at)) missing.push(at);
  for (const folder of missing.reverse())
    try {
      mkdirSync(folder, mode);
    } catch (cause) {
      // another build may have created it in the meantime
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw writeFailed(folder, cause);
    }
}

/** The path that means standard output. */
export const STDOUT = '-';

/** True for what is not a file that could be replaced: standard output, a pipe, a device. */
export function isStream(path: string): boolean {
  if (path === STDOUT) return true;
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat !== undefined && !stat.isFile() && !stat.isDirectory();
  } catch {
    return false; // opening the path reports what is wrong with it
  }
}

/** Pours into a sequential target without seeking, so that an image can go through a pipe or onto a disk. */
async function pourThrough(source: Bytes, path: string, options: PourOptions): Promise<Poured> {
  const hash = createHash('sha256');
  let size = 0;
  const fd = await openStream(path);
  try {
    for await (const piece of source) {
      hash.update(piece);
      for (let at = 0; at < piece.length; ) at += await writeSome(fd, piece.subarray(at), path);
      size += piece.length;
      options.progress?.(size);
    }
    if (options.size !== undefined && options.size !== size)
      throw new BuildError('CONTENT_SIZE', { path, declared: options.size, read: size });
  } catch (error) {
    if (fd !== 1) closeQuietly(fd);
    throw error;
  }
  if (fd !== 1) writing(path, () => closeSync(fd));
  return { path, size, sha256: hash.digest('hex') };
}

/**
 * Opens a stream for writing only: a process that can also read a pipe is one of its readers, and never learns that the
 * others have gone. Pipes do not block, so that signals are handled while one is full or has no reader yet.
 */
async function openStream(path: string): Promise<number> {
  if (path === STDOUT) return 1;
  let isPipe: boolean;
  try {
    const stat = statSync(path);
    isPipe = stat.isFIFO();
    const own = fstatSync(1);
    // /dev/stdout: a reader that left cannot return, so there is nothing to wait for
    if (isPipe && own.isFIFO() && own.dev === stat.dev && own.ino === stat.ino) return 1;
    if (!isPipe) return openFile(path, constants.O_WRONLY);
  } catch (cause) {
    throw writeFailed(path, cause);
  }
  for (;;)
    try {
      return openFile(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (cause) {
      // a named pipe without a reader yet
      if ((cause as NodeJS.ErrnoException).code !== 'ENXIO') throw writeFailed(path, cause);
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
}

/** Milliseconds between two attempts at a pipe without a reader. */
const POLL = 20;

/** Writes what a pipe takes now; waits a moment while it is full. */
async function writeSome(fd: number, piece: Uint8Array, path: string): Promise<number> {
  for (;;)
    try {
      return writeSync(fd, piece);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EAGAIN') throw writeFailed(path, cause);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
}
