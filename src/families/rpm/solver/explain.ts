import { LIMITS } from './limits.ts';
import type { PackageRules, RuleKind } from './package-rules.ts';
import type { Conflict, State } from './state.ts';
import type { Problem } from './types.ts';

/** One sentence's worth of a rule about packages. */
interface Fact {
  readonly kind: RuleKind;
  readonly about: number;
  readonly dependency: number;
  /** Packages on the other side. */
  readonly others: readonly number[];
}

/** As many packages as are named in a sentence. */
const NAMED_MAX = 4;

/** Says why parts of a request cannot be had together. */
export function explain(
  state: State,
  packages: PackageRules,
  conflict: Conflict,
  textOfJob: (job: number) => string,
  architecture: string,
): Problem {
  return new Explanation(state, packages, textOfJob, architecture).problem(conflict);
}

/** A problem as lines of text, for the error of a build. */
export function problemText({ sentences, chain }: Problem): string {
  // the chain says it all when nothing else is involved
  return (chain.length > sentences.length ? chain : sentences).join('\n    ');
}

class Explanation {
  private readonly state: State;
  private readonly packages: PackageRules;
  private readonly textOfJob: (job: number) => string;
  private readonly architecture: string;

  constructor(state: State, packages: PackageRules, textOfJob: (job: number) => string, architecture: string) {
    this.state = state;
    this.packages = packages;
    this.textOfJob = textOfJob;
    this.architecture = architecture;
  }

  problem(conflict: Conflict): Problem {
    const { set } = this.state;
    const jobs = new Set<number>();
    const best = new Set<number>();
    const lesser: number[] = [];
    const facts: Fact[] = [];
    for (const rule of this.flattened(conflict.proof)) {
      if (rule < set.jobRules) {
        const fact = this.factOf(rule);
        if (fact !== undefined) facts.push(fact);
      } else if (rule < set.architectureRules) jobs.add(set.jobOfRule[rule - set.jobRules]!);
      else if (rule < set.bestRules) lesser.push(-set.rules.first[rule]!);
      else best.add(set.jobOfBest[rule - set.bestRules]!);
    }
    const ordered = [...jobs].sort((a, b) => a - b);
    const sentences = [
      ...[...best].map((job) => `only the best of what "${this.textOfJob(job)}" means will do: ${this.bestOf(job)}`),
      ...ordered.filter((job) => !best.has(job)).map((job) => `"${this.textOfJob(job)}" was asked for`),
      ...facts.map((fact) => this.sentence(fact)),
      ...lesser.map((id) => `${this.show(id)} is of a lesser architecture than others of its name`),
    ];
    const distinct = [...new Set(sentences)];
    if (distinct.length > LIMITS.sentences) {
      const more = distinct.length - LIMITS.sentences;
      distinct.length = LIMITS.sentences;
      distinct.push(`and ${more} more`);
    }
    return {
      sentences: distinct,
      chain: this.chain(
        [...new Set([...ordered, ...best])].sort((a, b) => a - b),
        facts,
      ),
    };
  }

  /** The rules of a proof that are not learnt, in their order. */
  private flattened(proof: readonly number[]): number[] {
    const { set } = this.state;
    const found = new Set<number>();
    const seen = new Set<number>();
    const stack = [...proof].reverse();
    while (stack.length > 0) {
      const rule = stack.pop()!;
      if (rule < set.learntRules) found.add(rule);
      else if (!seen.has(rule)) {
        seen.add(rule);
        stack.push(...this.state.proofOf(rule).reverse());
      }
    }
    return [...found];
  }

  /** Makes the rules of the packages concerned once more, to see which dependency a rule is from. */
  private factOf(rule: number): Fact | undefined {
    const { rules } = this.state;
    const literals = rules.literals(rule);
    const key = literals.toSorted((a, b) => a - b).join();
    const { pool } = this.state;
    let found: Fact | undefined;
    for (const literal of literals) {
      if (literal > 0 || found !== undefined) continue;
      this.packages.again(-literal, (first, second, offset, kind, dependency, about) => {
        if (found !== undefined) return;
        const list = [first];
        if (second !== 0) list.push(second);
        for (let at = offset; offset !== 0 && pool.data[at] !== 0; at++) list.push(pool.data[at]!);
        if (list.sort((a, b) => a - b).join() !== key) return;
        const others = list.map(Math.abs).filter((id) => id !== about);
        found = { kind, about, dependency, others };
      });
    }
    return found;
  }

