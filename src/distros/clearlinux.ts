import type { ProfileData } from './profile.ts';
import { TRIMMED } from './trim.ts';

/**
 * Clear Linux, which its maker ended on 2025-07-18. Its packages were never signed, and there is no public mirror any more:
 * the user names one, and says that unsigned packages are accepted, or pins the state of the repository.
 */
export const clearlinux: ProfileData = {
  name: 'clearlinux',
  title: 'Clear Linux',
  ended: '2025-07-18',
  aliases: ['clear'],
  family: 'rpm',
  releases: [{ name: 'latest' }],
  releasePattern: '[0-9]{4,6}',
  architectures: { x86_64: 'x86_64' },
  repositories: [
    {
      name: 'clear',
      urls: [],
      suite: 'releases/{current}/clear/{arch}/os',
      current: 'latest',
      releases: ['latest'],
    },
    { name: 'clear', urls: [], suite: 'releases/{release}/clear/{arch}/os' },
  ],
  keyring: [],
  verified: 'nothing: its packages are unsigned; `repomdSha256` pins the state of a repository',
  packages: {
    always: ['bash', 'coreutils-bin', 'iptables-bin', 'kmod-bin', 'libudev0-shim', 'util-linux-bin'],
    systemd: ['systemd', 'chrony'],
    seccomp: ['libseccomp-lib'],
  },
  init: ['systemd', 'agent'],
  chrony: { config: 'etc/chrony.conf', unit: 'chronyd.service' },
  trim: [...TRIMMED],
};
