import { withoutEnding } from '../../bytes/ending.ts';
import { compilePattern, matches } from '../../shell/pattern.ts';
import type { Tree } from '../../tree/tree.ts';
import { normalAlias } from './alias-file.ts';
import { kmodConfig } from './config.ts';
import type { IndexedModule, ModuleSet } from './depmod.ts';
import { isModulePath, moduleName } from './find.ts';
import { isListed } from './indexed.ts';
import { builtinInfo, builtinNames } from './indexes.ts';

/** Folders of modprobe.d(5), the first with a file of a name wins. */
const FOLDERS = ['etc', 'run', 'usr/local/lib', 'usr/lib', 'lib'].map((folder) => `${folder}/modprobe.d`);

/** What a word that names modules stands for. */
export interface Lookup {
  readonly modules: readonly IndexedModule[];
  /** True when the kernel has it built in. */
  readonly builtin: boolean;
}

interface Alias {
  /** Normalised pattern of fnmatch(3). */
  readonly pattern: string;
  /** Its bytes before the first special one. */
  readonly start: string;
  readonly name: string;
}

const NOTHING: Lookup = { modules: [], builtin: false };

/**
 * Finds modules of a release by name or alias as modprobe does, and by folder as dracut does. Nothing is run: commands of
 * modprobe.d have no effect.
 */
export class ModuleLookup {
  readonly set: ModuleSet;
  private readonly byName: ReadonlyMap<string, IndexedModule>;
  private readonly builtins: ReadonlySet<string>;
  private readonly configured: Alias[] = [];
  private aliases: Alias[] | undefined;
  private readonly builtinAliases: Alias[];
  private readonly soft = new Map<string, string[]>();
  private readonly weak = new Map<string, string[]>();
  /** Paths of modules.builtin. */
  private readonly builtinPaths: readonly string[];

  /** `tree` has the release's folder and modprobe.d. */
  constructor(tree: Tree, set: ModuleSet) {
    this.set = set;
    this.byName = new Map(set.modules.map((one) => [one.name, one]));
    const builtin = tree.text(`${set.folder}/modules.builtin`) ?? '';
    this.builtins = new Set(builtinNames(builtin));
    this.builtinPaths = builtin.split('\n');
    this.builtinAliases = builtinInfo(tree.text(`${set.folder}/modules.builtin.modinfo`) ?? '').flatMap(
      ({ module, key, value }) => (key === 'alias' ? aliasOf(value, module) : []),
    );
    if (isListed(set)) {
      for (const [name, value] of set.soft) add(this.soft, name, softWords(value.split(/\s+/)));
      for (const [name, value] of set.weak) add(this.weak, name, words(value));
    } else
      for (const one of set.modules) {
        for (const value of one.facts?.values('softdep') ?? []) add(this.soft, one.name, softWords(value.split(/\s+/)));
        for (const value of one.facts?.values('weakdep') ?? []) add(this.weak, one.name, words(value));
      }
    for (const { words: line } of kmodConfig(tree, FOLDERS)) {
      const [command, first, ...rest] = line;
      if (first === undefined) continue;
      if (command === 'alias' && rest.length > 0) this.configured.push(...aliasOf(first, moduleName(rest[0]!)));
      else if (command === 'softdep') add(this.soft, moduleName(first), softWords(rest));
      else if (command === 'weakdep') add(this.weak, moduleName(first), rest);
    }
  }

  /**
   * What a word stands for: `=drivers/net` (all below that folder of kernel, extra or updates), a path below the release's
   * folder, a name (dashes are underscores, an ending is ignored), or an alias. Undefined when there is nothing of it.
   */
  find(word: string): Lookup | undefined {
    if (word.startsWith('=')) return this.below(word.slice(1));
    if (word.includes('/') && isModulePath(word)) return this.atPath(word);
    const name = isModulePath(word) ? moduleName(word) : word.replaceAll('-', '_');
    const named = this.byName.get(name);
    if (named !== undefined) return { modules: [named], builtin: false };
    const key = normalAlias(word);
    if (key !== undefined) {
      const configured = this.matching(this.configured, key);
      if (configured !== undefined) return configured;
      const owner = key.startsWith('symbol:') ? this.set.symbols.get(word.slice('symbol:'.length)) : undefined;
      if (owner !== undefined) return { modules: [owner], builtin: false };
      const found = this.matching(this.ownAliases(), key);
      if (found !== undefined) return found;
    }
    if (this.builtins.has(name)) return { modules: [], builtin: true };
    return key !== undefined && this.builtinAliases.some((alias) => fits(alias, key))
      ? { modules: [], builtin: true }
      : undefined;
  }

