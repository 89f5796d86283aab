import { array, at, raw, struct, u8, u16be, u32, u32be, u64be } from '../../bytes/struct.ts';

/*
 * On-disk records of XFS version 5, as the kernel names them in fs/xfs/libxfs/xfs_format.h and xfs_da_format.h. Numbers
 * are big-endian; checksums are CRC-32C over the whole structure with the field as zero, stored little-endian.
 */

/** The block size of what is written. */
export const BLOCK = 4096;
/** Unit of disk addresses in headers (xfs_daddr_t), in bytes. */
export const DADDR = 512;
/** No block, no inode. */
export const NULL32 = 0xffff_ffff;
/** Inodes of one record of the inode btree. */
export const CHUNK = 64;
/** Inodes that every file system has first: the root, and two of the real-time section. */
export const RESERVED_INODES = 3;
/** The most blocks of one extent: 21 bits. */
export const EXTENT_MAX = 2 ** 21 - 1;

/** struct xfs_dsb */
export const Superblock = struct('xfs superblock', 264, {
  magic: u32be,
  blockSize: u32be,
  blocks: u64be, // sb_dblocks
  realtimeBlocks: u64be,
  realtimeExtents: u64be,
  uuid: at(32, raw(16)),
  logStart: u64be,
  root: at(56, u64be), // sb_rootino
  bitmapInode: u64be, // sb_rbmino
  summaryInode: u64be, // sb_rsumino
  realtimeExtentSize: u32be,
  groupBlocks: at(84, u32be), // sb_agblocks
  groups: u32be, // sb_agcount
  bitmapBlocks: u32be,
  logBlocks: u32be,
  version: at(100, u16be), // sb_versionnum
  sectorSize: u16be,
  inodeSize: u16be,
  inodesPerBlock: u16be,
  label: at(108, raw(12)), // sb_fname
  blockBits: u8,
  sectorBits: u8,
  inodeBits: u8,
  inodesPerBlockBits: u8,
  groupBits: u8, // sb_agblklog
  realtimeExtentBits: u8,
  inProgress: u8,
  inodePercent: u8, // sb_imax_pct
  inodes: at(128, u64be), // sb_icount
  freeInodes: u64be, // sb_ifree
  freeBlocks: u64be, // sb_fdblocks
  freeRealtime: u64be,
  userQuota: at(160, u64be),
  groupQuota: u64be,
  quotaFlags: u16be,
  flags: u8,
  sharedVersion: u8,
  inodeAlignment: at(180, u32be), // sb_inoalignmt
  unit: u32be,
  width: u32be,
  directoryBits: u8, // sb_dirblklog
  logSectorBits: u8,
  logSectorSize: u16be,
  logUnit: at(196, u32be), // sb_logsunit
  features2: u32be,
  badFeatures2: u32be,
  compat: at(208, u32be),
  roCompat: u32be,
  incompat: u32be,
  logIncompat: u32be,
  checksum: at(224, u32),
  sparseAlignment: u32be, // sb_spino_align
  projectQuota: u64be,
  lsn: at(240, u64be),
  metaUuid: raw(16),
});
export const SUPERBLOCK_MAGIC = 0x58465342;

/** Bits of sb_versionnum; the low four bits are the version. */
export const VERSION = {
  attr: 0x10,
  nlink: 0x20,
  align: 0x80,
  logV2: 0x400,
  sector: 0x800,
  extent: 0x1000,
  dirV2: 0x2000,
  more: 0x8000,
} as const;
/** Bits of sb_features2: lazy counters, attr2, 32-bit project ids, checksums. */
export const FEATURES2 = 0x2 | 0x8 | 0x80 | 0x100;
/** Bits of sb_features_ro_compat, as mkfs.xfs names them. */
export const RO_COMPAT = { finobt: 0x1, rmapbt: 0x2, reflink: 0x4, inobtcount: 0x8 } as const;
/** Bits of sb_features_incompat. */
export const INCOMPAT = {
  ftype: 0x1,
  sparse: 0x2,
  meta_uuid: 0x4,
  bigtime: 0x8,
  needsrepair: 0x10,
  nrext64: 0x20,
  exchange: 0x40,
  parent: 0x80,
  metadir: 0x100,
} as const;

