import { ASKED } from '../../requests.ts';
import type { Candidate, Requirement } from './names.ts';
import type { Solution } from './solve.ts';

/** Why a package was chosen, in words, and the package that needs it. */
export interface Reason {
  readonly reason: string;
  readonly by?: string;
}

/** For each chosen package the last step of the shortest way from the world to it. */
export function reasonsOf(solution: Solution): Map<Candidate, Reason> {
  const reasons = new Map<Candidate, Reason>();
  const queue: Candidate[] = [];
  const give = (candidate: Candidate | undefined, reason: string, by?: string) => {
    if (candidate === undefined || reasons.has(candidate)) return;
    reasons.set(candidate, by === undefined ? { reason } : { reason, by });
    queue.push(candidate);
  };
  const via = ({ name }: Requirement, candidate: Candidate) => (name === candidate.name.name ? '' : ` (${name})`);
  for (const requirement of solution.world) {
    const { candidate } = requirement.target.chosen;
    if (!requirement.conflict && candidate !== undefined) give(candidate, `${ASKED}${via(requirement, candidate)}`);
  }
  const conditional = solution.changes.flatMap(({ to }) => (to !== undefined && to.installIf.length > 0 ? [to] : []));
  for (let at = 0; ; ) {
    while (at < queue.length) {
      const from = queue[at++]!;
      for (const requirement of from.depends) {
        const { candidate } = requirement.target.chosen;
        if (!requirement.conflict && candidate !== undefined)
          give(candidate, `${from.record.name} depends on it${via(requirement, candidate)}`, from.record.name);
      }
    }
    for (const one of conditional) {
      const met = one.installIf.every(({ conflict, target }) => conflict || reasons.has(target.chosen.candidate!));
      const first = one.installIf.find(({ conflict }) => !conflict)?.target.chosen.candidate;
      if (met) give(one, `belongs to ${one.installIf.map((d) => d.name).join(' and ')}`, first?.record.name);
    }
    if (at === queue.length) return reasons;
  }
}
