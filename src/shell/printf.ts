import type { Call } from './command.ts';
import { bashEscapes, takeEscapes } from './escapes.ts';
import { strftime } from './strftime.ts';
import { bashQuote } from './transform.ts';

const SPEC = /%(?:%|([-+ #0']*)(\*|[0-9]+)?(?:\.(\*|[0-9]*))?([hlLjzt]*)(?:([a-zA-Z])|\(([^)]*)\)T))/g;

/** bash's `printf`, which can assign the result: `printf -v name format`. */
export function bashPrintf(call: Call): number {
  if (call.args[0] !== '-v') return printf(call);
  const name = call.args[1] ?? '';
  const { shell } = call;
  const element = /^([A-Za-z_]\w*)(?:\[([\s\S]*)\])?$/.exec(name);
  if (element === null) return call.fail(`\`${name}': not a valid identifier`, 2);
  const args = call.args.slice(call.args[2] === '--' ? 3 : 2);
  return printf(call, args, (text) => {
    if (element[2] === undefined) shell.assign(name, text);
    else shell.setElement(element[1]!, element[2], text);
  });
}

/** `printf`: the format is reused while arguments remain. The output goes to `write`. */
export function printf(
  call: Call,
  args: readonly string[] = call.args[0] === '--' ? call.args.slice(1) : call.args,
  write: (text: string) => void = (text) => call.out(text),
): number {
  const bash = call.shell.dialect !== 'dash';
  const format = args[0];
  if (format === undefined) return call.fail('usage: printf format [arg ...]', 2);
  let next = 1;
  let status = 0;
  let stop = false;
  const take = () => args[next++];
  call.shell.budget.scan(format.length * 2);
  const pieces = splitFormat(bash ? bashEscapes(format, 'format').text : takeEscapes(format, false).text);
  let out = '';
  // what stands before a wrong directive is printed
  const invalid = (what: string): number => {
    write(out);
    return call.fail(`${what}: invalid directive`, bash ? 1 : 2);
  };
  do {
    const before = next;
    for (const piece of pieces) {
      if (stop) break;
      if (typeof piece === 'string') {
        out += piece;
        continue;
      }
      if (piece.letter === '') return invalid('%');
      if (!bash && piece.size !== '') return invalid(`%${piece.size}`);
      const width = piece.width === '*' ? Number(take() ?? 0) : Number(piece.width ?? 0);
      const precision =
        piece.precision === '*'
          ? Number(take() ?? 0)
          : piece.precision === undefined
            ? undefined
            : Number(piece.precision);
      if (Math.abs(width) > 1 << 20 || (precision ?? 0) > 1 << 20) return call.fail('too wide', 1);
      let text: string;
      if (piece.letter === 'b') {
        const made = bash ? bashEscapes(take() ?? '', 'argument') : takeEscapes(take() ?? '', true);
        stop = made.stop;
        text = precision === undefined ? made.text : made.text.slice(0, precision);
      } else if (piece.letter === 's') {
        const value = take() ?? '';
        text = precision === undefined ? value : value.slice(0, precision);
      } else if (piece.letter === 'q' && bash) text = bashQuote(take() ?? '');
      else if (piece.letter === '(' && bash) text = formatTime(piece.time ?? '', call, take());
      else if (piece.letter === 'c') text = (take() ?? '').slice(0, 1) || '\0';
      else {
        const made = number(piece.letter, piece.flags, precision, take());
        if (made === undefined) return invalid(`%${piece.letter}`);
        if (made.bad) {
          status = 1;
          call.complain(made.bad);
        }
        text = made.text;
      }
      out += pad(text, width, piece.flags, piece.letter, precision);
      call.shell.budget.length(out.length);
      call.shell.budget.scan(text.length);
    }
    call.shell.budget.spend();
    if (next === before) break;
  } while (next < args.length && !stop);
  write(out);
  return status;
}

interface Directive {
  readonly flags: string;
  readonly width: string | undefined;
  readonly precision: string | undefined;
  /** Empty where a `%` begins no directive. */
  readonly letter: string;
  /** `l`, `ll`, `h` … */
  readonly size: string;
  /** Format of `%(…)T`. */
  readonly time: string | undefined;
}

function splitFormat(format: string): (string | Directive)[] {
  const pieces: (string | Directive)[] = [];
  let from = 0;
  const plain = (text: string) => {
    const at = text.indexOf('%');
    pieces.push(at < 0 ? text : text.slice(0, at));
    if (at >= 0)
      pieces.push({ flags: '', width: undefined, precision: undefined, letter: '', size: '', time: undefined });
  };
  for (const match of format.matchAll(SPEC)) {
    plain(format.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[0] === '%%') pieces.push('%');
    else
      pieces.push({
        ...{ flags: match[1] ?? '', width: match[2], precision: match[3], letter: match[5] ?? '(' },
        size: match[4] ?? '',
        time: match[6],
      });
  }
  plain(format.slice(from));
  return pieces;
}

/** `%(format)T` of bash. */
function formatTime(format: string, call: Call, arg: string | undefined): string {
  const seconds = arg === undefined || arg === '-1' || arg === '-2' ? call.files.time : Number.parseInt(arg, 10) || 0;
  return strftime(format || '%X', seconds) ?? '';
}

function number(letter: string, flags: string, precision: number | undefined, arg: string | undefined) {
  let bad: string | undefined;
  const text = arg ?? '0';
  if ('diouxX'.includes(letter)) {
    let value = 0n;
    if (text.startsWith('"') || text.startsWith("'")) value = BigInt(text.charCodeAt(1) || 0);
    else {
      const match = /^\s*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/.exec(text);
      if (match === null || match[0].length < text.length)
        bad = `${text}: ${match === null ? 'expected numeric value' : 'not completely converted'}`;
      if (match !== null) {
        const digits = match[2]!;
        value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
        if (match[1] === '-') value = -value;
      }
    }
    const signed = letter === 'd' || letter === 'i';
    if (!signed) value = BigInt.asUintN(64, value);
    const radix = letter === 'o' ? 8 : letter === 'x' || letter === 'X' ? 16 : 10;
    let digits = (value < 0n ? -value : value).toString(radix);
    if (letter === 'X') digits = digits.toUpperCase();
    if (precision !== undefined) digits = precision === 0 && value === 0n ? '' : digits.padStart(precision, '0');
    if (flags.includes('#') && value !== 0n) digits = (radix === 16 ? `0${letter}` : radix === 8 ? '0' : '') + digits;
    const sign = value < 0n ? '-' : !signed ? '' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
    return { text: sign + digits, bad };
  }
  if (!'eEfFgG'.includes(letter)) return undefined;
  const { value: real, bad: wrong } = realNumber(text);
  bad = wrong;
  const places = Math.min(precision ?? 6, 100);
  let made: string;
  if (!Number.isFinite(real)) made = Number.isNaN(real) ? 'nan' : real < 0 ? '-inf' : 'inf';
  else if (letter === 'f' || letter === 'F') made = fixed(real, places);
  else if (letter === 'e' || letter === 'E') made = real.toExponential(places).replace(/e([-+])(\d)$/, 'e$10$2');
  else made = general(real, places || 1);
  if (letter === 'E' || letter === 'G') made = made.toUpperCase();
  const sign = flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  return { text: (made.startsWith('-') ? '' : sign) + made, bad };
}

/** A number as strtod(3) reads it. */
function realNumber(text: string): { value: number; bad: string | undefined } {
  if (/^["']/.test(text)) return { value: text.charCodeAt(1) || 0, bad: undefined };
  const found =
    /^\s*([-+]?)(0[xX][0-9a-fA-F]+|[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|inf(?:inity)?|nan)/i.exec(
      text,
    );
  if (found === null) return { value: 0, bad: text === '' ? undefined : `${text}: expected numeric value` };
  const digits = found[2]!.toLowerCase();
  const size = digits.startsWith('inf') ? Number.POSITIVE_INFINITY : digits === 'nan' ? Number.NaN : Number(digits);
  const bad = found[0].length < text.length ? `${text}: not completely converted` : undefined;
  return { value: found[1] === '-' ? -size : size, bad };
}

/** Formats a whole number by a format with one directive for such numbers; undefined when it has none. */
export const formatInteger = (format: string, value: number) => formatNumber(format, value, 'diouxX');

/** Formats one number by a format with one directive that has one of `letters`; undefined when it has none. */
export function formatNumber(format: string, value: number, letters = 'eEfFgGaA'): string | undefined {
  const pieces = splitFormat(format);
  const directives = pieces.filter((piece) => typeof piece !== 'string');
  if (directives.length !== 1 || !letters.includes(directives[0]!.letter || ' ')) return undefined;
  return pieces
    .map((piece) => {
      if (typeof piece === 'string') return piece;
      const precision = piece.precision === undefined ? undefined : Number(piece.precision);
      const made = number(piece.letter, piece.flags, precision, String(value));
      return made === undefined ? '' : pad(made.text, Number(piece.width ?? 0), piece.flags, piece.letter, precision);
    })
    .join('');
}

/** `%f`: exact, with halves rounded to the even digit as in C. */
export function fixed(value: number, places: number): string {
  const text = value.toFixed(places);
  if (Math.abs(value) >= 2 ** 52 || places > 60) return text;
  const exact = value.toFixed(Math.min(100, places + 40));
  const rest = exact.slice(exact.indexOf('.') + 1 + places);
  if (!/^50*$/.test(rest)) return text;
  const kept = exact.slice(0, exact.length - rest.length).replace(/\.$/, '');
  return Number(kept.at(-1)) % 2 === 0 ? kept : text;
}

/** `%g`: the shorter of the two notations, without trailing zeros. */
export function general(value: number, digits: number): string {
  if (value === 0) return '0';
  const exponent = Math.floor(Math.log10(Math.abs(Number(value.toExponential(digits - 1)))));
  if (exponent < -4 || exponent >= digits)
    return value
      .toExponential(digits - 1)
      .replace(/\.?0+e/, 'e')
      .replace(/e([-+])(\d)$/, 'e$10$2');
  const text = value.toFixed(Math.max(0, Math.min(100, digits - 1 - exponent)));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function pad(text: string, width: number, flags: string, letter: string, precision: number | undefined): string {
  const size = Math.abs(width);
  if (text.length >= size) return text;
  if (flags.includes('-') || width < 0) return text.padEnd(size);
  const zero =
    flags.includes('0') && !'sbc'.includes(letter) && !('diouxX'.includes(letter) && precision !== undefined);
  if (!zero) return text.padStart(size);
  const sign = /^[-+ ]/.exec(text)?.[0] ?? '';
  return sign + text.slice(sign.length).padStart(size - sign.length, '0');
}
