import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { sep } from 'node:path';
import { BuildError } from '../errors/error.ts';
import { type Content, type FileContent, isZeroPage, PIECE } from './content.ts';
import { guardUnfinished, partName, reasonOf } from './pour.ts';

/**
 * Directories on the build host, read and written name by name. Paths here are a host path and below it byte strings (one
 * character per byte), because names on Linux are any bytes. Nothing here follows a symbolic link at the last name.
 */

/** What the host knows of a file. */
export interface HostStat {
  /** st_mode, type bits included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly nanoseconds: number;
  readonly nlink: number;
  /** Names the file on this host. */
  readonly identity: string;
  readonly major: number;
  readonly minor: number;
}

/** The host's own path of byte string `path` below `root`. */
export function hostPath(root: string, path: string): Buffer {
  const below = Buffer.from(path === '' ? '' : `${root.endsWith(sep) ? '' : sep}${path}`, 'latin1');
  return Buffer.concat([Buffer.from(root), below]);
}

function failed(code: 'READ_FAILED' | 'WRITE_FAILED', path: Buffer, cause: unknown): BuildError {
  return new BuildError(code, { path: path.toString(), reason: reasonOf(cause) }, { cause });
}

function reading<T>(root: string, path: string, what: (full: Buffer) => T): T {
  const full = hostPath(root, path);
  try {
    return what(full);
  } catch (cause) {
    throw cause instanceof BuildError ? cause : failed('READ_FAILED', full, cause);
  }
}

function writing<T>(root: string, path: string, what: (full: Buffer) => T): T {
  const full = hostPath(root, path);
  try {
    return what(full);
  } catch (cause) {
    throw cause instanceof BuildError ? cause : failed('WRITE_FAILED', full, cause);
  }
}

/** What is at `path` itself, or undefined when nothing is. */
export function hostStat(root: string, path = ''): HostStat | undefined {
  return reading(root, path, (full) => {
    const stat = lstatSync(full, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    const mtime = Number(stat.mtimeNs / 1_000_000_000n) - (stat.mtimeNs % 1_000_000_000n < 0n ? 1 : 0);
    return {
      mode: Number(stat.mode),
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size: Number(stat.size),
      mtime,
      nanoseconds: Number(stat.mtimeNs - BigInt(mtime) * 1_000_000_000n),
      nlink: Number(stat.nlink),
      identity: `${stat.dev}:${stat.ino}`,
      // Linux's dev_t: 12 bits of major, 20 of minor, interleaved (glibc's gnu_dev_major and gnu_dev_minor)
      major: Number(((stat.rdev >> 8n) & 0xfffn) | ((stat.rdev >> 32n) & 0xfffff000n)),
      minor: Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xffffff00n)),
    };
  });
}

/** Names in a directory as byte strings, in byte order. */
export function hostNames(root: string, path: string): string[] {
  return reading(root, path, (full) =>
    readdirSync(full, { encoding: 'buffer' })
      .map((name) => name.toString('latin1'))
      .sort((a, b) => (a < b ? -1 : 1)),
  );
}

/** Target of a symbolic link as a byte string. */
export function hostLinkTarget(root: string, path: string): string {
  return reading(root, path, (full) => readlinkSync(full, { encoding: 'buffer' }).toString('latin1'));
}

/** The file at `path`, `size` bytes long when it was looked at. It is opened anew for each reading. */
export function hostFileContent(root: string, path: string, size: number): FileContent {
  const open = () => {
    const full = hostPath(root, path);
    try {
      const fd = openSync(full, constants.O_RDONLY | constants.O_NOFOLLOW);
      const now = fstatSync(fd).size;
      if (now === size) return fd;
      closeSync(fd);
      throw new BuildError('CONTENT_SIZE', { path: full.toString(), declared: size, read: now });
    } catch (cause) {
      throw cause instanceof BuildError ? cause : failed('READ_FAILED', full, cause);
    }
  };
  const fill = (fd: number, into: Uint8Array, from: number) => {
    for (let done = 0; done < into.length; ) {
      const n = readSync(fd, into, done, into.length - done, from + done);
      if (n === 0)
        throw new BuildError('CONTENT_SHORT', {
          path: hostPath(root, path).toString(),
          offset: from,
          size: into.length,
        });
      done += n;
    }
  };
  const copyTo = (into: Uint8Array, at: number) => {
    const fd = open();
    try {
      fill(fd, into.subarray(at, at + size), 0);
    } finally {
      closeSync(fd);
    }
  };
  return {
    size,
    async *open() {
      const fd = open();
      try {
        for (let at = 0; at < size; at += PIECE) {
          const piece = new Uint8Array(Math.min(PIECE, size - at));
          fill(fd, piece, at);
          yield piece;
        }
      } finally {
        closeSync(fd);
      }
    },
    readSync() {
      const bytes = new Uint8Array(size);
      copyTo(bytes, 0);
      return bytes;
    },
    copyTo,
  };
}

