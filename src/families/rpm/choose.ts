import { collect } from '../../bytes/content.ts';
import { hostFile } from '../../bytes/file.ts';
import { decompressAny } from '../../compression/decompress.ts';
import { BuildError } from '../../errors/error.ts';
import { nearestNames } from '../../errors/nearest.ts';
import { together } from '../../errors/together.ts';
import type { Host } from '../../fetch/host.ts';
import { joinUrl, shown } from '../../fetch/mirror.ts';
import { compareEvr, parseEvr } from '../../formats/rpm/version.ts';
import { toText } from '../../tree/path.ts';
import type { Chosen, Order } from '../family.ts';
import { ASKED, excludedName } from '../requests.ts';
import { type Comps, packagesOfGroup, parseComps } from './comps.ts';
import { artifactsIn, exclusionOf } from './exclusion.ts';
import { withPaths } from './filelists.ts';
import { keepModules, keptModules, modulesKey } from './kept-modules.ts';
import { poolOf } from './kept-pool.ts';
import { type AskedModule, askedModule, moduleFilter, packagesOfModule } from './module-filter.ts';
import { type Modules, mergeModules, NO_MODULES, tellStreams } from './module-table.ts';
import { namedPlace } from './named-place.ts';
import type { RpmPackage } from './package.ts';
import { factsOf } from './primary.ts';
import { fileOf } from './repomd.ts';
import { fetchMetadata, type RpmRepository } from './repository.ts';
import type { Pool } from './solver/pool.ts';
import { resolve } from './solver/resolve.ts';
import type { Problem, Reason, Resolution, Wanted } from './solver/types.ts';

/** Longest metadata of groups and modules, decompressed. */
const EXTRA_LIMIT = 256 << 20;

/** A package of an answer, without what its repository's settings say of it. */
export type ChosenRpm = Omit<Chosen<RpmPackage>, 'package'> & {
  readonly package: Omit<RpmPackage, 'keyring' | 'lenient'>;
};

/** An answer: packages in the order of repositories and rows. JSON can hold it. */
export interface RpmChoice {
  /** Streams of modules that are active, as `NAME:STREAM`. */
  readonly streams: readonly string[];
  readonly packages: readonly ChosenRpm[];
}

/** The packages for an order's requests. Throws `PACKAGE_NOT_FOUND`, `RPM_UNSOLVABLE`, `GROUP_NOT_FOUND`, `MODULE_NOT_FOUND`. */
export async function choosePackages(
  repositories: readonly RpmRepository[],
  { architecture, requests, settings }: Order,
  host: Host,
): Promise<RpmChoice> {
  const modules = mergeModules(await together(repositories.map((one) => modulesOf(one, host))));
  const asked = (settings.module ?? []).map((text) => enabledModule(text, modules));
  for (const text of requests) {
    const module = askedModule(moduleRequest(text)?.name ?? '', modules, asked);
    if (module !== undefined) asked.push(module);
  }
  const filter = moduleFilter(modules, asked);
  let artifacts: ReadonlySet<string> | undefined;
  const ofModule = (text: string): string[] | undefined => {
    const request = moduleRequest(text);
    const module = askedModule(request?.name ?? '', modules, asked);
    if (module === undefined) return undefined;
    artifacts ??= artifactsIn(repositories.map((one) => one.primary.table));
    return packagesOfModule(module, request?.profile, modules, filter, (one) => artifacts!.has(one));
  };
  const { wanted, without } = await wantedOf(requests, repositories, ofModule, host);
  tellStreams(filter.streams, host.report);
  const solve = async (all: readonly RpmRepository[]) => {
    const tables = all.map((one) => one.primary.table);
    const pool = await poolOf(
      all.map((one) => {
        const excluded = exclusionOf(one, filter, tables);
        const { name, priority, cost } = one.source;
        const { table: packages, digest } = one.primary;
        return { name, packages, digest, priority, cost, ...(excluded === undefined ? {} : { excluded }) };
      }),
      { architecture: architecture.own },
      host.mirror.cache,
    );
    const request = { wanted, without, weakDependencies: settings.recommends ?? false, best: true };
    return { pool, resolution: resolve(pool, request) };
  };
  let { pool, resolution } = await solve(repositories);
  if (resolution.kind === 'failed') {
    // primary metadata has a part of all paths: lists of files are fetched when what is missing is another one
    const paths = missingPaths(resolution.problems);
    if (paths.size > 0) ({ pool, resolution } = await solve(await withPaths(repositories, paths, host.mirror)));
  }
  if (resolution.kind === 'failed') reject(resolution.problems, repositories);
  return { streams: filter.streams, packages: chosenOf(resolution, pool, repositories) };
}

