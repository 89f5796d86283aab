import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { osbuilder } from './cli.ts';
import { createRepository, makeRpmKey, RPM_TOOLS, type RpmMember, type SmallRpm, signRpms } from './rpms.ts';

/** Roots that dnf and this program make of the same small repository. */

/** Tools that this needs, for `needs`; it needs root as well. */
export const DNF_TOOLS: readonly string[] = [...RPM_TOOLS, 'dnf', 'rpm', 'busybox', 'bash', 'getcap', 'ldd'];

/** Members that are folders. */
export const folders = (...names: string[]): RpmMember[] => names.map((name) => ({ name: `${name}/`, mode: 0o755 }));

/** What a program is linked with; ldd fails for one that is static. */
export const libraries = (program: string): string[] =>
  [...spawnSync('ldd', [program], { encoding: 'utf8' }).stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);

/** A shell and its programs that run inside of the root: dnf runs the scripts for real. */
export function shell(): SmallRpm {
  const applets =
    'sh cat echo grep mkdir touch chmod chown ln rm cp sed wc sort tr test true false ls id head tail cut'.split(' ');
  const programs = { busybox: '/bin/busybox', bash: '/bin/bash', env: '/usr/bin/env' };
  const needed = new Set(Object.values(programs).flatMap(libraries));
  return {
    name: 'busybox',
    architecture: 'x86_64',
    tags: { Provides: ['/bin/sh', '/bin/bash', '/usr/bin/bash', '/usr/bin/env'], Requires: ['filesystem'] },
    files: [
      ...Object.entries(programs).map(([name, path]) => ({
        ...{ name: `usr/bin/${name}`, data: readFileSync(path), mode: 0o755 },
      })),
      ...applets.map((name) => ({ name: `usr/bin/${name}`, link: 'busybox' })),
      ...[...needed].map((path) => ({
        name: `usr${path.replace(/^\/usr/, '')}`,
        data: readFileSync(path),
        mode: 0o755,
      })),
    ],
  };
}

/** Where dnf and rpm keep their own things, and /dev, which every guest of ours has. */
const OWN = /^(dev(\/|$)|var\/(lib\/(rpm|dnf)|cache)|var\/log\/(dnf|hawkey)|etc\/dnf|root\/\.rpmdb|usr\/lib\/sysimage)/;

