import { ALGORITHMS, type HashFormat, isBlockSize, SALT_LIMIT, Superblock } from './layout.ts';

/** One level of a hash tree. */
export interface Level {
  /** Where it begins, in hash blocks from the start of the tree. */
  readonly start: number;
  /** Hash blocks. */
  readonly blocks: number;
  /** Digests in it: one for each block of what is below. */
  readonly digests: number;
}

/** The places of all digests of a hash tree. */
export interface Geometry {
  readonly dataBlocks: number;
  readonly digestSize: number;
  /** Digests in a hash block. */
  readonly perBlock: number;
  /** From the one above the data upwards; none for a single data block, whose digest is the root hash. */
  readonly levels: readonly Level[];
  /** Hash blocks of the tree. */
  readonly blocks: number;
  /** Where the digest `index` of a level is, in bytes from the start of the tree. */
  place(level: Level, index: number): number;
}

/** Where the digest of a block of data is, in bytes; that of a single block is in the place of a tree. */
export function placeOf({ levels, place }: Geometry, index: number): number {
  return levels.length === 0 ? 0 : place(levels[0]!, index);
}

/**
 * Lays out the tree over so many blocks of data: the top level comes first, the data's digests last (kernel,
 * drivers/md/dm-verity-target.c, verity_ctr).
 */
export function geometryOf(dataBlocks: number, format: HashFormat): Geometry {
  const { hashBlockSize, hashType } = format;
  if (!Number.isInteger(dataBlocks) || dataBlocks < 1) throw new RangeError(`a hash tree over ${dataBlocks} blocks`);
  if (!isBlockSize(format.dataBlockSize) || !isBlockSize(hashBlockSize) || format.salt.length > SALT_LIMIT)
    throw new RangeError('block sizes are powers of two from 512, a salt has at most 256 bytes');
  const digestSize = ALGORITHMS[format.algorithm];
  const perBlock = 2 ** Math.floor(Math.log2(hashBlockSize / digestSize));
  // type 0 packs digests; type 1 gives each a power of two, and so fills the block
  const stride = hashType === 0 ? digestSize : hashBlockSize / perBlock;
  const sizes: { blocks: number; digests: number }[] = [];
  for (let digests = dataBlocks; digests > 1; ) {
    const blocks = Math.ceil(digests / perBlock);
    sizes.push({ blocks, digests });
    digests = blocks;
  }
  let start = 0;
  const levels = sizes
    .reverse()
    .map((level) => {
      const placed = { ...level, start };
      start += level.blocks;
      return placed;
    })
    .reverse();
  return {
    dataBlocks,
    digestSize,
    perBlock,
    levels,
    blocks: start,
    place: (level, index) => (level.start + Math.floor(index / perBlock)) * hashBlockSize + (index % perBlock) * stride,
  };
}

/** Bytes before the tree when it has a superblock: one hash block, or more where those are smaller. */
export function treeOffset({ hashBlockSize }: Pick<HashFormat, 'hashBlockSize'>): number {
  return Math.ceil(Superblock.size / hashBlockSize) * hashBlockSize;
}

/** Bytes of the tree over `dataSize` bytes, without a superblock. */
export function treeSize(dataSize: number, format: HashFormat): number {
  return geometryOf(dataSize / format.dataBlockSize, format).blocks * format.hashBlockSize;
}
