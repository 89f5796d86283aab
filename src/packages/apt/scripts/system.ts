import { type Command, options } from '../../../shell/command.ts';
import { updateCertificates } from '../configure/certificates.ts';
import { pamAuthUpdate } from '../configure/pam.ts';
import { addShell, removeShell, updateShells } from '../configure/shells.ts';
import { type CommandTable, type DebianWorld, nothing } from './binding.ts';
import { getcap, setcap } from './capabilities.ts';

/**
 * What only warms caches, asks the running kernel, or belongs to the machine the guest will run on. Each is left out on
 * purpose, and the guest does without or makes it when it is needed.
 */
const LEFT_OUT = [
  // byte code and indexes that programs make for themselves
  ...['py3compile', 'py3clean', 'pypy3compile', 'pycompile', 'mandb', 'catman', 'install-info', 'update-info-dir'],
  ...['update-mime-database', 'update-desktop-database', 'gtk-update-icon-cache', 'update-icon-caches', 'fc-cache'],
  ...['update-mime', 'update-menus', 'update-xmlcatalog', 'update-catalog', 'update-fonts-alias', 'update-fonts-dir'],
  ...['update-fonts-scale', 'update-gsfontmap', 'texhash', 'mktexlsr', 'update-pciids', 'update-usbids'],
  // initrd, boot loader and kernel modules are not the guest's own affair
  ...[
    'update-initramfs',
    'update-grub',
    'update-grub2',
    'grub-install',
    'depmod',
    'modprobe',
    'insmod',
    'rmmod',
    'lsmod',
  ],
  ...['linux-update-symlinks', 'linux-check-removal', 'kernel-install', 'dkms'],
  // the running system
  ...['mount', 'umount', 'swapon', 'swapoff', 'sysctl', 'ip', 'ifconfig', 'ifup', 'ifdown', 'hwclock', 'setupcon'],
  ...['killall', 'pkill', 'wall', 'telinit', 'apparmor_parser', 'aa-remove-unknown', 'setfont', 'loadkeys', 'udevd'],
  ...[
    'update-motd',
    'vgcfgbackup',
    'vgscan',
    'pvscan',
    'lsb_release',
    'crontab',
    'restorecon',
    'exim',
    'exim4',
    'chcon',
    'chattr',
    'sysv-rc-conf',
  ],
];

/** Questions about a running system: the answer is no. */
const ABSENT = [
  'pidof',
  'pgrep',
  'ps',
  'mountpoint',
  'findmnt',
  'aa-enabled',
  'aa-status',
  'selinuxenabled',
  'lspci',
  'ss',
];

/** Python, as far as it is asked to compile byte code, which it does for itself when it needs to. */
const python: Command = (call) =>
  call.args.some((arg) => /py_compile|compileall|py3compile/.test(arg)) ? 0 : call.shell.unknown(call.name);

/** Commands of packages that every system has, and those that are left out. */
export function systemCommands(world: DebianWorld): CommandTable {
  const { tree, context } = world;
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
      updateShells(tree, context);
      return 0;
    },
    getcap,
    setcap,
    ldconfig: () => {
      // once, at the end of all
      world.trigger('ldconfig');
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
    'update-locale': (call) => {
      const path = '/etc/default/locale';
      const kept = (call.files.find(path) === undefined ? '' : call.files.read(path))
        .split('\n')
        .filter((line) => line !== '');
      for (const arg of call.args.filter((one) => !one.startsWith('-'))) {
        const name = arg.split('=')[0]!;
        const at = kept.findIndex((line) => line.startsWith(`${name}=`));
        if (at >= 0) kept.splice(at, 1);
        if (arg.includes('=')) kept.push(arg);
      }
      call.files.write(path, kept.map((line) => `${line}\n`).join(''));
      return 0;
    },
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
    // what the server would be told: the lines of its own file
    sshd: (call) => {
      if (!call.args.some((arg) => arg === '-G' || arg === '-T')) return 0;
      const path = '/etc/ssh/sshd_config';
      for (const line of (call.files.find(path) === undefined ? '' : call.files.read(path)).split('\n')) {
        const match = /^\s*([A-Za-z]+)[ \t=]+(.*?)\s*$/.exec(line);
        if (match !== null) call.out(`${match[1]!.toLowerCase()} ${match[2]}\n`);
      }
      return 0;
    },
    // keys are never made at build time: they would be the same in every guest
    'ssh-keygen': nothing,
    'make-ssl-cert': nothing,
    // nobody is there to read it
    sensible_pager: nothing,
  };
  for (const name of ['python3', 'python3.11', 'python3.12', 'python3.13', 'python3.14']) table[name] = python;
  for (const name of LEFT_OUT) table[name] ??= nothing;
  for (const name of ABSENT) table[name] ??= () => 1;
  return table;
}
