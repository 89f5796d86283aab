import { BIG_ENDIAN } from '../../bytes/byte-order.ts';
import { copyOf } from '../../bytes/content.ts';
import { assemble, compile, type Instance, instantiate } from '../../compression/wasm/assemble.ts';
import { FIRST, INDEX, NODE } from './index-code.ts';
import { HEADER, type IndexEntry, type IndexOrder, isIndexKey, MAGIC, OFFSET, VERSION } from './index-file.ts';

/** Entries of an index, in the order in which they are added. A kernel has tens of thousands. */
export class IndexEntries {
  readonly keys: string[] = [];
  /** Number of the value of each entry. */
  readonly valueIds: number[] = [];
  readonly priorities: number[] = [];
  readonly values: string[] = [];

  /** A value that entries can have; returns its number. */
  value(text: string): number {
    return this.values.push(text) - 1;
  }

  /** Adds an entry; false for a key that {@link isIndexKey} rejects, which is left out. */
  add(key: string, value: number, priority: number): boolean {
    if (!isIndexKey(key)) return false;
    this.keys.push(key);
    this.valueIds.push(value);
    this.priorities.push(priority);
    return true;
  }
}

/**
 * An index as bytes. Throws a `RangeError` for a key that {@link isIndexKey} rejects, and for an index of 256 MiB or more.
 */
export function moduleIndex(entries: readonly IndexEntry[] | IndexEntries, order: IndexOrder): Uint8Array {
  if (entries instanceof IndexEntries) return new IndexWriter(entries).bytes(order);
  const packed = new IndexEntries();
  for (const { key, value, priority } of entries)
    if (!packed.add(key, packed.value(value), priority)) throw new RangeError(`"${key}" cannot be a key of an index`);
  return new IndexWriter(packed).bytes(order);
}

interface Variable {
  value: number;
}

/** What the code has for us; see there. */
interface Code extends Instance {
  readonly root: Variable;
  readonly free: Variable;
  readonly starts: Variable;
  readonly valueIds: Variable;
  readonly valueStarts: Variable;
  readonly priorities: Variable;
  readonly earlier: Variable;
  readonly several: Variable;
  readonly out: Variable;
  readonly end: Variable;
  build(count: number): void;
  measure(most: number): number;
  write(node: number, parentsFirst: number): number;
}

let compiled: object | undefined;

const PAGE = 1 << 16;

/** One index: an instance of the code, and what is in its memory. */
class IndexWriter {
  private readonly code: Code;
  private readonly count: number;
  private view: DataView;
  private used = FIRST;
  private readonly entries: IndexEntries;

  constructor(entries: IndexEntries) {
    compiled ??= compile(assemble(INDEX));
    const code = instantiate<Code>(compiled);
    this.code = code;
    this.view = new DataView(code.memory.buffer);
    this.entries = entries;
    this.count = entries.keys.length;
    code.starts.value = this.strings(entries.keys);
    code.valueStarts.value = this.strings(entries.values);
    // entries count from 1
    code.valueIds.value = this.numbers(entries.valueIds) - 4;
    code.priorities.value = this.numbers(entries.priorities) - 4;
    code.earlier.value = this.take(4 * this.count) - 4;
    const several = this.take(4 * this.count);
    code.several.value = several;
    // a key brings its own node and parts another
    code.root.value = this.take(NODE * (2 * this.count + 1));
    code.free.value = code.root.value + NODE;
    code.build(this.count);
    for (let at = several; at < code.several.value; at += 4) this.sort(this.number(at));
  }

  /** The index. */
  bytes(order: IndexOrder): Uint8Array {
    const { code } = this;
    const size = HEADER + code.measure(OFFSET);
    if (size > OFFSET) throw new RangeError(`an index of more than ${OFFSET} bytes`);
    const out = this.take(size);
    code.out.value = out;
    code.end.value = out + HEADER;
    const root = code.write(code.root.value, order === 'parents-first' ? 1 : 0);
    for (const [i, word] of [MAGIC, VERSION, root].entries()) this.view.setUint32(out + 4 * i, word);
    // a copy, so that the rest of the memory can go
    return copyOf(new Uint8Array(code.memory.buffer, out, size));
  }

  /** Sorts the entries of a node by ascending priority; of equal ones the later comes first. */
  private sort(node: number): void {
    const { earlier } = this.code;
    const chain: number[] = [];
    for (let entry = this.number(node + 16); entry !== 0; entry = this.number(earlier.value + 4 * entry))
      chain.push(entry);
    const { priorities } = this.entries;
    chain.sort((a, b) => priorities[a - 1]! - priorities[b - 1]!);
    let link = node + 16;
    for (const entry of chain) {
      this.view.setUint32(link, entry, true);
      link = earlier.value + 4 * entry;
    }
    this.view.setUint32(link, 0, true);
  }

  private number(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** Puts strings, each ended by NUL, and the addresses of their beginnings and of the last one's end; returns where these are. */
  private strings(all: readonly string[]): number {
    const starts = new Array<number>(all.length + 1);
    let size = 0;
    for (let i = 0; i < all.length; i++) {
      starts[i] = this.used + size;
      size += all[i]!.length + 1;
    }
    starts[all.length] = this.used + size;
    const at = this.take(size);
    if (size > 0) Buffer.from(this.code.memory.buffer, at, size).write(`${all.join('\0')}\0`, 'latin1');
    return this.numbers(starts);
  }

  private numbers(all: readonly number[]): number {
    const at = this.take(4 * all.length);
    const bytes = Buffer.from(new Uint32Array(all).buffer);
    if (BIG_ENDIAN) bytes.swap32();
    new Uint8Array(this.code.memory.buffer).set(bytes, at);
    return at;
  }

  /** Zeros for our use, at an address that is a multiple of four. */
  private take(size: number): number {
    const at = this.used;
    this.used = (at + size + 3) & ~3;
    const { memory } = this.code;
    const lacking = this.used - memory.buffer.byteLength;
    if (lacking > 0) {
      memory.grow(Math.ceil(lacking / PAGE));
      this.view = new DataView(memory.buffer);
    }
    return at;
  }
}
