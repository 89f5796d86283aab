/**
 * Extents of a compressed file: each decodes to a run of bytes of the file and is stored in whole blocks. Packed into one
 * word each, since a large guest has millions of them.
 */

const LENGTH_BITS = 21;
const BLOCK_BITS = 9;
const PLAIN = 1 << (LENGTH_BITS + BLOCK_BITS);

/** Packs an extent: decoded length in bytes (to 1 MiB), blocks (to 256), and whether its bytes are stored as they are. */
export function packExtent(length: number, blocks: number, plain: boolean): number {
  return (length | (blocks << LENGTH_BITS) | (plain ? PLAIN : 0)) >>> 0;
}

/** Decoded length of a packed extent, in bytes. */
export const lengthOf = (extent: number): number => extent & ((1 << LENGTH_BITS) - 1);

/** Blocks that a packed extent takes. */
export const blocksOf = (extent: number): number => (extent >>> LENGTH_BITS) & ((1 << BLOCK_BITS) - 1);

/** True when the bytes are stored as they are. */
export const isPlain = (extent: number): boolean => (extent & PLAIN) !== 0;
