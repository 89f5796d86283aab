import type { Content, Extent, FileContent } from '../../bytes/content.ts';
import { type Part, packed } from '../../bytes/packed.ts';
import { dataOf, dataSize } from '../../bytes/sparse.ts';
import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import type { Inode } from '../../tree/inode.ts';
import { type LinkCounts, linkCounts } from '../../tree/link-counts.ts';
import { basename, dirname, display, join } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { BLOCK, Header, RECORD, SCHILY_XATTR, TYPE, USTAR } from './layout.ts';
import { mapBlocks, wholeBlocks } from './sparse.ts';

/** How to write a tar archive. */
export interface TarOptions {
  /** Write the user and group names that inodes carry (default: only numbers). */
  readonly names?: boolean;
  /** Write files with holes as GNU sparse format 1.0 (default), else in full. */
  readonly sparse?: boolean;
  /** Pad the archive to a multiple of this many bytes; GNU tar's record of 10240 by default. */
  readonly record?: number;
}

/** Largest numbers that fit octal text of 7 and 11 digits. */
const OCTAL_7 = 0o7777777;
const OCTAL_11 = 0o77777777777;

/** What is written for one name of a tree. */
interface Member {
  /** As `tar -C root -c .` spells it: `./usr/`. */
  readonly path: string;
  readonly type: string;
  readonly inode: Inode;
  readonly link: string;
  /** Bytes behind the header: a sparse map included. */
  readonly size: number;
  readonly content?: Content;
  /** Data of a sparse file by extents. */
  readonly extents?: readonly Extent[];
}

/**
 * A tree as a tar archive: parents first, names in byte order, a hard-linked file's data with its first name; ustar
 * where it suffices, pax records for what it cannot hold (long names, large numbers, fractions of seconds, xattrs,
 * holes). The same tree gives the same bytes.
 *
 * @example
 * ```ts
 * import { pour, tarArchive, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.makeDirectory('etc');
 * const { size } = await pour(tarArchive(tree).open(), 'small.tar');
 * console.log(size % 512); // prints: 0
 * ```
 */
export function tarArchive(tree: Tree, options: TarOptions = {}): Content {
  const record = options.record ?? RECORD;
  if (record < BLOCK || record % BLOCK !== 0) throw new RangeError(`a record of ${record} bytes`);
  const { several } = linkCounts(tree.root);
  let members = 0;
  for (const member of plan(tree, several, options))
    members += headSize(member, options) + member.size + padding(member.size);
  const size = Math.ceil((members + 2 * BLOCK) / record) * record;
  return { size, open: () => packed(parts(tree, several, options, size - members)) };
}

function* parts(tree: Tree, several: Several, options: TarOptions, end: number): Generator<Part> {
  for (const member of plan(tree, several, options)) {
    const map = member.extents && mapBlocks(member.extents, (member.content as Content).size);
    const content = member.extents
      ? dataOf(member.content as FileContent, member.extents, member.path)
      : member.content;
    const head = headSize(member, options) + (map?.length ?? 0);
    yield {
      head,
      path: member.path,
      write(into, at) {
        const next = writeHead(member, options, into, at);
        if (map !== undefined) into.set(map, next);
      },
      ...(content === undefined ? {} : { content }),
      padding: padding(member.size),
    };
  }
  yield { head: 0, path: 'the end marker', write() {}, padding: end };
}

/** Zeros up to the next block. */
function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** Inodes with several names. */
type Several = LinkCounts['several'];

function* plan(tree: Tree, several: Several, options: TarOptions): Generator<Member> {
  const first = new Map<Inode, string>();
  for (const { path: where, inode } of tree.walk()) {
    const path = where === '' ? './' : inode.kind === 'directory' ? `./${where}/` : `./${where}`;
    const linked = inode.kind !== 'directory' && several.has(inode);
    const earlier = linked ? first.get(inode) : undefined;
    if (earlier !== undefined) {
      yield { path, type: TYPE.link, inode, link: earlier, size: 0 };
      continue;
    }
    if (linked) first.set(inode, path);
    switch (inode.kind) {
      case 'file': {
        const { content } = inode;
        const extents = content.extents && wholeBlocks(content.extents, content.size);
        if (options.sparse !== false && extents !== undefined && worthwhile(extents, content.size)) {
          const size = mapBlocks(extents, content.size).length + dataSize(extents);
          yield { path, type: TYPE.file, inode, link: '', size, content, extents };
        } else yield { path, type: TYPE.file, inode, link: '', size: content.size, content };
        break;
      }
      case 'symlink':
        yield { path, type: TYPE.symlink, inode, link: inode.target, size: 0 };
        break;
      case 'char':
      case 'block':
        if (inode.major > OCTAL_7 || inode.minor > OCTAL_7) throw notStorable(path, 'its device number is too large');
        yield { path, type: TYPE[inode.kind], inode, link: '', size: 0 };
        break;
      case 'directory':
      case 'fifo':
        yield { path, type: TYPE[inode.kind], inode, link: '', size: 0 };
        break;
      case 'socket':
        throw notStorable(path, 'it is a socket, for which tar has no type');
      default:
        throw new TypeError(`no such kind: ${(inode satisfies never as Inode).kind}`);
    }
  }
}

