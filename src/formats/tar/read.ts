import type { Bytes } from '../../bytes/content.ts';
import { Cursor } from '../../bytes/cursor.ts';
import { digested } from '../../bytes/digest.ts';
import { sparse } from '../../bytes/sparse.ts';
import type { ContentAt } from '../../bytes/spool.ts';
import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import type { Report } from '../../events/events.ts';
import type { Entry } from '../../tree/entry.ts';
import { device, directory, file, type Inode, type Meta, special, symlink } from '../../tree/inode.ts';
import { Losses } from '../../tree/losses.ts';
import { display } from '../../tree/path.ts';
import { checkHeader, metaFrom, type Settled, settle } from './entry.ts';
import { checksumHolds, HeaderError, isZeroBlock, readHeader } from './header.ts';
import { BLOCK, TYPE } from './layout.ts';
import { type PaxRecords, readPax, unknownKeywords } from './pax.ts';
import { checkedMap, dataMap, hasMapInData, oldGnuMap, paxMap, type SparseMap } from './sparse.ts';

export { isTar } from './header.ts';

/** How to read a tar archive. */
export interface TarReadOptions {
  /** Compute the SHA-256 of each file while it is read (not of files with holes). */
  readonly digest?: boolean;
  /** Reject an archive that ends without its end marker, as one cut off between two members does. */
  readonly endRequired?: boolean;
  /**
   * Receives warnings about what a Linux file system cannot store: attributes of other systems, access control lists
   * that cannot be read, pax records that are not supported. They are reported after the archive has been read.
   */
  readonly report?: Report;
  /**
   * Called with an entry's pax records before the entry is yielded: formats built on tar keep their own records there.
   */
  readonly records?: (path: string, records: ReadonlyMap<string, string>) => void;
}

/**
 * Largest pax header or long name taken, in bytes, as in libarchive: they are held in memory, and all attributes that Linux
 * keeps for one file are far below it.
 */
const META_LIMIT = 1 << 20;

/**
 * Entries of a tar archive in order: v7, ustar, GNU and pax. Payloads are streamed and not kept: `contentAt` gives each
 * file its content by its offset in the stream. The stream is read to its very end, so that a consumer that checks or
 * stores it sees all of it. `path` is the archive's name in messages. Throws `TAR_CORRUPT`, `TRUNCATED` and
 * `ARCHIVE_UNSUPPORTED`.
 *
 * @example
 * ```ts
 * import { hostFile, readTar, slicesOf } from 'osbuilder';
 *
 * let files = 0;
 * for await (const entry of readTar(hostFile('rootfs.tar').open(), 'rootfs.tar', slicesOf('rootfs.tar')))
 *   if ('inode' in entry && entry.inode.kind === 'file') files++;
 * console.log(files > 3); // prints: true
 * ```
 */
export async function* readTar(
  source: Bytes,
  path: string,
  contentAt: ContentAt,
  options: TarReadOptions = {},
): AsyncGenerator<Entry> {
  const cursor = new Cursor(source, path);
  const losses = new Losses(options.report);
  const members = new MemberReader(cursor, path, contentAt, options.digest === true, losses);
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
        // like GNU tar, treat one block of zeros as the end and skip what follows
        if (pending) throw new HeaderError('the archive ends between a name and its file');
        for await (const _ of cursor.rest());
        return;
      }
      if (!checksumHolds(block)) throw new HeaderError('the checksum of a header is wrong');
      const raw = readHeader(block);
      switch (raw.type) {
        case TYPE.paxNext:
        case TYPE.solarisPax:
          // of two consecutive ones only the later one counts, as in other readers
          pax = readPax(await members.meta(raw.size, 'a pax header'), global);
          continue;
        case TYPE.paxGlobal:
          for (const [keyword, value] of readPax(await members.meta(raw.size, 'a global pax header'), global).values) {
            if (value === '') global.delete(keyword);
            else global.set(keyword, value);
          }
          continue;
        case TYPE.solarisAcl:
          // an access control list of Solaris in front of its file
          await members.meta(raw.size, 'an access control list');
          losses.add('ACL_LEFT_OUT', {
            source: path,
            path: raw.name,
            what: 'tar type A',
            reason: 'it is a list of Solaris',
          });
          continue;
        case TYPE.gnuLongName:
          longName = untilNul(await members.meta(raw.size, 'a long name'));
          continue;
        case TYPE.gnuLongLink:
          longLink = untilNul(await members.meta(raw.size, 'a long link target'));
          continue;
        case TYPE.gnuLabel:
          if (raw.size !== 0) throw new HeaderError('a volume label with data');
          continue; // the name of the tape, not a file
      }
      const records = pax ?? (global.size > 0 ? { values: new Map(global), sparse: [] } : undefined);
      pax = undefined;
      const header: Settled = records === undefined ? raw : settle(raw, records);
      if (longName !== undefined && !records?.values.get('path')) header.name = longName;
      if (longLink !== undefined && !records?.values.get('linkpath')) header.link = longLink;
      longName = longLink = undefined;
      checkHeader(header);
      if (records !== undefined) {
        for (const keyword of unknownKeywords(records.values))
          losses.add('PAX_RECORD_IGNORED', { source: path, path: header.name, keyword: display(keyword) });
        options.records?.(header.name, records.values);
      }
      yield members.read(header, block, records, at);
    }
  } catch (error) {
    if (error instanceof HeaderError) throw new BuildError('TAR_CORRUPT', { path, offset: at, reason: error.message });
    throw error;
  } finally {
    await cursor.close();
    losses.flush();
  }
}

