import { BuildError } from '../../errors/error.ts';
import { hashOrder } from '../../formats/kmod/hash.ts';
import type { Directory, File } from '../../tree/inode.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import type { DepmodConfig } from './config.ts';

/** A file with a kernel module. Names and paths are byte strings. */
export interface ModuleFile {
  /** Its name for modprobe: without ending, dashes as underscores. */
  readonly name: string;
  /** Path below the release's folder; with a leading slash when it is outside. */
  readonly path: string;
  /** The same without the ending of a compression, as modules.order has it; undefined outside the release's folder. */
  readonly plain: string | undefined;
  readonly file: File;
}

/** Name of a module for modprobe: up to the first dot of the last part of a path, with underscores for dashes. */
export function moduleName(path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1);
  const dot = base.indexOf('.');
  return (dot < 0 ? base : base.slice(0, dot)).replaceAll('-', '_');
}

/** True for the name of a file that may be a kernel module. */
export function isModulePath(path: string): boolean {
  return /\.ko(?:\.(?:gz|xz|zst))?$/.test(path);
}

/** kmod counts modules in 16 bits. */
const MODULES_LIMIT = 0xffff - 1;

/** Folders inside each other through links: no tree of modules is as deep. */
const DEPTH_LIMIT = 64;

/** Names that are looked at, also those that links show many times: a few links to their own folder would be endless. */
const NAMES_LIMIT = 1 << 21;

/**
 * The modules of a release, in the order in which depmod numbers them: those in modules.order as that says, then the rest
 * as kmod's table has them. Of several with one name the one counts that `config` prefers.
 */
export function findModules(tree: Tree, folder: string, config: DepmodConfig): ModuleFile[] {
  const byName = new Map<string, ModuleFile>();
  const base = `/${folder}`;
  let looked = 0;
  const visit = (from: string, { children }: Directory, below: string, depth: number): void => {
    if (depth > DEPTH_LIMIT) throw new BuildError('PATH_LOOP', { path: display(from) });
    for (const name of [...children.keys()].sort()) {
      if (name === 'build' || name === 'source' || config.excludes.has(name)) continue;
      const path = `${from}/${name}`;
      if (++looked > NAMES_LIMIT) throw new BuildError('PATH_LOOP', { path: display(from) });
      const child = children.get(name)!;
      const inode = child.kind === 'symlink' ? tree.stat(path) : child;
      const shown = `${below}${name}`;
      if (inode?.kind === 'directory') visit(path, inode, `${shown}/`, depth + 1);
      if (inode?.kind !== 'file' || !isModulePath(name)) continue;
      const found = describe(shown, inode);
      const old = byName.get(found.name);
      if (old !== undefined && prefersOld(config, base, old, found)) continue;
      byName.set(found.name, found);
      if (byName.size > MODULES_LIMIT)
        throw new BuildError('MODULES_TOO_MANY', {
          folder: display(folder),
          count: byName.size,
          limit: MODULES_LIMIT,
        });
    }
  };
  for (const [top, below] of [[folder, ''], ...config.externals.map((one) => [one, `${one}/`])] as const) {
    const inode = tree.stat(top);
    if (inode?.kind === 'directory') visit(top, inode, below, 0);
  }
  const table = hashOrder(byName.keys(), 512).map((name) => byName.get(name)!);
  return inOrder(table, tree.text(`${folder}/modules.order`));
}

function describe(path: string, file: File): ModuleFile {
  const name = moduleName(path);
  const slash = path.lastIndexOf('/');
  const plain = path.startsWith('/') ? undefined : path.slice(0, slash + 1 + name.length + 3);
  return { name, path, plain, file };
}

/** True when the module that was found first keeps its place: override, then search order, then built-in. */
function prefersOld(config: DepmodConfig, base: string, old: ModuleFile, found: ModuleFile): boolean {
  const cut = ({ path, name }: ModuleFile) => path.slice(0, path.lastIndexOf('/') + 1 + name.length);
  const absolute = (path: string) => (path.startsWith('/') ? path : `${base}/${path}`);
  const [oldPath, newPath] = [cut(old), cut(found)];
  for (const override of config.overrides) {
    if (newPath === override) return false;
    if (oldPath === override) return true;
  }
  const below = (path: string, folder: string) => path.startsWith(`${folder}/`) && path.length > folder.length;
  let builtin = -1;
  let oldPlace = -1;
  let newPlace = -1;
  let place = 0;
  for (const search of config.searches) {
    if (search === 'built-in') builtin = place;
    else if (search === 'external')
      for (const external of config.externals) {
        if (below(absolute(newPath), external)) newPlace = place;
        if (below(absolute(oldPath), external)) oldPlace = place;
        place++;
      }
    // kmod looks at the old one only where the new one is elsewhere
    else if (below(newPath, search)) newPlace = place;
    else if (below(oldPath, search)) oldPlace = place;
    place++;
  }
  return (newPlace < 0 ? builtin : newPlace) <= (oldPlace < 0 ? builtin : oldPlace);
}

/** Those of modules.order first. A last line without its end makes kmod ignore the whole file. */
function inOrder(table: readonly ModuleFile[], order: string | undefined): ModuleFile[] {
  if (order === undefined || (order !== '' && !order.endsWith('\n'))) return [...table];
  const rest = new Map<string, ModuleFile>();
  for (const one of table) if (one.plain !== undefined) rest.set(one.plain, one);
  const first = new Set<ModuleFile>();
  for (const line of order.split('\n')) {
    const one = rest.get(line);
    if (one !== undefined) first.add(one);
  }
  return [...first, ...table.filter((one) => !first.has(one))];
}
