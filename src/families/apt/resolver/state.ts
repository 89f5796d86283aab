import { BuildError } from '../../../errors/error.ts';
import type { Dependency, PackageIndex } from '../packages-index.ts';
import type { Relation } from '../relations.ts';

/** No package. */
export const NONE = -1;

/** The intended action for a package: leave it, install its candidate, remove it. */
export type Mode = 'keep' | 'install' | 'delete';

/** A package name and its intended state. */
export interface Node {
  readonly name: string;
  /** The installed version; {@link NONE} in an empty tree. */
  readonly current: number;
  /** The version that would be installed; {@link NONE}: none, or it was found impossible. */
  candidate: number;
  /** The version that will be installed in the end. */
  install: number;
  mode: Mode;
  /** Only the user changes its mode. */
  fixed: boolean;
  /** Installed as a dependency; false for a requested package. */
  auto: boolean;
  /** Why the last attempt to install it failed. */
  failure: Failure | undefined;
}

/** Why a package could not be installed. */
export type Failure =
  | { readonly kind: 'dependency'; readonly dependency: Dependency }
  | { readonly kind: 'conflict'; readonly dependency: Dependency; readonly other: number };

/** Deepest accepted chain of dependencies; real ones stay below 100, and every supported Node's stack can hold this. */
const DEPTH_LIMIT = 400;

/** Which versions a search considers: candidates, installed ones, or both. */
type Selection = 'candidate' | 'current' | 'both';

export interface StateOptions {
  readonly recommends: boolean;
  readonly suggests: boolean;
  /** Names preferred where alternatives or providers leave a choice. */
  readonly prefer: readonly string[];
  /** Names that count as Essential although their lists do not mark them. */
  readonly essential: readonly string[];
}

/**
 * The state of every package, changed by marking one after the other as apt's dependency cache does it: a
 * package pulls in its dependencies, depth first and in the order of its fields, and gives up what conflicts with it.
 * Behaves like apt 2.6 (apt-pkg/depcache); code and wording are original.
 */
export class State {
  readonly index: PackageIndex;
  readonly options: StateOptions;
  readonly #nodes = new Map<string, Node>();
  readonly #ofId = new Map<number, Node>();
  readonly #currents: ReadonlyMap<string, number>;

  /** `currents`: installed versions, by name. */
  constructor(index: PackageIndex, options: StateOptions, currents: ReadonlyMap<string, number> = new Map()) {
    this.index = index;
    this.options = options;
    this.#currents = currents;
    for (const name of currents.keys()) this.node(name);
  }

  /** Every name that was looked up so far, in that order. */
  nodes(): IterableIterator<Node> {
    return this.#nodes.values();
  }

  node(name: string): Node {
    let node = this.#nodes.get(name);
    if (node === undefined) {
      const current = this.#currents.get(name) ?? NONE;
      const candidate = this.#candidate(name, current);
      node = {
        name,
        current,
        candidate,
        install: current,
        mode: 'keep',
        fixed: false,
        auto: false,
        failure: undefined,
      };
      this.#nodes.set(name, node);
    }
    return node;
  }

  nodeOf(id: number): Node {
    let node = this.#ofId.get(id);
    if (node === undefined) {
      node = this.node(this.index.name(id));
      this.#ofId.set(id, node);
    }
    return node;
  }

