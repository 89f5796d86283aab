import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect } from '../../src/bytes/content.ts';
import { lazyTree } from '../../src/tree/lazy.ts';
import { Tree } from '../../src/tree/tree.ts';
import { temporary } from '../support/data.ts';

test('a lazy tree has what the folder has, read when it is asked for', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'usr/bin'), { recursive: true });
  mkdirSync(join(folder, 'proc/1'), { recursive: true });
  writeFileSync(join(folder, 'usr/bin/a'), 'text', { mode: 0o755 });
  symlinkSync('/usr/bin', join(folder, 'bin'));
  const tree = lazyTree(folder, new Set(['proc']));
  assert.equal(tree.text('bin/a'), 'text');
  assert.equal(tree.has('bin/b'), false);
  // what appears after its folder was looked into is not seen: a tree does not change while it is read
  writeFileSync(join(folder, 'usr/bin/b'), 'later');
  assert.equal(tree.has('bin/b'), false);
  assert.deepEqual(tree.list(''), ['bin', 'proc', 'usr']);
  assert.deepEqual(tree.list('proc'), []);
  assert.equal(tree.has(`usr/${'x'.repeat(300)}`), false);
  const paths = [...tree.walk()].map(({ path }) => path);
  assert.deepEqual(paths, ['', 'bin', 'proc', 'usr', 'usr/bin', 'usr/bin/a']);
  assert.equal((await collect(tree.file('usr/bin/a')!.content.open())).length, 4);
});

test('a lazy tree can be changed without the folder', (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'a'), '1');
  writeFileSync(join(folder, 'b'), '2');
  const tree = lazyTree(folder);
  tree.remove('a');
  tree.writeFile('c', '3');
  assert.deepEqual([tree.has('a'), tree.list('')], [false, ['b', 'c']]);
  assert.equal(tree.root.children.size, 2);
  assert.equal(new Tree(tree.root).text('c'), '3');
});

test('a file that changes while it is read is an error, whatever its length becomes', async (t) => {
  const folder = temporary(t);
  const at = join(folder, 'a');
  for (const [text, code] of [
    ['longer than it was', 'CONTENT_SIZE'],
    ['x', 'CONTENT_SIZE'],
    ['equal', 'SYSROOT_CHANGED'],
  ] as const) {
    writeFileSync(at, 'first');
    utimesSync(at, 1000, 1000);
    const { content } = lazyTree(folder).file('a')!;
    assert.equal(content.size, 5);
    writeFileSync(at, text);
    await assert.rejects(collect(content.open()), { code });
    assert.throws(() => content.readSync(), { code });
  }
});

test('files that say they are empty and are not, as the kernel’s are', {
  skip: process.platform === 'linux' ? false : 'not available: Linux',
}, async () => {
  const { content } = lazyTree('/proc/self').file('status')!;
  assert.equal(content.size, 0);
  await assert.rejects(collect(content.open()), { code: 'CONTENT_SIZE' });
});

test('sockets are what they are, and folders that are none are an error', async (t) => {
  const folder = temporary(t);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(folder, 's'), resolve));
  t.after(() => server.close());
  assert.equal(lazyTree(folder).stat('s')?.kind, 'socket');
  writeFileSync(join(folder, 'f'), '');
  assert.throws(() => lazyTree(join(folder, 'f')), { code: 'READ_FAILED' });
  assert.throws(() => lazyTree(join(folder, 'none')), { code: 'READ_FAILED' });
});
