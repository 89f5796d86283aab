import { BuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import type { ConfigureContext } from '../system/context.ts';
import { updateLoaderCache } from '../system/loader.ts';
import type { Entry } from '../tree/entry.ts';
import { overlayEntries } from '../tree/overlay.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';
import { finishFrame, makeFrame } from './frame.ts';
import { Gathering } from './gather.ts';
import { type DracutOf, dracutOf } from './generation.ts';
import { flushAccounts, type Installation, installModule, type WantedDrivers } from './install.ts';
import type { DracutModule } from './module.ts';
import type { DracutOptions } from './options.ts';
import { type Generation, modulesOf } from './registry.ts';
import { selectModules } from './select.ts';

/** A guest to be made of files of a system. */
export interface SystemRequest {
  readonly sysroot: Tree;
  /** The system, for messages. */
  readonly name: string;
  readonly options: DracutOptions;
  /** Modules that the user describes. */
  readonly own: readonly DracutModule[];
  /** `systemd`, or the agent itself. */
  readonly init: 'systemd' | 'agent';
  /** Kernel modules that the guest loads when it starts are taken. */
  readonly loads: boolean;
  /** `uname -m` name of the guest. */
  readonly machine: string;
  readonly report: Report;
}

/** Files that were taken from a system, before anything is laid over them. */
export interface Gathered {
  readonly gathering: Gathering;
  readonly generation: Generation;
  /** Names of the modules, in the order in which they were installed. */
  readonly modules: readonly string[];
  readonly drivers: WantedDrivers;
}

/** Modules that a guest with the agent as process 1 does not need. */
const ONLY_SYSTEMD = ['systemd', 'dbus', 'syslog'];

/** Takes the files of all modules from a system. */
export function gatherFiles(request: SystemRequest): Gathered {
  const { sysroot, options, report, init, name } = request;
  const dracut: DracutOf = dracutOf(sysroot);
  const gathering = new Gathering(sysroot, { name, libFolders: options.libFolders, report });
  const chosen = selectModules({
    known: modulesOf(dracut.generation, request.own),
    options,
    without: init === 'agent' ? ONLY_SYSTEMD : [],
    // systemd's own loading of modules is a module of its own in dracut 106
    more: init === 'systemd' && request.loads ? ['systemd-modules-load'] : [],
    has: (what) => gathering.has(what),
    sysroot: name,
    report,
  });
  const names = chosen.map((one) => one.name);
  const installation: Installation = {
    gathering,
    dracut,
    options,
    chosen: new Set(names),
    own: new Set(request.own.map((one) => one.name)),
    context: contextOf(request, gathering, 0),
    report,
  };
  for (const { name: idle } of request.own.filter((one) => !names.includes(one.name)))
    report(
      warning('DRACUT_MODULE_EMPTY', { name: idle, reason: 'nothing names it, such as add_dracutmodules or --add' }),
    );
  const drivers: WantedDrivers = { words: [], own: new Map(), kernel: false, extra: false, network: false };
  makeFrame(gathering, dracut.generation);
  for (const module of chosen) installModule(module, installation, drivers);
  gathering.programs(options.installItems, 'install_items');
  gathering.programs(options.installOptionalItems, 'install_optional_items', true);
  // threads load it when they are cancelled, and nothing names it
  const hasThreads = (folder: string) => sysroot.list(folder).some((one) => one.startsWith('libpthread.so'));
  if (gathering.libFolders().some(hasThreads)) gathering.libFiles(['libgcc_s.so*'], 'programs with threads');
  finishFrame(gathering, names, dracut.generation);
  if (options.kernelCommandLine !== '')
    gathering.text('etc/cmdline.d/01-default.conf', `${options.kernelCommandLine}\n`);
  // a guest without an account for root has no name for process 1
  const shell = gathering.out.has('bin/sh') ? '/bin/sh' : '/usr/sbin/nologin';
  gathering.accounts.first('root', `root:x:0:0:root:/root:${shell}`);
  if (gathering.out.lstat('etc/passwd') === undefined) flushAccounts(installation);
  return { gathering, generation: dracut.generation, modules: names, drivers };
}

/** What is laid over the files of a system. */
export interface Layers {
  /** Kata's parts and the user's, in order. */
  readonly overlays: readonly { readonly name: string; readonly entries: readonly Entry[] }[];
  /** Unix seconds: time stamp of everything. */
  readonly epoch: number;
}

/**
 * Lays overlays over files that were taken from a system, and completes the guest: what programs of the overlays need, the
 * links that start it, the loader's cache, one time stamp. Throws `SYSROOT_FILE_MISSING` for what is needed and not there.
 */
export function finishGuest(request: SystemRequest, { gathering }: Gathered, layers: Layers): Tree {
  layOverlays(request, gathering, layers);
  finishInit(request, gathering);
  updateLoaderCache(gathering.out, contextOf(request, gathering, layers.epoch));
  reportMissing(request, gathering);
  for (const { inode } of gathering.out.walk()) {
    inode.mtime = layers.epoch;
    delete inode.nanoseconds;
  }
  return gathering.out;
}

function contextOf({ machine, report }: SystemRequest, gathering: Gathering, epoch: number): ConfigureContext {
  return { machine, defaultLibraryFolders: gathering.libFolders(), epoch, report };
}

function layOverlays({ report }: SystemRequest, gathering: Gathering, { overlays }: Layers): void {
  const { out } = gathering;
  for (const { name, entries } of overlays) {
    overlayEntries(out, entries, { source: name, report });
    for (const entry of entries) {
      if (!('inode' in entry) || entry.inode.kind !== 'file') continue;
      gathering.needsOf(entry.path.replace(/^(?:\.?\/)+/, ''), entry.inode, name);
    }
  }
}

/** Makes the kernel start what is to be process 1, and systemd go to Kata's target. */
function finishInit({ init }: SystemRequest, gathering: Gathering): void {
  const { out } = gathering;
  if (init === 'agent') {
    if (out.has('sbin/init')) gathering.link('init', '/sbin/init');
    return;
  }
  const links = ['etc/systemd/system/default.target', 'usr/lib/systemd/system/default.target'];
  const target = 'usr/lib/systemd/system/kata-containers.target';
  if (out.has(target) && !links.some((path) => out.has(path))) gathering.link(links[0]!, `/${target}`);
}

function reportMissing({ name: sysroot, report }: SystemRequest, gathering: Gathering): void {
  const { required, optional } = gathering.missingNeeds();
  const first = required[0];
  if (first !== undefined)
    throw new BuildError('SYSROOT_FILE_MISSING', {
      sysroot,
      name: display(first.name),
      by: `/${display(first.reason.by)} needs`,
    });
  for (const { name, reason } of optional)
    report(
      warning('SYSROOT_LEFT_OUT', {
        path: display(name),
        reason: `${sysroot} does not have it; /${display(reason.by)} needs it`,
      }),
    );
}
