import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Bytes, collect, memory, PIECE } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { slicesOf, slicesOfMemory, spooled } from '../../src/bytes/spool.ts';
import { BuildError } from '../../src/errors/error.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
import { BinaryHeader, CRC, Header } from '../../src/formats/cpio/layout.ts';
import { plainInitrd, readCpio } from '../../src/formats/cpio/read.ts';
import { readDirectory } from '../../src/tree/directory-read.ts';
import { writeDirectory } from '../../src/tree/directory-write.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { directory, file, rootMeta, symlink } from '../../src/tree/inode.ts';
import { overlayStream } from '../../src/tree/overlay.ts';
import { Tree } from '../../src/tree/tree.ts';
import { needs, random, temporary, tool } from '../support/data.ts';
import { dump, inPieces, randomTree, sampleTrees, type TreeLimits } from '../support/trees.ts';

/** What newc can store. */
const NEWC: TreeLimits = { xattrs: false, nanoseconds: false, negativeTimes: false, holes: false, sockets: true };

async function bytesOf(tree: Tree): Promise<Uint8Array> {
  const archive = cpioArchive(tree);
  const bytes = await collect(archive.open());
  assert.equal(bytes.length, archive.size, 'the size was planned right');
  return bytes;
}

async function treeOf(bytes: Uint8Array, chunk = 65536, source: Bytes = inPieces(bytes, chunk)): Promise<Tree> {
  const tree = new Tree();
  await overlayStream(tree, readCpio(source, 'test.cpio', slicesOfMemory(bytes)), {
    source: 'test.cpio',
    root: 'take',
    labels: 'keep',
    whiteouts: 'keep',
  });
  return tree;
}

async function entriesOf(bytes: Uint8Array): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of readCpio(inPieces(bytes, 100), 'test.cpio', slicesOfMemory(bytes))) entries.push(entry);
  return entries;
}

const seeds = Array.from({ length: 12 }, (_, i) => Number(process.env['TEST_SEED'] ?? 20_240_701) + i);
const randomTrees = (limits: TreeLimits): [string, Tree][] =>
  seeds.map((seed) => [`random tree, seed ${seed}`, randomTree(seed, limits)]);
const same = { extents: false };

for (const [name, tree] of [...sampleTrees(NEWC), ...randomTrees(NEWC)])
  test(`cpio: ${name}: what was written reads the same, in pieces of any size`, async () => {
    const bytes = await bytesOf(tree);
    assert.equal(bytes.length % 512, 0);
    for (const chunk of bytes.length > 20_000 ? [321, PIECE] : [1, 7, 321])
      assert.deepEqual(dump(await treeOf(bytes, chunk), same), dump(tree, same));
    assert.deepEqual(await bytesOf(await treeOf(bytes)), bytes, 'and writes the same');
  });

test('cpio: entry boundaries are where entries begin', async () => {
  const tree = sampleTrees(NEWC).find(([name]) => name === 'links')![1];
  const archive = cpioArchive(tree);
  const bytes = await collect(archive.open());
  for (const at of archive.entries) assert.equal(Buffer.from(bytes.subarray(at, at + 6)).toString(), '070701');
  assert.ok(archive.entries.length > 10);
});

test('cpio: what newc cannot hold is rejected by name before anything is written', () => {
  const cases: [RegExp, (tree: Tree) => void][] = [
    [/var\/huge.*4 GiB/, (tree) => tree.set('var/huge', file({ ...memory(''), size: 2 ** 32 }))],
    [/etc\/old.*time/, (tree) => tree.set('etc/old', file(memory(''), rootMeta(0o644, -1)))],
    [/etc\/far/, (tree) => tree.set('etc/far', symlink('x'.repeat(4096)))],
    [/TRAILER!!!/, (tree) => tree.set('TRAILER!!!', file(memory('')))],
  ];
  for (const [message, make] of cases) {
    const tree = new Tree(directory());
    make(tree);
    assert.throws(() => cpioArchive(tree), { code: 'ENTRY_NOT_STORABLE', message });
  }
  const tree = new Tree(directory());
  tree.set('largest', file({ ...memory(''), size: 2 ** 32 - 1 }));
  assert.ok(cpioArchive(tree).size > 2 ** 32);
});

