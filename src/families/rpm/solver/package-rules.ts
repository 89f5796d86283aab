import { NOARCH } from './architecture.ts';
import { CLAUSES, clausesOf, eachPositive, forbiddingClauses, NEVER } from './clauses.ts';
import { NONE, type Pool, SYSTEM } from './pool.ts';

/** Where a rule about a package comes from. */
export type RuleKind =
  | 'not installable'
  | 'nothing provides'
  | 'requires'
  | 'self conflict'
  | 'conflicts'
  | 'obsoletes'
  | 'same name';

/** Takes a rule: `first ∨ second`, or `first ∨ list at offset`; the package it is about, why, and the dependency. */
export type TakeRule = (
  first: number,
  second: number,
  offset: number,
  kind: RuleKind,
  dependency: number,
  about: number,
) => void;

/** Makes the rules that packages' dependencies mean, package after package from those that are asked for. */
export class PackageRules {
  private readonly pool: Pool;
  private readonly multiversion: ReadonlySet<number>;
  /** Packages whose rules were made. */
  readonly added: Uint8Array;

  private readonly weak: boolean;

  /** With `weak`, weak dependencies are followed, too. */
  constructor(pool: Pool, multiversion: ReadonlySet<number>, weak: boolean) {
    this.pool = pool;
    this.weak = weak;
    this.multiversion = multiversion;
    this.added = new Uint8Array(pool.size);
    this.added[SYSTEM] = 1;
  }

  /** Makes the rules of a package and of all that it may bring in. */
  closure(start: number, take: TakeRule): void {
    const queue = [start];
    for (let next = 0; next < queue.length; next++) {
      const id = queue[next]!;
      if (this.added[id]) continue;
      this.added[id] = 1;
      this.rulesOf(id, take, queue);
    }
  }

  /** Makes the rules of one package again, for explanations. */
  again(id: number, take: TakeRule): void {
    this.rulesOf(id, take, undefined);
  }

  private rulesOf(id: number, take: TakeRule, queue: number[] | undefined): void {
    const { pool } = this;
    if (!pool.installable[id]) take(-id, 0, 0, 'not installable', 0, id);
    const { requires } = pool.dependencies;
    for (let i = requires.starts[id]!; i < requires.starts[id + 1]!; i++)
      this.requires(id, requires.items[i]!, take, queue);
    const { conflicts } = pool.dependencies;
    for (let i = conflicts.starts[id]!; i < conflicts.starts[id + 1]!; i++)
      this.conflicts(id, conflicts.items[i]!, take, queue);
    this.obsoletes(id, take);
    this.sameName(id, take, queue !== undefined);
    if (queue === undefined) return;
    const push = (other: number) => {
      if (!this.added[other]) queue.push(other);
    };
    this.lockStep(id, push);
    if (!this.weak) return;
    for (const kind of ['recommends', 'suggests'] as const) {
      const { starts, items } = pool.dependencies[kind];
      for (let i = starts[id]!; i < starts[id + 1]!; i++) eachCandidate(pool, items[i]!, push);
    }
  }

  private requires(id: number, dependency: number, take: TakeRule, queue: number[] | undefined): void {
    const { pool, added } = this;
    if (dependency < 0 && pool.relations.isRich(dependency)) {
      this.rich(id, dependency, 'requires', take, queue);
      return;
    }
    const offset = pool.whatProvides(dependency);
    const { data } = pool;
    if (data[offset] === SYSTEM) return;
    if (offset === NONE || data[offset] === 0) {
      take(-id, 0, 0, 'nothing provides', dependency, id);
      return;
    }
    for (let at = offset; data[at] !== 0; at++) if (data[at] === id) return;
    take(-id, 0, offset, 'requires', dependency, id);
    if (queue !== undefined) for (let at = offset; data[at] !== 0; at++) if (!added[data[at]!]) queue.push(data[at]!);
  }

