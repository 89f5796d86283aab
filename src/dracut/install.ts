import { type Report, warning } from '../events/events.ts';
import type { ConfigureContext } from '../system/context.ts';
import { globPaths } from '../system/glob.ts';
import { systemdSysusers } from '../system/sysusers.ts';
import { display } from '../tree/path.ts';
import { appletsOf } from './applets.ts';
import { hooksOf } from './frame.ts';
import { type Gathering, RULES, UNITS } from './gather.ts';
import type { DracutOf } from './generation.ts';
import { initrdRelease } from './initrd-release.ts';
import type { DracutModule, Edit, Steps } from './module.ts';
import type { DracutOptions } from './options.ts';

/** What the installation of modules depends on. */
export interface Installation {
  readonly gathering: Gathering;
  readonly dracut: DracutOf;
  readonly options: DracutOptions;
  /** Modules that are installed, by name. */
  readonly chosen: ReadonlySet<string>;
  /** Names of the modules that the user wrote. */
  readonly own: ReadonlySet<string>;
  readonly context: ConfigureContext;
  readonly report: Report;
}

/** Words of kernel modules that modules ask for; the caller finds the files. */
export interface WantedDrivers {
  readonly words: string[];
  /** Those of them that a module of the user's asks for, by its name: its author means this kernel. */
  readonly own: Map<string, readonly string[]>;
  /** The drivers of the options, or the general set. */
  kernel: boolean;
  /** Modules beside the kernel's own. */
  extra: boolean;
  /** Drivers of network cards. */
  network: boolean;
}

/** Takes what a module names from the system. */
export function installModule(module: DracutModule, installation: Installation, drivers: WantedDrivers): void {
  const by = `the dracut module "${module.name}"`;
  const { gathering, chosen, report } = installation;
  runSteps(module, module, installation, drivers);
  if (module.withoutSystemd !== undefined && !chosen.has('systemd'))
    runSteps(module, module.withoutSystemd, installation, drivers);
  const alternative = module.firstOf?.find(({ program }) => gathering.has(program));
  if (alternative !== undefined) runSteps(module, alternative, installation, drivers);
  else if (module.remark !== undefined)
    report(warning('DRACUT_MODULE_EMPTY', { name: module.name, reason: module.remark }));
  for (const special of module.special ?? [])
    switch (special) {
      case 'file-system-checks':
        fileSystemChecks(installation, by);
        break;
      case 'busybox-links':
        busyboxLinks(installation, by);
        break;
      case 'sysusers':
        flushAccounts(installation);
        systemdSysusers(gathering.out, installation.context);
        // systemd-sysusers makes them without any rights; only a package manager's scripts change that
        for (const path of ['etc/shadow', 'etc/gshadow']) {
          const made = gathering.out.lstat(path);
          if (made?.kind === 'file') made.mode = 0;
        }
        break;
      case 'initrd-release':
        initrdRelease(installation);
        break;
      case 'extra-drivers':
        drivers.extra = true;
        break;
      case 'network-drivers':
        drivers.network = true;
        break;
      case 'kernel-drivers':
        drivers.kernel = true;
        break;
      default:
        special satisfies never;
    }
}

function runSteps(
  module: DracutModule,
  steps: Steps,
  { gathering, dracut, own, report }: Installation,
  { words, own: ownDrivers }: WantedDrivers,
): void {
  const by = `the dracut module "${module.name}"`;
  const folder = dracut.folders.get(module.name);
  // dracut's modules name what any system may have; who writes one for a system made a mistake
  if (own.has(module.name)) reportAbsent(module.name, steps, gathering, report);
  for (const path of steps.folders ?? []) gathering.folder(path);
  gathering.programs(steps.programs ?? [], by);
  gathering.programs(steps.optionalPrograms ?? [], by, true);
  gathering.paths(steps.files ?? [], by);
  gathering.paths(
    (steps.units ?? []).map((name) => `${UNITS}/${name}`),
    by,
  );
  gathering.libFiles(steps.libraries ?? [], by);
  if (steps.rules !== undefined) gathering.rules(steps.rules, by);
  for (const [from, to] of Object.entries(steps.copies ?? {})) gathering.fileTo(from, to, by);
  if (folder !== undefined) {
    for (const [name, to] of Object.entries(steps.own ?? {})) gathering.fileTo(`${folder}/${name}`, to, by);
    for (const name of steps.ownRules ?? []) gathering.rulesTo(`${folder}/${name}`, name, by);
    for (const [name, to] of Object.entries(steps.hooks ?? {}))
      gathering.fileTo(`${folder}/${name}`, `${hooksOf(dracut.generation)}/${to}`, by);
  }
  const first = steps.firstFolder;
  const home = first?.folders.find((one) => gathering.sysroot.stat(`${one}/${first.files[0]}`)?.kind === 'file');
  if (home !== undefined) for (const name of first!.files) gathering.fileTo(`${home}/${name}`, `${home}/${name}`, by);
  for (const [path, { text, mode }] of Object.entries(steps.texts ?? {}))
    if (gathering.out.lstat(path) === undefined) gathering.text(path, text, mode);
  for (const [path, target] of Object.entries(steps.links ?? {})) gathering.link(path, target);
  for (const [path, target] of Object.entries(steps.defaultLinks ?? {}))
    if (gathering.out.lstat(path) === undefined) gathering.link(path, target);
  for (const name of steps.users ?? []) gathering.accounts.user(name);
  for (const name of steps.groups ?? []) gathering.accounts.group(name);
  for (const [name, number] of Object.entries(steps.madeGroups ?? {})) gathering.accounts.group(name, number);
  for (const edit of steps.edits ?? []) {
    const text = gathering.out.text(edit.path);
    const changed = text === undefined ? undefined : edited(text, edit);
    if (changed !== undefined && changed !== text) gathering.text(edit.path, changed);
  }
  words.push(...(steps.drivers ?? []));
  if (own.has(module.name) && steps.drivers !== undefined)
    ownDrivers.set(module.name, [...(ownDrivers.get(module.name) ?? []), ...steps.drivers]);
  for (const list of steps.driverLists ?? [])
    for (const name of gathering.sysroot.list(list).filter((one) => one.endsWith('.conf')))
      words.push(...namesIn(gathering.sysroot.text(`${list}/${name}`) ?? ''));
}