function notStorable(path: string, reason: string): BuildError {
  return new BuildError('ENTRY_NOT_STORABLE', { path: display(path.slice(2)), format: 'tar', reason });
}

/** Holes must save at least what the map and the longer header cost. */
function worthwhile(extents: readonly Extent[], size: number): boolean {
  return dataSize(extents) + 4 * BLOCK + extents.length * 32 < size;
}

const NO_RECORDS: readonly (readonly [string, string])[] = [];

/** The pax records of a member, empty where ustar holds everything. */
function paxOf(member: Member, options: TarOptions): readonly (readonly [keyword: string, value: string])[] {
  const { inode, path, link } = member;
  // nearly all members: this is asked several times for each of tens of thousands
  if (
    member.extents === undefined &&
    path.length <= 100 &&
    link.length <= 100 &&
    options.names !== true &&
    inode.uid <= OCTAL_7 &&
    inode.gid <= OCTAL_7 &&
    member.size <= OCTAL_11 &&
    inode.mtime >= 0 &&
    inode.mtime <= OCTAL_11 &&
    !inode.nanoseconds &&
    inode.xattrs === undefined
  )
    return NO_RECORDS;
  const records: [string, string][] = [];
  const texts: string[] = [];
  const add = (keyword: string, value: string) => {
    records.push([keyword, value]);
    texts.push(value);
  };
  if (member.extents !== undefined) {
    records.push(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0']);
    add('GNU.sparse.name', path);
    records.push(['GNU.sparse.realsize', String(member.content!.size)]);
  } else if (path.length > 100 && splitAt(path) < 0) add('path', path);
  if (link.length > 100) add('linkpath', link);
  if (options.names === true) {
    if ((inode.user?.length ?? 0) > 31) add('uname', inode.user!);
    if ((inode.group?.length ?? 0) > 31) add('gname', inode.group!);
  }
  if (inode.uid > OCTAL_7) records.push(['uid', String(inode.uid)]);
  if (inode.gid > OCTAL_7) records.push(['gid', String(inode.gid)]);
  if (member.size > OCTAL_11) records.push(['size', String(member.size)]);
  if (inode.mtime < 0 || inode.mtime > OCTAL_11 || inode.nanoseconds) records.push(['mtime', timeText(inode)]);
  if (inode.xattrs !== undefined && member.type !== TYPE.link)
    for (const name of [...inode.xattrs.keys()].sort((a, b) => (a < b ? -1 : 1)))
      records.push([
        SCHILY_XATTR + name.replaceAll('%', '%25').replaceAll('=', '%3D'),
        latin1(inode.xattrs.get(name)!),
      ]);
  // POSIX defines the text of records as UTF-8 unless another charset is declared
  if (texts.some((text) => !isUtf8(text))) records.unshift(['hdrcharset', 'BINARY']);
  return records;
}

function isUtf8(text: string): boolean {
  if (/^[\x00-\x7f]*$/.test(text)) return true;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'));
    return true;
  } catch {
    return false;
  }
}

function timeText({ mtime, nanoseconds = 0 }: Inode): string {
  if (nanoseconds === 0) return String(mtime);
  if (mtime >= 0) return `${mtime}.${String(nanoseconds).padStart(9, '0')}`;
  // an inode's fraction counts forward; in the text it has the sign of the number
  return `-${-mtime - 1}.${String(1e9 - nanoseconds).padStart(9, '0')}`;
}

