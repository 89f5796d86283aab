import { BuildError } from '../../errors/error.ts';
import { joinUrl, staysBelow } from '../../fetch/mirror/url.ts';
import type { AptPackage } from './package.ts';
import { MARK_ESSENTIAL, MARK_PROTECTED, type PackagesTable } from './packages-table.ts';
import { type Pin, type PinnedList, versionPriority } from './preferences.ts';
import { type Alternatives, parseRelations, type Relation, versionSatisfies } from './relations.ts';
import { compareVersions } from './version.ts';

/** A package list with details of its origin. */
export interface PackageList extends PinnedList {
  readonly table: PackagesTable;
  /** Base URLs that file names are relative to, best first; none: the list contains full URLs. */
  readonly bases: readonly string[];
  /** apt's pin priority. */
  readonly priority: number;
  /** The user named this archive as a file: pins do not apply. */
  readonly named?: boolean;
}

/** The relationships that the resolver respects, in apt's order. */
export type DependencyType = 'Pre-Depends' | 'Depends' | 'Conflicts' | 'Breaks' | 'Recommends' | 'Suggests';

/** One item of a relationship field: alternatives of which one must be present, or (Conflicts, Breaks) none may be. */
export interface Dependency {
  readonly type: DependencyType;
  readonly alternatives: Alternatives;
}

const FIELDS = [
  ['Pre-Depends', 'pre-depends'],
  ['Depends', 'depends'],
  ['Conflicts', 'conflicts'],
  ['Breaks', 'breaks'],
  ['Recommends', 'recommends'],
  ['Suggests', 'suggests'],
] as const;

const NONE: readonly number[] = [];

/**
 * All packages available for one architecture, from any number of lists. A package is represented by a number; its
 * fields are looked up, and become an object only in {@link PackageIndex.package}.
 */
export class PackageIndex {
  /** The guest's architecture, in Debian's terms. */
  readonly architecture: string;
  readonly #lists: readonly PackageList[];
  /** Number of the first package of each list. */
  readonly #bases: number[] = [];
  /** Names that were looked up. */
  readonly #versions = new Map<string, readonly number[]>();
  /** Further lists that contain the same archive: their packages by the number of the one that represents them. */
  readonly #twins = new Map<number, number[]>();
  readonly #providers = new Map<string, readonly { readonly id: number; readonly version: string }[]>();
  readonly #dependencies = new Map<number, readonly Dependency[]>();
  readonly #satisfiers = new WeakMap<Relation, readonly number[]>();
  readonly #mentions = new Map<string, number>();
  readonly #pins: readonly Pin[];

  /**
   * Lists in the user's order: where two differ and neither is preferred, the first applies. `pins` are the user's
   * preferences; those in the general form apply to lists that have no pinned priority yet.
   */
  constructor(architecture: string, lists: readonly PackageList[], pins: readonly Pin[] = []) {
    this.architecture = architecture;
    this.#pins = pins;
    this.#lists = lists;
    let base = 0;
    for (const { table } of lists) {
      this.#bases.push(base);
      base += table.count;
    }
  }

