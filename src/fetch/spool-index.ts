import { crc32 } from 'node:zlib';
import type { Extent, FileContent } from '../bytes/content.ts';
import { fileSlice, forgetFile, randomAccess } from '../bytes/file.ts';
import { isSparse, sparse } from '../bytes/sparse.ts';
import { struct, text, u32, u64 } from '../bytes/struct.ts';
import type { Entry } from '../tree/entry.ts';
import { device, directory, file as fileOf, type Inode, type Meta, special, symlink } from '../tree/inode.ts';

/**
 * An unpacked package in the cache is one file: the payload's plain tar stream, the control files, an index of both as
 * JSON, and the foot below. A file that was truncated or written by another version is not used.
 *
 *     payload … | control files … | index | foot
 */
const Foot = struct('spool foot', 40, {
  magic: text(16),
  version: u32,
  indexCrc: u32,
  indexOffset: u64,
  indexSize: u64,
});

const MAGIC = 'osbuilder spool';
/** Incremented whenever the index format changes: older spools are then written again. */
const VERSION = 1;

/** Kinds as the index has them. */
type Row =
  | [kind: 'f', path: string, meta: MetaRow, offset: number, size: number, sha256: string | null]
  | [kind: 's', path: string, meta: MetaRow, offset: number, size: number, extents: [number, number][]]
  | [kind: 'd' | 'p' | 'k', path: string, meta: MetaRow]
  | [kind: 'l', path: string, meta: MetaRow, target: string]
  | [kind: 'c' | 'b', path: string, meta: MetaRow, major: number, minor: number]
  | [kind: 'h', path: string, target: string];

/** mode, uid, gid, user, group, mtime, and rare properties. */
type MetaRow = [
  mode: number,
  uid: number,
  gid: number,
  user: string,
  group: string,
  mtime: number,
  nanoseconds?: number,
  xattrs?: [string, string][],
];

interface Index {
  readonly control: [name: string, mode: number, offset: number, size: number][];
  /** SHA-256 of the plain payload stream. */
  readonly payload: string;
  readonly entries: Row[];
}

/** The content of a spool. */
export interface Spool {
  readonly control: ReadonlyMap<string, { readonly mode: number; readonly content: FileContent }>;
  readonly entries: readonly Entry[];
  /** SHA-256 of the payload's plain tar stream. */
  readonly payload: string;
  /** Bytes of the spool. */
  readonly size: number;
}

/** The bytes to append to a payload of `payloadSize` bytes to make it a spool. */
export function spoolTail(
  payloadSize: number,
  payload: string,
  control: ReadonlyMap<string, { readonly mode: number; readonly bytes: Uint8Array }>,
  entries: readonly Entry[],
): Uint8Array {
  let at = payloadSize;
  const rows: Index['control'] = [];
  const pieces: Uint8Array[] = [];
  for (const [name, { mode, bytes }] of control) {
    rows.push([name, mode, at, bytes.length]);
    pieces.push(bytes);
    at += bytes.length;
  }
  const index = Buffer.from(
    JSON.stringify({ control: rows, payload, entries: entries.map(rowOf) } satisfies Index),
    'utf8',
  );
  const foot = Foot.bytes({
    magic: MAGIC,
    version: VERSION,
    indexCrc: crc32(index),
    indexOffset: at,
    indexSize: index.length,
  });
  return Buffer.concat([...pieces, index, foot]);
}

/**
 * Reads the index of the spool at `file`, and nothing else of it. Undefined when it is incomplete, of another version, or
 * not what this program writes: then it is made anew.
 */
export function openSpool(file: string): Spool | undefined {
  const spool = randomAccess(file);
  const footAt = spool.size - Foot.size;
  if (footAt < 0) return undefined;
  const tail = new Uint8Array(Foot.size);
  spool.readAt(footAt, tail);
  const foot = Foot.read(tail);
  if (foot.magic !== MAGIC || foot.version !== VERSION) return undefined;
  if (foot.indexOffset + foot.indexSize !== footAt) return undefined;
  const bytes = Buffer.alloc(foot.indexSize);
  spool.readAt(foot.indexOffset, bytes);
  if (crc32(bytes) !== foot.indexCrc) return undefined;
  const index = indexOf(bytes, foot.indexOffset);
  if (index === undefined) return undefined;
  return {
    control: new Map(
      index.control.map(([name, mode, at, length]) => [name, { mode, content: fileSlice(file, at, length) }]),
    ),
    entries: index.entries.map((row) => entryOf(file, row)),
    payload: index.payload,
    size: spool.size,
  };
}

/** The index as JSON, if it has the form that {@link spoolTail} writes; `size`: bytes of payload and control files. */
function indexOf(bytes: Buffer, size: number): Index | undefined {
  let value: Partial<Index> | null;
  try {
    value = JSON.parse(bytes.toString('utf8')) as Partial<Index> | null;
  } catch {
    return undefined;
  }
  const { control, payload, entries } = value ?? {};
  const whole = isList(control) && typeof payload === 'string' && isList(entries);
  if (!whole || !control.every((row) => isControl(row, size)) || !entries.every((row) => isRow(row, size)))
    return undefined;
  return value as Index;
}

const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';

