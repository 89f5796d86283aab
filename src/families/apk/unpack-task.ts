import { createHash } from 'node:crypto';
import type { Bytes } from '../../bytes/content.ts';
import { digestOf } from '../../bytes/digest.ts';
import { fileSlice, readingOnce } from '../../bytes/file.ts';
import { appendToSpool, slicesOf, spooled } from '../../bytes/spool.ts';
import { decompress } from '../../compression/decompress.ts';
import { BuildError } from '../../errors/error.ts';
import { Cache } from '../../fetch/cache.ts';
import { tooLarge } from '../../fetch/limits.ts';
import { spoolTail } from '../../fetch/spool-index.ts';
import { readTar } from '../../formats/tar/read.ts';
import type { Entry } from '../../tree/entry.ts';
import { display, safePath } from '../../tree/path.ts';
import { CHECKSUMS, dataHashOf, openArchive } from './archive.ts';

/** Input of a worker: unpack this archive into the cache's spool of that key. */
export interface UnpackTask {
  /** Path of the archive on the build host. */
  readonly archive: string;
  /** Directory of the cache. */
  readonly cache: string;
  /** Name of the spool. */
  readonly key: string;
  /** The package's identity in the index: the checksum of its control segment. */
  readonly identity: string;
  /** Longest accepted payload, whatever the package states. */
  readonly limit: number;
  /** The package's name in messages. */
  readonly name: string;
}

/** A payload that is longer than this, and than four times the size that the package states, is a decompression bomb. */
const PAYLOAD_ALLOWANCE = 256 * 2 ** 20;

/** Decompresses a package's data once into its spool, and verifies it on the way: it appears only when complete and verified. */
export function task(input: UnpackTask): Promise<void> {
  return readingOnce(input.archive, () => unpack(input));
}

async function unpack(input: UnpackTask): Promise<void> {
  // verified when it was fetched, but the cache may have been damaged since
  const archive = await openArchive(input.archive, input.name, input.identity);
  const expected = dataHashOf(archive, input.name);
  const limit = PAYLOAD_ALLOWANCE + 4 * archive.info.installedSize;
  const compressed = fileSlice(input.archive, archive.dataOffset, archive.size - archive.dataOffset);
  const mismatch = (actual: string) =>
    new BuildError(
      'APK_DATA_MISMATCH',
      { path: input.name, expected, actual },
      { hint: 'the cache was damaged after it was fetched: clear it with `osbuilder cache clear`' },
    );
  await new Cache(input.cache).put('spools', input.key, async (part, _fd, wrote) => {
    const raw = createHash('sha256');
    const plain = createHash('sha256');
    let size = 0;
    const hashed = async function* (): Bytes {
      for await (const piece of compressed.open()) {
        raw.update(piece);
        yield piece;
      }
    };
    const counted = async function* (stream: Bytes): AsyncGenerator<Uint8Array> {
      for await (const piece of stream) {
        size += piece.length;
        if (size > input.limit) throw tooLarge(input.name, input.limit, 'maxPackageSize');
        if (size > limit) {
          const reason = `its data is longer than ${limit} bytes, where it speaks of ${archive.info.installedSize}`;
          throw new BuildError('APK_FORMAT', { path: input.name, reason });
        }
        plain.update(piece);
        yield piece;
      }
    };
    const checksums = new Map<string, string>();
    const records = (path: string, values: ReadonlyMap<string, string>) => {
      const sha1 = values.get('APK-TOOLS.checksum.SHA1');
      if (sha1 !== undefined) checksums.set(path, sha1.toLowerCase());
    };
    const entries: Entry[] = [];
    const stream = spooled(counted(decompress(hashed(), 'gzip', input.name)), part);
    try {
      for await (const entry of readTar(stream, input.name, slicesOf(part), { records })) {
        safePath(entry.path, input.name);
        if ('link' in entry) safePath(entry.link, input.name);
        entries.push(entry);
      }
    } catch (cause) {
      // when the data is not what was declared, other errors in it do not matter
      const actual = await digestOf(compressed);
      if (actual !== expected) throw mismatch(actual);
      throw cause;
    }
    const actual = raw.digest('hex');
    if (actual !== expected) throw mismatch(actual);
    const control = new Map(archive.control.map(({ name, mode, bytes }) => [name, { mode, bytes }]));
    control.set(CHECKSUMS, { mode: 0o644, bytes: Buffer.from(JSON.stringify(settle(entries, checksums, input.name))) });
    const tail = spoolTail(size, plain.copy().digest('hex'), control, entries);
    appendToSpool(part, tail);
    wrote(plain.update(tail).digest('hex'));
  });
}

/** SHA-1 of each file's content and of each link's target: stated and true, or computed. */
function settle(
  entries: readonly Entry[],
  stated: ReadonlyMap<string, string>,
  source: string,
): Record<string, string> {
  // without a prototype, where the path `__proto__` is a key as any other
  const all: Record<string, string> = Object.create(null);
  for (const entry of entries) {
    if ('link' in entry) continue;
    const { inode, path } = entry;
    if (inode.kind !== 'file' && inode.kind !== 'symlink') continue;
    const hash = createHash('sha1');
    if (inode.kind === 'file') hash.update(inode.content.readSync());
    else hash.update(Buffer.from(inode.target, 'latin1'));
    const actual = hash.digest('hex');
    const promised = stated.get(path);
    if (promised !== undefined && promised !== actual)
      throw new BuildError('APK_CHECKSUM', { path: display(path), package: source });
    all[path] = actual;
  }
  return all;
}
