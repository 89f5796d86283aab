import { BLOCK, CHUNK, EXTENT_MAX, INCOMPAT } from './layout.ts';
import type { Settings } from './options.ts';

const MIB = 1024 * 1024;
/** The least size of a file system: mkfs.xfs takes no less, as its log would be short. */
export const LEAST_BLOCKS = (300 * MIB) / BLOCK;
/** The least size of one with the option `small`: four groups of 16 MiB. */
export const LEAST_SMALL = (64 * MIB) / BLOCK;
/** XFS_AG_MAX_BLOCKS */
const GROUP_MAX = 2 ** 28;

/** Blocks at the start of each group that are at fixed places; numbers count from the group's start. */
export interface FixedBlocks {
  readonly byBlock: number;
  readonly bySize: number;
  readonly inodes: number;
  readonly freeInodes: number | undefined;
  readonly rmap: number | undefined;
  readonly refcount: number | undefined;
  /** The first block after them. */
  readonly end: number;
  /** Blocks of the free list. */
  readonly list: number;
}

/** Sizes and fixed places of a file system. Blocks are numbered through all groups, without gaps. */
export interface Geometry {
  readonly blocks: number;
  readonly groups: number;
  readonly groupBlocks: number;
  /** Bits of a block number inside of its group (sb_agblklog). */
  readonly groupBits: number;
  readonly fixed: FixedBlocks;
  readonly logBlocks: number;
  readonly logGroup: number;
  /** Blocks of 64 inodes. */
  readonly chunkBlocks: number;
  /** Alignment of such blocks (sb_inoalignmt). */
  readonly alignment: number;
  readonly inodesPerBlockBits: number;
}

/** The geometry of a file system of `blocks`; undefined when it is too short for its log. */
export function geometryOf(settings: Settings, blocks: number): Geometry | undefined {
  const { chosen, sectorSize, inodeSize } = settings;
  const groups = settings.groups ?? Math.max(4, Math.ceil(blocks / GROUP_MAX));
  const groupBlocks = Math.ceil(blocks / groups);
  let end = Math.ceil((4 * sectorSize) / BLOCK);
  const fixed: FixedBlocks = {
    byBlock: end++,
    bySize: end++,
    inodes: end++,
    freeInodes: chosen.has('finobt') ? end++ : undefined,
    rmap: chosen.has('rmapbt') ? end++ : undefined,
    refcount: chosen.has('reflink') ? end++ : undefined,
    end,
    list: chosen.has('rmapbt') ? 6 : 4,
  };
  const chunkBlocks = (CHUNK * inodeSize) / BLOCK;
  const logBlocks = settings.logSize === undefined ? usualLog(blocks, groupBlocks) : settings.logSize / BLOCK;
  const room = groupBlocks - fixed.end - fixed.list - 8;
  if (logBlocks > room || blocks - (groups - 1) * groupBlocks < fixed.end + fixed.list + 64 || groupBlocks > GROUP_MAX)
    return undefined;
  return {
    blocks,
    groups,
    groupBlocks,
    groupBits: Math.ceil(Math.log2(groupBlocks)),
    fixed,
    logBlocks,
    logGroup: Math.floor(groups / 2),
    chunkBlocks,
    alignment: chosen.has('sparse') ? chunkBlocks : chunkBlocks / 2,
    inodesPerBlockBits: Math.log2(BLOCK / inodeSize),
  };
}

/** The length of the log as mkfs.xfs chooses it; for small file systems what reflink and rmapbt together need. */
function usualLog(blocks: number, groupBlocks: number): number {
  if (blocks < LEAST_BLOCKS) return Math.min(4096, Math.max(3200, Math.floor(groupBlocks / 4)));
  const usual = Math.min(Math.max((64 * MIB) / BLOCK, Math.floor(blocks / 2048)), (2 ** 31 - 10 * MIB) / BLOCK);
  return Math.min(usual, groupBlocks - 64);
}

/** Blocks of a group. */
export function blocksOf({ blocks, groups, groupBlocks }: Geometry, group: number): number {
  return group === groups - 1 ? blocks - group * groupBlocks : groupBlocks;
}

/** The first block of a group that is not at a fixed place, from the group's start. The free list is before it. */
export function firstFree(geometry: Geometry, group: number): number {
  const { fixed, logGroup, logBlocks } = geometry;
  return fixed.end + (group === logGroup ? logBlocks : 0) + fixed.list;
}

/** The number of a block as XFS stores it (xfs_fsblock_t): the group above the block inside of it. */
export function storedBlock({ groupBlocks, groupBits }: Geometry, block: number): number {
  const group = Math.floor(block / groupBlocks);
  return group * 2 ** groupBits + (block - group * groupBlocks);
}

/** Free blocks in a row, as they are given out: `virtual` is the place of the first in the row. */
export interface Segment {
  readonly group: number;
  readonly start: number;
  readonly length: number;
  readonly virtual: number;
}

/** An extent of a file: consecutive blocks on disk. */
export interface Extent {
  /** First block of the file. */
  readonly offset: number;
  /** First block on disk. */
  readonly block: number;
  readonly length: number;
}

/** Where blocks of the row are on disk, cut where a segment ends and where an extent would be too long. */
export function extentsOf(
  segments: readonly Segment[],
  at: number,
  ranges: readonly (readonly [first: number, length: number])[],
): Extent[] {
  const extents: Extent[] = [];
  let index = segmentAt(segments, at);
  let virtual = at;
  for (const [first, count] of ranges)
    for (let done = 0; done < count; ) {
      let segment = segments[index]!;
      while (virtual >= segment.virtual + segment.length) segment = segments[++index]!;
      const length = Math.min(count - done, segment.virtual + segment.length - virtual, EXTENT_MAX);
      extents.push({ offset: first + done, block: segment.start + virtual - segment.virtual, length });
      done += length;
      virtual += length;
    }
  return extents;
}

/** The block on disk of a place in the row. */
export function physical(segments: readonly Segment[], at: number): number {
  const { start, virtual } = segments[segmentAt(segments, at)]!;
  return start + at - virtual;
}

function segmentAt(segments: readonly Segment[], at: number): number {
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (segments[middle]!.virtual <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Bits of the incompatible features that are written. */
export function incompatWord({ chosen }: Settings): number {
  let word: number = INCOMPAT.ftype;
  for (const name of ['sparse', 'bigtime', 'nrext64'] as const) if (chosen.has(name)) word |= INCOMPAT[name];
  return word;
}
