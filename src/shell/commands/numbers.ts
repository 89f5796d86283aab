import { type Call, type Command, SIGPIPE } from '../command.ts';
import type { Taken } from '../given.ts';
import { formatNumber } from '../printf.ts';
import { BEGINNING } from '../streams.ts';

const SEQ: Taken = { known: 'f,format= s,separator= w,equal-width', stop: true };

/** A decimal number as whole units of its last place, so that sums are exact. */
interface Decimal {
  readonly units: bigint;
  readonly places: number;
}

function decimal(text: string): Decimal | undefined {
  const match = /^([-+]?)([0-9]*)(?:\.([0-9]*))?$/.exec(text);
  if (match === null || (match[2] === '' && !match[3])) return undefined;
  const digits = match[2]! + (match[3] ?? '');
  const units = BigInt(digits);
  return { units: match[1] === '-' ? -units : units, places: match[3]?.length ?? 0 };
}

const scaled = ({ units, places }: Decimal, to: number) => units * 10n ** BigInt(to - places);

function shown(units: bigint, places: number): string {
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, '0');
  const sign = units < 0n ? '-' : '';
  return places === 0 ? sign + digits : `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

function seq(call: Call): number {
  // a negative number is not an option
  const at = call.args.findIndex((arg) => /^-[.0-9]/.test(arg));
  const first = call.args.findIndex((arg, i) => !arg.startsWith('-') && !/^-[sf]$/.test(call.args[i - 1] ?? ''));
  const given = call.parse(
    SEQ,
    call.args.includes('--') || at < 0 || (first >= 0 && first < at)
      ? call.args
      : [...call.args.slice(0, at), '--', ...call.args.slice(at)],
  );
  const { operands } = given;
  if (operands.length === 0) return call.fail('missing operand');
  if (operands.length > 3) return call.fail(`extra operand '${operands[3]}'`);
  const numbers: Decimal[] = [];
  for (const text of operands) {
    const number = text.length > 100 ? undefined : decimal(text);
    if (number === undefined) {
      if (/^[-+]?([0-9.]+e[-+]?[0-9]+|inf(inity)?|0x[0-9a-f]+)$/i.test(text)) return call.unsupported(`seq ${text}`);
      return call.fail(`invalid floating point argument: '${text}'`);
    }
    numbers.push(number);
  }
  const one: Decimal = { units: 1n, places: 0 };
  const [start, step, last] = [
    numbers.length > 1 ? numbers[0]! : one,
    numbers.length > 2 ? numbers[1]! : one,
    numbers.at(-1)!,
  ];
  const places = Math.max(start.places, step.places);
  const most = Math.max(places, last.places);
  const [from, by, to] = [scaled(start, most), scaled(step, most), scaled(last, most)];
  if (by === 0n) return call.fail(`invalid Zero increment value: '${operands[1]}'`);
  const separator = given.last('s') ?? '\n';
  const format = given.last('f');
  const out: string[] = [];
  let length = 0;
  for (let n = from; by > 0n ? n <= to : n >= to; n += by) {
    call.shell.budget.spend();
    let text = shown(n, most);
    if (most > places) text = text.slice(0, text.length - (most - places) - (places === 0 ? 1 : 0));
    if (format !== undefined) {
      const made = formatNumber(format, Number(text));
      if (made === undefined) return call.fail(`format '${format}' has no % directive`);
      text = made;
    }
    out.push(text);
    length += text.length + separator.length;
    call.shell.budget.length(length);
  }
  if (given.has('w')) {
    const width = out.reduce((wide, text) => Math.max(wide, text.length), 0);
    for (const [i, text] of out.entries())
      out[i] = text.startsWith('-') ? `-${text.slice(1).padStart(width - 1, '0')}` : text.padStart(width, '0');
  }
  if (out.length > 0) call.out(`${out.join(separator)}\n`);
  return 0;
}

function yes(call: Call): number {
  const line = `${call.args.length === 0 ? 'y' : call.args.join(' ')}\n`;
  const out = call.shell.stream(1);
  // without a reader that leaves it would write for ever
  if (out?.isPipe !== true || out.goOn === undefined) {
    call.shell.budget.length(Number.POSITIVE_INFINITY, 'the output of a command');
    return 1;
  }
  call.out(line.repeat(Math.ceil(BEGINNING / line.length)));
  out.goOn();
  return SIGPIPE;
}

/** Commands that make numbers and lines. */
export const NUMBER_COMMANDS: Readonly<Record<string, Command>> = { seq, yes };
