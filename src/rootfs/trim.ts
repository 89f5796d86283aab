import { compilePattern, matches } from '../shell/pattern.ts';
import type { Directory } from '../tree/inode.ts';
import { fromText, join, parts } from '../tree/path.ts';
import { sortedNames, type Tree } from '../tree/tree.ts';

/**
 * Removes everything that matches a pattern, recursively. In a pattern `*` and `?` stand for characters of one
 * name, `[ab]` for one of some, `**` for any number of folders; a leading slash makes no difference.
 * Returns the paths removed.
 */
export function removeMatching(tree: Tree, patterns: readonly string[]): string[] {
  const removed: string[] = [];
  for (const pattern of patterns) {
    const wanted = parts(fromText(pattern));
    if (wanted.length > 0) removeBelow(tree, tree.root, '', wanted, removed);
  }
  return removed;
}

function removeBelow(
  tree: Tree,
  directory: Directory,
  path: string,
  wanted: readonly string[],
  removed: string[],
): void {
  const [first, ...rest] = wanted as [string, ...string[]];
  if (first === '**') {
    if (rest.length > 0) removeBelow(tree, directory, path, rest, removed);
    for (const name of sortedNames(directory)) {
      const inode = directory.children.get(name);
      if (rest.length === 0) {
        directory.children.delete(name);
        removed.push(join(path, name));
      } else if (inode?.kind === 'directory') removeBelow(tree, inode, join(path, name), wanted, removed);
    }
    return;
  }
  const wantedName = namePattern(first);
  for (const name of sortedNames(directory)) {
    if (!wantedName(name)) continue;
    const here = join(path, name);
    if (rest.length === 0) {
      directory.children.delete(name);
      removed.push(here);
      continue;
    }
    // a pattern may contain a symlinked directory such as /lib
    const inode = tree.stat(here);
    if (inode?.kind === 'directory') removeBelow(tree, inode, tree.realpath(here)!, rest, removed);
  }
}

/** A test for one name against a shell pattern (`*`, `?`, `[…]`). Its time is at most name × pattern. */
export function namePattern(pattern: string): (name: string) => boolean {
  const compiled = compilePattern(pattern, undefined, true);
  return (name) => (!name.startsWith('.') || pattern.startsWith('.')) && matches(compiled, name);
}
