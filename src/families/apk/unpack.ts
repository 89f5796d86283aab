import { BuildError } from '../../errors/error.ts';
import type { Arrived, Mirror, Want } from '../../fetch/mirror.ts';
import type { Unpacked } from '../../fetch/package.ts';
import type { Spool } from '../../fetch/spool-index.ts';
import { type Unpacking, unpacker } from '../../fetch/unpacking.ts';
import type { Entry } from '../../tree/entry.ts';
import { taskModule } from '../../workers/pool.ts';
import { CHECKSUMS, type PackageInfo, parseIdentity, parseInfo, proveArchive } from './archive.ts';
import type { ApkPackage } from './index-file.ts';
import type { UnpackTask } from './unpack-task.ts';

/** An Alpine package whose archive was opened. */
export interface UnpackedApk extends Unpacked<ApkPackage> {
  readonly info: PackageInfo;
  /** SHA-1 in hex of each file's content and each link's target, by its path in the archive. */
  readonly checksums: ReadonlyMap<string, string>;
  readonly entries: readonly Entry[];
}

/** The request to the mirror: the archive that a record of the index names. */
export function wantOf(one: ApkPackage): Want {
  const digest = parseIdentity(one.identity);
  const path = `${one.name}-${one.version}.apk`;
  // a lock has the digest of the complete file
  if (one.sha256 !== '')
    return {
      ...{ urls: one.urls, size: one.size, category: 'archives' },
      digest: { algorithm: 'sha256', hex: one.sha256 },
    };
  if (digest === undefined) throw new BuildError('APK_FORMAT', { path, reason: `"${one.identity}" is not a checksum` });
  return {
    urls: one.urls,
    size: one.size,
    digest,
    proof: { key: spoolKey(one), prove: (file, url) => proveArchive(file, url, one.identity) },
    category: 'archives',
  };
}

/** Fetches archives; paths come in the order of the packages. Each was verified by its identity and its data's digest. */
export function fetchPackages(packages: readonly ApkPackage[], mirror: Mirror, arrived?: Arrived): Promise<string[]> {
  return mirror.fetchAll(packages.map(wantOf), arrived);
}

/** Key of a package's spool in the cache, and of its archive where that has no SHA-256. */
export function spoolKey(one: ApkPackage): string {
  const digest = parseIdentity(one.identity)!;
  return `${digest.hex}-apk`;
}

const UNPACKING: Unpacking<ApkPackage, UnpackTask, UnpackedApk> = {
  key: spoolKey,
  module: taskModule('./unpack-task', import.meta.url),
  load: () => import('./unpack-task.ts'),
  input: ({ package: self, archive }, cache, limit) => ({
    limit,
    archive,
    cache,
    key: spoolKey(self),
    identity: self.identity,
    name: `${self.name}-${self.version}.apk`,
  }),
  opened: openedFrom,
};

/** Opens packages whose archives were fetched, in the order given; unpacks some before all are fetched. */
export const { all: unpackAll, ahead: unpackAhead } = unpacker(UNPACKING);

function openedFrom(self: ApkPackage, spool: Spool): UnpackedApk {
  const text = (name: string) => Buffer.from(spool.control.get(name)?.content.readSync() ?? []).toString('latin1');
  const info = parseInfo(text('.PKGINFO'));
  // an archive with another name or version than the index says is not the package that was chosen
  if (info.name !== self.name || info.version !== self.version)
    throw new BuildError('APK_MISMATCH', {
      path: `${self.name}-${self.version}.apk`,
      expected: `${self.name} ${self.version}`,
      actual: `${info.name} ${info.version}`,
    });
  const control = new Map([...spool.control].filter(([name]) => name !== CHECKSUMS));
  const sums = JSON.parse(Buffer.from(text(CHECKSUMS), 'latin1').toString('utf8')) as Record<string, string>;
  return { package: self, control, entries: spool.entries, info, checksums: new Map(Object.entries(sums)) };
}