  /** Names of packages whose marks `fits` accepts in some list, in the lists' order. */
  namesMarked(fits: (marks: number) => boolean): string[] {
    const names = new Set<string>();
    for (const { table } of this.#lists)
      for (let row = 0; row < table.count; row++) if (fits(table.marks(row))) names.add(table.name(row));
    return [...names];
  }

  /** Packages of that name, newest first. */
  versions(name: string): readonly number[] {
    let ids = this.#versions.get(name);
    if (ids === undefined) {
      ids = this.#collect(name);
      this.#versions.set(name, ids);
    }
    return ids;
  }

  #collect(name: string): readonly number[] {
    const ids: number[] = [];
    for (const [list, { table }] of this.#lists.entries())
      for (const row of table.rowsOf(name)) {
        const architecture = table.fact(row, 'architecture');
        if (architecture === this.architecture || architecture === 'all') this.#merge(ids, this.#bases[list]! + row);
      }
    return ids.length < 2 ? ids : ids.sort((a, b) => compareVersions(this.version(b), this.version(a)) || a - b);
  }

  /** Adds a package to those of its name, unless it is one of them or another of its version takes precedence. */
  #merge(ids: number[], id: number): void {
    const version = this.version(id);
    const same = ids.findIndex((other) => this.version(other) === version);
    const other = ids[same];
    if (other === undefined) {
      ids.push(id);
      return;
    }
    const digest = this.digest(id);
    if (digest !== '' && digest === this.digest(other)) {
      const twins = this.#twins.get(other);
      if (twins) twins.push(id);
      else this.#twins.set(other, [id]);
    } else if (this.#listPin(id) > this.#listPin(other)) ids[same] = id;
  }

  /** Packages that provide the name, with the version they provide it in (empty: none). */
  providers(name: string): readonly { readonly id: number; readonly version: string }[] {
    let providers = this.#providers.get(name);
    if (providers === undefined) {
      providers = this.#collectProviders(name);
      this.#providers.set(name, providers);
    }
    return providers;
  }

  #collectProviders(name: string): { id: number; version: string }[] {
    const found: { id: number; version: string }[] = [];
    for (const [list, { table }] of this.#lists.entries())
      for (const row of new Set(table.rowsProviding(name))) {
        const id = this.#bases[list]! + row;
        if (!this.versions(table.name(row)).includes(id)) continue;
        for (const [relation] of parseRelations(table.relation(row, 'provides')))
          if (relation!.name === name) found.push({ id, version: relation!.version });
      }
    return found;
  }

  #place(id: number): { readonly list: PackageList; readonly row: number } {
    let list = this.#bases.length - 1;
    while (list > 0 && this.#bases[list]! > id) list--;
    return { list: this.#lists[list]!, row: id - this.#bases[list]! };
  }

  name(id: number): string {
    const { list, row } = this.#place(id);
    return list.table.name(row);
  }

  version(id: number): string {
    return this.fact(id, 'version');
  }

  fact(id: number, field: Parameters<PackagesTable['fact']>[1]): string {
    const { list, row } = this.#place(id);
    return list.table.fact(row, field);
  }

  relation(id: number, field: Parameters<PackagesTable['relation']>[1]): string {
    const { list, row } = this.#place(id);
    return list.table.relation(row, field);
  }

  digest(id: number): string {
    const { list, row } = this.#place(id);
    return list.table.digest(row) || list.table.sha512(row);
  }

  /** apt's pin priority: a pin of this version, else the highest of the lists that contain this archive. */
  pin(id: number): number {
    if (this.#pins.length > 0) {
      const ids = [id, ...(this.#twins.get(id) ?? NONE)];
      const own = versionPriority(this.#pins, {
        name: this.name(id),
        version: this.version(id),
        source: this.source(id).split('=', 1)[0]!,
        lists: ids.map((one) => this.#place(one).list),
      });
      if (own !== undefined && !ids.some((one) => this.#place(one).list.named)) return own;
    }
    let pin = this.#listPin(id);
    for (const twin of this.#twins.get(id) ?? NONE) pin = Math.max(pin, this.#listPin(twin));
    return pin;
  }

  #listPin(id: number): number {
    return this.#place(id).list.priority;
  }

  /** True when the package is part of the suite of that name or codename. */
  inSuite(id: number, suite: string): boolean {
    return [id, ...(this.#twins.get(id) ?? NONE)].some((one) => {
      const { list } = this.#place(one);
      return list.suite === suite || list.codename === suite;
    });
  }

  #marks(id: number): number {
    const { list, row } = this.#place(id);
    return list.table.marks(row);
  }

  essential(id: number): boolean {
    return (this.#marks(id) & MARK_ESSENTIAL) !== 0;
  }

  /** `Protected: yes`, or the older `Important: yes`. */
  protected(id: number): boolean {
    return (this.#marks(id) & MARK_PROTECTED) !== 0;
  }

  /** 1 for required to 5 for extra; 0 for an unknown priority. */
  priority(id: number): number {
    return this.#marks(id) & 7;
  }

  /** Source package and its version in one word; the version defaults to the package's own. */
  source(id: number): string {
    const field = this.fact(id, 'source');
    const match = /^(\S+)\s*\(([^)]*)\)/.exec(field);
    if (match !== null) return `${match[1]}=${match[2]}`;
    return `${field === '' ? this.name(id) : field}=${this.version(id)}`;
  }

  multiArch(id: number): AptPackage['multiArch'] {
    const value = this.fact(id, 'multi-arch').toLowerCase();
    return value === 'same' || value === 'foreign' || value === 'allowed' ? value : 'no';
  }

  /** Relationships of a package in apt's order. */
  dependencies(id: number): readonly Dependency[] {
    let dependencies = this.#dependencies.get(id);
    if (dependencies === undefined) {
      dependencies = FIELDS.flatMap(([type, field]) =>
        parseRelations(this.relation(id, field)).map((alternatives) => ({ type, alternatives })),
      );
      this.#dependencies.set(id, dependencies);
    }
    return dependencies;
  }

  /** Packages that satisfy the relation: those of that name, newest first, then those that provide it. */
  satisfiers(relation: Relation): readonly number[] {
    let found = this.#satisfiers.get(relation);
    if (found === undefined) {
      found = this.#findSatisfiers(relation);
      this.#satisfiers.set(relation, found);
    }
    return found;
  }

  #findSatisfiers(relation: Relation): readonly number[] {
    const { name, qualifier, comparison } = relation;
    const any = qualifier === 'any';
    if (!any && qualifier !== undefined && qualifier !== 'native' && qualifier !== this.architecture) return NONE;
    const found = this.versions(name).filter(
      // only a package that allows it may satisfy another architecture's `name:any`; apt requires it of its own too
      (id) => versionSatisfies(this.version(id), relation) && (!any || this.multiArch(id) === 'allowed'),
    );
    for (const { id, version } of this.providers(name)) {
      if (any && this.multiArch(id) !== 'allowed') continue;
      // an unversioned Provides never satisfies a versioned relationship (policy 7.5)
      if (comparison !== undefined && (version === '' || !versionSatisfies(version, relation))) continue;
      if (!found.includes(id)) found.push(id);
    }
    return found;
  }

  /** A number that follows the order in which apt first sees the names, its last tie-breaker among equal providers. */
  mention(name: string): number {
    let mention = this.#mentions.get(name);
    if (mention === undefined) {
      mention = Number.POSITIVE_INFINITY;
      for (const [list, { table }] of this.#lists.entries()) {
        const [row] = table.rowsOf(name);
        const at = row === undefined ? table.findMention(name) : table.mention(row);
        if (at !== Number.POSITIVE_INFINITY) {
          mention = list * 2 ** 40 + at;
          break;
        }
      }
      this.#mentions.set(name, mention);
    }
    return mention;
  }

  /** All fields of a package, including its archive's URLs on every mirror. */
  package(id: number): AptPackage {
    const { list, row } = this.#place(id);
    const { table } = list;
    const version = table.fact(row, 'version');
    const name = table.name(row);
    const urls: string[] = [];
    for (const one of [id, ...(this.#twins.get(id) ?? NONE)])
      for (const url of this.#urls(one)) if (!urls.includes(url)) urls.push(url);
    return {
      name,
      version,
      architecture: table.fact(row, 'architecture'),
      size: Number(table.fact(row, 'size')) || 0,
      sha256: table.digest(row),
      sha512: table.sha512(row),
      archive: list.bases[0] ?? list.origin,
      urls,
      // "Source: glibc (2.36-9)": the version defaults to the package's own
      source: table.fact(row, 'source').replace(/\s*\(.*$/, '') || name,
      essential: this.essential(id),
      protected: this.protected(id),
      priority: table.fact(row, 'priority'),
      section: table.fact(row, 'section'),
      multiArch: this.multiArch(id),
      installedSize: Number(table.fact(row, 'installed-size')) || 0,
      depends: table.relation(row, 'depends'),
      preDepends: table.relation(row, 'pre-depends'),
      recommends: table.relation(row, 'recommends'),
      suggests: table.relation(row, 'suggests'),
      conflicts: table.relation(row, 'conflicts'),
      breaks: table.relation(row, 'breaks'),
      replaces: table.relation(row, 'replaces'),
      provides: table.relation(row, 'provides'),
      suite: list.suite,
      codename: list.codename,
      pin: this.pin(id),
    };
  }

  #urls(id: number): string[] {
    const { list, row } = this.#place(id);
    const filename = Buffer.from(list.table.fact(row, 'filename'), 'latin1').toString('utf8');
    if (filename === '') return [];
    if (list.bases.length === 0) return [filename];
    const path = filename.replace(/^(?:\.\/)+/, '');
    // a list must not refer outside its own archive
    if (path.startsWith('/') || !staysBelow(path))
      throw new BuildError('PACKAGES_SYNTAX', {
        file: `the list of ${list.suite}`,
        entry: row + 1,
        fault: `"${filename}" leads out of the archive`,
      });
    return list.bases.map((base) => joinUrl(base, path, 'Filename'));
  }
}
