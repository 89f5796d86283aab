import { unameOf } from '../distros/uname.ts';
import { BuildError } from '../errors/error.ts';
import type { Report, Warning } from '../events/events.ts';
import { lostAttributes } from '../images/initrd.ts';
import type { Chosen } from '../packages/family.ts';
import { architectureIn } from '../rootfs/architecture.ts';
import { checkRootfs } from '../rootfs/check.ts';
import { provideDebianLinks } from '../rootfs/debian-links.ts';
import { provideDevices } from '../rootfs/devices.ts';
import { UNSPECIFIED } from '../rootfs/guest.ts';
import { removeMatching } from '../rootfs/trim.ts';
import type { Settings } from '../settings/table.ts';
import { overlayEntries } from '../tree/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import type { Doors } from './doors.ts';
import { initOf } from './init.ts';
import { agentOf, modulesOf, overlaysOf, policyOf, tarballsOf } from './inputs.ts';
import { openArtefact } from './open.ts';
import type { OrderRequest } from './order.ts';
import { expectOutputs, type Output, type Written, writeOutputs } from './outputs.ts';
import { newestTime, settleLinks, settleTimes } from './settle.ts';
import type { Order, Supply } from './supply.ts';

/** What to make, and of what. */
export interface BuildRequest extends OrderRequest {
  /** An existing rootfs to start from (folder, archive, initrd, image) instead of a distribution. */
  readonly source?: string;
  readonly outputs: readonly Output[];
  /** Version of this program, for the guest's summary. */
  readonly version: string;
}

/** What was made. */
export interface BuildResult {
  readonly outputs: readonly Written[];
  readonly packages: readonly Chosen[];
  /** The time that nothing in the outputs is later than, in Unix seconds. */
  readonly epoch: number;
}

/** Builds a guest: packages, or an existing rootfs, to one tree; that to each artefact asked for. */
export async function build(request: BuildRequest, given: Doors): Promise<BuildResult> {
  const warnings: Warning[] = [];
  const hear: Report = (event) => {
    if (event.kind === 'warning') warnings.push(event);
  };
  const report: Report = (event) => {
    hear(event);
    given.report(event);
  };
  const unheard = given.mirror.listen(hear);
  try {
    return await make(request, { ...given, report }, warnings);
  } finally {
    unheard();
  }
}

async function make(request: BuildRequest, doors: Doors, warnings: readonly Warning[]): Promise<BuildResult> {
  const { settings } = request;
  const { report } = doors;
  refuseUnsupported(settings);
  refuseWithoutAgent(request);
  const init = initOf(request);
  expectOutputs(request.outputs, settings);
  let tree: Tree;
  let epoch: number;
  let supply: Supply | undefined;
  let order: Order | undefined;
  let database: string | undefined;
  let defaults: readonly string[] = [];
  if (request.source === undefined) {
    // whoever only packs a rootfs into another form must not wait for distributions and resolvers to load
    const { defaultPackages, orderOf, supplyOf } = await import('./order.ts');
    order = orderOf(request);
    defaults = defaultPackages(order.profile, settings, init);
    supply = await supplyOf(order, doors);
    epoch = settings.sourceDateEpoch ?? supply.date;
    ({ tree, database } = await supply.assemble(epoch));
  } else {
    tree = await (await openRootfs(request.source, doors)).tree();
    // what is made here is no newer than what it is made of: the clock has no say
    epoch = settings.sourceDateEpoch ?? newestTime(tree);
  }

  const architecture =
    order?.architecture.uname ??
    (settings.arch === undefined ? (architectureIn(tree) ?? UNSPECIFIED) : unameOf(settings.arch));
  report({ kind: 'phase', phase: 'provision' });
  if (order !== undefined) {
    if (settings.trim) removeMatching(tree, order.profile.trim);
    provideDevices(tree, epoch);
    if (order.profile.family === 'apt') provideDebianLinks(tree, epoch);
  }
  // a rootfs that is only packed into another form was made a guest by whoever made it
  const packedOnly =
    order === undefined && !asksForKataParts(settings) && request.outputs.some(({ kind }) => kind !== 'rootfs');
  const provisioned = !settings.rootfsOnly && !packedOnly;
  if (provisioned) {
    const { provision } = await import('../rootfs/provision.ts');
    provision(tree, {
      init,
      chrony: order?.profile.chrony ?? { config: 'etc/chrony/chrony.conf', unit: 'chrony.service' },
      agent: await agentOf(settings, doors),
      modules: await modulesOf(settings, doors),
      policy: policyOf(settings, doors),
      tarballs: await tarballsOf(settings, doors),
      confidential: settings.confidentialGuest ?? false,
      keep: database === undefined ? [] : [database],
      epoch,
      summary: {
        version: request.version,
        description: 'osbuilder rootfs',
        architecture,
        distro: { name: order?.profile.name ?? UNSPECIFIED, version: order?.release.name ?? UNSPECIFIED },
        packages:
          order === undefined ? { default: [], extra: [] } : { default: defaults, extra: settings.extraPkgs ?? [] },
      },
    });
  }
  for (const layer of await overlaysOf(settings, doors)) overlayEntries(tree, layer.entries, { source: layer.name });
  if (settings.remove !== undefined) removeMatching(tree, settings.remove);
  settleLinks(tree);
  if (order !== undefined || settings.sourceDateEpoch !== undefined) settleTimes(tree, epoch);
  report({ kind: 'ended', phase: 'provision' });
  if (request.outputs.some(({ kind }) => kind === 'initrd')) warnOfLostAttributes(tree, report);
  if (settings.strict && warnings.length > 0)
    throw new BuildError('STRICT', { count: warnings.length, messages: warnings.map((one) => one.message) });

  for (const output of request.outputs) {
    if (output.kind !== 'rootfs' && !settings.skipRootfsCheck && !settings.rootfsOnly) checkRootfs(tree, init);
  }
  const outputs = await writeOutputs(tree, request.outputs, { settings, init, epoch, architecture }, doors);
  return { outputs, packages: supply?.chosen ?? [], epoch };
}

