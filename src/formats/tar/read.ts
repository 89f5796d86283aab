import type { Bytes } from '../../bytes/content.ts';
import { Cursor } from '../../bytes/cursor.ts';
import { digested } from '../../bytes/digest.ts';
import { sparse } from '../../bytes/sparse.ts';
import type { ContentAt } from '../../bytes/spool.ts';
import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import type { Entry } from '../../tree/entry.ts';
import type { Inode, Meta } from '../../tree/inode.ts';
import { display } from '../../tree/path.ts';
import { checksumHolds, HeaderError, isZeroBlock, type RawHeader, readHeader } from './header.ts';
import { BLOCK, TYPE } from './layout.ts';
import { type PaxRecords, paxSize, paxTime, paxXattrs, readPax, unknownKeywords } from './pax.ts';
import { checkedMap, dataMap, hasMapInData, oldGnuMap, paxMap, type SparseMap } from './sparse.ts';

export { isTar } from './header.ts';

/** How to read a tar archive. */
export interface TarReadOptions {
  /** Compute SHA-256 of each file while it passes by (not of files with holes). */
  readonly digest?: boolean;
  /** Refuse an archive that ends without its end marker, as one cut off between two members does. */
  readonly endRequired?: boolean;
  /** Told of pax records that would matter but are not understood, such as ACLs in text form. */
  readonly ignored?: (path: string, keyword: string) => void;
  /** Told of an entry's pax records before the entry is yielded: formats built on tar keep records of their own there. */
  readonly records?: (path: string, records: ReadonlyMap<string, string>) => void;
}

/** Largest pax header or long name taken, in bytes: they are held in memory. */
const META_LIMIT = 16 << 20;
const ID_LIMIT = 2 ** 32 - 1;

/**
 * Entries of a tar archive in order: v7, ustar, GNU and pax. Payloads pass by and are not kept: `contentAt` gives each
 * file its content by where it lies in the stream. The stream is read to its very end, so that whoever checks or keeps
 * it sees all of it. `path` is what messages call the archive.
 */
