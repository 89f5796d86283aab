import { BuildError } from '../../errors/error.ts';
import { nearestNames } from '../../errors/nearest.ts';
import { type Report, warning } from '../../events/events.ts';
import { joinUrl } from '../../fetch/mirror.ts';
import type { Chosen } from '../family.ts';
import { type Dependency, parseDependency } from './dependency.ts';
import type { ApkPackage, ApkRecord } from './index-file.ts';
import type { ApkRepository } from './repository.ts';
import { explain } from './solver/explain.ts';
import type { Generation } from './solver/flags.ts';
import { type Candidate, Universe } from './solver/names.ts';
import { reasonsOf } from './solver/reasons.ts';
import { solve } from './solver/solve.ts';
import { compareVersions } from './version.ts';

/** A chosen package, why it was chosen, and the tag it is recorded with (without the `@`). */
export interface ChosenApk extends Chosen<ApkPackage> {
  readonly tag: string | undefined;
}

/** Maximum number, limited by apk's bit masks. */
const REPOSITORIES_MAX = 30;

/** Reads requests as /etc/apk/world has them; a later one for the same name replaces an earlier one. */
export function parseWorld(world: readonly string[]): Dependency[] {
  const byName = new Map<string, Dependency>();
  for (const text of world) {
    const dependency = parseDependency(text, true);
    if (dependency === undefined) throw new BuildError('APK_WORLD', { text });
    byName.set(dependency.name, dependency);
  }
  return [...byName.values()];
}

/**
 * Chooses the packages that a world needs, in the order in which they are installed. Throws `APK_UNSOLVABLE` with
 * apk's own explanation when there is no solution. Nothing is installed yet.
 */
export function resolve(
  world: readonly string[],
  repositories: readonly ApkRepository[],
  architecture: string,
  report: Report,
): ChosenApk[] {
  if (repositories.length > REPOSITORIES_MAX)
    throw new BuildError('APK_REPOSITORIES', { count: repositories.length, limit: REPOSITORIES_MAX });
  const tags = [{ name: '', repositories: 0 }];
  let usable = 0;
  for (const [i, { source }] of repositories.entries()) {
    const bit = 2 ** (i + 1);
    usable |= bit;
    let tag = tags.find((one) => one.name === (source.tag ?? ''));
    if (tag === undefined) tags.push((tag = { name: source.tag!, repositories: 0 }));
    tag.repositories |= bit;
  }
  const requests = parseWorld(world);
  for (const one of requests)
    if (one.tag !== undefined && !tags.some((tag) => tag.name === one.tag))
      throw new BuildError('APK_TAG', { text: one.name, tag: one.tag });
  const universe = new Universe(
    repositories.map(({ records }, i) => ({ records, repository: i + 1 })),
    (text) => report(warning('APK_RELATION', { text })),
    architecture,
  );
  const generation = generationOf(repositories);
  // for apk 3 it matters which names the command line has
  const nameFlags = new Map(generation === 3 ? requests.map(({ name }) => [name, 0]) : []);
  const solution = solve({ universe, world: requests, tags, usable, generation, nameFlags });
  if (solution.errors > 0) {
    const hint = nearestHint(requests, repositories);
    throw new BuildError(
      'APK_UNSOLVABLE',
      { explanation: explain(solution, tags) },
      hint === undefined ? {} : { hint },
    );
  }
  const reasons = reasonsOf(solution);
  return solution.changes.map(({ to, tag }) => ({
    package: packageOf(to!, repositories),
    ...(reasons.get(to!) ?? { reason: 'needed' }),
    tag: tag === 0 ? undefined : tags[tag]!.name,
  }));
}

/**
 * The apk-tools whose rules apply: that of the repositories themselves, since the guest's own apk must agree with the result.
 * Repositories with a tag do not count; those without apk-tools are read as apk 2.14 would.
 */
export function generationOf(
  repositories: readonly { readonly records: readonly ApkRecord[]; readonly source: { readonly tag?: string } }[],
): Generation {
  const versions = repositories.flatMap(({ records, source }) =>
    source.tag === undefined ? records.flatMap(({ name, version }) => (name === 'apk-tools' ? [version] : [])) : [],
  );
  return versions.some((version) => compareVersions(version, '3_alpha') >= 0) ? 3 : 2;
}

/** Suggests names for requests that no package has or provides; undefined when there are none. */
function nearestHint(requests: readonly Dependency[], repositories: readonly ApkRepository[]): string | undefined {
  const names = new Set<string>();
  for (const { records } of repositories)
    for (const { name, provides } of records) {
      names.add(name);
      for (const one of provides.split(/\s+/)) if (one !== '') names.add(one.replace(/[<>=~].*$/, ''));
    }
  const hints = requests.flatMap(({ name, conflict }) => {
    if (conflict || names.has(name)) return [];
    const near = nearestNames(name, names);
    return near.length === 0 ? [] : [`${name}: there is ${near.join(', ')}`];
  });
  return hints.length === 0 ? undefined : hints.join('; ');
}

/** Where a chosen package is available: folders of the build host first, else the first repository that has it. */
function packageOf(candidate: Candidate, repositories: readonly ApkRepository[]): ApkPackage {
  const { record } = candidate;
  const having = repositories.flatMap((repository, i) =>
    candidate.repositories & (2 ** (i + 1)) ? [{ repository, i }] : [],
  );
  const from = having.find(({ repository }) => repository.local) ?? having[0]!;
  const ordered = [from, ...having.filter((one) => one !== from)];
  return {
    ...record,
    sha256: '',
    repositories: ordered.map(({ i }) => i),
    urls: ordered.flatMap(({ repository }) =>
      repository.bases.map((base) => joinUrl(base, fileName(record), 'the package')),
    ),
  };
}

/** Name of a package's archive in its repository. */
export function fileName(record: ApkRecord): string {
  return record.file ?? `${record.name}-${record.version}.apk`;
}
