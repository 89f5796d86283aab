import { withoutEnding } from '../../bytes/ending.ts';
import { isoTime } from '../../bytes/iso-time.ts';
import type { Call, Command } from '../command.ts';
import type { Given, Taken } from '../given.ts';
import { visible } from './concatenate.ts';

const DIFF: Taken = {
  known:
    'q,brief s,report-identical-files u U= unified=? C= context=? c i,ignore-case b,ignore-space-change w,ignore-all-space B,ignore-blank-lines r,recursive N,new-file a,text L,label= Z,ignore-trailing-space strip-trailing-cr d,minimal x,exclude= speed-large-files normal',
  missing:
    'v suppress-blank-empty e,ed n,rcs y,side-by-side W,width= left-column suppress-common-lines p,show-c-function F,show-function-line= t,expand-tabs T,initial-tab tabsize= l,paginate no-dereference P,unidirectional-new-file X,exclude-from= S,starting-file= from-file= to-file= I,ignore-matching-lines= E,ignore-tab-expansion D,ifdef= line-format= color=? palette= horizon-lines= ignore-file-name-case no-ignore-file-name-case',
  status: 2,
};

/** A run of lines that differ: `a` from..to are replaced by `b` from..to (half open). */
interface Change {
  a: number;
  aEnd: number;
  b: number;
  bEnd: number;
}

/**
 * Most differences for which a shortest script is searched, whose work is their square; beyond it everything between
 * counts as changed.
 */
const EFFORT = 600;

/** The changes between two lists, by Myers' algorithm; `charge` counts its work. */
function changes(a: readonly string[], b: readonly string[], charge: (work: number) => void): Change[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const [n, m] = [a.length - head - tail, b.length - head - tail];
  charge(head + tail + 1);
  if (n === 0 && m === 0) return [];
  const whole = [{ a: head, aEnd: head + n, b: head, bEnd: head + m }];
  if (n === 0 || m === 0) return whole;
  const most = Math.min(n + m, EFFORT);
  const v = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let d = 0; d <= most; d++) {
    trace.push(new Map(v));
    charge(d + 1);
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (v.get(k - 1) ?? -1) < (v.get(k + 1) ?? -1));
      let x = down ? (v.get(k + 1) ?? 0) : (v.get(k - 1) ?? 0) + 1;
      while (x < n && x - k < m && a[head + x] === b[head + x - k]) x++;
      v.set(k, x);
      if (x >= n && x - k >= m) return backtrack(trace, d, n, m, head);
    }
  }
  return whole;
}

