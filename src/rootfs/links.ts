import type { ProfileLink } from '../distros/profile.ts';
import type { Tree } from '../tree/tree.ts';
import { ours } from './guest.ts';

/** Links that every guest of a distribution has: `links` of its profile. */
export function provideLinks(tree: Tree, links: readonly ProfileLink[], epoch: number): void {
  for (const { path, target, replace, needs } of links) {
    if (needs !== undefined && !tree.has(needs)) continue;
    const found = tree.lstat(path);
    if (found?.kind === 'symlink' || (found !== undefined && !replace)) continue;
    tree.remove(path);
    tree.symlink(path, target, ours({ epoch }, 0o777));
  }
}