  private show(id: number): string {
    return this.state.pool.show(id);
  }

  private named(ids: readonly number[]): string {
    const shown = ids.slice(0, NAMED_MAX).map((id) => this.show(id));
    if (ids.length > NAMED_MAX) shown.push(`${ids.length - NAMED_MAX} more`);
    return shown.join(', ');
  }

  private dependency(dependency: number): string {
    const text = this.state.pool.relations.show(dependency);
    return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
  }

  private bestOf(job: number): string {
    const { set } = this.state;
    const rule = set.bestRules + set.jobOfBest.indexOf(job);
    return this.named(set.rules.literals(rule).filter((literal) => literal > 0));
  }

  private sentence({ kind, about, dependency, others }: Fact): string {
    const { pool } = this.state;
    switch (kind) {
      case 'not installable':
        return pool.runs(about)
          ? `${this.show(about)} is excluded`
          : `${this.show(about)} does not run on ${this.architecture}`;
      case 'nothing provides':
        return `nothing provides ${this.dependency(dependency)}, which ${this.show(about)} requires`;
      case 'requires':
        return `${this.show(about)} requires ${this.dependency(dependency)}, and ${
          others.length === 1
            ? `only ${this.show(others[0]!)} provides it`
            : `none of its providers can be installed: ${this.named(others)}`
        }`;
      case 'conflicts':
        return `${this.show(about)} conflicts with ${this.dependency(dependency)}, provided by ${this.named(others)}`;
      case 'obsoletes':
        return `${this.show(about)} obsoletes ${this.dependency(dependency)}: ${this.named(others)}`;
      case 'same name':
        return `${this.named([about, ...others].sort((a, b) => a - b))} cannot be installed together: they have the same name`;
      case 'self conflict':
        return `${this.show(about)} conflicts with itself`;
    }
  }

  /** A way from a request over requirements to a package that cannot be. */
  private chain(jobs: readonly number[], facts: readonly Fact[]): string[] {
    const ends = new Map<number, Fact>();
    const requirements = new Map<number, Fact[]>();
    for (const fact of facts)
      if (fact.kind === 'requires') requirements.set(fact.about, [...(requirements.get(fact.about) ?? []), fact]);
      else for (const id of [fact.about, ...fact.others]) if (!ends.has(id)) ends.set(id, fact);
    for (const job of jobs) {
      const found = this.way(job, ends, requirements);
      if (found !== undefined) return found;
    }
    return jobs.map((job) => `"${this.textOfJob(job)}" was asked for`);
  }

  /** The shortest way from one request to a package that cannot be. */
  private way(
    job: number,
    ends: ReadonlyMap<number, Fact>,
    requirements: ReadonlyMap<number, readonly Fact[]>,
  ): string[] | undefined {
    const from = new Map<number, { readonly before: number; readonly text: string }>();
    const queue: number[] = [];
    const reach = (id: number, before: number, text: string) => {
      if (from.has(id)) return;
      from.set(id, { before, text });
      queue.push(id);
    };
    for (const id of this.state.set.jobs[job]!.candidates)
      if (ends.has(id) || requirements.has(id)) reach(id, 0, `"${this.textOfJob(job)}" was asked for`);
    for (let next = 0; next < queue.length; next++) {
      const id = queue[next]!;
      const end = ends.get(id);
      if (end !== undefined) {
        const steps = [this.sentence(end)];
        for (let at = id; at !== 0; at = from.get(at)!.before) steps.unshift(from.get(at)!.text);
        return steps;
      }
      for (const { dependency, others } of requirements.get(id) ?? [])
        for (const other of others) reach(other, id, `${this.show(id)} requires ${this.dependency(dependency)}`);
    }
    return undefined;
  }
}
