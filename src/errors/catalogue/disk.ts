/** Errors about disks and partition tables. Codes are stable: programs match on them. */
export const DISK = {
  DISK_TOO_SMALL: (c: { size: number; needed: number }) =>
    `a disk of ${c.size} bytes is too small: ${c.needed} are needed`,
  DISK_TOO_LARGE: (c: { size: number; limit: number; table: string }) =>
    `a disk of ${c.size} bytes is too large for an ${c.table}, which ends at ${c.limit}`,
} as const;
