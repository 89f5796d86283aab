import { compilePattern, matches } from '../shell/pattern.ts';
import type { Tree } from '../tree/tree.ts';

/**
 * Existing paths that match a pattern of glob(3), for configuration files: every part of the path may hold wildcards, in
 * byte order of each folder. With `hidden`, wildcards also match names that begin with a dot.
 */
export function globPaths(tree: Tree, pattern: string, { hidden = false } = {}): string[] {
  if (!/[*?[]/.test(pattern)) return tree.lstat(pattern) === undefined ? [] : [pattern];
  const slash = pattern.lastIndexOf('/');
  const last = pattern.slice(slash + 1);
  const folders = slash < 0 ? ['.'] : slash === 0 ? [''] : globPaths(tree, pattern.slice(0, slash), { hidden });
  if (!/[*?[]/.test(last))
    return folders.map((folder) => `${folder}/${last}`).filter((path) => tree.lstat(path) !== undefined);
  const compiled = compilePattern(last, undefined, true);
  return folders.flatMap((folder) =>
    tree
      .list(folder)
      .filter((name) => matches(compiled, name) && (hidden || !name.startsWith('.')))
      .map((name) => `${folder}/${name}`),
  );
}
