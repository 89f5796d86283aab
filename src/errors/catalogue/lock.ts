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
  LOCK_OUTPUT_UNKNOWN: (c: { path: string; known: string }) =>
    `${c.path}: the lock names no such output${c.known === '' ? '' : `; it names ${c.known}`}`,
  LOCK_OUTPUT_DIFFERS: (c: { path: string; expected: string; actual: string; detail: string }) =>
    c.actual === c.expected
      ? `${c.path} is what the lock says (${c.expected})${c.detail}`
      : `${c.path} is not what the lock says: its SHA-256 is ${c.actual}, expected ${c.expected}${c.detail}`,
  NOT_REPRODUCIBLE: (c: { outputs: readonly string[]; detail: string }) =>
    `built twice, these have other bytes: ${c.outputs.join(', ')}${c.detail}`,
  KEY_UNUSABLE: (c: { path: string; reason: string }) => `the key ${c.path} cannot be used: ${c.reason}`,
  ATTESTATION_INVALID: (c: { path: string; reason: string }) => `${c.path} is not a signed statement: ${c.reason}`,
  ATTESTATION_SIGNATURE: (c: { path: string }) =>
    `${c.path}: its signature is not by this key, or it was changed since`,
  ATTESTATION_SUBJECT: (c: { path: string; statement: string }) =>
    `${c.path} is not one of the files that ${c.statement} is about`,
} as const;
