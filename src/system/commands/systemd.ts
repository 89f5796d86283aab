import type { Call, Command, Options } from '../../shell/command.ts';
import type { Tree } from '../../tree/tree.ts';
import { updateCatalog } from '../catalog.ts';
import { systemdSysusers, sysusersLines } from '../sysusers.ts';
import { systemdTmpfiles } from '../tmpfiles.ts';
import {
  disableUnit,
  enableUnit,
  findUnit,
  type Instance,
  isUnitName,
  maskUnit,
  type PresetMode,
  presetAll,
  presetUnit,
  unitState,
  unmaskUnit,
} from '../units.ts';
import { type CommandTable, constant, type GuestWorld, nothing, ROOT, withOptions } from './binding.ts';
import { HARDWARE } from './omitted.ts';

const MACHINE_ID = 'a machine’s id is unique: never created at build time';

/** systemd's programs that packages call. */
export function systemdCommands(
  world: GuestWorld,
  { machineIdMode = 0o444 }: { readonly machineIdMode?: number } = {},
): CommandTable {
  const { tree, context } = world;
  const machineId: Command = (call) => {
    // the file stays empty until first boot
    world.leaveOut(call.name, MACHINE_ID);
    if (call.files.find('/etc/machine-id', false) === undefined) call.files.write('/etc/machine-id', '', machineIdMode);
    return 0;
  };
  return {
    'dbus-send': nothing,
    journalctl: withOptions(
      'q',
      'update-catalog quiet flush sync rotate relinquish-var vacuum-size= vacuum-time= vacuum-files= no-pager root=',
      (_, given) => {
        if (given.has('update-catalog')) updateCatalog(tree, context);
        return 0;
      },
      ROOT,
    ),
    loginctl: nothing,
    systemctl: systemctl(world),
    'systemd-detect-virt': withOptions('cvrq', 'container vm chroot quiet', detectVirtualization),
    'systemd-machine-id-setup': machineId,
    'systemd-notify': constant(1),
    'systemd-sysctl': nothing,
    'systemd-sysusers': sysusers(world),
    'systemd-tmpfiles': tmpfiles(world),
    udevadm: udevadm(world),
  };
}

/** Questions to a running udev, and its database of hardware. */
function udevadm(world: GuestWorld): Command {
  return (call) => {
    const [verb = ''] = call.args;
    if (verb === '--version' || verb === '-V' || verb === 'version') call.out(`${versionOf(world.tree)}\n`);
    else if (verb === 'hwdb') world.leaveOut(`${call.name} hwdb`, HARDWARE);
    else if (!/^(trigger|settle|control|info|monitor|test|test-builtin|wait|lock|verify)$/.test(verb))
      return call.shell.unknown(`${call.name} ${verb}`);
    return 0;
  };
}

/** systemd's version, by the name of its library: `257`. */
function versionOf(tree: Tree): string {
  for (const folder of ['usr/lib/systemd', 'lib/systemd', 'usr/lib64/systemd'])
    for (const name of tree.list(folder)) {
      const found = /^libsystemd-(?:shared|core)-(\d+)/.exec(name);
      if (found !== null) return found[1]!;
    }
  return '';
}

/** A guest build is like a chroot: there is one, and no virtual machine. */
function detectVirtualization(call: Call, given: Options): number {
  if (given.has('r', 'chroot')) return 0;
  if (!given.has('q', 'quiet')) call.out('none\n');
  return 1;
}

/** Verbs of systemctl that query or change a running system: there is none, and a guest build is like a chroot. */
const RUNNING = new Set(
  'daemon-reload daemon-reexec start stop restart try-restart reload reload-or-restart reload-or-try-restart try-reload-or-restart force-reload condrestart kill reset-failed isolate set-property log-level set-environment import-environment'.split(
    ' ',
  ),
);

/** Verbs of systemctl that act on one unit after the other; the result is the status for that unit. */
type UnitVerb = (call: Call, unit: string, instance: Instance, given: Options) => number;