  private conflicts(id: number, dependency: number, take: TakeRule, queue: number[] | undefined): void {
    const { pool } = this;
    if (dependency < 0 && pool.relations.isRich(dependency)) {
      this.rich(id, dependency, 'conflicts', take, queue);
      return;
    }
    for (let at = pool.whatProvides(dependency); pool.data[at] !== 0; at++) {
      const other = pool.data[at]!;
      // a package does not conflict with itself
      if (other !== id) take(-id, other === SYSTEM ? 0 : -other, 0, 'conflicts', dependency, id);
    }
  }

  /** Obsoletes look at names and versions of packages, not at what they provide. */
  private obsoletes(id: number, take: TakeRule): void {
    const { pool } = this;
    const { starts, items } = pool.dependencies.obsoletes;
    for (let i = starts[id]!; i < starts[id + 1]!; i++)
      for (let at = pool.whatProvides(items[i]!); pool.data[at] !== 0; at++) {
        const other = pool.data[at]!;
        if (other !== id && pool.isNamed(other, items[i]!)) take(-id, -other, 0, 'obsoletes', items[i]!, id);
      }
  }

  /** Of one name, one version for each colour of architecture. */
  private sameName(id: number, take: TakeRule, once: boolean): void {
    const { pool, multiversion } = this;
    const several = multiversion.has(id);
    for (let at = pool.whatProvides(pool.name[id]!); pool.data[at] !== 0; at++) {
      const other = pool.data[at]!;
      if (other === id || pool.name[other] !== pool.name[id]) continue;
      if (several && (pool.evr[other] !== pool.evr[id] || pool.arch[other] !== pool.arch[id])) continue;
      if (!pool.sharesColour(id, other)) continue;
      // it was made when the other one was looked at
      if (once && this.added[other] && !multiversion.has(other)) continue;
      take(-id, -other, 0, 'same name', 0, id);
    }
  }

  /** A package of a lesser architecture is allowed beside the same version in the best one, which has to be looked at. */
  private lockStep(id: number, push: (other: number) => void): void {
    const { pool } = this;
    const score = pool.score[id]!;
    if (!pool.coloured || score <= NOARCH) return;
    for (let at = pool.whatProvides(pool.name[id]!); pool.data[at] !== 0; at++) {
      const other = pool.data[at]!;
      const theirs = pool.score[other]!;
      if (pool.name[other] === pool.name[id] && pool.evr[other] === pool.evr[id] && theirs > NOARCH && theirs < score)
        push(other);
    }
  }

  private rich(
    id: number,
    dependency: number,
    kind: 'requires' | 'conflicts',
    take: TakeRule,
    queue: number[] | undefined,
  ): void {
    const { pool, added } = this;
    const clauses: number[] = [];
    const state =
      kind === 'conflicts' ? forbiddingClauses(pool, dependency, clauses) : clausesOf(pool, dependency, clauses);
    if (state === NEVER) take(-id, 0, 0, kind === 'requires' ? 'nothing provides' : kind, dependency, id);
    if (state !== CLAUSES) return;
    const wanted = (literal: number) => {
      if (literal > 0 && !added[literal]) queue?.push(literal);
    };
    for (let i = 0; i < clauses.length; i++) {
      const clause: number[] = [];
      while (clauses[i] !== 0) clause.push(clauses[i++]!);
      if (clause.includes(id)) continue;
      if (clause.length === 1) {
        if (clause[0] === -id) {
          if (kind === 'requires') take(-id, 0, 0, kind, dependency, id);
          continue;
        }
        take(-id, clause[0]!, 0, kind, dependency, id);
      } else {
        // the literals stay sorted
        if (!clause.includes(-id)) {
          const after = clause.findIndex((literal) => literal > -id);
          clause.splice(after < 0 ? clause.length : after, 0, -id);
        }
        take(clause[0]!, 0, pool.keep(clause, 1), kind, dependency, id);
      }
      clause.forEach(wanted);
    }
  }
}

/** Calls for each package that may satisfy a weak dependency. */
function eachCandidate(pool: Pool, dependency: number, take: (id: number) => void): void {
  if (dependency < 0 && pool.relations.isRich(dependency)) eachPositive(pool, dependency, take);
  else for (let at = pool.whatProvides(dependency); pool.data[at] !== 0; at++) take(pool.data[at]!);
}
