import { rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { type ElfFacts, elfFile } from './elves.ts';

/** Small systems for guests that are made of their files. */

const LOADER = '/lib64/ld-linux-x86-64.so.2';

/** A program of the small system. */
export const program = (...needed: string[]): ElfFacts => ({ interpreter: LOADER, needed: ['libc.so.6', ...needed] });

const PROGRAMS = [
  ...['udevadm', 'cat', 'uname', 'mount', 'umount', 'systemctl', 'busctl', 'dbus-daemon', 'dbus-send', 'dash', 'sleep'],
  ...['echo', 'true', 'kmod'],
];
const UNITS = ['basic.target', 'sysinit.target', 'multi-user.target', 'dbus.service', 'dbus.socket', 'rescue.target'];

/** Files of a small system with systemd: ELF facts, texts, and links that begin with `->`. */
export const SYSTEM: Readonly<Record<string, ElfFacts | string>> = {
  bin: '->usr/bin',
  sbin: '->usr/sbin',
  lib: '->usr/lib',
  lib64: '->usr/lib64',
  'usr/lib64/ld-linux-x86-64.so.2': '->../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
  'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2': {},
  'usr/lib/x86_64-linux-gnu/libc.so.6': {},
  'usr/lib/x86_64-linux-gnu/libpthread.so.0': {},
  'usr/lib/x86_64-linux-gnu/libgcc_s.so.1': {},
  'usr/lib/x86_64-linux-gnu/libnss_files.so.2': {},
  'usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so': {},
  'usr/lib/systemd/systemd': program(),
  'usr/lib/systemd/systemd-udevd': '->../../bin/udevadm',
  'usr/lib/systemd/systemd-modules-load': program(),
  'usr/lib/udev/rules.d/50-udev-default.rules':
    'SUBSYSTEM=="tty", GROUP="tty", PROGRAM="/bin/echo x", RUN+="special"\n',
  'usr/lib/udev/special': program(),
  'usr/sbin/blkid': program(),
  'usr/sbin/nologin': program(),
  'usr/bin/sh': '->dash',
  'usr/sbin/poweroff': '->/bin/systemctl',
  'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\nmessagebus:x:101:102::/nonexistent:/usr/sbin/nologin\n',
  'etc/group': 'root:x:0:\ntty:x:5:\nmessagebus:x:102:\n',
  'etc/os-release': 'ID=small\nVERSION_ID="7"\n',
  'etc/ld.so.conf': 'include /etc/ld.so.conf.d/*.conf\n',
  ...Object.fromEntries(PROGRAMS.map((name) => [`usr/bin/${name}`, program()])),
  ...Object.fromEntries(
    UNITS.map((name) => [`usr/lib/systemd/system/${name}`, `[Unit]\nDescription=${name}\n[Socket]\nx=y\n`]),
  ),
};

/** A tree of such files. */
export function systemTree(files: Readonly<Record<string, ElfFacts | string | undefined>> = SYSTEM): Tree {
  const tree = new Tree();
  for (const [path, what] of Object.entries(files)) {
    if (what === undefined) continue;
    if (typeof what === 'string' && what.startsWith('->')) tree.symlink(path, what.slice(2), rootMeta(0o777, 1000));
    else {
      const isProgram = typeof what !== 'string' && what.interpreter !== undefined;
      tree.writeFile(path, typeof what === 'string' ? what : elfFile(what), rootMeta(isProgram ? 0o755 : 0o644, 1000));
    }
  }
  return tree;
}
