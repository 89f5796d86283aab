import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { needs, temporary } from '../../support/data.ts';
import { base, DNF_TOOLS, DnfRepository, listing } from '../../support/dnf-root.ts';
import { makeRpms, type RpmMember, type SmallRpm } from '../../support/rpms.ts';

/** What rpm decides on files and triggers of many packages together, as dnf makes it and as we do. */

const NEEDS = { Requires: ['busybox'], 'Requires(pre)': ['busybox'], 'Requires(post)': ['busybox'] };
const after_ = (...names: string[]) => ({ ...NEEDS, Requires: ['busybox', ...names] });
const event = (text: string) => `echo "${text} $*" >> /events`;
const input = (text: string) => `{ echo "${text} $*"; cat; } >> /events`;
const files = (...names: string[]): RpmMember[] => names.map((name) => ({ name, data: name, mode: 0o644 }));

/** The start of a program for 32 or 64 bits: enough for rpm to give it a colour. */
function elf(bits: 32 | 64): Uint8Array {
  const bytes = new Uint8Array(bits === 32 ? 52 : 64);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1]);
  bytes.set(bits === 32 ? [3, 0, 3, 0, 1] : [3, 0, 62, 0, 1], 16);
  return bytes;
}

const TRIGGERS: readonly SmallRpm[] = [
  {
    name: 'early',
    tags: NEEDS,
    files: files('usr/share/early'),
    scripts: {
      'triggerprein -- late': event('early prein'),
      'triggerin -- late < 1': event('early old'),
      'triggerin -- late > 5': event('early provided'),
      'triggerin -- late': event('early any'),
      'triggerin -- virtual': event('early virtual'),
      'filetriggerin -P 200 -- /usr/share/x': `${input('early low')}; exit 3`,
      'filetriggerin -P 20000 -- /usr/share/x /usr/share/x/file': input('early high'),
      'filetriggerin -- /usr/share/lone': input('early lone'),
      'transfiletriggerin -- /usr/share/x': input('early end'),
      'transfiletriggerin -- /usr/share/lone': input('early lone end'),
    },
  },
  {
    name: 'second',
    tags: after_('early'),
    files: files('usr/share/x/second'),
    scripts: {
      'filetriggerin -P 300 -- /usr/share/x': input('second low'),
      'filetriggerin -P 30000 -- /usr/share/x': input('second high'),
      'transfiletriggerin -P 20 -- /usr/share/x': event('second last'),
      'transfiletriggerin -P 2000000 -- /usr/share/x': event('second end'),
      'transfiletriggerin -P 30 -- /usr/share': event('second next to last'),
    },
  },
  {
    name: 'late',
    tags: { ...after_('second'), Provides: ['late = 9', 'virtual = 3'] },
    files: files('usr/share/late', 'usr/share/lone'),
    scripts: {
      'triggerin -- second': event('late second'),
      'triggerin -- early': event('late early'),
      'triggerin -- second, early': event('late both'),
      'triggerprein -- early': event('late prein'),
      'triggerin -- late': event('late itself'),
    },
  },
];