test('cpio: data of a hard-linked file may be with any one of its names', async () => {
  for (const withData of [0, 1, 2]) {
    const parts: Uint8Array[] = [];
    const put = (name: string, data: string, ino: number, nlink: number) => {
      const head = Header.bytes({
        magic: '070701',
        ino,
        mode: 0o100644,
        nlink,
        size: data.length,
        nameSize: name.length + 1,
      });
      parts.push(head, Buffer.from(name), Buffer.alloc(1 + (-(111 + name.length) & 3)));
      parts.push(Buffer.from(data), Buffer.alloc(-data.length & 3));
    };
    for (const i of [0, 1, 2]) {
      put(`name${i}`, i === withData ? 'the data' : '', 7, 3);
      put(`other${i}`, 'other', 10 + i, 1);
    }
    put('empty1', '', 8, 2);
    put('empty2', '', 8, 2);
    put('alone', '', 9, 2); // its other name is not in the archive
    put('TRAILER!!!', '', 0, 1);
    // the inode numbers of the next archive are its own
    put('name9', 'new', 7, 3);
    put('TRAILER!!!', '', 0, 1);
    const tree = await treeOf(Buffer.concat(parts), 10);
    assert.equal(tree.text('name0'), 'the data');
    assert.equal(tree.stat('name1'), tree.stat('name0'));
    assert.equal(tree.stat('name2'), tree.stat('name0'));
    assert.equal(tree.stat('empty1'), tree.stat('empty2'));
    assert.equal(tree.text('alone'), '');
    assert.equal(tree.text('name9'), 'new');
    assert.notEqual(tree.stat('name9'), tree.stat('name0'));
  }
});

test('cpio: initrds of several archives, plain and compressed, read as the kernel reads them', async (t) => {
  const first = new Tree(directory());
  first.set('kernel/x86/microcode/GenuineIntel.bin', file(memory(new Uint8Array(3000).fill(7))));
  const second = sampleTrees(NEWC).find(([name]) => name === 'links')![1];
  const plain = await bytesOf(first);
  const rest = await bytesOf(second);
  for (const initrd of [
    Buffer.concat([plain, new Uint8Array(1024), rest]),
    Buffer.concat([plain, gzipSync(rest)]),
    Buffer.concat([plain, new Uint8Array(512), gzipSync(rest), gzipSync(await bytesOf(first))]),
    gzipSync(Buffer.concat([plain, new Uint8Array(8), rest])),
    // as the kernel takes it: something plain may follow something compressed
    Buffer.concat([gzipSync(plain), new Uint8Array(64), rest, new Uint8Array(512)]),
  ])
    for (const chunk of [100, PIECE]) {
      const spool = join(temporary(t), 'spool');
      const tree = new Tree();
      const stream = spooled(plainInitrd(inPieces(initrd, chunk), 'initrd'), spool);
      await overlayStream(tree, readCpio(stream, 'initrd', slicesOf(spool)), {
        source: 'initrd',
        root: 'take',
        labels: 'keep',
        whiteouts: 'keep',
      });
      assert.equal(tree.file('kernel/x86/microcode/GenuineIntel.bin')?.content.size, 3000);
      assert.equal(tree.text('z/late'), 'shared data\n');
    }
});

test('cpio: data that is neither an archive nor compressed is rejected with its offset', async () => {
  const plain = await bytesOf(new Tree(directory()));
  await assert.rejects(collect(plainInitrd(inPieces(Buffer.concat([plain, Buffer.from('junk')]), 100), 'initrd')), {
    code: 'CPIO_CORRUPT',
    message: new RegExp(`byte ${plain.length}:`),
  });
});

