import { latin1 } from '../../bytes/struct.ts';
import { display } from '../../tree/path.ts';
import { addressIn, type Found, forkExtents } from './forks.ts';
import {
  DIRECTORY_BLOCK_MAGIC,
  DIRECTORY_DATA_MAGIC,
  DirectoryBlock,
  FORMAT,
  FREE_TAG,
  Inode as InodeTable,
  LEAF_OFFSET,
} from './layout.ts';
import type { RawInode, Volume } from './volume.ts';

/** An entry of a directory. */
export interface Name {
  readonly name: string;
  readonly number: number;
}

/** The entries of a directory without `.` and `..`, which are checked. */
export function entriesOf(volume: Volume, raw: RawInode, path: string, parent: number): Name[] {
  const at = `${path === '' ? '/' : display(path)} (inode ${raw.number})`;
  const found: Name[] = [];
  const keep = (name: string, number: number) => {
    if (name === '' || name.includes('/') || name.includes('\0'))
      throw volume.corrupt(at, `the name "${display(name)}"`);
    if (name === '.' || name === '..') {
      const right = name === '.' ? raw.number : parent;
      if (number !== right) throw volume.corrupt(at, `"${name}" is inode ${number}, not ${right}`);
      return;
    }
    found.push({ name, number });
  };
  if (raw.format === FORMAT.local) readShort(volume, raw, parent, keep, at);
  else readBlocks(volume, raw, forkExtents(volume, raw, 'data', at), keep, at);
  return found;
}

function readShort(
  volume: Volume,
  raw: RawInode,
  parent: number,
  keep: (name: string, number: number) => void,
  at: string,
): void {
  const cut = () => volume.corrupt(at, 'its entries are cut off');
  if (raw.size > raw.dataRoom || raw.size < 6) throw cut();
  const fork = raw.bytes.subarray(InodeTable.size, InodeTable.size + raw.size);
  const view = new DataView(fork.buffer, fork.byteOffset, fork.length);
  // either all numbers have eight bytes or none
  const width = fork[1] === 0 ? 4 : 8;
  const count = fork[0]!;
  const number = (from: number) =>
    width === 4 ? view.getUint32(from) : view.getUint32(from) * 2 ** 32 + view.getUint32(from + 4);
  if (2 + width > fork.length) throw cut();
  keep('..', number(2));
  if (number(2) !== parent) throw volume.corrupt(at, 'it names another directory above it');
  let from = 2 + width;
  for (let i = 0; i < count; i++) {
    if (from + 3 > fork.length) throw cut();
    const end = from + 3 + fork[from]!;
    if (end + 1 + width > fork.length) throw cut();
    keep(latin1(fork.subarray(from + 3, end)), number(end + 1));
    from = end + 1 + width;
  }
}

function readBlocks(
  volume: Volume,
  raw: RawInode,
  extents: readonly Found[],
  keep: (name: string, number: number) => void,
  at: string,
): void {
  const perBlock = 2 ** volume.sb.directoryBits;
  const size = volume.blockSize * perBlock;
  const limit = Math.min(raw.size, LEAF_OFFSET) / volume.blockSize;
  // directories may have holes where blocks were emptied
  const blocks = function* () {
    let next = 0;
    for (const { offset, length } of extents)
      for (
        let block = Math.max(next, offset - (offset % perBlock));
        block < Math.min(offset + length, limit);
        block = next
      ) {
        yield block;
        next = block + perBlock;
      }
  };
  for (const block of blocks()) {
    const bytes = new Uint8Array(size);
    let first = 0;
    for (let i = 0; i < perBlock; i++) {
      const address = addressIn(volume, extents, block + i, at);
      if (i === 0) first = address;
      bytes.set(volume.bytes(address, volume.blockSize, at), i * volume.blockSize);
    }
    const { magic } = DirectoryBlock.read(bytes);
    if (magic !== DIRECTORY_BLOCK_MAGIC && magic !== DIRECTORY_DATA_MAGIC)
      throw volume.corrupt(at, 'there is no block of entries at its place');
    volume.checkBlock(bytes, DirectoryBlock.offset, { address: first, owner: raw.number, at });
    for (const { name, number } of piecesOf(volume, bytes, at)) if (name !== undefined) keep(name, number);
  }
}

/** What a directory block holds: names, and free runs, which have an empty one. */
export interface Piece {
  /** Bytes from the start of the block. */
  readonly from: number;
  readonly size: number;
  /** Undefined for a free run. */
  readonly name: string | undefined;
  readonly number: number;
}

/** The end of the entries of a block; behind them is its leaf, if it is the only one. */
export function entriesEnd(volume: Volume, bytes: Uint8Array, at: string): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) !== DIRECTORY_BLOCK_MAGIC) return bytes.length;
  const end = bytes.length - 8 - 8 * view.getUint32(bytes.length - 8);
  if (end < DirectoryBlock.size) throw volume.corrupt(at, 'its leaf is longer than its block');
  return end;
}

/** The entries and free runs of a directory block. */
export function* piecesOf(volume: Volume, bytes: Uint8Array, at: string): Generator<Piece> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = entriesEnd(volume, bytes, at);
  for (let from: number = DirectoryBlock.size; from < end; ) {
    const cut = () => volume.corrupt(at, `an entry at byte ${from} of a block is cut off`);
    if (from + 8 > end) throw cut();
    if (view.getUint16(from) === FREE_TAG) {
      const size = view.getUint16(from + 2);
      if (size < 8 || size % 8 !== 0 || from + size > end) throw cut();
      yield { from, size, name: undefined, number: 0 };
      from += size;
      continue;
    }
    if (from + 16 > end) throw cut();
    const length = bytes[from + 8]!;
    const size = (8 + 1 + length + 1 + 2 + 7) & ~7;
    if (from + size > end || view.getUint16(from + size - 2) !== from) throw cut();
    const name = latin1(bytes.subarray(from + 9, from + 9 + length));
    yield { from, size, name, number: view.getUint32(from) * 2 ** 32 + view.getUint32(from + 4) };
    from += size;
  }
}
