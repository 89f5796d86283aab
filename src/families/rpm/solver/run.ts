import { ALWAYS, CLAUSES, clausesOf, NEVER } from './clauses.ts';
import { Policy } from './policy.ts';
import { FIRST, type Pool } from './pool.ts';
import { type Problemset, State } from './state.ts';
import { isSupplementing, supplementsChosen } from './weak.ts';

/** How a run ended. */
export interface Run {
  readonly state: State;
  /** False when there is no answer that holds all of the request; `state.conflicts` says why. */
  readonly solved: boolean;
}

/** Solves a set of rules. With `weak`, what is recommended and supplemented is added where nothing speaks against it. */
export function run(set: Problemset, weak: boolean, multiversion: ReadonlySet<number>): Run {
  const state = new State(set);
  const runner = new Runner(state, multiversion);
  state.applyArchitectures();
  const level = runner.run(weak);
  return { state, solved: level > 0 && state.conflicts.length === 0 };
}

/**
 * The main loop, in libsolv's order: assertions, then requests, then rules with an open choice, then weak dependencies,
 * then alternatives that would have saved something. A contradiction goes back to where it can go on.
 */
class Runner {
  private readonly state: State;
  private readonly pool: Pool;
  private readonly policy: Policy;
  private readonly multiversion: ReadonlySet<number>;
  private readonly supplementing: readonly number[];

  constructor(state: State, multiversion: ReadonlySet<number>) {
    this.state = state;
    this.pool = state.pool;
    this.policy = new Policy(state);
    this.multiversion = multiversion;
    const { starts } = this.pool.dependencies.supplements;
    const supplementing: number[] = [];
    for (let id = FIRST; id < this.pool.size; id++)
      if (starts[id + 1]! > starts[id]! && this.pool.installable[id]) supplementing.push(id);
    this.supplementing = supplementing;
  }

  run(weak: boolean): number {
    const { state } = this;
    let level = 0;
    let base = 1;
    for (;;) {
      if (level < 0) return level;
      if (level === 0) {
        level = state.assertAll(true);
        const conflict = state.propagate(level);
        if (conflict !== 0) {
          level = state.analyzeUnsolvable(conflict, true);
          continue;
        }
        base = level + 1;
      }
      if (level < base) {
        const before = level;
        level = this.jobs(level);
        if (level < before) continue;
        base = level + 1;
      }
      if (level < base) base = level;
      const before = level;
      level = this.dependencies(level);
      if (level < before) continue;
      if (weak) {
        const found = this.weak(level);
        level = found.level;
        if (found.again) continue;
      }
      const minimized = this.minimize();
      if (minimized === undefined) return level;
      level = minimized;
    }
  }

  /** Takes the best of a list; the others stay as alternatives. */
  private select(level: number, list: readonly number[], rule: number): number {
    const ranked = list.length > 1 ? this.policy.ranked(list) : list;
    if (ranked.length > 1) this.branch(level, ranked);
    return this.state.choose(level, ranked[0]!, rule, true);
  }

  private branch(level: number, list: readonly number[]): void {
    const { branches } = this.state;
    branches.push(-list[0]!);
    for (let i = 1; i < list.length; i++) branches.push(list[i]!);
    branches.push(0, 0, list.length + 4, level);
  }

  /** The undecided packages of an unsatisfied rule, or undefined when the rule holds or asks for nothing yet. */
  private open(rule: number): number[] | undefined {
    const { state } = this;
    const found: number[] = [];
    for (const literal of state.rules.literals(rule)) {
      const level = state.level[Math.abs(literal)]!;
      if (literal < 0 ? level <= 0 : level > 0) return undefined;
      if (literal > 0 && level === 0) found.push(literal);
    }
    return found;
  }

