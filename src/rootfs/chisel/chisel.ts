import { BuildError } from '../../errors/error.ts';
import { type Report, warning } from '../../events/events.ts';
import { Closure, type Missing } from '../../system/closure.ts';
import { updateLoaderCache } from '../../system/loader.ts';
import { isUnitName } from '../../system/units.ts';
import { type Directory, type Inode, rootMeta } from '../../tree/inode.ts';
import { basename, display, fromText, join } from '../../tree/path.ts';
import { sortedNames, Tree } from '../../tree/tree.ts';
import { companionsOf } from './companions.ts';
import type { KeepItem, KeepList } from './list.ts';
import { matching, pathsOf, unlessLoop } from './match.ts';
import { needsOfUnit } from './units.ts';

/** Reduces a guest to what is named and all that it needs; everything else is left out. */

/** Inputs besides the tree. */
export interface ChiselOptions {
  readonly list: KeepList;
  /** The packages that hold a path, by paths without links in their folders. */
  readonly owners: ReadonlyMap<string, readonly string[]>;
  /** Paths that are kept because a step of the build made them, and who asked for that. */
  readonly own: ReadonlyMap<string, string>;
  /** Licences that were in the tree before it was trimmed, by package. */
  readonly licences: ReadonlyMap<string, Inode>;
  /** As `uname -m` names it. */
  readonly machine: string;
  /** Unix seconds. */
  readonly epoch: number;
  readonly report: Report;
}

/** What one item keeps. Sizes in bytes; hard links count once. */
export interface KeptItem {
  readonly item: string;
  readonly source: string;
  readonly paths: number;
  readonly bytes: number;
  /** Bytes that nothing else keeps. */
  readonly alone: number;
}

/** A guest that was reduced. */
export interface Chiselled {
  readonly items: readonly KeptItem[];
  /** Every kept path, and why. */
  readonly reasons: ReadonlyMap<string, string>;
  /** The guest as it would be with nothing left out, and what the list and the kept licences add to it. */
  readonly before: Totals;
  readonly after: Totals;
}

/** Size of a tree: its entries without folders, and the bytes of its files. */
export interface Totals {
  readonly paths: number;
  readonly bytes: number;
}

/** Files of any system: accounts, names, what it is, where libraries are. */
const SKELETON = [
  ...['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid', 'hosts', 'hostname', 'resolv.conf', 'nsswitch.conf'],
  ...['os-release', 'machine-id', 'fstab', 'mtab', 'localtime', 'protocols', 'services', 'shells', 'ld.so.conf'],
].map((name) => `etc/${name}`);
const SKELETON_PATTERNS = ['etc/ld.so.conf.d/*', 'usr/lib/os-release', 'dev/**'];

/** What counts as configuration of a package, and what of it serves other programs than its own. */
const CONFIG =
  /^(etc\/|usr\/lib\/(tmpfiles|sysusers|sysctl|modprobe|modules-load)\.d\/|usr\/share\/dbus-1\/|(usr\/)?lib\/systemd\/system\/)/;
const NOT_CONFIG =
  /^etc\/(init\.d|rc.\.d|rcS\.d|cron\.[^/]*|logrotate\.d|kernel|default\/grub.*|bash_completion\.d|skel|xdg|update-motd\.d|alternatives|profile\.d|X11)\//;

