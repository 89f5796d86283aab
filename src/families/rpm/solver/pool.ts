import { architectureColour, architectureScores } from './architecture.ts';
import { Numbers } from './numbers.ts';
import { AND, ELSE, IF, OR, UNLESS, WITH, WITHOUT } from './operators.ts';
import { type KeptRelations, Relations } from './relations.ts';
import {
  EQUAL,
  GREATER,
  KINDS,
  type Kind,
  LESS,
  type Lists,
  type PoolOptions,
  type SolverRepository,
} from './types.ts';

/** Offset of the empty list. */
export const NONE = 1;
/** Offset of the list that holds only `SYSTEM`. */
const SYSTEM_LIST = 2;
/** The package that stands for the system itself and is always installed: it provides `rpmlib(…)`. */
export const SYSTEM = 1;
/** Number of the first real package. */
export const FIRST = 2;

/** Options of the solver alone, for comparing it with libsolv; dnf has them as they are when left out. */
export interface EngineOptions {
  /** False: architectures do not live side by side. */
  readonly coloured?: boolean;
  /** True: repositories are numbered as they are given. */
  readonly keepOrder?: boolean;
}

/** A pool that was made of the same tables in the same order, for the same options, before. */
export interface KeptPool {
  readonly relations: KeptRelations;
  /** By package. */
  readonly name: Int32Array;
  readonly evr: Int32Array;
  readonly arch: Int32Array;
  readonly dependencies: { readonly [K in Kind]: Lists };
  /** Lists of providers. */
  readonly data: Int32Array;
  /** By number of a text: where the list of its providers is. */
  readonly offsets: Int32Array;
  readonly provided: Int32Array;
}

/**
 * All packages of all repositories under one numbering, in the order of repositories and rows, with an index of what they
 * provide. The index of names is made at once; that of other dependencies grows as they are asked for.
 */
export class Pool {
  /** In the order in which dnf loads them: better priorities first, then lower costs. */
  readonly repositories: readonly SolverRepository[];
  /** For each of `repositories` its place in the list that was given. */
  readonly given: readonly number[];
  readonly relations: Relations;
  /** One above the last package's number. */
  readonly size: number;
  readonly name: Int32Array;
  readonly evr: Int32Array;
  readonly arch: Int32Array;
  readonly repository: Int32Array;
  /** By package: 0 when its architecture does not run here; see architecture.ts. 0 for all when there is no policy. */
  readonly score: Int32Array;
  readonly colour: Uint8Array;
  /** By package: 0 when it must not be installed. */
  readonly installable: Uint8Array;
  /** By kind: dependencies of package `i` are `items[starts[i]]` up to before `items[starts[i + 1]]`. */
  readonly dependencies: { readonly [K in Kind]: Lists };
  /** As given; empty when everything runs. */
  readonly architecture: string;
  /** True when architectures of different colours live side by side. dnf wants it so. */
  readonly coloured: boolean;
  /**
   * Lists of packages, sorted and ended by 0: providers, and literals of rules. Read it again after anything that may
   * have added to it.
   */
  data: Int32Array;
  private readonly lists: Numbers;
  private readonly nameOffsets: Int32Array;
  private readonly relationOffsets = new Numbers(1024);
  /** Beside each provider of a name: the one dependency by which it provides it, or 0 when there are several. */
  private readonly provided: Int32Array;
  private readonly firstPackage: number[] = [];

