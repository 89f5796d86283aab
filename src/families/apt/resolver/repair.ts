import type { Dependency } from '../packages-index.ts';
import type { Relation } from '../relations.ts';
import { critical, NONE, type Node, negative, type State } from './state.ts';

const PRIORITY_SCORES = [0, 3, 2, 1, -1, -2];
const ESSENTIAL_SCORE = 100;
const DEPENDENCY_SCORES: Readonly<Record<Dependency['type'], number>> = {
  'Pre-Depends': 1,
  Depends: 1,
  Recommends: 1,
  Suggests: 0,
  Conflicts: -1,
  Breaks: -1,
};
const ASKED_FOR = 10_000;
const ESSENTIAL = 5_000;
const ROUNDS = 10;

/**
 * Repairs what marking left broken, as apt's problem resolver does: every package has a score from its priority and
 * from its dependents; from the highest score down, a broken package has those of lower score changed, and is itself
 * given up for those of higher. True when nothing is broken in the end.
 */
export function repair(state: State, asked: ReadonlySet<Node>): boolean {
  if (!anyBroken(state)) return true;
  upgradeBroken(state);
  const repairer = new Repairer(state, asked);
  repairer.run();
  return !anyBroken(state);
}

/** Selects the candidates of installed packages that broke: an upgrade is often sufficient. */
function upgradeBroken(state: State): void {
  for (let again = true; again; ) {
    again = false;
    for (const node of [...state.nodes()]) {
      if (node.mode === 'install' || !state.broken(node)) continue;
      state.markInstall(node, false);
      if ((node.mode as string) === 'install') again = true;
    }
  }
}

function anyBroken(state: State): boolean {
  for (const node of [...state.nodes()]) if (state.broken(node)) return true;
  return false;
}

class Repairer {
  readonly #state: State;
  readonly #asked: ReadonlySet<Node>;
  readonly #scores = new Map<Node, number>();
  /** Nodes whose upgrade was tried already. */
  readonly #tried = new Set<Node>();

  constructor(state: State, asked: ReadonlySet<Node>) {
    this.#state = state;
    this.#asked = asked;
  }

