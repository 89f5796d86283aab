import { BuildError } from '../errors/error.ts';
import type { Tree } from '../tree/tree.ts';
import type { Family, Order } from './family.ts';
import type { InstalledDatabase, ReadInstalled } from './installed.ts';

/** Every family; its code is loaded when a distribution of its kind is built. */
const FAMILIES: Readonly<Record<string, () => Promise<Family>>> = {
  apt: async () => (await import('./apt/apt.ts')).apt,
  apk: async () => (await import('./apk/apk.ts')).apk,
  rpm: async () => (await import('./rpm/rpm.ts')).rpm,
};

/** Names of the supported families. */
export const FAMILY_NAMES = Object.keys(FAMILIES);

/** How the database of each family is found and read; the code is loaded when its folder is there. */
const DATABASES: Readonly<
  Record<string, { readonly folders: readonly string[]; readonly load: () => Promise<ReadInstalled> }>
> = {
  apt: { folders: ['var/lib/dpkg'], load: async () => (await import('./apt/installed.ts')).readInstalled },
  rpm: { folders: ['var/lib/rpm'], load: async () => (await import('./rpm/installed.ts')).installedReader() },
  apk: {
    folders: ['lib/apk/db', 'usr/lib/apk/db'],
    load: async () => (await import('./apk/installed.ts')).readInstalled,
  },
};

/** Names of the families whose databases are read. */
export const DATABASE_NAMES = Object.keys(DATABASES);

/** A package database that a root file system contains. */
export type FoundDatabase = InstalledDatabase & {
  /** Name of the family. */
  readonly family: string;
  /** Its folder in the tree. */
  readonly folder: string;
};

/**
 * Every package database in a tree. Throws `DATABASE_INVALID` and `DEB822_SYNTAX` for damaged ones.
 *
 * @example
 * ```ts
 * import { createHost, databasesIn, openArtefact } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const tree = await (await openArtefact('rootfs.tar', host)).tree();
 * for (const { family, packages } of await databasesIn(tree)) console.log(family, packages.map((one) => one.name)); // prints: apt [ 'base-files' ]
 * await host.close();
 * ```
 */
export async function databasesIn(tree: Tree): Promise<FoundDatabase[]> {
  const found: FoundDatabase[] = [];
  for (const [family, { folders, load }] of Object.entries(DATABASES)) {
    const folder = folders.find((one) => tree.stat(one)?.kind === 'directory');
    const database = folder === undefined ? undefined : (await load())(tree);
    if (database !== undefined) found.push({ family, folder: folder!, ...database });
  }
  return found;
}

/** The family of an order's distribution. Throws `NOT_SUPPORTED` where there is none yet. */
export async function familyOf({ profile }: Order): Promise<Family> {
  const load = FAMILIES[profile.family];
  if (load === undefined)
    throw new BuildError('NOT_SUPPORTED', {
      what: profile.name,
      reason: `packages of the ${profile.family} family are not read yet`,
    });
  return load();
}
