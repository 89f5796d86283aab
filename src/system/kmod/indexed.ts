import { BuildError } from '../../errors/error.ts';
import type { KernelModule } from '../../formats/kmod/module.ts';
import type { Tree } from '../../tree/tree.ts';
import type { IndexedModule, ModuleSet } from './depmod.ts';
import { moduleName } from './find.ts';
import { isUnindexed } from './install.ts';
import type { KeptModules } from './kept.ts';
import { loadModules, readAhead } from './load.ts';

/** A module whose file is read when that is asked for. */
interface Listed extends IndexedModule {
  facts: KernelModule | undefined;
  needs: readonly Listed[];
  closure: readonly Listed[];
}

/** Modules as the indexes in their folder list them. No module is read until {@link readFacts} does it. */
export interface ListedModules extends ModuleSet {
  /** Aliases in their order: pattern and module. */
  aliases(): readonly (readonly [pattern: string, name: string])[];
  /** Words of modules.softdep and modules.weakdep, by module. */
  readonly soft: readonly (readonly [name: string, words: string])[];
  readonly weak: readonly (readonly [name: string, words: string])[];
}

/** True for a set that {@link listedModules} made. */
export function isListed(set: ModuleSet): set is ListedModules {
  return 'aliases' in set;
}

/**
 * The modules of a release by the indexes that depmod wrote; undefined where these are missing, or do not list exactly the
 * modules that are there. Reading a few files takes the place of unpacking thousands. `folder`: `lib/modules/RELEASE`.
 */
export function listedModules(tree: Tree, folder: string): ListedModules | undefined {
  const text = (name: string) => tree.text(`${folder}/modules.${name}`);
  const [dep, alias, softdep, symbols] = ['dep', 'alias', 'softdep', 'symbols'].map(text);
  if (dep === undefined || alias === undefined || softdep === undefined || symbols === undefined) return undefined;
  if (isUnindexed(tree, folder)) return undefined;
  const rows = dep.split('\n').filter((line) => line !== '');
  const byPath = new Map<string, Listed>();
  for (const row of rows) {
    const path = row.slice(0, row.indexOf(':'));
    const file = path.startsWith('/') ? undefined : tree.file(`${folder}/${path}`);
    // modules outside of the folder, or a line that is none
    if (file === undefined) return undefined;
    const name = moduleName(path);
    const plain = path.slice(0, path.lastIndexOf('/') + 1 + path.slice(path.lastIndexOf('/') + 1).indexOf('.') + 3);
    byPath.set(path, { name, path, plain, file, facts: undefined, index: byPath.size, needs: [], closure: [] });
  }
  for (const row of rows) {
    const colon = row.indexOf(':');
    const words = row.slice(colon + 1).split(' ');
    const needs = words.flatMap((path) => byPath.get(path) ?? []);
    if (needs.length < words.filter((word) => word !== '').length) return undefined;
    const one = byPath.get(row.slice(0, colon))!;
    one.needs = needs;
    one.closure = needs;
  }
  const byName = new Map([...byPath.values()].map((one) => [one.name, one]));
  /** Two parts of each line after its first word; a name is one word, before or behind what may have blanks. */
  const pairs = (all: string, word: string) =>
    all.split('\n').flatMap((line): (readonly [string, string])[] => {
      const blank = word === 'alias' ? line.lastIndexOf(' ') : line.indexOf(' ', word.length + 1);
      return line.startsWith(`${word} `) && blank > word.length
        ? [[line.slice(word.length + 1, blank), line.slice(blank + 1)]]
        : [];
    });
  let owners: ReadonlyMap<string, string> | undefined;
  let aliases: readonly (readonly [string, string])[] | undefined;
  return {
    folder,
    release: folder.slice(folder.lastIndexOf('/') + 1),
    modules: [...byPath.values()],
    symbols: {
      get(name) {
        owners ??= new Map(pairs(symbols, 'alias'));
        const owner = owners.get(`symbol:${name}`);
        return owner === undefined ? undefined : byName.get(owner);
      },
    },
    aliases() {
      aliases ??= pairs(alias, 'alias');
      return aliases;
    },
    soft: pairs(softdep, 'softdep'),
    weak: pairs(text('weakdep') ?? '', 'weakdep'),
  };
}

/** Begins to read the files of modules of a listed set in threads, for {@link readFacts}. */
export function readFactsAhead(modules: readonly IndexedModule[], kept?: KeptModules): Promise<void> {
  return readAhead(
    modules.map(({ path, file }) => ({ path, content: file.content })),
    kept,
  );
}

/** Reads the files of some modules of a listed set. One that is none stays without facts. */
export async function readFacts(modules: readonly IndexedModule[], kept?: KeptModules): Promise<void> {
  const wanted = (modules as readonly Listed[]).filter((one) => one.facts === undefined);
  const read = await loadModules(
    wanted.map(({ path, file }) => ({ path, content: file.content })),
    kept,
  );
  for (const [i, one] of wanted.entries()) {
    const facts = read[i]!;
    if (!(facts instanceof BuildError)) one.facts = facts;
  }
}
