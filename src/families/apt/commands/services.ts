import { type Call, type Command, options } from '../../../shell/command.ts';
import { updateCatalog } from '../../../system/catalog.ts';
import { rcDefaults, rcRemove, rcSwitch } from '../../../system/init-links.ts';
import { systemdSysusers, sysusersLines } from '../../../system/sysusers.ts';
import { systemdTmpfiles } from '../../../system/tmpfiles.ts';
import {
  disableUnit,
  enableUnit,
  findUnit,
  type Instance,
  maskUnit,
  presetUnit,
  unitState,
  unmaskUnit,
} from '../../../system/units.ts';
import {
  dshDisable,
  dshEnable,
  dshInstalled,
  dshIsEnabled,
  dshMask,
  dshUnmask,
  dshUpdateState,
  dshWasEnabled,
} from '../configure/deb-systemd.ts';
import { type CommandTable, type DebianWorld, nothing } from './binding.ts';

/** Verbs of systemctl that query or change a running system: there is none, and a guest build is like a chroot. */
const RUNNING = new Set(
  'daemon-reload daemon-reexec start stop restart try-restart reload reload-or-restart reload-or-try-restart try-reload-or-restart force-reload condrestart kill reset-failed isolate set-property log-level set-environment import-environment'.split(
    ' ',
  ),
);

