import { seal } from './checksums.ts';
import { hashName } from './hash.ts';
import { type HashContext, nodeBlocks, writeNodes } from './hash-tree.ts';
import {
  BLOCK,
  DADDR,
  DIRECTORY_BLOCK_MAGIC,
  DIRECTORY_DATA_MAGIC,
  DIRECTORY_FREE_MAGIC,
  DirectoryBlock,
  DirectoryFree,
  FREE_OFFSET,
  FREE_TAG,
  HASH,
  HashBlock,
  LEAF_OFFSET,
} from './layout.ts';

/** An entry to write. */
export interface Entry {
  readonly name: string;
  readonly number: number;
  /** Value of `FILE_TYPE`. */
  readonly type: number;
}

/** How a directory is stored. */
export interface DirectoryShape {
  readonly form: 'short' | 'block' | 'leaf' | 'node';
  /** Bytes in the inode, for the short form. */
  readonly bytes: number;
  readonly dataBlocks: number;
  readonly leaves: number;
  /** Leaves with the nodes above them. */
  readonly hashBlocks: number;
  readonly freeBlocks: number;
}

const LEAF_CAPACITY = (BLOCK - HashBlock.size) / 8;
const FREE_CAPACITY = (BLOCK - DirectoryFree.size) / 2;
/** File blocks at which leaves and free runs begin. */
export const FIRST_LEAF = LEAF_OFFSET / BLOCK;
export const FIRST_FREE = FREE_OFFSET / BLOCK;

/** Bytes of an entry among data: number, length, name, type, tag, padded to 8. */
function entrySize(name: string): number {
  return (8 + 1 + name.length + 1 + 2 + 7) & ~7;
}

const DOTS = entrySize('.') + entrySize('..');

/** Bytes of a directory in its inode. */
export function shortSize(names: readonly string[]): number {
  // a count, the count of long numbers, the parent; per entry length, offset, name, type, number
  return 6 + names.reduce((sum, name) => sum + 3 + name.length + 1 + 4, 0);
}

/** Decides the form of a directory; `room` is what the inode holds of it. */
export function shapeOf(names: readonly string[], room: number): DirectoryShape {
  const bytes = shortSize(names);
  // the count has eight bits
  if (bytes <= room && names.length <= 255)
    return { form: 'short', bytes, dataBlocks: 0, leaves: 0, hashBlocks: 0, freeBlocks: 0 };
  const count = names.length + 2;
  const whole = names.reduce((sum, name) => sum + entrySize(name), DirectoryBlock.size + DOTS);
  const none = { bytes: 0, leaves: 0, hashBlocks: 0, freeBlocks: 0 };
  if (whole + 8 * count + 8 <= BLOCK) return { ...none, form: 'block', dataBlocks: 1 };
  let dataBlocks = 1;
  let used = DirectoryBlock.size + DOTS;
  for (const name of names) {
    const size = entrySize(name);
    if (used + size > BLOCK) {
      dataBlocks++;
      used = DirectoryBlock.size;
    }
    used += size;
  }
  if (HashBlock.size + 8 * count + 2 * dataBlocks + 4 <= BLOCK)
    return { ...none, form: 'leaf', dataBlocks, leaves: 1, hashBlocks: 1 };
  const leaves = Math.ceil(count / LEAF_CAPACITY);
  const hashBlocks = leaves + nodeBlocks(leaves);
  return { ...none, form: 'node', dataBlocks, leaves, hashBlocks, freeBlocks: Math.ceil(dataBlocks / FREE_CAPACITY) };
}

/** Blocks that a directory takes. */
export function blocksOfShape({ dataBlocks, hashBlocks, freeBlocks }: DirectoryShape): number {
  return dataBlocks + hashBlocks + freeBlocks;
}

