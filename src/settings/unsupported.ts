import { BuildError } from '../errors/error.ts';
import { rowOf, SETTING_KEYS, type SettingKey, type Settings } from './table.ts';

/** A setting, or some of its values, that this version does not support yet. */
interface NotYet {
  /** Values that are not supported; absent if only the default is supported. */
  readonly values?: readonly unknown[];
  readonly reason: string;
}

const NOT_YET: { readonly [K in SettingKey]?: NotYet } = {
  compress: {
    values: ['xz'],
    reason: 'there is no reproducible encoder that runs everywhere; gzip, zstd, lz4 and none are written',
  },
};

/** True when a setting has no supported value except its default: help omits it. */
export function isUnsupported(key: SettingKey): boolean {
  const row = NOT_YET[key];
  return row !== undefined && row.values === undefined;
}

/** The choices of a setting that are supported; undefined if it has no choices. */
export function supportedChoices(key: SettingKey): readonly string[] | undefined {
  const unsupported = NOT_YET[key]?.values ?? [];
  return rowOf(key).kind.choices?.filter((one) => !unsupported.includes(one));
}

/** Rejects settings that this version does not support yet, in every command. Throws `NOT_SUPPORTED`. */
export function rejectUnsupported(settings: Settings): void {
  for (const key of SETTING_KEYS) {
    const row = NOT_YET[key];
    const value = settings[key];
    if (row === undefined || value === undefined || value === rowOf(key).fallback) continue;
    if (row.values !== undefined && !row.values.includes(value)) continue;
    const shown = typeof value === 'boolean' ? '' : ` ${String(value)}`;
    throw new BuildError('NOT_SUPPORTED', { setting: key, what: `\`${key}\`${shown}`, reason: row.reason });
  }
}
