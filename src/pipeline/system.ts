import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openArtefact, openRootfs } from '../artefacts/open.ts';
import { hostFile } from '../bytes/file.ts';
import { causedBy, reasonOf } from '../bytes/reason.ts';
import { readRegular, SMALL_FILE_LIMIT } from '../bytes/regular.ts';
import { finishGuest, type Gathered, gatherFiles, type SystemRequest } from '../dracut/guest.ts';
import { type KernelTaken, readKernelAhead, takeKernelModules, takesKernelModules } from '../dracut/kernel.ts';
import { moduleFrom } from '../dracut/module.ts';
import { type ConfSource, type DracutOptions, readOptions } from '../dracut/options.ts';
import { KATA_MODULES } from '../dracut/registry.ts';
import { BuildError } from '../errors/error.ts';
import { type Report, silent, warning } from '../events/events.ts';
import type { Described } from '../families/assemble.ts';
import type { Order, Plan } from '../families/family.ts';
import type { KernelPackage } from '../families/kernel.ts';
import type { Host } from '../fetch/host.ts';
import type { Lock } from '../lock/lock.ts';
import { architectureIn } from '../rootfs/architecture.ts';
import { keepDrivers, loadedDrivers } from '../rootfs/drivers.ts';
import { type Init, type Layer, UNSPECIFIED } from '../rootfs/guest.ts';
import { osRelease } from '../rootfs/os-release.ts';
import { removeMatching } from '../rootfs/trim.ts';
import type { Settings } from '../settings/table.ts';
import { indexModules } from '../system/kmod/install.ts';
import { keptModules } from '../system/kmod/kept.ts';
import { expectModules } from '../system/kmod/load.ts';
import type { Entry } from '../tree/entry.ts';
import { file, rootMeta } from '../tree/inode.ts';
import { lazyTree } from '../tree/lazy.ts';
import { fromText, parts, toText } from '../tree/path.ts';
import { Tree } from '../tree/tree.ts';
import { assemblePackages, type Base } from './assemble.ts';
import type { Installed } from './bill-packages.ts';
import { gathered as gatherEntries, type Inputs } from './inputs.ts';
import { installKernelModules } from './kernel.ts';
import { isFromFiles } from './method.ts';
import { provisionGuest } from './provision.ts';
import type { BuildRequest } from './request.ts';

/** Folders that are empty in every guest: on a running machine the kernel and its services fill them. */
const LIVE = new Set(['dev', 'proc', 'run', 'sys']);

/** What Kata's own configuration says (05-base.conf of its osbuilder). */
const KATA_CONF = `early_microcode="no"
hostonly="no"
hostonly_cmdline="no"
reproducible="yes"
`;

/** What is known about a guest when its files are taken. */
export interface FromSystem {
  readonly order: Order | undefined;
  readonly init: Init;
  /** The lock that is built. */
  readonly lock?: Lock | undefined;
  readonly inputs: Inputs;
  /** A kernel from a package, whose modules count as the system's. */
  readonly kernel?: KernelPackage | undefined;
}

/** Checks everything about this method that can be known before the system is opened. */
export function validateSystem(request: BuildRequest): void {
  const options = optionsOf(request, undefined, silent);
  ownModules(request);
  const { dracutKversion, kernelPackage } = request.settings;
  const named = dracutKversion ?? options.release ?? kernelPackage;
  if (isFromFiles(request) && named !== undefined && !options.noKernel && takesKernelModules(options)) expectModules();
}

