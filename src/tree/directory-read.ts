import {
  type HostStat,
  hostFileContent,
  hostFolder,
  hostLinkTarget,
  hostNames,
  hostStat,
} from '../bytes/host-directory.ts';
import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import { linuxAttributes } from './attributes.ts';
import {
  hostMode,
  hostTime,
  inodeOf,
  isManifest,
  type Line,
  linesByHost,
  manifestPath,
  metaOfLine,
  readManifest,
} from './directory-manifest.ts';
import { type Directory, device, directory, type Inode, type Kind, kindOf, type Meta, special } from './inode.ts';
import { Losses } from './losses.ts';
import { basename, dirname, display, join } from './path.ts';
import { Tree } from './tree.ts';

/** How to read a directory of the build host. */
export interface ReadDirectoryOptions {
  /** Owner of everything (`{ uid: 0, gid: 0 }` for a user's overlay); by default the host's, or the manifest's. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Ignore a manifest beside the directory. */
  readonly ignoreManifest?: boolean;
  /** Receives warnings about extended attributes in the manifest that Linux does not support. */
  readonly report?: Report;
}

/**
 * A directory of the build host as a tree. Symbolic links in it are kept and never followed; `named` itself may be a
 * link to one. Names of one file become hard links. Extended attributes cannot be read by Node: they come from the manifest that `writeDirectory` put
 * beside the directory, as do owners, devices and everything else that the host could not store. If the directory was
 * changed since (added, edited, removed, other permissions), the host takes precedence. Contents are read lazily; files
 * keep their holes. Throws `READ_FAILED`, `ENTRY_KIND` and `MANIFEST_INVALID`.
 */
export function readDirectory(named: string, options: ReadDirectoryOptions = {}): Tree {
  // a link that a user names is followed, as one to a file is; the manifest is beside the folder itself
  const path = hostFolder(named);
  const top = hostStat(path);
  if (top === undefined) throw new BuildError('READ_FAILED', { path, reason: 'no such file or directory' });
  if (kindOf(top.mode) !== 'directory') throw new BuildError('READ_FAILED', { path, reason: 'not a directory' });
  const known = options.ignoreManifest === true ? undefined : manifestOf(path);
  return new DirectoryReader(path, options, known).read(top);
}

/** A directory's manifest with its lines by host path. */
type Known = NonNullable<ReturnType<typeof manifestOf>>;

/** One directory while it is read. */
class DirectoryReader {
  private readonly path: string;
  private readonly options: ReadDirectoryOptions;
  private readonly known: Known | undefined;
  private readonly losses: Losses;
  /** Files with several names, by identity on the host. */
  private readonly files = new Map<string, Inode>();
  /** Files with several names in the manifest, by path in the tree. */
  private readonly linked = new Map<string, { inode: Inode; stat: HostStat }>();

  constructor(path: string, options: ReadDirectoryOptions, known: Known | undefined) {
    this.path = path;
    this.options = options;
    this.known = known;
    this.losses = new Losses(options.report);
  }

  read(top: HostStat): Tree {
    const rootLine = this.known?.byHost.get('');
    const root = directory(this.metaOf(top, rootLine?.kind === 'directory' ? rootLine : undefined));
    this.below(root, '', '');
    const tree = new Tree(root);
    this.addUnstored(tree);
    this.losses.flush();
    return tree;
  }

  /** Metadata of an entry: the host's, where it differs from what the manifest recorded. */
  private metaOf(stat: HostStat, line: Line | undefined): Meta {
    let meta: Meta;
    if (line === undefined) {
      // an unprivileged user's id has no meaning in the guest: added files belong to root
      const foreign = this.known !== undefined && !this.known.owned;
      meta = { mode: stat.mode & 0o7777, uid: foreign ? 0 : stat.uid, gid: foreign ? 0 : stat.gid, mtime: stat.mtime };
      if (stat.nanoseconds !== 0) meta.nanoseconds = stat.nanoseconds;
    } else {
      meta = metaOfLine(line);
      if (meta.xattrs !== undefined && linuxAttributes(meta.xattrs, line.path, this.path, this.losses) === undefined)
        delete meta.xattrs;
      const owned = this.known!.owned;
      if (line.kind !== 'symlink') {
        const given = hostMode(line.meta.mode, line.kind, owned);
        const now = stat.mode & 0o7777;
        if (now !== given) meta.mode = owned ? now : (now & 0o777) | (line.meta.mode & 0o7000);
      }
      // a directory's own time changes with its content, so it is not compared
      if (line.kind !== 'directory' && stat.mtime !== hostTime(line.meta.mtime)) {
        meta.mtime = stat.mtime;
        delete meta.nanoseconds;
        if (stat.nanoseconds !== 0) meta.nanoseconds = stat.nanoseconds;
      }
      if (owned && (stat.uid !== line.meta.uid || stat.gid !== line.meta.gid)) {
        meta.uid = stat.uid;
        meta.gid = stat.gid;
      }
    }
    if (this.options.owner !== undefined) Object.assign(meta, this.options.owner);
    return meta;
  }

