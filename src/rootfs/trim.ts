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
  const wantedName = namePattern(first);
  for (const name of sortedNames(directory)) {
    if (!wantedName(name)) continue;
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

/** A test for one name against a shell pattern (`*`, `?`, `[…]`). Its time is at most name × pattern. */
export function namePattern(pattern: string): (name: string) => boolean {
  const items = itemsOf(pattern);
  return (name) => (!name.startsWith('.') || pattern.startsWith('.')) && matches(items, name);
}

/** A star, or a test for one character. */
type Item = '*' | ((character: string) => boolean);

function itemsOf(pattern: string): Item[] {
  const items: Item[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    const close = c === '[' ? pattern.indexOf(']', i + 2) : -1;
    if (c === '*') items.push('*');
    else if (c === '?') items.push(() => true);
    else if (close > 0) {
      const negated = pattern[i + 1] === '!' || pattern[i + 1] === '^';
      const set = pattern.slice(i + (negated ? 2 : 1), close);
      items.push((character) => inSet(set, character) !== negated);
      i = close;
    } else items.push((character) => character === c);
  }
  return items;
}

function inSet(set: string, character: string): boolean {
  for (let i = 0; i < set.length; i++) {
    const last = set[i + 1] === '-' && i + 2 < set.length ? set[i + 2]! : undefined;
    if (last === undefined ? set[i] === character : set[i]! <= character && character <= last) return true;
    if (last !== undefined) i += 2;
  }
  return false;
}

/** Only the last star met can need another try, so there is nothing to explode. */
function matches(items: readonly Item[], name: string): boolean {
  let at = 0;
  let item = 0;
  let star = -1;
  let resume = 0;
  while (at < name.length) {
    const here = items[item];
    if (here === '*') {
      star = item++;
      resume = at;
    } else if (here?.(name[at]!)) {
      item++;
      at++;
    } else if (star >= 0) {
      item = star + 1;
      at = ++resume;
    } else return false;
  }
  while (items[item] === '*') item++;
  return item === items.length;
}
