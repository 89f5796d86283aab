import type { Solution } from './solve.ts';
export function explain(_solution: Solution, _tags: unknown): string {
  return 'TODO';
}
