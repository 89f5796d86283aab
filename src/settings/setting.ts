import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import type { Scope } from './scope.ts';

/** A setting's type: how its text is parsed, and how the config file's schema describes it. */
export interface Kind<T> {
  readonly name: 'yes-no' | 'text' | 'list' | 'number' | 'choice';
  /** Shown in help: `URL`, `FILE`, `N`. */
  readonly placeholder: string;
  /** Parses one text from the command line or the environment. Throws a plain Error with the reason. */
  parse(text: string): T;
  /** Takes a value from the YAML config file. Throws a plain Error with the reason. */
  fromConfig(value: unknown): T;
  readonly schema: Record<string, unknown>;
  readonly choices?: readonly string[];
}

const YES = new Set(['yes', 'true', '1', 'y', 'on']);
const NO = new Set(['no', 'false', '0', 'n', 'off', '']);

/** A pattern of JSON Schema for one of some words in any letter case, with blanks around it. */
function anyCase(words: Iterable<string>): string {
  const letters = (word: string) => word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
  return `^\\s*(?:${[...words].map(letters).join('|')})\\s*$`;
}

/** yes/no, true/false, 1/0. */
export const yesNo: Kind<boolean> = {
  name: 'yes-no',
  placeholder: 'yes|no',
  parse(text) {
    const word = text.trim().toLowerCase();
    if (YES.has(word)) return true;
    if (NO.has(word)) return false;
    throw new Error('expected yes or no');
  },
  fromConfig(value) {
    if (typeof value === 'boolean') return value;
    if (typeof value !== 'string' && typeof value !== 'number') throw new Error('expected yes or no');
    return yesNo.parse(String(value));
  },
  schema: { anyOf: [{ type: 'boolean' }, { type: 'string', pattern: anyCase([...YES, ...NO]) }, { enum: [0, 1] }] },
};

/**
 * A string that is not empty: a name, a file, a folder. `placeholder` is its name in help. An empty one comes from a variable
 * that is not set, and as a path it would mean the current folder.
 */
export function text(placeholder: string): Kind<string> {
  const { parse, fromConfig, ...any } = anyText(placeholder);
  const filled = (value: string): string => {
    if (value === '') throw new Error(`expected ${placeholder}, and it is empty`);
    return value;
  };
  return {
    ...any,
    parse: (value) => filled(parse(value)),
    fromConfig: (value) => filled(fromConfig(value)),
    schema: { anyOf: [{ type: 'string', minLength: 1 }, { type: 'number' }] },
  };
}

/** Any string, also an empty one. */
export function anyText(placeholder: string): Kind<string> {
  return {
    name: 'text',
    placeholder,
    parse: (value) => value,
    fromConfig(value) {
      if (typeof value !== 'string' && typeof value !== 'number') throw new Error('expected a string');
      return String(value);
    },
    schema: { anyOf: [{ type: 'string' }, { type: 'number' }] },
  };
}

const isText = (value: unknown): value is string | number => typeof value === 'string' || typeof value === 'number';

const ITEM_SCHEMA = { anyOf: [{ type: 'string' }, { type: 'number' }] };
const LIST_SCHEMA = { anyOf: [...ITEM_SCHEMA.anyOf, { type: 'array', items: ITEM_SCHEMA }] };

/** Words separated by blanks or commas (`at` says otherwise); a flag that is repeated adds to them. */
export function words(placeholder: string, at = /[\s,]+/): Kind<readonly string[]> {
  return {
    name: 'list',
    placeholder,
    parse: (value) => value.split(at).filter((word) => word !== ''),
    fromConfig(value) {
      if (Array.isArray(value) && value.every(isText)) return value.map(String);
      if (isText(value)) return words(placeholder, at).parse(String(value));
      throw new Error('expected a list of words');
    },
    schema: LIST_SCHEMA,
  };
}

/** Complete strings, one for each use of the flag (in the environment and in YAML strings: one per line). */
export function texts(placeholder: string): Kind<readonly string[]> {
  return {
    name: 'list',
    placeholder,
    parse: (value) => value.split('\n').filter((line) => line.trim() !== ''),
    fromConfig(value) {
      if (Array.isArray(value) && value.every(isText)) return value.map(String);
      if (isText(value)) return texts(placeholder).parse(String(value));
      throw new Error('expected a list of strings');
    },
    schema: LIST_SCHEMA,
  };
}

/** An integer between `min` and `max`. */
export function whole(placeholder: string, min = 0, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const check = (value: number) => {
    if (!Number.isSafeInteger(value) || value < min || value > max)
      throw new Error(`expected a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`);
    return value;
  };
  const parse = (value: string) => check(/^-?\d+$/.test(value.trim()) ? Number(value) : Number.NaN);
  return {
    name: 'number',
    placeholder,
    parse,
    fromConfig: (value) => (typeof value === 'string' ? parse(value) : check(typeof value === 'number' ? value : NaN)),
    // a string may hold the number as well; how large it is, only the program checks
    schema: {
      anyOf: [
        { type: 'integer', minimum: min, maximum: max },
        { type: 'string', pattern: min > 0 ? '^\\s*0*[1-9][0-9]*\\s*$' : '^\\s*-?[0-9]+\\s*$' },
      ],
    },
  };
}

/** One of a few words. */
export function choice<const C extends string>(...choices: readonly C[]): Kind<C> {
  const parse = (value: string): C => {
    const found = choices.find((one) => one === value.trim().toLowerCase());
    if (found === undefined) throw new Error(`expected one of ${choices.join(', ')}${didYouMean(value, choices)}`);
    return found;
  };
  return {
    name: 'choice',
    placeholder: choices.join('|'),
    parse,
    fromConfig: (value) => parse(typeof value === 'string' ? value : JSON.stringify(value)),
    schema: { anyOf: [{ enum: choices }, { type: 'string', pattern: anyCase(choices) }] },
    choices,
  };
}

/** A row of the settings table. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  /** Environment variables that set it, in order of precedence. */
  readonly environment: readonly string[];
  /** Heading in help and in the reference. */
  readonly group: string;
  /** Where it has an effect. */
  readonly scope: Scope;
  readonly description: string;
  /** Value when none is given; undefined if the distribution or the build decides. */
  readonly fallback: T | undefined;
  /** Not read from the config file (it would make no sense there). */
  readonly commandLineOnly?: boolean;
}

/** Creates a row. */
export function setting<T>(
  group: string,
  scope: Scope,
  kind: Kind<T>,
  environment: string | readonly string[],
  description: string,
  fallback?: T,
): Setting<T> {
  return {
    kind,
    environment: typeof environment === 'string' ? [environment] : environment,
    group,
    scope,
    description,
    fallback,
  };
}

/**
 * Parses one value of a setting; `source` is where it came from, as the user wrote it. Throws `SETTING_INVALID`.
 */
export function understand<T>(key: string, row: Setting<T>, source: string, value: string): T {
  try {
    return row.kind.parse(value);
  } catch (error) {
    throw new BuildError('SETTING_INVALID', { setting: key, source, value, reason: (error as Error).message });
  }
}
