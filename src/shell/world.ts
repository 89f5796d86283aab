import type { Tree } from '../tree/tree.ts';
import type { World } from './command.ts';
import { Files } from './files.ts';
import { Budget, type Limits } from './limits.ts';

/** Makes the world that all shells of one run share, with a new budget. */
export function makeWorld(
  script: string,
  tree: Tree,
  options: Omit<World, 'tree' | 'files' | 'budget'> & { readonly time: number; readonly limits?: Limits },
): World {
  const budget = new Budget(script, options.limits);
  return { ...options, tree, budget, files: new Files(tree, budget, options.time) };
}
