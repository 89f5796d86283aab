import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plan } from '../src/pipeline/plan.ts';
import { PROGRAM } from '../test/support/cli.ts';
import { tool } from '../test/support/data.ts';
import { settings, testHost } from '../test/support/host.ts';
import { addDebs, makeKey } from '../test/support/repository.ts';
import { serve } from '../test/support/server.ts';
import { atLeast5, type Contender, race, timed } from './measure.ts';

/** What the reference guest requests besides essential and required packages. */
const PACKAGES = 'chrony iptables dbus init cryptsetup-bin e2fsprogs libseccomp2 kmod ca-certificates';
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

/** A loopback mirror of the reference guest's packages, signed with a key made for it, and one package more. */
async function mirrorOf(hooks: Hooks, folder: string): Promise<{ url: string; keyring: string; further: string }> {
  const host = testHost(hooks);
  const supply = await plan(
    {
      settings: settings({
        ...{ distro: 'debian', osVersion: 'trixie', arch: 'amd64' },
        packages: `${PACKAGES} ${FURTHER}`,
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
  const further = supply.chosen.find((one) => one.package.name === FURTHER)!.package.sha256;
  return { url: server.url, keyring, further };
}

/** The reference Debian guest: ours with nothing cached, with packages downloaded, and warm, against mmdebstrap. */
export async function debianBench(rounds: number): Promise<string[]> {
  const hooks = new Hooks();
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  hooks.after(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const { url, keyring, further } = await mirrorOf(hooks, folder);
    const out = (name: string) => join(folder, name);
    const ours = (cache: string, words: readonly string[], packages = PACKAGES) => [
      ...[PROGRAM, 'rootfs', '--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--no-trim'],
      ...['--packages', packages, '--repo-url', url, '--keyring', keyring, '--source-date-epoch', EPOCH],
      ...['--cache-dir', cache, '--quiet', '-o', out('ours.tar'), ...words],
    ];
    const run = (cache: string) => timed(process.execPath, ours(cache, ['--rootfs-only']));
    const warm = out('warm');
    const archives = out('archives');
    await run(warm);
    const contenders: Contender[] = [
      {
        name: 'ours, nothing cached',
        async run() {
          rmSync(out('cold'), { recursive: true, force: true });
          return run(out('cold'));
        },
      },
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
    ];
    const again = await againBench(rounds, { folder, further, ours });
    if (tool('mmdebstrap') === undefined)
      return ['mmdebstrap is not installed: the Debian guest was not raced', '', ...again];
    contenders.push({
      name: `mmdebstrap${process.getuid?.() === 0 ? ' (root)' : ''}`,
      run: () =>
        timed(
          tool('mmdebstrap')!,
          [
            ...[
              '--quiet',
              '--variant=required',
              '--components=main',
              '--architectures=amd64',
              `--include=${PACKAGES.replaceAll(' ', ',')}`,
              '--format=tar',
            ],
            ...['trixie', out('theirs.tar'), `deb [signed-by=${keyring}] ${url} trixie main`],
          ],
          { SOURCE_DATE_EPOCH: EPOCH, TMPDIR: folder },
        ),
    });
    return [...(await race('Debian 13 guest as tar, loopback mirror', contenders, rounds)), ...again];
  } finally {
    await hooks.end();
  }
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
