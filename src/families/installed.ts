import { realName, sameName } from '../tree/history.ts';
import type { Tree } from '../tree/tree.ts';
import type { PackageFacts } from './facts.ts';

/** Something a package needs: any one of the names satisfies it. */
export interface Requirement {
  /** Completes "PACKAGE … it": `depends on`, `recommends`. */
  readonly verb: string;
  /** Names of packages, or what they provide, best first. */
  readonly names: readonly string[];
}

/** A package that a database in a root file system lists as installed. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** In the distribution's words. */
  readonly architecture: string;
  /** Bytes that it takes when installed, as the database says; undefined when it does not say. */
  readonly size: number | undefined;
  /** Why it is there on its own: `Essential`, `asked for`; undefined when only other packages need it, or nobody knows. */
  readonly reason: string | undefined;
  readonly requires: readonly Requirement[];
  /** Names besides its own under which others may require it. */
  readonly provides: readonly string[];
}

/** The database of a package manager, read from a root file system. */
export interface InstalledDatabase {
  /** In the order of the database. */
  readonly packages: readonly InstalledPackage[];
  /** Every path that a package holds, as the database spells it, without a leading slash. Read when asked for. */
  files(): Iterable<{ readonly package: string; readonly path: string }>;
  /** What each package says of itself, for bills of materials; in the same order. Read when asked for. */
  facts(): PackageFacts[];
}

/**
 * Reads the database of one family of package managers; undefined when the tree has none. A damaged one is a
 * `BuildError`.
 */
export type ReadInstalled = (tree: Tree) => InstalledDatabase | undefined;

/** Names of the packages that hold a path; `path` has its links resolved. */
export function holdersOf(database: InstalledDatabase, tree: Tree, path: string): string[] {
  const names = new Set<string>();
  for (const { package: name, path: held } of database.files())
    if (held === path || (sameName(held, path) && realName(tree, held) === path)) names.add(name);
  return [...names];
}

/** A package with the reason for it; the first one that needs it is `by`. */
export interface Reasoned {
  readonly package: InstalledPackage;
  readonly reason: string;
  readonly by?: string;
}

/**
 * Why each package is installed, by name: the shortest way from what is there on its own. Package managers that do not
 * record what was asked for leave packages that nothing needs: these count as asked for.
 *
 * @example
 * ```ts
 * import { createHost, databasesIn, openArtefact, reasonsFor } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const tree = await (await openArtefact('rootfs.tar', host)).tree();
 * for (const database of await databasesIn(tree)) console.log(reasonsFor(database).get('base-files')?.reason); // prints: Essential
 * await host.close();
 * ```
 */
export function reasonsFor({ packages }: InstalledDatabase): Map<string, Reasoned> {
  const providers = new Map<string, InstalledPackage[]>();
  for (const one of packages)
    for (const name of [one.name, ...one.provides]) {
      const known = providers.get(name);
      if (known === undefined) providers.set(name, [one]);
      else known.push(one);
    }
  const found = new Map<string, Reasoned>();
  const queue: InstalledPackage[] = [];
  const give = (one: InstalledPackage, reason: string, by?: string): void => {
    if (found.has(one.name)) return;
    found.set(one.name, { package: one, reason, ...(by === undefined ? {} : { by }) });
    queue.push(one);
  };
  let at = 0;
  const follow = (): void => {
    for (; at < queue.length; at++) {
      const { name, requires } = queue[at]!;
      for (const { verb, names } of requires)
        for (const wanted of names)
          for (const one of providers.get(wanted) ?? [])
            give(one, `${name} ${verb} it${wanted === one.name ? '' : ` (${wanted})`}`, name);
    }
  };
  for (const one of packages) if (one.reason !== undefined) give(one, one.reason);
  follow();
  const needed = new Set<InstalledPackage>();
  for (const one of packages)
    for (const { names } of one.requires)
      for (const name of names) for (const other of providers.get(name) ?? []) if (other !== one) needed.add(other);
  for (const one of packages) if (!needed.has(one)) give(one, 'no installed package needs it, so it was asked for');
  follow();
  // packages that only need each other
  for (const one of packages) {
    give(one, 'part of a cycle of packages that need each other');
    follow();
  }
  return found;
}

/** Names of the installed packages that need a package, in the order of the database. */
export function dependentsOf({ packages }: InstalledDatabase, { name, provides }: InstalledPackage): string[] {
  const names = new Set([name, ...provides]);
  return packages
    .filter((one) => one.name !== name && one.requires.some((each) => each.names.some((wanted) => names.has(wanted))))
    .map((one) => one.name);
}
