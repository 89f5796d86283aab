import type { DracutModule } from '../module.ts';

/** The base of dracut's own init, and what mounts file systems. */

const BASE_PROGRAMS = [
  ...['chmod', 'cp', 'dmesg', 'flock', 'ln', 'ls', 'mkdir', 'mkfifo', 'mknod', 'modprobe', 'mount', 'mv', 'readlink'],
  ...['rm', 'rmmod', 'sed', 'setsid', 'sleep', 'tr', 'umount'],
];
const BASE_OWN = {
  'initqueue.sh': 'sbin/initqueue',
  'loginit.sh': 'sbin/loginit',
  'rdsosreport.sh': 'sbin/rdsosreport',
  'dracut-lib.sh': 'lib/dracut-lib.sh',
  'dracut-dev-lib.sh': 'lib/dracut-dev-lib.sh',
};
const BASE = {
  name: 'base',
  title: 'basic programs, and dracut’s own libraries of shell functions',
  order: 99,
  depends: ['udev-rules'],
  copies: { 'usr/lib/dracut/dracut-util': 'usr/bin/dracut-util' },
  own: BASE_OWN,
  links: {
    'usr/bin/dracut-getarg': 'dracut-util',
    'usr/bin/dracut-getargs': 'dracut-util',
    'etc/mtab': '/proc/self/mounts',
  },
  users: ['nobody'],
  special: ['initrd-release'],
} satisfies DracutModule;

export const STORAGE: readonly DracutModule[] = [
  {
    ...BASE,
    dracut: '106',
    programs: BASE_PROGRAMS,
    optionalPrograms: ['chown', 'findmnt', 'kmod', 'less', 'bin/sh'],
    withoutSystemd: {
      programs: ['switch_root'],
      own: { 'init.sh': 'init' },
      hooks: { 'parse-root-opts.sh': 'cmdline/10-parse-root-opts.sh' },
    },
  },
  {
    ...BASE,
    dracut: '059',
    programs: [...BASE_PROGRAMS, 'chown'],
    optionalPrograms: ['findmnt', 'less', 'kmod', 'bin/sh'],
    withoutSystemd: {
      programs: ['switch_root'],
      own: { 'init.sh': 'init' },
      hooks: { 'parse-root-opts.sh': 'cmdline/10-parse-root-opts.sh' },
    },
  },
  {
    name: 'fs-lib',
    title: 'programs that check file systems',
    order: 99,
    own: { 'fs-lib.sh': 'lib/fs-lib.sh' },
    texts: { 'etc/fstab.empty': { text: '', mode: 0o644 } },
    special: ['file-system-checks'],
    drivers: ['crc32c', 'crc32'],
  },
  {
    name: 'rootfs-block',
    title: 'a root file system on a disk',
    dracut: '106',
    order: 95,
    depends: ['base', 'fs-lib'],
    programs: ['umount', 'tr'],
    hooks: { 'rootfallback.sh': 'initqueue/timeout/99-rootfallback.sh' },
    ownRules: ['59-persistent-storage.rules', '61-persistent-storage.rules'],
    withoutSystemd: {
      hooks: {
        'parse-block.sh': 'cmdline/95-parse-block.sh',
        'block-genrules.sh': 'pre-udev/30-block-genrules.sh',
        'mount-root.sh': 'mount/99-mount-root.sh',
      },
    },
  },
  {
    name: 'rootfs-block',
    title: 'a root file system on a disk',
    dracut: '059',
    order: 95,
    depends: ['base', 'fs-lib'],
    programs: ['umount', 'tr'],
    hooks: { 'rootfallback.sh': 'initqueue/timeout/99-rootfallback.sh' },
    withoutSystemd: {
      hooks: {
        'parse-block.sh': 'cmdline/95-parse-block.sh',
        'block-genrules.sh': 'pre-udev/30-block-genrules.sh',
        'mount-root.sh': 'mount/99-mount-root.sh',
      },
    },
  },
  {
    name: 'dm',
    title: 'the device mapper',
    order: 90,
    needs: ['dmsetup'],
    programs: ['dmsetup'],
    rules: [
      '10-dm.rules',
      '13-dm-disk.rules',
      '95-dm-notify.rules',
      '64-device-mapper.rules',
      '60-persistent-storage-dm.rules',
      '55-dm.rules',
    ],
    ownRules: ['11-dm.rules', '59-persistent-storage-dm.rules'],
    hooks: { 'dm-shutdown.sh': 'shutdown/25-dm-shutdown.sh' },
    drivers: ['=drivers/md', 'dm_mod', 'dm-cache', 'dm-cache-mq', 'dm-cache-cleaner'],
  },
  {
    name: 'crypt',
    title: 'encrypted devices (LUKS)',
    order: 90,
    needsAny: ['usr/lib/systemd/systemd-cryptsetup', 'cryptsetup'],
    depends: ['dm', 'rootfs-block'],
    hooks: { 'parse-crypt.sh': 'cmdline/30-parse-crypt.sh' },
    optionalPrograms: ['stty'],
    own: { 'crypt-lib.sh': 'lib/dracut-crypt-lib.sh', 'crypt-run-generator.sh': 'sbin/crypt-run-generator' },
    libraries: ['ossl-modules/fips.so', 'ossl-modules/legacy.so'],
    texts: { 'lib/dracut/need-initqueue': { text: '', mode: 0o644 } },
    withoutSystemd: {
      programs: ['cryptsetup', 'rmdir', 'readlink', 'umount'],
      own: { 'cryptroot-ask.sh': 'sbin/cryptroot-ask', 'probe-keydev.sh': 'sbin/probe-keydev' },
      hooks: {
        'parse-keydev.sh': 'cmdline/10-parse-keydev.sh',
        'crypt-cleanup.sh': 'cleanup/30-crypt-cleanup.sh',
      },
    },
    drivers: ['drbg', 'dm_crypt', '=crypto'],
  },
  {
    name: 'virtiofs',
    title: 'file systems shared by virtiofs',
    order: 95,
    depends: ['base'],
    hooks: {
      'parse-virtiofs.sh': 'cmdline/95-parse-virtiofs.sh',
      'mount-virtiofs.sh': 'pre-mount/99-mount-virtiofs.sh',
    },
    drivers: ['virtiofs', 'virtio_pci'],
  },
  {
    name: 'virtfs',
    title: 'file systems shared by 9p',
    order: 95,
    hooks: { 'parse-virtfs.sh': 'cmdline/95-parse-virtfs.sh', 'mount-virtfs.sh': 'mount/99-mount-virtfs.sh' },
    drivers: ['9p', '9pnet_virtio', 'virtio_pci'],
  },
  {
    name: 'shutdown',
    title: 'dracut’s script for shutting down',
    order: 99,
    depends: ['base'],
    programs: ['umount', 'poweroff', 'reboot', 'halt', 'losetup', 'stat', 'sleep', 'timeout'],
    optionalPrograms: ['kexec'],
    own: { 'shutdown.sh': 'shutdown' },
  },
];