function unitVerbs({ tree, context }: GuestWorld): Readonly<Record<string, UnitVerb>> {
  const enable: UnitVerb = (call, unit, instance) =>
    enableUnit(tree, context, unit, instance)
      ? 0
      : call.fail(`Failed to enable unit: Unit file ${unit} does not exist.`);
  const exists: UnitVerb = (_, unit, instance) => (findUnit(tree, unit, instance) === undefined ? 1 : 0);
  const done =
    (change: (unit: string, instance: Instance, given: Options) => void): UnitVerb =>
    (_, unit, instance, given) => {
      change(unit, instance, given);
      return 0;
    };
  return {
    enable,
    reenable: enable,
    disable: done((unit, instance) => disableUnit(tree, unit, instance)),
    mask: done((unit, instance) => maskUnit(tree, context, unit, instance)),
    unmask: done((unit, instance) => unmaskUnit(tree, unit, instance)),
    preset: done((unit, instance, given) => presetUnit(tree, context, unit, instance, presetMode(given))),
    'is-enabled': (call, unit, instance, given) => {
      const state = unitState(tree, context, unit, instance);
      if (!given.has('q', 'quiet')) call.out(`${state}\n`);
      return /^(enabled|static|alias|indirect|generated|transient)/.test(state) ? 0 : 1;
    },
    cat: exists,
    'list-unit-files': exists,
  };
}

function presetMode(given: Options): PresetMode {
  const mode = given.last('preset-mode');
  return mode === 'enable-only' || mode === 'disable-only' ? mode : 'full';
}

function systemctl(world: GuestWorld): Command {
  const { tree } = world;
  const verbs = unitVerbs(world);
  const run = (call: Call, given: Options): number => {
    const instance: Instance = given.has('user', 'global') ? 'user' : 'system';
    const [verb = '', ...names] = given.operands;
    const units = names.map((unit) => (isUnitName(unit) ? unit : `${unit}.service`));
    if (Object.hasOwn(verbs, verb)) {
      // links below /run do not last
      if (given.has('runtime')) return 0;
      let status = 0;
      for (const unit of units) status = verbs[verb]!(call, unit, instance, given) || status;
      return status;
    }
    switch (verb) {
      case 'preset-all':
        if (!given.has('runtime')) presetAll(tree, world.context, instance, presetMode(given));
        return 0;
      case 'is-active':
      case 'is-failed':
      case 'status':
        if (!given.has('q', 'quiet')) call.out('inactive\n');
        return 3;
      case 'is-system-running':
        call.out('offline\n');
        return 1;
      case 'set-default':
        tree.symlink('etc/systemd/system/default.target', findUnit(tree, units[0] ?? '') ?? '/dev/null');
        return 0;
      default:
        return RUNNING.has(verb) || verb.startsWith('list-') || verb.startsWith('show')
          ? 0
          : call.fail(`Unknown command verb '${verb}'.`);
    }
  };
  // how a running manager acts, and how answers are printed
  const harmless =
    'now no-reload force no-block no-pager no-legend full no-ask-password type= property= state= all plain value output= job-mode= what= signal= kill-whom= lines= wait show-types recursive no-wall no-warn legend=';
  return withOptions('qt:p:afln:o:s:', `system user global root= quiet runtime preset-mode= ${harmless}`, run, {
    root: '/',
  });
}

function sysusers({ tree, context }: GuestWorld): Command {
  const run = (call: Call, given: Options): number => {
    if (given.has('dry-run')) return 0;
    if (given.has('inline')) sysusersLines(tree, context, given.operands.join('\n'));
    else if (given.operands.includes('-')) sysusersLines(tree, context, call.input());
    else systemdSysusers(tree, context, given.operands.length > 0 ? given.operands : undefined);
    return 0;
  };
  // `--replace` names the file that the given lines are from: there is no other version of it on a new guest
  return withOptions('', 'root= replace= dry-run inline no-pager', run, { root: '/' });
}

function tmpfiles({ tree, context }: GuestWorld): Command {
  const run = (_: Call, given: Options): number => {
    // what is left over from a running system is cleaned there
    if (!given.has('create') || given.has('dry-run')) return 0;
    systemdTmpfiles(tree, context, given.operands.length > 0 ? given.operands : undefined, {
      only: given.values.get('prefix') ?? [],
      without: given.values.get('exclude-prefix') ?? [],
    });
    return 0;
  };
  // `-E` excludes folders that are volatile anyway; `--boot` lines are for boot, and a build is none
  return withOptions(
    'E',
    'create clean remove purge boot prefix= exclude-prefix= root= replace= no-pager graceful dry-run',
    run,
    { root: '/' },
  );
}
