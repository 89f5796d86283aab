import type { Call, Command } from '../command.ts';
import type { Given, Taken } from '../given.ts';
import { inputs, linesOf, order } from './lines.ts';
import { versionOrder } from './version-order.ts';

const SORT: Taken = {
  known:
    'b,ignore-leading-blanks d,dictionary-order f,ignore-case g,general-numeric-sort i,ignore-nonprinting M,month-sort h,human-numeric-sort n,numeric-sort r,reverse V,version-sort sort= c check=? C k,key= m,merge o,output= s,stable S,buffer-size= t,field-separator= T,temporary-directory= parallel= u,unique z,zero-terminated batch-size= compress-program=',
  missing: 'R,random-sort random-source= files0-from= debug',
  status: 2,
};
const NAMED: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ 'general-numeric': 'g', 'human-numeric': 'h', month: 'M', numeric: 'n', version: 'V' },
  }),
);

/** A key: fields from and to (1-based), characters within, and its own letters for both ends. */
interface Key {
  readonly from: number;
  readonly fromChar: number;
  readonly to: number | undefined;
  readonly toChar: number;
  readonly letters: string;
  readonly startBlanks: boolean;
  readonly endBlanks: boolean;
}

function parseKey(text: string): Key | undefined {
  const match = /^([0-9]+)(?:\.([0-9]+))?([bdfgiMhnrRV]*)(?:,([0-9]+)(?:\.([0-9]+))?([bdfgiMhnrRV]*))?$/.exec(text);
  if (match === null || Number(match[1]) === 0) return undefined;
  return {
    ...{ from: Number(match[1]), fromChar: Number(match[2] ?? 1) },
    ...{ to: match[4] === undefined ? undefined : Number(match[4]), toChar: Number(match[5] ?? 0) },
    letters: (match[3]! + (match[6] ?? '')).replaceAll('b', ''),
    startBlanks: match[3]!.includes('b'),
    endBlanks: (match[6] ?? '').includes('b'),
  };
}

/** Positions in `line` where each field begins and ends. Without a separator a field includes the blanks before it. */
function bounds(line: string, separator: string | undefined): { start: number; end: number }[] {
  const out: { start: number; end: number }[] = [];
  if (separator !== undefined) {
    let start = 0;
    for (let at = line.indexOf(separator); at >= 0; at = line.indexOf(separator, start)) {
      out.push({ start, end: at });
      start = at + 1;
    }
    out.push({ start, end: line.length });
    return out;
  }
  const field = /[ \t\n]*[^ \t\n]+/g;
  for (const match of line.matchAll(field)) out.push({ start: match.index, end: match.index + match[0].length });
  return out;
}

