import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';
import { inputs, linesOf, order } from './lines.ts';

const CUT: Taken = {
  known:
    'b,bytes= c,characters= d,delimiter= f,fields= n s,only-delimited complement output-delimiter= z,zero-terminated',
};

interface Range {
  readonly from: number;
  readonly to: number;
}

/** `1,3-5,7-` in ascending order without overlaps; undefined when it is invalid. */
function rangesOf(list: string): Range[] | undefined {
  const out: Range[] = [];
  for (const text of list.split(/[, \t]/)) {
    const match = /^([0-9]*)(-?)([0-9]*)$/.exec(text);
    if (match === null || (match[1] === '' && match[3] === '')) return undefined;
    const from = Number(match[1] || 1);
    const to = match[2] === '' ? from : Number(match[3] || Number.POSITIVE_INFINITY);
    if (from === 0 || to < from) return undefined;
    out.push({ from, to });
  }
  return merged(out);
}

function merged(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = out.at(-1);
    if (last !== undefined && range.from <= last.to)
      out[out.length - 1] = { from: last.from, to: Math.max(last.to, range.to) };
    else out.push(range);
  }
  return out;
}

function complement(ranges: readonly Range[]): Range[] {
  const out: Range[] = [];
  let at = 1;
  for (const { from, to } of ranges) {
    if (from > at) out.push({ from: at, to: from - 1 });
    at = to + 1;
  }
  if (Number.isFinite(at)) out.push({ from: at, to: Number.POSITIVE_INFINITY });
  return out;
}

function cut(call: Call): number {
  const given = call.parse(CUT);
  const list = given.last('f', 'c', 'b');
  if (list === undefined) return call.fail('you must specify a list of bytes, characters, or fields');
  const kinds = ['f', 'c', 'b'].filter((name) => given.has(name));
  if (kinds.length > 1 || given.order.filter(({ name }) => kinds[0] === name).length > 1)
    return call.fail('only one list may be specified');
  const found = rangesOf(list);
  if (found === undefined) return call.fail(`invalid field value '${list}'`);
  const byField = given.has('f');
  const delimiter = given.last('d') ?? '\t';
  if (given.has('d') && !byField) return call.fail('an input delimiter may be specified only when operating on fields');
  if (delimiter.length > 1) return call.fail('the delimiter must be a single character');
  const ranges = given.has('complement') ? complement(found) : found;
  const joiner = given.last('output-delimiter') ?? (byField ? delimiter || '\0' : '');
  const { texts, status } = inputs(call, given.operands);
  const end = given.has('z') ? '\0' : '\n';
  for (const { text } of texts) {
    let out = '';
    for (const line of linesOf(text, end)) {
      call.shell.budget.look(line.length + 64 * Math.min(ranges.length, line.length));
      call.shell.budget.scan(line.length * 4);
      const units = byField ? line.split(delimiter || '\0') : line;
      if (byField && units.length === 1) {
        if (!given.has('s')) out += line + end;
        continue;
      }
      const picked: string[] = [];
      for (const { from, to } of ranges) {
        if (from > units.length) break;
        const part = units.slice(from - 1, to);
        picked.push(typeof part === 'string' ? part : part.join(joiner));
      }
      out += picked.join(joiner) + end;
    }
    call.out(out);
  }
  return status;
}

const PASTE: Taken = { known: 'd,delimiters= s,serial z,zero-terminated' };

