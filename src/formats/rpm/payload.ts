import { createHash, hash } from 'node:crypto';
import type { Bytes, FileContent } from '../../bytes/content.ts';
import { Cursor } from '../../bytes/cursor.ts';
import type { ContentAt } from '../../bytes/spool.ts';
import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import type { Entry } from '../../tree/entry.ts';
import { device, directory, file as fileOf, type Inode, type Meta, special, symlink } from '../../tree/inode.ts';
import { display, PATH_MAX } from '../../tree/path.ts';
import { CRC, Header, NEWC, TRAILER } from '../cpio/layout.ts';
import { FILE, type FileTable, type RpmFile } from './files.ts';

/** Magic of an entry that names its file by its number in the file table, and says nothing else. */
const STRIPPED = '07070X';
const STRIPPED_SIZE = 14;

/** One member of a set of hard links that is waiting for the set's content. */
interface Waiting {
  readonly members: RpmFile[];
  content: FileContent | undefined;
}

/** Head of an archive entry: which file, and how much data; or the end of the archive. */
interface Head {
  readonly file: RpmFile;
  /** Bytes of data that follow; undefined: as many as the file table says. */
  readonly size: number | undefined;
}

/**
 * Most bytes that an honest payload of these files has, decompressed: a longer one is a decompression bomb. The file
 * table is signed; archives add a header and padding to each file.
 */
export function payloadLimit({ files }: FileTable): number {
  let limit = 4096;
  for (const { size, path, target } of files) limit += size + target.length + path.length + 256;
  return limit;
}

/**
 * Entries of a decompressed payload: cpio `newc` or `crc` with the names of the file table, or rpm's stripped form.
 * All that is said of a file comes from the file table, which the signature covers; the archive has the contents, and
 * each one's digest is checked. Of a set of hard links the last name carries the content and the meta data.
 */
export async function* readPayload(
  source: Bytes,
  table: FileTable,
  path: string,
  contentAt: ContentAt,
): AsyncGenerator<Entry> {
  const cursor = new Cursor(source, path);
  const wrong = (reason: string) => new BuildError('RPM_PAYLOAD', { path, reason });
  const byPath = new Map(table.files.map((file) => [file.path, file]));
  const last = new Map<number, RpmFile>();
  for (const file of table.files) if (file.links > 0) last.set(file.links, file);
  const seen = new Set<RpmFile>();
  const sets = new Map<number, Waiting>();
  const order: number[] = [];
  try {
    for (;;) {
      const head = await nextHead(cursor, table, byPath, path);
      if (head === undefined) break;
      const { file } = head;
      const shown = `"/${display(file.path)}"`;
      if (seen.has(file)) throw wrong(`${shown} stands twice in it`);
      if ((file.flags & FILE.ghost) !== 0) throw wrong(`${shown} is a ghost, which has no content`);
      seen.add(file);
      const meta = metaOf(file);
      if (file.kind === 'file') {
        const size = head.size ?? (file.links > 0 && last.get(file.links) !== file ? 0 : file.size);
        if (file.links === 0) {
          if (size !== file.size) throw wrong(`${shown} has ${size} bytes, the file list says ${file.size}`);
          yield { path: file.path, inode: fileOf(await content(file, size), meta) };
          continue;
        }
        let set = sets.get(file.links);
        if (set === undefined) {
          sets.set(file.links, (set = { members: [], content: undefined }));
          order.push(file.links);
        }
        set.members.push(file);
        if (size === 0 && file.size > 0) continue;
        if (size !== file.size) throw wrong(`${shown} has ${size} bytes, the file list says ${file.size}`);
        const first = set.content === undefined || set.content.size === 0;
        const found = await content(file, size);
        if (!first && size > 0) throw wrong(`${shown} has a second content for one set of hard links`);
        set.content = found;
        continue;
      }
      yield { path: file.path, inode: await inodeOf(file, meta, head.size, cursor, wrong) };
    }
    for (const number of order) yield* release(sets.get(number)!, wrong);
    const missing = table.files.find((file) => !seen.has(file) && (file.flags & FILE.ghost) === 0);
    if (missing !== undefined) throw wrong(`"/${display(missing.path)}" is not in it`);
  } finally {
    await cursor.close();
  }

  async function content(file: RpmFile, size: number): Promise<FileContent> {
    const what = `the file "${display(file.path)}"`;
    const offset = cursor.offset;
    const actual = await digestHere(cursor, size, what, table.algorithm);
    await cursor.skip(-size & 3, 'padding');
    // empty files of some old packages have no digest
    if (file.digest !== '' && file.digest !== actual)
      throw new BuildError('RPM_DIGEST', {
        path,
        what: `${table.algorithm} of "/${display(file.path)}"`,
        expected: file.digest,
        actual,
      });
    if (file.digest === '' && size > 0) throw wrong(`"/${display(file.path)}" has no digest in the file list`);
    return contentAt(offset, size, table.algorithm === 'sha256' ? actual : undefined);
  }
}