function keyText(line: string, key: Key, separator: string | undefined, blanks: boolean): string {
  const fields = bounds(line, separator);
  const skip = (at: number) => {
    let to = at;
    while (line[to] === ' ' || line[to] === '\t') to++;
    return to;
  };
  const first = fields[key.from - 1];
  let start = first?.start ?? line.length;
  if ((key.startBlanks || blanks) && first !== undefined) start = skip(start);
  start = Math.min(line.length, start + key.fromChar - 1);
  let end = line.length;
  if (key.to !== undefined) {
    const last = fields[key.to - 1];
    if (key.toChar === 0) end = last?.end ?? line.length;
    else {
      const from = last?.start ?? line.length;
      end = Math.min(line.length, (key.endBlanks || blanks ? skip(from) : from) + key.toChar);
    }
  }
  return end > start ? line.slice(start, end) : '';
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const UNITS = 'KMGTPEZYRQ';

/** A value that compares numbers of any length: sign, then digits. */
function numeric(text: string): { readonly negative: boolean; readonly whole: string; readonly part: string } {
  const match = /^[ \t]*(-?)0*([0-9]*)(?:\.([0-9]*?)0*(?![0-9]))?/.exec(text)!;
  const [, sign, whole = '', part = ''] = match;
  return { negative: sign === '-' && (whole !== '' || part !== ''), whole, part };
}

function numericOrder(a: string, b: string): number {
  const [x, y] = [numeric(a), numeric(b)];
  if (x.negative !== y.negative) return x.negative ? -1 : 1;
  const by = x.whole.length - y.whole.length || order(x.whole, y.whole) || order(x.part, y.part);
  return x.negative ? -by : by;
}

/** Sizes such as 2K: first by sign, then by unit, then by number, as GNU does. */
function humanOrder(a: string, b: string): number {
  const unit = (text: string) => {
    const letter = /^[ \t]*-?[0-9]*(?:\.[0-9]*)?([kKMGTPEZYRQ])/.exec(text)?.[1]?.toUpperCase();
    const size = letter === undefined ? 0 : UNITS.indexOf(letter) + 1;
    const value = numeric(text);
    return value.negative ? -size : value.whole === '' && value.part === '' ? 0 : size;
  };
  return unit(a) - unit(b) || numericOrder(a, b);
}

function generalOrder(a: string, b: string): number {
  const value = (text: string) => {
    const match =
      /^[ \t]*(0[xX][0-9a-fA-F]+|[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?inf(?:inity)?)/i.exec(
        text,
      )?.[1];
    if (match === undefined) return undefined;
    return /inf/i.test(match) ? (match.startsWith('-') ? -1 : 1) * Number.POSITIVE_INFINITY : Number(match);
  };
  const [x, y] = [value(a), value(b)];
  if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? -1 : 1;
  return x === y ? 0 : x - y;
}

function monthOrder(a: string, b: string): number {
  const month = (text: string) => MONTHS.indexOf(text.trimStart().slice(0, 3).toUpperCase());
  return month(a) - month(b);
}

function textOrder(letters: string, a: string, b: string): number {
  const clean = (text: string) => {
    let out = letters.includes('f') ? text.toUpperCase() : text;
    if (letters.includes('d')) out = out.replace(/[^A-Za-z0-9 \t]/g, '');
    return letters.includes('i') ? out.replace(/[^ -~]/g, '') : out;
  };
  return order(clean(a), clean(b));
}

function compareBy(letters: string, a: string, b: string): number {
  let by: number;
  if (letters.includes('n')) by = numericOrder(a, b);
  else if (letters.includes('h')) by = humanOrder(a, b);
  else if (letters.includes('g')) by = generalOrder(a, b);
  else if (letters.includes('M')) by = monthOrder(a, b);
  else if (letters.includes('V')) by = versionOrder(a, b);
  else by = textOrder(letters, a, b);
  return letters.includes('r') ? -by : by;
}

function globalLetters(given: Given): string {
  const named = given.last('sort');
  return (
    ['d', 'f', 'g', 'i', 'M', 'h', 'n', 'r', 'V'].filter((letter) => given.has(letter)).join('') +
    (NAMED.get(named ?? '') ?? '')
  );
}

function sort(call: Call): number {
  const given = call.parse(SORT);
  const letters = globalLetters(given);
  const blanks = given.has('b');
  const keys: Key[] = [];
  for (const text of given.all('k')) {
    const key = parseKey(text);
    if (key === undefined) return call.fail(`invalid key '${text}'`, 2);
    if (key.letters.includes('R')) return call.unsupported('sort -k with R');
    keys.push(key);
  }
  if (letters.replace(/[^nghMV]/g, '').length > 1) return call.fail(`options '-${letters}' are incompatible`, 2);
  const separator = given.last('t') === '\\0' ? '\0' : given.last('t');
  if (separator !== undefined && separator.length !== 1)
    return call.fail(separator === '' ? 'empty tab' : `multi-character tab '${separator}'`, 2);
  const { texts, status } = inputs(call, given.operands);
  const end = given.has('z') ? '\0' : '\n';
  const lines = texts.flatMap(({ text }) => linesOf(text, end));
  const { budget } = call.shell;
  budget.spend(lines.length);
  const own = keys.map((key) => {
    const inherits = key.letters === '' && !key.startBlanks && !key.endBlanks;
    return { key, letters: inherits ? letters : key.letters, blanks: inherits && blanks };
  });
  const byKeys = (a: string, b: string) => {
    budget.spend();
    budget.scan((a.length + b.length) * (keys.length + 1));
    if (keys.length === 0) return compareBy(letters, blanks ? a.trimStart() : a, blanks ? b.trimStart() : b);
    budget.spend(keys.length);
    for (const one of own) {
      const [x, y] = [a, b].map((line) => keyText(line, one.key, separator, one.blanks)) as [string, string];
      const by = compareBy(one.letters, x, y);
      if (by !== 0) return by;
    }
    return 0;
  };
  const stable = given.has('s', 'u');
  const reversed = letters.includes('r');
  const whole = (a: string, b: string) => byKeys(a, b) || (stable ? 0 : reversed ? order(b, a) : order(a, b));
  if (given.has('c', 'C', 'check')) return check(call, given, lines, given.has('u') ? byKeys : whole);
  if (given.has('m'))
    merge(
      lines,
      texts.map(({ text }) => linesOf(text, end)),
      whole,
    );
  else lines.sort(whole);
  const out = given.has('u') ? lines.filter((line, i) => i === 0 || byKeys(lines[i - 1]!, line) !== 0) : lines;
  const text = out.map((line) => line + end).join('');
  const to = given.last('o');
  if (to === undefined) call.out(text);
  else call.files.write(to, text);
  return status === 0 ? 0 : 2;
}

/** Merges lists without sorting them: the smallest of their first lines comes next. */
function merge(into: string[], lists: readonly string[][], by: (a: string, b: string) => number): void {
  const at = lists.map(() => 0);
  for (let i = 0; i < into.length; i++) {
    let best = -1;
    for (const [n, list] of lists.entries()) {
      if (at[n]! >= list.length) continue;
      if (best < 0 || by(list[at[n]!]!, lists[best]![at[best]!]!) < 0) best = n;
    }
    into[i] = lists[best]![at[best]!++]!;
  }
}

function check(call: Call, given: Given, lines: readonly string[], by: (a: string, b: string) => number): number {
  const limit = given.has('u') ? 0 : 1;
  const wrong = lines.findIndex((line, i) => i > 0 && by(lines[i - 1]!, line) >= limit);
  if (wrong < 0) return 0;
  const quiet = given.has('C') || /^(quiet|silent)$/.test(given.last('check') ?? '');
  if (!quiet) call.complain(`${given.operands[0] ?? '-'}:${wrong + 1}: disorder: ${lines[wrong]}`);
  return 1;
}

const UNIQ: Taken = {
  known:
    'c,count d,repeated D all-repeated=? f,skip-fields= group=? i,ignore-case s,skip-chars= u,unique z,zero-terminated w,check-chars=',
};

/** The part of a line that `uniq` compares. */
function uniqKey(given: Given): (line: string) => string {
  const fields = Number(given.last('f') ?? 0);
  const skip = Number(given.last('s') ?? 0);
  const width = given.has('w') ? Number(given.last('w')) : undefined;
  const fold = given.has('i');
  return (line) => {
    let at = 0;
    for (let n = 0; n < fields && at < line.length; n++) {
      while (line[at] === ' ' || line[at] === '\t') at++;
      while (at < line.length && line[at] !== ' ' && line[at] !== '\t') at++;
    }
    at = Math.min(line.length, at + skip);
    const text = line.slice(at, width === undefined ? undefined : at + width);
    return fold ? text.toLowerCase() : text;
  };
}

function uniq(call: Call): number {
  // -5 and +5 are the old spellings of -f 5 and -s 5
  const args = call.args.map((arg) =>
    /^-[0-9]+$/.test(arg) ? `-f${arg.slice(1)}` : /^\+[0-9]+$/.test(arg) ? `-s${arg.slice(1)}` : arg,
  );
  const given = call.parse(UNIQ, args);
  for (const name of ['f', 's', 'w'])
    if (given.has(name) && !/^[0-9]+$/.test(given.last(name)!)) return call.fail(`${given.last(name)}: invalid number`);
  const end = given.has('z') ? '\0' : '\n';
  const lines = linesOf(call.read(given.operands[0] ?? '-'), end);
  const key = uniqKey(given);
  const repeats = given.has('D')
    ? 'none'
    : given.has('all-repeated')
      ? given.last('all-repeated') || 'none'
      : undefined;
  const group = given.has('group') ? given.last('group') || 'separate' : undefined;
  let out = '';
  let shown = 0;
  for (let i = 0; i < lines.length; ) {
    const first = key(lines[i]!);
    let next = i + 1;
    call.shell.budget.spend();
    while (next < lines.length && key(lines[next]!) === first) {
      call.shell.budget.spend();
      next++;
    }
    const count = next - i;
    const all = lines
      .slice(i, next)
      .map((line) => line + end)
      .join('');
    if (group !== undefined) {
      const before = group === 'prepend' || group === 'both' || (group === 'separate' && shown > 0);
      const after = group === 'append' || (group === 'both' && next >= lines.length);
      out += (before ? end : '') + all + (after ? end : '');
      shown++;
    } else if (repeats !== undefined) {
      if (count > 1 && !given.has('u')) {
        if (repeats === 'prepend' || (repeats === 'separate' && shown > 0)) out += end;
        out += all;
        shown++;
      }
    } else if (!(given.has('d') && count < 2) && !(given.has('u') && count > 1))
      out += `${given.has('c') ? `${String(count).padStart(7)} ` : ''}${lines[i]}${end}`;
    i = next;
  }
  if (given.operands[1] === undefined) call.out(out);
  else call.files.write(given.operands[1], out);
  return 0;
}

/** Sorting, and what works on sorted lines. */
export const SORT_COMMANDS: Readonly<Record<string, Command>> = { sort, uniq };
