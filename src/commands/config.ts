import { existsSync } from 'node:fs';
import type { Document } from 'yaml';
import { readRegular } from '../bytes/regular.ts';
import { BuildError } from '../errors/error.ts';

/** Names of the config file in the current folder. */
const NAMES = ['osbuilder.yaml', 'osbuilder.yml'] as const;

/** Maximum size of a config file. */
const LIMIT = 1 << 20;

/** A parsed config file. */
export interface Config {
  readonly name: string;
  readonly values: unknown;
}

/**
 * The config file: the named one, else the one in the current folder, if any. Throws `READ_FAILED`, and
 * `CONFIG_INVALID` when it is not YAML or when both names exist.
 */
export async function readConfig(named: string | undefined): Promise<Config | undefined> {
  const present = named === undefined ? NAMES.filter((name) => existsSync(name)) : [named];
  if (present.length > 1)
    throw new BuildError(
      'CONFIG_INVALID',
      { path: NAMES[1], reason: `${NAMES[0]} exists as well, and only one of them can be read` },
      { hint: 'remove one of them, or name one with --config' },
    );
  const name = present[0];
  if (name === undefined) return undefined;
  const text = readRegular(name, LIMIT).toString('utf8');
  return { name, values: await yamlValues(text, (reason) => new BuildError('CONFIG_INVALID', { path: name, reason })) };
}

/**
 * The values of a YAML text. A number keeps its spelling: `3.20` stays the string "3.20", since as a number it would be
 * 3.2; with `allText` every number does. `invalid` makes the error when the text is not YAML.
 */
export async function yamlValues(
  text: string,
  invalid: (reason: string) => Error,
  options: { readonly allText?: boolean } = {},
): Promise<unknown> {
  try {
    return await convertYaml(text, invalid, options);
  } catch (error) {
    // the parser and the conversion call themselves for every level, and without end for a list that contains itself
    if (error instanceof RangeError || error instanceof ReferenceError)
      throw invalid('values are nested too deeply, or contain themselves');
    throw error;
  }
}

async function convertYaml(
  text: string,
  invalid: (reason: string) => Error,
  { allText = false }: { readonly allText?: boolean },
): Promise<unknown> {
  // loaded lazily: seventy modules that most runs do not need
  const { isAlias, isMap, isScalar, isSeq, parseDocument } = await import('yaml');
  const document = parseDocument(text, { merge: false });
  const fault = document.errors[0];
  if (fault !== undefined) throw invalid(fault.message.split('\n')[0]!.replace(/:$/, ''));
  let nodes = 0;
  const convert = (node: unknown, within: Document): unknown => {
    // an alias that refers to a list of aliases, and so on, would grow exponentially
    if (++nodes > 100_000) throw invalid('too many values');
    if (isAlias(node)) return convert(node.resolve(within), within);
    if (isScalar(node)) {
      const { value, source } = node;
      if (typeof value !== 'number' || source === undefined) return value;
      return allText || String(value) !== source ? source : value;
    }
    if (isSeq(node)) return node.items.map((item) => convert(item, within));
    if (isMap(node))
      return Object.fromEntries(node.items.map(({ key, value }) => [String(keyOf(key)), convert(value, within)]));
    return node ?? null;
  };
  const keyOf = (key: unknown): unknown => (isScalar(key) ? (key.source ?? key.value) : key);
  return convert(document.contents, document);
}
