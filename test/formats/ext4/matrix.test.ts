import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { memory } from '../../../src/bytes/content.ts';
import { digestOf } from '../../../src/bytes/digest.ts';
import { randomAccess } from '../../../src/bytes/file.ts';
import { ext4Image } from '../../../src/formats/ext4/emit.ts';
import { describeExt4 } from '../../../src/formats/ext4/inspect.ts';
import type { Ext4Options } from '../../../src/formats/ext4/options.ts';
import { file } from '../../../src/tree/inode.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary } from '../../support/data.ts';
import { noise, randomTree, sampleTrees } from '../../support/trees.ts';
import { checkImage, clean, dumpe2fs, fitting, poured, REFERENCE_TOOLS, run } from './reference-tools.ts';

/** Number of random trees (OSBUILDER_EXT4_TREES=500 for a longer test); OSBUILDER_EXT4_SEED sets the first seed. */
const TREES = Number(process.env['OSBUILDER_EXT4_TREES'] ?? 24);
const SEED = Number(process.env['OSBUILDER_EXT4_SEED'] ?? 1);

const LIMITS = { sockets: true };

const VARIANTS: readonly (readonly [name: string, options: Ext4Options])[] = [
  ['no journal', { features: { has_journal: false } }],
  ['a journal in a small one', { features: { has_journal: true } }],
  ['a long journal', { journalBlocks: 5000 }],
  ['no checksums', { features: { metadata_csum: false } }],
  ['group checksums', { features: { metadata_csum: false, uninit_bg: true } }],
  ['32 bits', { features: { '64bit': false } }],
  ['32 bits, no checksums', { features: { '64bit': false, metadata_csum: false } }],
  ['checksum seed', { features: { metadata_csum_seed: true } }],
  ['no extents', { features: { extent: false } }],
  ['no flex groups', { features: { flex_bg: false }, size: 300 << 20 }],
  ['flex groups of two', { groupsPerFlex: 2, size: 600 << 20 }],
  ['no directory index', { features: { dir_index: false } }],
  ['no file types', { features: { filetype: false } }],
  ['no resize inode', { features: { resize_inode: false } }],
  ['no orphan file', { features: { orphan_file: false } }],
  ['superblocks everywhere', { features: { sparse_super: false }, size: 700 << 20 }],
  ['no large_file, huge_file, dir_nlink', { features: { large_file: false, huge_file: false, dir_nlink: false } }],
  ['no extra_isize', { features: { extra_isize: false } }],
  ['inodes of 512 bytes', { inodeSize: 512 }],
  ['inodes of 1024 bytes', { inodeSize: 1024 }],
  ['many inodes', { bytesPerInode: 1024, size: 64 << 20 }],
  ['few inodes', { bytesPerInode: 1 << 20, freeInodes: 0 }],
  ['free space', { freeSpace: 50 << 20 }],
  ['several groups', { size: 500 << 20 }],
];

/** The sample trees side by side in one. */
function together(blockSize: number): Tree {
  const [, all] = sampleTrees(LIMITS)[0]!;
  for (const [name, tree] of sampleTrees(LIMITS)) all.root.children.set(name, fitting(tree, blockSize).root);
  const many = all.makeDirectory('many', { mode: 0o755, uid: 0, gid: 0, mtime: 7 });
  for (let i = 0; i < 1500; i++)
    many.children.set(`${'long '.repeat(i % 30)}${i}`, file(memory(noise((i * 31) % 3000, i))));
  return all;
}

for (const blockSize of [1024, 2048, 4096])
  test(`sample trees, blocks of ${blockSize}`, { skip: REFERENCE_TOOLS }, async (t) => {
    for (const [name, tree] of sampleTrees(LIMITS)) {
      const fit = fitting(tree, blockSize);
      const image = ext4Image(fit, { blockSize, time: 1_700_000_000 });
      const path = await poured(t, image);
      await t.test(name, () => checkImage(path, fit));
    }
  });

for (const [name, options] of VARIANTS)
  test(`${name}: everything at once`, { skip: REFERENCE_TOOLS }, async (t) => {
    for (const blockSize of name.startsWith('inodes of 1024') ? [4096] : [1024, 4096]) {
      const tree = together(blockSize);
      const image = ext4Image(tree, { ...options, blockSize });
      if (typeof options.size === 'number') assert.equal(image.size, options.size);
      checkImage(await poured(t, image), tree);
    }
  });

test('random trees', { skip: REFERENCE_TOOLS }, async (t) => {
  for (let i = 0; i < TREES; i++) {
    const seed = SEED + i;
    const blockSize = [1024, 2048, 4096][seed % 3]!;
    const options = VARIANTS[seed % VARIANTS.length]![1];
    const tree = fitting(randomTree(seed, LIMITS), blockSize);
    await t.test(`seed ${seed}, blocks of ${blockSize}, ${JSON.stringify(options)}`, async (t) =>
      checkImage(await poured(t, ext4Image(tree, { ...options, blockSize, size: undefined as never })), tree),
    );
  }
});

