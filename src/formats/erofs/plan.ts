import { blockRanges } from '../../bytes/ranges.ts';
import { BuildError } from '../../errors/error.ts';
import type { Census, Numbered } from '../../tree/census.ts';
import type { File, Inode } from '../../tree/inode.ts';
import { Losses } from '../../tree/losses.ts';
import { pathIn } from '../../tree/names.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { deriveUuid } from '../disk/uuid.ts';
import { erofsCensus } from './census.ts';
import { clustersOf, indexSize } from './cluster-index.ts';
import type { CompressedFile } from './compress.ts';
import { layOutDirectory, storedNames } from './directory.ts';
import { isBefore, SINCE } from './kernels.ts';
import {
  BLOCK,
  CompactInode,
  ExtendedInode,
  INCOMPAT,
  LAYOUT,
  MapHeader,
  NO_BLOCK,
  SLOT,
  SUPERBLOCK_OFFSET,
  Superblock,
} from './layout.ts';
import { type ErofsOptions, type Settings, settingsOf } from './options.ts';
import { XattrTable } from './xattr.ts';
import { Zone } from './zone.ts';

/** Where and how an inode is stored. */
export interface Placed extends Numbered {
  readonly extended: boolean;
  /** Value of {@link LAYOUT}. */
  readonly layout: number;
  /** Bytes of data: of a file, of a directory's entries, of a target. */
  readonly size: number;
  /** Keys of its attributes for the table. */
  readonly xattrs: readonly string[];
  readonly xattrSize: number;
  /** Bytes that follow attributes: the end of the data, or an index. */
  readonly tail: number;
  /** For a directory: where its blocks end, as indexes into its names. */
  readonly ends: readonly number[] | undefined;
  readonly compressed: CompressedFile | undefined;
  /** Bytes of its last extent that follow the index; 0 when it is in a block of its own. */
  readonly packed: number;
  /** Log2 of blocks in a chunk, for {@link LAYOUT.chunks}. */
  readonly chunkBits: number | undefined;
  /** Byte address of the inode. */
  at: number;
  /** First block of its data; {@link NO_BLOCK} without any. */
  block: number;
  /** Blocks of its data. */
  readonly blocks: number;
  /** The file whose blocks hold the same bytes, if another one's are used. */
  same: Placed | undefined;
}

/** Everything about a file system that is decided before a byte of it is written. */
export interface Plan {
  readonly settings: Settings;
  readonly uuid: Uint8Array;
  readonly census: Census;
  /** In the order of inodes. */
  readonly placed: readonly Placed[];
  readonly places: ReadonlyMap<Inode, Placed>;
  readonly xattrs: XattrTable;
  /** Where shared attributes are, in bytes. */
  readonly xattrStart: number;
  /** Blocks of superblock, inodes and what is stored behind them. */
  readonly zoneBlocks: number;
  readonly blocks: number;
  /** Time of compact inodes. */
  readonly epoch: { readonly seconds: number; readonly nanoseconds: number };
  readonly incompat: number;
  /** File in which compressed blocks are. */
  readonly spool: string | undefined;
}

/** Largest number of entries in the table of a chunked file. */
const CHUNKS = 1 << 14;

/** Files that are compressed, each content once, in the order of inodes. */
export function compressible(census: Census, settings: Settings): File[] {
  if (settings.compression === 'none') return [];
  const seen = new Set<string>();
  const files: File[] = [];
  for (const { inode } of census.nodes) {
    if (inode.kind !== 'file' || inode.content.size <= BLOCK || isSparse(inode, settings)) continue;
    const { sha256 } = inode.content;
    if (sha256 !== undefined) {
      if (seen.has(sha256)) continue;
      seen.add(sha256);
    }
    files.push(inode);
  }
  return files;
}

/** True when half of a file and more are holes: it is stored in chunks then, if the kernel reads them. */
function isSparse({ content }: File, { kernel }: Settings): boolean {
  if (content.extents === undefined || isBefore(kernel, SINCE.chunked_file)) return false;
  const data = blockRanges(content, BLOCK).reduce((sum, [, length]) => sum + length, 0);
  return data * 2 <= Math.ceil(content.size / BLOCK);
}

/** What compressing made, by inode. */
export interface Compression {
  readonly files: ReadonlyMap<Inode, CompressedFile | undefined>;
  readonly spool: string;
}

