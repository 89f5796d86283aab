import type { Tree } from '../tree/tree.ts';
import { type Guest, ours } from './guest.ts';

const CLEARED = ['var/cache', 'var/lib', 'var/log', 'var/tmp'];

/** Clears what packages leave under /var, and makes /var/tmp a link so that private folders of units are in /tmp. */
export function clearVar(tree: Tree, guest: Guest): void {
  const kept = guest.keep.flatMap((path) => {
    const inode = tree.lstat(path);
    return inode === undefined ? [] : [{ path, inode }];
  });
  for (const path of CLEARED) tree.remove(path);
  for (const { path, inode } of kept) tree.set(path, inode);
  tree.makeDirectory('var', ours(guest, 0o755));
  tree.symlink('var/tmp', '../tmp', ours(guest, 0o777));
}
