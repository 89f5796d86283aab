import type { ProfileData } from './profile.ts';
import { TRIMMED } from './trim.ts';

/** Numbered releases, newest first: https://alpinelinux.org/releases/. The default is the first. */
const NUMBERED = ['3.24', '3.23', '3.22', '3.21', '3.20', '3.19'];
/** Folders of the mirror that are not tied to a release. */
const MOVING = ['latest-stable', 'edge'];

const main = {
  name: 'main',
  urls: ['https://dl-cdn.alpinelinux.org/alpine'],
  components: ['main'],
};

/** Alpine Linux: https://alpinelinux.org/releases/ */
export const alpine: ProfileData = {
  name: 'alpine',
  title: 'Alpine Linux',
  family: 'apk',
  releases: [
    ...NUMBERED.map((name) => ({ name, aliases: [`v${name}`] })),
    ...MOVING.map((name) => ({ name, lts: false })),
  ],
  architectures: { x86_64: 'x86_64', aarch64: 'aarch64', ppc64le: 'ppc64le', s390x: 's390x' },
  repositories: [
    { ...main, suite: 'v{release}', releases: NUMBERED },
    { ...main, suite: '{release}', releases: MOVING },
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
  trim: [...TRIMMED, 'usr/share/zoneinfo'],
  boot: {
    kernels: { x86_64: 'linux-virt', aarch64: 'linux-virt', ppc64le: 'linux-lts', s390x: 'linux-lts' },
    busybox: 'busybox-static',
  },
};
