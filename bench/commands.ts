import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aptHome, debianSite } from '../test/support/apt-home.ts';
import { PROGRAM } from '../test/support/cli.ts';
import { tool } from '../test/support/data.ts';
import { PACKAGES } from './debian.ts';
import { race, timed } from './measure.ts';

/** Races of a few hundredths of a second. */
const MANY = 15;

/** Short commands: what starting costs, and a plan of a Debian guest from the whole archive against `apt-get -s`. */
export async function commandsBench(rounds: number): Promise<string[]> {
  const many = Math.max(MANY, rounds);
  const ours = (...words: string[]) => timed(process.execPath, [PROGRAM, ...words]);
  const starting = await race(
    'short commands',
    [
      { name: '--version', run: () => ours('--version') },
      { name: '--help', run: () => ours('--help') },
      { name: 'node -e 0', run: () => timed(process.execPath, ['-e', '0']) },
    ],
    many,
    { warm: true },
  );
  return [...starting, ...(await planRace(many))];
}

async function planRace(rounds: number): Promise<string[]> {
  const apt = tool('apt-get');
  const site = apt === undefined ? undefined : debianSite();
  if (apt === undefined || site === undefined) return ['apt knows no Debian archive here: plans were not raced', ''];
  const folder = mkdtempSync(join(tmpdir(), 'osbuilder-bench-'));
  try {
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    const options = [
      ...aptHome(folder, `deb [signed-by=${keyring}] ${site} trixie main`),
      // images of containers turn these off
      ...['-oDir::Cache::pkgcache=pkgcache.bin', '-oDir::Cache::srcpkgcache=srcpkgcache.bin'],
      '-oAPT::Install-Recommends=false',
    ];
    execFileSync(apt, [...options, '-qq', 'update'], { stdio: 'ignore' });
    // a simulation would make them each time, and not keep them
    execFileSync(tool('apt-cache') ?? 'apt-cache', [...options, 'gencaches'], { stdio: 'ignore' });
    const kept = join(folder, 'kept');
    const plan = (...words: string[]) =>
      timed(process.execPath, [
        ...[PROGRAM, 'plan', '--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--rootfs-only'],
        ...['--packages', PACKAGES, '--repo-url', site, '--cache-dir', kept, '--quiet', '--json', ...words],
      ]);
    await plan();
    return await race(
      'plan of a Debian 13 guest from all of main',
      [
        { name: 'ours, asked again', run: () => plan() },
        { name: 'ours, asked again, offline', run: () => plan('--offline') },
        {
          name: 'ours, index kept, offline',
          run() {
            // the choice is kept in a file of its own
            dropChoices(kept);
            return plan('--offline');
          },
        },
        {
          name: 'apt-get -s, its caches warm',
          run: () =>
            timed(apt, [...options, '-s', 'install', '?essential', '?priority(required)', ...PACKAGES.split(' ')]),
        },
      ],
      rounds,
      { warm: true },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Removes the choices of packages that a cache keeps. */
export function dropChoices(cache: string): void {
  for (const path of readdirSync(join(cache, 'parsed'), { recursive: true, encoding: 'utf8' }))
    if (path.endsWith('.choice')) rmSync(join(cache, 'parsed', path));
}
