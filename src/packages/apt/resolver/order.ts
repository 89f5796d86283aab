import { type Alternatives, parseRelations, type Relation, versionSatisfies } from '../relations.ts';
import type { AptPackage } from '../types.ts';

const SCORE_ESSENTIAL = 200;
const SCORE_PRE_DEPENDS = 50;
const SCORE_IMMEDIATE = 10;
const SCORE_PRIORITY: Readonly<Record<string, number>> = { required: 5, important: 4, standard: 3, optional: 1 };

/** Who meets whose dependency within one set of packages. */
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

  /** For each Pre-Depends item, the packages of the set that meet it. */
  preDepends(one: AptPackage): readonly (readonly AptPackage[])[] {
    return this.#preDepends.get(one) ?? [];
  }

  /** For each Depends item, the packages of the set that meet it. */
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
 * The order in which packages are unpacked: what a package needs before it, Pre-Depends first; among equals Essential
 * ones and those with Pre-Depends lead, then names decide. A circle is cut where it is entered. After apt's ordering.
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
    (SCORE_PRIORITY[one.priority] ?? 0);
  const sorted = [...packages].sort((a, b) => score(b) - score(a) || byName(a, b));
  const rank = new Map(sorted.map((one, at) => [one, at]));
  const order: AptPackage[] = [];
  const seen = new Set<AptPackage>();
  const visit = (one: AptPackage) => {
    if (seen.has(one)) return;
    seen.add(one);
    for (const groups of [links.preDepends(one), links.depends(one)])
      for (const group of groups)
        for (const other of [...group].sort((a, b) => rank.get(a)! - rank.get(b)!)) visit(other);
    order.push(one);
  };
  for (const one of sorted) visit(one);
  return order;
}

/**
 * The order in which dpkg configures packages that were unpacked in this order: one after the other, those whose
 * dependencies are not configured yet put back to the end. When a whole turn brings nothing a circle is cut, at a package
 * without a postinst where there is one (dpkg's rule).
 */
export function configureOrder(
  unpacked: readonly AptPackage[],
  hasPostinst: (one: AptPackage) => boolean = () => true,
): AptPackage[] {
  const links = new Links(unpacked);
  const done = new Set<AptPackage>();
  const cut = new Map<AptPackage, Set<AptPackage>>();
  const order: AptPackage[] = [];
  let queue = [...unpacked];
  const ready = (one: AptPackage) =>
    [...links.preDepends(one), ...links.depends(one)].every((group) =>
      group.some((other) => done.has(other) || cut.get(one)?.has(other)),
    );
  while (queue.length > 0) {
    const waiting: AptPackage[] = [];
    for (const one of queue) {
      if (ready(one)) {
        done.add(one);
        order.push(one);
      } else waiting.push(one);
    }
    if (waiting.length === queue.length) cutCircle(waiting, links, done, cut, hasPostinst);
    queue = waiting;
  }
  return order;
}

/** Finds a circle of dependencies among packages that wait for one another, and takes one of its links away. */
function cutCircle(
  waiting: readonly AptPackage[],
  links: Links,
  done: ReadonlySet<AptPackage>,
  cut: Map<AptPackage, Set<AptPackage>>,
  hasPostinst: (one: AptPackage) => boolean,
): void {
  const left = new Set(waiting);
  // following any unmet dependency from any waiting package must come back to where it was
  const path: AptPackage[] = [];
  let one = waiting[0]!;
  while (!path.includes(one)) {
    path.push(one);
    const group = [...links.preDepends(one), ...links.depends(one)].find(
      (others) => !others.some((other) => done.has(other) || cut.get(one)?.has(other)),
    )!;
    one = group.find((other) => left.has(other))!;
  }
  const circle = path.slice(path.indexOf(one));
  const at = Math.max(
    0,
    circle.findIndex((member) => !hasPostinst(member)),
  );
  const from = circle[at]!;
  const to = circle[(at + 1) % circle.length]!;
  const cuts = cut.get(from) ?? new Set();
  cuts.add(to);
  cut.set(from, cuts);
}

function byName(a: AptPackage, b: AptPackage): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
