import type { Bytes, FileContent } from '../../bytes/content.ts';
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
import { type Extent, readExtents } from './clusters.ts';
import { decodeExtent, loadDecoders } from './decode.ts';
import { CHUNK, Dirent, LAYOUT, NO_BLOCK, XattrHeader } from './layout.ts';
import { type RawInode, type ReadOptions, Volume } from './volume.ts';
import { decodeEntry } from './xattr.ts';

/** An opened file system. */
export interface ErofsReader {
  /** The tree. Contents are read from the image when needed. */
  tree(): Tree;
  readonly volume: Volume;
}

/**
 * Opens an EROFS file system for reading: all data layouts; lz4, deflate and zstd. Throws `EROFS_NOT`, `EROFS_UNSUPPORTED`
 * with the feature's name, `EROFS_CHECKSUM`, and `EROFS_CORRUPT` as soon as damage is read.
 */
export async function openErofs(access: RandomAccess, options: ReadOptions = {}): Promise<ErofsReader> {
  const volume = new Volume(access, options);
  await loadDecoders(volume);
  return { volume, tree: () => readTree(volume) };
}

function readTree(volume: Volume): Tree {
  volume.beginPass();
  const inodes = new Map<number, Inode>();
  const rootNid = volume.sb.rootNid;
  const root = readInode(volume, rootNid, '/');
  if (root.kind !== 'directory') throw volume.corrupt('/', `the root is a ${root.kind}`);
  inodes.set(rootNid, root);
  const queue: { directory: Directory; nid: number; path: string }[] = [{ directory: root, nid: rootNid, path: '' }];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const { name, nid } of entriesOf(volume, next.nid, next.path)) {
      const path = `${next.path}/${name}`;
      const at = display(path);
      if (next.directory.children.has(name)) throw volume.corrupt(at, 'the name is in its directory twice');
      let inode = inodes.get(nid);
      if (inode?.kind === 'directory') throw volume.corrupt(at, `the directory at nid ${nid} has a second name`);
      if (inode === undefined) {
        inode = readInode(volume, nid, at);
        inodes.set(nid, inode);
        if (inode.kind === 'directory') queue.push({ directory: inode, nid, path });
      }
      next.directory.children.set(name, inode);
    }
  }
  return new Tree(root);
}

/** Reads one inode; directories come without their children. */
function readInode(volume: Volume, nid: number, path: string): Inode {
  const at = `${path} (nid ${nid})`;
  const raw = volume.inode(nid, at);
  const kind = kindOf(raw.mode);
  if (kind === undefined) throw volume.corrupt(at, `the unknown file type of mode 0${raw.mode.toString(8)}`);
  const xattrs = readXattrs(volume, raw, at);
  const { uid, gid, mtime, nanoseconds } = raw;
  const meta: Meta = {
    mode: raw.mode & 0o7777,
    uid,
    gid,
    mtime,
    ...(nanoseconds === 0 ? {} : { nanoseconds }),
    ...(xattrs.size === 0 ? {} : { xattrs }),
  };
  switch (kind) {
    case 'directory':
      return directory(meta);
    case 'file':
      return file(contentOf(volume, raw, at), meta);
    case 'symlink': {
      if (raw.size === 0 || raw.size > 4096) throw volume.corrupt(at, `a symbolic link to ${raw.size} bytes`);
      const target = contentOf(volume, raw, at).readSync();
      if (target.includes(0)) throw volume.corrupt(at, 'the target of the symbolic link has a NUL byte');
      return symlink(latin1(target), meta);
    }
    case 'char':
    case 'block':
      return device(kind, (raw.u >>> 8) & 0xfff, (raw.u & 0xff) | ((raw.u >>> 12) & 0xfff00), meta);
    default:
      return special(kind, meta);
  }
}