function recordOf(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function paxSizeOf(records: readonly (readonly [string, string])[]): number {
  let size = 0;
  for (const [keyword, value] of records) size += recordOf(keyword, value).length;
  return size;
}

function headSize(member: Member, options: TarOptions): number {
  const records = paxOf(member, options);
  if (records.length === 0) return BLOCK;
  const size = paxSizeOf(records);
  return BLOCK + size + padding(size) + BLOCK;
}

function writeHead(member: Member, options: TarOptions, into: Buffer, at: number): number {
  const records = paxOf(member, options);
  const { inode } = member;
  let next = at;
  if (records.length > 0) {
    const text = records.map(([keyword, value]) => recordOf(keyword, value)).join('');
    const name = `./PaxHeaders/${basename(member.path.replace(/\/$/, ''))}`.slice(0, 100);
    writeUstar(into, next, { name, prefix: '', type: TYPE.paxNext, mode: 0o644, size: text.length });
    next += BLOCK;
    into.write(text, next, 'latin1');
    next += text.length;
    into.fill(0, next, next + padding(text.length));
    next += padding(text.length);
  }
  const path = member.extents === undefined ? member.path : sparseName(member.path);
  const split = path.length > 100 ? splitAt(path) : -1;
  writeUstar(into, next, {
    name: split < 0 ? path.slice(0, 100) : path.slice(split + 1),
    prefix: split < 0 ? '' : path.slice(0, split),
    type: member.type,
    mode: inode.mode,
    uid: inode.uid > OCTAL_7 ? 0 : inode.uid,
    gid: inode.gid > OCTAL_7 ? 0 : inode.gid,
    size: member.size > OCTAL_11 ? 0 : member.size,
    mtime: inode.mtime < 0 || inode.mtime > OCTAL_11 ? 0 : inode.mtime,
    link: member.link.slice(0, 100),
    ...(options.names === true ? { user: inode.user?.slice(0, 31), group: inode.group?.slice(0, 31) } : {}),
    ...(inode.kind === 'char' || inode.kind === 'block' ? { major: inode.major, minor: inode.minor } : {}),
  });
  return next + BLOCK;
}

/** The name that a reader without support for holes uses for the file, as in GNU tar. */
function sparseName(path: string): string {
  return join(join(dirname(path), 'GNUSparseFile.0'), basename(path)).slice(0, 100);
}

/**
 * The slash at which a path over 100 bytes falls into prefix (at most 155) and name (at most 100); -1 if there is none.
 */
function splitAt(path: string): number {
  if (path.length > 256) return -1;
  // the name must not become empty: a directory's own trailing slash is no split point
  const at = path.lastIndexOf('/', Math.min(155, path.length - 2));
  return at > 0 && path.length - at - 1 <= 100 ? at : -1;
}

interface Ustar {
  readonly name: string;
  readonly prefix: string;
  readonly type: string;
  readonly mode: number;
  readonly size: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly link?: string;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly major?: number;
  readonly minor?: number;
}

const { offset: AT } = Header;

/** What all headers have alike, and the sum of its bytes; the checksum's own place counts as blanks. */
const COMMON = Buffer.alloc(BLOCK);
COMMON.write(`${USTAR}00`, AT.magic, 'latin1');
const COMMON_SUM = COMMON.reduce((sum, byte) => sum + byte, 8 * 0x20);

function writeUstar(into: Buffer, at: number, header: Ustar): void {
  into.set(COMMON, at);
  // tens of thousands of short fields: a loop is faster than a call of Node's for each
  let sum = COMMON_SUM + text(into, at, header.name);
  sum += octal(into, at + AT.mode, 7, header.mode);
  sum += octal(into, at + AT.uid, 7, header.uid ?? 0);
  sum += octal(into, at + AT.gid, 7, header.gid ?? 0);
  sum += octal(into, at + AT.size, 11, header.size);
  sum += octal(into, at + AT.mtime, 11, header.mtime ?? 0);
  sum += text(into, at + AT.type, header.type);
  if (header.link) sum += text(into, at + AT.link, header.link);
  if (header.user) sum += text(into, at + AT.user, header.user);
  if (header.group) sum += text(into, at + AT.group, header.group);
  sum += octal(into, at + AT.devMajor, 7, header.major ?? 0);
  sum += octal(into, at + AT.devMinor, 7, header.minor ?? 0);
  if (header.prefix) sum += text(into, at + AT.prefix, header.prefix);
  octal(into, at + AT.checksum, 6, sum); // six digits, NUL, blank
  into[at + AT.checksum + 7] = 0x20;
}

/** Bytes of a text, of which each character is one. Returns their sum. */
function text(into: Buffer, at: number, value: string): number {
  let sum = 0;
  for (let i = 0; i < value.length; i++) {
    const byte = value.charCodeAt(i);
    into[at + i] = byte;
    sum += byte & 0xff;
  }
  return sum;
}

/** Octal text of a fixed number of digits; a NUL is behind it already. Returns the sum of its bytes. */
function octal(into: Buffer, at: number, digits: number, value: number): number {
  let rest = value;
  let sum = 0;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 8);
    const digit = 0x30 + (rest - next * 8);
    into[i] = digit;
    sum += digit;
    rest = next;
  }
  return sum;
}
