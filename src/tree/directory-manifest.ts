import { type FileContent, memory } from '../bytes/content.ts';
import { withoutSlashes } from '../bytes/ending.ts';
import { BuildError } from '../errors/error.ts';
import { device, directory, file, type Inode, type Kind, type Meta, special, symlink, TYPE_BITS } from './inode.ts';
import { basename, dirname, fromText, join, safePath, toText } from './path.ts';

/**
 * What a directory of the host cannot store of a tree (owners, devices, extended attributes, names its file system
 * rejects, …) is kept in a manifest beside it: `rootfs.manifest.jsonl` for `rootfs`. The first line identifies the
 * file; then one line of JSON per name in the tree, parents first. Names that are not UTF-8 are written as
 * `{"base64": "…"}`.
 */
export const MANIFEST_SUFFIX = '.manifest.jsonl';

const FORMAT = 'osbuilder-manifest';
const VERSION = 1;

/** The manifest of a directory. */
export interface Manifest {
  /** True when owners and all mode bits were also set on the host's files. */
  readonly owned: boolean;
  readonly lines: readonly Line[];
  readonly byPath: ReadonlyMap<string, Line>;
}

/** One name of the tree. */
export interface Line {
  readonly path: string;
  /** The name on the host, if it could not be the name in the tree. */
  readonly host?: string;
  readonly kind: Kind;
  readonly meta: Meta;
  /** The first name of the same file, for its other names. */
  readonly link?: string;
  readonly target?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly size?: number;
  /** Where a file with holes has its data. */
  readonly extents?: FileContent['extents'];
}

/** Path of the manifest of the directory at `path`. */
export function manifestPath(path: string): string {
  return withoutSlashes(path) + MANIFEST_SUFFIX;
}

/** Time in seconds to set on the host's file, clamped to what every current file system can store. */
export function hostTime(mtime: number): number {
  return Math.min(Math.max(mtime, 0), 0xffff_ffff);
}

/** Permission bits set on the host's file: without privileges, those that let its owner change and remove it. */
export function hostMode(mode: number, kind: Kind, owned: boolean): number {
  if (owned) return mode & 0o7777;
  return (mode & 0o777) | (kind === 'directory' ? 0o700 : 0o600);
}

/** The first line. */
export function headLine(owned: boolean): string {
  return `${JSON.stringify({ format: FORMAT, version: VERSION, owned })}\n`;
}

/** A line for one name. */
export function lineText(path: string, inode: Inode, host: string | undefined, link: string | undefined): string {
  const line: Record<string, unknown> = { path: encoded(path), kind: inode.kind };
  if (host !== undefined) line['host'] = encoded(host);
  if (link !== undefined) line['link'] = encoded(link);
  else {
    line['mode'] = inode.mode.toString(8).padStart(4, '0');
    line['uid'] = inode.uid;
    line['gid'] = inode.gid;
    if (inode.user !== undefined) line['user'] = encoded(inode.user);
    if (inode.group !== undefined) line['group'] = encoded(inode.group);
    line['mtime'] = inode.mtime;
    if (inode.nanoseconds) line['nanoseconds'] = inode.nanoseconds;
    if (inode.xattrs !== undefined && inode.xattrs.size > 0)
      line['xattrs'] = [...inode.xattrs]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => [encoded(name), Buffer.from(value).toString('base64')]);
    if (inode.kind === 'file') {
      line['size'] = inode.content.size;
      if (inode.content.extents !== undefined)
        line['extents'] = inode.content.extents.map(({ offset, size }) => [offset, size]);
    }
    if (inode.kind === 'char' || inode.kind === 'block') {
      line['major'] = inode.major;
      line['minor'] = inode.minor;
    }
  }
  if (inode.kind === 'symlink') line['target'] = encoded(inode.target);
  return `${JSON.stringify(line)}\n`;
}

type Encoded = string | { base64: string };

function encoded(name: string): Encoded {
  const text = toText(name);
  return fromText(text) === name ? text : { base64: Buffer.from(name, 'latin1').toString('base64') };
}

/** True when these bytes begin like a manifest written by this program. */
export function isManifest(first: Uint8Array): boolean {
  return Buffer.from(first).toString('latin1').startsWith(`{"format":"${FORMAT}"`);
}

/** Reads a manifest. `path` is for messages. */
export function readManifest(bytes: Uint8Array, path: string): Manifest {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  let number = 0;
  const invalid: Invalid = (reason) => new BuildError('MANIFEST_INVALID', { path, line: number, reason });
  const lines: Line[] = [];
  const byPath = new Map<string, Line>();
  let owned = false;
  // line by line, so that parsed lines can be garbage-collected early
  for (let at = 0; at < text.length || number === 0; ) {
    number++;
    const end = text.indexOf('\n', at);
    if (end < 0) throw invalid('the last line is cut off');
    const object = objectIn(text.slice(at, end), invalid);
    at = end + 1;
    if (number === 1) {
      if (object['format'] !== FORMAT) throw invalid('it is not a manifest of a directory');
      if (object['version'] !== VERSION) throw invalid(`version ${String(object['version'])} is not known`);
      owned = object['owned'] === true;
      continue;
    }
    const line = readLine(object, path, byPath, invalid);
    if (byPath.has(line.path)) throw invalid('the path is there twice');
    byPath.set(line.path, line);
    lines.push(line);
  }
  return { owned, lines, byPath };
}

