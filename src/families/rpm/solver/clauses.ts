import { checkLimit, LIMITS } from './limits.ts';
import { AND, ELSE, IF, OR, UNLESS } from './operators.ts';
import { NONE, type Pool, SYSTEM } from './pool.ts';

/** What a rich dependency comes to: never, always, or a list of clauses. */
export const NEVER = 0;
export const ALWAYS = 1;
export const CLAUSES = -1;

/**
 * Turns a rich dependency into clauses: lists of packages, each ended by 0; a package below 0 is one that is not
 * installed. All clauses have to hold (`alternatives` false), or one of them (`alternatives` true). What is returned says
 * whether there are clauses.
 */
export function clausesOf(pool: Pool, dependency: number, into: number[], alternatives = false): number {
  const from = into.length;
  const normal = new Normal(pool, into);
  const state = normal.normalize(dependency, alternatives);
  if (state === CLAUSES) normal.expand(from, 0);
  return state;
}

/**
 * The clauses that forbid a rich dependency: all of them have to hold. Conflicts are written so.
 */
export function forbiddingClauses(pool: Pool, dependency: number, into: number[]): number {
  const from = into.length;
  const normal = new Normal(pool, into);
  const state = normal.normalize(dependency, true);
  if (state === CLAUSES) normal.expand(from, 0);
  return normal.invert(from, state);
}

/**
 * Follows libsolv's normal form step by step, since the order of literals decides the order of rules. A list of providers
 * stands in a clause as the mark and its offset until it has to be written out.
 */
class Normal {
  private readonly pool: Pool;
  private readonly queue: number[];
  /** Parts and literals looked at: a condition is looked at twice, and so is each condition in it again. */
  private steps = 0;
  /** No package has this number. */
  private readonly mark: number;

  constructor(pool: Pool, queue: number[]) {
    this.pool = pool;
    this.queue = queue;
    this.mark = pool.size;
  }

  /** Writes out lists of providers from `start` on; returns where `split` has moved to. */
  expand(start: number, split: number): number {
    const { queue, pool } = this;
    const old = queue.splice(start);
    let moved = 0;
    for (let i = 0; i < old.length; i++) {
      if (start + i === split) moved = queue.length;
      if (old[i] !== this.mark) {
        queue.push(old[i]!);
        continue;
      }
      for (let at = old[++i]!; pool.data[at] !== 0; at++) queue.push(pool.data[at]!);
      checkLimit(queue.length, 'literals of a rich dependency', LIMITS.clauses);
    }
    if (start + old.length === split) moved = queue.length;
    return moved;
  }

  /** Negates all literals, which turns "all of" into "one of" and back. */
  invert(start: number, state: number): number {
    if (state === NEVER) return ALWAYS;
    if (state === ALWAYS) return NEVER;
    const { queue } = this;
    this.expand(start, 0);
    let block = start;
    for (let i = start; i < queue.length; i++) {
      if (queue[i] !== 0) {
        queue[i] = -queue[i]!;
        continue;
      }
      for (let a = block, b = i - 1; a < b; a++, b--) [queue[a], queue[b]] = [queue[b]!, queue[a]!];
      block = i + 1;
    }
    return CLAUSES;
  }

  /** The product of two groups of clauses: those from `first` to `second`, and those after. */
  private distribute(first: number, second: number, alternatives: boolean): number {
    const { queue } = this;
    second = this.expand(first, second);
    const end = queue.length;
    for (let i = first; i < second; i++) {
      for (let j = second; j < end; j++) {
        const start = queue.length;
        let k = i;
        this.count(1);
        while (queue[k] !== 0 && queue[j] !== 0) {
          if (queue[k]! < queue[j]!) queue.push(queue[k++]!);
          else {
            if (queue[k] === queue[j]) k++;
            queue.push(queue[j++]!);
          }
        }
        while (queue[j] !== 0) queue.push(queue[j++]!);
        while (queue[k] !== 0) queue.push(queue[k++]!);
        this.count(queue.length - start);
        if (this.contradicts(start)) queue.length = start;
        else queue.push(0);
        checkLimit(queue.length, 'literals of a rich dependency', LIMITS.clauses);
      }
      while (queue[i] !== 0) i++;
    }
    queue.splice(first, end - first);
    return queue.length === first ? (alternatives ? NEVER : ALWAYS) : CLAUSES;
  }

