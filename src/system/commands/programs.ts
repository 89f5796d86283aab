import type { Call, Command, Options } from '../../shell/command.ts';
import { warn } from '../context.ts';
import { updateLoaderCache } from '../loader.ts';
import { type CommandTable, type GuestWorld, withOptions } from './binding.ts';
import { getcap, setcap } from './capabilities.ts';
import { OWN_KEY } from './omitted.ts';

/** Programs of other packages that scripts of any family call. */
export function programCommands(world: GuestWorld): CommandTable {
  return {
    getcap,
    setcap,
    ldconfig: ldconfig(world),
    locale: withOptions('a', 'all-locales', locale),
    mountpoint: withOptions('q', 'quiet', mountpoint),
    sshd: withOptions('GTtqf:C:o:', '', sshd),
    'ssh-keygen': sshKeygen(world),
  };
}

/** ldconfig(8): `-p` and `-N` change nothing; another root or cache is not supported. */
export function ldconfig({ tree, context }: GuestWorld, update = () => updateLoaderCache(tree, context)): Command {
  return withOptions(
    'NqvXr:C:',
    'verbose ignore-aux-cache',
    (_, given) => {
      if (!given.has('N')) update();
      return 0;
    },
    { r: '/', C: '/etc/ld.so.cache' },
  );
}

const CATEGORIES =
  'CTYPE NUMERIC TIME COLLATE MONETARY MESSAGES PAPER NAME ADDRESS TELEPHONE MEASUREMENT IDENTIFICATION'.split(' ');

/** locale(1) in the environment of scripts, in which C.UTF-8 is set. */
function locale(call: Call, given: Options): number {
  if (given.has('a', 'all-locales')) call.out('C\nC.utf8\nPOSIX\n');
  else if (given.operands[0] === 'charmap') call.out('UTF-8\n');
  else if (given.operands.length > 0) return call.shell.unknown(`${call.name} ${given.operands[0]}`);
  else {
    const categories = CATEGORIES.map((name) => `LC_${name}="C.UTF-8"\n`);
    call.out(`LANG=\nLANGUAGE=\n${categories.join('')}LC_ALL=C.UTF-8\n`);
  }
  return 0;
}

/** What a script finds in a chroot: only the kernel's file systems are mounted. */
function mountpoint(_: Call, given: Options): number {
  return /^\/(proc|sys|dev)\/?$/.test(given.operands[0] ?? '') ? 0 : 1;
}

/** `sshd -G` and `-T` print the settings of the server: the lines of its own file, and the default keys. */
function sshd(call: Call, given: Options): number {
  if (!given.has('G', 'T')) return 0;
  const path = '/etc/ssh/sshd_config';
  let keys = '';
  for (const line of (call.files.find(path) === undefined ? '' : call.files.read(path)).split('\n')) {
    const match = /^\s*([A-Za-z]+)[ \t=]+(.*)$/.exec(line.trimEnd());
    if (match === null) continue;
    const row = `${match[1]!.toLowerCase()} ${match[2]}\n`;
    if (row.startsWith('hostkey ')) keys += row;
    call.out(row);
  }
  if (keys === '') for (const kind of ['rsa', 'ecdsa', 'ed25519']) call.out(`hostkey /etc/ssh/ssh_host_${kind}_key\n`);
  return 0;
}

/** Keys are never created at build time: they would be the same in every guest. */
function sshKeygen({ tree, context, leaveOut }: GuestWorld): Command {
  let warned = false;
  return (call) => {
    leaveOut(call.name, OWN_KEY);
    const reported = tree.has('usr/lib/systemd/system/sshd-keygen.service') || warned;
    if (reported || !call.args.some((arg) => /^-[a-zA-Z]*[fA]/.test(arg))) return 0;
    warned = true;
    const reason = 'keys of the host are not made at build time; run "ssh-keygen -A" in the guest before sshd starts';
    warn(context, 'LEFT_TO_FIRST_BOOT', { reason });
    return 0;
  };
}