  /** Adds the host's entry at `host` to `parent`, under the tree path `at`. */
  private take(parent: Directory, host: string, at: string, line: Line | undefined, stat: HostStat): void {
    const kind = kindOf(stat.mode);
    if (kind === undefined)
      throw new BuildError('ENTRY_KIND', { path: display(at), source: this.path, kind: stat.mode.toString(8) });
    const same = line?.kind === kind ? line : undefined;
    const name = basename(at);
    if (kind === 'directory') {
      const made: Directory = become(this.metaOf(stat, same), 'directory', 'children', new Map());
      parent.children.set(name, made);
      this.below(made, host, at);
      return;
    }
    if (stat.nlink > 1) {
      const earlier = this.files.get(stat.identity);
      if (earlier !== undefined) {
        parent.children.set(name, earlier);
        return;
      }
    }
    if (same?.link !== undefined) {
      // the manifest records hard links that were lost by copying the directory
      const first = this.linked.get(same.link);
      if (first !== undefined && first.stat.size === stat.size && first.stat.mtime === stat.mtime) {
        parent.children.set(name, first.inode);
        return;
      }
    }
    const meta = this.metaOf(stat, same);
    let inode: Inode;
    switch (kind) {
      case 'file': {
        const whole = same?.extents !== undefined && same.size === stat.size && same.meta.mtime === meta.mtime;
        const content = hostFileContent(this.path, host, stat.size, {
          extents: whole ? same.extents : undefined,
          allocated: stat.allocated,
        });
        inode = become(meta, 'file', 'content', content);
        break;
      }
      case 'symlink':
        meta.mode = same?.meta.mode ?? 0o777;
        inode = become(meta, 'symlink', 'target', hostLinkTarget(this.path, host));
        break;
      case 'char':
      case 'block':
        inode = device(kind, stat.major, stat.minor, meta);
        break;
      default:
        inode = special(kind, meta);
    }
    if (stat.nlink > 1) this.files.set(stat.identity, inode);
    if (this.known?.linked.has(at) && same?.link === undefined) this.linked.set(at, { inode, stat });
    parent.children.set(name, inode);
  }

  /** Adds everything in the host's directory at `host`. */
  private below(into: Directory, host: string, at: string): void {
    const { known } = this;
    const names = hostNames(this.path, host);
    if (known === undefined) {
      for (const name of names) {
        const here = join(host, name);
        const stat = hostStat(this.path, here);
        if (stat !== undefined) this.take(into, here, here, undefined, stat);
      }
      return;
    }
    const found = names.map((name) => {
      const hostPath = join(host, name);
      const line = known.byHost.get(hostPath);
      return { hostPath, line, at: line?.path ?? join(at, name) };
    });
    // in the tree's order, so that the first name of a linked file comes first
    if (known.renamed) found.sort((a, b) => (a.at < b.at ? -1 : 1));
    for (const each of found) {
      const stat = hostStat(this.path, each.hostPath);
      if (stat !== undefined) this.take(into, each.hostPath, each.at, each.line, stat);
    }
  }

  /** Adds the entries that the host cannot store: they exist as long as their directory does. */
  private addUnstored(tree: Tree): void {
    for (const line of this.known?.lines ?? []) {
      if (line.kind === 'file' || line.kind === 'directory' || line.kind === 'symlink') continue;
      const parent = plainDirectory(tree.root, dirname(line.path));
      if (parent === undefined || parent.children.has(basename(line.path))) continue;
      const first = line.link === undefined ? undefined : tree.lstat(line.link);
      const inode = first !== undefined && first.kind === line.kind ? first : inodeOf(line);
      if (this.options.owner !== undefined) Object.assign(inode, this.options.owner);
      parent.children.set(basename(line.path), inode);
    }
  }
}

/** Creates an inode that takes over `meta`: copying it for every file would cost more than reading them. */
function become<K extends Kind, N extends string, V>(meta: Meta, kind: K, name: N, value: V) {
  const made = meta as Meta & Record<string, unknown>;
  made['kind'] = kind;
  made[name] = value;
  return made as unknown as Meta & { kind: K } & Record<N, V>;
}

/** The directory at `path`, without following links. */
function plainDirectory(root: Directory, path: string): Directory | undefined {
  let here: Inode | undefined = root;
  for (const part of path === '' ? [] : path.split('/')) {
    if (here?.kind !== 'directory') return undefined;
    here = here.children.get(part);
  }
  return here?.kind === 'directory' ? here : undefined;
}

/** The manifest beside a directory, its lines found by their path on the host; undefined when there is none. */
function manifestOf(path: string) {
  const beside = manifestPath(path);
  const stat = hostStat(beside);
  if (stat === undefined || kindOf(stat.mode) !== 'file') return undefined;
  const bytes = hostFileContent(beside, '', stat.size).readSync();
  if (!isManifest(bytes.subarray(0, 64))) return undefined; // another program's file of that name
  const manifest = readManifest(bytes, beside);
  const linked = new Set<string>(); // first names of files with several
  for (const { link } of manifest.lines) if (link !== undefined) linked.add(link);
  const byHost = linesByHost(manifest);
  return { ...manifest, byHost, renamed: byHost !== manifest.byPath, linked };
}