/** Makes a guest of files of a system: what dracut's modules name, with Kata's parts laid over it. */
export async function makeFromSystem(request: BuildRequest, given: FromSystem, host: Host): Promise<Base> {
  const { settings } = request;
  const { report } = host;
  const kept = keptModules(host);
  const { sysroot, name, plan, described, epoch: known } = await openSystem(request, given.order, host);
  if (given.kernel !== undefined) installKernelModules({ tree: sysroot, epoch: 0 }, given.kernel);
  report({ kind: 'phase', phase: 'provision' });
  const options = withDrivers(optionsOf(request, sysroot, report), settings);
  const machine = given.order?.architecture.uname ?? architectureIn(sysroot) ?? request.hostArchitecture;
  const release = options.noKernel ? undefined : (settings.dracutKversion ?? options.release ?? given.kernel?.release);
  // modules of a folder come into the guest as they are; those of the system are chosen before
  const ofFolder = settings.kernelModulesDir !== undefined;
  if (release === undefined && !ofFolder) reportIdleDrivers(options, report);
  if (settings.drivers !== undefined && !(ofFolder && release === undefined))
    await keepDrivers(sysroot, settings.drivers, { report, kept }, release);
  const named = [...loadedDrivers(settings.drivers ?? options.drivers ?? []), ...options.forceDrivers];
  const load = settings.modulesLoad ?? 'drivers';
  const system: SystemRequest = {
    sysroot,
    name,
    options: withDemo(withoutDefault(options), given.inputs),
    own: ownModules(request),
    init: given.init,
    loads: (release !== undefined || ofFolder) && load !== 'none' && (load === 'all' || named.length > 0),
    machine,
    report,
  };
  const ahead = release === undefined ? undefined : readKernelAhead(sysroot, fromText(release), system.options, kept);
  const files = gatherFiles(system);
  const kernel =
    release === undefined
      ? undefined
      : await takeKernelModules({
          gathering: files.gathering,
          ahead,
          sysroot: name,
          release: fromText(release),
          options,
          wanted: files.drivers,
          generation: files.generation,
          machine,
          // replaced by the guest's own time stamp
          epoch: 0,
          report,
          kept,
        });
  const epoch = settings.sourceDateEpoch ?? given.lock?.epoch ?? known ?? files.gathering.newest;
  const names = load === 'none' ? [] : load === 'all' ? (kernel?.names ?? []) : loadable(kernel, named);
  const overlays = [
    ...(settings.rootfsOnly ? [] : [await kataLayer(request, given, { sysroot, machine, epoch, names }, report)]),
    ...(await includesOf(options, host)),
    ...given.inputs.overlays,
  ];
  const tree = finishGuest(system, files, { overlays, epoch });
  if (settings.drivers !== undefined && ofFolder && release === undefined) {
    const chosen = new Set(
      (await keepDrivers(tree, settings.drivers, { report, kept })).flatMap(({ modules }) =>
        modules.map(({ name }) => name),
      ),
    );
    const own = loadedDrivers(settings.drivers).filter((word) => chosen.has(word.replaceAll('-', '_')));
    if (load !== 'none' && own.length > 0)
      tree.writeFile('etc/modules-load.d/kata-modules.conf', `${own.join('\n')}\n`, rootMeta(0o644, epoch));
  }
  await indexModules(tree, { epoch, report, kept });
  for (const pattern of settings.remove ?? [])
    if (removeMatching(tree, [pattern]).length === 0) report(warning('REMOVE_UNMATCHED', { pattern }));
  noteModules(files, kernel, report);
  report({ kind: 'ended', phase: 'provision' });
  return {
    ...{ tree, epoch },
    ...(plan === undefined && settings.sbom !== undefined
      ? { installed: await takenOf(sysroot, name, tree, report) }
      : {}),
    ...(plan === undefined ? {} : { plan }),
    ...(described === undefined ? {} : { described }),
  };
}

/** Says which drivers of dracut's configuration are not taken, because the guest has no kernel modules. */
function reportIdleDrivers({ driverOptions, noKernel }: DracutOptions, report: Report): void {
  const reason = noKernel
    ? 'no_kernel leaves out all kernel modules'
    : 'no kernel is named with "dracut-kversion", so no kernel modules are taken';
  for (const { name, where } of driverOptions) report(warning('DRACUT_OPTION_UNUSED', { where, name, reason }));
}

/** The packages of a system of which a guest has a file. */
async function takenOf(sysroot: Tree, name: string, guest: Tree, report: Report): Promise<Installed> {
  const { installedIn, packagesOf } = await import('./bill-packages.ts');
  return packagesOf(await installedIn(sysroot, name, report), guest);
}

interface System {
  readonly sysroot: Tree;
  /** For messages. */
  readonly name: string;
  readonly plan?: Plan;
  readonly described?: Described;
  readonly epoch?: number;
}

/** Opens the system: a folder of which only what is asked for is read, an archive or image, or packages. */
async function openSystem({ settings }: BuildRequest, order: Order | undefined, host: Host): Promise<System> {
  const { sysroot } = settings;
  if (sysroot === undefined) {
    const { tree, epoch, plan, described } = await assemblePackages(order!, host);
    return {
      sysroot: tree,
      name: `the packages of ${order!.profile.title}`,
      epoch,
      ...(plan === undefined ? {} : { plan }),
      ...(described === undefined ? {} : { described }),
    };
  }
  return systemAt(sysroot, host);
}

/** A folder of which only what is asked for is read, or an archive or image. */
export async function systemAt(
  path: string,
  host: Parameters<typeof openRootfs>[1],
): Promise<{ readonly sysroot: Tree; readonly name: string }> {
  return {
    sysroot: isFolder(path) ? lazyTree(path, LIVE) : await (await openRootfs(path, host)).tree(),
    name: path === '/' ? 'this machine' : path,
  };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** dracut's configuration: the user's folder or Kata's own, the system's folder, and the options. */
function optionsOf({ settings }: BuildRequest, sysroot: Tree | undefined, report: Report): DracutOptions {
  const folder = settings.dracutConfDir;
  const kata = { path: 'Kata’s own configuration', name: '05-base.conf', text: KATA_CONF };
  const system = 'usr/lib/dracut/dracut.conf.d';
  const kernel = settings.dracutKversion;
  return readOptions(
    undefined,
    [
      folder === undefined ? [kata] : confFiles(folder),
      (sysroot?.list(system) ?? []).flatMap((name) => {
        const text = sysroot!.file(`${system}/${name}`) === undefined ? undefined : sysroot!.text(`${system}/${name}`);
        return text === undefined ? [] : [{ path: `/${system}/${toText(name)}`, name, text }];
      }),
    ],
    settings.dracutOptions ?? '',
    new Map(kernel === undefined ? [] : [['kernel', kernel]]),
    report,
  );
}

/** The configuration files of a folder of the build host. */
function confFiles(folder: string): ConfSource[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw new BuildError('READ_FAILED', { path: folder, reason: reasonOf(cause) }, causedBy(cause));
  }
  return names
    .filter((name) => name.endsWith('.conf'))
    .sort()
    .map((name) => ({
      path: join(folder, name),
      name,
      text: readRegular(join(folder, name), SMALL_FILE_LIMIT).toString('latin1'),
    }));
}