function backtrack(trace: readonly Map<number, number>[], d: number, n: number, m: number, head: number): Change[] {
  const out: Change[] = [];
  let x = n;
  let y = m;
  for (let step = d; step > 0; step--) {
    const v = trace[step]!;
    const k = x - y;
    const down = k === -step || (k !== step && (v.get(k - 1) ?? -1) < (v.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1;
    const fromX = v.get(before) ?? 0;
    const fromY = fromX - before;
    // the edit leads from (fromX, fromY); the rest of the step is equal lines
    const edit = down
      ? { a: head + fromX, aEnd: head + fromX, b: head + fromY, bEnd: head + fromY + 1 }
      : { a: head + fromX, aEnd: head + fromX + 1, b: head + fromY, bEnd: head + fromY };
    const last = out.at(-1);
    if (last !== undefined && last.a === edit.aEnd && last.b === edit.bEnd) {
      last.a = edit.a;
      last.b = edit.b;
    } else out.push(edit);
    x = fromX;
    y = fromY;
  }
  return out.reverse();
}

/** Moves changes down as far as equal lines allow, as GNU diff does. */
function shift(list: Change[], a: readonly string[], b: readonly string[]): Change[] {
  const out: Change[] = [];
  for (const [i, change] of list.entries()) {
    const next = list[i + 1];
    const limit = next === undefined ? a.length : next.a;
    const one = { ...change };
    const inserts = one.a === one.aEnd;
    const lines = inserts ? b : a;
    while (
      (inserts || one.b === one.bEnd) &&
      one.aEnd < limit &&
      one.bEnd < (next === undefined ? b.length : next.b) &&
      lines[inserts ? one.b : one.a] === lines[inserts ? one.bEnd : one.aEnd]
    ) {
      one.a++;
      one.aEnd++;
      one.b++;
      one.bEnd++;
    }
    const last = out.at(-1);
    if (last !== undefined && last.aEnd === one.a && last.bEnd === one.b) {
      last.aEnd = one.aEnd;
      last.bEnd = one.bEnd;
    } else out.push(one);
  }
  return out;
}

/** A file as lines, the last of which may lack its end. */
interface Side {
  readonly name: string;
  readonly lines: readonly string[];
  readonly keys: readonly string[];
  readonly unended: boolean;
}

function side(name: string, text: string, given: Given): Side {
  const lines = text.split('\n');
  const unended = lines.at(-1) !== '';
  if (!unended) lines.pop();
  const key = (line: string, i: number) => {
    let out = given.has('strip-trailing-cr') ? line.replace(/\r$/, '') : line;
    if (given.has('w')) out = out.replace(/[ \t\r\f\v]+/g, '');
    else if (given.has('b')) out = out.replace(/[ \t\r\f\v]+/g, ' ').replace(/ $/, '');
    else if (given.has('Z')) out = withoutEnding(out, ' \t\r\f\v');
    if (given.has('i')) out = out.toLowerCase();
    return unended && i === lines.length - 1 ? `${out}\0` : out;
  };
  return { name, lines, keys: lines.map(key), unended };
}

const NO_END = '\\ No newline at end of file\n';

function printed(one: Side, from: number, to: number, prefix: string): string {
  let out = '';
  for (let i = from; i < to; i++) {
    out += `${prefix}${one.lines[i]}\n`;
    if (one.unended && i === one.lines.length - 1) out += NO_END;
  }
  return out;
}

function normal(a: Side, b: Side, list: readonly Change[]): string {
  let out = '';
  const range = (from: number, to: number) => (to - from > 1 ? `${from + 1},${to}` : String(to));
  for (const one of list) {
    const letter = one.a === one.aEnd ? 'a' : one.b === one.bEnd ? 'd' : 'c';
    out += `${letter === 'a' ? one.a : range(one.a, one.aEnd)}${letter}${letter === 'd' ? one.b : range(one.b, one.bEnd)}\n`;
    out += printed(a, one.a, one.aEnd, '< ');
    if (letter === 'c') out += '---\n';
    out += printed(b, one.b, one.bEnd, '> ');
  }
  return out;
}

/** Changes that are close enough to share their context. */
function hunks(list: readonly Change[], context: number): Change[][] {
  const out: Change[][] = [];
  for (const one of list) {
    const last = out.at(-1)?.at(-1);
    if (last !== undefined && one.a - last.aEnd <= 2 * context) out.at(-1)!.push(one);
    else out.push([one]);
  }
  return out;
}

function unified(a: Side, b: Side, list: readonly Change[], context: number): string {
  let out = '';
  const range = (from: number, count: number) =>
    count === 1 ? String(from + 1) : `${count === 0 ? from : from + 1},${count}`;
  for (const hunk of hunks(list, context)) {
    const [first, last] = [hunk[0]!, hunk.at(-1)!];
    const from = Math.max(0, first.a - context);
    const to = Math.min(a.lines.length, last.aEnd + context);
    const bFrom = first.b - (first.a - from);
    const bTo = last.bEnd + (to - last.aEnd);
    out += `@@ -${range(from, to - from)} +${range(bFrom, bTo - bFrom)} @@\n`;
    let at = from;
    for (const one of hunk) {
      out += printed(a, at, one.a, ' ') + printed(a, one.a, one.aEnd, '-') + printed(b, one.b, one.bEnd, '+');
      at = one.aEnd;
    }
    out += printed(a, at, to, ' ');
  }
  return out;
}

function contextual(a: Side, b: Side, list: readonly Change[], context: number): string {
  let out = '';
  const range = (from: number, to: number) => (to - from > 1 ? `${from + 1},${to}` : String(to));
  for (const hunk of hunks(list, context)) {
    const [first, last] = [hunk[0]!, hunk.at(-1)!];
    const from = Math.max(0, first.a - context);
    const to = Math.min(a.lines.length, last.aEnd + context);
    const bFrom = first.b - (first.a - from);
    const bTo = last.bEnd + (to - last.aEnd);
    out += '***************\n';
    for (const [one, key, end, start, stop, frame, sign] of [
      [a, 'a', 'aEnd', from, to, `*** ${range(from, to)} ****\n`, '-'],
      [b, 'b', 'bEnd', bFrom, bTo, `--- ${range(bFrom, bTo)} ----\n`, '+'],
    ] as const) {
      out += frame;
      if (hunk.every((change) => change[key] === change[end])) continue;
      let at: number = start;
      for (const change of hunk) {
        out += printed(one, at, change[key], '  ');
        const both = change.a < change.aEnd && change.b < change.bEnd;
        out += printed(one, change[key], change[end], both ? '! ' : `${sign} `);
        at = change[end];
      }
      out += printed(one, at, stop, '  ');
    }
  }
  return out;
}

/** The heading of a file in a unified or context diff, with its time. */
function heading(call: Call, path: string, label: string | undefined): string {
  if (label !== undefined) return label;
  const inode = call.files.find(path);
  const at = isoTime(inode?.mtime ?? call.files.time);
  const fraction = String(inode?.nanoseconds ?? 0).padStart(9, '0');
  return `${path}\t${at.slice(0, 10)} ${at.slice(11, 19)}.${fraction} +0000`;
}

function compareFiles(call: Call, given: Given, a: string, b: string, nested: boolean): number {
  const [x, y] = [a, b].map((path) =>
    given.has('N') && path !== '-' && call.files.find(path) === undefined ? '' : call.read(path),
  );
  const { budget } = call.shell;
  if (x === y) {
    if (given.has('s')) call.out(`Files ${a} and ${b} are identical\n`);
    return 0;
  }
  const [left, right] = [side(a, x!, given), side(b, y!, given)];
  budget.scan((x!.length + y!.length) * 2);
  const binary = !given.has('a') && (x!.includes('\0') || y!.includes('\0'));
  const list = binary
    ? []
    : shift(
        changes(left.keys, right.keys, (work) => budget.spend(1 + (work >>> 3))),
        left.keys,
        right.keys,
      );
  const kept = given.has('B')
    ? list.filter((one) =>
        [...left.lines.slice(one.a, one.aEnd), ...right.lines.slice(one.b, one.bEnd)].some((line) => line !== ''),
      )
    : list;
  if (!binary && kept.length === 0) return 0;
  if (given.has('q')) call.out(`Files ${a} and ${b} differ\n`);
  else if (binary) {
    call.out(`Binary files ${a} and ${b} differ\n`);
  } else {
    if (nested)
      call.out(`${['diff', ...call.args.filter((arg) => arg.startsWith('-') && arg !== '-'), a, b].join(' ')}\n`);
    const labels = given.all('L');
    const unifies = given.has('u', 'U', 'unified');
    const contexts = given.has('c', 'C', 'context');
    const context = Number(given.last('U', 'unified', 'C', 'context') || 3);
    const [first, second] = [heading(call, a, labels[0]), heading(call, b, labels[1])];
    if (unifies) call.out(`--- ${first}\n+++ ${second}\n${unified(left, right, kept, context)}`);
    else if (contexts) call.out(`*** ${first}\n--- ${second}\n${contextual(left, right, kept, context)}`);
    else call.out(normal(left, right, kept));
  }
  return 1;
}

function compareFolders(call: Call, given: Given, a: string, b: string, top: boolean): number {
  const { files } = call;
  const names = [...new Set([...files.list(a), ...files.list(b)])].sort();
  let status = 0;
  for (const name of names) {
    const [x, y] = [`${a}/${name}`, `${b}/${name}`];
    const [first, second] = [files.find(x), files.find(y)];
    files.budget.spend(4);
    if ((first === undefined || second === undefined) && !given.has('N')) {
      call.out(`Only in ${first === undefined ? b : a}: ${name}\n`);
      status = Math.max(status, 1);
    } else if (first?.kind === 'directory' && second?.kind === 'directory') {
      if (given.has('r'))
        status = Math.max(
          status,
          files.budget.deeper(() => compareFolders(call, given, x, y, false)),
        );
      else if (top) call.out(`Common subdirectories: ${x} and ${y}\n`);
    } else status = Math.max(status, compareFiles(call, given, x, y, true));
  }
  return status;
}

function diff(call: Call): number {
  const given = call.parse(DIFF);
  const [a, b, extra] = given.operands;
  if (a === undefined || b === undefined) return call.fail(`missing operand after '${a ?? 'diff'}'`, 2);
  if (extra !== undefined) return call.fail(`extra operand '${extra}'`, 2);
  let status = 0;
  const inodes = [a, b].map((path) => {
    if (path === '-') return undefined;
    const inode = call.files.find(path);
    if (inode === undefined && path !== '/dev/null' && !given.has('N'))
      status = call.fail(`${path}: No such file or directory`, 2);
    return inode;
  });
  if (status !== 0) return status;
  if (inodes.every((inode) => inode?.kind === 'directory')) return compareFolders(call, given, a, b, true);
  const name = (path: string) => withoutEnding(path, '/').split('/').pop()!;
  const [x, y] = [
    inodes[0]?.kind === 'directory' ? `${a}/${name(b)}` : a,
    inodes[1]?.kind === 'directory' ? `${b}/${name(a)}` : b,
  ];
  let result = 2;
  return call.attempt(x, () => (result = compareFiles(call, given, x, y, false))) ? result : 2;
}

const CMP: Taken = {
  known: 'b,print-bytes l,verbose n,bytes= s,quiet,silent i,ignore-initial=',
  missing: 'v',
  status: 2,
};

/** True in the C locale, where the message has another word. */
function inC({ shell }: Call): boolean {
  const locale = shell.get('LC_ALL') || shell.get('LC_MESSAGES') || shell.get('LANG') || 'C';
  return locale === 'C' || locale === 'POSIX';
}

function cmp(call: Call): number {
  const given = call.parse(CMP);
  const [a, b = '-'] = given.operands;
  if (a === undefined) return call.fail("missing operand after 'cmp'", 2);
  const texts: string[] = [];
  for (const path of [a, b]) {
    const read = () => texts.push(call.read(path));
    if (given.has('s') && path !== '-' && call.files.find(path) === undefined) return 2;
    if (!call.attempt(path, read)) return 2;
  }
  const skip = (given.last('i') ?? '0').split(':').map(Number);
  const most = given.has('n') ? Number(given.last('n')) : undefined;
  const cut = (text: string, from: number) => text.slice(from, most === undefined ? undefined : from + most);
  const [x, y] = [cut(texts[0]!, skip[0]!), cut(texts[1]!, skip[1] ?? skip[0]!)];
  if (x === y) return 0;
  if (given.has('s')) return 1;
  call.shell.budget.scan(Math.min(x.length, y.length) * 2);
  const octal = (c: number) => c.toString(8).padStart(3);
  const width = String(Math.min(texts[0]!.length, texts[1]!.length, most ?? Number.POSITIVE_INFINITY)).length;
  const unit = given.has('b') || !inC(call) ? 'byte' : 'char';
  let out = '';
  let found = false;
  let at = 0;
  for (; at < x.length && at < y.length; at++) {
    if (x[at] === y[at]) continue;
    const [p, q] = [x.charCodeAt(at), y.charCodeAt(at)];
    found = true;
    if (given.has('l')) out += `${String(at + 1).padStart(width)} ${octal(p)} ${octal(q)}\n`;
    else {
      const line = x.slice(0, at).split('\n').length;
      const bytes = given.has('b')
        ? ` is ${octal(p)} ${visible(String.fromCharCode(p), true)} ${octal(q)} ${visible(String.fromCharCode(q), true)}`
        : '';
      call.out(`${a} ${b} differ: ${unit} ${at + 1}, line ${line}${bytes}\n`);
      return 1;
    }
  }
  call.out(out);
  if (x.length !== y.length) {
    const short = x.length < y.length ? a : b;
    call.complain(
      x.length === 0 || y.length === 0 ? `EOF on ${short} which is empty` : `EOF on ${short} after byte ${at}`,
    );
    return 1;
  }
  return found ? 1 : 0;
}

/** Comparing files. */
export const DIFF_COMMANDS: Readonly<Record<string, Command>> = { cmp, diff };
