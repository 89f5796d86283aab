import { situationOf } from '../commands/settings.ts';
import type { Situation } from '../settings/scope.ts';
import { rowOf, SETTING_KEYS, type SettingKey, type Settings } from '../settings/table.ts';
import { isUnsupported, supportedChoices } from '../settings/unsupported.ts';

const DEFAULTS = Object.fromEntries(SETTING_KEYS.map((key) => [key, rowOf(key).fallback])) as unknown as Settings;
const KINDS = ['rootfs', 'initrd', 'image', 'extension'] as const;
const GUESTS = KINDS.slice(0, 3);

/** Settings that act in a command, in some use of it: help and completion show these and no others. */
export function actingSettings(command: string): SettingKey[] {
  const situations = [...situationsOf(command)];
  return SETTING_KEYS.filter(
    (key) => hasChoice(key) && situations.some((situation) => rowOf(key).scope(situation) === undefined),
  );
}

/** False when only one value is supported: there is nothing to set. */
function hasChoice(key: SettingKey): boolean {
  return !isUnsupported(key) && supportedChoices(key)?.length !== 1;
}

function* situationsOf(command: string): Generator<Situation> {
  const outputs = command === 'build' ? GUESTS : KINDS.filter((kind) => kind === command);
  const files = outputs.map((kind) => ({ kind, path: 'x' }));
  for (const positional of [[], ['x'], ['x', 'y']])
    for (const scripts of [false, true])
      yield situationOf({ command, positional, own: { scripts }, flags: new Map() }, files, { settings: DEFAULTS });
}
