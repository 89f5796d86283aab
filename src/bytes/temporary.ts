import { randomBytes } from 'node:crypto';
import {
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { forgetFile } from './file.ts';
import { openFile } from './handles.ts';
import { closeQuietly, removeQuietly } from './reason.ts';

/**
 * Temporary files next to their future name: `.NAME.PID.RANDOM.part`. The process number lets later builds find what a
 * killed build left; the random part keeps another local user from planting a link under the name in advance. This is
 * the only use of randomness in the program, and it never affects an output.
 */

/**
 * What a temporary file is for: output that is renamed when complete, or a download that a later build may continue.
 */
export type TemporaryKind = 'part' | 'download';

/** File systems take names of 255 bytes. */
const LONGEST_STEM = 200;

function prefixOf(path: string): string {
  let stem = basename(path);
  while (Buffer.byteLength(stem) > LONGEST_STEM) stem = stem.slice(0, -1);
  return `.${stem}.`;
}

/** An unused name next to `path`, for a file or folder that is created exclusively. */
export function temporaryName(path: string, kind: TemporaryKind = 'part'): string {
  return join(dirname(path), `${prefixOf(path)}${process.pid}.${randomBytes(8).toString('hex')}.${kind}`);
}

/**
 * Creates an empty temporary file next to `path` and opens it for reading and writing: always a new file (no link is
 * followed), readable by its owner alone until its mode is set. Throws the system's error.
 */
export function openTemporary(
  path: string,
  kind: TemporaryKind = 'part',
): { readonly path: string; readonly fd: number } {
  const name = temporaryName(path, kind);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  return { path: name, fd: openFile(name, flags, 0o600) };
}

/** Writes all of `piece` where the open file `fd` stands. Throws the system's error. */
export function writePiece(fd: number, piece: Uint8Array): void {
  writeFileSync(fd, piece);
}

/** True when `path` is still the file that was opened as `fd`, and not something put in its place. */
export function isSameFile(path: string, fd: number): boolean {
  const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  const ours = fstatSync(fd, { bigint: true });
  return there?.isFile() === true && there.ino === ours.ino && there.dev === ours.dev;
}

/**
 * Sets the mode of a complete temporary file (respecting the umask), syncs it to disk and renames it to `path`. Throws
 * the system's error, or an error when the temporary file has been replaced.
 */
export function finishTemporary(part: { readonly path: string; readonly fd: number }, path: string): void {
  fchmodSync(part.fd, 0o644 & ~process.umask());
  fsyncSync(part.fd);
  nameTemporary(part, path);
}

/** The last step of {@link finishTemporary}: renames after checking that it is still the same file. */
export function nameTemporary(part: { readonly path: string; readonly fd: number }, path: string): void {
  if (!isSameFile(part.path, part.fd))
    throw Object.assign(new Error('another process replaced its temporary file'), { syscall: 'rename' });
  renameSync(part.path, path);
  // what this process has open is the file that was replaced
  forgetFile(path);
}

/**
 * Puts a file with these bytes in the place of `path`, where that is possible; what killed builds left next to it is
 * removed. False when it stays as it is, as in a folder that may not be written to: then nothing is left next to it.
 */
export function replaceQuietly(path: string, bytes: Uint8Array): boolean {
  let part: ReturnType<typeof openTemporary>;
  try {
    dropLeftovers(path);
    part = openTemporary(path);
  } catch {
    return false;
  }
  try {
    writePiece(part.fd, bytes);
    finishTemporary(part, path);
    return true;
  } catch {
    removeQuietly(part.path);
    return false;
  } finally {
    closeQuietly(part.fd);
  }
}

/** A temporary file that a process left next to `path`. */
export interface Leftover {
  readonly path: string;
  readonly pid: number;
}

/** Temporary files next to `path` of any process, this one included; none when the folder cannot be read. */
export function leftoversOf(path: string, kind: TemporaryKind): Leftover[] {
  const prefix = prefixOf(path);
  let names: string[];
  try {
    names = readdirSync(dirname(path));
  } catch {
    return [];
  }
  // earlier versions wrote names without a random part
  const pattern = kind === 'part' ? /^(\d+)(?:\.[0-9a-f]{16})?\.part$/ : /^(\d+)(?:\.[0-9a-f]{16})?\.download$/;
  return names.flatMap((name) => {
    const match = name.startsWith(prefix) ? pattern.exec(name.slice(prefix.length)) : null;
    return match === null ? [] : [{ path: join(dirname(path), name), pid: Number(match[1]) }];
  });
}

/** Removes temporary files that killed builds left next to `path`. Links are removed, not followed. */
export function dropLeftovers(path: string): void {
  for (const { path: left, pid } of leftoversOf(path, 'part')) {
    if (isAlive(pid)) continue;
    // another user's file in a shared folder stays, which is harmless
    removeQuietly(left);
  }
}

/**
 * Opens a leftover to continue it, or returns undefined unless it is a regular file of this user with one
 * link that no one else may write.
 */
export function openLeftover(path: string): number | undefined {
  let fd: number;
  try {
    // do not wait for a fifo or follow a link
    fd = openFile(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch {
    return undefined;
  }
  if (isOurs(fd)) return fd;
  closeQuietly(fd);
  return undefined;
}

function isOurs(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    const ours = process.geteuid === undefined || stat.uid === process.geteuid();
    return stat.isFile() && stat.nlink === 1 && ours && (stat.mode & 0o022) === 0;
  } catch {
    return false;
  }
}

/** True while a process with that number runs on this machine. */
export function isAlive(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
