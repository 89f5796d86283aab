/** Errors about labels of SELinux. Codes are stable: programs match on them. */
export const SELINUX = {
  SELINUX_POLICY_MISSING: (c: { reason: string }) => `the rootfs has no SELinux policy to label files by: ${c.reason}`,
  CONTEXTS_INVALID: (c: { path: string; line: number; reason: string }) => `${c.path}, line ${c.line}: ${c.reason}`,
  CONTEXTS_COMPILED: (c: { path: string; offset: number; reason: string }) =>
    `${c.path}: compiled file_contexts that cannot be read, at byte ${c.offset}: ${c.reason}`,
  CONTEXTS_LIMIT: (c: { limit: number }) =>
    `looking up labels needs more than ${c.limit} steps: the expressions of the policy are too many or too costly`,
} as const;
