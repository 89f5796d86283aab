import { addressIn, type Found, forkExtents } from './forks.ts';
import { hashName } from './hash.ts';
import {
  DIRECTORY_BLOCK_MAGIC,
  DIRECTORY_FREE_MAGIC,
  DirectoryBlock,
  DirectoryFree,
  FORMAT,
  FREE_OFFSET,
  HASH,
  HashBlock,
  LEAF_OFFSET,
  NULL32,
} from './layout.ts';
import { entriesEnd, piecesOf } from './read-directory.ts';
import type { RawInode, Volume } from './volume.ts';

/**
 * Checks what finds names in a directory: that leaves have exactly the hashes of its entries, in order, that nodes lead to
 * them, and that the free runs are those of its blocks.
 */
export function checkHashes(volume: Volume, raw: RawInode, at: string): void {
  if (raw.format === FORMAT.local) return;
  const extents = forkExtents(volume, raw, 'data', at);
  const { hashes, free, whole } = dataHashes(volume, extents, at);
  const seen = whole ?? leafHashes(volume, raw, extents, free, at);
  let last = 0;
  for (const { hash, address } of seen) {
    if (hash < last) throw volume.corrupt(at, 'its hashes are not in order');
    last = hash;
    if (hashes.get(address) !== hash) throw volume.corrupt(at, `the hash at ${address * 8} is of no entry`);
    hashes.delete(address);
  }
  if (hashes.size > 0) throw volume.corrupt(at, `${hashes.size} entries have no hash`);
}

interface Hash {
  readonly hash: number;
  /** Bytes from the start of the directory, divided by 8. */
  readonly address: number;
}

function dataHashes(
  volume: Volume,
  extents: readonly Found[],
  at: string,
): { hashes: Map<number, number>; free: Map<number, number>; whole: Hash[] | undefined } {
  const hashes = new Map<number, number>();
  const free = new Map<number, number>();
  const perBlock = 2 ** volume.sb.directoryBits;
  const size = perBlock * volume.blockSize;
  let whole: Hash[] | undefined;
  for (const block of directoryBlocks(volume, extents, 0, LEAF_OFFSET)) {
    const bytes = load(volume, extents, block, at);
    const view = new DataView(bytes.buffer);
    const header = DirectoryBlock.read(bytes);
    if (header.magic === DIRECTORY_BLOCK_MAGIC) {
      const start = entriesEnd(volume, bytes, at);
      whole = leafEntries(view, start, (bytes.length - 8 - start) / 8);
    }
    let longest = 0;
    for (const piece of piecesOf(volume, bytes, at)) {
      if (piece.name !== undefined) hashes.set(((block / perBlock) * size + piece.from) / 8, hashName(piece.name));
      else if (view.getUint16(piece.from + piece.size - 2) !== piece.from)
        throw volume.corrupt(at, 'a free run without its tag');
      else longest = Math.max(longest, piece.size);
    }
    if (header.bestFree[1] !== longest)
      throw volume.corrupt(at, `a block says ${header.bestFree[1]} bytes of it are free in a row, not ${longest}`);
    free.set(block / perBlock, longest);
  }
  return { hashes, free, whole };
}

/** First file blocks of directory blocks in a part of the file. */
function* directoryBlocks(volume: Volume, extents: readonly Found[], from: number, to: number): Generator<number> {
  const perBlock = 2 ** volume.sb.directoryBits;
  let next = from / volume.blockSize;
  const last = to / volume.blockSize;
  for (const { offset, length } of extents)
    for (let block = Math.max(next, offset); block < Math.min(offset + length, last); block = next) {
      yield block;
      next = block - (block % perBlock) + perBlock;
    }
}

/** A directory block, checked by whatever reads it. */
function load(volume: Volume, extents: readonly Found[], block: number, at: string): Uint8Array {
  const perBlock = 2 ** volume.sb.directoryBits;
  const bytes = new Uint8Array(perBlock * volume.blockSize);
  for (let i = 0; i < perBlock; i++)
    bytes.set(volume.bytes(addressIn(volume, extents, block + i, at), volume.blockSize, at), i * volume.blockSize);
  return bytes;
}

/** Entries of a leaf that are in use. */
function leafEntries(view: DataView, start: number, count: number): Hash[] {
  const found: Hash[] = [];
  for (let i = 0; i < count; i++) {
    const address = view.getUint32(start + 8 * i + 4);
    // stale ones have no address
    if (address !== 0) found.push({ hash: view.getUint32(start + 8 * i), address });
  }
  return found;
}

