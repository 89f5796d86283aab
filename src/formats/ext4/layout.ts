import { array, at, i32, raw, struct, text, u8, u16, u32, u32be, u64 } from '../../bytes/struct.ts';

/**
 * The records of ext4 as the kernel's documentation gives them (Documentation/filesystems/ext4), with the kernel's own
 * spelling in comments. All numbers are little-endian, except in the journal.
 */

/** Where the superblock begins, whatever the block size. */
export const SUPERBLOCK_OFFSET = 1024;
export const MAGIC = 0xef53;

/** struct ext4_super_block */
export const Superblock = struct('ext4 superblock', 1024, {
  inodes: u32, // s_inodes_count
  blocks: u32, // s_blocks_count_lo
  reservedBlocks: u32, // s_r_blocks_count_lo
  freeBlocks: u32, // s_free_blocks_count_lo
  freeInodes: u32,
  firstDataBlock: u32,
  logBlockSize: at(0x18, u32),
  logClusterSize: u32,
  blocksPerGroup: u32,
  clustersPerGroup: u32,
  inodesPerGroup: u32,
  mountTime: u32, // s_mtime
  writeTime: u32, // s_wtime
  mounts: u16, // s_mnt_count
  maxMounts: u16,
  magic: at(0x38, u16),
  state: u16,
  errors: u16,
  minorRevision: u16,
  lastCheck: u32,
  checkInterval: u32,
  creatorOs: u32,
  revision: u32,
  reservedUid: u16,
  reservedGid: u16,
  firstInode: at(0x54, u32),
  inodeSize: u16,
  group: u16, // s_block_group_nr
  compat: u32,
  incompat: u32,
  roCompat: u32,
  uuid: at(0x68, raw(16)),
  label: raw(16), // s_volume_name
  lastMounted: text(64),
  algorithms: u32,
  preallocBlocks: u8,
  preallocDirectoryBlocks: u8,
  reservedGdtBlocks: at(0xce, u16),
  journalUuid: raw(16),
  journalInode: u32,
  journalDevice: u32,
  lastOrphan: u32,
  hashSeed: at(0xec, raw(16)),
  hashVersion: u8, // s_def_hash_version
  journalBackupType: u8,
  descriptorSize: u16,
  mountOptions: at(0x100, u32), // s_default_mount_opts
  firstMetaGroup: u32,
  madeTime: u32, // s_mkfs_time
  journalBlocks: at(0x10c, array(17, u32)), // s_jnl_blocks
  blocksHigh: at(0x150, u32),
  reservedBlocksHigh: u32,
  freeBlocksHigh: u32,
  minExtraSize: u16,
  wantExtraSize: u16,
  flags: at(0x160, u32),
  raidStride: u16,
  mmpInterval: u16,
  mmpBlock: u64,
  raidStripeWidth: u32,
  logGroupsPerFlex: at(0x174, u8),
  checksumType: u8,
  reservedPad: u16,
  kilobytesWritten: u64,
  snapshot: raw(20),
  errorCount: at(0x194, u32),
  firstError: raw(0x34),
  lastError: raw(0x34),
  mountOptionText: at(0x200, raw(64)),
  userQuotaInode: u32,
  groupQuotaInode: u32,
  overheadBlocks: at(0x248, u32),
  backupGroups: array(2, u32),
  encryptAlgorithms: raw(4),
  encryptSalt: raw(16),
  lostFoundInode: at(0x268, u32),
  projectQuotaInode: u32,
  checksumSeed: at(0x270, u32),
  writeTimeHigh: u8,
  mountTimeHigh: u8,
  madeTimeHigh: u8,
  lastCheckHigh: u8,
  firstErrorTimeHigh: u8,
  lastErrorTimeHigh: u8,
  errorCodes: raw(2),
  encoding: at(0x27c, u16),
  encodingFlags: u16,
  orphanFileInode: at(0x280, u32),
  reserved: raw(376),
  checksum: at(0x3fc, u32),
});