  /** True when the sorted block from `start` on has a package and its negation. */
  private contradicts(start: number): boolean {
    const { queue } = this;
    for (let a = start, b = queue.length - 1; a < b; ) {
      if (-queue[a]! === queue[b]) return true;
      if (-queue[a]! > queue[b]!) a++;
      else b--;
    }
    return false;
  }

  /** Both of two (AND), or one of them (OR); the second may be negated. */
  private combine(operator: number, one: number, two: number, alternatives: boolean, negateTwo: boolean): number {
    return this.join(
      operator,
      () => this.normalize(one, alternatives),
      () => {
        const start = this.queue.length;
        const state = this.normalize(two, alternatives !== negateTwo);
        return negateTwo ? this.invert(start, state) : state;
      },
      alternatives,
    );
  }

  /** `a if b else c`: (a or not b) and (c or b). `a unless b else c`: (a and not b) or (c and b). */
  private choose(operator: number, one: number, two: number, three: number, alternatives: boolean): number {
    const inner = operator === AND ? OR : AND;
    return this.join(
      operator,
      () => this.combine(inner, one, two, alternatives, true),
      () => this.combine(inner, two, three, alternatives, false),
      alternatives,
    );
  }

  /** Writes the clauses of two parts one after the other, and makes one group of them. */
  private join(operator: number, one: () => number, two: () => number, alternatives: boolean): number {
    const { queue } = this;
    // what decides the whole by itself, and what says nothing
    const [decides, neutral] = operator === AND ? [NEVER, ALWAYS] : [ALWAYS, NEVER];
    const first = queue.length;
    const a = one();
    if (a === decides) return decides;
    const second = queue.length;
    const b = two();
    if (b === decides) {
      queue.length = first;
      return decides;
    }
    if (a === neutral) return b;
    if (b === neutral) return a;
    return alternatives === (operator === OR) ? CLAUSES : this.distribute(first, second, alternatives);
  }

  private count(steps: number): void {
    this.steps += steps;
    checkLimit(this.steps, 'looks at parts of a rich dependency', LIMITS.richSteps);
  }

  normalize(dependency: number, alternatives: boolean): number {
    this.count(1);
    const { pool, queue } = this;
    const { relations } = pool;
    if (dependency < 0 && relations.isRich(dependency)) {
      const operator = relations.operator(dependency);
      const one = relations.name(dependency);
      const two = relations.operand(dependency);
      const otherwise = two < 0 && relations.operator(two) === ELSE;
      if (operator === IF)
        return otherwise
          ? this.choose(AND, one, relations.name(two), relations.operand(two), alternatives)
          : this.combine(OR, one, two, alternatives, true);
      if (operator === UNLESS)
        return otherwise
          ? this.choose(OR, one, relations.name(two), relations.operand(two), alternatives)
          : this.combine(AND, one, two, alternatives, true);
      if (operator === OR || operator === AND) return this.combine(operator, one, two, alternatives, false);
    }
    const offset = pool.whatProvides(dependency);
    if (offset === NONE || pool.data[offset] === 0) return NEVER;
    if (pool.data[offset] === SYSTEM) return ALWAYS;
    if (alternatives) for (let at = offset; pool.data[at] !== 0; at++) queue.push(pool.data[at]!, 0);
    else queue.push(this.mark, offset, 0);
    return CLAUSES;
  }
}

/** Calls for each package that a rich dependency may bring in: those under a negation are left out. */
export function eachPositive(pool: Pool, dependency: number, take: (id: number) => void, negative = false): void {
  const { relations } = pool;
  while (dependency < 0) {
    const operator = relations.operator(dependency);
    if (operator !== AND && operator !== OR && operator !== IF && operator !== UNLESS) break;
    eachPositive(pool, relations.name(dependency), take, negative);
    dependency = relations.operand(dependency);
    if (operator === IF || operator === UNLESS) {
      negative = !negative;
      if (dependency < 0 && relations.operator(dependency) === ELSE) {
        eachPositive(pool, relations.operand(dependency), take, !negative);
        dependency = relations.name(dependency);
      }
    }
  }
  if (!negative) for (let at = pool.whatProvides(dependency); pool.data[at] !== 0; at++) take(pool.data[at]!);
}
