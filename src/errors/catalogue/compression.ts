/** Errors of compression data. Codes are stable: programs match on them. */
export const COMPRESSION = {
  COMPRESSED_CORRUPT: (c: { path: string; format: string; offset: number; reason: string }) =>
    `${c.path}: damaged ${c.format} data near byte ${c.offset}: ${c.reason}`,
  COMPRESSED_TRUNCATED: (c: { path: string; format: string; offset: number; what: string }) =>
    `${c.path}: the ${c.format} data ends at byte ${c.offset}, in the middle of ${c.what}`,
  COMPRESSED_UNSUPPORTED: (c: { path: string; format: string; offset: number; what: string }) =>
    `${c.path}: ${c.format} data that cannot be read at byte ${c.offset}: ${c.what}`,
  COMPRESSED_TRAILING: (c: { path: string; format: string; offset: number }) =>
    `${c.path}: something that is not ${c.format} follows the compressed data at byte ${c.offset}`,
  COMPRESSION_UNKNOWN: (c: { format: string; known: string }) =>
    `no compression "${c.format}" can be written; there are ${c.known}`,
  COMPRESSION_LEVEL: (c: { format: string; level: number; lowest: number; highest: number }) =>
    `${c.format} has levels ${c.lowest} to ${c.highest}, not ${c.level}`,
} as const;
