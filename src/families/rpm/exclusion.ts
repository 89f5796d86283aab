import type { ModuleFilter } from './modules.ts';
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
  if (excludes.length === 0 && includes.length === 0 && modules.excluded.size === 0 && modules.active.size === 0)
    return undefined;
  return (row) => {
    const spellings = spellingsOf(table, row);
    const [full, name] = spellings as [string, string];
    if (modules.excluded.has(full)) return true;
    if (modules.names.has(name) && !modules.active.has(full)) return true;
    if (excludes.some((pattern) => spellings.some((text) => pattern.test(text)))) return true;
    return includes.length > 0 && !includes.some((pattern) => spellings.some((text) => pattern.test(text)));
  };
}

/** All ways to spell a package: complete with epoch first, then its name, then the others. */
function spellingsOf(table: PackageTable, row: number): string[] {
  const name = table.texts[table.name[row]!]!;
  const evr = table.texts[table.evr[row]!]!;
  const arch = table.texts[table.arch[row]!]!;
  const plain = evr.replace(/^\d+:/, '');
  const full = evr === plain ? `0:${evr}` : evr;
  return [`${name}-${full}.${arch}`, name, `${name}.${arch}`, `${name}-${plain}`, `${name}-${plain}.${arch}`];
}
