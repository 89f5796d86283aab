import { hostStat } from '../../bytes/host-directory.ts';
import { repositoriesOf } from '../../distros/profile.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { together } from '../../errors/together.ts';
import { type WarningEvent, warning } from '../../events/events.ts';
import type { Host } from '../../fetch/host.ts';
import type { Keyring } from '../../fetch/keys/key.ts';
import { BUILT_IN_KEYS, builtInKeyring } from '../../fetch/keys/keyring.ts';
import { baseOf, localPath } from '../../fetch/mirror/url.ts';
import { kindOf } from '../../tree/inode.ts';
import { pool } from '../../workers/shared.ts';
import { keptChoice } from '../choice.ts';
import type { Chosen, Order, Plan } from '../family.ts';
import { repoOptions } from '../repository-options.ts';
import { excludedName } from '../requests.ts';
import { hostArchives } from './host-sources.ts';
import { localDebs, localFiles } from './local-packages.ts';
import type { AptPackage } from './package.ts';
import { localPackages, readIndex } from './packages-read.ts';
import { isStanza, type Pin, parsePinLine, parsePreferences } from './preferences.ts';
import { openSuite } from './repository.ts';
import { resolve as resolvePackages } from './resolve.ts';
import { snapshotArchive } from './snapshot.ts';
import type { AptSource, AptSuite } from './source.ts';

/** A plan of Debian packages, and the suites it was made from. */
export interface AptPlan extends Plan<AptPackage> {
  readonly suites: readonly AptSuite[];
}

/** mmdebstrap's required variant, and the requested packages. */
export async function plan(order: Order, host: Host): Promise<AptPlan> {
  const { architecture, settings, profile, requests } = order;
  const { report } = host;
  report({ kind: 'phase', phase: 'plan' });
  // files of the host are read before anything is fetched
  const files = await localFiles(requests, architecture.own);
  const folders = (settings.repo ?? []).map(furtherRepository).flatMap((one) => ('folder' in one ? [one.folder] : []));
  const [suites, locals] = await together([
    openSuites(aptSources(order, host), architecture.own, host),
    together(folders.map(async (folder) => localPackages(await localDebs(folder), folder))),
  ]);
  const indexes = suites.flatMap((suite) => suite.indexes);
  const pins = pinsOf(order, host);
  const further = [...locals, ...files.lists];
  const words = ['?essential', '?priority(required)', ...files.requests];
  const options = { recommends: settings.recommends ?? false, prefer: profile.packages.prefer };
  const choose = async () => {
    const index = await readIndex(indexes, architecture.own, { cache: host.cache, pool: pool() }, further, pins);
    return resolvePackages(words, index, options).packages;
  };
  // lists name their packages by digest; what lies in folders has no digest yet
  const lists = indexes.map(({ file: _place, ...list }) => list);
  const chosen =
    further.length > 0 || host.anew === true
      ? await choose()
      : await keptChoice([architecture.own, lists, pins, words, options], host.cache, choose);
  rejectExcluded(files.requests, chosen);
  rejectUnfetchable(chosen);
  report({ kind: 'ended', phase: 'plan' });
  return { order, chosen, suites, date: Math.max(0, ...suites.map((suite) => suite.date)) };
}

/** The user's preferences: stanzas and files of them, in the order given. */
export function pinsOf({ settings }: Order, host: Host): Pin[] {
  return (settings.pin ?? []).flatMap((text) =>
    isStanza(text)
      ? parsePinLine(text, '`pin`')
      : parsePreferences(Buffer.from(host.readFile(text)).toString('utf8'), text),
  );
}

/** Rejects what cannot be fetched or checked before anything is fetched. */
function rejectUnfetchable(chosen: readonly Chosen<AptPackage>[]): void {
  for (const { package: one } of chosen) {
    const context = { name: one.name, version: one.version, repository: one.archive };
    if (one.urls.length === 0) throw new BuildError('PACKAGE_WITHOUT_FILE', context);
    if (one.sha256 === '' && one.sha512 === '')
      throw new BuildError('PACKAGE_UNPROVEN', context, {
        hint: 'MD5 and SHA-1 prove nothing: the repository must be indexed again, with SHA-256',
      });
  }
}

/** Databases of other package managers cannot be kept in a guest that has none of them. */
export function rejectForeignSettings({ settings }: Order): void {
  const foreign = {
    keepApkDb: settings.keepApkDb,
    keepRpmDb: settings.keepRpmDb,
    repomdSha256: settings.repomdSha256,
    module: settings.module,
  };
  for (const [key, value] of Object.entries(foreign))
    if (value)
      throw new BuildError('SETTING_CONFLICT', {
        reason: `\`${key}\` has no effect in a guest of Debian packages`,
        settings: [key],
      });
}

/** In apt a request to install overrides one to exclude; report the contradiction instead of surprising the user. */
function rejectExcluded(requests: readonly string[], chosen: readonly Chosen<AptPackage>[]): void {
  const excluded = new Set(requests.map(excludedName));
  for (const { package: one, reason } of chosen)
    if (excluded.has(one.name) && !requests.includes(one.name))
      throw new BuildError('PACKAGE_EXCLUDED', { name: one.name, reason });
}

