import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBuildError } from '../../src/errors/error.ts';
import { Tree } from '../../src/tree/tree.ts';
import { random } from '../support/data.ts';

/** Parents one by one, each looked up from the root: slow, and plain. */
function plainly(tree: Tree, path: string): string | undefined {
  let here = '';
  for (const part of path.split('/').filter((one) => one !== '' && one !== '.')) {
    const place = tree.locate(`${here}/${part}`, true);
    if (place === undefined) return undefined;
    if (place.inode === undefined) place.parent.children.set(place.name, new Tree().root);
    else if (place.inode.kind !== 'directory') return undefined;
    here = place.path;
  }
  return here;
}

const outline = (tree: Tree) =>
  [...tree.walk()]
    .map(({ path, inode }) => `${path} ${inode.kind === 'symlink' ? inode.target : inode.kind}`)
    .join('\n');

test('folders are made where each part alone would be made, through links of every kind', () => {
  const { below, pick } = random(3);
  const names = ['a', 'b', 'c', '..', '.', 'l', 'm', 'f'];
  const path = (length: number) => Array.from({ length: 1 + below(length) }, () => pick(names)).join('/');
  let errors = 0;
  for (let round = 0; round < 2000; round++) {
    const [one, other] = [new Tree(), new Tree()];
    const target = [path(3), `/${path(3)}`, path(2)];
    for (const tree of [one, other]) {
      tree.makeDirectory('a/b');
      tree.writeFile('a/f', '');
      for (const [i, at] of ['l', 'a/l', 'm'].entries()) if (tree.lstat(at) === undefined) tree.symlink(at, target[i]!);
    }
    const wanted = path(5);
    let right: string | undefined;
    let loop = false;
    try {
      right = plainly(one, wanted);
    } catch (error) {
      loop = isBuildError(error, 'PATH_LOOP');
      if (!loop) throw error;
    }
    try {
      const made = other.makeDirectory(wanted);
      assert.equal(made, other.stat(wanted), wanted);
      assert.ok(right !== undefined, `${wanted} ${target.join(' ')}`);
    } catch (error) {
      if (!isBuildError(error, loop ? 'PATH_LOOP' : 'NOT_A_DIRECTORY')) throw error;
      assert.equal(right, undefined, `${wanted} ${target.join(' ')}`);
      errors++;
    }
    assert.equal(outline(other), outline(one), `${wanted} ${target.join(' ')}`);
  }
  assert.ok(errors > 100 && errors < 1900, `${errors} errors`);
});

test('a deep folder costs as much as its depth', () => {
  const tree = new Tree();
  // quadratic in the depth, this would take minutes
  tree.makeDirectory('d/'.repeat(100_000));
  let depth = 0;
  for (let at = tree.root.children.get('d'); at?.kind === 'directory'; at = at.children.get('d')) depth++;
  assert.equal(depth, 100_000);
});