/** Kata's own list of modules means its default, which depends on what is process 1. */
function withoutDefault(options: DracutOptions): DracutOptions {
  const isDefault = [...(options.modules ?? [])].sort().join(' ') === [...KATA_MODULES].sort().join(' ');
  return isDefault ? { ...options, modules: undefined } : options;
}

/** With `drivers` of the settings every module is taken that these leave. */
function withDrivers(options: DracutOptions, { drivers }: Settings): DracutOptions {
  return drivers === undefined ? options : { ...options, drivers: ['='] };
}

/** The demo agent is a script: the programs that it calls come with it. */
function withDemo(options: DracutOptions, { agent }: Inputs): DracutOptions {
  if (agent?.kind !== 'demo') return options;
  return { ...options, installOptionalItems: [...options.installOptionalItems, 'sh', 'mount', 'sleep'] };
}

function ownModules({ dracutModules = [] }: BuildRequest) {
  return dracutModules.map(({ value, path }) => moduleFrom(value, path));
}

function loadable(kernel: KernelTaken | undefined, named: readonly string[]): readonly string[] {
  return named.filter((name) => kernel?.isLoadable(name) === true);
}

/** Kata's parts as a layer: an empty tree that is provisioned like any guest. */
async function kataLayer(
  request: BuildRequest,
  { init, inputs }: FromSystem,
  about: { sysroot: Tree; machine: string; epoch: number; names: readonly string[] },
  report: Report,
): Promise<Layer> {
  const { epoch, names, sysroot, machine } = about;
  const tree = new Tree();
  for (const path of ['etc', 'sbin', 'var']) tree.makeDirectory(path, rootMeta(0o755));
  if (init === 'systemd') {
    tree.symlink('init', 'usr/lib/systemd/systemd');
    tree.symlink('sbin/init', '/init');
  }
  await provisionGuest({ tree, epoch }, request, { order: undefined, init, architecture: machine, inputs }, report, {
    overlay: true,
    distro: distroOf(sysroot),
  });
  if (names.length > 0 || init === 'systemd')
    tree.writeFile('etc/modules-load.d/kata-modules.conf', `${names.join('\n')}\n`);
  const entries: Entry[] = [];
  for (const { path, inode } of tree.walk()) if (path !== '') entries.push({ path, inode });
  return { name: 'Kata’s parts', entries };
}

/** Name and version of the system, for the guest's summary. */
function distroOf(sysroot: Tree): { readonly name: string; readonly version: string } {
  const fields = osRelease(sysroot);
  const version = fields.get('VERSION_CODENAME') ?? fields.get('VERSION_ID') ?? UNSPECIFIED;
  return { name: fields.get('ID') ?? UNSPECIFIED, version };
}

/** What `--include SOURCE TARGET` of dracut's options names. */
async function includesOf({ includes }: DracutOptions, host: Host): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (const { source, target } of includes) {
    const below = parts(fromText(target)).join('/');
    const artefact = await openArtefact(source, host);
    if (artefact.kind === 'directory') {
      const entries = await gatherEntries(artefact.entries());
      layers.push({
        name: source,
        entries: entries.flatMap((entry): Entry[] => {
          const path = [below, ...parts(entry.path)].filter((part) => part !== '').join('/');
          if ('link' in entry)
            return [{ path, link: [below, ...parts(entry.link)].filter((part) => part !== '').join('/') }];
          return path === '' ? [] : [{ path, inode: { ...entry.inode, uid: 0, gid: 0 } }];
        }),
      });
    } else {
      const path =
        target.endsWith('/') || below === ''
          ? [below, fromText(basename(source))].filter((one) => one !== '').join('/')
          : below;
      layers.push({ name: source, entries: [{ path, inode: file(hostFile(source), rootMeta(0o644)) }] });
    }
  }
  return layers;
}

function noteModules({ modules }: Gathered, kernel: KernelTaken | undefined, report: Report): void {
  report({ kind: 'note', message: `dracut modules: ${modules.join(' ')}` });
  if (kernel !== undefined) report({ kind: 'note', message: `kernel modules: ${kernel.names.join(' ')}` });
}
