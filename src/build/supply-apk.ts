import { basename, resolve as resolvePath } from 'node:path';
import { repositoriesOf } from '../distros/profile.ts';
import { BuildError } from '../errors/error.ts';
import { install } from '../packages/apk/configure.ts';
import { DATABASE, initialise, recordDatabase } from '../packages/apk/database.ts';
import { type ApkSource, openRepositories } from '../packages/apk/repository.ts';
import { type ChosenApk, resolve } from '../packages/apk/resolve.ts';
import { type ApkKeyring, alpineKeyring } from '../packages/apk/signature.ts';
import { fetchPackages, unpackAll } from '../packages/apk/unpack.ts';
import { shown } from '../packages/mirror.ts';
import { Tree } from '../tree/tree.ts';
import type { Doors } from './doors.ts';
import type { Assembled, Order, Supply } from './supply.ts';

/** Alpine and its relatives: a world of names, decided as apk would. */
export async function supplyApk(order: Order, doors: Doors): Promise<Supply> {
  const { architecture, requests } = order;
  const { report, mirror } = doors;
  if (order.settings.snapshot !== undefined)
    throw new BuildError('NOT_SUPPORTED', { what: '--snapshot', reason: 'Alpine keeps no dated archives' });
  report({ kind: 'phase', phase: 'plan' });
  const sources = apkSources(order, doors);
  const repositories = await openRepositories(sources, architecture.own, mirror);
  const chosen = resolve(requests, repositories, architecture.own, report);
  report({ kind: 'ended', phase: 'plan' });
  return {
    chosen,
    date: Math.max(0, ...repositories.map((one) => one.date)),
    assemble: (epoch) => assemble(chosen, sources, order, epoch, doors),
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
    const match = /^(?:@(\S+)\s+)?(\S+)$/.exec(text.trim());
    if (match === null)
      throw new BuildError('SETTING_INVALID', {
        source: '--repo',
        value: text,
        reason: 'an Alpine repository is `[@TAG] URL`',
      });
    sources.push({ ...trust, mirrors: [absolute(match[2]!)], ...(match[1] === undefined ? {} : { tag: match[1] }) });
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
    keys: files.map((path) => ({ name: basename(path), pem: new TextDecoder().decode(doors.readFile(path)) })),
  };
}

async function assemble(
  chosen: readonly ChosenApk[],
  sources: readonly ApkSource[],
  order: Order,
  epoch: number,
  doors: Doors,
): Promise<Assembled> {
  const { report, mirror, cache } = doors;
  const { architecture, settings, requests } = order;
  const packages = chosen.map((one) => one.package);
  report({ kind: 'phase', phase: 'fetch', bytes: packages.reduce((sum, one) => sum + one.size, 0) });
  const archives = await fetchPackages(packages, mirror);
  report({ kind: 'ended', phase: 'fetch' });
  const unpacked = await unpackAll(
    packages.map((one, i) => ({ package: one, archive: archives[i]! })),
    cache,
    report,
  );
  report({ kind: 'phase', phase: 'configure' });
  const tree = new Tree();
  initialise(tree, architecture.own, epoch);
  const installed = install(
    tree,
    unpacked.map((one, i) => ({ unpacked: one, tag: chosen[i]!.tag })),
    { epoch, machine: architecture.uname, scripts: true, report },
  );
  const keep = settings.keepApkDb || settings.rootfsOnly;
  if (keep) {
    // a repository of the build host means nothing in the guest
    const repositories = sources
      .map((one) => one.mirrors[0]!)
      .filter((url) => /^https?:/.test(url))
      .map(shown);
    recordDatabase(tree, installed, { world: requests, repositories, keys: [] }, epoch);
  } else tree.remove(DATABASE);
  report({ kind: 'ended', phase: 'configure' });
  return { tree, database: keep ? DATABASE : undefined };
}
