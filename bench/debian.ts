import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { plan } from '../src/pipeline/plan.ts';
import { PROGRAM } from '../test/support/cli.ts';
import { tool } from '../test/support/data.ts';
import { settings, testHost } from '../test/support/host.ts';
import { addDebs, makeKey } from '../test/support/repository.ts';
import { serve } from '../test/support/server.ts';
import { atLeast5, type Contender, type Run, race, timed } from './measure.ts';

/** What the reference guest requests besides essential and required packages. */
export const PACKAGES = 'chrony iptables dbus init cryptsetup-bin e2fsprogs libseccomp2 kmod ca-certificates';
const EPOCH = '1700000000';

/** Clean-up functions as tests have them, run by the bench at its end. */
export class Hooks {
  private readonly hooks: (() => void | Promise<void>)[] = [];
  after(fn: () => void | Promise<void>): void {
    this.hooks.push(fn);
  }
  async end(): Promise<void> {
    for (const hook of this.hooks.reverse()) await hook();
  }
}

/** A package that the reference guest does not have, and that needs nothing else. */
const FURTHER = 'less';

/** A mirror on loopback. */
export interface Loopback {
  readonly url: string;
  /** File of the key that its lists are signed with. */
  readonly keyring: string;
  /** SHA-256 of its archives, by the names of packages. */
  readonly digests: ReadonlyMap<string, string>;
}

/** A loopback mirror of what a Debian 13 guest with these packages needs, signed with a key made for it. */
export async function mirrorOf(hooks: Hooks, folder: string, packages: string): Promise<Loopback> {
  const host = testHost(hooks);
  const supply = await plan(
    {
      settings: settings({
        ...{ distro: 'debian', osVersion: 'trixie', arch: 'amd64' },
        packages,
      }),
      hostArchitecture: 'x86_64',
    },
    host,
  );
  const debs = join(folder, 'debs');
  mkdirSync(debs);
  const { linkSync, copyFileSync } = await import('node:fs');
  const paths: string[] = [];
  for (const { package: one } of supply.chosen) {
    const archive = await host.mirror.fetch({
      urls: one.urls,
      size: one.size,
      digest: { algorithm: 'sha256', hex: one.sha256 },
      category: 'archives',
    });
    const path = join(debs, decodeURIComponent(one.urls[0]!.slice(one.urls[0]!.lastIndexOf('/') + 1)));
    try {
      linkSync(archive, path);
    } catch {
      copyFileSync(archive, path);
    }
    paths.push(path);
  }
  const key = await makeKey();
  const root = join(folder, 'mirror');
  await addDebs(root, { suite: 'trixie', codename: 'trixie', debs: paths, architectures: ['amd64'], keys: [key] });
  const keyring = join(folder, 'keyring.gpg');
  writeFileSync(keyring, key.publicKey);
  const server = await serve(hooks, root);
  const digests = new Map(supply.chosen.map(({ package: { name, sha256 } }) => [name, sha256]));
  return { url: server.url, keyring, digests };
}

/** The reference Debian guest: ours with nothing cached, with packages downloaded, and warm, against mmdebstrap. */
export async function debianBench(rounds: number): Promise<string[]> {
  const hooks = new Hooks();
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  hooks.after(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const mirror = await mirrorOf(hooks, folder, `${PACKAGES} ${FURTHER}`);
    const out = (name: string) => join(folder, name);
    const ours = (cache: string, words: readonly string[], packages = PACKAGES) =>
      rootfsOf(mirror, packages, cache, out('ours.tar'), words);
    const run = (cache: string, ...words: string[]) =>
      timed(process.execPath, ours(cache, ['--rootfs-only', ...words]));
    const fresh = (...words: string[]) => {
      rmSync(out('cold'), { recursive: true, force: true });
      return run(out('cold'), ...words);
    };
    const warm = out('warm');
    const archives = out('archives');
    await run(warm);
    const contenders: Contender[] = [
      { name: 'ours, nothing cached', run: () => fresh() },
      {
        name: 'ours, packages downloaded',
        async run() {
          if (!existsSync(archives)) await run(archives);
          for (const category of ['spools', 'parsed', 'trees'])
            rmSync(join(archives, category), { recursive: true, force: true });
          return run(archives);
        },
      },
      {
        name: 'ours, unpacked, tree not kept',
        async run() {
          rmSync(join(warm, 'trees'), { recursive: true, force: true });
          return run(warm);
        },
      },
      { name: 'ours, warm', run: () => run(warm) },
      {
        name: 'ours, warm, as an image with a DAX header',
        // the peer would need `mke2fs -d` besides
        run: () =>
          timed(process.execPath, rootfsOf(mirror, PACKAGES, warm, out('ours.img'), ['--rootfs-only'], 'image')),
      },
    ];
    const further = mirror.digests.get(FURTHER)!;
    const rest = [...(await threadsRace(rounds, fresh)), ...(await againBench(rounds, { folder, further, ours }))];
    if (tool('mmdebstrap') === undefined)
      return ['mmdebstrap is not installed: the Debian guest was not raced', '', ...rest];
    contenders.push(mmdebstrap(mirror, PACKAGES, folder));
    return [...(await race('Debian 13 guest as tar, loopback mirror', contenders, rounds)), ...rest];
  } finally {
    await hooks.end();
  }
}