test('cpio: sums of the crc format are verified, old binary is read in both byte orders', async () => {
  const entry = (check: number) => {
    const data = Buffer.from('abc\xff', 'latin1');
    const head = Header.bytes({ magic: CRC, ino: 1, mode: 0o100644, nlink: 1, size: 4, nameSize: 2, check });
    const end = Header.bytes({ magic: CRC, nlink: 1, nameSize: 11 });
    return Buffer.concat([head, Buffer.from('f\0'), data, end, Buffer.from('TRAILER!!!\0\0\0\0')]);
  };
  const sum = 97 + 98 + 99 + 255;
  assert.equal((await treeOf(entry(sum))).text('f'), 'abc\xff');
  await assert.rejects(treeOf(entry(sum + 1)), { code: 'CPIO_CORRUPT' });
  for (const order of ['little', 'big'] as const) {
    const head = (name: string, mode: number, size: number) =>
      Buffer.concat([
        BinaryHeader[order].bytes({
          magic: 0o070707,
          mode,
          uid: 5,
          nlink: 1,
          mtime: [0x6553, 0xf100],
          nameSize: name.length + 1,
          size: [0, size],
        }),
        Buffer.from(`${name}\0${name.length % 2 === 0 ? '\0' : ''}`),
      ]);
    const bytes = Buffer.concat([head('file', 0o100640, 3), Buffer.from('odd\0'), head('TRAILER!!!', 0, 0)]);
    const found = (await treeOf(bytes)).file('file')!;
    assert.deepEqual([found.mode, found.uid, found.mtime, found.content.size], [0o640, 5, 1_700_000_000, 3]);
  }
});

test('cpio: truncation inside an entry is an error; between entries it is accepted as in the kernel', async () => {
  const tree = new Tree(directory());
  tree.set('dir/file', file(memory('some data')));
  tree.set('link', symlink('dir/file'));
  const bytes = await bytesOf(tree);
  const between = cpioArchive(tree).entries.slice(1);
  const end = Buffer.from(bytes).indexOf('TRAILER!!!') + 11;
  for (let size = 0; size < end; size++)
    if (between.includes(size)) await treeOf(bytes.subarray(0, size), PIECE);
    else
      await assert.rejects(
        treeOf(bytes.subarray(0, size), PIECE),
        (error) => error instanceof BuildError && ['TRUNCATED', 'CPIO_CORRUPT'].includes(error.code),
        `cut at ${size}`,
      );
});