/** struct xfs_agf: free space of an allocation group. */
export const FreeHeader = struct('xfs AGF', 224, {
  magic: u32be,
  version: u32be,
  group: u32be,
  blocks: u32be,
  byBlockRoot: at(16, u32be),
  bySizeRoot: u32be,
  rmapRoot: u32be,
  byBlockLevels: at(28, u32be),
  bySizeLevels: u32be,
  rmapLevels: u32be,
  listFirst: at(40, u32be), // agf_flfirst
  listLast: u32be,
  listCount: u32be,
  freeBlocks: at(52, u32be),
  longest: u32be,
  btreeBlocks: u32be,
  uuid: at(64, raw(16)),
  rmapBlocks: u32be,
  refcountBlocks: u32be,
  refcountRoot: u32be,
  refcountLevels: u32be,
  spare: raw(112),
  lsn: at(208, u64be),
  checksum: at(216, u32),
  spare2: u32be,
});
export const FREE_MAGIC = 0x58414746;

/** struct xfs_agi: inodes of an allocation group. */
export const InodeHeader = struct('xfs AGI', 344, {
  magic: u32be,
  version: u32be,
  group: u32be,
  blocks: u32be,
  inodes: at(16, u32be),
  root: u32be,
  levels: u32be,
  freeInodes: u32be,
  newInode: u32be,
  directoryInode: u32be,
  unlinked: at(40, array(64, u32be)),
  uuid: at(296, raw(16)),
  checksum: at(312, u32),
  pad: u32be,
  lsn: at(320, u64be),
  freeRoot: at(328, u32be),
  freeLevels: u32be,
  inodeBlocks: u32be,
  freeInodeBlocks: u32be,
});
export const INODE_HEADER_MAGIC = 0x58414749;

/** struct xfs_agfl, followed by block numbers to the end of the sector. */
export const FreeList = struct('xfs AGFL', 36, {
  magic: u32be,
  group: u32be,
  uuid: raw(16),
  lsn: at(24, u64be),
  checksum: at(32, u32),
});
export const FREE_LIST_MAGIC = 0x5841464c;

/** struct xfs_btree_block with short pointers: of an allocation group. */
export const ShortBlock = struct('xfs btree block', 56, {
  magic: u32be,
  level: u16be,
  count: u16be,
  left: u32be,
  right: u32be,
  address: at(16, u64be),
  lsn: u64be,
  uuid: at(32, raw(16)),
  owner: u32be,
  checksum: at(52, u32),
});

/** struct xfs_btree_block with long pointers: of an inode's extents. */
export const LongBlock = struct('xfs extent btree block', 72, {
  magic: u32be,
  level: u16be,
  count: u16be,
  left: at(8, u64be),
  right: u64be,
  address: at(24, u64be),
  lsn: u64be,
  uuid: at(40, raw(16)),
  owner: u64be,
  checksum: at(64, u32),
  pad: u32be,
});

/** Magic numbers of btree blocks. */
export const BTREE = {
  byBlock: 0x41423342, // AB3B
  bySize: 0x41423343, // AB3C
  inodes: 0x49414233, // IAB3
  freeInodes: 0x46494233, // FIB3
  rmap: 0x524d4233, // RMB3
  refcount: 0x52334643, // R3FC
  extents: 0x424d4133, // BMA3
} as const;

/** struct xfs_dinode, version 3. Forks follow. */
export const Inode = struct('xfs inode', 176, {
  magic: u16be,
  mode: u16be,
  version: u8,
  format: u8,
  oldLinks: u16be,
  uid: at(8, u32be),
  gid: u32be,
  links: u32be,
  projectLow: u16be,
  projectHigh: u16be,
  extents64: at(24, u64be), // di_big_nextents, with nrext64
  atime: at(32, raw(8)),
  mtime: raw(8),
  ctime: raw(8),
  size: at(56, u64be),
  blocks: u64be,
  extentSize: u32be,
  extents: at(76, u32be), // di_nextents, or di_big_anextents
  attrExtents: u16be, // di_anextents
  forkOffset: u8, // di_forkoff, in units of eight bytes
  attrFormat: u8,
  dm: raw(6),
  flags: at(90, u16be),
  generation: u32be,
  nextUnlinked: at(96, u32be),
  checksum: at(100, u32),
  changes: u64be,
  lsn: u64be,
  flags2: at(120, u64be),
  cowExtentSize: u32be,
  pad: raw(12),
  crtime: at(144, raw(8)),
  number: u64be,
  uuid: raw(16),
});
export const INODE_MAGIC = 0x494e;
/** Values of di_format and di_aformat. */
export const FORMAT = { device: 0, local: 1, extents: 2, btree: 3 } as const;
/** Bits of di_flags. */
export const FLAG = { realtime: 0x1, newBitmap: 0x4 } as const;
/** Bits of di_flags2. */
export const FLAG2 = { bigtime: 0x8, nrext64: 0x10, metadata: 0x20 } as const;

