import type { Job } from './jobs.ts';
import { checkLimit, LIMITS } from './limits.ts';
import { type Pool, SYSTEM } from './pool.ts';
import type { Rules } from './rules.ts';

/** A set of things asked for that cannot be had together, and the rules that show it. */
export interface Conflict {
  /** Jobs as `-job - 1`, other rules by their number. */
  readonly parts: readonly number[];
  readonly proof: readonly number[];
}

/** What solving is about, besides the pool. */
export interface Problemset {
  readonly pool: Pool;
  readonly rules: Rules;
  readonly jobs: readonly Job[];
  /** Job of each job rule, from `jobRules` on. */
  readonly jobOfRule: readonly number[];
  readonly jobRules: number;
  /** Rules against lesser architectures. */
  readonly architectureRules: number;
  readonly bestRules: number;
  /** Job of each rule from `bestRules` on. */
  readonly jobOfBest: readonly number[];
  /** Rules that are dropped rather than reported. */
  readonly weakRules: ReadonlySet<number>;
  /** Rules from here on are learnt. */
  readonly learntRules: number;
}

/**
 * Decisions, and how they follow from rules: assertions, propagation with two watched literals, learning from the first
 * unique implication point. Follows libsolv in the order of everything, since its answers depend on it.
 */
export class State {
  readonly pool: Pool;
  readonly rules: Rules;
  readonly set: Problemset;
  /** By package: the level at which it was decided, below 0 when it is not to be installed, 0 when undecided. */
  readonly level: Int32Array;
  /** Literals in the order in which they were decided. */
  readonly decisions: number[] = [];
  /** The rule that each follows from; 0 or below for a free choice, as minus the rule that it was made for. */
  readonly why: number[] = [];
  /** Alternatives left open: `-taken other… x x size level` each. */
  readonly branches: number[] = [];
  readonly conflicts: Conflict[] = [];
  private readonly size: number;
  private readonly watches: Int32Array;
  private propagated = 0;
  private readonly assertions: number[] = [];
  /** Where the proof of each learnt rule begins in `proofs`. */
  private readonly learntWhy: number[] = [];
  private readonly proofs: number[] = [0];
  private steps = 0;
  /** Called when decisions up to a count remain. */
  onRevert: (count: number) => void = () => {};

  constructor(set: Problemset) {
    this.set = set;
    this.pool = set.pool;
    this.rules = set.rules;
    this.size = set.pool.size;
    this.level = new Int32Array(this.size);
    this.watches = new Int32Array(2 * this.size);
    const { rules } = this;
    for (let rule = rules.count - 1; rule >= 1; rule--) if (rules.watch2[rule] !== 0) this.watch(rule);
    for (let rule = 1; rule < rules.count; rule++) if (rules.isAssertion(rule)) this.assertions.push(rule);
  }

  private watch(rule: number): void {
    const { rules, watches, size } = this;
    const one = size + rules.watch1[rule]!;
    rules.next1[rule] = watches[one]!;
    watches[one] = rule;
    const two = size + rules.watch2[rule]!;
    rules.next2[rule] = watches[two]!;
    watches[two] = rule;
  }

  isTrue(literal: number): boolean {
    return literal > 0 ? this.level[literal]! > 0 : this.level[-literal]! < 0;
  }

  private set1(literal: number, level: number, why: number): void {
    if (literal > 0) this.level[literal] = level;
    else this.level[-literal] = -level;
    this.decisions.push(literal);
    this.why.push(why);
  }

  /** Counts work, and throws `RESOLVER_LIMIT` when it is more than any real request needs. */
  work(steps: number): void {
    this.steps += steps;
    checkLimit(this.steps, 'steps', LIMITS.steps);
  }

