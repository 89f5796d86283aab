import type { Directory, Inode } from './inode.ts';

/** How often inodes are named in a tree. */
export interface LinkCounts {
  /** Inodes with several names, and how many; a directory cannot be one of them in a tree that can be written. */
  readonly several: ReadonlyMap<Inode, number>;
  /** Inodes, without the root. */
  readonly inodes: number;
  /** Names, without the root's. */
  readonly names: number;
}

/**
 * Counts names. Writers look inodes up in what has several: a table of all of them would be half of the memory that a tree of
 * a million entries takes. The table that is needed here is gone when this returns.
 */
export function linkCounts(root: Directory): LinkCounts {
  const seen = new Set<Inode>();
  const several = new Map<Inode, number>();
  const todo = [root];
  let names = 0;
  for (let here = todo.pop(); here !== undefined; here = todo.pop())
    for (const inode of here.children.values()) {
      names++;
      if (seen.has(inode)) {
        several.set(inode, (several.get(inode) ?? 1) + 1);
        continue;
      }
      seen.add(inode);
      if (inode.kind === 'directory') todo.push(inode);
    }
  return { several, inodes: seen.size, names };
}