  run(): void {
    this.#score();
    const order = [...this.#state.nodes()].sort(
      (a, b) => this.#of(b) - this.#of(a) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
    );
    let changed = true;
    for (let round = 0; round < ROUNDS && changed; round++) {
      changed = false;
      for (const node of order) if (this.#investigate(node, round)) changed = true;
      for (const node of this.#state.nodes()) if (!this.#scores.has(node)) order.push(node);
      for (const node of order) if (!this.#scores.has(node)) this.#scores.set(node, 0);
    }
  }

  #of(node: Node): number {
    return this.#scores.get(node) ?? 0;
  }

  #add(node: Node, score: number): void {
    this.#scores.set(node, this.#of(node) + score);
  }

  #score(): void {
    const state = this.#state;
    const { index } = state;
    const there = [...state.nodes()].filter((node) => node.install !== NONE);
    for (const node of there) {
      this.#add(node, PRIORITY_SCORES[index.priority(node.install)]!);
      if (state.essential(node) || index.protected(node.install)) this.#add(node, ESSENTIAL_SCORE);
      if (node.current !== NONE) this.#add(node, 1);
    }
    for (const node of there)
      for (const { type, alternatives } of index.dependencies(node.install))
        for (const { name } of alternatives) this.#add(state.node(name), DEPENDENCY_SCORES[type]);
    const before = new Map(this.#scores);
    for (const node of there)
      for (const dependency of index.dependencies(node.install)) {
        if (negative(dependency) || dependency.type === 'Suggests') continue;
        for (const { name } of dependency.alternatives) this.#add(state.node(name), Math.abs(before.get(node) ?? 0));
      }
    // providers of an important name are important
    for (const node of [...state.nodes()])
      for (const { id } of index.providers(node.name)) {
        const owner = state.nodeOf(id);
        if (owner.install === id) this.#add(owner, Math.abs(this.#of(node) - (before.get(node) ?? 0)));
      }
    for (const node of [...state.nodes()]) {
      if (this.#asked.has(node)) this.#add(node, ASKED_FOR);
      if (state.essential(node)) this.#add(node, ESSENTIAL);
    }
  }

  /** Looks at one package; true when something was changed. */
  #investigate(node: Node, round: number): boolean {
    const state = this.#state;
    if (node.install === NONE || !state.broken(node)) return false;
    let changed = false;
    const victims: Node[] = [];
    for (const dependency of state.index.dependencies(node.install)) {
      if (!critical(dependency) || state.holds(node, dependency)) continue;
      if (negative(dependency) ? this.#forbid(node, dependency, victims) : this.#provide(node, dependency)) {
        changed = true;
        break;
      }
    }
    if (node.install === NONE) return changed;
    for (const victim of victims) {
      changed = true;
      if (victim.current === NONE) state.markKeep(victim);
      else state.markDelete(victim);
      if (round > 1 && this.#of(node) > this.#of(victim)) this.#scores.set(victim, this.#of(node));
    }
    return changed;
  }

  /** Resolves the package's conflicts, by removing others or by giving the package up: true for the latter. */
  #forbid(node: Node, dependency: Dependency, victims: Node[]): boolean {
    const state = this.#state;
    for (const relation of dependency.alternatives)
      for (const id of state.index.satisfiers(relation)) {
        const other = state.nodeOf(id);
        if (other === node) continue;
        if (this.#of(node) <= this.#of(other)) {
          if (!this.#asked.has(node)) return this.#giveUp(node);
          if (this.#bring(other)) break;
          continue;
        }
        if (other.install !== id) continue;
        // an upgrade out of the forbidden range is better than a removal
        const upgrade = dependency.type === 'Breaks' && other.candidate !== id && other.candidate !== NONE;
        if (upgrade && state.markInstall(other, false) && other.install !== id) continue;
        if (!this.#asked.has(other)) victims.push(other);
      }
    return false;
  }

  /**
   * Installs what a requested package lacks; any other package is given up: then true. Marking has already tried
   * everything that could be installed for it.
   */
  #provide(node: Node, dependency: Dependency): boolean {
    const state = this.#state;
    if (!this.#asked.has(node)) return this.#giveUp(node);
    for (const relation of dependency.alternatives)
      for (const id of state.index.satisfiers(relation)) {
        const other = state.nodeOf(id);
        if (!this.#bring(other)) continue;
        if (this.#of(other) > this.#of(node)) this.#scores.set(other, this.#of(node));
        if (state.holds(node, dependency)) return false;
        break;
      }
    return false;
  }

  /** Leaves the package as it was, or removes it. */
  #giveUp(node: Node): boolean {
    const state = this.#state;
    const before = node.install;
    state.markKeep(node);
    if (node.install !== NONE && state.broken(node)) state.markDelete(node);
    return node.install !== before;
  }

  /** Installs a candidate and, in turn, its dependencies; on failure the package itself is left as it was. */
  #bring(node: Node): boolean {
    const state = this.#state;
    if (this.#asked.has(node) || this.#tried.has(node) || node.candidate === NONE) return false;
    this.#tried.add(node);
    const kept = node.mode === 'keep';
    state.markInstall(node, false);
    if (node.install === NONE) return false;
    for (const dependency of state.index.dependencies(node.install)) {
      // conflicts are left to the next round
      if (!critical(dependency) || negative(dependency) || state.holds(node, dependency)) continue;
      if (dependency.alternatives.some((relation) => this.#bringFor(relation))) continue;
      if (kept) state.markKeep(node);
      else state.markDelete(node);
      return false;
    }
    return true;
  }

  #bringFor(relation: Relation): boolean {
    const state = this.#state;
    const ids = state.index.satisfiers(relation).filter((id) => state.nodeOf(id).candidate === id);
    const real = state.index.versions(relation.name).length > 0;
    const nodes = new Set(real ? [state.node(relation.name)] : ids.map((id) => state.nodeOf(id)));
    // do not guess among several providers of a virtual package
    if (ids.length === 0 || nodes.size !== 1) return false;
    return this.#bring([...nodes][0]!);
  }
}
