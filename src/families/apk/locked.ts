import { createPublicKey } from 'node:crypto';
import { sha256 } from '../../bytes/digest.ts';
import { withoutEnding } from '../../bytes/ending.ts';
import { BuildError } from '../../errors/error.ts';
import type { Host } from '../../fetch/host.ts';
import type { Lock, LockedPackage } from '../../lock/lock.ts';
import { fetchLocked, placesOf, publicPlaces } from '../../lock/places.ts';
import type { Order } from '../family.ts';
import { type Origins, originOf, publicUrls } from '../origins.ts';
import { readArchive } from './archive.ts';
import { databaseLines } from './database.ts';
import { stanzaOf } from './folder.ts';
import { type ApkPackage, parseIndex } from './index-file.ts';
import { type ApkPlan, keyringOf } from './plan.ts';
import type { ApkRepository } from './repository.ts';
import type { ChosenApk } from './resolve.ts';

/** What a package for every architecture says of itself. */
const NO_ARCHITECTURE = 'noarch';

/** The plan of a lock: what an index would say is in the packages themselves. */
export async function planLocked(order: Order, lock: Lock, host: Host): Promise<ApkPlan> {
  const archives = await fetchLocked(lock, placesOf(order.settings), host);
  const chosen: ChosenApk[] = [];
  for (const [i, one] of lock.packages.entries()) {
    const { reason, by, tag } = one;
    const self = { ...(await packageOf(archives[i]!, one)), urls: publicPlaces(one, lock) };
    chosen.push({ package: self, reason, tag, ...(by === undefined ? {} : { by }) });
  }
  return { order, chosen, repositories: repositoriesIn(lock, order, host), date: lock.epoch };
}

async function packageOf(path: string, locked: LockedPackage): Promise<ApkPackage> {
  const { archive, identity } = await readArchive(path, locked.path);
  const { name, version, architecture } = archive.info;
  const expected = `${locked.name} ${locked.version} ${locked.architecture}`;
  const actual = `${name} ${version} ${architecture}`;
  // an index lists packages for every architecture as those of its own (apk index --rewrite-arch)
  const own = architecture === NO_ARCHITECTURE ? locked.architecture : architecture;
  if (`${name} ${version} ${own}` !== expected)
    throw new BuildError('APK_MISMATCH', { path: locked.path, expected, actual });
  const text = locked.record ?? stanzaOf(archive.info, identity, locked.size);
  const [record] = parseIndex(text, (_, line) => {
    const reason = `what is said of it is not understood: ${line.slice(0, 80)}`;
    throw new BuildError('APK_FORMAT', { path: locked.path, reason });
  });
  const said = record === undefined ? 'nothing' : `${record.name} ${record.version} ${record.architecture}`;
  if (said !== expected || record!.identity !== identity)
    throw new BuildError('APK_MISMATCH', { path: locked.path, expected: `${expected} ${identity}`, actual: said });
  return { ...record!, sha256: locked.sha256, repositories: [], urls: [path] };
}

/** What the index says of a package, where that is not what the package says of itself. */
async function recordOf(path: string, one: ApkPackage): Promise<string | undefined> {
  const { archive, identity } = await readArchive(path, path);
  const own = databaseLines(stanzaOf(archive.info, identity, one.size));
  const lines = databaseLines(one.stanza);
  return lines.join('\n') === own.join('\n') ? undefined : lines.join('\n');
}

/** What the guest's apk has to know of the repositories. */
function repositoriesIn(lock: Lock, order: Order, host: Host): ApkRepository[] {
  const keyring = keyringOf(order, host);
  return lock.repositories.map(({ urls, tag, metadata }) => ({
    source: { mirrors: urls, keyring, ...(tag === undefined ? {} : { tag }) },
    bases: urls,
    local: urls.length === 0,
    records: [],
    date: metadata.date,
    sha256: metadata.sha256,
    signedBy: keyring.keys.find((key) => metadata.signedBy.includes(nameOf(key)))?.name,
    description: '',
  }));
}

/** A key as a lock names it: its file and the SHA-256 of its public part. */
function nameOf({ name, pem }: { readonly name: string; readonly pem: string }): string {
  return `${name} sha256:${sha256(createPublicKey(pem).export({ type: 'spki', format: 'der' }))}`;
}

/** Where the packages of a plan come from. */
export async function origins({ chosen, repositories }: ApkPlan, archives: readonly string[]): Promise<Origins> {
  const records = await Promise.all(archives.map((path, i) => recordOf(path, chosen[i]!.package)));
  const roots = repositories.map(({ source }) => ({ bases: source.mirrors }));
  return {
    repositories: repositories.map(({ source, date, sha256: digest, signedBy }) => {
      const place = publicUrls(source.mirrors)[0] ?? source.mirrors[0] ?? '';
      const below = /\/(v?[0-9][^/]*|edge|latest-stable)\/(main|community|testing)\/*$/.exec(place);
      const keys = source.keyring.keys.filter((key) => signedBy?.split(', ').includes(key.name));
      return {
        name: below === null ? withoutEnding(place, '/').replace(/^.*[/\\]/, '') : `${below[1]}/${below[2]}`,
        urls: publicUrls(source.mirrors),
        ...(below === null ? {} : { below: `${below[1]}/${below[2]}` }),
        ...(source.tag === undefined ? {} : { tag: source.tag }),
        metadata: { date, sha256: digest, signedBy: keys.map(nameOf).sort() },
      };
    }),
    packages: chosen.map(({ package: one, tag }, i) => ({
      ...originOf(one.urls, roots, (i) => one.repositories[0] === i),
      ...(tag === undefined ? {} : { tag }),
      ...(records[i] === undefined ? {} : { record: records[i] }),
    })),
  };
}
