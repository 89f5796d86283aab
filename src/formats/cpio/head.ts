import { latin1 } from '../../bytes/struct.ts';
import { BINARY, BinaryHeader, CRC, Header, NEWC, ODC, OdcHeader } from './layout.ts';

/** An entry's header, in any of the formats. */
export interface Head {
  readonly format: 'newc' | 'crc' | 'odc' | 'binary';
  /** Names the file within its archive, for hard links: device and inode number. */
  readonly identity: string;
  /** st_mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
  /** Bytes of data. */
  readonly size: number;
  /** Sum of the data's bytes, in the crc format. */
  readonly check: number;
  /** Bytes of the name with its NUL. */
  readonly nameSize: number;
  readonly namePadding: number;
  readonly dataPadding: number;
}

/** Bytes that {@link headerSize} needs. */
export const MAGIC_BYTES = 6;

/** True when these are the first bytes of a cpio archive. */
export function isCpio(first: Uint8Array): boolean {
  return headerSize(first) !== undefined;
}

/** Size of the header that begins with these bytes, or undefined when they are not the start of a header. */
export function headerSize(first: Uint8Array): number | undefined {
  if (first.length < 2) return undefined;
  const magic = latin1(first.subarray(0, MAGIC_BYTES));
  if (magic === NEWC || magic === CRC) return Header.size;
  if (magic === ODC) return OdcHeader.size;
  return binaryOf(first) === undefined ? undefined : BinaryHeader.little.size;
}

function binaryOf(first: Uint8Array): 'little' | 'big' | undefined {
  const word = first[0]! + first[1]! * 256;
  if (word === BINARY) return 'little';
  return (word & 0xff) * 256 + (word >> 8) === BINARY ? 'big' : undefined;
}

/** Reads a header of the size that {@link headerSize} returned; returns a string with the reason when it is invalid. */
export function readHead(bytes: Uint8Array): Head | string {
  const magic = latin1(bytes.subarray(0, MAGIC_BYTES));
  if (magic === NEWC || magic === CRC) return newcHead(bytes, magic);
  if (magic === ODC) return odcHead(bytes);
  return binaryHead(bytes);
}

function newcHead(bytes: Uint8Array, magic: string): Head | string {
  const h = Header.read(bytes);
  for (const [field, value] of Object.entries(h)) if (Number.isNaN(value)) return `the ${field} is not a number`;
  return {
    format: magic === CRC ? 'crc' : 'newc',
    identity: `${h.major}:${h.minor}:${h.ino}`,
    mode: h.mode,
    uid: h.uid,
    gid: h.gid,
    nlink: h.nlink,
    mtime: h.mtime,
    major: h.deviceMajor,
    minor: h.deviceMinor,
    size: h.size,
    check: h.check,
    nameSize: h.nameSize,
    namePadding: -(Header.size + h.nameSize) & 3,
    dataPadding: -h.size & 3,
  };
}

function odcHead(bytes: Uint8Array): Head | string {
  const h = OdcHeader.read(bytes);
  const values: Record<string, number> = {};
  for (const [field, digits] of Object.entries(h)) {
    if (!/^[0-7]+$/.test(digits)) return `the ${field} is not a number`;
    values[field] = Number.parseInt(digits, 8);
  }
  const { dev, ino, mode, uid, gid, nlink, rdev, mtime, nameSize, size } = values as Record<keyof typeof h, number>;
  return {
    format: 'odc',
    identity: `${dev}:${ino}`,
    mode,
    uid,
    gid,
    nlink,
    mtime,
    major: rdev >> 8,
    minor: rdev & 0xff,
    size,
    check: 0,
    nameSize,
    namePadding: 0,
    dataPadding: 0,
  };
}

function binaryHead(bytes: Uint8Array): Head {
  const h = BinaryHeader[binaryOf(bytes)!].read(bytes);
  const wide = ([high = 0, low = 0]: readonly number[]) => high * 65536 + low;
  const size = wide(h.size);
  return {
    format: 'binary',
    identity: `${h.dev}:${h.ino}`,
    mode: h.mode,
    uid: h.uid,
    gid: h.gid,
    nlink: h.nlink,
    mtime: wide(h.mtime),
    major: h.rdev >> 8,
    minor: h.rdev & 0xff,
    size,
    check: 0,
    nameSize: h.nameSize,
    namePadding: h.nameSize & 1,
    dataPadding: size & 1,
  };
}