/** Reads what follows a header: the data of the entry, its sparse map, or a name. */
class MemberReader {
  private readonly cursor: Cursor;
  private readonly path: string;
  private readonly contentAt: ContentAt;
  private readonly digest: boolean;
  private readonly losses: Losses;

  constructor(cursor: Cursor, path: string, contentAt: ContentAt, digest: boolean, losses: Losses) {
    this.cursor = cursor;
    this.path = path;
    this.contentAt = contentAt;
    this.digest = digest;
    this.losses = losses;
  }

  /** The entry of a header that is at byte `at`; its data is read. */
  read(header: Settled, block: Uint8Array, records: PaxRecords | undefined, at: number): Entry | Promise<Entry> {
    if (records !== undefined || this.digest || (header.type !== TYPE.file && header.type !== TYPE.oldFile))
      return this.readSlowly(header, block, records, at);
    const { name, size } = header;
    if (name.endsWith('/')) return this.readSlowly(header, block, records, at);
    // nearly all members: nothing is waited for that is at hand
    const { offset } = this.cursor;
    if (!this.cursor.skipNow(size, paddingOf(size), () => fileNamed(name)))
      return this.readSlowly(header, block, records, at);
    return { path: name, inode: file(this.contentAt(offset, size), metaFrom(header, records, this.path, this.losses)) };
  }

  private async readSlowly(
    header: Settled,
    block: Uint8Array,
    records: PaxRecords | undefined,
    at: number,
  ): Promise<Entry> {
    const meta = metaFrom(header, records, this.path, this.losses);
    const name = header.name;
    const made = (inode: Inode): Entry => ({ path: name, inode });
    switch (header.type) {
      case TYPE.file:
      case TYPE.oldFile:
      case TYPE.contiguous:
        // v7 had no type for directories
        if (name.endsWith('/') && records?.values.has('GNU.sparse.name') !== true) {
          await this.pass(header.size, name);
          return made(directory(meta));
        }
        return made(await this.file(header, records, meta));
      case TYPE.gnuSparse:
        return made(await this.oldSparse(header, block, meta));
      case TYPE.link:
        // POSIX lets pax archives repeat the data; others state a size and store nothing
        if (records !== undefined && header.size > 0) await this.pass(header.size, name);
        return { path: name, link: header.link };
      case TYPE.symlink:
        return made(symlink(header.link, meta));
      case TYPE.char:
      case TYPE.block:
        return made(device(header.type === TYPE.char ? 'char' : 'block', header.major, header.minor, meta));
      case TYPE.gnuDumpDirectory:
        await this.pass(header.size, name); // the directory's list of names: for incremental restores only
        return made(directory(meta));
      case TYPE.directory:
        return made(directory(meta));
      case TYPE.fifo:
        return made(special('fifo', meta));
      default:
        throw new BuildError('ARCHIVE_UNSUPPORTED', {
          path: this.path,
          offset: at,
          what: `the entry "${display(name)}" of tar type "${display(header.type)}"`,
        });
    }
  }

  /** The bytes of a pax header or a long name. */
  async meta(size: number, what: string): Promise<Uint8Array> {
    if (size < 0 || size > META_LIMIT) throw new HeaderError(`${what} of ${size} bytes`);
    const bytes = await this.cursor.exactly(size, what);
    await this.cursor.skip(paddingOf(size), 'padding');
    return bytes;
  }

  private async file(header: Settled, records: PaxRecords | undefined, meta: Meta): Promise<Inode> {
    const { cursor } = this;
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
        return file(await this.sparseContent(map, stored, header.name), meta);
      }
    }
    const offset = cursor.offset;
    const sha256 = await this.payload(header.size, header.name, this.digest);
    return file(this.contentAt(offset, header.size, sha256), meta);
  }

  private async oldSparse(header: Settled, block: Uint8Array, meta: Meta): Promise<Inode> {
    const map = await oldGnuMap(block, () => this.cursor.exactly(BLOCK, 'a sparse map'));
    return file(await this.sparseContent(map, header.size, header.name), meta);
  }

  private async sparseContent(map: SparseMap, stored: number, name: string) {
    const { extents, size } = checkedMap(map, stored);
    const offset = this.cursor.offset;
    await this.payload(stored, name, false);
    return sparse(this.contentAt(offset, stored), extents, size);
  }

  /** Skips `size` bytes and their padding; returns their SHA-256 if `digest`. */
  private async payload(size: number, name: string, digest: boolean): Promise<string | undefined> {
    const result = await digested(this.cursor, size, fileNamed(name), digest);
    const padding = paddingOf(size);
    if (padding > 0 && this.cursor.now(padding) === undefined) await this.cursor.skip(padding, 'padding');
    return result;
  }

  private async pass(size: number, name: string): Promise<void> {
    await this.payload(size, name, false);
  }
}

/** Bytes from the end of data to the next block. */
function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** What messages call the data of a file. */
function fileNamed(name: string): string {
  return `the file "${display(name)}"`;
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return latin1(end < 0 ? bytes : bytes.subarray(0, end));
}
