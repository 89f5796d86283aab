import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';
import type { Stream } from '../streams.ts';
import { inputs, linesOf } from './lines.ts';

const CAT: Taken = {
  known: 'A,show-all b,number-nonblank e E,show-ends n,number s,squeeze-blank t T,show-tabs u v,show-nonprinting',
};

/** Control characters and bytes above 127 as `cat -v` shows them; line ends and tabs only if `all`. */
export function visible(text: string, all = false): string {
  return text.replace(all ? /[\x00-\x1f\x7f-\xff]/g : /[\x00-\x08\x0b-\x1f\x7f-\xff]/g, (c) => {
    let code = c.charCodeAt(0);
    let out = '';
    if (code >= 128) {
      out = 'M-';
      code -= 128;
    }
    return out + (code < 32 ? `^${String.fromCharCode(code + 64)}` : code === 127 ? '^?' : String.fromCharCode(code));
  });
}

function cat(call: Call): number {
  const given = call.parse(CAT);
  const { texts, status } = inputs(call, given.operands);
  const ends = given.has('A', 'e', 'E');
  const tabs = given.has('A', 't', 'T');
  const shows = given.has('A', 'e', 't', 'v');
  const numbers = given.has('n') || given.has('b');
  const squeeze = given.has('s');
  if (!ends && !tabs && !shows && !numbers && !squeeze) {
    for (const { text } of texts) call.out(text);
    return status;
  }
  const all = texts.map(({ text }) => text).join('');
  call.shell.budget.scan(all.length * 4);
  let line = 0;
  let blank = false;
  let out = '';
  for (const part of all.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const empty = part === '\n';
    if (empty && blank && squeeze) continue;
    blank = empty;
    if (numbers && !(given.has('b') && empty)) out += `${String(++line).padStart(6)}\t`;
    let text = part.endsWith('\n') ? part.slice(0, -1) : part;
    if (shows) text = visible(text);
    if (tabs) text = text.replaceAll('\t', '^I');
    out += part.endsWith('\n') ? `${text}${ends ? '$' : ''}\n` : text;
  }
  call.out(out);
  return status;
}

const TAC: Taken = { known: 'b,before s,separator=', missing: 'r,regex' };

function tac(call: Call): number {
  const given = call.parse(TAC);
  const { texts, status } = inputs(call, given.operands);
  const separator = given.last('s') ?? '\n';
  if (separator === '') return call.fail('separator cannot be empty');
  for (const { text } of texts) {
    const pieces = text.split(separator);
    const last = pieces.pop()!;
    if (given.has('b')) {
      // the separator belongs to what follows it
      const records = text.split(separator);
      call.out(
        records
          .map((one, i) => (i > 0 ? separator + one : one))
          .reverse()
          .join(''),
      );
      continue;
    }
    const records = pieces.map((one) => one + separator);
    if (last !== '') records.push(last);
    call.out(records.reverse().join(''));
  }
  return status;
}

const REV: Taken = { known: '0,zero' };

function rev(call: Call): number {
  const given = call.parse(REV);
  const end = given.has('0') ? '\0' : '\n';
  const { texts, status } = inputs(call, given.operands);
  for (const { text } of texts) {
    call.shell.budget.scan(text.length * 4);
    call.out(
      text
        .split(end)
        .map((line) => [...line].reverse().join(''))
        .join(end),
    );
  }
  return status;
}

const NL: Taken = {
  known:
    'b,body-numbering= h,header-numbering= f,footer-numbering= i,line-increment= l,join-blank-lines= n,number-format= p,no-renumber s,number-separator= v,starting-line-number= w,number-width=',
  missing: 'd,section-delimiter=',
};

