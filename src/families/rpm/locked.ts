import { withoutEnding } from '../../bytes/ending.ts';
import { BuildError } from '../../errors/error.ts';
import type { Host } from '../../fetch/host.ts';
import { localPath } from '../../fetch/mirror.ts';
import { TAG } from '../../formats/rpm/layout.ts';
import type { Lock, LockedPackage } from '../../lock/lock.ts';
import { fetchLocked, placesOf, publicPlaces } from '../../lock/places.ts';
import type { Chosen, Order } from '../family.ts';
import { type Origins, originOf, publicUrls } from '../origins.ts';
import { openPackage } from './folder.ts';
import type { RpmPackage } from './package.ts';
import type { RpmPlan } from './plan.ts';
import { evrText } from './solver/table.ts';

/** The plan of a lock: what metadata would say is in the packages themselves. */
export async function planLocked(order: Order, lock: Lock, host: Host): Promise<RpmPlan> {
  const archives = await fetchLocked(lock, placesOf(order.settings), host);
  const chosen = lock.packages.map((one, i): Chosen<RpmPackage> => {
    const { reason, by } = one;
    return {
      package: { ...packageOf(archives[i]!, one), urls: publicPlaces(one, lock) },
      reason,
      ...(by === undefined ? {} : { by }),
    };
  });
  return { order, chosen, repositories: [], date: lock.epoch };
}

function packageOf(path: string, locked: LockedPackage): RpmPackage {
  const { name, version, architecture, size, sha256 } = locked;
  const { main } = openPackage(path, locked.path).rpm;
  const text = (tag: number) => main.string(tag) ?? '';
  const own = evrText(main.number(TAG.epoch)?.toString(), text(TAG.version), text(TAG.release));
  const actual = `${text(TAG.name)} ${own} ${text(TAG.arch)}`;
  const expected = `${name} ${version} ${architecture}`;
  if (actual !== expected) throw new BuildError('RPM_MISMATCH', { path: locked.path, expected, actual });
  return {
    ...{ name, version, architecture, size, sha256, urls: [path] },
    digest: { algorithm: 'sha256', hex: sha256 },
    repository: locked.repository ?? 0,
    installedSize: main.number(TAG.longSize) ?? main.number(TAG.size) ?? 0,
    source: text(TAG.sourceRpm),
    keyring: undefined,
    lenient: true,
    locked: true,
  };
}

/** Where the packages of a plan come from. */
export async function origins({ chosen, repositories }: RpmPlan): Promise<Origins> {
  return {
    repositories: repositories.map(({ source, bases, date, sha256, proof }) => ({
      // a repository that is named by its folder only has that folder's last name
      name:
        localPath(source.name) === undefined || !/[/\\]/.test(source.name)
          ? source.name
          : withoutEnding(source.name, '/\\').replace(/^.*[/\\]/, ''),
      urls: publicUrls(bases),
      metadata: { date, sha256, signedBy: proof.kind === 'signed' ? [...proof.keys].sort() : [] },
    })),
    packages: chosen.map(({ package: one }) => originOf(one.urls, repositories, (i) => i === one.repository)),
  };
}
