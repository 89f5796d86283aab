import { createHash } from 'node:crypto';
import type { Bytes } from '../../bytes/content.ts';
import { readingOnce } from '../../bytes/file.ts';
import { appendToSpool, slicesOf, spooled } from '../../bytes/spool.ts';
import { BuildError } from '../../errors/error.ts';
import { Cache } from '../../fetch/cache.ts';
import { tooLarge } from '../../fetch/limits.ts';
import { spoolTail } from '../../fetch/spool-index.ts';
import type { Entry } from '../../tree/entry.ts';
import { safePath } from '../../tree/path.ts';
import { type ControlFile, controlFields, readDeb, readPayload } from './archive.ts';

/** Request to a worker: unpack this archive into the cache's spool of that digest. */
export interface UnpackTask {
  /** Path of the archive on the build host. */
  readonly archive: string;
  /** Directory of the cache. */
  readonly cache: string;
  /** Name of its spool, made of the archive's digest. */
  readonly key: string;
  /** Longest accepted plain payload, as protection against decompression bombs. */
  readonly limit: number;
  /** The package's name in messages. */
  readonly name: string;
  /** Package name and version the archive must have, where they are known. */
  readonly expected?: { readonly package: string; readonly version: string };
}

/** Decompresses a package once into its spool. */
export function task(input: UnpackTask): Promise<void> {
  return readingOnce(input.archive, () => unpack(input));
}

async function unpack(input: UnpackTask): Promise<void> {
  const cache = new Cache(input.cache);
  await cache.put('spools', input.key, async (part, _fd, wrote) => {
    let control: ReadonlyMap<string, ControlFile> = new Map();
    const entries: Entry[] = [];
    const hash = createHash('sha256');
    let size = 0;
    const counted = async function* (stream: Bytes): AsyncGenerator<Uint8Array> {
      for await (const piece of stream) {
        size += piece.length;
        if (size > input.limit) throw tooLarge(input.name, input.limit, 'maxPackageSize');
        hash.update(piece);
        yield piece;
      }
    };
    await readDeb(input.archive, input.name, {
      control(files) {
        control = files;
        checkIdentity(input, files);
      },
      async data(stream) {
        for await (const entry of readPayload(spooled(counted(stream), part), input.name, slicesOf(part))) {
          safePath(entry.path, input.name);
          if ('link' in entry) safePath(entry.link, input.name);
          entries.push(entry);
        }
      },
    });
    const tail = spoolTail(size, hash.copy().digest('hex'), control, entries);
    appendToSpool(part, tail);
    wrote(hash.update(tail).digest('hex'));
  });
}

/** Rejects an archive whose control file disagrees with the index: it is not the package that was selected. */
function checkIdentity(input: UnpackTask, files: ReadonlyMap<string, ControlFile>): void {
  if (input.expected === undefined) return;
  const fields = controlFields(Buffer.from(files.get('control')!.bytes).toString('latin1'));
  const actual = `${fields.get('Package')} ${fields.get('Version')}`;
  const expected = `${input.expected.package} ${input.expected.version}`;
  if (actual !== expected) throw new BuildError('DEB_MISMATCH', { path: input.name, expected, actual });
}
