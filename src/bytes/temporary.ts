import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/**
 * Temporary files beside their future name: `.NAME.PID.RANDOM.part`. The process number lets later builds find what a
 * killed one left; the random part keeps another local user from planting a link under the name in advance. This is the
 * only use of chance in the program, and it never reaches an output.
 */

/** What a temporary file is for: output that is renamed when complete, or a download that a later build may continue. */
export type TemporaryKind = 'part' | 'download';

/** File systems take names of 255 bytes. */
const LONGEST_STEM = 200;

function prefixOf(path: string): string {
  let stem = basename(path);
  while (Buffer.byteLength(stem) > LONGEST_STEM) stem = stem.slice(0, -1);
  return `.${stem}.`;
}

/** A name beside `path` that nothing has yet, for a file or folder that is made exclusively. */
export function temporaryName(path: string, kind: TemporaryKind = 'part'): string {
  return join(dirname(path), `${prefixOf(path)}${process.pid}.${randomBytes(8).toString('hex')}.${kind}`);
}

/**
 * Makes an empty temporary file beside `path` and opens it for reading and writing: always a new file (no link is
 * followed), readable by its owner alone until its mode is set. Throws the system's error.
 */
export function openTemporary(
  path: string,
  kind: TemporaryKind = 'part',
): { readonly path: string; readonly fd: number } {
  const name = temporaryName(path, kind);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
  return { path: name, fd: openSync(name, flags, 0o600) };
}

/** True when `path` is still the file that was opened as `fd`, and not something put in its place. */
export function isSameFile(path: string, fd: number): boolean {
  const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  const ours = fstatSync(fd, { bigint: true });
  return there?.isFile() === true && there.ino === ours.ino && there.dev === ours.dev;
}

/**
 * Gives a complete temporary file its mode (as the umask has it), makes it safe on disk and renames it to `path`. Throws
 * the system's error, or one that says that something else is in the temporary file's place.
 */
export function finishTemporary(part: { readonly path: string; readonly fd: number }, path: string): void {
  fchmodSync(part.fd, 0o644 & ~process.umask());
  fsyncSync(part.fd);
  nameTemporary(part, path);
}

/** The last step of {@link finishTemporary}: renames, after a look at whether it is still the same file. */
export function nameTemporary(part: { readonly path: string; readonly fd: number }, path: string): void {
  if (!isSameFile(part.path, part.fd))
    throw Object.assign(new Error('another process replaced its temporary file'), { syscall: 'rename' });
  renameSync(part.path, path);
}

/** Something that a process left beside `path`. */
export interface Leftover {
  readonly path: string;
  readonly pid: number;
}

/** Temporary files beside `path` by any process, this one included; none when the folder cannot be read. */
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

/** Removes what killed builds left beside `path`. Links are removed, not followed. */
export function dropLeftovers(path: string): void {
  for (const { path: left, pid } of leftoversOf(path, 'part')) {
    if (isAlive(pid)) continue;
    try {
      rmSync(left, { force: true, recursive: true });
    } catch {
      // another user's file in a shared folder: it is in no one's way
    }
  }
}

/**
 * Opens a leftover to go on with it, or returns undefined when it is anything but a regular file of this user with one
 * link that no one else may write.
 */
export function openLeftover(path: string): number | undefined {
  let fd: number;
  try {
    // a fifo is not waited for, a link is not followed
    fd = openSync(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch {
    return undefined;
  }
  const stat = fstatSync(fd);
  const ours = process.geteuid === undefined || stat.uid === process.geteuid();
  if (stat.isFile() && stat.nlink === 1 && ours && (stat.mode & 0o022) === 0) return fd;
  closeSync(fd);
  return undefined;
}

/** True while a process of that number runs on this machine. */
export function isAlive(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