const SCRIPTS: readonly SmallRpm[] = [
  { name: 'errexit', tags: NEEDS, scripts: { 'post -p "/bin/sh -e"': `${event('a')}\nfalse\n${event('b')}` } },
  {
    name: 'bash',
    tags: NEEDS,
    scripts: {
      'post -p "/usr/bin/bash -euo pipefail"': 'a=(1 2)\necho "${a[1]} $-" >> /events\nfalse | true\necho b >> /events',
    },
  },
  { name: 'nounset', tags: NEEDS, scripts: { 'post -p "/bin/sh -u"': `echo "$nothing" >> /events\n${event('b')}` } },
  { name: 'env', tags: NEEDS, scripts: { 'post -p "/usr/bin/env bash"': event('env') } },
  { name: 'program', tags: NEEDS, scripts: { 'post -p "/usr/bin/touch /touched"': '' } },
  { name: 'first-line', tags: NEEDS, scripts: { post: `#!/usr/bin/perl -e\nfalse\n${event('first line')}` } },
  { name: 'query', tags: NEEDS, scripts: { 'post -q': event('%%{NAME}-%%{VERSION}.%%{ARCH}') } },
  {
    name: 'moved',
    tags: { ...NEEDS, Prefix: ['/opt/moved', '/etc/moved'] },
    files: files('opt/moved/a', 'etc/moved/b'),
    scripts: {
      pre: 'echo "pre $RPM_INSTALL_PREFIX" >> /events',
      post: 'echo "$RPM_INSTALL_PREFIX $RPM_INSTALL_PREFIX0 $RPM_INSTALL_PREFIX1" >> /events',
      'triggerin -- busybox': 'echo "trigger $RPM_INSTALL_PREFIX" >> /events',
    },
  },
  {
    name: 'rich',
    tags: {
      ...NEEDS,
      Requires: [
        '(env if nounset)',
        '(nounset with nounset = 1)',
        '(query or none or (moved and query))',
        '(env if (none or other) else (query and busybox >= 1))',
        '((env and bash) or (bash and env and zeta))',
        '(bash without bash = 9)',
        '(env if (none if (other if zeta)))',
      ],
      Recommends: ['(none if other)', '(env or bash)'],
      Suggests: ['(a and b)'],
      Supplements: ['((env and bash) or none)'],
      Enhances: ['(none with none < 3)'],
      Conflicts: ['(none and other)', '(none unless env)'],
    },
  },
  {
    name: 'maker',
    tags: NEEDS,
    scripts: {
      'pretrans -p <lua>': [
        'for i, dir in ipairs({"/etc", "/usr", "/usr/share", "/usr/share/real"}) do posix.mkdir(dir) end',
        'for i, name in ipairs({"kept", "moved", "link"}) do posix.symlink("elsewhere", "/etc/" .. name .. ".conf") end',
        'posix.symlink("real", "/usr/share/linked")',
        'for i, name in ipairs({"same", "other", "folder"}) do',
        '  local f = io.open("/etc/" .. name .. ".conf", "w") f:write("same") f:close()',
        'end',
      ].join('\n'),
    },
  },
  {
    name: 'configured',
    tags: after_('maker'),
    files: [
      { name: 'etc/kept.conf', data: 'a', mode: 0o644, flags: '%config(noreplace)' },
      { name: 'etc/moved.conf', data: 'a', mode: 0o644, flags: '%config' },
      { name: 'etc/link.conf', link: 'new', flags: '%config(noreplace)' },
      { name: 'etc/same.conf', data: 'same', mode: 0o600, flags: '%config(noreplace)' },
      { name: 'etc/other.conf', data: 'else', mode: 0o600, flags: '%config' },
      { name: 'etc/folder.conf/', mode: 0o750 },
      { name: 'usr/bin/none', data: 'n', mode: 0o755, flags: '%caps(=)' },
      { name: 'usr/bin/two', data: 't', mode: 0o4755, user: 'nobodyknows', flags: '%caps(cap_setuid,cap_chown=eip)' },
      { name: 'usr/share/linked/', mode: 0o1777, group: 'mail' },
      ...files('usr/share/linked/file'),
    ],
  },
];

const shared = (own: string, ghost: boolean): RpmMember[] => [
  { name: 'usr/share/x/', mode: 0o755 },
  { name: 'usr/share/x/file', data: 'same', mode: 0o644, flags: ghost ? '%ghost' : '' },
  { name: 'usr/share/x/link', link: 'file' },
  { name: 'usr/share/x/hard', data: 'hard', mode: 0o644 },
  { name: 'usr/share/x/hard-too', hard: 'usr/share/x/hard', mode: 0o644 },
  { name: 'usr/share/x/conf', data: 'conf', mode: 0o644, flags: '%config(noreplace)' },
  ...files(`usr/share/x/${own}`),
];

