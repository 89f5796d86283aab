import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { extract } from 'tar-stream';
import { collect, memory, PIECE } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { slicesOf, slicesOfMemory, spooled } from '../../src/bytes/spool.ts';
import { BuildError } from '../../src/errors/error.ts';
import { tarArchive } from '../../src/formats/tar/emit.ts';
import { readTar, type TarReadOptions } from '../../src/formats/tar/read.ts';
import { readDirectory } from '../../src/tree/directory-read.ts';
import { writeDirectory } from '../../src/tree/directory-write.ts';
import { directory, file, rootMeta } from '../../src/tree/inode.ts';
import { overlayStream } from '../../src/tree/overlay.ts';
import { Tree } from '../../src/tree/tree.ts';
import { needs, random, temporary, tool } from '../support/data.ts';
import { dump, holed, inPieces, randomTree, sampleTrees, type TreeLimits } from '../support/trees.ts';

async function bytesOf(tree: Tree, options = {}): Promise<Uint8Array> {
  const archive = tarArchive(tree, options);
  const bytes = await collect(archive.open());
  assert.equal(bytes.length, archive.size, 'the size was planned right');
  return bytes;
}

async function treeOf(bytes: Uint8Array, chunk = 65536, options: TarReadOptions = {}): Promise<Tree> {
  const tree = new Tree();
  await overlayStream(tree, readTar(inPieces(bytes, chunk), 'test.tar', slicesOfMemory(bytes), options), {
    source: 'test.tar',
    root: 'take',
    labels: 'keep',
    whiteouts: 'keep',
  });
  return tree;
}

const seeds = Array.from({ length: 12 }, (_, i) => Number(process.env['TEST_SEED'] ?? 20_240_601) + i);

for (const [name, tree] of sampleTrees())
  test(`tar: ${name}: what was written reads the same, in pieces of any size`, async () => {
    const bytes = await bytesOf(tree);
    assert.equal(bytes.length % 10240, 0);
    for (const chunk of bytes.length > 30_000 ? [321, PIECE] : [1, 7, 321, PIECE])
      assert.deepEqual(dump(await treeOf(bytes, chunk), { extents: false }), dump(tree, { extents: false }));
  });

for (const seed of seeds)
  test(`tar: random tree, seed ${seed}`, async () => {
    const tree = randomTree(seed);
    const bytes = await bytesOf(tree);
    assert.deepEqual(dump(await treeOf(bytes, 4096), { extents: false }), dump(tree, { extents: false }));
    assert.deepEqual(await bytesOf(await treeOf(bytes), { sparse: false }), await bytesOf(tree, { sparse: false }));
  });

test('tar: holes stay holes', async () => {
  const tree = sampleTrees().find(([name]) => name === 'holes')![1];
  const again = await treeOf(await bytesOf(tree));
  const extents = (name: string) => again.file(name)?.content.extents;
  assert.deepEqual(extents('all-hole'), []);
  // widened to whole blocks, because GNU tar takes each extent's data from blocks of its own
  assert.deepEqual(extents('middle'), [{ offset: 99_840, size: 5632 }]);
  assert.deepEqual(extents('ends'), [
    { offset: 0, size: 512 },
    { offset: 299_520, size: 481 },
  ]);
  assert.equal(extents('many')?.length, 200);
  assert.equal(extents('small'), undefined, 'not worth a map');
  assert.ok(tarArchive(tree).size < 200_000);
});

test('tar: a file whose content has another length than declared is rejected by name', async () => {
  for (const wrong of [99, 101]) {
    const tree = new Tree(directory());
    tree.set('etc/wrong', file({ ...memory(new Uint8Array(wrong)), size: 100 }));
    await assert.rejects(collect(tarArchive(tree).open()), { code: 'CONTENT_SIZE', message: /etc\/wrong/ });
    const { open } = memory(new Uint8Array(wrong * 10_000));
    tree.set('etc/wrong', file({ ...memory(''), open, size: 1_000_000 }));
    await assert.rejects(collect(tarArchive(tree).open()), { code: 'CONTENT_SIZE', message: /etc\/wrong/ });
  }
});

test('tar: a socket is rejected by name before anything is written', () => {
  const tree = new Tree(directory());
  tree.set('run/sock', { ...rootMeta(0o600), kind: 'socket' });
  assert.throws(() => tarArchive(tree), { code: 'ENTRY_NOT_STORABLE', message: /run\/sock/ });
});

test('tar: sizes beyond eleven octal digits are planned and read', async () => {
  const tree = new Tree(directory());
  tree.set('huge', file(holed(2 ** 40, [[2 ** 39, 3]])));
  const again = await treeOf(await bytesOf(tree));
  assert.equal(again.file('huge')?.content.size, 2 ** 40);
  assert.deepEqual(again.file('huge')?.content.extents, [{ offset: 2 ** 39, size: 512 }]);
  const full = tarArchive(tree, { sparse: false });
  assert.equal(full.size, Math.ceil((512 + 512 + 512 + 512 + 2 ** 40 + 1024) / 10240) * 10240);
  const head: Uint8Array[] = [];
  for await (const piece of full.open()) {
    head.push(piece.slice());
    if (head.length === 1) break;
  }
  assert.match(Buffer.concat(head).toString('latin1'), / size=1099511627776\n/);
});