/** Paths that nothing has as far as primary metadata says, and that lists of files may know. */
function missingPaths(problems: readonly Problem[]): Set<string> {
  const paths = problems.flatMap(({ missing, sentences }) => [
    ...(missing?.startsWith('/') ? [missing] : []),
    ...sentences.flatMap((one) => /^nothing provides (\/[^\s,]+), which /.exec(one)?.[1] ?? []),
  ]);
  return new Set(paths.filter((path) => !/^\/etc\/|bin\/|^\/usr\/lib\/sendmail$/.test(path)));
}

/** Bytes of a file of metadata, decompressed. Undefined when the repository has none of that kind. */
async function metadataOf(one: RpmRepository, kind: 'group' | 'modules', host: Host): Promise<Uint8Array | undefined> {
  if (one.repomd === undefined) return undefined;
  const path = shown(joinUrl(one.bases[0]!, 'repodata/repomd.xml'));
  const file = fileOf(one.repomd, kind, path);
  if (file === undefined) return undefined;
  const at = await fetchMetadata(file, one, path, host.mirror);
  return collect(decompressAny(hostFile(at).open(), file.location), EXTRA_LIMIT);
}

async function modulesOf(one: RpmRepository, host: Host): Promise<Modules> {
  const file = one.repomd && fileOf(one.repomd, 'modules', one.source.name);
  if (file === undefined) return NO_MODULES;
  const { cache } = host.mirror;
  const key = modulesKey(file.digest.hex);
  const found = keptModules(cache.read('parsed', key));
  if (found !== undefined) return found;
  const bytes = (await metadataOf(one, 'modules', host))!;
  const modules = (await import('./modules.ts')).parseModules(
    Buffer.from(bytes).toString('utf8'),
    `${one.source.name}: modules.yaml`,
  );
  await keepModules(modules, cache, key);
  return modules;
}

/** The parts of `@NAME[:STREAM][/PROFILE]`. */
function moduleRequest(text: string): { readonly name: string; readonly profile: string | undefined } | undefined {
  const match = /^@([^/]*)(?:\/(.*))?$/s.exec(text);
  return match === null ? undefined : { name: match[1]!, profile: match[2] };
}

/** A stream that `module` names. */
function enabledModule(text: string, modules: Modules): AskedModule {
  const asked = askedModule(text, modules);
  if (asked === undefined)
    throw new BuildError('MODULE_NOT_FOUND', { name: text, reason: `there is no module "${text}"` });
  return asked;
}

/**
 * Requests in the resolver's words: `@group` and `@module:stream/profile` become their packages, `name-` and `!name` are
 * kept out. As in dnf a module comes before a group of the same name.
 */
async function wantedOf(
  requests: readonly string[],
  repositories: readonly RpmRepository[],
  ofModule: (text: string) => string[] | undefined,
  host: Host,
): Promise<{ readonly wanted: Wanted[]; readonly without: string[] }> {
  const wanted: Wanted[] = [];
  const without: string[] = [];
  let comps: Comps[] | undefined;
  for (const text of requests) {
    const out = excludedName(text);
    if (out !== undefined) without.push(out);
    else if (!text.startsWith('@')) wanted.push({ text });
    else {
      const names = ofModule(text);
      if (names !== undefined) {
        wanted.push(...names.map((name) => ({ text: name })));
        continue;
      }
      comps ??= await groupsOf(repositories, host);
      const asked = new Set(requests);
      const members = packagesOfGroup(comps, text.slice(1), asked);
      if (members === undefined) {
        const ids = comps.flatMap(({ groups, environments }) => [...groups, ...environments].map((one) => one.id));
        const near = nearestNames(text.slice(1), ids);
        throw new BuildError(
          'GROUP_NOT_FOUND',
          { name: text },
          near.length === 0 ? {} : { hint: `there is ${near.map((one) => `@${one}`).join(', ')}` },
        );
      }
      // members that are not there are left out, as dnf does
      for (const member of members) wanted.push({ text: member, strict: false });
    }
  }
  return { wanted, without };
}

async function groupsOf(repositories: readonly RpmRepository[], host: Host): Promise<Comps[]> {
  const all: Comps[] = [];
  for (const one of repositories) {
    const bytes = await metadataOf(one, 'group', host);
    if (bytes !== undefined) all.push(parseComps(bytes, `${one.source.name}: comps.xml`));
  }
  return all;
}

