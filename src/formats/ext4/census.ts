import { BuildError } from '../../errors/error.ts';
import { TreeDigest } from '../../tree/digest.ts';
import { type Directory, directory, type Inode } from '../../tree/inode.ts';
import { linkCounts } from '../../tree/link-counts.ts';
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
  /** The number that the first inode got of those that have their first name here. */
  readonly first: number;
}

/** Every inode of a tree with its number and link count. */
export interface Census {
  /** The tree with lost+found in it. */
  readonly root: Directory;
  /** Inodes by number; reserved numbers are empty. */
  readonly nodes: readonly (Inode | undefined)[];
  /** The numbers of inodes with several names; those of others follow from {@link NumberedDirectory.first}. */
  readonly several: ReadonlyMap<Inode, number>;
  /** Names per inode by number, for everything but directories. */
  readonly links: Uint32Array;
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
  const { several: counted, inodes } = linkCounts(root);
  // without a number yet
  const several = new Map<Inode, number>([...counted.keys()].map((inode) => [inode, 0]));
  several.set(root, ROOT_INODE).set(lostFound, FIRST_INODE);
  // in their final size: a tree may have millions of entries, and growing would copy them again and again
  const room = FIRST_INODE + 2 + inodes;
  const nodes: (Inode | undefined)[] = new Array(room);
  const links = new Uint32Array(room);
  nodes[ROOT_INODE] = root;
  nodes[FIRST_INODE] = lostFound;
  let last = FIRST_INODE;
  const orphanFile = options.orphanFile ? ++last : 0;
  if (orphanFile > 0) links[orphanFile] = 1;
  const digest = new TreeDigest();
  digest.add('', root);
  const directories: NumberedDirectory[] = [];
  const queue: { number: number; parent: number; directory: Directory }[] = [
    { number: ROOT_INODE, parent: ROOT_INODE, directory: root },
  ];
  for (let i = 0; i < queue.length; i++) {
    const here = queue[i]!;
    const names = sortedNames(here.directory);
    const first = last + 1;
    let subdirectories = 0;
    for (const name of names) {
      const inode = here.directory.children.get(name)!;
      const fault = nameFault(name);
      if (fault !== undefined)
        throw new BuildError('EXT4_NAME', { path: `${pathIn(root, here.directory)}/${display(name)}`, reason: fault });
      const known = several.get(inode);
      let number = known === 0 ? undefined : known;
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
        if (known === 0) several.set(inode, number);
        nodes[number] = inode;
        links[number] = 1;
      }
      digest.add(name, inode);
    }
    digest.end();
    const { number, parent, directory } = here;
    directories.push({ number, parent, directory, names, subdirectories, first });
  }
  for (let number = FIRST_INODE + 1; number <= last; number++)
    if (links[number]! > LINKS_MAX)
      throw new BuildError('EXT4_LINKS', {
        path: pathIn(root, nodes[number]!),
        links: links[number]!,
        limit: LINKS_MAX,
      });
  return { root, nodes, several, links, directories, orphanFile, used: last, digest: digest.value() };
}

/** The numbers of what is in a directory, in the order of its names. */
export function childNumbers({ several }: Census, { directory, names, first }: NumberedDirectory): Uint32Array {
  let next = first;
  return Uint32Array.from(names, (name) => {
    const known = several.get(directory.children.get(name)!);
    // a number that was given before is a smaller one
    return known === undefined || known === next ? next++ : known;
  });
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
