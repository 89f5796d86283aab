import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, memory } from '../../../src/bytes/content.ts';
import { randomAccess, randomAccessMemory } from '../../../src/bytes/file.ts';
import { BuildError } from '../../../src/errors/error.ts';
import { checkExt4 } from '../../../src/formats/ext4/check/check.ts';
import { ext4Image } from '../../../src/formats/ext4/emit.ts';
import { describeExt4 } from '../../../src/formats/ext4/inspect.ts';
import { GroupDescriptor, InodeRecord, Superblock } from '../../../src/formats/ext4/layout.ts';
import { openExt4 } from '../../../src/formats/ext4/read.ts';
import { Volume } from '../../../src/formats/ext4/volume.ts';
import { file } from '../../../src/tree/inode.ts';
import { data, needs, random, temporary } from '../../support/data.ts';
import { noise, sampleTrees } from '../../support/trees.ts';
import { run } from './reference-tools.ts';

const MKE2FS = needs({ tools: ['mke2fs', 'debugfs', 'e2fsck'] });

/** Reads everything; returns the number of names or the error code. Any error without a code is a failed test. */
async function readAll(image: Uint8Array, name: string): Promise<number | string> {
  try {
    let names = 0;
    for (const { inode } of openExt4(randomAccessMemory(image), { name }).tree({ lostFound: true }).walk()) {
      names++;
      if (inode.kind !== 'file' || inode.content.size > 1 << 26) continue;
      let size = 0;
      for await (const piece of inode.content.open()) size += piece.length;
      assert.equal(size, inode.content.size);
    }
    return names;
  } catch (error) {
    if (error instanceof BuildError) return error.code;
    throw error;
  }
}

/** The result of verifying: a number of faults, or the error code. */
function verifyAll(image: Uint8Array): number | string {
  try {
    return checkExt4(randomAccessMemory(image)).faults.length;
  } catch (error) {
    if (error instanceof BuildError) return error.code;
    throw error;
  }
}

/** A folder with everything that an ordinary user can create. */
function sourceFolder(t: { after(fn: () => void): void }): { folder: string; files: Map<string, Buffer> } {
  const folder = join(temporary(t), 'source');
  const files = new Map<string, Buffer>();
  mkdirSync(join(folder, 'many/deep'), { recursive: true });
  const put = (path: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, path), bytes);
    files.set(path, Buffer.from(bytes));
  };
  for (let i = 0; i < 700; i++) put(`many/a name that takes some room ${i}`, noise(i % 50, i));
  for (const size of [0, 59, 60, 61, 150, 1023, 1024, 4095, 4096, 4097, 300_000])
    put(`many/deep/${size}`, noise(size, size));
  const far = Buffer.alloc(6_000_000);
  far.write('start', 0);
  far.write('end', 5_999_990);
  run('truncate', ['-s', '6000000', join(folder, 'sparse')]);
  run('sh', [
    '-c',
    `printf start | dd of=${folder}/sparse conv=notrunc 2>/dev/null; printf end | dd of=${folder}/sparse bs=1 seek=5999990 conv=notrunc 2>/dev/null`,
  ]);
  files.set('sparse', far);
  run('ln', ['-s', 'x'.repeat(59), join(folder, 'fast')]);
  run('ln', ['-s', 'y'.repeat(60), join(folder, 'slow')]);
  run('ln', [join(folder, 'many/deep/4097'), join(folder, 'hard')]);
  run('mkfifo', [join(folder, 'pipe')]);
  return { folder, files };
}

const KINDS: readonly (readonly [kind: string, ...args: string[]])[] = [
  ['ext4'],
  ['ext4', '-b', '1024'],
  ['ext4', '-b', '2048', '-O', 'metadata_csum_seed,orphan_file'],
  ['ext4', '-b', '65536'],
  ['ext4', '-O', '^extent,^64bit'],
  ['ext4', '-O', 'inline_data'],
  ['ext4', '-O', 'inline_data', '-I', '1024'],
  ['ext4', '-O', 'meta_bg,^resize_inode', '-b', '1024'],
  ['ext4', '-O', 'bigalloc', '-C', '16384'],
  ['ext4', '-O', 'bigalloc', '-b', '1024', '-C', '8192'],
  ['ext4', '-O', 'ea_inode,large_dir'],
  ['ext4', '-O', '^metadata_csum,uninit_bg'],
  ['ext4', '-O', '^metadata_csum', '-I', '128'],
  ['ext4', '-O', '^filetype,^flex_bg,sparse_super2'],
  ['ext4', '-O', 'encrypt,verity,quota,project,casefold'],
  ['ext3'],
  ['ext2', '-b', '1024'],
  ['ext2', '-r', '0'],
];

