import type { Settings } from '../../settings/table.ts';
import { scriptReports } from '../../system/scripts.ts';
import { Tree } from '../../tree/tree.ts';
import type { Configured, Family } from '../family.ts';
import { DATABASE, initialise, recordDatabase, type WorldFiles } from './database.ts';
import { describe } from './describe.ts';
import type { ApkPackage } from './index-file.ts';
import type { Installed } from './install.ts';
import { origins, planLocked } from './locked.ts';
import { type ApkPlan, plan, rejectForeignSettings, worldOf } from './plan.ts';
import { fetchPackages, spoolKey, type UnpackedApk, unpackAhead, unpackAll } from './unpack.ts';

interface ApkConfigured extends Configured {
  readonly installed: readonly Installed[];
}

const keepsDatabase = ({ keepApkDb, rootfsOnly }: Settings): boolean => (keepApkDb ?? false) || (rootfsOnly ?? false);

/** What configuring and the database depend on beside the packages. */
interface ApkInputs {
  /** As apk names it. */
  readonly machine: string;
  /** The tag that each package was asked for with; null: none. */
  readonly tags: readonly (string | null)[];
  readonly files: WorldFiles;
}

/** Alpine and its relatives: the tree and the database that `apk add --initdb --root` would make. */
export const apk: Family<ApkPackage, ApkPlan, UnpackedApk, ApkConfigured, ApkInputs> = {
  name: 'apk',
  unread: ['urls', 'repositories', 'file'],
  database: DATABASE,
  keepsDatabase,
  validate: rejectForeignSettings,
  plan,
  planLocked,
  origins,
  pinned: (name, version) => `${name}=${version}`,
  describe,
  fetch: ({ chosen }, { mirror }, arrived) =>
    fetchPackages(
      chosen.map((one) => one.package),
      mirror,
      arrived,
    ),
  ahead: unpackAhead,
  unpack: (archives, { cache, report }, ahead) => unpackAll(archives, cache, report, ahead),
  spool: spoolKey,
  inputs: ({ order, chosen, repositories }) => ({
    machine: order.architecture.own,
    tags: chosen.map(({ tag }) => tag ?? null),
    // without the database the guest does not say where its packages come from
    files: keepsDatabase(order.settings) ? worldOf(order.requests, repositories) : { world: [] },
  }),
  // a plan needs neither the shell nor the commands that scripts call
  async configure({ machine, tags }, unpacked, { epoch, report, history }) {
    const { install } = await import('./configure.ts');
    const tree = new Tree();
    initialise(tree, machine, epoch);
    history?.mark(tree, { step: 'database' });
    const { packages, scripts } = install(
      tree,
      unpacked.map((one, i) => ({ unpacked: one, tag: tags[i] ?? undefined })),
      { epoch, machine, scripts: true, report, ...(history === undefined ? {} : { history }) },
    );
    return { tree, scripts: scriptReports(scripts), installed: packages };
  },
  record: ({ tree, installed }, { files }, { epoch }) => recordDatabase(tree, installed, files, epoch),
  forget: ({ tree }) => void tree.remove(DATABASE),
};