function nl(call: Call): number {
  const given = call.parse(NL);
  const { texts, status } = inputs(call, given.operands);
  const style = given.last('b') ?? 't';
  if (!/^[atn]$/.test(style)) return call.unsupported(`nl -b ${style}`);
  const width = Math.min(Number(given.last('w') ?? 6) || 6, 1000);
  const format = given.last('n') ?? 'rn';
  const separator = given.last('s') ?? '\t';
  let number = Number(given.last('v') ?? 1);
  const step = Number(given.last('i') ?? 1);
  let out = '';
  for (const { text } of texts)
    for (const line of linesOf(text)) {
      call.shell.budget.spend();
      if (style === 'n' || (style === 't' && line === '')) {
        out +=
          line === ''
            ? `${' '.repeat(width + separator.length)}\n`
            : `${' '.repeat(width + separator.length)}${line}\n`;
        continue;
      }
      const digits = String(number);
      const made = format === 'ln' ? digits.padEnd(width) : digits.padStart(width, format === 'rz' ? '0' : ' ');
      out += `${made}${separator}${line}\n`;
      number += step;
    }
  call.out(out);
  return status;
}

const HEAD: Taken = { known: 'n,lines= c,bytes= q,quiet,silent v,verbose z,zero-terminated', digits: 'n' };
const TAIL: Taken = {
  known: 'n,lines= c,bytes= q,quiet,silent v,verbose z,zero-terminated',
  missing: 'f,follow=? F retry pid= s,sleep-interval= max-unchanged-stats=',
  digits: 'n',
};
const MULTIPLES: ReadonlyMap<string, number> = new Map(
  Object.entries({
    ...{
      b: 512,
      kB: 1000,
      k: 1024,
      K: 1024,
      KiB: 1024,
      MB: 1e6,
      M: 1 << 20,
      MiB: 1 << 20,
      GB: 1e9,
      G: 1 << 30,
      GiB: 1 << 30,
    },
  }),
);

/** A count such as `10`, `-5`, `+3`, `2K`; undefined when it is none. */
function amountOf(text: string): { readonly sign: string; readonly count: number } | undefined {
  const match = /^([-+]?)([0-9]+)([a-zA-Z]*)$/.exec(text);
  if (match === null) return undefined;
  const unit = match[3] === '' ? 1 : MULTIPLES.get(match[3]!);
  return unit === undefined ? undefined : { sign: match[1]!, count: Number(match[2]) * unit };
}

function headTail(call: Call): number {
  const head = call.name === 'head';
  // +5 is the old spelling of -n +5
  const args = !head && /^\+[0-9]+$/.test(call.args[0] ?? '') ? ['-n', ...call.args] : call.args;
  const given = call.parse(head ? HEAD : TAIL, args);
  if (!head && given.operands.length > 1 && call.args.some((arg) => /^-[0-9]+$/.test(arg)))
    return call.fail('option used in invalid context');
  const { texts, status } = inputs(call, given.operands);
  const bytes = given.lastOf('c', 'n') === 'c';
  const text = given.last('c', 'n') ?? '10';
  const amount = amountOf(text);
  if (amount === undefined) return call.fail(`invalid number of ${bytes ? 'bytes' : 'lines'}: '${text}'`);
  const { sign, count } = amount;
  const end = given.has('z') ? '\0' : '\n';
  for (const [i, one] of texts.entries()) {
    const name = one.path === '-' ? 'standard input' : one.path;
    if ((texts.length > 1 || given.has('v')) && !given.has('q')) call.out(`${i > 0 ? '\n' : ''}==> ${name} <==\n`);
    if (one.endless !== undefined)
      call.out(beginning(call, one.endless, one.text, sign === '-' ? Number.POSITIVE_INFINITY : count, bytes, end));
    else call.out(head ? firstPart(one.text, sign, count, bytes, end) : lastPart(one.text, sign, count, bytes, end));
  }
  return status;
}

/** The first lines or bytes of an endless text; whoever wants more than there are here would wait too long. */
function beginning(call: Call, stream: Stream, text: string, count: number, bytes: boolean, end: string): string {
  if (bytes) return call.take(count, stream, text);
  const to = fromStart(text, count, end);
  if (to === text.length) call.tooMuch();
  return text.slice(0, to);
}

function firstPart(text: string, sign: string, count: number, bytes: boolean, end: string): string {
  if (bytes) return sign === '-' ? text.slice(0, Math.max(0, text.length - count)) : text.slice(0, count);
  if (sign === '-') return text.slice(0, fromEnd(text, count, end));
  return text.slice(0, fromStart(text, count, end));
}