/** Says which files a module names that the system does not have. */
function reportAbsent(name: string, steps: Steps, gathering: Gathering, report: Report): void {
  const { sysroot } = gathering;
  const isThere = (path: string) => globPaths(sysroot, `/${path.replace(/^\/+/, '')}`).length > 0;
  const paths = [
    ...(steps.files ?? []),
    ...(steps.units ?? []).map((one) => `${UNITS}/${one}`),
    ...(steps.rules ?? []).map((one) => `${RULES}/${one}`),
    ...Object.keys(steps.copies ?? {}),
  ].filter((path) => !isThere(path));
  const libraries = (steps.libraries ?? []).filter(
    (one) => !gathering.libFolders().some((folder) => isThere(`${folder}/${one}`)),
  );
  const absent = [...paths.map((path) => `/${display(path.replace(/^\/+/, ''))}`), ...libraries.map(display)];
  if (absent.length > 0)
    report(warning('DRACUT_MODULE_EMPTY', { name, reason: `the system does not have ${absent.join(', ')}` }));
}

function edited(text: string, edit: Edit): string {
  return text
    .split('\n')
    .map((line) => {
      if ('after' in edit) return line.startsWith(edit.after) ? [line, ...edit.lines].join('\n') : line;
      return line.startsWith(edit.begins) ? line.replace(edit.replace, () => edit.by) : line;
    })
    .join('\n');
}

/** Names in a file of modules-load.d(5). */
function namesIn(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[#;]/.test(line));
}

/** Writes the accounts that were taken so far. */
export function flushAccounts({ gathering }: Installation): void {
  for (const name of ['passwd', 'group'] as const) {
    const text = gathering.accounts.text(name);
    if (text !== '') gathering.text(`etc/${name}`, text);
  }
}

function fileSystemChecks({ gathering, options }: Installation, by: string): void {
  const { fscks } = options;
  if (fscks?.length === 0) return;
  const all = ['xfs_db', 'xfs_check', 'xfs_repair', 'xfs_metadump', 'e2fsck', 'jfs_fsck', 'reiserfsck', 'btrfsck'];
  if (fscks === undefined) gathering.paths(['sbin/fsck*', 'usr/sbin/fsck*'], by);
  const programs = fscks ?? all;
  if (programs.includes('e2fsck')) gathering.paths(['etc/e2fsck.conf'], by);
  gathering.programs([...programs, 'umount', 'mount', 'fsck'], by, true);
}

/** Every name of BusyBox that is a program of the system becomes a link to it, where no program was taken. */
function busyboxLinks({ gathering }: Installation, by: string): void {
  const { sysroot, out } = gathering;
  const folders = ['usr/sbin', 'usr/bin', 'sbin', 'bin'];
  const found = folders.map((folder) => `${folder}/busybox`).find((path) => sysroot.stat(path)?.kind === 'file');
  if (found === undefined) return;
  gathering.fileTo(found, 'usr/bin/busybox', by);
  for (const name of appletsOf(sysroot.file(found)!.content.readSync())) {
    if (name === 'busybox') continue;
    const folder = folders.find((one) => sysroot.stat(`${one}/${name}`)?.kind === 'file');
    const path = folder === undefined ? undefined : sysroot.realpath(folder);
    if (path === undefined || out.lstat(`${path}/${name}`) !== undefined) continue;
    gathering.link(
      `${path}/${name}`,
      path === 'usr/bin' ? 'busybox' : `${'../'.repeat(path.split('/').length)}usr/bin/busybox`,
    );
  }
}
