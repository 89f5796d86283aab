import type { Extent } from '../../bytes/content.ts';
import { fromLatin1, latin1 } from '../../bytes/struct.ts';
import { linuxAttributes } from '../../tree/attributes.ts';
import type { Losses } from '../../tree/losses.ts';
import { display } from '../../tree/path.ts';
import { ACL_ATTRIBUTES, binaryAclFault, textAcl } from './acl.ts';
import { HeaderError } from './header.ts';
import { LIBARCHIVE_XATTR, NFS4_ACL, SCHILY_XATTR, SELINUX } from './layout.ts';

/**
 * Records of a pax extended header, keyword to value; values are byte strings, so they carry any bytes. An empty value
 * takes the keyword back. `sparse` are the pairs of GNU's sparse format 0.0, where keywords repeat.
 */
export interface PaxRecords {
  readonly values: Map<string, string>;
  readonly sparse: Extent[];
}

/**
 * Reads the records of an extended header: each is `LENGTH KEYWORD=VALUE` and a line feed, the length counting itself.
 */
export function readPax(data: Uint8Array, global: ReadonlyMap<string, string>): PaxRecords {
  const values = new Map(global);
  const sparse: Extent[] = [];
  let sparseOffset: number | undefined;
  for (let at = 0; at < data.length; ) {
    // some archives pad the records with NULs up to the stated size
    if (data[at] === 0 && data.subarray(at).every((byte) => byte === 0)) break;
    let length = 0;
    let i = at;
    for (; i < data.length && i < at + 10 && data[i]! >= 0x30 && data[i]! <= 0x39; i++)
      length = length * 10 + data[i]! - 0x30;
    if (i === at || data[i] !== 0x20) throw new HeaderError(`pax record at ${at} has no length`);
    const end = at + length;
    if (length <= i + 1 - at || end > data.length || data[end - 1] !== 0x0a)
      throw new HeaderError(`pax record at ${at} has a wrong length`);
    const equals = data.indexOf(0x3d, i + 1);
    if (equals < 0 || equals >= end) throw new HeaderError(`pax record at ${at} has no "="`);
    const keyword = latin1(data.subarray(i + 1, equals));
    const value = latin1(data.subarray(equals + 1, end - 1));
    if (keyword === '' || keyword.includes('\0')) throw new HeaderError(`pax record at ${at} has no usable keyword`);
    if (TEXT.has(keyword) && value.includes('\0')) throw new HeaderError(`the pax ${keyword} contains a NUL byte`);
    if (keyword === 'GNU.sparse.offset') {
      sparseOffset = paxSize(value, keyword);
    } else if (keyword === 'GNU.sparse.numbytes') {
      if (sparseOffset === undefined) throw new HeaderError('a sparse size without an offset');
      sparse.push({ offset: sparseOffset, size: paxSize(value, keyword) });
      sparseOffset = undefined;
    } else {
      values.set(keyword, value);
    }
    at = end;
  }
  return { values, sparse };
}

const TEXT = new Set(['path', 'linkpath', 'uname', 'gname', 'GNU.sparse.name']);

/** A size or an identifier: digits only. */
export function paxSize(value: string, keyword: string): number {
  if (!/^0*[0-9]{1,16}$/.test(value) || Number(value) > Number.MAX_SAFE_INTEGER)
    throw new HeaderError(`the pax ${keyword} "${value.slice(0, 40)}" is not a usable number`);
  return Number(value);
}

