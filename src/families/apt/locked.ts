import { repositoriesOf } from '../../distros/profile.ts';
import type { Host } from '../../fetch/host.ts';
import type { Lock, LockedPackage } from '../../lock/lock.ts';
import { fetchLocked, placesOf, publicPlaces } from '../../lock/places.ts';
import type { Chosen, Order } from '../family.ts';
import { type Origins, originOf, publicUrls } from '../origins.ts';
import { controlOf } from './local-packages.ts';
import type { AptPackage } from './package.ts';
import { PackageIndex } from './packages-index.ts';
import { localPackages } from './packages-read.ts';
import type { AptPlan } from './plan.ts';
import { mismatch } from './unpack.ts';

/** The plan of a lock: what a package list would say is in the packages themselves. */
export async function planLocked(order: Order, lock: Lock, host: Host): Promise<AptPlan> {
  const archives = await fetchLocked(lock, placesOf(order.settings), host);
  const chosen: Chosen<AptPackage>[] = [];
  for (const [i, one] of lock.packages.entries()) {
    const { reason, by } = one;
    const self = { ...(await packageOf(archives[i]!, one, order)), urls: publicPlaces(one, lock) };
    chosen.push({ package: self, reason, ...(by === undefined ? {} : { by }) });
  }
  return { order, chosen, suites: [], date: lock.epoch };
}

async function packageOf(path: string, locked: LockedPackage, order: Order): Promise<AptPackage> {
  const { name, version, architecture, size, sha256 } = locked;
  const control = await controlOf(path);
  const own = ['Package', 'Version', 'Architecture'].map((field) => control.get(field) ?? `no ${field}`).join(' ');
  const expected = `${name} ${version} ${architecture}`;
  if (own !== expected) throw mismatch(locked.path, expected, own);
  const list = localPackages([{ control, size, sha256, url: path }], locked.path);
  const index = new PackageIndex(order.architecture.own, [list]);
  const id = index.versions(name)[0];
  if (id === undefined) throw mismatch(locked.path, `a package for ${order.architecture.own}`, own);
  return index.package(id);
}

/** Where the packages of a plan come from. */
export async function origins({ order, chosen, suites }: AptPlan): Promise<Origins> {
  const { profile, release, architecture, settings } = order;
  const known = repositoriesOf(profile, release, architecture.own);
  const bases = suites.map(({ source }) => ({ bases: source.mirrors }));
  return {
    repositories: suites.map(({ source, date, sha256, signedBy }) => {
      // a dated archive is one already
      const snapshot =
        settings.snapshot === undefined ? known.find((one) => one.suite === source.suite)?.snapshot : undefined;
      return {
        name: source.suite,
        urls: publicUrls(source.mirrors),
        suite: source.suite,
        components: source.components,
        ...(snapshot === undefined ? {} : { snapshot }),
        metadata: { date, sha256, signedBy: [...signedBy].sort() },
      };
    }),
    packages: chosen.map(({ package: { urls, suite, codename } }) => {
      const own = (i: number): boolean => {
        const { release: fields, source } = suites[i]!;
        return (fields.get('suite') ?? source.suite) === suite && (fields.get('codename') ?? '') === codename;
      };
      const found = originOf(urls, bases, own);
      return found.repository === undefined ? originOf(urls, bases) : found;
    }),
  };
}
