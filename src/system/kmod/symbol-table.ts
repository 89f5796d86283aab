import { superFastHashOf } from '../../formats/kmod/hash.ts';
import type { SymbolNames } from '../../formats/kmod/symbols.ts';

/** Bits of the filter: more than most kernels have symbols in modules. */
const FILTER = 1 << 19;

/**
 * Names of symbols as bytes, numbered from 0. Modules of a kernel name hundreds of thousands, most of which nobody but the
 * kernel exports: as bytes they cost no string each.
 */
export class SymbolTable {
  private count = 0;
  private bytes = Buffer.alloc(1 << 18);
  /** Where the name of each number ends; it begins where the one before ends. */
  private ends: Int32Array = new Int32Array(1 << 14);
  private hashes: Int32Array = new Int32Array(1 << 14);
  /** A number plus 1 by hash; 0: none. A power of two, at least twice the count. */
  private slots = new Int32Array(1 << 15);
  private listed: Int32Array = new Int32Array(1 << 12);
  /** A bit for the hash of each name: where it is 0 there is no such name. */
  private readonly filter = new Int32Array(FILTER >>> 5);
  /** Those that found no slot near their hash: hostile names may all have one hash. */
  private readonly crowded = new Map<string, number>();

  /** Numbers of the names in a list; unknown ones get one. The result is valid until the next call. */
  add({ bytes, hashes, ends }: SymbolNames): Int32Array {
    if (hashes.length > this.listed.length) this.listed = new Int32Array(2 * hashes.length);
    for (let i = 0, from = 0; i < hashes.length; from = ends[i++]!) {
      const hash = hashes[i]!;
      const end = ends[i]! - 1;
      const known = this.at(bytes, from, end, hash);
      this.listed[i] = known < 0 ? this.append(bytes, from, end, hash) : known;
    }
    return this.listed.subarray(0, hashes.length);
  }

  /** Calls `found` with the number of each name in a list that has one, in their order. */
  find({ bytes, hashes, ends }: SymbolNames, found: (id: number) => void): void {
    const { filter } = this;
    for (let i = 0; i < hashes.length; i++) {
      const hash = hashes[i]!;
      if ((filter[(hash & (FILTER - 1)) >>> 5]! & (1 << (hash & 31))) === 0) continue;
      const id = this.at(bytes, i === 0 ? 0 : ends[i - 1]!, ends[i]! - 1, hash);
      if (id >= 0) found(id);
    }
  }

  private append(source: Uint8Array, from: number, end: number, hash: number): number {
    const begin = this.begin(this.count);
    const size = end - from;
    if (begin + size > this.bytes.length) {
      const grown = Buffer.alloc(2 * (begin + size));
      this.bytes.copy(grown);
      this.bytes = grown;
    }
    this.bytes.set(source.subarray(from, end), begin);
    if (this.count === this.ends.length) this.grow();
    this.ends[this.count] = begin + size;
    this.hashes[this.count] = hash;
    this.filter[(hash & (FILTER - 1)) >>> 5]! |= 1 << (hash & 31);
    this.place(this.count);
    return this.count++;
  }

  /** The number of a name, a byte string; -1 if it has none. */
  numberOf(name: string): number {
    const wanted = Buffer.from(name, 'latin1');
    for (let id = 0; id < this.count; id++) {
      const begin = this.begin(id);
      if (this.ends[id]! - begin === wanted.length && wanted.compare(this.bytes, begin, this.ends[id]) === 0) return id;
    }
    return -1;
  }

  /** The name of a number, as a byte string. */
  name(id: number): string {
    return this.bytes.toString('latin1', this.begin(id), this.ends[id]);
  }

  /** All names by their number. */
  names(): string[] {
    const all = this.bytes.toString('latin1', 0, this.begin(this.count));
    const names = new Array<string>(this.count);
    for (let id = 0; id < this.count; id++) names[id] = all.slice(this.begin(id), this.ends[id]);
    return names;
  }

  /** All numbers in the order in which kmod walks a table of `buckets` (a power of two): by bucket, then by name. */
  inOrder(buckets: number): number[] {
    const names = this.names();
    const numbers = new Map<string, number>();
    const table: string[][] = [];
    for (let id = 0; id < names.length; id++) {
      const name = names[id]!;
      numbers.set(name, id);
      const bucket = superFastHashOf(this.bytes, this.begin(id), this.ends[id]!) & (buckets - 1);
      const there = table[bucket];
      if (there === undefined) table[bucket] = [name];
      else there.push(name);
    }
    const ordered: number[] = [];
    // a hole of the array is an empty bucket
    table.forEach((bucket) => {
      for (const name of bucket.sort()) ordered.push(numbers.get(name)!);
    });
    return ordered;
  }

  private begin(id: number): number {
    return id === 0 ? 0 : this.ends[id - 1]!;
  }

  private at(source: Uint8Array, from: number, end: number, hash: number): number {
    const mask = this.slots.length - 1;
    for (let slot = hash & mask, left = PROBES; left > 0; left--, slot = (slot + 1) & mask) {
      const id = this.slots[slot]! - 1;
      if (id < 0 || (this.hashes[id] === hash && this.same(id, source, from, end))) return id;
    }
    if (this.crowded.size === 0) return -1;
    return this.crowded.get(Buffer.from(source.subarray(from, end)).toString('latin1')) ?? -1;
  }

  private same(id: number, source: Uint8Array, from: number, end: number): boolean {
    const begin = this.begin(id);
    if (this.ends[id]! - begin !== end - from) return false;
    for (let at = from; at < end; at++) if (this.bytes[begin + at - from] !== source[at]) return false;
    return true;
  }

  private grow(): void {
    this.ends = grown(this.ends);
    this.hashes = grown(this.hashes);
    this.slots = new Int32Array(2 * this.ends.length);
    this.crowded.clear();
    for (let id = 0; id < this.count; id++) this.place(id);
  }

  private place(id: number): void {
    const mask = this.slots.length - 1;
    let slot = this.hashes[id]! & mask;
    let left = PROBES;
    while (left > 0 && this.slots[slot] !== 0) {
      slot = (slot + 1) & mask;
      left--;
    }
    if (left > 0) this.slots[slot] = id + 1;
    else this.crowded.set(this.name(id), id);
  }
}

/** Slots that are looked at for one name. */
const PROBES = 64;

function grown(numbers: Int32Array): Int32Array {
  const more = new Int32Array(2 * numbers.length);
  more.set(numbers);
  return more;
}
