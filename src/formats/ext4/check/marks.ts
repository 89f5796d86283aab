/** Bits per piece. A multiple of eight, so that a piece begins with a byte of its own. */
const PIECE_BITS = 1 << 18;

/** A set of block or cluster numbers, one bit each. Memory is taken only for the parts that have members. */
export class Marks {
  private readonly pieces = new Map<number, Uint8Array>();

  has(bit: number): boolean {
    const piece = this.pieces.get(Math.floor(bit / PIECE_BITS));
    if (piece === undefined) return false;
    const at = bit % PIECE_BITS;
    return ((piece[at >> 3]! >> (at & 7)) & 1) === 1;
  }

  /** Adds `count` numbers; returns the first that was there already. */
  add(first: number, count = 1): number | undefined {
    let already: number | undefined;
    for (let bit = first, end = first + count; bit < end; ) {
      const index = Math.floor(bit / PIECE_BITS);
      let piece = this.pieces.get(index);
      if (piece === undefined) this.pieces.set(index, (piece = new Uint8Array(PIECE_BITS / 8)));
      const stop = Math.min(end, (index + 1) * PIECE_BITS);
      for (let at = bit % PIECE_BITS; bit < stop; ) {
        const byte = at >> 3;
        if ((at & 7) === 0 && stop - bit >= 8 && piece[byte] === 0) {
          piece[byte] = 0xff;
          at += 8;
          bit += 8;
          continue;
        }
        const mask = 1 << (at & 7);
        if ((piece[byte]! & mask) !== 0) already ??= bit;
        piece[byte]! |= mask;
        at++;
        bit++;
      }
    }
    return already;
  }

  /** Writes the bits of `first … first + count` into `into`, beginning with its first bit. */
  copy(first: number, count: number, into: Uint8Array): void {
    into.fill(0);
    if (first % 8 === 0 && PIECE_BITS % 8 === 0) {
      for (let done = 0; done < count; ) {
        const bit = first + done;
        const index = Math.floor(bit / PIECE_BITS);
        const at = bit % PIECE_BITS;
        const bits = Math.min(count - done, PIECE_BITS - at);
        const piece = this.pieces.get(index);
        if (piece !== undefined) into.set(piece.subarray(at >> 3, (at + bits + 7) >> 3), done >> 3);
        done += bits;
      }
      // the last byte may hold bits of the numbers behind
      for (let bit = count; (bit & 7) !== 0; bit++) into[bit >> 3]! &= ~(1 << (bit & 7));
      return;
    }
    for (let i = 0; i < count; i++) if (this.has(first + i)) into[i >> 3]! |= 1 << (i & 7);
  }
}

/** Number of set bits among the first `bits` of `bytes`. */
export function popCount(bytes: Uint8Array, bits: number): number {
  let total = 0;
  for (let i = 0; i < bits >> 3; i++) total += ONES[bytes[i]!]!;
  if (bits & 7) total += ONES[bytes[bits >> 3]! & ((1 << (bits & 7)) - 1)]!;
  return total;
}

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0;
  for (let rest = byte; rest > 0; rest >>= 1) ones += rest & 1;
  return ones;
});
