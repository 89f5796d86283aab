import { BuildError } from '../../errors/error.ts';
import { TreeDigest } from '../../tree/digest.ts';
import { type Directory, directory, type Inode } from '../../tree/inode.ts';
import { nameFault, pathIn } from '../../tree/names.ts';
import { display } from '../../tree/path.ts';
import { sortedNames, type Tree } from '../../tree/tree.ts';
import { FIRST_INODE, LINKS_MAX, ROOT_INODE } from './layout.ts';

/** Name of the folder where e2fsck puts files that have lost their name. */
export const LOST_FOUND = 'lost+found';

/** A directory of the tree, numbered. */
export interface NumberedDirectory {
  readonly number: number;
  readonly parent: number;
  readonly directory: Directory;
  /** In byte order. */
  readonly names: readonly string[];
  readonly subdirectories: number;
}

/** Every inode of a tree with its number and link count. */
export interface Census {
  /** The tree with lost+found in it. */
  readonly root: Directory;
  /** Inodes by number; reserved numbers are empty. */
  readonly nodes: readonly (Inode | undefined)[];
  readonly numbers: ReadonlyMap<Inode, number>;
  /** Names per inode by number, for everything but directories. */
  readonly links: readonly number[];
  /** The root first, then level by level. */
  readonly directories: readonly NumberedDirectory[];
  /** Number of the orphan file, or 0. */
  readonly orphanFile: number;
  /** Inodes in use, the reserved ones included: also the highest number. */
  readonly used: number;
  /** SHA-256 over names and metadata (contents by their digest, where known). */
  readonly digest: Uint8Array;
}

/** Numbers a tree: the root is 2, lost+found 11, the orphan file next, then directory by directory in byte order. */
export function takeCensus(tree: Tree, options: { orphanFile: boolean; time: number }): Census {
  const root = withLostFound(tree.root, options.time);
  const lostFound = root.children.get(LOST_FOUND)!;
  const nodes: (Inode | undefined)[] = new Array(FIRST_INODE + 1).fill(undefined);
  const links: number[] = new Array(FIRST_INODE + 1).fill(0);
  const numbers = new Map<Inode, number>([
    [root, ROOT_INODE],
    [lostFound, FIRST_INODE],
  ]);
  nodes[ROOT_INODE] = root;
  nodes[FIRST_INODE] = lostFound;
  let last = FIRST_INODE;
  const orphanFile = options.orphanFile ? ++last : 0;
  if (orphanFile > 0) {
    nodes.push(undefined);
    links.push(1);
  }
  const digest = new TreeDigest();
  digest.add('', root);
  const directories: NumberedDirectory[] = [];
  const queue: { number: number; parent: number; directory: Directory }[] = [
    { number: ROOT_INODE, parent: ROOT_INODE, directory: root },
  ];
  for (let i = 0; i < queue.length; i++) {
    const here = queue[i]!;
    const names = sortedNames(here.directory);
    let subdirectories = 0;
    for (const name of names) {
      const inode = here.directory.children.get(name)!;
      const fault = nameFault(name);
      if (fault !== undefined)
        throw new BuildError('EXT4_NAME', { path: `${pathIn(root, here.directory)}/${display(name)}`, reason: fault });
      let number = numbers.get(inode);
      if (inode.kind === 'directory') {
        subdirectories++;
        if (number !== undefined && !(inode === lostFound && here.directory === root && name === LOST_FOUND))
          throw new BuildError('EXT4_DIRECTORY_TWICE', { path: pathIn(root, here.directory) + '/' + display(name) });
        number ??= ++last;
        queue.push({ number, parent: here.number, directory: inode });
      } else if (number !== undefined) {
        links[number]!++;
        digest.link(name, number);
        continue;
      } else number = ++last;
      if (number > FIRST_INODE) {
        numbers.set(inode, number);
        nodes.push(inode);
        links.push(1);
      }
      digest.add(name, inode);
    }
    digest.end();
    directories.push({ ...here, names, subdirectories });
  }
  for (let number = FIRST_INODE + 1; number <= last; number++)
    if (links[number]! > LINKS_MAX)
      throw new BuildError('EXT4_LINKS', {
        path: pathIn(root, nodes[number]!),
        links: links[number]!,
        limit: LINKS_MAX,
      });
  return { root, nodes, numbers, links, directories, orphanFile, used: last, digest: digest.value() };
}

function withLostFound(root: Directory, time: number): Directory {
  const there = root.children.get(LOST_FOUND);
  if (there?.kind === 'directory') return root;
  if (there !== undefined)
    throw new BuildError('EXT4_NAME', {
      path: LOST_FOUND,
      reason: `e2fsck wants a directory here, not a ${there.kind}`,
    });
  const made = directory({ mode: 0o700, uid: 0, gid: 0, mtime: time });
  return { ...root, children: new Map(root.children).set(LOST_FOUND, made) };
}
