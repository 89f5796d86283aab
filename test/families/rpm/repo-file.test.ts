import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event, Report } from '../../../src/events/events.ts';
import { readRepoFile } from '../../../src/families/rpm/repo-file.ts';

/** Files of repositories as users of dnf have them. */

const read = (text: string, report: Report = (event) => assert.fail(JSON.stringify(event))) => {
  const [trust, host] = [{}, { report }] as unknown as [
    Parameters<typeof readRepoFile>[2],
    Parameters<typeof readRepoFile>[4],
  ];
  return readRepoFile(text, 'made.repo', trust, { basearch: 'x86_64' }, host);
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
  ['baseurl=https://example.org/\n[x]\n', /line 1: .* stands before the first \[NAME\]/],
  ['[x]\nnonsense\n', /line 2: .* is neither \[NAME\] nor KEY=VALUE/],
] as const)
  test(`says what is wrong: ${reason.source}`, () => {
    assert.throws(() => read(text), { code: 'REPO_INVALID', message: reason });
  });
