import { BuildError } from '../errors/error.ts';
import { understand } from './setting.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey, type Settings } from './table.ts';

/** Where values come from, strongest first. */
export interface Sources {
  /** Texts from the command line by setting; a repeated flag has several. */
  readonly flags: ReadonlyMap<SettingKey, readonly string[]>;
  /** The environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The parsed config file, and its name for messages. */
  readonly config?: { readonly name: string; readonly values: unknown };
}

/** One value of each setting: flag before environment before config file before default. */
export function gather(sources: Sources): Settings {
  const config = configValues(sources.config);
  const values: Partial<Record<SettingKey, unknown>> = {};
  for (const key of SETTING_KEYS) {
    const row = rowOf(key);
    const given = sources.flags.get(key);
    if (given !== undefined && given.length > 0) {
      const understood = given.map((one) => understand(row, `--${flagOf(key)}`, one));
      values[key] = row.kind.name === 'list' ? (understood as unknown[][]).flat() : understood.at(-1);
      continue;
    }
    const name = row.environment.find((one) => (sources.environment[one] ?? '') !== '');
    if (name !== undefined) {
      values[key] = understand(row, `$${name}`, sources.environment[name]!);
      continue;
    }
    if (config.has(key)) {
      try {
        values[key] = row.kind.fromConfig(config.get(key));
      } catch (error) {
        throw new BuildError('SETTING_INVALID', {
          source: `${sources.config!.name}: ${flagOf(key)}`,
          value: JSON.stringify(config.get(key)),
          reason: (error as Error).message,
        });
      }
      continue;
    }
    values[key] = row.fallback;
  }
  return values as Settings;
}

function configValues(config: Sources['config']): Map<SettingKey, unknown> {
  const found = new Map<SettingKey, unknown>();
  if (config === undefined || config.values === null || config.values === undefined) return found;
  if (typeof config.values !== 'object' || Array.isArray(config.values))
    throw new BuildError('CONFIG_INVALID', { path: config.name, reason: 'it is no table of settings' });
  const known = new Map(SETTING_KEYS.filter((key) => !rowOf(key).commandLineOnly).map((key) => [flagOf(key), key]));
  for (const [name, value] of Object.entries(config.values)) {
    const key = known.get(name);
    if (key === undefined)
      throw new BuildError('CONFIG_INVALID', {
        path: config.name,
        reason: `"${name}" is no setting${nearest(name, [...known.keys()])}`,
      });
    found.set(key, value);
  }
  return found;
}

/** `; did you mean "x"?` for the nearest of some words, or nothing when none is near. */
export function nearest(word: string, among: readonly string[]): string {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const one of among) {
    const d = distance(word, one);
    if (d < least) {
      least = d;
      best = one;
    }
  }
  return best === undefined ? '' : `; did you mean "${best}"?`;
}

/** Edit distance (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** The JSON schema of the config file `osbuilder.yaml`. */
export function configSchema(): Record<string, unknown> {
  const properties: Record<string, unknown> = {};
  for (const key of SETTING_KEYS) {
    const row = rowOf(key);
    if (row.commandLineOnly) continue;
    properties[flagOf(key)] = {
      description: row.description,
      ...row.kind.schema,
      ...(row.fallback === undefined ? {} : { default: row.fallback }),
    };
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'osbuilder.yaml',
    description: 'Settings of a Kata guest build; flags and environment variables go before them.',
    type: 'object',
    additionalProperties: false,
    properties,
  };
}
