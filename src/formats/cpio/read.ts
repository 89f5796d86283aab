import { createHash } from 'node:crypto';
import type { Bytes, FileContent } from '../../bytes/content.ts';
import { Cursor } from '../../bytes/cursor.ts';
import { digested } from '../../bytes/digest.ts';
import type { ContentAt } from '../../bytes/spool.ts';
import { latin1 } from '../../bytes/struct.ts';
import { decompressAt, detectAt } from '../../compression/decompress.ts';
import { BuildError } from '../../errors/error.ts';
import { type Report, silent, warning } from '../../events/events.ts';
import type { Entry } from '../../tree/entry.ts';
import {
  device,
  directory,
  type File,
  file,
  type Inode,
  type Kind,
  kindOf,
  type Meta,
  special,
  symlink,
} from '../../tree/inode.ts';
import { display, PATH_MAX } from '../../tree/path.ts';
import { type Head, headerSize, MAGIC_BYTES, readHead } from './head.ts';
import { TRAILER } from './layout.ts';

export { isCpio } from './head.ts';

/** How to read a cpio archive. */
export interface CpioReadOptions {
  /** Compute the SHA-256 of each file while it is read. */
  readonly digest?: boolean;
  /** Receives warnings about archives that the kernel accepts and other programs do not. */
  readonly report?: Report;
}

/** Names of one hard-linked file. */
interface LinkGroup {
  readonly names: string[];
  meta: Meta;
  /** Size of the data, once it has been read. */
  size: number | undefined;
}

/**
 * Entries of cpio archives: newc, crc (its sums are verified), odc, and old binary in both byte orders; several
 * archives in sequence with zeros between, as the kernel accepts initrds. Data of a hard-linked file may be with any
 * one of its names: earlier names are held back until it is known, so a yielded entry never changes. Payloads are
 * streamed and not kept, see {@link ContentAt}.
 *
 * @example
 * ```ts
 * import { collect, cpioArchive, file, memory, readCpio, slicesOfMemory, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.set('init', file(memory('#!/bin/sh\n')));
 * const bytes = await collect(cpioArchive(tree).open());
 * for await (const entry of readCpio(memory(bytes).open(), 'initrd', slicesOfMemory(bytes))) console.log(entry.path);
 * // prints: .
 * // prints: init
 * ```
 */
export async function* readCpio(
  source: Bytes,
  path: string,
  contentAt: ContentAt,
  options: CpioReadOptions = {},
): AsyncGenerator<Entry> {
  const cursor = new Cursor(source, path);
  const report = options.report ?? silent;
  const reader = new MemberReader(cursor, path, contentAt, options.digest === true);
  try {
    let archives = 0;
    let kernelFormat = false; // newc or crc, which the kernel unpacks
    while (await nextArchive(cursor)) {
      archives++;
      const links = new Links(reader);
      for (;;) {
        if (kernelFormat && (await endsWithoutTrailer(cursor, path, report))) break;
        const { head, name } = await reader.head();
        kernelFormat = head.format === 'newc' || head.format === 'crc';
        if (name === TRAILER) {
          await cursor.skip(head.size + head.dataPadding, 'the trailer');
          kernelFormat = false;
          break;
        }
        const kind = reader.kindOf(head, name);
        const meta: Meta = { mode: head.mode & 0o7777, uid: head.uid, gid: head.gid, mtime: head.mtime };
        if (kind !== 'file') {
          const inode = await reader.special(head, name, kind, meta);
          yield links.special(head, name, inode);
          continue;
        }
        const inode: File = file(await reader.payload(head, name), meta);
        // no call for the many files with one name: a generator for each would cost more than reading it
        if (head.nlink < 2) yield { path: name, inode };
        else yield* links.file(head, name, inode);
      }
      yield* links.rest();
    }
    if (archives === 0) throw reader.corrupt('it is empty');
  } finally {
    await cursor.close();
  }
}

/** Reads the parts of one member. */
class MemberReader {
  private readonly cursor: Cursor;
  private readonly path: string;
  private readonly contentAt: ContentAt;
  private readonly digest: boolean;
  private at = 0;

  constructor(cursor: Cursor, path: string, contentAt: ContentAt, digest: boolean) {
    this.cursor = cursor;
    this.path = path;
    this.contentAt = contentAt;
    this.digest = digest;
  }

  /** An error at the current member. */
  corrupt(reason: string): BuildError {
    return new BuildError('CPIO_CORRUPT', { path: this.path, offset: this.at, reason });
  }

  async head(): Promise<{ readonly head: Head; readonly name: string }> {
    const { cursor } = this;
    this.at = cursor.offset;
    const head = await nextHead(cursor, this.path);
    if (head.nameSize < 2 || head.nameSize > PATH_MAX) throw this.corrupt(`a name of ${head.nameSize} bytes`);
    const rawName = latin1(await cursor.exactly(head.nameSize, 'a name'));
    const end = rawName.indexOf('\0');
    // some writers pad the name inside its size; a NUL followed by other bytes is an error
    if (end <= 0 || /[^\0]/.test(rawName.slice(end))) throw this.corrupt('a name that does not end with NUL');
    await cursor.skip(head.namePadding, 'padding');
    return { head, name: rawName.slice(0, end) };
  }

