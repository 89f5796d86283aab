/** Errors of XFS data. Codes are stable: programs match on them. */
export const XFS = {
  XFS_OPTION: (c: { option: string; value: string; expected: string }) =>
    `the xfs option ${c.option} is ${c.value}; it must be ${c.expected}`,
  XFS_NAME: (c: { path: string; reason: string }) => `/${c.path}: xfs cannot hold this name: ${c.reason}`,
  XFS_DIRECTORY_TWICE: (c: { path: string }) => `/${c.path}: the tree has this directory under two names`,
  XFS_SYMLINK: (c: { path: string; bytes: number }) =>
    `/${c.path}: a symbolic link to ${c.bytes} bytes of path; xfs takes 1 to 1023`,
  XFS_DEVICE: (c: { path: string; major: number; minor: number }) =>
    `/${c.path}: device ${c.major}:${c.minor} is beyond what Linux reads from xfs (9 bits and 18 bits)`,
  XFS_OWNER: (c: { path: string; uid: number; gid: number }) =>
    `/${c.path}: owner ${c.uid}:${c.gid} is not two numbers of 32 bits`,
  XFS_TIME: (c: { path: string; time: number; last: number }) =>
    `/${c.path}: the time ${c.time} is outside of what this xfs stores (-2147483648 to ${c.last})`,
  XFS_XATTR_NAME: (c: { path: string; name: string; reason: string }) =>
    `/${c.path}: xfs has no place for an extended attribute named "${c.name}": ${c.reason}`,
  XFS_XATTR_SIZE: (c: { path: string; name: string; bytes: number; limit: number }) =>
    `/${c.path}: the extended attribute ${c.name} has ${c.bytes} bytes, ${c.limit} can be written`,
  XFS_ACL: (c: { path: string; name: string; reason: string }) =>
    `/${c.path}: ${c.name} is not an access control list: ${c.reason}`,
  XFS_FILE_SIZE: (c: { path: string; bytes: number; limit: number }) =>
    `/${c.path}: ${c.bytes} bytes, ${c.limit} can be written into one file of xfs`,
  XFS_TOO_SMALL: (c: { given: number; needed: number }) =>
    `the xfs file system has ${c.given} bytes, it needs ${c.needed}`,
  XFS_NOT: (c: { path: string; reason: string }) => `${c.path}: not an xfs file system: ${c.reason}`,
  XFS_CORRUPT: (c: { path: string; at: string; reason: string }) => `${c.path}: damaged xfs: ${c.at}: ${c.reason}`,
  XFS_UNSUPPORTED: (c: { path: string; feature: string }) =>
    `${c.path}: this reader does not know xfs with ${c.feature}`,
  XFS_LOG: (c: { path: string; reason: string }) =>
    `${c.path}: the log holds changes that are not yet in their places (${c.reason}); mount it once or run xfs_repair first`,
} as const;
