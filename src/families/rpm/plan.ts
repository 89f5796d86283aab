import { join } from 'node:path';
import { hostStat } from '../../bytes/host-directory.ts';
import { filled, type ProfileRepository, repositoriesOf } from '../../distros/profile.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { type Report, warning } from '../../events/events.ts';
import { readDocument } from '../../fetch/document.ts';
import type { Host } from '../../fetch/host.ts';
import type { Keyring } from '../../fetch/keys/key.ts';
import { BUILT_IN_KEYS, builtInKeyring } from '../../fetch/keys/keyring.ts';
import { baseOf, joinUrl, localPath, shown } from '../../fetch/mirror.ts';
import { keptChoice } from '../choice.ts';
import type { Chosen, Order, Plan, RepositoryTrust } from '../family.ts';
import { packagesIn } from './folder.ts';
import { tellStreams } from './module-table.ts';
import type { RpmPackage } from './package.ts';
import { repositoriesIn } from './repo-file.ts';
import { openRepositories, type ProvenRepository, readRepositories } from './repository.ts';
import { type RpmSource, SOURCE_DEFAULTS, variablesOf } from './source.ts';

/** A plan of rpm packages, and the repositories it was made from. */
export interface RpmPlan extends Plan<RpmPackage> {
  readonly repositories: readonly ProvenRepository[];
}

const CURRENT_LIMIT = 1024;

/** Packages for requests, decided as `dnf install` would. */
export async function plan(order: Order, host: Host): Promise<RpmPlan> {
  const { architecture, requests, settings } = order;
  const { report, cache } = host;
  report({ kind: 'phase', phase: 'plan' });
  const pins = (settings.repomdSha256 ?? []).map((one) => one.toLowerCase());
  const repositories = await openRepositories(await sourcesOf(order, host), host, { pins });
  for (const one of repositories) checkTrust(one, report);
  let made = false;
  const choose = async () => {
    made = true;
    // with a kept choice neither the resolver is needed nor what reads lists
    const { choosePackages } = await import('./choose.ts');
    return choosePackages(await readRepositories(repositories, host, { pins }), order, host);
  };
  // tables of contents name all lists by digest; folders of packages have none, and are read by every build
  const lists = repositories.map(({ source, bases, proof, sha256 }) => {
    const { name, priority, cost, excludes, includes, moduleHotfixes } = source;
    return [sha256, bases, proof.kind, name, priority, cost, excludes, includes, moduleHotfixes];
  });
  const options = [settings.module ?? [], settings.recommends ?? false];
  const { streams, packages } =
    host.anew === true || repositories.some((one) => one.local)
      ? await choose()
      : await keptChoice(['rpm', architecture.own, lists, requests, options], cache, choose);
  if (!made) tellStreams(streams, report);
  const chosen = packages.map((one): Chosen<RpmPackage> => {
    const { source, local } = repositories[one.package.repository]!;
    return {
      ...one,
      package: { ...one.package, keyring: source.unauthenticated ? undefined : source.keyring, lenient: local },
    };
  });
  report({ kind: 'ended', phase: 'plan' });
  const date = Math.max(0, ...repositories.map((one) => one.date));
  return { order, chosen, repositories, date, trust: repositories.map(trustOf) };
}

function trustOf({ source, bases, proof, sha256 }: ProvenRepository): RepositoryTrust {
  return {
    name: source.name,
    url: shown(bases[0]!),
    sha256,
    metadata: proof.kind,
    keys: proof.kind === 'signed' ? [...proof.keys].sort() : [],
    packages: source.keyring === undefined || source.unauthenticated ? 'digest' : 'signed',
  };
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
  const variables = {
    ...variablesOf(release.version ?? release.name, architecture.own),
    ...Object.fromEntries(
      Object.entries(profile.variables).map(([name, value]) => [name, filled(value, release, architecture.own)]),
    ),
  };
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
function checkTrust({ source, proof, local }: ProvenRepository, report: Report): void {
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
