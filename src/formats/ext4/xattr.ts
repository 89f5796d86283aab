import { copyOf } from '../../bytes/content.ts';
import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import {
  ACL_DISK_VERSION,
  ACL_PROGRAM_VERSION,
  XATTR_MAGIC,
  XATTR_PREFIXES,
  XattrEntry,
  XattrHeader,
} from './layout.ts';

/**
 * Extended attributes as ext4 stores them: some after the inode's own fields, the rest in a block that inodes share.
 */
export interface EncodedXattrs {
  /** What is stored after the inode's fields, if anything. */
  readonly inode: Uint8Array | undefined;
  /** The shared block, with one reference and no checksum, if any. */
  readonly block: Uint8Array | undefined;
}

interface Attribute {
  readonly index: number;
  /** The name without its prefix, a byte string. */
  readonly name: string;
  readonly value: Uint8Array;
}

const round4 = (size: number) => (size + 3) & ~3;
const sizeOf = (a: Attribute) => XattrEntry.size + round4(a.name.length) + round4(a.value.length);

/**
 * Encodes the attributes of one inode; `space` bytes are free after its fields. Too many are an error. Names that ext4
 * cannot store go to `leftOut`, without which they are an error too.
 */
export function encodeXattrs(
  xattrs: ReadonlyMap<string, Uint8Array>,
  space: number,
  blockSize: number,
  path: () => string,
  leftOut?: (name: string) => void,
): EncodedXattrs {
  const all: Attribute[] = [];
  for (const [name, value] of xattrs) {
    const one = attribute(name, value, path);
    if (one !== undefined) all.push(one);
    else if (leftOut === undefined) throw new BuildError('EXT4_XATTR_NAME', { path: path(), name });
    else leftOut(name);
  }
  all.sort(inOrder);
  const inInode: Attribute[] = [];
  const inBlock: Attribute[] = [];
  let left = space - 8; // magic in front, four zeros behind the last entry
  for (const one of all) {
    if (sizeOf(one) <= left) {
      inInode.push(one);
      left -= sizeOf(one);
    } else inBlock.push(one);
  }
  const needed = inBlock.reduce((sum, one) => sum + sizeOf(one), XattrHeader.size + 4);
  if (needed > blockSize) throw new BuildError('EXT4_XATTR_SIZE', { path: path(), bytes: needed, limit: blockSize });
  return {
    inode: inInode.length === 0 ? undefined : inodeBody(inInode, space),
    block: inBlock.length === 0 ? undefined : block(inBlock, blockSize),
  };
}

function attribute(name: string, value: Uint8Array, path: () => string): Attribute | undefined {
  for (const [index, prefix] of XATTR_PREFIXES) {
    const exact = !prefix.endsWith('.');
    if (exact ? name !== prefix : !name.startsWith(prefix) || name.length === prefix.length) continue;
    const rest = name.slice(prefix.length);
    if (rest.length > 255 || (index === 7 && rest === 'data')) break;
    return { index, name: rest, value: index === 2 || index === 3 ? aclToDisk(value, name, path) : value };
  }
  return undefined;
}

/** The order the kernel keeps in a shared block: index, length of the name, name. */
function inOrder(a: Attribute, b: Attribute): number {
  return a.index - b.index || a.name.length - b.name.length || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

function inodeBody(attributes: readonly Attribute[], space: number): Uint8Array {
  const into = new Uint8Array(space);
  new DataView(into.buffer).setUint32(0, XATTR_MAGIC, true);
  // e_hash stays zero here: the kernel does not keep it up to date in inodes
  write(into, 4, 4, attributes, () => 0);
  return into;
}

function block(attributes: readonly Attribute[], blockSize: number): Uint8Array {
  const into = new Uint8Array(blockSize);
  const hashes = attributes.map((one) => entryHash(one));
  write(into, XattrHeader.size, 0, attributes, (i) => hashes[i]!);
  const hash = hashes.reduce((sum, one) => ((sum << 16) ^ (sum >>> 16) ^ one) >>> 0, 0);
  XattrHeader.write(into, 0, { magic: XATTR_MAGIC, references: 1, blocks: 1, hash });
  return into;
}

/** Entries from `at` upwards, values from the end downwards; offsets count from `base`. */
function write(
  into: Uint8Array,
  at: number,
  base: number,
  attributes: readonly Attribute[],
  hash: (index: number) => number,
): void {
  let end = into.length;
  let entry = at;
  for (const [i, { index, name, value }] of attributes.entries()) {
    end -= round4(value.length);
    into.set(value, end);
    XattrEntry.write(into, entry, {
      nameLength: name.length,
      nameIndex: index,
      valueOffset: value.length === 0 ? 0 : end - base,
      valueSize: value.length,
      hash: hash(i),
    });
    for (let c = 0; c < name.length; c++) into[entry + XattrEntry.size + c] = name.charCodeAt(c);
    entry += XattrEntry.size + round4(name.length);
  }
}

/**
 * The hash of name and value that lets the kernel find equal blocks (fs/ext4/xattr.c). `signed`: bytes of the name above
 * 127 count as negative, as kernels before 6.2 have it on machines where `char` is signed.
 */
export function entryHash({ name, value }: Pick<Attribute, 'name' | 'value'>, signed = false): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    hash = (hash << 5) ^ (hash >>> 27) ^ (signed ? (code << 24) >> 24 : code);
  }
  for (let at = 0; at < value.length; at += 4) {
    let word = 0;
    for (let i = 3; i >= 0; i--) word = (word << 8) | (value[at + i] ?? 0);
    hash = (hash << 16) ^ (hash >>> 16) ^ word;
  }
  return hash >>> 0;
}

