import { CLAUSES, clausesOf } from './clauses.ts';
import type { Job } from './jobs.ts';
import { type Pool, SYSTEM } from './pool.ts';
import type { State } from './state.ts';
import type { Reason } from './types.ts';
import { isSupplementing } from './weak.ts';

/** A dependency that chosen packages satisfy. */
interface Edge {
  readonly by: number;
  readonly dependency: number;
  readonly to: readonly number[];
}

/**
 * For each chosen package why it is there: on a shortest way from what was asked for, over requirements if there is one,
 * else over recommendations and supplements.
 */
export function reasonsOf(state: State, jobs: readonly Job[], textOfJob: (job: number) => string): Map<number, Reason> {
  const { pool } = state;
  const reasons = new Map<number, Reason>();
  const queue: number[] = [];
  const give = (id: number, reason: Reason) => {
    if (reasons.has(id)) return;
    reasons.set(id, reason);
    queue.push(id);
  };
  jobs.forEach(({ kind, candidates }, job) => {
    if (kind !== 'install') return;
    const chosen = candidates.filter((id) => state.level[id]! > 0);
    for (const id of chosen) give(id, { kind: 'asked', text: textOfJob(job) });
  });
  const ordered = state.decisions.filter((id) => id > 1);
  const unclear: Edge[] = [];
  const recommendations: Edge[] = [];
  let next = 0;
  const follow = () => {
    while (next < queue.length) {
      const by = queue[next++]!;
      for (const edge of edges(state, by, 'requires'))
        if (edge.to.length === 1) give(edge.to[0]!, required(pool, edge));
        else unclear.push(edge);
      recommendations.push(...edges(state, by, 'recommends'));
    }
  };
  follow();
  // where several would do, the one that was decided first, and only when none of them has another reason
  const settle = (list: Edge[], reason: (edge: Edge) => Reason): boolean => {
    while (list.length > 0) {
      const edge = list.shift()!;
      if (edge.to.some((id) => reasons.has(id))) continue;
      give(ordered.find((id) => edge.to.includes(id))!, reason(edge));
      return true;
    }
    return false;
  };
  const recommended = ({ by, dependency }: Edge): Reason => ({
    kind: 'recommended',
    by,
    dependency: pool.relations.show(dependency),
  });
  const kept = { required: [] as Edge[], recommended: [] as Edge[] };
  for (;;) {
    follow();
    kept.required.push(...unclear);
    if (settle(unclear, (edge) => required(pool, edge))) continue;
    kept.recommended.push(...recommendations);
    if (settle(recommendations, recommended)) continue;
    const rest = ordered.filter((id) => !reasons.has(id));
    if (rest.length === 0) return reasons;
    const supplement = rest.find((id) => isSupplementing(state, id));
    const strong = kept.required.find((edge) => edge.to.some((id) => !reasons.has(id)));
    const weak = kept.recommended.find((edge) => edge.to.some((id) => !reasons.has(id)));
    if (supplement !== undefined)
      give(supplement, { kind: 'supplements', dependency: supplemented(state, supplement) });
    else if (strong !== undefined) give(strong.to.find((id) => !reasons.has(id))!, required(pool, strong));
    else if (weak !== undefined) give(weak.to.find((id) => !reasons.has(id))!, recommended(weak));
    // only reached when packages of a lesser architecture came with the same version of the best one
    else give(rest[0]!, { kind: 'required', by: sibling(state, rest[0]!), dependency: 'the same version' });
  }
}

const required = (pool: Pool, { by, dependency }: Edge): Reason => ({
  kind: 'required',
  by,
  dependency: pool.relations.show(dependency),
});

/** What a chosen package requires or recommends, and by what of the chosen ones that is satisfied. */
function edges(state: State, by: number, kind: 'requires' | 'recommends'): Edge[] {
  const { pool } = state;
  const { starts, items } = pool.dependencies[kind];
  const found: Edge[] = [];
  for (let i = starts[by]!; i < starts[by + 1]!; i++) {
    const dependency = items[i]!;
    for (const list of pool.relations.isRich(dependency)
      ? activeClauses(state, dependency)
      : [pool.providers(dependency)]) {
      const to = list.filter((id) => state.level[id]! > 0 && id !== SYSTEM);
      if (to.length > 0 && !to.includes(by)) found.push({ by, dependency, to });
    }
  }
  return found;
}

/** The packages of each clause of a rich dependency whose condition is true. */
function activeClauses(state: State, dependency: number): number[][] {
  const clauses: number[] = [];
  if (clausesOf(state.pool, dependency, clauses) !== CLAUSES) return [];
  const found: number[][] = [];
  for (let i = 0; i < clauses.length; i++) {
    const clause: number[] = [];
    while (clauses[i] !== 0) clause.push(clauses[i++]!);
    if (clause.every((literal) => literal > 0 || state.level[-literal]! > 0))
      found.push(clause.filter((literal) => literal > 0));
  }
  return found;
}

function supplemented(state: State, id: number): string {
  const { starts, items } = state.pool.dependencies.supplements;
  const found: string[] = [];
  for (let i = starts[id]!; i < starts[id + 1]!; i++) found.push(state.pool.relations.show(items[i]!));
  return found.join(', ');
}

function sibling(state: State, id: number): number {
  const { pool } = state;
  for (let at = pool.whatProvides(pool.name[id]!); pool.data[at] !== 0; at++) {
    const other = pool.data[at]!;
    if (other !== id && state.level[other]! > 0 && pool.name[other] === pool.name[id]) return other;
  }
  return id;
}
