/** Compression formats that can be read. `lz4-legacy` is the frame the Linux kernel reads (`lz4 -l`). */
export type Format = 'none' | 'gzip' | 'xz' | 'lzma' | 'lzip' | 'zstd' | 'bzip2' | 'lz4' | 'lz4-legacy';

/** Bytes that {@link detect} needs; fewer are enough when the complete stream is shorter. */
export const DETECT_BYTES = 13;

/** The magic numbers, from the formats' specifications. */
const MAGIC: readonly (readonly [Format, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['lzip', [0x4c, 0x5a, 0x49, 0x50]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
  ['lz4-legacy', [0x02, 0x21, 0x4c, 0x18]],
];

/** Detects the format from a stream's first bytes; `none` when it is not recognised. */
export function detect(first: Uint8Array): Format {
  for (const [format, magic] of MAGIC) if (magic.every((byte, i) => first[i] === byte)) return format;
  if (isBzip2(first)) return 'bzip2';
  // a skippable frame may be before zstd's and lz4's first; only pzstd is known to write one there
  if (first.length >= 4 && (first[0]! & 0xf0) === 0x50 && first[1] === 0x2a && first[2] === 0x4d && first[3] === 0x18)
    return 'zstd';
  if (isLzma(first)) return 'lzma';
  return 'none';
}

/** "BZh", a block size digit, then the magic of a block (pi) or of the stream's end (the root of pi). */
function isBzip2(first: Uint8Array): boolean {
  if (first[0] !== 0x42 || first[1] !== 0x5a || first[2] !== 0x68) return false;
  if (first[3]! < 0x31 || first[3]! > 0x39) return false;
  return (first[4] === 0x31 && first[5] === 0x41) || (first[4] === 0x17 && first[5] === 0x72);
}

/**
 * The `.lzma` header has no magic. It is detected as xz does: properties in range, a dictionary of 2^n or 2^n + 2^(n-1)
 * bytes, and a size that is either unknown or below 256 GiB.
 */
function isLzma(first: Uint8Array): boolean {
  if (first.length < 13 || first[0]! >= 9 * 5 * 5) return false;
  const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
  const dictionary = view.getUint32(1, true);
  if (dictionary !== 0xffffffff) {
    if (dictionary === 0) return false;
    const top = 31 - Math.clz32(dictionary);
    const rest = dictionary - 2 ** top;
    if (rest !== 0 && rest !== 2 ** (top - 1)) return false;
  }
  const low = view.getUint32(5, true);
  const high = view.getUint32(9, true);
  return (low === 0xffffffff && high === 0xffffffff) || high < 64;
}
