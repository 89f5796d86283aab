import { PROFILES } from '../distros/distros.ts';
import { type Report, warning } from '../events/events.ts';
import type { PackageFacts } from '../families/facts.ts';
import { databasesIn } from '../families/families.ts';
import type { Order } from '../families/family.ts';
import { reasonsFor } from '../families/installed.ts';
import { type BillParts, merged } from '../proof/bill.ts';
import { osRelease } from '../rootfs/os-release.ts';
import type { Tree } from '../tree/tree.ts';

/** Packages that a root file system has already, for bills of materials. */
export interface Installed {
  readonly facts: readonly PackageFacts[];
  /** Why each of them is there. */
  readonly reasons: readonly string[];
  readonly distribution: BillParts['distribution'];
}

/**
 * What the package databases of a tree list, with licences of its copyright files: read before anything is cut from it.
 * Throws `DATABASE_INVALID` and what damaged databases throw, since a bill without these packages would say that they are
 * not there. `path` is the name of the tree in the warning that it has no database.
 */
export async function installedIn(tree: Tree, path: string, report: Report): Promise<Installed> {
  const facts: PackageFacts[] = [];
  const reasons: string[] = [];
  const databases = await databasesIn(tree);
  if (databases.length === 0) report(warning('BILL_WITHOUT_PACKAGES', { path }));
  for (const database of databases) {
    const reasoned = reasonsFor(database);
    for (const one of database.facts()) {
      facts.push(one);
      reasons.push(reasoned.get(one.name)?.reason ?? 'installed');
    }
  }
  return { facts, reasons, distribution: distributionOf(tree, undefined) };
}

/** Those packages alone of which a guest has a file. */
export function packagesOf({ facts, reasons, distribution }: Installed, guest: Tree): Installed {
  const held = facts.map((one) => isIn(guest, one));
  return { facts: facts.filter((_, i) => held[i]), reasons: reasons.filter((_, i) => held[i]), distribution };
}

/** True when a guest has a file of a package. */
export function isIn(guest: Tree, { files }: PackageFacts): boolean {
  return files.some((path) => isThere(guest, path) || isThere(guest, merged(path)));
}

function isThere(guest: Tree, path: string): boolean {
  const inode = guest.lstat(path);
  return inode !== undefined && inode.kind !== 'directory';
}

/**
 * The distribution of a guest as scanners know it: what it was made of, in the words of its os-release. Undefined where
 * nothing says it. A release has as many numbers as its archive tells apart: `NAME-3.19`, not `NAME-3.19.1`.
 */
export function distributionOf(tree: Tree, order: Order | undefined): BillParts['distribution'] {
  const fields = osRelease(tree);
  const id = fields.get('ID');
  if (order !== undefined) {
    const { profile, settings } = order;
    const isKnown = id !== undefined && [profile.name, ...profile.aliases].includes(id);
    // a profile of the user's own may have any name
    if (isKnown || id === undefined || settings.profile === undefined) {
      const release = order.release.version ?? order.release.name;
      const name = isKnown ? id : profile.name;
      return { name, release, distro: `${name}-${release}` };
    }
  }
  if (id === undefined || id === '') return undefined;
  const version = fields.get('VERSION_ID') ?? '';
  const known = [...PROFILES.values()].find(({ name, aliases }) => name === id || aliases.includes(id));
  const numbers = Math.max(0, ...(known?.releases.map((one) => (one.version ?? one.name).split('.').length) ?? []));
  const release =
    version === ''
      ? (fields.get('VERSION_CODENAME') ?? '')
      : version
          .split('.')
          .slice(0, numbers || undefined)
          .join('.');
  return { name: id, release, distro: release === '' ? id : `${id}-${release}` };
}
