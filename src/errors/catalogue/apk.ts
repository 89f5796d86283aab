/** Errors of the apk family. Codes are stable: programs match on them. */
export const APK = {
  APK_FORMAT: (c: { path: string; reason: string }) => `${c.path}: ${c.reason}`,
  APK_V3: (c: { path: string; what: string }) =>
    `${c.path}: a ${c.what} of apk 3 (ADB), which is not supported: only the format of apk 2 is`,
  APK_UNSIGNED: (c: { path: string }) => `${c.path}: it carries no signature`,
  APK_SIGNATURE_BAD: (c: { path: string; key: string }) => `${c.path}: the signature by ${c.key} is wrong`,
  APK_SIGNATURE_UNKNOWN: (c: { path: string; keys: string; keyring: string }) =>
    `${c.path}: signed by ${c.keys}, none of which is among the ${c.keyring}`,
  APK_MISMATCH: (c: { path: string; expected: string; actual: string }) =>
    `${c.path}: it says that it is ${c.actual}, not ${c.expected}`,
  APK_DATA_MISMATCH: (c: { path: string; expected: string; actual: string }) =>
    `${c.path}: the data's SHA-256 is ${c.actual}, its control segment promises ${c.expected}`,
  APK_CONFLICT: (c: { path: string; package: string; owner: string }) =>
    `/${c.path}: ${c.package} would overwrite it, but it belongs to ${c.owner}`,
  APK_WORLD: (c: { text: string }) => `"${c.text}" is no package request: it has the form NAME[@TAG][OPERATOR VERSION]`,
  APK_TAG: (c: { text: string; tag: string }) => `"${c.text}": no repository carries the tag @${c.tag}`,
  APK_UNSOLVABLE: (c: { explanation: string }) => `unable to select packages:\n${c.explanation}`,
  APK_REPOSITORIES: (c: { count: number; limit: number }) => `${c.count} repositories, ${c.limit} are the limit`,
  APK_CHECKSUM: (c: { path: string; package: string }) => `${c.package}: /${c.path} is not what its checksum says`,
} as const;
