import type { DracutModule } from '../module.ts';

/** Shells and programs for people. */
export const SHELLS: readonly DracutModule[] = [
  {
    name: 'bash',
    title: 'bash, as /bin/sh if there is no other',
    order: 0,
    needs: ['bash'],
    programs: ['bin/bash'],
    defaultLinks: { 'bin/sh': 'bash' },
  },
  {
    name: 'dash',
    title: 'dash, as /bin/sh if there is no other',
    order: 0,
    needs: ['dash'],
    programs: ['bin/dash'],
    defaultLinks: { 'bin/sh': 'dash' },
  },
  {
    name: 'busybox',
    title: 'BusyBox, in the place of programs that were not taken',
    dracut: '059',
    order: 5,
    needs: ['busybox'],
    special: ['busybox-links'],
  },
  {
    name: 'busybox',
    title: 'BusyBox, in the place of programs that were not taken',
    dracut: '106',
    order: 99,
    needs: ['busybox'],
    special: ['busybox-links'],
  },
  {
    name: 'rescue',
    title: 'programs to look around in a guest',
    order: 3,
    optionalPrograms: [
      ...['ps', 'grep', 'more', 'cat', 'rm', 'strace', 'free', 'showmount', 'ping', 'netstat', 'rpcinfo', 'vi', 'scp'],
      ...['ping6', 'ssh', 'fsck', 'fsck.ext2', 'fsck.ext4', 'fsck.ext3', 'fsck.ext4dev', 'fsck.f2fs', 'fsck.vfat'],
      'e2fsck',
    ],
  },
  {
    name: 'terminfo',
    title: 'descriptions of the terminals that consoles are',
    order: 95,
    firstFolder: {
      folders: ['lib/terminfo', 'etc/terminfo', 'usr/share/terminfo'],
      files: ['l/linux', 'v/vt100', 'v/vt102', 'v/vt220'],
    },
  },
  {
    name: 'i18n',
    title: 'keymaps and fonts',
    order: 10,
    remark: 'a guest has no keyboard and no screen, so no keymaps and fonts are taken',
  },
];
