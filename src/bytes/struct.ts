/**
 * On-disk records as tables: one declaration gives writing, reading, offsets, size and the type.
 *
 * ```ts
 * const Header = struct('cpio newc header', 110, { magic: text(6), ino: hex(8), … check: at(102, hex(8)) });
 * ```
 */

/** One field of a fixed size. */
export interface Field<T> {
  readonly size: number;
  /** The value of a field that was left out. */
  readonly empty: T;
  read(bytes: Uint8Array, view: DataView, offset: number): T;
  write(bytes: Uint8Array, view: DataView, offset: number, value: T): void;
  /** Offset the specification states, checked on load. */
  readonly at?: number;
}

function number(
  size: number,
  read: (view: DataView, at: number) => number,
  write: (view: DataView, at: number, value: number) => void,
): Field<number> {
  return {
    size,
    empty: 0,
    read: (_, view, at) => read(view, at),
    write: (_, view, at, value) => write(view, at, value),
  };
}

export const u8 = number(
  1,
  (v, a) => v.getUint8(a),
  (v, a, n) => v.setUint8(a, n),
);
export const u16 = number(
  2,
  (v, a) => v.getUint16(a, true),
  (v, a, n) => v.setUint16(a, n, true),
);
export const u32 = number(
  4,
  (v, a) => v.getUint32(a, true),
  (v, a, n) => v.setUint32(a, n, true),
);
export const i32 = number(
  4,
  (v, a) => v.getInt32(a, true),
  (v, a, n) => v.setInt32(a, n, true),
);
/** 64 bits as a number, exact below 2^53. */
export const u64 = number(
  8,
  (v, a) => v.getUint32(a, true) + v.getUint32(a + 4, true) * 2 ** 32,
  (v, a, n) => {
    v.setUint32(a, n % 2 ** 32, true);
    v.setUint32(a + 4, Math.floor(n / 2 ** 32), true);
  },
);
/** 64 bits with a sign as a number, exact between -2^53 and 2^53. */
export const i64 = number(
  8,
  (v, a) => v.getUint32(a, true) + v.getInt32(a + 4, true) * 2 ** 32,
  (v, a, n) => {
    v.setUint32(a, n % 2 ** 32, true);
    v.setInt32(a + 4, Math.floor(n / 2 ** 32), true);
  },
);
export const u16be = number(
  2,
  (v, a) => v.getUint16(a),
  (v, a, n) => v.setUint16(a, n),
);
export const u32be = number(
  4,
  (v, a) => v.getUint32(a),
  (v, a, n) => v.setUint32(a, n),
);

/** Like {@link u64}, the most significant byte first. */
export const u64be = number(
  8,
  (v, a) => v.getUint32(a) * 2 ** 32 + v.getUint32(a + 4),
  (v, a, n) => {
    v.setUint32(a, Math.floor(n / 2 ** 32));
    v.setUint32(a + 4, n % 2 ** 32);
  },
);

/** Latin-1 text, padded with NULs; reading stops at the first NUL. */
export function text(size: number): Field<string> {
  return {
    size,
    empty: '',
    read(bytes, _, at) {
      let end = at;
      while (end < at + size && bytes[end] !== 0) end++;
      return latin1(bytes.subarray(at, end));
    },
    write(bytes, _, at, value) {
      if (value.length > size) throw new RangeError(`"${value}" does not fit ${size} bytes`);
      for (let i = 0; i < size; i++) bytes[at + i] = i < value.length ? value.charCodeAt(i) : 0;
    },
  };
}

/** Raw bytes; shorter values are padded with zeros. */
export function raw(size: number): Field<Uint8Array> {
  return {
    size,
    empty: new Uint8Array(size),
    read: (bytes, _, at) => new Uint8Array(bytes.subarray(at, at + size)),
    write(bytes, _, at, value) {
      if (value.length > size) throw new RangeError(`${value.length} bytes do not fit ${size}`);
      bytes.fill(0, at, at + size);
      bytes.set(value, at);
    },
  };
}

