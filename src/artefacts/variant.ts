import type { Directory } from '../tree/inode.ts';
import { Tree } from '../tree/tree.ts';

/**
 * A tree that may be changed without changing the one it was made from: directories are copied, everything below them
 * is shared. So one rootfs gives an initrd and an image that differ in a few entries.
 */
export function variant(tree: Tree): Tree {
  return new Tree(copy(tree.root));
}

function copy(from: Directory): Directory {
  const children: Directory['children'] = new Map();
  for (const [name, inode] of from.children) children.set(name, inode.kind === 'directory' ? copy(inode) : inode);
  return { ...from, children };
}
