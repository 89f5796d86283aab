import type { Given } from './gather.ts';
import type { Idle, Situation } from './scope.ts';
import { rowOf, SETTING_KEYS, type SettingKey } from './table.ts';

/** How a given setting without effect is handled. */
export type Verdict = 'error' | 'warning' | 'note';

/** A given setting without effect. */
export interface IdleSetting {
  readonly key: SettingKey;
  readonly given: Given;
  readonly idle: Idle;
  readonly verdict: Verdict;
}

/**
 * Settings that limit how the program works, or allow something, and do not change what is built. It is harmless
 * if there is nothing to limit or to allow, and scripts pass them to every command.
 */
const LENIENT: ReadonlySet<SettingKey> = new Set(['cacheDir', 'offline', 'mirrorTimeout', 'jobs', 'skipRootfsCheck']);

/**
 * Given settings that have no effect in a situation, in the table's order.
 *
 * - On the command line such a setting is an error: it was typed for this command. It is a warning for settings of an
 *   artefact that is not built now (scripts pass the same flags for every artefact) and for settings that only limit or
 *   allow something.
 * - `plan` and `why` preview a build, so settings of that build are only noted there, wherever they come from.
 * - In the environment it is a warning: a variable may be meant for this command or for another one.
 * - In the config file it is a warning when another given setting makes it ineffective. A setting of another
 *   command or another artefact is only noted: one file describes all artefacts of a project.
 *
 * `no` from the environment or the file, is ignored if that is the default anyway.
 */
export function idleSettings(given: ReadonlyMap<SettingKey, Given>, situation: Situation): IdleSetting[] {
  const found: IdleSetting[] = [];
  for (const key of SETTING_KEYS) {
    const source = given.get(key);
    if (source === undefined) continue;
    if (source.from !== 'flag' && situation.settings[key] === false && rowOf(key).fallback === false) continue;
    const idle = rowOf(key).scope(situation);
    if (idle === undefined) continue;
    // `--no-x` asks for nothing that would be missing afterwards
    const off = situation.settings[key] === false && source.from === 'flag';
    const verdict = verdictOf(key, source, idle, situation);
    found.push({ key, given: source, idle, verdict: off && verdict === 'error' ? 'warning' : verdict });
  }
  return found;
}

/** Commands that preview a build, and accept its flags. */
const PREVIEWS: ReadonlySet<string> = new Set(['plan', 'why']);

function verdictOf(key: SettingKey, { from }: Given, { because }: Idle, { command, base }: Situation): Verdict {
  const lenient = LENIENT.has(key);
  const previews = PREVIEWS.has(command) && base === 'packages';
  if (previews && because !== 'situation') return 'note';
  switch (from) {
    case 'flag':
      return lenient || because === 'artefact' || previews ? 'warning' : 'error';
    case 'environment':
      return lenient && because === 'command' ? 'note' : 'warning';
    case 'file':
      return because === 'situation' ? 'warning' : 'note';
    default:
      return from satisfies never;
  }
}
