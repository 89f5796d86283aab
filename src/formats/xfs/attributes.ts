import { BuildError } from '../../errors/error.ts';
import { ACL_ACCESS, ACL_DEFAULT, ACL_NO_ID, ACL_TAG, decodeAcl } from '../acl/acl.ts';
import { seal } from './checksums.ts';
import { hashName } from './hash.ts';
import { nodeBlocks, writeNodes } from './hash-tree.ts';
import { ATTRIBUTE, AttributeLeaf, BLOCK, DADDR, HASH, NULL32, REMOTE_ATTRIBUTE_MAGIC, RemoteBlock } from './layout.ts';

/** Largest value of an attribute, as the kernel takes it. */
const VALUE_MAX = 65536;
/** Largest sum of all attributes of an inode. */
const TOTAL_MAX = 4 * 1024 * 1024;
/** Bytes of a value in one block of its own. */
export const REMOTE_ROOM = BLOCK - RemoteBlock.size;
/** A larger entry is stored with its value outside of the leaf (xfs_attr_leaf_entsize_local_max). */
const LOCAL_MAX = (BLOCK * 3) / 4;

/** Attributes of Linux that XFS stores under names of its own. */
export const ACL_NAMES: ReadonlyMap<string, string> = new Map([
  [ACL_ACCESS, 'SGI_ACL_FILE'],
  [ACL_DEFAULT, 'SGI_ACL_DEFAULT'],
]);
/** Bits of flags, by prefix. */
export const NAMESPACES: readonly (readonly [prefix: string, flags: number])[] = [
  ['user.', 0],
  ['trusted.', ATTRIBUTE.root],
  ['security.', ATTRIBUTE.secure],
];

/** An attribute as it is stored. */
export interface Attribute {
  /** A byte string, without prefix. */
  readonly name: string;
  readonly flags: number;
  readonly value: Uint8Array;
  readonly hash: number;
}

/** How the attributes of an inode are stored. */
export interface AttributeShape {
  /** Sorted: by hash outside of the inode. */
  readonly attributes: readonly Attribute[];
  /** Bytes in the inode; undefined when they are in blocks. */
  readonly local: number | undefined;
  /** Ends of leaves, as indexes into the attributes. */
  readonly ends: readonly number[];
  /** Blocks: nodes, leaves, then values. */
  readonly blocks: number;
}

/**
 * The attributes of an inode as XFS names them. Names in no namespace of XFS go to `leftOut`, without which they are an
 * error.
 */
export function attributesOf(
  xattrs: ReadonlyMap<string, Uint8Array>,
  path: () => string,
  leftOut?: (name: string, reason: string) => void,
): Attribute[] {
  const found: Attribute[] = [];
  let total = 0;
  for (const [name, value] of xattrs) {
    const stored = storedName(name);
    if (typeof stored === 'string') {
      if (leftOut === undefined) throw new BuildError('XFS_XATTR_NAME', { path: path(), name, reason: stored });
      leftOut(name, stored);
      continue;
    }
    if (value.length > VALUE_MAX)
      throw new BuildError('XFS_XATTR_SIZE', { path: path(), name, bytes: value.length, limit: VALUE_MAX });
    const isAcl = ACL_NAMES.has(name);
    found.push({ ...stored, value: isAcl ? aclToDisk(value, name, path) : value, hash: hashName(stored.name) });
    total += name.length + value.length + 32;
    if (total > TOTAL_MAX)
      throw new BuildError('XFS_XATTR_SIZE', { path: path(), name: 'all', bytes: total, limit: TOTAL_MAX });
  }
  return found.sort((a, b) => a.hash - b.hash || a.flags - b.flags || (a.name < b.name ? -1 : 1));
}

function storedName(name: string): { name: string; flags: number } | string {
  const acl = ACL_NAMES.get(name);
  if (acl !== undefined) return { name: acl, flags: ATTRIBUTE.root };
  for (const [prefix, flags] of NAMESPACES) {
    if (!name.startsWith(prefix)) continue;
    const rest = name.slice(prefix.length);
    if (rest.length === 0 || rest.length > 255) return 'the rest of its name must have 1 to 255 bytes';
    if (flags === ATTRIBUTE.root && [...ACL_NAMES.values()].includes(rest)) return 'XFS stores access lists there';
    return { name: rest, flags };
  }
  return 'xfs has no such namespace';
}