function isControl(row: unknown, size: number): boolean {
  if (!isList(row)) return false;
  const [name, mode, at, length] = row;
  return isText(name) && isCount(mode) && isCount(at) && isCount(length) && at + length <= size;
}

/** True for one row of an index whose bytes, if it has any, are in the first `size` bytes of the spool. */
function isRow(row: unknown, size: number): boolean {
  if (!isList(row) || !isText(row[1])) return false;
  const [kind, , meta] = row;
  if (kind === 'h') return isText(row[2]);
  if (!isMeta(meta)) return false;
  switch (kind) {
    case 'f':
      return isCount(row[3]) && isCount(row[4]) && row[3] + row[4] <= size && (row[5] === null || isText(row[5]));
    case 's':
      return isCount(row[3]) && isCount(row[4]) && areExtents(row[5], row[4], size - row[3]);
    case 'l':
      return isText(row[3]);
    case 'c':
    case 'b':
      return isCount(row[3]) && isCount(row[4]);
    default:
      return kind === 'd' || kind === 'p' || kind === 'k';
  }
}

/** In order inside of a file of `size` bytes, and together no more than what is `stored`. */
function areExtents(value: unknown, size: number, stored: number): boolean {
  if (!isList(value)) return false;
  let end = 0;
  let bytes = 0;
  for (const pair of value) {
    if (!isList(pair)) return false;
    const [offset, length] = pair;
    if (!isCount(offset) || !isCount(length) || offset < end) return false;
    end = offset + length;
    bytes += length;
  }
  return end <= size && bytes <= stored;
}

function isMeta(value: unknown): boolean {
  if (!isList(value)) return false;
  const [mode, uid, gid, user, group, mtime, nanoseconds, xattrs] = value;
  return (
    [mode, uid, gid].every(isCount) &&
    isText(user) &&
    isText(group) &&
    Number.isSafeInteger(mtime) &&
    (nanoseconds === undefined || isCount(nanoseconds)) &&
    (xattrs === undefined ||
      (isList(xattrs) && xattrs.every((pair) => isList(pair) && pair.every(isText) && pair.length === 2)))
  );
}

/** Forgets what this process has cached of a spool that will be written again. */
export function dropSpool(file: string): void {
  forgetFile(file);
}

function rowOf(entry: Entry): Row {
  if ('link' in entry) return ['h', entry.path, entry.link];
  const { path, inode } = entry;
  const meta = metaRow(inode);
  switch (inode.kind) {
    case 'file': {
      const { content } = inode;
      if (isSparse(content)) {
        const rows = content.extents.map(({ offset, size }): [number, number] => [offset, size]);
        return ['s', path, meta, content.stored.place?.offset ?? 0, content.size, rows];
      }
      return ['f', path, meta, content.place?.offset ?? 0, content.size, content.sha256 ?? null];
    }
    case 'directory':
      return ['d', path, meta];
    case 'fifo':
      return ['p', path, meta];
    case 'socket':
      return ['k', path, meta];
    case 'symlink':
      return ['l', path, meta, inode.target];
    case 'char':
    case 'block':
      return [inode.kind === 'char' ? 'c' : 'b', path, meta, inode.major, inode.minor];
  }
}

function metaRow(inode: Inode): MetaRow {
  const row: MetaRow = [inode.mode, inode.uid, inode.gid, inode.user ?? '', inode.group ?? '', inode.mtime];
  if (inode.nanoseconds !== undefined || inode.xattrs !== undefined) row.push(inode.nanoseconds ?? 0);
  if (inode.xattrs !== undefined)
    row.push([...inode.xattrs].map(([name, value]): [string, string] => [name, Buffer.from(value).toString('base64')]));
  return row;
}

function entryOf(file: string, row: Row): Entry {
  if (row[0] === 'h') return { path: row[1], link: row[2] };
  return { path: row[1], inode: inodeOf(file, row) };
}

function inodeOf(file: string, row: Exclude<Row, ['h', ...unknown[]]>): Inode {
  const meta = metaOf(row[2]);
  switch (row[0]) {
    case 'f':
      return fileOf(fileSlice(file, row[3], row[4], row[5] ?? undefined), meta);
    case 's': {
      const extents: Extent[] = row[5].map(([offset, size]) => ({ offset, size }));
      const stored = extents.reduce((sum, extent) => sum + extent.size, 0);
      return fileOf(sparse(fileSlice(file, row[3], stored), extents, row[4]), meta);
    }
    case 'd':
      return directory(meta);
    case 'p':
      return special('fifo', meta);
    case 'k':
      return special('socket', meta);
    case 'l':
      return symlink(row[3], meta);
    case 'c':
      return device('char', row[3], row[4], meta);
    case 'b':
      return device('block', row[3], row[4], meta);
  }
}

function metaOf([mode, uid, gid, user, group, mtime, nanoseconds, xattrs]: MetaRow): Meta {
  const meta: Meta = { mode, uid, gid, mtime };
  if (user !== '') meta.user = user;
  if (group !== '') meta.group = group;
  if (nanoseconds) meta.nanoseconds = nanoseconds;
  if (xattrs !== undefined) meta.xattrs = new Map(xattrs.map(([name, value]) => [name, Buffer.from(value, 'base64')]));
  return meta;
}
