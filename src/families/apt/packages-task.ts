import type { Bytes } from '../../bytes/content.ts';
import { hostFile } from '../../bytes/file.ts';
import { pour } from '../../bytes/pour.ts';
import { decompress } from '../../compression/decompress.ts';
import { Cache } from '../../fetch/cache.ts';
import { type Transferred, transferred } from '../../workers/pool.ts';
import { tableBytes } from './packages-kept.ts';
import { parsePackages } from './packages-parse.ts';
import type { TableParts } from './packages-table.ts';
import type { AptIndexFile } from './source.ts';

/** What a worker is asked: read a package list and keep it in the cache. */
export interface PackagesTask {
  readonly file: string;
  readonly compression: AptIndexFile['compression'];
  /** Directory of the cache; undefined: do not keep it. */
  readonly cache: string | undefined;
  /** Under this name. */
  readonly key: string;
}

/** Faults of a cache that cannot be written to: the list is read all the same. */
const UNWRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT']);

/** What runs in a worker: as {@link readParts}, the result's buffers moved. */
export async function task(input: PackagesTask): Promise<Transferred<TableParts>> {
  const parts = await readParts(input);
  const buffers = Object.values(parts).flatMap((part) =>
    typeof part === 'object' ? [part.buffer as ArrayBuffer] : [],
  );
  return transferred(parts, buffers);
}

/** Reads a package list, and keeps it in compact form where the cache can be written to. */
export async function readParts({ file, compression, cache, key }: PackagesTask): Promise<TableParts> {
  const parts = await parsePackages(decompress(hostFile(file).open(), compression, file), file);
  if (cache !== undefined) {
    try {
      await new Cache(cache).put('parsed', key, async (part) => {
        await pour(inTurn(tableBytes(parts)), part);
      });
    } catch (error) {
      if (!UNWRITABLE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return parts;
}

async function* inTurn(pieces: readonly Uint8Array[]): Bytes {
  yield* pieces;
}
