import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entriesOf } from '../../src/artefacts/entries.ts';
import { memory } from '../../src/bytes/content.ts';
import { additionsOf } from '../../src/tree/additions.ts';
import { type Directory, directory, file, type Inode, rootMeta, symlink } from '../../src/tree/inode.ts';
import { overlayEntries } from '../../src/tree/overlay.ts';
import { Tree } from '../../src/tree/tree.ts';
import { random } from '../support/data.ts';
import { dump } from '../support/trees.ts';

const TIME = 1_700_000_000;
const meta = (mode: number, uid = 0) => ({ ...rootMeta(mode, TIME), uid });

type Pick = <T>(from: readonly T[]) => T;

function inode(pick: Pick, depth: number): Inode {
  const kind = pick(['file', 'file', 'directory', 'symlink', 'char', 'fifo'] as const);
  switch (kind) {
    case 'file': {
      const made = file(memory(pick(['', 'a', 'b', 'ab'.repeat(40_000)])), meta(pick([0o644, 0o755]), pick([0, 0, 1])));
      if (pick([true, false, false])) made.xattrs = new Map([['user.x', Uint8Array.of(pick([1, 2]))]]);
      return made;
    }
    case 'directory': {
      const made = directory(meta(pick([0o755, 0o755, 0o700])));
      if (depth < 3) fill(made, pick, depth + 1);
      return made;
    }
    case 'symlink':
      return symlink(pick(['x', 'y']), meta(0o777));
    case 'char':
      return { ...meta(0o600), kind, major: 1, minor: pick([3, 5]) };
    case 'fifo':
      return { ...meta(0o600), kind };
    default:
      return kind satisfies never;
  }
}

function fill(into: Directory, pick: Pick, depth: number): void {
  for (const name of ['a', 'b', 'c', 'grün', '\xff'])
    if (pick([true, true, false])) into.children.set(name, inode(pick, depth));
}

/** Some entries of a tree, others anew. */
function altered(from: Directory, pick: Pick): Directory {
  const made = directory({ ...from });
  for (const [name, one] of from.children) {
    const what = pick(['same', 'same', 'same', 'new', 'gone'] as const);
    if (what === 'new') made.children.set(name, inode(pick, 2));
    else if (what === 'same') made.children.set(name, one.kind === 'directory' ? altered(one, pick) : { ...one });
  }
  if (pick([true, false])) made.children.set('added', inode(pick, 2));
  return made;
}

const paths = (tree: Tree) => new Set([...tree.walk()].map(({ path }) => path));

test('random trees: base and additions together are the tree, but for what the base alone has', async () => {
  let reached = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const { pick } = random(seed);
    const base = new Tree();
    fill(base.root, pick, 0);
    const tree = new Tree(altered(base.root, pick));
    const { tree: own, added, changed, removed } = await additionsOf(tree, base);
    const all = paths(tree);
    // what is removed is not there, and its parent is
    for (const path of removed) {
      const gone = !all.has(path) || (base.lstat(path)!.kind === 'directory' && tree.lstat(path)!.kind !== 'directory');
      assert.ok(gone, `seed ${seed}: ${path}`);
      const parent = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
      assert.equal(tree.lstat(parent)?.kind, 'directory', `seed ${seed}: ${path}`);
    }
    const news = [...all].filter((path) => base.lstat(path) === undefined);
    assert.equal(added, news.length, `seed ${seed}`);
    for (const path of news) assert.ok(paths(own).has(path), `seed ${seed}: ${path}`);
    // nothing is in it but what is new or changed, and directories on the way
    const leaves = [...own.walk()].filter(({ path, inode: one }) => path !== '' && one.kind !== 'directory').length;
    assert.ok(leaves <= added + changed, `seed ${seed}`);
    for (const path of removed) base.remove(path);
    overlayEntries(base, entriesOf(own), {
      ...{ source: 'additions', whiteouts: 'keep', typeChange: 'replace', keepDirectoryLinks: false },
    });
    base.root.mode = tree.root.mode;
    assert.deepEqual(dump(base), dump(tree), `seed ${seed}`);
    if (removed.length > 0 && changed > 0) reached++;
  }
  assert.ok(reached > 100, `${reached} cases with everything in them`);
});

test('times are no difference; a name more of a file is one', async () => {
  const base = new Tree();
  base.writeFile('etc/a', 'same', meta(0o644));
  const tree = new Tree();
  const one = tree.writeFile('etc/a', 'same', { ...meta(0o644), mtime: TIME + 1, nanoseconds: 5 });
  tree.set('etc/b', one);
  const { tree: own, added, changed, removed } = await additionsOf(tree, base);
  assert.deepEqual([added, changed, removed], [1, 0, []]);
  assert.deepEqual([...paths(own)], ['', 'etc', 'etc/b']);
});

test('a directory that becomes something else is removed, and so is one that is gone, without what is below it', async () => {
  const base = new Tree();
  base.writeFile('opt/x/1', '');
  base.writeFile('opt/x/2', '');
  base.writeFile('srv/deep/er/1', '');
  base.symlink('lib', 'usr/lib');
  const tree = new Tree();
  tree.makeDirectory('opt');
  tree.writeFile('opt/x', 'a file');
  tree.makeDirectory('lib');
  const { removed, changed } = await additionsOf(tree, base);
  assert.deepEqual(removed, ['opt/x', 'srv']);
  assert.equal(changed, 2);
});
