import type { Directory } from '../tree/inode.ts';
import { fromText, join, parts } from '../tree/path.ts';
import { sortedNames, type Tree } from '../tree/tree.ts';

/**
 * Removes what matches any of the patterns, with all below it. In a pattern `*` and `?` stand for characters of one
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
  const matches = namePattern(first);
  for (const name of sortedNames(directory)) {
    if (!matches(name)) continue;
    const here = join(path, name);
    if (rest.length === 0) {
      directory.children.delete(name);
      removed.push(here);
      continue;
    }
    // a pattern may go through a link such as /lib, as its author sees the guest
    const inode = tree.stat(here);
    if (inode?.kind === 'directory') removeBelow(tree, inode, tree.realpath(here)!, rest, removed);
  }
}

/** A test for one name against a shell pattern (`*`, `?`, `[…]`). */
export function namePattern(pattern: string): (name: string) => boolean {
  if (!/[*?[]/.test(pattern)) return (name) => name === pattern;
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    const close = c === '[' ? pattern.indexOf(']', i + 2) : -1;
    if (c === '*') source += '.*';
    else if (c === '?') source += '.';
    else if (close > 0) {
      source += `[${pattern
        .slice(i + 1, close)
        .replace(/^!/, '^')
        .replace(/[\\[\]]/g, '\\$&')}]`;
      i = close;
    } else source += c.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  }
  // several stars in a row would only cost time
  const expression = new RegExp(`^${source.replace(/(?:\.\*)+/g, '.*')}$`, 's');
  return (name) => (name.startsWith('.') && !pattern.startsWith('.') ? false : expression.test(name));
}