  private jobs(level: number): number {
    const { state } = this;
    const { set, rules } = state;
    const start = level;
    for (let rule = set.jobRules; rule < set.architectureRules; rule++) {
      if (rules.isDisabled(rule)) continue;
      const list = this.open(rule);
      if (list === undefined || list.length === 0) continue;
      const before = level;
      level = this.select(level, list, rule);
      if (level > before) continue;
      if (level === before) {
        // try something else
        rule--;
        continue;
      }
      if (level < start) return level;
      rule = set.jobRules - 1;
    }
    return level;
  }

  private dependencies(level: number): number {
    const { state } = this;
    const { rules } = state;
    const start = level;
    // the first rule that was passed by because it leaves a choice; 0: none yet, -1: choices are made now
    let postponed = 0;
    let steps = 0;
    for (let rule = 1, n = 1; ; rule++, n++) {
      if (n >= rules.count) {
        state.work(steps);
        steps = 0;
        if (postponed <= 0) return level;
        rule = postponed;
        postponed = -1;
        n = 1;
      }
      if (rule === rules.count) rule = 1;
      steps++;
      const list = this.openChoice(rule);
      if (list === undefined) continue;
      let chosen: readonly number[] = list;
      if (postponed >= 0) {
        chosen = this.policy.preferred(list);
        if (chosen.length > 1) {
          if (postponed === 0) postponed = rule;
          continue;
        }
      }
      level = this.select(level, chosen, rule);
      state.work(steps);
      steps = 0;
      if (level < start) return level;
      // something changed, so look at all rules again
      n = 0;
    }
  }

  /** Like `open`, for rules that leave a choice of at least two. */
  private openChoice(rule: number): number[] | undefined {
    const { rules, level } = this.state;
    const offset = rules.rest[rule]!;
    if (offset < 0) return undefined;
    const first = rules.first[rule]!;
    if (first < 0 && (offset === 0 || level[-first]! <= 0)) return undefined;
    if (offset === 0) {
      const second = rules.watch2[rule]!;
      return second <= 0 || level[first] !== 0 || level[second] !== 0 ? undefined : [first, second];
    }
    const found: number[] = [];
    if (first > 0) {
      if (level[first]! > 0) return undefined;
      if (level[first] === 0) found.push(first);
    }
    const { data } = this.pool;
    for (let at = offset; data[at] !== 0; at++) {
      const literal = data[at]!;
      if (literal < 0) {
        if (level[-literal]! <= 0) return undefined;
      } else if (level[literal]! > 0) return undefined;
      else if (level[literal] === 0) found.push(literal);
    }
    return found;
  }

  /** Adds what decided packages recommend and what supplements them. */
  private weak(level: number): { readonly level: number; readonly again: boolean } {
    const { state } = this;
    const supplements = this.supplements();
    const all = new Set(this.recommendations());
    for (const id of supplements) all.add(id);
    if (all.size === 0) return { level, again: false };
    if (all.size === 1) return { level: state.choose(level, [...all][0]!, 0, false), again: true };
    const allowed = new Set(this.policy.best([...all]));
    const chosen = supplements.filter((id) => allowed.has(id));
    const count = state.decisions.length;
    for (const id of chosen.length > 1 ? this.policy.reordered(chosen) : chosen) {
      if (state.level[id] !== 0) continue;
      const before = level;
      level = state.choose(level, id, 0, false);
      if (level <= before) return { level, again: true };
    }
    if (state.decisions.length < count) return { level, again: true };
    const { starts, items } = this.pool.dependencies.recommends;
    for (let i = 0; i < count; i++) {
      const id = state.decisions[i]!;
      if (id < 0) continue;
      for (let at = starts[id]!; at < starts[id + 1]!; at++) {
        const list = this.recommendedBy(items[at]!, allowed);
        if (list.length === 0) continue;
        const ranked = list.length > 1 ? this.policy.ranked(list) : list;
        if (ranked.length > 1) this.branch(level, ranked);
        const before = level;
        level = state.choose(level, ranked[0]!, 0, false);
        if (level <= before || state.decisions.length < count) return { level, again: true };
      }
    }
    return { level, again: true };
  }