test('inodes of 128 bytes hold what they can', { skip: REFERENCE_TOOLS }, async (t) => {
  const tree = together(4096);
  for (const { inode } of tree.walk()) {
    delete inode.nanoseconds;
    inode.mtime = Math.min(inode.mtime, 2 ** 31 - 1);
  }
  checkImage(await poured(t, ext4Image(tree, { inodeSize: 128 })), tree);
});

test('dumpe2fs prints what was requested', { skip: REFERENCE_TOOLS }, async (t) => {
  const tree = together(4096);
  const options: Ext4Options = {
    label: 'kata-rootfs',
    uuid: Uint8Array.from({ length: 16 }, (_, i) => i * 16 + i),
    hashSeed: Uint8Array.from({ length: 16 }, (_, i) => 255 - i),
    time: 1_700_000_000,
    size: 400 << 20,
    onErrors: 'remount-ro',
  };
  const path = await poured(t, ext4Image(tree, options));
  const facts = dumpe2fs(path);
  const wanted: Record<string, string> = {
    'Filesystem volume name': 'kata-rootfs',
    'Filesystem UUID': '00112233-4455-6677-8899-aabbccddeeff',
    'Directory Hash Seed': 'fffefdfc-fbfa-f9f8-f7f6-f5f4f3f2f1f0',
    'Filesystem features':
      'has_journal ext_attr resize_inode dir_index orphan_file filetype extent 64bit flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum',
    'Filesystem flags': 'signed_directory_hash',
    'Default mount options': 'user_xattr acl',
    'Filesystem state': 'clean',
    'Errors behavior': 'Remount read-only',
    'Block size': '4096',
    'Block count': String((400 << 20) / 4096),
    'Reserved block count': String(Math.floor(((400 << 20) / 4096) * 0.03)),
    'Inode size': '256',
    'Journal inode': '8',
    'Orphan file inode': '12',
    'Total journal blocks': '4096',
    'Flex block group size': '16',
    'Required extra isize': '32',
  };
  for (const [name, value] of Object.entries(wanted)) assert.equal(facts.get(name), value, name);
  const ours = describeExt4(randomAccess(path));
  assert.equal(ours.uuid, wanted['Filesystem UUID']);
  assert.equal(ours.label, 'kata-rootfs');
  assert.equal(ours.kind, 'ext4');
  assert.equal(ours.clean, true);
  assert.equal(ours.features.join(' '), wanted['Filesystem features']);
  for (const [name, value] of [
    ['Free blocks', ours.freeBlocks],
    ['Free inodes', ours.freeInodes],
    ['Inode count', ours.inodes],
    ['Inodes per group', ours.inodesPerGroup],
  ] as const)
    assert.equal(facts.get(name), String(value), name);
});

test('the numbers are those that mke2fs calculates', {
  skip: REFERENCE_TOOLS || needs({ tools: ['mke2fs'] }),
}, async (t) => {
  const [, tree] = sampleTrees()[0]!;
  const folder = temporary(t);
  for (const [blockSize, mebibytes] of [
    [1024, 9],
    [1024, 60],
    [2048, 200],
    [4096, 20],
    [4096, 300],
    [4096, 5000],
  ] as const) {
    const theirs = join(folder, 'theirs.img');
    run('truncate', ['-s', '0', theirs]);
    run('truncate', ['-s', `${mebibytes}M`, theirs]);
    run('mke2fs', [
      '-q',
      '-F',
      '-t',
      'ext4',
      '-b',
      String(blockSize),
      '-m',
      '3',
      '-i',
      '16384',
      '-O',
      'orphan_file',
      theirs,
    ]);
    const path = await poured(t, ext4Image(tree, { blockSize, size: mebibytes * 2 ** 20 }));
    const [our, their] = [dumpe2fs(path), dumpe2fs(theirs)];
    for (const name of [
      'Filesystem features',
      'Block count',
      'Reserved block count',
      'Reserved GDT blocks',
      'Blocks per group',
      'Flex block group size',
      'First block',
      'Total journal blocks',
      'First inode',
      'Group descriptor size',
      'Maximum mount count',
      'Default directory hash',
      'Journal backup',
      'Checksum type',
      'Filesystem revision #',
      'Filesystem OS type',
      'Reserved blocks uid',
      'Check interval',
    ])
      assert.equal(our.get(name), their.get(name), `${name}, ${mebibytes} MiB in blocks of ${blockSize}`);
    const orphan = (image: string) => /Size: (\d+)$/m.exec(run('debugfs', ['-R', 'stat <12>', image]))?.[1];
    assert.equal(orphan(path), orphan(theirs), 'size of the orphan file');
    if (our.get('Inode count') === their.get('Inode count'))
      assert.equal(
        our.get('Overhead clusters'),
        their.get('Overhead clusters'),
        `overhead of ${mebibytes} MiB, ${blockSize}`,
      );
  }
});