/** Decides where attributes are stored; `room` is what the inode can hold of them. */
export function attributeShape(attributes: readonly Attribute[], room: number): AttributeShape {
  const local = attributes.reduce((sum, { name, value }) => sum + 3 + name.length + value.length, 4);
  const short = attributes.length <= 255 && attributes.every(({ value }) => value.length <= 255);
  if (short && local <= room) return { attributes, local, ends: [], blocks: 0 };
  const ends: number[] = [];
  let used = AttributeLeaf.size;
  let values = 0;
  for (const [i, attribute] of attributes.entries()) {
    const size = 8 + entrySize(attribute);
    if (used + size > BLOCK) {
      ends.push(i);
      used = AttributeLeaf.size;
    }
    used += size;
    if (isRemote(attribute)) values += Math.ceil(attribute.value.length / REMOTE_ROOM);
  }
  ends.push(attributes.length);
  return { attributes, local: undefined, ends, blocks: nodeBlocks(ends.length) + ends.length + values };
}

/** Bytes of an entry in a leaf that holds its value, too (xfs_attr_leaf_entsize_local). */
export function localSize(nameLength: number, valueLength: number): number {
  return (3 + nameLength + valueLength + 3) & ~3;
}

/**
 * Bytes of an entry whose value is elsewhere (xfs_attr_leaf_entsize_remote): nine before the name, and two that nobody
 * uses, since the kernel's structure was once padded by them.
 */
export function remoteSize(nameLength: number): number {
  return (9 + 2 + nameLength + 3) & ~3;
}

function isRemote({ name, value }: Attribute): boolean {
  return localSize(name.length, value.length) >= LOCAL_MAX;
}

function entrySize(attribute: Attribute): number {
  const { name, value } = attribute;
  return isRemote(attribute) ? remoteSize(name.length) : localSize(name.length, value.length);
}

/** Writes attributes into an inode's fork. */
export function writeLocal(into: Uint8Array, { attributes, local }: AttributeShape): void {
  into[0] = local! >> 8;
  into[1] = local! & 0xff;
  into[2] = attributes.length;
  let at = 4;
  for (const { name, flags, value } of attributes) {
    into[at] = name.length;
    into[at + 1] = value.length;
    into[at + 2] = flags;
    put(into, at + 3, name);
    into.set(value, at + 3 + name.length);
    at += 3 + name.length + value.length;
  }
}

/** What the blocks of attributes say of themselves. */
export interface AttributeContext {
  readonly uuid: Uint8Array;
  readonly number: number;
  /** Block on disk of the n-th block. */
  physical(index: number): number;
}

/** The blocks of an inode's attributes: nodes, leaves, values. */
export function attributeBlocks(shape: AttributeShape, context: AttributeContext): Uint8Array {
  const { attributes, ends, blocks } = shape;
  const bytes = new Uint8Array(blocks * BLOCK);
  const nodes = nodeBlocks(ends.length);
  let nextValue = nodes + ends.length;
  const highest: number[] = [];
  let from = 0;
  for (const [leaf, end] of ends.entries()) {
    const index = nodes + leaf;
    const block = bytes.subarray(index * BLOCK, (index + 1) * BLOCK);
    const view = new DataView(block.buffer, block.byteOffset, BLOCK);
    let firstUsed = BLOCK;
    for (let i = from; i < end; i++) {
      const attribute = attributes[i]!;
      const { name, flags, value, hash } = attribute;
      firstUsed -= entrySize(attribute);
      const remote = isRemote(attribute);
      const entry = AttributeLeaf.size + 8 * (i - from);
      view.setUint32(entry, hash);
      view.setUint16(entry + 4, firstUsed);
      view.setUint8(entry + 6, flags | (remote ? 0 : ATTRIBUTE.local));
      if (remote) {
        view.setUint32(firstUsed, nextValue);
        view.setUint32(firstUsed + 4, value.length);
        view.setUint8(firstUsed + 8, name.length);
        put(block, firstUsed + 9, name);
        nextValue = writeRemote(bytes, nextValue, value, context);
      } else {
        view.setUint16(firstUsed, value.length);
        view.setUint8(firstUsed + 2, name.length);
        put(block, firstUsed + 3, name);
        block.set(value, firstUsed + 3 + name.length);
      }
    }
    const entriesEnd = AttributeLeaf.size + 8 * (end - from);
    AttributeLeaf.write(block, 0, {
      forward: leaf + 1 < ends.length ? index + 1 : 0,
      back: leaf > 0 ? index - 1 : 0,
      magic: HASH.attributes,
      address: (context.physical(index) * BLOCK) / DADDR,
      uuid: context.uuid,
      owner: context.number,
      count: end - from,
      usedBytes: BLOCK - firstUsed,
      firstUsed,
      freeMap: [entriesEnd, firstUsed - entriesEnd],
    });
    seal(block, AttributeLeaf.offset.checksum);
    highest.push(attributes[end - 1]!.hash);
    from = end;
  }
  if (nodes > 0)
    writeNodes(bytes, highest, {
      uuid: context.uuid,
      owner: context.number,
      first: 0,
      physical: (index) => context.physical(index),
    });
  return bytes;
}

