import type { Tree } from '../tree/tree.ts';

/** The latest time stamp of a tree, in Unix seconds; 0 for an empty one. */
export function newestTime(tree: Tree): number {
  let newest = 0;
  for (const { path, inode } of tree.walk()) if (path !== '' && inode.mtime > newest) newest = inode.mtime;
  return newest;
}

/** Sets every time stamp that is later than `epoch` to it, so that nothing tells when or where the build ran. */
export function settleTimes(tree: Tree, epoch: number): void {
  for (const { inode } of tree.walk()) {
    if (inode.mtime < epoch) continue;
    inode.mtime = epoch;
    delete inode.nanoseconds;
  }
}

/** Gives symbolic links the mode that Linux gives every one, whatever an archive says: it cannot be changed there. */
export function settleLinks(tree: Tree): void {
  for (const { inode } of tree.walk()) if (inode.kind === 'symlink') inode.mode = 0o777;
}
