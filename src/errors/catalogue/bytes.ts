/** Errors about bytes that are not what was expected. Codes are stable: programs match on them. */
export const BYTES = {
  CONTENT_SIZE: (c: { path: string; declared: number; read: number }) =>
    `${c.path}: ${c.read} bytes where ${c.declared} were declared`,
  CONTENT_SHORT: (c: { path: string; offset: number; size: number }) =>
    `${c.path}: ends before byte ${c.offset + c.size}, ${c.size} bytes were expected at ${c.offset}`,
  DIGEST_MISMATCH: (c: { url: string; expected: string; actual: string }) =>
    `${c.url}: digest ${c.actual} where ${c.expected} was promised`,
  TRUNCATED: (c: { path: string; what: string; offset: number; needed: number; left: number }) =>
    `${c.path}: cut off at byte ${c.offset + c.left}: ${c.what} needs ${c.needed} bytes from ${c.offset}, ${c.left} are there`,
  WRITE_FAILED: (c: { path: string; reason: string }) => `cannot write ${c.path}: ${c.reason}`,
  THREAD_LOST: (c: { reason: string }) => `a thread of this program was lost: ${c.reason}`,
  READ_FAILED: (c: { path: string; reason: string }) => `cannot read ${c.path}: ${c.reason}`,
} as const;
