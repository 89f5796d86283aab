import { configure } from '../packages/apt/configure/configure.ts';
import { scriptReports } from '../packages/apt/configure/followed.ts';
import { dropDatabase, recordDatabase } from '../packages/apt/database.ts';
import type { AptPackage } from '../packages/apt/types.ts';
import { unpackAll } from '../packages/apt/unpack.ts';
import type { Chosen } from '../packages/family.ts';
import type { Doors } from './doors.ts';
import { preseedOf } from './inputs.ts';
import type { Assembled, Order } from './supply.ts';

/** Fetches, unpacks, installs and configures Debian packages. */
export async function assembleApt(
  chosen: readonly Chosen<AptPackage>[],
  order: Order,
  epoch: number,
  doors: Doors,
): Promise<Assembled> {
  const { report, mirror, cache } = doors;
  const packages = chosen.map((one) => one.package);
  report({ kind: 'phase', phase: 'fetch', bytes: packages.reduce((sum, one) => sum + one.size, 0) });
  const archives = await mirror.fetchAll(
    packages.map((one) => ({
      urls: one.urls,
      size: one.size,
      digest: { algorithm: 'sha256', hex: one.sha256 },
      room: 'archives',
    })),
  );
  report({ kind: 'ended', phase: 'fetch' });
  const unpacked = await unpackAll(
    packages.map((one, i) => ({ package: one, archive: archives[i]! })),
    cache,
    report,
  );
  report({ kind: 'phase', phase: 'configure' });
  const { settings, architecture } = order;
  const context = { architecture: architecture.own, epoch, report, preseed: preseedOf(settings, doors) };
  const configured = configure(unpacked, { ...context, strict: settings.strict ?? false });
  const { tree } = configured;
  const keep = settings.keepDpkgDb || settings.rootfsOnly;
  if (keep) recordDatabase(configured, context);
  else dropDatabase(tree);
  report({ kind: 'ended', phase: 'configure' });
  return { tree, database: keep ? 'var/lib/dpkg' : undefined, scripts: scriptReports(configured.scripts) };
}