  /**
   * Decides all rules of one literal. What contradicts is recorded and disabled, and it begins again. Returns level 1, or
   * -1 when `disables` is false and there is a contradiction.
   */
  assertAll(disables: boolean): number {
    const { rules, set } = this;
    this.set1(SYSTEM, 1, 0);
    let disabled = false;
    again: for (;;) {
      while (this.decisions.length > 1) {
        this.level[Math.abs(this.decisions.pop()!)] = 0;
        this.why.pop();
      }
      for (const rule of this.assertions) {
        if (disabled && rule >= set.learntRules) {
          this.adaptLearnt();
          disabled = false;
        }
        if (rules.isDisabled(rule) || set.weakRules.has(rule)) continue;
        const literal = rules.first[rule]!;
        const level = this.level[Math.abs(literal)]!;
        if (level === 0) this.set1(literal, 1, rule);
        else if (level > 0 !== literal > 0) {
          if (rule >= set.learntRules) {
            // happens when a package is impossible for several reasons
            rules.disable(rule);
            continue;
          }
          this.recordContradiction(rule, literal);
          if (!disables) return -1;
          this.disableParts(this.conflicts[this.conflicts.length - 1]!.parts);
          disabled = true;
          continue again;
        }
      }
      for (const rule of this.assertions) {
        if (rules.isDisabled(rule) || rule >= set.learntRules || !set.weakRules.has(rule)) continue;
        const literal = rules.first[rule]!;
        const level = this.level[Math.abs(literal)]!;
        if (level === 0) this.set1(literal, 1, rule);
        else if (level > 0 !== literal > 0) {
          this.dropRule(rule);
          disabled = true;
          continue again;
        }
      }
      return 1;
    }
  }

  /** Records that a job's single literal contradicts a rule about packages, or other jobs. */
  private recordContradiction(rule: number, literal: number): void {
    const { rules, set } = this;
    const at = this.decisions.indexOf(-literal);
    const other = literal === -SYSTEM ? 0 : this.why[at]!;
    const parts: number[] = [];
    if (other < set.jobRules) addPart(parts, this.partOf(rule));
    else
      for (let one = set.jobRules; one < set.learntRules; one++)
        if (!rules.isDisabled(one) && rules.isAssertion(one) && Math.abs(rules.first[one]!) === Math.abs(literal))
          if (!set.weakRules.has(one)) addPart(parts, this.partOf(one));
    this.conflicts.push({ parts, proof: other > 0 ? [rule, other] : [rule] });
  }

  /** Follows the decisions that were not followed yet. Returns the rule that cannot hold any more, or 0. */
  propagate(level: number): number {
    const { rules, watches, size, decisions } = this;
    const { first, rest, watch1, watch2, next1, next2 } = rules;
    const { data } = this.pool;
    const decided = this.level;
    let steps = 0;
    while (this.propagated < decisions.length) {
      const literal = -decisions[this.propagated++]!;
      let before = 0;
      let beforeFirst = false;
      let next: number;
      for (let rule = watches[size + literal]!; rule !== 0; rule = next) {
        steps++;
        const isFirst = watch1[rule] === literal;
        next = isFirst ? next1[rule]! : next2[rule]!;
        const offset = rest[rule]!;
        const other = isFirst ? watch2[rule]! : watch1[rule]!;
        const otherLevel = other > 0 ? decided[other]! : -decided[-other]!;
        if (offset < 0 || otherLevel > 0) {
          before = rule;
          beforeFirst = isFirst;
          continue;
        }
        if (offset > 0) {
          let found = first[rule]!;
          if (found === other || (found > 0 ? decided[found]! < 0 : decided[-found]! > 0)) {
            let at = offset;
            for (found = data[at]!; found !== 0; found = data[++at]!)
              if (found !== other && !(found > 0 ? decided[found]! < 0 : decided[-found]! > 0)) break;
            steps += (at - offset) >> 3;
          }
          if (found !== 0) {
            if (before === 0) watches[size + literal] = next;
            else if (beforeFirst) next1[before] = next;
            else next2[before] = next;
            if (isFirst) {
              watch1[rule] = found;
              next1[rule] = watches[size + found]!;
            } else {
              watch2[rule] = found;
              next2[rule] = watches[size + found]!;
            }
            watches[size + found] = rule;
            continue;
          }
        }
        if (otherLevel < 0) {
          this.work(steps);
          return rule;
        }
        this.set1(other, level, rule);
        before = rule;
        beforeFirst = isFirst;
      }
    }
    this.work(steps);
    return 0;
  }

  /** Takes back all decisions above a level. Returns what the last one taken back was made for. */
  revert(level: number): number {
    const { decisions, why, branches } = this;
    let last = 0;
    while (decisions.length > 0) {
      const id = Math.abs(decisions[decisions.length - 1]!);
      if (Math.abs(this.level[id]!) <= level) break;
      this.level[id] = 0;
      decisions.pop();
      last = why.pop()!;
      this.propagated = decisions.length;
    }
    while (branches.length > 0 && branches[branches.length - 1]! >= level)
      branches.length -= branches[branches.length - 2]!;
    this.onRevert(decisions.length);
    return last;
  }