  kindOf(head: Head, name: string): Kind {
    const kind = kindOf(head.mode);
    if (kind !== undefined) return kind;
    throw this.corrupt(`"${display(name)}" is of no known kind (mode ${head.mode.toString(8)})`);
  }

  /** The content of a file. */
  async payload(head: Head, name: string): Promise<FileContent> {
    const { cursor } = this;
    const offset = cursor.offset;
    const what = `the file "${display(name)}"`;
    const summed = head.format === 'crc' && head.size > 0;
    const sha256 = summed
      ? await this.checkSum(head, name, what)
      : await digested(cursor, head.size, what, this.digest);
    await cursor.skip(head.dataPadding, 'padding');
    return this.contentAt(offset, head.size, sha256);
  }

  /** The content of a file without data, after all members. */
  async empty(): Promise<FileContent> {
    return this.contentAt(this.cursor.offset, 0, await digested(this.cursor, 0, '', this.digest));
  }

  /** Reads data with a sum; returns its SHA-256 if requested. */
  private async checkSum(head: Head, name: string, what: string): Promise<string | undefined> {
    let sum = 0;
    const hash = this.digest ? createHash('sha256') : undefined;
    await this.cursor.skip(head.size, what, (piece) => {
      for (let i = 0; i < piece.length; i++) sum = (sum + piece[i]!) >>> 0;
      hash?.update(piece);
    });
    if (sum !== head.check)
      throw this.corrupt(`the sum of "${display(name)}" is ${sum.toString(16)}, ${head.check.toString(16)} was stated`);
    return hash?.digest('hex');
  }

  /** Everything but a regular file. */
  async special(head: Head, name: string, kind: Exclude<Kind, 'file'>, meta: Meta): Promise<Inode> {
    const data = await this.smallData(head, name);
    switch (kind) {
      case 'symlink':
        if (data === '' || data.includes('\0')) throw this.corrupt(`the link "${display(name)}" has no usable target`);
        return symlink(data, meta);
      case 'directory':
        return directory(meta);
      case 'char':
      case 'block':
        return device(kind, head.major, head.minor, meta);
      default:
        return special(kind, meta);
    }
  }

  /** Data of an entry that is not a file: a link's target. Other data is skipped, as in the kernel. */
  private async smallData(head: Head, name: string): Promise<string> {
    const { cursor } = this;
    if (head.size === 0) return '';
    if (kindOf(head.mode) !== 'symlink') {
      await cursor.skip(head.size + head.dataPadding, `the data of "${display(name)}"`);
      return '';
    }
    if (head.size >= PATH_MAX) throw this.corrupt(`the link "${display(name)}" has a target of ${head.size} bytes`);
    const target = latin1(await cursor.exactly(head.size, `the target of "${display(name)}"`));
    await cursor.skip(head.dataPadding, 'padding');
    return target;
  }
}

/** The hard links of one archive. */
class Links {
  private readonly reader: MemberReader;
  private readonly groups = new Map<string, LinkGroup>();
  private readonly others = new Map<string, { path: string; inode: Inode }>();

  constructor(reader: MemberReader) {
    this.reader = reader;
  }

  /** One name of a file with several: entries are held back until the data is known. */
  *file(head: Head, name: string, inode: File): Generator<Entry> {
    const { content, ...meta } = inode;
    let group = this.groups.get(head.identity);
    if (group === undefined) this.groups.set(head.identity, (group = { names: [], meta, size: undefined }));
    group.names.push(name);
    group.meta = meta;
    if (group.size !== undefined) {
      // odc archives repeat the data with every name
      if (content.size > 0 && content.size !== group.size)
        throw this.reader.corrupt(`"${display(name)}" and "${display(group.names[0]!)}" are one file with two sizes`);
      yield { path: name, link: group.names[0]! };
    } else if (content.size > 0 || group.names.length === head.nlink) {
      group.size = content.size;
      yield* release(group, inode);
    }
  }

  /** The entry of anything but a regular file. */
  special(head: Head, name: string, inode: Inode): Entry {
    if (inode.kind === 'directory' || head.nlink < 2) return { path: name, inode };
    const key = `${head.identity}:${inode.kind}`;
    const earlier = this.others.get(key);
    if (earlier !== undefined && sameFile(earlier.inode, inode)) return { path: name, link: earlier.path };
    this.others.set(key, { path: name, inode });
    return { path: name, inode };
  }

  /** Files whose data never came: they are empty. */
  async *rest(): AsyncGenerator<Entry> {
    for (const group of this.groups.values())
      if (group.size === undefined) yield* release(group, file(await this.reader.empty(), group.meta));
  }
}

