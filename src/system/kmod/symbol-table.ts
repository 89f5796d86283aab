/**
 * Names of symbols as bytes, numbered from 0. Modules of a kernel name hundreds of thousands, most of which nobody but the
 * kernel exports: as bytes they cost no string each.
 */
export class SymbolTable {
  private count = 0;
  private bytes = Buffer.alloc(1 << 18);
  /** Where the name of each number ends; it begins where the one before ends. */
  private ends: Int32Array = new Int32Array(1 << 12);
  private hashes: Int32Array = new Int32Array(1 << 12);
  /** A number plus 1 by hash; 0: none. A power of two, at least twice the count. */
  private slots = new Int32Array(1 << 13);
  private listed: Int32Array = new Int32Array(1 << 12);
  /** Those that found no slot near their hash: hostile names may all have one hash. */
  private readonly crowded = new Map<string, number>();

  /**
   * Numbers of the names in a list in which NUL ends each; empty ones are left out. With `add` unknown ones get a number,
   * else it is -1. The result is valid until the next call.
   */
  numbers(names: Uint8Array, add: boolean): Int32Array {
    let count = 0;
    for (let from = 0; from < names.length; ) {
      // the hash is made while the end is looked for: FNV-1a
      let hash = 0x811c9dc5 | 0;
      let end = from;
      for (let byte = names[end]!; byte !== 0 && end < names.length; byte = names[++end]!)
        hash = Math.imul(hash ^ byte, 0x01000193);
      if (end > from) {
        // its high bits go into the low ones
        hash ^= hash >>> 15;
        if (count === this.listed.length) this.listed = grown(this.listed);
        const known = this.at(names, from, end, hash);
        this.listed[count++] = known < 0 && add ? this.add(names, from, end, hash) : known;
      }
      from = end + 1;
    }
    return this.listed.subarray(0, count);
  }

  private add(source: Uint8Array, from: number, end: number, hash: number): number {
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
    this.place(this.count);
    return this.count++;
  }

  /** The name of a number, as a byte string. */
  name(id: number): string {
    return this.bytes.toString('latin1', this.begin(id), this.ends[id]);
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
