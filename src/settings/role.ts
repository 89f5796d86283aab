import type { SettingKey } from './table.ts';

/**
 * What a lock keeps of a setting.
 *
 * - `identity`: the distribution, the release, the architecture, the epoch: fields of the lock itself.
 * - `guest`: decides on the bytes of the guest; its value is in the lock, and a frozen build needs the same.
 * - `output`: the same for one kind of output.
 * - `packages`: decides which packages are chosen; a lock names them, so it has no further effect.
 * - `place`: says where packages come from; in the lock for the next update, and free to change.
 * - `input`: names files or folders; their names and digests are in the lock.
 * - `run`: how the program works; never in a lock.
 */
export type Role = 'identity' | 'guest' | 'output' | 'packages' | 'place' | 'input' | 'run';

/** The role of every setting. A new one must say here what a lock keeps of it. */
export const ROLES = {
  distro: 'identity',
  osVersion: 'identity',
  arch: 'identity',
  profile: 'input',
  packages: 'packages',
  extraPkgs: 'packages',
  recommends: 'packages',
  repoUrl: 'place',
  repoComponents: 'place',
  repoSuites: 'place',
  repo: 'place',
  keyring: 'input',
  allowUnauthenticated: 'place',
  repomdSha256: 'place',
  module: 'packages',
  pin: 'packages',
  snapshot: 'place',
  buildMethod: 'guest',
  sysroot: 'input',
  dracutKversion: 'guest',
  dracutConfDir: 'input',
  dracutOptions: 'guest',
  dracutModule: 'input',
  modulesLoad: 'guest',
  agent: 'input',
  agentInit: 'guest',
  agentPolicy: 'guest',
  agentPolicyFile: 'input',
  kernelModulesDir: 'input',
  kernelPackage: 'guest',
  kernelFormat: 'output',
  drivers: 'guest',
  guestHooksTarball: 'input',
  cocoGuestComponentsTarball: 'input',
  pauseImageTarball: 'input',
  confidentialGuest: 'guest',
  seccomp: 'guest',
  selinux: 'guest',
  rootfsOnly: 'guest',
  skipRootfsCheck: 'run',
  overlay: 'input',
  keep: 'input',
  remove: 'guest',
  trim: 'guest',
  preseed: 'input',
  keepDpkgDb: 'guest',
  keepApkDb: 'guest',
  keepRpmDb: 'guest',
  compress: 'output',
  compressLevel: 'output',
  fsType: 'output',
  blockSize: 'output',
  rootFreeSpace: 'output',
  imageSizeAlignmentMb: 'output',
  skipDaxHeader: 'output',
  partitionTable: 'output',
  fsUuid: 'output',
  fsLabel: 'output',
  fsFeatures: 'output',
  fsOptions: 'output',
  kernelCompat: 'output',
  sectorSize: 'output',
  measuredRootfs: 'output',
  veritySalt: 'output',
  // nothing of a secret is in a lock; only its owner can build such an image again
  verityKey: 'run',
  verityCert: 'input',
  buildVariant: 'output',
  osbuilderVersion: 'guest',
  sbom: 'run',
  sbomFormat: 'run',
  sbomFiles: 'run',
  provenance: 'run',
  signKey: 'run',
  referenceValues: 'run',
  referenceValuesFormat: 'run',
  cmdline: 'run',
  push: 'run',
  registryPlainHttp: 'run',
  caCert: 'run',
  remoteCache: 'run',
  remoteCacheWrite: 'run',
  sourceRoot: 'guest',
  sourceOwner: 'guest',
  force: 'run',
  sourceDateEpoch: 'identity',
  lock: 'run',
  frozen: 'run',
  cacheDir: 'run',
  maxPackageSize: 'run',
  maxUnpackedSize: 'run',
  cacheSize: 'run',
  verifyCache: 'run',
  offline: 'run',
  mirrorTimeout: 'run',
  jobs: 'run',
  strict: 'run',
  json: 'run',
  quiet: 'run',
  verbose: 'run',
} as const satisfies { readonly [K in SettingKey]: Role };

/** The role of a setting. */
export function roleOf(key: SettingKey): Role {
  return ROLES[key];
}