test('images created by mke2fs', { skip: MKE2FS }, async (t) => {
  const { folder, files } = sourceFolder(t);
  for (const [i, [kind, ...args]] of KINDS.entries())
    await t.test(`${kind} ${args.join(' ')}`, async (t) => {
      const path = join(temporary(t), `${i}.img`);
      run('mke2fs', ['-q', '-F', '-t', kind, ...args, '-L', 'label', '-d', folder, path, '80M']);
      const access = randomAccess(path);
      assert.equal(describeExt4(access).kind, kind);
      assert.equal(describeExt4(access).label, 'label');
      const tree = openExt4(access).tree();
      // e2fsprogs of that version copies a sparse file wrong with inline_data: it is compared with what debugfs reads
      const inline = args.includes('inline_data');
      for (const [name, bytes] of files) {
        const found = tree.file(name);
        assert.ok(found, name);
        const expected =
          inline && name === 'sparse'
            ? Buffer.from(run('debugfs', ['-R', `cat /${name}`, path]).split('debugfs 1.')[0]!, 'latin1')
            : bytes;
        assert.ok(expected.equals(found.content.readSync()), name);
        assert.ok(expected.equals(await collect(found.content.open())), `${name} as a stream`);
      }
      assert.equal([...tree.walk()].length, 1 + 2 + files.size + 4);
      assert.equal(tree.lstat('hard'), tree.lstat('many/deep/4097'));
      assert.equal((tree.lstat('fast') as { target: string }).target, 'x'.repeat(59));
      assert.equal((tree.lstat('slow') as { target: string }).target, 'y'.repeat(60));
      assert.equal(tree.lstat('pipe')?.kind, 'fifo');
      if (!inline) assert.ok(tree.file('sparse')!.content.extents!.length > 1, 'holes are seen');
      // mke2fs up to 1.47.0 leaves what it copies out of the quota files: e2fsck and the check say so, until they are right
      const before = spawnSync('e2fsck', ['-fn', path], { encoding: 'latin1' });
      assert.equal(checkExt4(access).faults.length > 0, before.status !== 0, before.stdout);
      if (before.status !== 0) {
        assert.ok(args.join().includes('quota'), before.stdout);
        spawnSync('e2fsck', ['-fy', path]);
      }
      const { faults, checked } = checkExt4(access);
      assert.deepEqual(faults, []);
      if (kind === 'ext4' && !args.join().includes('^metadata_csum')) assert.ok(checked['inode']! > 700);
      // records of another tool, decoded and encoded again
      const volume = new Volume(access);
      assert.deepEqual(Superblock.bytes(Superblock.read(volume.superblockBytes)), volume.superblockBytes);
      const descriptor = volume.descriptor(0);
      if (descriptor.length === 64)
        assert.deepEqual(GroupDescriptor.bytes(GroupDescriptor.read(descriptor)), Uint8Array.from(descriptor));
      const inode = volume.inode(2);
      if (inode.bytes.length >= 160)
        assert.deepEqual(InodeRecord.bytes(InodeRecord.read(inode.bytes)), inode.bytes.slice(0, 160));
    });
});

