/** Refusals about settings, config files and profiles. Codes are stable: programs match on them. */
export const SETTINGS = {
  SETTING_INVALID: (c: { source: string; value: string; reason: string }) =>
    `${c.source}: "${c.value}" is not understood: ${c.reason}`,
  SETTING_CONFLICT: (c: { reason: string }) => c.reason,
  CONFIG_INVALID: (c: { path: string; reason: string }) => `${c.path}: ${c.reason}`,
  PROFILE_INVALID: (c: { path: string; reason: string }) => `${c.path}: not a usable profile: ${c.reason}`,
  DISTRO_UNKNOWN: (c: { name: string; known: string }) => `no distribution "${c.name}"; there are ${c.known}`,
  RELEASE_UNKNOWN: (c: { distro: string; release: string; known: string }) =>
    `${c.distro} has no release "${c.release}"; there are ${c.known}`,
  ARCH_UNKNOWN: (c: { distro: string; arch: string; known: string }) =>
    `${c.distro} is not made for "${c.arch}"; there are ${c.known}`,
  NOT_SUPPORTED: (c: { what: string; reason: string }) => `${c.what}: ${c.reason}`,
  USAGE: (c: { reason: string }) => c.reason,
} as const;
