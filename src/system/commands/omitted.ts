import type { Command } from '../../shell/command.ts';
import { type CommandTable, constant, type GuestWorld, nothing } from './binding.ts';

/** Reason for leaving out what creates a machine's own keys. */
export const OWN_KEY = 'a key is unique to a machine: never created at build time';
/** Reason for leaving out what belongs to a kernel. */
export const KERNEL = 'kernel and initrd do not belong to the guest';

/** Reason for leaving out the database of devices that udev asks. */
export const HARDWARE = 'systemd creates the hardware database at boot if it is missing';

/** Commands that are left out on purpose, by reason; names separated by white space. */
export type Omissions = readonly (readonly [reason: string, names: string])[];

/** What a guest of any family omits although a script calls it. */
const OMITTED: Omissions = [
  ['an index of documentation, which is made on demand', 'mandb catman install-info'],
  [
    'a cache of desktops, which work without it or rebuild it',
    'update-desktop-database gtk-update-icon-cache gtk4-update-icon-cache fc-cache texhash mktexlsr',
  ],
  [KERNEL, 'grub-install dkms kernel-install'],
  ['an initiator’s name is unique to a machine: never created at build time', 'iscsi-iname'],
  ['a cache that GLib does without', 'gio-querymodules'],
  ['a machine’s id is unique: never created at build time', 'dbus-uuidgen uuidgen'],
  [HARDWARE, 'systemd-hwdb'],
  ['a console’s font and keyboard are set up where there is a console', 'setfont loadkeys'],
];

/**
 * Commands that only query or change a running system: there is none, as in a chroot. The build runs its own depmod over
 * the finished tree.
 */
const RUNNING = `depmod modprobe insmod rmmod lsmod mount umount swapon swapoff sysctl ip ifconfig ifup ifdown hwclock killall
  pkill wall telinit apparmor_parser aa-remove-unknown udevd vgcfgbackup vgscan pvscan lsb_release crontab restorecon chcon
  chattr smartctl`;

/** Questions about a running system: the answer is no. */
const ABSENT = 'pidof pgrep ps findmnt aa-enabled aa-status selinuxenabled lspci ss auditctl';

/** Commands that report their omission, for one reason each. */
export function leftOut(world: GuestWorld, omissions: Omissions): Record<string, Command> {
  const table: Record<string, Command> = {};
  for (const [reason, names] of omissions)
    for (const name of names.split(/\s+/))
      table[name] = () => {
        world.leaveOut(name, reason);
        return 0;
      };
  return table;
}

/** Commands that have nothing to do in a guest that is not running, and those that every guest omits. */
export function omittedCommands(world: GuestWorld): CommandTable {
  const table = leftOut(world, OMITTED);
  for (const name of RUNNING.split(/\s+/)) table[name] = nothing;
  for (const name of ABSENT.split(' ')) table[name] = constant(1);
  return table;
}
