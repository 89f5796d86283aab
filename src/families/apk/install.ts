import { createHash } from 'node:crypto';
import { BuildError } from '../../errors/error.ts';
import type { AccountNumbers } from '../../system/account-numbers.ts';
import type { Directory, Inode } from '../../tree/inode.ts';
import { basename, dirname, display, join, safePath } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { parseDependency, versionSatisfies } from './dependency.ts';
import { Protected } from './protection.ts';
import type { UnpackedApk } from './unpack.ts';

/** A file in the database of installed packages. */
export interface OwnedFile {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** SHA-1 in hex of the content, or of a link's target; devices have none. */
  readonly sha1: string | undefined;
  readonly xattrs: ReadonlyMap<string, Uint8Array> | undefined;
}

/** A directory that a package owns, with its files in it. */
export interface OwnedDirectory {
  readonly path: string;
  mode: number;
  uid: number;
  gid: number;
  xattrs: ReadonlyMap<string, Uint8Array> | undefined;
  readonly files: Map<string, OwnedFile>;
}

/** An installed package: what it owns, in the order of its archive. */
export interface Installed {
  readonly unpacked: UnpackedApk;
  /** Tag it is recorded with, without the `@`. */
  readonly tag: string | undefined;
  readonly directories: Map<string, OwnedDirectory>;
}

/** Puts unpacked packages into a tree by apk's rules, and records which package owns which file. */
export class Installation {
  readonly tree: Tree;
  readonly packages: Installed[] = [];
  /** Directories that packages created or changed since the triggers last ran. */
  readonly touched = new Set<string>();
  private readonly epoch: number;
  private readonly accounts: AccountNumbers;
  private readonly guarded: Protected;
  private readonly owners = new Map<string, { readonly by: Installed; readonly file: OwnedFile }>();
  /** Of several packages' modes for a directory the strictest one applies. */
  private readonly wishes = new Map<string, { mode: number; uid: number; gid: number } | undefined>();

  constructor(tree: Tree, accounts: AccountNumbers, epoch: number) {
    this.tree = tree;
    this.accounts = accounts;
    this.epoch = epoch;
    const lists = 'etc/apk/protected_paths.d';
    this.guarded = new Protected(
      tree.list(lists).flatMap((name) => (name.endsWith('.list') ? [tree.text(join(lists, name)) ?? ''] : [])),
    );
  }

  /** Installs one package's files. Its pre-install script must have run. */
  add(unpacked: UnpackedApk, tag: string | undefined): Installed {
    const by: Installed = { unpacked, tag, directories: new Map() };
    this.packages.push(by);
    const { name, version } = unpacked.package;
    const source = `${name}-${version}`;
    const made = new Map<string, { readonly inode: Inode; readonly sha1: string | undefined }>();
    for (const entry of unpacked.entries) {
      const path = safePath(entry.path, source);
      // names with a dot in front are apk's own
      if (path === '' || path.startsWith('.') || basename(path).startsWith('.keep_')) continue;
      if ('inode' in entry && entry.inode.kind === 'directory') {
        this.addDirectory(by, path, entry.inode);
        continue;
      }
      const target = 'link' in entry ? made.get(safePath(entry.link, source)) : undefined;
      if ('link' in entry && target === undefined)
        throw new BuildError('HARD_LINK_MISSING', {
          path: display(path),
          package: source,
          target: display(entry.link),
        });
      const one = target ?? {
        inode: this.settled((entry as { inode: Inode }).inode),
        sha1: unpacked.checksums.get(entry.path),
      };
      made.set(path, one);
      this.addFile(by, path, one.inode, one.sha1, source);
    }
    return by;
  }

  /** A copy with this build's owners and no time later than its epoch. */
  private settled(inode: Inode): Inode {
    const copy = { ...inode, mtime: Math.min(inode.mtime, this.epoch) };
    copy.uid = (inode.user === undefined ? undefined : this.accounts.uid(inode.user)) ?? inode.uid;
    copy.gid = (inode.group === undefined ? undefined : this.accounts.gid(inode.group)) ?? inode.gid;
    delete copy.user;
    delete copy.group;
    return copy;
  }

