import { latin1 } from '../../bytes/struct.ts';

/** A value of a row: a text, one character per byte; a whole number from -2^47 to 2^47; bytes; nothing. */
export type Value = string | number | Uint8Array | undefined;

/** Bytes of a number as SQLite writes lengths: 7 bits in each, the highest first. */
export function varintSize(value: number): number {
  let size = 1;
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) size++;
  return size;
}

/** Writes such a number, below 2^53; where it ends. */
export function writeVarint(out: Uint8Array, at: number, value: number): number {
  const size = varintSize(value);
  let left = value;
  for (let i = size - 1; i >= 0; i--) {
    out[at + i] = (left % 128) | (i === size - 1 ? 0 : 128);
    left = Math.floor(left / 128);
  }
  return at + size;
}

/** The serial type of a value: what its bytes are, and how many. */
function serialType(value: Value): number {
  if (value === undefined) return 0;
  if (typeof value === 'string') return 13 + 2 * value.length;
  if (typeof value !== 'number') return 12 + 2 * value.length;
  if (value === 0 || value === 1) return 8 + value;
  const bits = value < 0 ? -value - 1 : value;
  if (bits < 2 ** 7) return 1;
  if (bits < 2 ** 15) return 2;
  if (bits < 2 ** 23) return 3;
  if (bits < 2 ** 31) return 4;
  if (bits < 2 ** 47) return 5;
  throw new RangeError(`${value} has more than 48 bits`);
}

/** Bytes of a whole number by its serial type. */
const NUMBER_BYTES = [0, 1, 2, 3, 4, 6] as const;

function sizeOf(value: Value): number {
  if (value === undefined) return 0;
  if (typeof value !== 'number') return value.length;
  return NUMBER_BYTES[serialType(value)] ?? 0;
}

/** A row, or a key of an index, as its bytes stand in a cell. */
export function record(values: readonly Value[]): Uint8Array {
  const types = values.map(serialType);
  const typesSize = types.reduce((sum, type) => sum + varintSize(type), 0);
  // the size of the head counts itself
  const headSize = typesSize + (typesSize + 1 < 128 ? 1 : 2);
  const out = new Uint8Array(values.reduce<number>((sum, value) => sum + sizeOf(value), headSize));
  let at = writeVarint(out, 0, headSize);
  for (const type of types) at = writeVarint(out, at, type);
  for (const value of values) {
    const size = sizeOf(value);
    if (typeof value === 'string') for (let i = 0; i < size; i++) out[at + i] = value.charCodeAt(i);
    else if (typeof value === 'number') {
      let left = value;
      for (let i = size - 1; i >= 0; i--) {
        out[at + i] = ((left % 256) + 256) % 256;
        left = Math.floor(left / 256);
      }
    } else if (value !== undefined) out.set(value, at);
    at += size;
  }
  return out;
}

/** Order of the keys of an index: nothing, numbers, texts by their bytes, bytes. */
export function compareValues(a: Value, b: Value): number {
  const rank = (value: Value) =>
    value === undefined ? 0 : typeof value === 'number' ? 1 : typeof value === 'string' ? 2 : 3;
  const by = rank(a) - rank(b);
  if (by !== 0 || a === undefined) return by;
  if (typeof a === 'number') return a - (b as number);
  if (typeof a === 'string') return a < (b as string) ? -1 : a > (b as string) ? 1 : 0;
  return compareValues(latin1(a), latin1(b as Uint8Array));
}
