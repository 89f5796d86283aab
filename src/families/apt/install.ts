import { withoutEnding } from '../../bytes/ending.ts';
import { BuildError } from '../../errors/error.ts';
import type { Unpacked } from '../../fetch/package.ts';
import { type ConfigureContext, ensureDirectory, made, makeParents, warn } from '../../system/context.ts';
import type { Inode } from '../../tree/inode.ts';
import { display, safePath } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { diversions } from './configure/diversions.ts';
import { applyOverride, statOverrides } from './configure/overrides.ts';
import type { AptPackage } from './package.ts';
import { parseRelations, versionSatisfies } from './relations.ts';

/** Top-level directories that are links in a merged /usr. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libo32', 'libx32'];

/**
 * Puts unpacked packages into a tree by dpkg's rules, which differ from tar's: the first directory wins and a link to a
 * directory is never replaced by one, a file of another package needs `Replaces`, diverted files go elsewhere.
 */
export class Installation {
  readonly tree: Tree;
  private readonly context: ConfigureContext;
  /** Packages that own a path, by the path as archives write it (`usr/bin/ls`); the file comes from the last one. */
  private readonly owners = new Map<string, AptPackage[]>();
  /** What other packages have in the place of a package's own, by the path as its archive writes it. */
  private readonly losses = new Map<AptPackage, Set<string>>();
  /** The owners by resolved path, to detect two spellings of one file. */
  private readonly places = new Map<string, AptPackage>();

  constructor(tree: Tree, context: ConfigureContext) {
    this.tree = tree;
    this.context = context;
    tree.root.mtime = context.epoch;
  }

  /** The packages that own a path, as in dpkg's own database. */
  ownersOf(path: string): readonly AptPackage[] {
    return this.owners.get(safePath(path, 'ownersOf')) ?? [];
  }

  /** Paths of a package's archive that another package has in their place, so that they are none of its files. */
  lost(of: AptPackage): ReadonlySet<string> {
    return this.losses.get(of) ?? NONE;
  }

  /** Every path that packages own, with the packages. */
  held(): ReadonlyMap<string, readonly AptPackage[]> {
    return this.owners;
  }

  /**
   * Makes /bin, /sbin, /lib… links into /usr before anything is extracted: the links that base-files ships, or those
   * that match the packages' contents when a package requires a merged /usr.
   */
  mergeUsr(packages: readonly Unpacked<AptPackage>[]): void {
    const shipped = new Map<string, Inode>();
    const used = new Set<string>();
    for (const one of packages)
      for (const entry of one.entries) {
        const path = withoutEnding(entry.path.replace(/^\.?\/+/, ''), '/');
        const [first, second] = path.split('/', 2);
        if ('inode' in entry && entry.inode.kind === 'symlink' && MERGED.includes(path)) shipped.set(path, entry.inode);
        else if (first === 'usr' && second !== undefined) used.add(second);
        else if (first !== undefined) used.add(first);
      }
    const asked = packages.some((one) => one.package.name === 'usr-is-merged' || one.package.name === 'usrmerge');
    for (const name of MERGED) {
      const link = shipped.get(name);
      if (link === undefined && !(asked && used.has(name))) continue;
      ensureDirectory(this.tree, this.context, 'usr');
      ensureDirectory(this.tree, this.context, `usr/${name}`);
      if (this.tree.lstat(name) === undefined) this.tree.symlink(name, `usr/${name}`, made(this.context, 0o777));
    }
  }

  /** Extracts one package. */
  add(unpacked: Unpacked<AptPackage>): void {
    const { tree, context } = this;
    const { package: self } = unpacked;
    const source = `${self.name} ${self.version}`;
    const diverted = new Map(diversions(tree).map((one) => [one.from.slice(1), one]));
    const overridden = new Map(statOverrides(tree).map((one) => [one.path.slice(1), one]));
    const inodes = new Map<string, Inode>();
    for (const entry of unpacked.entries) {
      const literal = safePath(entry.path, source);
      if (literal === '') continue;
      const diversion = diverted.get(literal);
      const elsewhere = diversion !== undefined && diversion.package !== self.name;
      const path = elsewhere ? diversion.to.slice(1) : literal;
      const inode = 'inode' in entry ? fresh(entry.inode, context.epoch) : this.linkTarget(entry, inodes, source);
      inodes.set(literal, inode);
      if (inode.kind === 'directory' && 'inode' in entry) this.addDirectory(path, inode, self);
      // a package's own file may replace the one it diverted
      else this.addFile(path, inode, self, diversion?.package === self.name);
      const override = overridden.get(literal);
      if (override !== undefined) applyOverride(tree, context, override);
    }
  }

