import { join } from 'node:path';
import { collect } from '../../bytes/content.ts';
import { hostFile } from '../../bytes/file.ts';
import { hostStat } from '../../bytes/host-directory.ts';
import { decompressAny } from '../../compression/decompress.ts';
import { type ProfileRepository, repositoriesOf } from '../../distros/profile.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { nearestNames } from '../../errors/nearest.ts';
import { type Report, warning } from '../../events/events.ts';
import { readDocument } from '../../fetch/document.ts';
import type { Host } from '../../fetch/host.ts';
import type { Keyring } from '../../fetch/keys/key.ts';
import { BUILT_IN_KEYS, builtInKeyring } from '../../fetch/keys/keyring.ts';
import { baseOf, joinUrl, localPath, shown } from '../../fetch/mirror.ts';
import { compareEvr, parseEvr } from '../../formats/rpm/version.ts';
import { toText } from '../../tree/path.ts';
import type { Chosen, Order, Plan, RepositoryTrust } from '../family.ts';
import { excludedName } from '../requests.ts';
import { type Comps, packagesOfGroup, parseComps } from './comps.ts';
import { artifactsIn, exclusionOf } from './exclusion.ts';
import { withPaths } from './filelists.ts';
import { packagesIn } from './folder.ts';
import { keepModules, keptModules, modulesKey } from './kept-modules.ts';
import { poolOf } from './kept-pool.ts';
import { type AskedModule, askedModule, moduleFilter, packagesOfModule } from './module-filter.ts';
import { type Modules, mergeModules, NO_MODULES } from './module-table.ts';
import { namedPlace } from './named-place.ts';
import type { RpmPackage } from './package.ts';
import { factsOf } from './primary.ts';
import { repositoriesIn } from './repo-file.ts';
import { fileOf } from './repomd.ts';
import { fetchMetadata, openRepositories, type RpmRepository } from './repository.ts';
import type { Pool } from './solver/pool.ts';
import { resolve } from './solver/resolve.ts';
import type { Problem, Reason, Resolution, Wanted } from './solver/types.ts';
import { type RpmSource, SOURCE_DEFAULTS, variablesOf } from './source.ts';

/** A plan of rpm packages, and the repositories it was made from. */
export interface RpmPlan extends Plan<RpmPackage> {
  readonly repositories: readonly RpmRepository[];
}

/** Longest metadata of groups and modules, decompressed. */
const EXTRA_LIMIT = 256 << 20;
const CURRENT_LIMIT = 1024;

