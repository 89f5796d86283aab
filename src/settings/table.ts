import { BUILD_SETTINGS } from './build-settings.ts';
import { DRACUT_SETTINGS } from './dracut-settings.ts';
import { GUEST_SETTINGS } from './guest-settings.ts';
import { IMAGE_SETTINGS } from './image-settings.ts';
import { PACKAGE_SETTINGS } from './package-settings.ts';
import { PROOF_SETTINGS } from './proof-settings.ts';
import { REGISTRY_SETTINGS } from './registry-settings.ts';
import type { Setting } from './setting.ts';

/**
 * Every setting: flags, environment names, help, the config file's schema and the reference page derive from this
 * table. A key `osVersion` is the flag `--os-version` and the config key `os-version`. Environment names are those of
 * the shell-based osbuilder if it has the setting.
 */
export const SETTINGS = {
  ...PACKAGE_SETTINGS,
  ...DRACUT_SETTINGS,
  ...GUEST_SETTINGS,
  ...IMAGE_SETTINGS,
  ...PROOF_SETTINGS,
  ...REGISTRY_SETTINGS,
  ...BUILD_SETTINGS,
} satisfies Record<string, Setting<never> | Setting<unknown>>;

/** Name of a setting in the program. */
export type SettingKey = keyof typeof SETTINGS;
type ValueOf<R> = R extends Setting<infer T> ? T : never;

/** Values of all settings; undefined if not given and the build decides. */
export type Settings = { readonly [K in SettingKey]: ValueOf<(typeof SETTINGS)[K]> | undefined };

/** All keys, in the table's order. */
export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

/** The flag (and config key) of a setting: `osVersion` is `os-version`. */
export function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** True for the key of a setting. */
export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key);
}

/** The row of a setting, without its specific type. */
export function rowOf(key: SettingKey): Setting<unknown> {
  return SETTINGS[key];
}