/** Arguments of ours for a guest from a loopback mirror. */
export function rootfsOf(
  { url, keyring }: Loopback,
  packages: string,
  cache: string,
  output: string,
  words: readonly string[],
  kind: 'rootfs' | 'image' = 'rootfs',
): string[] {
  return [
    ...[PROGRAM, kind, '--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--no-trim'],
    ...['--packages', packages, '--repo-url', url, '--keyring', keyring, '--source-date-epoch', EPOCH],
    ...['--cache-dir', cache, '--quiet', '-o', output, ...words],
  ];
}

/** The peer: the same guest by mmdebstrap. */
export function mmdebstrap({ url, keyring }: Loopback, packages: string, folder: string): Contender {
  const args = [
    ...['--quiet', '--variant=required', '--components=main', '--architectures=amd64'],
    ...[`--include=${packages.replaceAll(' ', ',')}`, '--format=tar'],
    ...['trixie', join(folder, 'theirs.tar'), `deb [signed-by=${keyring}] ${url} trixie main`],
  ];
  return {
    name: `mmdebstrap${process.getuid?.() === 0 ? ' (root)' : ''}`,
    run: () => timed(tool('mmdebstrap')!, args, { SOURCE_DATE_EPOCH: EPOCH, TMPDIR: folder }),
  };
}

/** Ours with several threads against ours with one. */
function threadsRace(rounds: number, fresh: (...words: string[]) => Promise<Run>): Promise<string[]> {
  const several = [2, 4, 8].filter((jobs) => jobs <= availableParallelism());
  if (several.length === 0) return Promise.resolve(['one processor: threads were not raced', '']);
  return race(
    'the same guest by threads, nothing cached',
    [...several, 1].map((jobs) => ({ name: `--jobs ${jobs}`, run: () => fresh('--jobs', String(jobs)) })),
    rounds,
  );
}

interface Again {
  readonly folder: string;
  /** SHA-256 of the further package. */
  readonly further: string;
  ours(cache: string, words: readonly string[], packages?: string): string[];
}

/** The guest with an agent, built again after a change, against the build that found packages unpacked but no kept tree. */
async function againBench(rounds: number, { folder, further, ours }: Again): Promise<string[]> {
  const cache = join(folder, 'again');
  const agents = ['one', 'other'].map((name) => {
    const path = join(folder, `agent-${name}`);
    writeFileSync(path, `#!/bin/sh\n# ${name}\n`, { mode: 0o755 });
    return path;
  });
  let turn = 0;
  const build = (packages?: string) =>
    timed(process.execPath, ours(cache, ['--agent', agents[turn++ % agents.length]!], packages));
  const more = `${PACKAGES} ${FURTHER}`;
  const drop = (category: string, name = '') =>
    rmSync(join(cache, category, name.slice(0, 2), name), { recursive: true, force: true });
  return race(
    'the same guest again, with another agent binary each time',
    [
      { name: 'nothing else changed', run: () => build() },
      {
        name: 'one package more, to be fetched and unpacked',
        async run() {
          for (const category of ['archives', 'spools']) drop(category, further);
          drop('trees');
          await build();
          return build(more);
        },
      },
      {
        name: 'packages unpacked, tree not kept',
        async run() {
          drop('trees');
          return build();
        },
      },
    ],
    atLeast5(rounds),
    { warm: true },
  );
}