/** Attributes internal to the kernel: encryption contexts, and where the Merkle tree of a verity file begins. */
const INDEX_ENCRYPTION = 9;
const INDEX_VERITY = 11;

const ACL_USER = 0x02;
const ACL_GROUP = 0x08;

/** Converts an access control list from its user-space form to the shorter on-disk one, which omits unused ids. */
function aclToDisk(value: Uint8Array, name: string, path: () => string): Uint8Array {
  const from = new DataView(value.buffer, value.byteOffset, value.length);
  if (value.length < 4 || (value.length - 4) % 8 !== 0 || from.getUint32(0, true) !== ACL_PROGRAM_VERSION)
    throw new BuildError('EXT4_ACL', { path: path(), name, bytes: value.length });
  const out = new Uint8Array(value.length);
  const to = new DataView(out.buffer);
  to.setUint32(0, ACL_DISK_VERSION, true);
  let end = 4;
  for (let at = 4; at < value.length; at += 8) {
    const tag = from.getUint16(at, true);
    to.setUint32(end, from.getUint32(at, true), true);
    end += 4;
    if (tag !== ACL_USER && tag !== ACL_GROUP) continue;
    to.setUint32(end, from.getUint32(at + 4, true), true);
    end += 4;
  }
  return out.subarray(0, end);
}

/** The inverse; undefined when it is not such a list. */
function aclFromDisk(value: Uint8Array): Uint8Array | undefined {
  const from = new DataView(value.buffer, value.byteOffset, value.length);
  if (value.length < 4 || from.getUint32(0, true) !== ACL_DISK_VERSION) return undefined;
  const out: number[] = [ACL_PROGRAM_VERSION, 0, 0, 0];
  for (let at = 4; at < value.length; ) {
    if (at + 4 > value.length) return undefined;
    const tag = from.getUint16(at, true);
    const named = tag === ACL_USER || tag === ACL_GROUP;
    if (named && at + 8 > value.length) return undefined;
    out.push(...value.subarray(at, at + 4), ...(named ? value.subarray(at + 4, at + 8) : [255, 255, 255, 255]));
    at += named ? 8 : 4;
  }
  return Uint8Array.from(out);
}

/**
 * Reads entries from `at` on into `found`; value offsets count from `base`. Values that are in an inode of their own
 * come from `valueInode`. Returns the fault, if any.
 */
export function decodeXattrs(
  area: Uint8Array,
  at: number,
  base: number,
  found: Map<string, Uint8Array>,
  valueInode: (inode: number, size: number) => Uint8Array | undefined,
): string | undefined {
  for (let entry = at; ; ) {
    if (entry + 4 > area.length || area.subarray(entry, entry + 4).every((byte) => byte === 0)) return undefined;
    if (entry + XattrEntry.size > area.length) return 'the list of extended attributes has no end';
    const { nameLength, nameIndex, valueOffset, valueSize, valueInode: inode } = XattrEntry.read(area, entry);
    const nameEnd = entry + XattrEntry.size + nameLength;
    if (nameEnd > area.length) return 'the name of an extended attribute is cut off';
    const name = latin1(area.subarray(nameEnd - nameLength, nameEnd));
    entry = entry + XattrEntry.size + round4(nameLength);
    if (nameIndex === INDEX_ENCRYPTION || nameIndex === INDEX_VERITY) continue;
    const prefix = nameIndex === 0 ? '' : XATTR_PREFIXES.find(([index]) => index === nameIndex)?.[1];
    if (prefix === undefined) return `an extended attribute has the unknown name index ${nameIndex}`;
    let value: Uint8Array | undefined;
    if (inode !== 0) {
      value = valueInode(inode, valueSize);
      if (value === undefined) return `the value of ${prefix}${name} is not in inode ${inode}`;
    } else {
      const start = valueSize === 0 ? base : base + valueOffset;
      if (start + valueSize > area.length) return `the value of ${prefix}${name} is cut off`;
      value = copyOf(area.subarray(start, start + valueSize));
    }
    if (nameIndex === 2 || nameIndex === 3) {
      value = aclFromDisk(value);
      if (value === undefined) return `${prefix} is not an access control list`;
    }
    found.set(prefix + name, value);
  }
}
