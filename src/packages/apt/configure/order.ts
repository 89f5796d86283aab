import { type Alternatives, parseRelations, type Relation, versionSatisfies } from '../relations.ts';
import type { AptPackage } from '../types.ts';

/** Which packages satisfy which relations, among those to be installed. */
export class Providers {
  private readonly byName = new Map<string, { readonly package: AptPackage; readonly version: string | undefined }[]>();

  constructor(packages: readonly AptPackage[]) {
    for (const one of packages) {
      this.put(one.name, one, one.version);
      for (const [provided] of parseRelations(one.provides))
        if (provided !== undefined && provided.name !== one.name)
          this.put(provided.name, one, provided.comparison === undefined ? undefined : provided.version);
    }
  }

  private put(name: string, one: AptPackage, version: string | undefined): void {
    const all = this.byName.get(name);
    if (all === undefined) this.byName.set(name, [{ package: one, version }]);
    else all.push({ package: one, version });
  }

  /** Packages that satisfy one relation. */
  of(relation: Relation): AptPackage[] {
    return (this.byName.get(relation.name) ?? [])
      .filter(({ version }) =>
        version === undefined ? relation.comparison === undefined : versionSatisfies(version, relation),
      )
      .map((provider) => provider.package);
  }

  /** Packages that satisfy any of some alternatives. */
  ofAny(alternatives: Alternatives): AptPackage[] {
    return alternatives.flatMap((relation) => this.of(relation));
  }
}

/** Relations that must hold before a package is configured. */
function dependencies(one: AptPackage): readonly Alternatives[] {
  return [...parseRelations(one.preDepends), ...parseRelations(one.depends)];
}

/** Essential packages and what they depend on: they are installed and configured before all others. */
export function essentialFirst(packages: readonly AptPackage[], providers: Providers): Set<AptPackage> {
  const first = new Set<AptPackage>();
  const todo = packages.filter((one) => one.essential);
  for (let one = todo.pop(); one !== undefined; one = todo.pop()) {
    if (first.has(one)) continue;
    first.add(one);
    for (const group of dependencies(one)) {
      const candidates = providers.ofAny(group);
      if (!candidates.some((candidate) => first.has(candidate)) && candidates[0] !== undefined)
        todo.push(candidates[0]);
    }
  }
  return first;
}

/**
 * The order in which dpkg would configure packages: in turn, one whose dependencies are not configured goes to the end
 * of the queue; when a whole turn brings nothing, triggers are processed, then a cycle is broken at its first package.
 * A package that `awaits` a trigger serves as a dependency only once that is processed (deb-triggers(5)).
 */
export function configureOrder(
  queue: readonly AptPackage[],
  providers: Providers,
  configured: ReadonlySet<AptPackage>,
  awaits: (one: AptPackage) => boolean = () => false,
): AptPackage[] {
  const order: AptPackage[] = [];
  const done = new Set(configured);
  const awaiting = new Set<AptPackage>();
  const waiting = [...queue].filter((one) => !done.has(one));
  const queued = new Set(waiting);
  const ready = (one: AptPackage) =>
    dependencies(one).every((group) => {
      const candidates = providers.ofAny(group);
      return (
        candidates.some((candidate) => done.has(candidate) || candidate === one) ||
        !candidates.some((candidate) => queued.has(candidate) || awaiting.has(candidate))
      );
    });
  let idle = 0;
  while (waiting.length > 0) {
    const one = waiting.shift()!;
    if (idle > waiting.length && awaiting.size > 0) {
      idle = 0;
      for (const settled of awaiting) done.add(settled);
      awaiting.clear();
      waiting.unshift(one);
    } else if (ready(one) || idle > waiting.length) {
      idle = 0;
      (awaits(one) ? awaiting : done).add(one);
      queued.delete(one);
      order.push(one);
    } else {
      idle++;
      waiting.push(one);
    }
  }
  return order;
}

/** Packages that must be configured before `one` is even unpacked, dependencies of those included, in order. */
export function preDependencies(
  one: AptPackage,
  providers: Providers,
  configured: ReadonlySet<AptPackage>,
): AptPackage[] {
  const needed: AptPackage[] = [];
  const seen = new Set<AptPackage>([one]);
  const visit = (group: Alternatives) => {
    const candidates = providers.ofAny(group);
    if (candidates.length === 0 || candidates.some((candidate) => configured.has(candidate) || seen.has(candidate)))
      return;
    const chosen = candidates[0]!;
    seen.add(chosen);
    for (const below of dependencies(chosen)) visit(below);
    needed.push(chosen);
  };
  for (const group of parseRelations(one.preDepends)) visit(group);
  return needed;
}
