import type { Inode } from '../tree/inode.ts';
import type { Tree } from '../tree/tree.ts';

/** The latest time stamp of a tree, in Unix seconds; 0 for an empty one. */
export function newestTime(tree: Tree): number {
  let newest = 0;
  tree.each((inode) => {
    if (inode.mtime > newest) newest = inode.mtime;
  });
  return newest;
}

/** Sets every time stamp that is later than `epoch` to it, so that nothing tells when or where the build ran. */
export function settleTimes(tree: Tree, epoch: number): void {
  const settle = (inode: Inode) => {
    if (inode.mtime < epoch) return;
    inode.mtime = epoch;
    delete inode.nanoseconds;
  };
  settle(tree.root);
  tree.each(settle);
}

/** Gives symbolic links the mode that Linux gives every one, whatever an archive says: it cannot be changed there. */
export function settleLinks(tree: Tree): void {
  tree.each((inode) => {
    if (inode.kind === 'symlink') inode.mode = 0o777;
  });
}

/** What every guest gets at the end; `epoch` only where times are clamped. */
export function settle(tree: Tree, epoch: number | undefined): void {
  settleLinks(tree);
  if (epoch !== undefined) settleTimes(tree, epoch);
}
