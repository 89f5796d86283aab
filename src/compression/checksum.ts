import * as zlib from 'node:zlib';

/** CRC-32 (IEEE), continued from `value`. */
export function crc32(bytes: Uint8Array, value = 0): number {
  return zlib.crc32(bytes, value);
}

/** CRC-64 as in xz (ECMA-182, reflected: 0xC96C5795D7870F42), computed incrementally. */
export class Crc64 {
  private low = 0xffffffff | 0;
  private high = 0xffffffff | 0;

  update(bytes: Uint8Array): void {
    const table = CRC64_TABLE;
    let low = this.low;
    let high = this.high;
    let at = 0;
    // four bytes a step: the tables hold 4 x 256 entries of two words each
    for (const end = bytes.length - 3; at < end; at += 4) {
      const word = low ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
      const a = 1536 + ((word & 0xff) << 1);
      const b = 1024 + ((word >>> 7) & 0x1fe);
      const c = 512 + ((word >>> 15) & 0x1fe);
      const d = (word >>> 23) & 0x1fe;
      low = high ^ table[a]! ^ table[b]! ^ table[c]! ^ table[d]!;
      high = table[a + 1]! ^ table[b + 1]! ^ table[c + 1]! ^ table[d + 1]!;
    }
    for (; at < bytes.length; at++) {
      const i = ((low ^ bytes[at]!) & 0xff) << 1;
      low = ((low >>> 8) | (high << 24)) ^ table[i]!;
      high = (high >>> 8) ^ table[i + 1]!;
    }
    this.low = low;
    this.high = high;
  }

  /** The eight bytes as they are in the file, least significant first. */
  bytes(): Uint8Array {
    const out = new Uint8Array(8);
    const view = new DataView(out.buffer);
    view.setInt32(0, ~this.low, true);
    view.setInt32(4, ~this.high, true);
    return out;
  }
}

/** Entry i of table t at 512 t + 2 i: the low word, then the high word. */
const CRC64_TABLE = (() => {
  const table = new Int32Array(4 * 512);
  for (let i = 0; i < 256; i++) {
    let low = i;
    let high = 0;
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) {
        low ^= 0xd7870f42;
        high ^= 0xc96c5795;
      }
    }
    table[2 * i] = low;
    table[2 * i + 1] = high;
  }
  for (let i = 512; i < table.length; i += 2) {
    const low = table[i - 512]!;
    const high = table[i - 511]!;
    const first = (low & 0xff) << 1;
    table[i] = ((low >>> 8) | (high << 24)) ^ table[first]!;
    table[i + 1] = (high >>> 8) ^ table[first + 1]!;
  }
  return table;
})();

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

const turn = (value: number, by: number) => (value << by) | (value >>> (32 - by));

/** xxHash32, as the LZ4 frame format uses it, seed 0. */
export class Xxh32 {
  private a = (P1 + P2) | 0;
  private b = P2 | 0;
  private c = 0;
  private d = -P1 | 0;
  private total = 0;
  private readonly held = new Uint8Array(16);
  private heldSize = 0;

  update(bytes: Uint8Array): this {
    this.total += bytes.length;
    let at = 0;
    if (this.heldSize > 0) {
      at = Math.min(16 - this.heldSize, bytes.length);
      this.held.set(bytes.subarray(0, at), this.heldSize);
      this.heldSize += at;
      if (this.heldSize < 16) return this;
      this.stripes(this.held, 0, 16);
      this.heldSize = 0;
    }
    const end = at + ((bytes.length - at) & ~15);
    this.stripes(bytes, at, end);
    this.held.set(bytes.subarray(end));
    this.heldSize = bytes.length - end;
    return this;
  }

  private stripes(bytes: Uint8Array, start: number, end: number): void {
    let { a, b, c, d } = this;
    for (let at = start; at < end; at += 16) {
      a = Math.imul(turn(a + Math.imul(word(bytes, at), P2), 13), P1);
      b = Math.imul(turn(b + Math.imul(word(bytes, at + 4), P2), 13), P1);
      c = Math.imul(turn(c + Math.imul(word(bytes, at + 8), P2), 13), P1);
      d = Math.imul(turn(d + Math.imul(word(bytes, at + 12), P2), 13), P1);
    }
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
  }

  /** The hash of all bytes so far, unsigned. */
  digest(): number {
    let hash =
      this.total >= 16 ? (turn(this.a, 1) + turn(this.b, 7) + turn(this.c, 12) + turn(this.d, 18)) | 0 : P5 | 0;
    hash = (hash + (this.total % 2 ** 32)) | 0;
    let at = 0;
    for (; at + 4 <= this.heldSize; at += 4) hash = Math.imul(turn(hash + Math.imul(word(this.held, at), P3), 17), P4);
    for (; at < this.heldSize; at++) hash = Math.imul(turn(hash + Math.imul(this.held[at]!, P5), 11), P1);
    hash = Math.imul(hash ^ (hash >>> 15), P2);
    hash = Math.imul(hash ^ (hash >>> 13), P3);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
