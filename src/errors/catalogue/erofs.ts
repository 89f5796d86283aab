/** Errors of EROFS data. Codes are stable: programs match on them. */
export const EROFS = {
  EROFS_OPTION: (c: { option: string; value: string; expected: string }) =>
    `the erofs option ${c.option} is ${c.value}; it must be ${c.expected}`,
  EROFS_KERNEL: (c: { what: string; since: string; kernel: string }) =>
    `erofs: ${c.what} are read by Linux ${c.since} and later, and Linux ${c.kernel} must read them`,
  EROFS_NAME: (c: { path: string; reason: string }) => `/${c.path}: erofs cannot hold this name: ${c.reason}`,
  EROFS_DIRECTORY_TWICE: (c: { path: string }) => `/${c.path}: the tree has this directory under two names`,
  EROFS_SYMLINK: (c: { path: string; bytes: number }) =>
    `/${c.path}: a symbolic link to ${c.bytes} bytes of path; erofs takes 1 to 4095`,
  EROFS_DEVICE: (c: { path: string; major: number; minor: number }) =>
    `/${c.path}: device ${c.major}:${c.minor} is beyond what erofs stores (12 bits and 20 bits)`,
  EROFS_OWNER: (c: { path: string; uid: number; gid: number }) =>
    `/${c.path}: owner ${c.uid}:${c.gid} is not two numbers of 32 bits`,
  EROFS_TIME: (c: { path: string; time: number }) => `/${c.path}: the time ${c.time} is outside of what erofs stores`,
  EROFS_XATTR_NAME: (c: { path: string; name: string }) =>
    `/${c.path}: erofs has no place for an extended attribute named "${c.name}"`,
  EROFS_XATTR_SIZE: (c: { path: string; name: string; bytes: number; limit: number }) =>
    `/${c.path}: the extended attribute ${c.name} has ${c.bytes} bytes, erofs takes ${c.limit}`,
  EROFS_FILE_SIZE: (c: { path: string; bytes: number; limit: number }) =>
    `/${c.path}: ${c.bytes} bytes, an erofs file system takes ${c.limit} in one file`,
  EROFS_TOO_LARGE: (c: { blocks: number }) =>
    `the tree needs ${c.blocks} blocks, an erofs file system has at most 4294967295`,
  EROFS_NOT: (c: { path: string; reason: string }) => `${c.path}: not an erofs file system: ${c.reason}`,
  EROFS_CORRUPT: (c: { path: string; at: string; reason: string }) => `${c.path}: damaged erofs: ${c.at}: ${c.reason}`,
  EROFS_CHECKSUM: (c: { path: string; stored: string; computed: string }) =>
    `${c.path}: damaged erofs: superblock: checksum ${c.stored} is stored, ${c.computed} is right`,
  EROFS_UNSUPPORTED: (c: { path: string; feature: string }) =>
    `${c.path}: this reader does not know the erofs feature ${c.feature}`,
} as const;
