import { sortRecommendations } from './cache-order.ts';
import { explain } from './explain.ts';
import type { Job } from './jobs.ts';
import { matchExclusion, matchRequest, packagesNamed } from './match.ts';
import { FIRST, type Pool } from './pool.ts';
import { problemset } from './problemset.ts';
import { reasonsOf } from './reasons.ts';
import { run } from './run.ts';
import type { Problem, Resolution, SolverRequest } from './types.ts';

/** What dnf treats so that several versions may be installed side by side. */
export const INSTALL_ONLY: readonly string[] = [
  'kernel',
  'kernel-PAE',
  'installonlypkg(kernel)',
  'installonlypkg(kernel-module)',
  'installonlypkg(vm)',
  'multiversion(kernel)',
];

/**
 * Decides which packages a request needs, as `dnf install` into an empty root would. What cannot be had is explained in the
 * result. Throws `RESOLVER_LIMIT` when the dependencies are made to keep the resolver busy.
 */
export function resolve(pool: Pool, request: SolverRequest): Resolution {
  const excluded: number[] = [];
  for (const text of request.without ?? [])
    for (const id of matchExclusion(pool, text)) {
      pool.installable[id] = 0;
      excluded.push(id);
    }
  try {
    return resolveRest(pool, request);
  } finally {
    for (const id of excluded) pool.installable[id] = 1;
  }
}

function resolveRest(pool: Pool, request: SolverRequest): Resolution {
  const jobs: Job[] = [];
  const texts: string[] = [];
  const missing = new Set<string>();
  const problems: Problem[] = [];
  for (const { text, strict = true } of request.wanted) {
    const match = matchRequest(pool, text);
    if (match === undefined) {
      if (strict) problems.push(noMatch(pool, text));
      else missing.add(text);
    }
    for (const candidates of match?.groups ?? []) {
      jobs.push({ kind: 'install', candidates, best: request.best, weak: !strict, setsArchitecture: true });
      texts.push(text);
    }
  }
  if (problems.length > 0) return { kind: 'failed', problems };
  const multiversion = new Set<number>();
  for (const text of request.multiversion ?? INSTALL_ONLY) {
    const name = pool.relations.known(text);
    if (name !== undefined) for (const id of pool.providers(name)) multiversion.add(id);
  }
  if (request.weakDependencies) sortRecommendations(pool);
  const set = problemset(pool, jobs, multiversion, request.weakDependencies);
  const { state, solved } = run(set, request.weakDependencies, multiversion);
  const textOfJob = (job: number) => texts[job]!;
  if (!solved)
    return {
      kind: 'failed',
      problems: state.conflicts.map((one) => explain(state, set.packages, one, textOfJob, pool.architecture)),
    };
  const reasons = reasonsOf(state, jobs, textOfJob);
  const packages = [];
  for (let id = FIRST; id < pool.size; id++)
    if (state.level[id]! > 0)
      packages.push({ id, repository: pool.given[pool.repository[id]!]!, row: pool.row(id), reason: reasons.get(id)! });
  jobs.forEach(({ candidates }, job) => {
    if (!candidates.some((id) => state.level[id]! > 0)) missing.add(texts[job]!);
  });
  return { kind: 'resolved', packages, missing: [...missing] };
}

/** Why a request means no package that could be installed. */
function noMatch(pool: Pool, text: string): Problem {
  const named = packagesNamed(pool, text);
  if (named.length === 0) return { missing: text, sentences: [`nothing is named "${text}" or provides it`], chain: [] };
  const sentence = named.some((id) => pool.runs(id))
    ? `all packages that "${text}" means are excluded`
    : `no package that "${text}" means runs on ${pool.architecture}`;
  return { sentences: [sentence], chain: [] };
}
