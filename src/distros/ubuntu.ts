import { debian } from './debian.ts';
import type { ProfileData } from './profile.ts';

const PORTS = ['arm64', 'ppc64el', 's390x'];
const suites = ['{release}', '{release}-updates', '{release}-security'];
const names = ['main', 'updates', 'security'];

/** Ubuntu: https://wiki.ubuntu.com/Releases; other processors than amd64 have an archive of their own. */
export const ubuntu: ProfileData = {
  ...debian,
  name: 'ubuntu',
  title: 'Ubuntu',
  releases: [
    { name: 'resolute', version: '26.04' },
    { name: 'noble', version: '24.04' },
    { name: 'jammy', version: '22.04' },
  ],
  repositories: suites.flatMap((suite, i) => [
    {
      name: names[i]!,
      urls: [i === 2 ? 'http://security.ubuntu.com/ubuntu' : 'http://archive.ubuntu.com/ubuntu'],
      suite,
      components: ['main'],
      architectures: ['amd64'],
      host: i === 2 ? 'security' : 'main',
    },
    {
      name: `${names[i]}-ports`,
      urls: ['http://ports.ubuntu.com/ubuntu-ports'],
      suite,
      components: ['main'],
      architectures: PORTS,
      host: i === 2 ? 'security' : 'main',
    },
  ]),
  keyring: ['ubuntu'],
  packages: {
    ...debian.packages,
    always: ['chrony', 'iptables', 'dbus', 'cryptsetup-bin', 'e2fsprogs', 'ca-certificates'],
  },
  origin: 'Ubuntu',
};