test('cpio: flipped bits are rejected or read, never more', async () => {
  const bytes = await bytesOf(sampleTrees(NEWC).find(([name]) => name === 'links')![1]);
  const { below } = random(98);
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

// --- other tools ---------------------------------------------------------------------------------------------------

const UTF8 = { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' };
const onDisk = { xattrs: false, extents: false, nanoseconds: false };

for (const [reference, ...options] of [
  ['cpio', '-i', '-d', '-m', '--quiet', '--no-absolute-filenames'],
  ['bsdtar', '-x', '-p', '-P', '-f', '-'],
] as const)
  test(`cpio: ${reference} unpacks every sample correctly`, {
    skip: needs({ tools: [reference], root: true }),
  }, async (t) => {
    // neither links symbolic links; bsdtar makes no sockets
    const limits = { ...NEWC, oddLinks: false, sockets: reference === 'cpio' };
    for (const [name, tree] of [...sampleTrees(limits), ...randomTrees(limits)]) {
      const folder = temporary(t);
      const out = join(folder, 'out');
      mkdirSync(out);
      const archive = join(folder, 'a.cpio');
      await pour(cpioArchive(tree).open(), archive);
      const run = spawnSync(tool(reference)!, [...options], {
        cwd: out,
        env: UTF8,
        input: readFileSync(archive),
      });
      assert.equal(run.status, 0, `${name}: ${run.stderr.toString().slice(0, 300)}`);
      const found = readDirectory(out);
      for (const key of ['mtime', 'uid', 'gid', 'mode'] as const) found.root[key] = tree.root[key];
      // GNU cpio sets a directory's time before it fills it, and none on links
      if (reference === 'cpio') for (const each of [found, tree]) dropLostTimes(each);
      assert.deepEqual(dump(found, onDisk), dump(tree, onDisk), name);
    }
  });

function dropLostTimes(tree: Tree): void {
  for (const { inode } of tree.walk()) if (inode.kind === 'directory' || inode.kind === 'symlink') inode.mtime = 0;
}

for (const format of ['newc', 'crc', 'odc', 'bin'])
  test(`cpio: what GNU cpio -H ${format} writes is read right`, {
    skip: needs({ tools: ['cpio'], root: true }),
  }, async (t) => {
    const narrow = format === 'odc' || format === 'bin';
    const limits = { ...NEWC, oddLinks: false, devices: false, sockets: false, largeIds: false };
    for (const [name, tree] of [...sampleTrees(limits), ...randomTrees(limits)]) {
      const out = join(temporary(t), 'out');
      // 18 bits of octal text, or 16 bits, for owners and inode numbers
      for (const { inode } of tree.walk()) if (narrow) [inode.uid, inode.gid] = [inode.uid % 65535, inode.gid % 65535];
      for (const { inode } of tree.walk()) if (narrow && inode.mtime > 2 ** 31) inode.mtime = 5;
      await writeDirectory(tree, out);
      const names = [...tree.walk()].map(({ path }) => path || '.').join('\0');
      const run = spawnSync('cpio', ['-o', '-0', '-H', format, '--quiet', '--renumber-inodes'], {
        cwd: out,
        env: UTF8,
        input: Buffer.from(names, 'latin1'),
        maxBuffer: 1 << 28,
      });
      assert.equal(run.status, 0, `${name}: ${run.stderr.toString().slice(0, 300)}`);
      assert.deepEqual(dump(await treeOf(run.stdout, 5000), onDisk), dump(tree, onDisk), name);
    }
  });

test('cpio: bsdtar and GNU cpio agree with us byte for byte about names and order', {
  skip: needs({ tools: ['cpio'] }),
}, async () => {
  for (const [name, tree] of sampleTrees({ ...NEWC, anyBytes: true })) {
    const bytes = await bytesOf(tree);
    const run = spawnSync('cpio', ['-t', '--quiet', '-0'], { input: bytes, env: UTF8, maxBuffer: 1 << 28 });
    assert.equal(run.status, 0);
    const expected = [...tree.walk()].map(({ path }) => path || '.');
    assert.deepEqual(run.stdout.toString('latin1').split('\0').slice(0, -1), expected, name);
    assert.deepEqual((await entriesOf(bytes)).map(({ path }) => path).sort(), expected.toSorted(), name);
  }
});

test('cpio: cpio-stream reads what it can read right', async () => {
  const { extract } = createRequire(import.meta.url)('cpio-stream') as { extract(): NodeJS.WritableStream };
  const limits = { ...NEWC, anyBytes: false, oddLinks: false };
  for (const seed of seeds.slice(0, 6)) {
    const tree = randomTree(seed, limits);
    for (const { path } of [...tree.walk()]) if (/[^\x00-\x7f]/.test(path)) tree.remove(path); // it reads ASCII only
    const found: string[] = [];
    const reader = extract();
    reader.on(
      'entry',
      (
        header: { name: string; mode: number; uid: number; _size?: number },
        stream: NodeJS.ReadableStream,
        next: () => void,
      ) => {
        found.push(`${header.name} ${(header.mode & 0o7777).toString(8)} ${header.uid}`);
        stream.on('end', next);
        stream.resume();
      },
    );
    const finished = new Promise<void>((resolve, reject) => reader.on('finish', () => resolve()).on('error', reject));
    reader.end(Buffer.from(await bytesOf(tree)));
    await finished;
    const expected = [...tree.walk()].map(({ path, inode }) => `${path || '.'} ${inode.mode.toString(8)} ${inode.uid}`);
    assert.deepEqual(found, expected, `seed ${seed}`);
  }
});