function* release(group: LinkGroup, inode: File): Generator<Entry> {
  const first = group.names[0]!;
  yield { path: first, inode };
  for (const name of group.names.slice(1)) yield { path: name, link: first };
}

function sameFile(a: Inode, b: Inode): boolean {
  if (a.kind === 'symlink') return b.kind === 'symlink' && a.target === b.target;
  if (a.kind === 'char' || a.kind === 'block') return b.kind === a.kind && a.major === b.major && a.minor === b.minor;
  return a.kind === b.kind;
}

/** Skips zeros; true when other data follows. */
async function nextArchive(cursor: Cursor): Promise<boolean> {
  for (;;) {
    const ahead = await cursor.at();
    if (ahead.length === 0) return false;
    const zeros = leadingZeros(ahead);
    if (zeros === 0) return true;
    cursor.consume(zeros);
  }
}

function leadingZeros(bytes: Uint8Array): number {
  let zeros = 0;
  while (zeros < bytes.length && bytes[zeros] === 0) zeros++;
  return zeros;
}

/**
 * What the kernel accepts between two entries of a newc archive (init/initramfs.c, do_reset): zeros up to a multiple of
 * four bytes, and the end of the input in place of the trailer. Both are reported. True at the end of the input.
 */
async function endsWithoutTrailer(cursor: Cursor, path: string, report: Report): Promise<boolean> {
  const offset = cursor.offset;
  const more = await nextArchive(cursor);
  const size = cursor.offset - offset;
  if (!more) {
    report(warning('ARCHIVE_UNTERMINATED', { path, offset }));
    return true;
  }
  if (size === 0) return false;
  if (size % 4 !== 0)
    throw new BuildError('CPIO_CORRUPT', { path, offset, reason: `${size} zero bytes, not a multiple of four` });
  report(warning('ARCHIVE_PADDED', { path, offset, size }));
  return false;
}

async function nextHead(cursor: Cursor, path: string): Promise<Head> {
  const at = cursor.offset;
  const ahead = await cursor.peek(MAGIC_BYTES);
  const size = headerSize(ahead);
  if (size === undefined) {
    if (ahead.length < MAGIC_BYTES)
      throw new BuildError('TRUNCATED', { path, what: 'a header', offset: at, needed: 110, left: ahead.length });
    throw new BuildError('CPIO_CORRUPT', { path, offset: at, reason: 'no cpio header is here' });
  }
  const head = readHead(cursor.now(size) ?? (await cursor.exactly(size, 'a header')));
  if (typeof head === 'string') throw new BuildError('CPIO_CORRUPT', { path, offset: at, reason: head });
  return head;
}

/**
 * An initrd as one plain stream of cpio archives. The kernel accepts a sequence of archives, each plain or
 * compressed in its own way, with zeros between (microcode in a plain one before the compressed rest): plain ones pass
 * through, compressed ones come out decompressed.
 */
export async function* plainInitrd(source: Bytes, path: string): AsyncGenerator<Uint8Array> {
  const cursor = new Cursor(source, path);
  try {
    for (;;) {
      const zeros = leadingZeros(await cursor.at());
      if (zeros > 0) {
        yield* cursor.through(zeros, 'padding');
        continue;
      }
      const offset = cursor.offset;
      const ahead = await cursor.peek(MAGIC_BYTES);
      if (ahead.length === 0) return;
      if (headerSize(ahead) !== undefined) {
        yield* onePlainArchive(cursor, path);
        continue;
      }
      const format = await detectAt(cursor);
      if (format === 'none')
        throw new BuildError('CPIO_CORRUPT', { path, offset, reason: 'neither a cpio archive nor compressed data' });
      yield* decompressAt(cursor, format, path, { trailing: () => {} });
    }
  } finally {
    await cursor.close();
  }
}

async function* onePlainArchive(cursor: Cursor, path: string): AsyncGenerator<Uint8Array> {
  for (;;) {
    const at = cursor.offset;
    const ahead = await cursor.peek(MAGIC_BYTES);
    const size = headerSize(ahead);
    // zeros, compressed data or the end: the caller knows what to do
    if (size === undefined) return;
    const bytes = await cursor.exactly(size, 'a header');
    const head = readHead(bytes);
    if (typeof head === 'string') throw new BuildError('CPIO_CORRUPT', { path, offset: at, reason: head });
    yield bytes;
    if (head.nameSize > PATH_MAX)
      throw new BuildError('CPIO_CORRUPT', { path, offset: at, reason: `a name of ${head.nameSize} bytes` });
    const name = await cursor.exactly(head.nameSize, 'a name');
    yield name;
    yield* cursor.through(head.namePadding + head.size + head.dataPadding, 'an entry');
    // as the reader does, without what pads the name
    if (latin1(name).split('\0', 1)[0] === TRAILER) return;
  }
}
