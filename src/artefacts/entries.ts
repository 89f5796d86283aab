import type { Entry } from '../tree/entry.ts';
import type { Tree } from '../tree/tree.ts';

/** A tree as entries: each inode under its first path, its other names as links to that. */
export function* entriesOf(tree: Tree): Generator<Entry> {
  const first = new Map<unknown, string>();
  for (const { path, inode } of tree.walk()) {
    if (path === '') continue;
    const known = inode.kind === 'directory' ? undefined : first.get(inode);
    if (known !== undefined) {
      yield { path, link: known };
      continue;
    }
    if (inode.kind !== 'directory') first.set(inode, path);
    yield { path, inode };
  }
}