/** What {@link writeDirectory} does on the host; tests put one in between that behaves like other file systems. */
export interface HostWriter {
  /** True when this process may give files away. */
  readonly mayChown: boolean;
  makeDirectory(root: string, path: string): void;
  /** Makes a file that must not be there yet, and fills it. */
  writeFile(root: string, path: string, content: Content): Promise<void>;
  symlink(root: string, path: string, target: string): void;
  link(root: string, from: string, to: string): void;
  chmod(root: string, path: string, mode: number): void;
  chown(root: string, path: string, uid: number, gid: number): void;
  setTime(root: string, path: string, seconds: number): void;
}

/** True when the host refused a name because of another file or because of its spelling, not for want of rights or room. */
export function isNameRefusal(error: unknown): boolean {
  const cause = error instanceof BuildError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return ['EEXIST', 'EILSEQ', 'EINVAL', 'ENAMETOOLONG'].includes(cause?.code ?? '');
}

/** The host as it is. */
export const hostWriter: HostWriter = {
  get mayChown() {
    return process.geteuid?.() === 0;
  },
  makeDirectory: (root, path) => writing(root, path, (full) => mkdirSync(full, 0o700)),
  async writeFile(root, path, content) {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = writing(root, path, (full) => openSync(full, flags, 0o600));
    try {
      let position = 0;
      const put = (piece: Uint8Array) =>
        writing(root, path, () => {
          for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at, piece.length - at, position + at);
        });
      for await (const piece of content.open()) {
        if (!isZeroPage(piece)) put(piece);
        position += piece.length;
      }
      if (position !== content.size)
        throw new BuildError('CONTENT_SIZE', {
          path: hostPath(root, path).toString(),
          declared: content.size,
          read: position,
        });
      // a hole at the end needs its last byte said
      if (position > 0 && fstatSync(fd).size !== position) {
        position -= 1;
        put(new Uint8Array(1));
      }
    } finally {
      closeSync(fd);
    }
  },
  symlink: (root, path, target) => writing(root, path, (full) => symlinkSync(Buffer.from(target, 'latin1'), full)),
  link: (root, from, to) => writing(root, to, (full) => linkSync(hostPath(root, from), full)),
  chmod: (root, path, mode) => writing(root, path, (full) => chmodSync(full, mode)),
  chown: (root, path, uid, gid) => writing(root, path, (full) => lchownSync(full, uid, gid)),
  setTime: (root, path, seconds) => writing(root, path, (full) => lutimesSync(full, seconds, seconds)),
};

/**
 * Gives a finished directory and the list that belongs to it their names. A directory that stands there is moved aside
 * first, and the list gets its name before the directory does: whoever is stopped in between leaves a list without a
 * directory, never a directory with another's list.
 */
export function replaceDirectory(from: string, to: string, listFrom: string, listTo: string, standing: boolean): void {
  const aside = partName(`${to}.old`);
  const done = guardUnfinished(aside);
  writing(to, '', () => {
    if (standing) renameSync(to, aside);
    try {
      renameSync(listFrom, listTo);
      renameSync(from, to);
    } catch (error) {
      if (standing) renameSync(aside, to);
      throw error;
    }
    removeHost(aside);
  });
  done();
}

/** Removes whatever is at a host path. */
export function removeHost(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