/** A number as upper-case hexadecimal digits, as in cpio newc. NaN when the digits are invalid. */
export function hex(digits: number): Field<number> {
  return {
    size: digits,
    empty: 0,
    read(bytes, _, at) {
      const digitsText = latin1(bytes.subarray(at, at + digits));
      return /^[0-9a-fA-F]+$/.test(digitsText) ? Number.parseInt(digitsText, 16) : Number.NaN;
    },
    write(bytes, _, at, value) {
      const digitsText = value.toString(16).toUpperCase().padStart(digits, '0');
      if (digitsText.length > digits || value < 0) throw new RangeError(`${value} does not fit ${digits} hex digits`);
      for (let i = 0; i < digits; i++) bytes[at + i] = digitsText.charCodeAt(i);
    },
  };
}

/** `count` equal fields in a row. */
export function array<T>(count: number, field: Field<T>): Field<readonly T[]> {
  return {
    size: count * field.size,
    empty: [],
    read: (bytes, view, at) => Array.from({ length: count }, (_, i) => field.read(bytes, view, at + i * field.size)),
    write(bytes, view, at, value) {
      for (let i = 0; i < count; i++) field.write(bytes, view, at + i * field.size, value[i] ?? field.empty);
    },
  };
}

/** States a field's offset as in the specification; checked when the table is created. */
export function at<T>(offset: number, field: Field<T>): Field<T> {
  return { ...field, at: offset };
}

type Value<F> = { -readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** A record of fixed size. */
export interface Struct<F> {
  readonly name: string;
  readonly size: number;
  readonly offset: { readonly [K in keyof F]: number };
  /** Writes the record at `start`; fields left out are zero. */
  write(into: Uint8Array, start: number, value: Partial<Value<F>>): void;
  /** Reads the record at `start`. */
  read(from: Uint8Array, start?: number): Value<F>;
  /** The record as fresh bytes. */
  bytes(value: Partial<Value<F>>): Uint8Array;
}

/** Declares a record; `size` and every `at` are checked on load, so that a typo cannot reach a disk. */
// biome-ignore lint/suspicious/noExplicitAny: the fields' own types are inferred; a common bound needs any
export function struct<F extends Record<string, Field<any>>>(name: string, size: number, fields: F): Struct<F> {
  const names = Object.keys(fields) as (keyof F & string)[];
  const offset = {} as { [K in keyof F]: number };
  let end = 0;
  for (const key of names) {
    const field = fields[key]!;
    if (field.at !== undefined && field.at !== end)
      throw new TypeError(`${name}.${key} is at ${end}, the specification says ${field.at}`);
    offset[key] = end;
    end += field.size;
  }
  if (end !== size) throw new TypeError(`${name} has ${end} bytes, the specification says ${size}`);
  const table: Struct<F> = {
    name,
    size,
    offset,
    write(into, start, value) {
      if (start + size > into.length) throw new RangeError(`${name} does not fit at ${start} of ${into.length} bytes`);
      const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
      for (const key of names) {
        const field = fields[key]!;
        field.write(into, view, start + offset[key], value[key] ?? field.empty);
      }
    },
    read(from, start = 0) {
      if (start + size > from.length) throw new RangeError(`${name} is cut off at ${from.length - start} bytes`);
      const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
      const value = {} as Record<string, unknown>;
      for (const key of names) value[key] = fields[key]!.read(from, view, start + offset[key]);
      return value as Value<F>;
    },
    bytes(value) {
      const into = new Uint8Array(size);
      table.write(into, 0, value);
      return into;
    },
  };
  return table;
}

/** The type of a record's value, from its table. */
export type Of<S> = S extends Struct<infer F> ? Value<F> : never;

/** Bytes as a string of one character per byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The inverse of {@link latin1}: one byte per character. */
export function fromLatin1(value: string): Uint8Array {
  return Buffer.from(value, 'latin1');
}
