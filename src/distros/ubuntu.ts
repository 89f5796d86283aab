import { debian } from './debian.ts';
import type { ProfileData } from './profile.ts';

const PORTS = ['arm64', 'ppc64el', 's390x'];
const PORTS_PATH = '(ubuntu-ports|ports\\.ubuntu\\.com)';
// personal archives end in /ubuntu, use Ubuntu's suites and a component called main
const NOT_PERSONAL = '(?!([^/]*\\.)?(ppa\\.launchpad(content)?\\.net|launchpad\\.net|launchpadcontent\\.net)/)';
// one folder for the archive, its security suites and its ports
const snapshot = 'https://snapshot.ubuntu.com/ubuntu/{time}';
const suites = ['{release}', '{release}-updates', '{release}-security'];
const names = ['main', 'updates', 'security'];

/** Ubuntu: https://wiki.ubuntu.com/Releases; processors other than amd64 have a separate archive. */
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
      snapshot,
      architectures: ['amd64'],
      host: i === 2 ? 'security' : 'main',
    },
    {
      name: `${names[i]}-ports`,
      urls: ['http://ports.ubuntu.com/ubuntu-ports'],
      suite,
      components: ['main'],
      snapshot,
      architectures: PORTS,
      host: i === 2 ? 'security' : 'main',
    },
  ]),
  keyring: ['ubuntu'],
  packages: {
    ...debian.packages,
    always: ['chrony', 'iptables', 'dbus', 'cryptsetup-bin', 'e2fsprogs', 'ca-certificates'],
  },
  hostArchives: {
    suites: '[a-z]+(-(updates|security|backports|proposed))?',
    components: ['main', 'restricted', 'universe', 'multiverse'],
    // the security archive is the main one under another host name: its suites are on both
    addresses: [
      { host: 'security', pattern: `${NOT_PERSONAL}security\\..*/ubuntu`, architectures: ['amd64'] },
      { host: 'main', pattern: `${NOT_PERSONAL}.*/ubuntu`, architectures: ['amd64'] },
      { host: 'security', pattern: `${NOT_PERSONAL}security\\..*/${PORTS_PATH}`, architectures: PORTS },
      { host: 'main', pattern: `${NOT_PERSONAL}.*/${PORTS_PATH}`, architectures: PORTS },
    ],
  },
  origin: 'Ubuntu',
  boot: {
    kernels: {
      x86_64: 'linux-image-virtual',
      aarch64: 'linux-image-virtual',
      ppc64le: 'linux-image-generic',
      s390x: 'linux-image-generic',
    },
    busybox: 'busybox-static',
  },
};
