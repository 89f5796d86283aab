/** The symbols of deflate, RFC 1951 sections 3.2.5 and 3.2.6. */

/** Symbols of literals, the end of a block, and lengths; of distances; of the lengths of codes. */
export const LITERALS = 286;
export const DISTANCES = 30;
export const CODE_LENGTHS = 19;
/** The symbol that ends a block, and the first of lengths. */
export const END = 256;
export const FIRST_LENGTH = 257;

/** Further bits behind the symbol of a length (the first is 257), of a distance, of the length of a code. */
export const LENGTH_EXTRA = Uint8Array.from([
  ...[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0],
]);
export const DISTANCE_EXTRA = Uint8Array.from({ length: DISTANCES }, (_, symbol) => Math.max(0, (symbol >> 1) - 1));
export const CODE_LENGTH_EXTRA = Uint8Array.from({ length: CODE_LENGTHS }, (_, symbol) => [2, 3, 7][symbol - 16] ?? 0);

/** The order in which the lengths of the codes of lengths of codes are written. */
export const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;

/** The smallest value of each symbol; lengths less 3, distances less 1. 258 bytes have a symbol of their own. */
export const LENGTH_BASE = bases(LENGTH_EXTRA);
LENGTH_BASE[28] = 255;
export const DISTANCE_BASE = bases(DISTANCE_EXTRA);

/** Bits of the codes of a block with fixed codes. */
export const FIXED_LITERALS = Uint8Array.from({ length: 288 }, (_, n) => (n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8));
export const FIXED_DISTANCES = new Uint8Array(DISTANCES).fill(5);

function bases(extra: Uint8Array): Uint16Array {
  const found = new Uint16Array(extra.length);
  for (let i = 1; i < found.length; i++) found[i] = found[i - 1]! + 2 ** extra[i - 1]!;
  return found;
}

/** By length less 3, the number of its symbol, counted from 257. */
export function lengthSymbols(): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, value) => LENGTH_BASE.findLastIndex((base) => base <= value));
}

/** By distance less 1 below 256, its symbol; from 256 on, by the distance less 1 divided by 128. */
export function distanceSymbols(): Uint8Array {
  const of = (value: number) => DISTANCE_BASE.findLastIndex((base) => base <= value);
  return Uint8Array.from({ length: 512 }, (_, i) => of(i < 256 ? i : (i - 256) * 128));
}