/** Where directories begin what is not data, in bytes of the file (XFS_DIR2_LEAF_OFFSET, XFS_DIR2_FREE_OFFSET). */
export const LEAF_OFFSET = 2 ** 35;
export const FREE_OFFSET = 2 ** 36;

/** struct xfs_dir3_data_hdr */
export const DirectoryBlock = struct('xfs directory block', 64, {
  magic: u32be,
  checksum: u32,
  address: u64be,
  lsn: u64be,
  uuid: at(24, raw(16)),
  owner: u64be,
  bestFree: at(48, array(6, u16be)), // offset and length of the three longest free runs
  pad: u32be,
});
export const DIRECTORY_BLOCK_MAGIC = 0x58444233; // XDB3: the only block, with its leaf
export const DIRECTORY_DATA_MAGIC = 0x58444433; // XDD3
/** Marks a free run among directory entries. */
export const FREE_TAG = 0xffff;

/** struct xfs_dir3_free_hdr, followed by the longest free run of each data block. */
export const DirectoryFree = struct('xfs directory free block', 64, {
  magic: u32be,
  checksum: u32,
  address: u64be,
  lsn: u64be,
  uuid: at(24, raw(16)),
  owner: u64be,
  first: at(48, u32be),
  valid: u32be,
  used: u32be,
  pad: u32be,
});
export const DIRECTORY_FREE_MAGIC = 0x58444633; // XDF3

/** struct xfs_da3_blkinfo with the counters of leaves and nodes, which differ in width. */
export const HashBlock = struct('xfs hash block', 64, {
  forward: u32be,
  back: u32be,
  magic: u16be,
  pad: u16be,
  checksum: u32,
  address: at(16, u64be),
  lsn: u64be,
  uuid: at(32, raw(16)),
  owner: u64be,
  count: at(56, u16be),
  /** The level of a node; stale entries of a directory's leaf. */
  level: u16be,
  pad2: u32be,
});
/** Magic numbers of hash blocks: node, a directory's only leaf, one of several, a leaf of attributes. */
export const HASH = { node: 0x3ebe, leaf1: 0x3df1, leafN: 0x3dff, attributes: 0x3bee } as const;

/** struct xfs_attr3_leaf_hdr */
export const AttributeLeaf = struct('xfs attribute leaf', 80, {
  forward: u32be,
  back: u32be,
  magic: u16be,
  pad: u16be,
  checksum: u32,
  address: at(16, u64be),
  lsn: u64be,
  uuid: at(32, raw(16)),
  owner: u64be,
  count: at(56, u16be),
  usedBytes: u16be,
  firstUsed: u16be,
  holes: u8,
  pad1: u8,
  freeMap: array(6, u16be),
  pad2: u32be,
});
/** Bits of an attribute's flags: its value is in the leaf; its namespace; being removed; a parent pointer. */
export const ATTRIBUTE = { local: 0x1, root: 0x2, secure: 0x4, parent: 0x8, incomplete: 0x80 } as const;

/** struct xfs_attr3_rmt_hdr and xfs_dsymlink_hdr, which are alike. */
export const RemoteBlock = struct('xfs remote block', 56, {
  magic: u32be,
  offset: u32be,
  bytes: u32be,
  checksum: u32,
  uuid: at(16, raw(16)),
  owner: u64be,
  address: u64be,
  lsn: u64be,
});
export const REMOTE_ATTRIBUTE_MAGIC = 0x5841524d; // XARM
export const SYMLINK_MAGIC = 0x58534c4d; // XSLM

/** File types of directory entries. */
export const FILE_TYPE = { file: 1, directory: 2, char: 3, block: 4, fifo: 5, socket: 6, symlink: 7 } as const;

/** Owners of blocks that belong to no inode, in the reverse mapping (XFS_RMAP_OWN_…): 2^64 less this. */
export const OWNER = { fs: 3, log: 4, group: 5, inodeTree: 6, inodes: 7, refcount: 8 } as const;
