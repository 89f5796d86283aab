import type { FileContent } from '../../bytes/content.ts';
import type { RandomAccess } from '../../bytes/file.ts';
import { type Run, RunContent } from '../../bytes/runs.ts';
import { latin1 } from '../../bytes/struct.ts';
import {
  type Directory,
  device,
  directory,
  file,
  type Inode,
  kindOf,
  type Meta,
  special,
  symlink,
} from '../../tree/inode.ts';
import { display } from '../../tree/path.ts';
import { Tree } from '../../tree/tree.ts';
import { addressIn, forkExtents, readAttributes } from './forks.ts';
import { FLAG2, FORMAT, Inode as InodeTable, RemoteBlock, SYMLINK_MAGIC } from './layout.ts';
import { entriesOf } from './read-directory.ts';
import { type RawInode, type ReadOptions, Volume } from './volume.ts';

/** An opened file system. */
export interface XfsReader {
  /** The tree. Contents are read from the image when needed. */
  tree(): Tree;
  readonly volume: Volume;
}

/**
 * Opens an XFS file system of version 5 for reading: every form of directories, attributes and extents. Throws `XFS_NOT`,
 * `XFS_UNSUPPORTED` with the feature's name, `XFS_LOG` when the log must be replayed first, and `XFS_CORRUPT` as soon as
 * damage is read.
 *
 * @example
 * ```ts
 * import { openXfs, pour, randomAccess, Tree, xfsImage } from 'osbuilder';
 *
 * await pour(xfsImage(new Tree(), { label: 'empty' }).open(), 'empty.xfs', { sparse: true });
 * console.log(openXfs(randomAccess('empty.xfs')).tree().list('')); // prints: []
 * ```
 */
export function openXfs(access: RandomAccess, options: ReadOptions = {}): XfsReader {
  const volume = new Volume(access, options);
  volume.checkLog();
  return { volume, tree: () => readTree(volume) };
}

/** What a check sees of each inode. */
export type Visitor = (raw: RawInode, inode: Inode, at: string) => void;

/** The tree of a volume; `visit` sees every inode once. */
export function readTree(volume: Volume, visit?: Visitor): Tree {
  volume.beginPass();
  const inodes = new Map<number, Inode>();
  const { root: rootNumber } = volume.sb;
  const rootRaw = volume.inode(rootNumber, '/');
  const root = readInode(volume, rootRaw, '/');
  if (root.kind !== 'directory') throw volume.corrupt('/', `the root is a ${root.kind}`);
  visit?.(rootRaw, root, '/');
  inodes.set(rootNumber, root);
  const queue: { directory: Directory; raw: RawInode; parent: number; path: string }[] = [
    { directory: root, raw: rootRaw, parent: rootNumber, path: '' },
  ];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const { name, number } of entriesOf(volume, next.raw, next.path, next.parent)) {
      const path = `${next.path}/${name}`;
      const at = display(path);
      if (next.directory.children.has(name)) throw volume.corrupt(at, 'the name is in its directory twice');
      let inode = inodes.get(number);
      if (inode?.kind === 'directory') throw volume.corrupt(at, `the directory with inode ${number} has a second name`);
      if (inode === undefined) {
        const raw = volume.inode(number, `${at} (inode ${number})`);
        inode = readInode(volume, raw, at);
        visit?.(raw, inode, at);
        inodes.set(number, inode);
        if (inode.kind === 'directory') queue.push({ directory: inode, raw, parent: next.raw.number, path });
      }
      next.directory.children.set(name, inode);
    }
  }
  return new Tree(root);
}