/** Lays out a tree as EROFS. Throws what EROFS cannot hold. No content is read. */
export function planErofs(
  tree: Tree,
  options: ErofsOptions,
  census = erofsCensus(tree),
  compression?: Compression,
): Plan {
  const settings = settingsOf(options);
  const losses = settings.report === undefined ? undefined : new Losses(settings.report);
  const epoch = commonTime(census);
  const xattrs = new XattrTable();
  const keys = census.nodes.map(({ inode }) => {
    const path = () => pathIn(tree.root, inode);
    checkInode(inode, path);
    if (inode.xattrs === undefined) return [];
    const leftOut = (name: string) =>
      losses?.add('ATTRIBUTE_LEFT_OUT', {
        source: 'erofs',
        path: path(),
        name: display(name),
        reason: 'erofs has no such namespace',
      });
    return xattrs.add(inode.xattrs, path, losses === undefined ? undefined : leftOut);
  });
  const shared = xattrs.settle();
  const big = settings.clusterSize > BLOCK;
  const zone = new Zone(SUPERBLOCK_OFFSET + Superblock.size + (big ? 16 : 0));
  const placed: Placed[] = [];
  const places = new Map<Inode, Placed>();
  const contents = new Map<string, Placed>();
  let xattrStart = 0;
  for (const [i, node] of census.nodes.entries()) {
    const shape = shapeOf(node, xattrs.sizeOf(keys[i]!), settings, epoch, compression);
    // property by property: V8 makes a slow table of an object that is spread from others
    const one: Placed = {
      inode: node.inode,
      index: node.index,
      links: node.links,
      parent: node.parent,
      names: node.names,
      extended: shape.extended,
      layout: shape.layout,
      size: shape.size,
      xattrs: keys[i]!,
      xattrSize: shape.xattrSize,
      tail: shape.tail,
      ends: shape.ends,
      compressed: shape.compressed,
      packed: shape.packed,
      chunkBits: shape.chunkBits,
      at: 0,
      block: NO_BLOCK,
      blocks: shape.blocks,
      same: undefined,
    };
    // the root comes first: the superblock has 16 bits for its number
    one.at = place(zone, one);
    if (i === 0) xattrStart = zone.take(shared, 4);
    placed.push(one);
    places.set(node.inode, one);
  }
  const zoneBlocks = Math.ceil(zone.end / BLOCK);
  let next = zoneBlocks;
  let incompat = 0;
  for (const one of placed) {
    if (one.layout === LAYOUT.compactIndex) incompat |= INCOMPAT.zero_padding | (big ? INCOMPAT.compr_cfgs : 0);
    if (one.packed > 0) incompat |= INCOMPAT.ztailpacking;
    if (one.layout === LAYOUT.chunks) incompat |= INCOMPAT.chunked_file;
    if (one.blocks === 0) continue;
    const { inode } = one;
    const sha256 = inode.kind === 'file' && one.layout !== LAYOUT.chunks ? inode.content.sha256 : undefined;
    const same = sha256 === undefined ? undefined : contents.get(`${sha256} ${one.layout} ${one.blocks}`);
    if (same !== undefined) {
      one.same = same;
      one.block = same.block;
      continue;
    }
    one.block = next;
    next += one.blocks;
    if (sha256 !== undefined) contents.set(`${sha256} ${one.layout} ${one.blocks}`, one);
  }
  if (next > 0xffffffff) throw new BuildError('EROFS_TOO_LARGE', { blocks: next });
  losses?.flush();
  return {
    settings,
    uuid: settings.uuid ?? deriveUuid('erofs', census.digest),
    census,
    placed,
    places,
    xattrs,
    xattrStart,
    zoneBlocks,
    blocks: next,
    epoch,
    incompat,
    spool: compression?.spool,
  };
}

/** Takes room for an inode with what follows it. */
function place(zone: Zone, one: Placed): number {
  const fixed = (one.extended ? ExtendedInode.size : CompactInode.size) + one.xattrSize;
  switch (one.layout) {
    case LAYOUT.inline:
      // the end of the data must not cross the end of a block
      return zone.takeWithin(fixed + one.tail, SLOT);
    case LAYOUT.compactIndex:
      // nor must the last extent
      if (one.packed > 0) return zone.takeWithin(Math.ceil(fixed / 8) * 8 + one.tail, SLOT);
      return zone.take(Math.ceil(fixed / 8) * 8 + one.tail, SLOT);
    case LAYOUT.chunks:
      return zone.take(fixed + one.tail, SLOT);
    default:
      return fixed <= BLOCK ? zone.takeWithin(fixed, SLOT) : zone.take(fixed, SLOT);
  }
}

type Shape = Omit<Placed, keyof Numbered | 'xattrs' | 'at' | 'block' | 'same'>;

