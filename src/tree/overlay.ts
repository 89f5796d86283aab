import { BuildError, isBuildError } from '../errors/error.ts';
import { type Report, warning } from '../events/events.ts';
import type { Entry } from './entry.ts';
import { type Directory, type Inode, type Kind, type Meta, TYPE_BITS } from './inode.ts';
import { Losses } from './losses.ts';
import { basename, dirname, display, join, safePath } from './path.ts';
import { type Place, Tree } from './tree.ts';

/** How entries are applied on top of a tree. */
export interface OverlayOptions {
  /** Name of the archive or directory that the entries come from, for messages. */
  readonly source: string;
  /** Apply them below this directory instead of the root; links inside still resolve within the root of the tree. */
  readonly below?: string;
  /** A directory that meets a symlink to a directory keeps the link (default), else it replaces the link. */
  readonly keepDirectoryLinks?: boolean;
  /**
   * What happens where a directory and something else meet: `tar` (default) does as GNU tar, where directories replace
   * files and files replace only empty directories; `replace` lets the new one win with everything below it; `reject`
   * makes both an error (`ENTRY_CONFLICT`).
   */
  readonly typeChange?: 'tar' | 'replace' | 'reject';
  /**
   * What an entry for the top directory (`./`) does: `keep` (default) leaves mode, owner and attributes of the tree's
   * directory as they are, because `tar -C DIR -c .` records those of a working directory; `take` applies them.
   */
  readonly root?: 'keep' | 'take';
  /**
   * Whiteouts of container layers, as OCI (`.wh.NAME`, `.wh..wh..opq`) and overlayfs (character device 0:0,
   * `trusted.overlay.opaque`) spell them: `apply` (default) hides what they name, `keep` treats them as files.
   */
  readonly whiteouts?: 'apply' | 'keep';
  /**
   * SELinux labels (`security.selinux`): `drop` (default) drops them, as they belong to the policy of the host that
   * created the archive; `keep` keeps them.
   */
  readonly labels?: 'keep' | 'drop';
  /** Receives warnings about what is dropped. */
  readonly report?: Report;
}

/** The name of each kind in messages. */
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
 * Applies archive entries on top of a tree as tar extracts them, each replacing what exists. Nothing outside the root
 * can be reached: paths with `..` are rejected, symlinked parents resolve inside the tree, a link at the last name is
 * never followed. The entries are not modified: the tree gets copies of their inodes (contents are shared).
 *
 * @example
 * ```ts
 * import { file, memory, overlayEntries, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.writeFile('etc/motd', 'old');
 * overlayEntries(tree, [{ path: './etc/.wh.motd', inode: file(memory('')) }], { source: 'layer.tar' });
 * console.log(tree.has('etc/motd')); // prints: false
 * ```
 */
export function overlayEntries(tree: Tree, entries: Iterable<Entry>, options: OverlayOptions): void {
  const layer = new Layer(tree, options);
  for (const entry of entries) layer.add(entry);
  layer.end();
}

/** {@link overlayEntries} for an asynchronous stream of entries. */
export async function overlayStream(tree: Tree, entries: AsyncIterable<Entry>, options: OverlayOptions): Promise<void> {
  const layer = new Layer(tree, options);
  for await (const entry of entries) layer.add(entry);
  layer.end();
}

