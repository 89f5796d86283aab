import { type Command, options } from '../../../shell/command.ts';
import { updateCertificates } from '../../../system/certificates.ts';
import { getcap, setcap } from '../../../system/commands/capabilities.ts';
import { updateLocale } from '../../../system/commands/locale.ts';
import { warn } from '../../../system/context.ts';
import { updateLoaderCache } from '../../../system/loader.ts';
import { pamAuthUpdate } from '../../../system/pam.ts';
import { addShell, removeShell, updateShells } from '../../../system/shells.ts';
import { type CommandTable, type DebianWorld, nothing, plainOperands } from './binding.ts';

const OWN_KEY = 'a key is a machine’s own: never made at build time';

/**
 * What a guest intentionally omits although a script calls it, by reason. Each use is reported: in verbose
 * builds, in `plan --scripts`, in JSON.
 */
export const LEFT_OUT: readonly (readonly [reason: string, commands: string])[] = [
  [
    'Python makes its byte code when it imports a module',
    'py3compile py3clean pypy3compile pypy3clean pycompile pyclean',
  ],
  ['an index of documentation, which is made on demand', 'mandb catman install-info update-info-dir update-dhelp'],
  [
    'a cache of desktops, which work without it or rebuild it',
    `update-desktop-database gtk-update-icon-cache gtk4-update-icon-cache update-icon-caches fc-cache
    update-mime update-menus update-fonts-alias update-fonts-dir update-fonts-scale update-gsfontmap texhash mktexlsr`,
  ],
  ['a catalogue of document types, for tools that check documents', 'update-xmlcatalog update-catalog'],
  ['newer lists come from the network only', 'update-pciids update-usbids'],
  ['kernel and initrd do not belong to the guest', 'update-initramfs update-grub update-grub2 grub-install dkms'],
  ['kernel and initrd do not belong to the guest', 'linux-update-symlinks linux-check-removal kernel-install depmod'],
  [OWN_KEY, 'ssl-cert-check'],
  ['an initiator’s name is a machine’s own: never made at build time', 'iscsi-iname'],
  ['a cache that GLib does without', 'gio-querymodules'],
  ['a machine’s id is its own: never made at build time', 'dbus-uuidgen uuidgen'],
  ['systemd makes the hardware database at boot, where it is missing', 'systemd-hwdb'],
  ['a console’s font and keyboard are set up where there is a console', 'setupcon setfont loadkeys'],
];

/** Commands that only query or change a running system: there is none, as in a chroot. */
const RUNNING = `modprobe insmod rmmod lsmod mount umount swapon swapoff sysctl ip ifconfig ifup ifdown hwclock killall pkill
  wall telinit apparmor_parser aa-remove-unknown udevd update-motd vgcfgbackup vgscan pvscan lsb_release crontab restorecon
  exim exim4 chcon chattr sysv-rc-conf`;

/** Questions about a running system: the answer is no. */
const ABSENT = [
  'pidof',
  'pgrep',
  'ps',
  'findmnt',
  'aa-enabled',
  'aa-status',
  'selinuxenabled',
  'lspci',
  'ss',
  'auditctl',
];

/** Python, as far as it is called to compile byte code, which it does itself on demand. */
function python(world: DebianWorld): Command {
  return (call) => {
    if (!call.args.some((arg) => /py_compile|compileall|py3compile/.test(arg))) return call.shell.unknown(call.name);
    world.leaveOut('py_compile', LEFT_OUT[0]![0]);
    return 0;
  };
}

