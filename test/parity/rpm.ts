import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openArtefact } from '../../src/artefacts/open.ts';
import type { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, tool } from '../support/data.ts';
import { GUEST_TOOLS, type RpmGuest } from '../support/rpm-guest.ts';
import type { Class } from './classes.ts';
import { type Comparison, comparison } from './report.ts';

/** The same packages of the made rpm distribution, installed by `dnf --installroot` and by this program. */

/** Sets of packages in docs/parity.md. */
export const RPM_SETS: readonly RpmSet[] = [
  {
    name: 'a guest of Azure Linux',
    packages:
      'bash ca-certificates chrony coreutils cryptsetup dbus elfutils-libelf filesystem iptables irqbalance libseccomp systemd tzdata zlib made-demo made-watcher',
    weak: false,
  },
  { name: 'with weak dependencies', packages: 'systemd chrony irqbalance made-demo made-watcher', weak: true },
  { name: 'everything', packages: '*', weak: true },
];

/** A set of packages, and whether weak dependencies come along. */
export interface RpmSet {
  readonly name: string;
  readonly packages: string;
  readonly weak: boolean;
}

/** Differences that are meant. */
const CLASSES: readonly Class[] = [
  {
    name: 'device nodes',
    reason: 'the few that a guest may need before devtmpfs, with the kernel’s modes',
    paths: [/^\/dev\/.+/],
    ways: ['missing', 'added', 'differs'],
  },
  { name: 'run', reason: '/run is a tmpfs', paths: [/^\/run\/.+/] },
  {
    name: 'backups and locks',
    reason: 'created by the account tools',
    paths: [/^\/etc\/(passwd|group|shadow|gshadow)-$|^\/etc\/\.pwd\.lock$/],
  },
  {
    name: 'state of dnf',
    reason: 'lists, history and logs of a package manager that is no longer needed',
    paths: [/^\/etc\/dnf(\/|$)|^\/var\/(cache|lib)\/dnf(\/|$)|^\/var\/log\/(dnf|hawkey)\./],
  },
  {
    name: 'database of rpm',
    reason: 'it has the date of the installation; what it answers is compared instead',
    paths: [/^\/var\/lib\/rpm\/(rpmdb\.sqlite.*|\.rpm\.lock)$/],
    ways: ['missing', 'differs'],
  },
  {
    name: 'machine id',
    reason: 'unique to a machine: it stays empty until the first boot',
    paths: [/^\/etc\/machine-id$/],
    ways: ['differs'],
  },
  {
    name: 'loader’s notes',
    reason: 'ldconfig writes what it read of each library, to be faster the next time',
    paths: [/^\/var\/cache\/ldconfig\/aux-cache$/],
  },
  {
    name: 'hardware database',
    reason: '13 MB of data about devices that a guest does not have; systemd-hwdb update creates it',
    paths: [/^\/etc\/udev\/hwdb\.bin$/],
  },
];

/** Why nothing can be compared here, or false. */
export function rpmObstacle(): string | false {
  const missing = needs({ tools: [...GUEST_TOOLS, 'dnf', 'unshare', 'tar', 'getcap'], root: true });
  if (missing) return missing;
  const tried = spawnSync(tool('unshare')!, ['--mount', 'true']);
  return tried.status === 0 ? false : 'not available: a mount namespace of its own for dnf';
}