export async function* readTar(
  source: Bytes,
  path: string,
  contentAt: ContentAt,
  options: TarReadOptions = {},
): AsyncGenerator<Entry> {
  const cursor = new Cursor(source, path);
  const global = new Map<string, string>();
  let pax: PaxRecords | undefined;
  let longName: string | undefined;
  let longLink: string | undefined;
  let at = 0;
  try {
    for (;;) {
      at = cursor.offset;
      const block = cursor.now(BLOCK) ?? (await cursor.upTo(BLOCK));
      const pending = pax !== undefined || longName !== undefined || longLink !== undefined;
      if (block.length === 0 && !pending && options.endRequired !== true) return;
      if (block.length < BLOCK)
        throw new BuildError('TRUNCATED', { path, what: 'a header', offset: at, needed: BLOCK, left: block.length });
      if (block[0] === 0 && isZeroBlock(block)) {
        // like GNU tar, one block of zeros is taken as the end; what follows is only passed by
        if (pending) throw new HeaderError('the archive ends between a name and its file');
        for await (const _ of cursor.rest());
        return;
      }
      if (!checksumHolds(block)) throw new HeaderError('the checksum of a header is wrong');
      const raw = readHeader(block);
      switch (raw.type) {
        case TYPE.paxNext:
        case TYPE.solarisPax:
          // of two in a row the later one counts alone, as other readers have it
          pax = readPax(await meta(raw.size, 'a pax header'), global);
          continue;
        case TYPE.paxGlobal:
          for (const [keyword, value] of readPax(await meta(raw.size, 'a global pax header'), global).values) {
            if (value === '') global.delete(keyword);
            else global.set(keyword, value);
          }
          continue;
        case TYPE.gnuLongName:
          longName = untilNul(await meta(raw.size, 'a long name'));
          continue;
        case TYPE.gnuLongLink:
          longLink = untilNul(await meta(raw.size, 'a long link target'));
          continue;
        case TYPE.gnuLabel:
          if (raw.size !== 0) throw new HeaderError('a volume label with data');
          continue; // the name of the tape, no file
      }
      const records = pax ?? (global.size > 0 ? { values: new Map(global), sparse: [] } : undefined);
      pax = undefined;
      const header: Settled = records === undefined ? { ...raw } : settle(raw, records);
      if (longName !== undefined && !records?.values.get('path')) header.name = longName;
      if (longLink !== undefined && !records?.values.get('linkpath')) header.link = longLink;
      longName = longLink = undefined;
      check(header);
      if (records !== undefined && options.ignored !== undefined)
        for (const keyword of unknownKeywords(records.values)) options.ignored(header.name, keyword);
      if (records !== undefined) options.records?.(header.name, records.values);
      yield await entry(header, block, records);
    }
  } catch (error) {
    if (error instanceof HeaderError) throw new BuildError('TAR_CORRUPT', { path, offset: at, reason: error.message });
    throw error;
  } finally {
    await cursor.close();
  }

  async function entry(header: Settled, block: Uint8Array, records: PaxRecords | undefined): Promise<Entry> {
    const metaOf = metaFrom(header, records);
    const name = header.name;
    const made = (inode: Inode): Entry => ({ path: name, inode });
    switch (header.type) {
      case TYPE.file:
      case TYPE.oldFile:
      case TYPE.contiguous:
        // v7 had no type for directories
        if (name.endsWith('/') && records?.values.has('GNU.sparse.name') !== true) {
          await pass(header.size, name);
          return made({ ...metaOf, kind: 'directory', children: new Map() });
        }
        return made(await file(header, records, metaOf));
      case TYPE.gnuSparse:
        return made(await oldSparse(header, block, metaOf));
      case TYPE.link:
        // POSIX lets pax archives repeat the data; others state a size and store nothing
        if (records !== undefined && header.size > 0) await pass(header.size, name);
        return { path: name, link: header.link };
      case TYPE.symlink:
        return made({ ...metaOf, kind: 'symlink', target: header.link });
      case TYPE.char:
      case TYPE.block:
        return made({
          ...metaOf,
          kind: header.type === TYPE.char ? 'char' : 'block',
          major: header.major,
          minor: header.minor,
        });
      case TYPE.gnuDumpDirectory:
        await pass(header.size, name); // the list of names that were there: for incremental restores only
        return made({ ...metaOf, kind: 'directory', children: new Map() });
      case TYPE.directory:
        return made({ ...metaOf, kind: 'directory', children: new Map() });
      case TYPE.fifo:
        return made({ ...metaOf, kind: 'fifo' });
      default:
        throw new BuildError('ARCHIVE_UNSUPPORTED', {
          path,
          offset: at,
          what: `the entry "${display(name)}" of tar type "${display(header.type)}"`,
        });
    }
  }

  async function file(header: Settled, records: PaxRecords | undefined, metaOf: Meta): Promise<Inode> {
    if (records !== undefined) {
      const { values } = records;
      let map: (SparseMap & { blocks?: number }) | undefined;
      if (hasMapInData(values)) {
        let left = header.size;
        map = await dataMap(values, async () => {
          if (left < BLOCK) throw new HeaderError('the sparse map is longer than its member');
          left -= BLOCK;
          return cursor.now(BLOCK) ?? (await cursor.exactly(BLOCK, 'a sparse map'));
        });
      } else map = paxMap(records);
      if (map !== undefined) {
        const stored = header.size - (map.blocks ?? 0) * BLOCK;
        return { ...metaOf, kind: 'file', content: await sparseContent(map, stored, header.name) };
      }
    }
    const offset = cursor.offset;
    const sha256 = await payload(header.size, header.name, options.digest === true);
    return { ...metaOf, kind: 'file', content: contentAt(offset, header.size, sha256) };
  }

  async function oldSparse(header: Settled, block: Uint8Array, metaOf: Meta): Promise<Inode> {
    const map = await oldGnuMap(block, () => cursor.exactly(BLOCK, 'a sparse map'));
    return { ...metaOf, kind: 'file', content: await sparseContent(map, header.size, header.name) };
  }

  async function sparseContent(map: SparseMap, stored: number, name: string) {
    const { extents, size } = checkedMap(map, stored);
    const offset = cursor.offset;
    await payload(stored, name, false);
    return sparse(contentAt(offset, stored), extents, size);
  }

  /** Lets `size` bytes and their padding pass by; their digest when it is wanted. */
  async function payload(size: number, name: string, digest: boolean): Promise<string | undefined> {
    const result = await digested(cursor, size, `the file "${display(name)}"`, digest);
    const padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (padding > 0 && cursor.now(padding) === undefined) await cursor.skip(padding, 'padding');
    return result;
  }

  async function pass(size: number, name: string): Promise<void> {
    await payload(size, name, false);
  }

  async function meta(size: number, what: string): Promise<Uint8Array> {
    if (size < 0 || size > META_LIMIT) throw new HeaderError(`${what} of ${size} bytes`);
    const bytes = await cursor.exactly(size, what);
    await cursor.skip((BLOCK - (size % BLOCK)) % BLOCK, 'padding');
    return bytes;
  }
}

