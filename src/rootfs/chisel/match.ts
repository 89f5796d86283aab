import { isBuildError } from '../../errors/error.ts';
import { findUnit, isUnitName } from '../../system/units.ts';
import type { Directory } from '../../tree/inode.ts';
import { basename, fromText, join, parts } from '../../tree/path.ts';
import { sortedNames, type Tree } from '../../tree/tree.ts';
import { namePattern } from '../trim.ts';

/** Folders of programs. */
const PROGRAMS = ['usr/sbin', 'usr/bin', 'sbin', 'bin', 'usr/local/sbin', 'usr/local/bin'];

/** Paths that an item names; empty if the guest has none. `owned`: the paths of a package. */
export function pathsOf(tree: Tree, item: string, owned: (name: string) => Iterable<string>): string[] {
  const [, kind, rest] = /^(package|name):(.*)$/s.exec(item) ?? [];
  if (kind === 'package') return [...owned(rest!)].filter((path) => tree.lstat(path) !== undefined);
  if (kind === 'name') return named(tree, rest!);
  if (item.includes('/')) return withFolder(tree, matching(tree, /^\/+$/.test(item) ? '/*' : item), item);
  if (isUnitName(item)) {
    const unit = findUnit(tree, fromText(item));
    return unit === undefined ? [] : [unit];
  }
  const programs = PROGRAMS.map((folder) => `${folder}/${fromText(item)}`);
  return programs.filter((path) => tree.lstat(path) !== undefined);
}

/** `/bin` means what is in it, also where it is a link to a folder; links that a pattern happens to match are links. */
function withFolder(tree: Tree, found: readonly string[], item: string): string[] {
  if (/[*?[\\]/.test(parts(fromText(item)).at(-1) ?? '*')) return [...found];
  return found.flatMap((path) => {
    const target = unlessLoop(() => tree.stat(path));
    if (tree.lstat(path)?.kind !== 'symlink' || target?.kind !== 'directory') return [path];
    const folder = tree.realpath(path)!.replace(/^\//, '');
    return [path, ...(folder === '' ? matching(tree, '/*') : [folder])];
  });
}

/** What `look` finds, or undefined where links lead round in a circle. */
export function unlessLoop<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isBuildError(error, 'PATH_LOOP')) return undefined;
    throw error;
  }
}

/** Every path with that last name, a pattern. */
function named(tree: Tree, pattern: string): string[] {
  const wanted = namePattern(fromText(pattern));
  return [...tree.walk()].flatMap(({ path }) => (path !== '' && wanted(basename(path)) ? [path] : []));
}

/** Paths that a pattern matches: `*` and `?` in one name, `**` for any number of folders; links of folders are followed. */
export function matching(tree: Tree, pattern: string): string[] {
  const found: string[] = [];
  const visit = (directory: Directory, path: string, wanted: readonly string[]): void => {
    const [first, ...rest] = wanted;
    if (first === undefined) return;
    if (first === '**') {
      visit(directory, path, rest.length === 0 ? ['*'] : rest);
      for (const name of sortedNames(directory)) {
        const inode = directory.children.get(name)!;
        if (inode.kind === 'directory') visit(inode, join(path, name), wanted);
      }
      return;
    }
    const matches = namePattern(first);
    for (const name of /[*?[\\]/.test(first) ? sortedNames(directory) : directory.children.has(first) ? [first] : []) {
      if (!matches(name)) continue;
      const here = join(path, name);
      if (rest.length === 0) {
        found.push(here);
        continue;
      }
      const inode = unlessLoop(() => tree.stat(here));
      if (inode?.kind === 'directory') visit(inode, tree.realpath(here)!.replace(/^\//, ''), rest);
    }
  };
  visit(tree.root, '', parts(fromText(pattern)));
  return [...new Set(found)];
}
