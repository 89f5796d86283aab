import { didYouMean } from '../nearest.ts';

/** The nearest of known names, which are given as a list for people. */
const meant = (name: string, known: string): string => didYouMean(name, known.split(', '));

/**
 * Errors about settings, config files and profiles. Codes are stable: programs match on them. `setting` and `settings`
 * are keys of the settings table; where a sentence or a hint mentions a setting, it writes its key in backticks, and the
 * command line shows the flag instead.
 */
export const SETTINGS = {
  SETTING_INVALID: (c: { setting?: string; source?: string; value: string; reason: string }) =>
    `${c.source ?? `\`${c.setting}\``}: invalid value "${c.value}": ${c.reason}`,
  SETTING_CONFLICT: (c: { reason: string; settings?: readonly string[] }) => c.reason,
  CONFIG_INVALID: (c: { path: string; reason: string }) => `${c.path}: ${c.reason}`,
  GUESTS_FAILED: (c: { failed: readonly string[]; count: number; guests?: readonly object[] }) =>
    `${c.failed.length} of ${c.count} guests could not be built: ${c.failed.join(', ')}`,
  PROFILE_INVALID: (c: { path: string; reason: string }) => `${c.path}: invalid profile: ${c.reason}`,
  DISTRO_UNKNOWN: (c: { name: string; known: string }) =>
    `unknown distribution "${c.name}"; the known ones are ${c.known}${meant(c.name, c.known)}`,
  RELEASE_UNKNOWN: (c: { distro: string; release: string; known: string }) =>
    `${c.distro} has no release "${c.release}"; the known ones are ${c.known}${meant(c.release, c.known)}`,
  ARCH_UNKNOWN: (c: { distro: string; arch: string; known: string }) =>
    `${c.distro} is not available for "${c.arch}"; it is for ${c.known}${meant(c.arch, c.known)}`,
  NOT_SUPPORTED: (c: { setting?: string; what: string; reason: string }) => `${c.what} is not supported: ${c.reason}`,
  USAGE: (c: { reason: string }) => c.reason,
} as const;
