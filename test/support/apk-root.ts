import { type Report, silent } from '../../src/events/events.ts';
import { install } from '../../src/families/apk/configure.ts';
import { DATABASE, initialise, recordDatabase, type WorldFiles } from '../../src/families/apk/database.ts';
import type { Installed } from '../../src/families/apk/install.ts';
import type { ChosenApk } from '../../src/families/apk/resolve.ts';
import { fetchPackages, unpackAll } from '../../src/families/apk/unpack.ts';
import type { Cache } from '../../src/fetch/cache.ts';
import type { Mirror } from '../../src/fetch/mirror.ts';
import { type ScriptReport, scriptReports } from '../../src/system/scripts.ts';
import { Tree } from '../../src/tree/tree.ts';

/** What an Alpine root is made with. */
export interface RootOptions {
  readonly architecture: string;
  readonly epoch: number;
  readonly mirror: Mirror;
  readonly cache: Cache;
  /** Follow install scripts and triggers; true by default. */
  readonly scripts?: boolean;
  readonly report?: Report;
  /** Repositories that the guest's apk gets; left out: the guest keeps no database. */
  readonly record?: WorldFiles;
}

/** What `apk add --initdb --root` makes of packages that were decided on, without an order or a profile. */
export async function makeRoot(
  chosen: readonly ChosenApk[],
  { architecture, cache, epoch, mirror, record, report = silent, scripts: follow = true }: RootOptions,
): Promise<{
  readonly tree: Tree;
  readonly packages: readonly Installed[];
  readonly scripts: readonly ScriptReport[];
}> {
  const packages = chosen.map((one) => one.package);
  const archives = await fetchPackages(packages, mirror);
  const unpacked = await unpackAll(
    packages.map((one, i) => ({ package: one, archive: archives[i]! })),
    cache,
    report,
  );
  const tree = new Tree();
  initialise(tree, architecture, epoch);
  const installed = install(
    tree,
    unpacked.map((one, i) => ({ unpacked: one, tag: chosen[i]!.tag })),
    { epoch, machine: architecture, scripts: follow, report },
  );
  if (record === undefined) tree.remove(DATABASE);
  else recordDatabase(tree, installed.packages, record, epoch);
  return { tree, packages: installed.packages, scripts: scriptReports(installed.scripts) };
}
