import { BuildError } from '../errors/error.ts';
import { didYouMean } from '../errors/nearest.ts';
import { flagOf, rowOf, SETTING_KEYS } from './table.ts';

/** One guest of a config file that has several. */
export interface Guest {
  /** Of the guest and its cell of the matrix: `gpu-aarch64`. Letters, digits, `.`, `_` and `-` only. */
  readonly name: string;
  /** Settings and outputs as one config file would have them: the shared ones, the guest's own, the matrix's. */
  readonly values: Readonly<Record<string, unknown>>;
  /** The cell of the matrix. */
  readonly cell: Readonly<Record<string, string>>;
}

type Mapping = Readonly<Record<string, unknown>>;

/** More guests than this are a mistake in a matrix. */
const MOST_GUESTS = 10_000;
/** What a build writes: two guests may not write to one path, nor push to one name. */
const WRITTEN = [
  ...(['rootfs', 'initrd', 'image', 'output', 'kernel', 'sbom', 'provenance', 'reference-values'] as const),
  'push',
] as const;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** True when the values of a config file describe several guests. */
export function hasGuests(values: unknown): boolean {
  return isMapping(values) && (values['guests'] !== undefined || values['matrix'] !== undefined);
}

/** The settings of a config file that all guests share; the values as they are when there are no guests. */
export function sharedValues(values: unknown): unknown {
  if (!hasGuests(values)) return values;
  const { guests: _guests, matrix: _matrix, ...shared } = values as Mapping;
  return shared;
}

/**
 * The guests of a config file: each entry of `guests:`, once for every cell of `matrix:`. A setting of a guest goes before
 * the shared one; an axis that a guest sets itself does not multiply it. In strings, `{guest}` is the guest's name and
 * `{arch}`, or any other setting with one value, that value. Throws `CONFIG_INVALID`, whose message has `path`.
 */
export function guestsOf(path: string, values: unknown): Guest[] {
  const invalid = (reason: string) => new BuildError('CONFIG_INVALID', { path, reason });
  const { guests = { '': null }, matrix: sharedMatrix, ...shared } = values as Mapping;
  if (!isMapping(guests) || Object.keys(guests).length === 0)
    throw invalid('guests: expected a mapping of names to settings');
  const found: Guest[] = [];
  for (const [name, own] of Object.entries(guests)) {
    if (name !== '' && !NAME.test(name))
      throw invalid(`guests: the name "${name}" may have letters, digits, ".", "_" and "-" only`);
    if (own !== null && !isMapping(own)) throw invalid(`guests: ${name}: expected a mapping of settings to values`);
    const { matrix = sharedMatrix, ...settings } = own ?? {};
    if (settings['guests'] !== undefined) throw invalid(`guests: ${name}: guests cannot have guests`);
    for (const cell of cellsOf(matrix, settings, (reason) => invalid(`${name === '' ? '' : `${name}: `}${reason}`))) {
      const parts = [...(name === '' ? [] : [name]), ...Object.values(cell)];
      const full = parts.map((part) => part.replace(/[^A-Za-z0-9._-]/g, '_')).join('-');
      const merged = { ...shared, ...settings, ...cell };
      const at = (reason: string) => invalid(`${full}: ${reason}`);
      found.push({ name: full, cell, values: filled(merged, full, at) as Mapping });
      if (found.length > MOST_GUESTS) throw invalid(`more than ${MOST_GUESTS} guests`);
    }
  }
  rejectSame(found, invalid);
  return found;
}

/** Every combination of the values of a matrix, in the order of the file. */
function cellsOf(matrix: unknown, own: Mapping, invalid: (reason: string) => Error): Record<string, string>[] {
  if (matrix === undefined || matrix === null) return [{}];
  if (!isMapping(matrix)) throw invalid('matrix: expected a mapping of settings to lists of values');
  const { exclude, ...axes } = matrix;
  const known = SETTING_KEYS.filter((key) => !rowOf(key).commandLineOnly).map(flagOf);
  let cells: Record<string, string>[] = [{}];
  for (const [axis, list] of Object.entries(axes)) {
    if (!known.includes(axis)) throw invalid(`matrix: unknown setting "${axis}"${didYouMean(axis, known)}`);
    const scalars = Array.isArray(list) ? list.map(textOf) : [];
    if (scalars.length === 0 || scalars.includes(undefined))
      throw invalid(`matrix: ${axis}: expected a list of values`);
    if (new Set(scalars).size < scalars.length) throw invalid(`matrix: ${axis}: a value is there twice`);
    if (own[axis] !== undefined) continue;
    cells = cells.flatMap((cell) => scalars.map((value) => ({ ...cell, [axis]: value! })));
    if (cells.length > MOST_GUESTS) throw invalid(`matrix: more than ${MOST_GUESTS} guests`);
  }
  const without = exclusionsOf(exclude, axes, invalid);
  const value = (cell: Record<string, string>, axis: string) => cell[axis] ?? textOf(own[axis]);
  return cells.filter(
    (cell) => !without.some((one) => Object.entries(one).every(([axis, text]) => value(cell, axis) === text)),
  );
}

/** The combinations that a matrix leaves out. */
function exclusionsOf(exclude: unknown, axes: Mapping, invalid: (reason: string) => Error): Record<string, string>[] {
  if (exclude === undefined || exclude === null) return [];
  if (!Array.isArray(exclude)) throw invalid('matrix: exclude: expected a list of combinations');
  return exclude.map((one) => {
    if (!isMapping(one) || Object.keys(one).length === 0)
      throw invalid('matrix: exclude: expected a mapping of settings to values');
    return Object.fromEntries(
      Object.entries(one).map(([axis, value]) => {
        const text = textOf(value);
        const values = axes[axis];
        if (!Array.isArray(values)) throw invalid(`matrix: exclude: the matrix has no ${axis}`);
        if (text === undefined || !values.map(textOf).includes(text))
          throw invalid(`matrix: exclude: ${axis} has no value "${text ?? JSON.stringify(value)}"`);
        return [axis, text];
      }),
    );
  });
}

/** Values with `{guest}` and `{SETTING}` in their strings replaced. */
function filled(values: Mapping, guest: string, invalid: (reason: string) => Error): unknown {
  const names = new Set(SETTING_KEYS.map(flagOf));
  const replace = (text: string) =>
    text.replace(/\{([a-z][a-z0-9-]*)\}/g, (all, key: string) => {
      if (key === 'guest') return guest;
      if (!names.has(key)) return all;
      const value = textOf(values[key]);
      if (value === undefined) throw invalid(`"${text}": the guest sets no ${key}`);
      return value;
    });
  const fill = (value: unknown): unknown =>
    typeof value === 'string'
      ? replace(value)
      : Array.isArray(value)
        ? value.map(fill)
        : isMapping(value)
          ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fill(one)]))
          : value;
  return fill(values);
}

function rejectSame(guests: readonly Guest[], invalid: (reason: string) => Error): void {
  const names = new Set<string>();
  const writers = new Map<string, string>();
  for (const { name, values } of guests) {
    if (names.has(name)) throw invalid(`two guests have the name "${name}"`);
    names.add(name);
    for (const key of WRITTEN) {
      const path = textOf(values[key])?.replace(/\/+$/, '');
      if (path === undefined) continue;
      const other = writers.get(path);
      if (other !== undefined && other !== name)
        throw invalid(`${key}: the guests ${other} and ${name} both write ${path}; put {guest} into the path`);
      writers.set(path, name);
    }
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
