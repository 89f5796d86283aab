import { createHash } from 'node:crypto';
import { BuildError } from '../../errors/error.ts';
import { FILE, type FileTable, type RpmFile } from '../../formats/rpm/files.ts';
import { basename, dirname, display, join, parts } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { nevra } from './package.ts';
import type { UnpackedRpm } from './unpack.ts';

/** What becomes of a file: the values of rpm's FA_… that an installation has. */
export const FATE = {
  create: 0,
  /** An earlier package of the transaction has the same file, which is written once. */
  skip: 1,
  /** A file for 64 bits at the same path stands. */
  skipColour: 2,
  /** A configuration file that was there stays, and the package's becomes `.rpmnew`. */
  alternative: 3,
  /** A configuration file that was there becomes `.rpmorig`. */
  backup: 4,
} as const;

/** True when a package's file is not written. */
export const isSkipped = (fate: number): boolean => fate === FATE.skip || fate === FATE.skipColour;

/** Who had a path before. */
interface Earlier {
  readonly of: UnpackedRpm;
  readonly at: number;
}

/**
 * Decides what rpm decides before it unpacks anything (lib/transaction.c, measured with 4.18): which files packages share,
 * which of their colours stand, which configuration files scripts made already. Each file is compared with that of the
 * package before, at the same place with links of directories followed. Different ones are a conflict.
 *
 * `packages` are in the order of installation. Returns a `FATE` for each row of each file table.
 */
export function decideFates(tree: Tree, packages: readonly UnpackedRpm[]): Map<UnpackedRpm, Uint8Array> {
  const fates = new Map<UnpackedRpm, Uint8Array>();
  const earlier = new Map<string, Earlier>();
  const places = new Places(tree, packages);
  for (const of of packages) {
    const { files } = of.table;
    const own = new Uint8Array(files.length);
    fates.set(of, own);
    for (const [at, file] of files.entries()) {
      const place = places.of(file.path);
      const other = earlier.get(place);
      own[at] = fateOf(tree, { of, at }, other, fates);
      earlier.set(place, { of, at });
    }
  }
  return fates;
}

function fateOf(
  tree: Tree,
  { of, at }: Earlier,
  other: Earlier | undefined,
  fates: ReadonlyMap<UnpackedRpm, Uint8Array>,
): number {
  const file = of.table.files[at]!;
  const changed = configurationChanged(tree, file, of.table);
  const noReplace = (file.flags & FILE.noReplace) !== 0;
  if (other === undefined) return changed ? (noReplace ? FATE.alternative : FATE.backup) : FATE.create;
  const before = other.of.table.files[other.at]!;
  const difference = differenceOf(before, file);
  if (difference !== undefined) {
    if (before.colour === file.colour || before.colour === 0 || file.colour === 0)
      throw new BuildError(
        'RPM_CONFLICT',
        { path: display(file.path), package: nevra(of.package), owner: nevra(other.of.package), difference },
        { hint: 'rpm would not install them together either; leave one of them out' },
      );
    if (before.colour > file.colour) return FATE.skipColour;
    fates.get(other.of)![other.at] = FATE.skipColour;
    return FATE.create;
  }
  if (changed) return noReplace ? FATE.alternative : FATE.skip;
  // the third of three packages writes it again: rpm looks at the one before only
  return isSkipped(fates.get(other.of)![other.at]!) || (before.flags & FILE.ghost) !== 0 ? FATE.create : FATE.skip;
}

/** In what two packages' files at one place differ; undefined when both may have it. A ghost is like anything. */
function differenceOf(a: RpmFile, b: RpmFile): string | undefined {
  if (((a.flags | b.flags) & FILE.ghost) !== 0) return undefined;
  if (a.kind !== b.kind) return `kinds: ${a.kind} and ${b.kind}`;
  if (a.kind !== 'symlink' && a.mode !== b.mode) return `modes: ${a.mode.toString(8)} and ${b.mode.toString(8)}`;
  if (a.user !== b.user || a.group !== b.group)
    return `owners: ${display(a.user)}:${display(a.group)} and ${display(b.user)}:${display(b.group)}`;
  if (a.kind === 'symlink')
    return a.target === b.target ? undefined : `targets: ${display(a.target)} and ${display(b.target)}`;
  if (a.kind === 'file') return a.size === b.size && a.digest === b.digest ? undefined : 'content';
  return a.major === b.major && a.minor === b.minor ? undefined : 'device numbers';
}

