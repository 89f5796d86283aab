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

/**
 * Sets every time stamp that is later than `epoch` to it, so that outputs do not depend on when or where the build ran.
 * Parts of the second of the epoch itself are later, unless they are `kept`.
 */
export function settleTimes(tree: Tree, epoch: number, kept = false): void {
  const settle = (inode: Inode) => {
    if (inode.mtime < epoch || (kept && inode.mtime === epoch)) return;
    inode.mtime = epoch;
    delete inode.nanoseconds;
  };
  settle(tree.root);
  tree.each(settle);
}

/** Sets the mode of symbolic links to the only one that Linux uses, regardless of the archive. */
export function settleLinks(tree: Tree): void {
  tree.each((inode) => {
    if (inode.kind === 'symlink') inode.mode = 0o777;
  });
}

/**
 * Settles a finished tree: links get the mode that Linux uses, and with `clamp` no time is later than the base's
 * epoch; with `seconds` none is in a later second. Returns that epoch, in Unix seconds.
 */
export function settle(
  { tree, epoch }: { readonly tree: Tree; readonly epoch: number },
  how: { readonly clamp: boolean; readonly seconds: boolean },
): number {
  settleLinks(tree);
  if (how.clamp) settleTimes(tree, epoch);
  else if (how.seconds) settleTimes(tree, epoch, true);
  return epoch;
}
