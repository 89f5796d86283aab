import { createPublicKey } from 'node:crypto';
import { BuildError } from '../../errors/error.ts';
import { type Report, silent } from '../../events/events.ts';
import { Tree } from '../../tree/tree.ts';
import type { Cache } from '../cache.ts';
import type { ScriptReport } from '../family.ts';
import type { Mirror } from '../mirror.ts';
import { install } from './configure.ts';
import { DATABASE, initialise, recordDatabase, type WorldFiles } from './database.ts';
import type { Installed } from './installation.ts';
import type { ChosenApk } from './resolve.ts';
import { fetchPackages, unpackAll } from './unpack.ts';

export { DATABASE, type WorldFiles } from './database.ts';
export type { ApkPackage } from './index-file.ts';
export type { Installed } from './installation.ts';
export { type ApkRepository, type ApkSource, openRepositories, openRepository } from './repository.ts';
export { type ChosenApk, resolve } from './resolve.ts';
export { type ApkKeyring, alpineKeyring } from './signature.ts';

/** What an Alpine root is made with. */
export interface RootOptions {
  /** In Alpine's words; also what scripts see as `uname -m`. */
  readonly architecture: string;
  /** Unix seconds that no time stamp is later than, and that scripts take for now. */
  readonly epoch: number;
  readonly mirror: Mirror;
  readonly cache: Cache;
  /** Follow install scripts and triggers; true unless said otherwise. */
  readonly scripts?: boolean;
  readonly report?: Report;
  /** What the guest's apk is told; left out: the guest keeps no database. */
  readonly record?: WorldFiles;
}

/**
 * Fetches, unpacks, installs and configures packages into a fresh tree, with the database as apk would have written it:
 * what `apk add --initdb --root` makes.
 */
export async function makeRoot(
  chosen: readonly ChosenApk[],
  options: RootOptions,
): Promise<{
  readonly tree: Tree;
  readonly packages: readonly Installed[];
  readonly scripts: readonly ScriptReport[];
}> {
  const { architecture, cache, epoch, mirror } = options;
  const report = options.report ?? silent;
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
  const scripts: ScriptReport[] = [];
  initialise(tree, architecture, epoch);
  const installed = install(
    tree,
    unpacked.map((one, i) => ({ unpacked: one, tag: chosen[i]!.tag })),
    {
      ...{ epoch, machine: architecture, scripts: options.scripts ?? true, report },
      followed: (one) => void scripts.push(one),
    },
  );
  if (options.record === undefined) tree.remove(DATABASE);
  else recordDatabase(tree, installed, options.record, epoch);
  report({ kind: 'ended', phase: 'configure' });
  return { tree, packages: installed, scripts };
}

/** A public key of a person's own, from a file named as signatures name it (`me@example.org-1234.rsa.pub`). */
export function keyOf(path: string, bytes: Uint8Array): { readonly name: string; readonly pem: string } {
  const pem = Buffer.from(bytes).toString('latin1');
  let kind: string | undefined;
  try {
    kind = createPublicKey(pem).asymmetricKeyType;
  } catch {
    // told below
  }
  if (kind !== 'rsa') throw new BuildError('APK_FORMAT', { path, reason: 'it is no RSA public key in PEM form' });
  return { name: path.replace(/^.*[/\\]/, ''), pem };
}