  /** The highest pin wins, then the highest version; a negative or zero pin excludes a version. */
  #candidate(name: string, current: number): number {
    let best = NONE;
    let bestPin = 0;
    for (const id of this.index.versions(name)) {
      const pin = this.index.pin(id);
      if (pin <= bestPin) continue;
      // below 1000 nothing is ever downgraded: versions come newest first, so the installed one ends the search
      best = id;
      bestPin = pin;
      if (id === current && pin < 1000) break;
    }
    return best === NONE ? current : best;
  }

  essential(node: Node): boolean {
    if (this.options.essential.includes(node.name)) return true;
    const id = node.candidate !== NONE ? node.candidate : node.install;
    return id !== NONE && this.index.essential(id);
  }

  /** True for relationships that must hold, and for Recommends and Suggests when enabled. */
  important(dependency: Dependency): boolean {
    if (dependency.type === 'Recommends') return this.options.recommends;
    if (dependency.type === 'Suggests') return this.options.suggests;
    return true;
  }

  /** True when the dependency of `owner` holds among the versions that will be installed. */
  holds(owner: Node, dependency: Dependency): boolean {
    const excludes = negative(dependency);
    for (const relation of dependency.alternatives)
      for (const id of this.index.satisfiers(relation)) {
        const node = this.nodeOf(id);
        if (node.install !== id || (excludes && node === owner)) continue;
        return !excludes;
      }
    return excludes;
  }

  /** True when the package will be installed and a dependency is missing, or a conflicting package is present. */
  broken(node: Node): boolean {
    return this.#fails(node, critical);
  }

  #policyBroken(node: Node): boolean {
    return this.#fails(node, (dependency) => this.important(dependency));
  }

  #fails(node: Node, matters: (dependency: Dependency) => boolean): boolean {
    if (node.install === NONE) return false;
    return this.index.dependencies(node.install).some((one) => matters(one) && !this.holds(node, one));
  }

  /** Fixes a node in its current state. */
  fix(node: Node): void {
    node.fixed = true;
  }

  /** Makes `id` the candidate. */
  setCandidate(node: Node, id: number): void {
    if (node.candidate === node.install && node.mode === 'install') node.install = id;
    node.candidate = id;
  }

  #mayChange(node: Node, mode: Mode, byUser: boolean): boolean {
    if (byUser || node.mode === mode) return true;
    if (node.fixed) return false;
    if (mode !== 'delete') return true;
    const id = node.candidate !== NONE ? node.candidate : node.install;
    return !this.essential(node) && !(id !== NONE && this.index.protected(id));
  }

  markKeep(node: Node, byUser = false): boolean {
    if (!this.#mayChange(node, 'keep', byUser)) return false;
    if (node.mode === 'keep') return true;
    node.mode = 'keep';
    node.install = node.current;
    return true;
  }

  markDelete(node: Node, byUser = false): boolean {
    if (!this.#mayChange(node, 'delete', byUser)) return false;
    if (node.mode === 'delete' || node.install === NONE) return true;
    if (!this.#mayDelete(node, byUser)) return false;
    node.mode = node.current === NONE ? 'keep' : 'delete';
    node.install = NONE;
    return true;
  }

  #mayDelete(node: Node, byUser: boolean): boolean {
    return byUser || node.current !== NONE || node.install === NONE || node.auto;
  }

  /**
   * Decides to install a package, and with `follow` all its dependencies. False on failure; what the user requested
   * stays marked anyway, anything else is reverted.
   */
  markInstall(node: Node, follow: boolean, byUser = false, depth = 0): boolean {
    if (depth > DEPTH_LIMIT) throw new BuildError('DEPENDENCIES_TOO_DEEP', { package: node.name, depth: DEPTH_LIMIT });
    const upToDate = node.candidate !== NONE && node.candidate === node.current;
    if (!(node.fixed && node.mode === 'keep' && upToDate) && !this.#mayChange(node, 'install', byUser)) return false;
    if (node.candidate === NONE) return false;
    if (!node.fixed && !this.#policyBroken(node)) {
      if (upToDate) return node.install === NONE ? this.markKeep(node, byUser) : true;
      if (node.mode === 'install') return true;
    }
    if (follow && !upToDate && !this.#satisfiable(node)) return false;
    if (byUser) this.#setInstall(node, byUser);

    const { candidate } = node;
    const early = !node.fixed && !byUser;
    const required: Dependency[] = [];
    const upgrades: Node[] = [];
    const removals: Node[] = [];
    let failed = false;
    if (follow) {
      const forbidden: Dependency[] = [];
      for (const dependency of this.index.dependencies(candidate)) {
        if (!this.important(dependency) || (!node.fixed && this.holds(node, dependency))) continue;
        (negative(dependency) ? forbidden : required).push(dependency);
      }
      if (!this.#yield(node, forbidden, byUser, upgrades, removals)) {
        if (early) return false;
        failed = true;
      }
    }
    if (!byUser) this.#setInstall(node, byUser);
    if (!follow) return !failed;
    this.#upgradeSiblings(node, depth);

    // what is being installed stays so while its dependencies are resolved
    const spread = node.fixed;
    node.fixed = true;
    if (!this.#upgradeOrRemove(upgrades, spread, byUser, depth)) failed = true;
    if (!(failed && early) && !this.#installDependencies(node, required, spread, byUser, depth)) failed = true;
    if (!(failed && early)) for (const other of removals) if (!this.markDelete(other)) failed = true;
    node.fixed = spread;
    if (failed && early) this.#discardInstall(node);
    return !failed;
  }

  /** Upgrades installed packages of the same source to its version together: they often only work that way. */
  #upgradeSiblings(node: Node, depth: number): void {
    if (this.#currents.size === 0) return;
    const source = this.index.source(node.candidate);
    const siblings: Node[] = [];
    for (const name of this.#currents.keys()) {
      const other = this.node(name);
      if (other === node || other.candidate === NONE || other.candidate === other.current) continue;
      if (other.mode === 'keep' && this.index.source(other.candidate) === source) siblings.push(other);
    }
    for (const follow of [false, true]) for (const other of siblings) this.markInstall(other, follow, false, depth + 1);
  }

  #setInstall(node: Node, byUser: boolean): void {
    if (node.fixed && node.install === node.candidate && node.install !== NONE) return;
    node.mode = node.candidate === node.current ? 'keep' : 'install';
    node.install = node.candidate;
    if (byUser) node.auto = false;
    else if (node.current === NONE) node.auto = true;
  }

  #discardInstall(node: Node): void {
    if (node.mode === 'keep' && node.install === node.candidate && node.candidate === node.current) return;
    node.install = node.current;
    node.mode = 'keep';
    node.candidate = node.install;
  }

  /** False when no candidate can satisfy a dependency: then the node's own candidate is given up. */
  #satisfiable(node: Node): boolean {
    for (const dependency of this.index.dependencies(node.candidate)) {
      if (dependency.type !== 'Depends' && dependency.type !== 'Pre-Depends') continue;
      const possible = dependency.alternatives.some((relation) =>
        this.index.satisfiers(relation).some((id) => {
          const other = this.nodeOf(id);
          return other.install === id || other.candidate === id;
        }),
      );
      if (possible) continue;
      node.failure = { kind: 'dependency', dependency };
      if (!node.fixed) {
        node.candidate = node.current;
        if (node.mode !== 'delete') {
          node.mode = 'keep';
          node.install = node.current;
        }
      }
      return false;
    }
    return true;
  }

  /** Gives up, or prepares to, what the dependencies forbid. */
  #yield(node: Node, forbidden: readonly Dependency[], byUser: boolean, upgrades: Node[], removals: Node[]): boolean {
    let failed = false;
    const insist = node.fixed || byUser;
    const bad = new Set<Node>();
    const fail = (dependency: Dependency, other: number) => {
      failed = true;
      node.failure = { kind: 'conflict', dependency, other };
    };
    for (const dependency of forbidden) {
      for (const id of this.solutions(node, dependency, 'candidate')) {
        const other = this.nodeOf(id);
        if (other.candidate !== id) continue;
        if (other.current !== id) {
          if (other.mode === 'install' && !this.markKeep(other)) {
            fail(dependency, id);
            if (!insist) break;
          } else if (node.fixed) {
            other.failure = { kind: 'conflict', dependency, other: node.candidate };
            other.candidate = other.install;
            if (other.current === NONE) this.fix(other);
          } else bad.add(other);
        } else if (!this.#removeLater(node, other, removals)) {
          fail(dependency, id);
          if (!insist) break;
        }
      }
      if (failed && !insist) break;
      for (const id of this.solutions(node, dependency, 'current')) {
        const other = this.nodeOf(id);
        if (other.candidate !== id && other.candidate !== NONE && !bad.has(other)) upgrades.push(other);
        else if (other.candidate !== other.current && !this.#removeLater(node, other, removals)) {
          fail(dependency, id);
          if (!insist) break;
        }
      }
      if (failed && !insist) break;
    }
    return !failed;
  }

  #removeLater(node: Node, other: Node, removals: Node[]): boolean {
    if (!node.fixed) {
      if (other.mode === 'delete') return true;
      if (!this.#mayChange(other, 'delete', false) || !this.#mayDelete(other, false)) return false;
      removals.push(other);
      return true;
    }
    if (other.mode !== 'delete' && !this.markDelete(other)) return false;
    other.candidate = other.install;
    this.fix(other);
    return true;
  }

  #upgradeOrRemove(upgrades: readonly Node[], spread: boolean, byUser: boolean, depth: number): boolean {
    let failed = false;
    for (const other of upgrades) {
      if (other.mode === 'install' || this.markInstall(other, true, false, depth + 1)) continue;
      if (!this.markDelete(other)) {
        failed = true;
        if (!spread && !byUser) break;
      } else if (spread) this.fix(other);
    }
    return !failed;
  }

  #installDependencies(
    node: Node,
    required: readonly Dependency[],
    spread: boolean,
    byUser: boolean,
    depth: number,
  ): boolean {
    let failed = false;
    for (const dependency of required) {
      const must = critical(dependency);
      if (this.holds(node, dependency)) {
        if (!spread || !must) continue;
        // what a fixed package needs and only one package can provide is fixed as well
        const only = this.solutions(node, dependency, 'both');
        if (only.length !== 1) continue;
        const other = this.nodeOf(only[0]!);
        if (other.fixed) continue;
        this.fix(other);
        if (!this.markInstall(other, true, false, depth + 1)) failed = true;
        continue;
      }
      if (node.current !== NONE && !must && !this.#newlyRecommended(node, dependency)) continue;
      let found = false;
      const solutions = this.solutions(node, dependency, 'candidate');
      for (const id of solutions) {
        const other = this.nodeOf(id);
        if (other.candidate !== id) continue;
        if (spread && must && solutions.length === 1) {
          if (!this.markInstall(other, false, false, depth + 1)) continue;
          this.fix(other);
        }
        if (!this.markInstall(other, true, false, depth + 1)) continue;
        found = true;
        break;
      }
      if (found || !must) continue;
      failed = true;
      node.failure = { kind: 'dependency', dependency };
      if (!spread && !byUser) break;
    }
    return !failed;
  }

  /** For a package that is upgraded: Recommends are followed when they are new, or held until now. */
  #newlyRecommended(node: Node, dependency: Dependency): boolean {
    const name = dependency.alternatives[0]?.name;
    const before = this.index
      .dependencies(node.current)
      .filter((old) => !critical(old) && this.important(old) && old.alternatives.some((one) => one.name === name));
    if (before.length === 0) return true;
    return before.some((old) =>
      old.alternatives.some((one) => this.index.satisfiers(one).some((id) => this.nodeOf(id).current === id)),
    );
  }

  /** Packages that could satisfy (or, for Conflicts and Breaks, that are hit by) the dependency, best first. */
  solutions(owner: Node, dependency: Dependency, select: Selection): number[] {
    const there: number[] = [];
    const fresh: number[] = [];
    const excludes = negative(dependency);
    for (const relation of dependency.alternatives) {
      const ids = this.index.satisfiers(relation).filter((id) => {
        const node = this.nodeOf(id);
        if (excludes && node === owner) return false;
        return (select !== 'current' && node.candidate === id) || (select !== 'candidate' && node.current === id);
      });
      for (const id of this.#ranked(ids, relation)) {
        const list = this.nodeOf(id).current === NONE ? fresh : there;
        if (!there.includes(id) && !fresh.includes(id)) list.push(id);
      }
    }
    let all = [...there, ...fresh];
    if (!excludes)
      all = all.filter((id) => {
        const node = this.nodeOf(id);
        return !(node.fixed && (node.mode === 'delete' || (node.mode === 'keep' && node.current === NONE)));
      });
    if (this.options.prefer.length === 0 || excludes) return all;
    const rank = (id: number) => {
      const at = this.options.prefer.indexOf(this.index.name(id));
      return at < 0 ? this.options.prefer.length : at;
    };
    return all.sort((a, b) => rank(a) - rank(b));
  }

  #ranked(ids: number[], relation: Relation): number[] {
    // to apt `make:any` is a name of its own, which make provides like any other
    const target = relation.qualifier === 'any' ? '' : relation.name;
    return ids.length < 2 ? ids : ids.sort((a, b) => this.#compare(a, b, target));
  }

  /** Which of two packages apt prefers for a relationship with `target`. */
  #compare(a: number, b: number, target: string): number {
    if (a === b) return 0;
    const { index } = this;
    const left = this.nodeOf(a);
    const right = this.nodeOf(b);
    const order = (first: boolean, second: boolean) => Number(second) - Number(first);
    return (
      order(left.fixed, right.fixed) ||
      order(
        index.multiArch(a) === 'same' && left.current !== NONE,
        index.multiArch(b) === 'same' && right.current !== NONE,
      ) ||
      order(left.current !== NONE, right.current !== NONE) ||
      order(left.name === target, right.name === target) ||
      order(this.essential(left), this.essential(right)) ||
      order(index.protected(a), index.protected(b)) ||
      index.priority(a) - index.priority(b) ||
      index.mention(right.name) - index.mention(left.name) ||
      b - a
    );
  }
}

/** True for relationships that forbid other packages. */
export function negative({ type }: Dependency): boolean {
  return type === 'Conflicts' || type === 'Breaks';
}

/** True for relationships that must hold regardless of the settings. */
export function critical({ type }: Dependency): boolean {
  return type !== 'Recommends' && type !== 'Suggests';
}