/** The signed archives: their suites, in the order in which apt would read them. */
export function aptSources(order: Order, host: Host): AptSource[] {
  const { profile, release, architecture, settings } = order;
  const keyring = keyringOf(order, host);
  const trust = {
    keyring,
    unauthenticated: settings.allowUnauthenticated ?? false,
    ...(settings.snapshot === undefined ? { validAt: host.now } : {}),
  };
  const components = settings.repoComponents;
  const sources: AptSource[] = [];
  if (settings.repoUrl !== undefined && settings.repoUrl.length > 0) {
    const own = repositoriesOf(profile, release, architecture.own)[0];
    for (const suite of settings.repoSuites ?? [release.name])
      sources.push({
        ...trust,
        mirrors: settings.repoUrl.map(baseOf),
        suite,
        components: components ?? own?.components ?? ['main'],
      });
  } else {
    const hosts = hostArchives(host.hostSources, profile.hostArchives, architecture.own);
    for (const [i, repository] of repositoriesOf(profile, release, architecture.own).entries()) {
      if (settings.repoSuites !== undefined && !settings.repoSuites.includes(repository.suite)) continue;
      const found = repository.host === undefined ? [] : hosts[repository.host];
      const mirrors =
        settings.snapshot === undefined
          ? [...(found.length > 0 ? found : repository.urls)]
          : [snapshotArchive(repository, settings.snapshot)];
      sources.push({
        ...trust,
        mirrors,
        suite: repository.suite,
        components: components ?? repository.components,
        // updates and security follow the first; suites that the user names must be complete
        secondary: i > 0 && settings.repoSuites === undefined,
      });
    }
    if (sources.length === 0)
      throw new BuildError('SETTING_CONFLICT', {
        reason: `none of the suites ${settings.repoSuites?.join(', ')} is one of ${profile.name} ${release.name}`,
      });
  }
  for (const text of settings.repo ?? []) {
    const further = furtherRepository(text);
    if ('folder' in further) continue;
    const { signedBy, ...own } = further;
    sources.push({
      ...trust,
      ...own,
      ...(signedBy === undefined ? {} : { keyring: { name: signedBy, keys: [host.readFile(signedBy)] } }),
    });
  }
  return sources;
}

/** A further repository as given by `--repo`. */
type Further =
  | { readonly folder: string }
  | (Pick<AptSource, 'suite' | 'components' | 'mirrors' | 'unauthenticated'> & { readonly signedBy?: string });

/**
 * Reads apt's one-line form, `[options] URL SUITE COMPONENT…`, or a folder of packages on the build host
 * (path or `file:` URL). A path with blanks is that folder if it exists; in a URL blanks are written as `%20`.
 */
function furtherRepository(text: string): Further {
  const invalid = (reason: string) => new BuildError('SETTING_INVALID', { setting: 'repo', value: text, reason });
  const match = /^(?:deb\s+)?(?:\[([^\]]*)\]\s*)?(\S.*)$/s.exec(text.trim());
  if (match === null) throw invalid('it has the form [options] URL SUITE COMPONENT…');
  const [, options, rest] = match as unknown as [string, string | undefined, string];
  const own = repoOptions(options, text);
  const folder = localPath(rest);
  if (folder !== undefined && (!/\s/.test(rest) || isFolder(folder))) return { folder };
  const [url, suite, ...components] = rest.split(/\s+/) as [string, ...string[]];
  if (suite === undefined)
    throw invalid('a repository that is not a local folder needs a suite: [options] URL SUITE COMPONENT…');
  return { ...own, mirrors: [baseOf(url)], suite, components };
}

function isFolder(path: string): boolean {
  // with the dot a link to a folder is followed
  const stat = hostStat(path, '.');
  return stat !== undefined && kindOf(stat.mode) === 'directory';
}

function keyringOf({ profile, settings }: Order, host: Host): Keyring {
  if (settings.keyring !== undefined && settings.keyring.length > 0)
    return { name: settings.keyring.join(', '), keys: settings.keyring.map((path) => host.readFile(path)) };
  const rings = profile.keyring.map((name) =>
    Object.hasOwn(BUILT_IN_KEYS, name)
      ? builtInKeyring(name as keyof typeof BUILT_IN_KEYS)
      : { name, keys: [host.readFile(name)] },
  );
  return { name: rings.map((ring) => ring.name).join(' and '), keys: rings.flatMap((ring) => ring.keys) };
}

/** Opens all suites in parallel: their signed lists, then the package lists they name. */
async function openSuites(sources: readonly AptSource[], architecture: string, host: Host): Promise<AptSuite[]> {
  const open = async (source: AptSource): Promise<AptSuite | WarningEvent> => {
    try {
      return await openSuite(host.anew === true ? { ...source, anew: true } : source, architecture, host.mirror);
    } catch (error) {
      if (!source.secondary || !isBuildError(error, 'ARCHITECTURE_MISSING')) throw error;
      return warning('SUITE_SKIPPED', error.context);
    }
  };
  return (await together(sources.map(open))).flatMap((one) => {
    if ('release' in one) return [one];
    host.report(one);
    return [];
  });
}
