import type { AptPackage } from '../package.ts';
import { parseRelations, printAlternatives, printRelation, type Relation, versionSatisfies } from '../relations.ts';

/** The fields of a package that {@link verifyClosure} needs. */
export type Closed = Pick<
  AptPackage,
  'name' | 'version' | 'architecture' | 'multiArch' | 'preDepends' | 'depends' | 'conflicts' | 'breaks' | 'provides'
>;

/**
 * Faults of a set of packages, found from their fields alone and without the resolver: duplicate names,
 * dependencies that nothing in the set satisfies, packages that forbid one another. Empty: the set can be installed.
 */
export function verifyClosure(packages: readonly Closed[]): string[] {
  const faults: string[] = [];
  const byName = new Map<string, Closed>();
  const provided = new Map<string, { readonly owner: Closed; readonly version: string }[]>();
  for (const one of packages) {
    if (byName.has(one.name)) faults.push(`${one.name} is there twice`);
    byName.set(one.name, one);
    for (const [relation] of parseRelations(one.provides)) {
      const entries = provided.get(relation!.name) ?? [];
      entries.push({ owner: one, version: relation!.version });
      provided.set(relation!.name, entries);
    }
  }
  const native = packages.find((one) => one.architecture !== 'all')?.architecture;
  const meeting = (relation: Relation): Closed[] => {
    const found: Closed[] = [];
    const real = byName.get(relation.name);
    const { qualifier } = relation;
    const qualified = (one: Closed) =>
      qualifier === undefined ||
      qualifier === 'native' ||
      (qualifier === 'any'
        ? one.multiArch === 'allowed'
        : (one.architecture === 'all' ? native : one.architecture) === qualifier);
    if (real !== undefined && qualified(real) && versionSatisfies(real.version, relation)) found.push(real);
    for (const { owner, version } of provided.get(relation.name) ?? [])
      if (
        qualified(owner) &&
        (relation.comparison === undefined || (version !== '' && versionSatisfies(version, relation)))
      )
        found.push(owner);
    return found;
  };
  for (const one of packages) {
    for (const field of [one.preDepends, one.depends])
      for (const alternatives of parseRelations(field))
        if (!alternatives.some((relation) => meeting(relation).length > 0))
          faults.push(`${one.name} ${one.version} depends on ${printAlternatives(alternatives)}, which is missing`);
    for (const field of [one.conflicts, one.breaks])
      for (const alternatives of parseRelations(field))
        for (const relation of alternatives)
          for (const other of meeting(relation))
            if (other.name !== one.name)
              faults.push(
                `${one.name} ${one.version} forbids ${printRelation(relation)}, which is ${other.name} ${other.version}`,
              );
  }
  return faults;
}
