import { NOARCH } from './architecture.ts';
import type { Job } from './jobs.ts';
import { checkLimit, LIMITS } from './limits.ts';
import { PackageRules, type TakeRule } from './package-rules.ts';
import { best } from './policy.ts';
import { FIRST, type Pool, SYSTEM } from './pool.ts';
import { Rules } from './rules.ts';
import type { Problemset } from './state.ts';
import { isPossible } from './weak.ts';

/**
 * Makes all rules of a request, in the order in which solving depends on it. Without `weak` packages that only weak
 * dependencies reach have no rules: none of them can be chosen, and a rule about one changes nothing about the others.
 */
export function problemset(
  pool: Pool,
  jobs: readonly Job[],
  multiversion: ReadonlySet<number>,
  weak = true,
): Problemset & { readonly packages: PackageRules } {
  const rules = new Rules(pool);
  const packages = closureOf(pool, jobs, multiversion, weak, (first, second, offset) => {
    rules.add(first, second, offset);
  });
  rules.unify();

  const jobRules = rules.count;
  const jobOfRule: number[] = [];
  const weakRules = new Set<number>();
  jobs.forEach((job, i) => {
    const before = rules.count;
    if (job.kind === 'forbid') for (const id of job.candidates) rules.add(-id, 0, 0);
    else rules.add(job.candidates[0] ?? -SYSTEM, 0, pool.keep(job.candidates, Math.min(1, job.candidates.length)));
    for (let rule = before; rule < rules.count; rule++) {
      jobOfRule.push(i);
      if (job.weak) weakRules.add(rule);
    }
  });
  const architectureRules = rules.count;
  const { added } = packages;
  const reached = weak || hasBestArchitectures(pool, added) ? added : closureOf(pool, jobs, multiversion, true).added;
  addArchitectureRules(pool, rules, added, reached);
  const bestRules = rules.count;
  const jobOfBest: number[] = [];
  jobs.forEach((job, i) => {
    if (job.kind !== 'install' || !job.best) return;
    const candidates = job.candidates.filter((id) => pool.installable[id]);
    const found = best(pool, candidates);
    if (found.length === candidates.length) return;
    const rule = rules.add(found[0]!, 0, pool.keep(found, 1));
    if (job.weak) weakRules.add(rule);
    jobOfBest.push(i);
  });
  return {
    pool,
    rules,
    jobs,
    packages,
    jobOfRule,
    jobRules,
    architectureRules,
    bestRules,
    jobOfBest,
    weakRules,
    learntRules: rules.count,
  };
}

/** Hands out the rules of all packages that a request may bring in; without `take` they are only marked as reached. */
function closureOf(
  pool: Pool,
  jobs: readonly Job[],
  multiversion: ReadonlySet<number>,
  weak: boolean,
  take: TakeRule = () => {},
): PackageRules {
  const packages = new PackageRules(pool, multiversion, weak);
  for (const { kind, candidates } of jobs)
    if (kind === 'install') for (const id of candidates) packages.closure(id, take);
  if (weak) weakClosure(pool, packages, take);
  return packages;
}

/** False when packages that were not reached have a name of reached ones in a better architecture than any of these. */
function hasBestArchitectures(pool: Pool, added: Uint8Array): boolean {
  const bestOf = new Map<number, number>();
  for (let id = FIRST; id < pool.size; id++) {
    if (!added[id] || pool.score[id]! <= NOARCH) continue;
    const known = bestOf.get(pool.name[id]!);
    if (known === undefined || pool.score[id]! < known) bestOf.set(pool.name[id]!, pool.score[id]!);
  }
  // nearly always all of them are of one architecture, the best
  let best = 0;
  for (let id = FIRST; id < pool.size; id++)
    if (pool.score[id]! > NOARCH && (best === 0 || pool.score[id]! < best)) best = pool.score[id]!;
  for (const [name, score] of bestOf) {
    if (score === best) continue;
    for (let at = pool.whatProvides(name); pool.data[at] !== 0; at++) {
      const other = pool.data[at]!;
      if (pool.name[other] === name && pool.score[other]! > NOARCH && pool.score[other]! < score) return false;
    }
  }
  return true;
}

/** Adds the packages that supplement or enhance those that have rules, until there are no more. */
function weakClosure(pool: Pool, packages: PackageRules, take: TakeRule): void {
  const { supplements, enhances } = pool.dependencies;
  const candidates: number[] = [];
  for (let id = FIRST; id < pool.size; id++)
    if (
      pool.installable[id] &&
      (supplements.starts[id + 1]! > supplements.starts[id]! || enhances.starts[id + 1]! > enhances.starts[id]!)
    )
      candidates.push(id);
  const possible = (id: number) =>
    [supplements, enhances].some(({ starts, items }) => {
      for (let i = starts[id]!; i < starts[id + 1]!; i++) if (isPossible(pool, items[i]!, packages.added)) return true;
      return false;
    });
  let steps = 0;
  // round and round until a whole round brought nothing
  for (let i = 0, quiet = 0; quiet < candidates.length; i = (i + 1) % candidates.length, quiet++) {
    checkLimit(++steps, 'steps', LIMITS.weakSteps);
    const id = candidates[i]!;
    if (packages.added[id] || !possible(id)) continue;
    packages.closure(id, take);
    quiet = -1;
  }
}

/**
 * A package of a lesser architecture is out when the name exists in a better one; where architectures live side by side it
 * is allowed together with the same version of the best one. `added` have rules; all that were `reached` count.
 */
function addArchitectureRules(pool: Pool, rules: Rules, added: Uint8Array, reached: Uint8Array): void {
  const done = new Set<number>();
  for (let id = FIRST; id < pool.size; id++) {
    const name = pool.name[id]!;
    if (!added[id] || done.has(name)) continue;
    const group: number[] = [];
    const all: number[] = [];
    for (let at = pool.whatProvides(name); pool.data[at] !== 0; at++) {
      const other = pool.data[at]!;
      if (pool.name[other] !== name) continue;
      all.push(other);
      if (reached[other]) group.push(other);
    }
    if (!group.includes(id)) continue;
    done.add(name);
    let bestScore = 0;
    for (const other of group) {
      const score = pool.score[other]!;
      if (score > NOARCH && (bestScore === 0 || score < bestScore)) bestScore = score;
    }
    if (bestScore === 0) continue;
    const good = (other: number) => pool.score[other] === NOARCH || pool.score[other] === bestScore;
    for (const other of group) {
      if (good(other) || !added[other]) continue;
      const siblings = pool.coloured
        ? all.filter(
            (one) =>
              one !== other && pool.evr[one] === pool.evr[other] && pool.arch[one] !== pool.arch[other] && good(one),
          )
        : [];
      rules.add(-other, 0, pool.keep(siblings));
    }
  }
}
