import { digestOf } from '../bytes/digest.ts';
import { withoutEnding } from '../bytes/ending.ts';
import { hostFile } from '../bytes/file.ts';
import { repositoriesOf } from '../distros/profile.ts';
import type { Order, Plan } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import { shown } from '../fetch/mirror.ts';
import { type Lock, type LockedPackage, type LockedRepository, sortedJson } from '../lock/lock.ts';

/** Packages as a lock keeps them, and the repositories that they are from. */
export type LockedPackages = Pick<Lock, 'repositories' | 'packages'>;

/**
 * The packages of a guest and those that its kernel is taken from. Fetches the packages whose SHA-256 no metadata says.
 */
export async function lockedPackages(
  plan: Plan,
  kernel: Plan | undefined,
  order: Order,
  host: Host,
): Promise<LockedPackages> {
  // a plan of a lock has no repositories of its own
  if (order.lock !== undefined) return order.lock;
  const guest = await packagesOf(plan, order, host);
  if (kernel === undefined) return guest;
  const { repositories, packages } = await packagesOf(kernel, order, host);
  return withPackages(
    guest,
    repositories,
    packages.map((one) => ({ ...one, part: 'kernel' })),
  );
}

/** Adds packages whose repositories have other numbers; what both have is there once. */
export function withPackages(
  to: LockedPackages,
  repositories: readonly LockedRepository[],
  packages: readonly LockedPackage[],
): LockedPackages {
  const known = to.repositories.map(sortedJson);
  const all = [...to.repositories];
  const numberOf = (one: LockedRepository): number => {
    const text = sortedJson(one);
    const at = known.indexOf(text);
    if (at >= 0) return at;
    all.push(one);
    return known.push(text) - 1;
  };
  const added = packages.map((one) =>
    one.repository === undefined ? one : { ...one, repository: numberOf(repositories[one.repository]!) },
  );
  return { repositories: all, packages: [...to.packages, ...added] };
}

async function packagesOf(plan: Plan, order: Order, host: Host): Promise<LockedPackages> {
  const { familyOf } = await import('../families/families.ts');
  const family = await familyOf(order);
  const unknown = plan.chosen.some(({ package: one }) => one.sha256 === '');
  const archives = unknown ? await family.fetch(plan, host) : [];
  const { repositories, packages: places } = await family.origins(plan, archives);
  const packages: LockedPackage[] = [];
  for (const [i, { package: one, reason, by }] of plan.chosen.entries()) {
    const { name, version, architecture, size } = one;
    packages.push({
      ...{ name, version, architecture, size, reason },
      sha256: one.sha256 === '' ? await digestOf(hostFile(archives[i]!)) : one.sha256,
      ...places[i]!,
      ...(by === undefined ? {} : { by }),
    });
  }
  return { repositories: repositories.map((one) => withRoot(one, order)), packages };
}

/** A repository with its path below a mirror's root, so that other mirrors of the same layout can be asked. */
function withRoot(one: LockedRepository, { settings, profile, release, architecture }: Order): LockedRepository {
  if (one.below !== undefined) return one;
  const known = repositoriesOf(profile, release, architecture.own).flatMap(({ urls }) => urls);
  for (const root of [...(settings.repoUrl ?? []), ...known].map((url) => withoutEnding(withoutCredentials(url), '/')))
    for (const url of one.urls)
      if (root !== '' && url.startsWith(`${root}/`)) {
        const below = withoutEnding(url.slice(root.length + 1), '/');
        if (below !== '') return { ...one, below };
      }
  return one;
}

/** A text with the URLs in it as a lock keeps them. */
export function withoutCredentials(text: string): string {
  return text.replace(/https?:\/\/\S+/gi, (url) => shown(url).replace(/\?…?.*$/, ''));
}
