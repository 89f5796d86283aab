import { constants, fstatSync, readSync, type Stats } from 'node:fs';
import { BuildError } from '../errors/error.ts';
import { openFile } from './handles.ts';
import { causedBy, closeQuietly, reasonOf } from './reason.ts';

/**
 * Reading files of the build host that a user or a repository names. Only regular files are taken: a fifo could be
 * waited for without end, and a device such as /dev/zero has no end.
 */

/** Limit for files that the user names and that are read completely: keyrings, preseeds, policies. */
export const SMALL_FILE_LIMIT = 16 << 20;

/** What a file that is not regular is called in messages. */
function kindOfFile(stat: Stats): string {
  if (stat.isDirectory()) return 'a directory';
  if (stat.isFIFO()) return 'a fifo';
  if (stat.isSocket()) return 'a socket';
  return stat.isCharacterDevice() || stat.isBlockDevice() ? 'a device' : 'of an unknown kind';
}

function notRegular(path: string, stat: Stats): BuildError {
  const hint = stat.isFIFO() ? 'write what comes through the pipe to a file first, and name that' : undefined;
  const reason = `it is ${kindOfFile(stat)}, expected a regular file`;
  return new BuildError('READ_FAILED', { path, reason }, hint === undefined ? {} : { hint });
}

/**
 * Opens a regular file for reading; links are followed, nothing is waited for. Throws `READ_FAILED` when it is not a
 * regular file, and the system's error when it cannot be opened.
 */
export function openRegular(path: string): { readonly fd: number; readonly size: number } {
  const fd = openFile(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  let opened = false;
  try {
    const stat = fstatSync(fd);
    opened = stat.isFile();
    if (!opened) throw notRegular(path, stat);
    return { fd, size: stat.size };
  } finally {
    if (!opened) closeQuietly(fd);
  }
}

/**
 * The bytes of a regular file, at most `limit` of them. Throws `READ_FAILED` when it cannot be read, is not a regular
 * file, or is longer (also when it grows meanwhile). `/dev/null` is an empty file, as users write it for "none".
 */
export function readRegular(path: string, limit: number): Buffer {
  if (path === '/dev/null') return Buffer.alloc(0);
  const tooLong = () =>
    new BuildError('READ_FAILED', { path, reason: `it is longer than the ${limit} bytes it may have` });
  let fd: number | undefined;
  try {
    const opened = openRegular(path);
    fd = opened.fd;
    if (opened.size > limit) throw tooLong();
    // one byte more than its size shows that it is complete; files of /proc say 0 and have content
    let bytes = Buffer.alloc(Math.min(Math.max(opened.size + 1, 4096), limit + 1));
    let size = 0;
    for (;;) {
      const n = readSync(fd, bytes, size, bytes.length - size, null);
      if (n === 0) return bytes.subarray(0, size);
      size += n;
      if (size > limit) throw tooLong();
      if (size === bytes.length) bytes = Buffer.concat([bytes], Math.min(bytes.length * 2, limit + 1));
    }
  } catch (cause) {
    if (cause instanceof BuildError) throw cause;
    throw new BuildError('READ_FAILED', { path, reason: reasonOf(cause) }, causedBy(cause));
  } finally {
    if (fd !== undefined) closeQuietly(fd);
  }
}
