import { BuildError } from '../../errors/error.ts';
import type { Report } from '../../events/events.ts';
import { taskModule } from '../../workers/pool.ts';
import { pool } from '../../workers/shared.ts';
import type { Cache } from '../cache.ts';
import type { Unpacked } from '../family.ts';
import { dropSpool, openSpool, type Spool } from '../spool-index.ts';
import type { AptPackage } from './types.ts';
import type { UnpackTask } from './unpack-task.ts';

/** A package and its archive on the build host, whose size and digest were checked. */
export interface AptArchive {
  readonly package: AptPackage;
  /** Path of the archive. */
  readonly archive: string;
}

/** A Debian package whose archive was opened. */
export interface UnpackedDeb extends Unpacked<AptPackage> {
  /** SHA-256 of the payload's plain tar stream. */
  readonly payload: string;
}

/**
 * Opens all packages, in the order given: those that lie unpacked in the cache are only looked up, the others are
 * decompressed into it by all worker threads at once. Progress counts bytes of archives.
 */
export async function unpackAll(archives: readonly AptArchive[], cache: Cache, report: Report): Promise<UnpackedDeb[]> {
  report({ kind: 'phase', phase: 'unpack', bytes: archives.reduce((sum, one) => sum + one.package.size, 0) });
  let bytes = 0;
  const opened = (one: AptArchive, spool: Spool): UnpackedDeb => {
    bytes += one.package.size;
    report({ kind: 'progress', phase: 'unpack', bytes, item: one.package.name });
    return { package: one.package, ...spool };
  };
  // one archive asked for twice is opened once: two writers of one spool would be in each other's way
  const spools = new Map<string, Promise<Spool>>();
  const spoolOf = (one: AptArchive): Promise<Spool> => {
    const key = one.package.sha256;
    let spool = spools.get(key);
    if (spool === undefined) {
      const present = cache.find('spools', key);
      // other builds share the cache: what was read of this name before may be gone
      if (present !== undefined) dropSpool(present);
      const kept = present === undefined ? undefined : openSpool(present);
      spool = kept === undefined ? unpackOne(one, cache) : Promise.resolve(kept);
      spools.set(key, spool);
    }
    return spool;
  };
  // every task is waited for, so that none still writes when a refusal is told
  const results = await Promise.allSettled(archives.map(async (one) => opened(one, await spoolOf(one))));
  const refused = results.find((result) => result.status === 'rejected');
  if (refused !== undefined) throw refused.reason;
  report({ kind: 'ended', phase: 'unpack', bytes });
  return results.map((result) => (result as PromiseFulfilledResult<UnpackedDeb>).value);
}

async function unpackOne({ package: wanted, archive }: AptArchive, cache: Cache): Promise<Spool> {
  const path = cache.path('spools', wanted.sha256);
  await pool().run<void>(taskModule('./unpack-task', import.meta.url), {
    archive,
    cache: cache.directory,
    sha256: wanted.sha256,
    name: `${wanted.name} ${wanted.version}`,
    expected: { package: wanted.name, version: wanted.version },
  } satisfies UnpackTask);
  dropSpool(path);
  const spool = openSpool(path);
  if (spool === undefined) throw new BuildError('SPOOL_INVALID', { path });
  return spool;
}
