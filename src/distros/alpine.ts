import type { ProfileData } from './profile.ts';

/** Alpine Linux: https://alpinelinux.org/releases/ */
export const alpine: ProfileData = {
  name: 'alpine',
  title: 'Alpine Linux',
  family: 'apk',
  releases: [
    ...['3.22', '3.21', '3.20', '3.19'].map((name) => ({ name, aliases: [`v${name}`] })),
    { name: 'edge', lts: false },
  ],
  architectures: { x86_64: 'x86_64', aarch64: 'aarch64', ppc64le: 'ppc64le', s390x: 's390x' },
  repositories: [
    {
      name: 'main',
      urls: ['https://dl-cdn.alpinelinux.org/alpine'],
      suite: 'v{release}',
      components: ['main'],
      releases: ['3.22', '3.21', '3.20', '3.19'],
    },
    {
      name: 'main',
      urls: ['https://dl-cdn.alpinelinux.org/alpine'],
      suite: 'edge',
      components: ['main'],
      releases: ['edge'],
    },
  ],
  keyring: ['alpine'],
  verified:
    'RSA signature of APKINDEX, then the identity of every package’s control segment and the digest of its data',
  packages: {
    always: ['alpine-base', 'bash', 'iptables', 'ip6tables'],
    seccomp: ['libseccomp'],
  },
  init: ['agent'],
  chrony: { config: 'etc/chrony/chrony.conf', unit: 'chronyd.service' },
  trim: [
    'usr/share/bash-completion',
    'usr/share/bug',
    'usr/share/cracklib',
    'usr/share/doc',
    'usr/share/info',
    'usr/share/lintian',
    'usr/share/locale',
    'usr/share/man',
    'usr/share/menu',
    'usr/share/misc',
    'usr/share/pixmaps',
    'usr/share/terminfo',
    'usr/share/zoneinfo',
    'usr/share/zsh',
  ],
};
