import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { needs, temporary } from '../../support/data.ts';
import { base, DNF_TOOLS, DnfRepository, listing } from '../../support/dnf-root.ts';
import { makeRpms, type SmallRpm } from '../../support/rpms.ts';

/** The tree that `dnf --installroot` makes of a small distribution, and ours, path by path. */

const DISTRIBUTION = (): readonly SmallRpm[] => [
  ...base(),
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

describe('a small distribution', { skip: needs({ tools: DNF_TOOLS, root: true }) }, () => {
  let folder: string;
  let made: DnfRepository;
  let theirs: string;
  let ours: string;
  const closing: (() => void)[] = [];
  const PACKAGES = ['demo', 'watcher', 'payload-xz', 'payload-gz', 'payload-bz2', 'payload-none'];
  const rpm = (root: string, ...args: string[]) => made.rpm(root, ...args);
  const dnf = (root: string, ...args: string[]) => made.dnf(root, ...args);

  before(async () => {
    folder = temporary({ after: (fn) => void closing.push(fn) });
    const paths = [...makeRpms(folder, DISTRIBUTION()).values()];
    for (const [name, payload] of [
      ['xz', 'w2.xzdio'],
      ['gz', 'w9.gzdio'],
      ['bz2', 'w9.bzdio'],
      ['none', 'w.ufdio'],
    ] as const)
      paths.push(
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
    made = new DnfRepository(folder, paths);
    theirs = join(folder, 'theirs');
    const run = dnf(theirs, 'install', ...PACKAGES);
    assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
    assert.doesNotMatch(run.stderr, /scriptlet failed/i);
    ours = join(folder, 'ours');
    const built = await made.build(ours, PACKAGES);
    assert.equal(built.code, 0, built.stderr);
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
