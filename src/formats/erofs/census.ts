import { BuildError } from '../../errors/error.ts';
import { type Census, takeCensus } from '../../tree/census.ts';
import type { Tree } from '../../tree/tree.ts';

/** Numbers the inodes of a tree from 1, as stat shows them. Throws `EROFS_NAME` and `EROFS_DIRECTORY_TWICE`. */
export function erofsCensus(tree: Tree): Census {
  return takeCensus(tree, {
    index: (before) => before + 1,
    badName: (path, reason) => new BuildError('EROFS_NAME', { path, reason }),
    directoryTwice: (path) => new BuildError('EROFS_DIRECTORY_TWICE', { path }),
  });
}
