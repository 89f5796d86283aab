import type { Call, Command } from '../command.ts';
import type { Given, Taken } from '../given.ts';
import { linesOf } from './lines.ts';

const NUMFMT: Taken = {
  known:
    'd,delimiter= field= format= from= from-unit= grouping header=? invalid= padding= round= suffix= to= to-unit= z,zero-terminated',
  missing: 'debug',
};
const LETTERS = 'KMGTPEZY';
const SCALES = new Set(['none', 'auto', 'si', 'iec', 'iec-i']);
const ROUNDINGS = new Set(['up', 'down', 'from-zero', 'towards-zero', 'nearest']);
const INVALID = new Set(['abort', 'fail', 'warn', 'ignore']);
/** Digits before the point of the largest number, without and with a unit. */
const MOST_PLAIN = 18;
const MOST_DIGITS = 33;

/** Thrown for a number or a setting that `numfmt` rejects. */
class ScaleError extends Error {}

/** An exact fraction; `under` is positive. */
interface Fraction {
  readonly over: bigint;
  readonly under: bigint;
}

/** How numbers are read and printed. */
interface Style {
  readonly from: string;
  readonly to: string;
  readonly fromUnit: bigint;
  readonly toUnit: bigint;
  readonly round: string;
  readonly suffix: string;
  readonly before: string;
  readonly after: string;
  /** Places after the point, as given by a format. */
  readonly places: number | undefined;
  /** Width to pad to with zeros. */
  readonly zeros: number;
  /** Width to pad to with blanks; negative: on the right. */
  readonly padding: number;
  /** Numbers keep the width that they have in the input. */
  readonly keepsWidth: boolean;
  readonly delimiter: string | undefined;
  readonly fields: (field: number) => boolean;
}

const magnitude = (n: bigint) => (n < 0n ? -n : n);

/** A fraction as a whole number. `even`: halves go to the even one. */
function rounded({ over, under }: Fraction, how: string): bigint {
  const down = over / under;
  const rest = over % under;
  if (rest === 0n) return down;
  const sign = over < 0n ? -1n : 1n;
  const away =
    how === 'from-zero' ||
    (how === 'even' && (magnitude(rest) * 2n > under || (magnitude(rest) * 2n === under && (down & 1n) === 1n))) ||
    (how === 'up' && sign > 0n) ||
    (how === 'down' && sign < 0n) ||
    (how === 'nearest' && magnitude(rest) * 2n >= under);
  return away ? down + sign : down;
}

/** Reads a number with its unit; `places` is how many digits follow its point. */
function parsed(text: string, from: string): Fraction & { readonly places: number } {
  const match = /^(-?)([0-9]*)(?:(\.)([0-9]*))?/.exec(text)!;
  const [head, sign, whole = '', point, part = ''] = match;
  if (whole === '' && (point === undefined || part === '')) throw new ScaleError(`invalid number: '${text}'`);
  if (point !== undefined && part === '') throw new ScaleError(`invalid number: '${text}'`);
  const digits = whole.replace(/^0+/, '');
  if (digits.length > MOST_DIGITS) throw new ScaleError(`value too large to be converted: '${text}'`);
  const units = BigInt(`${whole}${part}` || '0');
  let over = sign === '-' ? -units : units;
  const under = 10n ** BigInt(part.length);
  let rest = text.slice(head.length);
  if (rest === '' && from === 'iec-i') throw new ScaleError(`missing 'i' suffix in input: '${text}' (e.g Ki/Mi/Gi)`);
  if (rest === '') return { over, under, places: part.length };
  rest = rest.replace(/^[ \t]+/, '');
  const power = LETTERS.indexOf(rest[0] ?? ' ') + 1;
  if (power === 0) throw new ScaleError(`invalid suffix in input: '${text}'`);
  if (from === 'none') throw new ScaleError(`rejecting suffix in input: '${text}' (consider using --from)`);
  rest = rest.slice(1);
  let base = from === 'auto' || from === 'si' ? 1000n : 1024n;
  if (from === 'auto' && rest.startsWith('i')) {
    base = 1024n;
    rest = rest.slice(1);
  } else if (from === 'iec-i') {
    if (!rest.startsWith('i')) throw new ScaleError(`missing 'i' suffix in input: '${text}' (e.g Ki/Mi/Gi)`);
    rest = rest.slice(1);
  }
  if (rest !== '') throw new ScaleError(`invalid suffix in input '${text}': '${rest}'`);
  over *= base ** BigInt(power);
  return { over, under, places: 0 };
}

/** A whole number of the last of `places` places as text. */
function decimal(units: bigint, places: number, zeros: number): string {
  const minus = units < 0n;
  const digits = magnitude(units)
    .toString()
    .padStart(places + 1, '0');
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return minus ? `-${text.padStart(zeros - 1, '0')}` : text.padStart(zeros, '0');
}

