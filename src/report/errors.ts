import { BuildError } from '../errors/error.ts';
import { systemFailure } from '../errors/system.ts';
import type { Given } from '../settings/gather.ts';
import { flagOf, isSettingKey, type SettingKey } from '../settings/table.ts';

/** Errors as the command line shows them: with flags where the engine names settings, and with an exit code. */

/** Exit codes of the program. */
export const EXIT = { done: 0, error: 1, misuse: 2, bug: 70, interrupted: 130 } as const;

/** An error, ready to be shown. */
export interface Shown {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly context: object;
  readonly exit: number;
}

/** Where settings came from; empty when that is not known yet. */
export type Sources = ReadonlyMap<SettingKey, Given>;

/** Settings related to an error's code, if its context does not name them. */
const ABOUT: Readonly<Record<string, readonly SettingKey[]>> = {
  DISTRO_UNKNOWN: ['distro'],
  RELEASE_UNKNOWN: ['osVersion'],
  ARCH_UNKNOWN: ['arch'],
  COMPRESSION_LEVEL: ['compressLevel'],
  SNAPSHOT_TIME: ['snapshot'],
};

/** An error as it is shown. An unexpected one keeps its stack. */
export function shownError(thrown: unknown, given: Sources): Shown {
  const error = systemFailure(thrown) ?? thrown;
  if (!(error instanceof BuildError)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { code: 'BUG', message, hint: undefined, context: {}, exit: EXIT.bug };
  }
  const { code } = error;
  const context = error.context as object;
  const message = withFlags(error.message, (key) => given.get(key)?.name ?? `--${flagOf(key)}`);
  const hint = error.hint === undefined ? undefined : withFlags(error.hint);
  return { code, message, hint, context, exit: isMisuse(error, given) ? EXIT.misuse : EXIT.error };
}

/** The document that `--json` prints for an error. */
export function errorDocument({ code, message, hint, context }: Shown): object {
  return { error: { code, message, hint: hint ?? null, context } };
}

/**
 * A message of the engine with settings as the command line spells them: the engine writes `` `repoUrl` ``, a user
 * reads `--repo-url`.
 */
export function withFlags(text: string, nameOf = (key: SettingKey) => `--${flagOf(key)}`): string {
  return text.replace(/`([a-zA-Z][a-zA-Z0-9]*)`/g, (all, word: string) => (isSettingKey(word) ? nameOf(word) : all));
}

/** True when the command line itself is wrong: its arguments are unknown, invalid or contradictory. */
function isMisuse({ code, context }: BuildError, given: Sources): boolean {
  if (code === 'USAGE') return true;
  const { setting, settings, source } = context as {
    setting?: string;
    settings?: readonly string[];
    source?: string;
  };
  // a value that could not be parsed is not among the settings yet
  if (code === 'SETTING_INVALID' && setting !== undefined && source === `--${flagOf(setting)}`) return true;
  const about =
    code === 'SETTING_INVALID' || code === 'SETTING_CONFLICT'
      ? (settings ?? (setting === undefined ? [] : [setting]))
      : (ABOUT[code] ?? []);
  return about.length > 0 && about.every((key) => given.get(key as SettingKey)?.from === 'flag');
}
