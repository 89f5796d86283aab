/**
 * Every warning: its stable code and the sentence made from its context, as errors have them. A warning does not stop a
 * build unless `--strict` is given.
 */
export const WARNINGS = {
  ALTERNATIVE_BLOCKED: (c: { name: string; link: string }) =>
    `alternative ${c.name}: ${c.link} is not a link, so it is left as it is`,
  APK_RELATION: (c: { text: string }) => c.text,
  ALTERNATIVE_MISSING: (c: { name: string; path: string }) =>
    `alternative ${c.name}: ${c.path} is not in the rootfs, so it is not offered`,
  CERTIFICATE_MISSING: (c: { path: string }) => `certificate ${c.path} is listed but not in the rootfs`,
  CERTIFICATE_SKIPPED: (c: { path: string; reason: string }) => `${c.path} ${c.reason}`,
  DIRECTORY_KEPT: (c: { path: string; target: string }) =>
    `${c.path} is not empty, so it does not become a link to ${c.target}`,
  FILE_ALIASED: (c: { path: string; other: string }) =>
    `${c.path} replaces the same file under another name, of package ${c.other}`,
  FILE_MISSING: (c: { kind: string; path: string }) => `${c.kind} file ${c.path} is not in the rootfs`,
  HOOK_SKIPPED: (c: { path: string }) => `${c.path} is not run: it would need the guest's own programs`,
  LEFT_TO_FIRST_BOOT: (c: { reason: string }) => c.reason,
  LOADER_CACHE: (c: { architecture: string }) =>
    `/etc/ld.so.cache is not made: ${c.architecture} libraries are not known here`,
  LOADER_HWCAPS: (c: { folder: string }) =>
    `${c.folder}/glibc-hwcaps is left out of /etc/ld.so.cache: the loader finds it by itself`,
  OWNER_UNKNOWN: (c: { file: string; who: string; path: string }) => `${c.file}: ${c.who} of ${c.path} is not known`,
  PAM_LOCAL: (c: { path: string }) => `${c.path} was changed by hand, so it is left as it is`,
  RC_HEADER: (c: { name: string }) => `/etc/init.d/${c.name} has no LSB header, so it gets no run-level links`,
  RELEASE_EXPIRED: (c: { error: string }) => `${c.error} (used offline)`,
  SCRIPT_FAILED: (c: { reason: string }) => c.reason,
  SCRIPT_LINE: (c: { script: string; line: number; source: string; reason: string; file?: string }) =>
    `${c.file === undefined ? `${c.script}:${c.line}` : `${c.script}: ${c.file}:${c.line}`}: ${c.reason}${c.source === '' ? '' : `: ${c.source}`}`,
  TMPFILES_ACL: (c: { path: string; text: string }) =>
    `tmpfiles.d: the access list "${c.text}" of ${c.path} is not understood`,
  TMPFILES_TYPE: (c: { path: string; type: string }) => `tmpfiles.d: lines of type ${c.type} are not known (${c.path})`,
  UNAUTHENTICATED: (c: { what: string }) => `${c.what} is used without a proof of its origin`,
  UNIT_MISSING: (c: { unit: string }) => `unit ${c.unit} is not in the rootfs, so it cannot be enabled`,
  XATTRS_LOST: (c: { shown: string }) =>
    `an initrd cannot hold extended attributes, an image can: ${c.shown} will be without`,
} as const;

/** A stable code of a warning. */
export type WarningCode = keyof typeof WARNINGS;
/** What a warning of that code knows. */
export type WarningContext<C extends WarningCode> = Parameters<(typeof WARNINGS)[C]>[0];

/** What to do about warnings where it is always the same. */
export const WARNING_HINTS: { readonly [C in WarningCode]?: string } = {
  XATTRS_LOST: 'build an image instead, or remove the attributes',
};
