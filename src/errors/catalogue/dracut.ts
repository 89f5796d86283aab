/** Errors of guests that are made from files of an existing system. Codes are stable: programs match on them. */
export const DRACUT = {
  DRACUT_CONF_LINE: (c: { path: string; line: number; text: string; reason: string }) =>
    `${c.path}:${c.line}: ${c.reason}${c.text === '' ? '' : `: ${c.text}`}`,
  DRACUT_OPTION: (c: { where: string; name: string; reason: string }) => `${c.where}: ${c.name}: ${c.reason}`,
  DRACUT_MODULE_INVALID: (c: { path: string; reason: string }) => `${c.path} is not a dracut module: ${c.reason}`,
  DRACUT_MODULE_UNKNOWN: (c: { name: string; suggestion: string }) =>
    `there is no dracut module "${c.name}" here${c.suggestion}`,
  DRACUT_MODULE_UNFIT: (c: { name: string; sysroot: string; reason: string }) =>
    `the dracut module "${c.name}" cannot be taken from ${c.sysroot}: ${c.reason}`,
  SYSROOT_FILE_MISSING: (c: { sysroot: string; name: string; by: string }) =>
    `${c.sysroot} has no ${c.name}, which ${c.by}`,
  SYSROOT_CHANGED: (c: { path: string }) => `${c.path} was changed while it was read`,
  SYSROOT_SPECIAL: (c: { path: string; kind: string }) => `${c.path} is a ${c.kind}, which is not copied`,
  KERNEL_RELEASE_MISSING: (c: { release: string; sysroot: string; releases: readonly string[] }) =>
    `${c.sysroot} has no modules of the kernel ${c.release}${c.releases.length === 0 ? '' : `, only of ${c.releases.join(', ')}`}`,
} as const;
