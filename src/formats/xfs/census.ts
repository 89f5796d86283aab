import { BuildError } from '../../errors/error.ts';
import { TreeDigest } from '../../tree/digest.ts';
import type { Inode } from '../../tree/inode.ts';
import { nameFault, pathIn } from '../../tree/names.ts';
import { display } from '../../tree/path.ts';
import { sortedNames, type Tree } from '../../tree/tree.ts';
import { RESERVED_INODES } from './layout.ts';

/** An inode of the tree, in the order in which inodes are written. */
export interface Numbered {
  readonly inode: Inode;
  /** Its place among all inodes, from 0; the root has 0, the two after it belong to the real-time section. */
  readonly index: number;
  /** Names of it; 2 and one for each subdirectory for a directory. */
  links: number;
  /** The directory it was first found in; undefined for the root. */
  readonly parent: Numbered | undefined;
  /** For a directory: its names in byte order. */
  readonly names: readonly string[];
}

/** Every inode of a tree. */
export interface Census {
  /** The root first, then level by level in byte order of names. */
  readonly nodes: readonly Numbered[];
  readonly numbers: ReadonlyMap<Inode, Numbered>;
  /** Inodes with the two of the real-time section. */
  readonly inodes: number;
  /** SHA-256 over names and metadata (contents by their digest, where known). */
  readonly digest: Uint8Array;
}

/** Numbers the inodes of a tree. Throws `XFS_NAME` and `XFS_DIRECTORY_TWICE`. */
export function takeCensus({ root }: Tree): Census {
  const digest = new TreeDigest();
  const nodes: Numbered[] = [];
  const numbers = new Map<Inode, Numbered>();
  const add = (inode: Inode, parent?: Numbered): void => {
    const isDirectory = inode.kind === 'directory';
    const names = isDirectory ? sortedNames(inode) : [];
    const index = nodes.length === 0 ? 0 : nodes.length + RESERVED_INODES - 1;
    const node: Numbered = { inode, index, links: isDirectory ? 2 : 1, parent, names };
    nodes.push(node);
    numbers.set(inode, node);
  };
  add(root);
  digest.add('', root);
  for (let i = 0; i < nodes.length; i++) {
    const here = nodes[i]!;
    if (here.inode.kind !== 'directory') continue;
    for (const name of here.names) {
      const at = () => `${pathIn(root, here.inode)}/${display(name)}`;
      const fault = nameFault(name);
      if (fault !== undefined) throw new BuildError('XFS_NAME', { path: at(), reason: fault });
      const inode = here.inode.children.get(name)!;
      const known = numbers.get(inode);
      if (inode.kind === 'directory') {
        if (known !== undefined) throw new BuildError('XFS_DIRECTORY_TWICE', { path: at() });
        here.links++;
      } else if (known !== undefined) {
        known.links++;
        digest.link(name, known.index);
        continue;
      }
      add(inode, here);
      digest.add(name, inode);
    }
    digest.end();
  }
  return { nodes, numbers, inodes: nodes.length + RESERVED_INODES - 1, digest: digest.value() };
}