  /** Throws nothing: what cannot be read in a package makes that package impossible to install. */
  constructor(
    repositories: readonly SolverRepository[],
    options: Partial<PoolOptions> & EngineOptions,
    kept?: KeptPool,
  ) {
    this.given = repositories.map((_, i) => i);
    if (options.keepOrder !== true)
      this.given = this.given.toSorted((a, b) => {
        const x = repositories[a]!;
        const y = repositories[b]!;
        return x.priority - y.priority || x.cost - y.cost || a - b;
      });
    repositories = this.given.map((i) => repositories[i]!);
    this.repositories = repositories;
    const tables = repositories.map(({ packages }) => packages);
    this.relations = new Relations(tables, kept?.relations);
    let size = FIRST;
    for (const { packages } of repositories) {
      this.firstPackage.push(size);
      size += packages.name.length;
    }
    this.size = size;
    this.name = kept?.name ?? new Int32Array(size);
    this.evr = kept?.evr ?? new Int32Array(size);
    this.arch = kept?.arch ?? new Int32Array(size);
    this.repository = new Int32Array(size).fill(-1);
    this.score = new Int32Array(size);
    this.colour = new Uint8Array(size);
    this.installable = new Uint8Array(size);
    this.architecture = options.architecture ?? '';
    this.coloured = options.coloured ?? true;
    this.firstPackage.forEach((from, i) => {
      this.repository.fill(i, from, from + tables[i]!.name.length);
    });
    this.dependencies = kept?.dependencies ?? this.load();
    this.rateArchitectures(options.architecture);
    this.lists = kept === undefined ? new Numbers(1 << 16) : Numbers.of(kept.data);
    const { offsets, provided } = kept ?? this.indexNames();
    this.nameOffsets = offsets;
    this.provided = provided;
    this.data = this.lists.array;
    this.exclude();
  }

  /** What can be kept in a file, and given back to the constructor: before anything was asked of the pool. */
  parts(): KeptPool {
    const { name, evr, arch, dependencies, nameOffsets, provided } = this;
    return {
      ...{ relations: this.relations.parts(), name, evr, arch, dependencies },
      ...{ data: this.lists.finish(), offsets: nameOffsets, provided },
    };
  }

  /** Takes the packages of all tables into one numbering. */
  private load(): Record<Kind, Lists> {
    const { canonical, firstText, dependencies } = this.relations;
    this.repositories.forEach(({ packages }, repository) => {
      const from = this.firstPackage[repository]!;
      const base = firstText[repository]!;
      const { name, evr, arch } = packages;
      for (let row = 0; row < name.length; row++) {
        this.name[from + row] = canonical[base + name[row]!]!;
        this.evr[from + row] = canonical[base + evr[row]!]!;
        this.arch[from + row] = canonical[base + arch[row]!]!;
      }
    });
    const lists = {} as Record<Kind, Lists>;
    for (const kind of KINDS) {
      let total = 0;
      for (const { packages } of this.repositories) total += packages.dependencies[kind].items.length;
      const starts = new Int32Array(this.size + 1);
      const items = new Int32Array(total);
      let at = 0;
      this.repositories.forEach(({ packages }, repository) => {
        const own = packages.dependencies[kind];
        const map = dependencies[repository]!;
        const from = this.firstPackage[repository]!;
        for (let row = 0; row < packages.name.length; row++) starts[from + row] = at + own.starts[row]!;
        for (let i = 0; i < own.items.length; i++) items[at + i] = map[own.items[i]!]!;
        at += own.items.length;
      });
      starts[this.size] = at;
      lists[kind] = { starts, items };
    }
    return lists;
  }

  private rateArchitectures(architecture: string | undefined): void {
    const scores = architecture === undefined ? undefined : architectureScores(architecture);
    const known = new Map<number, { readonly score: number; readonly colour: number; readonly source: boolean }>();
    for (let id = FIRST; id < this.size; id++) {
      let found = known.get(this.arch[id]!);
      if (found === undefined) {
        const text = this.relations.texts.get(this.arch[id]!);
        found = {
          score: scores?.get(text) ?? 0,
          // without a policy everything goes with everything
          colour: scores === undefined ? 3 : architectureColour(text),
          source: text === 'src' || text === 'nosrc',
        };
        known.set(this.arch[id]!, found);
      }
      this.score[id] = found.score;
      this.colour[id] = found.colour;
      this.installable[id] = !found.source && (scores === undefined || found.score > 0) ? 1 : 0;
    }
  }

