import type { Report } from '../../events/events.ts';
import type { Cache } from '../../fetch/cache.ts';
import type { Unpacked } from '../../fetch/package.ts';
import { type Archive, type Unpacking, unpackAll as unpackArchives } from '../../fetch/unpacking.ts';
import { taskModule } from '../../workers/pool.ts';
import type { AptPackage } from './package.ts';
import type { UnpackTask } from './unpack-task.ts';

/** A Debian package whose archive was opened. */
export interface UnpackedDeb extends Unpacked<AptPackage> {
  /** SHA-256 of the payload's plain tar stream. */
  readonly payload: string;
}

/** Opens packages whose archives were fetched, in the order given. */
export function unpackAll(
  archives: readonly Archive<AptPackage>[],
  cache: Cache,
  report: Report,
): Promise<UnpackedDeb[]> {
  return unpackArchives(archives, UNPACKING, cache, report);
}

const UNPACKING: Unpacking<AptPackage, UnpackTask, UnpackedDeb> = {
  key: (one) => one.sha256,
  module: taskModule('./unpack-task', import.meta.url),
  load: () => import('./unpack-task.ts'),
  input: ({ package: { name, version, sha256 }, archive }, cache) => ({
    archive,
    cache,
    sha256,
    name: `${name} ${version}`,
    expected: { package: name, version },
  }),
  opened: (self, spool) => ({ package: self, ...spool }),
};