/** Commands for units, run levels and the parts of systemd that packages call. */
export function serviceCommands(world: DebianWorld): CommandTable {
  const { tree, context } = world;
  const withSuffix = (unit: string) =>
    /\.(service|socket|target|timer|path|mount|automount|swap|slice|scope|device)$/.test(unit)
      ? unit
      : `${unit}.service`;

  const helper: Command = (call) => {
    let instance: Instance = 'system';
    let quiet = false;
    const words: string[] = [];
    for (const arg of call.args) {
      if (arg === '--user') instance = 'user';
      else if (arg === '--quiet') quiet = true;
      else if (!arg.startsWith('--')) words.push(arg);
    }
    const [action = '', ...units] = words;
    let status = 0;
    for (const unit of units)
      switch (action) {
        case 'enable':
        case 'reenable':
          dshEnable(tree, context, unit, instance);
          break;
        case 'disable':
          dshDisable(tree, unit, instance);
          break;
        case 'purge':
          dshDisable(tree, unit, instance, true);
          break;
        case 'update-state':
          dshUpdateState(tree, context, unit, instance);
          break;
        case 'mask':
          dshMask(tree, context, unit, instance);
          break;
        case 'unmask':
          dshUnmask(tree, unit, instance);
          break;
        case 'was-enabled':
          if (!dshWasEnabled(tree, unit, instance)) status = 1;
          break;
        case 'is-enabled':
          if (!dshIsEnabled(tree, unit, instance)) status = 1;
          break;
        case 'debian-installed':
          if (!dshInstalled(tree, unit, instance)) status = 1;
          break;
        default:
          return quiet ? 1 : call.fail(`unknown action '${action}'`);
      }
    return status;
  };

  const systemctl: Command = (call) => {
    const given = options(
      call.args,
      'qt:p:afnlo:s:H:M:',
      'system user global now root= quiet no-reload force runtime no-block no-pager no-legend no-ask-password type= property= state= preset-mode= all plain value output= job-mode= what=',
    );
    const instance: Instance = given.has('user', 'global') ? 'user' : 'system';
    const [verb = '', ...units] = given.operands;
    let status = 0;
    for (const unit of units.map(withSuffix))
      switch (verb) {
        case 'enable':
        case 'reenable':
          if (!enableUnit(tree, context, unit, instance))
            status = call.fail(`Failed to enable unit: Unit file ${unit} does not exist.`);
          break;
        case 'disable':
          disableUnit(tree, unit, instance);
          break;
        case 'mask':
          maskUnit(tree, context, unit, instance);
          break;
        case 'unmask':
          unmaskUnit(tree, unit, instance);
          break;
        case 'preset':
          presetUnit(tree, context, unit, instance);
          break;
        case 'is-enabled': {
          const state = unitState(tree, context, unit, instance);
          if (!given.has('q', 'quiet')) call.out(`${state}\n`);
          if (!/^(enabled|static|alias|indirect|generated|transient)/.test(state)) status = 1;
          break;
        }
        case 'cat':
        case 'list-unit-files':
          if (findUnit(tree, unit, instance) === undefined) status = 1;
          break;
        default:
          break;
      }
    switch (verb) {
      case 'enable':
      case 'reenable':
      case 'disable':
      case 'mask':
      case 'unmask':
      case 'preset':
      case 'is-enabled':
      case 'cat':
      case 'list-unit-files':
        return status;
      case 'is-active':
      case 'is-failed':
      case 'status':
        if (!given.has('q', 'quiet')) call.out('inactive\n');
        return 3;
      case 'is-system-running':
        call.out('offline\n');
        return 1;
      case 'set-default':
        tree.symlink('etc/systemd/system/default.target', findUnit(tree, withSuffix(units[0] ?? '')) ?? '/dev/null');
        return 0;
      default:
        return RUNNING.has(verb) || verb.startsWith('list-') || verb.startsWith('show')
          ? 0
          : call.fail(`Unknown command verb '${verb}'.`);
    }
  };

  const updateRc: Command = (call) => {
    const [name = '', action = ''] = call.args.filter((arg) => !arg.startsWith('-'));
    switch (action) {
      case 'defaults':
      case 'start':
      case 'stop':
        rcDefaults(tree, context, name);
        return 0;
      case 'defaults-disabled':
        rcDefaults(tree, context, name, true);
        return 0;
      case 'remove':
        rcRemove(tree, name);
        return 0;
      case 'enable':
      case 'disable':
        rcSwitch(tree, context, name, action === 'enable');
        return 0;
      default:
        return call.fail('usage: update-rc.d NAME defaults|remove|enable|disable');
    }
  };

  const sysusers: Command = (call) => {
    const given = options(call.args, '', 'root= image= replace= dry-run inline cat-config no-pager tldr image-policy=');
    if (given.has('inline')) sysusersLines(tree, context, given.operands.join('\n'));
    else if (given.operands.includes('-')) sysusersLines(tree, context, call.input());
    else if (given.operands.length > 0) systemdSysusers(tree, context, given.operands);
    else systemdSysusers(tree, context);
    return 0;
  };

  const tmpfiles: Command = (call) => {
    const given = options(
      call.args,
      'E',
      'create clean remove purge boot user prefix= exclude-prefix= root= image= replace= cat-config no-pager graceful dry-run tldr image-policy=',
    );
    if (!given.has('create')) return 0;
    if (given.operands.length > 0) systemdTmpfiles(tree, context, given.operands);
    else systemdTmpfiles(tree, context);
    return 0;
  };

  // nothing runs: a service's status is `not running`, everything else is deferred
  const daemon: Command = (call) => (call.args.filter((arg) => !arg.startsWith('-'))[1] === 'status' ? 3 : 0);

  const machineId: Command = (call: Call) => {
    // an id belongs to a machine, never to an image: the file stays empty until first boot
    world.leaveOut(call.name, 'a machine’s id is its own: never made at build time');
    if (call.files.find('/etc/machine-id', false) === undefined) call.files.write('/etc/machine-id', '', 0o644);
    return 0;
  };

  return {
    'deb-systemd-helper': helper,
    'deb-systemd-invoke': nothing,
    'dbus-send': nothing,
    initctl: () => 1,
    'invoke-rc.d': daemon,
    ischroot: nothing,
    journalctl: (call) => {
      if (call.args.includes('--update-catalog')) updateCatalog(tree, context);
      return 0;
    },
    loginctl: nothing,
    'policy-rc.d': () => 101,
    rc: nothing,
    'rc-service': nothing,
    reload: nothing,
    restart: nothing,
    runlevel: (call) => {
      call.out('unknown\n');
      return 1;
    },
    service: daemon,
    start: nothing,
    'start-stop-daemon': nothing,
    stop: nothing,
    systemctl,
    'systemd-detect-virt': (call) => {
      if (call.args.some((arg) => /^-[-a-z]*(r|chroot)$/.test(arg))) return 0;
      call.out('none\n');
      return 1;
    },
    'systemd-machine-id-setup': machineId,
    'systemd-notify': () => 1,
    'systemd-sysctl': nothing,
    'systemd-sysusers': sysusers,
    'systemd-tmpfiles': tmpfiles,
    telinit: nothing,
    udevadm: nothing,
    'update-rc.d': updateRc,
  };
}
