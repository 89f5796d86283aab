import type { ModuleFilter } from './module-filter.ts';
import type { RpmRepository } from './repository.ts';
import type { PackageTable } from './solver/types.ts';

/** A glob of dnf (`*`, `?`, `[…]`) as a regular expression over a complete name. */
export function globPattern(glob: string): RegExp {
  const quoted = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  try {
    return new RegExp(`^${quoted}$`);
  } catch {
    return new RegExp(`^${glob.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
  }
}

/** Says of each row of a repository whether it must not be installed; undefined when nothing is excluded. */
export function exclusionOf(
  { source, primary: { table } }: Pick<RpmRepository, 'source' | 'primary'>,
  modules: ModuleFilter,
): ((row: number) => boolean) | undefined {
  const excludes = source.excludes.map(globPattern);
  const includes = source.includes.map(globPattern);
  const modular = !source.moduleHotfixes && (modules.excluded.size > 0 || modules.active.size > 0);
  if (excludes.length === 0 && includes.length === 0 && !modular) return undefined;
  const replaced = modular ? replacedBy(modules.names, table) : () => false;
  const plain = excludes.length === 0 && includes.length === 0;
  const modularNames = modular ? namedIn([modules.excluded, modules.active], table) : undefined;
  return (row) => {
    // few packages have a name that is in any module: the others need not be spelled
    if (plain && !modularNames!.has(table.name[row]!)) return replaced(row);
    const spellings = spellingsOf(table, row);
    const [full] = spellings as [string];
    if (modular && !modules.active.has(full) && (modules.excluded.has(full) || replaced(row))) return true;
    if (excludes.some((pattern) => spellings.some((text) => pattern.test(text)))) return true;
    return includes.length > 0 && !includes.some((pattern) => spellings.some((text) => pattern.test(text)));
  };
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
  return new Set(tables.flatMap((table) => Array.from(table.name, (_, row) => spellingsOf(table, row)[0]!)));
}

/** All ways to spell a package: complete with epoch first, then its name, then the others. */
function spellingsOf(table: PackageTable, row: number): string[] {
  const name = table.texts.get(table.name[row]!);
  const evr = table.texts.get(table.evr[row]!);
  const arch = table.texts.get(table.arch[row]!);
  const plain = evr.replace(/^\d+:/, '');
  const full = evr === plain ? `0:${evr}` : evr;
  return [`${name}-${full}.${arch}`, name, `${name}.${arch}`, `${name}-${plain}`, `${name}-${plain}.${arch}`];
}
