import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event, Report } from '../../../src/events/events.ts';
import { readRepoFile, repositoriesIn } from '../../../src/families/rpm/repo-file.ts';

/** Files of repositories as users of dnf have them. */

const read = (text: string, report: Report = (event) => assert.fail(JSON.stringify(event))) => {
  const [trust, host] = [{}, { report }] as unknown as [
    Parameters<typeof readRepoFile>[2],
    Parameters<typeof readRepoFile>[4],
  ];
  return readRepoFile(text, 'made.repo', trust, { arch: 'x86_64', basearch: 'x86_64' }, host);
};

test('keys that are for downloads only do not matter', () => {
  const keys = ['ip_resolve=4', 'max_parallel_downloads=9', 'zchunk=0', 'proxy=_none_', 'proxy=', 'metadata_expire=6h'];
  for (const key of keys) {
    const [source] = read(`[x]\nbaseurl=https://example.org/$basearch/\n${key}\n`);
    assert.deepEqual([source?.name, source?.bases], ['x', ['https://example.org/x86_64/']], key);
  }
});

test('keys that would let a build go on with less are warned of where they ask for it', () => {
  for (const [key, reason] of [
    ['skip_if_unavailable=0', undefined],
    ['skip_if_unavailable=False', undefined],
    ['skip_if_unavailable=1', /^skip_if_unavailable of \[x\] in made\.repo has no effect: .* another guest/],
    ['skip_if_unavailable=True', /another guest/],
    ['sslverify=1', undefined],
    ['sslverify=0', /certificates of servers are always checked/],
    ['sslverify=False', /certificates/],
    ['sslverifystatus=0', undefined],
    ['sslverifystatus=yes', /whether a certificate was revoked/],
    ['enablegroups=1', undefined],
    ['enablegroups=off', /groups are read only where a request names one/],
    ...['timeout=5', 'retries=1', 'minrate=9k', 'throttle=1M', 'bandwidth=1M', 'user_agent=x'].map(
      (key) => [key, /has no effect: downloads have their own pace/] as const,
    ),
    ...['best=0', 'strict=1', 'gpgkey_dns_verification=1'].map(
      (key) => [key, /a setting of dnf, not of a repository/] as const,
    ),
  ] as const) {
    const events: Event[] = [];
    read(`[x]\nbaseurl=https://example.org/\n${key}\n`, (event) => events.push(event));
    const said = events.map((event) => (event.kind === 'warning' ? `${event.code}: ${event.message}` : event.kind));
    if (reason === undefined) assert.deepEqual(said, [], key);
    else {
      assert.equal(said.length, 1, key);
      assert.match(said[0]!, /^SETTING_UNUSED: /);
      assert.match(said[0]!.slice('SETTING_UNUSED: '.length), reason);
    }
  }
});

test('a key acts, whatever its spelling: each changes the repository', () => {
  const of = (more: string) => read(`[x]\nbaseurl=https://example.org/\n${more}\n`);
  const [plain] = of('');
  for (const [more, changed] of [
    ['gpgcheck=0', { unauthenticated: true }],
    ['gpgcheck=No', { unauthenticated: true }],
    ['pkg_gpgcheck=false', { unauthenticated: true }],
    ['gpgcheck=1\npkg_gpgcheck=TRUE', {}],
    ['repo_gpgcheck=on', { signedMetadata: true }],
    ['repo_gpgcheck=off', {}],
    ['module_hotfixes=yes', { moduleHotfixes: true }],
    ['priority=1\ncost = 5', { priority: 1, cost: 5 }],
    ['exclude=a, b\n  c', { excludes: ['a', 'b', 'c'] }],
    ['exclude=a\nexcludepkgs=b', { excludes: ['b', 'a'] }],
    ['includepkgs=a*', { includes: ['a*'] }],
    ['mirrorlist=https://example.org/m?arch=$arch', { mirrorList: 'https://example.org/m?arch=x86_64' }],
    ['metalink=https://example.org/${basearch}', { mirrorList: 'https://example.org/x86_64' }],
    // one section in two places is one, as for dnf, and what is said last counts
    ['priority=1\n[y]\nenabled=0\n[x]\npriority=2', { priority: 2 }],
  ] as const)
    assert.deepEqual(of(more), [{ ...plain, ...changed }], more);
  assert.deepEqual(of('enabled=0'), []);
  assert.deepEqual(of('enabled=False'), []);
});

