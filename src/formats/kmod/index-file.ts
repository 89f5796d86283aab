import { BuildError } from '../../errors/error.ts';

/**
 * The binary indexes that modprobe searches (`modules.dep.bin`, `modules.alias.bin` …): a trie of keys, each with values
 * and their priorities. Numbers are big-endian. libkmod/libkmod-index.c describes it.
 *
 * ```
 * B0 07 F4 57  00 02 00 01  root
 * node: [prefix NUL] [first last (offset of child)…] [count (priority value NUL)…]
 * ```
 *
 * An offset's top four bits say which of the three parts its node has; its low 28 bits are the node's place in the file.
 */

const MAGIC = 0xb007f457;
const VERSION = 0x00020001;
const HEADER = 12;

const HAS_PREFIX = 0x80000000;
const HAS_VALUES = 0x40000000;
const HAS_CHILDREN = 0x20000000;
const OFFSET = 0x0fffffff;

/** A key with a value. Equal keys keep all their values, by ascending priority. */
export interface IndexEntry {
  /** ASCII. */
  readonly key: string;
  /** A byte string without NUL. */
  readonly value: string;
  readonly priority: number;
}

/** Where a node is in relation to its children: kmod up to 33 writes children first, from 34 on parents first. */
export type IndexOrder = 'children-first' | 'parents-first';

interface Node {
  readonly prefix: string;
  readonly values: readonly IndexEntry[];
  /** Ascending by their first byte, which `bytes` has. */
  readonly bytes: readonly number[];
  readonly children: readonly Node[];
  /** Bytes of the node alone. */
  readonly size: number;
  offset: number;
}

/** Longest key of an index: a longer one is not found by modprobe (PATH_MAX). */
export const KEY_LIMIT = 4096;

/** True for a key that an index can store: kmod ends at any other byte. */
export function isIndexKey(key: string): boolean {
  return key.length < KEY_LIMIT && /^[\x01-\x7f]*$/.test(key);
}

/**
 * An index as bytes. Throws a `RangeError` for a key that {@link isIndexKey} rejects, and for an index of 256 MiB or more.
 */
export function moduleIndex(entries: readonly IndexEntry[], order: IndexOrder): Uint8Array {
  for (const { key } of entries) if (!isIndexKey(key)) throw new RangeError(`"${key}" cannot be a key of an index`);
  // by key, then by priority; of equal ones the later comes first
  const sorted = entries.map((entry, at) => ({ entry, at }));
  sorted.sort((a, b) =>
    a.entry.key < b.entry.key ? -1 : a.entry.key > b.entry.key ? 1 : a.entry.priority - b.entry.priority || b.at - a.at,
  );
  const list = sorted.map((one) => one.entry);
  const root = makeNode(list, 0, list.length, 0, '');
  const end = order === 'parents-first' ? placeBefore(root, HEADER) : placeAfter(root, HEADER);
  if (end > OFFSET) throw new RangeError(`an index of ${end} bytes`);
  const bytes = Buffer.alloc(end);
  bytes.writeUInt32BE(MAGIC, 0);
  bytes.writeUInt32BE(VERSION, 4);
  bytes.writeUInt32BE(pointer(root), 8);
  write(root, bytes);
  return bytes;
}

/** The node of `list[from … to[`, whose keys share their first `depth` bytes; the last of these are its `prefix`. */
function makeNode(list: readonly IndexEntry[], from: number, to: number, depth: number, prefix: string): Node {
  let at = from;
  while (at < to && list[at]!.key.length === depth) at++;
  const values = list.slice(from, at);
  const bytes: number[] = [];
  const children: Node[] = [];
  while (at < to) {
    const first = list[at]!.key;
    const byte = first.charCodeAt(depth);
    let end = at + 1;
    while (end < to && list[end]!.key.charCodeAt(depth) === byte) end++;
    // the keys are sorted: what first and last have in common, all have
    const last = list[end - 1]!.key;
    let shared = depth + 1;
    while (shared < first.length && shared < last.length && first.charCodeAt(shared) === last.charCodeAt(shared))
      shared++;
    bytes.push(byte);
    children.push(makeNode(list, at, end, shared, first.slice(depth + 1, shared)));
    at = end;
  }
  let size = prefix === '' ? 0 : prefix.length + 1;
  if (bytes.length > 0) size += 2 + 4 * (bytes[bytes.length - 1]! - bytes[0]! + 1);
  if (values.length > 0) size += 4;
  for (const { value } of values) size += 4 + value.length + 1;
  return { prefix, values, bytes, children, size, offset: 0 };
}

