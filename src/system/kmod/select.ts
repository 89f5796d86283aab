import { BuildError } from '../../errors/error.ts';
import { nearestNames } from '../../errors/nearest.ts';
import { display, parts } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { globPaths } from '../glob.ts';
import type { IndexedModule, ModuleSet } from './depmod.ts';
import type { ModuleLookup } from './lookup.ts';

/** Why a module was taken. */
export interface Taken {
  readonly module: IndexedModule;
  /** `asked for`, `xfs needs it`, `xfs loads it (softdep)`, `xfs may ask for it (weakdep)`. */
  readonly reason: string;
}

/** Modules chosen from a release, closed over what they need. */
export interface ModuleSelection {
  /** In the order of the release's modules. */
  readonly modules: readonly Taken[];
  /** The words that name what the kernel has built in: nothing to copy. */
  readonly builtin: readonly string[];
  /** The words that name nothing of this kernel; empty unless `optional`. */
  readonly missing: readonly string[];
}

/** How to choose modules. */
export interface SelectOptions {
  /** A word that names nothing is listed in `missing`; by default it is an error (`DRIVER_UNKNOWN`). */
  readonly optional?: boolean;
  /** Also modules that others may ask for once they run (default). */
  readonly weak?: boolean;
  /** Patterns of names that are never taken, dashes as underscores: `nouveau`, `snd_*`. */
  readonly exclude?: (name: string) => boolean;
}

/**
 * Chooses modules by words as {@link ModuleLookup.find} understands them, with all that they need: by symbols, softdeps and
 * weakdeps. A soft or weak dependency that is not there is left out, as modprobe does.
 */
export function selectModules(
  lookup: ModuleLookup,
  words: readonly string[],
  options: SelectOptions = {},
): ModuleSelection {
  const taken = new Map<IndexedModule, string>();
  const builtin: string[] = [];
  const missing: string[] = [];
  const todo: IndexedModule[] = [];
  const take = (module: IndexedModule, reason: string): void => {
    if (taken.has(module) || options.exclude?.(module.name)) return;
    taken.set(module, reason);
    todo.push(module);
  };
  for (const word of words) {
    const found = lookup.find(word);
    if (found === undefined) missing.push(word);
    else if (found.builtin) builtin.push(word);
    for (const module of found?.modules ?? []) take(module, 'asked for');
  }
  if (missing.length > 0 && options.optional !== true) throw unknown(lookup, missing);
  for (let module = todo.pop(); module !== undefined; module = todo.pop()) {
    for (const needed of module.needs) take(needed, `${module.name} needs it`);
    for (const word of lookup.softDependencies(module))
      for (const other of lookup.find(word)?.modules ?? []) take(other, `${module.name} loads it (softdep)`);
    if (options.weak === false) continue;
    for (const word of lookup.weakDependencies(module))
      for (const other of lookup.find(word)?.modules ?? []) take(other, `${module.name} may ask for it (weakdep)`);
  }
  const modules = lookup.set.modules.filter((one) => taken.has(one));
  return { modules: modules.map((module) => ({ module, reason: taken.get(module)! })), builtin, missing };
}

function unknown(lookup: ModuleLookup, missing: readonly string[]): BuildError {
  const near = nearestNames(missing[0]!.replaceAll('-', '_'), lookup.names());
  return new BuildError(
    'DRIVER_UNKNOWN',
    { names: missing.map(display), release: display(lookup.set.release) },
    near.length === 0 ? {} : { hint: `it has ${near.map(display).join(', ')}` },
  );
}

/** Names in the order in which modules must be loaded for these to work: what a module needs comes before it. */
export function loadOrder(lookup: ModuleLookup, modules: readonly IndexedModule[]): IndexedModule[] {
  const wanted = new Set(modules);
  const done = new Set<IndexedModule>();
  const entered = new Set<IndexedModule>();
  const load = (module: IndexedModule): void => {
    // a softdep may lead back: the first one entered is then loaded last
    if (entered.has(module)) return;
    entered.add(module);
    for (const word of lookup.softDependencies(module))
      for (const other of lookup.find(word)?.modules ?? []) if (wanted.has(other)) load(other);
    for (const needed of module.closure.toReversed()) load(needed);
    done.add(module);
  };
  for (const module of modules) load(module);
  return [...done];
}

/** Firmware that modules name, in a tree. */
export interface Firmware {
  /** Paths of the files in the tree, every one of a name that is found in several folders. */
  readonly paths: readonly string[];
  /** What is not there, by the name of the module that asks for it. */
  readonly missing: ReadonlyMap<string, readonly string[]>;
}

/**
 * The firmware that modules name in `.modinfo`: in lib/firmware and its folders updates and RELEASE, as it is or compressed
 * (`.zst`, `.xz`). A name with wildcards stands for all that match, unless a file has just this name.
 */
export function firmwareOf(tree: Tree, { release }: ModuleSet, modules: readonly IndexedModule[]): Firmware {
  const folders = [`updates/${release}`, 'updates', release, ''].map((part) => parts(`lib/firmware/${part}`).join('/'));
  const paths = new Set<string>();
  const missing = new Map<string, string[]>();
  for (const { name, facts } of modules)
    for (const [key, value] of facts?.info ?? []) {
      if (key !== 'firmware' || value === '') continue;
      const found = folders.flatMap((folder) => firmwareIn(tree, folder, value));
      for (const path of found) paths.add(path);
      if (found.length > 0) continue;
      const names = missing.get(name);
      if (names === undefined) missing.set(name, [value]);
      else if (!names.includes(value)) names.push(value);
    }
  return { paths: [...paths], missing };
}

function firmwareIn(tree: Tree, folder: string, name: string): string[] {
  for (const ending of ['', '.zst', '.xz']) {
    const path = `${folder}/${name}${ending}`;
    if (tree.file(path) !== undefined) return [path];
  }
  if (!/[*?[]/.test(name)) return [];
  return ['', '.zst', '.xz']
    .flatMap((ending) => globPaths(tree, `${folder}/${name}${ending}`))
    .filter((path) => tree.file(path) !== undefined);
}
