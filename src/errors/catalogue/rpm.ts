/** Errors of rpm packages and of the rpm family. Codes are stable: programs match on them. */
export const RPM = {
  RPM_CORRUPT: (c: { path: string; offset: number; reason: string }) =>
    `${c.path}: corrupt rpm package at byte ${c.offset}: ${c.reason}`,
  RPM_UNSUPPORTED: (c: { path: string; what: string }) => `${c.path}: ${c.what} is not supported`,
  RPM_PAYLOAD: (c: { path: string; reason: string }) =>
    `${c.path}: its payload is not what its header says: ${c.reason}`,
  RPM_DIGEST: (c: { path: string; what: string; expected: string; actual: string }) =>
    `${c.path}: the ${c.what} is ${c.actual}, its header says ${c.expected}`,
  RPM_UNPROVEN: (c: { path: string; reason: string }) => `${c.path}: nothing proves that it is complete: ${c.reason}`,
  RPM_UNSIGNED: (c: { path: string }) => `${c.path}: it carries no signature`,
  RPM_SIGNATURE_UNREADABLE: (c: { path: string; reasons: readonly string[] }) =>
    `${c.path}: none of its signatures can be checked: ${c.reasons.join('; ')}`,
  REPOMD_INVALID: (c: { path: string; reason: string }) => `${c.path}: ${c.reason}`,
  MIRRORLIST_INVALID: (c: { path: string; reason: string }) => `${c.path}: no list of mirrors: ${c.reason}`,
  METADATA_UNSIGNED: (c: { path: string }) => `${c.path}: it has to be signed, and there is no signature beside it`,
  METADATA_UNPINNED: (c: { path: string; sha256: string }) =>
    `${c.path}: its SHA-256 is ${c.sha256}, which is none of those given as \`repomdSha256\``,
  METADATA_DIGEST: (c: { path: string; algorithm: string; what: string }) =>
    `${c.path}: ${c.what} is proven by ${c.algorithm || 'nothing'} only, which is not enough`,
  RPM_MISMATCH: (c: { path: string; expected: string; actual: string }) =>
    `${c.path}: it says that it is ${c.actual}, not ${c.expected}`,
  RPM_UNSOLVABLE: (c: { explanation: string }) => `the packages cannot be installed together:\n${c.explanation}`,
  RPM_CONFLICT: (c: { path: string; package: string; owner: string; difference: string }) =>
    `/${c.path}: ${c.package} and ${c.owner} both have it, with different ${c.difference}`,
  REPO_INVALID: (c: { source: string; reason: string }) => `${c.source}: ${c.reason}`,
  REPOSITORY_UNPROVEN: (c: { name: string }) =>
    `the repository ${c.name}: nothing proves its packages, neither keys nor signed or pinned metadata`,
  GROUP_NOT_FOUND: (c: { name: string }) => `no group, environment or module "${c.name}" in the repositories`,
  MODULE_NOT_FOUND: (c: { name: string; reason: string }) => `no stream of a module for "${c.name}": ${c.reason}`,
  MODULE_UNSOLVABLE: (c: { explanation: string }) =>
    `the streams of modules cannot be active together:\n${c.explanation}`,
} as const;
