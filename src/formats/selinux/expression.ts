/**
 * Regular expressions of SELinux' file_contexts, matched against whole paths. They are Perl's for libselinux; policies use
 * a small part of that: literals, escapes, `.`, classes, groups, `|`, `?`, `*`, `+`, `{n,m}`. Everything else is an error.
 * A hostile policy must not cost exponential time, so an expression becomes an automaton whose states are made when a path
 * first needs them: each byte of a path costs one step.
 */
export interface Expression {
  /** True when the expression matches all of `text`, a byte string. */
  matches(text: string): boolean;
}

/** Thrown for an expression outside of the dialect; its message says what is wrong. */
export class ExpressionError extends Error {}

/** Numbers of instructions in the states that all expressions of a policy keep together; beyond, they start anew. */
const KEPT = 2_000_000;
/** Instructions of an expression. The largest in Debian's policy has 340. */
const INSTRUCTIONS = 20_000;

/** What the expressions of one policy share: how much their states keep, and how often all were dropped. */
export interface StatesKept {
  numbers: number;
  dropped: number;
}

/** A byte that must be in `set`, or a jump to one or both of two places; the last instruction is `match`. */
type Instruction =
  | { readonly op: 'set'; readonly set: Uint8Array }
  | { readonly op: 'split'; x: number; y: number }
  | { readonly op: 'match' };

interface State {
  /** Instructions that wait for a byte, in ascending order. */
  readonly waiting: readonly number[];
  readonly accepts: boolean;
  /** The next state by byte, as far as it is known. */
  readonly next: (State | undefined)[];
}

/** Compiles an expression. Throws {@link ExpressionError}. */
export function compileExpression(source: string, kept: StatesKept = { numbers: 0, dropped: 0 }): Expression {
  return new Automaton(new Compiler(source).program(), kept);
}

class Automaton implements Expression {
  readonly #program: readonly Instruction[];
  readonly #kept: StatesKept;
  #start: State | undefined;
  #known = new Map<string, State>();
  #dropped = 0;

  constructor(program: readonly Instruction[], kept: StatesKept) {
    this.#program = program;
    this.#kept = kept;
  }

  matches(text: string): boolean {
    if (this.#dropped !== this.#kept.dropped) {
      this.#dropped = this.#kept.dropped;
      this.#known = new Map();
      this.#start = undefined;
    }
    this.#start ??= this.#state([0]);
    let state = this.#start;
    for (let i = 0; i < text.length; i++) {
      const byte = text.charCodeAt(i);
      state = state.next[byte] ?? this.#advance(state, byte);
      if (state.waiting.length === 0 && !state.accepts) return false;
    }
    return state.accepts;
  }

  #advance(state: State, byte: number): State {
    const reached: number[] = [];
    for (const at of state.waiting) {
      const instruction = this.#program[at]!;
      if (instruction.op === 'set' && instruction.set[byte]) reached.push(at + 1);
    }
    const next = this.#state(reached);
    state.next[byte] = next;
    return next;
  }

  /** The state of all instructions that can be reached from these without a byte. */
  #state(from: readonly number[]): State {
    const seen = new Set<number>();
    const stack = [...from];
    const waiting: number[] = [];
    let accepts = false;
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const instruction = this.#program[at]!;
      if (instruction.op === 'split') stack.push(instruction.x, instruction.y);
      else if (instruction.op === 'match') accepts = true;
      else waiting.push(at);
    }
    waiting.sort((a, b) => a - b);
    const key = `${accepts ? '+' : '-'}${waiting.join(',')}`;
    let state = this.#known.get(key);
    if (state === undefined) {
      this.#kept.numbers += waiting.length + 16;
      if (this.#kept.numbers > KEPT) {
        this.#kept.numbers = 0;
        this.#kept.dropped++;
      }
      state = { waiting, accepts, next: [] };
      this.#known.set(key, state);
    }
    return state;
  }
}

