import { Brackets } from './brackets.ts';
import type { Budget } from './limits.ts';

/**
 * POSIX regular expressions over byte strings, basic and extended with GNU's additions. Matching simulates all
 * alternatives in parallel (Thompson, Pike), so no expression takes exponential time. Only back-references need
 * backtracking, and there every attempt is counted against the budget.
 */
export interface Regex {
  readonly groups: number;
  /** The leftmost, longest match from `from` on: start and end of the match and each group (-1: unused). */
  exec(text: string, from: number, budget: Budget): number[] | undefined;
  test(text: string, budget: Budget): boolean;
}

/** Thrown for an invalid expression. */
export class RegexError extends Error {}

/** Options for compiling an expression. */
export interface RegexOptions {
  readonly extended?: boolean;
  readonly ignoreCase?: boolean;
  /** `^` and `$` match at every line of the text. */
  readonly multiline?: boolean;
  /** Awk's expressions: a backslash inside a bracket expression is an escape. */
  readonly awk?: boolean;
}

type Instruction =
  | { readonly op: 'set'; readonly set: Uint8Array }
  | { readonly op: 'split'; x: number; y: number }
  | { readonly op: 'jump'; x: number }
  | { readonly op: 'save'; readonly slot: number }
  | { readonly op: 'assert'; readonly kind: Assertion }
  | { readonly op: 'back'; readonly group: number }
  | { readonly op: 'match' };
type Assertion = 'start' | 'end' | 'lineStart' | 'lineEnd' | 'word' | 'notWord' | 'wordStart' | 'wordEnd';

type Tree =
  | { kind: 'set'; set: Uint8Array }
  | { kind: 'empty' }
  | { kind: 'assert'; assertion: Assertion }
  | { kind: 'group'; index: number; body: Tree }
  | { kind: 'back'; group: number }
  | { kind: 'concat' | 'either'; items: Tree[] }
  | { kind: 'repeat'; body: Tree; least: number; most: number };

const PROGRAM_LIMIT = 20_000;
const WORD = new Uint8Array(256);
for (let i = 0; i < 256; i++) if (/[A-Za-z0-9_]/.test(String.fromCharCode(i))) WORD[i] = 1;
const SPACE = new Uint8Array(256);
for (const c of ' \t\n\v\f\r') SPACE[c.charCodeAt(0)] = 1;
const inverse = (set: Uint8Array) => set.map((bit) => (bit ? 0 : 1));
const ANY = new Uint8Array(256).fill(1);

const remembered = new Map<string, Regex>();

/** Compiles an expression; recently used ones are cached. */
export function compileRegex(source: string, budget: Budget, options: RegexOptions = {}): Regex {
  const key = `${options.extended ? 'E' : 'B'}${options.ignoreCase ? 'i' : '-'}${options.awk ? 'a' : '-'}${options.multiline ? 'm' : '-'}${source}`;
  const known = remembered.get(key);
  budget.look(source.length);
  if (known !== undefined) return known;
  budget.spend(8 + source.length);
  const parser = new RegexParser(source, options);
  const tree = parser.parse();
  const program: Instruction[] = [];
  try {
    emit(tree, program);
  } finally {
    budget.spend(program.length >>> 3);
  }
  program.push({ op: 'match' });
  const made = new Program(program, parser.groups, parser.backReferences, tree);
  if (remembered.size > 2000) remembered.clear();
  if (source.length < 10_000) remembered.set(key, made);
  return made;
}

class RegexParser {
  readonly #text: string;
  readonly #extended: boolean;
  readonly #ignoreCase: boolean;
  readonly #multiline: boolean;
  readonly #awk: boolean;
  readonly #brackets: Brackets;
  #at = 0;
  #depth = 0;
  groups = 0;
  backReferences = false;

  constructor(text: string, options: RegexOptions) {
    this.#text = text;
    this.#extended = options.extended === true;
    this.#ignoreCase = options.ignoreCase === true;
    this.#multiline = options.multiline === true;
    this.#awk = options.awk === true;
    this.#brackets = new Brackets(text, options.awk ? 'awk' : 'none');
  }

