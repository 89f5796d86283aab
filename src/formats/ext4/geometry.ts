/**
 * Where the fixed parts of a file system of a given number of blocks are: superblock copies, group descriptors, bitmaps
 * and inode tables. What remains is one row of free blocks, numbered on its own ("virtual" blocks), in which everything
 * else is placed; a stretch of virtual blocks is cut where a fixed part is between.
 */

/** What the geometry depends on besides the number of blocks. */
export interface Shape {
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly descriptorSize: number;
  /** Groups whose bitmaps and inode tables are together; 1 without flex_bg. */
  readonly groupsPerFlex: number;
  readonly sparseSuper: boolean;
  /** Whether blocks are reserved for the descriptor table to grow 1024-fold. */
  readonly resizable: boolean;
  /** Minimum number of inodes. */
  readonly leastInodes: number;
  /** Desired number of inodes for a file system of this many blocks, as far as its groups can contain them. */
  inodes(blocks: number): number;
}

/** A fixed part. `super` stands for superblock, descriptors and their reserve together. */
export interface Region {
  readonly kind: 'super' | 'blockBitmap' | 'inodeBitmap' | 'inodeTable';
  readonly group: number;
  readonly start: number;
  readonly length: number;
}

/** A run of blocks that no fixed part takes. */
export interface Segment {
  readonly start: number;
  readonly length: number;
  /** Number of its first block in the row of free blocks. */
  readonly virtual: number;
}

/** The fixed parts of a file system, all numbers in blocks. */
export interface Geometry {
  readonly blocks: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groups: number;
  readonly inodesPerGroup: number;
  readonly tableBlocks: number;
  readonly descriptorBlocks: number;
  readonly reservedDescriptorBlocks: number;
  readonly blockBitmap: Float64Array;
  readonly inodeBitmap: Float64Array;
  readonly inodeTable: Float64Array;
  /** Ascending and disjoint. */
  readonly regions: readonly Region[];
  /** Ascending and disjoint. */
  readonly segments: readonly Segment[];
  /** Free blocks in all. */
  readonly capacity: number;
}

/** Why a number of blocks is impossible: where the fixed parts would end, or which number of blocks would work. */
export interface Misfit {
  readonly misfit: number;
}

/** Blocks that the last group must have beyond its fixed part, as mke2fs asks for. */
const LEAST_IN_LAST_GROUP = 50;

