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
  /** For messages. */
  readonly name: string;
  /** The file. */
  readonly path?: string;
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
  return {
    name,
    path: name,
    values: await yamlValues(text, (reason) => new BuildError('CONFIG_INVALID', { path: name, reason })),
  };
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
  if (isTooDeep(text)) throw invalid('values are nested too deeply');
  try {
    return await convertYaml(text, invalid, options);
  } catch (error) {
    // the parser and the conversion call themselves for every level, and without end for a list that contains itself
    if (error instanceof RangeError || error instanceof ReferenceError)
      throw invalid('values are nested too deeply, or contain themselves');
    throw error;
  }
}

/** Levels of nesting, and columns of indentation, that settings never need. */
const DEEPEST = 200;

/**
 * True when a text may have more levels than a parser that calls itself should see: at the end of its stack Node does not
 * always throw an error, compiling a regular expression there ends the process. Counts brackets that are open, list and
 * key indicators in a row (`- - -`), and indentation; quotes are not regarded.
 */
function isTooDeep(text: string): boolean {
  let open = 0;
  let row = 0;
  let indentation = 0;
  let blank = true;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === '\n') {
      blank = true;
      indentation = 0;
    } else if (blank && char === ' ') indentation++;
    else if (char !== ' ' && char !== '\t' && char !== '\r') {
      blank = false;
      const next = text[at + 1] ?? '\n';
      const indicator = (char === '-' || char === '?' || char === ':') && /\s/.test(next);
      row = indicator ? row + 1 : 0;
      if (char === '[' || char === '{') open++;
      else if ((char === ']' || char === '}') && open > 0) open--;
    }
    if (open > DEEPEST || row > DEEPEST || indentation > DEEPEST) return true;
  }
  return false;
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
