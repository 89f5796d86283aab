import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  statfsSync,
  statSync,
  symlinkSync,
  writeSync,
} from 'node:fs';

import { join, sep } from 'node:path';
import { BuildError } from '../errors/error.ts';
import {
  type Bytes,
  type Content,
  type Extent,
  type FileContent,
  isZeroPage,
  PIECE,
  type Reopening,
  zeroPieces,
} from './content.ts';
import { withoutSlashes } from './ending.ts';
import { fileSlice } from './file.ts';
import { openFile } from './handles.ts';
import { Digested } from './kept-digest.ts';
import { guardUnfinished } from './pour.ts';
import { causedBy, closeQuietly, reasonOf, removeQuietly } from './reason.ts';
import { temporaryName } from './temporary.ts';

/**
 * Directories on the build host, read and written name by name. Paths here are a host path and below it byte strings
 * (one character per byte), because names on Linux are any bytes. Nothing here follows a symbolic link at the last
 * name, except `hostFolder`.
 */

/** The host's metadata of a file. */
export interface HostStat {
  /** st_mode, type bits included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Bytes that the file system has allocated (`st_blocks`): far fewer than `size` where a file has holes. */
  readonly allocated: number;
  readonly mtime: number;
  readonly nanoseconds: number;
  readonly nlink: number;
  /** Identifies a hard-linked file on this host; empty for a file with one name. */
  readonly identity: string;
  readonly major: number;
  readonly minor: number;
}

/** The host path of byte string `path` below `root`; as text where that is equivalent, which is cheaper in Node. */
export function hostPath(root: string, path: string): Buffer | string {
  if (path === '') return root;
  const between = root.endsWith(sep) ? '' : sep;
  if (/^[\x00-\x7f]*$/.test(path)) return `${root}${between}${path}`;
  return Buffer.concat([Buffer.from(root + between), Buffer.from(path, 'latin1')]);
}

function failed(code: 'READ_FAILED' | 'WRITE_FAILED', path: Buffer | string, cause: unknown): BuildError {
  return new BuildError(code, { path: path.toString(), reason: reasonOf(cause) }, causedBy(cause));
}

function reading<T>(root: string, path: string, what: (full: Buffer | string) => T): T {
  const full = hostPath(root, path);
  try {
    return what(full);
  } catch (cause) {
    throw cause instanceof BuildError ? cause : failed('READ_FAILED', full, cause);
  }
}

function writing<T>(root: string, path: string, what: (full: Buffer | string) => T): T {
  const full = hostPath(root, path);
  try {
    return what(full);
  } catch (cause) {
    throw cause instanceof BuildError ? cause : failed('WRITE_FAILED', full, cause);
  }
}

/** Metadata of `path` itself (links are not followed), or undefined when it does not exist. */
export function hostStat(root: string, path = ''): HostStat | undefined {
  return reading(root, path, (full) => {
    const stat = lstatSync(full, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    const mode = Number(stat.mode);
    const several = stat.nlink > 1n && (mode & constants.S_IFMT) !== constants.S_IFDIR;
    let nanoseconds = Number(stat.mtimeNs % 1_000_000_000n);
    if (nanoseconds < 0) nanoseconds += 1_000_000_000;
    return {
      mode,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size: Number(stat.size),
      allocated: Number(stat.blocks) * 512,
      mtime: Number((stat.mtimeNs - BigInt(nanoseconds)) / 1_000_000_000n),
      nanoseconds,
      nlink: Number(stat.nlink),
      identity: several ? `${stat.dev}:${stat.ino}` : '',
      // Linux's dev_t: 12 bits of major, 20 of minor, interleaved (glibc's gnu_dev_major and gnu_dev_minor)
      major: stat.rdev === 0n ? 0 : Number(((stat.rdev >> 8n) & 0xfffn) | ((stat.rdev >> 32n) & 0xfffff000n)),
      minor: stat.rdev === 0n ? 0 : Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xffffff00n)),
    };
  });
}

/**
 * The folder that `path` means: where it leads, if it is a symbolic link; else as it is. Throws `READ_FAILED` for a link to
 * nothing.
 */
export function hostFolder(path: string): string {
  return reading(path, '', () => {
    const plain = withoutSlashes(path);
    return lstatSync(plain, { throwIfNoEntry: false })?.isSymbolicLink() ? realpathSync(plain) : path;
  });
}

