import { sha256 } from '../../bytes/digest.ts';
import { fileSlice } from '../../bytes/file.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { type Report, warning } from '../../events/events.ts';
import type { Keyring } from '../../fetch/keys/key.ts';
import type { Arrived, Mirror, Want } from '../../fetch/mirror.ts';
import type { Unpacked } from '../../fetch/package.ts';
import type { Spool } from '../../fetch/spool-index.ts';
import { type Unpacking, unpacker } from '../../fetch/unpacking.ts';
import { type FileTable, fileTable } from '../../formats/rpm/files.ts';
import { type Header, readHeader } from '../../formats/rpm/header.ts';
import { TAG } from '../../formats/rpm/layout.ts';
import { taskModule } from '../../workers/pool.ts';
import { openPackage } from './folder.ts';
import { nevra, type RpmPackage } from './package.ts';
import { DIGEST_NAMES } from './repomd.ts';
import { proveOrigin } from './signature.ts';
import { evrText } from './solver/table.ts';
import { MAIN_HEADER, SIGNATURE_HEADER, type UnpackTask } from './unpack-task.ts';

/** An rpm package whose payload is in a spool. */
export interface UnpackedRpm extends Unpacked<RpmPackage> {
  readonly main: Header;
  readonly signature: Header;
  readonly table: FileTable;
}

/** What the mirror is asked for: the archive that the metadata names, signed by a key of the repository's. */
export function wantOf(one: RpmPackage, report: Report): Want {
  const algorithm = DIGEST_NAMES.get(one.digest.algorithm);
  const path = `${nevra(one)}.rpm`;
  if (algorithm === undefined || !/^[0-9a-f]{40,128}$/.test(one.digest.hex))
    throw new BuildError('METADATA_DIGEST', { path, algorithm: one.digest.algorithm, what: 'the package' });
  const want = {
    urls: one.urls,
    size: one.size,
    digest: { algorithm, hex: one.digest.hex },
    category: 'archives',
  } as const;
  if (one.locked === true) return want;
  return {
    ...want,
    proof: { key: archiveKey(one), prove: (file, url, digest) => prove(file, url, digest, one, report) },
  };
}

/** Fetches packages; paths come in their order. Each was proven by its digest and by a signature of a trusted key. */
export function fetchPackages(
  packages: readonly RpmPackage[],
  mirror: Mirror,
  report: Report,
  arrived?: Arrived,
): Promise<string[]> {
  return mirror.fetchAll(
    packages.map((one) => wantOf(one, report)),
    arrived,
  );
}

async function prove(file: string, url: string, actual: string, one: RpmPackage, report: Report): Promise<void> {
  const { hex } = one.digest;
  // bytes that are no package were cut off or garbled on their way: another mirror may have them whole
  if (actual !== hex) throw new BuildError('DIGEST_MISMATCH', { url, expected: hex, actual });
  const { rpm, size } = openPackage(file, url);
  if (one.keyring === undefined) return;
  try {
    const stored = fileSlice(file, rpm.payloadOffset, size - rpm.payloadOffset);
    await proveOrigin(rpm, one.keyring, { size: stored.size, read: () => stored.readSync() });
  } catch (error) {
    // whoever names a folder of the build host means what lies there; a wrong signature is an error all the same
    const unsigned = isBuildError(error, 'RPM_UNSIGNED') || isBuildError(error, 'SIGNATURE_KEY_UNKNOWN');
    if (!one.lenient || !unsigned) throw error;
    report(warning('UNAUTHENTICATED', { what: url }));
  }
}

/** A package that was proven under other keys, or under none, has another name in the cache. */
function archiveKey({ digest, keyring }: RpmPackage): string {
  return `${digest.hex}-${keyring === undefined ? 'unsigned' : ringName(keyring)}-rpm`;
}

const rings = new WeakMap<Keyring, string>();

function ringName(keyring: Keyring): string {
  let name = rings.get(keyring);
  if (name === undefined) {
    name = sha256(Buffer.concat(keyring.keys.map((key) => Buffer.from(sha256(key))))).slice(0, 16);
    rings.set(keyring, name);
  }
  return name;
}

/** Key of a package's spool in the cache. */
export const spoolKey = ({ digest }: RpmPackage): string => `${digest.hex}-rpm`;

const UNPACKING: Unpacking<RpmPackage, UnpackTask, UnpackedRpm> = {
  key: spoolKey,
  module: taskModule('./unpack-task', import.meta.url),
  load: () => import('./unpack-task.ts'),
  input: ({ package: self, archive }, cache, limit) => ({
    limit,
    archive,
    cache,
    key: spoolKey(self),
    name: `${nevra(self)}.rpm`,
  }),
  opened: openedFrom,
};

/** Opens packages whose archives were fetched, in the order given; unpacks some before all are fetched. */
export const { all: unpackAll, ahead: unpackAhead } = unpacker(UNPACKING);

function openedFrom(self: RpmPackage, spool: Spool): UnpackedRpm {
  const path = `${nevra(self)}.rpm`;
  const bytes = (name: string) => spool.control.get(name)?.content.readSync() ?? new Uint8Array(0);
  const main = readHeader(bytes(MAIN_HEADER), 'main', path, 0);
  const signature = readHeader(bytes(SIGNATURE_HEADER), 'signature', path, 0);
  const text = (tag: number) => main.string(tag) ?? '';
  const version = evrText(main.number(TAG.epoch)?.toString(), text(TAG.version), text(TAG.release));
  // an archive that calls itself otherwise than the metadata does is not the package that was decided on
  if (text(TAG.name) !== self.name || version !== self.version || text(TAG.arch) !== self.architecture)
    throw new BuildError('RPM_MISMATCH', {
      path,
      expected: nevra(self),
      actual: `${text(TAG.name)}-${version}.${text(TAG.arch)}`,
    });
  return { package: self, control: spool.control, entries: spool.entries, main, signature, table: fileTable(main) };
}
