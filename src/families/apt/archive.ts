import { type Bytes, copyOf } from '../../bytes/content.ts';
import { Cursor } from '../../bytes/cursor.ts';
import { fileSlice, hostFile } from '../../bytes/file.ts';
import { type ContentAt, slicesOfMemory } from '../../bytes/spool.ts';
import { latin1 } from '../../bytes/struct.ts';
import { decompress } from '../../compression/decompress.ts';
import type { Format } from '../../compression/format.ts';
import { BuildError } from '../../errors/error.ts';
import { readAr } from '../../formats/ar/read.ts';
import { readTar } from '../../formats/tar/read.ts';
import type { Entry } from '../../tree/entry.ts';
import { parts } from '../../tree/path.ts';

/**
 * Debian packages: deb(5), an ar archive of debian-binary, control.tar and data.tar, and deb-old(5), the format of 0.93.
 * Accepts and rejects the same input as dpkg-deb.
 */

const COMPRESSIONS: ReadonlyMap<string, Format> = new Map(
  Object.entries({
    '': 'none',
    '.gz': 'gzip',
    '.xz': 'xz',
    '.zst': 'zstd',
    '.bz2': 'bzip2',
    '.lzma': 'lzma',
  }) as [string, Format][],
);
/** dpkg accepts these for control.tar; the older ones only for data.tar. */
const CONTROL_COMPRESSIONS: readonly Format[] = ['none', 'gzip', 'xz', 'zstd'];
/** A control archive is held in memory. */
const CONTROL_LIMIT = 64 << 20;
const OLD_LINE_LIMIT = 40;

/** A control file of a package. */
export interface ControlFile {
  readonly mode: number;
  readonly bytes: Uint8Array;
}

/** What reading a package yields, in this order: its control files once, then its payload's plain tar stream. */
export interface DebReader {
  control(files: ReadonlyMap<string, ControlFile>): void;
  data(stream: Bytes): Promise<void>;
}

/** Reads the package at `file` on the build host. `path` is its name in messages. */
export async function readDeb(file: string, path: string, reader: DebReader): Promise<void> {
  const source = hostFile(file);
  const first = latin1(fileSlice(file, 0, Math.min(4, source.size)).readSync());
  if (first === '0.93') {
    await readOld(source.open(), path, reader);
    return;
  }
  let seen: 'nothing' | 'version' | 'control' = 'nothing';
  for await (const member of readAr(source.open(), path)) {
    if (seen === 'nothing') {
      if (member.name !== 'debian-binary')
        throw new BuildError('DEB_INVALID', {
          path,
          reason: `its first member is "${member.name}", not "debian-binary"`,
        });
      const version = await textOf(member.data, path, 'the format version');
      if (!/^2\.\d+\n/.test(version))
        throw new BuildError('DEB_INVALID', {
          path,
          reason: `its format version is ${JSON.stringify(version)}, not 2.x`,
        });
      seen = 'version';
      continue;
    }
    // members with this prefix are not critical and may be skipped: deb(5)
    if (member.name.startsWith('_')) continue;
    if (member.name.startsWith('control.tar')) {
      if (seen === 'control') throw new BuildError('DEB_INVALID', { path, reason: 'it has two control members' });
      const format = COMPRESSIONS.get(member.name.slice('control.tar'.length));
      if (format === undefined || !CONTROL_COMPRESSIONS.includes(format))
        throw new BuildError('DEB_COMPRESSION', { path, member: member.name });
      reader.control(await readControl(decompress(member.data, format, `${path} (${member.name})`), path));
      seen = 'control';
      continue;
    }
    if (seen !== 'control' || !member.name.startsWith('data.tar'))
      throw new BuildError('DEB_INVALID', {
        path,
        reason: `the member "${member.name}" comes before ${seen === 'control' ? 'data.tar' : 'control.tar'}`,
      });
    const format = COMPRESSIONS.get(member.name.slice('data.tar'.length));
    if (format === undefined) throw new BuildError('DEB_COMPRESSION', { path, member: member.name });
    await reader.data(decompress(member.data, format, `${path} (${member.name})`));
    // like dpkg, ignore everything after data.tar
    return;
  }
  throw new BuildError('DEB_INVALID', {
    path,
    reason: seen === 'nothing' ? 'it is empty' : seen === 'version' ? 'it has no control.tar' : 'it has no data.tar',
  });
}

