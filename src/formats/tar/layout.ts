import { array, at, raw, struct, text, u8 } from '../../bytes/struct.ts';

/** Headers, data and the end marker are all made of blocks of this many bytes. */
export const BLOCK = 512;
/** GNU tar pads archives to a whole number of records, 20 blocks each. */
export const RECORD = 20 * BLOCK;

/**
 * POSIX ustar header (IEEE Std 1003.1, pax, "ustar Interchange Format"). Numbers are octal text, or base-256 with the
 * first bit set where the number does not fit (GNU tar, star).
 */
export const Header = struct('tar header', BLOCK, {
  name: text(100),
  mode: text(8),
  uid: text(8),
  gid: text(8),
  size: at(124, text(12)),
  mtime: text(12),
  checksum: at(148, text(8)), // chksum: sum of all bytes with these eight taken as blanks
  type: text(1), // typeflag
  link: at(157, text(100)), // linkname
  magic: at(257, raw(8)), // magic and version
  user: text(32), // uname
  group: text(32), // gname
  devMajor: at(329, text(8)),
  devMinor: text(8),
  prefix: at(345, text(155)),
  unused: raw(12),
});

/** "ustar", NUL, version "00". Readers take any version. */
export const USTAR = 'ustar\0';
/** GNU tar's magic and version, as in its header.h (OLDGNU_MAGIC). */
export const OLD_GNU = 'ustar  \0';
/** star marks its headers at byte 508; their prefix has 131 bytes, times follow it. */
export const STAR_TRAILER = 'tar\0';
/** Bytes of the prefix in star's headers. */
export const STAR_PREFIX = 131;

/** Part of a GNU header that is where ustar has the prefix (struct oldgnu_header). */
export const GnuHeader = struct('tar GNU header', BLOCK, {
  common: raw(345),
  atime: text(12),
  ctime: text(12),
  volumeOffset: text(12), // offset
  longNames: text(4), // obsolete
  unused: raw(1),
  sparse: at(386, array(4, raw(24))), // struct sparse: offset and numbytes, 12 bytes each
  isExtended: at(482, u8),
  realSize: text(12), // realsize
  pad: raw(17),
});

/** A block of further sparse entries (struct sparse_header). */
export const GnuSparseBlock = struct('tar GNU sparse block', BLOCK, {
  sparse: array(21, raw(24)),
  isExtended: at(504, u8),
  unused: raw(7),
});

/** Values of the type byte. */
export const TYPE = {
  file: '0',
  oldFile: '\0',
  contiguous: '7',
  link: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  paxNext: 'x',
  paxGlobal: 'g',
  solarisPax: 'X',
  solarisAcl: 'A',
  gnuLongName: 'L',
  gnuLongLink: 'K',
  gnuSparse: 'S',
  gnuDumpDirectory: 'D',
  gnuLabel: 'V',
} as const;

/** Prefix of pax keywords that carry an extended attribute as raw bytes. */
export const SCHILY_XATTR = 'SCHILY.xattr.';
/** The same from libarchive: the name percent-encoded, the value in base64. */
export const LIBARCHIVE_XATTR = 'LIBARCHIVE.xattr.';
/** The SELinux context as GNU tar writes it, without the NUL the kernel keeps. */
export const SELINUX = 'RHT.security.selinux';
/** An NFSv4 access control list as text, from Solaris, FreeBSD and macOS. */
export const NFS4_ACL = 'SCHILY.acl.ace';