/** `paste`: lines of several files side by side, or the lines of each file joined into one. */
function paste(call: Call): number {
  const given = call.parse(PASTE);
  const end = given.has('z') ? '\0' : '\n';
  const plain: Readonly<Record<string, string>> = {
    n: '\n',
    t: '\t',
    '\\': '\\',
    b: '\b',
    f: '\f',
    r: '\r',
    v: '\v',
    '0': '',
  };
  const delimiters = [...(given.last('d') ?? '\t').matchAll(/\\([\s\S])|([\s\S])/g)].map(([, escaped, c]) =>
    escaped === undefined ? c! : (plain[escaped] ?? escaped),
  );
  if (delimiters.length === 0) delimiters.push('');
  // several `-` take lines of standard input in turn
  const dashes = given.operands.filter((path) => path === '-').length;
  const input = dashes > 1 ? linesOf(call.input(), end) : [];
  let turn = 0;
  const columns: string[][] = [];
  for (const path of given.operands.length === 0 ? ['-'] : given.operands) {
    if (path === '-' && dashes > 1) {
      const mine = turn++;
      columns.push(input.filter((_, i) => i % dashes === mine));
    } else if (!call.attempt(path, () => columns.push(linesOf(call.read(path), end)))) return 1;
  }
  const joined = (row: readonly string[]) =>
    row.reduce((out, cell, i) => out + (i > 0 ? delimiters[(i - 1) % delimiters.length]! : '') + cell, '');
  let out = '';
  if (given.has('s')) for (const column of columns) out += joined(column) + end;
  else {
    const rows = columns.reduce((most, column) => Math.max(most, column.length), 0);
    for (let i = 0; i < rows; i++) {
      call.shell.budget.spend(1 + (columns.length >>> 2));
      out += joined(columns.map((column) => column[i] ?? '')) + end;
      call.shell.budget.length(out.length);
    }
  }
  call.out(out);
  return 0;
}

const JOIN: Taken = {
  known: 'a= e= i,ignore-case j= o= t= v= 1= 2= check-order nocheck-order header z,zero-terminated',
};

/** `join`: lines of two sorted files that agree in a field. */
function join(call: Call): number {
  const given = call.parse(JOIN);
  const [first, second] = given.operands;
  if (first === undefined || second === undefined) return call.fail('missing operand');
  const end = given.has('z') ? '\0' : '\n';
  const separator = given.last('t');
  const split = (line: string) =>
    separator === undefined ? line.split(/[ \t]+/).filter((one, i) => one !== '' || i > 0) : line.split(separator);
  const rows = [first, second].map((path) => linesOf(call.read(path), end).map(split)) as [string[][], string[][]];
  const common = Number(given.last('j') ?? 0);
  const keys = [Number(given.last('1') ?? (common || 1)) - 1, Number(given.last('2') ?? (common || 1)) - 1] as const;
  const shows = [...given.all('a'), ...given.all('v')];
  const pairs = !given.has('v');
  const fold = (text: string) => (given.has('i') ? text.toLowerCase() : text);
  const key = (row: readonly string[] | undefined, side: 0 | 1) => fold(row?.[keys[side]] ?? '');
  const empty = given.last('e') ?? '';
  const format = given
    .all('o')
    .join(',')
    .split(/[ ,]/)
    .filter((one) => one !== '');
  const glue = separator ?? ' ';
  let out = '';
  const emit = (a: readonly string[] | undefined, b: readonly string[] | undefined) => {
    call.shell.budget.spend();
    const value = a?.[keys[0]] ?? b?.[keys[1]] ?? '';
    const others = (row: readonly string[] | undefined, side: 0 | 1) => (row ?? []).filter((_, i) => i !== keys[side]);
    const cells =
      format.length > 0 && format[0] !== 'auto'
        ? format.map((spec) => {
            if (spec === '0') return value;
            const [side, field] = spec.split('.');
            return (side === '1' ? a : b)?.[Number(field) - 1] || empty;
          })
        : [value, ...others(a, 0), ...others(b, 1)];
    out += cells.join(glue) + end;
  };
  const [left, right] = rows;
  let i = 0;
  let j = 0;
  // as in GNU join, order is checked once a line without a partner has been seen
  let unpaired = given.has('check-order');
  let disordered = false;
  const checked = (side: 0 | 1, at: number) => {
    const list = side === 0 ? left : right;
    if (!unpaired || given.has('nocheck-order') || at + 1 >= list.length) return;
    if (key(list[at], side) > key(list[at + 1], side)) disordered = true;
  };
  if (given.has('header') && left.length > 0 && right.length > 0) emit(left[i++], right[j++]);
  while (i < left.length || j < right.length) {
    call.shell.budget.spend();
    const by = i >= left.length ? 1 : j >= right.length ? -1 : order(key(left[i], 0), key(right[j], 1));
    if (by < 0) {
      unpaired = true;
      if (shows.includes('1')) emit(left[i], undefined);
      checked(0, i);
      i++;
    } else if (by > 0) {
      unpaired = true;
      if (shows.includes('2')) emit(undefined, right[j]);
      checked(1, j);
      j++;
    } else {
      const value = key(left[i], 0);
      let to = j;
      while (to < right.length && key(right[to], 1) === value) to++;
      for (; i < left.length && key(left[i], 0) === value; i++)
        if (pairs) for (let n = j; n < to; n++) emit(left[i], right[n]);
      checked(0, i - 1);
      checked(1, to - 1);
      j = to;
    }
  }
  call.out(out);
  return disordered ? call.fail('input is not in sorted order') : 0;
}