function leafHashes(
  volume: Volume,
  raw: RawInode,
  extents: readonly Found[],
  free: ReadonlyMap<number, number>,
  at: string,
): Hash[] {
  const seen = new Set<number>();
  const found: Hash[] = [];
  const block = (number: number) => {
    if (seen.has(number)) throw volume.corrupt(at, 'its leaves refer to a block twice');
    seen.add(number);
    const bytes = load(volume, extents, number, at);
    const address = addressIn(volume, extents, number, at);
    volume.checkBlock(bytes, HashBlock.offset, { address, owner: raw.number, at });
    return bytes;
  };
  /** Returns the highest hash. */
  const descend = (number: number, level: number | undefined): number => {
    const bytes = block(number);
    const header = HashBlock.read(bytes);
    const view = new DataView(bytes.buffer);
    if (HashBlock.size + 8 * header.count > bytes.length) throw volume.corrupt(at, 'a leaf is longer than its block');
    if (header.magic === HASH.node) {
      if (
        (level !== undefined && header.level !== level) ||
        header.level === 0 ||
        header.level > 5 ||
        header.count === 0
      )
        throw volume.corrupt(at, `a node on level ${header.level} with ${header.count} entries`);
      let highest = 0;
      for (let i = 0; i < header.count; i++) {
        highest = view.getUint32(HashBlock.size + 8 * i);
        const below = descend(view.getUint32(HashBlock.size + 8 * i + 4), header.level - 1);
        if (below !== highest) throw volume.corrupt(at, 'a node names another hash than its leaf has');
      }
      return highest;
    }
    if ((header.magic !== HASH.leafN && header.magic !== HASH.leaf1) || (level !== undefined && level !== 0))
      throw volume.corrupt(at, 'there is no leaf at its place');
    found.push(...leafEntries(view, HashBlock.size, header.count));
    if (header.magic === HASH.leaf1) leafFree(volume, view, free, at);
    else sawNode = true;
    return header.count === 0 ? 0 : view.getUint32(HashBlock.size + 8 * (header.count - 1));
  };
  let sawNode = false;
  const [first] = directoryBlocks(volume, extents, LEAF_OFFSET, FREE_OFFSET);
  if (first !== LEAF_OFFSET / volume.blockSize) throw volume.corrupt(at, 'it has no leaf');
  descend(first, undefined);
  if (sawNode) nodeFree(volume, raw, extents, free, at);
  return found;
}

/** The only leaf lists the longest free run of each block at its end. */
function leafFree(volume: Volume, view: DataView, free: ReadonlyMap<number, number>, at: string): void {
  const count = view.getUint32(view.byteLength - 4);
  const start = view.byteLength - 4 - 2 * count;
  if (start < HashBlock.size) throw volume.corrupt(at, 'the list of its free runs is longer than its leaf');
  for (let i = 0; i < count; i++) compareFree(volume, free, i, view.getUint16(start + 2 * i), at);
}

function nodeFree(
  volume: Volume,
  raw: RawInode,
  extents: readonly Found[],
  free: ReadonlyMap<number, number>,
  at: string,
): void {
  for (const block of directoryBlocks(volume, extents, FREE_OFFSET, 2 * FREE_OFFSET)) {
    const bytes = load(volume, extents, block, at);
    const header = DirectoryFree.read(bytes);
    if (header.magic !== DIRECTORY_FREE_MAGIC) throw volume.corrupt(at, 'there is no list of free runs at its place');
    const address = addressIn(volume, extents, block, at);
    volume.checkBlock(bytes, DirectoryFree.offset, { address, owner: raw.number, at });
    if (DirectoryFree.size + 2 * header.valid > bytes.length)
      throw volume.corrupt(at, 'a list of free runs is longer than its block');
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < header.valid; i++)
      compareFree(volume, free, header.first + i, view.getUint16(DirectoryFree.size + 2 * i), at);
  }
}

function compareFree(
  volume: Volume,
  free: ReadonlyMap<number, number>,
  block: number,
  listed: number,
  at: string,
): void {
  // a block that is not there has all bits set
  const longest = free.get(block) ?? NULL32 & 0xffff;
  if (listed !== longest)
    throw volume.corrupt(at, `block ${block} has ${longest} bytes free in a row, ${listed} are listed`);
}