/** Prints a number as {@link Style} says, without padding. */
function printed(value: Fraction, places: number, style: Style): string {
  const { to, round, zeros } = style;
  const scale = (by: number): Fraction => ({ over: value.over * 10n ** BigInt(by), under: value.under });
  const digits = (magnitude(value.over) / value.under).toString().length;
  if (to === 'none') {
    if (digits + places > MOST_PLAIN + 1 && digits > MOST_PLAIN)
      throw new ScaleError(`value too large to be printed (consider using --to)`);
    return decimal(rounded(scale(places), round), places, zeros);
  }
  if (digits > MOST_DIGITS) throw new ScaleError('value too large to be printed');
  const base = to === 'si' ? 1000n : 1024n;
  let { over, under } = value;
  let power = 0;
  while (magnitude(over) >= base * under && power < LETTERS.length) {
    under *= base;
    power++;
  }
  const kept = style.places === undefined ? (magnitude(over) < 10n * under ? 1 : 0) : Math.min(power * 3, style.places);
  let units = rounded({ over: over * 10n ** BigInt(kept), under }, round);
  over = units;
  under = 10n ** BigInt(kept);
  if (magnitude(over) >= base * under && power < LETTERS.length) {
    under *= base;
    power++;
  }
  const shown = style.places ?? (over !== 0n && magnitude(over) < 10n * under && power > 0 ? 1 : 0);
  // the second rounding is that of printf
  units = rounded({ over: over * 10n ** BigInt(shown), under }, 'even');
  const unit = power === 0 ? '' : `${LETTERS[power - 1]}${to === 'iec-i' ? 'i' : ''}`;
  return decimal(units, shown, zeros) + unit;
}

/** One field of a line, converted. */
function converted(field: string, at: number, style: Style): string {
  const { suffix } = style;
  const bare =
    suffix !== '' && field.length > suffix.length && field.endsWith(suffix) ? field.slice(0, -suffix.length) : field;
  const number = bare.replace(/^[ \t]+/, '');
  const value = parsed(number, style.from);
  const exact = { over: value.over * style.fromUnit, under: value.under * style.toUnit };
  const text = printed(exact, style.places ?? value.places, style) + suffix;
  let padding = style.padding;
  if (style.keepsWidth) padding = number.length < bare.length || at > 1 ? bare.length : 0;
  return style.before + (padding < 0 ? text.padEnd(-padding) : text.padStart(padding)) + style.after;
}

/** The fields of a line. A field begins with its blanks, and one blank or the delimiter divides it from the next. */
function divided(line: string, delimiter: string | undefined): string[] {
  if (delimiter !== undefined) return delimiter === '' ? [line] : line.split(delimiter);
  const out: string[] = [];
  const field = /[ \t]*[^ \t]*/y;
  for (let at = 0; ; at = field.lastIndex + 1) {
    field.lastIndex = at;
    out.push(field.exec(line)![0]);
    if (field.lastIndex >= line.length) return out;
  }
}

/** The fields of a list such as `1,3-5,7-`. */
function fieldsOf(list: string): (field: number) => boolean {
  const ranges = list.split(',').map((part) => {
    const match = /^(?:([0-9]+)(-)?([0-9]+)?|-([0-9]*))$/.exec(part);
    if (match === null) throw new ScaleError(`invalid field value '${part}'`);
    const [, from, dash, to, until] = match;
    const range =
      from === undefined
        ? [1, until === '' ? Number.POSITIVE_INFINITY : Number(until)]
        : [Number(from), to !== undefined ? Number(to) : dash === undefined ? Number(from) : Number.POSITIVE_INFINITY];
    if (range[0] === 0 || range[1] === 0) throw new ScaleError('fields are numbered from 1');
    if (range[1]! < range[0]!) throw new ScaleError('invalid decreasing range');
    return range as [number, number];
  });
  return (field) => ranges.some(([from, to]) => field >= from && field <= to);
}

/** A unit such as `1024`, `4K` or `1Mi`. */
function unitOf(text: string): bigint {
  const match = /^([0-9]{1,19})(?:([KMGTPEZY])(i)?)?$/.exec(text);
  const unit =
    match === null
      ? 0n
      : BigInt(match[1]!) * (match[3] === undefined ? 1000n : 1024n) ** BigInt(LETTERS.indexOf(match[2] ?? ' ') + 1);
  if (unit === 0n || unit >= 1n << 64n) throw new ScaleError(`invalid unit size: '${text}'`);
  return unit;
}

