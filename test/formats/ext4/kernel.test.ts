import assert from 'node:assert/strict';
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { memory } from '../../../src/bytes/content.ts';
import { randomAccess } from '../../../src/bytes/file.ts';
import { checkExt4 } from '../../../src/formats/ext4/check/check.ts';
import { ext4Image } from '../../../src/formats/ext4/emit.ts';
import type { Ext4Options } from '../../../src/formats/ext4/options.ts';
import { openExt4 } from '../../../src/formats/ext4/read.ts';
import { file } from '../../../src/tree/inode.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { needs } from '../../support/data.ts';
import { inKernel } from '../../support/kernel-script.ts';
import { SUM_SCRIPT, sumsOf } from '../../support/sums.ts';
import { noise, sampleTrees } from '../../support/trees.ts';
import { clean, fitting, poured, run } from './reference-tools.ts';

/** Test every variant instead of the most different ones: OSBUILDER_EXT4_ALL=1. */
const ALL = process.env['OSBUILDER_EXT4_ALL'] === '1';

const KERNEL = needs({ tools: ['linux.uml', 'busybox', 'e2fsck'] });

/** Everything but names that a shell script cannot handle line by line. */
function guest(blockSize: number): Tree {
  const [, all] = sampleTrees()[0]!;
  for (const [name, tree] of sampleTrees({ sockets: true }))
    if (name !== 'names') all.root.children.set(name.replaceAll(' ', '-'), fitting(tree, blockSize).root);
  const many = all.makeDirectory('many', { mode: 0o755, uid: 0, gid: 0, mtime: 7 });
  for (let i = 0; i < 1200; i++)
    many.children.set(`${'long-'.repeat(i % 30)}${i}`, file(memory(noise((i * 31) % 2000, i))));
  return all;
}

const VARIANTS: readonly (readonly [name: string, options: Ext4Options])[] = [
  ['default', {}],
  ['1 KiB blocks, many groups', { blockSize: 1024, size: 200 << 20, groupsPerFlex: 4 }],
  ['block maps', { blockSize: 1024, features: { extent: false } }],
  ['1 KiB blocks', { blockSize: 1024 }],
  ['2 KiB blocks, checksum seed', { blockSize: 2048, features: { metadata_csum_seed: true } }],
  ['no journal, no checksums, 32 bits', { features: { has_journal: false, metadata_csum: false, '64bit': false } }],
  [
    'group checksums, no flex groups',
    { size: 300 << 20, features: { metadata_csum: false, uninit_bg: true, flex_bg: false } },
  ],
  ['large inodes', { inodeSize: 512, features: { orphan_file: false } }],
];

const IMAGES = ALL ? VARIANTS : VARIANTS.slice(0, 3);

const letter = (i: number) => String.fromCharCode(97 + i);

test('a kernel sees what was planned', { skip: KERNEL }, async (t) => {
  const trees = IMAGES.map(([, options]) => guest(options.blockSize ?? 4096));
  const paths: string[] = [];
  for (const [i, [, options]] of IMAGES.entries()) paths.push(await poured(t, ext4Image(trees[i]!, options)));
  for (const path of paths) chmodSync(dirname(path), 0o755);
  const before = paths.map((path) => statSync(path).mtimeMs);
  const script = [
    `cat > /.check/sum <<'END'\n${SUM_SCRIPT}\nEND`.replace('cat >', '$B cat >'),
    ...paths.map((_, i) =>
      [
        `$B mount -t ext4 -o ro /dev/ubd${letter(i)} /m && echo MOUNTED-${i}`,
        `$B sh /.check/sum /m ! -path './lost+found' | $B sed 's/^/${i} /'`,
        '$B umount /m',
      ].join('\n'),
    ),
    "$B dmesg | $B grep -iE 'ext4-fs (error|warning)'",
  ].join('\n');
  const result = await inKernel(t, paths, script);
  assert.doesNotMatch(result, /EXT4-fs (error|warning)/i);
  for (const [i, [name]] of IMAGES.entries()) {
    const sums = await sumsOf(trees[i]!);
    const line = (what: string) => new RegExp(`^${i} CHECK-${what} (\\w+)`, 'm').exec(result)?.[1];
    await t.test(name, () => {
      assert.match(result, new RegExp(`MOUNTED-${i}`));
      assert.equal(line('LINES'), String(sums.lines), result.slice(-2000));
      assert.equal(line('CONTENT'), sums.content, 'contents');
      assert.equal(line('META'), sums.meta, 'metadata');
    });
  }
  assert.deepEqual(
    paths.map((path) => statSync(path).mtimeMs),
    before,
    'a read-only mount writes nothing',
  );
});