/** True when a setting names something that makes a rootfs a Kata guest. */
function asksForKataParts(settings: Settings): boolean {
  const { agent, kernelModulesDir, agentPolicy, agentPolicyFile, confidentialGuest } = settings;
  const { guestHooksTarball, cocoGuestComponentsTarball, pauseImageTarball } = settings;
  const files = [agent, kernelModulesDir, agentPolicyFile];
  const tarballs = [guestHooksTarball, cocoGuestComponentsTarball, pauseImageTarball];
  return [...files, ...tarballs].some((one) => one !== undefined) || agentPolicy === true || confidentialGuest === true;
}

/** Refuses, by name, what this version does not do: never a setting that is silently without effect. */
function refuseUnsupported(settings: Settings): void {
  const refuse = (what: string, reason: string): never => {
    throw new BuildError('NOT_SUPPORTED', { what, reason });
  };
  if (settings.buildMethod === 'dracut')
    refuse('--build-method dracut', 'this version makes guests from packages and from existing rootfs only');
  if (settings.selinux) refuse('--selinux', 'this version does not label files');
  if (settings.measuredRootfs) refuse('--measured-rootfs', 'this version writes no dm-verity hash tree');
  if (settings.fsType !== 'ext4') refuse(`--fs-type ${settings.fsType}`, 'this version writes ext4 only');
  if (settings.lock !== undefined || settings.frozen) refuse('--lock', 'this version writes and reads no lock files');
  if (settings.compress === 'xz')
    refuse(
      '--compress xz',
      'there is no reproducible encoder that runs everywhere; gzip, zstd, lz4 and none are written',
    );
}

/** A guest that could not start is refused before anything is fetched, unless files laid over it may bring the agent. */
function refuseWithoutAgent({ settings, source, outputs }: BuildRequest): void {
  const { agent, rootfsOnly, skipRootfsCheck, overlay, guestHooksTarball, cocoGuestComponentsTarball } = settings;
  const maybe = agent ?? overlay?.[0] ?? guestHooksTarball ?? cocoGuestComponentsTarball;
  if (source !== undefined || rootfsOnly || skipRootfsCheck || maybe !== undefined) return;
  if (outputs.every(({ kind }) => kind === 'rootfs')) return;
  throw new BuildError(
    'ROOTFS_UNFIT',
    { reason: 'there is no agent for it to start' },
    { hint: 'give one with --agent FILE, try with --agent demo, or build the bare distribution with --rootfs-only' },
  );
}

/** An initrd without a capability that a program needs must not come as a surprise in the guest. */
function warnOfLostAttributes(tree: Tree, report: Report): void {
  const lost = lostAttributes(tree);
  if (lost.length === 0) return;
  const shown = lost.slice(0, 5).join(', ') + (lost.length > 5 ? ` and ${lost.length - 5} more` : '');
  report({
    kind: 'warning',
    code: 'XATTRS_LOST',
    message: `an initrd has no place for extended attributes, an image has: ${shown} will be without`,
  });
}

async function openRootfs(path: string, doors: Doors) {
  const artefact = await openArtefact(path, doors.workspace);
  if (artefact.kind === 'file')
    throw new BuildError('ROOTFS_UNKNOWN', {
      path,
      reason: 'it is neither a folder nor an archive nor an image with ext4',
    });
  return artefact;
}