/** File blocks of a directory, as ranges. */
export function rangesOfShape({ dataBlocks, hashBlocks, freeBlocks }: DirectoryShape): [number, number][] {
  const ranges: [number, number][] = [[0, dataBlocks]];
  if (hashBlocks > 0) ranges.push([FIRST_LEAF, hashBlocks]);
  if (freeBlocks > 0) ranges.push([FIRST_FREE, freeBlocks]);
  return ranges;
}

/** Writes the short form at the start of `into`. */
export function writeShort(into: Uint8Array, parent: number, entries: readonly Entry[]): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  view.setUint8(0, entries.length);
  view.setUint32(2, parent);
  let at = 6;
  // where the entry would be in a block, which is its position for readdir
  let offset = DirectoryBlock.size + DOTS;
  for (const { name, number, type } of entries) {
    view.setUint8(at, name.length);
    view.setUint16(at + 1, offset);
    putName(into, at + 3, name);
    view.setUint8(at + 3 + name.length, type);
    view.setUint32(at + 4 + name.length, number);
    at += 8 + name.length;
    offset += entrySize(name);
  }
}

/** What the blocks of a directory say of themselves. */
export interface DirectoryContext {
  readonly uuid: Uint8Array;
  readonly number: number;
  readonly parent: number;
  /** Block on disk of the n-th block of all. */
  physical(index: number): number;
}

/** The blocks of a directory: data, leaves with nodes above them, free runs. */
export function directoryBlocks(
  shape: DirectoryShape,
  entries: readonly Entry[],
  context: DirectoryContext,
): Uint8Array {
  const bytes = new Uint8Array(blocksOfShape(shape) * BLOCK);
  const all = [
    { name: '.', number: context.number, type: 2 },
    { name: '..', number: context.parent, type: 2 },
    ...entries,
  ];
  const { hashes, free } = writeData(bytes, shape, all, context);
  // by hash, then in the order of the entries
  const order = Uint32Array.from(hashes.keys()).sort((a, b) => hashes[a]!.hash - hashes[b]!.hash || a - b);
  const sorted = Array.from(order, (i) => hashes[i]!);
  if (shape.form === 'block') {
    const view = new DataView(bytes.buffer);
    const tail = BLOCK - 8;
    view.setUint32(tail, sorted.length);
    for (const [i, { hash, address }] of sorted.entries()) {
      view.setUint32(tail - 8 * (sorted.length - i), hash);
      view.setUint32(tail - 8 * (sorted.length - i) + 4, address);
    }
    seal(bytes, DirectoryBlock.offset.checksum);
    return bytes;
  }
  writeLeaves(bytes, shape, sorted, free, context);
  if (shape.form === 'node') writeFree(bytes, shape, free, context);
  return bytes;
}

interface Hashed {
  readonly hash: number;
  /** Bytes from the start of the directory, divided by 8. */
  readonly address: number;
}

function writeData(
  bytes: Uint8Array,
  shape: DirectoryShape,
  all: readonly Entry[],
  context: DirectoryContext,
): { hashes: Hashed[]; free: number[] } {
  const view = new DataView(bytes.buffer);
  const hashes: Hashed[] = [];
  const free: number[] = [];
  const isBlock = shape.form === 'block';
  const end = isBlock ? BLOCK - 8 - 8 * all.length : BLOCK;
  let next = 0;
  for (let block = 0; block < shape.dataBlocks; block++) {
    const start = block * BLOCK;
    let at = DirectoryBlock.size;
    for (; next < all.length; next++) {
      const { name, number, type } = all[next]!;
      const size = entrySize(name);
      if (at + size > end) break;
      view.setUint32(start + at, Math.floor(number / 2 ** 32));
      view.setUint32(start + at + 4, number % 2 ** 32);
      view.setUint8(start + at + 8, name.length);
      putName(bytes, start + at + 9, name);
      view.setUint8(start + at + 9 + name.length, type);
      view.setUint16(start + at + size - 2, at);
      hashes.push({ hash: hashName(name), address: (start + at) / 8 });
      at += size;
    }
    const rest = end - at;
    free.push(rest);
    if (rest > 0) {
      view.setUint16(start + at, FREE_TAG);
      view.setUint16(start + at + 2, rest);
      view.setUint16(start + end - 2, at);
    }
    DirectoryBlock.write(bytes, start, {
      magic: isBlock ? DIRECTORY_BLOCK_MAGIC : DIRECTORY_DATA_MAGIC,
      address: (context.physical(block) * BLOCK) / DADDR,
      uuid: context.uuid,
      owner: context.number,
      bestFree: rest > 0 ? [at, rest] : [],
    });
    if (!isBlock) seal(bytes, DirectoryBlock.offset.checksum, start, start + BLOCK);
  }
  return { hashes, free };
}

