/**
 * Every warning: its stable code and a function from its context to the message. A warning does not stop a
 * build unless `--strict` is given.
 */
export const WARNINGS = {
  REMOTE_CACHE_UNUSED: (c: { cache: string; reason: string }) =>
    `the remote cache ${c.cache} cannot be used, which only costs time: ${c.reason}`,
  ACL_LEFT_OUT: (c: { source: string; path: string; what: string; reason: string; more?: number }) =>
    `${c.source}: ${c.path}${andMore(c.more)}: the access control list ${c.what} is left out: ${c.reason}`,
  ACL_NAME_UNKNOWN: (c: { source: string; path: string; who: string; more?: number }) =>
    `${c.source}: ${c.path}${andMore(c.more)}: the access control list names ${c.who} without a number, so that entry is left out`,
  ALTERNATIVE_BLOCKED: (c: { name: string; link: string }) =>
    `alternative ${c.name}: ${c.link} is not a link, so it is left as it is`,
  APK_RELATION: (c: { text: string }) => c.text,
  ALTERNATIVE_MISSING: (c: { name: string; path: string }) =>
    `alternative ${c.name}: ${c.path} is not in the rootfs, so it is not offered`,
  ARCHIVE_PADDED: (c: { path: string; offset: number; size: number }) =>
    `${c.path}: ${c.size} zero bytes at byte ${c.offset}, between two entries; the kernel skips them, other programs stop there`,
  ARCHIVE_UNTERMINATED: (c: { path: string; offset: number }) =>
    `${c.path}: ends at byte ${c.offset} without a trailer; the kernel accepts that, but entries may be missing`,
  ATTRIBUTE_LEFT_OUT: (c: { source: string; path: string; name: string; reason: string; more?: number }) =>
    `${c.source}: ${c.path}${andMore(c.more)}: the extended attribute ${c.name} is left out: ${c.reason}`,
  BOOT_EXTENSION_UNMOUNTED: (c: { path: string }) =>
    `${c.path} has no kata-extension-mount@.service, so nothing in it mounts extension images`,
  BOOT_UNMEASURED: (c: { path: string }) =>
    `${c.path} is measured, but it is started without dm-verity: its hash tree is not used, so nothing it reads is checked`,
  BILL_WITHOUT_PACKAGES: (c: { path: string }) =>
    `${c.path} has no package database, so the bill of materials lists no packages, only files: have it written when the guest is built from packages, or keep their database in it`,
  CERTIFICATE_MISSING: (c: { path: string }) => `certificate ${c.path} is listed but not in the rootfs`,
  CERTIFICATE_SKIPPED: (c: { path: string; reason: string }) => `${c.path} ${c.reason}`,
  DIRECTORY_KEPT: (c: { path: string; target: string }) =>
    `${c.path} is not empty, so it does not become a link to ${c.target}`,
  DRACUT_CONF_SPACES: (c: { path: string; line: number; text: string }) =>
    `${c.path}:${c.line}: a value that is added with += should begin and end with a blank, or words are joined: ${c.text}`,
  DRACUT_MODULE_EMPTY: (c: { name: string; reason: string }) => `the dracut module "${c.name}": ${c.reason}`,
  DRACUT_OPTION_UNKNOWN: (c: { path: string; line: number; name: string; suggestion: string }) =>
    `${c.path}:${c.line}: ${c.name} is no option of dracut, so it has no effect${c.suggestion}`,
  DRACUT_OPTION_UNUSED: (c: { where: string; name: string; reason: string }) =>
    `${c.where}: ${c.name} has no effect: ${c.reason}`,
  SYSROOT_LEFT_OUT: (c: { path: string; reason: string }) => `${c.path} is left out: ${c.reason}`,
  DRIVER_BUILTIN: (c: { name: string; release: string }) =>
    `the driver ${c.name} is a part of the kernel ${c.release}, so there is no module to take`,
  FILE_ALIASED: (c: { path: string; other: string }) =>
    `${c.path} replaces the same file under another name, of package ${c.other}`,
  FILE_MISSING: (c: { kind: string; path: string }) => `${c.kind} file ${c.path} is not in the rootfs`,
  HOOK_SKIPPED: (c: { path: string }) => `${c.path} is not run: it would need the guest's own programs`,
  IDS_EXHAUSTED: (c: { what: string; name: string }) => `${c.what} ${c.name} is not created: no system id is free`,
  KEEP_INCOMPLETE: (c: { name: string; by: string }) => `${c.by} needs ${c.name}, which the guest does not have`,
  KERNEL_UNUSED: (c: { package: string }) =>
    `the kernel package ${c.package} has no modules, and no file is named for its kernel: nothing of it is used`,
  KMOD_CONFIG: (c: { path: string; line: number; reason: string; text: string }) =>
    `${c.path}, line ${c.line}: ${c.reason}; the line is ignored: ${c.text}`,
  LEFT_TO_FIRST_BOOT: (c: { reason: string }) => c.reason,
  LOADER_CACHE: (c: { architecture: string }) =>
    `/etc/ld.so.cache is not made: ${c.architecture} libraries are not known here`,
  LOADER_HWCAPS: (c: { folder: string }) =>
    `${c.folder}/glibc-hwcaps is left out of /etc/ld.so.cache: the loader finds it by itself`,
  LOCK_VERSION: (c: { locked: string; version: string }) =>
    `the lock was made by version ${c.locked}, and this is version ${c.version}: outputs may differ`,
  DISTRIBUTION_ENDED: (c: { name: string; date: string }) =>
    `${c.name} ended on ${c.date}: nobody repairs its packages, faults of security among them`,
  MODULES_BELOW: (c: { folder: string; name: string; release: string }) =>
    `${c.folder} is a part of the folder of the kernel ${c.release}: it becomes /lib/modules/${c.name}, where no kernel looks for modules`,
  MODULES_ABOVE: (c: { folder: string; name: string; release: string }) =>
    `${c.folder} is the folder above that of a kernel (${c.release}): it becomes /lib/modules/${c.name}, where no kernel looks for modules`,
  METADATA_UNPROVEN: (c: { path: string; sha256: string }) =>
    `${c.path} is not signed: an older state of the repository could be given in its place; packages are proven by their own signatures`,
  MIRRORLIST_UNUSED: (c: { error: string }) => `${c.error}; the well-known mirrors are used instead`,
  MODULE_KEY_SKIPPED: (c: { file: string; key: string }) =>
    `${c.file}: "${c.key}" is left out: an index has only ASCII keys shorter than 4096 bytes`,
  MODULE_UNREADABLE: (c: { reason: string }) => `${c.reason}; it is indexed without aliases and dependencies`,
  MODULES_UNINDEXED: (c: { path: string }) =>
    `${c.path} has kernel modules but no modules.dep, so modprobe in the guest finds none of them`,
  NVDIMM_UNALIGNED: (c: { size: number }) =>
    `the image has a header for NVDIMM devices, but its ${c.size} bytes are not a multiple of 2 MiB, so the kernel does not map it`,
  OWNERS_IN_MANIFEST: (c: { path: string; manifest: string }) =>
    `${c.path}: an ordinary user cannot set owners of files; they are recorded in ${c.manifest}`,
  OWNER_UNKNOWN: (c: { file: string; who: string; path: string }) => `${c.file}: ${c.who} of ${c.path} is not known`,
  PAM_LOCAL: (c: { path: string }) => `${c.path} was changed by hand, so it is left as it is`,
  PARTITION_CHOSEN: (c: { path: string; name: string; partitions: number }) =>
    `${c.path} has ${c.partitions} partitions, and no type says which one holds the root: ${c.name} is read`,
  PAX_RECORD_IGNORED: (c: { source: string; path: string; keyword: string; more?: number }) =>
    `${c.source}: ${c.path}${andMore(c.more)}: the pax record ${c.keyword} is not supported and ignored`,
  RC_HEADER: (c: { name: string }) => `/etc/init.d/${c.name} has no LSB header, so it gets no run-level links`,
  RELEASE_EXPIRED: (c: { error: string }) => `${c.error} (used offline)`,
  ROOT_ENTRY_IGNORED: (c: { source: string; mode: string; owner: string }) =>
    `${c.source}: its entry for the top directory (mode ${c.mode}, owner ${c.owner}) does not change the guest's`,
  SCRIPT_FAILED: (c: { reason: string }) => c.reason,
  SCRIPT_LINE: (c: { script: string; line: number; source: string; reason: string; file?: string }) =>
    `${c.file === undefined ? `${c.script}:${c.line}` : `${c.script}: ${c.file}:${c.line}`}: ${c.reason}${c.source === '' ? '' : `: ${c.source}`}`,
  SUITE_SKIPPED: (c: { path: string; architecture: string; offered: readonly string[] }) =>
    `${c.path} has no packages for ${c.architecture} (only ${c.offered.join(', ')}), so it is left out`,
  TIME_CLAMPED: (c: { path: string; format: string; time: number; stored: number; more?: number }) =>
    `${c.path}${andMore(c.more)}: the time ${c.time} is out of range for ${c.format}; ${c.stored} is stored`,
  REMOVE_UNMATCHED: (c: { pattern: string }) => `nothing in the rootfs matches "${c.pattern}", so nothing is removed`,
  SETTING_UNUSED: (c: { names: readonly string[]; reason: string }) =>
    `${c.names.length < 3 ? c.names.join(' and ') : `${c.names.slice(0, -1).join(', ')} and ${c.names.at(-1)}`} ${c.names.length === 1 ? 'has' : 'have'} no effect: ${c.reason}`,
  TMPFILES_ACL: (c: { path: string; text: string }) =>
    `tmpfiles.d: the access list "${c.text}" of ${c.path} is not understood`,
  TMPFILES_TYPE: (c: { path: string; type: string }) => `tmpfiles.d: lines of type ${c.type} are not known (${c.path})`,
  UNAUTHENTICATED: (c: { what: string }) => `${c.what} is used without a proof of its origin`,
  UNIT_MISSING: (c: { unit: string }) => `unit ${c.unit} is not in the rootfs, so it cannot be enabled`,
  WHITEOUT_UNMATCHED: (c: { source: string; path: string; more?: number }) =>
    `${c.source}: ${c.path}${andMore(c.more)}: this whiteout of a container layer hides nothing and is left out`,
  XATTRS_LOST: (c: { shown: string }) =>
    `an initrd cannot hold extended attributes, an image can: ${c.shown} will be without`,
} as const;

