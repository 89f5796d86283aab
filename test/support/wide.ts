import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silent } from '../../src/events/events.ts';
import { type DebianContext, debianContext } from '../../src/families/apt/architecture.ts';
import { controlFields } from '../../src/families/apt/archive.ts';
import { configureOrder, essentialFirst, Providers } from '../../src/families/apt/configure/order.ts';
import { Installation } from '../../src/families/apt/install.ts';
import type { AptPackage } from '../../src/families/apt/package.ts';
import { type UnpackedDeb, unpackAll } from '../../src/families/apt/unpack.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { Tree } from '../../src/tree/tree.ts';
import { aptHome, debianSite } from './apt-home.ts';
import { packageOf } from './debs.ts';
import { TEST_CACHE } from './host.ts';

/** Packages without scripts that those of the wide set take files from. */
export const WIDE_MORE = ['apache2-data', 'libsnmp-base', 'unzip'];

/** The time all trees of tests are made at. */
export const EPOCH = 1_700_000_000;

/**
 * Downloads packages of a Debian suite by name, through this machine's own apt sources, into a folder that is kept.
 * Undefined when they cannot be had. `key` names the set.
 */
export function downloadDebs(key: string, suite: string, names: readonly string[]): string | undefined {
  const folder = join(TEST_CACHE, key);
  if (existsSync(join(folder, 'complete'))) return folder;
  try {
    const run = (file: string, args: readonly string[], cwd?: string) =>
      execFileSync(file, args, {
        encoding: 'utf8',
        maxBuffer: 64 << 20,
        stdio: ['ignore', 'pipe', 'ignore'],
        ...(cwd === undefined ? {} : { cwd }),
      });
    const site = debianSite();
    if (site === undefined) return undefined;
    const settings = aptHome(folder, `deb [trusted=yes] ${site} ${suite} main`);
    run('apt-get', [...settings, 'update']);
    const debs = join(folder, 'debs');
    mkdirSync(debs, { recursive: true });
    const known = new Set(run('apt-cache', [...settings, 'pkgnames']).split('\n'));
    run('apt-get', [...settings, 'download', ...names.filter((name) => known.has(name))], debs);
    writeFileSync(join(folder, 'complete'), '');
    return folder;
  } catch {
    return undefined;
  }
}

/** Opens every package in some folders; the first of two with one name counts. */
export async function openDebs(folders: readonly string[]): Promise<UnpackedDeb[]> {
  const found = new Map<string, { package: AptPackage; archive: string }>();
  for (const folder of folders)
    for (const file of readdirSync(folder)) {
      const match = /^([^_]+)_([^_]+)_([^_]+)\.deb$/.exec(file);
      if (match === null || found.has(match[1]!)) continue;
      const archive = join(folder, file);
      found.set(match[1]!, {
        package: packageOf(archive, decodeURIComponent(match[2]!), match[1], { architecture: match[3]! }),
        archive,
      });
    }
  const cache = new Cache(TEST_CACHE);
  const opened = await unpackAll([...found.values()], cache, silent);
  return opened.map((one) => {
    const fields = controlFields(Buffer.from(one.control.get('control')!.content.readSync()).toString('latin1'));
    const get = (name: string) => fields.get(name) ?? '';
    const self: AptPackage = {
      ...one.package,
      depends: get('Depends'),
      preDepends: get('Pre-Depends'),
      provides: get('Provides'),
      essential: get('Essential') === 'yes',
      priority: get('Priority'),
      multiArch: (fields.get('Multi-Arch') ?? 'no') as AptPackage['multiArch'],
    };
    return { ...one, package: self };
  });
}

/** An empty tree as an installation begins, with what the installer puts there by itself. */
export function emptyTree(): { tree: Tree; context: DebianContext; installation: Installation } {
  const tree = new Tree();
  const context = debianContext({ architecture: 'amd64', epoch: EPOCH, report: silent });
  tree.writeFile('etc/hostname', 'vm\n');
  tree.writeFile('etc/resolv.conf', 'nameserver 192.0.2.1\n');
  tree.writeFile('etc/fstab', '# UNCONFIGURED FSTAB FOR BASE SYSTEM\n');
  return { tree, context, installation: new Installation(tree, context) };
}

/** Packages in the order dpkg would configure them. */
export function inOrder(packages: readonly UnpackedDeb[]): UnpackedDeb[] {
  const byPackage = new Map(packages.map((one) => [one.package, one]));
  const all = [...byPackage.keys()];
  const providers = new Providers(all);
  const asked = { hasPostinst: (one: AptPackage) => byPackage.get(one)!.control.has('postinst') };
  const first = [...essentialFirst(all, providers)];
  const ordered = configureOrder(first, providers, new Set(), asked);
  ordered.push(...configureOrder(all, providers, new Set(ordered), asked));
  return ordered.map((one) => byPackage.get(one)!);
}