/** What is not a regular file. */
async function inodeOf(
  file: RpmFile,
  meta: Meta,
  stated: number | undefined,
  cursor: Cursor,
  wrong: (reason: string) => BuildError,
): Promise<Inode> {
  const { kind, target } = file;
  const size = stated ?? (kind === 'symlink' ? file.size : 0);
  if (kind === 'symlink') {
    if (target === '' || size !== target.length || size >= PATH_MAX)
      throw wrong(`the link "/${display(file.path)}" has ${size} bytes of target, the file list ${target.length}`);
    const data = latin1(await cursor.exactly(size, `the target of "${display(file.path)}"`));
    await cursor.skip(-size & 3, 'padding');
    if (data !== target)
      throw wrong(
        `the link "/${display(file.path)}" leads to "${display(data)}", the file list says "${display(target)}"`,
      );
    return symlink(target, meta);
  }
  if (size !== 0) throw wrong(`"/${display(file.path)}" is a ${kind} with ${size} bytes of data`);
  switch (kind) {
    case 'directory':
      return directory(meta);
    case 'char':
    case 'block':
      return device(kind, file.major, file.minor, meta);
    case 'fifo':
    case 'socket':
      return special(kind, meta);
    default:
      throw new TypeError(`a ${kind} among what is no file`);
  }
}

/** Meta data of a row; owners stay names until accounts are known. */
function metaOf({ mode, mtime, user, group }: RpmFile): Meta {
  return { mode, uid: 0, gid: 0, user, group, mtime };
}

/** Names of a set of hard links, once its content is known. */
function* release({ members, content }: Waiting, wrong: (reason: string) => BuildError): Generator<Entry> {
  const [first] = members;
  const writtenLast = members.at(-1)!;
  if (content === undefined) throw wrong(`no name of the hard link "/${display(first!.path)}" carries the content`);
  yield { path: first!.path, inode: fileOf(content, metaOf(writtenLast)) };
  for (const { path } of members.slice(1)) yield { path, link: first!.path };
}

async function nextHead(
  cursor: Cursor,
  { files }: FileTable,
  byPath: ReadonlyMap<string, RpmFile>,
  path: string,
): Promise<Head | undefined> {
  const offset = cursor.offset;
  const corrupt = (reason: string) => new BuildError('CPIO_CORRUPT', { path, offset, reason });
  const magic = latin1(await cursor.exactly(6, 'a header'));
  if (magic === STRIPPED) {
    const digits = latin1(await cursor.exactly(STRIPPED_SIZE - 6, 'a header'));
    if (!/^[0-9a-fA-F]{8}$/.test(digits)) throw corrupt(`the file number "${display(digits)}"`);
    const file = files[Number.parseInt(digits, 16)];
    if (file === undefined) throw corrupt(`file ${Number.parseInt(digits, 16)} of ${files.length}`);
    await cursor.skip(-STRIPPED_SIZE & 3, 'padding');
    return { file, size: undefined };
  }
  if (magic !== NEWC && magic !== CRC) throw corrupt('no cpio header is here');
  const rest = await cursor.exactly(Header.size - 6, 'a header');
  const head = new Uint8Array(Header.size);
  head.set(Buffer.from(magic, 'latin1'));
  head.set(rest, 6);
  const { nameSize, size } = Header.read(head);
  if (Number.isNaN(nameSize) || Number.isNaN(size)) throw corrupt('a size that is not a number');
  if (nameSize < 2 || nameSize > PATH_MAX) throw corrupt(`a name of ${nameSize} bytes`);
  const name = latin1(await cursor.exactly(nameSize, 'a name'));
  await cursor.skip(-(Header.size + nameSize) & 3, 'padding');
  if (!name.endsWith('\0') || name.indexOf('\0') !== name.length - 1)
    throw corrupt('a name that does not end with NUL');
  const plain = name.slice(0, -1);
  if (plain === TRAILER) return undefined;
  const file = byPath.get(plain.replace(/^\.?\/+/, ''));
  if (file === undefined)
    throw new BuildError('RPM_PAYLOAD', { path, reason: `"${display(plain)}" is not in its file list` });
  return { file, size };
}

async function digestHere(cursor: Cursor, size: number, what: string, algorithm: string): Promise<string> {
  const whole = cursor.now(size);
  if (whole !== undefined) return hash(algorithm, whole, 'hex');
  const sum = createHash(algorithm);
  await cursor.skip(size, what, (piece) => sum.update(piece));
  return sum.digest('hex');
}
