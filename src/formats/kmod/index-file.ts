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

/** The first number of an index. */
export const MAGIC = 0xb007f457;

/** Its second number: version 2.1. */
export const VERSION = 0x00020001;

/** Bytes before the nodes. */
export const HEADER = 12;

const HAS_PREFIX = 0x80000000;
const HAS_VALUES = 0x40000000;
const HAS_CHILDREN = 0x20000000;

/** The bits of an offset that say where a node is. */
export const OFFSET = 0x0fffffff;

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

/** Longest key of an index: a longer one is not found by modprobe (PATH_MAX). */
export const KEY_LIMIT = 4096;

/** True for a key that an index can store: kmod ends at any other byte. */
export function isIndexKey(key: string): boolean {
  return key.length < KEY_LIMIT && /^[\x01-\x7f]*$/.test(key);
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
