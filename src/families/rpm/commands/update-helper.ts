import type { Command } from '../../../shell/command.ts';

/**
 * systemd's helper for scriptlets (`%systemd_post UNIT…`): on installation units get their presets; everything else is about
 * a running system.
 */
export const systemdUpdateHelper: Command = (call) => {
  const [verb = '', ...units] = call.args;
  switch (verb) {
    case 'install-system-units':
      return call.shell.invoke(['systemctl', '--no-reload', 'preset', ...units]);
    case 'install-user-units':
      return call.shell.invoke(['systemctl', '--no-reload', 'preset', '--global', ...units]);
    case 'remove-system-units':
    case 'remove-user-units':
    case 'mark-restart-system-units':
    case 'mark-restart-user-units':
    case 'mark-reload-system-units':
    case 'system-reload-restart':
    case 'system-reload':
    case 'system-restart':
    case 'user-reload-restart':
    case 'user-reload':
    case 'user-restart':
    case 'user-reexec':
      return 0;
    default:
      return call.shell.unknown(`${call.name} ${verb}`);
  }
};
