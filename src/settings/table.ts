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
 * the shell-based osbuilder where it has the setting.
 */
export const SETTINGS = {
  distro: setting(DISTRIBUTION, text('NAME'), 'DISTRO', 'distribution of the guest', 'ubuntu'),
  osVersion: setting(
    DISTRIBUTION,
    text('VERSION'),
    'OS_VERSION',
    'release or suite (default: the newest long-term one)',
  ),
  arch: setting(
    DISTRIBUTION,
    text('ARCH'),
    'ARCH',
    'architecture of the guest, as `uname -m` says it or in the distribution’s words (default: this machine’s)',
  ),
  profile: setting(
    DISTRIBUTION,
    text('FILE'),
    'OSBUILDER_PROFILE',
    'a distribution of your own: a YAML file like those `osbuilder distros --show NAME` prints',
  ),
  packages: setting(DISTRIBUTION, words('"A B"'), 'PACKAGES', 'instead of the profile’s own list; the base set stays'),
  extraPkgs: setting(
    DISTRIBUTION,
    words('"A B"'),
    'EXTRA_PKGS',
    'more packages: `name`, `name=version`, `name/suite`, `name-` to keep one out, `./name.deb` for a file',
  ),
  recommends: setting(DISTRIBUTION, yesNo, 'OSBUILDER_RECOMMENDS', 'also install what packages recommend', false),
  repoUrl: setting(
    REPOSITORY,
    texts('URL'),
    'REPO_URL',
    'the archive: http, https, file: or a folder; several are tried in order',
  ),
  repoComponents: setting(REPOSITORY, words('"main …"'), 'REPO_COMPONENTS', 'components of the archive'),
  repoSuites: setting(
    REPOSITORY,
    words('"S …"'),
    'REPO_SUITES',
    'suites of the archive (default: the release, its updates and security updates; with --repo-url: the release alone)',
  ),
  repo: setting(
    REPOSITORY,
    texts('REPO'),
    'EXTRA_REPOS',
    'a further repository: `[options] URL SUITE COMPONENT…` (apk: `[options] [@TAG] URL`), or a folder of packages; repeatable',
  ),
  keyring: setting(
    REPOSITORY,
    texts('FILE'),
    'KEYRING',
    'trust these OpenPGP (apk: RSA) keys instead of the built-in ones; repeatable',
  ),
  allowUnauthenticated: setting(
    REPOSITORY,
    yesNo,
    'ALLOW_UNAUTHENTICATED',
    'take repositories that nobody signed, or whose signature fails',
    false,
  ),
  pin: setting(
    REPOSITORY,
    texts('PIN'),
    'OSBUILDER_PIN',
    'apt preferences: `Package: x; Pin: release a=…; Pin-Priority: N`, or a file of them; repeatable',
  ),
  snapshot: setting(
    REPOSITORY,
    text('TIME'),
    'SNAPSHOT',
    'the archive as it was at that time (20260301T000000Z or an ISO date)',
  ),
  buildMethod: setting(
    DISTRIBUTION,
    choice('distro', 'dracut'),
    'BUILD_METHOD',
    'make the rootfs from packages, or from files of an existing system',
    'distro' as const,
  ),
  agent: setting(
    AGENT,
    text('WHAT'),
    ['AGENT_SOURCE_BIN', 'AGENT_TARBALL'],
    'the kata-agent: a binary, a tarball, an existing Kata image or initrd to take it from, or `demo` (prints KATA-AGENT-READY)',
  ),
  agentInit: setting(AGENT, yesNo, 'AGENT_INIT', 'the agent is process 1 instead of systemd', false),
  agentPolicy: setting(
    AGENT,
    yesNo,
    'AGENT_POLICY',
    'install a policy for the agent (allow-all unless a file is given)',
    false,
  ),
  agentPolicyFile: setting(AGENT, text('FILE'), 'AGENT_POLICY_FILE', 'the policy (implies --agent-policy)'),
  kernelModulesDir: setting(
    GUEST,
    text('DIR'),
    'KERNEL_MODULES_DIR',
    'a folder of kernel modules, copied to /lib/modules',
  ),
  guestHooksTarball: setting(GUEST, text('FILE'), 'GUEST_HOOKS_TARBALL', 'OCI hooks, laid over the rootfs'),
  cocoGuestComponentsTarball: setting(
    GUEST,
    text('FILE'),
    'COCO_GUEST_COMPONENTS_TARBALL',
    'guest components of Confidential Containers, laid over the rootfs',
  ),
  pauseImageTarball: setting(GUEST, text('FILE'), 'PAUSE_IMAGE_TARBALL', 'the pause image, laid over the rootfs'),
  confidentialGuest: setting(GUEST, yesNo, 'CONFIDENTIAL_GUEST', 'prepare the guest for confidential computing', false),
  seccomp: setting(GUEST, yesNo, 'SECCOMP', 'add what the agent needs for seccomp', true),
  selinux: setting(GUEST, yesNo, 'SELINUX', 'label every file as the policy in the rootfs says', false),
  rootfsOnly: setting(
    GUEST,
    yesNo,
    'ROOTFS_ONLY',
    'the distribution’s rootfs with extra packages and overlays, none of Kata’s parts',
    false,
  ),
  skipRootfsCheck: setting(GUEST, yesNo, 'SKIP_ROOTFS_CHECK', 'do not check that init and agent are there', false),
  overlay: setting(
    GUEST,
    texts('DIR|TAR'),
    'OVERLAY',
    'laid over the rootfs last; owned by root unless the tar says otherwise; repeatable',
  ),
  remove: setting(GUEST, texts('GLOB'), 'OSBUILDER_REMOVE', 'cut these paths from the rootfs; repeatable'),
  trim: setting(GUEST, yesNo, 'OSBUILDER_TRIM', 'cut documentation, locales and the like (--no-trim keeps them)', true),
  preseed: setting(
    GUEST,
    texts('FILE'),
    'PRESEED',
    'answers to what Debian packages ask, instead of their defaults: `OWNER QUESTION TYPE VALUE` lines; repeatable',
  ),
  keepDpkgDb: setting(
    GUEST,
    yesNo,
    'KEEP_DPKG_DB',
    'keep dpkg’s database, as dpkg would have written it (implied by --rootfs-only)',
    false,
  ),
  keepApkDb: setting(GUEST, yesNo, 'KEEP_APK_DB', 'keep apk’s database (implied by --rootfs-only)', false),
  keepRpmDb: setting(GUEST, yesNo, 'KEEP_RPM_DB', 'keep rpm’s database (implied by --rootfs-only)', false),
  compress: setting(
    INITRD,
    choice('gzip', 'none', 'zstd', 'lz4', 'xz'),
    'INITRD_COMPRESS',
    'compression of the initrd',
    'gzip' as const,
  ),
  compressLevel: setting(
    INITRD,
    whole('N', 1, 22),
    'INITRD_COMPRESS_LEVEL',
    'its level (default: a good one for each)',
  ),
  fsType: setting(IMAGE, choice('ext4', 'xfs', 'erofs'), 'FS_TYPE', 'file system of the image', 'ext4' as const),
  blockSize: setting(IMAGE, whole('BYTES', 1024, 65536), 'BLOCK_SIZE', 'block size of the file system', 4096),
  rootFreeSpace: setting(IMAGE, whole('MIB'), 'ROOT_FREE_SPACE', 'free space to leave in the file system, in MiB', 0),
  imageSizeAlignmentMb: setting(
    IMAGE,
    whole('MIB', 1, 65536),
    'IMAGE_SIZE_ALIGNMENT_MB',
    'the image’s size is a multiple of this, in MiB',
    128,
  ),
  skipDaxHeader: setting(
    IMAGE,
    yesNo,
    'SKIP_DAX_HEADER',
    'a plain disk, without the header for NVDIMM devices (default: no; with --partition-table gpt: yes)',
  ),
  partitionTable: setting(
    IMAGE,
    choice('mbr', 'gpt'),
    'PARTITION_TABLE',
    'kind of partition table; gpt makes a plain disk',
    'mbr' as const,
  ),
  fsUuid: setting(IMAGE, text('UUID'), 'FS_UUID', 'UUID of the file system (default: derived from the content)'),
  fsLabel: setting(IMAGE, text('LABEL'), 'FS_LABEL', 'label of the file system', ''),
  fsFeatures: setting(
    IMAGE,
    words('"F ^G"'),
    'FS_FEATURES',
    'file-system features to switch on, or off with ^, as mkfs.ext4 -O names them',
  ),
  measuredRootfs: setting(IMAGE, yesNo, 'MEASURED_ROOTFS', 'add a dm-verity hash tree as second partition', false),
  buildVariant: setting(IMAGE, text('NAME'), 'BUILD_VARIANT', 'name of the variant, in root_hash_NAME.txt'),
  sourceRoot: setting(
    BUILD,
    text('DIR'),
    'OSBUILDER_SOURCE_ROOT',
    'the directory of an existing rootfs, archive or image that is the root of the guest',
  ),
  sourceOwner: setting(
    BUILD,
    choice('keep', 'root'),
    'OSBUILDER_SOURCE_OWNER',
    'owner of the files of an existing rootfs: as they are, or root for all of them',
    'keep' as const,
  ),
  force: setting(
    BUILD,
    yesNo,
    'OSBUILDER_FORCE',
    'replace an output folder that has files of other origin; they are deleted',
    false,
  ),
  sourceDateEpoch: setting(
    BUILD,
    whole('SECONDS'),
    'SOURCE_DATE_EPOCH',
    'no time stamp is later than this (default: the newest date of the repository’s signed metadata)',
  ),
  lock: setting(BUILD, text('FILE'), 'OSBUILDER_LOCK', 'build what this lock file says'),
  frozen: setting(BUILD, yesNo, 'OSBUILDER_FROZEN', 'refuse anything the lock does not name', false),
  cacheDir: setting(
    BUILD,
    text('DIR'),
    'OSBUILDER_CACHE_DIR',
    'where downloads and unpacked packages are kept (default: the user’s cache folder)',
  ),
  offline: setting(BUILD, yesNo, 'OSBUILDER_OFFLINE', 'use the cache alone', false),
  mirrorTimeout: setting(
    BUILD,
    whole('SECONDS', 1, 3600),
    'OSBUILDER_MIRROR_TIMEOUT',
    'a mirror from which nothing comes for so long is asked again, a few times, and then given up',
    60,
  ),
  jobs: setting(
    BUILD,
    whole('N', 1, 1024),
    'OSBUILDER_JOBS',
    'threads (default: as many as processors); outputs never depend on it',
  ),
  strict: setting(BUILD, yesNo, 'OSBUILDER_STRICT', 'warnings are refusals', false),
  json: setting(BUILD, yesNo, 'OSBUILDER_JSON', 'one JSON document on stdout', false),
  quiet: setting(BUILD, yesNo, 'OSBUILDER_QUIET', 'only results and refusals', false),
  verbose: setting(BUILD, yesNo, 'OSBUILDER_VERBOSE', 'every file fetched, every decision', false),
} satisfies Record<string, Setting<never> | Setting<unknown>>;

/** Name of a setting in the program. */
export type SettingKey = keyof typeof SETTINGS;
type ValueOf<R> = R extends Setting<infer T> ? T : never;

/** Values of all settings; undefined where nobody said anything and the build decides. */
export type Settings = { readonly [K in SettingKey]: ValueOf<(typeof SETTINGS)[K]> | undefined };

/** All keys, in the table's order. */
export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** The flag (and config key) of a setting: `osVersion` is `os-version`. */
export function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The row of a setting, its type forgotten. */
export function rowOf(key: SettingKey): Setting<unknown> {
  return SETTINGS[key] as Setting<unknown>;
}