  parse(): Tree {
    const tree = this.#either();
    if (this.#at < this.#text.length) throw new RegexError('Unmatched ) or \\)');
    return tree;
  }

  #operator(letter: string): boolean {
    const text = this.#extended ? letter : `\\${letter}`;
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #peekOperator(letter: string): boolean {
    return this.#text.startsWith(this.#extended ? letter : `\\${letter}`, this.#at);
  }

  #either(): Tree {
    if (++this.#depth > 100) throw new RegexError('Regular expression too big');
    const items = [this.#concat()];
    while (this.#operator('|')) items.push(this.#concat());
    this.#depth--;
    return items.length === 1 ? items[0]! : { kind: 'either', items };
  }

  #concat(): Tree {
    const items: Tree[] = [];
    let first = true;
    while (this.#at < this.#text.length && !this.#peekOperator('|') && !(this.#depth > 1 && this.#peekOperator(')'))) {
      const atom = this.#atom(first);
      first = atom.kind === 'assert' && /^(start|lineStart)$/.test(atom.assertion) && !this.#extended;
      items.push(first ? atom : this.#repeated(atom));
    }
    return items.length === 1 ? items[0]! : items.length === 0 ? { kind: 'empty' } : { kind: 'concat', items };
  }

  #literal(c: string): Tree {
    const set = new Uint8Array(256);
    set[c.charCodeAt(0)] = 1;
    return { kind: 'set', set: this.#fold(set) };
  }

  #fold(set: Uint8Array): Uint8Array {
    if (this.#ignoreCase) for (let i = 65; i <= 90; i++) if (set[i] || set[i + 32]) set[i] = set[i + 32] = 1;
    return set;
  }

  #atom(first: boolean): Tree {
    const c = this.#text[this.#at]!;
    if (this.#operator('(')) {
      const index = ++this.groups;
      const body = this.#either();
      if (!this.#operator(')')) throw new RegexError('Unmatched ( or \\(');
      return { kind: 'group', index, body };
    }
    this.#at++;
    switch (c) {
      case '.':
        return { kind: 'set', set: ANY };
      case '[': {
        const found = this.#brackets.read(this.#at);
        if (found === undefined) throw new RegexError('Unmatched [, [^, [:, [., or [=');
        this.#at = found.end;
        return { kind: 'set', set: this.#fold(found.set) };
      }
      case '^':
        if (this.#extended || first) return { kind: 'assert', assertion: this.#multiline ? 'lineStart' : 'start' };
        return this.#literal(c);
      case '$':
        if (this.#extended || this.#at >= this.#text.length || this.#peekOperator(')') || this.#peekOperator('|'))
          return { kind: 'assert', assertion: this.#multiline ? 'lineEnd' : 'end' };
        return this.#literal(c);
      case '*':
        if (!this.#extended || first) return this.#literal(c);
        return { kind: 'empty' };
      case '+':
      case '?':
        if (this.#extended && first) return { kind: 'empty' };
        return this.#literal(c);
      case '\\':
        return this.#escaped();
      default:
        return this.#literal(c);
    }
  }

  #escaped(): Tree {
    const c = this.#text[this.#at++];
    switch (c) {
      case undefined:
        throw new RegexError('Trailing backslash');
      case 'w':
        return { kind: 'set', set: WORD };
      case 'W':
        return { kind: 'set', set: inverse(WORD) };
      case 's':
        return { kind: 'set', set: SPACE };
      case 'S':
        return { kind: 'set', set: inverse(SPACE) };
      case 'b':
        return { kind: 'assert', assertion: 'word' };
      case 'B':
        return { kind: 'assert', assertion: 'notWord' };
      case '<':
        return { kind: 'assert', assertion: 'wordStart' };
      case '>':
        return { kind: 'assert', assertion: 'wordEnd' };
      case '`':
        return { kind: 'assert', assertion: 'start' };
      case "'":
        return { kind: 'assert', assertion: 'end' };
      case 'n':
        return this.#literal('\n');
      case 't':
        return this.#literal('\t');
      case 'f':
      case 'v':
      case 'r':
      case 'a':
        return this.#literal({ f: '\f', v: '\v', r: '\r', a: '\x07' }[c]);
      default:
        if (this.#awk && /[0-7]/.test(c)) {
          const octal = /^[0-7]{1,3}/.exec(this.#text.slice(this.#at - 1, this.#at + 2))![0];
          this.#at += octal.length - 1;
          return this.#literal(String.fromCharCode(Number.parseInt(octal, 8) & 255));
        }
        if (c >= '1' && c <= '9') {
          if (Number(c) > this.groups) throw new RegexError('Invalid back reference');
          this.backReferences = true;
          return { kind: 'back', group: Number(c) };
        }
        return this.#literal(c);
    }
  }

  #repeated(atom: Tree): Tree {
    let tree = atom;
    for (;;) {
      const c = this.#text[this.#at];
      if (c === '*') {
        this.#at++;
        tree = { kind: 'repeat', body: tree, least: 0, most: Number.POSITIVE_INFINITY };
      } else if (this.#operator('+')) tree = { kind: 'repeat', body: tree, least: 1, most: Number.POSITIVE_INFINITY };
      else if (this.#operator('?')) tree = { kind: 'repeat', body: tree, least: 0, most: 1 };
      else if (this.#peekOperator('{')) {
        const close = this.#extended ? '\\}' : '\\\\\\}';
        const bounds = new RegExp(`([0-9]*)(,?)([0-9]*)${close}`, 'y');
        bounds.lastIndex = this.#at + (this.#extended ? 1 : 2);
        const match = bounds.exec(this.#text);
        if (match === null || (match[1] === '' && match[2] === '')) {
          if (!this.#extended) throw new RegexError('Invalid content of \\{\\}');
          return tree;
        }
        this.#at = bounds.lastIndex;
        const least = Number(match[1] || 0);
        const most = match[2] === '' ? least : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
        if (least > 1000 || (most !== Number.POSITIVE_INFINITY && (most > 1000 || most < least)))
          throw new RegexError('Invalid content of \\{\\}');
        tree = { kind: 'repeat', body: tree, least, most };
      } else return tree;
    }
  }
}

function emit(tree: Tree, program: Instruction[]): void {
  if (program.length > PROGRAM_LIMIT) throw new RegexError('Regular expression too big');
  switch (tree.kind) {
    case 'empty':
      return;
    case 'set':
      program.push({ op: 'set', set: tree.set });
      return;
    case 'assert':
      program.push({ op: 'assert', kind: tree.assertion });
      return;
    case 'back':
      program.push({ op: 'back', group: tree.group });
      return;
    case 'group':
      program.push({ op: 'save', slot: tree.index * 2 });
      emit(tree.body, program);
      program.push({ op: 'save', slot: tree.index * 2 + 1 });
      return;
    case 'concat':
      for (const item of tree.items) emit(item, program);
      return;
    case 'either': {
      const ends: { op: 'jump'; x: number }[] = [];
      for (const [i, item] of tree.items.entries()) {
        if (i === tree.items.length - 1) emit(item, program);
        else {
          const split = { op: 'split' as const, x: program.length + 1, y: 0 };
          program.push(split);
          emit(item, program);
          const end = { op: 'jump' as const, x: 0 };
          program.push(end);
          ends.push(end);
          split.y = program.length;
        }
      }
      for (const end of ends) end.x = program.length;
      return;
    }
    case 'repeat': {
      for (let i = 0; i < tree.least; i++) emit(tree.body, program);
      if (tree.most === Number.POSITIVE_INFINITY) {
        const split = { op: 'split' as const, x: program.length + 1, y: 0 };
        program.push(split);
        emit(tree.body, program);
        program.push({ op: 'jump', x: program.indexOf(split) });
        split.y = program.length;
        return;
      }
      const splits: { op: 'split'; x: number; y: number }[] = [];
      for (let i = tree.least; i < tree.most; i++) {
        const split = { op: 'split' as const, x: program.length + 1, y: 0 };
        splits.push(split);
        program.push(split);
        emit(tree.body, program);
      }
      for (const split of splits) split.y = program.length;
    }
  }
}

/** A thread of the matching machine: its position and the groups it has recorded. */
interface Thread {
  readonly pc: number;
  readonly slots: readonly number[];
}

class Program implements Regex {
  readonly groups: number;
  readonly #code: readonly Instruction[];
  readonly #back: boolean;
  /** The literal text, when the expression is only literal text. */
  readonly #literal: string | undefined;
  /** Bytes a match can begin with; undefined when it may be empty or begins with an assertion. */
  readonly #first: Uint8Array | undefined;
  readonly #anchored: boolean;

  constructor(code: readonly Instruction[], groups: number, back: boolean, tree: Tree) {
    this.#code = code;
    this.groups = groups;
    this.#back = back;
    this.#literal = literalOf(tree);
    this.#first = firstOf(tree);
    this.#anchored = code[0]?.op === 'assert' && code[0].kind === 'start';
  }

  test(text: string, budget: Budget): boolean {
    if (this.#literal !== undefined) {
      budget.look(text.length);
      return text.includes(this.#literal);
    }
    return this.exec(text, 0, budget) !== undefined;
  }

  exec(text: string, from: number, budget: Budget): number[] | undefined {
    if (this.#literal !== undefined) {
      const at = text.indexOf(this.#literal, from);
      budget.look((at < 0 ? text.length : at) - from);
      return at < 0 ? undefined : [at, at + this.#literal.length];
    }
    if (this.#back) {
      for (let at = from; at <= text.length; at++) {
        const found = this.#backtrack(text, at, budget);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    return this.#pike(text, from, budget);
  }

  #pike(text: string, from: number, budget: Budget): number[] | undefined {
    const code = this.#code;
    const marks = new Int32Array(code.length).fill(-1);
    budget.look(256 + code.length);
    let work = 0;
    let threads: Thread[] = [];
    let best: number[] | undefined;
    const add = (list: Thread[], start: number, slots: readonly number[], at: number) => {
      const stack: Thread[] = [{ pc: start, slots }];
      for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
        let { pc, slots: seen } = next;
        for (;;) {
          work++;
          if (marks[pc] === at) break;
          marks[pc] = at;
          const instruction = code[pc]!;
          if (instruction.op === 'jump') pc = instruction.x;
          else if (instruction.op === 'split') {
            stack.push({ pc: instruction.y, slots: seen });
            pc = instruction.x;
          } else if (instruction.op === 'save') {
            const copy = seen.slice();
            copy[instruction.slot] = at;
            seen = copy;
            pc++;
          } else if (instruction.op === 'assert') {
            if (!holds(instruction.kind, text, at)) break;
            pc++;
          } else {
            list.push({ pc, slots: seen });
            break;
          }
        }
      }
    };
    const blank: number[] = new Array((this.groups + 1) * 2).fill(-1);
    for (let at = from; ; at++) {
      if (threads.length === 0) {
        if (best !== undefined) break;
        if (this.#anchored && at > 0) break;
        if (this.#first !== undefined) {
          const before = at;
          while (at < text.length && !this.#first[text.charCodeAt(at)]) at++;
          work += (at - before) >>> 3;
          if (at >= text.length) break;
        }
      }
      if (best === undefined) {
        const slots = blank.slice();
        slots[0] = at;
        add(threads, 0, slots, at);
      }
      const next: Thread[] = [];
      const c = at < text.length ? text.charCodeAt(at) : -1;
      // marks of the next position must not clash with those of this one
      for (const thread of threads) {
        // a thread that began further right than the match found cannot be the leftmost
        if (best !== undefined && thread.slots[0]! > best[0]!) continue;
        const instruction = code[thread.pc]!;
        if (instruction.op === 'match') {
          if (best === undefined || thread.slots[0]! < best[0]! || (thread.slots[0] === best[0] && at > best[1]!)) {
            best = thread.slots.slice();
            best[1] = at;
          }
        } else if (c >= 0 && instruction.op === 'set' && instruction.set[c])
          add(next, thread.pc + 1, thread.slots, at + 1);
      }
      work += threads.length + 1;
      // advancing one thread, with everything it triggers, costs a twelfth of a step
      if (work > 12) {
        budget.spend(Math.floor(work / 12));
        work %= 12;
      }
      threads = next;
      if (c < 0) break;
    }
    return best;
  }

  /** Matching with back-references: every alternative is tried and the longest match kept. Each attempt costs steps. */
  #backtrack(text: string, start: number, budget: Budget): number[] | undefined {
    const code = this.#code;
    const slots: number[] = new Array((this.groups + 1) * 2).fill(-1);
    slots[0] = start;
    const stack: { pc: number; at: number; slots: readonly number[] }[] = [{ pc: 0, at: start, slots }];
    let best: number[] | undefined;
    let work = 0;
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      let { pc, at, slots: seen } = next;
      for (;;) {
        if ((++work & 7) === 0) budget.spend();
        const instruction = code[pc]!;
        if (instruction.op === 'match') {
          if (best === undefined || at > best[1]!) {
            best = seen.slice();
            best[1] = at;
          }
          break;
        }
        if (instruction.op === 'set') {
          if (at >= text.length || !instruction.set[text.charCodeAt(at)]) break;
          at++;
          pc++;
        } else if (instruction.op === 'jump') {
          // a loop whose body matched nothing makes no progress
          if (instruction.x < pc && stack.length > 100_000) budget.spend(budget.limits.steps);
          pc = instruction.x;
        } else if (instruction.op === 'split') {
          stack.push({ pc: instruction.y, at, slots: seen });
          pc = instruction.x;
        } else if (instruction.op === 'save') {
          const copy = seen.slice();
          copy[instruction.slot] = at;
          seen = copy;
          pc++;
        } else if (instruction.op === 'assert') {
          if (!holds(instruction.kind, text, at)) break;
          pc++;
        } else {
          const a = seen[instruction.group * 2]!;
          const b = seen[instruction.group * 2 + 1]!;
          if (a < 0 || b < 0 || !text.startsWith(text.slice(a, b), at)) break;
          at += b - a;
          pc++;
        }
      }
    }
    return best;
  }
}

function holds(kind: Assertion, text: string, at: number): boolean {
  if (kind === 'start') return at === 0;
  if (kind === 'end') return at === text.length;
  if (kind === 'lineStart') return at === 0 || text.charCodeAt(at - 1) === 10;
  if (kind === 'lineEnd') return at === text.length || text.charCodeAt(at) === 10;
  const before = at > 0 && WORD[text.charCodeAt(at - 1)] === 1;
  const after = at < text.length && WORD[text.charCodeAt(at)] === 1;
  switch (kind) {
    case 'word':
      return before !== after;
    case 'notWord':
      return before === after;
    case 'wordStart':
      return !before && after;
    default:
      return before && !after;
  }
}

function literalOf(tree: Tree): string | undefined {
  if (tree.kind === 'set') {
    const only = tree.set.indexOf(1);
    return tree.set.indexOf(1, only + 1) < 0 && only >= 0 ? String.fromCharCode(only) : undefined;
  }
  if (tree.kind !== 'concat') return undefined;
  let text = '';
  for (const item of tree.items) {
    const piece = item.kind === 'set' ? literalOf(item) : undefined;
    if (piece === undefined) return undefined;
    text += piece;
  }
  return text;
}

function firstOf(tree: Tree): Uint8Array | undefined {
  switch (tree.kind) {
    case 'set':
      return tree.set;
    case 'group':
      return firstOf(tree.body);
    case 'concat':
      return firstOf(tree.items[0]!);
    case 'either': {
      const all = new Uint8Array(256);
      for (const item of tree.items) {
        const set = firstOf(item);
        if (set === undefined) return undefined;
        for (let i = 0; i < 256; i++) if (set[i]) all[i] = 1;
      }
      return all;
    }
    case 'repeat':
      return tree.least > 0 ? firstOf(tree.body) : undefined;
    default:
      return undefined;
  }
}
