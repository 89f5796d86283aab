import { BuildError } from '../errors/error.ts';
import type { Inode } from './inode.ts';
import { display, join, parts } from './path.ts';
import type { Tree } from './tree.ts';

/** Maximum number of symbolic links followed in one lookup, as in the kernel (MAXSYMLINKS). */
const LINKS_MAX = 40;

/** A symbolic link on the way to a path. */
export interface FollowedLink {
  /** Path of the link, with every link above it resolved. */
  readonly path: string;
  readonly target: string;
}

/** The way to a path. */
export interface Way {
  /** The links that were followed, in order. */
  readonly links: readonly FollowedLink[];
  /** Where they lead, with every link resolved. Below a missing directory the rest of the path is taken literally. */
  readonly path: string;
  readonly inode: Inode | undefined;
}

/** Follows a path in a tree and records each symbolic link on the way, the last one included. Throws `PATH_LOOP`. */
export function wayTo(tree: Tree, path: string): Way {
  const links: FollowedLink[] = [];
  const todo = parts(path).reverse();
  let here: string[] = [];
  while (todo.length > 0) {
    const part = todo.pop()!;
    if (part === '..') {
      here.pop();
      continue;
    }
    const at = join(here.join('/'), part);
    const inode = tree.lstat(at);
    if (inode?.kind === 'symlink') {
      if (links.length >= LINKS_MAX) throw new BuildError('PATH_LOOP', { path: display(path) });
      links.push({ path: at, target: inode.target });
      if (inode.target.startsWith('/')) here = [];
      for (const each of parts(inode.target).reverse()) todo.push(each);
      continue;
    }
    here.push(part);
  }
  const end = here.join('/');
  return { links, path: end, inode: tree.lstat(end) };
}
