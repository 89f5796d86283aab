import type { AptPackage } from '../package.ts';
import { type Alternatives, parseRelations, type Relation, versionSatisfies } from '../relations.ts';

/** Which packages satisfy which relations, within the set to be installed. */
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

/** Essential packages and their dependencies: they are installed and configured before all others. */
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

/** What dpkg checks of a package when ordering others. */
export interface Asked {
  /** It activates a trigger that it awaits: it satisfies dependencies only after processing it (deb-triggers(5)). */
  readonly awaits?: (one: AptPackage) => boolean;
  /** It has a postinst: when breaking cycles, dpkg prefers to configure a package without one too early. */
  readonly hasPostinst?: (one: AptPackage) => boolean;
}

/**
 * The order in which dpkg would configure packages: in each pass, one whose dependencies are not configured goes to the
 * end of the queue. After two passes without progress, cycles are broken wherever a package waits in one, and if that
 * does not help, triggers are processed (process_queue and findbreakcycle in dpkg's source).
 */
export function configureOrder(
  queue: readonly AptPackage[],
  providers: Providers,
  configured: ReadonlySet<AptPackage>,
  { awaits = () => false, hasPostinst = () => true }: Asked = {},
): AptPackage[] {
  const order: AptPackage[] = [];
  const done = new Set(configured);
  const awaiting = new Set<AptPackage>();
  const waiting = [...queue].filter((one) => !done.has(one));
  const queued = new Set(waiting);
  const broken = new Map<AptPackage, Set<Alternatives>>();
  /** Dependencies that are not satisfied yet, with the packages that will satisfy them. */
  const unmet = (one: AptPackage) =>
    dependenciesOf(one)
      .filter((group) => !broken.get(one)?.has(group))
      .map((group) => ({ group, candidates: providers.ofAny(group) }))
      .filter(
        ({ candidates }) =>
          !candidates.some((candidate) => done.has(candidate) || candidate === one) &&
          candidates.some((candidate) => queued.has(candidate) || awaiting.has(candidate)),
      );
  let breaking = false;
  let idle = 0;
  while (waiting.length > 0) {
    const one = waiting.shift()!;
    if (idle >= 2 * (waiting.length + 1) + 2) {
      idle = 0;
      if (!breaking) breaking = true;
      else {
        for (const settled of awaiting) done.add(settled);
        awaiting.clear();
      }
    }
    if (breaking && breakCycle(one, unmet, broken, hasPostinst)) idle = 0;
    if (unmet(one).length === 0) {
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

/** Searches for a cycle reachable from a package, and removes one of its links. */
function breakCycle(
  start: AptPackage,
  unmet: (one: AptPackage) => { readonly group: Alternatives; readonly candidates: readonly AptPackage[] }[],
  broken: Map<AptPackage, Set<Alternatives>>,
  hasPostinst: (one: AptPackage) => boolean,
): boolean {
  const path: { one: AptPackage; group: Alternatives | undefined }[] = [];
  const finished = new Set<AptPackage>();
  const visit = (one: AptPackage): boolean => {
    if (finished.has(one)) return false;
    const link: { one: AptPackage; group: Alternatives | undefined } = { one, group: undefined };
    path.push(link);
    for (const { group, candidates } of unmet(one)) {
      link.group = group;
      for (const candidate of candidates) {
        const first = path.findIndex((earlier) => earlier.one === candidate);
        if (first < 0) {
          if (visit(candidate)) return true;
          continue;
        }
        // the last one without a postinst, else the first of the cycle
        let at = path.length - 1;
        while (at > first && hasPostinst(path[at]!.one)) at--;
        const brokenHere = broken.get(path[at]!.one) ?? new Set();
        broken.set(path[at]!.one, brokenHere.add(path[at]!.group!));
        return true;
      }
    }
    path.pop();
    finished.add(one);
    return false;
  };
  return visit(start);
}

const parsed = new WeakMap<AptPackage, readonly Alternatives[]>();

/** {@link dependencies}, read once: groups keep their identity. */
function dependenciesOf(one: AptPackage): readonly Alternatives[] {
  let known = parsed.get(one);
  if (known === undefined) {
    known = dependencies(one);
    parsed.set(one, known);
  }
  return known;
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
