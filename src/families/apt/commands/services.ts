import type { Call, Command, Options } from '../../../shell/command.ts';
import { type CommandTable, constant, nothing, withOptions } from '../../../system/commands/binding.ts';
import { rcDefaults, rcRemove, rcSwitch } from '../../../system/init-links.ts';
import type { Instance } from '../../../system/units.ts';
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
import type { DebianWorld } from './binding.ts';

/** Debian's commands for units and run levels: deb-systemd-helper(1p), update-rc.d(8), invoke-rc.d(8), … */
export function serviceCommands(world: DebianWorld): CommandTable {
  // nothing runs: a service's status is `not running`, everything else is deferred
  const daemon: Command = withOptions(
    '',
    'quiet force try-anyway disclose-deny query no-fallback skip-systemd-native',
    (_, given) => (given.operands[1] === 'status' ? 3 : 0),
  );
  return {
    'deb-systemd-helper': helper(world),
    'deb-systemd-invoke': nothing,
    initctl: constant(1),
    'invoke-rc.d': daemon,
    ischroot: nothing,
    'policy-rc.d': constant(101),
    rc: nothing,
    'rc-service': nothing,
    reload: nothing,
    restart: nothing,
    runlevel: constant(1, 'unknown\n'),
    service: daemon,
    start: nothing,
    'start-stop-daemon': nothing,
    stop: nothing,
    telinit: nothing,
    'update-rc.d': updateRc(world),
  };
}

/** An action of deb-systemd-helper on one unit; false sets the status to 1. */
type HelperAction = (unit: string, instance: Instance) => unknown;

function helper({ tree, context }: DebianWorld): Command {
  const enable: HelperAction = (unit, instance) => dshEnable(tree, context, unit, instance);
  const actions: Readonly<Record<string, HelperAction>> = {
    enable,
    reenable: enable,
    disable: (unit, instance) => dshDisable(tree, unit, instance),
    purge: (unit, instance) => dshDisable(tree, unit, instance, true),
    'update-state': (unit, instance) => dshUpdateState(tree, context, unit, instance),
    mask: (unit, instance) => dshMask(tree, context, unit, instance),
    unmask: (unit, instance) => dshUnmask(tree, unit, instance),
    'was-enabled': (unit, instance) => dshWasEnabled(tree, unit, instance),
    'is-enabled': (unit, instance) => dshIsEnabled(tree, unit, instance),
    'debian-installed': (unit, instance) => dshInstalled(tree, unit, instance),
  };
  return withOptions('', 'user system quiet', (call, given) => {
    const instance: Instance = given.has('user') ? 'user' : 'system';
    const [name = '', ...units] = given.operands;
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    let status = 0;
    for (const unit of units) {
      if (action === undefined) return given.has('quiet') ? 1 : call.fail(`unknown action '${name}'`);
      if (action(unit, instance) === false) status = 1;
    }
    return status;
  });
}

function updateRc({ tree, context }: DebianWorld): Command {
  const run = (call: Call, given: Options): number => {
    const [name = '', action = ''] = given.operands;
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
  return withOptions('f', 'force', run);
}
