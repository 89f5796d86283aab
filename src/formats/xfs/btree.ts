import { seal } from './checksums.ts';
import type { Extent } from './geometry.ts';
import { BLOCK, BTREE, DADDR, LongBlock, NULL32, ShortBlock } from './layout.ts';

/** How records of a btree of an allocation group are stored. */
export interface TreeKind {
  readonly magic: number;
  readonly recordSize: number;
  /** Bytes of a key in a node: for each pointer one, or the lowest and the highest one. */
  readonly keySize: number;
}

/** Records of 64 inodes. */
export const INODE_TREE: TreeKind = { magic: BTREE.inodes, recordSize: 16, keySize: 4 };
/** Reverse mappings: a node has the lowest and the highest key of each child. */
export const RMAP_TREE: TreeKind = { magic: BTREE.rmap, recordSize: 24, keySize: 40 };

/** Numbers of blocks on each level of a btree, the leaves first; the last one is 1, the root. */
export function levelsOf(records: number, perLeaf: number, perNode: number, rootHolds = 1): number[] {
  const levels = [Math.max(1, Math.ceil(records / perLeaf))];
  while (levels[levels.length - 1]! > rootHolds) levels.push(Math.ceil(levels[levels.length - 1]! / perNode));
  return levels;
}

/**
 * Index of the first record below block `i` of a level. Records are spread evenly, since every block but the root must be
 * half full at least.
 */
function firstRecord(levels: readonly number[], count: number, level: number, i: number): number {
  let index = i;
  for (let at = level; at > 0; at--) index = Math.floor((index * levels[at - 1]!) / levels[at]!);
  return Math.floor((index * count) / levels[0]!);
}

/** Index of the first block of each level in the list of all, which begins with the top. */
function startsOf(levels: readonly number[]): number[] {
  const starts: number[] = [];
  let start = 0;
  for (let level = levels.length - 1; level >= 0; level--) {
    starts[level] = start;
    start += levels[level]!;
  }
  return starts;
}

/** Records in a leaf and pointers in a node. */
export function shortCapacity({ recordSize, keySize }: TreeKind): { perLeaf: number; perNode: number } {
  const room = BLOCK - ShortBlock.size;
  return { perLeaf: Math.floor(room / recordSize), perNode: Math.floor(room / (keySize + 4)) };
}

/** A btree of an allocation group: what is needed to write it. */
export interface ShortTree {
  readonly kind: TreeKind;
  readonly count: number;
  readonly group: number;
  /** First block of the group. */
  readonly base: number;
  /** Blocks from the group's start: the root first, then those below it, leaves last. */
  readonly blocks: readonly number[];
  readonly uuid: Uint8Array;
  record(view: DataView, at: number, index: number): void;
  /** Writes the key of records `first` to `last` inclusive, the lowest and where a kind has it the highest one. */
  key(view: DataView, at: number, first: number, last: number): void;
}

/** The blocks of a btree, in the order of {@link ShortTree.blocks}. */
export function shortTreeBlocks(tree: ShortTree): Uint8Array[] {
  const { kind, count, blocks } = tree;
  const { perLeaf, perNode } = shortCapacity(kind);
  const levels = levelsOf(count, perLeaf, perNode);
  const made: Uint8Array[] = new Array(blocks.length);
  const starts = startsOf(levels);
  for (const [level, width] of levels.entries()) {
    for (let i = 0; i < width; i++) {
      const bytes = new Uint8Array(BLOCK);
      const view = new DataView(bytes.buffer);
      const index = starts[level]! + i;
      const below = level === 0 ? count : levels[level - 1]!;
      const from = Math.floor((i * below) / width);
      const own = Math.floor(((i + 1) * below) / width) - from;
      ShortBlock.write(bytes, 0, {
        magic: kind.magic,
        level,
        count: own,
        left: i > 0 ? blocks[index - 1]! : NULL32,
        right: i + 1 < width ? blocks[index + 1]! : NULL32,
        address: ((tree.base + blocks[index]!) * BLOCK) / DADDR,
        uuid: tree.uuid,
        owner: tree.group,
      });
      for (let k = 0; k < own; k++) {
        const child = from + k;
        if (level === 0) tree.record(view, ShortBlock.size + k * kind.recordSize, child);
        else {
          const first = firstRecord(levels, count, level - 1, child);
          const last = firstRecord(levels, count, level - 1, child + 1) - 1;
          tree.key(view, ShortBlock.size + k * kind.keySize, first, last);
          view.setUint32(ShortBlock.size + perNode * kind.keySize + 4 * k, blocks[starts[level - 1]! + child]!);
        }
      }
      seal(bytes, ShortBlock.offset.checksum);
      made[index] = bytes;
    }
  }
  return made;
}

