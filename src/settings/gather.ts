import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import type { OutputKind } from './scope.ts';
import { understand } from './setting.ts';
import { flagOf, isSettingKey, rowOf, SETTING_KEYS, type SettingKey, type Settings } from './table.ts';

/** Where values come from, strongest first. */
export interface Sources {
  /** Strings from the command line by setting; a repeated flag has several. */
  readonly flags: ReadonlyMap<SettingKey, readonly string[]>;
  /** The environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The parsed config file, and its name for messages. */
  readonly config?: { readonly name: string; readonly values: unknown };
}

/** Where the value of one setting came from. */
export interface Given {
  readonly from: 'flag' | 'environment' | 'file';
  /** As the user wrote it: `--distro`, `$DISTRO`, `osbuilder.yaml: distro`. */
  readonly name: string;
}

/** Paths of outputs that the config file names. */
export type NamedOutputs = Readonly<Partial<Record<Exclude<OutputKind, 'extension'> | 'output' | 'kernel', string>>>;

/** All settings, and where each one that was given came from. */
export interface Gathered {
  readonly settings: Settings;
  /** Only settings that were given somewhere. */
  readonly given: ReadonlyMap<SettingKey, Given>;
  readonly outputs: NamedOutputs;
}

const OUTPUT_KEYS = ['rootfs', 'initrd', 'image', 'output', 'kernel'] as const;

/**
 * One value of each setting: flag before environment before config file before default.
 *
 * @example
 * ```ts
 * import { gather } from 'osbuilder';
 *
 * const settings = gather({
 *   flags: new Map([['distro', ['debian']]]),
 *   environment: { OS_VERSION: 'trixie' },
 *   config: { name: 'osbuilder.yaml', values: { 'agent-init': 'yes', distro: 'alpine' } },
 * });
 * console.log(settings.distro, settings.osVersion, settings.agentInit); // prints: debian trixie true
 * ```
 */
export function gather(sources: Sources): Settings {
  return gatherAll(sources).settings;
}

/** Values of some settings, by key. Strings are read as in the config file. */
export type SettingValues = { readonly [K in SettingKey]?: Settings[K] | string };

/**
 * All settings from some values, as a program gives them: the others have their defaults, or are undefined where the build
 * decides. Values may be spelled as in the config file (`'yes'`, `'64'`). Throws `SETTING_INVALID`, whose context names the
 * setting by its key, and `USAGE` for a key that is none.
 *
 * @example
 * ```ts
 * import { settingsFrom } from 'osbuilder';
 *
 * const settings = settingsFrom({ distro: 'alpine', agentInit: true, extraPkgs: ['curl'] });
 * console.log(settings.compress, settings.extraPkgs); // prints: gzip [ 'curl' ]
 * ```
 */
export function settingsFrom(values: SettingValues): Settings {
  const all: Partial<Record<SettingKey, unknown>> = {};
  for (const key of Object.keys(values))
    if (!isSettingKey(key))
      throw new BuildError('USAGE', { reason: `unknown setting "${key}"${didYouMean(key, SETTING_KEYS)}` });
  for (const key of SETTING_KEYS) {
    const value = values[key];
    all[key] = value === undefined ? rowOf(key).fallback : fromConfig(key, undefined, value);
  }
  return all as Settings;
}

/**
 * {@link gather}, with the source of each value. Throws `SETTING_INVALID`, `SETTING_CONFLICT` (two variables for
 * one setting) and `CONFIG_INVALID`.
 */
export function gatherAll(sources: Sources): Gathered {
  const config = configValues(sources.config);
  const values: Partial<Record<SettingKey, unknown>> = {};
  const given = new Map<SettingKey, Given>();
  for (const key of SETTING_KEYS) {
    const row = rowOf(key);
    const flags = sources.flags.get(key);
    if (flags !== undefined && flags.length > 0) {
      const name = `--${flagOf(key)}`;
      const understood = flags.map((one) => understand(key, row, name, one));
      values[key] = row.kind.name === 'list' ? (understood as unknown[][]).flat() : understood.at(-1);
      given.set(key, { from: 'flag', name });
      continue;
    }
    const variable = variableOf(key, sources.environment);
    if (variable !== undefined) {
      const name = `$${variable}`;
      values[key] = understand(key, row, name, sources.environment[variable]!);
      given.set(key, { from: 'environment', name });
      continue;
    }
    if (config.settings.has(key)) {
      const name = `${sources.config!.name}: ${flagOf(key)}`;
      values[key] = fromConfig(key, name, config.settings.get(key));
      given.set(key, { from: 'file', name });
      continue;
    }
    values[key] = row.fallback;
  }
  return { settings: values as Settings, given, outputs: config.outputs };
}

