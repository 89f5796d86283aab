import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { memory, zeros } from '../../src/bytes/content.ts';
import { fileSlice } from '../../src/bytes/file.ts';
import { sparse } from '../../src/bytes/sparse.ts';
import { type KeptTree, keptTree, openKeptTree, type SpoolName } from '../../src/fetch/kept-tree.ts';
import { directory, file, type Inode, symlink } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { random, temporary } from '../support/data.ts';
import { dump, noise, randomTree, sampleTrees } from '../support/trees.ts';

const FOOT = 64;

/** Writes a tree as the cache keeps it. */
async function keep(path: string, tree: Tree, spools: ReadonlyMap<string, SpoolName> = new Map(), told: unknown = {}) {
  const write = keptTree(tree, spools, told);
  if (write === undefined) return false;
  const fd = openSync(path, 'w');
  try {
    await write(fd);
  } finally {
    closeSync(fd);
  }
  return true;
}

/** Everything that a later step could see: also the order of names, and properties that `dump` leaves out. */
function all({ root }: Tree): unknown[] {
  const numbers = new Map<Inode, number>();
  const rows: unknown[] = [];
  const look = (path: string, inode: Inode): void => {
    const known = numbers.get(inode);
    numbers.set(inode, known ?? numbers.size);
    const { sha256 } = inode.kind === 'file' ? inode.content : {};
    const xattrs = [...(inode.xattrs ?? [])].map(([name, value]) => [name, Buffer.from(value).toString('hex')]);
    rows.push([path, known, inode.user, inode.group, inode.nanoseconds, sha256, xattrs]);
    if (inode.kind === 'directory') for (const [name, child] of inode.children) look(`${path}/${name}`, child);
  };
  look('', root);
  return rows;
}

async function roundTrip(t: { after(fn: () => void): void }, tree: Tree): Promise<KeptTree> {
  const path = join(temporary(t), 'kept');
  assert.ok(await keep(path, tree));
  const kept = openKeptTree(path, () => undefined);
  assert.ok(kept);
  return kept;
}

test('a tree is the same after it was kept', async (t) => {
  const trees = [...sampleTrees({ sockets: true }).map(([, tree]) => tree)];
  for (let seed = 0; seed < 40; seed++) trees.push(randomTree(seed, { sockets: true }));
  for (const tree of trees) {
    const { tree: kept } = await roundTrip(t, tree);
    assert.deepEqual(dump(kept), dump(tree));
    assert.deepEqual(all(kept), all(tree));
  }
});

test('owners by name, digests and holes without stored data are kept', async (t) => {
  const tree = new Tree();
  const named = { mode: 0o4755, uid: 7, gid: 8, user: 'ä', group: '', mtime: -5, nanoseconds: 0 };
  tree.set('a', file({ ...memory('abc'), sha256: 'ab'.repeat(32) }, named));
  tree.set('zeros', file(zeros(5000)));
  tree.set('holes', file({ ...sparse(memory(noise(30)), [{ offset: 100, size: 30 }], 500), sha256: 'cd'.repeat(32) }));
  tree.set('both', file({ ...memory(noise(10_000)), extents: [{ offset: 0, size: 10_000 }] }));
  tree.set('folder/again', tree.lstat('a')!);
  tree.makeDirectory('empty');
  const { tree: kept } = await roundTrip(t, tree);
  assert.deepEqual(dump(kept), dump(tree));
  assert.deepEqual(all(kept), all(tree));
});

test('files of spools are slices of them; one that is missing means that nothing is kept', async (t) => {
  const folder = temporary(t);
  const spool = join(folder, 'spool');
  writeFileSync(spool, noise(10_000));
  const tree = new Tree();
  tree.set('own', file(memory('own')));
  tree.set('slice', file(fileSlice(spool, 100, 5000)));
  tree.set('sparse', file(sparse(fileSlice(spool, 7000, 10), [{ offset: 4096, size: 10 }], 9000)));
  const path = join(folder, 'kept');
  const name = { key: 'one', sha256: '00' };
  await keep(path, tree, new Map([[spool, name]]), { told: 'ä\0' });
  assert.ok(readFileSync(path).length < 2000, 'the bytes are not in it');
  const kept = openKeptTree(path, (asked) => {
    assert.deepEqual(asked, name);
    return { path: spool, size: 10_000 };
  });
  assert.deepEqual(dump(kept!.tree), dump(tree));
  assert.deepEqual(kept!.told, { told: 'ä\0' });
  assert.equal(
    openKeptTree(path, () => undefined),
    undefined,
  );
  // of another size than it was
  assert.equal(
    openKeptTree(path, () => ({ path: spool, size: 7005 })),
    undefined,
  );
});

test('what is kept does not change when the tree does', async (t) => {
  const path = join(temporary(t), 'kept');
  const tree = new Tree();
  tree.writeFile('etc/a', 'before');
  const before = dump(tree);
  const write = keptTree(tree, new Map(), {})!;
  tree.writeFile('etc/a', 'after');
  tree.remove('etc');
  const fd = openSync(path, 'w');
  await write(fd);
  closeSync(fd);
  assert.deepEqual(dump(openKeptTree(path, () => undefined)!.tree), before);
});

test('trees with names that no file system takes, or with a folder in two places, are not kept', async (t) => {
  const path = join(temporary(t), 'kept');
  const wrong: ((tree: Tree) => void)[] = [
    ...['', '.', '..', 'a/b', 'a\0'].map((name) => (tree: Tree) => void tree.root.children.set(name, directory())),
    (tree) => void tree.root.children.set('itself', tree.root),
    (tree) => void tree.root.children.set('b', tree.makeDirectory('a')),
    (tree) => void tree.root.children.set('b', symlink('')),
    (tree) => void tree.root.children.set('b', symlink('a\0b')),
  ];
  for (const make of wrong) {
    const tree = new Tree();
    make(tree);
    assert.equal(await keep(path, tree), false);
  }
});

test('a damaged file is no tree, or one that can be read to its end', async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'kept');
  const damaged = join(folder, 'damaged');
  const tree = randomTree(3, { sockets: true });
  await keep(path, tree);
  const whole = readFileSync(path);
  const open = (bytes: Uint8Array): KeptTree | undefined => {
    writeFileSync(damaged, bytes);
    return openKeptTree(damaged, () => undefined);
  };
  const table = Number(whole.readBigUInt64LE(whole.length - FOOT + 24));
  for (const size of [0, 1, FOOT - 1, FOOT, table, whole.length - 1])
    assert.equal(open(whole.subarray(0, size)), undefined, `${size} bytes`);
  assert.equal(open(Buffer.concat([whole, Buffer.alloc(1)])), undefined);
  const { below } = random(1);
  let read = 0;
  for (let i = 0; i < 1000; i++) {
    const bytes = Buffer.from(whole);
    // the table and the foot, with and without a sum that is right
    const at = table + below(bytes.length - table);
    bytes[at]! ^= 1 << below(8);
    assert.equal(open(bytes), undefined, `bit of byte ${at}`);
    const foot = bytes.length - FOOT;
    if (at >= foot) continue;
    bytes.writeUInt32LE(crc32(bytes.subarray(table, foot)), foot + 20);
    const kept = open(bytes);
    if (kept === undefined) continue;
    read++;
    for (const { inode } of kept.tree.walk())
      if (inode.kind === 'file') assert.equal(inode.content.readSync().length, inode.content.size);
  }
  assert.ok(read > 0, 'a flipped bit of a time is another time');
});
