import type { FileContent } from '../../bytes/content.ts';
import { BuildError } from '../../errors/error.ts';
import { type Report, warning } from '../../events/events.ts';
import { FILE, type RpmFile } from '../../formats/rpm/files.ts';
import { encodeCapabilities, parseCapabilities } from '../../system/commands/capabilities.ts';
import type { Inode, Meta } from '../../tree/inode.ts';
import { basename, dirname, display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { Owners } from './owners.ts';
import { nevra } from './package.ts';
import type { UnpackedRpm } from './unpack.ts';

/** What became of a file of a package: the values of rpm's FILESTATES. */
export const STATE = { normal: 0, replaced: 1, notInstalled: 2, wrongColour: 4 } as const;

/** An installed package: what became of its files, in the order of its file table. */
export interface Installed {
  readonly unpacked: UnpackedRpm;
  readonly states: Uint8Array;
}

/** Who has a path. */
interface Owner {
  readonly by: Installed;
  readonly index: number;
}

/** Puts unpacked packages into a tree by rpm's rules. */
export class Installation {
  readonly tree: Tree;
  /** In the order of installation. */
  readonly packages: Installed[] = [];
  private readonly owners: Owners;
  private readonly epoch: number;
  private readonly report: Report;
  private readonly paths = new Map<string, Owner>();
  /** Configuration files that were there before the first package was unpacked. */
  private before: ReadonlySet<string> = new Set();
  private readonly warned = new Set<string>();

  constructor(tree: Tree, epoch: number, report: Report) {
    this.tree = tree;
    this.epoch = epoch;
    this.report = report;
    this.owners = new Owners(tree);
  }

  /** Forgets the accounts that were read: after a script ran. */
  refresh(): void {
    this.owners.refresh();
  }

  /**
   * Decides what rpm decides before it unpacks anything: whether two packages have different files at one path, and
   * which configuration files scripts made already.
   */
  prepare(packages: readonly UnpackedRpm[]): void {
    const first = new Map<string, { readonly file: RpmFile; readonly of: UnpackedRpm }>();
    const before = new Set<string>();
    for (const of of packages)
      for (const file of of.table.files) {
        if ((file.flags & FILE.ghost) !== 0) continue;
        if ((file.flags & FILE.config) !== 0 && this.tree.lstat(file.path)?.kind === 'file') before.add(file.path);
        const other = first.get(file.path);
        if (other === undefined) first.set(file.path, { file, of });
        else if (!compatible(other.file, file))
          throw new BuildError('RPM_CONFLICT', {
            path: display(file.path),
            package: nevra(of.package),
            owner: nevra(other.of.package),
          });
      }
    this.before = before;
  }

  /** Unpacks one package. */
  add(unpacked: UnpackedRpm): Installed {
    const { files } = unpacked.table;
    const by: Installed = { unpacked, states: new Uint8Array(files.length) };
    this.packages.push(by);
    this.refresh();
    const index = new Map(files.map((file, i) => [file.path, i]));
    const made = new Map<string, Inode>();
    for (const entry of unpacked.entries) {
      const at = index.get(entry.path)!;
      const file = files[at]!;
      if (!this.mayTake(by, at, file)) continue;
      let inode: Inode;
      if ('link' in entry) {
        const target = made.get(entry.link);
        if (target === undefined)
          throw new BuildError('HARD_LINK_MISSING', {
            path: display(entry.path),
            package: nevra(unpacked.package),
            target: display(entry.link),
          });
        inode = target;
      } else {
        // of a set of hard links the name that is written last says what the file is like
        const last = file.links === 0 ? file : files.findLast((one) => one.links === file.links)!;
        inode = this.settled(entry.inode, last, unpacked);
      }
      made.set(entry.path, inode);
      this.place(file, inode, unpacked);
    }
    return by;
  }

  /** A copy with this guest's owners, capabilities as an attribute, and no time later than the epoch. */
  private settled(from: Inode, file: RpmFile, { package: of }: UnpackedRpm): Inode {
    const { user, group } = file;
    let mode = file.kind === 'symlink' ? 0o777 : file.mode;
    const uid = this.owners.uid(user);
    const gid = this.owners.gid(group);
    // rpm: a file whose owner is unknown becomes root's, and must not run as root for everybody
    if (uid === undefined) mode &= ~0o4000;
    if (gid === undefined) mode &= ~0o2000;
    if (uid === undefined) this.unknown(`user ${user}`, file, nevra(of));
    if (gid === undefined) this.unknown(`group ${group}`, file, nevra(of));
    const meta: Meta = { mode, uid: uid ?? 0, gid: gid ?? 0, mtime: Math.min(file.mtime, this.epoch) };
    const sets = file.capabilities === '' ? undefined : parseCapabilities(file.capabilities);
    if (file.capabilities !== '' && sets === undefined)
      throw new BuildError('RPM_CORRUPT', {
        path: `${nevra(of)}.rpm`,
        offset: 0,
        reason: `the capabilities "${display(file.capabilities)}" of "/${display(file.path)}" are none`,
      });
    if (sets !== undefined && (sets.permitted | sets.inheritable | sets.effective) !== 0n)
      meta.xattrs = new Map([['security.capability', encodeCapabilities(sets)]]);
    const { user: _user, group: _group, ...rest } = from;
    return { ...rest, ...meta };
  }

  private unknown(who: string, { path }: RpmFile, file: string): void {
    const key = `${who} ${file}`;
    if (this.warned.has(key)) return;
    this.warned.add(key);
    this.report(warning('OWNER_UNKNOWN', { file, who, path: `/${display(path)}` }));
  }

  /** True when the package's file is installed; false when another package's file of better colour stays. */
  private mayTake(by: Installed, at: number, file: RpmFile): boolean {
    const owner = this.paths.get(file.path);
    if (owner !== undefined && file.kind !== 'directory') {
      const present = owner.by.unpacked.table.files[owner.index]!;
      // files for 64 bits win over files for 32 bits at the same path
      if (present.colour !== file.colour && present.colour > 0 && file.colour > 0) {
        if (present.colour > file.colour) {
          by.states[at] = STATE.wrongColour;
          return false;
        }
        owner.by.states[owner.index] = STATE.wrongColour;
      }
    }
    this.paths.set(file.path, { by, index: at });
    return true;
  }

  private place(file: RpmFile, inode: Inode, { package: of }: UnpackedRpm): void {
    const { path } = file;
    const present = this.tree.lstat(path);
    if (inode.kind === 'directory') {
      this.placeDirectory(path, inode, present);
      return;
    }
    if (present?.kind === 'directory') throw new BuildError('PATH_EXISTS', { path: display(path) });
    this.parents(path);
    if (present?.kind === 'file' && this.before.has(path) && !sameContent(present.content, inode)) {
      if ((file.flags & FILE.noReplace) !== 0) {
        this.tree.set(`${path}.rpmnew`, inode);
        this.report({
          kind: 'note',
          message: `${nevra(of)}: /${display(path)} was there, so it is /${display(path)}.rpmnew`,
        });
        return;
      }
      this.tree.set(`${path}.rpmorig`, present);
    }
    this.tree.set(path, inode);
  }

  private placeDirectory(path: string, inode: Inode & { kind: 'directory' }, present: Inode | undefined): void {
    const there = present?.kind === 'symlink' ? this.tree.stat(path) : present;
    // a link to a directory stands for the directory that the package has
    if (there?.kind === 'directory') {
      if (present === there) {
        const { children: _, kind: __, ...meta } = inode;
        Object.assign(there, meta);
        if (inode.xattrs === undefined) delete there.xattrs;
      }
      return;
    }
    if (present !== undefined) throw new BuildError('NOT_A_DIRECTORY', { path: display(path), at: display(path) });
    this.parents(path);
    this.tree.set(path, { ...inode, children: new Map() });
  }

  /** Folders that no package has yet: root's, as rpm makes them. */
  private parents(path: string): void {
    const parent = dirname(path);
    if (parent === '' || basename(path) === '' || this.tree.stat(parent) !== undefined) return;
    this.tree.makeDirectory(parent, { mode: 0o755, uid: 0, gid: 0, mtime: this.epoch });
  }
}

/** True when two packages may have the same path. */
function compatible(a: RpmFile, b: RpmFile): boolean {
  if (a.kind === 'directory' || b.kind === 'directory') return a.kind === b.kind || linkToDirectory(a, b);
  if (a.colour !== b.colour && a.colour > 0 && b.colour > 0) return true;
  if (a.kind !== b.kind) return false;
  if (a.kind === 'symlink') return a.target === b.target;
  if (a.kind === 'file')
    return a.digest === b.digest && a.size === b.size && a.mode === b.mode && a.user === b.user && a.group === b.group;
  return a.major === b.major && a.minor === b.minor;
}

/** One package has a directory where another one has a link, which may lead to a directory. */
function linkToDirectory(a: RpmFile, b: RpmFile): boolean {
  return a.kind === 'symlink' || b.kind === 'symlink';
}

function sameContent(content: FileContent, inode: Inode): boolean {
  if (inode.kind !== 'file' || inode.content.size !== content.size) return false;
  return Buffer.compare(inode.content.readSync(), content.readSync()) === 0;
}