  private ownAliases(): readonly Alias[] {
    const { set } = this;
    this.aliases ??= isListed(set)
      ? set.aliases().flatMap(([pattern, name]) => aliasOf(pattern, name))
      : set.modules.flatMap((one) => (one.facts?.values('alias') ?? []).flatMap((value) => aliasOf(value, one.name)));
    return this.aliases;
  }

  /** True when the kernel has a module of this name built in. */
  isBuiltin(name: string): boolean {
    return this.builtins.has(name.replaceAll('-', '_'));
  }

  /** Names or aliases that should be loaded with a module: its softdeps, of the module itself and of modprobe.d. */
  softDependencies(module: IndexedModule): readonly string[] {
    return this.soft.get(module.name) ?? [];
  }

  /** Names of modules that a module may ask for once it runs. */
  weakDependencies(module: IndexedModule): readonly string[] {
    return this.weak.get(module.name) ?? [];
  }

  /** Names that are near to a word that was not found, for messages. */
  names(): Iterable<string> {
    return [...this.byName.keys(), ...this.builtins];
  }

  private below(folder: string): Lookup | undefined {
    const part = withoutEnding(folder, '/');
    const starts = ['kernel', 'extra', 'updates'].map((top) => (part === '' ? `${top}/` : `${top}/${part}/`));
    const modules = this.set.modules.filter(({ path }) => starts.some((start) => path.startsWith(start)));
    if (modules.length > 0) return { modules, builtin: false };
    // a folder whose drivers are all built in
    return this.builtinPaths.some((path) => starts.some((start) => path.startsWith(start)))
      ? { modules: [], builtin: true }
      : undefined;
  }

  private atPath(word: string): Lookup | undefined {
    const from = word.lastIndexOf(`${this.set.folder}/`);
    const path = from < 0 ? word.replace(/^\/+/, '') : word.slice(from + this.set.folder.length + 1);
    const found = this.set.modules.find((one) => one.path === path || one.plain === path || one.path === word);
    return found === undefined ? undefined : { modules: [found], builtin: false };
  }

  private matching(aliases: readonly Alias[], key: string): Lookup | undefined {
    const names = new Set(aliases.filter((alias) => fits(alias, key)).map(({ name }) => name));
    if (names.size === 0) return undefined;
    const modules = [...names].flatMap((name) => this.byName.get(name) ?? []);
    if (modules.length > 0) return { modules, builtin: false };
    return [...names].some((name) => this.builtins.has(name)) ? { ...NOTHING, builtin: true } : undefined;
  }
}

function aliasOf(pattern: string, name: string): Alias[] {
  const normal = normalAlias(pattern);
  if (normal === undefined) return [];
  const special = normal.search(/[*?[\\]/);
  return [{ pattern: normal, start: special < 0 ? normal : normal.slice(0, special), name }];
}

function fits({ pattern, start }: Alias, key: string): boolean {
  if (start.length === pattern.length) return pattern === key;
  return key.startsWith(start) && matches(compilePattern(pattern), key);
}

function add(to: Map<string, string[]>, name: string, more: readonly string[]): void {
  const there = to.get(name);
  if (there === undefined) to.set(name, [...more]);
  else there.push(...more);
}

function words(value: string): string[] {
  return value.split(/\s+/).filter((word) => word !== '');
}

/** `pre: a b post: c`: the names behind words of `kinds`; modprobe loads both. A word before the first kind has no meaning. */
export function softWords(all: readonly string[], kinds: readonly string[] = ['pre:', 'post:']): string[] {
  const found: string[] = [];
  let counts = false;
  for (const word of all)
    if (word === 'pre:' || word === 'post:') counts = kinds.includes(word);
    else if (word !== '' && counts) found.push(word);
  return found;
}