/** Reads one inode; directories come without their children. */
function readInode(volume: Volume, raw: RawInode, path: string): Inode {
  const at = `${path} (inode ${raw.number})`;
  const kind = kindOf(raw.mode);
  if (kind === undefined) throw volume.corrupt(at, `the unknown file type of mode 0${raw.mode.toString(8)}`);
  const xattrs = readAttributes(volume, raw, at);
  const { seconds, nanoseconds } = timeOf(raw);
  if (nanoseconds > 999_999_999) throw volume.corrupt(at, `a time with ${nanoseconds} nanoseconds`);
  const meta: Meta = {
    mode: raw.mode & 0o7777,
    uid: raw.uid,
    gid: raw.gid,
    mtime: seconds,
    ...(nanoseconds === 0 ? {} : { nanoseconds }),
    ...(xattrs.size === 0 ? {} : { xattrs }),
  };
  const view = new DataView(raw.bytes.buffer, raw.bytes.byteOffset);
  switch (kind) {
    case 'directory':
      return directory(meta);
    case 'file':
      return file(contentOf(volume, raw, at), meta);
    case 'symlink':
      return symlink(targetOf(volume, raw, at), meta);
    case 'char':
    case 'block': {
      if (raw.format !== FORMAT.device) throw volume.corrupt(at, `a device with data of format ${raw.format}`);
      const number = view.getUint32(InodeTable.size);
      return device(kind, Math.floor(number / 2 ** 18) & 0x3fff, number & 0x3ffff, meta);
    }
    default:
      return special(kind, meta);
  }
}

function timeOf({ mtime, flags2 }: RawInode): { seconds: number; nanoseconds: number } {
  const view = new DataView(mtime.buffer, mtime.byteOffset);
  if ((flags2 & FLAG2.bigtime) === 0) return { seconds: view.getInt32(0), nanoseconds: view.getUint32(4) };
  const since = view.getBigUint64(0);
  return { seconds: Number(since / 1_000_000_000n) - 2 ** 31, nanoseconds: Number(since % 1_000_000_000n) };
}

function targetOf(volume: Volume, raw: RawInode, at: string): string {
  const { size } = raw;
  if (size === 0 || size > 1024) throw volume.corrupt(at, `a symbolic link to ${size} bytes`);
  let target: string;
  if (raw.format === FORMAT.local) {
    if (size > raw.dataRoom) throw volume.corrupt(at, 'its target does not fit its inode');
    target = latin1(raw.bytes.subarray(InodeTable.size, InodeTable.size + size));
  } else {
    target = '';
    const extents = forkExtents(volume, raw, 'data', at);
    for (let block = 0; target.length < size; block++) {
      const address = addressIn(volume, extents, block, at);
      const bytes = volume.bytes(address, volume.blockSize, at);
      const header = RemoteBlock.read(bytes);
      if (header.magic !== SYMLINK_MAGIC) throw volume.corrupt(at, 'there is no target at its place');
      volume.checkBlock(bytes, RemoteBlock.offset, { address, owner: raw.number, at });
      const own = Math.min(size - target.length, volume.blockSize - RemoteBlock.size);
      if (header.offset !== target.length || header.bytes !== own)
        throw volume.corrupt(at, `${header.bytes} bytes at ${header.offset} of a target of ${size}`);
      target += latin1(bytes.subarray(RemoteBlock.size, RemoteBlock.size + own));
    }
  }
  if (target.includes('\0')) throw volume.corrupt(at, 'a symbolic link with a NUL byte in its target');
  return target;
}

function contentOf(volume: Volume, raw: RawInode, at: string): FileContent {
  const { blockSize, access } = volume;
  const runs: Run[] = [];
  let end = 0;
  const put = (start: number, length: number, address: number | undefined) => {
    const last = runs[runs.length - 1];
    const next = last?.address === undefined ? undefined : last.address + last.length;
    if (last !== undefined && (address === undefined ? last.address === undefined : next === address))
      runs[runs.length - 1] = { ...last, length: last.length + length };
    else runs.push({ start, length, address });
  };
  for (const { offset, address, length, unwritten } of forkExtents(volume, raw, 'data', at)) {
    const start = offset * blockSize;
    // blocks may be reserved beyond the end
    const bytes = Math.min(length * blockSize, raw.size - start);
    if (bytes <= 0) break;
    if (start > end) put(end, start - end, undefined);
    put(start, bytes, unwritten ? undefined : address);
    end = start + bytes;
  }
  if (end < raw.size) put(end, raw.size - end, undefined);
  return new RunContent(access, raw.size, runs);
}
