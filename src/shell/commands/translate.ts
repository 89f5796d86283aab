import { CLASSES } from '../brackets.ts';
import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';

const TR: Taken = {
  known: 'c,complement C d,delete s,squeeze-repeats t,truncate-set1',
  stop: true,
};
const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92 };

/** A set of `tr` as characters in order; `fill`: where a `[c*]` repeats as often as needed. */
interface TrSet {
  readonly codes: number[];
  readonly fill: { at: number; code: number } | undefined;
  /** Positions at which a class of letters with case begins. */
  readonly cases: Map<number, 'lower' | 'upper'>;
}

/** Reads a set; a string is the reason why it is invalid. */
function readSet(text: string): TrSet | string {
  const codes: number[] = [];
  const cases: TrSet['cases'] = new Map();
  let fill: TrSet['fill'];
  const character = (at: number): { code: number; next: number } => {
    if (text[at] !== '\\' || at + 1 >= text.length) return { code: text.charCodeAt(at), next: at + 1 };
    let octal = /^[0-7]{1,3}/.exec(text.slice(at + 1, at + 4))?.[0];
    if (octal !== undefined) {
      if (Number.parseInt(octal, 8) > 255) octal = octal.slice(0, 2);
      return { code: Number.parseInt(octal, 8), next: at + 1 + octal.length };
    }
    return { code: ESCAPES[text[at + 1]!] ?? text.charCodeAt(at + 1), next: at + 2 };
  };
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at, at + 40);
    const named = /^\[:([a-z]+):\]/.exec(rest);
    if (named !== null) {
      const belongs = Object.hasOwn(CLASSES, named[1]!) ? CLASSES[named[1]!] : undefined;
      if (belongs === undefined) return `invalid character class '${named[1]}'`;
      if (named[1] === 'lower' || named[1] === 'upper') cases.set(codes.length, named[1]);
      for (let c = 0; c < 256; c++) if (belongs(c)) codes.push(c);
      at += named[0].length;
      continue;
    }
    const equal = /^\[=([\s\S])=\]/.exec(rest);
    if (equal !== null) {
      codes.push(equal[1]!.charCodeAt(0));
      at += equal[0].length;
      continue;
    }
    if (text[at] === '[') {
      const of = character(at + 1);
      const repeat = /^\*([0-9]*)\]/.exec(text.slice(of.next, of.next + 20));
      if (repeat !== null && at + 1 < text.length) {
        const count = Number.parseInt(repeat[1] || '0', repeat[1]!.startsWith('0') ? 8 : 10);
        if (count === 0) fill = { at: codes.length, code: of.code };
        else for (let n = 0; n < Math.min(count, 100_000); n++) codes.push(of.code);
        at = of.next + repeat[0].length;
        continue;
      }
    }
    const low = character(at);
    if (text[low.next] === '-' && low.next + 1 < text.length) {
      const high = character(low.next + 1);
      if (high.code < low.code) return 'range-endpoints are in reverse collating sequence order';
      for (let c = low.code; c <= high.code; c++) codes.push(c);
      at = high.next;
    } else {
      codes.push(low.code);
      at = low.next;
    }
  }
  return { codes, fill, cases };
}

function tr(call: Call): number {
  const given = call.parse(TR);
  const deletes = given.has('d');
  const squeezes = given.has('s');
  const { operands } = given;
  if (operands.length === 0) return call.fail('missing operand');
  const needsTwo = !deletes && !squeezes;
  const most = deletes && !squeezes ? 1 : 2;
  if (operands.length < (needsTwo || (deletes && squeezes) ? 2 : 1))
    return call.fail(`missing operand after '${operands[0]}'`);
  if (operands.length > most) return call.fail(`extra operand '${operands[most]}'`);
  const first = readSet(operands[0]!);
  const second = operands[1] === undefined ? undefined : readSet(operands[1]);
  if (typeof first === 'string') return call.fail(first);
  if (typeof second === 'string') return call.fail(second);
  let codes = first.codes;
  if (given.has('c', 'C')) {
    const not = new Set(codes);
    codes = Array.from({ length: 256 }, (_, c) => c).filter((c) => !not.has(c));
  }
  const map = Array.from({ length: 256 }, (_, c) => c);
  if (!deletes && second !== undefined) {
    if (second.codes.length === 0 && second.fill === undefined && codes.length > 0 && !given.has('t'))
      return call.fail('when not truncating set1, string2 must be non-empty');
    translate(map, codes, first, second, given.has('t'));
  }
  const squeezed = new Set(second === undefined ? codes : second.codes);
  if (second?.fill !== undefined) squeezed.add(second.fill.code);
  const inFirst = new Set(codes);
  const text = call.input();
  call.shell.budget.scan(text.length * 4);
  const out: string[] = [];
  let last = -1;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (deletes && inFirst.has(code)) continue;
    const c = map[code]!;
    if (squeezes && c === last && squeezed.has(c)) continue;
    last = c;
    out.push(String.fromCharCode(c));
  }
  call.out(out.join(''));
  return 0;
}

/** Fills the table of what each character becomes. */
function translate(map: number[], from: readonly number[], first: TrSet, second: TrSet, truncate: boolean): void {
  let to = second.codes;
  if (second.fill !== undefined) {
    const missing = Math.max(0, from.length - to.length);
    to = [
      ...to.slice(0, second.fill.at),
      ...new Array<number>(missing).fill(second.fill.code),
      ...to.slice(second.fill.at),
    ];
  }
  const last = to.at(-1);
  let i = 0;
  let j = 0;
  while (i < from.length) {
    const [lower, upper] = [first.cases.get(i), second.cases.get(j)];
    if (lower !== undefined && upper !== undefined) {
      // classes of case correspond letter by letter
      for (let n = 0; n < 26; n++) map[from[i + n]!] = to[j + n]!;
      i += 26;
      j += 26;
      continue;
    }
    const target = j < to.length ? to[j] : truncate ? undefined : last;
    if (target === undefined) return;
    map[from[i]!] = target;
    i++;
    j++;
  }
}

/** Translation of characters. */
export const TRANSLATE_COMMANDS: Readonly<Record<string, Command>> = { tr };
