import type { ProfileData } from './profile.ts';
import { TRIMMED } from './trim.ts';

/** Azure Linux, formerly CBL-Mariner: https://github.com/microsoft/azurelinux */
export const azure: ProfileData = {
  name: 'cbl-mariner',
  title: 'Azure Linux',
  aliases: ['azurelinux', 'azure', 'mariner'],
  family: 'rpm',
  releases: [{ name: '3.0', aliases: ['3'] }],
  architectures: { x86_64: 'x86_64', aarch64: 'aarch64' },
  repositories: [
    {
      name: 'base',
      urls: ['https://packages.microsoft.com/azurelinux'],
      suite: '{release}/prod/base/{arch}',
      signed: true,
    },
  ],
  keyring: ['azure'],
  verified: 'OpenPGP signature of repomd.xml, then the digest of every file, and the signature of every package',
  packages: {
    // kata-packages-uvm of the distribution
    always: [
      'bash',
      'ca-certificates',
      'chrony',
      'cryptsetup',
      'dbus',
      'elfutils-libelf',
      'filesystem',
      'iptables',
      'irqbalance',
      'tzdata',
      'zlib',
    ],
    systemd: ['systemd'],
    seccomp: ['libseccomp'],
  },
  init: ['systemd', 'agent'],
  chrony: { config: 'etc/chrony.conf', unit: 'chronyd.service' },
  trim: [...TRIMMED, 'usr/lib/udev/hwdb.d', 'usr/share/info'],
};