function writeLeaves(
  bytes: Uint8Array,
  { form, dataBlocks, leaves, hashBlocks }: DirectoryShape,
  sorted: readonly Hashed[],
  free: readonly number[],
  context: DirectoryContext,
): void {
  const nodes = hashBlocks - leaves;
  const tree: HashContext = {
    uuid: context.uuid,
    owner: context.number,
    first: FIRST_LEAF,
    physical: (index) => context.physical(dataBlocks + index),
  };
  const highest: number[] = [];
  for (let leaf = 0; leaf < leaves; leaf++) {
    const from = Math.floor((leaf * sorted.length) / leaves);
    const to = Math.floor(((leaf + 1) * sorted.length) / leaves);
    const index = nodes + leaf;
    const block = bytes.subarray((dataBlocks + index) * BLOCK, (dataBlocks + index + 1) * BLOCK);
    const view = new DataView(block.buffer, block.byteOffset, BLOCK);
    HashBlock.write(block, 0, {
      forward: leaf + 1 < leaves ? FIRST_LEAF + index + 1 : 0,
      back: leaf > 0 ? FIRST_LEAF + index - 1 : 0,
      magic: form === 'leaf' ? HASH.leaf1 : HASH.leafN,
      address: (tree.physical(index) * BLOCK) / DADDR,
      uuid: context.uuid,
      owner: context.number,
      count: to - from,
    });
    for (let i = from; i < to; i++) {
      view.setUint32(HashBlock.size + 8 * (i - from), sorted[i]!.hash);
      view.setUint32(HashBlock.size + 8 * (i - from) + 4, sorted[i]!.address);
    }
    if (form === 'leaf') {
      view.setUint32(BLOCK - 4, free.length);
      for (const [i, rest] of free.entries()) view.setUint16(BLOCK - 4 - 2 * (free.length - i), rest);
    }
    highest.push(sorted[to - 1]!.hash);
    seal(block, HashBlock.offset.checksum);
  }
  if (nodes > 0) writeNodes(bytes.subarray(dataBlocks * BLOCK), highest, tree);
}

function writeFree(
  bytes: Uint8Array,
  { dataBlocks, hashBlocks, freeBlocks }: DirectoryShape,
  free: readonly number[],
  context: DirectoryContext,
): void {
  for (let i = 0; i < freeBlocks; i++) {
    const index = dataBlocks + hashBlocks + i;
    const block = bytes.subarray(index * BLOCK, (index + 1) * BLOCK);
    const own = free.slice(i * FREE_CAPACITY, (i + 1) * FREE_CAPACITY);
    DirectoryFree.write(block, 0, {
      magic: DIRECTORY_FREE_MAGIC,
      address: (context.physical(index) * BLOCK) / DADDR,
      uuid: context.uuid,
      owner: context.number,
      first: i * FREE_CAPACITY,
      valid: own.length,
      used: own.length,
    });
    const view = new DataView(block.buffer, block.byteOffset, BLOCK);
    for (const [k, rest] of own.entries()) view.setUint16(DirectoryFree.size + 2 * k, rest);
    seal(block, DirectoryFree.offset.checksum);
  }
}

function putName(into: Uint8Array, at: number, name: string): void {
  for (let i = 0; i < name.length; i++) into[at + i] = name.charCodeAt(i);
}
