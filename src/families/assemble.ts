import type { Host } from '../fetch/host.ts';
import type { Package, Unpacked } from '../fetch/package.ts';
import type { ScriptReport } from '../system/scripts.ts';
import type { Tree } from '../tree/tree.ts';
import type { Configured, Family, Plan } from './family.ts';

/** A distribution's rootfs. */
export interface Assembled {
  readonly tree: Tree;
  /** Folder of the package manager's database, where the guest keeps one. */
  readonly database: string | undefined;
  /** How far each script of the packages was followed. */
  readonly scripts: readonly ScriptReport[];
}

/** Fetches, unpacks, installs and configures the packages of a plan. `epoch` is the time nothing may be later than. */
export async function assemble<P extends Package, D extends Plan<P>, U extends Unpacked<P>, C extends Configured>(
  family: Family<P, D, U, C>,
  plan: D,
  epoch: number,
  host: Host,
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
  const options = { epoch, host, report };
  const configured = family.configure(plan, unpacked, options);
  const keep = family.keepsDatabase(plan.order.settings);
  if (keep) family.record(configured, plan, options);
  else family.forget(configured);
  report({ kind: 'ended', phase: 'configure' });
  const { tree, scripts } = configured;
  return { tree, database: keep ? family.database : undefined, scripts };
}