/** Feature bits by the names that mke2fs and dumpe2fs use. */
export const COMPAT = {
  dir_prealloc: 0x1,
  imagic_inodes: 0x2,
  has_journal: 0x4,
  ext_attr: 0x8,
  resize_inode: 0x10,
  dir_index: 0x20,
  sparse_super2: 0x200,
  fast_commit: 0x400,
  stable_inodes: 0x800,
  orphan_file: 0x1000,
} as const;
export const INCOMPAT = {
  compression: 0x1,
  filetype: 0x2,
  needs_recovery: 0x4,
  journal_dev: 0x8,
  meta_bg: 0x10,
  extent: 0x40,
  '64bit': 0x80,
  mmp: 0x100,
  flex_bg: 0x200,
  ea_inode: 0x400,
  dirdata: 0x1000,
  metadata_csum_seed: 0x2000,
  large_dir: 0x4000,
  inline_data: 0x8000,
  encrypt: 0x10000,
  casefold: 0x20000,
} as const;
export const RO_COMPAT = {
  sparse_super: 0x1,
  large_file: 0x2,
  btree_dir: 0x4,
  huge_file: 0x8,
  uninit_bg: 0x10,
  dir_nlink: 0x20,
  extra_isize: 0x40,
  quota: 0x100,
  bigalloc: 0x200,
  metadata_csum: 0x400,
  replica: 0x800,
  'read-only': 0x1000,
  project: 0x2000,
  shared_blocks: 0x4000,
  verity: 0x8000,
  orphan_present: 0x10000,
} as const;

/** Files from this size on need the feature large_file. */
export const LARGE_FILE_SIZE = 2 ** 31;

export const STATE_CLEAN = 1;
export const STATE_ERRORS = 2;
/** s_default_mount_opts: user_xattr and acl, as mke2fs sets them. */
export const MOUNT_XATTR_USER = 0x4;
export const MOUNT_ACL = 0x8;
/** s_flags: which sign bytes have in the directory hash. */
export const FLAG_SIGNED_HASH = 1;
export const FLAG_UNSIGNED_HASH = 2;
export const HASH_HALF_MD4 = 1;

/** struct ext4_group_desc; without 64bit only the first 32 bytes are there. */
export const GroupDescriptor = struct('ext4 group descriptor', 64, {
  blockBitmap: u32,
  inodeBitmap: u32,
  inodeTable: u32,
  freeBlocks: u16,
  freeInodes: u16,
  directories: u16, // bg_used_dirs_count_lo
  flags: at(0x12, u16),
  excludeBitmap: u32,
  blockBitmapChecksum: u16,
  inodeBitmapChecksum: u16,
  unusedInodes: at(0x1c, u16), // bg_itable_unused_lo
  checksum: u16,
  blockBitmapHigh: at(0x20, u32),
  inodeBitmapHigh: u32,
  inodeTableHigh: u32,
  freeBlocksHigh: u16,
  freeInodesHigh: u16,
  directoriesHigh: u16,
  unusedInodesHigh: u16,
  excludeBitmapHigh: u32,
  blockBitmapChecksumHigh: at(0x38, u16),
  inodeBitmapChecksumHigh: u16,
  reserved: u32,
});
export const GROUP_INODE_UNINIT = 1;
export const GROUP_BLOCK_UNINIT = 2;
export const GROUP_INODE_ZEROED = 4;

/** struct ext4_inode: the 128 bytes of ext2, then those that i_extra_isize counts. */
export const InodeRecord = struct('ext4 inode', 160, {
  mode: u16,
  uid: u16,
  size: u32,
  atime: i32,
  ctime: i32,
  mtime: i32,
  dtime: u32,
  gid: at(0x18, u16),
  links: u16,
  blocks: u32, // i_blocks_lo, in 512-byte units
  flags: at(0x20, u32),
  version: u32,
  block: at(0x28, raw(60)), // i_block
  generation: at(0x64, u32),
  fileAcl: u32, // i_file_acl_lo
  sizeHigh: u32,
  fragment: u32,
  blocksHigh: at(0x74, u16),
  fileAclHigh: u16,
  uidHigh: u16,
  gidHigh: u16,
  checksum: at(0x7c, u16), // l_i_checksum_lo
  reserved: u16,
  extraSize: at(0x80, u16), // i_extra_isize
  checksumHigh: u16,
  ctimeExtra: u32,
  mtimeExtra: u32,
  atimeExtra: u32,
  crtime: at(0x90, i32),
  crtimeExtra: u32,
  versionHigh: u32,
  project: u32,
});
/** Bytes of an inode in ext2, and the least there are. */
export const OLD_INODE_SIZE = 128;
/** Current i_extra_isize. */
export const EXTRA_SIZE = 32;

export const INODE_ENCRYPTED = 0x800;
export const INODE_INDEX = 0x1000;
export const INODE_HUGE_FILE = 0x40000;
export const INODE_EXTENTS = 0x80000;
export const INODE_EA_INODE = 0x200000;
export const INODE_INLINE_DATA = 0x10000000;

export const ROOT_INODE = 2;
export const RESIZE_INODE = 7;
export const JOURNAL_INODE = 8;
/** The first inode that is not reserved; lost+found by custom. */
export const FIRST_INODE = 11;
/** EXT4_LINK_MAX */
export const LINKS_MAX = 65000;

