import { scriptReports } from '../../system/scripts.ts';
import { Tree } from '../../tree/tree.ts';
import type { Configured, Family } from '../family.ts';
import { DATABASE, initialise, recordDatabase } from './database.ts';
import { describe } from './describe.ts';
import type { ApkPackage } from './index-file.ts';
import type { Installed } from './install.ts';
import { origins, planLocked } from './locked.ts';
import { type ApkPlan, plan, rejectForeignSettings, worldOf } from './plan.ts';
import { fetchPackages, type UnpackedApk, unpackAll } from './unpack.ts';

interface ApkConfigured extends Configured {
  readonly installed: readonly Installed[];
}

/** Alpine and its relatives: the tree and the database that `apk add --initdb --root` would make. */
export const apk: Family<ApkPackage, ApkPlan, UnpackedApk, ApkConfigured> = {
  name: 'apk',
  database: DATABASE,
  keepsDatabase: ({ keepApkDb, rootfsOnly }) => (keepApkDb ?? false) || (rootfsOnly ?? false),
  validate: rejectForeignSettings,
  plan,
  planLocked,
  origins,
  pinned: (name, version) => `${name}=${version}`,
  describe,
  fetch: ({ chosen }, { mirror }) =>
    fetchPackages(
      chosen.map((one) => one.package),
      mirror,
    ),
  unpack: (archives, { cache, report }) => unpackAll(archives, cache, report),
  // a plan needs neither the shell nor the commands that scripts call
  async configure({ order, chosen }, unpacked, { epoch, report, history }) {
    const { install } = await import('./configure.ts');
    const machine = order.architecture.own;
    const tree = new Tree();
    initialise(tree, machine, epoch);
    history?.mark(tree, { step: 'database' });
    const { packages, scripts } = install(
      tree,
      unpacked.map((one, i) => ({ unpacked: one, tag: chosen[i]!.tag })),
      { epoch, machine, scripts: true, report, ...(history === undefined ? {} : { history }) },
    );
    return { tree, scripts: scriptReports(scripts), installed: packages };
  },
  record({ tree, installed }, { order, repositories }, { epoch }) {
    recordDatabase(tree, installed, worldOf(order.requests, repositories), epoch);
  },
  forget: ({ tree }) => void tree.remove(DATABASE),
};
