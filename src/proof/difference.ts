import type { Artefact } from '../artefacts/kind.ts';
import { openRootfs } from '../artefacts/open.ts';
import type { OpenOptions } from '../artefacts/probe.ts';
import { databasesIn } from '../families/families.ts';
import type { Tree } from '../tree/tree.ts';
import { type PathDifference, treeDifference } from './tree-difference.ts';

/** One thing with a name that differs: a package, a unit, an account, a fact of a partition. */
export interface NamedDifference {
  readonly name: string;
  /** As the first has it; left out where it has none. */
  readonly from?: string;
  readonly to?: string;
}

/** In what two artefacts differ. */
export interface ArtefactDifference {
  /** Kind, compression, partition tables, facts of file systems. */
  readonly structures: readonly NamedDifference[];
  /** Of the package databases. */
  readonly packages: readonly NamedDifference[];
  /** Units that are enabled, by the links that enable them. */
  readonly units: readonly NamedDifference[];
  /** Lines of /etc/passwd and /etc/group, by name. */
  readonly accounts: readonly NamedDifference[];
  readonly paths: readonly PathDifference[];
}

/**
 * In what two artefacts of any kind differ: structures, packages, units, accounts, paths. Throws errors of opening them.
 *
 * @example
 * ```ts
 * import { createHost, difference } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const { paths } = await difference('rootfs.tar', 'rootfs.tar', host);
 * console.log(paths.length); // prints: 0
 * await host.close();
 * ```
 */
export async function difference(a: string, b: string, options: OpenOptions): Promise<ArtefactDifference> {
  const [first, second] = [await openRootfs(a, options), await openRootfs(b, options)];
  const [from, to] = [await first.tree(), await second.tree()];
  return {
    structures: named(await structuresOf(first), await structuresOf(second)),
    packages: named(await packagesOf(from), await packagesOf(to)),
    units: named(unitsOf(from), unitsOf(to)),
    accounts: named(accountsOf(from), accountsOf(to)),
    paths: await treeDifference(from, to),
  };
}

/** True when nothing differs. */
export function isSame({ structures, packages, units, accounts, paths }: ArtefactDifference): boolean {
  return [structures, packages, units, accounts, paths].every((one) => one.length === 0);
}

type Values = ReadonlyMap<string, string>;

function named(a: Values, b: Values): NamedDifference[] {
  return [...new Set([...a.keys(), ...b.keys()])].sort().flatMap((name) => {
    const [from, to] = [a.get(name), b.get(name)];
    if (from === to) return [];
    return [{ name, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }];
  });
}

async function structuresOf(artefact: Artefact): Promise<Map<string, string>> {
  const found = new Map<string, string>([
    ['kind', artefact.kind],
    ['compression', artefact.compression],
  ]);
  for (const { what, offset, size, facts } of await artefact.structures()) {
    const name = `${what} at byte ${offset}`;
    found.set(name, `${size} bytes`);
    for (const [fact, value] of Object.entries(facts))
      found.set(`${name}: ${fact}`, typeof value === 'object' ? JSON.stringify(value) : String(value));
  }
  return found;
}

async function packagesOf(tree: Tree): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { packages } of await databasesIn(tree))
    for (const { name, version, architecture } of packages) {
      const known = found.get(name);
      found.set(name, known === undefined ? `${version} ${architecture}` : `${known}, ${version} ${architecture}`);
    }
  return found;
}

/** Links that enable units of systemd, and services of OpenRC. */
function unitsOf(tree: Tree): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of ['etc/systemd/system', 'usr/lib/systemd/system', 'etc/systemd/user', 'etc/runlevels']) {
    const top = tree.stat(folder);
    if (top?.kind !== 'directory') continue;
    for (const [name, inode] of top.children) {
      const groups = folder === 'etc/runlevels' || /\.(wants|requires|upholds)$/.test(name);
      if (groups && inode.kind === 'directory')
        for (const [unit, link] of inode.children)
          found.set(`${folder}/${name}/${unit}`, link.kind === 'symlink' ? link.target : link.kind);
      else if (folder.startsWith('etc/') && inode.kind === 'symlink') found.set(`${folder}/${name}`, inode.target);
    }
  }
  return found;
}

/** Accounts by name, without passwords. */
function accountsOf(tree: Tree): Map<string, string> {
  const found = new Map<string, string>();
  for (const [file, what] of [
    ['etc/passwd', 'user'],
    ['etc/group', 'group'],
  ] as const)
    for (const line of (tree.text(file) ?? '').split('\n')) {
      const [name, , ...rest] = line.split(':');
      if (name !== undefined && name !== '') found.set(`${what} ${name}`, rest.join(':'));
    }
  return found;
}
