import type { Regex } from '../regex.ts';
import { strftime } from '../strftime.ts';
import type { AwkMachine } from './awk-machine.ts';
import { AwkError, type AwkExpression } from './awk-syntax.ts';
import { type AwkArray, type Cell, compare, Strnum, toNumber } from './awk-values.ts';
import { parseDate } from './date-text.ts';

type CallNode = AwkExpression & { readonly kind: 'call' };
type Builtin = (args: Arguments, awk: AwkMachine) => Cell;

/** The arguments of a call, evaluated when they are asked for. */
class Arguments {
  readonly nodes: readonly AwkExpression[];
  readonly #awk: AwkMachine;

  constructor(nodes: readonly AwkExpression[], awk: AwkMachine) {
    this.nodes = nodes;
    this.#awk = awk;
  }

  text(i: number, otherwise = ''): string {
    const node = this.nodes[i];
    const value = node === undefined ? otherwise : this.#awk.text(this.#awk.value(node));
    this.#awk.budget.look(value.length * 4);
    return value;
  }

  number(i: number, otherwise = 0): number {
    const node = this.nodes[i];
    return node === undefined ? otherwise : toNumber(this.#awk.value(node));
  }

  regex(i: number): Regex {
    return this.#awk.regex(this.nodes[i] ?? { kind: 'string', value: '' });
  }

  array(i: number, name: string): AwkArray {
    const node = this.nodes[i];
    if (node?.kind !== 'variable') throw new AwkError(`${name} needs an array`);
    return this.#awk.array(node.name);
  }
}

const RECORD: AwkExpression = { kind: 'field', value: { kind: 'number', value: 0 } };
const ascii = (text: string, upper: boolean) =>
  upper ? text.replace(/[a-z]+/g, (run) => run.toUpperCase()) : text.replace(/[A-Z]+/g, (run) => run.toLowerCase());

/** Text that replaces a match: `&` is the match, `\&` an ampersand. */
function replaced(replacement: string, match: string, groups: readonly string[] | undefined): string {
  if (!/[\\&]/.test(replacement)) return replacement;
  return replacement.replace(/\\([\s\S])|&/g, (all, c?: string) => {
    if (c === undefined) return match;
    if (c === '&' || c === '\\') return c;
    return groups !== undefined && /[0-9]/.test(c) ? (c === '0' ? match : (groups[Number(c)] ?? '')) : all;
  });
}

/** Replaces matches from the `nth` on (only that one unless `all`); the new text and how many were replaced. */
function substitute(
  source: string,
  regex: Regex,
  replacement: string,
  awk: AwkMachine,
  { all, nth = 1, groups = false }: { all: boolean; nth?: number; groups?: boolean },
): { text: string; count: number } {
  const pieces: string[] = [];
  let kept = 0;
  let seen = 0;
  let count = 0;
  let length = 0;
  let last = -1;
  for (let at = 0; at <= source.length; ) {
    const found = regex.exec(source, at, awk.budget);
    if (found === undefined) break;
    const [start, end] = found as [number, number];
    awk.budget.spend();
    // an empty match right after another match is none
    if (start === end && start === last) {
      at = end + 1;
      continue;
    }
    last = end;
    if (++seen >= nth) {
      const parts = groups
        ? found.flatMap((from, i) => (i % 2 === 0 ? [from < 0 ? '' : source.slice(from, found[i + 1])] : []))
        : undefined;
      const piece = replaced(replacement, source.slice(start, end), parts);
      pieces.push(source.slice(kept, start), piece);
      length += start - kept + piece.length;
      awk.budget.length(length);
      awk.budget.look(piece.length);
      kept = end;
      count++;
      if (!all) break;
    }
    at = end > start ? end : end + 1;
  }
  return { text: count === 0 ? source : pieces.join('') + source.slice(kept), count };
}

function sub(args: Arguments, awk: AwkMachine, all: boolean): Cell {
  const target = args.nodes[2] ?? RECORD;
  const regex = args.regex(0);
  const replacement = args.text(1);
  const source = awk.text(awk.value(target));
  const { text, count } = substitute(source, regex, replacement, awk, { all });
  if (count > 0) awk.set(target, text);
  return count;
}

function gensub(args: Arguments, awk: AwkMachine): Cell {
  const how = args.text(2);
  const source = args.nodes[3] === undefined ? awk.text(awk.value(RECORD)) : args.text(3);
  const all = /^[gG]/.test(how);
  const nth = all ? 1 : Math.max(1, Math.trunc(args.number(2)) || 1);
  return substitute(source, args.regex(0), args.text(1), awk, { all, nth, groups: true }).text;
}

function split(args: Arguments, awk: AwkMachine): Cell {
  const source = args.text(0);
  const separator = args.nodes[2];
  let pieces: string[];
  if (separator?.kind === 'regex') pieces = source === '' ? [] : awk.cut(source, args.regex(2));
  else
    pieces = awk.splitText(
      source,
      separator === undefined ? awk.text(awk.value({ kind: 'variable', name: 'FS' })) : args.text(2),
    );
  const array = args.array(1, 'split');
  array.clear();
  awk.budget.spend(pieces.length >>> 2);
  for (const [i, piece] of pieces.entries()) array.set(String(i + 1), new Strnum(piece));
  return pieces.length;
}

function match(args: Arguments, awk: AwkMachine): Cell {
  const text = args.text(0);
  const found = args.regex(1).exec(text, 0, awk.budget);
  awk.setVariable('RSTART', found === undefined ? 0 : found[0]! + 1);
  awk.setVariable('RLENGTH', found === undefined ? -1 : found[1]! - found[0]!);
  if (args.nodes[2] !== undefined) {
    // gawk's third argument gets the groups
    const array = args.array(2, 'match');
    array.clear();
    for (let i = 0; found !== undefined && i < found.length; i += 2)
      if (found[i]! >= 0) array.set(String(i / 2), new Strnum(text.slice(found[i], found[i + 1])));
  }
  return found === undefined ? 0 : found[0]! + 1;
}

/** gawk's `asort` and `asorti`. */
function sorted(args: Arguments, awk: AwkMachine, keys: boolean): Cell {
  const source = args.array(0, 'asort');
  const values: Cell[] = keys ? [...source.keys()] : [...source.values()];
  awk.budget.spend(values.length * 2);
  values.sort((a, b) => compare(a, b, '%.6g'));
  const target = args.nodes[1] === undefined ? source : args.array(1, 'asort');
  target.clear();
  for (const [i, value] of values.entries()) target.set(String(i + 1), value);
  return values.length;
}

function substr(args: Arguments): Cell {
  const source = args.text(0);
  const start = args.number(1);
  const from = Math.round(start);
  const length = args.nodes[2] === undefined ? Number.POSITIVE_INFINITY : args.number(2);
  // the end is rounded as a whole, as POSIX has it
  const to = Number.isFinite(length) ? from + Math.round(length) : length;
  if (!(to > from)) return '';
  return source.slice(Math.max(from, 1) - 1, Math.max(0, Math.min(to - 1, source.length)));
}

/** An argument of the functions of bits: gawk ends at what is no natural number. */
function natural(args: Parameters<Builtin>[0], at: number): bigint {
  const value = Math.trunc(args.number(at));
  if (!(value >= 0 && value < 2 ** 64)) throw new AwkError(`the value ${value} is not allowed in a function of bits`);
  return BigInt(value);
}

const bits =
  (operation: (a: bigint, b: bigint) => bigint): Builtin =>
  (args) => {
    if (args.nodes.length < 2) throw new AwkError('and, or and xor are called with less than two arguments');
    return Number(args.nodes.map((_, i) => natural(args, i)).reduce((a, b) => operation(a, b)));
  };

const shiftOf = (args: Parameters<Builtin>[0]): bigint => {
  const by = natural(args, 1);
  return by > 64n ? 64n : by;
};

/** The state of `rand`, which begins with the same number in every run. */
const seeds = new WeakMap<AwkMachine, { seed: number; state: number }>();

function randomOf(awk: AwkMachine): { seed: number; state: number } {
  let found = seeds.get(awk);
  if (found === undefined) seeds.set(awk, (found = { seed: 0, state: 1 }));
  return found;
}

const BUILTINS: Readonly<Record<string, Builtin>> = {
  length: (args, awk) => {
    const first = args.nodes[0];
    if (first?.kind === 'variable' && awk.isArray(first.name)) return awk.array(first.name).size;
    return first === undefined ? awk.text(awk.value(RECORD)).length : args.text(0).length;
  },
  substr,
  index: (args) => args.text(0).indexOf(args.text(1)) + 1,
  tolower: (args) => ascii(args.text(0), false),
  toupper: (args) => ascii(args.text(0), true),
  int: (args) => Math.trunc(args.number(0)),
  sqrt: (args) => Math.sqrt(args.number(0)),
  exp: (args) => Math.exp(args.number(0)),
  log: (args) => Math.log(args.number(0)),
  sin: (args) => Math.sin(args.number(0)),
  cos: (args) => Math.cos(args.number(0)),
  atan2: (args) => Math.atan2(args.number(0), args.number(1)),
  sprintf: (args, awk) =>
    awk.format(
      args.text(0),
      args.nodes.slice(1).map((node) => awk.value(node)),
    ),
  split,
  match,
  sub: (args, awk) => sub(args, awk, false),
  gsub: (args, awk) => sub(args, awk, true),
  gensub,
  close: (args, awk) => awk.streams.close(args.text(0)),
  fflush: (_, awk) => {
    awk.streams.flush();
    return 0;
  },
  system: (args, awk) => {
    awk.streams.flush();
    return awk.call.shell.capture(args.text(0), undefined, true).status;
  },
  rand: (_, awk) => {
    const random = randomOf(awk);
    random.state = (Math.imul(random.state, 1103515245) + 12345) >>> 0;
    return (random.state >>> 1) / 2 ** 31;
  },
  srand: (args, awk) => {
    const random = randomOf(awk);
    const before = random.seed;
    random.seed = args.nodes[0] === undefined ? awk.call.files.time : args.number(0);
    random.state = Math.trunc(random.seed) >>> 0 || 1;
    return before;
  },
  systime: (_, awk) => awk.call.files.time,
  strftime: (args, awk) =>
    strftime(args.text(0, '%a %b %e %H:%M:%S %Z %Y'), Math.trunc(args.number(1, awk.call.files.time))) ?? '',
  mktime: (args, awk) => {
    const [y, m, d, h, min, s] = args.text(0).trim().split(/\s+/);
    if (s === undefined) return -1;
    return (
      parseDate(
        `${y!.padStart(4, '0')}-${m}-${d} ${h}:${min!.padStart(2, '0')}:${s.padStart(2, '0')}`,
        awk.call.files.time,
      )?.seconds ?? -1
    );
  },
  and: bits((a, b) => a & b),
  or: bits((a, b) => a | b),
  xor: bits((a, b) => a ^ b),
  compl: (args) => Number(BigInt.asUintN(53, ~natural(args, 0))),
  lshift: (args) => Number(BigInt.asUintN(64, natural(args, 0) << shiftOf(args))),
  rshift: (args) => Number(natural(args, 0) >> shiftOf(args)),
  strtonum: (args) => {
    const text = args.text(0).trim();
    if (/^0[xX][0-9a-fA-F]+/.test(text)) return Number.parseInt(text, 16);
    return /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : toNumber(text);
  },
  asort: (args, awk) => sorted(args, awk, false),
  asorti: (args, awk) => sorted(args, awk, true),
};

/** Calls a builtin function. */
export function callBuiltin(node: CallNode, awk: AwkMachine): Cell {
  const found = Object.hasOwn(BUILTINS, node.name) ? BUILTINS[node.name] : undefined;
  if (found === undefined) throw new AwkError(`function ${node.name} is not defined`);
  return found(new Arguments(node.args, awk), awk);
}
