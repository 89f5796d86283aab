/** Errors of lock files. Codes are stable: programs match on them. */
export const LOCK = {
  LOCK_INVALID: (c: { path: string; reason: string }) => `${c.path} is not a lock file: ${c.reason}`,
  LOCK_MISSING: (c: { reason: string }) => c.reason,
  LOCK_DIFFERENT_GUEST: (c: { path: string; what: string; locked: string; wanted: string }) =>
    `${c.path} is for ${c.what} ${c.locked}, and this build is for ${c.wanted}`,
  LOCK_SETTING_CHANGED: (c: { setting: string; locked: string; given: string }) =>
    `\`${c.setting}\` is ${c.given}, and the lock says ${c.locked}`,
  LOCK_INPUT_CHANGED: (c: { setting: string; path: string; expected: string; actual: string }) =>
    `\`${c.setting}\` ${c.path} has changed: its SHA-256 is ${c.actual}, and the lock says ${c.expected}`,
  LOCK_INPUT_UNKNOWN: (c: { setting: string; path: string }) =>
    `\`${c.setting}\` ${c.path} is given, and the lock knows no such input`,
  LOCK_INPUT_MISSING: (c: { setting: string; name: string; sha256: string }) =>
    `the lock names "${c.name}" as \`${c.setting}\` (SHA-256 ${c.sha256}), and none is given`,
  LOCKED_PACKAGE_MISSING: (c: {
    name: string;
    version: string;
    architecture: string;
    sha256: string;
    reason: string;
  }) =>
    `${c.name} ${c.version} (${c.architecture}) of the lock, with the SHA-256 ${c.sha256}, cannot be found: ${c.reason}`,
} as const;
