import { repositoriesOf } from '../../distros/profile.ts';
import { BuildError } from '../../errors/error.ts';
import type { Host } from '../../fetch/host.ts';
import { baseOf, joinUrl, localPath, shown } from '../../fetch/mirror.ts';
import type { Order, Plan } from '../family.ts';
import { repoOptions } from '../repository-options.ts';
import type { WorldFiles } from './database.ts';
import type { ApkPackage } from './index-file.ts';
import { keyOf } from './key-file.ts';
import { type ApkRepository, type ApkSource, openRepositories } from './repository.ts';
import { type ChosenApk, resolve } from './resolve.ts';
import { type ApkKeyring, alpineKeyring } from './signature.ts';

/** A plan of Alpine packages, and the repositories it was made from. */
export interface ApkPlan extends Plan<ApkPackage> {
  readonly chosen: readonly ChosenApk[];
  readonly repositories: readonly ApkRepository[];
}

/** A world of names, solved as apk would. */
export async function plan(order: Order, host: Host): Promise<ApkPlan> {
  const { architecture, requests } = order;
  const { report, mirror } = host;
  report({ kind: 'phase', phase: 'plan' });
  const repositories = await openRepositories(apkSources(order, host), architecture.own, mirror);
  const chosen = resolve(requests, repositories, architecture.own, report);
  report({ kind: 'ended', phase: 'plan' });
  return { order, chosen, repositories, date: Math.max(0, ...repositories.map((one) => one.date)) };
}

/** Settings that have no meaning for Alpine. */
export function rejectForeignSettings({ settings }: Order): void {
  if (settings.snapshot !== undefined)
    throw new BuildError('NOT_SUPPORTED', {
      setting: 'snapshot',
      what: '`snapshot`',
      reason: 'Alpine keeps no dated archives',
    });
  if (settings.pin !== undefined)
    throw new BuildError('NOT_SUPPORTED', {
      setting: 'pin',
      what: '`pin`',
      reason: 'pins are preferences of apt; name a version as `name=version`',
    });
  if (settings.preseed !== undefined)
    throw new BuildError('NOT_SUPPORTED', {
      setting: 'preseed',
      what: '`preseed`',
      reason: 'Alpine’s packages ask no questions',
    });
  const foreign = {
    keepDpkgDb: settings.keepDpkgDb,
    keepRpmDb: settings.keepRpmDb,
    repomdSha256: settings.repomdSha256,
    module: settings.module,
    recommends: settings.recommends,
  };
  for (const [key, value] of Object.entries(foreign))
    if (value)
      throw new BuildError('SETTING_CONFLICT', {
        reason: `\`${key}\` has no effect in a guest of Alpine packages`,
        settings: [key],
      });
  if (settings.repoSuites !== undefined)
    throw new BuildError('SETTING_CONFLICT', {
      reason: '`repoSuites` has no effect for Alpine, whose releases are folders of the mirror: set `osVersion`',
      settings: ['repoSuites'],
    });
}

/** Repositories in the order in which /etc/apk/repositories would list them. */
function apkSources(order: Order, host: Host): ApkSource[] {
  const { profile, release, architecture, settings } = order;
  const trust = { keyring: keyringOf(order, host), unauthenticated: settings.allowUnauthenticated ?? false };
  const sources: ApkSource[] = [];
  for (const { urls, suite, components } of repositoriesOf(profile, release, architecture.own)) {
    for (const component of settings.repoComponents ?? components) {
      // --repo-url is the mirror's root, or already the folder of one repository (it then has an index of its own)
      const below = (root: string) => joinUrl(root, `${suite}/${component}`, 'the repository');
      const mirrors =
        (settings.repoUrl ?? []).length > 0 ? settings.repoUrl!.map((url) => mirrorOf(url, below)) : urls.map(below);
      if (sources.some((one) => one.mirrors[0] === mirrors[0])) continue;
      sources.push({ ...trust, mirrors });
    }
  }
  for (const text of settings.repo ?? []) {
    const match = /^(?:\[([^\]]*)\]\s*)?(?:@(\S+)\s+)?(\S.*)$/s.exec(text.trim());
    if (match === null || (/\s/.test(match[3]!) && localPath(match[3]!) === undefined))
      throw new BuildError('SETTING_INVALID', {
        setting: 'repo',
        value: text,
        reason: 'an Alpine repository is `[OPTIONS] [@TAG] URL`, where the brackets of options are written',
      });
    const [, options, tag, url] = match as unknown as [string, string | undefined, string | undefined, string];
    const { signedBy, ...own } = repoOptions(options, text);
    sources.push({
      ...trust,
      ...own,
      mirrors: [baseOf(url)],
      ...(tag === undefined ? {} : { tag }),
      ...(signedBy === undefined
        ? {}
        : { keyring: { name: signedBy, keys: [keyOf(signedBy, host.readFile(signedBy))] } }),
    });
  }
  return sources;
}

/** A mirror's root has releases below it; a URL that ends in a repository's own name is that repository. */
function mirrorOf(url: string, below: (root: string) => string): string {
  const root = baseOf(url);
  return /\/(main|community|testing)\/*$/.test(root) || root.endsWith('/apks') ? root : below(root);
}

/** The keys that a repository may be signed with: the user's, or the profile's. */
export function keyringOf({ profile, architecture, settings }: Order, host: Host): ApkKeyring {
  const files =
    settings.keyring !== undefined && settings.keyring.length > 0
      ? settings.keyring
      : profile.keyring.filter((one) => one.startsWith('/'));
  if (files.length === 0) return alpineKeyring(architecture.own);
  // a signature contains the name of the key's file
  return {
    name: files.join(', '),
    keys: files.map((path) => keyOf(path, host.readFile(path))),
  };
}

/** What the guest's apk needs to use the same repositories. */
export function worldOf(world: readonly string[], repositories: readonly ApkRepository[]): WorldFiles {
  // a repository of the build host does not exist in the guest
  const listed = repositories.filter(({ source }) => /^https?:/.test(source.mirrors[0] ?? ''));
  return {
    world,
    repositories: listed.map(
      ({ source: { mirrors, tag } }) => `${tag === undefined ? '' : `@${tag} `}${shown(mirrors[0]!)}`,
    ),
    keys: listed.flatMap(({ source, signedBy }) =>
      source.keyring.keys.filter((key) => key.name === signedBy).map(({ name, pem }) => ({ name, pem })),
    ),
  };
}