/** True when another file system than its parent's begins at the folder `path`. */
export function isMountPoint(path: string): boolean {
  return reading(path, '', () => lstatSync(path).dev !== lstatSync(join(path, '..')).dev);
}

/** Names in a directory as byte strings, in byte order. */
export function hostNames(root: string, path: string): string[] {
  return reading(root, path, (full) => readdirSync(full, { encoding: 'latin1' }).sort());
}

/** Target of a symbolic link as a byte string. */
export function hostLinkTarget(root: string, path: string): string {
  return reading(root, path, (full) => readlinkSync(full, { encoding: 'latin1' }));
}

/** Information about a file's holes. */
export interface KnownHoles {
  /** Extents of its data. */
  readonly extents?: readonly Extent[] | undefined;
  /** Bytes allocated; used only without `extents`. */
  readonly allocated?: number;
}

/** Holes of fewer bytes than this are not searched for. */
const HOLES_MIN = 64 * 1024;

/** The file at `path`, which had `size` bytes when it was listed. It is opened again for each read. */
export function hostFileContent(root: string, path: string, size: number, known: KnownHoles = {}): FileContent {
  if (known.extents !== undefined) return new HostFileWithHoles(root, path, size, known.extents);
  if (known.allocated !== undefined && size - known.allocated >= HOLES_MIN)
    return new HostFileScanned(root, path, size, known.allocated);
  return new HostFile(root, path, size);
}

/** False when a file that another thread described has changed since it was listed, which that thread has to report. */
export function isUnchanged(from: Reopening): boolean {
  if ('file' in from || from.changed === undefined) return true;
  const now = hostStat(from.root, from.path);
  return now?.size === from.size && now.mtime === from.changed.mtime && now.nanoseconds === from.changed.nanoseconds;
}

/**
 * What identifies the bytes of each as long as nobody changes them: device, inode, size and times of the file, and the part of
 * it. Undefined where one is not there.
 */
export function statesOf(all: readonly Reopening[]): string[] | undefined {
  const states: string[] = [];
  // parts of one file are looked at once
  const known = new Map<string, string>();
  for (const from of all) {
    const path = 'file' in from ? from.file : hostPath(from.root, from.path);
    let state = typeof path === 'string' ? known.get(path) : undefined;
    if (state === undefined) {
      const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (stat?.isFile() !== true) return undefined;
      state = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
      if (typeof path === 'string') known.set(path, state);
    }
    states.push('file' in from ? `${state}:${from.offset}:${from.size}` : `${state}:${from.size}`);
  }
  return states;
}

/** The content that another thread described by its {@link FileContent.reopening}. */
export function reopened(from: Reopening): FileContent {
  return 'root' in from ? new HostFile(from.root, from.path, from.size) : fileSlice(from.file, from.offset, from.size);
}

/** Buffer for a byte past the end of a file. */
const BEYOND = new Uint8Array(1);

/** A class, because a root file system has tens of thousands of these and closures would be created for each. */
class HostFile extends Digested implements FileContent {
  readonly size: number;
  protected readonly root: string;
  protected readonly path: string;

  constructor(root: string, path: string, size: number) {
    super();
    this.root = root;
    this.path = path;
    this.size = size;
  }

  open(): Bytes {
    return this.pieces();
  }

  private async *pieces(): AsyncGenerator<Uint8Array> {
    const fd = this.handle();
    try {
      const buffer = new Uint8Array(Math.min(PIECE, this.size));
      for (let at = 0; at < this.size; at += PIECE) {
        const piece = buffer.subarray(0, this.size - at);
        this.fill(fd, piece, 0, piece.length, at);
        yield piece;
      }
      this.checkEnd(fd);
    } finally {
      closeQuietly(fd);
    }
  }

  readSync(): Uint8Array {
    const bytes = new Uint8Array(this.size);
    this.copyTo(bytes, 0);
    return bytes;
  }

  copyTo(into: Uint8Array, at: number): void {
    const fd = this.handle();
    try {
      this.fill(fd, into, at, this.size, 0);
      this.checkEnd(fd);
    } finally {
      closeQuietly(fd);
    }
  }

  inParts<T>(use: (readAt: (offset: number, into: Uint8Array) => void) => T): T {
    const fd = this.handle();
    try {
      const result = use((offset, into) => this.fill(fd, into, 0, into.length, offset));
      this.checkEnd(fd);
      return result;
    } finally {
      closeQuietly(fd);
    }
  }

  reopening(): Reopening {
    const { root, path, size } = this;
    return { root, path, size };
  }

