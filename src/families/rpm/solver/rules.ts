import { checkLimit, LIMITS } from './limits.ts';
import { NONE, type Pool } from './pool.ts';

/** More than there are rules. */
const KEY_STEP = 2 ** 28;

/**
 * Rules: lists of literals of which one has to hold; a literal is a package, or minus a package that is not installed.
 * A rule has a first literal and either a second one (0: there is none) or the offset of the others in the pool's lists.
 * Rule 0 is none. A disabled rule has its offset `d` as `-d - 1`.
 */
export class Rules {
  readonly pool: Pool;
  count = 1;
  first = new Int32Array(1024);
  /** Offset of further literals, 0 when there are at most two. */
  rest = new Int32Array(1024);
  /** The two literals that are watched; for a rule of two they are all of it. */
  watch1 = new Int32Array(1024);
  watch2 = new Int32Array(1024);
  /** Next rule that watches the same literal. */
  next1 = new Int32Array(1024);
  next2 = new Int32Array(1024);
  /** While package rules are added: the last one, to drop repetitions at once. */
  private last = 0;
  /** True while package rules are added. */
  dropsRepeated = true;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /** Adds `first ∨ second` or `first ∨ list at offset`. Returns the rule, or 0 when it always holds. */
  add(first: number, second: number, offset: number): number {
    const { data } = this.pool;
    if (offset !== 0) {
      if (offset === NONE || data[offset] === 0) offset = 0;
      else if (data[offset + 1] === 0) {
        second = data[offset]!;
        offset = 0;
      }
    }
    if (this.dropsRepeated) {
      const { last } = this;
      if (offset !== 0) {
        if (this.first[last] === first && this.rest[last] !== 0 && this.sameList(this.rest[last]!, offset)) return last;
        for (let at = offset; data[at] !== 0; at++) if (data[at] === -first) return 0;
      } else {
        if (second !== 0 && first > second) [first, second] = [second, first];
        if (this.first[last] === first && this.rest[last] === 0 && this.watch2[last] === second) return last;
        if (first === -second) return 0;
      }
      this.last = this.count;
    }
    if (this.count === this.first.length) this.grow();
    const rule = this.count++;
    this.first[rule] = first;
    this.rest[rule] = offset;
    this.watch1[rule] = first;
    this.watch2[rule] = offset !== 0 ? data[offset]! : second;
    return rule;
  }

  private grow(): void {
    const wider = (array: Int32Array) => {
      const copy = new Int32Array(array.length * 2);
      copy.set(array);
      return copy;
    };
    checkLimit(this.count, 'rules', LIMITS.rules);
    this.first = wider(this.first);
    this.rest = wider(this.rest);
    this.watch1 = wider(this.watch1);
    this.watch2 = wider(this.watch2);
    this.next1 = wider(this.next1);
    this.next2 = wider(this.next2);
  }

  private sameList(a: number, b: number): boolean {
    if (a === b) return true;
    const { data } = this.pool;
    for (; data[a] !== 0; a++, b++) if (data[a] !== data[b]) return false;
    return data[b] === 0;
  }

  isDisabled(rule: number): boolean {
    return this.rest[rule]! < 0;
  }

  disable(rule: number): void {
    if (this.rest[rule]! >= 0) this.rest[rule] = -this.rest[rule]! - 1;
  }

  enable(rule: number): void {
    if (this.rest[rule]! < 0) this.rest[rule] = -this.rest[rule]! - 1;
  }

  /** True for a rule of one literal. Meant for rules whose watches have not moved. */
  isAssertion(rule: number): boolean {
    return this.watch2[rule] === 0;
  }

  /** All literals of a rule, disabled or not. */
  literals(rule: number): number[] {
    const { data } = this.pool;
    const rest = this.rest[rule]! < 0 ? -this.rest[rule]! - 1 : this.rest[rule]!;
    const found = [this.first[rule]!];
    if (rest === 0) {
      // of a rule of two, the watches may not have moved apart: each is one of them
      const second = this.watch2[rule]!;
      if (second !== 0) found.push(second);
    } else for (let at = rest; data[at] !== 0; at++) found.push(data[at]!);
    return found;
  }

  /** Order of rules: by first literals, then by the others one after the other. */
  compare(a: number, b: number): number {
    const x = this.first[a]! - this.first[b]!;
    if (x !== 0) return x;
    const { data } = this.pool;
    let i = this.rest[a]!;
    let j = this.rest[b]!;
    if (i === 0 && j === 0) return this.watch2[a]! - this.watch2[b]!;
    if (i === 0) return this.watch2[a]! - data[j]! || -1;
    if (j === 0) return data[i]! - this.watch2[b]! || 1;
    if (i === j) return 0;
    while (data[j] !== 0) {
      const difference = data[i++]! - data[j++]!;
      if (difference !== 0) return difference;
    }
    return data[i]!;
  }

  /** Sorts rules of one first literal: by numbers made of the second one, then those that have it in common. */
  private sortGroup(group: Int32Array, scratch: Float64Array): void {
    const { data, size } = this.pool;
    const { length } = group;
    const keys = scratch.subarray(0, length);
    for (let i = 0; i < length; i++) {
      const rest = this.rest[group[i]!]!;
      keys[i] = ((rest === 0 ? this.watch2[group[i]!]! : data[rest]!) + size) * KEY_STEP + i;
    }
    keys.sort();
    const old = group.slice();
    for (let i = 0; i < length; i++) group[i] = old[keys[i]! % KEY_STEP]!;
    for (let from = 0; from < length; ) {
      const second = Math.floor(keys[from]! / KEY_STEP);
      let to = from + 1;
      while (to < length && Math.floor(keys[to]! / KEY_STEP) === second) to++;
      if (to - from > 1) group.subarray(from, to).sort((a, b) => this.compare(a, b) || a - b);
      from = to;
    }
  }

  /** Sorts the package rules, which are all there are so far, and drops repeated ones. */
  unify(): void {
    this.dropsRepeated = false;
    const { count } = this;
    // most rules begin with the negation of the package that they are about: sort by that first, without comparing
    const { size } = this.pool;
    const starts = new Int32Array(2 * size + 2);
    for (let rule = 1; rule < count; rule++) starts[this.first[rule]! + size + 1]!++;
    for (let i = 1; i < starts.length; i++) starts[i]! += starts[i - 1]!;
    const order = new Int32Array(count - 1);
    const ends = starts.slice();
    for (let rule = 1; rule < count; rule++) order[ends[this.first[rule]! + size]!++] = rule;
    const keys = new Float64Array(count);
    for (let i = 0; i < starts.length - 1; i++)
      if (starts[i + 1]! - starts[i]! > 1) this.sortGroup(order.subarray(starts[i], starts[i + 1]), keys);
    const old = { first: this.first, rest: this.rest, watch2: this.watch2 };
    const kept: number[] = [];
    for (const rule of order)
      if (kept.length === 0 || this.compare(kept[kept.length - 1]!, rule) !== 0) kept.push(rule);
    const capacity = Math.max(1024, kept.length * 2);
    this.first = new Int32Array(capacity);
    this.rest = new Int32Array(capacity);
    this.watch1 = new Int32Array(capacity);
    this.watch2 = new Int32Array(capacity);
    this.next1 = new Int32Array(capacity);
    this.next2 = new Int32Array(capacity);
    this.count = 1;
    for (const rule of kept) {
      const i = this.count++;
      this.first[i] = old.first[rule]!;
      this.rest[i] = old.rest[rule]!;
      this.watch1[i] = old.first[rule]!;
      this.watch2[i] = old.watch2[rule]!;
    }
  }
}
