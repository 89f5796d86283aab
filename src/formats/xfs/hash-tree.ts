import { seal } from './checksums.ts';
import { BLOCK, DADDR, HASH, HashBlock } from './layout.ts';

/** Pointers in a node of the tree of hashes. */
const NODE_CAPACITY = (BLOCK - HashBlock.size) / 8;

/** Blocks on each level of the tree above leaves, the lowest first; empty where one leaf is all. */
export function nodeLevels(leaves: number): number[] {
  const levels: number[] = [];
  for (let below = leaves; below > 1; ) {
    below = Math.ceil(below / NODE_CAPACITY);
    levels.push(below);
  }
  return levels;
}

/** Blocks of the tree above that many leaves. */
export function nodeBlocks(leaves: number): number {
  return nodeLevels(leaves).reduce((sum, width) => sum + width, 0);
}

/** What every block with hashes says of itself. */
export interface HashContext {
  readonly uuid: Uint8Array;
  /** The inode's number. */
  readonly owner: number;
  /** Block on disk of the n-th block of the tree: nodes from the root down, then leaves. */
  physical(index: number): number;
  /** First file block of the tree. */
  readonly first: number;
}

/** Writes the nodes above leaves, of each of which the highest hash is given. The root comes first. */
export function writeNodes(into: Uint8Array, highest: readonly number[], context: HashContext): void {
  const levels = nodeLevels(highest.length);
  const starts: number[] = [];
  let start = 0;
  for (let level = levels.length - 1; level >= 0; level--) {
    starts[level] = start;
    start += levels[level]!;
  }
  let hashes = highest;
  let children = start;
  for (const [level, width] of levels.entries()) {
    const own: number[] = [];
    for (let i = 0; i < width; i++) {
      const index = starts[level]! + i;
      const from = Math.floor((i * hashes.length) / width);
      const to = Math.floor(((i + 1) * hashes.length) / width);
      const block = into.subarray(index * BLOCK, (index + 1) * BLOCK);
      HashBlock.write(block, 0, {
        forward: i + 1 < width ? context.first + index + 1 : 0,
        back: i > 0 ? context.first + index - 1 : 0,
        magic: HASH.node,
        address: (context.physical(index) * BLOCK) / DADDR,
        uuid: context.uuid,
        owner: context.owner,
        count: to - from,
        level: level + 1,
      });
      const view = new DataView(block.buffer, block.byteOffset, BLOCK);
      for (let k = from; k < to; k++) {
        view.setUint32(HashBlock.size + 8 * (k - from), hashes[k]!);
        view.setUint32(HashBlock.size + 8 * (k - from) + 4, context.first + children + k);
      }
      seal(block, HashBlock.offset.checksum);
      own.push(hashes[to - 1]!);
    }
    hashes = own;
    children = starts[level]!;
  }
}
