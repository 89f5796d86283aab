import type { ProfileData } from './profile.ts';
import { TRIMMED } from './trim.ts';

const repository = (name: string) => ({
  name,
  urls: ['https://mirror.stream.centos.org'],
  suite: `{release}/${name}/{arch}/os`,
  metalink: `https://mirrors.centos.org/metalink?repo=centos-${name.toLowerCase()}-{release}&arch={arch}&protocol=https,http`,
});

/** CentOS Stream: https://www.centos.org/centos-stream/ */
export const centos: ProfileData = {
  name: 'centos',
  title: 'CentOS Stream',
  family: 'rpm',
  releases: [
    { name: '10-stream', version: '10', aliases: ['stream10'], lts: false },
    { name: '9-stream', version: '9', aliases: ['stream9'] },
  ],
  architectures: { x86_64: 'x86_64', aarch64: 'aarch64', ppc64le: 'ppc64le', s390x: 's390x' },
  repositories: [repository('BaseOS'), repository('AppStream')],
  // /etc/dnf/vars of centos-stream-release
  variables: { stream: '{release}' },
  keyring: ['centos'],
  verified: 'digest of repomd.xml in a metalink that comes over TLS, then the signature of every package',
  packages: {
    always: ['bash', 'chrony', 'iptables', 'coreutils'],
    systemd: ['systemd'],
    seccomp: ['libseccomp'],
    selinux: ['selinux-policy-targeted'],
  },
  init: ['systemd', 'agent'],
  chrony: { config: 'etc/chrony.conf', unit: 'chronyd.service' },
  trim: [...TRIMMED, 'usr/lib/udev/hwdb.d', 'usr/share/info'],
};
