import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { osbuilder } from '../../support/cli.ts';
import { needs, temporary } from '../../support/data.ts';
import {
  createRepository,
  makeRpmKey,
  makeRpms,
  RPM_TOOLS,
  type RpmMember,
  type SmallRpm,
  signRpms,
} from '../../support/rpms.ts';

/** The tree that `dnf --installroot` makes of a small distribution, and ours, path by path. */

/** What a program is linked with; ldd fails for one that is static. */
const libraries = (program: string): string[] =>
  [...spawnSync('ldd', [program], { encoding: 'utf8' }).stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);

/** A shell and its programs that run inside of the root: dnf runs the scripts for real. */
function shell(): SmallRpm {
  const applets =
    'sh cat echo grep mkdir touch chmod chown ln rm cp sed wc sort tr test true false ls id head tail cut'.split(' ');
  const program = '/bin/busybox';
  return {
    name: 'busybox',
    architecture: 'x86_64',
    tags: { Provides: ['/bin/sh'], Requires: ['filesystem'] },
    files: [
      { name: 'usr/bin/busybox', data: readFileSync(program), mode: 0o755 },
      ...applets.map((name) => ({ name: `usr/bin/${name}`, link: 'busybox' })),
      ...libraries(program).map((path) => ({ name: `usr${path}`, data: readFileSync(path), mode: 0o755 })),
    ],
  };
}

const folders = (...names: string[]): RpmMember[] => names.map((name) => ({ name: `${name}/`, mode: 0o755 }));

const DISTRIBUTION = (): readonly SmallRpm[] => [
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
  {
    name: 'accounts',
    tags: { Requires: ['busybox'], 'Requires(pre)': ['busybox'] },
    scripts: {
      pre: 'grep -q ^demo: /etc/passwd || { echo demo:x:77:77:demo:/:/sbin/nologin >> /etc/passwd; echo demo:x:77: >> /etc/group; }',
    },
  },
  {
    name: 'demo',
    version: '1.2',
    epoch: 3,
    tags: {
      Requires: ['library >= 2', '(busybox if filesystem)'],
      'Requires(pre)': ['accounts'],
      'Requires(post)': ['busybox'],
      Recommends: ['extra'],
      Provides: ['virtual(demo) = 4'],
    },
    files: [
      { name: 'usr/bin/demo', data: '#!/bin/sh\n', mode: 0o4755 },
      { name: 'usr/bin/mailer', data: 'mail', mode: 0o2755, group: 'mail' },
      { name: 'usr/bin/stranger', data: 'x', mode: 0o6755, user: 'nobodyknows', group: 'neither' },
      { name: 'usr/bin/raw', data: 'raw', mode: 0o755, flags: '%caps(cap_net_raw=ep)' },
      { name: 'usr/share/demo/', mode: 0o755 },
      { name: 'usr/share/demo/one', data: 'linked', mode: 0o644 },
      { name: 'usr/share/demo/two', hard: 'usr/share/demo/one', mode: 0o644 },
      { name: 'usr/share/demo/three', hard: 'usr/share/demo/one', mode: 0o644 },
      { name: 'usr/share/demo/big', data: 'big\n'.repeat(200_000), mode: 0o600, user: 'demo', group: 'demo' },
      { name: 'usr/share/demo/with space & more', data: '', mode: 0o644 },
      { name: 'etc/demo.conf', data: 'a=1\n', mode: 0o640, group: 'demo', flags: '%config(noreplace)' },
      { name: 'var/lib/demo/', mode: 0o1770, user: 'demo', group: 'demo' },
      { name: 'var/log/demo.log', data: '', mode: 0o600, flags: '%ghost' },
      { name: 'usr/share/doc/demo/README', data: 'read me', mode: 0o644, flags: '%doc' },
    ],
    scripts: {
      pre: 'echo "demo pre $1" >> /var/log/events',
      post: 'echo "demo post $1" >> /var/log/events\nfor i in 1 2 3; do echo $i; done > /var/lib/demo/numbers\nchmod 600 /var/lib/demo/numbers\nln -s ../demo.conf /etc/demo.link',
      posttrans: 'echo "demo posttrans $1" >> /var/log/events',
    },
  },
  {
    name: 'library',
    version: '2.1',
    tags: { Requires: ['busybox'] },
    files: [{ name: 'usr/lib/library', data: 'library', mode: 0o644 }],
    scripts: {
      'post -p <lua>': [
        'local f = io.open("/etc/shells", "a")',
        'f:write("/bin/sh\\n")',
        'f:close()',
        'for name in posix.files("/usr/lib") do if name == "library" then posix.symlink(name, "/usr/lib/library.so") end end',
      ].join('\n'),
    },
  },
  {
    name: 'watcher',
    tags: { Requires: ['busybox'], OrderWithRequires: ['demo'] },
    files: [{ name: 'usr/bin/watcher', data: 'w', mode: 0o755 }],
    scripts: {
      'triggerin -- demo': 'echo "watcher triggerin $1 $2" >> /var/log/events',
      'filetriggerin -- /usr/share/demo /usr/lib/library':
        '{ echo "watcher filetriggerin $1"; sort; } >> /var/log/events',
      'transfiletriggerin -- /usr/bin': '{ echo "watcher transfiletriggerin $1"; sort; } >> /var/log/events',
      posttrans: 'echo "watcher posttrans" >> /var/log/events',
    },
  },
  { name: 'extra', tags: { Requires: ['busybox'] }, files: [{ name: 'usr/bin/extra', data: 'e', mode: 0o755 }] },
];

