/** Errors of ext4 data. Codes are stable: programs match on them. */
export const EXT4 = {
  EXT4_FEATURE: (c: { feature: string; reason: string }) =>
    `the ext4 feature ${c.feature} is not available: ${c.reason}`,
  EXT4_OPTION: (c: { option: string; value: string; expected: string }) =>
    `the ext4 option ${c.option} is ${c.value}; it must be ${c.expected}`,
  EXT4_TOO_SMALL: (c: { given: number; needed: number; blocks: number; inodes: number; files: number }) =>
    `the tree does not fit an ext4 file system of ${c.given} bytes: ${c.needed} are needed (${c.blocks} blocks of data and directories, ${c.inodes} inodes, ${c.files} of them in use)`,
  EXT4_NAME: (c: { path: string; reason: string }) => `/${c.path}: ext4 cannot hold this name: ${c.reason}`,
  EXT4_LINKS: (c: { path: string; links: number; limit: number }) =>
    `/${c.path}: more than ${c.limit} links to one inode (${c.links}), ext4 cannot count them`,
  EXT4_DIRECTORY_TWICE: (c: { path: string }) => `/${c.path}: the tree has this directory under two names`,
  EXT4_SYMLINK: (c: { path: string; bytes: number; limit: number }) =>
    `/${c.path}: a symbolic link to ${c.bytes} bytes of path; ext4 takes 1 to ${c.limit} with this block size`,
  EXT4_DEVICE: (c: { path: string; major: number; minor: number }) =>
    `/${c.path}: device ${c.major}:${c.minor} is beyond what ext4 stores (12 bits and 20 bits)`,
  EXT4_TIME: (c: { path: string; time: number; last: number }) =>
    `/${c.path}: the time ${c.time} is outside of what this ext4 stores (-2147483648 to ${c.last})`,
  EXT4_OWNER: (c: { path: string; uid: number; gid: number }) =>
    `/${c.path}: owner ${c.uid}:${c.gid} is not two numbers of 32 bits`,
  EXT4_FILE_SIZE: (c: { path: string; bytes: number; limit: number }) =>
    `/${c.path}: ${c.bytes} bytes, ext4 takes ${c.limit} in one file with this block size`,
  EXT4_DIRECTORY_SIZE: (c: { path: string; blocks: number; limit: number }) =>
    `/${c.path}: a directory of ${c.blocks} blocks, the hash tree reaches ${c.limit} with this block size`,
  EXT4_XATTR_NAME: (c: { path: string; name: string }) =>
    `/${c.path}: ext4 has no place for an extended attribute named "${c.name}"`,
  EXT4_XATTR_SIZE: (c: { path: string; bytes: number; limit: number }) =>
    `/${c.path}: its extended attributes need a block of ${c.bytes} bytes, and this ext4 has blocks of ${c.limit}`,
  EXT4_ACL: (c: { path: string; name: string; bytes: number }) =>
    `/${c.path}: ${c.name} (${c.bytes} bytes) is not an access control list of version 2`,
  EXT4_NOT: (c: { path: string; reason: string }) => `${c.path}: not an ext2, ext3 or ext4 file system: ${c.reason}`,
  EXT4_CORRUPT: (c: { path: string; at: string; reason: string }) => `${c.path}: damaged ext4: ${c.at}: ${c.reason}`,
  EXT4_CHECKSUM: (c: { path: string; at: string; stored: string; computed: string }) =>
    `${c.path}: damaged ext4: ${c.at}: checksum ${c.stored} is stored, ${c.computed} is right`,
  EXT4_UNSUPPORTED: (c: { path: string; feature: string }) =>
    `${c.path}: this reader does not know the ext4 feature ${c.feature}`,
  EXT4_JOURNAL: (c: { path: string }) =>
    `${c.path}: the journal holds changes that are not yet in their places; run e2fsck (or mount it once) first`,
} as const;
