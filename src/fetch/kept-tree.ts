import { crc32 } from 'node:zlib';
import type { Extent, FileContent } from '../bytes/content.ts';
import { fileSlice, forgetFile, randomAccess } from '../bytes/file.ts';
import { dataOf, dataSize, isSparse, sparse } from '../bytes/sparse.ts';
import { fromLatin1, latin1, struct, text, u32, u64 } from '../bytes/struct.ts';
import { writePiece } from '../bytes/temporary.ts';
import type { Directory, Inode, Kind, Meta } from '../tree/inode.ts';
import { Tree } from '../tree/tree.ts';

/**
 * A tree in the cache is one file: the bytes of files that no spool has, a table, and the foot below. The table has a
 * document (JSON), a record for each inode, the inode of each entry, and all names and targets of links, each ended by NUL.
 * Inodes are numbered in the order in which a walk by levels comes to them, so that the entries of a directory stand together.
 * A file that was truncated, or that this program did not write, is not used.
 *
 *     contents … | document | inodes | entries | names | foot
 */
const Foot = struct('foot of a kept tree', 64, {
  magic: text(16),
  version: u32,
  tableCrc: u32,
  tableOffset: u64,
  documentSize: u64,
  inodes: u64,
  entries: u64,
  namesSize: u64,
});

const MAGIC = 'osbuilder tree';
/** Increase whenever the form changes: older files are then written again. */
const VERSION = 1;

/** Kinds by their number in a record. */
const KINDS: readonly Kind[] = ['file', 'directory', 'symlink', 'char', 'block', 'fifo', 'socket'];
const NUMBERS = new Map(KINDS.map((kind, number) => [kind, number]));

/**
 * A record: kind, flag, mode (u8, u8, u16), source (u32); uid, gid, mtime and two values (f64). The values are offset and size of
 * a file, the number of a directory's entries, or the numbers of a device. Source 0 is this file, others are spools from 1 on.
 */
const RECORD = 48;
const REFERENCE = 4;
/** Flag of a record that has a row of rare properties in the document. */
const RARE = 1;

/** Properties that few inodes have. */
interface Rare {
  user?: string;
  group?: string;
  nanoseconds?: number;
  /** Name and value in base64. */
  xattrs?: [string, string][];
  /** Offset and size of each extent; what is stored are these, back to back. */
  extents?: [number, number][];
  /** Bytes of a file with holes. */
  size?: number;
  sha256?: string;
}

interface Document {
  readonly spools: readonly SpoolName[];
  readonly rare: [inode: number, Rare][];
  readonly told: unknown;
}

/** A spool as a kept tree names it: files of the tree are slices of exactly these bytes. */
export interface SpoolName {
  /** Its key in the cache. */
  readonly key: string;
  readonly sha256: string;
}

