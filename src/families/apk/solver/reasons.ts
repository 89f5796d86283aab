import type { Candidate, Requirement } from './names.ts';
import type { Solution } from './solve.ts';

/** For each chosen package the shortest way from the world to it, in words. */
export function reasonsOf(solution: Solution): Map<Candidate, string> {
  const reasons = new Map<Candidate, string>();
  const queue: Candidate[] = [];
  const give = (candidate: Candidate | undefined, reason: string) => {
    if (candidate === undefined || reasons.has(candidate)) return;
    reasons.set(candidate, reason);
    queue.push(candidate);
  };
  const via = ({ name }: Requirement, candidate: Candidate) => (name === candidate.name.name ? '' : ` (${name})`);
  for (const requirement of solution.world) {
    const { candidate } = requirement.target.chosen;
    if (!requirement.conflict && candidate !== undefined) give(candidate, `asked for${via(requirement, candidate)}`);
  }
  const conditional = solution.changes.flatMap(({ to }) => (to !== undefined && to.installIf.length > 0 ? [to] : []));
  for (let at = 0; ; ) {
    while (at < queue.length) {
      const from = queue[at++]!;
      for (const requirement of from.depends) {
        const { candidate } = requirement.target.chosen;
        if (!requirement.conflict && candidate !== undefined)
          give(candidate, `${from.record.name} depends on it${via(requirement, candidate)}`);
      }
    }
    for (const one of conditional) {
      const met = one.installIf.every(({ conflict, target }) => conflict || reasons.has(target.chosen.candidate!));
      if (met) give(one, `belongs to ${one.installIf.map((d) => d.name).join(' and ')}`);
    }
    if (at === queue.length) return reasons;
  }
}
