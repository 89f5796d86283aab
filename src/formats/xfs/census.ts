import { BuildError } from '../../errors/error.ts';
import { type Census, takeCensus } from '../../tree/census.ts';
import type { Tree } from '../../tree/tree.ts';
import { RESERVED_INODES } from './layout.ts';

/** A census with the number of inodes, the two of the real-time section included. */
export interface XfsCensus extends Census {
  readonly inodes: number;
}

/**
 * Numbers the inodes of a tree by their place among all inodes, from 0: the root has 0, the two after it belong to the
 * real-time section. Throws `XFS_NAME` and `XFS_DIRECTORY_TWICE`.
 */
export function xfsCensus(tree: Tree): XfsCensus {
  const census = takeCensus(tree, {
    index: (before) => (before === 0 ? 0 : indexAfter(before)),
    badName: (path, reason) => new BuildError('XFS_NAME', { path, reason }),
    directoryTwice: (path) => new BuildError('XFS_DIRECTORY_TWICE', { path }),
  });
  return { ...census, inodes: indexAfter(census.nodes.length) };
}

function indexAfter(nodes: number): number {
  return nodes + RESERVED_INODES - 1;
}