/** Packages for requests, decided as `dnf install` would. */
export async function plan(order: Order, host: Host): Promise<RpmPlan> {
  const { architecture, requests, settings } = order;
  const { report } = host;
  report({ kind: 'phase', phase: 'plan' });
  const repositories = await openRepositories(await sourcesOf(order, host), host, {
    pins: (settings.repomdSha256 ?? []).map((one) => one.toLowerCase()),
  });
  for (const one of repositories) checkTrust(one, report);
  const modules = mergeModules(await Promise.all(repositories.map((one) => modulesOf(one, host))));
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
  if (filter.streams.length > 0)
    report({ kind: 'note', message: `active streams of modules: ${filter.streams.join(', ')}` });
  const solve = async (all: readonly RpmRepository[]) => {
    const pool = await poolOf(
      all.map((one) => {
        const excluded = exclusionOf(one, filter);
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
  const chosen = chosenOf(resolution, pool, repositories);
  report({ kind: 'ended', phase: 'plan' });
  const date = Math.max(0, ...repositories.map((one) => one.date));
  return { order, chosen, repositories, date, trust: repositories.map(trustOf) };
}

function trustOf({ source, bases, proof, sha256 }: RpmRepository): RepositoryTrust {
  return {
    name: source.name,
    url: shown(bases[0]!),
    sha256,
    metadata: proof.kind,
    keys: proof.kind === 'signed' ? [...proof.keys].sort() : [],
    packages: source.keyring === undefined || source.unauthenticated ? 'digest' : 'signed',
  };
}

/** Paths that nothing has as far as primary metadata says, and that lists of files may know. */
function missingPaths(problems: readonly Problem[]): Set<string> {
  const paths = problems.flatMap(({ missing, sentences }) => [
    ...(missing?.startsWith('/') ? [missing] : []),
    ...sentences.flatMap((one) => /^nothing provides (\/[^\s,]+), which /.exec(one)?.[1] ?? []),
  ]);
  return new Set(paths.filter((path) => !/^\/etc\/|bin\/|^\/usr\/lib\/sendmail$/.test(path)));
}

/** Settings that mean nothing to rpm distributions. */
export function rejectForeignSettings({ settings, profile, lock }: Order): void {
  const unsupported = (setting: 'snapshot' | 'pin' | 'preseed', reason: string) =>
    new BuildError('NOT_SUPPORTED', { setting, what: `\`${setting}\``, reason });
  if (settings.snapshot !== undefined) throw unsupported('snapshot', `${profile.title} keeps no dated archives here`);
  if (settings.pin !== undefined)
    throw unsupported(
      'pin',
      'pins are preferences of apt; name a version as `name-version`, or give repositories priorities',
    );
  if (settings.preseed !== undefined) throw unsupported('preseed', 'rpm packages ask no questions');
  const foreign = { keepDpkgDb: settings.keepDpkgDb, keepApkDb: settings.keepApkDb };
  for (const [key, value] of Object.entries(foreign))
    if (value)
      throw new BuildError('SETTING_CONFLICT', {
        reason: `\`${key}\` has no effect in a guest of rpm packages`,
        settings: [key],
      });
  if (settings.repoSuites !== undefined)
    throw new BuildError('SETTING_CONFLICT', {
      reason: `\`repoSuites\` has no effect for ${profile.title}: set \`osVersion\`, and \`repoComponents\` for its repositories`,
      settings: ['repoSuites'],
    });
  // what is tested are repositories made for it: guests of the distributions' own packages have not been booted yet
  if ((settings.repoUrl ?? []).length === 0 && lock === undefined)
    throw new BuildError(
      'NOT_SUPPORTED',
      {
        setting: 'repoUrl',
        what: `${profile.title} from its own mirrors`,
        reason: 'guests of its packages have not been booted yet',
      },
      { hint: 'to try it, name a mirror in its layout, or a folder of packages, with `repoUrl`' },
    );
  for (const text of settings.repomdSha256 ?? [])
    if (!/^[0-9a-fA-F]{64}$/.test(text))
      throw new BuildError('SETTING_INVALID', {
        setting: 'repomdSha256',
        value: text,
        reason: 'a SHA-256 has 64 hexadecimal digits',
      });
}

/** Repositories in the order in which dnf would load them. */
async function sourcesOf(order: Order, host: Host): Promise<RpmSource[]> {
  const { profile, release, architecture, settings } = order;
  const keyring = keyringOf(order, host);
  const trust = { ...SOURCE_DEFAULTS, keyring, unauthenticated: settings.allowUnauthenticated ?? false };
  const sources: RpmSource[] = [];
  const roots = (settings.repoUrl ?? []).map(baseOf);
  const whole = roots.filter(isRepository);
  if (whole.length > 0 && whole.length === roots.length)
    sources.push({ ...trust, name: shown(whole[0]!), bases: whole, signedMetadata: false });
  else
    for (const repository of repositoriesOf(profile, release, architecture.own)) {
      if (settings.repoComponents !== undefined && !settings.repoComponents.includes(repository.name)) continue;
      // of several rows of one name the first that fits the release counts
      if (sources.some((one) => one.name === repository.name)) continue;
      sources.push({
        ...trust,
        ...(await placesOf(repository, roots, host)),
        name: repository.name,
        signedMetadata: repository.signed,
      });
    }
  if (sources.length === 0)
    throw new BuildError('SETTING_CONFLICT', {
      reason: `none of the repositories ${settings.repoComponents?.join(', ')} is one of ${profile.title} ${release.name}: there are ${profile.repositories.map((one) => one.name).join(', ')}`,
      settings: ['repoComponents'],
    });
  const variables = variablesOf(release.version ?? release.name, architecture.own);
  for (const text of settings.repo ?? []) sources.push(...repositoriesIn(text, trust, variables, host));
  return sources;
}

/** Where a repository of the profile is: below the mirrors that were named, or at its well-known places. */
async function placesOf(
  { urls, suite, metalink, current }: ProfileRepository,
  roots: readonly string[],
  host: Host,
): Promise<Pick<RpmSource, 'bases' | 'mirrorList'>> {
  const named = roots.length > 0 ? roots : urls;
  if (named.length === 0)
    throw new BuildError('SETTING_CONFLICT', {
      reason: 'this distribution has no public mirror any more: name one with `repoUrl`',
      settings: ['repoUrl'],
    });
  let path = suite;
  if (current !== '' && path.includes('{current}')) {
    const number = await host.mirror.eachPlace(named, async (root) => {
      const url = joinUrl(root, current);
      const bytes = await readCurrent(url, host);
      const text = Buffer.from(bytes).toString('latin1').trim();
      if (!/^[0-9]{1,9}$/.test(text))
        throw new BuildError('REPO_INVALID', {
          source: shown(url),
          reason: `it names no release: "${text.slice(0, 40)}"`,
        });
      return text;
    });
    path = path.replaceAll('{current}', number);
  }
  const bases = named.map((root) => joinUrl(root, path, 'the repository'));
  return roots.length > 0 || metalink === '' ? { bases } : { bases, mirrorList: metalink };
}

/** The file that names the newest release of a mirror. */
async function readCurrent(url: string, host: Host): Promise<Uint8Array> {
  try {
    return await readDocument(url, host.mirror, { kind: 'release', limit: CURRENT_LIMIT });
  } catch (error) {
    if (!isBuildError(error, 'NOT_FOUND')) throw error;
    const hint = 'this mirror does not say which release is the newest: name one as `osVersion`';
    throw new BuildError(error.code, error.context, { cause: error, hint });
  }
}

/** True for a folder of the build host that is a repository itself, or a folder of packages. */
function isRepository(root: string): boolean {
  const folder = localPath(root);
  if (folder === undefined) return false;
  return hostStat(join(folder, 'repodata/repomd.xml')) !== undefined || packagesIn(folder).length > 0;
}

function keyringOf({ profile, settings }: Order, host: Host): Keyring | undefined {
  const names = settings.keyring !== undefined && settings.keyring.length > 0 ? settings.keyring : profile.keyring;
  const rings = names.map(
    (name): Keyring =>
      Object.hasOwn(BUILT_IN_KEYS, name)
        ? builtInKeyring(name as keyof typeof BUILT_IN_KEYS)
        : { name, keys: [host.readFile(name)] },
  );
  if (rings.length < 2) return rings[0];
  return { name: rings.map((one) => one.name).join(', '), keys: rings.flatMap((one) => one.keys) };
}

/** A repository whose packages nothing proves is rejected unless the user said otherwise. */
function checkTrust({ source, proof, local }: RpmRepository, report: Report): void {
  const proven = proof.kind === 'pinned' || proof.kind === 'signed';
  if (source.keyring !== undefined && !source.unauthenticated) return;
  if (source.unauthenticated || local) report(warning('UNAUTHENTICATED', { what: `the repository ${source.name}` }));
  else if (!proven)
    throw new BuildError(
      'REPOSITORY_UNPROVEN',
      { name: source.name },
      { hint: 'give its keys as `keyring`, pin its state with `repomdSha256`, or set `allowUnauthenticated`' },
    );
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
): Chosen<RpmPackage>[] {
  return packages.map(({ repository, row, reason }) => {
    const from = repositories[repository]!;
    const { table } = from.primary;
    const facts = factsOf(from.primary.facts.get(row));
    const roots = facts.base === '' ? from.bases : [namedPlace(toText(facts.base), from.bases[0]!)];
    const trusting = from.source.unauthenticated || from.source.keyring === undefined;
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
        keyring: trusting ? undefined : from.source.keyring,
        lenient: from.local,
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
      return 'asked for';
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
    const hint = otherVersions(missing, repositories) ?? nearNames(missing, repositories);
    throw new BuildError('PACKAGE_NOT_FOUND', { name: missing, request: missing }, hint === undefined ? {} : { hint });
  }
  const lines = problems.flatMap(({ sentences, chain }) => [
    ...sentences.map((one) => `  ${one}`),
    ...(chain.length === 0 ? [] : [`    (${chain.join('; ')})`]),
  ]);
  throw new BuildError('RPM_UNSOLVABLE', { explanation: lines.join('\n') });
}
