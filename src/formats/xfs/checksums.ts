import { crc32c } from '../../bytes/crc32c.ts';

/** The checksum of a structure, with its field at `field` taken as zero. */
export function checksum(bytes: Uint8Array, field: number, start = 0, end = bytes.length): number {
  let crc = crc32c(NONE, bytes, start, start + field);
  crc = crc32c(crc, ZERO);
  return ~crc32c(crc, bytes, start + field + 4, end) >>> 0;
}

/** Stores the checksum of a structure at its field. */
export function seal(bytes: Uint8Array, field: number, start = 0, end = bytes.length): void {
  const value = checksum(bytes, field, start, end);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(start + field, value, true);
}

const NONE = 0xffff_ffff;
const ZERO = new Uint8Array(4);
