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

/** Longest key of an index: a longer one is not found by modprobe (PATH_MAX). */
export const KEY_LIMIT = 4096;

/** True for a key that an index can store: kmod ends at any other byte. */
export function isIndexKey(key: string): boolean {
  return key.length < KEY_LIMIT && /^[\x01-\x7f]*$/.test(key);
}

/**
 * An index as bytes. Throws a `RangeError` for a key that {@link isIndexKey} rejects, and for an index of 256 MiB or more.
 */
export function moduleIndex(entries: readonly IndexEntry[] | IndexEntries, order: IndexOrder): Uint8Array {
  if (entries instanceof IndexEntries) return new IndexWriter(entries, order).bytes();
  const packed = new IndexEntries();
  for (const { key, value, priority } of entries)
    if (!packed.add(key, packed.value(value), priority)) throw new RangeError(`"${key}" cannot be a key of an index`);
  return new IndexWriter(packed, order).bytes();
}

/** Entries of an index as bytes, in the order in which they are added. A kernel has tens of thousands. */
export class IndexEntries {
  count = 0;
  /** Keys, each ended by NUL: that of entry `i` begins at `starts[i]`. */
  keys: Buffer = Buffer.alloc(1 << 14);
  starts: Int32Array = new Int32Array(1 << 10);
  /** Number of the value of each entry. */
  valueIds: Int32Array = new Int32Array(1 << 10);
  priorities: Uint32Array = new Uint32Array(1 << 10);
  readonly values: string[] = [];
  private used = 0;

  /** A value that entries can have; returns its number. */
  value(text: string): number {
    return this.values.push(text) - 1;
  }

  /** Adds an entry; false for a key that {@link isIndexKey} rejects, which is left out. */
  add(key: string, value: number, priority: number): boolean {
    if (!isIndexKey(key)) return false;
    const size = key.length + 1;
    const at = this.room(size);
    this.keys.write(key, at, 'latin1');
    this.keys[at + size - 1] = 0;
    this.end(size, value, priority);
    return true;
  }

  /** Adds an entry whose key is `start` and then the bytes `from` to `end` of `of`; false for a key that cannot be one. */
  addBytes(start: Uint8Array, of: Uint8Array, from: number, end: number, value: number, priority: number): boolean {
    const size = start.length + end - from + 1;
    if (size > KEY_LIMIT) return false;
    let at = this.room(size);
    const { keys } = this;
    for (let i = 0; i < start.length; i++) keys[at++] = start[i]!;
    for (let i = from; i < end; i++) {
      const byte = of[i]!;
      if (byte === 0 || byte > 0x7f) return false;
      keys[at++] = byte;
    }
    keys[at] = 0;
    this.end(size, value, priority);
    return true;
  }

  /** A place for the next key. */
  private room(size: number): number {
    if (this.used + size > this.keys.length) {
      const grown = Buffer.alloc(2 * (this.used + size));
      this.keys.copy(grown);
      this.keys = grown;
    }
    return this.used;
  }

  private end(size: number, value: number, priority: number): void {
    const { count } = this;
    if (count + 1 >= this.starts.length) {
      this.starts = more(this.starts, Int32Array);
      this.valueIds = more(this.valueIds, Int32Array);
      this.priorities = more(this.priorities, Uint32Array);
    }
    this.valueIds[count] = value;
    this.priorities[count] = priority;
    this.used += size;
    this.starts[count + 1] = this.used;
    this.count++;
  }
}

function more<T extends Int32Array | Uint32Array>(numbers: T, of: new (length: number) => T): T {
  const grown = new of(2 * numbers.length);
  grown.set(numbers);
  return grown;
}

/** Strings one after the other, ended by NUL: string `i` begins at `starts[i]`. */
class Packed {
  readonly bytes: Buffer;
  readonly starts: Int32Array;

