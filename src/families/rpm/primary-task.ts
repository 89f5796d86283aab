import { hostFile } from '../../bytes/file.ts';
import { decompressAny } from '../../compression/decompress.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { Cache } from '../../fetch/cache.ts';
import { keptBytes } from './kept.ts';
import { type Primary, PrimaryReader } from './primary.ts';

/** Request to a worker: read a primary.xml and keep it in compact form in the cache. */
export interface PrimaryTask {
  /** The file as fetched. */
  readonly file: string;
  /** What messages call it. */
  readonly name: string;
  /** Bytes that it may have decompressed. */
  readonly limit: number;
  /** Directory of the cache. */
  readonly cache: string;
  /** Name of the kept file. */
  readonly key: string;
}

/** Entry point of a worker: the result is the file in the cache. Throws what reading throws. */
export async function task(input: PrimaryTask): Promise<void> {
  await readAndKeep(input);
}

/** Reads a primary.xml and keeps it if the cache can be written. */
export async function readAndKeep({ file, name, limit, cache, key }: PrimaryTask): Promise<Primary> {
  const reader = new PrimaryReader(name);
  let size = 0;
  for await (const piece of decompressAny(hostFile(file).open(), name)) {
    size += piece.length;
    if (size > limit)
      throw new BuildError('REPOMD_INVALID', { path: name, reason: `it is longer than ${limit} bytes decompressed` });
    reader.push(piece);
  }
  const primary = reader.end();
  try {
    await new Cache(cache).write('parsed', key, Buffer.concat(keptBytes(primary)));
  } catch (error) {
    // the list is usable without being kept
    if (!isBuildError(error, 'WRITE_FAILED')) throw error;
  }
  return primary;
}