/** A line for each path of a root: kind, mode, owner, size, target, links, digest, capabilities. */
export function listing(root: string): string[] {
  const run = (program: string, args: string[]) =>
    execFileSync(program, args, { cwd: root, encoding: 'latin1', maxBuffer: 1 << 28 });
  const sums = new Map(
    run('find', ['.', '-type', 'f', '-exec', 'sha256sum', '--zero', '{}', '+'])
      .split('\0')
      .filter((row) => row !== '')
      .map((row) => [row.slice(66), row.slice(0, 64)]),
  );
  const caps = new Map(
    run('getcap', ['-r', '.'])
      .split('\n')
      .map((row): [string, string] => [
        `./${row.replace(/ \S+$/, '')}`.replace(/^\.\/\.\//, './'),
        row.replace(/^.* /, ''),
      ]),
  );
  return run('find', ['.', '-mindepth', '1', '-printf', '%P\\0%y\\0%m\\0%U:%G\\0%s\\0%l\\0%n\\n'])
    .split('\n')
    .filter((row) => row !== '')
    .map((row) => row.split('\0') as [string, string, string, string, string, string, string])
    .filter(([path]) => !OWN.test(path))
    .map(([path, kind, mode, owner, size, target, links]) => {
      const file = kind === 'f' ? ` ${size} ${links} ${sums.get(`./${path}`)} ${caps.get(`./${path}`) ?? ''}` : '';
      return `${path} ${kind} ${kind === 'l' ? target : mode} ${owner}${file}`;
    })
    .sort();
}

/** The packages that all others stand on. */
export const base = (): readonly SmallRpm[] => [
  {
    name: 'setup',
    files: [
      ...folders('etc', 'root'),
      {
        name: 'etc/passwd',
        data: 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:2:2:daemon:/:/sbin/nologin\n',
        mode: 0o644,
        flags: '%config(noreplace)',
      },
      { name: 'etc/group', data: 'root:x:0:\ndaemon:x:2:\nmail:x:12:\n', mode: 0o644, flags: '%config(noreplace)' },
      { name: 'etc/shadow', data: 'root:*:1::::::\n', mode: 0, flags: '%config(noreplace)' },
    ],
  },
  {
    name: 'filesystem',
    architecture: 'x86_64',
    tags: { Requires: ['setup'], 'Requires(pre)': ['setup'] },
    files: [
      ...folders('usr', 'usr/bin', 'usr/lib', 'usr/lib64', 'usr/share', 'var', 'var/lib', 'var/log'),
      { name: 'tmp/', mode: 0o1777 },
      { name: 'bin', link: 'usr/bin' },
      { name: 'lib', link: 'usr/lib' },
      { name: 'lib64', link: 'usr/lib64' },
    ],
    scripts: {
      'pretrans -p <lua>': [
        'for i, dir in ipairs({"/usr", "/usr/bin", "/usr/lib", "/usr/lib64"}) do',
        '  if posix.stat(dir) == nil then posix.mkdir(dir) end',
        'end',
        'for dir, target in pairs({["/bin"] = "usr/bin", ["/lib"] = "usr/lib", ["/lib64"] = "usr/lib64"}) do',
        '  if not posix.readlink(dir) then posix.symlink(target, dir) end',
        'end',
        'posix.mkdir("/proc")',
        'posix.chmod("/proc", "r-xr-xr-x")',
        'return 0',
      ].join('\n'),
    },
  },
  shell(),
];

/** A signed repository of made packages in the layout of Azure Linux, and both ways to install of it. */
export class DnfRepository {
  readonly folder: string;
  readonly mirror: string;
  private readonly repository: string;
  private readonly keyring: string;

  /** `folder` is fresh. */
  constructor(folder: string, paths: readonly string[]) {
    this.folder = folder;
    writeFileSync(join(folder, '.rpmmacros'), '%_dbpath /var/lib/rpm\n');
    const key = makeRpmKey(join(folder, 'gpg'));
    this.keyring = key.publicKey;
    signRpms(paths, key);
    this.mirror = join(folder, 'mirror');
    this.repository = join(this.mirror, '3.0/prod/base/x86_64');
    mkdirSync(this.repository, { recursive: true });
    for (const path of paths) copyFileSync(path, join(this.repository, basename(path)));
    createRepository(this.repository, key);
  }

  /** rpm with the database where the guest has it. */
  rpm(root: string, ...args: string[]) {
    return spawnSync('rpm', ['--root', root, ...args], { env: this.environment, encoding: 'utf8' });
  }

  /** dnf, which runs scripts for real. */
  dnf(root: string, ...args: string[]) {
    const command = [
      ...['-y', '--noplugins', '--installroot', root, '--releasever', '3.0', '--setopt=reposdir=/nonexistent'],
      ...['--setopt=install_weak_deps=0', '--setopt=keepcache=0', '--setopt=cachedir=/var/cache/dnf'],
      ...[`--repofrompath=made,${this.repository}`, '--repo=made', '--setopt=made.gpgcheck=0', ...args],
    ];
    mkdirSync(root, { recursive: true });
    return spawnSync('dnf', command, { env: this.environment, encoding: 'utf8' });
  }

  /** Installs with this program; the root is a folder. */
  async build(root: string, packages: readonly string[], ...flags: string[]) {
    const built = await osbuilder([
      ...['rootfs', '--distro', 'cbl-mariner', '--os-version', '3.0', '--arch', 'x86_64', '--repo-url', this.mirror],
      ...['--keyring', this.keyring, '--cache-dir', join(this.folder, 'cache'), '--packages', packages.join(',')],
      ...['--rootfs-only', '--no-trim', '--quiet', '-o', `${root}.tar`, ...flags],
    ]);
    if (built.code === 0) {
      // a folder has no extended attributes: Node cannot set them
      mkdirSync(root);
      execFileSync('tar', ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf', `${root}.tar`, '-C', root]);
    }
    return built;
  }

  private get environment() {
    return { ...process.env, HOME: this.folder, LC_ALL: 'C' };
  }
}
