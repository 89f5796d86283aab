/**
 * The half-MD4 hash of names that orders a hashed directory (fs/ext4/hash.c describes the variants; the rounds are
 * those of MD4, RFC 1320, on eight words instead of sixteen).
 */

const ROUND1 = [0, 1, 2, 3, 4, 5, 6, 7];
const ROUND2 = [1, 3, 5, 7, 0, 2, 4, 6];
const ROUND3 = [3, 7, 2, 6, 1, 5, 0, 4];
const SHIFTS = [
  [3, 7, 11, 19],
  [3, 5, 9, 13],
  [3, 9, 11, 15],
] as const;
const CONSTANTS = [0, 0x5a827999, 0x6ed9eba1];
const ORDERS = [ROUND1, ROUND2, ROUND3];

/** The end mark of the hash space, which no name may have. */
const EOF_HASH = 0xfffffffe;

/** Hashes names under one seed. `signed`: whether bytes above 127 count as negative, as s_flags says. */
export class NameHash {
  private readonly seed: Int32Array;
  private readonly signed: boolean;
  private readonly words = new Int32Array(8);
  /** Second word of the last hash: a tie-breaker that the kernel uses when it hands out directory positions. */
  minor = 0;

  constructor(seed: Uint8Array, signed = true) {
    const view = new DataView(seed.buffer, seed.byteOffset, 16);
    this.seed = Int32Array.from([0, 4, 8, 12], (at) => view.getInt32(at, true));
    if (this.seed.every((word) => word === 0))
      this.seed = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
    this.signed = signed;
  }

  /** The major hash of a byte string, its lowest bit clear, unsigned. */
  of(name: string): number {
    let [a, b, c, d] = this.seed as unknown as [number, number, number, number];
    for (let from = 0; from < name.length; from += 32) {
      this.fill(name, from);
      const a0 = a;
      const b0 = b;
      const c0 = c;
      const d0 = d;
      for (let round = 0; round < 3; round++) {
        const order = ORDERS[round]!;
        const shifts = SHIFTS[round]!;
        const constant = CONSTANTS[round]!;
        for (let step = 0; step < 8; step++) {
          const mixed = round === 0 ? d ^ (b & (c ^ d)) : round === 1 ? ((b & c) + ((b ^ c) & d)) | 0 : b ^ c ^ d;
          const sum = (a + mixed + this.words[order[step]!]! + constant) | 0;
          const shift = shifts[step & 3]!;
          a = d;
          d = c;
          c = b;
          b = (sum << shift) | (sum >>> (32 - shift));
        }
      }
      a = (a + a0) | 0;
      b = (b + b0) | 0;
      c = (c + c0) | 0;
      d = (d + d0) | 0;
    }
    this.minor = c >>> 0;
    const major = (b & ~1) >>> 0;
    return major === EOF_HASH ? EOF_HASH - 2 : major;
  }

  /** Thirty-two bytes of the name, big end first in each word; what is missing is filled with the length. */
  private fill(name: string, from: number): void {
    const left = name.length - from;
    const length = left & 0xff;
    const pad = length | (length << 8) | (length << 16) | (length << 24);
    const end = Math.min(left, 32);
    for (let word = 0; word < 8; word++) {
      let value = pad;
      for (let i = word * 4; i < word * 4 + 4 && i < end; i++) {
        const code = name.charCodeAt(from + i);
        value = (value << 8) + (this.signed ? (code << 24) >> 24 : code);
      }
      this.words[word] = value;
    }
  }
}
