import { BuildError } from '../../errors/error.ts';
import { type Report, warning } from '../../events/events.ts';
import type { RpmFile } from '../../formats/rpm/files.ts';
import { encodeCapabilities, parseCapabilities } from '../../system/commands/capabilities.ts';
import type { Inode, Meta } from '../../tree/inode.ts';
import { basename, dirname, display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { decideFates, FATE, isSkipped } from './fates.ts';
import { Owners } from './owners.ts';
import { nevra } from './package.ts';
import type { UnpackedRpm } from './unpack.ts';

/** What became of a file of a package: the values of rpm's FILESTATES. */
export const STATE = { normal: 0, wrongColour: 4 } as const;

/** An installed package: what became of its files, in the order of its file table. */
export interface Installed {
  readonly unpacked: UnpackedRpm;
  readonly states: Uint8Array;
  /** What was decided on each of them: values of `FATE`. */
  readonly fates: Uint8Array;
}

/** Puts unpacked packages into a tree by rpm's rules. */
export class Installation {
  readonly tree: Tree;
  /** In the order of installation. */
  readonly packages: Installed[] = [];
  private readonly owners: Owners;
  private readonly epoch: number;
  private readonly report: Report;
  private fates: ReadonlyMap<UnpackedRpm, Uint8Array> = new Map();
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

  /** Decides what becomes of each file, before anything is unpacked. */
  prepare(packages: readonly UnpackedRpm[]): void {
    this.fates = decideFates(this.tree, packages);
  }

  /** Unpacks one package. */
  add(unpacked: UnpackedRpm): Installed {
    const { files } = unpacked.table;
    const fates = this.fates.get(unpacked) ?? new Uint8Array(files.length);
    const states = fates.map((fate) => (fate === FATE.skipColour ? STATE.wrongColour : STATE.normal));
    const by: Installed = { unpacked, states, fates };
    this.packages.push(by);
    this.refresh();
    const index = new Map(files.map((file, i) => [file.path, i]));
    const made = new Map<string, Inode>();
    for (const entry of unpacked.entries) {
      const at = index.get(entry.path)!;
      const file = files[at]!;
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
      if (!isSkipped(fates[at]!)) this.place(file, inode, unpacked, fates[at]!);
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
    // the kernel stores one bit for all effective ones: cap_set_file(3)
    const whole =
      sets === undefined || sets.effective === 0n || ((sets.permitted | sets.inheritable) & ~sets.effective) === 0n;
    if (file.capabilities !== '' && (sets === undefined || !whole))
      throw new BuildError('RPM_CORRUPT', {
        path: `${nevra(of)}.rpm`,
        offset: 0,
        reason: `the capabilities "${display(file.capabilities)}" of "/${display(file.path)}" ${whole ? 'are none' : 'cannot be those of a file'}`,
      });
    // `=`, which is none of them, is an attribute as well
    if (sets !== undefined) meta.xattrs = new Map([['security.capability', encodeCapabilities(sets)]]);
    const { user: _user, group: _group, ...rest } = from;
    return { ...rest, ...meta };
  }

  private unknown(who: string, { path }: RpmFile, file: string): void {
    const key = `${who} ${file}`;
    if (this.warned.has(key)) return;
    this.warned.add(key);
    this.report(warning('OWNER_UNKNOWN', { file, who, path: `/${display(path)}` }));
  }

  private place(file: RpmFile, inode: Inode, { package: of }: UnpackedRpm, fate: number): void {
    const { path } = file;
    const present = this.tree.lstat(path);
    if (inode.kind === 'directory') {
      this.placeDirectory(path, inode, present);
      return;
    }
    if (present?.kind === 'directory') throw new BuildError('PATH_EXISTS', { path: display(path) });
    this.parents(path);
    if (fate === FATE.alternative) {
      this.tree.set(`${path}.rpmnew`, inode);
      this.report({
        kind: 'note',
        message: `${nevra(of)}: /${display(path)} was there, so it is /${display(path)}.rpmnew`,
      });
      return;
    }
    if (fate === FATE.backup && present !== undefined) this.tree.set(`${path}.rpmorig`, present);
    this.tree.set(path, inode);
  }

  private placeDirectory(path: string, inode: Inode & { kind: 'directory' }, present: Inode | undefined): void {
    // a link to a directory stands for the directory that the package has, which gets its owner and mode
    const there = present?.kind === 'symlink' ? this.tree.stat(path) : present;
    if (there?.kind === 'directory') {
      const { children: _, kind: __, ...meta } = inode;
      Object.assign(there, meta);
      if (inode.xattrs === undefined) delete there.xattrs;
      return;
    }
    // what a script put there gives way
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
