import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../src/bytes/content.ts';
import type { Event } from '../../src/events/events.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { directory, file, rootMeta } from '../../src/tree/inode.ts';
import { overlayEntries, treeOf } from '../../src/tree/overlay.ts';
import { Tree } from '../../src/tree/tree.ts';

const text = (path: string): Entry => ({ path, inode: file(memory(path)) });
const folder = (path: string): Entry => ({ path, inode: directory() });
const opaque = (path: string): Entry => ({
  path,
  inode: { ...directory(), xattrs: new Map([['trusted.overlay.opaque', new Uint8Array([0x79])]]) },
});
const device = (path: string): Entry => ({ path, inode: { ...rootMeta(0), kind: 'char', major: 0, minor: 0 } });

function lower(): Tree {
  const tree = new Tree();
  for (const path of ['etc/motd', 'etc/issue', 'opt/a/x', 'opt/a/y', 'opt/b']) tree.writeFile(path, 'lower');
  return tree;
}

function names(tree: Tree): string[] {
  return [...tree.walk()].filter(({ inode }) => inode.kind !== 'directory').map(({ path }) => path);
}

function apply(tree: Tree, entries: Entry[], options: { whiteouts?: 'keep'; labels?: 'keep' } = {}): string[] {
  const codes: string[] = [];
  const report = (event: Event) => void (event.kind === 'warning' && codes.push(`${event.code} ${event.message}`));
  overlayEntries(tree, entries, { source: 'layer.tar', report, ...options });
  return codes;
}

/** Every order of a few entries. */
function orders<T>(all: readonly T[]): T[][] {
  if (all.length < 2) return [[...all]];
  return all.flatMap((one, i) => orders([...all.slice(0, i), ...all.slice(i + 1)]).map((rest) => [one, ...rest]));
}

for (const [what, entries, left] of [
  ['a whiteout of OCI hides a file', [text('etc/.wh.motd')], ['etc/issue', 'opt/a/x', 'opt/a/y', 'opt/b']],
  ['a whiteout of OCI hides a directory', [text('opt/.wh.a')], ['etc/issue', 'etc/motd', 'opt/b']],
  ['a whiteout of overlayfs hides a file', [device('opt/b')], ['etc/issue', 'etc/motd', 'opt/a/x', 'opt/a/y']],
  ['a whiteout leaves what its own layer has', [text('etc/motd'), text('etc/.wh.motd')], names(lower())],
  [
    'an opaque directory of OCI hides the lower layer only',
    [folder('opt'), text('opt/.wh..wh..opq'), text('opt/a/new')],
    ['etc/issue', 'etc/motd', 'opt/a/new'],
  ],
  [
    'an opaque directory of overlayfs hides the lower layer only',
    [opaque('opt'), text('opt/a/new')],
    ['etc/issue', 'etc/motd', 'opt/a/new'],
  ],
  [
    'a directory replaced by one of the same name',
    [text('opt/.wh.a'), text('opt/a/new')],
    ['etc/issue', 'etc/motd', 'opt/a/new', 'opt/b'],
  ],
] as [string, Entry[], string[]][])
  test(`layers: ${what}, in any order`, () => {
    for (const order of orders(entries)) {
      const tree = lower();
      assert.deepEqual(apply(tree, order), []);
      assert.deepEqual(names(tree), left);
    }
  });

test('layers: opaque marks do not reach the tree, and whiteouts can be kept', () => {
  const tree = lower();
  apply(tree, [opaque('opt')]);
  assert.equal(tree.lstat('opt')?.xattrs, undefined);
  const kept = lower();
  assert.deepEqual(apply(kept, [text('etc/.wh.motd'), device('opt/b')], { whiteouts: 'keep' }), []);
  assert.equal(kept.lstat('opt/b')?.kind, 'char');
  assert.equal(kept.lstat('etc/.wh.motd')?.kind, 'file');
});

test('layers: a whiteout that hides nothing is reported by name', async () => {
  const tree = lower();
  const result = apply(tree, [text('etc/.wh.nothing'), text('none/.wh..wh..opq'), text('./etc/.wh.')]);
  assert.match(result.join('\n'), /^WHITEOUT_UNMATCHED layer\.tar: \/etc\/\.wh\.nothing and 2 more: /);
  assert.deepEqual(names(tree), names(lower()));
  const codes: string[] = [];
  const report = (event: Event) => void (event.kind === 'warning' && codes.push(event.code));
  const single = await treeOf([folder('etc'), text('etc/.wh.motd')], { source: 'layer.tar', report });
  assert.deepEqual(single.list('etc'), []);
  assert.deepEqual(codes, ['WHITEOUT_UNMATCHED']);
});

test('layers: parts of files that need a lower layer are an error', () => {
  for (const name of ['trusted.overlay.metacopy', 'trusted.overlay.redirect']) {
    const inode = { ...file(memory('')), xattrs: new Map([[name, new Uint8Array()]]) };
    assert.throws(() => apply(lower(), [{ path: 'opt/b', inode }]), { code: 'LAYER_INCOMPLETE' });
  }
});

test('overlay: the entry of the top directory leaves the root unchanged, with a warning', async () => {
  const entries: Entry[] = [{ path: './', inode: directory({ mode: 0o700, uid: 1000, gid: 1000, mtime: 5 }) }];
  const tree = new Tree();
  assert.match(apply(tree, entries).join(), /ROOT_ENTRY_IGNORED layer\.tar: .*0700, owner 1000:1000/);
  assert.deepEqual([tree.root.mode, tree.root.uid, tree.root.gid], [0o755, 0, 0]);
  assert.deepEqual(apply(tree, [folder('./')]), []);
  const taken = await treeOf(entries, { source: 'rootfs.tar' });
  assert.deepEqual([taken.root.mode, taken.root.uid, taken.root.mtime], [0o700, 1000, 5]);
});

test('overlay: SELinux labels of the build host are left out with a warning, unless they are to be kept', async () => {
  const labelled = { ...file(memory('')), xattrs: new Map([['security.selinux', new Uint8Array(3)]]) };
  const entries: Entry[] = [{ path: 'opt/l', inode: labelled }];
  const tree = new Tree();
  assert.match(apply(tree, entries).join(), /^ATTRIBUTE_LEFT_OUT layer\.tar: \/opt\/l: .*security\.selinux/);
  assert.equal(tree.lstat('opt/l')?.xattrs, undefined);
  assert.equal(labelled.xattrs.size, 1, 'the entry itself stays as it is');
  assert.deepEqual(apply(tree, entries, { labels: 'keep' }), []);
  assert.equal(tree.lstat('opt/l')?.xattrs?.size, 1);
  assert.equal((await treeOf(entries, { source: 'x' })).lstat('opt/l')?.xattrs?.size, 1);
});
