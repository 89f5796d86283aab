import { sha256 } from '../bytes/digest.ts';
import { isBuildError } from '../errors/error.ts';
import type { Event } from '../events/events.ts';
import type { Cache, CacheEntry } from '../fetch/cache.ts';
import { keptTree, openKeptTree } from '../fetch/kept-tree.ts';
import type { Package, Unpacked } from '../fetch/package.ts';
import { spoolsOf } from '../fetch/unpacking.ts';
import type { ScriptReport } from '../system/scripts.ts';
import type { Tree } from '../tree/tree.ts';
import type { Configured, Family, Plan } from './family.ts';

/** Increase when something else decides on a tree, or is stored with it. */
const VERSION = 1;

/** What was said while packages were installed and configured. */
export type Told = Extract<Event, { kind: 'note' | 'warning' }>;

/** What a set of packages became: the tree with its database, and what was said on the way. */
export interface KeptResult {
  readonly tree: Tree;
  readonly scripts: readonly ScriptReport[];
  readonly told: readonly Told[];
}

/** Everything that decides on what a set of packages becomes. */
export interface Decisive<P extends Package, D extends Plan<P>, I> {
  readonly plan: D;
  /** What {@link Family.inputs} returned. */
  readonly inputs: I;
  readonly epoch: number;
  /** The database stays in the guest. */
  readonly database: boolean;
  /** Identity of this program's code. */
  readonly code: string;
}

/**
 * The tree of a set of packages as it was installed, configured and recorded, kept in the cache under the digest of all that
 * decides on it. It says nothing that could not be made again: where it, or a spool that it refers to, is missing or is not
 * what was stored, there is none.
 */
export class KeptGuest<P extends Package, D extends Plan<P>, U extends Unpacked<P>, C extends Configured, I> {
  private readonly family: Family<P, D, U, C, I>;
  private readonly packages: readonly P[];
  private readonly key: string;
  private readonly cache: Cache;

  constructor(family: Family<P, D, U, C, I>, { plan, inputs, epoch, database, code }: Decisive<P, D, I>, cache: Cache) {
    this.family = family;
    this.packages = plan.chosen.map((one) => one.package);
    this.cache = cache;
    const { profile, release, architecture } = plan.order;
    const packages = this.packages.map((one) => [
      family.spool(one),
      Object.entries(one).filter(([field]) => !family.unread.includes(field)),
    ]);
    const guest = [family.name, profile.name, release.name, architecture, epoch, database];
    this.key = sha256(Buffer.from(JSON.stringify([VERSION, code, process.version, guest, inputs, packages])));
  }

  /** What was kept, and the spools of all packages in their order. */
  find(): { readonly result: KeptResult; readonly spools: readonly CacheEntry[] } | undefined {
    const { cache, packages, key } = this;
    const path = cache.find('trees', key);
    const spools = path === undefined ? undefined : spoolsOf(packages, (one) => this.family.spool(one), cache);
    if (spools === undefined) return undefined;
    const byKey = new Map(packages.map((one, i) => [this.family.spool(one), spools[i]!]));
    const kept = openKeptTree(path!, (name) => {
      const spool = byKey.get(name.key);
      return spool?.sha256 === name.sha256 ? spool : undefined;
    });
    if (kept === undefined) return undefined;
    const { scripts, told } = kept.told as Pick<KeptResult, 'scripts' | 'told'>;
    return { result: { tree: kept.tree, scripts, told }, spools };
  }

  /** Keeps a result, if the cache can be written to. */
  async keep({ tree, scripts, told }: KeptResult): Promise<void> {
    const { cache, packages } = this;
    const spools = spoolsOf(packages, (one) => this.family.spool(one), cache);
    if (spools === undefined) return;
    const names = new Map(
      packages.map((one, i) => [spools[i]!.path, { key: this.family.spool(one), sha256: spools[i]!.sha256 }]),
    );
    const write = keptTree(tree, names, { scripts, told });
    if (write === undefined) return;
    try {
      await cache.put('trees', this.key, (_path, fd) => write(fd));
    } catch (error) {
      // the guest is complete without it
      if (!isBuildError(error, 'WRITE_FAILED')) throw error;
    }
  }
}