  constructor(strings: readonly string[]) {
    this.bytes = Buffer.from(strings.length === 0 ? '' : `${strings.join('\0')}\0`, 'latin1');
    this.starts = new Int32Array(strings.length + 1);
    for (let i = 0, at = 0; i < strings.length; i++) this.starts[i + 1] = at += strings[i]!.length + 1;
  }
}

/** No node, no entry. */
const NONE = -1;
const ROOT = 0;

/**
 * Writes an index. The trie is in arrays of numbers, a node in each column, since a kernel has tens of thousands of keys:
 * a node's way from its parent are bytes of a key, the first of which tells it from its siblings.
 */
class IndexWriter {
  private readonly parentsFirst: boolean;
  private readonly keys: Buffer;
  private readonly starts: Int32Array;
  private readonly valueIds: Int32Array;
  private readonly values: Packed;
  private readonly priorities: Uint32Array;

  private count = 1;
  /** Where the way begins in the keys, and its length. */
  private readonly ways: Int32Array;
  private readonly lengths: Int32Array;
  /** The first child, and the next sibling, by their first bytes. */
  private readonly children: Int32Array;
  private readonly siblings: Int32Array;
  /** The entry that was added last, and for each entry the one with the same key that was added before. */
  private readonly entries: Int32Array;
  private readonly earlier: Int32Array;

  private out: Buffer;
  private end = HEADER;
  private pointers: Uint32Array = new Uint32Array(1 << 10);
  private waiting = 0;

  constructor(list: IndexEntries, order: IndexOrder) {
    this.parentsFirst = order === 'parents-first';
    const { count } = list;
    this.keys = list.keys;
    this.starts = list.starts;
    this.valueIds = list.valueIds;
    this.values = new Packed(list.values);
    this.priorities = list.priorities;
    // a key brings its own node and parts another
    const most = 2 * count + 1;
    this.ways = new Int32Array(most);
    this.lengths = new Int32Array(most);
    this.children = new Int32Array(most).fill(NONE);
    this.siblings = new Int32Array(most).fill(NONE);
    this.entries = new Int32Array(most).fill(NONE);
    this.earlier = new Int32Array(count);
    for (let entry = 0; entry < count; entry++) this.add(entry);
    this.out = Buffer.alloc(2 * (list.starts[count]! + this.values.bytes.length) + 16 * count + 4096);
  }

  private add(entry: number): void {
    const { ways, lengths, children, siblings, entries } = this;
    const bytes = this.keys;
    let at = this.starts[entry]!;
    let node = ROOT;
    for (let byte = bytes[at]!; byte !== 0; byte = bytes[at]!) {
      let before = NONE;
      let child = children[node]!;
      while (child !== NONE && bytes[ways[child]!]! < byte) {
        before = child;
        child = siblings[child]!;
      }
      let next = child;
      if (child === NONE || bytes[ways[child]!] !== byte) {
        next = this.count++;
        ways[next] = at;
        lengths[next] = this.starts[entry + 1]! - 1 - at;
        siblings[next] = child;
      } else {
        const way = ways[child]!;
        const length = lengths[child]!;
        let shared = 1;
        while (shared < length && bytes[way + shared] === bytes[at + shared]) shared++;
        if (shared < length) {
          next = this.count++;
          ways[next] = way;
          lengths[next] = shared;
          siblings[next] = siblings[child]!;
          children[next] = child;
          ways[child] = way + shared;
          lengths[child] = length - shared;
          siblings[child] = NONE;
        }
      }
      if (next !== child) {
        if (before === NONE) children[node] = next;
        else siblings[before] = next;
      }
      node = next;
      at += lengths[node]!;
    }
    this.earlier[entry] = entries[node]!;
    entries[node] = entry;
  }

  bytes(): Uint8Array {
    const root = this.write(ROOT);
    this.word(0, MAGIC);
    this.word(4, VERSION);
    this.word(8, root);
    return this.out.subarray(0, this.end);
  }