function chosenOf(
  { packages }: Extract<Resolution, { kind: 'resolved' }>,
  pool: Pool,
  repositories: readonly RpmRepository[],
): ChosenRpm[] {
  return packages.map(({ repository, row, reason }) => {
    const from = repositories[repository]!;
    const { table } = from.primary;
    const facts = factsOf(from.primary.facts.get(row));
    const roots = facts.base === '' ? from.bases : [namedPlace(toText(facts.base), from.bases[0]!)];
    return {
      package: {
        name: table.texts.get(table.name[row]!),
        version: table.texts.get(table.evr[row]!),
        architecture: table.texts.get(table.arch[row]!),
        size: facts.size,
        sha256: facts.digest.algorithm === 'sha256' ? facts.digest.hex : '',
        urls: roots.map((root) => joinUrl(root, toText(facts.location), 'the location')),
        digest: facts.digest,
        repository,
        installedSize: facts.installed,
        source: facts.source,
      },
      reason: reasonText(reason, pool),
      ...('by' in reason ? { by: pool.relations.texts.get(pool.name[reason.by]!) } : {}),
    };
  });
}

function reasonText(reason: Reason, pool: Pool): string {
  const name = (id: number) => pool.relations.texts.get(pool.name[id]!);
  switch (reason.kind) {
    case 'asked':
      return ASKED;
    case 'required':
      return `${name(reason.by)} requires ${reason.dependency}`;
    case 'recommended':
      return `${name(reason.by)} recommends ${reason.dependency}`;
    case 'supplements':
      return `it supplements ${reason.dependency}`;
    default:
      return reason satisfies never;
  }
}

/** Names that look like one that nothing has. */
function nearNames(missing: string, repositories: readonly RpmRepository[]): string | undefined {
  const names = repositories.flatMap(({ primary: { table } }) =>
    [...new Set(table.name)].map((id) => table.texts.get(id)),
  );
  const near = nearestNames(missing, new Set(names));
  return near.length === 0 ? undefined : `there is ${near.join(', ')}`;
}

/** Of what is no name of a package but looks like another way to ask for one: how that is spelled here. */
function spelling(missing: string): string | undefined {
  if (/\.rpm$/.test(missing) || /^(?:[a-z]+:\/\/|\.{1,2}\/)/.test(missing))
    return 'packages come from repositories: name the folder with the file as `repo`, and the package by its name';
  if (/^[<>=]+$/.test(missing)) return 'a version is asked for without blanks: name-1, name=1';
  return undefined;
}

/** Most versions that a message lists. */
const VERSIONS_SHOWN = 6;

/** Of what is spelled with a version or an architecture that is not there: the ones that are. */
function otherVersions(missing: string, repositories: readonly RpmRepository[]): string | undefined {
  const evrs = new Map<string, string[]>();
  for (const { primary } of repositories) {
    const { texts, name, evr, arch } = primary.table;
    const begins = new Map<number, boolean>();
    name.forEach((id, row) => {
      const spelled = texts.get(id);
      if (!begins.has(id)) begins.set(id, missing.startsWith(`${spelled}-`) || missing.startsWith(`${spelled}.`));
      if (begins.get(id))
        evrs.set(spelled, [...(evrs.get(spelled) ?? []), `${texts.get(evr[row]!)}.${texts.get(arch[row]!)}`]);
    });
  }
  const longest = [...evrs.keys()].sort((a, b) => b.length - a.length)[0];
  // libfoo-devel is no version of libfoo
  if (longest === undefined || !/^(?:-\d|\.[a-z0-9_]+$)/.test(missing.slice(longest.length))) return undefined;
  const known = [...new Set(evrs.get(longest))].sort((a, b) => compareEvr(parseEvr(b), parseEvr(a)));
  const more = known.length > VERSIONS_SHOWN ? ` and ${known.length - VERSIONS_SHOWN} older ones` : '';
  return `of ${longest} there is ${known.slice(0, VERSIONS_SHOWN).join(', ')}${more}`;
}

/** Throws what the resolver has to say. */
function reject(problems: readonly Problem[], repositories: readonly RpmRepository[]): never {
  for (const { sentences } of problems) {
    const missing = /^nothing is named "(.*)" or provides it$/.exec(sentences[0] ?? '')?.[1];
    if (missing === undefined) continue;
    const hint = spelling(missing) ?? otherVersions(missing, repositories) ?? nearNames(missing, repositories);
    throw new BuildError('PACKAGE_NOT_FOUND', { name: missing, request: missing }, hint === undefined ? {} : { hint });
  }
  const lines = problems.flatMap(({ sentences, chain }) => [
    ...sentences.map((one) => `  ${one}`),
    ...(chain.length === 0 ? [] : [`    (${chain.join('; ')})`]),
  ]);
  throw new BuildError('RPM_UNSOLVABLE', { explanation: lines.join('\n') });
}