/** " and 3 more" after the first of several paths. */
function andMore(more: number | undefined): string {
  return more === undefined ? '' : ` and ${more} more`;
}

/** A stable code of a warning. */
export type WarningCode = keyof typeof WARNINGS;
/** The context of a warning with that code. */
export type WarningContext<C extends WarningCode> = Parameters<(typeof WARNINGS)[C]>[0];

/** Hints for warnings that always have the same remedy. */
export const WARNING_HINTS: { readonly [C in WarningCode]?: string } = {
  ACL_NAME_UNKNOWN: 'write the archive with bsdtar, or with tar --acls --xattrs, which also record the numbers',
  ARCHIVE_UNTERMINATED: 'check that the file is complete',
  KERNEL_UNUSED: 'name a file for it with `kernel`, or another package as `kernelPackage`',
  MODULES_ABOVE: 'give the folder of one kernel, whose name is its release',
  MODULES_BELOW: 'give the whole folder of the kernel, whose name is its release; `drivers` takes a part of it',
  PARTITION_CHOSEN: 'for another one, take it out of the disk (sfdisk --dump shows where it is) and name that file',
  METADATA_UNPROVEN: 'pin this state with `repomdSha256` (the digest is in the JSON report)',
  MODULES_UNINDEXED: 'run `depmod -b ROOTFS VERSION` on the folder of modules before it is given',
  OWNERS_IN_MANIFEST: 'keep the manifest beside the directory, or write a .tar instead',
  WHITEOUT_UNMATCHED: 'a single layer of a container image is not a root file system; export the container instead',
  REMOVE_UNMATCHED: 'osbuilder inspect ROOTFS --list shows the paths of a rootfs',
  XATTRS_LOST: 'build an image instead, or remove the attributes',
};
