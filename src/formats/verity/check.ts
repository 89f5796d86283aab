import { type RandomAccess, section } from '../../bytes/file.ts';
import { type Geometry, geometryOf, type Level } from './geometry.ts';
import type { HashFormat } from './layout.ts';
import { hashTreeOf, saltedDigest } from './tree.ts';

/** A run of blocks that do not have the digest that the tree has for them. */
export interface WrongBlocks {
  /** `data`, or the level of the tree: 0 is the one above the data. */
  readonly level: 'data' | number;
  /** Index of the first block: in the data, or in its level. */
  readonly first: number;
  readonly count: number;
  /** Bytes from the start of the data or of the tree. */
  readonly offset: number;
}

/** What {@link checkTree} found. */
export interface TreeCheck {
  /** In the order top level, …, level 0, data. Blocks below a wrong one cannot be checked and are not listed. */
  readonly wrong: readonly WrongBlocks[];
  /** Blocks of data that could not be checked, since the tree above them is wrong. */
  readonly unchecked: number;
  /** Hash blocks and data blocks that were compared. */
  readonly checked: number;
}

/**
 * Compares data and its hash tree with a root hash, block by block from the top, as the kernel does on each read. `tree`
 * begins with the top level. All of the data is read once, and digested over all threads.
 */
export async function checkTree(
  data: RandomAccess,
  tree: RandomAccess,
  format: HashFormat,
  dataBlocks: number,
  root: Uint8Array,
): Promise<TreeCheck> {
  const geometry = geometryOf(dataBlocks, format);
  const runs = new Runs();
  const { levels } = geometry;
  let checked = 0;
  // digests of a level that are right; the root hash stands for a level of one
  let expected = (_: number): Uint8Array | undefined => root;
  for (let at = levels.length - 1; at >= 0; at--) {
    const level = levels[at]!;
    const good = new Set<number>();
    const block = new Uint8Array(format.hashBlockSize);
    for (let index = 0; index < level.blocks; index++) {
      const right = expected(index);
      if (right === undefined) continue;
      const offset = (level.start + index) * format.hashBlockSize;
      tree.readAt(offset, block);
      checked++;
      if (Buffer.compare(saltedDigest(block, format), right) === 0) good.add(index);
      else runs.add(at, index, offset);
    }
    expected = digestsOf(tree, level, geometry, good);
  }
  const built = await digestsOfData(data, format, dataBlocks);
  let unchecked = 0;
  for (let index = 0; index < dataBlocks; index++) {
    const right = expected(index);
    if (right === undefined) {
      unchecked++;
      continue;
    }
    checked++;
    if (Buffer.compare(built(index), right) !== 0) runs.add('data', index, index * format.dataBlockSize);
  }
  return { wrong: runs.list, unchecked, checked };
}

/** Reads single digests of a level; undefined for one in a block that is wrong. */
function digestsOf(
  tree: RandomAccess,
  level: Level,
  { place, perBlock, digestSize }: Geometry,
  good: ReadonlySet<number>,
): (index: number) => Uint8Array | undefined {
  const digest = new Uint8Array(digestSize);
  return (index) => {
    if (!good.has(Math.floor(index / perBlock))) return undefined;
    tree.readAt(place(level, index), digest);
    return digest;
  };
}

async function digestsOfData(
  data: RandomAccess,
  format: HashFormat,
  dataBlocks: number,
): Promise<(index: number) => Uint8Array> {
  const size = dataBlocks * format.dataBlockSize;
  const { root, bytes, geometry } = await hashTreeOf(section(data, 0, size), format);
  const { levels, place, digestSize } = geometry;
  if (levels.length === 0) return () => root;
  return (index) => {
    const at = place(levels[0]!, index);
    return bytes.subarray(at, at + digestSize);
  };
}

/** Joins neighbours into runs. */
class Runs {
  readonly list: { level: 'data' | number; first: number; count: number; offset: number }[] = [];

  add(level: 'data' | number, index: number, offset: number): void {
    const last = this.list.at(-1);
    if (last !== undefined && last.level === level && last.first + last.count === index) last.count++;
    else this.list.push({ level, first: index, count: 1, offset });
  }
}
