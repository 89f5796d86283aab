import { BuildError } from '../errors/error.ts';

/** A setting's type: how its text is understood, and how the config file's schema describes it. */
export interface Kind<T> {
  readonly name: 'yes-no' | 'text' | 'list' | 'number' | 'choice';
  /** Shown in help: `URL`, `FILE`, `N`. */
  readonly placeholder: string;
  /** Understands one text (from the command line or the environment). Throws a plain Error with the reason. */
  parse(text: string): T;
  /** Understands a value from the YAML config file. */
  fromConfig(value: unknown): T;
  readonly schema: Record<string, unknown>;
  readonly choices?: readonly string[];
}

const YES = new Set(['yes', 'true', '1', 'y', 'on']);
const NO = new Set(['no', 'false', '0', 'n', 'off', '']);

/** yes/no, true/false, 1/0. */
export const yesNo: Kind<boolean> = {
  name: 'yes-no',
  placeholder: '',
  parse(text) {
    const word = text.trim().toLowerCase();
    if (YES.has(word)) return true;
    if (NO.has(word)) return false;
    throw new Error('say yes or no');
  },
  fromConfig(value) {
    if (typeof value === 'boolean') return value;
    return yesNo.parse(String(value));
  },
  schema: { type: ['boolean', 'string'], pattern: '^(yes|no|true|false|1|0)$' },
};

/** Any text. `placeholder` is what help calls it. */
export function text(placeholder: string): Kind<string> {
  return {
    name: 'text',
    placeholder,
    parse: (value) => value,
    fromConfig(value) {
      if (typeof value !== 'string' && typeof value !== 'number') throw new Error('a text is wanted');
      return String(value);
    },
    schema: { type: ['string', 'number'] },
  };
}

/** Words separated by blanks or commas; a flag that is repeated adds to them. */
export function words(placeholder: string): Kind<readonly string[]> {
  return {
    name: 'list',
    placeholder,
    parse: (value) => value.split(/[\s,]+/).filter((word) => word !== ''),
    fromConfig(value) {
      if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value as string[];
      if (typeof value === 'string') return words(placeholder).parse(value);
      throw new Error('a list of words is wanted');
    },
    schema: { oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
  };
}

/** Whole texts, one for each time the flag is given (in the environment and in YAML strings: one a line). */
export function texts(placeholder: string): Kind<readonly string[]> {
  return {
    name: 'list',
    placeholder,
    parse: (value) => value.split('\n').filter((line) => line.trim() !== ''),
    fromConfig(value) {
      if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value as string[];
      if (typeof value === 'string') return texts(placeholder).parse(value);
      throw new Error('a list of texts is wanted');
    },
    schema: { oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
  };
}

/** A whole number between `min` and `max`. */
export function whole(placeholder: string, min = 0, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const check = (value: number) => {
    if (!Number.isSafeInteger(value) || value < min || value > max)
      throw new Error(`a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`} is wanted`);
    return value;
  };
  return {
    name: 'number',
    placeholder,
    parse: (value) => check(/^-?\d+$/.test(value.trim()) ? Number(value) : Number.NaN),
    fromConfig: (value) => check(typeof value === 'number' ? value : Number.NaN),
    schema: { type: 'integer', minimum: min, ...(max === Number.MAX_SAFE_INTEGER ? {} : { maximum: max }) },
  };
}

/** One of a few words. */
export function choice<const C extends string>(...choices: readonly C[]): Kind<C> {
  const parse = (value: string): C => {
    const found = choices.find((one) => one === value.trim().toLowerCase());
    if (found === undefined) throw new Error(`one of ${choices.join(', ')} is wanted`);
    return found;
  };
  return {
    name: 'choice',
    placeholder: choices.join('|'),
    parse,
    fromConfig: (value) => parse(String(value)),
    schema: { enum: choices },
    choices,
  };
}

/** A row of the settings table. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  /** Environment variables that give it, first one first. */
  readonly environment: readonly string[];
  /** Heading in help and in the reference. */
  readonly group: string;
  readonly description: string;
  /** Value when nobody says anything; undefined where the distribution or the build decides. */
  readonly fallback: T | undefined;
  /** Not read from the config file (it would make no sense there). */
  readonly commandLineOnly?: boolean;
}

/** Makes a row. */
export function setting<T>(
  group: string,
  kind: Kind<T>,
  environment: string | readonly string[],
  description: string,
  fallback?: T,
): Setting<T> {
  return {
    kind,
    environment: typeof environment === 'string' ? [environment] : environment,
    group,
    description,
    fallback,
  };
}

/** Understands one value, or refuses naming where it came from. */
export function understand<T>(row: Setting<T>, source: string, value: string): T {
  try {
    return row.kind.parse(value);
  } catch (error) {
    throw new BuildError('SETTING_INVALID', { source, value, reason: (error as Error).message });
  }
}