/** {@link overlayEntries} for one entry. Returns its path with links resolved; undefined if dropped. */
export function overlayEntry(tree: Tree, entry: Entry, options: OverlayOptions): string | undefined {
  const layer = new Layer(tree, options);
  const path = layer.add(entry);
  layer.end();
  return path;
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const OVERLAYFS = 'trusted.overlay.';
const LABEL = 'security.selinux';

/** One archive or directory while it is applied. */
class Layer {
  private readonly tree: Tree;
  private readonly options: OverlayOptions;
  private readonly losses: Losses;
  private readonly whiteouts: boolean;
  /**
   * Paths that this layer has put in place, with their parents: whiteouts hide only what was there before. Undefined where
   * there was nothing, and for a layer without whiteouts: a set of a million paths takes as much memory as what is at them.
   */
  private readonly placed: Set<string> | undefined;

  constructor(tree: Tree, options: OverlayOptions) {
    this.tree = tree;
    this.options = options;
    this.losses = new Losses(options.report);
    this.whiteouts = options.whiteouts !== 'keep';
    this.placed = this.whiteouts && tree.root.children.size > 0 ? new Set() : undefined;
  }

  /** Applies one entry. Returns its path, or undefined if it is not put into the tree. */
  add(entry: Entry): string | undefined {
    const { source } = this.options;
    const own = safePath(entry.path, source);
    if (this.whiteouts && this.hide(own, entry)) return undefined;
    if (own === '' && 'inode' in entry && entry.inode.kind === 'directory' && this.options.root !== 'take') {
      this.ignoreRoot(entry.inode);
      return undefined;
    }
    const path = place(this.tree, own, this.reduced(entry, own), this.options);
    const { placed } = this;
    if (placed === undefined) return path;
    for (let at = path; at !== '' && !placed.has(at); at = dirname(at)) placed.add(at);
    if ('inode' in entry && entry.inode.xattrs?.has(`${OVERLAYFS}opaque`)) this.hideBelow(path);
    return path;
  }

  /** Reports what was dropped. */
  end(): void {
    this.losses.flush();
  }

  private ignoreRoot(entry: Directory): void {
    const there = this.tree.stat(below(this.options, ''));
    if (there !== undefined && there.mode === entry.mode && there.uid === entry.uid && there.gid === entry.gid) return;
    const mode = entry.mode.toString(8).padStart(4, '0');
    const owner = `${entry.uid}:${entry.gid}`;
    this.options.report?.(warning('ROOT_ENTRY_IGNORED', { source: this.options.source, mode, owner }));
  }

  /** True when the entry is a whiteout, which is applied. */
  private hide(own: string, entry: Entry): boolean {
    const name = basename(own);
    const byName = name.startsWith(WHITEOUT);
    if (!byName && !isOverlayfsWhiteout(entry)) return false;
    const parent = this.tree.realpath(below(this.options, dirname(own)));
    if (name === OPAQUE) {
      if (parent === undefined || this.tree.lstat(parent)?.kind !== 'directory') this.unmatched(own);
      else this.hideBelow(parent);
      return true;
    }
    const hidden = byName ? name.slice(WHITEOUT.length) : name;
    // ".wh." alone and aufs' own files (".wh..wh.plnk") name nothing in the tree
    const path = parent === undefined || hidden === '' ? undefined : join(parent, hidden);
    if (path === undefined || this.tree.lstat(path) === undefined) this.unmatched(own);
    else if (this.placed?.has(path) === false) this.tree.remove(path);
    else this.hideBelow(path);
    return true;
  }

  private unmatched(path: string): void {
    this.losses.add('WHITEOUT_UNMATCHED', { source: this.options.source, path });
  }

  /** Removes what was in the directory at `path` (a path without links) before this layer. */
  private hideBelow(path: string): void {
    const { placed } = this;
    const inode = this.tree.lstat(path);
    if (inode?.kind !== 'directory' || placed === undefined) return;
    for (const name of [...inode.children.keys()]) {
      const child = join(path, name);
      if (placed.has(child)) this.hideBelow(child);
      else inode.children.delete(name);
    }
  }

  /** The entry without attributes that have no meaning in the guest. */
  private reduced(entry: Entry, path: string): Entry {
    const xattrs = 'inode' in entry ? entry.inode.xattrs : undefined;
    if (xattrs === undefined) return entry;
    const { source, labels } = this.options;
    let kept: Map<string, Uint8Array> | undefined;
    const drop = (name: string) => (kept ??= new Map(xattrs)).delete(name);
    for (const name of xattrs.keys()) {
      if (name === LABEL && labels !== 'keep') {
        drop(name);
        const reason = 'the label belongs to the host where the archive was made';
        this.losses.add('ATTRIBUTE_LEFT_OUT', { source, path, name, reason });
      } else if (this.whiteouts && name.startsWith(OVERLAYFS)) {
        drop(name);
        if (name === `${OVERLAYFS}metacopy` || name === `${OVERLAYFS}redirect`)
          throw new BuildError('LAYER_INCOMPLETE', { path: display(path), source, attribute: name });
        if (name === `${OVERLAYFS}opaque`) continue; // it is applied
        this.losses.add('ATTRIBUTE_LEFT_OUT', { source, path, name, reason: 'it is bookkeeping of overlayfs' });
      }
    }
    if (kept === undefined) return entry;
    const inode = { ...(entry as { inode: Inode }).inode };
    if (kept.size === 0) delete inode.xattrs;
    else inode.xattrs = kept;
    return { path: entry.path, inode };
  }
}

/** overlayfs hides a name with a character device 0:0 (kernel: Documentation/filesystems/overlayfs.rst). */
function isOverlayfsWhiteout(entry: Entry): boolean {
  return 'inode' in entry && entry.inode.kind === 'char' && entry.inode.major === 0 && entry.inode.minor === 0;
}

/** Puts one entry in place. Returns its path, with links in its parents resolved. */
function place(tree: Tree, own: string, entry: Entry, options: OverlayOptions): string {
  const path = below(options, own);
  const inode = 'inode' in entry ? entry.inode : linked(tree, path, entry.link, options);
  if (!(inode.kind in TYPE_BITS))
    throw new BuildError('ENTRY_KIND', { path: display(path), source: options.source, kind: String(inode.kind) });
  const found = placeFor(tree, path, options);
  const there = found.inode;
  if (inode.kind === 'directory') return overlayDirectory(tree, path, found, inode, options);
  if (there === inode) return found.path; // already a link to the same inode
  if (there?.kind === 'directory' && !mayReplace(found, there, options)) throw conflict(path, inode, there, options);
  found.parent.children.set(found.name, 'inode' in entry ? copyOf(inode) : inode);
  return found.path;
}

function overlayDirectory(tree: Tree, path: string, place: Place, inode: Directory, options: OverlayOptions): string {
  const there = place.inode;
  if (there?.kind === 'directory') {
    takeMeta(there, inode);
    return place.path;
  }
  if (there?.kind === 'symlink' && options.keepDirectoryLinks !== false && tree.stat(path)?.kind === 'directory')
    return tree.realpath(path)!;
  if (there !== undefined && options.typeChange === 'reject') throw conflict(path, inode, there, options);
  place.parent.children.set(place.name, copyOf(inode));
  return place.path;
}

function placeFor(tree: Tree, path: string, { source }: OverlayOptions): Place {
  const place = tree.locate(path);
  if (place !== undefined) return place;
  try {
    tree.makeDirectory(dirname(path));
  } catch (error) {
    // a file is on the way, or a link to a folder that is not there
    if (!isBuildError(error, 'NOT_A_DIRECTORY')) throw error;
    throw new BuildError('NOT_A_DIRECTORY', { path: display(path), at: error.context.at, source }, { cause: error });
  }
  return tree.locate(path)!;
}

function linked(tree: Tree, path: string, link: string, options: OverlayOptions): Inode {
  const source = options.source;
  const target = display(link);
  const inside = safePath(link, source);
  if (inside === '')
    throw new BuildError('LINK_TARGET_INVALID', {
      path: display(path),
      source,
      target,
      reason: 'it does not name a file',
    });
  const inode = tree.lstat(below(options, inside));
  if (inode === undefined) throw new BuildError('LINK_TARGET_MISSING', { path: display(path), source, target });
  if (inode.kind === 'directory')
    throw new BuildError('LINK_TARGET_INVALID', { path: display(path), source, target, reason: 'it is a directory' });
  return inode;
}

function mayReplace(place: Place, there: Directory, options: OverlayOptions): boolean {
  if (place.name === '') return false; // the root stays a directory
  if (options.typeChange === 'replace') return true;
  return options.typeChange !== 'reject' && there.children.size === 0;
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

/** How the entries of an archive become a tree. */
export type TreeOfOptions = Pick<OverlayOptions, 'source' | 'report' | 'whiteouts' | 'typeChange'>;

/**
 * The tree of an archive, as if extracted into an empty directory. The archive's own entry for the
 * top directory and its SELinux labels are kept. Errors are those of {@link overlayEntries}.
 *
 * @example
 * ```ts
 * import { hostFile, readTar, slicesOf, treeOf } from 'osbuilder';
 *
 * const entries = readTar(hostFile('rootfs.tar').open(), 'rootfs.tar', slicesOf('rootfs.tar'));
 * const tree = await treeOf(entries, { source: 'rootfs.tar' });
 * console.log(tree.realpath('sbin/init')); // prints: sbin/init
 * ```
 */
export async function treeOf(entries: AsyncIterable<Entry> | Iterable<Entry>, options: TreeOfOptions): Promise<Tree> {
  const tree = new Tree();
  const layer = new Layer(tree, { ...options, keepDirectoryLinks: false, root: 'take', labels: 'keep' });
  for await (const entry of entries) layer.add(entry);
  layer.end();
  return tree;
}

/** Replaces all meta of `to` with that of `from`. */
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