function readXattrs(volume: Volume, raw: RawInode, at: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  if (raw.xattrSize === 0) return found;
  const area = volume.bytes(raw.xattrsAt, raw.xattrSize, at);
  const { sharedCount } = XattrHeader.read(area);
  const own = XattrHeader.size + 4 * sharedCount;
  if (own > area.length) throw volume.corrupt(at, `${sharedCount} shared attributes do not fit`);
  const view = new DataView(area.buffer);
  const take = (bytes: Uint8Array, from: number) => {
    const size = decodeEntry(bytes, from, found);
    if (typeof size === 'string') throw volume.corrupt(at, size);
    return size;
  };
  for (let i = 0; i < sharedCount; i++) {
    const address = volume.sb.xattrBlock * volume.blockSize + 4 * view.getUint32(XattrHeader.size + 4 * i, true);
    const head = volume.bytes(address, 4, at);
    const size = 4 + head[0]! + (head[2]! | (head[3]! << 8));
    take(volume.bytes(address, size, at), 0);
  }
  for (let from = own; from + 4 <= area.length; ) {
    // the rest may be padding
    if (view.getUint32(from, true) === 0) break;
    from += take(area, from);
  }
  return found;
}

function entriesOf(volume: Volume, nid: number, path: string): { name: string; nid: number }[] {
  const at = `${path === '' ? '/' : display(path)} (nid ${nid})`;
  const raw = volume.inode(nid, at);
  if (raw.size > 2 ** 31) throw volume.corrupt(at, `a directory of ${raw.size} bytes`);
  const bytes = contentOf(volume, raw, at).readSync();
  volume.spend(bytes.length, at);
  const found: { name: string; nid: number }[] = [];
  for (let start = 0; start < bytes.length; start += volume.blockSize) {
    const block = bytes.subarray(start, start + volume.blockSize);
    if (block.length < Dirent.size) throw volume.corrupt(at, 'a block of entries is cut off');
    const first = Dirent.read(block).nameOffset;
    if (first < Dirent.size || first % Dirent.size !== 0 || first > block.length)
      throw volume.corrupt(at, `names begin at byte ${first} of a block`);
    const count = first / Dirent.size;
    for (let i = 0; i < count; i++) {
      const { nid: number, nameOffset } = Dirent.read(block, i * Dirent.size);
      const end = i + 1 < count ? Dirent.read(block, (i + 1) * Dirent.size).nameOffset : block.length;
      if (nameOffset < first || nameOffset > end || end > block.length)
        throw volume.corrupt(at, `a name at byte ${nameOffset} to ${end} of a block`);
      let name = latin1(block.subarray(nameOffset, end));
      const nul = name.indexOf('\0');
      if (nul >= 0 && i + 1 === count) name = name.slice(0, nul);
      if (name === '' || name.length > 255 || name.includes('/') || name.includes('\0'))
        throw volume.corrupt(at, `the name "${display(name)}"`);
      if (!Number.isSafeInteger(number)) throw volume.corrupt(at, `"${display(name)}" has no valid inode`);
      if (name !== '.' && name !== '..') found.push({ name, nid: number });
    }
  }
  return found;
}

function contentOf(volume: Volume, raw: RawInode, at: string): FileContent {
  const { layout, size } = raw;
  if (layout === LAYOUT.fullIndex || layout === LAYOUT.compactIndex) return new CompressedContent(volume, raw, at);
  if (layout === LAYOUT.chunks) return flat(volume, size, chunkRuns(volume, raw, at), at);
  const { blockSize } = volume;
  const tail = layout === LAYOUT.inline ? size % blockSize || (size === 0 ? 0 : blockSize) : 0;
  const inBlocks = size - tail;
  const runs: Run[] = [];
  if (inBlocks > 0) runs.push({ start: 0, length: inBlocks, address: raw.u * blockSize });
  if (tail > 0) {
    if ((raw.tailAt % blockSize) + tail > blockSize)
      throw volume.corrupt(at, 'its inline data crosses the end of a block');
    runs.push({ start: inBlocks, length: tail, address: raw.tailAt });
  }
  return flat(volume, size, runs, at);
}