function shapeOf(
  { inode, names, links }: Numbered,
  xattrSize: number,
  settings: Settings,
  epoch: Plan['epoch'],
  compression: Compression | undefined,
): Shape {
  const ends = inode.kind === 'directory' ? layOutDirectory(storedNames(names)) : undefined;
  const size =
    ends?.size ?? (inode.kind === 'file' ? inode.content.size : inode.kind === 'symlink' ? inode.target.length : 0);
  const extended =
    size > 0xffffffff ||
    links > 0xffff ||
    inode.uid > 0xffff ||
    inode.gid > 0xffff ||
    inode.mtime !== epoch.seconds ||
    (inode.nanoseconds ?? 0) !== epoch.nanoseconds;
  const fixed = (extended ? ExtendedInode.size : CompactInode.size) + xattrSize;
  const shape = (layout: number, tail: number, blocks: number): Shape => ({
    extended,
    layout,
    size,
    xattrSize,
    tail,
    blocks,
    packed: 0,
    ends: ends?.ends,
    compressed: undefined,
    chunkBits: undefined,
  });
  const whole = Math.ceil(size / BLOCK);
  if (inode.kind === 'file') {
    const compressed = compression?.files.get(inode);
    if (compressed !== undefined) {
      const at = Math.ceil(fixed / 8) * 8;
      const index = MapHeader.size + indexSize(clustersOf(size), (at + MapHeader.size) % 32);
      const packed = settings.tailPacking && at + index + compressed.end <= BLOCK ? compressed.end : 0;
      const blocks = compressed.blocks - (packed > 0 ? 1 : 0);
      return { ...shape(LAYOUT.compactIndex, index + packed, blocks), compressed, packed };
    }
    if (isSparse(inode, settings)) {
      const data = blockRanges(inode.content, BLOCK);
      let chunkBits = 0;
      while (Math.ceil(whole / 2 ** chunkBits) > CHUNKS) chunkBits++;
      const chunks = chunksOf(data, chunkBits).length;
      const tail = 4 * Math.ceil(whole / 2 ** chunkBits);
      return { ...shape(LAYOUT.chunks, tail, chunks * 2 ** chunkBits), chunkBits };
    }
  }
  const tail = size % BLOCK;
  const inline = inode.kind !== 'file' || settings.inlineData;
  if (inline && tail > 0 && fixed + tail <= BLOCK) return shape(LAYOUT.inline, tail, Math.floor(size / BLOCK));
  return shape(LAYOUT.plain, 0, whole);
}

/** Numbers of the chunks of 2^bits blocks that hold data. */
export function chunksOf(data: readonly (readonly [number, number])[], bits: number): number[] {
  const chunks: number[] = [];
  for (const [first, length] of data) {
    const last = Math.floor((first + length - 1) / 2 ** bits);
    for (let chunk = Math.floor(first / 2 ** bits); chunk <= last; chunk++)
      if (chunks[chunks.length - 1] !== chunk) chunks.push(chunk);
  }
  return chunks;
}

/** The most frequent time of modification: inodes that have it take half the space. */
function commonTime({ nodes }: Census): Plan['epoch'] {
  const counts = new Map<string, { seconds: number; nanoseconds: number; count: number }>();
  for (const { inode } of nodes) {
    const key = `${inode.mtime}.${inode.nanoseconds ?? 0}`;
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { seconds: inode.mtime, nanoseconds: inode.nanoseconds ?? 0, count: 1 });
    else known.count++;
  }
  let best = { seconds: 0, nanoseconds: 0, count: 0 };
  for (const one of counts.values()) if (one.count > best.count) best = one;
  return { seconds: best.seconds, nanoseconds: best.nanoseconds };
}

function checkInode(inode: Inode, path: () => string): void {
  const { uid, gid, mtime } = inode;
  const word = (value: number) => Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
  if (!word(uid) || !word(gid)) throw new BuildError('EROFS_OWNER', { path: path(), uid, gid });
  if (!Number.isSafeInteger(mtime)) throw new BuildError('EROFS_TIME', { path: path(), time: mtime });
  // blocks are counted with 32 bits
  const limit = 0xffffffff * BLOCK;
  if (inode.kind === 'file' && inode.content.size > limit)
    throw new BuildError('EROFS_FILE_SIZE', { path: path(), bytes: inode.content.size, limit });
  if (inode.kind === 'symlink' && (inode.target.length === 0 || inode.target.length >= BLOCK))
    throw new BuildError('EROFS_SYMLINK', { path: path(), bytes: inode.target.length });
  if ((inode.kind === 'char' || inode.kind === 'block') && (inode.major > 0xfff || inode.minor > 0xfffff))
    throw new BuildError('EROFS_DEVICE', { path: path(), major: inode.major, minor: inode.minor });
}