test('tar: digests are computed while the payload is read, spools store it', async (t) => {
  const tree = randomTree(7, { holes: false });
  const path = join(temporary(t), 'spool');
  const bytes = await bytesOf(tree);
  let files = 0;
  for await (const entry of readTar(spooled(inPieces(bytes, 1000), path), 't', slicesOf(path), { digest: true })) {
    if (!('inode' in entry) || entry.inode.kind !== 'file') continue;
    files++;
    assert.equal(entry.inode.content.sha256?.length, 64);
  }
  assert.ok(files > 3);
  assert.deepEqual(readFileSync(path), Buffer.from(bytes));
  for await (const entry of readTar(inPieces(bytes, PIECE), 't', slicesOf(path), { digest: true }))
    if ('inode' in entry && entry.inode.kind === 'file')
      assert.equal(
        createHash('sha256').update(entry.inode.content.readSync()).digest('hex'),
        entry.inode.content.sha256,
      );
});

test('tar: an archive truncated anywhere is rejected and never crashes', async () => {
  const tree = sampleTrees({ holes: true })[1]![1];
  tree.set('sparse', file(holed(100_000, [[50_000, 3]])));
  tree.set(`${'d'.repeat(200)}`, { ...file(memory('x')), xattrs: new Map([['user.x', Buffer.from('v')]]) });
  const bytes = await bytesOf(tree);
  const end = Buffer.from(bytes).length - bytes.toReversed().findIndex((byte) => byte !== 0);
  for (let size = 0; size < end; size++)
    await assert.rejects(
      treeOf(bytes.subarray(0, size), PIECE, { endRequired: true }),
      (error) => error instanceof BuildError && ['TRUNCATED', 'TAR_CORRUPT'].includes(error.code),
      `cut at ${size}`,
    );
});

test('tar: flipped bits are rejected or read, never more', async () => {
  const tree = sampleTrees().find(([name]) => name === 'xattrs')![1];
  tree.set('sparse', file(holed(100_000, [[50_000, 3]])));
  const bytes = await bytesOf(tree);
  const { below } = random(99);
  for (let i = 0; i < 1500; i++) {
    const bad = Uint8Array.from(bytes);
    for (let n = 1 + below(3); n > 0; n--) bad[below(bad.length)]! ^= 1 << below(8);
    try {
      await treeOf(bad, PIECE);
    } catch (error) {
      assert.ok(error instanceof BuildError, String(error));
    }
  }
});

test('tar: names of users are written when requested', async () => {
  const tree = new Tree(directory());
  const long = 'g'.repeat(40);
  tree.set('f', { ...file(memory('x')), user: 'daemon', group: long });
  assert.equal((await treeOf(await bytesOf(tree))).file('f')?.user, undefined);
  const again = await treeOf(await bytesOf(tree, { names: true }));
  assert.equal(again.file('f')?.user, 'daemon');
  assert.equal(again.file('f')?.group, long);
});

// --- other tools ---------------------------------------------------------------------------------------------------