  /**
   * Makes a choice, `literal` not 0, for a rule (0: for none), and propagates; contradictions are learnt from. Returns the
   * new level, 0 when everything has to begin again, or -1 when there is no answer.
   */
  choose(level: number, literal: number, rule: number, disables: boolean): number {
    level++;
    this.set1(literal, level, -rule);
    for (;;) {
      const conflict = this.propagate(level);
      if (conflict === 0) return level;
      if (level === 1) return this.analyzeUnsolvable(conflict, disables);
      const learnt = this.analyze(level, conflict);
      level = learnt.level;
      this.set1(this.rules.first[learnt.rule]!, level, learnt.rule);
    }
  }

  private analyze(level: number, conflict: number): { readonly level: number; readonly rule: number } {
    const { rules, decisions } = this;
    const seen = new Uint8Array(this.size);
    const others: number[] = [];
    const proof = this.proofs.length;
    let back = 1;
    let index = decisions.length;
    let here = 0;
    let lowest = 0;
    let asserted = 0;
    let rule = conflict;
    search: for (;;) {
      this.proofs.push(rule);
      for (const literal of rules.literals(rule)) {
        if (this.isTrue(literal)) continue;
        const id = Math.abs(literal);
        if (seen[id]) continue;
        seen[id] = 1;
        const at = Math.abs(this.level[id]!);
        if (at === 1) lowest++;
        else if (at === level) here++;
        else {
          others.push(literal);
          back = Math.max(back, at);
        }
      }
      for (;;) {
        if (here === 0 && --lowest === 0) break search;
        let id: number;
        do id = Math.abs(decisions[--index]!);
        while (!seen[id]);
        seen[id] = 0;
        if (here > 0 && --here === 0) {
          asserted = -decisions[index]!;
          if (lowest === 0) break search;
          // the rest is only for the proof: which rules of the lowest level are involved
          for (const literal of others) seen[Math.abs(literal)] = 0;
          lowest++;
          continue;
        }
        const why = this.why[index]!;
        if (why <= 0) continue;
        rule = why;
        break;
      }
    }
    this.proofs.push(0);
    this.work(decisions.length - index + others.length);
    this.revert(back);
    const learnt =
      others.length < 2 ? rules.add(asserted, others[0] ?? 0, 0) : rules.add(asserted, 0, this.pool.keep(others));
    checkLimit(rules.count, 'rules', LIMITS.rules);
    this.learntWhy.push(proof);
    if (rules.watch2[learnt] === 0) this.assertions.push(learnt);
    else {
      this.watchHighest(learnt);
      this.watch(learnt);
    }
    return { level: back, rule: learnt };
  }

  private watchHighest(rule: number): void {
    const { data } = this.pool;
    let highest = 0;
    if (this.rules.rest[rule] === 0) return;
    for (let at = this.rules.rest[rule]!; data[at] !== 0; at++) {
      const level = Math.abs(this.level[Math.abs(data[at]!)]!);
      if (level > highest) {
        this.rules.watch2[rule] = data[at]!;
        highest = level;
      }
    }
  }

  /** Finds what of the request is involved in a contradiction without any choice. Returns 0, or -1 for giving up. */
  analyzeUnsolvable(conflict: number, disables: boolean): number {
    const { rules } = this;
    const parts: number[] = [];
    const weak: number[] = [];
    const proof: number[] = [];
    const seen = new Set<number>();
    const involved = new Uint8Array(this.size);
    const take = (rule: number) => {
      proof.push(rule);
      this.collect(rule, parts, weak, seen);
      for (const literal of rules.literals(rule)) if (!this.isTrue(literal)) involved[Math.abs(literal)] = 1;
    };
    take(conflict);
    for (let index = this.decisions.length - 1; index >= 0; index--) {
      const id = Math.abs(this.decisions[index]!);
      if (involved[id] && id !== SYSTEM) take(this.why[index]!);
    }
    if (weak.length > 0) {
      this.dropRule(Math.max(...weak));
      this.reset();
      return 0;
    }
    this.conflicts.push({ parts, proof });
    if (disables && parts.length > 0) {
      this.disableParts(parts);
      this.reset();
      return 0;
    }
    return -1;
  }

