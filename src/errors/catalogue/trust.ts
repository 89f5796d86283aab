/** Errors of signatures, keys and signed metadata. Codes are stable: programs match on them. */
export const TRUST = {
  SIGNED_FILE_MALFORMED: (c: { path: string; reason: string }) =>
    `${c.path}: not a well-formed signed file: ${c.reason}`,
  SIGNATURE_MISSING: (c: { path: string }) => `${c.path}: carries no signature`,
  SIGNATURE_BAD: (c: { path: string; key: string; name: string }) =>
    `${c.path}: the signature of ${c.key} (${c.name}) does not fit the text: the file was altered`,
  SIGNATURE_WEAK: (c: { path: string; key: string; reason: string }) =>
    `${c.path}: the signature of ${c.key} is too weak to count: ${c.reason}`,
  SIGNATURE_EXPIRED: (c: { path: string; key: string; expired: string }) =>
    `${c.path}: the signature of ${c.key} expired on ${c.expired}`,
  SIGNATURE_FROM_FUTURE: (c: { path: string; key: string; made: string; now: string }) =>
    `${c.path}: the signature of ${c.key} was made on ${c.made}, which is after ${c.now}`,
  SIGNATURE_KEY_UNKNOWN: (c: { path: string; keys: readonly string[]; keyring: string }) =>
    `${c.path}: signed by ${c.keys.join(', ')}, and none of these is in ${c.keyring}`,
  SIGNATURE_KEY_REMOVED: (c: { path: string; key: string; name: string }) =>
    `${c.path}: signed by ${c.key} (${c.name}), which its distribution has withdrawn`,
  SIGNATURE_KEY_EXPIRED: (c: { path: string; key: string; name: string; expired: string }) =>
    `${c.path}: signed by ${c.key} (${c.name}), which expired on ${c.expired}`,
  SIGNATURE_KEY_REVOKED: (c: { path: string; key: string; name: string }) =>
    `${c.path}: signed by ${c.key} (${c.name}), which its owner has revoked`,
  SIGNATURE_KEY_UNFIT: (c: { path: string; key: string; name: string; reason: string }) =>
    `${c.path}: signed by ${c.key} (${c.name}), which may not sign: ${c.reason}`,
  KEYRING_UNREADABLE: (c: { name: string; reason: string }) => `${c.name}: not a readable OpenPGP keyring: ${c.reason}`,
  RELEASE_MALFORMED: (c: { path: string; reason: string }) => `${c.path}: not a usable Release file: ${c.reason}`,
  RELEASE_UNSIGNED: (c: { path: string }) => `${c.path}: the repository is not signed`,
  RELEASE_EXPIRED: (c: { path: string; validUntil: string; now: string }) =>
    `${c.path}: valid until ${c.validUntil}, and it is ${c.now}`,
  RELEASE_NOT_YET_VALID: (c: { path: string; date: string; now: string }) =>
    `${c.path}: dated ${c.date}, which is after ${c.now}`,
  RELEASE_REPLAYED: (c: { path: string; date: string; known: string }) =>
    `${c.path}: dated ${c.date}, older than the one of ${c.known} seen before: the mirror may be hiding updates`,
  RELEASE_WEAK: (c: { path: string; offered: readonly string[] }) =>
    `${c.path}: proves its files only by ${c.offered.length === 0 ? 'nothing' : c.offered.join(', ')}; SHA256 is needed`,
  SUITE_MISMATCH: (c: { path: string; asked: string; suite: string; codename: string }) =>
    `${c.path}: asked for "${c.asked}", but this is suite "${c.suite}", codename "${c.codename}"`,
  COMPONENT_MISSING: (c: { path: string; component: string; offered: readonly string[] }) =>
    `${c.path}: has no component "${c.component}", only ${c.offered.join(', ')}`,
  ARCHITECTURE_MISSING: (c: { path: string; architecture: string; offered: readonly string[] }) =>
    `${c.path}: has no architecture "${c.architecture}", only ${c.offered.join(', ')}`,
  INDEX_MISSING: (c: { path: string; index: string }) => `${c.path}: lists no ${c.index} in a form that can be read`,
  INDEX_STALE: (c: { path: string; index: string }) =>
    `${c.path}: ${c.index} on the mirror is not the one the signed list names, also when asked again: the mirror is out of step`,
} as const;