const UTF8 = { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' };

function randomTrees(limits: TreeLimits): [string, Tree][] {
  return seeds.slice(0, 2).map((seed) => [`seed ${seed}`, randomTree(seed, limits)]);
}

/** What another tool's extraction must leave on the disk. */
const onDisk = { xattrs: false, extents: false };

for (const reference of ['tar', 'bsdtar'])
  test(`tar: ${reference} extracts every sample correctly`, {
    skip: needs({ tools: [reference], root: true }),
  }, async (t) => {
    // bsdtar 3.6 counts the fraction of a time before 1970 the wrong way
    const limits = { xattrs: false, negativeTimes: reference === 'tar' };
    for (const [name, tree] of [...sampleTrees(limits), ...randomTrees(limits)]) {
      const folder = temporary(t);
      const archive = join(folder, 'a.tar');
      const out = join(folder, 'out');
      mkdirSync(out);
      await pour(tarArchive(tree).open(), archive);
      const run = spawnSync(tool(reference)!, ['-x', '-p', '-f', archive, '-C', out, '--numeric-owner'], { env: UTF8 });
      assert.equal(run.status, 0, `${name}: ${run.stderr.toString().slice(0, 300)}`);
      const found = readDirectory(out);
      if (reference === 'bsdtar') found.root.mtime = tree.root.mtime; // it leaves the time of "." alone
      if (reference === 'bsdtar') delete found.root.nanoseconds;
      if (tree.root.nanoseconds !== undefined) found.root.nanoseconds = tree.root.nanoseconds;
      assert.deepEqual(dump(found, onDisk), dump(tree, onDisk), name);
    }
  });

for (const [reference, ...options] of [
  ['tar', '--format=gnu'],
  ['tar', '--format=pax'],
  ['tar', '--format=pax', '--sparse', '--sparse-version=0.0'],
  ['tar', '--format=pax', '--sparse', '--sparse-version=0.1'],
  ['tar', '--format=pax', '--sparse', '--sparse-version=1.0'],
  ['tar', '--format=gnu', '--sparse'],
  ['bsdtar', '--format=pax'],
  ['bsdtar', '--format=gnutar'],
] as const)
  test(`tar: what ${reference} ${options.join(' ')} writes is read correctly`, {
    skip: needs({ tools: [reference], root: true }),
  }, async (t) => {
    const limits = {
      xattrs: false,
      nanoseconds: !options[0].includes('gnu'),
      oddLinks: reference === 'tar',
      anyBytes: reference === 'tar',
      negativeTimes: reference === 'tar',
    };
    for (const [name, tree] of [...sampleTrees(limits), ...randomTrees(limits)]) {
      const folder = temporary(t);
      const out = join(folder, 'out');
      await writeDirectory(tree, out);
      const archive = join(folder, 'a.tar');
      const run = spawnSync(tool(reference)!, ['-c', '-f', archive, ...options, '--numeric-owner', '-C', out, '.'], {
        env: UTF8,
      });
      assert.equal(run.status, 0, `${name}: ${run.stderr.toString().slice(0, 300)}`);
      const bytes = readFileSync(archive);
      const wanted = readDirectory(out, { ignoreManifest: true });
      const found = await treeOf(bytes, 100_000);
      const less = { ...onDisk, nanoseconds: limits.nanoseconds };
      assert.deepEqual(dump(found, less), dump(wanted, less), name);
      if (options.includes('--sparse' as never) && name === 'holes')
        assert.notEqual(found.file('many')?.content.extents, undefined, 'holes were stored as such');
    }
  });

test('tar: extended attributes survive GNU tar both ways', {
  skip: needs({ tools: ['tar'], root: true }),
}, async (t) => {
  const tree = sampleTrees().find(([name]) => name === 'xattrs')![1];
  const folder = temporary(t);
  const archive = join(folder, 'a.tar');
  const out = join(folder, 'out');
  mkdirSync(out);
  await pour(tarArchive(tree).open(), archive);
  const xattrs = ['--xattrs', '--xattrs-include=*', '--numeric-owner'];
  const there = spawnSync('tar', ['-x', '-p', '-f', archive, '-C', out, ...xattrs], { env: UTF8 });
  if (/Operation not supported/.test(there.stderr.toString()))
    return t.skip('this file system has no extended attributes');
  assert.equal(there.status, 0, there.stderr.toString());
  const back = spawnSync('tar', ['-c', '--format=pax', '-C', out, ...xattrs, '.'], { env: UTF8, maxBuffer: 1 << 28 });
  assert.equal(back.status, 0, back.stderr.toString());
  assert.deepEqual(dump(await treeOf(back.stdout)), dump(tree));
});

test('tar: tar-stream reads correctly what it supports', async () => {
  const limits = {
    xattrs: false,
    holes: false,
    anyBytes: false,
    nanoseconds: false,
    negativeTimes: false,
    largeIds: false,
  };
  for (const seed of seeds.slice(0, 6)) {
    const tree = randomTree(seed, limits);
    const found: string[] = [];
    const reader = extract();
    reader.on('entry', (header, stream, next) => {
      found.push(
        `${header.name} ${header.type} ${header.mode.toString(8)} ${header.uid} ${header.gid} ${header.linkname ?? ''}`,
      );
      stream.on('end', next);
      stream.resume();
    });
    const finished = new Promise<void>((resolve, reject) => reader.on('finish', () => resolve()).on('error', reject));
    reader.end(Buffer.from(await bytesOf(tree)));
    await finished;
    const expected: string[] = [];
    const seen = new Map<object, string>();
    const types = {
      file: 'file',
      directory: 'directory',
      symlink: 'symlink',
      char: 'character-device',
      block: 'block-device',
      fifo: 'fifo',
      socket: '',
    };
    for (const { path, inode } of tree.walk()) {
      const text = (name: string) => Buffer.from(name, 'latin1').toString();
      const name = path === '' ? './' : `./${text(path)}${inode.kind === 'directory' ? '/' : ''}`;
      const first = inode.kind === 'directory' ? undefined : seen.get(inode);
      if (!seen.has(inode)) seen.set(inode, name);
      const link = first ?? (inode.kind === 'symlink' ? text(inode.target) : '');
      expected.push(
        `${name} ${first === undefined ? types[inode.kind] : 'link'} ${inode.mode.toString(8)} ${inode.uid} ${inode.gid} ${link}`,
      );
    }
    assert.deepEqual(found, expected, `seed ${seed}`);
  }
});