  private linkTarget(entry: { path: string; link: string }, inodes: ReadonlyMap<string, Inode>, source: string): Inode {
    const target = inodes.get(safePath(entry.link, source));
    if (target === undefined || target.kind === 'directory')
      throw new BuildError('HARD_LINK_MISSING', {
        path: display(safePath(entry.path, source)),
        package: source,
        target: display(entry.link),
      });
    return target;
  }

  private addDirectory(path: string, inode: Inode, self: AptPackage): void {
    const { tree, context } = this;
    if (tree.stat(path)?.kind !== 'directory') {
      const present = tree.lstat(path);
      if (present !== undefined) this.checkConflict(path, present, inode, self, false);
      makeParents(tree, context, path);
      tree.set(path, inode);
    }
    this.record(path, self, true);
  }

  private addFile(path: string, inode: Inode, self: AptPackage, diverter: boolean): void {
    const { tree, context } = this;
    const present = tree.lstat(path);
    if (present?.kind === 'directory' && inode.kind === 'symlink' && this.leadsTo(path, inode.target, present)) {
      this.record(path, self, true);
      return;
    }
    if (present !== undefined && !this.checkConflict(path, present, inode, self, diverter)) {
      this.lose(self, path);
      return;
    }
    if (present !== undefined && present.kind !== 'directory' && !diverter)
      for (const other of this.owners.get(path) ?? []) if (other.name !== self.name) this.lose(other, path);
    makeParents(tree, context, path);
    const place = tree.set(path, inode);
    const other = this.places.get(place);
    if (other !== undefined && other !== self && !this.owners.get(path)?.includes(other) && !diverter)
      warn({ ...context, package: self.name }, 'FILE_ALIASED', { path: `/${display(path)}`, other: other.name });
    this.places.set(place, self);
    this.record(path, self, false);
  }

  /** True when a link at `path` would point to the directory that is already there. */
  private leadsTo(path: string, target: string, there: Inode): boolean {
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    return this.tree.stat(target.startsWith('/') ? target : folder + target) === there;
  }

  /** Decides as dpkg does whether the new inode may replace the existing one: false keeps the existing one. */
  private checkConflict(path: string, present: Inode, inode: Inode, self: AptPackage, diverter: boolean): boolean {
    let keep = false;
    for (const other of this.owners.get(path) ?? []) {
      if (other === self || diverter) continue;
      // instances of one package for several architectures share files
      if (other.name === self.name) continue;
      if (replaces(self, other)) continue;
      if (replaces(other, self)) {
        keep = true;
        continue;
      }
      const context = { path: display(path), package: self.name, other: other.name };
      if (present.kind === 'directory' && inode.kind !== 'directory')
        throw new BuildError('DIRECTORY_CONFLICT', context);
      throw new BuildError('FILE_CONFLICT', context, {
        hint: 'the packages cannot be installed together; leave one of them out',
      });
    }
    if (present.kind === 'directory' && inode.kind !== 'directory' && present.children.size > 0 && !keep)
      throw new BuildError('DIRECTORY_CONFLICT', { path: display(path), package: self.name, other: 'others' });
    return !keep;
  }

  private lose(of: AptPackage, path: string): void {
    const lost = this.losses.get(of);
    if (lost === undefined) this.losses.set(of, new Set([path]));
    else lost.add(path);
  }

  private record(path: string, self: AptPackage, shared: boolean): void {
    const present = this.owners.get(path);
    if (present === undefined) this.owners.set(path, [self]);
    else if (!present.includes(self)) {
      // a replaced file no longer belongs to its former package
      if (shared) present.push(self);
      else this.owners.set(path, [self]);
    }
  }
}

const NONE: ReadonlySet<string> = new Set();

/** A copy of an archive's inode for one tree, not younger than the epoch. */
function fresh(inode: Inode, epoch: number): Inode {
  const copy: Inode = inode.kind === 'directory' ? { ...inode, children: new Map() } : { ...inode };
  if (copy.mtime > epoch) {
    copy.mtime = epoch;
    delete copy.nanoseconds;
  }
  return copy;
}

/** True when a package declares that it may replace files of another package at that version. */
function replaces(self: AptPackage, other: AptPackage): boolean {
  return parseRelations(self.replaces).some((group) =>
    group.some((one) => one.name === other.name && versionSatisfies(other.version, one)),
  );
}
