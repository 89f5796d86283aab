import { BuildError } from '../errors/error.ts';
import { compilePattern, matches } from '../shell/pattern.ts';
import { display } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';

/** More paths than a system has files: only folders that are reached through links to themselves have as many. */
const PATHS_LIMIT = 1 << 17;

/**
 * Existing paths that match a pattern of glob(3), for configuration files: every part of the path may hold wildcards, in
 * byte order of each folder. With `hidden`, wildcards also match names that begin with a dot. Throws `PATH_LOOP` for a
 * pattern that matches without end.
 */
export function globPaths(tree: Tree, pattern: string, { hidden = false } = {}): string[] {
  if (!/[*?[]/.test(pattern)) return tree.lstat(pattern) === undefined ? [] : [pattern];
  const slash = pattern.lastIndexOf('/');
  const last = pattern.slice(slash + 1);
  const folders = slash < 0 ? ['.'] : slash === 0 ? [''] : globPaths(tree, pattern.slice(0, slash), { hidden });
  if (!/[*?[]/.test(last))
    return folders.map((folder) => `${folder}/${last}`).filter((path) => tree.lstat(path) !== undefined);
  const compiled = compilePattern(last, undefined, true);
  const found: string[] = [];
  for (const folder of folders)
    for (const name of tree.list(folder)) {
      if (!matches(compiled, name) || (!hidden && name.startsWith('.'))) continue;
      if (found.push(`${folder}/${name}`) > PATHS_LIMIT)
        throw new BuildError('PATH_LOOP', { path: display(pattern.replace(/^\/+/, '')) });
    }
  return found;
}
