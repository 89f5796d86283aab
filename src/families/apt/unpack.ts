import { BuildError } from '../../errors/error.ts';
import type { Unpacked } from '../../fetch/package.ts';
import { type Unpacking, unpacker } from '../../fetch/unpacking.ts';
import { taskModule } from '../../workers/pool.ts';
import { controlFields } from './archive.ts';
import { controlText } from './configure/control.ts';
import type { AptPackage } from './package.ts';
import type { UnpackTask } from './unpack-task.ts';

/** An opened Debian package archive. */
export interface UnpackedDeb extends Unpacked<AptPackage> {
  /** SHA-256 of the payload's plain tar stream. */
  readonly payload: string;
}

/** Key of a package's spool in the cache. */
export function spoolKey({ sha256, sha512 }: Pick<AptPackage, 'sha256' | 'sha512'>): string {
  return sha256 === '' && sha512 !== '' ? `sha512-${sha512}` : sha256;
}

/**
 * Checks that each archive is the selected package. An index may list a package of another architecture, or
 * version, under the right digest. Throws `DEB_MISMATCH`.
 */
export function checkIdentities(unpacked: readonly UnpackedDeb[]): void {
  for (const one of unpacked) {
    const { name, version, architecture } = one.package;
    const fields = controlFields(controlText(one, 'control') ?? '');
    const field = (key: string) => fields.get(key) ?? `no ${key}`;
    const actual = `${field('Package')} ${field('Version')} ${field('Architecture')}`;
    const expected = `${name} ${version} ${architecture}`;
    if (actual !== expected) throw mismatch(one.package.urls[0] ?? name, expected, actual);
  }
}

/** The error for an archive that is another package than it should be. */
export function mismatch(path: string, expected: string, actual: string): BuildError {
  return new BuildError('DEB_MISMATCH', { path, expected, actual });
}

const UNPACKING: Unpacking<AptPackage, UnpackTask, UnpackedDeb> = {
  key: spoolKey,
  module: taskModule('./unpack-task', import.meta.url),
  load: () => import('./unpack-task.ts'),
  input: ({ package: one, package: { name, version }, archive }, cache, limit) => ({
    limit,
    archive,
    cache,
    key: spoolKey(one),
    name: `${name} ${version}`,
    expected: { package: name, version },
  }),
  opened: (self, spool) => ({ package: self, ...spool }),
};

/** Opens packages whose archives were fetched, in the order given; unpacks some before all are fetched. */
export const { all: unpackAll, ahead: unpackAhead } = unpacker(UNPACKING);
