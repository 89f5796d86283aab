/** Errors of extension images. Codes are stable: programs match on them. */
export const EXTENSION = {
  EXTENSION_DELETES: (c: { base: string; paths: readonly string[]; count: number }) =>
    `an extension only adds to a guest, and ${c.base} has what would need deletion: ${c.paths.join(', ')}${c.count > c.paths.length ? ` and ${c.count - c.paths.length} more` : ''}`,
  EXTENSION_EMPTY: (c: { base: string }) =>
    `nothing is new or changed against ${c.base}, so an extension would be empty`,
  EXTENSION_MANIFEST: (c: { path: string; reason: string }) => `/${c.path}, which the agent would reject: ${c.reason}`,
  EXTENSION_NAME: (c: { name: string; reason: string }) =>
    `"${c.name}" cannot be the name of an extension: ${c.reason}`,
} as const;