test('[main] and what it has are said to have no effect', () => {
  const events: Event[] = [];
  const report: Report = (event) => void events.push(event);
  assert.equal(read('[main]\nbest=1\n[x]\nbaseurl=https://example.org/\n', report).length, 1);
  assert.deepEqual(
    events.map((event) => (event.kind === 'warning' ? event.message : event)),
    ['[main] in made.repo has no effect: settings of dnf itself are not read from here, as in dnf'],
  );
});

test('options before a URL act, or are an error', () => {
  const trust = { excludes: [], includes: [] } as unknown as Parameters<typeof repositoriesIn>[1];
  const host = { report: () => assert.fail() } as unknown as Parameters<typeof repositoriesIn>[3];
  const of = (text: string) => repositoriesIn(text, trust, { arch: 'i686', basearch: 'i386' }, host);
  const [plain] = of('https://example.org/r');
  for (const [options, changed] of [
    ['repo_gpgcheck=yes', { signedMetadata: true }],
    ['repo_gpgcheck=0', {}],
    ['module_hotfixes=True', { moduleHotfixes: true }],
    ['trusted=1', { unauthenticated: true }],
    ['trusted=no', {}],
    ['arch=i686', {}],
    ['arch=x86_64,i386', {}],
    ['name=mine priority=3 cost=4', { name: 'mine', priority: 3, cost: 4 }],
    ['exclude=a,b include=c', { excludes: ['a', 'b'], includes: ['c'] }],
  ] as const)
    assert.deepEqual(of(`[${options}] https://example.org/r`), [{ ...plain, ...changed }], options);
  assert.deepEqual(of('[arch=x86_64,aarch64] https://example.org/r'), []);
  for (const [options, reason] of [
    ['repo_gpgcheck=maybe', /repo_gpgcheck=maybe is neither yes nor no/],
    ['trusted=sure', /neither yes nor no/],
    ['arch=', /"" is no architecture/],
    ['arch=x86-64', /no architecture/],
    ['priority=high', /the priority "high" is not a number/],
  ] as const)
    assert.throws(() => of(`[${options}] https://example.org/r`), { code: 'SETTING_INVALID', message: reason });
  assert.throws(() => of('https://example.org/$stream/'), {
    code: 'SETTING_INVALID',
    message: /the variable \$stream is unknown: write its value, or one of \$arch, \$basearch/,
  });
});

for (const [text, reason] of [
  [
    '[x]\nbaseurl=https://example.org/\nproxy=http://proxy:80\n',
    /"proxy" does not act here: the proxy is that of the env/,
  ],
  [
    '[x]\nbaseurl=https://example.org/\nusername=me\npassword=secret\n',
    /"username" does not act here: give name and pass/,
  ],
  ['[x]\nbaseurl=https://example.org/\nbaserul=y\n', /"baserul" is unknown/],
  ['[x]\nbaseurl=https://example.org/\ninclude=other.repo\n', /"include" does not act here: name the other file/],
  ['[x]\nbaseurl=https://example.org/\nsslcacert=/ca.pem\n', /"sslcacert" does not act here: .*NODE_EXTRA_CA_CERTS/],
  ['[x]\nbaseurl=https://example.org/\nsslclientkey=/k\n', /"sslclientkey" does not act here: .* not supported/],
  ['[x]\nbaseurl=https://example.org/\nenabled=maybe\n', /enabled=maybe is neither yes nor no/],
  ['[x]\nbaseurl=https://example.org/\ngpgcheck=\n', /gpgcheck= is neither yes nor no/],
  ['[x]\nbaseurl=https://example.org/\nsslverify=perhaps\n', /sslverify=perhaps is neither yes nor no/],
  ['[x]\nbaseurl=https://example.org/\npriority=1.5\n', /the priority "1.5" is not a number/],
  ['[x]\nbaseurl=https://example.org/$infra/${x:-y}\n', /the variable \$infra is unknown/],
  ['[x]\nbaseurl=https://example.org/${x:-y}\n', /the variable \$\{x:-y\} is unknown/],
  ['baseurl=https://example.org/\n[x]\n', /line 1: .* stands before the first \[NAME\]/],
  ['[x]\nnonsense\n', /line 2: .* is neither \[NAME\] nor KEY=VALUE/],
] as const)
  test(`says what is wrong: ${reason.source}`, () => {
    assert.throws(() => read(text), { code: 'REPO_INVALID', message: reason });
  });