/** True when something else is at the path of a configuration file. */
function configurationChanged(tree: Tree, file: RpmFile, { algorithm }: FileTable): boolean {
  if ((file.flags & FILE.config) === 0 || (file.flags & FILE.ghost) !== 0) return false;
  if (file.kind !== 'file' && file.kind !== 'symlink') return false;
  const present = tree.lstat(file.path);
  if (present === undefined) return false;
  if (present.kind === 'symlink') return file.kind !== 'symlink' || present.target !== file.target;
  if (present.kind !== 'file' || file.kind !== 'file' || present.content.size !== file.size) return true;
  return createHash(algorithm).update(present.content.readSync()).digest('hex') !== file.digest;
}

/** Where paths lead: links of directories, of the tree and of all packages, are followed. */
class Places {
  private readonly tree: Tree;
  private readonly links = new Map<string, string>();
  private readonly folders = new Map<string, string>();
  private readonly followed = new Map<string, string>();
  private readonly name: string;
  private work = 0;

  constructor(tree: Tree, packages: readonly UnpackedRpm[]) {
    this.tree = tree;
    this.name = packages[0] === undefined ? '' : nevra(packages[0].package);
    const found = packages
      .flatMap(({ table }) => table.files)
      .filter(({ kind, flags }) => kind === 'symlink' && (flags & FILE.ghost) === 0)
      .map((file) => ({ file, depth: parts(file.path).length }));
    // those nearer to the root first: they say where the others are
    found.sort((a, b) => a.depth - b.depth);
    let deepest = 0;
    for (const { file, depth } of found) {
      if (depth > deepest) this.forget();
      deepest = depth;
      const place = this.of(file.path);
      if (!this.links.has(place)) this.links.set(place, file.target);
    }
    this.forget();
  }

  of(path: string): string {
    const folder = dirname(path);
    const place = this.folder(folder, 0);
    return place === folder ? path : join(place, basename(path));
  }

  private charge(work: number): void {
    this.work += work;
    if (this.work > WORK_MAX)
      throw new BuildError('RPM_UNSUPPORTED', { path: this.name, what: 'a set of so many long links of directories' });
  }

  private forget(): void {
    this.folders.clear();
    this.followed.clear();
  }

  private folder(path: string, depth: number): string {
    const known = this.folders.get(path);
    if (known !== undefined) return known;
    let place = '';
    for (const part of parts(path)) place = part === '..' ? dirname(place) : this.follow(join(place, part), depth);
    this.folders.set(path, place);
    return place;
  }

  /** What a name in a directory that is no link leads to. */
  private follow(place: string, depth: number): string {
    const known = this.followed.get(place);
    this.charge(known === undefined ? place.length * LOOK : place.length);
    if (known !== undefined) return known;
    // a link that leads back to itself leads nowhere
    this.followed.set(place, place);
    const present = this.tree.lstat(place);
    const target =
      present?.kind === 'symlink' ? present.target : present === undefined ? this.links.get(place) : undefined;
    if (target === undefined || depth === LINKS_MAX) return place;
    const led = this.folder(target.startsWith('/') ? target : `${dirname(place)}/${target}`, depth + 1);
    this.followed.set(place, led);
    return led;
  }
}

/** Bytes of names that are looked at, and how much more it costs to look into the tree: a large guest has a tenth. */
const WORK_MAX = 100_000_000;
const LOOK = 4;

/** As many links in a row as the kernel follows. */
const LINKS_MAX = 40;
