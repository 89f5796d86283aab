import { NOARCH } from './architecture.ts';
import type { Job } from './jobs.ts';
import { checkLimit, LIMITS } from './limits.ts';
import { PackageRules } from './package-rules.ts';
import { best } from './policy.ts';
import { FIRST, type Pool, SYSTEM } from './pool.ts';
import { Rules } from './rules.ts';
import type { Problemset } from './state.ts';
import { isPossible } from './weak.ts';

/** Makes all rules of a request, in the order in which solving depends on it. */
export function problemset(
  pool: Pool,
  jobs: readonly Job[],
  multiversion: ReadonlySet<number>,
): Problemset & { readonly packages: PackageRules } {
  const rules = new Rules(pool);
  const packages = new PackageRules(pool, multiversion);
  const take = (first: number, second: number, offset: number) => {
    rules.add(first, second, offset);
  };
  for (const { kind, candidates } of jobs)
    if (kind === 'install') for (const id of candidates) packages.closure(id, take);
  weakClosure(pool, packages, take);
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
  addArchitectureRules(pool, rules, packages.added);
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

/** Adds the packages that supplement or enhance those that have rules, until there are no more. */
function weakClosure(
  pool: Pool,
  packages: PackageRules,
  take: (first: number, second: number, offset: number) => void,
): void {
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
 * is allowed together with the same version of the best one.
 */
function addArchitectureRules(pool: Pool, rules: Rules, added: Uint8Array): void {
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
      if (added[other]) group.push(other);
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
      if (good(other)) continue;
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
