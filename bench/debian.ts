import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plan } from '../src/pipeline/plan.ts';
import { PROGRAM } from '../test/support/cli.ts';
import { tool } from '../test/support/data.ts';
import { settings, testHost } from '../test/support/host.ts';
import { addDebs, makeKey } from '../test/support/repository.ts';
import { serve } from '../test/support/server.ts';
import { type Contender, race, timed } from './measure.ts';

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

/** A loopback mirror of the reference guest's packages, signed with a key made for it. */
async function mirrorOf(hooks: Hooks, folder: string): Promise<{ url: string; keyring: string }> {
  const host = testHost(hooks);
  const supply = await plan(
    {
      settings: settings({ distro: 'debian', osVersion: 'trixie', packages: PACKAGES, arch: 'amd64' }),
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
  return { url: server.url, keyring };
}

/** The reference Debian guest: ours with nothing cached, with packages downloaded, and warm, against mmdebstrap. */
export async function debianBench(rounds: number): Promise<string[]> {
  const hooks = new Hooks();
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  hooks.after(() => rmSync(folder, { recursive: true, force: true }));
  try {
    const { url, keyring } = await mirrorOf(hooks, folder);
    const out = (name: string) => join(folder, name);
    const ours = (cache: string, output: string) => [
      ...[
        PROGRAM,
        'rootfs',
        '--distro',
        'debian',
        '--os-version',
        'trixie',
        '--arch',
        'amd64',
        '--rootfs-only',
        '--no-trim',
      ],
      ...[
        '--packages',
        PACKAGES,
        '--repo-url',
        url,
        '--keyring',
        keyring,
        '--source-date-epoch',
        EPOCH,
        '--cache-dir',
        cache,
        '--quiet',
        '-o',
        output,
      ],
    ];
    const run = (cache: string) => timed(process.execPath, ours(cache, out('ours.tar')));
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
          for (const category of ['spools', 'parsed'])
            rmSync(join(archives, category), { recursive: true, force: true });
          return run(archives);
        },
      },
      { name: 'ours, warm', run: () => run(warm) },
    ];
    if (tool('mmdebstrap') === undefined) return ['mmdebstrap is not installed: the Debian guest was not raced', ''];
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
    return await race('Debian 13 guest as tar, loopback mirror', contenders, rounds);
  } finally {
    await hooks.end();
  }
}
