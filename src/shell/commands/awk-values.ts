import { fixed, general } from '../printf.ts';
import { AwkError } from './awk-syntax.ts';

/** Text of the input, which is a number where it looks like one; also an unset variable, which is both. */
export class Strnum {
  readonly text: string;
  #value: number | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** The number that it looks like; NaN when it does not look like one. */
  get value(): number {
    if (this.#value === undefined) this.#value = looksNumeric(this.text) ? Number(this.text) : Number.NaN;
    return this.#value;
  }
}

export type Cell = string | number | Strnum;
export type AwkArray = Map<string, Cell>;

/** The value of a variable that was never set. */
export const UNSET = new Strnum('');

const NUMBER = /^[ \t\n\r\f\v]*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?/;
const COMPLETE = /^[ \t\n\r\f\v]*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[ \t\n\r\f\v]*$/;

const looksNumeric = (text: string) => text.length > 0 && text.length < 400 && COMPLETE.test(text);

/** The number at the start of a value. */
export function toNumber(value: Cell): number {
  if (typeof value === 'number') return value;
  if (value instanceof Strnum) {
    const exact = value.value;
    return Number.isNaN(exact) ? leading(value.text) : exact;
  }
  return leading(value);
}

function leading(text: string): number {
  const c = text.charCodeAt(0);
  // most text does not begin like a number
  if (c > 57 || text === '') return 0;
  const match = NUMBER.exec(text.length > 400 ? text.slice(0, 400) : text);
  return match === null ? 0 : Number(match[0]);
}

/** A value as text; numbers by CONVFMT or OFMT. */
export function toText(value: Cell, format: string): string {
  if (typeof value === 'string') return value;
  if (value instanceof Strnum) return value.text;
  if (Number.isInteger(value)) return Math.abs(value) < 1e16 ? String(value) : BigInt(value).toString();
  return format === '%.6g' && Number.isFinite(value) ? general(value, 6) : formatAwk(format, [value], toNumber);
}

/** Whether a value is true: a number other than zero, text that is not empty. */
export function toTruth(value: Cell): boolean {
  if (typeof value === 'number') return value !== 0;
  if (value instanceof Strnum) return Number.isNaN(value.value) ? value.text !== '' : value.value !== 0;
  return value !== '';
}

const isNumeric = (value: Cell) =>
  typeof value === 'number' || (value instanceof Strnum && (value === UNSET || !Number.isNaN(value.value)));

/** Compares as awk does: numbers as numbers, everything else as text. */
export function compare(a: Cell, b: Cell, format: string): number {
  if (isNumeric(a) && isNumeric(b)) {
    if (a === UNSET && b === UNSET) return 0;
    return toNumber(a) - toNumber(b);
  }
  const [x, y] = [toText(a, format), toText(b, format)];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** `sprintf`. `number` converts an argument. */
export function formatAwk(format: string, args: readonly Cell[], number: (value: Cell) => number): string {
  let next = 0;
  const take = (): Cell => {
    const value = args[next++];
    if (value === undefined) throw new AwkError(`not enough arguments passed to sprintf("${format}")`);
    return value;
  };
  const count = (text: string | undefined, most: number): number | undefined =>
    text === undefined
      ? undefined
      : Math.max(-most, Math.min(Math.trunc(text === '*' ? number(take()) : Number(text || 0)), most));
  return format.replace(
    /%([-+ #0']*)(\*|[0-9]+)?(?:\.(\*|[0-9]*))?[hlL]*([a-zA-Z%])/g,
    (all, flags: string, width: string | undefined, precision: string | undefined, letter: string) => {
      if (letter === '%') return '%';
      const size = count(width, 1_000_000) ?? 0;
      const places = count(precision, 1000);
      if (!'diouxXcsaAeEfFgG'.includes(letter)) return all;
      const text = converted(letter, flags, places, take(), number);
      const left = flags.includes('-') || size < 0;
      const wide = Math.abs(size);
      if (text.length >= wide) return text;
      if (left) return text.padEnd(wide);
      const zero =
        flags.includes('0') && !'sc'.includes(letter) && !('diouxX'.includes(letter) && places !== undefined);
      if (!zero || /[a-z]{3}$/i.test(text)) return text.padStart(wide);
      const sign = /^[-+ ]?(?:0[xX])?/.exec(text)![0];
      return sign + text.slice(sign.length).padStart(wide - sign.length, '0');
    },
  );
}

function converted(
  letter: string,
  flags: string,
  places: number | undefined,
  arg: Cell,
  number: (value: Cell) => number,
): string {
  if (letter === 's') {
    const text = toText(arg, '%.6g');
    return places === undefined ? text : text.slice(0, places);
  }
  if (letter === 'c') {
    if (isNumeric(arg) && arg !== UNSET) return String.fromCharCode(number(arg) & 255);
    return toText(arg, '%.6g').slice(0, 1) || '\0';
  }
  const value = number(arg);
  const plus = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  if (!Number.isFinite(value)) {
    const name = Number.isNaN(value) ? 'nan' : 'inf';
    return (
      (value < 0 || Object.is(value, -Number.NaN) ? '-' : plus) + (/[A-Z]/.test(letter) ? name.toUpperCase() : name)
    );
  }
  if ('di'.includes(letter)) {
    const whole = BigInt(Math.trunc(value));
    const digits = (whole < 0n ? -whole : whole).toString().padStart(places ?? 0, '0');
    return (value < 0 && whole !== 0n ? '-' : plus) + (places === 0 && whole === 0n ? '' : digits);
  }
  if ('ouxX'.includes(letter)) {
    const whole = BigInt.asUintN(64, BigInt(Math.trunc(value)));
    let digits = whole.toString(letter === 'o' ? 8 : letter === 'u' ? 10 : 16).padStart(places ?? 0, '0');
    if (letter === 'X') digits = digits.toUpperCase();
    if (flags.includes('#') && whole !== 0n)
      digits = (letter === 'o' ? '0' : letter === 'u' ? '' : `0${letter}`) + digits;
    return digits;
  }
  const sign = value < 0 || Object.is(value, -0) ? '' : plus;
  const precise = Math.min(places ?? 6, 100);
  let text: string;
  if ('fF'.includes(letter))
    text =
      Math.abs(value) >= 1e21
        ? BigInt(value).toString() + (precise > 0 ? `.${'0'.repeat(precise)}` : '')
        : fixed(value, precise);
  else if ('eE'.includes(letter)) text = value.toExponential(precise).replace(/e([-+])(\d)$/, 'e$10$2');
  else if ('gG'.includes(letter)) text = general(value, precise || 1);
  else text = value.toString(16);
  return sign + (/[A-Z]/.test(letter) ? text.toUpperCase() : text);
}