/** A header after pax records had their word. */
type Settled = { -readonly [K in keyof RawHeader]: RawHeader[K] } & { nanoseconds?: number };

function settle(raw: RawHeader, { values }: PaxRecords): Settled {
  const header: Settled = { ...raw };
  for (const [keyword, value] of values) {
    if (value === '') continue; // taken back: the header's own field counts
    switch (keyword) {
      case 'path':
        header.name = value;
        break;
      case 'linkpath':
        header.link = value;
        break;
      case 'uname':
        header.user = value;
        break;
      case 'gname':
        header.group = value;
        break;
      case 'size':
        header.size = paxSize(value, keyword);
        break;
      case 'uid':
        header.uid = paxSize(value, keyword);
        break;
      case 'gid':
        header.gid = paxSize(value, keyword);
        break;
      case 'SCHILY.devmajor':
        header.major = paxSize(value, keyword);
        break;
      case 'SCHILY.devminor':
        header.minor = paxSize(value, keyword);
        break;
      case 'mtime':
        Object.assign(header, paxTime(value, keyword));
        break;
    }
  }
  const sparseName = values.get('GNU.sparse.name');
  if (sparseName) header.name = sparseName;
  return header;
}

function metaFrom(header: Settled, records: PaxRecords | undefined): Meta {
  const meta: Meta = { mode: header.mode & 0o7777, uid: header.uid, gid: header.gid, mtime: header.mtime };
  if (header.user !== '') meta.user = header.user;
  if (header.group !== '') meta.group = header.group;
  if (header.nanoseconds) meta.nanoseconds = header.nanoseconds;
  const xattrs = records === undefined ? undefined : paxXattrs(records.values);
  if (xattrs !== undefined) meta.xattrs = xattrs;
  return meta;
}

function check(header: Settled): void {
  if (header.name === '') throw new HeaderError('an entry without a name');
  if (header.size < 0) throw new HeaderError(`the size is ${header.size}`);
  for (const id of ['uid', 'gid'] as const)
    if (header[id] < 0 || header[id] > ID_LIMIT) throw new HeaderError(`the ${id} is ${header[id]}`);
  if (header.mode < 0) throw new HeaderError(`the mode is ${header.mode}`);
  if (header.major < 0 || header.minor < 0 || header.major > ID_LIMIT || header.minor > ID_LIMIT)
    throw new HeaderError('the device number is out of range');
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return latin1(end < 0 ? bytes : bytes.subarray(0, end));
}
