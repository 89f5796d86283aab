import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideFates } from '../../../src/families/rpm/fates.ts';
import type { UnpackedRpm } from '../../../src/families/rpm/unpack.ts';
import { Tree } from '../../../src/tree/tree.ts';

/** Links between directories that packages make, as a hostile package would make them. */

const package_ = (name: string, files: readonly object[]) =>
  ({
    package: { name, version: '1-1', architecture: 'noarch' },
    table: {
      algorithm: 'sha256',
      files: files.map((file) => ({ flags: 0, colour: 0, size: 1, mode: 0o644, user: 'root', group: 'root', ...file })),
    },
  }) as unknown as UnpackedRpm;

const link = (path: string, target: string) => ({ path, kind: 'symlink', target });

for (const [what, links] of [
  ['a loop', [link('a', 'b/x'), link('b', 'a/x')]],
  ['a link to itself, many times', [link('a', 'a/'.repeat(2000))]],
  ['links that double with every one', Array.from({ length: 200 }, (_, i) => link(`a${i}`, `a${i + 1}/../a${i + 1}/`))],
  ['links out of the root', [link('a', '../../../..'), link('a0', '/..//../a')]],
] as const)
  test(`${what}: places are found all the same, and a conflict is seen`, () => {
    const file = (digest: string) => ({ path: 'a0/x/y', kind: 'file', digest });
    assert.throws(
      () => decideFates(new Tree(), [package_('one', [...links, file('01')]), package_('two', [file('02')])]),
      { code: 'RPM_CONFLICT' },
    );
  });

test('links that take very long to follow are rejected', () => {
  const links = Array.from({ length: 2000 }, (_, i) => link(`a${i}`, `a${i + 1}/`.concat('b/'.repeat(1000))));
  assert.throws(
    () => decideFates(new Tree(), [package_('one', [...links, { path: 'a0/x/y', kind: 'file', digest: '01' }])]),
    { code: 'RPM_UNSUPPORTED' },
  );
});

test('a link is followed as far as the tree or a package has it', () => {
  const tree = new Tree();
  tree.makeDirectory('usr/lib');
  tree.symlink('lib', 'usr/lib');
  const file = (path: string) => ({ path, kind: 'file', digest: '01' });
  const fates = decideFates(tree, [
    package_('one', [link('usr/lib/deep', '../../srv'), file('srv/a'), file('usr/lib/b')]),
    package_('two', [file('lib/deep/a'), file('lib/b'), file('lib/c')]),
  ]);
  assert.deepEqual(
    [...fates.values()].map((own) => [...own]),
    [
      [0, 0, 0],
      [1, 1, 0],
    ],
  );
});