const LONG_ROOM = BLOCK - LongBlock.size;
/** Extents in a leaf, and pointers in a node, of the btree of an inode. */
export const LONG_CAPACITY = LONG_ROOM / 16;

/** Pointers that a root in an inode's fork of `room` bytes holds. */
export function rootCapacity(room: number): number {
  return Math.floor((room - 4) / 16);
}

/** Blocks that the btree for that many extents has beside its root, which is in the inode. */
export function extentTreeBlocks(extents: number, room: number): number {
  if (extents * 16 <= room) return 0;
  const levels = levelsOf(extents, LONG_CAPACITY, LONG_CAPACITY, rootCapacity(room));
  return levels.reduce((sum, width) => sum + width, 0);
}

/** An extent as stored: flag, offset in the file, block, length in 128 bits. */
export function writeExtent(view: DataView, at: number, { offset, length }: Extent, stored: number): void {
  // 1 + 54 bits of offset, 9 + 43 bits of block, 21 of length
  view.setUint32(at, Math.floor(offset / 2 ** 23));
  view.setUint32(at + 4, (((offset % 2 ** 23) * 2 ** 9) | Math.floor(stored / 2 ** 43)) >>> 0);
  view.setUint32(at + 8, Math.floor(stored / 2 ** 11) % 2 ** 32);
  view.setUint32(at + 12, (stored % 2 ** 11) * 2 ** 21 + length);
}

/** Where the blocks of an extent btree are, and how block numbers are stored. */
export interface LongTree {
  readonly extents: readonly Extent[];
  /** The inode's number. */
  readonly owner: number;
  readonly uuid: Uint8Array;
  /** Disk block of each block of the tree: the level below the root first, leaves last. */
  readonly blocks: readonly number[];
  stored(block: number): number;
}

/** The blocks of an extent btree below its root, in the order of {@link LongTree.blocks}. */
export function longTreeBlocks(tree: LongTree, room: number, magic: number): Uint8Array[] {
  const { extents, blocks } = tree;
  const levels = levelsOf(extents.length, LONG_CAPACITY, LONG_CAPACITY, rootCapacity(room));
  const starts = startsOf(levels);
  const made: Uint8Array[] = new Array(blocks.length);
  for (const [level, width] of levels.entries()) {
    for (let i = 0; i < width; i++) {
      const bytes = new Uint8Array(BLOCK);
      const view = new DataView(bytes.buffer);
      const index = starts[level]! + i;
      const below = level === 0 ? extents.length : levels[level - 1]!;
      const from = Math.floor((i * below) / width);
      const own = Math.floor(((i + 1) * below) / width) - from;
      LongBlock.write(bytes, 0, {
        magic,
        level,
        count: own,
        address: (blocks[index]! * BLOCK) / DADDR,
        uuid: tree.uuid,
        owner: tree.owner,
      });
      setPointer(view, 8, i > 0 ? tree.stored(blocks[index - 1]!) : undefined);
      setPointer(view, 16, i + 1 < width ? tree.stored(blocks[index + 1]!) : undefined);
      for (let k = 0; k < own; k++) {
        const child = from + k;
        if (level === 0) {
          const extent = extents[child]!;
          writeExtent(view, LongBlock.size + 16 * k, extent, tree.stored(extent.block));
        } else {
          setPointer(
            view,
            LongBlock.size + 8 * k,
            extents[firstRecord(levels, extents.length, level - 1, child)]!.offset,
          );
          const to = tree.stored(blocks[starts[level - 1]! + child]!);
          setPointer(view, LongBlock.size + 8 * LONG_CAPACITY + 8 * k, to);
        }
      }
      seal(bytes, LongBlock.offset.checksum);
      made[index] = bytes;
    }
  }
  return made;
}

/** Writes the root of an extent btree into an inode's fork. */
export function writeRoot(view: DataView, at: number, room: number, tree: LongTree): void {
  const levels = levelsOf(tree.extents.length, LONG_CAPACITY, LONG_CAPACITY, rootCapacity(room));
  const width = levels[levels.length - 1]!;
  view.setUint16(at, levels.length);
  view.setUint16(at + 2, width);
  for (let i = 0; i < width; i++) {
    const first = firstRecord(levels, tree.extents.length, levels.length - 1, i);
    setPointer(view, at + 4 + 8 * i, tree.extents[first]!.offset);
    setPointer(view, at + 4 + 8 * rootCapacity(room) + 8 * i, tree.stored(tree.blocks[i]!));
  }
}

/** Writes 64 bits; all of them set where there is nothing to point to. */
export function setPointer(view: DataView, at: number, value: number | undefined): void {
  view.setUint32(at, value === undefined ? NULL32 : Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value === undefined ? NULL32 : value % 2 ** 32);
}