  /** Index of providers by name, and by those paths that some dependency names. */
  private indexNames(): { offsets: Int32Array; provided: Int32Array } {
    const { relations, lists } = this;
    const count = relations.texts.length;
    const counts = new Int32Array(count);
    const last = new Int32Array(count);
    const wanted = this.namesOfDependencies();
    this.eachProvided(wanted, (name, id) => {
      if (last[name] === id) return;
      last[name] = id;
      counts[name]!++;
    });
    lists.push(0);
    lists.push(0);
    lists.push(SYSTEM);
    lists.push(0);
    let total = lists.length;
    const offsets = new Int32Array(count).fill(NONE);
    for (let name = 1; name < count; name++)
      if (counts[name]! > 0) {
        offsets[name] = total;
        total += counts[name]! + 1;
      }
    lists.reserve(total);
    lists.length = total;
    const provided = new Int32Array(total);
    const ends = offsets.slice();
    last.fill(0);
    this.eachProvided(wanted, (name, id, dependency) => {
      if (last[name] === id) {
        provided[ends[name]! - 1] = 0;
        return;
      }
      last[name] = id;
      provided[ends[name]!] = dependency;
      lists.array[ends[name]!++] = id;
    });
    return { offsets, provided };
  }

  /** Takes out what must not be installed. It still provides what it provides. */
  private exclude(): void {
    this.repositories.forEach(({ excluded, packages }, repository) => {
      if (excluded === undefined) return;
      const from = this.firstPackage[repository]!;
      for (let row = 0; row < packages.name.length; row++) if (excluded(row)) this.installable[from + row] = 0;
    });
  }

  /** By number of a text: 1 when some dependency is about that name, or path. */
  private namesOfDependencies(): Uint8Array {
    const { relations } = this;
    const found = new Uint8Array(relations.texts.length);
    for (let relation = 1; relation < relations.count; relation++) {
      const name = relations.name(-relation);
      if (name > 0) found[name] = 1;
      // the second operand of a comparison is a version
      const operand = relations.operator(-relation) < 8 ? 0 : relations.operand(-relation);
      if (operand > 0) found[operand] = 1;
    }
    for (const map of relations.dependencies) for (const dependency of map) if (dependency > 0) found[dependency] = 1;
    return found;
  }

  /** Calls with name, package and dependency for all that is provided by packages that can run here, in their order. */
  private eachProvided(wanted: Uint8Array, take: (name: number, id: number, dependency: number) => void): void {
    const { relations } = this;
    const { starts, items } = this.dependencies.provides;
    this.repositories.forEach(({ packages: { files, name } }, repository) => {
      const base = relations.firstText[repository]!;
      for (let row = 0; row < name.length; row++) {
        const id = this.firstPackage[repository]! + row;
        if (this.installable[id] === 0) continue;
        for (let at = starts[id]!; at < starts[id + 1]!; at++) {
          const dependency = items[at]!;
          take(dependency > 0 ? dependency : relations.plainName(dependency), id, dependency);
        }
        for (let at = files.starts[row]!; at < files.starts[row + 1]!; at++) {
          const path = relations.canonical[base + files.items[at]!]!;
          if (wanted[path]) take(path, id, path);
        }
      }
    });
  }

  /** Number of the first package of a repository. */
  first(repository: number): number {
    return this.firstPackage[repository]!;
  }

  /** Number of a package in the table of its repository. */
  row(id: number): number {
    return id - this.firstPackage[this.repository[id]!]!;
  }

  /** `name-evr.arch`, for people. */
  show(id: number): string {
    const { texts } = this.relations;
    return `${texts.get(this.name[id]!)}-${texts.get(this.evr[id]!)}.${texts.get(this.arch[id]!)}`;
  }

  /** Keeps a list for rules and returns its offset. */
  keep(list: readonly number[], from = 0): number {
    if (list.length === from) return NONE;
    const offset = this.lists.length;
    for (let i = from; i < list.length; i++) this.lists.push(list[i]!);
    this.lists.push(0);
    this.data = this.lists.array;
    return offset;
  }

  /** Offset in `data` of the packages that provide a dependency. */
  whatProvides(dependency: number): number {
    if (dependency >= 0) return dependency < this.nameOffsets.length ? this.nameOffsets[dependency]! : NONE;
    while (this.relationOffsets.length <= -dependency) this.relationOffsets.push(0);
    let offset = this.relationOffsets.array[-dependency]!;
    if (offset === 0) {
      offset = this.findProviders(dependency);
      while (this.relationOffsets.length <= -dependency) this.relationOffsets.push(0);
      this.relationOffsets.array[-dependency] = offset;
    }
    return offset;
  }