/** Reduces the tree. Throws `KEEP_UNMATCHED` for a name of which the guest has nothing. */
export function chisel(tree: Tree, options: ChiselOptions): Chiselled {
  const { list, report } = options;
  const packages = new Map<string, string[]>();
  for (const [path, names] of options.owners)
    for (const name of names) {
      const paths = packages.get(name);
      if (paths === undefined) packages.set(name, [path]);
      else paths.push(path);
    }
  makeListed(tree, options);
  const gatherer = { tree, options, packages };
  const found: { item: KeepItem; kept: Map<string, string> }[] = [];
  const own = gather(gatherer, [...options.own]);
  const missing = [...own.missing];
  for (const item of list.keep) {
    const paths = pathsOf(tree, item.name, (name) => packages.get(name) ?? []);
    if (paths.length === 0 && !item.optional)
      throw new BuildError('KEEP_UNMATCHED', { item: item.name, source: item.source }, { hint: HINT });
    const gathered = gather(
      gatherer,
      paths.map((path) => [path, 'asked']),
    );
    found.push({ item, kept: gathered.kept });
    missing.push(...gathered.missing);
  }
  const reasons = new Map(own.kept);
  for (const { kept } of found) for (const [path, why] of kept) if (!reasons.has(path)) reasons.set(path, why);
  keepSkeleton(tree, reasons);
  if (list.licences) keepLicences(tree, options, reasons);
  // with what the list itself and licences add, so that no part is more than the whole
  const before = totals(tree);
  for (const pattern of list.drop) {
    const dropped = matching(tree, pattern);
    if (dropped.length === 0) report(warning('REMOVE_UNMATCHED', { pattern }));
    for (const path of dropped)
      for (const kept of [...reasons.keys()]) if (kept === path || kept.startsWith(`${path}/`)) reasons.delete(kept);
  }
  const items = costs(tree, found, own.kept, reasons);
  // what a dropped part needed may be missing on purpose
  reportMissing(missing, list.drop.length > 0 ? () => {} : report);
  prune(tree.root, '', reasons);
  if (tree.has('etc/ld.so.cache')) {
    const defaultLibraryFolders = ['/lib', '/usr/lib', '/lib64', '/usr/lib64'];
    updateLoaderCache(tree, { machine: options.machine, defaultLibraryFolders, epoch: options.epoch, report });
    reasons.set('etc/ld.so.cache', 'index of the kept libraries');
  }
  const after = totals(tree);
  // the cache that is made anew may be larger than an old one
  return { items, reasons, before: { ...before, bytes: Math.max(before.bytes, after.bytes) }, after };
}

const HINT =
  'names are programs, units, /paths and patterns, package:NAME or name:FILE, one for each `keep`; what may be missing goes under "optional" in a file';

interface Gatherer {
  readonly tree: Tree;
  readonly options: ChiselOptions;
  readonly packages: ReadonlyMap<string, readonly string[]>;
}

