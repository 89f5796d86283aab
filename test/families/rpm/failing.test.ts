import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { needs, temporary } from '../../support/data.ts';
import { base, DNF_TOOLS, DnfRepository, listing } from '../../support/dnf-root.ts';
import { makeRpms, type RpmMember, type SmallRpm } from '../../support/rpms.ts';

/** Scripts and triggers that fail: which packages rpm leaves out then, and what still runs. */

const NEEDS = { Requires: ['busybox'], 'Requires(pre)': ['busybox'], 'Requires(post)': ['busybox'] };
const event = (text: string, end = '') => `echo "${text} $*" >> /events\n${end}`;
const files = (...names: string[]): RpmMember[] => names.map((name) => ({ name, data: name, mode: 0o644 }));

/** All events of a package are logged, but for one, which is logged and fails. */
const failingIn = (section: string, watched = 'busybox'): SmallRpm => {
  const name = `fails-${section.replace(/ .*/, '')}${/ -P (\d+)/.exec(section)?.[1] ?? ''}${watched === 'busybox' ? '' : '-other'}`;
  const sections = [
    'pre',
    'post',
    'posttrans',
    `triggerprein -- ${watched}`,
    `triggerin -- ${watched}`,
    'filetriggerin -P 20000 -- /usr/share/x',
    'filetriggerin -P 200 -- /usr/share/x',
    'transfiletriggerin -- /usr/share/x',
  ];
  return {
    name,
    tags: { ...NEEDS, Requires: ['busybox', 'watcher'] },
    files: files(`usr/share/x/${name}`),
    scripts: Object.fromEntries(
      sections.map((one) => [
        one,
        event(`${name} ${one.replaceAll('--', '')}`, one.startsWith(section) ? 'exit 3' : ''),
      ]),
    ),
  };
};

const lua = (text: string) => `local f = io.open("/events", "a") f:write("${text}\\n") f:close()`;

const PACKAGES: readonly SmallRpm[] = [
  failingIn('pre'),
  failingIn('post'),
  failingIn('posttrans'),
  failingIn('triggerprein'),
  failingIn('triggerin'),
  failingIn('filetriggerin -P 20000'),
  failingIn('filetriggerin -P 200'),
  failingIn('transfiletriggerin'),
  {
    name: 'watcher',
    tags: NEEDS,
    scripts: Object.fromEntries(
      ['triggerprein', 'triggerin'].flatMap((kind) =>
        ['pre', 'post', 'posttrans', 'triggerprein', 'triggerin'].map((one) => [
          `${kind} -- fails-${one}`,
          event(`watcher ${kind} ${one}`),
        ]),
      ),
    ),
  },
  {
    name: 'needs-failed',
    tags: { ...NEEDS, Requires: ['fails-pre'] },
    scripts: { pre: event('needs'), post: event('needs post'), 'triggerin -- fails-pre': event('needs trigger') },
  },
  {
    name: 'breaker',
    tags: NEEDS,
    scripts: {
      'triggerprein -- victim': event('breaker prein', 'exit 4'),
      'triggerin -- victim': event('breaker in', 'exit 4'),
    },
  },
  {
    name: 'victim',
    tags: { ...NEEDS, Requires: ['breaker'] },
    files: files('usr/share/victim'),
    scripts: { pre: event('victim pre'), post: event('victim post'), 'triggerin -- breaker': event('victim in') },
  },
  {
    name: 'lua-pretrans',
    files: files('usr/share/lua-pretrans', 'usr/share/x/pretrans'),
    scripts: {
      'pretrans -p <lua>': `${lua('lua pretrans')}\nerror("no")`,
      post: event('never'),
      posttrans: event('never'),
    },
  },
  {
    name: 'lua-pre',
    tags: NEEDS,
    files: files('usr/share/lua-pre'),
    scripts: { 'pre -p <lua>': `${lua('lua pre')}\nerror("no")`, posttrans: event('never') },
  },
  {
    name: 'lua-post',
    tags: NEEDS,
    files: files('usr/share/lua-post'),
    scripts: {
      'post -p <lua>': `${lua('lua post')}\nerror("no")`,
      'triggerin -- busybox': event('lua-post in'),
      posttrans: event('lua-post posttrans'),
    },
  },
  {
    name: 'program-missing',
    tags: NEEDS,
    files: files('usr/share/program-missing'),
    scripts: { 'pre -p /usr/bin/missing': '' },
  },
  {
    name: 'program-fails',
    tags: NEEDS,
    files: files('usr/share/program-fails'),
    scripts: { 'pre -p /usr/bin/false': '' },
  },
  {
    name: 'interpreter-missing',
    tags: NEEDS,
    files: files('usr/share/interpreter-missing'),
    scripts: { 'pre -p /usr/bin/perl': 'print 1' },
  },
  {
    name: 'post-missing',
    tags: NEEDS,
    files: files('usr/share/post-missing'),
    scripts: { 'post -p /usr/bin/perl': 'print 1', 'triggerin -- busybox': event('post-missing in') },
  },
  // before there is their shell
  {
    name: 'later',
    tags: { Requires: ['busybox', 'too-early', 'early-post'] },
    files: [{ name: 'shells', link: 'usr/bin' }],
  },
  {
    name: 'too-early',
    tags: { Requires: ['filesystem'] },
    files: files('usr/share/too-early'),
    scripts: { 'pre -p /shells/sh': event('too early') },
  },
  {
    name: 'early-post',
    tags: { Requires: ['filesystem'] },
    files: files('usr/share/early-post'),
    scripts: {
      'post -p /shells/sh': event('early post'),
      'posttrans -p /shells/sh': event('early posttrans'),
      'triggerin -p /shells/sh -- filesystem': event('early trigger'),
    },
  },
  // what several packages have, the first of which is left out
  { name: 'shares-first', tags: NEEDS, files: files('usr/share/shared'), scripts: { pre: 'exit 1' } },
  { name: 'shares-second', tags: { ...NEEDS, Requires: ['shares-first'] }, files: files('usr/share/shared') },
  {
    name: 'conflicts-left-out',
    files: [{ name: 'usr/share/conflict', data: 'one' }],
    scripts: { 'pretrans -p <lua>': 'error("no")' },
  },
];