/** Runs rpm on a root. */
export function rpm(home: string, root: string, ...args: string[]) {
  return spawnSync('rpm', ['--root', root, ...args], {
    env: { ...process.env, HOME: home },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
}

/**
 * Runs dnf on a root, with /proc and /dev/null, in a mount namespace that ends with it. `home` has rpm's macros. dnf's
 * cache is empty: the machine's may have the index of another repository that was at the same path.
 */
export function dnf(guest: RpmGuest, home: string, root: string, weak: boolean, ...args: string[]) {
  const [command, words, env] = dnfCommand(guest, home, root, weak, ...args);
  return spawnSync(command, words, { env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 1 << 28 });
}

/** The command that {@link dnf} runs: program, arguments and environment. Makes what it needs in the root. */
export function dnfCommand(
  { repository }: Pick<RpmGuest, 'repository'>,
  home: string,
  root: string,
  weak: boolean,
  ...args: string[]
): [command: string, words: string[], env: Record<string, string>] {
  writeFileSync(join(home, '.rpmmacros'), '%_dbpath /var/lib/rpm\n');
  for (const [name, mode] of [
    ['proc', 0o555],
    ['dev', 0o755],
  ] as const)
    mkdirSync(join(root, name), { recursive: true, mode });
  const script =
    'mkdir -p /var/cache/dnf && mount -t tmpfs tmpfs /var/cache/dnf && mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev" && mknod -m 666 "$0/dev/null" c 1 3 && umask 022 && exec "$@"';
  return [
    tool('unshare')!,
    [
      ...['--mount', '/bin/sh', '-c', script, root],
      ...['dnf', '-y', '--noplugins', '--installroot', root, '--releasever', '3.0', '--setopt=reposdir=/nonexistent'],
      ...[`--setopt=install_weak_deps=${weak ? 1 : 0}`, '--setopt=keepcache=0', '--setopt=cachedir=/var/cache/dnf'],
      ...[`--repofrompath=made,${repository}`, '--repo=made', '--setopt=made.gpgcheck=0', ...args],
    ],
    { HOME: home, LC_ALL: 'C' },
  ];
}

/** Two roots of the same packages, and what differs. */
export interface RpmComparison {
  readonly comparison: Comparison;
  /** Folders. */
  readonly theirs: string;
  readonly ours: string;
  /** Folder with rpm's macros, for {@link rpm}. */
  readonly home: string;
}

/** Installs a set with dnf and with this program below `folder`, which is fresh, and compares the trees. */
export async function compareWithDnf(guest: RpmGuest, set: RpmSet, folder: string): Promise<RpmComparison> {
  const [theirs, ours, mirror] = ['theirs', 'ours', 'mirror'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [theirs, ours]) mkdirSync(path);
  const packages = set.packages.split(' ');
  const run = dnf(guest, folder, theirs, set.weak, 'install', ...packages);
  if (run.status !== 0 || /scriptlet failed/i.test(run.stdout + run.stderr))
    throw new Error(`dnf ended with ${run.status}: ${run.stdout}${run.stderr}`);
  mkdirSync(join(mirror, '3.0/prod/base'), { recursive: true });
  symlinkSync(guest.repository, join(mirror, '3.0/prod/base/x86_64'));
  const built = await osbuilder([
    ...['rootfs', '--distro', 'cbl-mariner', '--os-version', '3.0', '--arch', 'x86_64', '--repo-url', mirror],
    ...['--keyring', guest.keyring, '--cache-dir', join(folder, 'cache'), '--packages', packages.join(' ')],
    ...(set.weak ? ['--recommends'] : []),
    ...['--rootfs-only', '--no-trim', '--json', '--source-date-epoch', String(dayOf(theirs)), '-o', `${ours}.tar`],
  ]);
  if (built.code !== 0) throw new Error(built.stderr || built.stdout);
  const { warnings } = JSON.parse(built.stdout) as { warnings: { message: string }[] };
  const attributes = ['--xattrs', '--xattrs-include=*', '--numeric-owner'];
  execFileSync('tar', [...attributes, '-cf', `${theirs}.tar`, '-C', theirs, '.']);
  execFileSync('tar', [...attributes, '-xpf', `${ours}.tar`, '-C', ours]);
  const [theirTree, ourTree] = await Promise.all([treeOf(`${theirs}.tar`, folder), treeOf(`${ours}.tar`, folder)]);
  const versions = (root: string) =>
    new Map(
      rpm(folder, root, '-qa', '--qf', '%{NAME} %{EVR}\n')
        .stdout.split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(' ') as [string, string]),
    );
  return {
    comparison: comparison({
      ...{ suite: set.name, packages, theirs: theirTree, ours: ourTree, warnings },
      family: {
        classes: CLASSES,
        theirs: versions(theirs),
        ours: versions(ours),
        causes: { of: (path) => shippers(folder, theirs, path) },
      },
    }),
    theirs,
    ours,
    home: folder,
  };
}

async function treeOf(path: string, folder: string): Promise<Tree> {
  return (await openArtefact(path, { workspace: () => folder })).tree();
}

/** The day on which dnf made accounts, in seconds: passwords have that date. */
function dayOf(root: string): number {
  const days = readFileSync(join(root, 'etc/shadow'), 'latin1')
    .split('\n')
    .map((line) => Number(line.split(':')[2] ?? 0));
  return Math.max(...days) * 86_400;
}

/** The packages that have a path, or the nearest folder above it. */
function shippers(home: string, root: string, path: string): string {
  for (let at = path; at !== '/'; at = dirname(at)) {
    const found = rpm(home, root, '-qf', '--qf', '%{NAME} ', at);
    if (found.status === 0) return `${at === path ? 'shipped by' : `below ${at} of`} ${found.stdout.trim()}`;
  }
  return 'no package has it';
}
