import type { Report } from '../../events/events.ts';
import { scriptReports } from '../../system/scripts.ts';
import type { Configured, Family } from '../family.ts';
import { debianContext } from './architecture.ts';
import type { Configured as ConfiguredTree } from './configure.ts';
import { describe } from './describe.ts';
import { origins, planLocked } from './locked.ts';
import type { AptPackage } from './package.ts';
import { type AptPlan, pinsOf, plan, rejectForeignSettings } from './plan.ts';
import { preseedOf } from './preseed.ts';
import { snapshotTime } from './snapshot.ts';
import { checkIdentities, type UnpackedDeb, unpackAll } from './unpack.ts';

interface AptConfigured extends Configured {
  readonly inner: ConfiguredTree;
}

const contextOf = ({ order }: AptPlan, epoch: number, report: Report) =>
  debianContext({ architecture: order.architecture.own, epoch, report });

/** Debian and its derivatives. */
export const apt: Family<AptPackage, AptPlan, UnpackedDeb, AptConfigured> = {
  name: 'apt',
  database: 'var/lib/dpkg',
  keepsDatabase: ({ keepDpkgDb, rootfsOnly }) => (keepDpkgDb ?? false) || (rootfsOnly ?? false),
  validate(order, host) {
    rejectForeignSettings(order);
    preseedOf(order.settings, host);
    pinsOf(order, host);
    if (order.settings.snapshot !== undefined) snapshotTime(order.settings.snapshot);
  },
  plan,
  planLocked,
  origins,
  pinned: (name, version) => `${name}=${version}`,
  describe,
  fetch: ({ chosen }, { mirror }) =>
    mirror.fetchAll(
      chosen.map(({ package: { urls, size, sha256, sha512 } }) => ({
        urls,
        size,
        digest:
          sha256 === ''
            ? ({ algorithm: 'sha512', hex: sha512 } as const)
            : ({ algorithm: 'sha256', hex: sha256 } as const),
        category: 'archives' as const,
      })),
    ),
  async unpack(archives, { cache, report }) {
    const unpacked = await unpackAll(archives, cache, report);
    checkIdentities(unpacked);
    return unpacked;
  },
  // a plan needs neither the shell nor the commands that scripts call
  async configure(of, unpacked, { epoch, host, report, history }) {
    const { settings } = of.order;
    const { configure } = await import('./configure.ts');
    const inner = configure(unpacked, {
      ...contextOf(of, epoch, report),
      preseed: preseedOf(settings, host),
      strict: settings.strict ?? false,
      ...(history === undefined ? {} : { history }),
    });
    return { tree: inner.tree, scripts: scriptReports(inner.scripts), inner };
  },
  record: async ({ inner }, of, { epoch, report }) =>
    (await import('./database.ts')).recordDatabase(inner, contextOf(of, epoch, report)),
  forget: async ({ tree }) => (await import('./database.ts')).dropDatabase(tree),
};