function chunkRuns(volume: Volume, raw: RawInode, at: string): Run[] {
  const format = raw.u & 0xffff;
  if (format & ~(CHUNK.bits | CHUNK.indexes))
    throw volume.corrupt(at, `the unknown chunk format 0x${format.toString(16)}`);
  const chunk = volume.blockSize * 2 ** (format & CHUNK.bits);
  const entry = format & CHUNK.indexes ? 8 : 4;
  const count = Math.ceil(raw.size / chunk);
  const start = Math.ceil(raw.tailAt / entry) * entry;
  const table = volume.bytes(start, count * entry, at);
  const view = new DataView(table.buffer);
  const runs: Run[] = [];
  for (let i = 0; i < count; i++) {
    if (entry === 8 && view.getUint16(i * 8 + 2, true) !== 0) throw volume.corrupt(at, 'a chunk is on another device');
    const block = view.getUint32(i * entry + entry - 4, true);
    const length = Math.min(chunk, raw.size - i * chunk);
    const address = block === NO_BLOCK ? undefined : block * volume.blockSize;
    const last = runs[runs.length - 1];
    const follows =
      last !== undefined &&
      (address === undefined ? last.address === undefined : last.address === address - last.length);
    if (follows) runs[runs.length - 1] = { ...last, length: last.length + length };
    else runs.push({ start: i * chunk, length, address });
  }
  return runs;
}

/** A file whose bytes are stored as they are. */
function flat(volume: Volume, size: number, runs: readonly Run[], at: string): FileContent {
  const end = volume.blocks * volume.blockSize;
  for (const { address, length } of runs)
    if (address !== undefined && address + length > end)
      throw volume.corrupt(at, `${length} bytes at ${address}, beyond the end of the file system`);
  return new RunContent(volume.access, size, runs);
}

/** A compressed file: decoded extent by extent. */
class CompressedContent implements FileContent {
  readonly size: number;
  private readonly volume: Volume;
  private readonly raw: RawInode;
  private readonly at: string;
  private list: Extent[] | undefined;

  constructor(volume: Volume, raw: RawInode, at: string) {
    this.volume = volume;
    this.size = raw.size;
    this.raw = raw;
    this.at = at;
    // an index takes two bytes for a cluster: this bounds the claim of a damaged size before it is allocated
    const address = volume.blocks * volume.blockSize;
    if (raw.size > 8192 * address) throw volume.corrupt(at, `a compressed file of ${raw.size} bytes`);
  }

  private clusters(): Extent[] {
    this.list ??= readExtents(this.volume, this.raw, this.at);
    return this.list;
  }

  private decode(extent: Extent): Uint8Array {
    const { volume, at } = this;
    const { stored } = extent;
    if (stored.kind === 'fragment' && this.raw.nid === volume.sb.packedNid)
      throw volume.corrupt(at, 'the packed file refers to itself');
    if (stored.kind === 'fragment') return packedBytes(volume, stored.offset, extent.length, at);
    const cluster = volume.bytes(stored.address, stored.size, at);
    return decodeExtent(volume, cluster, extent, at);
  }

  async *open(): Bytes {
    for (const extent of this.clusters()) {
      this.volume.beginPass();
      yield this.decode(extent);
    }
  }

  readSync(): Uint8Array {
    this.volume.beginPass();
    const whole = new Uint8Array(this.size);
    for (const extent of this.clusters()) whole.set(this.decode(extent), extent.start);
    return whole;
  }

  /** Bytes from `offset` on, decoding only what holds them. */
  range(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    let done = 0;
    for (const extent of this.clusters()) {
      const from = Math.max(offset, extent.start);
      const to = Math.min(offset + length, extent.start + extent.length);
      if (from >= to) continue;
      out.set(this.decode(extent).subarray(from - extent.start, to - extent.start), from - offset);
      done += to - from;
    }
    if (done !== length) throw this.volume.corrupt(this.at, 'a fragment lies beyond the end of the packed file');
    return out;
  }
}

const packed = new WeakMap<Volume, FileContent>();

/** Bytes of the packed inode, in which ends of files are kept together. */
function packedBytes(volume: Volume, offset: number, length: number, at: string): Uint8Array {
  let content = packed.get(volume);
  if (content === undefined) {
    const nid = volume.sb.packedNid;
    if (!volume.features.has('fragments') || nid === 0)
      throw volume.corrupt(at, 'it is a fragment, but there is no packed file');
    content = contentOf(volume, volume.inode(nid, 'the packed file'), 'the packed file');
    packed.set(volume, content);
  }
  if (offset + length > content.size) throw volume.corrupt(at, 'a fragment lies beyond the end of the packed file');
  if (content instanceof CompressedContent) return content.range(offset, length);
  return content.readSync().subarray(offset, offset + length);
}
