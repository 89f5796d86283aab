import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../src/bytes/content.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { directory, file, type Inode, rootMeta, symlink } from '../../src/tree/inode.ts';
import { type OverlayOptions, overlayEntries, overlayEntry } from '../../src/tree/overlay.ts';
import { Tree } from '../../src/tree/tree.ts';
import { dump } from '../support/trees.ts';

const source = 'test.tar';
const put = (tree: Tree, path: string, inode: Inode, options: Partial<OverlayOptions> = {}) =>
  overlayEntry(tree, { path, inode }, { source, ...options });
const text = (data: string) => file(memory(data));

test('overlay: entries replace what is there, directories keep what they hold', () => {
  const tree = new Tree();
  put(tree, './etc/', directory(rootMeta(0o755, 5)));
  put(tree, 'etc/a', text('old'));
  put(tree, '/etc/a', text('new'));
  put(tree, 'etc', { ...directory(rootMeta(0o700, 9)), xattrs: new Map([['user.x', new Uint8Array(1)]]) });
  put(tree, './', directory(rootMeta(0o711, 3)), { root: 'take' });
  assert.deepEqual(dump(tree), [
    '/ directory 711 0 0 3.0',
    'etc directory 700 0 0 9.0 [user.x=00]',
    'etc/a file 644 0 0 0.0 3 11507a0e2f5e69d5',
  ]);
});

test('overlay: links on the way resolve inside the root, links at the end are replaced', () => {
  const tree = new Tree();
  tree.makeDirectory('usr/bin');
  tree.symlink('bin', '/usr/bin');
  tree.symlink('up', '../../../../usr');
  tree.symlink('usr/bin/sh', 'dash');
  assert.equal(put(tree, 'bin/ls', text('ls')), 'usr/bin/ls');
  assert.equal(put(tree, 'up/bin/cat', text('cat')), 'usr/bin/cat');
  put(tree, 'bin/sh', text('bash'));
  assert.deepEqual(tree.list('usr/bin'), ['cat', 'ls', 'sh']);
  assert.equal(tree.lstat('usr/bin/sh')?.kind, 'file');
  assert.equal(tree.has('usr/bin/dash'), false);
  tree.symlink('out', '/nowhere/at/all');
  assert.throws(() => put(tree, 'out/x', text('')), { code: 'NOT_A_DIRECTORY' });
  tree.symlink('made', '/opt');
  put(tree, 'made/x', text(''));
  assert.equal(tree.lstat('opt/x')?.kind, 'file');
});

test('overlay: a directory over a link to one keeps the link by default', () => {
  for (const keepDirectoryLinks of [true, false]) {
    const tree = new Tree();
    tree.makeDirectory('usr/lib');
    tree.symlink('lib', 'usr/lib');
    const path = put(tree, 'lib', directory(), { keepDirectoryLinks });
    assert.equal(path, keepDirectoryLinks ? 'usr/lib' : 'lib');
    assert.equal(tree.lstat('lib')?.kind, keepDirectoryLinks ? 'symlink' : 'directory');
  }
  const tree = new Tree();
  tree.symlink('lib', 'dangling');
  put(tree, 'lib', directory());
  assert.equal(tree.lstat('lib')?.kind, 'directory');
});

test('overlay: files and directories are replaced by each other as the policy says', () => {
  const fresh = () => {
    const tree = new Tree();
    tree.writeFile('full/inside', 'x');
    tree.makeDirectory('empty');
    tree.writeFile('file', 'y');
    return tree;
  };
  const conflict = { code: 'ENTRY_CONFLICT' };
  assert.throws(() => put(fresh(), 'full', text('')), conflict);
  put(fresh(), 'empty', text(''));
  put(fresh(), 'file', directory());
  put(fresh(), 'full', text(''), { typeChange: 'replace' });
  assert.throws(() => put(fresh(), 'empty', text(''), { typeChange: 'reject' }), conflict);
  assert.throws(() => put(fresh(), 'file', directory(), { typeChange: 'reject' }), conflict);
  assert.throws(() => put(fresh(), './', symlink('/elsewhere'), { typeChange: 'replace' }), conflict);
  assert.throws(() => put(fresh(), 'file/below', text('')), { code: 'NOT_A_DIRECTORY' });
});

test('overlay: hard links lead to files inside, and only there', () => {
  const tree = new Tree();
  const link = (path: string, to: string, options: Partial<OverlayOptions> = {}) =>
    overlayEntry(tree, { path, link: to }, { source, ...options });
  put(tree, 'a', text('data'));
  link('b', './a');
  link('b', '/a');
  assert.equal(tree.lstat('b'), tree.lstat('a'));
  tree.symlink('s', '/etc/shadow');
  link('t', 's');
  assert.equal(tree.lstat('t'), tree.lstat('s'), 'a link to a symlink is the symlink');
  tree.makeDirectory('d');
  assert.throws(() => link('c', 'd'), { code: 'LINK_TARGET_INVALID' });
  assert.throws(() => link('c', ''), { code: 'LINK_TARGET_INVALID' });
  assert.throws(() => link('c', 'missing'), { code: 'LINK_TARGET_MISSING' });
  assert.throws(() => link('c', '../../etc/passwd'), { code: 'PATH_ESCAPES' });
  assert.throws(() => link('../c', 'a'), { code: 'PATH_ESCAPES' });
  put(tree, 'x', text('inner'), { below: 'opt' });
  link('y', 'x', { below: 'opt' });
  assert.equal(tree.lstat('opt/y'), tree.lstat('opt/x'));
});

test('overlay: unknown kinds are rejected by name, loops too', () => {
  const tree = new Tree();
  assert.throws(() => put(tree, 'door', { ...rootMeta(0), kind: 'door' } as unknown as Inode), {
    code: 'ENTRY_KIND',
    message: /\/door .*door/,
  });
  tree.symlink('x', 'y');
  tree.symlink('y', 'x');
  assert.throws(() => put(tree, 'x/file', text('')), { code: 'PATH_LOOP' });
});

test('overlay: entries can be applied on top of several trees', () => {
  const inode: Inode = { ...directory(), xattrs: new Map([['user.a', new Uint8Array(1)]]) };
  const entries: Entry[] = [
    { path: 'd', inode },
    { path: 'd/f', inode: text('x') },
    { path: 'g', link: 'd/f' },
  ];
  const [one, two] = [new Tree(), new Tree()];
  overlayEntries(one, entries, { source });
  one.file('d/f')!.mode = 0o4755;
  one.lstat('d')!.xattrs!.clear();
  one.remove('d/f');
  overlayEntries(two, entries, { source });
  assert.equal(two.file('d/f')?.mode, 0o644);
  assert.equal(two.file('g'), two.file('d/f'));
  assert.equal(two.lstat('d')?.xattrs?.size, 1);
});