const ANY = new Uint8Array(256).fill(1);
const NAMED: ReadonlyMap<string, RegExp> = new Map(
  Object.entries({
    alnum: /[A-Za-z0-9]/,
    alpha: /[A-Za-z]/,
    digit: /[0-9]/,
    lower: /[a-z]/,
    upper: /[A-Z]/,
    space: /[ \t\n\v\f\r]/,
    punct: /[!-/:-@[-`{-~]/,
    xdigit: /[A-Fa-f0-9]/,
    word: /\w/,
  }),
);

type Node =
  | { readonly kind: 'set'; readonly set: Uint8Array }
  | { readonly kind: 'sequence' | 'either'; readonly items: readonly Node[] }
  | Repeat;

interface Repeat {
  readonly kind: 'repeat';
  readonly body: Node;
  readonly least: number;
  readonly most: number;
}

/** Reads an expression by recursive descent and writes its instructions. */
class Compiler {
  private readonly source: string;
  private at = 0;
  private depth = 0;
  private work = 0;
  private readonly out: Instruction[] = [];

  constructor(source: string) {
    this.source = source;
  }

  program(): readonly Instruction[] {
    const tree = this.alternatives();
    if (this.at < this.source.length) throw new ExpressionError(`")" at ${this.at + 1} closes nothing`);
    this.emit(tree);
    this.out.push({ op: 'match' });
    return this.out;
  }

  private alternatives(): Node {
    const items = [this.sequence()];
    while (this.source[this.at] === '|') {
      this.at++;
      items.push(this.sequence());
    }
    return items.length === 1 ? items[0]! : { kind: 'either', items };
  }

  private sequence(): Node {
    const items: Node[] = [];
    for (;;) {
      const c = this.source[this.at];
      if (c === undefined || c === '|' || c === ')') return { kind: 'sequence', items };
      items.push(this.repeated(this.atom(c)));
    }
  }

  private repeated(body: Node): Node {
    const [least, most] = this.quantifier() ?? [1, 1];
    if (least === 1 && most === 1) return body;
    if (/^[?*+]/.test(this.source.slice(this.at)) || /^\{\d+(,\d*)?\}/.test(this.source.slice(this.at)))
      throw new ExpressionError(`two quantifiers in a row at ${this.at + 1}`);
    return { kind: 'repeat', body, least, most };
  }

  private quantifier(): [least: number, most: number] | undefined {
    const rest = this.source.slice(this.at, this.at + 24);
    const simple = ({ '?': [0, 1], '*': [0, Infinity], '+': [1, Infinity] } as const)[rest[0] ?? ''];
    if (simple !== undefined) {
      this.at++;
      return [...simple];
    }
    const counted = /^\{(\d{1,5})(,(\d{1,5})?)?\}/.exec(rest);
    if (counted === null) return undefined;
    this.at += counted[0].length;
    const least = Number(counted[1]);
    const most = counted[2] === undefined ? least : counted[3] === undefined ? Infinity : Number(counted[3]);
    if (most < least) throw new ExpressionError(`${counted[0]} counts backwards`);
    return [least, most];
  }

  private atom(c: string): Node {
    if (c === '(') return this.group();
    if (c === '[') return { kind: 'set', set: this.bracket() };
    if (c === '.') {
      this.at++;
      return { kind: 'set', set: ANY };
    }
    if (c === '\\') return { kind: 'set', set: only(this.escaped()) };
    if ('^$?*+'.includes(c)) throw new ExpressionError(`"${c}" at ${this.at + 1} has no meaning there`);
    this.at++;
    return { kind: 'set', set: only(c) };
  }

  private group(): Node {
    const open = this.at++;
    if (this.source.startsWith('?:', this.at)) this.at += 2;
    else if (this.source[this.at] === '?' || this.source[this.at] === '*')
      throw new ExpressionError(`the group at ${open + 1} is of an unsupported kind`);
    if (++this.depth > 100) throw new ExpressionError('more than 100 groups inside each other');
    const body = this.alternatives();
    this.depth--;
    if (this.source[this.at] !== ')') throw new ExpressionError(`"(" at ${open + 1} is not closed`);
    this.at++;
    return body;
  }

  /** The character behind a backslash. Letters and digits are classes and references in Perl's expressions. */
  private escaped(): string {
    const c = this.source[this.at + 1];
    if (c === undefined) throw new ExpressionError('a backslash at the end');
    if (/[A-Za-z0-9]/.test(c)) throw new ExpressionError(`"\\${c}" is not supported`);
    this.at += 2;
    return c;
  }

  private bracket(): Uint8Array {
    const open = this.at++;
    const set = new Uint8Array(256);
    const inverted = this.source[this.at] === '^';
    if (inverted) this.at++;
    for (let first = true; ; first = false) {
      const c = this.source[this.at];
      if (c === undefined) throw new ExpressionError(`"[" at ${open + 1} is not closed`);
      if (c === ']' && !first) break;
      const named = /^\[:(\w+):\]/.exec(this.source.slice(this.at, this.at + 12));
      if (named !== null) {
        const test = NAMED.get(named[1]!);
        if (test === undefined) throw new ExpressionError(`unknown class ${named[0]}`);
        for (let i = 0; i < 256; i++) if (test.test(String.fromCharCode(i))) set[i] = 1;
        this.at += named[0].length;
        continue;
      }
      const low = this.member(c);
      let high = low;
      if (this.source[this.at] === '-' && this.source[this.at + 1] !== ']' && this.at + 1 < this.source.length) {
        this.at++;
        high = this.member(this.source[this.at]!);
        if (high < low) throw new ExpressionError(`the range that ends at ${this.at} runs backwards`);
      }
      for (let i = low; i <= high; i++) set[i] = 1;
    }
    this.at++;
    return inverted ? set.map((bit) => 1 - bit) : set;
  }

  private member(c: string): number {
    if (c === '\\') return this.escaped().charCodeAt(0);
    this.at++;
    return c.charCodeAt(0);
  }

  private emit(node: Node): void {
    if (++this.work > INSTRUCTIONS) throw new ExpressionError('the expression is too large');
    if (node.kind === 'set') this.out.push({ op: 'set', set: node.set });
    else if (node.kind === 'repeat') this.emitRepeat(node);
    else if (node.kind === 'either') this.emitEither(node.items);
    else for (const item of node.items) this.emit(item);
  }

  /** Each alternative but the last: a split, its body, and a jump (a split with one way) to the end. */
  private emitEither(items: readonly Node[]): void {
    const jumps: { x: number; y: number }[] = [];
    for (const [i, item] of items.entries()) {
      if (i === items.length - 1) this.emit(item);
      else {
        const split = this.split();
        split.x = this.out.length;
        this.emit(item);
        jumps.push(this.split());
        split.y = this.out.length;
      }
    }
    for (const jump of jumps) jump.x = jump.y = this.out.length;
  }

  private emitRepeat({ body, least, most }: Repeat): void {
    for (let i = 0; i < least; i++) this.emit(body);
    if (most === Infinity) {
      const top = this.out.length;
      const split = this.split();
      split.x = this.out.length;
      this.emit(body);
      const back = this.split();
      back.x = back.y = top;
      split.y = this.out.length;
      return;
    }
    const skips: { x: number; y: number }[] = [];
    for (let i = least; i < most; i++) {
      const split = this.split();
      split.x = this.out.length;
      this.emit(body);
      skips.push(split);
    }
    for (const skip of skips) skip.y = this.out.length;
  }

  private split(): { op: 'split'; x: number; y: number } {
    const split = { op: 'split' as const, x: 0, y: 0 };
    this.out.push(split);
    return split;
  }
}

function only(c: string): Uint8Array {
  const set = new Uint8Array(256);
  set[c.charCodeAt(0)] = 1;
  return set;
}