/** A format such as `%'-010.2f`, with what stands before and after it. */
function formatOf(text: string) {
  const match = /^((?:[^%]|%%)*)%([ '0-]*)([0-9]*)(?:\.([0-9]*))?f((?:[^%]|%%)*)$/.exec(text);
  if (match === null) throw new ScaleError(`invalid format '${text}', directive must be %[0]['][-][N][.][N]f`);
  const [, before = '', flags = '', width = '', places, after = ''] = match;
  if (Number(width) > 10_000 || Number(places ?? 0) > 1000)
    throw new ScaleError(`invalid precision in format '${text}'`);
  const size = Number(width);
  const zeros = flags.includes('0') ? size : 0;
  return {
    before: before.replaceAll('%%', '%'),
    after: after.replaceAll('%%', '%'),
    places: places === undefined ? undefined : Number(places),
    zeros,
    padding: zeros > 0 ? 0 : flags.includes('-') ? -size : size,
    grouped: flags.includes("'"),
  };
}

function styleOf(given: Given): Style {
  const choice = (name: string, values: ReadonlySet<string>, otherwise: string) => {
    const value = given.last(name) ?? otherwise;
    if (!values.has(value)) throw new ScaleError(`invalid argument '${value}' for '--${name}'`);
    return value;
  };
  const text = given.last('padding');
  if (text !== undefined && (!/^[-+]?[0-9]{1,4}$/.test(text) || Number(text) === 0))
    throw new ScaleError(`invalid padding value '${text}'`);
  const format = given.has('format') ? formatOf(given.last('format')!) : undefined;
  const [from, to] = [choice('from', SCALES, 'none'), choice('to', SCALES, 'none')];
  if (to === 'auto') throw new ScaleError(`invalid argument 'auto' for '--to'`);
  const grouped = given.has('grouping') || format?.grouped === true;
  if (format !== undefined && given.has('grouping'))
    throw new ScaleError('--grouping cannot be combined with --format');
  if (grouped && to !== 'none') throw new ScaleError('grouping cannot be combined with --to');
  const delimiter = given.last('d');
  if (delimiter !== undefined && delimiter.length > 1) throw new ScaleError('the delimiter must be a single character');
  const padding = format !== undefined && format.padding !== 0 ? format.padding : Number(text ?? 0);
  return {
    from,
    to,
    fromUnit: unitOf(given.last('from-unit') ?? '1'),
    toUnit: unitOf(given.last('to-unit') ?? '1'),
    round: choice('round', ROUNDINGS, 'from-zero'),
    suffix: given.last('suffix') ?? '',
    ...{ before: format?.before ?? '', after: format?.after ?? '', places: format?.places, zeros: format?.zeros ?? 0 },
    padding,
    keepsWidth: text === undefined && padding === 0 && delimiter === undefined,
    delimiter,
    fields: fieldsOf(given.last('field') ?? '1'),
  };
}

function numfmt(call: Call): number {
  // a negative number is no option
  const at = call.args.findIndex((arg) => /^-[0-9.]/.test(arg));
  const ended = call.args.indexOf('--');
  const args =
    at < 0 || (ended >= 0 && ended < at) ? call.args : [...call.args.slice(0, at), '--', ...call.args.slice(at)];
  const given = call.parse(NUMFMT, args);
  let style: Style;
  try {
    style = styleOf(given);
  } catch (error) {
    if (!(error instanceof ScaleError)) throw error;
    return call.fail(error.message);
  }
  const invalid = given.last('invalid') ?? 'abort';
  if (!INVALID.has(invalid)) return call.fail(`invalid argument '${invalid}' for '--invalid'`);
  const header = given.has('header') ? given.last('header') || '1' : '0';
  if (!/^[0-9]{1,15}$/.test(header) || (given.has('header') && Number(header) === 0))
    return call.fail(`invalid header value '${header}'`);
  const end = given.has('z') ? '\0' : '\n';
  let failed = false;
  const convert = (line: string): boolean => {
    call.shell.budget.spend();
    call.shell.budget.scan(line.length * 4);
    const { delimiter } = style;
    let text = '';
    for (const [i, field] of divided(line, delimiter).entries()) {
      if (i > 0) text += delimiter ?? ' ';
      try {
        text += style.fields(i + 1) ? converted(field, i + 1, style) : field;
      } catch (error) {
        if (!(error instanceof ScaleError)) throw error;
        if (invalid !== 'ignore') call.complain(error.message);
        failed = true;
        if (invalid === 'abort') {
          call.out(text);
          return false;
        }
        text += field;
      }
    }
    call.out(text + end);
    return true;
  };
  const status = () => (failed && (invalid === 'abort' || invalid === 'fail') ? 2 : 0);
  if (given.operands.length > 0) {
    for (const operand of given.operands) if (!convert(operand)) break;
    return status();
  }
  const text = call.input();
  const lines = linesOf(text, end);
  for (const [i, line] of lines.entries()) {
    if (i < Number(header)) call.out(line + end);
    else if (!convert(line)) break;
  }
  return status();
}

/** `numfmt`. */
export const SCALE_COMMANDS: Readonly<Record<string, Command>> = { numfmt };
