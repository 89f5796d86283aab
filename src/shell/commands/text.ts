import { CLASSES } from '../brackets.ts';
import { type Call, type Command, options } from '../command.ts';
import { takeEscapes } from '../escapes.ts';
import { inputs, linesOf, order } from './lines.ts';

function cat(call: Call): number {
  const given = options(call.args, 'AbeEnstTuv', 'number show-all squeeze-blank');
  const { texts, status } = inputs(call, given.operands);
  for (const { text } of texts)
    call.out(
      given.has('n', 'number')
        ? linesOf(text)
            .map((line, i) => `${String(i + 1).padStart(6)}\t${line}\n`)
            .join('')
        : text,
    );
  return status;
}

function headTail(call: Call): number {
  // -5 and +5 are the old spelling of -n
  const args = [...call.args];
  if (/^[-+][0-9]+$/.test(args[0] ?? '')) args[0] = `-n${args[0]!.startsWith('+') ? args[0] : args[0]!.slice(1)}`;
  const given = options(args, 'n:c:qvfF', 'lines= bytes= quiet silent verbose');
  const head = call.name === 'head';
  const { texts, status } = inputs(call, given.operands);
  const size = given.last('c', 'bytes');
  const amount = size ?? given.last('n', 'lines') ?? '10';
  const count = Number.parseInt(amount.replace(/^[-+]/, ''), 10) || 0;
  for (const [i, { path, text }] of texts.entries()) {
    if (texts.length > 1 && !given.has('q')) call.out(`${i > 0 ? '\n' : ''}==> ${path} <==\n`);
    const units = size !== undefined ? text : (text.match(/[^\n]*\n|[^\n]+$/g) ?? []);
    let part: string | readonly string[];
    if (head) part = amount.startsWith('-') ? units.slice(0, Math.max(0, units.length - count)) : units.slice(0, count);
    else if (amount.startsWith('+')) part = units.slice(Math.max(0, count - 1));
    else part = count === 0 ? units.slice(0, 0) : units.slice(-count);
    call.out(typeof part === 'string' ? part : part.join(''));
  }
  return status;
}

function wc(call: Call): number {
  const given = options(call.args, 'clmwL', 'bytes chars lines words');
  const { texts, status } = inputs(call, given.operands);
  const all = !given.has('c', 'l', 'm', 'w', 'bytes', 'chars', 'lines', 'words');
  for (const { path, text } of texts) {
    const counts: number[] = [];
    if (all || given.has('l', 'lines')) counts.push(text.split('\n').length - 1);
    if (all || given.has('w', 'words')) counts.push(text.split(/[ \t\n\v\f\r]+/).filter((word) => word !== '').length);
    if (all || given.has('c', 'm', 'bytes', 'chars')) counts.push(text.length);
    const name = given.operands.length > 0 ? ` ${path}` : '';
    const wide = counts.length > 1;
    call.out(
      `${counts.map((n) => (wide ? String(n).padStart(given.operands.length > 0 ? 1 : 7) : n)).join(' ')}${name}\n`,
    );
  }
  return status;
}

function tee(call: Call): number {
  const given = options(call.args, 'ai', 'append');
  const text = call.input();
  call.out(text);
  let status = 0;
  for (const path of given.operands) {
    const done = call.attempt(path, () => {
      const before = given.has('a', 'append') && call.files.find(path) !== undefined ? call.files.read(path) : '';
      call.files.write(path, before + text);
    });
    if (!done) status = 1;
  }
  return status;
}

function uniq(call: Call): number {
  const given = options(call.args, 'cdiuf:s:w:', 'count repeated unique ignore-case skip-fields= skip-chars=');
  const lines = linesOf(call.read(given.operands[0] ?? '-'));
  const key = (line: string) => {
    let text = line;
    const fields = Number(given.last('f', 'skip-fields') ?? 0);
    if (fields > 0) text = text.replace(new RegExp(`^([ \\t]*[^ \\t]+){0,${Math.min(fields, 1000)}}`), '');
    text = text.slice(Number(given.last('s', 'skip-chars') ?? 0));
    return given.has('i', 'ignore-case') ? text.toLowerCase() : text;
  };
  let out = '';
  for (let i = 0; i < lines.length; ) {
    let next = i + 1;
    call.shell.budget.spend();
    while (next < lines.length && key(lines[next]!) === key(lines[i]!)) {
      call.shell.budget.spend();
      next++;
    }
    const count = next - i;
    if (!(given.has('d', 'repeated') && count < 2) && !(given.has('u', 'unique') && count > 1))
      out += `${given.has('c', 'count') ? `${String(count).padStart(7)} ` : ''}${lines[i]}\n`;
    i = next;
  }
  if (given.operands[1] === undefined) call.out(out);
  else call.files.write(given.operands[1], out);
  return 0;
}

