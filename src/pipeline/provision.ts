import { unameOf } from '../distros/uname.ts';
import { BuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import type { Order } from '../families/family.ts';
import type { KernelPackage } from '../families/kernel.ts';
import type { Host } from '../fetch/host.ts';
import { DEMO_PROGRAMS } from '../rootfs/agent.ts';
import { architectureIn } from '../rootfs/architecture.ts';
import type { Chiselled } from '../rootfs/chisel/chisel.ts';
import { provideDevices } from '../rootfs/devices.ts';
import { type Init, UNSPECIFIED } from '../rootfs/guest.ts';
import { provideLinks } from '../rootfs/links.ts';
import { removeMatching } from '../rootfs/trim.ts';
import type { Settings } from '../settings/table.ts';
import { overlayEntries } from '../tree/overlay.ts';
import type { Tree } from '../tree/tree.ts';
import type { Base } from './assemble.ts';
import type { Inputs } from './inputs.ts';
import { defaultPackages } from './packages.ts';
import type { BuildRequest } from './request.ts';

/** `uname -m` name of the guest's processor. Throws `SETTING_CONFLICT` if an existing rootfs differs. */
export function guestArchitecture(tree: Tree, settings: Settings, order: Order | undefined): string {
  if (order !== undefined) return order.architecture.uname;
  const found = architectureIn(tree);
  if (settings.arch === undefined) return found ?? UNSPECIFIED;
  const asked = unameOf(settings.arch.toLowerCase());
  if (found !== undefined && found !== asked)
    throw new BuildError(
      'SETTING_CONFLICT',
      { reason: `\`arch\`: the programs of the rootfs are for ${found}, not for ${asked}`, settings: ['arch'] },
      { hint: 'leave it out: the architecture of an existing rootfs is read from its programs' },
    );
  return asked;
}

/** Inputs of the guest besides its base. */
export interface Provisions {
  readonly order: Order | undefined;
  readonly init: Init;
  /** `uname -m` name. */
  readonly architecture: string;
  readonly inputs: Inputs;
  /** A kernel from packages, whose modules the guest gets. */
  readonly kernel?: KernelPackage | undefined;
}

/** Turns the base into the guest: the distribution's last steps, Kata's parts, and what the user adds and removes. */
export async function provision(
  base: Base,
  request: BuildRequest,
  given: Provisions,
  host: Host,
): Promise<Chiselled | undefined> {
  const { report } = host;
  const { order, inputs } = given;
  report({ kind: 'phase', phase: 'provision' });
  const programs = inputs.agent?.kind === 'demo' ? DEMO_PROGRAMS : [];
  const chisel =
    request.keep === undefined
      ? undefined
      : new (await import('./chisel.ts')).Chisel(request.keep, base.tree, programs);
  if (order !== undefined) finishDistribution(base, order);
  chisel?.begin(base.tree);
  if (given.kernel !== undefined) (await import('./kernel.ts')).installKernelModules(base, given.kernel);
  if (isProvisioned(request, order)) await provisionGuest(base, request, given, report);
  customise(base, request.settings, inputs, report);
  const { drivers } = request.settings;
  if (drivers !== undefined) await keepOnly(base, drivers, host);
  const kept = await chisel?.finish(base, given.architecture, report);
  if (order !== undefined || inputs.modules !== undefined || inputs.overlays.length > 0 || drivers !== undefined)
    await indexNewModules(base, host);
  report({ kind: 'ended', phase: 'provision' });
  return kept;
}

/** Removes the kernel modules that no named driver needs. */
async function keepOnly({ tree, history }: Base, drivers: readonly string[], host: Host): Promise<void> {
  const { keepDrivers } = await import('../rootfs/drivers.ts');
  const { keptModules } = await import('../system/kmod/kept.ts');
  await keepDrivers(tree, drivers, { report: host.report, kept: keptModules(host) });
  history?.mark(tree, { step: 'drivers', source: drivers.join(' ') });
}

/** Indexes the kernel modules that came with packages, folders or overlays, so that modprobe finds them. */
async function indexNewModules({ tree, epoch, history }: Base, host: Host): Promise<void> {
  if (tree.list('lib/modules').length === 0) return;
  const { indexModules } = await import('../system/kmod/install.ts');
  const { keptModules } = await import('../system/kmod/kept.ts');
  for (const release of await indexModules(tree, { epoch, report: host.report, kept: keptModules(host) }))
    history?.mark(tree, { step: 'depmod', source: release });
}

/** Steps for every rootfs of a distribution, with or without Kata's parts: trimming, device nodes, links. */
function finishDistribution({ tree, epoch, history }: Base, { profile, settings }: Order): void {
  if (settings.trim) removeMatching(tree, profile.trim);
  history?.mark(tree, { step: 'trim' });
  provideDevices(tree, epoch);
  history?.mark(tree, { step: 'devices' });
  provideLinks(tree, profile.links, epoch);
  history?.mark(tree, { step: 'links' });
}

/** Turns a rootfs into a Kata guest: agent, units, modules, policy, summary; `over` is for a tree that is laid over another. */
export async function provisionGuest(
  { tree, epoch, database, history }: Base,
  request: BuildRequest,
  { order, init, architecture, inputs }: Provisions,
  report: Report,
  over?: { readonly overlay: true; readonly distro: { readonly name: string; readonly version: string } },
): Promise<void> {
  const { settings } = request;
  const { provision: install } = await import('../rootfs/provision.ts');
  const packages =
    order === undefined
      ? { default: [], extra: [] }
      : { default: defaultPackages(order.profile, settings, init), extra: settings.extraPkgs ?? [] };
  install(tree, {
    init,
    report,
    ...(history === undefined ? {} : { history }),
    chrony: order?.profile.chrony ?? { config: 'etc/chrony/chrony.conf', unit: 'chrony.service' },
    agent: inputs.agent,
    modules: inputs.modules,
    policy: inputs.policy,
    tarballs: inputs.tarballs,
    confidential: settings.confidentialGuest ?? false,
    ...(over === undefined ? {} : { overlay: true }),
    keep: database === undefined ? [] : [database],
    epoch,
    summary: {
      version: settings.osbuilderVersion ?? request.version,
      description: 'osbuilder rootfs',
      architecture,
      distro: over?.distro ?? {
        name: order?.profile.name ?? UNSPECIFIED,
        version: order?.release.name ?? UNSPECIFIED,
        ended: order?.profile.ended,
      },
      packages,
    },
  });
}

/** Applies the user's overlays and removals last. */
function customise({ tree, history }: Base, settings: Settings, { overlays }: Inputs, report: Report): void {
  for (const layer of overlays) {
    overlayEntries(tree, layer.entries, { source: layer.name, report });
    history?.mark(tree, { step: 'overlay', source: layer.name });
  }
  for (const pattern of settings.remove ?? []) {
    if (removeMatching(tree, [pattern]).length === 0) report(warning('REMOVE_UNMATCHED', { pattern }));
    history?.mark(tree, { step: 'remove', source: pattern });
  }
}

/** True when Kata's steps are needed: a rootfs that is only converted to another format is a guest already. */
export function isProvisioned({ settings, outputs }: BuildRequest, order: Order | undefined): boolean {
  if (settings.rootfsOnly) return false;
  return order !== undefined || asksForKataParts(settings) || outputs.every(({ kind }) => kind === 'rootfs');
}

/** True when a setting names a part of a Kata guest. */
function asksForKataParts(settings: Settings): boolean {
  const { agent, kernelModulesDir, agentPolicy, agentPolicyFile, confidentialGuest } = settings;
  const { guestHooksTarball, cocoGuestComponentsTarball, pauseImageTarball } = settings;
  const files = [agent, kernelModulesDir, agentPolicyFile];
  const tarballs = [guestHooksTarball, cocoGuestComponentsTarball, pauseImageTarball];
  return [...files, ...tarballs].some((one) => one !== undefined) || agentPolicy === true || confidentialGuest === true;
}
