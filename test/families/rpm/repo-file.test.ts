import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRepoFile } from '../../../src/families/rpm/repo-file.ts';

/** Files of repositories as users of dnf have them. */

const read = (text: string) => {
  const [trust, host] = [{}, {}] as unknown as [Parameters<typeof readRepoFile>[2], Parameters<typeof readRepoFile>[4]];
  return readRepoFile(text, 'made.repo', trust, { basearch: 'x86_64' }, host);
};

test('keys that are for downloads only do not matter', () => {
  const keys = ['ip_resolve=4', 'max_parallel_downloads=9', 'zchunk=0', 'proxy=_none_', 'proxy=', 'metadata_expire=6h'];
  for (const key of keys) {
    const [source] = read(`[x]\nbaseurl=https://example.org/$basearch/\n${key}\n`);
    assert.deepEqual([source?.name, source?.bases], ['x', ['https://example.org/x86_64/']], key);
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
