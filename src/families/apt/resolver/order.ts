import type { AptPackage } from '../package.ts';
import { type Alternatives, parseRelations, type Relation, versionSatisfies } from '../relations.ts';

const SCORE_ESSENTIAL = 200;
const SCORE_PRE_DEPENDS = 50;
const SCORE_IMMEDIATE = 10;
const SCORE_PRIORITY: ReadonlyMap<string, number> = new Map(
  Object.entries({ required: 5, important: 4, standard: 3, optional: 1 }),
);

/** Which packages satisfy which dependencies within one set of packages. */
class Links {
  readonly #real = new Map<string, AptPackage>();
  readonly #provided = new Map<string, { readonly owner: AptPackage; readonly version: string }[]>();
  readonly #preDepends = new Map<AptPackage, readonly (readonly AptPackage[])[]>();
  readonly #depends = new Map<AptPackage, readonly (readonly AptPackage[])[]>();

  constructor(packages: readonly AptPackage[]) {
    for (const one of packages) {
      this.#real.set(one.name, one);
      for (const [relation] of parseRelations(one.provides)) {
        const others = this.#provided.get(relation!.name);
        const entry = { owner: one, version: relation!.version };
        if (others) others.push(entry);
        else this.#provided.set(relation!.name, [entry]);
      }
    }
    for (const one of packages) {
      this.#preDepends.set(one, this.#groups(one, parseRelations(one.preDepends)));
      this.#depends.set(one, this.#groups(one, parseRelations(one.depends)));
    }
  }

  /** For each Pre-Depends item, the packages of the set that satisfy it. */
  preDepends(one: AptPackage): readonly (readonly AptPackage[])[] {
    return this.#preDepends.get(one) ?? [];
  }

  /** For each Depends item, the packages of the set that satisfy it. */
  depends(one: AptPackage): readonly (readonly AptPackage[])[] {
    return this.#depends.get(one) ?? [];
  }

  #groups(owner: AptPackage, groups: readonly Alternatives[]): AptPackage[][] {
    return groups
      .map((alternatives) => [...new Set(alternatives.flatMap((relation) => this.#meet(relation)))])
      .filter((found) => found.length > 0 && !found.includes(owner));
  }

  #meet(relation: Relation): AptPackage[] {
    const found: AptPackage[] = [];
    const real = this.#real.get(relation.name);
    if (real !== undefined && versionSatisfies(real.version, relation)) found.push(real);
    for (const { owner, version } of this.#provided.get(relation.name) ?? [])
      if (relation.comparison === undefined || (version !== '' && versionSatisfies(version, relation)))
        found.push(owner);
    return found;
  }
}

/**
 * The order in which packages are unpacked: dependencies of a package before it, Pre-Depends first; among equals,
 * Essential ones and those with Pre-Depends come first, then by name. A cycle is broken where it is entered, as in apt.
 */
export function unpackOrder(packages: readonly AptPackage[]): AptPackage[] {
  const links = new Links(packages);
  const immediate = new Set<AptPackage>();
  const spread = (one: AptPackage) => {
    if (immediate.has(one)) return;
    immediate.add(one);
    for (const group of [...links.preDepends(one), ...links.depends(one)]) for (const other of group) spread(other);
  };
  for (const one of packages) if (one.essential) spread(one);
  const score = (one: AptPackage) =>
    (one.essential ? SCORE_ESSENTIAL : 0) +
    (immediate.has(one) ? SCORE_IMMEDIATE : 0) +
    (one.preDepends === '' ? 0 : SCORE_PRE_DEPENDS) +
    (SCORE_PRIORITY.get(one.priority) ?? 0);
  const sorted = [...packages].sort((a, b) => score(b) - score(a) || byName(a, b));
  const rank = new Map(sorted.map((one, at) => [one, at]));
  const order: AptPackage[] = [];
  const seen = new Set<AptPackage>();
  // packages that are being visited for another one's Pre-Depends, with those that wait for them
  const leading = new Map<AptPackage, AptPackage[]>();
  const waiting = new Map<AptPackage, readonly AptPackage[]>();
  const emit = (one: AptPackage) => {
    order.push(one);
    for (const other of waiting.get(one) ?? []) emit(other);
  };
  const visit = (one: AptPackage, before: boolean) => {
    if (seen.has(one)) return;
    seen.add(one);
    if (before) leading.set(one, []);
    for (const groups of [links.preDepends(one), links.depends(one)])
      for (const group of groups)
        for (const other of [...group].sort((a, b) => rank.get(a)! - rank.get(b)!))
          visit(other, before || groups === links.preDepends(one));
    waiting.set(one, leading.get(one) ?? []);
    leading.delete(one);
    // in a cycle, what must be ready before another package is unpacked precedes what merely depends on it
    const leader = links
      .depends(one)
      .flat()
      .find((other) => leading.has(other) && !links.preDepends(other).some((group) => group.includes(one)));
    if (leader === undefined) emit(one);
    else leading.get(leader)!.push(one);
  };
  for (const one of sorted) visit(one, false);
  return order;
}

/**
 * The order in which dpkg configures packages that were unpacked in this order: one after the other, those whose
 * dependencies are not configured yet moved to the end. After a full pass without progress, cycles are broken where a
 * package waits, at the last member without a postinst where there is one (dpkg's rule).
 */
export function configureOrder(
  unpacked: readonly AptPackage[],
  hasPostinst: (one: AptPackage) => boolean = () => true,
): AptPackage[] {
  const links = new Links(unpacked);
  const done = new Set<AptPackage>();
  const cut = new Map<AptPackage, Set<AptPackage>>();
  /** The packages of the first dependency that is not satisfied yet. */
  const unmet = (one: AptPackage) =>
    [...links.preDepends(one), ...links.depends(one)].find(
      (group) => !group.some((other) => done.has(other) || cut.get(one)?.has(other)),
    );
  const order: AptPackage[] = [];
  let breaking = false;
  for (let queue = [...unpacked]; queue.length > 0; ) {
    const waiting: AptPackage[] = [];
    for (const one of queue) {
      if (unmet(one) === undefined) {
        done.add(one);
        order.push(one);
        continue;
      }
      waiting.push(one);
      if (breaking) breakCycle(one, unmet, cut, hasPostinst);
    }
    if (waiting.length === queue.length) breaking = true;
    queue = waiting;
  }
  return order;
}

/** Follows unsatisfied dependencies from a package; where they form a cycle, removes one of its links. */
function breakCycle(
  start: AptPackage,
  unmet: (one: AptPackage) => readonly AptPackage[] | undefined,
  cut: Map<AptPackage, Set<AptPackage>>,
  hasPostinst: (one: AptPackage) => boolean,
): void {
  const path = new Set<AptPackage>();
  let one = start;
  while (!path.has(one)) {
    path.add(one);
    const group = unmet(one);
    if (group === undefined) return;
    one = group[0]!;
  }
  const members = [...path];
  const cycle = members.slice(members.indexOf(one));
  const plain = cycle.findLastIndex((member) => !hasPostinst(member));
  const at = plain < 0 ? cycle.length - 1 : plain;
  const from = cycle[at]!;
  const cuts = cut.get(from) ?? new Set();
  cuts.add(cycle[(at + 1) % cycle.length]!);
  cut.set(from, cuts);
}

function byName(a: AptPackage, b: AptPackage): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
