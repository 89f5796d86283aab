import { hostFile } from '../../bytes/file.ts';
import { writePiece } from '../../bytes/temporary.ts';
import { decompress } from '../../compression/decompress.ts';
import { isBuildError } from '../../errors/error.ts';
import { Cache } from '../../fetch/cache.ts';
import { type Transferred, transferred } from '../../workers/pool.ts';
import { tableBytes } from './packages-kept.ts';
import { parsePackages } from './packages-parse.ts';
import type { TableParts } from './packages-table.ts';
import type { AptIndexFile } from './source.ts';

/** Request to a worker: read a package list and store it in the cache. */
export interface PackagesTask {
  readonly file: string;
  readonly compression: AptIndexFile['compression'];
  /** Directory of the cache; undefined: do not store it. */
  readonly cache: string | undefined;
  /** Name of the cache entry. */
  readonly key: string;
}

/** Entry point of a worker: like {@link readParts}, with the result's buffers transferred. */
export async function task(input: PackagesTask): Promise<Transferred<TableParts>> {
  const parts = await readParts(input);
  const buffers = Object.values(parts).flatMap((part) =>
    typeof part === 'object' ? [part.buffer as ArrayBuffer] : [],
  );
  return transferred(parts, buffers);
}

/** Reads a package list, and stores it in compact form if the cache is writable. */
export async function readParts({ file, compression, cache, key }: PackagesTask): Promise<TableParts> {
  const parts = await parsePackages(decompress(hostFile(file).open(), compression, file), file);
  if (cache !== undefined) {
    try {
      await new Cache(cache).put('parsed', key, async (_path, fd) => {
        // through the descriptor: pouring to the path would make a temporary file of its own, which no later build finds
        for (const piece of tableBytes(parts)) writePiece(fd, piece);
      });
    } catch (error) {
      // the list is usable without being stored
      if (!isBuildError(error, 'WRITE_FAILED')) throw error;
    }
  }
  return parts;
}
