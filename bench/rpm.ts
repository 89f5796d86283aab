import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dnfCommand, RPM_SETS, rpmObstacle } from '../test/parity/rpm.ts';
import { PROGRAM } from '../test/support/cli.ts';
import { data, needs } from '../test/support/data.ts';
import { needsMirror, testHost } from '../test/support/host.ts';
import { rpmGuest } from '../test/support/rpm-guest.ts';
import { serve } from '../test/support/server.ts';
import { dropChoices } from './commands.ts';
import { Hooks } from './debian.ts';
import { type Run, race, timed } from './measure.ts';

/** A guest of the made rpm distribution, and requests to CentOS Stream 9 with its 18,774 packages: ours against dnf. */
export async function rpmBench(rounds: number): Promise<string[]> {
  const lacking = process.arch === 'x64' ? rpmObstacle() || (await needsMirror()) : 'not here: an x86_64 machine';
  if (lacking) return [`${lacking}: the rpm guest was not raced`, ''];
  const hooks = new Hooks();
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  hooks.after(() => rmSync(folder, { recursive: true, force: true }));
  try {
    return [...(await guestRace(hooks, folder, rounds)), ...(await planRace(folder, rounds))];
  } finally {
    await hooks.end();
  }
}

async function guestRace(hooks: Hooks, folder: string, rounds: number): Promise<string[]> {
  const guest = await rpmGuest(testHost(hooks));
  mkdirSync(join(folder, 'mirror/3.0/prod/base'), { recursive: true });
  symlinkSync(guest.repository, join(folder, 'mirror/3.0/prod/base/x86_64'));
  const { url } = await serve(hooks, join(folder, 'mirror'));
  const fresh = (name: string) => {
    rmSync(join(folder, name), { recursive: true, force: true });
    return join(folder, name);
  };
  const { packages } = RPM_SETS[0]!;
  const ours = (cache: string, output: string): Promise<Run> =>
    timed(process.execPath, [
      ...[PROGRAM, 'rootfs', '--distro', 'cbl-mariner', '--os-version', '3.0', '--arch', 'x86_64', '--rootfs-only'],
      ...['--no-trim', '--packages', packages, '--repo-url', url, '--keyring', guest.keyring, '--cache-dir', cache],
      ...['--quiet', '-o', output],
    ]);
  const theirs = (): Promise<Run> => {
    const root = fresh('theirs');
    mkdirSync(root);
    const repository = `${url}/3.0/prod/base/x86_64`;
    const checked = ['--setopt=made.gpgcheck=1', `--setopt=made.gpgkey=file://${guest.keyring}`];
    return timed(...dnfCommand({ repository }, folder, root, false, ...checked, 'install', ...packages.split(' ')));
  };
  const warm = join(folder, 'warm');
  await ours(warm, join(folder, 'ours.tar'));
  return race(
    'Azure-like guest of 103 rpm packages, loopback mirror',
    [
      { name: 'ours as tar, nothing cached', run: () => ours(fresh('cold'), join(folder, 'ours.tar')) },
      { name: 'ours as tar, warm', run: () => ours(warm, join(folder, 'ours.tar')) },
      { name: 'ours as folder, warm', run: () => ours(warm, `${fresh('ours')}/`) },
      { name: 'dnf --installroot', run: theirs },
    ],
    rounds,
  );
}

/** Requests that 250 packages answer. */
const REQUESTS = ['nginx', 'php', 'podman', 'httpd', 'git', 'java-17-openjdk-headless'];

async function planRace(folder: string, rounds: number): Promise<string[]> {
  const lacking = needs({ data: ['rpm/c9s-baseos', 'rpm/c9s-appstream'] });
  if (lacking) return [`${lacking}: requests to CentOS Stream 9 were not raced`, ''];
  const home = join(folder, 'centos');
  const places: string[] = [];
  for (const [name, set] of [
    ['BaseOS', 'rpm/c9s-baseos'],
    ['AppStream', 'rpm/c9s-appstream'],
  ] as const) {
    mkdirSync(join(home, '9-stream', name, 'x86_64'), { recursive: true });
    symlinkSync(data(set), join(home, '9-stream', name, 'x86_64/os'));
    places.push(`--repofrompath=${name},${join(home, '9-stream', name, 'x86_64/os')}/`);
  }
  const ours = (cache: string): Promise<Run> =>
    timed(process.execPath, [
      ...[PROGRAM, 'plan', '--distro', 'centos', '--os-version', '9-stream', '--arch', 'x86_64', '--rootfs-only'],
      ...['--packages', REQUESTS.join(' '), '--repo-url', home, '--cache-dir', cache, '--quiet', '--json'],
    ]);
  const root = join(folder, 'empty');
  mkdirSync(root);
  const theirs = (...more: string[]): Promise<Run> =>
    // it ends with 1 when the answer is no
    timed('/bin/sh', [
      ...['-c', '"$@"; test $? = 1', 'sh', 'dnf', '--assumeno', '--noplugins', '--installroot', root],
      ...['--releasever', '9', '--setopt=reposdir=/nonexistent', '--setopt=install_weak_deps=0', '--setopt=gpgcheck=0'],
      ...[`--setopt=cachedir=${join(folder, 'dnf-cache')}`, ...more, ...places, 'install', ...REQUESTS],
    ]);
  const kept = join(folder, 'kept');
  await ours(kept);
  await theirs();
  return race(
    'plan of 250 packages of CentOS Stream 9 (BaseOS and AppStream)',
    [
      {
        name: 'ours, nothing kept',
        run() {
          rmSync(join(folder, 'cold-plan'), { recursive: true, force: true });
          return ours(join(folder, 'cold-plan'));
        },
      },
      {
        name: 'ours, index kept',
        run() {
          dropChoices(kept);
          return ours(kept);
        },
      },
      { name: 'ours, asked again', run: () => ours(kept) },
      { name: 'node, started and ended', run: () => timed(process.execPath, ['-e', '']) },
      { name: 'dnf --assumeno, its cache warm', run: () => theirs('-C') },
    ],
    Math.max(rounds, 5),
  );
}