test('the real image of another project', {
  skip: needs({ data: ['ext4/ext4-view-rs'], tools: ['zstd', 'debugfs'] }),
}, (t) => {
  const path = join(temporary(t), 'disk1.img');
  run('zstd', ['-q', '-d', data('ext4/ext4-view-rs/test_disk1.bin.zst'), '-o', path]);
  const access = randomAccess(path);
  assert.throws(() => openExt4(access).tree(), { code: 'EXT4_UNSUPPORTED' });
  const encrypted: string[] = [];
  const tree = openExt4(access).tree({ encrypted: (at) => encrypted.push(at) });
  assert.deepEqual(encrypted, ['/encrypted_dir']);
  assert.deepEqual(checkExt4(access).faults, []);
  let files = 0;
  for (const { path: name, inode } of tree.walk()) {
    if (inode.kind !== 'file' || inode.content.size > 1 << 20 || /["\n]/.test(name)) continue;
    if (++files > 60) break;
    const theirs = run('debugfs', ['-R', `cat "/${name}"`, path]);
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    assert.equal(
      hash(Buffer.from(inode.content.readSync())),
      hash(Buffer.from(theirs.slice(0, inode.content.size), 'latin1')),
      name,
    );
  }
  assert.ok(files > 3);
  assert.throws(() => openExt4(randomAccess(data('ext4/ext4-view-rs/not_ext4.bin'))), { code: 'EXT4_NOT' });
});

/** A small image with every kind of structure. */
async function everything(blockSize: number): Promise<Uint8Array> {
  const [, tree] = sampleTrees()[0]!;
  for (const name of ['links', 'xattrs', 'holes', 'devices'])
    tree.root.children.set(name, sampleTrees().find(([known]) => known === name)![1].root);
  tree.remove('links/longest-link');
  tree.lstat('xattrs/ping')!.xattrs!.delete('user.large');
  tree.lstat('xattrs/ping')!.xattrs!.set('user.large', noise(600));
  const many = tree.makeDirectory('many');
  for (let i = 0; i < 300; i++) many.children.set(`entry number ${i}`, file(memory(String(i))));
  return collect(ext4Image(tree, { blockSize, features: { has_journal: false } }).open());
}

test('flipped bytes: rejected or read, never a crash or a loop', async () => {
  const seed = Number(process.env['OSBUILDER_EXT4_SEED'] ?? 1);
  const rounds = 25 * Math.max(1, Math.floor(Number(process.env['OSBUILDER_EXT4_TREES'] ?? 24) / 24));
  const good = await everything(1024);
  const { below } = random(seed);
  const names = (await readAll(good, 'good')) as number;
  assert.ok(names > 300);
  let noticed = 0;
  for (let round = 0; round < rounds; round++) {
    const bad = good.slice();
    const flips: string[] = [];
    for (let n = 1 + below(3); n > 0; n--) {
      // metadata is in front
      const at = 1024 + below(Math.min(bad.length - 1024, 400_000));
      bad[at]! ^= 1 << below(8);
      flips.push(String(at));
    }
    const read = await readAll(bad, `seed ${seed}, round ${round}, bytes ${flips}`);
    const faults = verifyAll(bad);
    if (typeof read === 'string' || faults !== 0) noticed++;
  }
  assert.ok(noticed > rounds / 3, `${noticed} of ${rounds} noticed`);
});

test('without checksums damage is handled too', async () => {
  const seed = Number(process.env['OSBUILDER_EXT4_SEED'] ?? 1) + 1000;
  const { below } = random(seed);
  const [, tree] = sampleTrees().find(([name]) => name === 'links')!;
  tree.remove('longest-link');
  const many = tree.makeDirectory('many');
  for (let i = 0; i < 300; i++) many.children.set(`entry number ${i}`, file(memory(noise(i * 9, i))));
  for (const extent of [true, false]) {
    const image = ext4Image(tree, { blockSize: 1024, features: { has_journal: false, metadata_csum: false, extent } });
    const good = await collect(image.open());
    assert.equal(typeof (await readAll(good, 'good')), 'number');
    for (let round = 0; round < 60; round++) {
      const bad = good.slice();
      for (let n = 1 + below(40); n > 0; n--) bad[1024 + below(Math.min(bad.length - 1024, 300_000))] = below(256);
      await readAll(bad, `seed ${seed}, round ${round}`);
      verifyAll(bad);
    }
  }
});

test('one changed byte in any metadata block is noticed by verify', async () => {
  const good = await everything(1024);
  assert.equal(verifyAll(good), 0);
  const { volume } = openExt4(randomAccessMemory(good));
  const { inodeTable, blockBitmap, inodeBitmap } = volume.groupOf(0);
  const root = volume.mapping(volume.inode(2))[0]!.physical;
  const many = openExt4(randomAccessMemory(good)).tree();
  assert.ok(many.has('many/entry number 5'));
  const acl = [...Array(volume.sb.inodes).keys()]
    .filter((i) => i > 10)
    .map((i) => {
      try {
        return volume.inode(i).record.fileAcl;
      } catch {
        return 0;
      }
    })
    .find((block) => block > 0)!;
  for (const [what, at] of [
    ['superblock', 1024 + 0x78],
    ['descriptor', 2048 + 4],
    ['block bitmap', blockBitmap * 1024 + 3],
    ['inode bitmap', inodeBitmap * 1024 + 1],
    ['inode', inodeTable * 1024 + 256 + 8],
    ['directory', root * 1024 + 30],
    ['extended attributes', acl * 1024 + 500],
  ] as const) {
    const bad = good.slice();
    bad[at]! ^= 0x10;
    assert.notEqual(verifyAll(bad), 0, what);
  }
});

test('cut off, empty and foreign bytes are rejected by name', async () => {
  const good = await everything(1024);
  for (const size of [0, 100, 1024, 2047]) assert.equal(await readAll(good.subarray(0, size), 'cut'), 'EXT4_NOT');
  assert.equal(await readAll(good.subarray(0, good.length - 1024), 'cut'), 'EXT4_CORRUPT');
  assert.equal(await readAll(noise(100_000), 'noise'), 'EXT4_NOT');
});
