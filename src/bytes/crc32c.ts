/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), the checksum of ext4, jbd2 and XFS metadata and of btrfs.
 * Eight bytes are folded per step with eight tables ("slicing-by-8").
 */

const TABLES = (() => {
  const tables = new Uint32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    tables[i] = crc;
  }
  for (let i = 0; i < 7 * 256; i++) tables[256 + i] = (tables[i]! >>> 8) ^ tables[tables[i]! & 0xff]!;
  return tables;
})();

/**
 * Continues a checksum over `bytes[start … end)`. The value is raw: it is not inverted before or after, as ext4
 * chains it (the usual CRC-32C is `~crc32c(~0, bytes) >>> 0`). The result is unsigned.
 */
export function crc32c(seed: number, bytes: Uint8Array, start = 0, end = bytes.length): number {
  const t = TABLES;
  let crc = seed | 0;
  let at = start;
  for (const last = end - 7; at < last; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = t[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return crc >>> 0;
}

/** Continues a checksum over a 32-bit little-endian number. */
export function crc32cWord(seed: number, word: number): number {
  const t = TABLES;
  const crc = seed ^ word;
  return (
    (t[768 + (crc & 0xff)]! ^ t[512 + ((crc >>> 8) & 0xff)]! ^ t[256 + ((crc >>> 16) & 0xff)]! ^ t[crc >>> 24]!) >>> 0
  );
}
