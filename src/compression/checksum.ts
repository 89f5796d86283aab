import * as zlib from 'node:zlib';

/** CRC-32 (IEEE), continued from `value`. */
export function crc32(bytes: Uint8Array, value = 0): number {
  return zlib.crc32(bytes, value);
}

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
