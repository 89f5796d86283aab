import { BuildError } from '../errors/error.ts';
import { type Report, silent, warning } from '../events/events.ts';
import { CODE } from '../fetch/code.ts';
import type { Host } from '../fetch/host.ts';
import type { Package, Unpacked } from '../fetch/package.ts';
import { passUnpacked } from '../fetch/unpacking.ts';
import { lockOfPart } from '../lock/lock.ts';
import type { ScriptReport } from '../system/scripts.ts';
import type { History } from '../tree/history.ts';
import { join, parts } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import type { PackageFacts } from './facts.ts';
import type { Configured, Family, Order, Plan } from './family.ts';
import { KeptGuest, type KeptResult, type Told } from './kept.ts';

/** A distribution's rootfs. */
export interface Assembled {
  readonly tree: Tree;
  /** Folder of the package manager's database, where the guest keeps one. */
  readonly database: string | undefined;
  /** How far each script of the packages was followed. */
  readonly scripts: readonly ScriptReport[];
  /**
   * The packages that hold each path, by paths without links in their folders: several where they have the same file,
   * else the last one.
   */
  owners(): Promise<Map<string, readonly string[]>>;
  /** What the packages say of themselves, and their archives, in the order of the plan. */
  readonly described: Described;
}

/** Packages of a guest for bills of materials. */
export interface Described {
  facts(): Promise<PackageFacts[]>;
  /** Paths of the archives. */
  readonly archives: readonly string[];
}

/** Network errors, after which a build from the cache may still work. */
const NETWORK: readonly string[] = ['CONNECTION_FAILED', 'DOWNLOAD_STALLED', 'DOWNLOAD_CUT', 'HTTP_STATUS'];

/**
 * The plan of a family, or the one that the order's lock names. When the network fails and the cache has all that the same plan needs, signed metadata and
 * archives, the error's hint suggests `offline`.
 */
export async function planOrder<P extends Package, D extends Plan<P>, U extends Unpacked<P>, C extends Configured>(
  family: Family<P, D, U, C>,
  order: Order,
  host: Host,
): Promise<D> {
  const { title, ended } = order.profile;
  if (ended !== undefined) host.report(warning('DISTRIBUTION_ENDED', { name: title, date: ended }));
  if (order.lock !== undefined) return family.planLocked(order, lockOfPart(order.lock, undefined), host);
  try {
    return await family.plan(order, host);
  } catch (error) {
    if (!(error instanceof BuildError) || !NETWORK.includes(error.code) || host.mirror.offline) throw error;
    if (!(await cacheSuffices(family, order, host))) throw error;
    const hint = ['everything this build needs is in the cache: add `offline`', error.hint];
    throw new BuildError(error.code, error.context, {
      cause: error.cause,
      hint: hint.filter((one) => one !== undefined).join('; '),
    });
  }
}

async function cacheSuffices<P extends Package, D extends Plan<P>, U extends Unpacked<P>, C extends Configured>(
  family: Family<P, D, U, C>,
  order: Order,
  host: Host,
): Promise<boolean> {
  const mirror = host.mirror.offlineCopy();
  const offline = { ...host, mirror, report: silent };
  try {
    await family.fetch(await family.plan(order, offline), offline);
    return true;
  } catch (error) {
    // something is not there; what is no error of ours is a fault of this program
    if (error instanceof BuildError) return false;
    throw error;
  } finally {
    await mirror.close();
  }
}

/** How a plan becomes a tree. */
export interface AssembleOptions {
  /** Records which package and script made what; every step is then done, whatever is kept. */
  readonly history?: History;
  /** Identity of this program's code, under which trees are kept. Empty: none is kept. */
  readonly code?: string;
}

/**
 * Fetches, unpacks, installs and configures the packages of a plan. No time stamp is later than `epoch`. The tree of a set of
 * packages is kept in the cache: where nothing that decides on it has changed it is taken from there, with all that was said
 * when it was made.
 */
