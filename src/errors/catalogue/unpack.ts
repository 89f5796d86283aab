/** Errors of Debian archives and of installing them into a tree. Codes are stable: programs match on them. */
export const UNPACK = {
  DEB_INVALID: (c: { path: string; reason: string }) => `${c.path}: not a Debian package: ${c.reason}`,
  DEB_COMPRESSION: (c: { path: string; member: string }) =>
    `${c.path}: the member "${c.member}" is compressed in a way that dpkg does not take`,
  DEB_CONTROL: (c: { path: string; reason: string }) => `${c.path}: the control archive is corrupt: ${c.reason}`,
  DEB_TOO_LARGE: (c: { path: string; what: string; limit: number }) =>
    `${c.path}: ${c.what} is longer than ${c.limit} bytes`,
  DEB_MISMATCH: (c: { path: string; expected: string; actual: string }) =>
    `${c.path}: holds ${c.actual} where ${c.expected} was promised`,
  UNPACKED_TOO_LARGE: (c: { what: string; limit: number }) =>
    `${c.what}: unpacked, more than the ${c.limit} bytes that are allowed`,
  CACHE_INVALID: (c: { path: string; expected: 'folder' | 'file' }) =>
    `${c.path} is no ${c.expected}, as a cache has one there`,
  CACHE_SHARED: (c: { path: string; reason: string }) =>
    `${c.path}: the cache is not safe from other users: ${c.reason}`,
  SPOOL_INVALID: (c: { path: string }) => `${c.path}: the unpacked package in the cache cannot be read back`,
  FILE_CONFLICT: (c: { path: string; package: string; other: string }) =>
    `package ${c.package} wants to overwrite "/${c.path}", which is also in package ${c.other}`,
  DIRECTORY_CONFLICT: (c: { path: string; package: string; other: string }) =>
    `package ${c.package} wants to put a file in the place of the directory "/${c.path}" of package ${c.other}`,
  HARD_LINK_MISSING: (c: { path: string; package: string; target: string }) =>
    `package ${c.package}: "/${c.path}" is a hard link to "${c.target}", which the package does not hold before it`,
} as const;