/** Commands of packages that every system has, and those that are omitted. */
export function systemCommands(world: DebianWorld): CommandTable {
  const { tree, context } = world;
  let warned = false;
  const table: Record<string, Command> = {
    'add-shell': (call) => {
      addShell(tree, context, call.args);
      return 0;
    },
    'remove-shell': (call) => {
      removeShell(tree, context, call.args);
      return 0;
    },
    'update-shells': () => {
      // until usrmerge is configured, both spellings of a path are equivalent
      updateShells(tree, context, world.known('usrmerge')?.status !== 'unpacked');
      return 0;
    },
    getcap,
    setcap,
    ldconfig: () => {
      // deferred to the end: libc-bin awaits that trigger
      world.trigger('ldconfig');
      if (world.package === 'libc-bin') updateLoaderCache(tree, context);
      return 0;
    },
    'pam-auth-update': (call) => {
      const given = options(call.args, '', 'package remove= force root= enable= disable=');
      pamAuthUpdate(tree, context, given.has('force'));
      return 0;
    },
    'update-ca-certificates': () => {
      updateCertificates(tree, context);
      return 0;
    },
    'update-locale': updateLocale,
    locale: (call) => {
      const names = ['CTYPE', 'NUMERIC', 'TIME', 'COLLATE', 'MONETARY', 'MESSAGES', 'PAPER', 'NAME', 'ADDRESS'];
      if (call.args[0] === 'charmap') call.out('UTF-8\n');
      else if (call.args.length === 0) {
        call.out('LANG=\nLANGUAGE=\n');
        for (const name of [...names, 'TELEPHONE', 'MEASUREMENT', 'IDENTIFICATION']) call.out(`LC_${name}="C.UTF-8"\n`);
        call.out('LC_ALL=C.UTF-8\n');
      }
      return 0;
    },
    // what would be sent to the server: the lines of its own file
    sshd: (call) => {
      if (!call.args.some((arg) => arg === '-G' || arg === '-T')) return 0;
      const path = '/etc/ssh/sshd_config';
      let keys = '';
      for (const line of (call.files.find(path) === undefined ? '' : call.files.read(path)).split('\n')) {
        const match = /^\s*([A-Za-z]+)[ \t=]+(.*?)\s*$/.exec(line);
        if (match === null) continue;
        const row = `${match[1]!.toLowerCase()} ${match[2]}\n`;
        if (row.startsWith('hostkey ')) keys += row;
        call.out(row);
      }
      // sshd_config(5): the default keys
      if (keys === '')
        for (const kind of ['rsa', 'ecdsa', 'ed25519']) call.out(`hostkey /etc/ssh/ssh_host_${kind}_key\n`);
      return 0;
    },
    // called for its version, and to check whether a list of drives can be read
    smartctl: nothing,
    // keys are never made at build time: they would be the same in every guest
    'ssh-keygen': (call) => {
      world.leaveOut(call.name, OWN_KEY);
      const reported = tree.has('usr/lib/systemd/system/sshd-keygen.service') || warned;
      if (reported || !options(call.args, 'qf:t:b:N:C:A', '').has('f', 'A')) return 0;
      warned = true;
      const message =
        'keys of the host are not made at build time; run "ssh-keygen -A" in the guest before sshd starts';
      warn(context, 'LEFT_TO_FIRST_BOOT', { reason: message });
      return 0;
    },
    'make-ssl-cert': (call) => {
      world.leaveOut(call.name, OWN_KEY);
      const message =
        'no certificate is made at build time; run "make-ssl-cert generate-default-snakeoil" in the guest if a service uses it';
      warn(context, 'LEFT_TO_FIRST_BOOT', { reason: message });
      return 0;
    },
    // what a script finds in a chroot: only the kernel's file systems are mounted
    mountpoint: (call) => (/^\/(proc|sys|dev)\/?$/.test(plainOperands(call)[0] ?? '') ? 0 : 1),
    // there is no reader
    sensible_pager: nothing,
  };
  for (const name of ['python3', 'python3.11', 'python3.12', 'python3.13', 'python3.14']) table[name] = python(world);
  for (const [reason, names] of LEFT_OUT)
    for (const name of names.split(/\s+/)) {
      table[name] = () => {
        world.leaveOut(name, reason);
        return 0;
      };
    }
  for (const name of RUNNING.split(/\s+/)) table[name] ??= nothing;
  for (const name of ABSENT) table[name] ??= () => 1;
  return table;
}