/** Writes a value into blocks of its own. Returns the block after them. */
function writeRemote(bytes: Uint8Array, first: number, value: Uint8Array, context: AttributeContext): number {
  let index = first;
  for (let offset = 0; offset < value.length; offset += REMOTE_ROOM, index++) {
    const part = value.subarray(offset, offset + REMOTE_ROOM);
    const start = index * BLOCK;
    RemoteBlock.write(bytes, start, {
      magic: REMOTE_ATTRIBUTE_MAGIC,
      offset,
      bytes: part.length,
      uuid: context.uuid,
      owner: context.number,
      address: (context.physical(index) * BLOCK) / DADDR,
    });
    // values are not logged, which the kernel marks by a number of all ones (NULLCOMMITLSN)
    bytes.fill(0xff, start + RemoteBlock.offset.lsn, start + RemoteBlock.size);
    bytes.set(part, start + RemoteBlock.size);
    seal(bytes, RemoteBlock.offset.checksum, start, start + BLOCK);
  }
  return index;
}

function put(into: Uint8Array, at: number, name: string): void {
  for (let i = 0; i < name.length; i++) into[at + i] = name.charCodeAt(i);
}

function isNamed(tag: number): boolean {
  return tag === ACL_TAG.namedUser || tag === ACL_TAG.namedGroup;
}

/** An access list as XFS stores it: a count, then entries of tag, id, permissions (struct xfs_acl). */
function aclToDisk(value: Uint8Array, name: string, path: () => string): Uint8Array {
  const entries = decodeAcl(value);
  if (typeof entries === 'string') throw new BuildError('XFS_ACL', { path: path(), name, reason: entries });
  const view = new DataView(new ArrayBuffer(4 + 12 * entries.length));
  view.setUint32(0, entries.length);
  for (const [i, { tag, id, permissions }] of entries.entries()) {
    view.setUint32(4 + 12 * i, tag);
    // the others have no id
    if (isNamed(tag)) view.setUint32(8 + 12 * i, id);
    view.setUint16(12 + 12 * i, permissions);
  }
  return new Uint8Array(view.buffer);
}

/** The inverse: the value of the attribute in Linux' form; undefined when it is no list. */
export function aclFromDisk(value: Uint8Array): Uint8Array | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const count = value.length < 4 ? NULL32 : view.getUint32(0);
  if (value.length < 4 + 12 * count) return undefined;
  const out = new DataView(new ArrayBuffer(4 + 8 * count));
  out.setUint32(0, 2, true);
  for (let i = 0; i < count; i++) {
    const tag = view.getUint32(4 + 12 * i) & 0xffff;
    out.setUint16(4 + 8 * i, tag, true);
    out.setUint16(6 + 8 * i, view.getUint16(12 + 12 * i), true);
    out.setUint32(8 + 8 * i, isNamed(tag) ? view.getUint32(8 + 12 * i) : ACL_NO_ID, true);
  }
  return new Uint8Array(out.buffer);
}