  /** The bytes with holes as shared zero pages, so that writers recognise and skip them. */
  protected async *openHoles(extents: readonly Extent[]): AsyncGenerator<Uint8Array> {
    const fd = this.handle();
    try {
      const buffer = new Uint8Array(Math.min(PIECE, this.size));
      let end = 0;
      for (const extent of extents) {
        yield* zeroPieces(extent.offset - end);
        end = extent.offset + extent.size;
        for (let at = extent.offset; at < end; at += PIECE) {
          const piece = buffer.subarray(0, Math.min(PIECE, end - at));
          this.fill(fd, piece, 0, piece.length, at);
          yield piece;
        }
      }
      const now = this.sizeNow(fd);
      if (now !== this.size) throw this.changed(now);
      yield* zeroPieces(this.size - end);
    } finally {
      closeQuietly(fd);
    }
  }

  protected handle(): number {
    // the file may have been replaced since: do not follow a link or wait for a pipe
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    return reading(this.root, this.path, (full) => openFile(full, flags));
  }

  protected fill(fd: number, into: Uint8Array, at: number, size: number, from: number): void {
    for (let done = 0; done < size; ) {
      const n = this.read(fd, into, at + done, size - done, from + done);
      if (n === 0) throw this.changed(from + done);
      done += n;
    }
  }

  /** Rejects a file that has grown; one read past the end costs less than a stat. */
  private checkEnd(fd: number): void {
    if (this.read(fd, BEYOND, 0, 1, this.size) > 0) throw this.changed(this.sizeNow(fd));
  }

  private read(fd: number, into: Uint8Array, at: number, size: number, from: number): number {
    try {
      return readSync(fd, into, at, size, from);
    } catch (cause) {
      throw failed('READ_FAILED', hostPath(this.root, this.path), cause);
    }
  }

  private sizeNow(fd: number): number {
    return reading(this.root, this.path, () => fstatSync(fd).size);
  }

  private changed(now: number): BuildError {
    const path = hostPath(this.root, this.path).toString();
    return new BuildError('CONTENT_SIZE', { path, declared: this.size, read: now });
  }
}

/** A file with known holes, which are not read. */
class HostFileWithHoles extends HostFile {
  readonly extents: readonly Extent[];
  constructor(root: string, path: string, size: number, extents: readonly Extent[]) {
    super(root, path, size);
    this.extents = extents;
  }

  override open(): Bytes {
    return this.openHoles(this.extents);
  }
}

/** Granularity of the holes found by reading: the block size of nearly every file system. */
const HOLE_BLOCK = 4096;
const ZERO_BLOCK = Buffer.alloc(HOLE_BLOCK);
const ZERO_PIECE = Buffer.alloc(PIECE);

/**
 * A file with holes at unknown offsets. Node has no SEEK_HOLE, so they are found by reading the file once
 * and looking for zeros when `extents` is read, at the speed at which the kernel produces zeros: some seconds per
 * 10 GiB of holes. Only a file without allocated blocks is not read at all.
 */
class HostFileScanned extends HostFile {
  private readonly allocated: number;
  private found: readonly Extent[] | undefined;

  constructor(root: string, path: string, size: number, allocated: number) {
    super(root, path, size);
    this.allocated = allocated;
  }

  get extents(): readonly Extent[] {
    this.found ??= this.allocated === 0 && this.countsBlocks() ? [] : this.scan();
    return this.found;
  }

  override open(): Bytes {
    return this.openHoles(this.extents);
  }

  private scan(): readonly Extent[] {
    const extents: { offset: number; size: number }[] = [];
    const buffer = Buffer.alloc(Math.min(PIECE, this.size));
    const fd = this.handle();
    try {
      for (let at = 0; at < this.size; at += PIECE) {
        const piece = buffer.subarray(0, Math.min(PIECE, this.size - at));
        this.fill(fd, piece, 0, piece.length, at);
        if (piece.equals(ZERO_PIECE.subarray(0, piece.length))) continue;
        for (let from = 0; from < piece.length; from += HOLE_BLOCK) {
          const block = piece.subarray(from, from + HOLE_BLOCK);
          if (block.equals(ZERO_BLOCK.subarray(0, block.length))) continue;
          const last = extents[extents.length - 1];
          if (last !== undefined && last.offset + last.size === at + from) last.size += block.length;
          else extents.push({ offset: at + from, size: block.length });
        }
      }
    } finally {
      closeQuietly(fd);
    }
    return extents;
  }

