import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tree } from '../../src/tree/tree.ts';

test('a directory is never moved into itself, also through links, nor the root', () => {
  const tree = new Tree();
  tree.makeDirectory('a/b');
  tree.symlink('link', 'a/b');
  for (const [from, to] of [
    ['a', 'a/b/c'],
    ['a', 'a/new/c'],
    ['a', 'link/c'],
    ['a/b', 'a/b/c'],
    ['', 'a/x'],
    ['/', 'x'],
  ] as const)
    assert.throws(() => tree.rename(from, to), { code: 'PATH_INVALID' }, `${from} ${to}`);
  assert.deepEqual(
    [...tree.walk()].map(({ path }) => path),
    ['', 'a', 'a/b', 'link'],
  );
  tree.rename('a/b', 'ab');
  tree.rename('a', 'ab/a');
  assert.deepEqual(
    [...tree.walk()].map(({ path }) => path),
    ['', 'ab', 'ab/a', 'link'],
  );
});