function cut(call: Call): number {
  const given = options(
    call.args,
    'b:c:d:f:sn',
    'bytes= characters= delimiter= fields= only-delimited output-delimiter= complement',
  );
  const list = given.last('f', 'fields') ?? given.last('c', 'b', 'characters', 'bytes');
  if (list === undefined) return call.fail('you must specify a list of bytes, characters, or fields');
  const ranges = list.split(/[, ]/).map((text) => {
    const match = /^([0-9]*)(-?)([0-9]*)$/.exec(text);
    const from = Number(match?.[1] || 1);
    return { from, to: match?.[2] === '' ? from : Number(match?.[3] || Number.POSITIVE_INFINITY) };
  });
  const selected = (n: number) => ranges.some(({ from, to }) => n >= from && n <= to) !== given.has('complement');
  const { texts, status } = inputs(call, given.operands);
  const byField = given.has('f', 'fields');
  const delimiter = given.last('d', 'delimiter') ?? '\t';
  const joiner = given.last('output-delimiter') ?? (byField ? delimiter : '');
  for (const { text } of texts)
    for (const line of linesOf(text)) {
      call.shell.budget.look(line.length);
      call.shell.budget.scan(line.length * Math.min(ranges.length, 64) * 4);
      if (!byField) call.out(`${[...line].filter((_, i) => selected(i + 1)).join('')}\n`);
      else if (!line.includes(delimiter)) {
        if (!given.has('s', 'only-delimited')) call.out(`${line}\n`);
      } else
        call.out(
          `${line
            .split(delimiter)
            .filter((_, i) => selected(i + 1))
            .join(joiner)}\n`,
        );
    }
  return status;
}

/** The characters of a `tr` set, in order. */
function trSet(text: string): number[] {
  const out: number[] = [];
  const plain = takeEscapes(
    text.replaceAll('\\-', '\\055').replaceAll('\\]', '\\135').replaceAll('\\[', '\\133'),
    false,
  ).text;
  // a backslash that takeEscapes leaves in place is literal
  for (let i = 0; i < plain.length; i++) {
    const named = /^\[:([a-z]+):\]/.exec(plain.slice(i));
    if (named !== null && CLASSES[named[1]!] !== undefined) {
      for (let c = 0; c < 256; c++) if (CLASSES[named[1]!]!(c)) out.push(c);
      i += named[0].length - 1;
      continue;
    }
    const repeat = /^\[([\s\S])\*([0-9]*)\]/.exec(plain.slice(i));
    if (repeat !== null) {
      for (let n = Math.min(Number(repeat[2] || 256), 256); n > 0; n--) out.push(repeat[1]!.charCodeAt(0));
      i += repeat[0].length - 1;
      continue;
    }
    const low = plain.charCodeAt(i);
    if (plain[i + 1] === '-' && i + 2 < plain.length) {
      for (let c = low; c <= plain.charCodeAt(i + 2); c++) out.push(c);
      i += 2;
    } else out.push(low);
  }
  return out;
}

function tr(call: Call): number {
  const given = options(call.args, '+cCdst', 'complement delete squeeze-repeats truncate-set1');
  let first = trSet(given.operands[0] ?? '');
  const second = given.operands[1] === undefined ? undefined : trSet(given.operands[1]);
  if (given.has('c', 'C', 'complement')) {
    const not = new Set(first);
    first = Array.from({ length: 256 }, (_, c) => c).filter((c) => !not.has(c));
  }
  const deletes = given.has('d', 'delete');
  const squeezes = given.has('s', 'squeeze-repeats');
  const inFirst = new Set(first);
  const map = new Map<number, number>();
  if (!deletes && second !== undefined && second.length > 0)
    for (const [i, c] of first.entries()) map.set(c, second[Math.min(i, second.length - 1)]!);
  const squeezed = new Set(second === undefined || (deletes && second === undefined) ? first : second);
  const text = call.input();
  call.shell.budget.scan(text.length * 4);
  const out: string[] = [];
  let last = -1;
  for (let i = 0; i < text.length; i++) {
    let c = text.charCodeAt(i);
    if (deletes && inFirst.has(c)) continue;
    c = map.get(c) ?? c;
    if (squeezes && c === last && squeezed.has(c)) continue;
    last = c;
    out.push(String.fromCharCode(c));
  }
  call.out(out.join(''));
  return 0;
}

function seq(call: Call): number {
  const given = options(
    call.args.map((arg) => (/^-[0-9]/.test(arg) ? `\0${arg}` : arg)),
    's:wf:',
    'separator= equal-width',
  );
  const numbers = given.operands.map((arg) => Number(arg.replace('\0', '')));
  if (numbers.length === 0 || numbers.some(Number.isNaN)) return call.fail('invalid argument');
  const [first, step, last] =
    numbers.length === 1
      ? [1, 1, numbers[0]!]
      : numbers.length === 2
        ? [numbers[0]!, 1, numbers[1]!]
        : [numbers[0]!, numbers[1]!, numbers[2]!];
  if (step === 0) return call.fail('invalid Zero increment value');
  const separator = given.last('s', 'separator') ?? '\n';
  const out: string[] = [];
  let length = 0;
  for (let n = first; step > 0 ? n <= last : n >= last; n += step) {
    call.shell.budget.spend();
    out.push(String(n));
    length += out[out.length - 1]!.length + separator.length;
    call.shell.budget.length(length);
  }
  const width = given.has('w', 'equal-width') ? out.reduce((most, text) => Math.max(most, text.length), 0) : 0;
  if (out.length > 0) call.out(`${out.map((text) => text.padStart(width, '0')).join(separator)}\n`);
  return 0;
}