  /** Writes a node and all below it. Returns its offset and flags, as its parent has them. */
  private write(node: number): number {
    const { siblings } = this;
    const bytes = this.keys;
    const prefix = this.lengths[node]! - 1;
    let flags = 0;
    let size = 0;
    if (prefix > 0) {
      flags += HAS_PREFIX;
      size += prefix + 1;
    }
    const head = this.children[node]!;
    let first = 0;
    let last = 0;
    if (head !== NONE) {
      flags += HAS_CHILDREN;
      first = bytes[this.ways[head]!]!;
      for (let child = head; child !== NONE; child = siblings[child]!) last = bytes[this.ways[child]!]!;
      size += 2 + 4 * (last - first + 1);
    }
    const newest = this.entries[node]!;
    if (newest !== NONE) {
      flags += HAS_VALUES;
      size += 4;
      for (let entry = newest; entry !== NONE; entry = this.earlier[entry]!) size += 4 + this.valueSize(entry);
    }

    let offset = this.parentsFirst ? this.reserve(size) : 0;
    // pointers of the children wait in a stack, which those below go on using
    const base = this.waiting;
    for (let child = head; child !== NONE; child = siblings[child]!) {
      const pointer = this.write(child);
      if (this.waiting === this.pointers.length) this.pointers = more(this.pointers, Uint32Array);
      this.pointers[this.waiting++] = pointer;
    }
    this.waiting = base;
    if (!this.parentsFirst) offset = this.reserve(size);

    let at = offset;
    if (prefix > 0) {
      const way = this.ways[node]!;
      for (let i = 1; i <= prefix; i++) this.out[at++] = bytes[way + i]!;
      at++;
    }
    if (head !== NONE) {
      this.out[at++] = first;
      this.out[at++] = last;
      for (let child = head, i = 0; child !== NONE; child = siblings[child]!, i++)
        this.word(at + 4 * (bytes[this.ways[child]!]! - first), this.pointers[base + i]!);
      at += 4 * (last - first + 1);
    }
    if (newest !== NONE) this.writeValues(at, newest);
    return flags + offset;
  }

  /** Values by ascending priority; of equal ones the later comes first. */
  private writeValues(at: number, newest: number): void {
    if (this.earlier[newest] === NONE) {
      this.word(at, 1);
      this.writeValue(at + 4, newest);
      return;
    }
    const entries = [newest];
    for (let entry = this.earlier[newest]!; entry !== NONE; entry = this.earlier[entry]!) entries.push(entry);
    entries.sort((a, b) => this.priorities[a]! - this.priorities[b]!);
    this.word(at, entries.length);
    at += 4;
    for (const entry of entries) at = this.writeValue(at, entry);
  }

  private writeValue(at: number, entry: number): number {
    const { bytes, starts } = this.values;
    this.word(at, this.priorities[entry]!);
    at += 4;
    const value = this.valueIds[entry]!;
    const end = starts[value + 1]!;
    for (let from = starts[value]!; from < end; from++) this.out[at++] = bytes[from]!;
    return at;
  }

  /** Bytes of a value with its NUL. */
  private valueSize(entry: number): number {
    const value = this.valueIds[entry]!;
    return this.values.starts[value + 1]! - this.values.starts[value]!;
  }

  private word(at: number, value: number): void {
    const { out } = this;
    out[at] = value >>> 24;
    out[at + 1] = value >>> 16;
    out[at + 2] = value >>> 8;
    out[at + 3] = value;
  }

  /** Takes the next `size` bytes of the file; returns their offset. */
  private reserve(size: number): number {
    const offset = this.end;
    this.end += size;
    if (this.end > OFFSET) throw new RangeError(`an index of more than ${OFFSET} bytes`);
    if (this.end > this.out.length) {
      const grown = Buffer.alloc(2 * this.end);
      this.out.copy(grown);
      this.out = grown;
    }
    return offset;
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
