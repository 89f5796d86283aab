import { scriptReports } from '../../system/scripts.ts';
import { Tree } from '../../tree/tree.ts';
import type { Configured, Family } from '../family.ts';
import { describe } from './describe.ts';
import { DATABASE } from './folders.ts';
import type { Installed } from './install.ts';
import { origins, planLocked } from './locked.ts';
import type { RpmPackage } from './package.ts';
import { plan, type RpmPlan, rejectForeignSettings } from './plan.ts';
import { fetchPackages, spoolKey, type UnpackedRpm, unpackAhead, unpackAll } from './unpack.ts';

interface RpmConfigured extends Configured {
  readonly installed: readonly Installed[];
}

/** What configuring depends on beside the packages. */
interface RpmInputs {
  /** `uname -m` as scripts see it. */
  readonly machine: string;
}

/** Distributions of rpm packages: the tree and the database that `dnf --installroot install` would make. */
export const rpm: Family<RpmPackage, RpmPlan, UnpackedRpm, RpmConfigured, RpmInputs> = {
  name: 'rpm',
  unread: ['urls', 'repository', 'keyring', 'lenient', 'locked'],
  database: DATABASE,
  keepsDatabase: ({ keepRpmDb, rootfsOnly }) => (keepRpmDb ?? false) || (rootfsOnly ?? false),
  validate: rejectForeignSettings,
  plan,
  planLocked,
  origins,
  pinned: (name, version) => `${name}-${version}`,
  describe,
  fetch: ({ chosen }, { mirror, report }, arrived) =>
    fetchPackages(
      chosen.map((one) => one.package),
      mirror,
      report,
      arrived,
    ),
  ahead: unpackAhead,
  unpack: (archives, { cache, report }, ahead) => unpackAll(archives, cache, report, ahead),
  spool: spoolKey,
  inputs: ({ order }) => ({ machine: order.architecture.uname }),
  // a plan needs neither the shell nor the commands that scripts call
  async configure({ machine }, unpacked, { epoch, report, history }) {
    const { install } = await import('./configure.ts');
    const tree = new Tree();
    const { packages, scripts } = install(tree, unpacked, {
      ...{ epoch, machine, report },
      ...(history === undefined ? {} : { history }),
    });
    return { tree, scripts: scriptReports(scripts), installed: packages };
  },
  record: async ({ tree, installed }, _inputs, { epoch }) =>
    (await import('./database.ts')).recordDatabase(tree, installed, epoch),
  forget: ({ tree }) => void tree.remove(`${DATABASE}/rpmdb.sqlite`),
};
