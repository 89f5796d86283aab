import { copyOf } from '../../bytes/content.ts';
import { latin1 } from '../../bytes/struct.ts';
import { ACL_NAMES, aclFromDisk, NAMESPACES } from './attributes.ts';
import {
  ATTRIBUTE,
  AttributeLeaf,
  BTREE,
  FORMAT,
  HASH,
  HashBlock,
  Inode as InodeTable,
  LongBlock,
  REMOTE_ATTRIBUTE_MAGIC,
  RemoteBlock,
} from './layout.ts';
import type { RawInode, Volume } from './volume.ts';

/** An extent of a fork: blocks of a file and where they are. */
export interface Found {
  /** First block of the file. */
  readonly offset: number;
  /** Byte address of the first block. */
  readonly address: number;
  readonly length: number;
  /** Allocated, but reads as zeros. */
  readonly unwritten: boolean;
}

/** The extents of an inode's data or attributes, ascending. `visit` sees each block of a btree. */
export function forkExtents(
  volume: Volume,
  raw: RawInode,
  fork: 'data' | 'attributes',
  at: string,
  visit?: (address: number) => void,
): Found[] {
  const data = fork === 'data';
  const start = InodeTable.size + (data ? 0 : raw.dataRoom);
  const room = data ? raw.dataRoom : raw.attributeRoom;
  const format = data ? raw.format : raw.attrFormat;
  const count = data ? raw.dataExtents : raw.attributeExtents;
  const found: Found[] = [];
  const view = new DataView(raw.bytes.buffer, raw.bytes.byteOffset);
  if (format === FORMAT.extents) {
    if (count * 16 > room) throw volume.corrupt(at, `${count} extents in ${room} bytes of its inode`);
    for (let i = 0; i < count; i++) add(volume, found, view, start + 16 * i, at);
  } else if (format === FORMAT.btree) readTree(volume, raw, { start, room, view }, found, at, visit);
  else throw volume.corrupt(at, `its ${fork} have the unknown format ${format}`);
  if (found.length !== count) throw volume.corrupt(at, `${count} extents are counted, ${found.length} are there`);
  return found;
}

/** Reads an extent and checks that it follows the one before. */
function add(volume: Volume, found: Found[], view: DataView, from: number, at: string): void {
  const [a, b, c, d] = [0, 4, 8, 12].map((offset) => view.getUint32(from + offset)) as [number, number, number, number];
  const offset = (a & 0x7fff_ffff) * 2 ** 23 + (b >>> 9);
  const stored = (b & 0x1ff) * 2 ** 43 + c * 2 ** 11 + (d >>> 21);
  const length = d & 0x1f_ffff;
  const last = found[found.length - 1];
  if (length === 0) throw volume.corrupt(at, 'an extent without blocks');
  if (last !== undefined && offset < last.offset + last.length) throw volume.corrupt(at, 'its extents overlap');
  if (offset + length > 2 ** 52) throw volume.corrupt(at, `an extent at block ${offset} of the file`);
  found.push({ offset, address: volume.address(stored, at, length), length, unwritten: a >>> 31 === 1 });
}

function readTree(
  volume: Volume,
  raw: RawInode,
  root: { readonly start: number; readonly room: number; readonly view: DataView },
  found: Found[],
  at: string,
  visit: ((address: number) => void) | undefined,
): void {
  const { blockSize } = volume;
  const level = root.view.getUint16(root.start);
  const count = root.view.getUint16(root.start + 2);
  const capacity = Math.floor((root.room - 4) / 16);
  if (count > capacity || level === 0 || level > 9)
    throw volume.corrupt(at, `a btree of ${level} levels with ${count} roots`);
  const wide = (view: DataView, offset: number) => view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
  const descend = (stored: number, expected: number): void => {
    const address = volume.address(stored, at);
    visit?.(address);
    const bytes = volume.bytes(address, blockSize, at);
    const block = LongBlock.read(bytes);
    if (block.magic !== BTREE.extents) throw volume.corrupt(at, `there is no block of its btree at ${address}`);
    volume.checkBlock(bytes, LongBlock.offset, { address, owner: raw.number, at });
    const room = Math.floor((blockSize - LongBlock.size) / 16);
    if (block.level !== expected || block.count > room || block.count === 0)
      throw volume.corrupt(at, `a block of its btree on level ${block.level} with ${block.count} records`);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < block.count; i++) {
      if (expected === 0) add(volume, found, view, LongBlock.size + 16 * i, at);
      else descend(wide(view, LongBlock.size + 8 * room + 8 * i), expected - 1);
    }
  };
  for (let i = 0; i < count; i++) descend(wide(root.view, root.start + 4 + 8 * capacity + 8 * i), level - 1);
}