/** Lines by their path on the host; the map by path in the tree if no name differs. */
export function linesByHost({ lines, byPath }: Manifest): ReadonlyMap<string, Line> {
  if (lines.every(({ host }) => host === undefined)) return byPath;
  const hostOf = new Map<string, string>([['', '']]);
  const byHost = new Map<string, Line>();
  for (const line of lines) {
    const parent = hostOf.get(dirname(line.path));
    if (parent === undefined) continue;
    const host = line.path === '' ? '' : join(parent, line.host ?? basename(line.path));
    if (line.kind === 'directory') hostOf.set(line.path, host);
    byHost.set(host, line);
  }
  return byHost;
}

type Invalid = (reason: string) => BuildError;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function objectIn(text: string, invalid: Invalid): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {}
  throw invalid('it is not a JSON object');
}

function bytesIn(value: unknown, what: string, invalid: Invalid): string {
  if (typeof value === 'string') return fromText(value);
  const base64 = (value as { base64?: unknown } | null | undefined)?.base64;
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64').toString('latin1');
  throw invalid(`the ${what} is missing or not a string`);
}

function numberIn(
  object: Record<string, unknown>,
  key: string,
  invalid: Invalid,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): number {
  const value = object[key];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max)
    throw invalid(`the ${key} is missing or not a usable number`);
  return value;
}

/** Called once per name of a root file system, so it avoids closures and repeated copies. */
function readLine(
  object: Record<string, unknown>,
  source: string,
  byPath: ReadonlyMap<string, Line>,
  invalid: Invalid,
): Line {
  const path = bytesIn(object['path'], 'path', invalid);
  if (safePath(path, source) !== path) throw invalid('the path is not in its plain form');
  const kind = object['kind'] as Kind;
  if (typeof kind !== 'string' || !Object.hasOwn(TYPE_BITS, kind)) throw invalid('the kind is not known');
  const host = object['host'] === undefined ? undefined : bytesIn(object['host'], 'host', invalid);
  if (host !== undefined && (/[/\0]/.test(host) || host === '' || host === '.' || host === '..'))
    throw invalid('the host name is not one name');
  if (object['link'] !== undefined) {
    const link = bytesIn(object['link'], 'link', invalid);
    const first = byPath.get(link);
    if (first === undefined || first.kind !== kind || kind === 'directory' || first.link !== undefined)
      throw invalid('the link leads to no earlier name of a file of its kind');
    const again: Mutable<Line> = { ...first, path, link };
    delete again.host;
    if (host !== undefined) again.host = host;
    return again;
  }
  const mode = object['mode'];
  if (typeof mode !== 'string' || !/^[0-7]{1,4}$/.test(mode)) throw invalid('the mode is missing or not octal');
  const meta: Meta = {
    mode: Number.parseInt(mode, 8),
    uid: numberIn(object, 'uid', invalid, 0, 0xffff_ffff),
    gid: numberIn(object, 'gid', invalid, 0, 0xffff_ffff),
    mtime: numberIn(object, 'mtime', invalid, Number.MIN_SAFE_INTEGER),
  };
  if (object['nanoseconds'] !== undefined) meta.nanoseconds = numberIn(object, 'nanoseconds', invalid, 0, 999_999_999);
  if (object['user'] !== undefined) meta.user = bytesIn(object['user'], 'user', invalid);
  if (object['group'] !== undefined) meta.group = bytesIn(object['group'], 'group', invalid);
  if (object['xattrs'] !== undefined) {
    const pairs = object['xattrs'];
    if (!Array.isArray(pairs)) throw invalid('the xattrs are not a list');
    meta.xattrs = new Map();
    for (const pair of pairs as unknown[]) {
      if (!Array.isArray(pair) || typeof pair[1] !== 'string') throw invalid('the xattrs are not pairs');
      meta.xattrs.set(bytesIn(pair[0], 'attribute', invalid), new Uint8Array(Buffer.from(pair[1], 'base64')));
    }
  }
  const line: Mutable<Line> = { path, kind, meta };
  if (host !== undefined) line.host = host;
  switch (kind) {
    case 'char':
    case 'block':
      line.major = numberIn(object, 'major', invalid, 0, 0xffff_ffff);
      line.minor = numberIn(object, 'minor', invalid, 0, 0xffff_ffff);
      break;
    case 'symlink':
      line.target = bytesIn(object['target'], 'target', invalid);
      break;
    case 'file':
      line.size = numberIn(object, 'size', invalid);
      if (object['extents'] !== undefined) line.extents = readExtents(object['extents'], line.size, invalid);
      break;
    default:
  }
  return line;
}

function readExtents(value: unknown, size: number, invalid: Invalid) {
  if (!Array.isArray(value)) throw invalid('the extents are not a list');
  let end = 0;
  return value.map((pair: unknown) => {
    const [offset, length] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (!Number.isInteger(offset) || !Number.isInteger(length)) throw invalid('the extents are not pairs of numbers');
    if ((offset as number) < end || (length as number) < 0) throw invalid('the extents overlap');
    end = (offset as number) + (length as number);
    if (end > size) throw invalid('the extents go beyond the file');
    return { offset: offset as number, size: length as number };
  });
}

/** Metadata of a line as a new object that the caller may modify. */
export function metaOfLine(line: Line): Meta {
  const meta: Meta = { ...line.meta };
  if (meta.xattrs !== undefined) meta.xattrs = new Map(meta.xattrs);
  return meta;
}

/** The inode that a line describes, for the kinds a host's directory cannot store; `content` for files. */
export function inodeOf(line: Line, content: FileContent = memory('')): Inode {
  const meta = metaOfLine(line);
  switch (line.kind) {
    case 'file':
      return file(content, meta);
    case 'directory':
      return directory(meta);
    case 'symlink':
      return symlink(line.target!, meta);
    case 'char':
    case 'block':
      return device(line.kind, line.major!, line.minor!, meta);
    default:
      return special(line.kind, meta);
  }
}
