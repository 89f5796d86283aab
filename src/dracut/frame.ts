import { device } from '../tree/inode.ts';
import type { Gathering } from './gather.ts';
import type { Generation } from './registry.ts';

/** What every guest of this method has, whatever its modules. */

const HOOKS = [
  'cmdline',
  'pre-udev',
  'pre-trigger',
  'netroot',
  'initqueue',
  'initqueue/settled',
  'initqueue/online',
  'initqueue/finished',
  'initqueue/timeout',
  'pre-mount',
  'pre-pivot',
  'cleanup',
  'mount',
  'emergency',
  'shutdown-emergency',
  'pre-shutdown',
  'shutdown',
];

const DEVICES: readonly (readonly [string, number, number])[] = [
  ['null', 1, 3],
  ['kmsg', 1, 11],
  ['console', 5, 1],
  ['random', 1, 8],
  ['urandom', 1, 9],
];

/** Folder of the hooks of a generation, and where else it can be reached. */
export function hooksOf(generation: Generation): string {
  return generation === '106' ? 'var/lib/dracut/hooks' : 'lib/dracut/hooks';
}

/** Makes the folders, links and devices that come first. */
export function makeFrame(gathering: Gathering, generation: Generation): void {
  const { sysroot } = gathering;
  for (const path of ['usr/bin', 'usr/sbin', 'bin', 'sbin', 'lib', 'etc', 'tmp', 'var/tmp']) gathering.folder(path);
  if (sysroot.stat('lib64')?.kind === 'directory') gathering.folder('lib64');
  for (const path of ['dev', 'proc', 'sys', 'sysroot', 'root', 'run', 'etc/cmdline.d', 'lib/dracut'])
    gathering.folder(path);
  gathering.link('var/run', '../run');
  gathering.link('var/lock', '../run/lock');
  const hooks = hooksOf(generation);
  for (const name of HOOKS) gathering.folder(`${hooks}/${name}`);
  if (generation === '106')
    gathering.link(
      'lib/dracut/hooks',
      `${'../'.repeat(sysroot.lstat('lib')?.kind === 'symlink' ? 3 : 2)}var/lib/dracut/hooks`,
    );
  for (const [name, major, minor] of DEVICES) {
    gathering.put(`dev/${name}`, device('char', major, minor, gathering.meta(0o644)));
  }
}

/** Writes what comes last: the list of modules, and where systemd has its files. */
export function finishFrame(gathering: Gathering, modules: readonly string[], generation: Generation): void {
  gathering.text('lib/dracut/modules.txt', modules.map((name) => `${name}\n`).join(''));
  // dracut writes its command line here, with paths of the build machine
  gathering.text('lib/dracut/build-parameter.txt', ' osbuilder\n');
  if (gathering.sysroot.has('usr/lib/systemd/systemd')) {
    gathering.text(
      'etc/conf.d/systemd.conf',
      [
        'systemdutildir="/usr/lib/systemd"',
        'systemdsystemunitdir="/usr/lib/systemd/system"',
        'systemdsystemconfdir="/etc/systemd/system"',
        ...(generation === '106' ? ['systemdnetworkconfdir="/etc/systemd/network"'] : []),
        '',
      ].join('\n'),
    );
  }
  gathering.paths(['etc/ld.so.conf', 'etc/ld.so.conf.d/*'], 'the loader');
}