/** The address of a block of a file. */
export function addressIn(volume: Volume, extents: readonly Found[], block: number, at: string): number {
  let low = 0;
  let high = extents.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (extents[middle]!.offset <= block) low = middle;
    else high = middle;
  }
  const extent = extents[low];
  if (extent === undefined || block < extent.offset || block >= extent.offset + extent.length)
    throw volume.corrupt(at, `block ${block} is a hole`);
  return extent.address + (block - extent.offset) * volume.blockSize;
}

/** The extended attributes of an inode by their names in Linux. `visit` sees each block of a btree. */
export function readAttributes(
  volume: Volume,
  raw: RawInode,
  at: string,
  visit?: (address: number) => void,
): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  if (raw.attributeRoom === 0) return found;
  const keep = (name: string, flags: number, value: () => Uint8Array) => {
    // one that is being removed, or the name of the inode in its directory
    if (flags & (ATTRIBUTE.incomplete | ATTRIBUTE.parent)) return;
    if (name === '' || name.includes('\0')) throw volume.corrupt(at, 'an extended attribute without a name');
    const space = flags & (ATTRIBUTE.root | ATTRIBUTE.secure);
    const acl = space === ATTRIBUTE.root ? [...ACL_NAMES].find(([, stored]) => stored === name)?.[0] : undefined;
    const prefix = NAMESPACES.find(([, bits]) => bits === space)?.[0];
    if (prefix === undefined) throw volume.corrupt(at, 'an extended attribute in two namespaces');
    const full = acl ?? prefix + name;
    if (found.has(full)) throw volume.corrupt(at, 'an extended attribute is there twice');
    const stored = value();
    const decoded = acl === undefined ? stored : aclFromDisk(stored);
    if (decoded === undefined) throw volume.corrupt(at, `its ${full} is cut off`);
    found.set(full, decoded);
  };
  if (raw.attrFormat === FORMAT.local) readLocal(volume, raw, keep, at);
  else {
    const extents = forkExtents(volume, raw, 'attributes', at, visit);
    if (extents.length > 0) readLeaves(volume, raw, extents, keep, at);
  }
  return found;
}

type Keep = (name: string, flags: number, value: () => Uint8Array) => void;

function readLocal(volume: Volume, raw: RawInode, keep: Keep, at: string): void {
  const start = InodeTable.size + raw.dataRoom;
  const fork = raw.bytes.subarray(start, start + raw.attributeRoom);
  const total = fork.length < 4 ? 0 : fork[0]! * 256 + fork[1]!;
  if (total < 4 || total > fork.length) throw volume.corrupt(at, `${total} bytes of attributes in its inode`);
  let from = 4;
  for (let i = 0; i < fork[2]!; i++) {
    const nameEnd = from + 3 + (fork[from] ?? 0);
    const end = nameEnd + (fork[from + 1] ?? 0);
    if (from + 3 > total || end > total) throw volume.corrupt(at, 'an extended attribute is cut off');
    const value = copyOf(fork.subarray(nameEnd, end));
    keep(latin1(fork.subarray(from + 3, nameEnd)), fork[from + 2]!, () => value);
    from = end;
  }
}