function placeBefore(node: Node, at: number): number {
  node.offset = at;
  let end = at + node.size;
  for (const child of node.children) end = placeBefore(child, end);
  return end;
}

function placeAfter(node: Node, at: number): number {
  let end = at;
  for (const child of node.children) end = placeAfter(child, end);
  node.offset = end;
  return end + node.size;
}

function pointer(node: Node): number {
  let flags = 0;
  if (node.prefix !== '') flags += HAS_PREFIX;
  if (node.values.length > 0) flags += HAS_VALUES;
  if (node.bytes.length > 0) flags += HAS_CHILDREN;
  return flags + node.offset;
}

function write(node: Node, into: Buffer): void {
  let at = node.offset;
  if (node.prefix !== '') at += into.write(node.prefix, at, 'latin1') + 1;
  if (node.bytes.length > 0) {
    const first = node.bytes[0]!;
    const last = node.bytes[node.bytes.length - 1]!;
    into[at] = first;
    into[at + 1] = last;
    at += 2;
    node.children.forEach((child, i) => {
      into.writeUInt32BE(pointer(child), at + 4 * (node.bytes[i]! - first));
      write(child, into);
    });
    at += 4 * (last - first + 1);
  }
  if (node.values.length > 0) at = into.writeUInt32BE(node.values.length, at);
  for (const { priority, value } of node.values) {
    at = into.writeUInt32BE(priority >>> 0, at);
    at += into.write(value, at, 'latin1') + 1;
  }
}

/** The entries of an index, sorted by key, values in their order. `path` names it. Throws `MODULE_INDEX_CORRUPT`. */
export function readModuleIndex(bytes: Uint8Array, path: string): IndexEntry[] {
  const corrupt = (reason: string, offset: number): BuildError =>
    new BuildError('MODULE_INDEX_CORRUPT', { path, offset, reason });
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = (at: number): number => {
    if (at + 4 > view.length) throw corrupt('it ends within a number', at);
    return view.readUInt32BE(at);
  };
  const string = (at: number): string => {
    const end = view.indexOf(0, at);
    if (at > view.length || end < 0) throw corrupt('it ends within a string', at);
    return view.toString('latin1', at, end);
  };
  if (view.length < HEADER || number(0) !== MAGIC) throw corrupt('it does not begin with the magic number', 0);
  if (number(4) >>> 16 !== VERSION >>> 16) throw corrupt(`version ${number(4) >>> 16} is not known`, 4);
  const found: IndexEntry[] = [];
  // every node takes bytes of its own, so that a file with loops ends here
  let budget = view.length;
  const visit = (at: number, key: string): void => {
    if (key.length > KEY_LIMIT) throw corrupt('a key is too long', at);
    let offset = at & OFFSET;
    if (--budget < 0) throw corrupt('nodes are used twice', offset);
    let name = key;
    if ((at & HAS_PREFIX) !== 0) {
      const prefix = string(offset);
      name += prefix;
      offset += prefix.length + 1;
    }
    const children: [number, number][] = [];
    if ((at & HAS_CHILDREN) !== 0) {
      if (offset + 2 > view.length) throw corrupt('it ends within a node', offset);
      const first = view[offset]!;
      const last = view[offset + 1]!;
      offset += 2;
      for (let byte = first; byte <= last; byte++, offset += 4) {
        const child = number(offset);
        if (child !== 0) children.push([byte, child]);
      }
    }
    if ((at & HAS_VALUES) !== 0) {
      let count = number(offset);
      for (offset += 4; count > 0; count--) {
        const priority = number(offset);
        const value = string(offset + 4);
        if (--budget < 0) throw corrupt('nodes are used twice', offset);
        found.push({ key: name, value, priority });
        offset += 4 + value.length + 1;
      }
    }
    for (const [byte, child] of children) visit(child, name + String.fromCharCode(byte));
  };
  visit(number(8), '');
  return found;
}