  /** Goes through the proofs of learnt rules down to the request's own. */
  private collect(start: number, parts: number[], weak: number[], seen: Set<number>): void {
    const { set } = this;
    const stack = [start];
    while (stack.length > 0) {
      const rule = stack.pop()!;
      if (rule >= set.learntRules) {
        if (seen.has(rule)) continue;
        seen.add(rule);
        const proof = this.proofOf(rule);
        for (let i = proof.length - 1; i >= 0; i--) stack.push(proof[i]!);
        continue;
      }
      if (set.weakRules.has(rule)) weak.push(rule);
      if (rule >= set.jobRules) addPart(parts, this.partOf(rule));
    }
  }

  /** The rules that a learnt rule follows from. */
  proofOf(learnt: number): number[] {
    const found: number[] = [];
    for (let at = this.learntWhy[learnt - this.set.learntRules]!; this.proofs[at] !== 0; at++)
      found.push(this.proofs[at]!);
    return found;
  }

  /** What of the request a rule stands for. */
  private partOf(rule: number): number {
    const { set, pool, rules } = this;
    if (rule < set.architectureRules) return -set.jobOfRule[rule - set.jobRules]! - 1;
    if (rule >= set.bestRules) return -set.jobOfBest[rule - set.bestRules]! - 1;
    // rules of one name come and go together
    const name = pool.name[-rules.first[rule]!];
    while (rule > set.architectureRules && pool.name[-rules.first[rule - 1]!] === name) rule--;
    return rule;
  }

  private disableParts(parts: readonly number[]): void {
    for (const part of parts) this.disablePart(part);
  }

  private disablePart(part: number): void {
    const { set, rules, pool } = this;
    if (part < 0) {
      set.jobOfBest.forEach((job, i) => {
        if (job === -part - 1) rules.disable(set.bestRules + i);
      });
      set.jobOfRule.forEach((job, i) => {
        if (job === -part - 1) rules.disable(set.jobRules + i);
      });
      return;
    }
    const name = pool.name[-rules.first[part]!];
    for (let rule = part; rule < set.bestRules && pool.name[-rules.first[rule]!] === name; rule++) rules.disable(rule);
  }

  /** Gives up a rule that is only wished for, with all of its job. */
  private dropRule(rule: number): void {
    const part = this.partOf(rule);
    this.disablePart(part);
    if (part >= 0) return;
    this.applyArchitectures();
    for (const { parts } of this.conflicts) this.disableParts(parts.filter((one) => one >= 0));
  }

  /** Turns off the rules against lesser architectures of those names for which a request has chosen the architecture. */
  applyArchitectures(): void {
    const { set, rules, pool } = this;
    const chosen = new Set<number>();
    set.jobOfRule.forEach((job, i) => {
      const { setsArchitecture, candidates } = set.jobs[job]!;
      if (setsArchitecture && !rules.isDisabled(set.jobRules + i)) for (const id of candidates) chosen.add(id);
    });
    const names = new Set<number>();
    for (let rule = set.architectureRules; rule < set.bestRules; rule++)
      if (chosen.has(-rules.first[rule]!)) names.add(pool.name[-rules.first[rule]!]!);
    for (let rule = set.architectureRules; rule < set.bestRules; rule++)
      if (names.has(pool.name[-rules.first[rule]!]!)) rules.disable(rule);
      else rules.enable(rule);
  }

  /** Takes back everything, after rules were turned off or on. */
  reset(): void {
    for (const literal of this.decisions) this.level[Math.abs(literal)] = 0;
    this.decisions.length = 0;
    this.why.length = 0;
    this.branches.length = 0;
    this.propagated = 0;
    this.onRevert(-1);
    this.adaptLearnt();
  }

  /** A learnt rule holds as long as all that it follows from is there. */
  private adaptLearnt(): void {
    const { rules, set } = this;
    for (let rule = set.learntRules; rule < rules.count; rule++)
      if (this.proofOf(rule).some((one) => rules.isDisabled(one))) rules.disable(rule);
      else rules.enable(rule);
  }
}

function addPart(parts: number[], part: number): void {
  if (!parts.includes(part)) parts.push(part);
}
