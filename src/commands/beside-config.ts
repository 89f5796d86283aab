import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { isKeepFile } from '../rootfs/chisel/list.ts';
import type { Gathered } from '../settings/gather.ts';
import { roleOf } from '../settings/role.ts';
import { rowOf, SETTING_KEYS, type SettingKey } from '../settings/table.ts';

/** Settings that name files and are no inputs of a lock. */
const FILES_TOO: ReadonlySet<SettingKey> = new Set(['repo', 'repoUrl', 'verityKey', 'signKey', 'caCert', 'lock']);

/**
 * Settings in which files and folders that the config file at `config` names are those beside it. What is not there is
 * one of the current folder, as on the command line.
 */
export function filesBesideConfig(gathered: Gathered, config: string | undefined): Gathered {
  const folder = config === undefined ? '.' : dirname(config);
  if (folder === '.') return gathered;
  const values: Partial<Record<SettingKey, unknown>> = { ...gathered.settings };
  for (const key of SETTING_KEYS) {
    if (gathered.given.get(key)?.from !== 'file' || (roleOf(key) !== 'input' && !FILES_TOO.has(key))) continue;
    const value = values[key] as string | readonly string[];
    const beside = (text: string) => (isWord(key, text) || !existsSync(join(folder, text)) ? text : join(folder, text));
    if (typeof value === 'string') values[key] = beside(value);
    else if (rowOf(key).kind.name === 'list') values[key] = value.map(beside);
  }
  return { ...gathered, settings: values as Gathered['settings'] };
}

/** True for a value that names nothing in a folder, though something there may have its name. */
function isWord(key: SettingKey, text: string): boolean {
  if (text === '' || text === '-' || isAbsolute(text)) return true;
  return key === 'agent' ? text === 'demo' : key === 'keep' && !isKeepFile(text);
}
