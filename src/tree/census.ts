import { TreeDigest } from './digest.ts';
import type { Inode } from './inode.ts';
import { nameFault, pathIn } from './names.ts';
import { display } from './path.ts';
import { sortedNames, type Tree } from './tree.ts';

/** An inode of a tree, in the order in which file systems write inodes. */
export interface Numbered {
  readonly inode: Inode;
  /** Its place among all inodes, as the file system counts. */
  readonly index: number;
  /** Names of it; 2 and one for each subdirectory for a directory. */
  links: number;
  /** The directory it was first found in; undefined for the root. */
  readonly parent: Numbered | undefined;
  /** For a directory: its names in byte order, without `.` and `..`. */
  readonly names: readonly string[];
}

/** Every inode of a tree. */
export interface Census {
  /** The root first, then level by level in byte order of names. */
  readonly nodes: readonly Numbered[];
  readonly numbers: ReadonlyMap<Inode, Numbered>;
  /** SHA-256 over names and metadata (contents by their digest, where known). */
  readonly digest: Uint8Array;
}

/** What differs between file systems. */
export interface CensusRules {
  /** The place of the inode with so many before it. */
  index(before: number): number;
  /** The error for a name that cannot be stored. `path` is for messages. */
  badName(path: string, reason: string): Error;
  /** The error for a directory with two names. */
  directoryTwice(path: string): Error;
}

/** Numbers the inodes of a tree, and counts their links. */
export function takeCensus({ root }: Tree, rules: CensusRules): Census {
  const digest = new TreeDigest();
  const nodes: Numbered[] = [];
  const numbers = new Map<Inode, Numbered>();
  const add = (inode: Inode, parent?: Numbered): void => {
    const isDirectory = inode.kind === 'directory';
    const names = isDirectory ? sortedNames(inode) : [];
    const node: Numbered = { inode, index: rules.index(nodes.length), links: isDirectory ? 2 : 1, parent, names };
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
      if (fault !== undefined) throw rules.badName(at(), fault);
      const inode = here.inode.children.get(name)!;
      const known = numbers.get(inode);
      if (inode.kind === 'directory') {
        if (known !== undefined) throw rules.directoryTwice(at());
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
  return { nodes, numbers, digest: digest.value() };
}
