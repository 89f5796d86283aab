import { BuildError } from '../errors/error.ts';
import { silent, warning } from '../events/events.ts';
import type { Host } from '../fetch/host.ts';
import type { Package, Unpacked } from '../fetch/package.ts';
import { lockOfPart } from '../lock/lock.ts';
import type { ScriptReport } from '../system/scripts.ts';
import type { History } from '../tree/history.ts';
import { join, parts } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import type { PackageFacts } from './facts.ts';
import type { Configured, Family, Order, Plan } from './family.ts';

/** A distribution's rootfs. */
export interface Assembled {
  readonly tree: Tree;
  /** Folder of the package manager's database, where the guest keeps one. */
  readonly database: string | undefined;
  /** How far each script of the packages was followed. */
  readonly scripts: readonly ScriptReport[];
  /** The package that holds each path, by paths without links in their folders; the last one of several. */
  owners(): Map<string, string>;
  /** What the packages say of themselves, and their archives, in the order of the plan. */
  readonly described: Described;
}

/** Packages of a guest for bills of materials. */
export interface Described {
  facts(): PackageFacts[];
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
  } catch {
    return false;
  } finally {
    await mirror.close();
  }
}

/**
 * Fetches, unpacks, installs and configures the packages of a plan. No time stamp is later than `epoch`; a `history`
 * records which package and script made what.
 */
export async function assemble<P extends Package, D extends Plan<P>, U extends Unpacked<P>, C extends Configured>(
  family: Family<P, D, U, C>,
  plan: D,
  epoch: number,
  host: Host,
  history?: History,
): Promise<Assembled> {
  const { report } = host;
  const packages = plan.chosen.map((one) => one.package);
  report({ kind: 'phase', phase: 'fetch', bytes: packages.reduce((sum, one) => sum + one.size, 0) });
  const archives = await family.fetch(plan, host);
  report({ kind: 'ended', phase: 'fetch' });
  const unpacked = await family.unpack(
    packages.map((one, i) => ({ package: one, archive: archives[i]! })),
    host,
  );
  report({ kind: 'phase', phase: 'configure' });
  const options = { epoch, host, report, ...(history === undefined ? {} : { history }) };
  const configured = await family.configure(plan, unpacked, options);
  const keep = family.keepsDatabase(plan.order.settings);
  if (keep) await family.record(configured, plan, options);
  else await family.forget(configured);
  if (history !== undefined) {
    history.mark(configured.tree, { step: 'database' });
    for (const { package: one, entries } of unpacked)
      for (const { path } of entries) history.hold(parts(path).join('/'), one.name);
  }
  report({ kind: 'ended', phase: 'configure' });
  const { tree, scripts } = configured;
  const owners = () => ownersOf(tree, unpacked);
  const described = { facts: () => family.describe(unpacked), archives };
  return { tree, database: keep ? family.database : undefined, scripts, owners, described };
}

function ownersOf(tree: Tree, unpacked: readonly Unpacked[]): Map<string, string> {
  const owners = new Map<string, string>();
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
      if (!('inode' in entry) || entry.inode.kind !== 'directory') owners.set(path, one.name);
      else folders.set(path, !folders.has(path) || folders.get(path) === one.name ? one.name : undefined);
    }
  // scripts write configuration that no archive has (/etc/chrony/chrony.conf)
  for (const [folder, name] of folders)
    if (name !== undefined && folder.startsWith('etc/'))
      for (const file of tree.list(folder)) {
        const path = join(folder, file);
        if (!owners.has(path) && tree.lstat(path)?.kind !== 'directory') owners.set(path, name);
      }
  return owners;
}
