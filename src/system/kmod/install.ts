import { rootMeta } from '../../tree/inode.ts';
import type { Tree } from '../../tree/tree.ts';
import { type ModuleReading, type ReadModules, readModules } from './depmod.ts';
import { isModulePath } from './find.ts';
import { moduleIndexes } from './indexes.ts';
import { generationOf, type KmodGeneration, kmodVersion } from './version.ts';

/** Where modules are in a tree. */
export const MODULES = 'lib/modules';

/** The generation that is written where a guest has no kmod. */
const NEWEST = 34;

/** How indexes are written. */
export interface DepmodOptions extends ModuleReading {
  /** Unix seconds: time stamp of the files. */
  readonly epoch: number;
  /** By default that of the kmod in the tree, else the newest. */
  readonly generation?: KmodGeneration;
}

/** Runs depmod over one release: reads the modules below `folder` and writes all indexes there. */
export async function depmod(tree: Tree, folder: string, options: DepmodOptions): Promise<ReadModules> {
  const set = await readModules(tree, folder, options);
  writeIndexes(tree, set, options);
  return set;
}

/** Writes the indexes of modules that have been read. */
export function writeIndexes(tree: Tree, set: ReadModules, options: DepmodOptions): void {
  const generation = options.generation ?? generationOf(kmodVersion(tree) ?? NEWEST);
  for (const [name, bytes] of moduleIndexes(tree, set, generation, options.report)) {
    const path = `${set.folder}/${name}`;
    // kmod makes a new file in place of the old one
    tree.remove(path);
    tree.writeFile(path, bytes, rootMeta(0o644, options.epoch));
  }
}

/** Releases below /lib/modules that have modules, in byte order. */
export function moduleReleases(tree: Tree): string[] {
  return tree.list(MODULES).filter((release) => modulePaths(tree, `${MODULES}/${release}`).length > 0);
}

/** Paths of the modules of a release, below its folder, in no particular order. */
export function modulePaths(tree: Tree, folder: string): string[] {
  const found: string[] = [];
  const visit = (from: string, below: string): void => {
    const inode = tree.lstat(from);
    if (inode?.kind !== 'directory') return;
    for (const [name, child] of inode.children)
      if (child.kind === 'directory') visit(`${from}/${name}`, `${below}${name}/`);
      else if (isModulePath(name)) found.push(`${below}${name}`);
  };
  const real = tree.realpath(folder);
  if (real !== undefined) visit(real, '');
  return found;
}

/**
 * True when modules.dep lacks a module of the release, or names one that is not there: modprobe would not find it, or fail.
 */
export function isUnindexed(tree: Tree, folder: string): boolean {
  const text = tree.text(`${folder}/modules.dep`);
  const paths = modulePaths(tree, folder);
  if (text === undefined) return paths.length > 0;
  const listed = new Set(
    text
      .split('\n')
      .map((line) => line.slice(0, Math.max(0, line.indexOf(':'))))
      .filter((path) => path !== '' && !path.startsWith('/')),
  );
  // of modules with one name only one is listed
  const names = new Set([...listed].map((path) => path.slice(path.lastIndexOf('/') + 1)));
  const has = new Set(paths);
  return (
    [...listed].some((path) => !has.has(path)) ||
    paths.some((path) => !listed.has(path) && !names.has(path.slice(path.lastIndexOf('/') + 1)))
  );
}

/** Runs depmod over every release whose indexes are missing or out of date. Returns these releases. */
export async function indexModules(tree: Tree, options: DepmodOptions): Promise<string[]> {
  const done: string[] = [];
  for (const release of moduleReleases(tree)) {
    const folder = `${MODULES}/${release}`;
    if (!isUnindexed(tree, folder)) continue;
    await depmod(tree, folder, options);
    done.push(release);
  }
  return done;
}