/** deb-old(5): version and length of the control archive as lines, then two gzip streams. */
async function readOld(source: Bytes, path: string, reader: DebReader): Promise<void> {
  const cursor = new Cursor(source, path);
  try {
    const version = await oldLine(cursor, path);
    if (!/^0\.93\d*$/.test(version))
      throw new BuildError('DEB_INVALID', { path, reason: `its format version is ${JSON.stringify(version)}` });
    const length = await oldLine(cursor, path);
    if (!/^\d{1,10}$/.test(length))
      throw new BuildError('DEB_INVALID', {
        path,
        reason: `the length of its control archive is ${JSON.stringify(length)}`,
      });
    const control = cursor.through(Number(length), 'the control archive');
    reader.control(await readControl(decompress(control, 'gzip', `${path} (control)`), path));
    for await (const _ of control);
    await reader.data(decompress(cursor.rest(), 'gzip', `${path} (data)`));
  } finally {
    await cursor.close();
  }
}

async function oldLine(cursor: Cursor, path: string): Promise<string> {
  let line = '';
  for (;;) {
    const [byte] = await cursor.exactly(1, 'the head of a package of the old format');
    if (byte === 0x0a) return line;
    line += String.fromCharCode(byte!);
    if (line.length > OLD_LINE_LIMIT) throw new BuildError('DEB_INVALID', { path, reason: 'its head has no line end' });
  }
}

/** Control files by name. Directories are skipped, as by dpkg; anything else but files is an error. */
async function readControl(stream: Bytes, path: string): Promise<ReadonlyMap<string, ControlFile>> {
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const piece of stream) {
    size += piece.length;
    if (size > CONTROL_LIMIT)
      throw new BuildError('DEB_TOO_LARGE', { path, what: 'the control archive', limit: CONTROL_LIMIT });
    kept.push(copyOf(piece));
  }
  const bytes = Buffer.concat(kept);
  const files = new Map<string, ControlFile>();
  const source = async function* () {
    yield bytes;
  };
  for await (const entry of readTar(source(), `${path} (control.tar)`, slicesOfMemory(bytes))) {
    // the old format kept them in a folder
    const [name, ...below] = parts(entry.path.replace(/^(\.\/)?DEBIAN\//, ''));
    if ('link' in entry || (entry.inode.kind !== 'file' && entry.inode.kind !== 'directory'))
      throw new BuildError('DEB_CONTROL', { path, reason: `"${entry.path}" is not a regular file` });
    if (name === undefined || below.length > 0 || entry.inode.kind === 'directory') continue;
    if (name === '..') throw new BuildError('PATH_ESCAPES', { path: entry.path, source: path });
    files.set(name, { mode: entry.inode.mode, bytes: entry.inode.content.readSync() });
  }
  if (!files.has('control')) throw new BuildError('DEB_CONTROL', { path, reason: 'it has no control file' });
  return files;
}

async function textOf(data: Bytes, path: string, what: string): Promise<string> {
  let text = '';
  for await (const piece of data) {
    text += Buffer.from(piece).toString('latin1');
    if (text.length > 4096) throw new BuildError('DEB_TOO_LARGE', { path, what, limit: 4096 });
  }
  return text;
}

/** Entries of a package's plain payload stream, with digests; `contentAt` gives files their content. */
export function readPayload(stream: Bytes, path: string, contentAt: ContentAt): AsyncIterable<Entry> {
  return readTar(stream, `${path} (data.tar)`, contentAt, { digest: true });
}

/** Fields of a control file in order, names as written; values keep their line breaks. */
export function controlFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  let name: string | undefined;
  for (const line of text.split('\n')) {
    if (/^[ \t]/.test(line)) {
      if (name !== undefined) fields.set(name, `${fields.get(name)}\n${line}`);
    } else if (line.trim() === '') {
      if (fields.size > 0) break;
    } else if (!line.startsWith('#')) {
      const colon = line.indexOf(':');
      if (colon <= 0) continue;
      name = line.slice(0, colon);
      fields.set(name, line.slice(colon + 1).replace(/^[ \t]+/, ''));
    }
  }
  return fields;
}
