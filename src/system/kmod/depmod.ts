import { BuildError } from '../../errors/error.ts';
import { type Report, warning } from '../../events/events.ts';
import type { KernelModule } from '../../formats/kmod/module.ts';
import { display } from '../../tree/path.ts';
import type { Tree } from '../../tree/tree.ts';
import { depmodConfig } from './config.ts';
import { findModules, type ModuleFile } from './find.ts';
import type { KeptModules } from './kept.ts';
import { loadModules } from './load.ts';
import { SymbolTable } from './symbol-table.ts';

/** How modules are read. */
export interface ModuleReading {
  readonly report?: Report;
  /** Facts that earlier builds read. */
  readonly kept?: KeptModules | undefined;
}

/** A module of a release with its place among the others. */
export interface IndexedModule extends ModuleFile {
  /** Undefined when the file is no module: it is listed, but has no aliases and dependencies. */
  readonly facts: KernelModule | undefined;
  /** Position among all modules of the release. */
  readonly index: number;
  /** The modules whose symbols it needs itself. */
  readonly needs: readonly IndexedModule[];
  /** All modules it needs, also through others, in the order of modules.dep: load the last one first. */
  readonly closure: readonly IndexedModule[];
}

/** The modules of a kernel release, with what depmod knows of them. */
export interface ModuleSet {
  /** Folder of the release: `lib/modules/6.12.1`. */
  readonly folder: string;
  readonly release: string;
  readonly modules: readonly IndexedModule[];
  /** Symbols that modules export, with their owners. */
  readonly symbols: Pick<Symbols, 'get'>;
}

/** Modules that were all read, so that their indexes can be written. */
export interface ReadModules extends ModuleSet {
  readonly symbols: Symbols;
}

/** Symbols that modules export. Names are bytes: a kernel has tens of thousands. */
export class Symbols {
  private readonly table: SymbolTable;
  private readonly owners: readonly IndexedModule[];

  constructor(table: SymbolTable, owners: readonly IndexedModule[]) {
    this.table = table;
    this.owners = owners;
  }

  /** The module that exports a symbol. */
  get(name: string): IndexedModule | undefined {
    return this.owners[this.table.numberOf(name)];
  }

  /** All of them in the order of modules.symbols. */
  *inOrder(): Generator<readonly [name: string, owner: IndexedModule]> {
    const names = this.table.names();
    for (const id of this.table.inOrder(2048)) yield [names[id]!, this.owners[id]!];
  }
}

interface Building extends ModuleFile {
  readonly facts: KernelModule | undefined;
  readonly index: number;
  readonly needs: Building[];
  closure: Building[];
  users: number;
  /** Position after sorting: a module has a lower one than what it needs. */
  rank: number;
}

/**
 * Reads all modules below `folder` (`lib/modules/RELEASE`) as depmod(8) does, with the configuration in /etc/depmod.d.
 * A file that is no module becomes a warning. Throws `MODULE_CYCLE` and `MODULES_TOO_MANY`.
 */
export async function readModules(
  tree: Tree,
  folder: string,
  { report, kept }: ModuleReading = {},
): Promise<ReadModules> {
  const release = folder.slice(folder.lastIndexOf('/') + 1);
  const files = findModules(tree, folder, depmodConfig(tree, release, report));
  const top = display(folder);
  const shown = (path: string) => (path.startsWith('/') ? display(path) : `/${top}/${display(path)}`);
  const facts = await loadModules(
    files.map(({ path, file }) => ({ path: shown(path), content: file.content })),
    kept,
  );
  const modules = files.map((file, index): Building => {
    const one = facts[index]!;
    if (one instanceof BuildError) report?.(warning('MODULE_UNREADABLE', { reason: one.message }));
    const { name, path, plain } = file;
    return {
      name,
      path,
      plain,
      file: file.file,
      facts: one instanceof BuildError ? undefined : one,
      index,
      needs: [],
      closure: [],
      users: 0,
      rank: 0,
    };
  });
  const symbols = link(modules);
  rank(modules, folder);
  for (const one of modules) one.closure = closureOf(one);
  return { folder, release, modules, symbols };
}

/** Finds the owner of every symbol and what each module needs. */
function link(modules: readonly Building[]): Symbols {
  const table = new SymbolTable();
  const owners: Building[] = [];
  // of several exporters of a symbol the last counts
  for (const one of modules)
    if (one.facts !== undefined && one.facts.data.exported.hashes.length > 0)
      for (const id of table.add(one.facts.data.exported)) owners[id] = one;
  /** By module: the last one that was seen to need it. */
  const seen = new Int32Array(modules.length).fill(-1);
  for (const one of modules)
    if (one.facts !== undefined)
      table.find(one.facts.data.needed, (id) => {
        const owner = owners[id]!;
        if (seen[owner.index] === one.index) return;
        seen[owner.index] = one.index;
        one.needs.push(owner);
        owner.users++;
      });
  return new Symbols(table, owners);
}

/** Numbers modules so that each comes before what it needs, as depmod does: from those that nobody needs, last first. */
function rank(modules: readonly Building[], folder: string): void {
  const left = modules.map((one) => one.users);
  const ready = modules.filter((one) => one.users === 0);
  let count = 0;
  for (let one = ready.pop(); one !== undefined; one = ready.pop()) {
    one.rank = count++;
    for (const needed of one.needs) if (--left[needed.index]! === 0) ready.push(needed);
  }
  if (count < modules.length)
    throw new BuildError('MODULE_CYCLE', {
      folder: display(folder),
      modules: cycle(modules.filter((one) => left[one.index]! > 0)).map((one) => display(one.name)),
    });
}

/** A circle among modules each of which is needed by another of them. */
function cycle(modules: readonly Building[]): Building[] {
  const among = new Set(modules);
  const user = new Map<Building, Building>();
  for (const one of modules) for (const needed of one.needs) if (among.has(needed)) user.set(needed, one);
  const way: Building[] = [];
  const seen = new Set<Building>();
  let at = modules[0]!;
  while (!seen.has(at)) {
    seen.add(at);
    way.push(at);
    at = user.get(at)!;
  }
  const circle = way.slice(way.indexOf(at)).reverse();
  return [circle[circle.length - 1]!, ...circle];
}

function closureOf(module: Building): Building[] {
  if (module.needs.length === 0) return module.needs;
  const seen = new Set<Building>(module.needs);
  // the set grows while it is walked
  for (const one of seen) for (const needed of one.needs) seen.add(needed);
  return [...seen].sort((a, b) => a.rank - b.rank);
}
