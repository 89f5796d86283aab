import type { ProfileData } from './profile.ts';
import { TRIMMED } from './trim.ts';

const SNAPSHOTS = 'https://snapshot.debian.org/archive';
const BUNDLE = 'etc/ssl/certs/ca-certificates.crt';

/** Debian: https://www.debian.org/releases/ */
export const debian: ProfileData = {
  name: 'debian',
  title: 'Debian',
  family: 'apt',
  releases: [
    { name: 'trixie', version: '13', aliases: ['stable'] },
    { name: 'bookworm', version: '12', aliases: ['oldstable'] },
    { name: 'forky', version: '14', aliases: ['testing'], lts: false },
    { name: 'sid', aliases: ['unstable'], lts: false },
  ],
  architectures: { x86_64: 'amd64', aarch64: 'arm64', ppc64le: 'ppc64el', s390x: 's390x' },
  repositories: [
    {
      name: 'main',
      urls: ['http://ftp.debian.org/debian'],
      suite: '{release}',
      components: ['main'],
      snapshot: `${SNAPSHOTS}/debian/{time}`,
      host: 'main',
    },
    {
      name: 'updates',
      urls: ['http://ftp.debian.org/debian'],
      suite: '{release}-updates',
      components: ['main'],
      snapshot: `${SNAPSHOTS}/debian/{time}`,
      releases: ['trixie', 'bookworm', 'forky'],
      host: 'main',
    },
    {
      name: 'security',
      urls: ['http://security.debian.org/debian-security'],
      suite: '{release}-security',
      components: ['main'],
      snapshot: `${SNAPSHOTS}/debian-security/{time}`,
      releases: ['trixie', 'bookworm', 'forky'],
      host: 'security',
    },
  ],
  keyring: ['debian'],
  verified: 'OpenPGP signature of InRelease, then size and SHA-256 of every index and package',
  packages: {
    always: ['chrony', 'iptables', 'dbus', 'cryptsetup-bin', 'e2fsprogs', 'coreutils', 'kmod', 'ca-certificates'],
    systemd: ['init'],
    seccomp: ['libseccomp2'],
    // usrmerge depends on perl, to move files that are unpacked to the merged location directly here
    prefer: ['usr-is-merged'],
  },
  init: ['systemd', 'agent'],
  chrony: { config: 'etc/chrony/chrony.conf', unit: 'chrony.service' },
  trim: [...TRIMMED],
  links: [
    { path: 'var/run', target: '/run', replace: true },
    // where OpenSSL looks for the certificate bundle
    { path: 'usr/lib/ssl/cert.pem', target: `/${BUNDLE}`, needs: BUNDLE },
  ],
  hostArchives: {
    suites:
      '((old)*stable|testing|unstable|experimental|sid|jessie|stretch|buster|bullseye|bookworm|trixie|forky|duke)(-(updates|security|backports(-sloppy)?|proposed-updates)|/updates)?',
    components: ['main', 'contrib', 'non-free', 'non-free-firmware'],
    addresses: [
      { host: 'security', pattern: '.*/debian-security|security\\.debian\\.org' },
      { host: 'main', pattern: '.*/debian' },
    ],
  },
  origin: 'Debian',
  boot: {
    kernels: {
      x86_64: 'linux-image-cloud-amd64',
      aarch64: 'linux-image-cloud-arm64',
      ppc64le: 'linux-image-powerpc64le',
      s390x: 'linux-image-s390x',
    },
    busybox: 'busybox-static',
  },
};
