import { CLAUSES, clausesOf } from './clauses.ts';
import { AND, ELSE, IF, OR, UNLESS } from './operators.ts';
import { type Pool, SYSTEM } from './pool.ts';
import type { State } from './state.ts';

/** True when the decisions so far satisfy a dependency. */
export function isFulfilled(state: State, dependency: number): boolean {
  const { pool, level } = state;
  if (dependency < 0) {
    const { relations } = pool;
    const operator = relations.operator(dependency);
    const one = relations.name(dependency);
    const two = relations.operand(dependency);
    switch (operator) {
      case IF:
      case UNLESS:
        if (two < 0 && relations.operator(two) === ELSE) {
          const condition = isFulfilled(state, relations.name(two)) === (operator === IF);
          return isFulfilled(state, condition ? one : relations.operand(two));
        }
        return operator === IF
          ? isFulfilled(state, one) || !isFulfilled(state, two)
          : isFulfilled(state, one) && !isFulfilled(state, two);
      case AND:
        return isFulfilled(state, one) && isFulfilled(state, two);
      case OR:
        return isFulfilled(state, one) || isFulfilled(state, two);
    }
  }
  for (let at = pool.whatProvides(dependency); pool.data[at] !== 0; at++) if (level[pool.data[at]!]! > 0) return true;
  return false;
}

/** Not satisfied. */
const NO = 0;
/** Satisfied by what is not there. */
const BY_ABSENCE = 1;
/** Satisfied by a chosen package. */
const BY_PACKAGE = 2;

/** How the decisions so far satisfy a dependency. */
function fulfilment(state: State, dependency: number): number {
  const { pool, level } = state;
  if (dependency < 0) {
    const { relations } = pool;
    const operator = relations.operator(dependency);
    const name = relations.name(dependency);
    const operand = relations.operand(dependency);
    const withElse = operand < 0 && relations.operator(operand) === ELSE;
    const positive = (one: number, two: number) => (one === BY_PACKAGE || two === BY_PACKAGE ? BY_PACKAGE : BY_ABSENCE);
    if ((operator === IF || operator === UNLESS) && withElse) {
      const condition = fulfilment(state, relations.name(operand));
      if (condition === NO) return fulfilment(state, operator === IF ? relations.operand(operand) : name);
      const found = fulfilment(state, operator === IF ? name : relations.operand(operand));
      return found !== NO && condition === BY_PACKAGE ? BY_PACKAGE : found;
    }
    if (operator === IF || operator === UNLESS) {
      const one = fulfilment(state, name);
      const absent = fulfilment(state, operand) === NO;
      if (operator === IF ? one === NO && !absent : one === NO || !absent) return NO;
      return one === BY_PACKAGE ? BY_PACKAGE : BY_ABSENCE;
    }
    if (operator === AND) {
      const one = fulfilment(state, name);
      const two = one === NO ? NO : fulfilment(state, operand);
      return two === NO ? NO : positive(one, two);
    }
    if (operator === OR) {
      const one = fulfilment(state, name);
      const two = fulfilment(state, operand);
      return one === NO && two === NO ? NO : positive(one, two);
    }
  }
  let found = NO;
  for (let at = pool.whatProvides(dependency); pool.data[at] !== 0; at++)
    if (level[pool.data[at]!]! > 0) {
      if (pool.data[at] !== SYSTEM) return BY_PACKAGE;
      found = BY_ABSENCE;
    }
  return found;
}

/** True when a package supplements chosen packages: not merely because others are absent. */
export function supplementsChosen(state: State, id: number): boolean {
  const { starts, items } = state.pool.dependencies.supplements;
  for (let i = starts[id]!; i < starts[id + 1]!; i++) if (fulfilment(state, items[i]!) === BY_PACKAGE) return true;
  return false;
}

