import { BuildError } from '../errors/error.ts';
import type { Entry } from './entry.ts';
import { type Directory, type Inode, type Kind, type Meta, TYPE_BITS } from './inode.ts';
import { dirname, display, join, safePath } from './path.ts';
import type { Place, Tree } from './tree.ts';

/** How entries are laid over a tree. */
export interface OverlayOptions {
  /** What messages call the archive or directory that the entries come from. */
  readonly source: string;
  /** Lay them below this directory instead of the root; links inside still resolve within the root of the tree. */
  readonly below?: string;
  /** A directory that meets a symlink to a directory leaves the link as it is (default), else it takes its place. */
  readonly keepDirectoryLinks?: boolean;
  /**
   * What happens where a directory and something else meet: `tar` (default) does as GNU tar, where files give way to
   * directories and only empty directories to files; `replace` lets the new one win with all it takes away; `refuse`
   * does neither.
   */
  readonly typeChange?: 'tar' | 'replace' | 'refuse';
}

/** What each kind is called in messages. */
const NAMES: Readonly<Record<Kind, string>> = {
  file: 'file',
  directory: 'directory',
  symlink: 'symbolic link',
  char: 'character device',
  block: 'block device',
  fifo: 'fifo',
  socket: 'socket',
};

/**
 * Lays archive entries over a tree as tar extracts them, each replacing what is there. Nothing can be reached outside the
 * root: paths with `..` are refused, symlinked parents resolve inside the tree, a link at the last name is never
 * followed. The entries stay as they are: the tree gets copies of their inodes (contents are shared).
 */
export function overlayEntries(tree: Tree, entries: Iterable<Entry>, options: OverlayOptions): void {
  for (const entry of entries) overlayEntry(tree, entry, options);
}

/** {@link overlayEntries} for entries that are still coming in. */
export async function overlayStream(tree: Tree, entries: AsyncIterable<Entry>, options: OverlayOptions): Promise<void> {
  for await (const entry of entries) overlayEntry(tree, entry, options);
}

/** Lays one entry over a tree. Returns the path at which it came to lie, symlinked parents resolved. */
export function overlayEntry(tree: Tree, entry: Entry, options: OverlayOptions): string {
  const path = below(options, safePath(entry.path, options.source));
  const inode = 'inode' in entry ? entry.inode : linked(tree, path, entry.link, options);
  if (!(inode.kind in TYPE_BITS))
    throw new BuildError('ENTRY_KIND', { path: display(path), source: options.source, kind: String(inode.kind) });
  const place = placeFor(tree, path);
  const there = place.inode;
  if (inode.kind === 'directory') return overlayDirectory(tree, path, place, inode, options);
  if (there === inode) return place.path; // a second link to what is there already
  if (there?.kind === 'directory' && !mayReplace(place, there, options)) throw conflict(path, inode, there, options);
  place.parent.children.set(place.name, 'inode' in entry ? copyOf(inode) : inode);
  return place.path;
}

function overlayDirectory(tree: Tree, path: string, place: Place, inode: Directory, options: OverlayOptions): string {
  const there = place.inode;
  if (there?.kind === 'directory') {
    takeMeta(there, inode);
    return place.path;
  }
  if (there?.kind === 'symlink' && options.keepDirectoryLinks !== false && tree.stat(path)?.kind === 'directory')
    return tree.realpath(path)!;
  if (there !== undefined && options.typeChange === 'refuse') throw conflict(path, inode, there, options);
  place.parent.children.set(place.name, copyOf(inode));
  return place.path;
}

function placeFor(tree: Tree, path: string): Place {
  const place = tree.locate(path);
  if (place !== undefined) return place;
  tree.makeDirectory(dirname(path)); // refuses a file on the way
  return tree.locate(path)!;
}

function linked(tree: Tree, path: string, link: string, options: OverlayOptions): Inode {
  const source = options.source;
  const target = display(link);
  const inside = safePath(link, source);
  if (inside === '')
    throw new BuildError('LINK_TARGET_INVALID', { path: display(path), source, target, reason: 'it names no file' });
  const inode = tree.lstat(below(options, inside));
  if (inode === undefined) throw new BuildError('LINK_TARGET_MISSING', { path: display(path), source, target });
  if (inode.kind === 'directory')
    throw new BuildError('LINK_TARGET_INVALID', { path: display(path), source, target, reason: 'it is a directory' });
  return inode;
}

function mayReplace(place: Place, there: Directory, options: OverlayOptions): boolean {
  if (place.name === '') return false; // the root stays a directory
  if (options.typeChange === 'replace') return true;
  return options.typeChange !== 'refuse' && there.children.size === 0;
}

function conflict(path: string, inode: Inode, existing: Inode, options: OverlayOptions): BuildError {
  return new BuildError('ENTRY_CONFLICT', {
    path: display(path),
    source: options.source,
    kind: NAMES[inode.kind],
    existing: NAMES[existing.kind],
  });
}

function below(options: OverlayOptions, path: string): string {
  if (options.below === undefined || options.below === '') return path;
  return path === '' ? options.below : join(options.below, path);
}

function copyOf(inode: Inode): Inode {
  const copy = { ...inode };
  if (copy.xattrs !== undefined) copy.xattrs = new Map(copy.xattrs);
  if (copy.kind === 'directory') copy.children = new Map();
  return copy;
}

/** Gives `to` all of `from`'s meta, and none of its own. */
function takeMeta(to: Meta, from: Meta): void {
  to.mode = from.mode;
  to.uid = from.uid;
  to.gid = from.gid;
  to.mtime = from.mtime;
  for (const key of ['user', 'group', 'nanoseconds', 'xattrs'] as const) delete to[key];
  if (from.user !== undefined) to.user = from.user;
  if (from.group !== undefined) to.group = from.group;
  if (from.nanoseconds !== undefined) to.nanoseconds = from.nanoseconds;
  if (from.xattrs !== undefined) to.xattrs = new Map(from.xattrs);
}