/** The variable that sets a setting; if it has several names, only one may be set. */
function variableOf(key: SettingKey, environment: Sources['environment']): string | undefined {
  const set = rowOf(key).environment.filter((one) => (environment[one] ?? '') !== '');
  if (new Set(set.map((one) => environment[one])).size > 1)
    throw new BuildError(
      'SETTING_CONFLICT',
      { reason: `${set.map((one) => `$${one}`).join(' and ')} both give "${flagOf(key)}"`, settings: [key] },
      { hint: 'unset one of them' },
    );
  return set[0];
}

function fromConfig(key: SettingKey, source: string | undefined, value: unknown): unknown {
  try {
    return rowOf(key).kind.fromConfig(value);
  } catch (error) {
    const { message: reason } = error as Error;
    const from = source === undefined ? {} : { source };
    throw new BuildError('SETTING_INVALID', { setting: key, ...from, value: textOf(value), reason });
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function configValues(config: Sources['config']): { settings: Map<SettingKey, unknown>; outputs: NamedOutputs } {
  const settings = new Map<SettingKey, unknown>();
  const outputs: Partial<Record<(typeof OUTPUT_KEYS)[number], string>> = {};
  if (config === undefined || config.values === null || config.values === undefined) return { settings, outputs };
  if (typeof config.values !== 'object' || Array.isArray(config.values))
    throw new BuildError('CONFIG_INVALID', { path: config.name, reason: 'expected a mapping of settings to values' });
  const known = new Map(SETTING_KEYS.filter((key) => !rowOf(key).commandLineOnly).map((key) => [flagOf(key), key]));
  for (const [name, value] of Object.entries(config.values)) {
    const output = OUTPUT_KEYS.find((one) => one === name);
    if (output !== undefined) {
      if (typeof value !== 'string' && typeof value !== 'number')
        throw new BuildError('CONFIG_INVALID', {
          path: config.name,
          reason: `${name}: expected the path of an output`,
        });
      outputs[output] = String(value);
      continue;
    }
    const key = known.get(name);
    if (key === undefined)
      throw new BuildError('CONFIG_INVALID', {
        path: config.name,
        reason: `unknown setting "${name}"${didYouMean(name, [...known.keys(), ...OUTPUT_KEYS])}`,
      });
    settings.set(key, value);
  }
  return { settings, outputs };
}

/**
 * The JSON schema of the config file `osbuilder.yaml`.
 *
 * @example
 * ```ts
 * import { configSchema } from 'osbuilder';
 *
 * console.log(Object.keys(configSchema()).includes('properties')); // prints: true
 * ```
 */
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
  const output = { anyOf: [{ type: 'string' }, { type: 'number' }] };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'osbuilder.yaml',
    description: 'Settings of a Kata guest build; flags and environment variables go before them.',
    type: 'object',
    additionalProperties: false,
    properties: {
      rootfs: { description: 'path of the rootfs, as a folder (OUT/) or an archive', ...output },
      initrd: { description: 'path of the initrd', ...output },
      image: { description: 'path of the disk image', ...output },
      output: { description: 'path of the artefact of a command that writes one', ...output },
      ...properties,
      ...guestsSchema(['rootfs', 'initrd', 'image', 'output', ...Object.keys(properties)]),
    },
  };
}

/** The schema of `guests` and `matrix`; settings are the ones of the whole file. */
function guestsSchema(names: readonly string[]): Record<string, unknown> {
  const scalar = { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] };
  const matrix = {
    description: 'values of settings: each guest is made once for every combination',
    type: 'object',
    properties: {
      exclude: {
        description: 'combinations that are left out',
        type: 'array',
        items: { type: 'object', additionalProperties: scalar },
      },
    },
    additionalProperties: { type: 'array', minItems: 1, items: scalar },
  };
  const settings = Object.fromEntries(names.map((name) => [name, { $ref: `#/properties/${name}` }]));
  return {
    guests: {
      description: 'several guests by name, with what differs from the settings that they share',
      type: 'object',
      minProperties: 1,
      propertyNames: { pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$' },
      additionalProperties: {
        anyOf: [
          { type: 'null' },
          {
            type: 'object',
            additionalProperties: false,
            properties: { ...settings, matrix: { $ref: '#/properties/matrix' } },
          },
        ],
      },
    },
    matrix,
  };
}