const changes = (name: string) =>
  `${event(`${name} post`)}\nfor f in file hard conf; do echo ${name} >> /usr/share/x/$f; done\nchmod 7$(wc -l < /usr/share/x/hard)5 /usr/share/x`;

/** Each has the same files as the one before, which changed them. */
const SHARED: readonly SmallRpm[] = ['a', 'b', 'c', 'd', 'e'].map((name, i, all) => ({
  name: `shared-${name}`,
  tags: after_(i === 0 ? 'late' : `shared-${all[i - 1]}`),
  files: shared(name, name === 'c'),
  scripts: { post: changes(name) },
}));

/** For two architectures; the tool of 64 bits stands. */
const coloured = (architecture: string): SmallRpm => ({
  name: 'coloured',
  architecture,
  tags: after_('late'),
  files: [
    { name: 'usr/bin/tool', data: elf(architecture === 'i686' ? 32 : 64), mode: 0o755 },
    { name: 'usr/share/x/common', data: 'common', mode: 0o644 },
  ],
  scripts: Object.fromEntries(
    ['pre', 'post', 'posttrans', 'triggerin -- early'].map((name) => [name, event(`${architecture} ${name}`)]),
  ),
});

/** Pairs that rpm does not install together, with what differs. */
const PAIRS: readonly (readonly [difference: RegExp, first: readonly RpmMember[], second: readonly RpmMember[]])[] = [
  [/modes: 755 and 700|modes: 700 and 755/, [{ name: 'opt/a/', mode: 0o755 }], [{ name: 'opt/a/', mode: 0o700 }]],
  [/owners/, [{ name: 'opt/a/', mode: 0o755 }], [{ name: 'opt/a/', mode: 0o755, user: 'daemon' }]],
  [/kinds/, [{ name: 'opt/a', link: '/srv' }], [{ name: 'opt/a/', mode: 0o755 }]],
  [/targets/, [{ name: 'opt/a', link: 'b' }], [{ name: 'opt/a', link: 'c' }]],
  [/content/, [{ name: 'bin/thing', data: '1' }], [{ name: 'usr/bin/thing', data: '2' }]],
  [
    /content/,
    [
      { name: 'opt/real/f', data: '1' },
      { name: 'opt/one', link: '/opt/../opt/real/' },
      { name: 'opt/two', link: 'one' },
    ],
    [{ name: 'opt/two/f', data: '2' }],
  ],
  [
    /content/,
    [
      { name: 'opt/around', link: 'back/x' },
      { name: 'opt/f', data: '1' },
    ],
    [
      { name: 'opt/back', link: 'around/x' },
      { name: 'opt/f', data: '2' },
    ],
  ],
];

/** Tables of rpm's database by which it finds packages. */
const INDEXES =
  'Triggername Filetriggername Transfiletriggername Providename Requirename Conflictname Recommendname Suggestname Supplementname Enhancename Dirnames Basenames'.split(
    ' ',
  );