function readLeaves(volume: Volume, raw: RawInode, extents: readonly Found[], keep: Keep, at: string): void {
  const seen = new Set<number>();
  const load = (block: number): Uint8Array => {
    if (seen.has(block)) throw volume.corrupt(at, 'its attributes refer to a block twice');
    seen.add(block);
    const address = addressIn(volume, extents, block, at);
    const bytes = volume.bytes(address, volume.blockSize, at);
    volume.checkBlock(bytes, HashBlock.offset, { address, owner: raw.number, at });
    return bytes;
  };
  let bytes = load(0);
  // down the left side, then along the leaves
  for (let header = HashBlock.read(bytes); header.magic === HASH.node; header = HashBlock.read(bytes)) {
    if (header.count === 0) throw volume.corrupt(at, 'an empty node of attributes');
    bytes = load(new DataView(bytes.buffer).getUint32(HashBlock.size + 4));
  }
  for (;;) {
    const header = AttributeLeaf.read(bytes);
    if (header.magic !== HASH.attributes) throw volume.corrupt(at, 'there is no leaf of attributes at its place');
    readLeaf(volume, raw, extents, bytes, keep, at);
    if (header.forward === 0) return;
    bytes = load(header.forward);
  }
}

function readLeaf(
  volume: Volume,
  raw: RawInode,
  extents: readonly Found[],
  bytes: Uint8Array,
  keep: Keep,
  at: string,
): void {
  const { count } = AttributeLeaf.read(bytes);
  const view = new DataView(bytes.buffer);
  const cut = () => volume.corrupt(at, 'an extended attribute is cut off');
  if (AttributeLeaf.size + 8 * count > bytes.length) throw cut();
  for (let i = 0; i < count; i++) {
    const from = view.getUint16(AttributeLeaf.size + 8 * i + 4);
    const flags = view.getUint8(AttributeLeaf.size + 8 * i + 6);
    if (flags & ATTRIBUTE.local) {
      if (from + 3 > bytes.length) throw cut();
      const nameEnd = from + 3 + bytes[from + 2]!;
      const end = nameEnd + view.getUint16(from);
      if (end > bytes.length) throw cut();
      keep(latin1(bytes.subarray(from + 3, nameEnd)), flags, () => copyOf(bytes.subarray(nameEnd, end)));
    } else {
      if (from + 9 > bytes.length) throw cut();
      const nameEnd = from + 9 + bytes[from + 8]!;
      if (nameEnd > bytes.length) throw cut();
      const block = view.getUint32(from);
      const length = view.getUint32(from + 4);
      if (length > 65536) throw volume.corrupt(at, `an extended attribute of ${length} bytes`);
      keep(latin1(bytes.subarray(from + 9, nameEnd)), flags, () => readRemote(volume, raw, extents, block, length, at));
    }
  }
}

function readRemote(
  volume: Volume,
  raw: RawInode,
  extents: readonly Found[],
  first: number,
  length: number,
  at: string,
): Uint8Array {
  const value = new Uint8Array(length);
  let done = 0;
  for (let block = first; done < length; block++) {
    const address = addressIn(volume, extents, block, at);
    const bytes = volume.bytes(address, volume.blockSize, at);
    const header = RemoteBlock.read(bytes);
    if (header.magic !== REMOTE_ATTRIBUTE_MAGIC)
      throw volume.corrupt(at, 'there is no value of an attribute at its place');
    volume.checkBlock(bytes, RemoteBlock.offset, { address, owner: raw.number, at });
    const own = Math.min(length - done, volume.blockSize - RemoteBlock.size);
    if (header.offset !== done || header.bytes !== own)
      throw volume.corrupt(at, `${header.bytes} bytes at ${header.offset} of a value of ${length}`);
    value.set(bytes.subarray(RemoteBlock.size, RemoteBlock.size + own), done);
    done += own;
  }
  return value;
}