  private addDirectory(by: Installed, path: string, inode: Directory): void {
    const wish = this.settled(inode) as Directory;
    const { mode, uid, gid } = wish;
    const owned = this.directoryOf(by, path);
    Object.assign(owned, { mode, uid, gid, xattrs: inode.xattrs });
    this.touched.add(path);
    const place = this.tree.locate(path, true);
    const first = !this.wishes.has(path);
    if (place?.inode === undefined) {
      this.makeParents(path);
      this.tree.set(place?.path ?? path, { ...wish, children: new Map() });
    } else if (place.inode.kind !== 'directory') {
      throw new BuildError('NOT_A_DIRECTORY', { path: display(path), at: display(place.path) });
    }
    const there = this.tree.stat(path)!;
    const before = this.wishes.get(path);
    if (first) {
      // a directory that existed before and differs from the package's was changed by a script
      const alike = there.mode === mode && there.uid === uid && there.gid === gid;
      this.wishes.set(path, alike ? { mode, uid, gid } : undefined);
    } else if (before === undefined) {
      return;
    } else if (uid < before.uid || (uid === before.uid && gid < before.gid)) {
      Object.assign(before, { mode, uid, gid });
    } else if (uid === before.uid && gid === before.gid) {
      before.mode &= mode;
    }
    Object.assign(there, this.wishes.get(path));
    if (wish.xattrs !== undefined) there.xattrs = new Map(wish.xattrs);
  }

  private directoryOf(by: Installed, path: string): OwnedDirectory {
    let owned = by.directories.get(path);
    if (owned === undefined) {
      owned = { path, mode: 0o755, uid: 0, gid: 0, xattrs: undefined, files: new Map() };
      by.directories.set(path, owned);
    }
    return owned;
  }

  private makeParents(path: string): void {
    const parent = dirname(path);
    if (parent !== '' && this.tree.stat(parent) === undefined)
      this.tree.makeDirectory(parent, { mode: 0o755, uid: 0, gid: 0, mtime: this.epoch });
  }

  private addFile(by: Installed, path: string, inode: Inode, sha1: string | undefined, source: string): void {
    const directory = this.directoryOf(by, dirname(path));
    this.touched.add(directory.path);
    const owner = this.owners.get(path);
    if (owner !== undefined && !this.mayReplace(by, owner.by, path, source)) return;
    const name = basename(path);
    const file: OwnedFile = {
      name,
      mode: inode.mode,
      uid: inode.uid,
      gid: inode.gid,
      sha1: sha1 ?? undefined,
      xattrs: inode.xattrs,
    };
    owner?.by.directories.get(directory.path)?.files.delete(name);
    directory.files.set(name, file);
    this.owners.set(path, { by, file });
    this.makeParents(path);
    this.place(path, directory.path, inode, sha1, owner?.file);
  }

  /** Puts the inode in its place, or beside it as `.apk-new` where the present file was changed. */
  private place(
    path: string,
    directory: string,
    inode: Inode,
    sha1: string | undefined,
    owned: OwnedFile | undefined,
  ): void {
    const present = this.tree.lstat(path);
    if (present?.kind === 'directory') throw new BuildError('PATH_EXISTS', { path: display(path) });
    if (present !== undefined) {
      // `@` is relevant for audits only
      const counts = this.guarded.of(directory) !== 'none';
      const current = counts ? checksumOf(present) : undefined;
      if (counts && current !== undefined && current !== owned?.sha1) {
        if (current !== sha1) this.tree.set(`${path}.apk-new`, inode);
        return;
      }
    }
    this.tree.set(path, inode);
  }

  /** True when a package may take over a file; false when its owner keeps it. */
  private mayReplace(by: Installed, owner: Installed, path: string, source: string): boolean {
    const a = by.unpacked;
    const b = owner.unpacked;
    if (a.package.name === b.package.name) return true;
    if (a.package.origin !== '' && a.package.origin === b.package.origin) return true;
    const mine = priorityOver(a, b);
    const theirs = priorityOver(b, a);
    if (theirs > mine) return false;
    if (mine >= 0) return true;
    const { name, version } = b.package;
    throw new BuildError(
      'APK_CONFLICT',
      { path: display(path), package: source, owner: `${name}-${version}` },
      { hint: 'remove one of the two from the request' },
    );
  }
}

/** The priority with which a package replaces another's files; -1 if it does not. */
function priorityOver(one: UnpackedApk, other: UnpackedApk): number {
  for (const text of one.info.replaces) {
    const dependency = parseDependency(text);
    if (dependency === undefined || dependency.name !== other.package.name) continue;
    if (versionSatisfies(dependency, other.package.version) !== dependency.conflict) return one.info.replacesPriority;
  }
  return -1;
}

function checksumOf(inode: Inode): string | undefined {
  if (inode.kind === 'file') return createHash('sha1').update(inode.content.readSync()).digest('hex');
  if (inode.kind === 'symlink') return createHash('sha1').update(Buffer.from(inode.target, 'latin1')).digest('hex');
  return undefined;
}