/** struct ext4_extent_header, ext4_extent_idx, ext4_extent: twelve bytes each. */
export const ExtentHeader = struct('ext4 extent header', 12, {
  magic: u16,
  entries: u16,
  max: u16,
  depth: u16,
  generation: u32,
});
export const ExtentIndex = struct('ext4 extent index', 12, { block: u32, leaf: u32, leafHigh: u16, unused: u16 });
export const ExtentLeaf = struct('ext4 extent', 12, { block: u32, length: u16, startHigh: u16, start: u32 });
export const EXTENT_MAGIC = 0xf30a;
/** Longest written extent; beyond it the length means "unwritten". */
export const EXTENT_MAX = 32768;

/** File types in directory entries. */
export const FILE_TYPE = { file: 1, directory: 2, char: 3, block: 4, fifo: 5, socket: 6, symlink: 7 } as const;
/** struct ext4_dir_entry_tail: twelve bytes that look like an unused entry. */
export const DirectoryTail = struct('ext4 directory tail', 12, {
  inode: u32,
  recordLength: u16,
  nameLength: u8,
  type: u8, // det_reserved_ft
  checksum: u32,
});
export const TAIL_TYPE = 0xde;
/** struct dx_root_info, at byte 24 of a hashed directory's first block. */
export const HashRoot = struct('ext4 dx_root_info', 8, {
  zero: u32,
  version: u8,
  length: u8,
  levels: u8, // indirect_levels
  flags: u8,
});

/** struct ext4_xattr_header */
export const XattrHeader = struct('ext4 xattr header', 32, {
  magic: u32,
  references: u32,
  blocks: u32,
  hash: u32,
  checksum: at(0x10, u32),
  reserved: raw(12),
});
/** struct ext4_xattr_entry, without its name */
export const XattrEntry = struct('ext4 xattr entry', 16, {
  nameLength: u8,
  nameIndex: u8,
  valueOffset: u16,
  valueInode: u32,
  valueSize: u32,
  hash: u32,
});
export const XATTR_MAGIC = 0xea020000;
/** EXT4_XATTR_REFCOUNT_MAX */
export const XATTR_REFERENCES_MAX = 1024;
/** Name prefixes by e_name_index. */
export const XATTR_PREFIXES: readonly (readonly [index: number, prefix: string])[] = [
  [2, 'system.posix_acl_access'],
  [3, 'system.posix_acl_default'],
  [8, 'system.richacl'],
  [1, 'user.'],
  [4, 'trusted.'],
  [6, 'security.'],
  [7, 'system.'],
];

/** journal_superblock_s of jbd2, big-endian */
export const JournalSuperblock = struct('jbd2 superblock', 1024, {
  magic: u32be,
  type: u32be, // h_blocktype
  headerSequence: u32be,
  blockSize: at(0xc, u32be),
  blocks: u32be, // s_maxlen
  first: u32be,
  sequence: u32be,
  start: u32be,
  error: u32be,
  compat: u32be,
  incompat: at(0x28, u32be),
  roCompat: u32be,
  uuid: raw(16),
  users: u32be,
  dynamicSuper: u32be,
  maxTransaction: u32be,
  maxTransactionData: u32be,
  checksumType: at(0x50, u8),
  padding: raw(171),
  checksum: at(0xfc, u32be),
  userIds: raw(768),
});
export const JOURNAL_MAGIC = 0xc03b3998;
export const JOURNAL_SUPERBLOCK_V1 = 3;
export const JOURNAL_SUPERBLOCK_V2 = 4;
/** Known incompatible features of a journal: revoke, 64bit, async_commit, csum_v2, csum_v3, fast_commit. */
export const JOURNAL_INCOMPAT = 0x3f;
/** csum_v2 and csum_v3: with either the superblock has a checksum. */
export const JOURNAL_CHECKSUMS = 0x18;
/** Minimum length of a journal in the kernel, in blocks (JBD2_MIN_JOURNAL_BLOCKS). */
export const JOURNAL_MIN_BLOCKS = 1024;

/** Tail of a block of the orphan file: magic and checksum. */
export const OrphanTail = struct('ext4 orphan block tail', 8, { magic: u32, checksum: u32 });
export const ORPHAN_MAGIC = 0x0b10ca04;

/**
 * The version word and the entries of an access control list, as the kernel hands them to programs and as ext4 stores
 * them.
 */
export const ACL_PROGRAM_VERSION = 2;
export const ACL_DISK_VERSION = 1;