/** Where a spool is. */
export interface SpoolPlace {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** A tree that was kept. */
export interface KeptTree {
  readonly tree: Tree;
  /** What was stored with it: JSON that the caller has to check no further, since its own version wrote it. */
  readonly told: unknown;
}

/**
 * Makes a function that writes a tree as it is now: what becomes of the tree afterwards does not matter. `spools`: by their
 * paths. Undefined for a tree that cannot be kept, since it has names that no file system takes, or a folder twice.
 */
export function keptTree(
  tree: Tree,
  spools: ReadonlyMap<string, SpoolName>,
  told: unknown,
): ((fd: number) => Promise<void>) | undefined {
  const names: string[] = [];
  const references: number[] = [];
  const inodes: Inode[] = [tree.root];
  const numbers = new Map<Inode, number>([[tree.root, 0]]);
  for (let at = 0; at < inodes.length; at++) {
    const inode = inodes[at]!;
    if (inode.kind !== 'directory') continue;
    for (const [name, child] of inode.children) {
      let number = numbers.get(child);
      if (number === undefined) {
        number = inodes.length;
        numbers.set(child, number);
        inodes.push(child);
      } else if (child.kind === 'directory') return undefined;
      references.push(number);
      names.push(name);
    }
  }
  if (!names.every(isName)) return undefined;
  const own = [...spools];
  const numbered = new Map(own.map(([path], i) => [path, i + 1]));
  const records = Buffer.alloc(inodes.length * RECORD);
  const rare: Document['rare'] = [];
  const contents = new Contents(numbered);
  for (const [number, inode] of inodes.entries()) {
    if (inode.kind === 'symlink') {
      if (inode.target === '' || inode.target.includes('\0')) return undefined;
      names.push(inode.target);
    }
    const special: Rare = {};
    const at = number * RECORD;
    const [first, second] = contents.valuesOf(inode, special, (source) => records.writeUInt32LE(source, at + 4));
    addRare(inode, special);
    const isRare = Object.keys(special).length > 0;
    if (isRare) rare.push([number, special]);
    if (inode.mode < 0 || inode.mode > 0o7777) return undefined;
    records.writeUInt8(NUMBERS.get(inode.kind)!, at);
    records.writeUInt8(isRare ? RARE : 0, at + 1);
    records.writeUInt16LE(inode.mode, at + 2);
    for (const [i, value] of [inode.uid, inode.gid, inode.mtime, first, second].entries())
      records.writeDoubleLE(value, at + 8 + i * 8);
  }
  const document: Document = { spools: own.map(([, name]) => name), rare, told };
  const entries = Buffer.alloc(references.length * REFERENCE);
  for (const [i, number] of references.entries()) entries.writeUInt32LE(number, i * REFERENCE);
  const parts = [
    Buffer.from(JSON.stringify(document), 'utf8'),
    records,
    entries,
    fromLatin1(names.map((name) => `${name}\0`).join('')),
  ];
  const table = Buffer.concat(parts);
  const foot = Foot.bytes({
    ...{ magic: MAGIC, version: VERSION, tableCrc: crc32(table), tableOffset: contents.size },
    ...{ documentSize: parts[0]!.length, inodes: inodes.length, entries: references.length },
    namesSize: parts[3]!.length,
  });
  return async (fd) => {
    await contents.write(fd);
    writePiece(fd, table);
    writePiece(fd, foot);
  };
}

/** What a name of an entry may be. */
function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

function addRare(inode: Inode, rare: Rare): void {
  const { user, group, nanoseconds, xattrs } = inode;
  if (user !== undefined) rare.user = user;
  if (group !== undefined) rare.group = group;
  if (nanoseconds !== undefined) rare.nanoseconds = nanoseconds;
  if (xattrs !== undefined)
    rare.xattrs = [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')]);
}

/** The bytes of files that no spool has. */
class Contents {
  size = 0;
  private readonly spools: ReadonlyMap<string, number>;
  private readonly offsets = new Map<FileContent, number>();

  constructor(spools: ReadonlyMap<string, number>) {
    this.spools = spools;
  }

  /** The two values of an inode's record. */
  valuesOf(inode: Inode, rare: Rare, from: (source: number) => void): readonly [number, number] {
    switch (inode.kind) {
      case 'file':
        return this.place(inode.content, rare, from);
      case 'directory':
        return [inode.children.size, 0];
      case 'char':
      case 'block':
        return [inode.major, inode.minor];
      default:
        return [0, 0];
    }
  }

  private place(content: FileContent, rare: Rare, from: (source: number) => void): readonly [number, number] {
    if (content.sha256 !== undefined) rare.sha256 = content.sha256;
    const { extents } = content;
    if (extents !== undefined) {
      rare.extents = extents.map(({ offset, size }) => [offset, size]);
      rare.size = content.size;
      return this.place(isSparse(content) ? content.stored : storedIn(content, extents), {}, from);
    }
    const { place, size } = content;
    const spool = place === undefined ? undefined : this.spools.get(place.file);
    if (spool !== undefined) {
      from(spool);
      return [place!.offset, size];
    }
    let offset = this.offsets.get(content);
    if (offset === undefined) {
      offset = this.size;
      this.offsets.set(content, offset);
      this.size += size;
    }
    return [offset, size];
  }

  /** Throws a `RangeError` for a content of another size than it says. */
  async write(fd: number): Promise<void> {
    let gathered: Uint8Array[] = [];
    let bytes = 0;
    const flush = (): void => {
      writePiece(fd, Buffer.concat(gathered));
      gathered = [];
      bytes = 0;
    };
    for (const content of this.offsets.keys()) {
      if (content.size > GATHERED) {
        flush();
        let left = content.size;
        for await (const piece of content.open()) {
          writePiece(fd, piece);
          left -= piece.length;
        }
        if (left !== 0) throw new RangeError(`a content is ${left} bytes shorter than it says`);
        continue;
      }
      const piece = content.readSync();
      if (piece.length !== content.size) throw new RangeError('a content has another size than it says');
      gathered.push(piece);
      bytes += piece.length;
      if (bytes > GATHERED) flush();
    }
    flush();
  }
}

/** The data of a content with holes that has them together with its data. */
function storedIn(content: FileContent, extents: readonly Extent[]): FileContent {
  const data = dataOf(content, extents, 'a file with holes');
  return {
    size: data.size,
    open: () => data.open(),
    readSync() {
      const bytes = content.readSync();
      return Buffer.concat(extents.map(({ offset, size }) => bytes.subarray(offset, offset + size)));
    },
  };
}

/** Small contents are written together, up to this many bytes. */
const GATHERED = 256 * 1024;

/**
 * Reads the tree at `file`; contents are read when they are used. `placeOf` finds a spool in the cache. Undefined when a spool
 * is not there, and for a file that is incomplete, of another version, or not what {@link keptTree} writes.
 */
export function openKeptTree(file: string, placeOf: (name: SpoolName) => SpoolPlace | undefined): KeptTree | undefined {
  forgetFile(file);
  const access = randomAccess(file);
  const footAt = access.size - Foot.size;
  if (footAt < 0) return undefined;
  const tail = new Uint8Array(Foot.size);
  access.readAt(footAt, tail);
  const foot = Foot.read(tail);
  if (foot.magic !== MAGIC || foot.version !== VERSION) return undefined;
  const { tableOffset, documentSize, inodes, entries, namesSize } = foot;
  const tableSize = documentSize + inodes * RECORD + entries * REFERENCE + namesSize;
  if (!Number.isSafeInteger(tableSize) || tableOffset + tableSize !== footAt || inodes === 0) return undefined;
  const table = Buffer.alloc(tableSize);
  access.readAt(tableOffset, table);
  if (crc32(table) !== foot.tableCrc) return undefined;
  const document = documentOf(table.subarray(0, documentSize));
  if (document === undefined) return undefined;
  const sources: SpoolPlace[] = [{ path: file, size: tableOffset }];
  for (const name of document.spools) {
    const place = placeOf(name);
    if (place === undefined) return undefined;
    // other builds share the cache: what was read of this name before may be gone
    forgetFile(place.path);
    sources.push(place);
  }
  const recordsEnd = documentSize + inodes * RECORD;
  const entriesEnd = recordsEnd + entries * REFERENCE;
  const reader = new Reader(sources, new Map(document.rare), latin1(table.subarray(entriesEnd)).split('\0'), entries);
  const root = reader.tree(table.subarray(documentSize, recordsEnd), table.subarray(recordsEnd, entriesEnd));
  return root === undefined ? undefined : { tree: new Tree(root), told: document.told };
}

function documentOf(bytes: Buffer): Document | undefined {
  let value: Partial<Document> | null;
  try {
    value = JSON.parse(bytes.toString('utf8')) as Partial<Document> | null;
  } catch {
    return undefined;
  }
  const { spools, rare } = value ?? {};
  if (!isList(spools) || !isList(rare)) return undefined;
  const named = spools.every((one) => isObject(one) && isText(one['key']) && isText(one['sha256']));
  const rows = rare.every((row) => isList(row) && isCount(row[0]) && isObject(row[1]) && isRare(row[1]));
  return named && rows ? (value as Document) : undefined;
}

const isList = (value: unknown): value is unknown[] => Array.isArray(value);
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isText = (value: unknown): value is string => typeof value === 'string';
const isPair = (value: unknown): value is [unknown, unknown] => isList(value) && value.length === 2;

function isRare({ user, group, nanoseconds, xattrs, extents, size, sha256 }: Record<string, unknown>): boolean {
  const maybe = (value: unknown, check: (value: unknown) => boolean) => value === undefined || check(value);
  return (
    [user, group, sha256].every((value) => maybe(value, isText)) &&
    maybe(nanoseconds, (value) => isCount(value) && value < 1e9) &&
    maybe(xattrs, (value) => isList(value) && value.every((pair) => isPair(pair) && pair.every(isText))) &&
    (extents === undefined ? size === undefined : isCount(size) && areExtents(extents, size))
  );
}

/** In order inside of a file of `size` bytes. */
function areExtents(value: unknown, size: number): boolean {
  if (!isList(value)) return false;
  let end = 0;
  for (const pair of value) {
    if (!isPair(pair)) return false;
    const [offset, length] = pair;
    if (!isCount(offset) || !isCount(length) || offset < end) return false;
    end = offset + length;
  }
  return end <= size;
}

/** The numbers of a record. */
interface Fields {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly first: number;
  readonly second: number;
  readonly source: number;
}

/** Makes inodes of records. */
class Reader {
  private readonly sources: readonly SpoolPlace[];
  private readonly rare: ReadonlyMap<number, Rare>;
  private readonly names: readonly string[];
  /** The next target of a link in `names`. */
  private target: number;

  constructor(
    sources: readonly SpoolPlace[],
    rare: ReadonlyMap<number, Rare>,
    names: readonly string[],
    entries: number,
  ) {
    this.sources = sources;
    this.rare = rare;
    this.names = names;
    this.target = entries;
  }

  /** The root with everything below it; undefined when the records contradict each other. */
  tree(records: Buffer, references: Buffer): Directory | undefined {
    const view = new DataView(records.buffer, records.byteOffset, records.length);
    const inodes: Inode[] = [];
    const counts: number[] = [];
    for (let at = 0; at < records.length; at += RECORD) {
      const inode = this.inode(view, at, inodes.length);
      if (inode === undefined) return undefined;
      inodes.push(inode);
      counts.push(inode.kind === 'directory' ? view.getFloat64(at + 32, true) : 0);
    }
    const entries = references.length / REFERENCE;
    // names end with NUL: nothing stands after the last one
    if (this.names.length !== this.target + 1 || this.names[this.target] !== '') return undefined;
    let entry = 0;
    // the largest number so far: a new inode has the next one, so that each folder is in one that comes before it
    let last = 0;
    for (const [number, inode] of inodes.entries()) {
      if (inode.kind !== 'directory') continue;
      const end = entry + counts[number]!;
      if (!(end <= entries)) return undefined;
      for (; entry < end; entry++) {
        const reference = references.readUInt32LE(entry * REFERENCE);
        const name = this.names[entry]!;
        const child = inodes[reference];
        if (child === undefined || !isName(name) || reference > last + 1) return undefined;
        if (reference === last + 1) last = reference;
        else if (child.kind === 'directory') return undefined;
        inode.children.set(name, child);
      }
      if (inode.children.size !== counts[number] || last < number) return undefined;
    }
    const [root] = inodes;
    return entry === entries && last === inodes.length - 1 && root?.kind === 'directory' ? root : undefined;
  }

  private inode(view: DataView, at: number, number: number): Inode | undefined {
    const kind = KINDS[view.getUint8(at)];
    const flag = view.getUint8(at + 1);
    const rare = flag === RARE ? this.rare.get(number) : undefined;
    const mode = view.getUint16(at + 2, true);
    const uid = view.getFloat64(at + 8, true);
    const gid = view.getFloat64(at + 16, true);
    const mtime = view.getFloat64(at + 24, true);
    const first = view.getFloat64(at + 32, true);
    const second = view.getFloat64(at + 40, true);
    if (kind === undefined || flag > RARE || (flag === RARE && rare === undefined) || mode > 0o7777) return undefined;
    if (!isCount(uid) || !isCount(gid) || !isCount(first) || !isCount(second) || !Number.isSafeInteger(mtime))
      return undefined;
    const inode = this.made(kind, { mode, uid, gid, mtime, first, second, source: view.getUint32(at + 4, true) }, rare);
    if (inode !== undefined && rare !== undefined) setRare(inode, rare);
    return inode;
  }

  private made(kind: Kind, of: Fields, rare: Rare | undefined): Inode | undefined {
    const { mode, uid, gid, mtime, first, second } = of;
    switch (kind) {
      case 'file': {
        const content = this.content(of.source, first, second, rare);
        return content === undefined ? undefined : { mode, uid, gid, mtime, kind, content };
      }
      case 'directory':
        return { mode, uid, gid, mtime, kind, children: new Map() };
      case 'symlink': {
        const target = this.names[this.target++] ?? '';
        return target === '' ? undefined : { mode, uid, gid, mtime, kind, target };
      }
      case 'char':
      case 'block':
        return { mode, uid, gid, mtime, kind, major: first, minor: second };
      default:
        return { mode, uid, gid, mtime, kind };
    }
  }

  private content(source: number, offset: number, size: number, rare: Rare | undefined): FileContent | undefined {
    const from = this.sources[source];
    if (from === undefined || offset + size > from.size) return undefined;
    const extents = rare?.extents?.map(([start, length]): Extent => ({ offset: start, size: length }));
    if (extents === undefined) return fileSlice(from.path, offset, size, rare?.sha256);
    if (dataSize(extents) !== size) return undefined;
    const content = sparse(fileSlice(from.path, offset, size), extents, rare!.size!);
    if (rare?.sha256 !== undefined) content.sha256 = rare.sha256;
    return content;
  }
}

function setRare(meta: Meta, { user, group, nanoseconds, xattrs }: Rare): void {
  if (user !== undefined) meta.user = user;
  if (group !== undefined) meta.group = group;
  if (nanoseconds !== undefined) meta.nanoseconds = nanoseconds;
  if (xattrs !== undefined) meta.xattrs = new Map(xattrs.map(([name, value]) => [name, Buffer.from(value, 'base64')]));
}
