import type { ProfileData } from './profile.ts';
import { TRIMMED } from './trim.ts';

const metalink = (repo: string) => `https://mirrors.fedoraproject.org/metalink?repo=${repo}&arch={arch}`;
const urls = ['https://dl.fedoraproject.org/pub/fedora/linux'];

/** Fedora: https://fedoraproject.org/ */
export const fedora: ProfileData = {
  name: 'fedora',
  title: 'Fedora',
  family: 'rpm',
  releases: [{ name: '44', lts: false }, { name: '43' }, { name: '42' }, { name: '41' }],
  architectures: { x86_64: 'x86_64', aarch64: 'aarch64', ppc64le: 'ppc64le', s390x: 's390x' },
  repositories: [
    {
      name: 'fedora',
      urls,
      suite: 'releases/{release}/Everything/{arch}/os',
      metalink: metalink('fedora-{release}'),
    },
    {
      name: 'updates',
      urls,
      suite: 'updates/{release}/Everything/{arch}',
      metalink: metalink('updates-released-f{release}'),
    },
  ],
  keyring: ['fedora'],
  verified: 'digest of repomd.xml in a metalink that comes over TLS, then the signature of every package',
  packages: {
    always: ['bash', 'chrony', 'iptables-nft', 'coreutils'],
    systemd: ['systemd'],
    seccomp: ['libseccomp'],
    selinux: ['selinux-policy-targeted'],
  },
  init: ['systemd', 'agent'],
  chrony: { config: 'etc/chrony.conf', unit: 'chronyd.service' },
  trim: [...TRIMMED, 'usr/lib/udev/hwdb.d', 'usr/share/info'],
};