const COMM: Taken = { known: '1 2 3 check-order nocheck-order output-delimiter= total z,zero-terminated' };

function comm(call: Call): number {
  const given = call.parse(COMM);
  const end = given.has('z') ? '\0' : '\n';
  if (given.operands.length !== 2) return call.fail(given.operands.length < 2 ? 'missing operand' : 'extra operand');
  const [a, b] = given.operands.map((path) => linesOf(call.read(path), end)) as [string[], string[]];
  const glue = given.last('output-delimiter') ?? '\t';
  const tab1 = given.has('1') ? '' : glue;
  const tab2 = tab1 + (given.has('2') ? '' : glue);
  const counts = [0, 0, 0];
  let out = '';
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    call.shell.budget.spend();
    const by = i >= a.length ? 1 : j >= b.length ? -1 : order(a[i]!, b[j]!);
    counts[by < 0 ? 0 : by > 0 ? 1 : 2]!++;
    if (by < 0 && !given.has('1')) out += a[i] + end;
    if (by > 0 && !given.has('2')) out += tab1 + b[j] + end;
    if (by === 0 && !given.has('3')) out += tab2 + a[i] + end;
    if (by <= 0) i++;
    if (by >= 0) j++;
  }
  if (given.has('total')) out += [...counts, 'total'].join(glue) + end;
  call.out(out);
  return 0;
}

const FOLD: Taken = { known: 'b,bytes s,spaces w,width=', digits: 'w' };

function fold(call: Call): number {
  const given = call.parse(FOLD);
  const width = Number(given.last('w') ?? 80);
  if (!Number.isInteger(width) || width < 1) return call.fail(`invalid number of columns: '${given.last('w')}'`);
  const { texts, status } = inputs(call, given.operands);
  for (const { text } of texts) {
    let out = '';
    for (const part of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
      const ends = part.endsWith('\n');
      let rest = ends ? part.slice(0, -1) : part;
      call.shell.budget.scan(rest.length * 2);
      for (;;) {
        const fits = given.has('b') ? width : fitting(rest, width);
        if (rest.length <= fits) break;
        call.shell.budget.spend();
        const blank = given.has('s') ? rest.slice(0, fits).search(/[ \t][^ \t]*$/) + 1 : 0;
        const at = blank > 0 ? blank : Math.max(1, fits);
        out += `${rest.slice(0, at)}\n`;
        rest = rest.slice(at);
      }
      out += rest + (ends ? '\n' : '');
    }
    call.out(out);
  }
  return status;
}

/** How many characters fit in `width` columns. */
function fitting(text: string, width: number): number {
  let column = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    column =
      c === '\t' ? column + 8 - (column % 8) : c === '\b' ? Math.max(0, column - 1) : c === '\r' ? 0 : column + 1;
    if (column > width) return i;
  }
  return text.length;
}

const EXPAND: Taken = { known: 'i,initial t,tabs=', digits: 't' };
const UNEXPAND: Taken = { known: 'a,all first-only t,tabs=' };

function expand(call: Call): number {
  const given = call.parse(EXPAND);
  const size = Number(given.last('t') ?? 8);
  if (!Number.isInteger(size) || size < 1) return call.unsupported(`expand -t ${given.last('t')}`);
  const { texts, status } = inputs(call, given.operands);
  for (const { text } of texts) {
    call.shell.budget.scan(text.length * 4);
    let column = 0;
    let initial = true;
    let out = '';
    for (const c of text) {
      if (c === '\n') {
        column = 0;
        initial = true;
        out += c;
      } else if (c === '\t' && (initial || !given.has('i'))) {
        const add = size - (column % size);
        out += ' '.repeat(add);
        column += add;
      } else {
        if (c !== ' ') initial = false;
        out += c;
        column++;
      }
    }
    call.out(out);
  }
  return status;
}

