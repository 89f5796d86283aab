import { resolve as resolvePath } from 'node:path';
import { repositoriesOf } from '../distros/profile.ts';
import { BuildError } from '../errors/error.ts';
import {
  type ApkKeyring,
  type ApkRepository,
  type ApkSource,
  alpineKeyring,
  type ChosenApk,
  DATABASE,
  keyOf,
  makeRoot,
  openRepositories,
  resolve,
  type WorldFiles,
} from '../packages/apk/apk.ts';
import { shown } from '../packages/mirror.ts';
import type { Doors } from './doors.ts';
import { repoOptions } from './repo-options.ts';
import type { Assembled, Order, Supply } from './supply.ts';

/** Alpine and its relatives: a world of names, decided as apk would. */
export async function supplyApk(order: Order, doors: Doors): Promise<Supply> {
  const { architecture, requests } = order;
  const { report, mirror } = doors;
  if (order.settings.snapshot !== undefined)
    throw new BuildError('NOT_SUPPORTED', { what: '--snapshot', reason: 'Alpine keeps no dated archives' });
  if (order.settings.preseed !== undefined)
    throw new BuildError('NOT_SUPPORTED', { what: '--preseed', reason: 'Alpine’s packages ask no questions' });
  report({ kind: 'phase', phase: 'plan' });
  const repositories = await openRepositories(apkSources(order, doors), architecture.own, mirror);
  const chosen = resolve(requests, repositories, architecture.own, report);
  report({ kind: 'ended', phase: 'plan' });
  return {
    chosen,
    date: Math.max(0, ...repositories.map((one) => one.date)),
    assemble: (epoch) => assemble(chosen, repositories, order, epoch, doors),
  };
}

/** Repositories in the order in which /etc/apk/repositories would list them. */
function apkSources(order: Order, doors: Doors): ApkSource[] {
  const { profile, release, architecture, settings } = order;
  const trust = { keyring: keyringOf(order, doors), unauthenticated: settings.allowUnauthenticated ?? false };
  const sources: ApkSource[] = [];
  for (const { urls, suite, components } of repositoriesOf(profile, release, architecture.own)) {
    for (const component of settings.repoComponents ?? components) {
      // --repo-url is the mirror's root, or already the folder of one repository (it then has an index of its own)
      const below = (root: string) => `${root.replace(/\/+$/, '')}/${suite}/${component}`;
      const mirrors =
        (settings.repoUrl ?? []).length > 0 ? settings.repoUrl!.map((url) => mirrorOf(url, below)) : urls.map(below);
      if (sources.some((one) => one.mirrors[0] === mirrors[0])) continue;
      sources.push({ ...trust, mirrors });
    }
  }
  for (const text of settings.repo ?? []) {
    const match = /^(?:\[([^\]]*)\]\s*)?(?:@(\S+)\s+)?(\S+)$/.exec(text.trim());
    if (match === null)
      throw new BuildError('SETTING_INVALID', {
        source: '--repo',
        value: text,
        reason: 'an Alpine repository is `[OPTIONS] [@TAG] URL`, where the brackets of options are written',
      });
    const [, options, tag, url] = match as unknown as [string, string?, string?, string?];
    const { signedBy, ...own } = repoOptions(options, text);
    sources.push({
      ...trust,
      ...own,
      mirrors: [absolute(url!)],
      ...(tag === undefined ? {} : { tag }),
      ...(signedBy === undefined
        ? {}
        : { keyring: { name: signedBy, keys: [keyOf(signedBy, doors.readFile(signedBy))] } }),
    });
  }
  return sources;
}

/** A mirror's root has releases below it; a URL that ends in a repository's own name is that repository. */
function mirrorOf(url: string, below: (root: string) => string): string {
  const root = absolute(url);
  return /\/(main|community|testing)\/*$/.test(root) || root.endsWith('/apks') ? root : below(root);
}

function absolute(url: string): string {
  return /^[a-z][a-z0-9+.-]+:/i.test(url) ? url : resolvePath(url);
}

function keyringOf({ profile, architecture, settings }: Order, doors: Doors): ApkKeyring {
  const files =
    settings.keyring !== undefined && settings.keyring.length > 0
      ? settings.keyring
      : profile.keyring.filter((one) => one.startsWith('/'));
  if (files.length === 0) return alpineKeyring(architecture.own);
  // a signature names the key's file, so the name matters
  return {
    name: files.join(', '),
    keys: files.map((path) => keyOf(path, doors.readFile(path))),
  };
}

async function assemble(
  chosen: readonly ChosenApk[],
  repositories: readonly ApkRepository[],
  order: Order,
  epoch: number,
  { report, mirror, cache }: Doors,
): Promise<Assembled> {
  const { architecture, settings, requests } = order;
  const keep = settings.keepApkDb || settings.rootfsOnly;
  const { tree, scripts } = await makeRoot(chosen, {
    architecture: architecture.own,
    epoch,
    mirror,
    cache,
    report,
    ...(keep ? { record: worldOf(requests, repositories) } : {}),
  });
  return { tree, database: keep ? DATABASE : undefined, scripts };
}

/** What the guest's apk needs to go on with the same repositories. */
function worldOf(world: readonly string[], repositories: readonly ApkRepository[]): WorldFiles {
  // a repository of the build host means nothing in the guest
  const listed = repositories.filter(({ source }) => /^https?:/.test(source.mirrors[0]!));
  return {
    world,
    repositories: listed.map(
      ({ source: { mirrors, tag } }) => `${tag === undefined ? '' : `@${tag} `}${shown(mirrors[0]!)}`,
    ),
    keys: listed.flatMap(({ source, signedBy }) => source.keyring.keys.filter((key) => key.name === signedBy)),
  };
}
