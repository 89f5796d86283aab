import { createHash } from 'node:crypto';
import type { Bytes } from '../../bytes/content.ts';
import { Cursor } from '../../bytes/cursor.ts';
import { digested } from '../../bytes/digest.ts';
import type { ContentAt } from '../../bytes/spool.ts';
import { latin1 } from '../../bytes/struct.ts';
import { decompressAt, detectAt } from '../../compression/decompress.ts';
import { BuildError } from '../../errors/error.ts';
import { type Report, silent, warning } from '../../events/events.ts';
import type { Entry } from '../../tree/entry.ts';
import { type File, type Inode, kindOf, type Meta } from '../../tree/inode.ts';
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
 */
export async function* readCpio(
  source: Bytes,
  path: string,
  contentAt: ContentAt,
  options: CpioReadOptions = {},
): AsyncGenerator<Entry> {
  const cursor = new Cursor(source, path);
  const digest = options.digest === true;
  const report = options.report ?? silent;
  let at = 0;
  let kernelFormat = false; // newc or crc, which the kernel unpacks
  const corrupt = (reason: string) => new BuildError('CPIO_CORRUPT', { path, offset: at, reason });
  try {
    let archives = 0;
    while (await nextArchive(cursor)) {
      archives++;
      const groups = new Map<string, LinkGroup>();
      const others = new Map<string, { path: string; inode: Inode }>();
      for (;;) {
        if (kernelFormat && (await endsWithoutTrailer(cursor, path, report))) break;
        at = cursor.offset;
        const head = await nextHead(cursor, path);
        kernelFormat = head.format === 'newc' || head.format === 'crc';
        if (head.nameSize < 2 || head.nameSize > PATH_MAX) throw corrupt(`a name of ${head.nameSize} bytes`);
        const rawName = latin1(await cursor.exactly(head.nameSize, 'a name'));
        const end = rawName.indexOf('\0');
        // some writers pad the name inside its size; a NUL followed by other bytes is an error
        if (end <= 0 || /[^\0]/.test(rawName.slice(end))) throw corrupt('a name that does not end with NUL');
        const name = rawName.slice(0, end);
        await cursor.skip(head.namePadding, 'padding');
        if (name === TRAILER) {
          await cursor.skip(head.size + head.dataPadding, 'the trailer');
          kernelFormat = false;
          break;
        }
        const kind = kindOf(head.mode);
        if (kind === undefined) throw corrupt(`"${display(name)}" is of no known kind (mode ${head.mode.toString(8)})`);
        const meta: Meta = { mode: head.mode & 0o7777, uid: head.uid, gid: head.gid, mtime: head.mtime };
        const key = `${head.identity}:${kind}`;
        if (kind === 'file') {
          const content = await payload(head, name);
          if (head.nlink < 2) {
            yield { path: name, inode: { ...meta, kind, content } };
            continue;
          }
          let group = groups.get(key);
          if (group === undefined) groups.set(key, (group = { names: [], meta, size: undefined }));
          group.names.push(name);
          group.meta = meta;
          if (group.size !== undefined) {
            // odc archives repeat the data with every name
            if (content.size > 0 && content.size !== group.size)
              throw corrupt(`"${display(name)}" and "${display(group.names[0]!)}" are one file with two sizes`);
            yield { path: name, link: group.names[0]! };
          } else if (content.size > 0 || group.names.length === head.nlink) {
            group.size = content.size;
            yield* release(group, { ...meta, kind, content });
          }
          continue;
        }
        const data = await smallData(head, name);
        let inode: Inode;
        switch (kind) {
          case 'symlink':
            if (data === '' || data.includes('\0')) throw corrupt(`the link "${display(name)}" has no usable target`);
            inode = { ...meta, kind, target: data };
            break;
          case 'directory':
            inode = { ...meta, kind, children: new Map() };
            break;
          case 'char':
          case 'block':
            inode = { ...meta, kind, major: head.major, minor: head.minor };
            break;
          default:
            inode = { ...meta, kind };
        }
        const earlier = kind === 'directory' || head.nlink < 2 ? undefined : others.get(key);
        if (earlier !== undefined && sameFile(earlier.inode, inode)) {
          yield { path: name, link: earlier.path };
          continue;
        }
        if (kind !== 'directory' && head.nlink > 1) others.set(key, { path: name, inode });
        yield { path: name, inode };
      }
      // files without data are empty
      for (const group of groups.values())
        if (group.size === undefined)
          yield* release(group, { ...group.meta, kind: 'file', content: await empty(cursor.offset) });
    }
    if (archives === 0) throw corrupt('it is empty');
  } finally {
    await cursor.close();
  }

  async function empty(offset: number) {
    return contentAt(offset, 0, await digested(cursor, 0, '', digest));
  }

  async function payload(head: Head, name: string) {
    const offset = cursor.offset;
    const what = `the file "${display(name)}"`;
    let sha256: string | undefined;
    if (head.format === 'crc' && head.size > 0) {
      let sum = 0;
      const hash = digest ? createHash('sha256') : undefined;
      await cursor.skip(head.size, what, (piece) => {
        for (let i = 0; i < piece.length; i++) sum = (sum + piece[i]!) >>> 0;
        hash?.update(piece);
      });
      if (sum !== head.check)
        throw corrupt(`the sum of "${display(name)}" is ${sum.toString(16)}, ${head.check.toString(16)} was stated`);
      sha256 = hash?.digest('hex');
    } else {
      sha256 = await digested(cursor, head.size, what, digest);
    }
    await cursor.skip(head.dataPadding, 'padding');
    return contentAt(offset, head.size, sha256);
  }

  /** Data of an entry that is not a file: a link's target. Other data is skipped, as in the kernel. */
  async function smallData(head: Head, name: string): Promise<string> {
    if (head.size === 0) return '';
    if (kindOf(head.mode) !== 'symlink') {
      await cursor.skip(head.size + head.dataPadding, `the data of "${display(name)}"`);
      return '';
    }
    if (head.size >= PATH_MAX) throw corrupt(`the link "${display(name)}" has a target of ${head.size} bytes`);
    const target = latin1(await cursor.exactly(head.size, `the target of "${display(name)}"`));
    await cursor.skip(head.dataPadding, 'padding');
    return target;
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
    if (latin1(name) === `${TRAILER}\0`) return;
  }
}