/** Needed before there is anything. */
const BEFORE: readonly SmallRpm[] = [
  { name: 'sh-pretrans', tags: NEEDS, files: files('usr/share/sh-pretrans'), scripts: { pretrans: event('sh') } },
  {
    name: 'needs-pretrans',
    tags: { 'Requires(pretrans)': ['filesystem'] },
    scripts: { 'pretrans -p <lua>': lua('lua') },
  },
  { name: 'needs-both', tags: { 'Requires(pretrans,post)': ['filesystem'] } },
];

/** Programs that a package promises, and nobody has at the time. */
const early = (packages: readonly SmallRpm[]) =>
  packages.map((one): SmallRpm => {
    if (one.name === 'filesystem')
      return { ...one, tags: { ...one.tags, Provides: ['/shells/sh', '/usr/bin/missing', '/usr/bin/perl'] } };
    return one;
  });

describe('scripts that fail', { skip: needs({ tools: DNF_TOOLS, root: true }) }, () => {
  let made: DnfRepository;
  let theirs: string;
  let ours: string;
  let said = '';
  const closing: (() => void)[] = [];
  before(async () => {
    const folder = temporary({ after: (fn) => void closing.push(fn) });
    made = new DnfRepository(folder, [...makeRpms(folder, [...early(base()), ...PACKAGES, ...BEFORE]).values()]);
    const wanted = PACKAGES.map(({ name }) => name);
    theirs = join(folder, 'theirs');
    const run = made.dnf(theirs, 'install', ...wanted);
    assert.equal(run.status, 1, `${run.stdout}${run.stderr}`);
    ours = join(folder, 'ours');
    const built = await made.build(ours, wanted, '--json');
    assert.equal(built.code, 0, built.stderr);
    said = built.stdout;
  });
  after(() => {
    for (const close of closing) close();
  });

  test('the same packages are installed', () => {
    const query = (root: string) =>
      made.rpm(root, '-qa', '--qf', '%{NAME} [%{FILESTATES} ]\n').stdout.split('\n').sort();
    assert.deepEqual(query(ours), query(theirs));
  });

  test('each one that is left out is named, with its script', () => {
    const there = new Set(made.rpm(theirs, '-qa', '--qf', '%{NAME}\n').stdout.split('\n'));
    const out = PACKAGES.map(({ name }) => name).filter((name) => !there.has(name));
    assert.ok(out.length > 7, out.join());
    const named = said.matchAll(/rpm does not install (\S+) then, so it is left out/g);
    assert.deepEqual([...new Set([...named].map(([, name]) => name))].sort(), out.sort());
  });

  test('the same scripts ran', () => {
    const events = (root: string) => readFileSync(join(root, 'events'), 'utf8').split('\n');
    assert.deepEqual(events(ours), events(theirs));
  });

  for (const { name } of BEFORE)
    test(`a package that needs something before there is anything is rejected: ${name}`, async () => {
      const root = join(made.folder, name);
      const run = made.dnf(`${root}-theirs`, 'install', name);
      assert.match(run.stderr, new RegExp(`transaction check vs depsolve:[^]*is needed by ${name}-1-1`));
      const built = await made.build(root, [name]);
      assert.equal(built.code, 1, built.stderr);
      assert.match(built.stderr, new RegExp(`${name}-1-1[^]*\\[RPM_UNSOLVABLE\\]`));
    });

  test('every path is as dnf made it', () => {
    assert.deepEqual(listing(ours), listing(theirs));
  });
});