/** `unexpand` of the blanks at the start of lines. */
function unexpand(call: Call): number {
  const given = call.parse(UNEXPAND);
  if (given.has('a') || given.has('t')) return call.unsupported('unexpand -a');
  const { texts, status } = inputs(call, given.operands);
  for (const { text } of texts) {
    call.shell.budget.scan(text.length * 2);
    call.out(
      text.replace(/^[ \t]+/gm, (blanks) => {
        let column = 0;
        for (const c of blanks) column = c === '\t' ? column + 8 - (column % 8) : column + 1;
        return '\t'.repeat(Math.floor(column / 8)) + ' '.repeat(column % 8);
      }),
    );
  }
  return status;
}

const SPLIT: Taken = {
  known: 'a,suffix-length= l,lines= b,bytes= d numeric-suffixes=? additional-suffix=',
  missing: 'C,line-bytes= e,elide-empty-files filter= n,number= t,separator= u,unbuffered verbose x,hex-suffixes=?',
  digits: 'l',
};

function split(call: Call): number {
  const given = call.parse(SPLIT);
  const text = call.read(given.operands[0] ?? '-');
  const prefix = given.operands[1] ?? 'x';
  const width = Number(given.last('a') ?? 2) || 2;
  const unit = /^([0-9]+)([kKmM]?)$/.exec(given.last('b') ?? '');
  const size = unit === null ? 0 : Number(unit[1]) * ({ k: 1024, K: 1024, m: 1 << 20, M: 1 << 20 }[unit[2]!] ?? 1);
  const lines = Number(given.last('l') ?? 1000);
  if ((given.has('b') && size === 0) || !(lines > 0)) return call.fail('invalid number');
  const base = given.has('d', 'numeric-suffixes') ? 10 : 26;
  const name = (n: number): string | undefined => {
    let rest = n;
    let suffix = '';
    for (let i = 0; i < width; i++) {
      suffix = (base === 10 ? String(rest % 10) : String.fromCharCode(97 + (rest % 26))) + suffix;
      rest = Math.floor(rest / base);
    }
    return rest > 0 ? undefined : prefix + suffix + (given.last('additional-suffix') ?? '');
  };
  let n = 0;
  for (let at = 0; at < text.length; n++) {
    call.shell.budget.spend();
    let end = at + size;
    if (size === 0) {
      end = at;
      for (let i = 0; i < lines && end < text.length; i++) {
        const next = text.indexOf('\n', end);
        end = next < 0 ? text.length : next + 1;
      }
    }
    const path = name(n);
    if (path === undefined) return call.fail('output file suffixes exhausted');
    call.files.write(path, text.slice(at, end));
    at = end;
  }
  return 0;
}

const COLUMN: Taken = {
  known: 't,table s,separator= o,output-separator=',
  missing:
    'J,json c,output-width= x,fillrows N,table-columns= n,table-name= R,table-right= H,table-hide= d,table-noheadings L,keep-empty-lines',
};

/** `column -t`: fields in aligned columns. */
function column(call: Call): number {
  const given = call.parse(COLUMN);
  if (!given.has('t')) return call.unsupported('column without -t');
  const { texts, status } = inputs(call, given.operands);
  const separators = given.last('s');
  const cells = (line: string) => {
    if (separators === undefined) return line.split(/[ \t]+/).filter((one) => one !== '');
    return line.split(new RegExp(`[${separators.replace(/[\\\]^-]/g, '\\$&')}]`));
  };
  const rows = texts
    .flatMap(({ text }) => linesOf(text))
    .filter((line) => line.trim() !== '')
    .map(cells);
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  call.shell.budget.spend(rows.length * 2);
  const glue = given.last('o') ?? '  ';
  call.out(
    rows
      .map((row) => {
        // missing cells are padded like others, except in the last column
        const cells = widths.map((width, i) => (row[i] ?? '').padEnd(i < widths.length - 1 ? width : 0));
        return `${cells.join(glue)}\n`;
      })
      .join(''),
  );
  return status;
}

/** Commands that work on columns and fields. */
export const COLUMN_COMMANDS: Readonly<Record<string, Command>> = {
  column,
  comm,
  cut,
  expand,
  fold,
  join,
  paste,
  split,
  unexpand,
};