describe('a transaction', { skip: needs({ tools: [...DNF_TOOLS, 'sqlite3'], root: true }) }, () => {
  let made: DnfRepository;
  let theirs: string;
  let ours: string;
  const closing: (() => void)[] = [];
  before(async () => {
    const folder = temporary({ after: (fn) => void closing.push(fn) });
    let at = 0;
    const rpms = (packages: readonly SmallRpm[], target?: string) => [
      ...makeRpms(join(folder, String(at++)), packages, target === undefined ? {} : { target }).values(),
    ];
    const mixed: SmallRpm = {
      name: 'mixed-capabilities',
      tags: NEEDS,
      files: [{ name: 'usr/bin/mixed', data: 'm', mode: 0o755, flags: '%caps(cap_setuid=ep cap_chown+i)' }],
    };
    const failing: SmallRpm = { name: 'failing', tags: NEEDS, scripts: { 'pre -p "/bin/sh -e"': 'false\ntrue' } };
    const packages = [...TRIGGERS, ...SCRIPTS, ...SHARED];
    made = new DnfRepository(folder, [
      ...rpms([...base(), ...packages, coloured('x86_64'), failing, mixed]),
      ...rpms([coloured('i686')], 'i686'),
      ...PAIRS.flatMap(([, first, second], i) => [
        ...rpms([{ name: `pair-${i}-a`, tags: NEEDS, files: first }]),
        ...rpms([{ name: `pair-${i}-b`, tags: NEEDS, files: second }]),
      ]),
    ]);
    const wanted = [...packages.map(({ name }) => name), 'coloured.x86_64', 'coloured.i686'];
    theirs = join(folder, 'theirs');
    const run = made.dnf(theirs, 'install', ...wanted);
    assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
    ours = join(folder, 'ours');
    const built = await made.build(ours, wanted);
    assert.equal(built.code, 0, built.stderr);
  });
  after(() => {
    for (const close of closing) close();
  });

  test('scripts and triggers run in the same order, with the same arguments, variables and input', () => {
    const events = (root: string) => readFileSync(join(root, 'events'), 'utf8').split('\n');
    assert.deepEqual(events(ours), events(theirs));
    for (const one of ['early provided 1 1', 'late early 1 1', 'x86_64 post 2', 'env 1', 'early lone 0'])
      assert.ok(events(ours).includes(one), one);
  });

  test('every path is as dnf made it', () => {
    assert.deepEqual(listing(ours), listing(theirs));
    assert.ok(existsSync(join(ours, 'etc/kept.conf.rpmnew')));
  });

  test('rpm reads the same of the database, and finds the same changed', () => {
    const query = (root: string) =>
      made
        .rpm(root, '-qa', '--qf', '%{DBINSTANCE} %{NEVRA} [%{FILESTATES} ] [%{INSTPREFIXES} ]\n')
        .stdout.split('\n')
        .sort();
    assert.deepEqual(query(ours), query(theirs));
    // where rpm finds scripts of triggers
    const indexes = (root: string) =>
      INDEXES.map((table) => {
        const database = join(root, 'var/lib/rpm/rpmdb.sqlite');
        const query = `SELECT quote(key), hnum, idx FROM '${table}'`;
        return execFileSync('sqlite3', [database, query], { encoding: 'utf8' }).split('\n').sort();
      });
    assert.deepEqual(indexes(ours), indexes(theirs));
    const verified = (root: string) => made.rpm(root, '-Va', '--nomtime').stdout;
    assert.equal(verified(ours), verified(theirs));
  });

  test('a package whose %pre fails is left out, and that is said', async () => {
    const root = join(made.folder, 'failed');
    const built = await made.build(root, ['failing', 'env'], '--json');
    assert.equal(built.code, 0, built.stderr);
    assert.match(built.stdout, /failing\.pre:1: the script ended with status 1; rpm does not install failing then/);
    assert.equal(made.rpm(root, '-q', 'failing', 'env').stdout, 'package failing is not installed\nenv-1-1.noarch\n');
  });

  test('capabilities that no file can have are rejected, where rpm fails in the middle', async () => {
    const run = made.dnf(join(made.folder, 'mixed'), 'install', 'mixed-capabilities');
    assert.match(run.stdout + run.stderr, /cap_set_file failed|Error unpacking rpm package mixed-capabilities/);
    const built = await made.build(join(made.folder, 'our-mixed'), ['mixed-capabilities']);
    assert.match(built.stderr, /RPM_CORRUPT/);
  });

  for (const [i, [difference]] of PAIRS.entries())
    test(`files that conflict are rejected: ${difference.source}, ${i}`, async () => {
      const names = [`pair-${i}-a`, `pair-${i}-b`];
      const run = made.dnf(join(made.folder, `pair-${i}`), 'install', ...names);
      assert.match(run.stdout + run.stderr, /file \S+ conflicts between attempted installs/);
      const built = await made.build(join(made.folder, `our-pair-${i}`), names);
      assert.match(built.stderr, /RPM_CONFLICT/);
      assert.match(built.stderr, difference);
    });
});
