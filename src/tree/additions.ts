import { sameBytes } from '../bytes/same.ts';
import { type Directory, directory, type Inode } from './inode.ts';
import { dirname } from './path.ts';
import { Tree } from './tree.ts';

/** What a tree has beyond another one. */
export interface Additions {
  /** New and changed entries, below the directories that lead to them. */
  readonly tree: Tree;
  /** Paths that only the tree has. */
  readonly added: number;
  /** Paths that both have, and that differ. */
  readonly changed: number;
  /**
   * Paths that only the other one has, in byte order; of a directory with all below it, its own alone. A directory that
   * is something else in the tree is one of them.
   */
  readonly removed: readonly string[];
}

/**
 * What is new or changed in `tree` against `base`: kinds, modes, owners, targets, device numbers, attributes, contents.
 * Times are not compared, since two builds of the same files have different ones. Inodes are shared with `tree`.
 */
export async function additionsOf(tree: Tree, base: Tree): Promise<Additions> {
  const known = inodesOf(base);
  const kept = new Kept(tree);
  const present = new Map<string, Inode>();
  let [added, changed] = [0, 0];
  for (const { path, inode } of tree.walk()) {
    present.set(path, inode);
    const other = known.get(path);
    const differs = other === undefined || !(await isSame(inode, other));
    if (!differs || path === '') continue;
    if (other === undefined) added++;
    else changed++;
    kept.add(path, inode);
  }
  return { tree: kept.tree, added, changed, removed: removedFrom(known, present) };
}

function inodesOf(tree: Tree): Map<string, Inode> {
  const found = new Map<string, Inode>();
  for (const { path, inode } of tree.walk()) found.set(path, inode);
  return found;
}

/** Paths of `known` that are not present, without those below another one of them. */
function removedFrom(known: ReadonlyMap<string, Inode>, present: ReadonlyMap<string, Inode>): string[] {
  const removed: string[] = [];
  const gone = new Set<string>();
  // parents come first
  for (const [path, inode] of known) {
    if (path === '') continue;
    const here = present.get(path);
    if (here !== undefined && (inode.kind !== 'directory' || here.kind === 'directory')) continue;
    gone.add(path);
    if (!gone.has(dirname(path))) removed.push(path);
  }
  return removed.sort();
}

/** Copies of the directories that lead to what is kept. */
class Kept {
  readonly tree: Tree;
  private readonly from: Tree;
  private readonly directories = new Map<string, Directory>();

  constructor(from: Tree) {
    this.from = from;
    this.tree = new Tree(emptied(from.root));
    this.directories.set('', this.tree.root);
  }

  add(path: string, inode: Inode): void {
    if (inode.kind === 'directory') this.directory(path);
    else this.directory(dirname(path)).children.set(nameOf(path), inode);
  }

  private directory(path: string): Directory {
    const missing: string[] = [];
    let at = path;
    while (!this.directories.has(at)) {
      missing.push(at);
      at = dirname(at);
    }
    let here = this.directories.get(at)!;
    for (const next of missing.reverse()) {
      // a path of the walk leads through directories only
      const made = emptied(this.from.lstat(next) as Directory);
      here.children.set(nameOf(next), made);
      this.directories.set(next, made);
      here = made;
    }
    return here;
  }
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);

function emptied({ children: _, kind: __, ...meta }: Directory): Directory {
  return directory(meta);
}

async function isSame(a: Inode, b: Inode): Promise<boolean> {
  if (a === b) return true;
  if (a.kind !== b.kind || (a.kind !== 'symlink' && (a.mode & 0o7777) !== (b.mode & 0o7777))) return false;
  if (a.uid !== b.uid || a.gid !== b.gid || !sameAttributes(a.xattrs, b.xattrs)) return false;
  switch (a.kind) {
    case 'file':
      return b.kind === 'file' && sameBytes(a.content, b.content);
    case 'symlink':
      return b.kind === 'symlink' && a.target === b.target;
    case 'char':
    case 'block':
      return (b.kind === 'char' || b.kind === 'block') && a.major === b.major && a.minor === b.minor;
    case 'directory':
    case 'fifo':
    case 'socket':
      return true;
    default:
      return a satisfies never;
  }
}

function sameAttributes(a: Inode['xattrs'], b: Inode['xattrs']): boolean {
  if ((a?.size ?? 0) !== (b?.size ?? 0)) return false;
  for (const [name, value] of a ?? []) {
    const other = b!.get(name);
    if (other === undefined || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}