function comm(call: Call): number {
  const given = options(call.args, '123', 'check-order nocheck-order');
  const [a, b] = given.operands.map((path) => linesOf(call.read(path)));
  if (a === undefined || b === undefined) return call.fail('missing operand');
  const tab1 = given.has('1') ? '' : '\t';
  const tab2 = tab1 + (given.has('2') ? '' : '\t');
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const by = i >= a.length ? 1 : j >= b.length ? -1 : order(a[i]!, b[j]!);
    if (by < 0) {
      if (!given.has('1')) call.out(`${a[i]}\n`);
      i++;
    } else if (by > 0) {
      if (!given.has('2')) call.out(`${tab1}${b[j]}\n`);
      j++;
    } else {
      if (!given.has('3')) call.out(`${tab2}${a[i]}\n`);
      i++;
      j++;
    }
  }
  return 0;
}

/** `cmp`, and `diff` limited to whether files differ. */
function compare(call: Call): number {
  const given = options(
    call.args,
    'slqnbuBrNwiaU:C:L:',
    'brief silent quiet ignore-space-change unified=? recursive report-identical-files',
  );
  const [a = '-', b = '-'] = given.operands;
  let same = false;
  let reason = '';
  const done = [a, b].every((path) =>
    call.attempt(path, () => {
      if (path !== '-' && path !== '/dev/null') call.files.stat(path);
    }),
  );
  if (!done) return 2;
  const [x, y] = [call.read(a), call.read(b)];
  same = x === y;
  if (same) return 0;
  let at = 0;
  while (at < x.length && at < y.length && x[at] === y[at]) at++;
  const line = x.slice(0, at).split('\n').length;
  if (call.name === 'cmp')
    reason = at >= Math.min(x.length, y.length) ? '' : `${a} ${b} differ: byte ${at + 1}, line ${line}`;
  else reason = `Files ${a} and ${b} differ`;
  if (reason !== '' && !given.has('s', 'silent', 'quiet') && !(call.name === 'cmp' && given.has('q')))
    call.out(`${reason}\n`);
  return 1;
}

/** `paste`: lines of several files side by side, or the lines of each file joined into one. */
function paste(call: Call): number {
  const given = options(call.args, 'sd:', 'serial delimiters=');
  const delimiters = takeEscapes(given.last('d', 'delimiters') ?? '\t', false).text || '';
  const { texts, status } = inputs(call, given.operands);
  const columns = texts.map(({ text }) => linesOf(text));
  const joined = (row: readonly string[]) =>
    row.reduce((out, cell, i) => out + (i > 0 ? (delimiters[(i - 1) % delimiters.length] ?? '') : '') + cell, '');
  if (given.has('s', 'serial')) for (const column of columns) call.out(`${joined(column)}\n`);
  else
    for (let i = 0; i < Math.max(0, ...columns.map((column) => column.length)); i++)
      call.out(`${joined(columns.map((column) => column[i] ?? ''))}\n`);
  return status;
}

function fold(call: Call): number {
  const given = options(
    call.args.map((arg) => (/^-[0-9]+$/.test(arg) ? `-w${arg.slice(1)}` : arg)),
    'w:sb',
    'width= spaces',
  );
  const width = Math.max(1, Number(given.last('w', 'width') ?? 80));
  const { texts, status } = inputs(call, given.operands);
  for (const { text } of texts)
    for (const line of linesOf(text)) {
      let rest = line;
      while (rest.length > width) {
        call.shell.budget.spend();
        const blank = given.has('s', 'spaces') ? rest.lastIndexOf(' ', width - 1) + 1 : 0;
        call.out(`${rest.slice(0, blank || width)}\n`);
        rest = rest.slice(blank || width);
      }
      call.out(`${rest}\n`);
    }
  return status;
}

/** Commands that read and write text. */
export const TEXT_COMMANDS: Readonly<Record<string, Command>> = {
  cat,
  cmp: compare,
  comm,
  cut,
  diff: compare,
  fmt: fold,
  fold,
  head: headTail,
  paste,
  rev: (call) => {
    for (const line of linesOf(call.read(call.args[0] ?? '-'))) call.out(`${[...line].reverse().join('')}\n`);
    return 0;
  },
  seq,
  tac: (call) => {
    call.out(
      linesOf(call.read(call.args[0] ?? '-'))
        .reverse()
        .map((line) => `${line}\n`)
        .join(''),
    );
    return 0;
  },
  tail: headTail,
  tee,
  tr,
  uniq,
  wc,
};
