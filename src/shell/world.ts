import type { Tree } from '../tree/tree.ts';
import type { Command } from './command.ts';
import { Files } from './files.ts';
import { Budget, type Limits } from './limits.ts';
import type { Shell } from './shell.ts';

/** A command that is neither ours nor a script in the tree. */
export interface UnknownCommand {
  readonly script: string;
  readonly line: number;
  readonly command: string;
  /** The line of the script it stands on, trimmed. */
  readonly text: string;
  /** It stood in a condition or before `||`, where its failure was reckoned with: status 127, and no warning is due. */
  readonly tested: boolean;
  /** The tree has no such program: it would not be found in truth either. */
  readonly missing: boolean;
}

/** What all shells of one run share. */
export interface World {
  readonly tree: Tree;
  readonly files: Files;
  readonly budget: Budget;
  /** Programs by name. */
  readonly commands: ReadonlyMap<string, Command>;
  /** Names of programs that `command -v` finds even when the tree has no such file. */
  readonly present: ReadonlySet<string>;
  /** Files that are not read when sourced: what is done instead. */
  readonly sourced: ReadonlyMap<string, (shell: Shell, args: readonly string[]) => number>;
  /** Machine name as `uname -m` gives it. */
  readonly machine: string;
  unknown(command: UnknownCommand): void;
}

/** A world over a tree, with its budget. */
export function makeWorld(
  script: string,
  tree: Tree,
  options: Omit<World, 'tree' | 'files' | 'budget'> & { readonly time: number; readonly limits?: Limits },
): World {
  const budget = new Budget(script, options.limits);
  return { ...options, tree, budget, files: new Files(tree, budget, options.time) };
}