test('debugfs extracts what was put in', { skip: REFERENCE_TOOLS }, async (t) => {
  const tree = together(4096);
  tree.remove('names');
  const path = await poured(t, ext4Image(tree));
  const out = join(temporary(t), 'out');
  mkdirSync(out);
  run('debugfs', ['-R', `rdump / ${out}`, path], undefined);
  let files = 0;
  // root may read regardless of the modes; other users must add the permission first
  const readable = (path: Buffer) => {
    if (process.getuid?.() !== 0) chmodSync(path, 0o700);
    return path;
  };
  const below = (directory: Buffer, inode: Tree['root']): void => {
    readable(directory);
    const names = readdirSync(directory, { encoding: 'buffer' }).map((name) => name.toString('latin1'));
    assert.deepEqual(
      names.filter((name) => name !== 'lost+found').sort(),
      [...inode.children]
        .filter(([, child]) => ['file', 'directory', 'symlink'].includes(child.kind))
        .map(([name]) => name)
        .sort(),
    );
    for (const [name, child] of inode.children) {
      const at = Buffer.concat([directory, Buffer.from(`/${name}`, 'latin1')]);
      if (child.kind === 'directory') below(at, child);
      if (child.kind !== 'file') continue;
      files++;
      assert.ok(readFileSync(readable(at)).equals(child.content.readSync()), name);
    }
  };
  below(Buffer.from(out), tree.root);
  assert.ok(files > 2000);
});

test('debugfs sees times, owners, devices and attributes', { skip: REFERENCE_TOOLS }, async (t) => {
  const tree = together(4096);
  const path = await poured(t, ext4Image(tree));
  const stat = (name: string) => run('debugfs', ['-R', `stat "/${name}"`, path]);
  const late = stat('owners and times/late');
  // 2^32 - 1 seconds: the low word as it is, and one epoch on
  assert.match(late, /mtime: 0xffffffff:00000001/);
  assert.match(late, /crtime: 0xffffffff:00000001/);
  assert.match(stat('owners and times/early'), /mtime: 0xfffffffe:00000000/);
  assert.match(stat('owners and times/fine'), /mtime: 0x6553f100:1d6f3454/);
  assert.match(stat('owners and times/big'), /User: +(4294967294|-2) +Group: +2097152/);
  assert.match(stat('devices/dev/big'), /New-style\) .*4095:1048575/);
  assert.match(stat('devices/dev/null'), /01:03/);
  assert.match(stat('devices/dev/log'), /Type: socket/);
  assert.match(stat('links/long-link'), /Size: 300/);
  assert.match(stat('modes/f4755'), /Mode: +04755/);
  assert.match(run('debugfs', ['-R', 'ea_list "/xattrs/ping"', path]), /user\.large \(2500\)/);
  assert.match(run('debugfs', ['-R', 'ea_get -x "/xattrs/ping" security.capability', path]), /01 ?00 ?00 ?02 ?00 ?20/);
  assert.match(run('debugfs', ['-R', 'htree "/many"', path]), /Hash Version: 1/);
});

test('the same tree gives the same bytes, and another tree another UUID', async () => {
  const first = ext4Image(together(4096));
  const again = ext4Image(together(4096));
  assert.equal(await digestOf(first), await digestOf(again));
  assert.equal(await digestOf(first), await digestOf(first), 'poured twice');
  const changed = together(4096);
  changed.root.mode = 0o700;
  assert.notDeepEqual(ext4Image(changed).plan.uuid, first.plan.uuid);
  assert.notDeepEqual(first.plan.uuid, first.plan.hashSeed);
});

test('a source that reuses one buffer is copied in time', { skip: REFERENCE_TOOLS }, async (t) => {
  const [, tree] = sampleTrees()[0]!;
  const expected = createHash('sha256');
  const size = 3_000_001;
  const content = {
    size,
    readSync: () => new Uint8Array(size),
    async *open() {
      const buffer = new Uint8Array(321);
      for (let at = 0; at < size; at += 321) {
        buffer.fill(at % 251);
        yield buffer.subarray(0, Math.min(321, size - at));
      }
    },
  };
  for await (const piece of content.open()) expected.update(piece);
  tree.set('reused', file(content));
  const path = await poured(t, ext4Image(tree));
  clean(path);
  const found = createHash('sha256').update(
    Buffer.from(run('debugfs', ['-R', 'cat /reused', path]).slice(0, size), 'latin1'),
  );
  assert.equal(found.digest('hex'), expected.digest('hex'));
});