function lastPart(text: string, sign: string, count: number, bytes: boolean, end: string): string {
  if (sign === '+') return text.slice(bytes ? Math.max(0, count - 1) : fromStart(text, Math.max(0, count - 1), end));
  if (bytes) return count === 0 ? '' : text.slice(-count);
  return text.slice(fromEnd(text, count, end));
}

/** Position after the first `count` lines. */
function fromStart(text: string, count: number, end: string): number {
  let at = 0;
  for (let n = 0; n < count; n++) {
    const next = text.indexOf(end, at);
    if (next < 0) return text.length;
    at = next + 1;
  }
  return at;
}

/** Position where the last `count` lines begin. */
function fromEnd(text: string, count: number, end: string): number {
  if (count === 0) return text.length;
  let at = text.endsWith(end) ? text.length - 1 : text.length;
  for (let n = 0; n < count; n++) {
    if (at <= 0) return 0;
    const before = text.lastIndexOf(end, at - 1);
    if (before < 0) return 0;
    at = before;
  }
  return at + 1;
}

const WC: Taken = { known: 'c,bytes m,chars l,lines L,max-line-length w,words', missing: 'files0-from= total=' };

function wc(call: Call): number {
  const given = call.parse(WC);
  const input = given.operands.length === 0 ? call.shell.stream(0)?.size : undefined;
  const { texts, status } = inputs(call, given.operands);
  const all = given.order.length === 0;
  const columns = ['l', 'w', 'm', 'c', 'L'].filter((name) => (all ? 'lwc'.includes(name) : given.has(name)));
  const count = (name: string, text: string): number => {
    if (name === 'l') return text.split('\n').length - 1;
    if (name === 'w') return text.split(/[ \t\n\v\f\r]+/).filter((word) => word !== '').length;
    if (name === 'L') return longest(text);
    return text.length;
  };
  const rows = texts.map(({ path, text }) => ({ path, counts: columns.map((name) => count(name, text)) }));
  const total = columns.map((name, i) =>
    rows.reduce((sum, { counts }) => (name === 'L' ? Math.max(sum, counts[i]!) : sum + counts[i]!), 0),
  );
  const operands = given.operands.length;
  // GNU sizes the columns by the bytes of all files; standard input has an unknown size
  const piped = (texts.some(({ path }) => path === '-') || operands === 0) && input === undefined;
  const bytes = input ?? texts.reduce((sum, { text }) => sum + text.length, 0);
  const one = columns.length === 1 && operands <= 1;
  const width = one ? 1 : piped ? 7 : String(bytes).length;
  const line = (counts: readonly number[], name: string) =>
    `${counts.map((n) => String(n).padStart(width)).join(' ')}${name === '' ? '' : ` ${name}`}\n`;
  for (const { path, counts } of rows) call.out(line(counts, operands > 0 ? path : ''));
  if (operands > 1) call.out(line(total, 'total'));
  return status;
}

/** Columns of the longest line, with tabs to every eighth column. */
function longest(text: string): number {
  let most = 0;
  for (const line of text.split(/[\n\r\f]/)) {
    let at = 0;
    for (const c of line) at += c === '\t' ? 8 - (at % 8) : c >= ' ' && c <= '~' ? 1 : 0;
    most = Math.max(most, at);
  }
  return most;
}

const TEE: Taken = { known: 'a,append i,ignore-interrupts p output-error=?' };

function tee(call: Call): number {
  const given = call.parse(TEE);
  const text = call.input();
  call.out(text);
  let status = 0;
  for (const path of given.operands) {
    const done = call.attempt(path, () => {
      const before = given.has('a') && call.files.find(path) !== undefined ? call.files.read(path) : '';
      call.files.write(path, before + text);
    });
    if (!done) status = 1;
  }
  return status;
}

/** Commands that copy their input to their output, some with changes. */
export const CONCATENATE_COMMANDS: Readonly<Record<string, Command>> = {
  cat,
  head: headTail,
  nl,
  rev,
  tac,
  tail: headTail,
  tee,
  wc,
};
