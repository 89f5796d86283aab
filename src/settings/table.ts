import {
  everywhere,
  whereCached,
  whereChecked,
  whereChosen,
  whereCompressed,
  whereDiscovered,
  whereExisting,
  whereFetched,
  whereFollowed,
  whereGuest,
  whereImage,
  whereInitrd,
  whereInstalled,
  whereMachine,
  whereMade,
  whereMeasured,
  whereMeasuredForKata,
  whereNamed,
  whereProfileChooses,
  whereProvisioned,
  whereRead,
  whereShared,
  whereWritten,
} from './scope.ts';
import { choice, type Setting, setting, text, texts, whole, words, yesNo } from './setting.ts';

const DISTRIBUTION = 'Distribution and packages';
const REPOSITORY = 'Where packages come from';
const AGENT = 'The agent';
const GUEST = 'The guest';
const INITRD = 'Initrd';
const IMAGE = 'Disk image';
const BUILD = 'The build itself';

/**
 * Every setting: flags, environment names, help, the config file's schema and the reference page derive from this
 * table. A key `osVersion` is the flag `--os-version` and the config key `os-version`. Environment names are those of
 * the shell-based osbuilder if it has the setting.
 */
export const SETTINGS = {
  distro: setting(DISTRIBUTION, whereNamed, text('NAME'), 'DISTRO', 'distribution of the guest', 'ubuntu'),
  osVersion: setting(
    DISTRIBUTION,
    whereRead,
    text('VERSION'),
    'OS_VERSION',
    'release or suite (default: the newest long-term one)',
  ),
  arch: setting(
    DISTRIBUTION,
    whereMachine,
    text('ARCH'),
    'ARCH',
    'architecture of the guest, as `uname -m` says it or in the distribution’s words (default: this machine’s)',
  ),
  profile: setting(
    DISTRIBUTION,
    whereRead,
    text('FILE'),
    'OSBUILDER_PROFILE',
    'a distribution of your own: a YAML file like those `osbuilder distros --show NAME` prints',
  ),
  packages: setting(
    DISTRIBUTION,
    whereChosen,
    words('"A B"'),
    'PACKAGES',
    'instead of the profile’s own list; the base set stays',
  ),
  extraPkgs: setting(
    DISTRIBUTION,
    whereChosen,
    words('"A B"'),
    'EXTRA_PKGS',
    'more packages: `name`, `name=version`, `name/suite`, `name-` to keep one out, `./name.deb` for a file',
  ),
  recommends: setting(
    DISTRIBUTION,
    whereChosen,
    yesNo,
    'OSBUILDER_RECOMMENDS',
    'also install what packages recommend',
    false,
  ),
  repoUrl: setting(
    REPOSITORY,
    whereRead,
    texts('URL'),
    'REPO_URL',
    'the archive: http, https, file: or a folder; several are tried in order',
  ),
  repoComponents: setting(REPOSITORY, whereRead, words('"main …"'), 'REPO_COMPONENTS', 'components of the archive'),
  repoSuites: setting(
    REPOSITORY,
    whereRead,
    words('"S …"'),
    'REPO_SUITES',
    'suites of the archive (default: the release, its updates and security updates; with --repo-url: the release alone)',
  ),
  repo: setting(
    REPOSITORY,
    whereRead,
    texts('REPO'),
    'EXTRA_REPOS',
    'a further repository: `[options] URL SUITE COMPONENT…` (apk: `[options] [@TAG] URL`; rpm: `[options] URL` or FILE.repo), or a folder of packages; repeatable',
  ),
  keyring: setting(
    REPOSITORY,
    whereRead,
    texts('FILE'),
    'KEYRING',
    'trust these OpenPGP (apk: RSA) keys instead of the built-in ones; repeatable',
  ),
  allowUnauthenticated: setting(
    REPOSITORY,
    whereRead,
    yesNo,
    'ALLOW_UNAUTHENTICATED',
    'take repositories that nobody signed, or whose signature fails',
    false,
  ),
  repomdSha256: setting(
    REPOSITORY,
    whereRead,
    texts('SHA256'),
    'OSBUILDER_REPOMD_SHA256',
    'rpm: the SHA-256 that repomd.xml must have where it is not signed; repeatable, one for each repository',
  ),
  pin: setting(
    REPOSITORY,
    whereRead,
    texts('PIN'),
    'OSBUILDER_PIN',
    'apt preferences: `Package: x; Pin: release a=…; Pin-Priority: N`, or a file of them; repeatable',
  ),
  snapshot: setting(
    REPOSITORY,
    whereRead,
    text('TIME'),
    'SNAPSHOT',
    'the archive as it was at that time (20260301T000000Z or an ISO date)',
  ),
  buildMethod: setting(
    DISTRIBUTION,
    whereGuest,
    choice('distro', 'dracut'),
    'BUILD_METHOD',
    'make the rootfs from packages, or from files of an existing system',
    'distro' as const,
  ),
  agent: setting(
    AGENT,
    whereProvisioned,
    text('WHAT'),
    ['AGENT_SOURCE_BIN', 'AGENT_TARBALL'],
    'the kata-agent: a binary, a tarball, an existing Kata image or initrd to take it from, or `demo` (prints KATA-AGENT-READY)',
  ),
  agentInit: setting(AGENT, whereGuest, yesNo, 'AGENT_INIT', 'the agent is process 1 instead of systemd', false),
  agentPolicy: setting(
    AGENT,
    whereProvisioned,
    yesNo,
    'AGENT_POLICY',
    'install a policy for the agent (allow-all unless a file is given)',
    false,
  ),
  agentPolicyFile: setting(
    AGENT,
    whereProvisioned,
    text('FILE'),
    'AGENT_POLICY_FILE',
    'the policy (implies --agent-policy)',
  ),
  kernelModulesDir: setting(
    GUEST,
    whereProvisioned,
    text('DIR'),
    'KERNEL_MODULES_DIR',
    'a folder of kernel modules, copied to /lib/modules',
  ),
  guestHooksTarball: setting(
    GUEST,
    whereProvisioned,
    text('FILE'),
    'GUEST_HOOKS_TARBALL',
    'OCI hooks, laid over the rootfs',
  ),
  cocoGuestComponentsTarball: setting(
    GUEST,
    whereProvisioned,
    text('FILE'),
    'COCO_GUEST_COMPONENTS_TARBALL',
    'guest components of Confidential Containers, laid over the rootfs',
  ),
  pauseImageTarball: setting(
    GUEST,
    whereProvisioned,
    text('FILE'),
    'PAUSE_IMAGE_TARBALL',
    'the pause image, laid over the rootfs',
  ),
  confidentialGuest: setting(
    GUEST,
    whereProvisioned,
    yesNo,
    'CONFIDENTIAL_GUEST',
    'prepare the guest for confidential computing',
    false,
  ),
  seccomp: setting(GUEST, whereProfileChooses, yesNo, 'SECCOMP', 'add what the agent needs for seccomp', true),
  selinux: setting(GUEST, whereMade, yesNo, 'SELINUX', 'label every file as the policy in the rootfs says', false),
  rootfsOnly: setting(
    GUEST,
    whereGuest,
    yesNo,
    'ROOTFS_ONLY',
    'the distribution’s rootfs with extra packages and overlays, none of Kata’s parts',
    false,
  ),
  skipRootfsCheck: setting(
    GUEST,
    whereChecked,
    yesNo,
    'SKIP_ROOTFS_CHECK',
    'do not check that init and agent are there',
    false,
  ),
  overlay: setting(
    GUEST,
    whereMade,
    texts('DIR|TAR'),
    'OVERLAY',
    'laid over the rootfs last; owned by root unless the tar says otherwise; repeatable',
  ),
  remove: setting(GUEST, whereMade, texts('GLOB'), 'OSBUILDER_REMOVE', 'cut these paths from the rootfs; repeatable'),
  trim: setting(
    GUEST,
    whereInstalled,
    yesNo,
    'OSBUILDER_TRIM',
    'cut documentation, locales and the like (--no-trim keeps them)',
    true,
  ),
  preseed: setting(
    GUEST,
    whereFollowed,
    texts('FILE'),
    'PRESEED',
    'answers to what Debian packages ask, instead of their defaults: `OWNER QUESTION TYPE VALUE` lines; repeatable',
  ),
  keepDpkgDb: setting(
    GUEST,
    whereInstalled,
    yesNo,
    'KEEP_DPKG_DB',
    'keep dpkg’s database, as dpkg would have written it (implied by --rootfs-only)',
    false,
  ),
  keepApkDb: setting(
    GUEST,
    whereInstalled,
    yesNo,
    'KEEP_APK_DB',
    'keep apk’s database (implied by --rootfs-only)',
    false,
  ),
  keepRpmDb: setting(
    GUEST,
    whereInstalled,
    yesNo,
    'KEEP_RPM_DB',
    'keep rpm’s database (implied by --rootfs-only)',
    false,
  ),
  compress: setting(
    INITRD,
    whereInitrd,
    choice('gzip', 'none', 'zstd', 'lz4', 'xz'),
    'INITRD_COMPRESS',
    'compression of the initrd',
    'gzip' as const,
  ),
  compressLevel: setting(
    INITRD,
    whereCompressed,
    whole('N', 1, 22),
    'INITRD_COMPRESS_LEVEL',
    'its level (default: a good one for each)',
  ),
  fsType: setting(
    IMAGE,
    whereImage,
    choice('ext4', 'xfs', 'erofs'),
    'FS_TYPE',
    'file system of the image',
    'ext4' as const,
  ),
  blockSize: setting(
    IMAGE,
    whereImage,
    whole('BYTES', 1024, 65536),
    'BLOCK_SIZE',
    'block size of the file system',
    4096,
  ),
  rootFreeSpace: setting(
    IMAGE,
    whereImage,
    whole('MIB'),
    'ROOT_FREE_SPACE',
    'free space to leave in the file system, in MiB',
    0,
  ),
  imageSizeAlignmentMb: setting(
    IMAGE,
    whereImage,
    whole('MIB', 1, 65536),
    'IMAGE_SIZE_ALIGNMENT_MB',
    'the image’s size is a multiple of this, in MiB (default: 128; 1 for erofs)',
  ),
  skipDaxHeader: setting(
    IMAGE,
    whereImage,
    yesNo,
    'SKIP_DAX_HEADER',
    'a plain disk, without the header for NVDIMM devices (default: no; with --partition-table gpt: yes)',
  ),
  partitionTable: setting(
    IMAGE,
    whereImage,
    choice('mbr', 'gpt'),
    'PARTITION_TABLE',
    'kind of partition table; gpt makes a plain disk',
    'mbr' as const,
  ),
  fsUuid: setting(
    IMAGE,
    whereImage,
    text('UUID'),
    'FS_UUID',
    'UUID of the file system (default: derived from the content)',
  ),
  fsLabel: setting(IMAGE, whereImage, text('LABEL'), 'FS_LABEL', 'label of the file system', ''),
  fsFeatures: setting(
    IMAGE,
    whereImage,
    words('"F ^G"'),
    'FS_FEATURES',
    'file-system features to switch on, or off with ^, as mkfs.ext4 -O names them',
  ),
  fsOptions: setting(
    IMAGE,
    whereImage,
    words('"-zlz4hc …"'),
    'FS_OPTIONS',
    'options of the file system as its mkfs spells them (default for erofs: -zlz4hc -Enoinline_data)',
  ),
  sectorSize: setting(
    IMAGE,
    whereImage,
    whole('BYTES', 512, 4096),
    'SECTOR_SIZE',
    'logical sectors of the disk that the image is for, in bytes; 4096 with --partition-table gpt only',
    512,
  ),
  measuredRootfs: setting(
    IMAGE,
    whereImage,
    yesNo,
    'MEASURED_ROOTFS',
    'add a dm-verity hash tree as second partition; with --partition-table gpt in the layout that systemd discovers',
    false,
  ),
  buildVariant: setting(
    IMAGE,
    whereMeasuredForKata,
    text('NAME'),
    'BUILD_VARIANT',
    'name of the variant, in root_hash_NAME.txt',
  ),
  veritySalt: setting(
    IMAGE,
    whereMeasured,
    text('HEX'),
    'VERITY_SALT',
    'salt of the hash tree (default: derived from the content)',
  ),
  verityKey: setting(
    IMAGE,
    whereDiscovered,
    text('FILE'),
    'VERITY_KEY',
    'sign the root hash with this private key (PEM), in a partition of its own as systemd reads it',
  ),
  verityCert: setting(
    IMAGE,
    whereDiscovered,
    text('FILE'),
    'VERITY_CERT',
    'certificate of --verity-key, in PEM or DER',
  ),
  sourceRoot: setting(
    BUILD,
    whereExisting,
    text('DIR'),
    'OSBUILDER_SOURCE_ROOT',
    'the directory of an existing rootfs, archive or image that is the root of the guest',
  ),
  sourceOwner: setting(
    BUILD,
    whereExisting,
    choice('keep', 'root'),
    'OSBUILDER_SOURCE_OWNER',
    'owner of the files of an existing rootfs: as they are, or root for all of them',
    'keep' as const,
  ),
  force: setting(
    BUILD,
    whereWritten,
    yesNo,
    'OSBUILDER_FORCE',
    'replace an output folder that has files of other origin; they are deleted',
    false,
  ),
  sourceDateEpoch: setting(
    BUILD,
    whereGuest,
    whole('SECONDS'),
    'SOURCE_DATE_EPOCH',
    'no time stamp is later than this (default: the newest date of the repository’s signed metadata)',
  ),
  lock: setting(BUILD, whereGuest, text('FILE'), 'OSBUILDER_LOCK', 'build what this lock file says'),
  frozen: setting(BUILD, whereGuest, yesNo, 'OSBUILDER_FROZEN', 'reject what the lock does not name', false),
  cacheDir: setting(
    BUILD,
    whereCached,
    text('DIR'),
    'OSBUILDER_CACHE_DIR',
    'where downloads and unpacked packages are kept (default: the user’s cache folder)',
  ),
  maxPackageSize: setting(
    BUILD,
    whereFetched,
    whole('MIB', 1),
    'OSBUILDER_MAX_PACKAGE_SIZE',
    'the most that one package may have when it is unpacked, in MiB',
    8192,
  ),
  maxUnpackedSize: setting(
    BUILD,
    whereFetched,
    whole('MIB', 1),
    'OSBUILDER_MAX_UNPACKED_SIZE',
    'the most that all packages together may have when they are unpacked, in MiB',
    65536,
  ),
  verifyCache: setting(
    BUILD,
    whereCached,
    yesNo,
    'OSBUILDER_VERIFY_CACHE',
    'check the digest of everything taken from the cache, and accept a cache folder that others may write to',
    false,
  ),
  offline: setting(BUILD, whereFetched, yesNo, 'OSBUILDER_OFFLINE', 'use the cache alone', false),
  mirrorTimeout: setting(
    BUILD,
    whereFetched,
    whole('SECONDS', 1, 3600),
    'OSBUILDER_MIRROR_TIMEOUT',
    'a mirror from which nothing comes for so long is asked again, a few times, and then given up',
    60,
  ),
  jobs: setting(
    BUILD,
    whereShared,
    whole('N', 1, 1024),
    'OSBUILDER_JOBS',
    'threads (default: as many as processors); outputs never depend on it',
  ),
  strict: setting(BUILD, everywhere, yesNo, 'OSBUILDER_STRICT', 'treat warnings as errors', false),
  json: setting(BUILD, everywhere, yesNo, 'OSBUILDER_JSON', 'one JSON document on stdout', false),
  quiet: setting(BUILD, everywhere, yesNo, 'OSBUILDER_QUIET', 'print only results and errors', false),
  verbose: setting(BUILD, everywhere, yesNo, 'OSBUILDER_VERBOSE', 'every file fetched, every decision', false),
} satisfies Record<string, Setting<never> | Setting<unknown>>;

/** Name of a setting in the program. */
export type SettingKey = keyof typeof SETTINGS;
type ValueOf<R> = R extends Setting<infer T> ? T : never;

/** Values of all settings; undefined if not given and the build decides. */
export type Settings = { readonly [K in SettingKey]: ValueOf<(typeof SETTINGS)[K]> | undefined };

/** All keys, in the table's order. */
export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** The flag (and config key) of a setting: `osVersion` is `os-version`. */
export function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** True for the key of a setting. */
export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key);
}

/** The row of a setting, without its specific type. */
export function rowOf(key: SettingKey): Setting<unknown> {
  return SETTINGS[key];
}