function anyFulfilled(state: State, kind: 'supplements' | 'enhances', id: number): boolean {
  const { starts, items } = state.pool.dependencies[kind];
  for (let i = starts[id]!; i < starts[id + 1]!; i++) if (isFulfilled(state, items[i]!)) return true;
  return false;
}

/** True when a package says that it goes with what is decided. */
export function isSupplementing(state: State, id: number): boolean {
  return anyFulfilled(state, 'supplements', id);
}

/** True when a package says, less strongly, that it goes with what is decided. */
export function isEnhancing(state: State, id: number): boolean {
  return anyFulfilled(state, 'enhances', id);
}

/** True when a weak dependency could be satisfied by packages that have rules. */
export function isPossible(pool: Pool, dependency: number, added: Uint8Array): boolean {
  if (dependency < 0) {
    const { relations } = pool;
    const one = relations.name(dependency);
    const two = relations.operand(dependency);
    switch (relations.operator(dependency)) {
      case IF:
      case UNLESS:
        return true;
      case AND:
        return isPossible(pool, one, added) && isPossible(pool, two, added);
      case OR:
        return isPossible(pool, one, added) || isPossible(pool, two, added);
    }
  }
  for (let at = pool.whatProvides(dependency); pool.data[at] !== 0; at++) if (added[pool.data[at]!]) return true;
  return false;
}

/** Packages that decided ones recommend, or suggest; kept while decisions are added. */
export class Wishes {
  readonly marked: Uint8Array;
  private readonly kind: 'recommends' | 'suggests';
  private readonly state: State;
  /** How many decisions were looked at; -1 to begin again. */
  private seen = 0;
  /** Rich dependencies that depend on a package that is not decided yet, by that package. */
  private waiting = new Map<number, Set<number>>();

  constructor(state: State, kind: 'recommends' | 'suggests') {
    this.state = state;
    this.kind = kind;
    this.marked = new Uint8Array(state.pool.size);
  }

  /** Has to be called when only the first `count` decisions remain. */
  reverted(count: number): void {
    if (this.seen > count) this.seen = -1;
  }

  update(): void {
    const { state } = this;
    const { pool } = state;
    if (this.seen < 0) {
      this.marked.fill(0);
      this.waiting.clear();
      this.seen = 0;
    }
    const { starts, items } = pool.dependencies[this.kind];
    while (this.seen < state.decisions.length) {
      const id = state.decisions[this.seen++]!;
      if (id < 0) continue;
      const waiting = this.waiting.get(id);
      if (waiting !== undefined && state.level[id]! > 0) {
        this.waiting.delete(id);
        for (const dependency of waiting) this.rich(dependency);
      }
      for (let i = starts[id]!; i < starts[id + 1]!; i++) {
        const dependency = items[i]!;
        if (dependency < 0 && pool.relations.isRich(dependency)) this.rich(dependency);
        else for (let at = pool.whatProvides(dependency); pool.data[at] !== 0; at++) this.marked[pool.data[at]!] = 1;
      }
    }
  }

  private rich(dependency: number): void {
    const { level } = this.state;
    const clauses: number[] = [];
    if (clausesOf(this.state.pool, dependency, clauses) !== CLAUSES) return;
    for (let i = 0; i < clauses.length; i++) {
      const end = clauses.indexOf(0, i);
      const undecided: number[] = [];
      // literals are sorted: those of packages that must not be there come first
      for (; clauses[i]! < 0; i++) {
        const decided = level[-clauses[i]!]!;
        if (decided < 0) break;
        if (decided === 0) undecided.push(-clauses[i]!);
      }
      if (clauses[i]! > 0)
        if (undecided.length === 0) for (; i < end; i++) this.marked[clauses[i]!] = 1;
        else
          for (const id of undecided) {
            let waiting = this.waiting.get(id);
            if (waiting === undefined) this.waiting.set(id, (waiting = new Set()));
            waiting.add(dependency);
          }
      i = end;
    }
  }
}