/** True when a group carries a copy of superblock and descriptors. */
export function hasSuper(group: number, sparse: boolean): boolean {
  if (!sparse || group <= 1) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

/** First block of a group. */
export function groupStart(g: Pick<Geometry, 'firstDataBlock' | 'blocksPerGroup'>, group: number): number {
  return g.firstDataBlock + group * g.blocksPerGroup;
}

/** Lays out the fixed parts for `blocks` blocks; returns a larger number to try when that one is impossible. */
export function geometry(shape: Shape, blocks: number): Geometry | Misfit {
  const { blockSize } = shape;
  const firstDataBlock = blockSize === 1024 ? 1 : 0;
  const blocksPerGroup = blockSize * 8;
  const groups = Math.max(1, Math.ceil((blocks - firstDataBlock) / blocksPerGroup));
  const perBlock = Math.floor(blockSize / shape.descriptorSize);
  const descriptorBlocks = Math.ceil(groups / perBlock);
  const reservedDescriptorBlocks = shape.resizable ? reserve(shape, blocks, descriptorBlocks) : 0;
  const inodesPerBlock = blockSize / shape.inodeSize;
  const step = Math.max(8, inodesPerBlock);
  const most = blockSize * 8;
  const inodes = Math.max(shape.leastInodes, Math.min(shape.inodes(blocks), groups * most));
  const inodesPerGroup = Math.ceil(Math.max(16, Math.ceil(inodes / groups)) / step) * step;
  if (inodesPerGroup > most)
    return { misfit: firstDataBlock + (Math.ceil(inodes / most) - 1) * blocksPerGroup + LEAST_IN_LAST_GROUP };
  const tableBlocks = inodesPerGroup / inodesPerBlock;

  const superBlocks = 1 + descriptorBlocks + reservedDescriptorBlocks;
  const regions: Region[] = [];
  for (let group = 0; group < groups; group++)
    if (hasSuper(group, shape.sparseSuper))
      regions.push({ kind: 'super', group, start: firstDataBlock + group * blocksPerGroup, length: superBlocks });
  const lastStart = firstDataBlock + (groups - 1) * blocksPerGroup;
  const ownInLast =
    (hasSuper(groups - 1, shape.sparseSuper) ? superBlocks : 0) +
    ((groups - 1) % shape.groupsPerFlex === 0 ? 2 + tableBlocks : 0);
  if (blocks - lastStart < ownInLast + LEAST_IN_LAST_GROUP && groups > 1)
    return { misfit: lastStart + ownInLast + LEAST_IN_LAST_GROUP };

  const blockBitmap = new Float64Array(groups);
  const inodeBitmap = new Float64Array(groups);
  const inodeTable = new Float64Array(groups);
  let cursor = 0;
  const place = (length: number): number => {
    for (;;) {
      // only copies of the superblock can be ahead of the cursor: step over the one that is in the way
      const group = Math.floor((cursor + length - 1 - firstDataBlock) / blocksPerGroup);
      const start = firstDataBlock + group * blocksPerGroup;
      const behind = start + superBlocks;
      if (group > 0 && cursor < behind && hasSuper(group, shape.sparseSuper)) {
        cursor = behind;
        continue;
      }
      const at = cursor;
      cursor += length;
      return at;
    }
  };
  for (let first = 0; first < groups; first += shape.groupsPerFlex) {
    const end = Math.min(groups, first + shape.groupsPerFlex);
    const start = firstDataBlock + first * blocksPerGroup;
    cursor = Math.max(cursor, start + (hasSuper(first, shape.sparseSuper) ? superBlocks : 0));
    for (let group = first; group < end; group++) blockBitmap[group] = place(1);
    for (let group = first; group < end; group++) inodeBitmap[group] = place(1);
    for (let group = first; group < end; group++) inodeTable[group] = place(tableBlocks);
    for (let group = first; group < end; group++)
      regions.push(
        { kind: 'blockBitmap', group, start: blockBitmap[group]!, length: 1 },
        { kind: 'inodeBitmap', group, start: inodeBitmap[group]!, length: 1 },
        { kind: 'inodeTable', group, start: inodeTable[group]!, length: tableBlocks },
      );
  }
  if (cursor > blocks) return { misfit: cursor };

  regions.sort((a, b) => a.start - b.start);
  const segments: Segment[] = [];
  let at = firstDataBlock;
  let virtual = 0;
  for (const region of [...regions, { start: blocks, length: 0 }]) {
    const length = region.start - at;
    if (length > 0) {
      segments.push({ start: at, length, virtual });
      virtual += length;
    }
    at = region.start + region.length;
  }
  return {
    blocks,
    firstDataBlock,
    blocksPerGroup,
    groups,
    inodesPerGroup,
    tableBlocks,
    descriptorBlocks,
    reservedDescriptorBlocks,
    blockBitmap,
    inodeBitmap,
    inodeTable,
    regions,
    segments,
    capacity: virtual,
  };
}

/** Descriptor blocks kept free so that the file system can grow to 1024 times its size, as mke2fs calculates. */
function reserve(shape: Shape, blocks: number, descriptorBlocks: number): number {
  const firstDataBlock = shape.blockSize === 1024 ? 1 : 0;
  const most = Math.min(blocks * 1024, 2 ** 32 - 1);
  const groups = Math.ceil((most - firstDataBlock) / (shape.blockSize * 8));
  const grown = Math.ceil(groups / Math.floor(shape.blockSize / shape.descriptorSize));
  // the double-indirect block of the resize inode has one entry for each
  return Math.max(0, Math.min(grown - descriptorBlocks, shape.blockSize / 4));
}

/** Index of the segment that holds a virtual block. */
export function segmentOf(segments: readonly Segment[], virtual: number): number {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (segments[middle]!.virtual <= virtual) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The real number of a virtual block. */
export function physical(segments: readonly Segment[], virtual: number): number {
  const segment = segments[segmentOf(segments, virtual)]!;
  return segment.start + virtual - segment.virtual;
}