  /** The packages that provide a dependency, as a list of its own. */
  providers(dependency: number): number[] {
    const found: number[] = [];
    for (let at = this.whatProvides(dependency); this.data[at] !== 0; at++) found.push(this.data[at]!);
    return found;
  }

  private findProviders(dependency: number): number {
    const { relations } = this;
    const operator = relations.operator(dependency);
    if (operator < 8) return this.findVersions(dependency);
    const first = this.providers(relations.name(dependency));
    let second = relations.operand(dependency);
    if (operator === WITH || operator === WITHOUT) {
      const others = new Set(this.providers(second));
      return this.keep(first.filter((id) => others.has(id) === (operator === WITH)));
    }
    if (operator === ELSE) return NONE;
    // the best case: these are packages that may satisfy it
    if (operator === IF || operator === UNLESS)
      second = second < 0 && relations.operator(second) === ELSE ? relations.operand(second) : 0;
    if (operator !== AND && operator !== OR && second === 0) return this.keep(first);
    const all = new Set([...first, ...this.providers(second)]);
    return this.keep([...all].sort((a, b) => a - b));
  }

  private findVersions(dependency: number): number {
    const { relations } = this;
    const name = relations.plainName(dependency);
    const operator = relations.operator(dependency);
    const evr = relations.operand(dependency);
    const { starts, items } = this.dependencies.provides;
    const matches = (provided: number) => {
      if (provided >= 0) return provided === name;
      return (
        relations.name(provided) === name &&
        relations.overlaps(relations.operator(provided), relations.operand(provided), operator, evr)
      );
    };
    const found: number[] = [];
    for (let at = this.whatProvides(name); this.data[at] !== 0; at++) {
      const id = this.data[at]!;
      const single = this.provided[at]!;
      if (single !== 0) {
        if (matches(single)) found.push(id);
        continue;
      }
      for (let i = starts[id]!; i < starts[id + 1]!; i++)
        if (matches(items[i]!)) {
          found.push(id);
          break;
        }
    }
    if (found.length === 0 && relations.texts.get(name).startsWith('rpmlib(')) return SYSTEM_LIST;
    return this.keep(found);
  }

  /** True when a package itself, by its name and version, is what a dependency says: what obsoletes look at. */
  isNamed(id: number, dependency: number): boolean {
    if (dependency >= 0) return this.name[id] === dependency;
    const { relations } = this;
    const operator = relations.operator(dependency);
    const operand = relations.operand(dependency);
    if (operator >= 8) {
      const first = this.isNamed(id, relations.name(dependency));
      if (operator === OR) return first || this.isNamed(id, operand);
      if (operator === AND || operator === WITH) return first && this.isNamed(id, operand);
      return operator === WITHOUT && first && !this.isNamed(id, operand);
    }
    if (!this.isNamed(id, relations.name(dependency)) || operator === 0) return false;
    if (operator === 7) return true;
    switch (relations.matchEvr(this.evr[id]!, operand)) {
      case -2:
        return true;
      case -1:
        return (operator & LESS) !== 0;
      case 1:
        return (operator & GREATER) !== 0;
      default:
        return (operator & EQUAL) !== 0;
    }
  }

  /** False for a package of another architecture. */
  runs(id: number): boolean {
    return this.score[id]! > 0 || this.architecture === '';
  }

  /** True unless two packages are of architectures that live side by side. */
  sharesColour(a: number, b: number): boolean {
    return !this.coloured || this.arch[a] === this.arch[b] || (this.colour[a]! & this.colour[b]!) !== 0;
  }

  /** The packages that have a path, from the tables' lists of files. */
  havingFile(path: string): number[] {
    const found: number[] = [];
    this.repositories.forEach(({ packages: { texts, files, name } }, repository) => {
      const wanted = texts.toArray().indexOf(path);
      if (wanted < 0) return;
      for (let row = 0; row < name.length; row++)
        for (let at = files.starts[row]!; at < files.starts[row + 1]!; at++)
          if (files.items[at] === wanted) {
            const id = this.firstPackage[repository]! + row;
            if (this.installable[id]) found.push(id);
            break;
          }
    });
    return found;
  }
}
