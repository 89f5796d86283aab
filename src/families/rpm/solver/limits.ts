import { BuildError } from '../../../errors/error.ts';

/**
 * Bounds against repositories made to keep the resolver busy. Real requests stay a hundred times below them; all of
 * CentOS Stream 9 at once takes 15 million steps.
 */
export const LIMITS = {
  /** Literals that one rich dependency may turn into. */
  clauses: 1_000_000,
  /** Looks at the parts of one rich dependency while it is turned into them. */
  richSteps: 4_000_000,
  /** Rules of one request. */
  rules: 6_000_000,
  /** Rules looked at while solving. */
  steps: 80_000_000,
  /** Looks at weak dependencies while rules are made. */
  weakSteps: 20_000_000,
  /** Sentences of one explained problem. */
  sentences: 40,
} as const;

/** Throws `RESOLVER_LIMIT` when a count is above its limit. */
export function checkLimit(count: number, what: string, limit: number): void {
  if (count > limit) throw new BuildError('RESOLVER_LIMIT', { what, limit });
}
