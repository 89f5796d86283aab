/** Errors about guests that keep only what is named. Codes are stable: programs match on them. */
export const KEEP = {
  KEEP_INVALID: (c: { path: string; reason: string }) => `${c.path} is not a list of what to keep: ${c.reason}`,
  KEEP_UNMATCHED: (c: { item: string; source: string }) => `${c.source}: the guest has nothing that "${c.item}" names`,
} as const;