/** Where dnf and rpm keep their own things, and /dev, which every guest of ours has. */
const OWN = /^(dev(\/|$)|var\/(lib\/(rpm|dnf)|cache)|var\/log\/(dnf|hawkey)|etc\/dnf|root\/\.rpmdb|usr\/lib\/sysimage)/;

/** A line for each path of a root: kind, mode, owner, size, target, links, digest, capabilities. */
function listing(root: string): string[] {
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

const TOOLS = [...RPM_TOOLS, 'dnf', 'rpm', 'busybox', 'getcap', 'ldd'];

describe('a small distribution', { skip: needs({ tools: TOOLS, root: true }) }, () => {
  let folder: string;
  let mirror: string;
  let repository: string;
  let theirs: string;
  let ours: string;
  let keyring: string;
  const closing: (() => void)[] = [];
  const PACKAGES = ['demo', 'watcher', 'payload-xz', 'payload-gz', 'payload-bz2', 'payload-none'];

  /** rpm and dnf with the database where the guest has it. */
  const environment = () => ({ ...process.env, HOME: folder });
  const rpm = (root: string, ...args: string[]) =>
    spawnSync('rpm', ['--root', root, ...args], { env: environment(), encoding: 'utf8' });
  const dnf = (root: string, ...args: string[]) =>
    spawnSync(
      'dnf',
      [
        '-y',
        '--noplugins',
        '--installroot',
        root,
        '--releasever',
        '3.0',
        '--setopt=reposdir=/nonexistent',
        '--setopt=install_weak_deps=0',
        '--setopt=keepcache=0',
        '--setopt=cachedir=/var/cache/dnf',
        `--repofrompath=made,${repository}`,
        '--repo=made',
        '--setopt=made.gpgcheck=0',
        ...args,
      ],
      { env: environment(), encoding: 'utf8' },
    );

  before(async () => {
    folder = temporary({ after: (fn) => void closing.push(fn) });
    writeFileSync(join(folder, '.rpmmacros'), '%_dbpath /var/lib/rpm\n');
    const made = [...makeRpms(folder, DISTRIBUTION()).values()];
    for (const [name, payload] of [
      ['xz', 'w2.xzdio'],
      ['gz', 'w9.gzdio'],
      ['bz2', 'w9.bzdio'],
      ['none', 'w.ufdio'],
    ] as const)
      made.push(
        ...makeRpms(
          join(folder, name),
          [
            {
              name: `payload-${name}`,
              tags: { Requires: ['filesystem'] },
              files: [{ name: `usr/share/payload-${name}`, data: name.repeat(5000), mode: 0o644 }],
            },
          ],
          { payload },
        ).values(),
      );
    const key = makeRpmKey(join(folder, 'gpg'));
    keyring = key.publicKey;
    signRpms(made, key);
    mirror = join(folder, 'mirror');
    repository = join(mirror, '3.0/prod/base/x86_64');
    mkdirSync(repository, { recursive: true });
    for (const path of made) copyFileSync(path, join(repository, basename(path)));
    createRepository(repository, key);
    theirs = join(folder, 'theirs');
    mkdirSync(theirs);
    const run = dnf(theirs, 'install', ...PACKAGES);
    assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
    assert.doesNotMatch(run.stderr, /scriptlet failed/i);
    ours = join(folder, 'ours');
    const flags = [
      '--distro',
      'cbl-mariner',
      '--os-version',
      '3.0',
      '--arch',
      'x86_64',
      '--repo-url',
      mirror,
      '--keyring',
      keyring,
      '--cache-dir',
      join(folder, 'cache'),
    ];
    const built = await osbuilder([
      'rootfs',
      ...flags,
      '--packages',
      PACKAGES.join(','),
      '--rootfs-only',
      '--no-trim',
      '--quiet',
      '-o',
      `${ours}.tar`,
    ]);
    assert.equal(built.code, 0, built.stderr);
    // a folder has no extended attributes: Node cannot set them
    mkdirSync(ours);
    execFileSync('tar', ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf', `${ours}.tar`, '-C', ours]);
  });
  after(() => {
    for (const close of closing) close();
  });

  test('every path is as dnf made it', () => {
    assert.deepEqual(listing(ours), listing(theirs));
  });

  test('scripts and triggers ran in the same order, with the same arguments and input', () => {
    const events = (root: string) => readFileSync(join(root, 'var/log/events'), 'utf8').split('\n');
    assert.deepEqual(events(ours), events(theirs));
    assert.ok(events(ours).length > 10);
  });

  test('rpm reads the database: the same packages, nothing missing or changed', () => {
    const query = (root: string) =>
      rpm(root, '-qa', '--qf', '%{NEVRA} %{SHA256HEADER} %{SIGMD5} [%{FILESTATES} ]\n').stdout.split('\n').sort();
    assert.deepEqual(query(ours), query(theirs));
    assert.ok(query(ours).length > 8);
    assert.equal(rpm(ours, '--verifydb').status, 0);
    const verified = rpm(ours, '-Va', '--nomtime');
    const expected = rpm(theirs, '-Va', '--nomtime');
    // owners that are unknown and files that scripts change are the same for both
    assert.equal(verified.stdout, expected.stdout);
    for (const args of [
      ['-qf', '/usr/share/demo/two'],
      ['-q', '--whatprovides', 'virtual(demo)'],
      ['-q', '--whatrequires', 'library'],
      ['-q', '--triggers', 'watcher'],
      ['-ql', 'demo'],
    ])
      assert.equal(rpm(ours, ...args).stdout, rpm(theirs, ...args).stdout, args.join(' '));
  });

  test('dnf goes on with our database', () => {
    const run = dnf(ours, 'install', 'extra');
    assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
    assert.match(rpm(ours, '-q', 'extra').stdout, /^extra-1-1/);
  });
});