  /** True where no allocated blocks means no data; FUSE and network file systems may say 0 for any file. */
  private countsBlocks(): boolean {
    return reading(this.root, this.path, (full) => COUNTING.has(statfsSync(full).type));
  }
}

/** f_type of file systems that count blocks: ext2 to ext4, XFS, Btrfs, tmpfs, F2FS, overlayfs (linux/magic.h). */
const COUNTING: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0x794c7630]);

/** Host operations of {@link writeDirectory}; tests replace them to imitate other file systems. */
export interface HostWriter {
  /** True when this process may give files away. */
  readonly mayChown: boolean;
  makeDirectory(root: string, path: string): void;
  /** Creates a file that must not exist yet, and fills it. */
  writeFile(root: string, path: string, content: Content): Promise<void>;
  symlink(root: string, path: string, target: string): void;
  link(root: string, from: string, to: string): void;
  chmod(root: string, path: string, mode: number): void;
  chown(root: string, path: string, uid: number, gid: number): void;
  setTime(root: string, path: string, seconds: number): void;
}

/**
 * True when the host rejected a name because of another file or its spelling, not because rights or space are missing.
 */
export function isNameError(error: unknown): boolean {
  const cause = error instanceof BuildError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return ['EEXIST', 'EILSEQ', 'EINVAL', 'ENAMETOOLONG'].includes(cause?.code ?? '');
}

/** The real host. */
export const hostWriter: HostWriter = {
  get mayChown() {
    return process.geteuid?.() === 0;
  },
  makeDirectory: (root, path) => writing(root, path, (full) => mkdirSync(full, 0o700)),
  async writeFile(root, path, content) {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = writing(root, path, (full) => openFile(full, flags, 0o600));
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
      writing(root, path, () => {
        // a hole at the end has no byte that would make the file that long
        if (fstatSync(fd).size !== position) ftruncateSync(fd, position);
      });
    } catch (error) {
      closeQuietly(fd);
      throw error;
    }
    writing(root, path, () => closeSync(fd));
  },
  symlink: (root, path, target) => writing(root, path, (full) => symlinkSync(Buffer.from(target, 'latin1'), full)),
  link: (root, from, to) => writing(root, to, (full) => linkSync(hostPath(root, from), full)),
  chmod: (root, path, mode) => writing(root, path, (full) => chmodSync(full, mode)),
  chown: (root, path, uid, gid) => writing(root, path, (full) => lchownSync(full, uid, gid)),
  setTime: (root, path, seconds) => writing(root, path, (full) => lutimesSync(full, seconds, seconds)),
};

/**
 * Moves a finished directory and its list to their final names. An existing directory is moved aside
 * first, and the list is renamed before the directory: a process stopped in between leaves a list without a
 * directory, never a directory with another's list.
 */
export function replaceDirectory(from: string, to: string, listFrom: string, listTo: string, standing: boolean): void {
  const aside = temporaryName(`${to}.old`);
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
    if (!removeQuietly(aside))
      throw new BuildError('WRITE_FAILED', { path: aside, reason: 'the replaced folder could not be removed' });
  });
  done();
}

/** A folder of the build host that is worked in, whatever its path leads to meanwhile. */
export interface FolderHandle {
  /** A path of the open folder, for names in it. */
  readonly path: string;
  close(): void;
}

/** Where Linux has the open files of this process: a path through it does not depend on how a folder is called now. */
const HANDLES = '/proc/self/fd';

/**
 * Opens a folder, so that renaming it or a parent of it cannot redirect what is written into it. Without such handles a
 * folder that others may write to is rejected with `WRITE_FAILED`.
 */
export function openFolder(path: string, handles = process.platform === 'linux' && existsSync(HANDLES)): FolderHandle {
  if (handles) {
    const fd = writing(path, '', (full) => openFile(full, constants.O_RDONLY | constants.O_DIRECTORY));
    return { path: `${HANDLES}/${fd}`, close: () => closeQuietly(fd) };
  }
  const { mode } = writing(path, '', (full) => statSync(full));
  if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)
    throw new BuildError('WRITE_FAILED', {
      path,
      reason: 'others may write to this folder, and could lead the output elsewhere while it is written',
    });
  return { path, close() {} };
}

/** Removes whatever is at a host path, as far as that is possible. */
export function removeHost(path: string): void {
  removeQuietly(path);
}