  /** Undecided packages that some decided package recommends. */
  private recommendations(): number[] {
    const { state } = this;
    const { starts, items } = this.pool.dependencies.recommends;
    const found = new Set<number>();
    for (let id = FIRST; id < this.pool.size; id++) {
      if (state.level[id]! <= 0) continue;
      for (let at = starts[id]!; at < starts[id + 1]!; at++)
        for (const one of this.recommendedBy(items[at]!, undefined)) found.add(one);
    }
    return [...found];
  }

  /** The undecided packages that would satisfy a recommendation; none when one is there already. */
  private recommendedBy(dependency: number, allowed: ReadonlySet<number> | undefined): number[] {
    const { pool, state } = this;
    if (dependency < 0 && pool.relations.isRich(dependency)) return this.richRecommended(dependency, allowed);
    const found: number[] = [];
    for (let at = pool.whatProvides(dependency); pool.data[at] !== 0; at++) {
      const id = pool.data[at]!;
      if (state.level[id]! > 0) return [];
      if (state.level[id] === 0 && (allowed === undefined || allowed.has(id))) found.push(id);
    }
    return found;
  }

  private richRecommended(dependency: number, allowed: ReadonlySet<number> | undefined): number[] {
    const { state } = this;
    const clauses: number[] = [];
    const all = clausesOf(this.pool, dependency, clauses);
    if (all === ALWAYS || all === NEVER) return [];
    const found = new Set<number>();
    for (let i = 0; all === CLAUSES && i < clauses.length; i++) {
      const block: number[] = [];
      for (; clauses[i] !== 0; i++) {
        const literal = clauses[i]!;
        const level = state.level[Math.abs(literal)]!;
        if (literal < 0) {
          if (level <= 0) break;
        } else if (level > 0) {
          block.length = 0;
          break;
        } else if (level === 0 && (allowed === undefined || allowed.has(literal))) block.push(literal);
      }
      for (const id of block) found.add(id);
      while (clauses[i] !== 0) i++;
    }
    return [...found];
  }

  /** Undecided packages that supplement decided ones. */
  private supplements(): number[] {
    const { pool, state, multiversion } = this;
    return this.supplementing.filter((id) => {
      if (state.level[id] !== 0 || !isSupplementing(state, id) || !supplementsChosen(state, id)) return false;
      // not where another version or another architecture of it is there already
      for (let at = pool.whatProvides(pool.name[id]!); pool.data[at] !== 0; at++) {
        const other = pool.data[at]!;
        if (state.level[other]! <= 0 || pool.name[other] !== pool.name[id]) continue;
        if (multiversion.has(id) || (pool.coloured && pool.arch[other] !== pool.arch[id])) return false;
      }
      return true;
    });
  }

  /**
   * Goes back to a choice of which another alternative came in later anyway, or of which another one is recommended now.
   * Returns the new level, or undefined when there is nothing to gain.
   */
  private minimize(): number | undefined {
    const { state, policy } = this;
    const { branches } = state;
    let best = -1;
    let bestEnd = -1;
    for (let end = branches.length; end > 0; ) {
      const start = end - branches[end - 2]!;
      const level = branches[end - 1]!;
      let wished = -1;
      for (let i = start; i < end - 4; i++) {
        const id = branches[i]!;
        if (id <= 0) continue;
        if (state.level[id]! > level) {
          best = i;
          bestEnd = end;
          wished = -1;
          break;
        }
        if (wished < 0 && policy.isWished(id)) wished = i;
      }
      if (wished >= 0)
        for (let i = start; i < end - 4; i++) {
          const id = -branches[i]!;
          if (id <= 0 || state.level[id] !== level + 1 || policy.isWished(id)) continue;
          best = wished;
          bestEnd = end;
          break;
        }
      end = start;
    }
    if (best < 0) return undefined;
    const level = branches[bestEnd - 1]!;
    const id = branches[best]!;
    branches[best] = -id;
    // so that it is not taken back with the decisions
    branches[bestEnd - 1] = 0;
    const why = state.revert(level);
    branches[bestEnd - 1] = level;
    return state.choose(level, id, -why, true);
  }
}