export async function assemble<P extends Package, D extends Plan<P>, U extends Unpacked<P>, C extends Configured, I>(
  family: Family<P, D, U, C, I>,
  plan: D,
  epoch: number,
  host: Host,
  { history, code = host.anew === true ? '' : CODE }: AssembleOptions = {},
): Promise<Assembled> {
  const { report, cache } = host;
  const packages = plan.chosen.map((one) => one.package);
  report({ kind: 'phase', phase: 'fetch', bytes: packages.reduce((sum, one) => sum + one.size, 0) });
  const ahead = family.ahead(packages, cache);
  let archives: readonly string[];
  try {
    archives = await family.fetch(plan, host, ahead?.arrived);
  } catch (error) {
    await ahead?.settled();
    throw error;
  }
  report({ kind: 'ended', phase: 'fetch' });
  const keep = family.keepsDatabase(plan.order.settings);
  const inputs = family.inputs(plan, host);
  const kept =
    history === undefined && code !== ''
      ? new KeptGuest(family, { plan, inputs, epoch, database: keep, code }, cache)
      : undefined;
  const unpack = (to: Report) =>
    family.unpack(
      packages.map((one, i) => ({ package: one, archive: archives[i]! })),
      { ...host, report: to },
      ahead,
    );
  const found = kept?.find();
  let opened: Promise<U[]> | undefined;
  let result: KeptResult;
  if (found !== undefined) {
    ({ result } = found);
    passUnpacked(packages, found.spools, host);
    report({ kind: 'phase', phase: 'configure' });
    for (const event of result.told) report(event);
  } else {
    const told: Told[] = [];
    const noting: Report = (event) => {
      if (event.kind === 'note' || event.kind === 'warning') told.push(event);
      report(event);
    };
    const unpacked = await unpack(noting);
    opened = Promise.resolve(unpacked);
    report({ kind: 'phase', phase: 'configure' });
    const options = { epoch, report: noting, ...(history === undefined ? {} : { history }) };
    const configured = await family.configure(inputs, unpacked, options);
    if (keep) await family.record(configured, inputs, options);
    else await family.forget(configured);
    if (history !== undefined) {
      history.mark(configured.tree, { step: 'database' });
      for (const { package: one, entries } of unpacked)
        for (const { path } of entries) history.hold(parts(path).join('/'), one.name);
    }
    result = { tree: configured.tree, scripts: configured.scripts, told };
    await kept?.keep(result);
  }
  report({ kind: 'ended', phase: 'configure' });
  const { tree, scripts } = result;
  const open = () => {
    opened ??= unpack(silent);
    return opened;
  };
  const owners = async () => ownersOf(tree, await open());
  const described = { facts: async () => family.describe(await open()), archives };
  return { tree, database: keep ? family.database : undefined, scripts, owners, described };
}

/** What files that packages share have in common; a file that takes the place of another one differs. */
function lookOf(entry: Unpacked['entries'][number]): string {
  if (!('inode' in entry)) return 'a further name';
  const { inode } = entry;
  return `${inode.kind} ${inode.kind === 'file' ? inode.content.size : inode.kind === 'symlink' ? inode.target : ''}`;
}

function ownersOf(tree: Tree, unpacked: readonly Unpacked[]): Map<string, readonly string[]> {
  const owners = new Map<string, readonly string[]>();
  const looks = new Map<string, string>();
  const real = new Map<string, string>();
  /** Folders of one package alone; undefined for those of several. */
  const folders = new Map<string, string | undefined>();
  for (const { package: one, entries } of unpacked)
    for (const entry of entries) {
      const names = parts(entry.path).filter((part) => part !== '.');
      const last = names.pop();
      if (last === undefined) continue;
      const folder = names.join('/');
      const known = real.get(folder) ?? tree.realpath(folder) ?? folder;
      real.set(folder, known);
      const path = join(known, last);
      if (!('inode' in entry) || entry.inode.kind !== 'directory') {
        const look = lookOf(entry);
        const shared = looks.get(path) === look ? owners.get(path)! : [];
        looks.set(path, look);
        owners.set(path, shared.includes(one.name) ? shared : [...shared, one.name]);
      } else folders.set(path, !folders.has(path) || folders.get(path) === one.name ? one.name : undefined);
    }
  // scripts write configuration that no archive has (/etc/chrony/chrony.conf)
  for (const [folder, name] of folders)
    if (name !== undefined && folder.startsWith('etc/'))
      for (const file of tree.list(folder)) {
        const path = join(folder, file);
        if (!owners.has(path) && tree.lstat(path)?.kind !== 'directory') owners.set(path, [name]);
      }
  return owners;
}
