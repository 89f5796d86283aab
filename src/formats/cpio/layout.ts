import { array, at, hex, struct, text, u16, u16be } from '../../bytes/struct.ts';

/** First bytes of each entry of the "new ASCII" format that the kernel unpacks. */
export const NEWC = '070701';
/** The same with a checksum of the data: the sum of its bytes. */
export const CRC = '070702';
/** The portable format of POSIX.1 ("odc"): octal text, no padding. */
export const ODC = '070707';
/** The old binary format's magic, in the byte order of the machine that wrote it. */
export const BINARY = 0o070707;
/** Name of the entry that ends an archive. */
export const TRAILER = 'TRAILER!!!';
/** Archives are padded to this many bytes, as GNU cpio does. */
export const BLOCK = 512;
/** Largest file newc can hold: sizes have eight hex digits. */
export const SIZE_MAX = 0xffff_ffff;

/** Header of newc and crc entries (kernel: Documentation/driver-api/early-userspace/buffer-format.rst). */
export const Header = struct('cpio newc header', 110, {
  magic: text(6),
  ino: at(6, hex(8)),
  mode: hex(8),
  uid: hex(8),
  gid: hex(8),
  nlink: at(38, hex(8)),
  mtime: hex(8),
  size: hex(8), // filesize
  major: hex(8), // maj: of the device the file is on
  minor: hex(8), // min
  deviceMajor: hex(8), // rmaj: of the device it is
  deviceMinor: hex(8), // rmin
  nameSize: at(94, hex(8)), // namesize, with the NUL
  check: at(102, hex(8)), // chksum
});

/** Header of odc entries, octal text (POSIX.1-1988). */
export const OdcHeader = struct('cpio odc header', 76, {
  magic: text(6),
  dev: text(6),
  ino: text(6),
  mode: text(6),
  uid: text(6),
  gid: text(6),
  nlink: text(6),
  rdev: text(6),
  mtime: text(11),
  nameSize: at(59, text(6)),
  size: text(11),
});

/** Header of old binary entries; 32-bit numbers are two words, the high one first whatever the byte order. */
export const BinaryHeader = {
  little: struct('cpio binary header', 26, binaryFields(u16)),
  big: struct('cpio binary header', 26, binaryFields(u16be)),
};

function binaryFields(word: typeof u16) {
  return {
    magic: word,
    dev: word,
    ino: word,
    mode: word,
    uid: word,
    gid: word,
    nlink: word,
    rdev: word,
    mtime: array(2, word),
    nameSize: word,
    size: array(2, word),
  };
}