/** Seconds with an optional fraction, possibly negative; the fraction always counts forward from the whole seconds. */
export function paxTime(value: string, keyword: string): { mtime: number; nanoseconds: number } {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw new HeaderError(`the pax ${keyword} "${value.slice(0, 40)}" is not a time`);
  const seconds = Number(match[2]);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { mtime: seconds, nanoseconds };
  return nanoseconds === 0
    ? { mtime: seconds === 0 ? 0 : -seconds, nanoseconds: 0 }
    : { mtime: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

/** What {@link paxXattrs} needs in addition to the records. */
export interface XattrContext {
  /** Name of the archive, for messages. */
  readonly source: string;
  /** Path of the entry, for messages. */
  readonly path: string;
  /** Receives what is left out. */
  readonly losses: Losses;
  /** Numbers of users and groups that the entry itself names. */
  idOf(kind: 'user' | 'group', name: string): number | undefined;
}

/**
 * Extended attributes among the records, in the spellings of star and GNU tar, of libarchive, and of Red Hat's tar;
 * access control lists in star's text form too. Where several spellings name one attribute, the binary one has
 * precedence. What Linux does not support is left out and noted in `context.losses`.
 */
export function paxXattrs(
  values: ReadonlyMap<string, string>,
  context: XattrContext,
): Map<string, Uint8Array> | undefined {
  const found = new Map<string, Uint8Array>();
  for (const [keyword, value] of values) {
    if (!keyword.startsWith(SCHILY_XATTR)) continue;
    // GNU tar writes "=" and "%" of a name as %3D and %25
    const name = keyword.slice(SCHILY_XATTR.length).replaceAll('%3D', '=').replaceAll('%25', '%');
    if (name === '') throw new HeaderError('an extended attribute without a name');
    found.set(name, fromLatin1(value));
  }
  for (const [keyword, value] of values) {
    if (!keyword.startsWith(LIBARCHIVE_XATTR)) continue;
    const name = keyword
      .slice(LIBARCHIVE_XATTR.length)
      .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (name === '' || name.includes('\0')) throw new HeaderError('an extended attribute without a usable name');
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value)) throw new HeaderError(`attribute ${name} is not in base64`);
    if (!found.has(name)) found.set(name, Buffer.from(value, 'base64'));
  }
  const label = values.get(SELINUX);
  if (label !== undefined && label !== '' && !found.has('security.selinux'))
    found.set('security.selinux', fromLatin1(`${label}\0`));
  takeAcls(values, found, context);
  return linuxAttributes(found, context.path, context.source, context.losses);
}

/** Adds lists in text form to `found`, and removes binary ones that the kernel would reject. */
function takeAcls(
  values: ReadonlyMap<string, string>,
  found: Map<string, Uint8Array>,
  { source, path, losses, idOf }: XattrContext,
): void {
  for (const [keyword, name] of ACL_ATTRIBUTES) {
    const binary = found.get(name);
    if (binary !== undefined) {
      const reason = binaryAclFault(binary);
      if (reason === undefined) continue;
      found.delete(name);
      losses.add('ACL_LEFT_OUT', { source, path, what: name, reason });
    }
    const text = values.get(keyword);
    if (text === undefined || text === '') continue;
    const acl = textAcl(text, idOf);
    if (typeof acl === 'string') {
      losses.add('ACL_LEFT_OUT', { source, path, what: keyword, reason: acl });
      continue;
    }
    for (const who of acl.unknown) losses.add('ACL_NAME_UNKNOWN', { source, path, who: display(who) });
    if (acl.value !== undefined) found.set(name, acl.value);
  }
  if (values.get(NFS4_ACL))
    losses.add('ACL_LEFT_OUT', { source, path, what: NFS4_ACL, reason: 'it is an NFSv4 list, Linux has POSIX ones' });
}

/** Keywords without meaning for a tree: times that are not kept, hints for backup programs. */
const WITHOUT_EFFECT =
  /^(atime|ctime|charset|hdrcharset|comment|SCHILY\.(dev|ino|nlink|filetype|release|archtype|offset|volhdr)|LIBARCHIVE\.creationtime|SUN\.holesdata|APK-TOOLS\..*|golang\.pkg\..*)$/;
const WITH_EFFECT =
  /^(path|linkpath|size|uid|gid|uname|gname|mtime|GNU\.sparse\..*|SCHILY\.xattr\..*|SCHILY\.acl\.(access|default|ace)|LIBARCHIVE\.xattr\..*|RHT\.security\.selinux|SCHILY\.realsize|SCHILY\.dev(major|minor))$/;

/** Keywords among the records that may matter but are not supported (file flags, vendor extensions). */
export function unknownKeywords(values: ReadonlyMap<string, string>): string[] {
  return [...values.keys()].filter((keyword) => !WITHOUT_EFFECT.test(keyword) && !WITH_EFFECT.test(keyword));
}