/** What a guest may do to its disk; every line changes something else. */
const WORK = `
set -e
cd /m
$B mkdir work work/sub
i=0; while [ $i -lt 10000 ]; do : > work/sub/name-of-a-file-$i; i=$((i+1)); done
$B ls work/sub | $B wc -l | $B sed 's/^/COUNT /'
$B rm work/sub/*77
$B mv work/sub/name-of-a-file-1 work/renamed
$B mv work/sub elsewhere
echo appended >> one-file/a
$B ln one-file/a hard
$B ln -s target soft
$B mkfifo pipe
$B chmod 4711 hard
$B rm -r many-small-files
i=0; while [ $i -lt 300 ]; do : > many/new-$i; i=$((i+1)); done
$B mv many/30 many/renamed-by-the-guest
$B rm many/60
$B dd if=/dev/zero of=holed bs=1k count=3 seek=5000 2>/dev/null
set +e
$B dd if=/dev/zero of=fill bs=64k 2>/.check/dd; $B grep -o 'No space left' /.check/dd
$B df . | $B tail -1
$B rm fill
$B dd if=/dev/zero of=again bs=64k count=50 2>/dev/null
$B sync
cd /
`;

test('a guest may write: fill, create, rename, delete', { skip: KERNEL }, async (t) => {
  const variants: readonly (readonly [string, Ext4Options])[] = [
    ['default', { freeSpace: 30 << 20, freeInodes: 12_000 }],
    ['1 KiB blocks', { blockSize: 1024, freeSpace: 20 << 20, freeInodes: 12_000 }],
    [
      'no journal, block maps',
      { freeSpace: 20 << 20, freeInodes: 12_000, features: { has_journal: false, extent: false } },
    ],
    [
      'several groups',
      { blockSize: 1024, size: 80 << 20, groupsPerFlex: 4, freeInodes: 12_000, features: { metadata_csum_seed: true } },
    ],
  ];
  const images = ALL ? variants : variants.slice(0, 2);
  const paths: string[] = [];
  for (const [, options] of images) paths.push(await poured(t, ext4Image(guest(options.blockSize ?? 4096), options)));
  for (const path of paths) chmodSync(dirname(path), 0o755);
  const script = [
    ...images.map((_, i) =>
      [
        `echo IMAGE-${i}`,
        `$B mount -t ext4 -o errors=panic /dev/ubd${letter(i)} /m || echo NOT-MOUNTED`,
        `( ${WORK} )`,
        '$B umount /m',
      ].join('\n'),
    ),
    '$B dmesg | $B grep -iE "ext4-fs (error|warning)"',
  ].join('\n');
  const result = await inKernel(t, paths, script);
  assert.doesNotMatch(result, /NOT-MOUNTED|EXT4-fs (error|warning)/i);
  for (const [i, [name]] of images.entries())
    await t.test(name, () => {
      const part = result.split(`IMAGE-${i}\n`)[1]!.split('IMAGE-')[0]!;
      assert.match(part, /COUNT 10000/);
      assert.match(part, /No space left/);
      clean(paths[i]!);
      const access = randomAccess(paths[i]!);
      assert.deepEqual(checkExt4(access).faults, []);
      const tree = openExt4(access).tree();
      assert.equal(tree.list('elsewhere').length, 10_000 - 100 - 1);
      assert.equal(tree.text('hard'), 'hello\nappended\n');
      assert.equal(tree.lstat('hard'), tree.lstat('one-file/a'));
      assert.equal(tree.lstat('hard')?.mode, 0o4711);
      assert.ok(tree.has('many/renamed-by-the-guest') && !tree.has('many/60') && tree.has('many/new-299'));
      assert.equal(tree.file('holed')?.content.size, 5003 * 1024);
      assert.equal(tree.file('again')?.content.size, 50 * 65536);
    });
});

test('this machine mounts it through a loop device', {
  skip: KERNEL || needs({ root: true, tools: ['mount', 'umount'] }),
}, async (t) => {
  const tree = guest(4096);
  const path = await poured(t, ext4Image(tree));
  const at = `${dirname(path)}/m`;
  run('mkdir', [at]);
  try {
    run('mount', ['-o', 'loop,ro', '-t', 'ext4', path, at]);
  } catch {
    t.skip('no loop device available');
    return;
  }
  try {
    assert.deepEqual(readdirSync(at).sort(), [...tree.root.children.keys(), 'lost+found'].sort());
    const sums = run('sh', [
      '-c',
      `cd ${at} && find . -type f ! -name '*"*' -print0 | xargs -0 sha256sum | sort | sha256sum`,
    ]);
    assert.equal(sums.split(' ')[0], (await sumsOf(tree)).content);
    assert.match(run('sh', ['-c', `stat -c %W ${at}/one-file/a`]), /^1700000000/);
  } finally {
    run('umount', [at]);
  }
});
