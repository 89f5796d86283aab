import { latin1 } from '../../bytes/struct.ts';
import { BLOCK, Header, OLD_GNU, STAR_PREFIX, STAR_TRAILER, USTAR } from './layout.ts';

/** The fields of a header block, before pax records and GNU long names change them. */
export interface RawHeader {
  readonly name: string;
  readonly link: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly user: string;
  readonly group: string;
  readonly major: number;
  readonly minor: number;
}

/** Why a header cannot be used; the reader adds where. */
export class HeaderError extends Error {}

const { offset: AT } = Header;

/** True when a block is all zeros, as the end marker is. */
export function isZeroBlock(block: Uint8Array): boolean {
  for (let i = 0; i < BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

/** True when the checksum is right, summed over unsigned bytes as in POSIX, or signed as in some old tars. */
export function checksumHolds(block: Uint8Array): boolean {
  let stated: number;
  try {
    stated = number(block, AT.checksum, 8, 'checksum');
  } catch {
    return false;
  }
  let sum = 8 * 0x20;
  let high = 0;
  for (let i = 0; i < AT.checksum; i++) {
    sum += block[i]!;
    high += block[i]! >> 7;
  }
  for (let i = AT.type; i < BLOCK; i++) {
    sum += block[i]!;
    high += block[i]! >> 7;
  }
  return sum === stated || sum - 256 * high === stated;
}

/** True when these bytes begin a tar archive: a header with a right checksum. An empty archive is one of zeros. */
export function isTar(first: Uint8Array): boolean {
  return first.length >= BLOCK && first[0] !== 0 && checksumHolds(first);
}

/** Reads a header block whose checksum holds. */
export function readHeader(block: Uint8Array): RawHeader {
  const gnu = begins(block, AT.magic, OLD_GNU);
  const posix = !gnu && begins(block, AT.magic, USTAR);
  const known = gnu || posix;
  const type = String.fromCharCode(block[AT.type]!);
  let name = textAt(block, AT.name, 100);
  if (posix && block[AT.prefix] !== 0) {
    const star = latin1(block.subarray(508, BLOCK)) === STAR_TRAILER;
    const prefix = textAt(block, AT.prefix, star ? STAR_PREFIX : 155);
    if (prefix !== '') name = `${prefix}/${name}`;
  }
  const device = type === '3' || type === '4';
  return {
    name,
    link: block[AT.link] === 0 ? '' : textAt(block, AT.link, 100),
    type,
    mode: number(block, AT.mode, 8, 'mode'),
    uid: number(block, AT.uid, 8, 'uid'),
    gid: number(block, AT.gid, 8, 'gid'),
    size: number(block, AT.size, 12, 'size'),
    mtime: number(block, AT.mtime, 12, 'mtime'),
    user: known && block[AT.user] !== 0 ? textAt(block, AT.user, 32) : '',
    group: known && block[AT.group] !== 0 ? textAt(block, AT.group, 32) : '',
    major: device ? number(block, AT.devMajor, 8, 'device number') : 0,
    minor: device ? number(block, AT.devMinor, 8, 'device number') : 0,
  };
}

function begins(block: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (block[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Text up to the first NUL, as a byte string. */
export function textAt(block: Uint8Array, from: number, size: number): string {
  let end = from;
  while (end < from + size && block[end] !== 0) end++;
  return latin1(block.subarray(from, end));
}

/**
 * A number in octal text or base-256. Blank is 0. As GNU tar has it, one NUL may stand in front, which an old tar wrote when
 * the field before it overflowed; after two there is no number.
 */
export function number(block: Uint8Array, from: number, size: number, what: string): number {
  if (block[from]! & 0x80) return base256(block, from, size, what);
  let i = from;
  const end = from + size;
  if (block[i] === 0) i++;
  while (i < end && block[i] === 0x20) i++;
  let value = 0;
  for (; i < end; i++) {
    const digit = block[i]!;
    if (digit === 0 || digit === 0x20) break;
    if (digit < 0x30 || digit > 0x37) throw new HeaderError(`the ${what} is not a number`);
    value = value * 8 + (digit - 0x30); // 12 octal digits stay exact
  }
  return value;
}

// big-endian two's complement; the first bit marks the encoding, the next one is the sign
function base256(block: Uint8Array, from: number, size: number, what: string): number {
  const negative = (block[from]! & 0x40) !== 0;
  let value = negative ? 0x7f - (block[from]! & 0x7f) : block[from]! & 0x3f;
  for (let i = from + 1; i < from + size; i++) {
    value = value * 256 + (negative ? 0xff - block[i]! : block[i]!);
    if (value > Number.MAX_SAFE_INTEGER) throw new HeaderError(`the ${what} is too large`);
  }
  return negative ? -value - 1 : value;
}
