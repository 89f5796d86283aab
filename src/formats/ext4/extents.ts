import { crc32c } from '../../bytes/crc32c.ts';
import { type Segment, segmentOf } from './geometry.ts';
import { EXTENT_MAGIC, EXTENT_MAX, ExtentHeader } from './layout.ts';

/** A run of blocks of a file that is in one piece. */
export interface Extent {
  /** Its first block in the file. */
  readonly logical: number;
  readonly physical: number;
  readonly length: number;
}

/** A stretch of a file that has data, in blocks; what is between stretches is a hole. */
export type Range = readonly [logical: number, length: number];

/** Entries that fit the inode. */
const IN_INODE = 4;

/** Entries in a node that is a block of its own. */
function perNode(blockSize: number): number {
  return Math.floor((blockSize - ExtentHeader.size) / 12);
}

/** Calls `found` for each extent of a file whose data is in the row of free blocks from `virtual` on. */
function eachExtent(
  segments: readonly Segment[],
  virtual: number,
  ranges: readonly Range[],
  found: (logical: number, physical: number, length: number) => void,
): void {
  let at = virtual;
  let index = segmentOf(segments, virtual);
  for (const [start, blocks] of ranges) {
    let logical = start;
    for (let left = blocks; left > 0; ) {
      while (at >= segments[index]!.virtual + segments[index]!.length) index++;
      const segment = segments[index]!;
      const within = at - segment.virtual;
      const length = Math.min(left, segment.length - within, EXTENT_MAX);
      found(logical, segment.start + within, length);
      logical += length;
      at += length;
      left -= length;
    }
  }
}

/** The extents of a file whose data is in the row of free blocks from `virtual` on. */
export function extentsOf(segments: readonly Segment[], virtual: number, ranges: readonly Range[]): Extent[] {
  const extents: Extent[] = [];
  eachExtent(segments, virtual, ranges, (logical, physical, length) => extents.push({ logical, physical, length }));
  return extents;
}

/** The number of those extents. */
export function countExtents(segments: readonly Segment[], virtual: number, ranges: readonly Range[]): number {
  let count = 0;
  eachExtent(segments, virtual, ranges, () => count++);
  return count;
}

/** Blocks that the extent tree needs outside of the inode. */
export function extentTreeBlocks(extents: number, blockSize: number): number {
  let blocks = 0;
  for (let level = extents; level > IN_INODE; ) {
    level = Math.ceil(level / perNode(blockSize));
    blocks += level;
  }
  return blocks;
}

/**
 * The extent tree of a file: what is in the inode (i_block), and the blocks outside of it, leaves first, as full as
 * can be (otherwise e2fsck suggests optimizing it). `place` returns where the n-th of these blocks is; without
 * a checksum seed no checksums are written.
 */
export function extentTree(
  extents: readonly Extent[],
  blockSize: number,
  place: (block: number) => number,
  seed: number | undefined,
): { readonly root: Uint8Array; readonly nodes: readonly Uint8Array[] } {
  const root = new Uint8Array(60);
  const nodes: Uint8Array[] = [];
  const most = perNode(blockSize);
  let level = extents;
  let depth = 0;
  for (; level.length > IN_INODE; depth++) {
    const above: Extent[] = [];
    for (let from = 0; from < level.length; from += most) {
      const node = new Uint8Array(blockSize);
      const entries = level.slice(from, from + most);
      fill(node, entries, most, depth);
      if (seed !== undefined) {
        // the tail is after the place for the last entry
        const tail = ExtentHeader.size + most * 12;
        new DataView(node.buffer).setUint32(tail, crc32c(seed, node, 0, tail), true);
      }
      above.push({ logical: entries[0]!.logical, physical: place(nodes.length), length: 0 });
      nodes.push(node);
    }
    level = above;
  }
  fill(root, level, IN_INODE, depth);
  return { root, nodes };
}

/**
 * Writes a node: a leaf (depth 0) of extents, or an index of the nodes below, each by the block where it is. No records
 * are built on the way, since every inode of an image has such a node.
 */
function fill(node: Uint8Array, entries: readonly Extent[], max: number, depth: number): void {
  const view = new DataView(node.buffer);
  const { offset } = ExtentHeader;
  view.setUint16(offset.magic, EXTENT_MAGIC, true);
  view.setUint16(offset.entries, entries.length, true);
  view.setUint16(offset.max, max, true);
  view.setUint16(offset.depth, depth, true);
  let at = ExtentHeader.size;
  for (const { logical, physical, length } of entries) {
    const high = Math.floor(physical / 2 ** 32);
    view.setUint32(at, logical, true);
    if (depth === 0) {
      view.setUint16(at + 4, length, true);
      view.setUint16(at + 6, high, true);
      view.setUint32(at + 8, physical % 2 ** 32, true);
    } else {
      view.setUint32(at + 4, physical % 2 ** 32, true);
      view.setUint16(at + 8, high, true);
    }
    at += 12;
  }
}
