import { at, i64, raw, struct, u8, u16, u32, u64 } from '../../bytes/struct.ts';

/**
 * The records of EROFS as the kernel has them in fs/erofs/erofs_fs.h, with its spelling in comments. All numbers are
 * little-endian.
 */

/** Where the superblock begins. */
export const SUPERBLOCK_OFFSET = 1024;
export const MAGIC = 0xe0f5e1e2;
/** The block size of what is written; also the size of logical clusters. */
export const BLOCK = 4096;
/** Inodes begin at multiples of this; their number (nid) counts in it. */
export const SLOT = 32;
/** Marks a file without blocks, and a hole. */
export const NO_BLOCK = 0xffffffff;

/** struct erofs_super_block */
export const Superblock = struct('erofs superblock', 128, {
  magic: u32,
  checksum: u32,
  compat: u32, // feature_compat
  blockBits: u8, // blkszbits
  extensionSlots: u8, // sb_extslots: 16 bytes each
  rootNid: u16, // root_nid, or the high blocks with the feature 48bit
  inodes: at(16, u64), // inos
  epoch: at(24, i64), // the time of compact inodes
  epochNanoseconds: u32,
  blocks: at(36, u32),
  metaBlock: u32, // meta_blkaddr
  xattrBlock: u32, // xattr_blkaddr
  uuid: at(48, raw(16)),
  label: at(64, raw(16)), // volume_name
  incompat: at(80, u32), // feature_incompat
  compression: u16, // lz4_max_distance, or available_compr_algs with the feature compr_cfgs
  extraDevices: u16,
  deviceSlot: u16, // devt_slotoff
  directoryBlockBits: u8, // dirblkbits
  prefixCount: u8, // xattr_prefix_count
  prefixStart: u32,
  packedNid: at(96, u64),
  xattrFilter: u8, // xattr_filter_reserved
  rest: raw(23),
});

/** Bits of feature_compat. */
export const COMPAT = { sb_chksum: 1, mtime: 2, xattr_filter: 4 } as const;

/** Bits of feature_incompat, by the kernel's names. */
export const INCOMPAT = {
  zero_padding: 0x1,
  compr_cfgs: 0x2,
  chunked_file: 0x4,
  device_table: 0x8,
  ztailpacking: 0x10,
  fragments: 0x20,
  xattr_prefixes: 0x40,
  '48bit': 0x80,
  metabox: 0x100,
} as const;

/** struct erofs_inode_compact */
export const CompactInode = struct('compact erofs inode', 32, {
  format: u16,
  xattrCount: u16, // i_xattr_icount
  mode: u16,
  links: u16,
  size: u32,
  timeDelta: u32,
  u: at(16, u32),
  ino: u32,
  uid: u16,
  gid: u16,
  reserved: u32,
});

/** struct erofs_inode_extended */
export const ExtendedInode = struct('extended erofs inode', 64, {
  format: u16,
  xattrCount: u16,
  mode: u16,
  reserved: u16,
  size: u64,
  u: at(16, u32),
  ino: u32,
  uid: u32,
  gid: u32,
  mtime: at(32, i64),
  nanoseconds: u32,
  links: u32,
  rest: raw(16),
});

/** Bit of i_format for {@link ExtendedInode}. */
export const EXTENDED = 1;

/** How the data of an inode is stored: bits 1 to 3 of i_format. */
export const LAYOUT = { plain: 0, fullIndex: 1, inline: 2, compactIndex: 3, chunks: 4 } as const;

/** struct erofs_dirent */
export const Dirent = struct('erofs directory entry', 12, { nid: u64, nameOffset: u16, type: u8, reserved: u8 });

/** File types of directory entries. */
export const FILE_TYPE = { file: 1, directory: 2, char: 3, block: 4, fifo: 5, socket: 6, symlink: 7 } as const;

/** struct erofs_xattr_ibody_header, before the numbers of shared attributes (u32 each) and the inode's own ones. */
export const XattrHeader = struct('erofs xattr header', 12, { nameFilter: u32, sharedCount: u8, rest: raw(7) });

/** struct erofs_xattr_entry, followed by name and value, padded to 4 bytes. */
export const XattrEntry = struct('erofs xattr entry', 4, { nameLength: u8, nameIndex: u8, valueSize: u16 });

/** Prefixes of attribute names by e_name_index. The second and third are whole names. */
export const XATTR_PREFIXES: readonly (readonly [index: number, prefix: string])[] = [
  [1, 'user.'],
  [2, 'system.posix_acl_access'],
  [3, 'system.posix_acl_default'],
  [4, 'trusted.'],
  [6, 'security.'],
];

/** struct z_erofs_map_header, before the index of a compressed file. */
export const MapHeader = struct('erofs map header', 8, {
  fragmentOffset: u16, // the low half; the high half is the next field
  inlineSize: u16, // h_idata_size
  advise: u16,
  algorithms: u8, // h_algorithmtype: HEAD1 in the low four bits
  clusterBits: u8,
});

/** Bits of h_advise. */
export const ADVISE = {
  compact2: 0x1,
  bigCluster1: 0x2,
  bigCluster2: 0x4,
  inlineCluster: 0x8,
  interlaced: 0x10,
  fragment: 0x20,
} as const;

/** Bit of h_clusterbits: the whole file is a fragment. */
export const WHOLE_FRAGMENT = 0x80;

/** Types of logical clusters: what their record says. */
export const CLUSTER = { plain: 0, head1: 1, nonHead: 2, head2: 3 } as const;

/** Marks the record behind a head whose value is the number of blocks of its physical cluster. */
export const BLOCK_COUNT = 0x800;

/** struct z_erofs_lcluster_index, of the uncompacted form. */
export const FullIndex = struct('erofs cluster index', 8, { advise: u16, offset: u16, u: u32 });

/** Chunk format in the inode's `u`. */
export const CHUNK = { bits: 0x1f, indexes: 0x20 } as const;

/** The largest number of bytes that a compressed extent decodes to here; the kernel itself takes more. */
export const EXTENT_LIMIT = 1 << 20;
