import { scriptReports } from '../../system/scripts.ts';
import type { Configured, ConfigureOptions, Family } from '../family.ts';
import { debianContext } from './architecture.ts';
import type { Configured as ConfiguredTree } from './configure.ts';
import { describe } from './describe.ts';
import { origins, planLocked } from './locked.ts';
import type { AptPackage } from './package.ts';
import { type AptPlan, pinsOf, plan, rejectForeignSettings } from './plan.ts';
import { preseedOf } from './preseed.ts';
import { snapshotTime } from './snapshot.ts';
import { checkIdentities, spoolKey, type UnpackedDeb, unpackAhead, unpackAll } from './unpack.ts';

interface AptConfigured extends Configured {
  readonly inner: ConfiguredTree;
}

/** What configuring depends on beside the packages. */
interface AptInputs {
  /** As dpkg names it. */
  readonly architecture: string;
  readonly strict: boolean;
  /** Answers to packages' questions by name. */
  readonly preseed: readonly (readonly [name: string, value: string])[];
}

const contextOf = ({ architecture }: AptInputs, { epoch, report }: ConfigureOptions) =>
  debianContext({ architecture, epoch, report });

/** Debian and its derivatives. */
export const apt: Family<AptPackage, AptPlan, UnpackedDeb, AptConfigured, AptInputs> = {
  name: 'apt',
  unread: ['urls', 'archive', 'suite', 'codename', 'pin'],
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
  fetch: ({ chosen }, { mirror }, arrived) =>
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
      arrived,
    ),
  ahead: unpackAhead,
  async unpack(archives, { cache, report }, ahead) {
    const unpacked = await unpackAll(archives, cache, report, ahead);
    checkIdentities(unpacked);
    return unpacked;
  },
  spool: spoolKey,
  inputs: ({ order: { architecture, settings } }, host) => ({
    architecture: architecture.own,
    strict: settings.strict ?? false,
    preseed: [...preseedOf(settings, host)],
  }),
  // a plan needs neither the shell nor the commands that scripts call
  async configure(inputs, unpacked, options) {
    const { configure } = await import('./configure.ts');
    const { history } = options;
    const inner = configure(unpacked, {
      ...contextOf(inputs, options),
      preseed: new Map(inputs.preseed),
      strict: inputs.strict,
      ...(history === undefined ? {} : { history }),
    });
    return { tree: inner.tree, scripts: scriptReports(inner.scripts), inner };
  },
  record: async ({ inner }, inputs, options) =>
    (await import('./database.ts')).recordDatabase(inner, contextOf(inputs, options)),
  forget: async ({ tree }) => (await import('./database.ts')).dropDatabase(tree),
};
