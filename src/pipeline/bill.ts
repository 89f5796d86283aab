import { completeDigests } from '../artefacts/digests.ts';
import { digestOf } from '../bytes/digest.ts';
import { hostFile } from '../bytes/file.ts';
import type { Described } from '../families/assemble.ts';
import type { PackageFacts } from '../families/facts.ts';
import type { Order, Plan } from '../families/family.ts';
import type { Host } from '../fetch/host.ts';
import type { LockedInput } from '../lock/lock.ts';
import { type BillParts, billOf } from '../proof/bill.ts';
import type { KeepList } from '../rootfs/chisel/list.ts';
import type { Settings } from '../settings/table.ts';
import type { Tree } from '../tree/tree.ts';
import type { Base } from './assemble.ts';
import { distributionOf, installedIn, isIn } from './bill-packages.ts';
import { lockedInput } from './lock-inputs.ts';
import { newestTime } from './settle.ts';

/** The settings of a bill of materials. */
type BillSettings = Pick<Settings, 'sbom' | 'sbomFormat' | 'sbomFiles'>;

/** What is known of a guest that was built. */
export interface Built {
  readonly settings: BillSettings;
  readonly version: string;
  readonly order: Order | undefined;
  readonly epoch: number;
  readonly base: Base;
  readonly plan: Plan | undefined;
  readonly kernelPlan?: Plan | undefined;
  /** What the packages of `kernelPlan` say of themselves. */
  readonly kernelDescribed: Described | undefined;
  /** What was kept of the guest, where not all of it was. */
  readonly keep?: KeepList;
}

/** The format of a bill of materials: as set, else by the name of its file. */
export function billFormat(path: string, format: 'cyclonedx' | 'spdx' | undefined): 'cyclonedx' | 'spdx' {
  return format ?? (/\.spdx(\.json)?$/i.test(path) ? 'spdx' : 'cyclonedx');
}

/** The bill of materials of a guest that was built. */
export async function billOfBuild(parts: Built, inputs: readonly LockedInput[]): Promise<string> {
  const { settings, order, epoch, version, base } = parts;
  const [facts, archives] = await packagesIn(parts);
  return billText(settings, {
    ...{ epoch, archives, inputs, tree: base.tree, facts, version },
    distribution: base.installed?.distribution ?? distributionOf(base.tree, order),
  });
}

/**
 * The bill of materials of an artefact as it is: the packages that its databases list, itself as the input, and files that
 * no package brought. Throws what damaged databases throw.
 */
export async function billOfArtefact(
  settings: BillSettings,
  { tree, path, version }: { readonly tree: Tree; readonly path: string; readonly version: string },
  host: Host,
): Promise<string> {
  const epoch = newestTime(tree);
  const { facts, reasons, distribution } = await installedIn(tree, path, host.report);
  return billText(settings, {
    ...{ tree, epoch, facts, distribution, version },
    archives: reasons.map((reason) => ({ reason })),
    inputs: [await lockedInput({ setting: 'source', path }, epoch, host)],
  });
}

async function billText(
  { sbom, sbomFormat, sbomFiles }: BillSettings,
  { version, ...parts }: Omit<BillParts, 'tool' | 'allFiles'> & { readonly version: string },
): Promise<string> {
  await completeDigests(parts.tree);
  const bill = billOf({ ...parts, tool: { name: 'osbuilder', version }, allFiles: sbomFiles ?? false });
  return billFormat(sbom!, sbomFormat) === 'spdx'
    ? (await import('../proof/spdx.ts')).spdx(bill)
    : (await import('../proof/cyclonedx.ts')).cyclonedx(bill);
}

/** The packages of a guest, those that it had already, and those that its kernel was taken from, each once. */
async function packagesIn({
  plan,
  kernelPlan,
  base,
  kernelDescribed,
  keep,
}: Built): Promise<[facts: PackageFacts[], archives: BillParts['archives']]> {
  // a package of which nothing was kept is not in the guest
  const isKept = (one: PackageFacts): boolean => keep === undefined || isIn(base.tree, one);
  const facts: PackageFacts[] = [];
  const archives: { sha256?: string; reason: string }[] = [];
  for (const [i, one] of (base.installed?.facts ?? []).entries()) {
    if (!isKept(one)) continue;
    facts.push(one);
    archives.push({ reason: base.installed!.reasons[i]! });
  }
  const known = new Set<string>();
  const both: readonly (readonly [Plan | undefined, Described | undefined])[] = [
    [plan, base.described],
    [kernelPlan, kernelDescribed],
  ];
  for (const [{ chosen = [] } = {}, described] of both) {
    const said = (await described?.facts()) ?? [];
    for (const [i, { package: one, reason }] of chosen.entries()) {
      const path = described?.archives[i];
      const sha256 = one.sha256 === '' && path !== undefined ? await digestOf(hostFile(path)) : one.sha256;
      if (said[i] === undefined || known.has(sha256)) continue;
      if (described === base.described && !isKept(said[i])) continue;
      known.add(sha256);
      facts.push(said[i]);
      archives.push({ reason, sha256 });
    }
  }
  return [facts, archives];
}
