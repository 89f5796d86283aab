import type { ModuleFilter } from './module-filter.ts';
import type { RpmRepository } from './repository.ts';
import { globTest, type Subject, subjectsOf } from './solver/subject.ts';
import type { PackageTable } from './solver/types.ts';

/**
 * Says of each row of a repository whether it must not be installed; undefined when nothing is excluded. What excludes and
 * includes spell is read as dnf reads it: in the first form that a package of any repository (`all`) fits.
 */
export function exclusionOf(
  { source, primary: { table } }: Pick<RpmRepository, 'source' | 'primary'>,
  modules: ModuleFilter,
  all: readonly PackageTable[],
): ((row: number) => boolean) | undefined {
  const modular = !source.moduleHotfixes && (modules.excluded.size > 0 || modules.active.size > 0);
  const excluded = source.excludes.length === 0 ? undefined : rowsNamed(source.excludes, table, all);
  const included = source.includes.length === 0 ? undefined : rowsNamed(source.includes, table, all);
  if (excluded === undefined && included === undefined && !modular) return undefined;
  const replaced = modular ? replacedBy(modules.names, table) : () => false;
  const modularNames = modular ? namedIn([modules.excluded, modules.active], table) : undefined;
  const leftOut = (row: number) => {
    // few packages have a name that is in any module: the others need not be spelled
    if (!modularNames!.has(table.name[row]!)) return replaced(row);
    const full = artifactOf(table, row);
    return !modules.active.has(full) && (modules.excluded.has(full) || replaced(row));
  };
  return (row) =>
    (modular && leftOut(row)) || excluded?.has(row) === true || (included !== undefined && !included.has(row));
}

/** Rows of a table that one of the spellings means. */
function rowsNamed(spellings: readonly string[], table: PackageTable, all: readonly PackageTable[]): Set<number> {
  const found = new Set<number>();
  for (const spelling of spellings)
    for (const subject of subjectsOf(spelling)) {
      const rows = rowsOf(subject, table);
      for (const row of rows) found.add(row);
      if (rows.length > 0 || all.some((one) => one !== table && rowsOf(subject, one).length > 0)) break;
    }
  return found;
}

function rowsOf({ name, fits }: Subject, { texts, name: names, evr, arch }: PackageTable): number[] {
  const test = globTest(name);
  const known = new Map<number, boolean>();
  const rows: number[] = [];
  for (const [row, id] of names.entries()) {
    let named = known.get(id);
    if (named === undefined) known.set(id, (named = test(texts.get(id))));
    if (named && fits(texts.get(id), texts.get(evr[row]!), texts.get(arch[row]!))) rows.push(row);
  }
  return rows;
}

/** Says of a row whether it has or provides one of the names: packages of active modules take the place of such packages. */
function replacedBy(names: ReadonlySet<string>, { texts, name, relations, dependencies }: PackageTable) {
  if (names.size === 0) return () => false;
  const wanted = new Set<number>();
  for (const [id, text] of texts.toArray().entries()) if (names.has(text)) wanted.add(id);
  const { starts, items } = dependencies.provides;
  return (row: number) => {
    if (wanted.has(name[row]!)) return true;
    for (let i = starts[row]!; i < starts[row + 1]!; i++) if (wanted.has(relations.name[items[i]!]!)) return true;
    return false;
  };
}

/** Numbers of the names that `name-epoch:version-release.arch` of some packages begin with. */
function namedIn(artifacts: readonly ReadonlySet<string>[], { texts, name }: PackageTable): Set<number> {
  const names = new Set<string>();
  for (const one of artifacts) for (const artifact of one) names.add(artifact.replace(/-[^-]*-[^-]*$/, ''));
  return new Set([...new Set(name)].filter((id) => names.has(texts.get(id))));
}

/** `name-epoch:version-release.arch` of all packages. */
export function artifactsIn(tables: readonly PackageTable[]): Set<string> {
  return new Set(tables.flatMap((table) => Array.from(table.name, (_, row) => artifactOf(table, row))));
}

/** A package as modules spell it: always with an epoch. */
function artifactOf({ texts, name, evr, arch }: PackageTable, row: number): string {
  const version = texts.get(evr[row]!);
  return `${texts.get(name[row]!)}-${/^\d+:/.test(version) ? '' : '0:'}${version}.${texts.get(arch[row]!)}`;
}