/** Paths with all that they need: libraries, interpreters, units and their programs, configuration. */
function gather(
  { tree, options, packages }: Gatherer,
  roots: readonly (readonly [path: string, by: string])[],
): { kept: Map<string, string>; missing: readonly Missing[] } {
  const closure = new Closure(tree);
  const kept = new Map<string, string>();
  const followed = new Set<string>();
  const configured = new Set<string>();
  const missing: Missing[] = [];
  const queue = roots.map(([path, by]) => ({ path, by, follow: true }));
  let seen = 0;
  const drain = (): void => {
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) take(at.path, at.by);
  };
  const take = (path: string, by: string): void => {
    const place = tree.locate(path);
    if (place?.inode === undefined) return;
    const { inode, path: real } = place;
    if (inode.kind === 'directory') {
      if (!kept.has(real)) kept.set(real, by);
      for (const { path: below } of new Tree(inode).walk()) if (below !== '') take(join(real, below), by);
    } else if (!leadsToFile(tree, real) || !closure.add(real, { kind: 'asked', by })) kept.set(real, by);
  };
  drain();
  // units and configuration bring programs, and these bring more of both
  for (;;) {
    const paths = [...closure.paths].slice(seen);
    if (paths.length === 0) break;
    seen += paths.length;
    for (const [path, { kind, by }] of paths) {
      kept.set(path, kind === 'asked' ? by : `${REASONS[kind]} /${display(by)}`);
      if (/(^|\/)systemd\/system\//.test(path)) followUnit(path);
      const isLibrary = kind === 'needed' || kind === 'dlopen' || kind === 'hwcaps';
      const companions = companionsOf(tree, path, !isLibrary);
      missing.push(...companions.missing);
      for (const other of companions.paths) queue.push({ path: other, by: `part of /${display(path)}`, follow: false });
      if (isLibrary) continue;
      const inode = tree.lstat(path);
      const isProgram = inode?.kind === 'file' && (inode.mode & 0o111) !== 0;
      if (options.list.config && isProgram) for (const owner of options.owners.get(path) ?? []) configured.add(owner);
    }
    drain();
  }
  for (const owner of configured)
    for (const path of packages.get(owner) ?? [])
      if (CONFIG.test(path) && !NOT_CONFIG.test(path) && !kept.has(path) && isUseful(path))
        kept.set(path, `configuration of ${owner}`);
  return { kept, missing: [...closure.missing, ...missing] };

  function followUnit(path: string): void {
    const name = basename(path);
    const text = tree.text(path);
    if (!isUnitName(name) || text === undefined || followed.has(name)) return;
    followed.add(name);
    const { units, programs } = needsOfUnit(tree, name, text);
    const by = `started by ${display(name)}`;
    for (const unit of units)
      for (const found of matching(tree, `/**/systemd/system/**/${unit}`))
        queue.push({ path: found, by, follow: true });
    for (const program of programs) {
      const paths = program.startsWith('/') ? [program] : pathsOf(tree, program, () => []);
      for (const found of paths) queue.push({ path: found, by, follow: true });
    }
  }

  /** A unit whose programs are left out would only fail. */
  function isUseful(path: string): boolean {
    const name = basename(path);
    if (tree.lstat(path) === undefined) return false;
    if (!/systemd\/system\//.test(path) || !isUnitName(name)) return true;
    const { programs } = needsOfUnit(tree, name, tree.text(path) ?? '');
    return programs.every((program) => kept.has((tree.realpath(program) ?? program).replace(/^\//, '')));
  }
}

/** False for devices, pipes and sockets, links to them (a masked unit leads to /dev/null), and links that lead in circles. */
function leadsToFile(tree: Tree, path: string): boolean {
  const kind = unlessLoop(() => tree.stat(path))?.kind;
  return kind === 'file' || kind === 'directory';
}

const REASONS = {
  link: 'reached by',
  needed: 'library of',
  interpreter: 'interpreter of',
  dlopen: 'opened by',
  hwcaps: 'variant of',
  beside: 'belongs to',
} as const;

function keepSkeleton(tree: Tree, reasons: Map<string, string>): void {
  const keep = (path: string) => {
    if (!reasons.has(path)) reasons.set(path, 'part of every guest');
  };
  for (const name of sortedNames(tree.root)) {
    const { kind } = tree.root.children.get(name)!;
    if (kind === 'directory' || kind === 'symlink') keep(name);
  }
  for (const path of matching(tree, '/var/*'))
    if (['directory', 'symlink'].includes(tree.lstat(path)!.kind)) keep(path);
  for (const path of SKELETON) if (tree.lstat(path) !== undefined) keep(path);
  for (const pattern of SKELETON_PATTERNS) for (const path of matching(tree, pattern)) keep(path);
}

function keepLicences(tree: Tree, { owners, licences, epoch }: ChiselOptions, reasons: Map<string, string>): void {
  const packages = new Set([...reasons.keys()].flatMap((path) => owners.get(path) ?? []));
  for (const [path, names] of owners) {
    const owner = /^usr\/share\/licenses\//.test(path) ? names.find((name) => packages.has(name)) : undefined;
    if (owner !== undefined && tree.has(path)) reasons.set(path, `licence of ${owner}`);
  }
  for (const owner of [...packages].sort()) {
    const licence = licences.get(owner);
    if (licence === undefined) continue;
    const path = `usr/share/doc/${owner}/copyright`;
    tree.makeDirectory(`usr/share/doc/${owner}`, rootMeta(0o755, epoch));
    tree.set(path, licence);
    reasons.set(path, `licence of ${owner}`);
  }
  // texts that most of them refer to
  for (const path of matching(tree, '/usr/share/common-licenses/*')) reasons.set(path, 'texts of licences');
}

/** The licences of all packages: they are trimmed with the documentation, and only some come back. */
export function licencesIn(tree: Tree): Map<string, Inode> {
  const found = new Map<string, Inode>();
  for (const name of tree.list('usr/share/doc')) {
    const inode = tree.stat(`usr/share/doc/${name}/copyright`);
    if (inode?.kind === 'file') found.set(name, inode);
  }
  return found;
}

function makeListed(tree: Tree, { list, epoch, own }: ChiselOptions): void {
  const mine = own as Map<string, string>;
  for (const path of list.dirs) {
    const real = fromText(path).replace(/^\/+|\/+$/g, '');
    tree.makeDirectory(real, rootMeta(0o755, epoch));
    mine.set(real, 'asked');
  }
  for (const [path, target] of Object.entries(list.links)) {
    expectNoFolder(tree, path);
    tree.remove(fromText(path));
    mine.set(
      placed(tree, path, () => tree.symlink(fromText(path), fromText(target), rootMeta(0o777, epoch))),
      'asked',
    );
  }
  for (const [path, text] of Object.entries(list.files)) {
    expectNoFolder(tree, path);
    mine.set(
      placed(tree, path, () => tree.writeFile(fromText(path), Buffer.from(text), rootMeta(0o644, epoch))),
      'asked',
    );
  }
}

/** A link or a file takes the place of another one, not of a folder with all that is in it. Throws `NOT_A_FILE`. */
function expectNoFolder(tree: Tree, path: string): void {
  const inode = tree.lstat(fromText(path));
  if (inode?.kind === 'directory' && inode.children.size > 0)
    throw new BuildError('NOT_A_FILE', { path: path.replace(/^\/+/, ''), kind: inode.kind });
}

function placed(tree: Tree, path: string, make: () => unknown): string {
  make();
  return tree.locate(fromText(path))!.path;
}

/** `reasons`: all that is kept in the end, without what the user drops. */
function costs(
  tree: Tree,
  found: readonly { item: KeepItem; kept: Map<string, string> }[],
  own: Map<string, string>,
  reasons: ReadonlyMap<string, string>,
): KeptItem[] {
  const keepers = new Map<Inode, number>();
  for (const kept of [...found.map((one) => one.kept), own])
    for (const inode of new Set([...kept.keys()].flatMap((path) => tree.lstat(path) ?? [])))
      keepers.set(inode, (keepers.get(inode) ?? 0) + 1);
  const row = (item: string, source: string, kept: Map<string, string>): KeptItem => {
    let [paths, bytes, alone] = [0, 0, 0];
    const counted = new Set<Inode>();
    for (const path of kept.keys()) {
      const inode = tree.lstat(path);
      if (inode === undefined || inode.kind === 'directory' || !reasons.has(path)) continue;
      paths++;
      if (inode.kind !== 'file' || counted.has(inode)) continue;
      counted.add(inode);
      bytes += inode.content.size;
      if (keepers.get(inode) === 1) alone += inode.content.size;
    }
    return { item, source, paths, bytes, alone };
  };
  return [
    ...found.map(({ item, kept }) => row(item.name, item.source, kept)),
    ...(own.size === 0 ? [] : [row('(the agent, its units, overlays)', 'the build', own)]),
  ];
}

function reportMissing(missing: readonly Missing[], report: Report): void {
  const said = new Set<string>();
  for (const { name, reason, optional } of missing) {
    const key = `${name}\0${reason.by}`;
    if (optional || said.has(key)) continue;
    said.add(key);
    report(warning('KEEP_INCOMPLETE', { name: display(name), by: `/${display(reason.by)}` }));
  }
}

/** Removes what is not kept; folders stay where something in them does. */
function prune(directory: Directory, path: string, reasons: ReadonlyMap<string, string>): void {
  for (const name of sortedNames(directory)) {
    const here = join(path, name);
    const inode = directory.children.get(name)!;
    if (inode.kind === 'directory') prune(inode, here, reasons);
    if (reasons.has(here) || (inode.kind === 'directory' && inode.children.size > 0)) continue;
    directory.children.delete(name);
  }
}

function totals(tree: Tree): Totals {
  let [paths, bytes] = [0, 0];
  const seen = new Set<Inode>();
  for (const { inode } of tree.walk()) {
    if (inode.kind === 'directory') continue;
    paths++;
    if (inode.kind === 'file' && !seen.has(inode)) bytes += inode.content.size;
    seen.add(inode);
  }
  return { paths, bytes };
}
