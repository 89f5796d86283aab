import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, memory } from '../../../src/bytes/content.ts';
import { randomAccess, randomAccessMemory } from '../../../src/bytes/file.ts';
import { checkXfs } from '../../../src/formats/xfs/check.ts';
import { xfsImage } from '../../../src/formats/xfs/emit.ts';
import { describeXfs } from '../../../src/formats/xfs/inspect.ts';
import { openXfs } from '../../../src/formats/xfs/read.ts';
import { writeDirectory } from '../../../src/tree/directory-write.ts';
import { type Directory, file, rootMeta } from '../../../src/tree/inode.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { data, needs, random, temporary, tool } from '../../support/data.ts';
import { dump, randomTree, sampleTrees } from '../../support/trees.ts';
import { edges, oneOfEach } from './edges.ts';
import { checkImage, poured, REFERENCE_TOOLS, VARIANTS } from './reference-tools.ts';

/** Number of random trees (OSBUILDER_XFS_TREES=500 for a longer test); OSBUILDER_XFS_SEED sets the first seed. */
const TREES = Number(process.env['OSBUILDER_XFS_TREES'] ?? 18);
const SEED = Number(process.env['OSBUILDER_XFS_SEED'] ?? 1);

const LIMITS = { sockets: true, target: 1023, major: 511, minor: 2 ** 18 - 1 };

function together(): Tree {
  const all = edges();
  for (const [name, tree] of sampleTrees(LIMITS)) all.root.children.set(name.replaceAll(' ', '-'), tree.root);
  return all;
}

for (const [name, options] of VARIANTS)
  test(`${name}: everything at once`, { skip: REFERENCE_TOOLS }, async (t) => {
    const tree = together();
    checkImage(await poured(t, tree, options), tree);
  });

test(`${TREES} random trees from seed ${SEED}`, { skip: REFERENCE_TOOLS }, async (t) => {
  for (let i = 0; i < TREES; i++) {
    const [, options] = VARIANTS[i % VARIANTS.length]!;
    const tree = randomTree(SEED + i, LIMITS);
    await t.test(`seed ${SEED + i}`, async (inner) => checkImage(await poured(inner, tree, options), tree));
  }
});

test('without bigtime, times beyond 2038 are clamped with a warning', { skip: REFERENCE_TOOLS }, async (t) => {
  const tree = new Tree();
  for (const [i, mtime] of [-(2 ** 31), -1, 0, 2 ** 31 - 1].entries())
    tree.writeFile(`${i}`, 'x', { ...rootMeta(0o644, mtime), nanoseconds: 999_999_999 });
  const options = { features: { bigtime: false } };
  checkImage(await poured(t, tree, options), tree);
  tree.writeFile('late', 'x', rootMeta(0o644, 2 ** 31));
  await assert.rejects(poured(t, tree, options), { code: 'XFS_TIME' });
  const warnings: unknown[] = [];
  const path = await poured(t, tree, { ...options, report: (event) => void warnings.push(event) });
  assert.match(JSON.stringify(warnings), /TIME_CLAMPED.*late/);
  tree.file('late')!.mtime = 2 ** 31 - 1;
  checkImage(path, tree);
});

test('damaged images end in an error with a code, or read as another tree', async (t) => {
  const { below, next } = random(SEED);
  const small = oneOfEach();
  const image = readFileSync(await poured(t, small, {}));
  // where metadata is: half of all changes go to one of these blocks
  const blocks: number[] = [];
  for (let at = 0; at < image.length; at += 4096)
    if (
      METADATA.has(image.toString('latin1', at, at + 4)) ||
      METADATA.has(image.toString('latin1', at + 8, at + 10)) ||
      image.toString('latin1', at, at + 2) === 'IN'
    )
      blocks.push(at);
  const codes = new Map<string, number>();
  for (let i = 0; i < 300; i++) {
    const changed: [number, number][] = [];
    for (let changes = 1 + below(3); changes > 0; changes--) {
      const at = next() < 0.15 ? below(512) : blocks[below(blocks.length)]! + below(next() < 0.5 ? 200 : 4096);
      changed.push([at, image[at]!]);
      image[at] = next() < 0.3 ? 255 : next() < 0.5 ? image[at]! ^ (1 << below(8)) : below(256);
    }
    const length = i % 19 === 0 ? below(image.length) : image.length;
    const code = await outcome(image.subarray(0, length));
    codes.set(code, (codes.get(code) ?? 0) + 1);
    for (const [at, byte] of changed.reverse()) image[at] = byte;
  }
  assert.ok(codes.has('XFS_CORRUPT') && codes.has('read'), JSON.stringify([...codes]));
  assert.equal(await outcome(image), 'read');
});

/** First bytes of blocks of metadata, and the magic numbers of hash blocks, which are at byte 8. */
const METADATA = new Set([
  'XFSB',
  'AB3B',
  'AB3C',
  'IAB3',
  'FIB3',
  'BMA3',
  'XDB3',
  'XDD3',
  'XDF3',
  'XSLM',
  'XARM',
  '\x3d\xf1',
  '\x3d\xff',
  '\x3e\xbe',
  '\x3b\xee',
]);

/** Reads everything without regard to checksums, and checks everything with them; nothing but known errors may come. */
async function outcome(image: Uint8Array): Promise<string> {
  const access = randomAccessMemory(image);
  try {
    checkXfs(access);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || !/^XFS_(NOT|UNSUPPORTED)$/.test(String(error.code)))
      throw error;
  }
  try {
    for (const { inode } of openXfs(access, { verify: false }).tree().walk()) {
      if (inode.kind !== 'file' || inode.content.size > 1 << 24) continue;
      for await (const _ of inode.content.open());
    }
    return 'read';
  } catch (error) {
    const { code } = error as { code?: string };
    if (!/^(XFS_(NOT|UNSUPPORTED|CORRUPT|LOG)|CONTENT_SHORT)$/.test(code ?? '')) throw error;
    return code!;
  }
}

test('what XFS cannot hold is an error that names the path', () => {
  const plain = (change: (tree: Tree) => void, options = {}) => {
    const tree = new Tree();
    change(tree);
    return () => xfsImage(tree, options);
  };
  const meta = rootMeta(0o600);
  const cases: [code: string, change: (tree: Tree) => void, options?: object][] = [
    ['XFS_NAME', (tree) => tree.root.children.set('a/b', file(memory('')))],
    ['XFS_NAME', (tree) => tree.root.children.set('x'.repeat(256), file(memory('')))],
    ['XFS_SYMLINK', (tree) => tree.symlink('l', 'x'.repeat(1024))],
    ['XFS_DEVICE', (tree) => tree.set('d', { ...meta, kind: 'char', major: 512, minor: 0 })],
    ['XFS_DEVICE', (tree) => tree.set('d', { ...meta, kind: 'char', major: 0, minor: 2 ** 18 })],
    ['XFS_OWNER', (tree) => tree.writeFile('o', 'x', { ...meta, uid: 2 ** 32 })],
    ['XFS_TIME', (tree) => tree.writeFile('t', 'x', rootMeta(0o600, 2 ** 40))],
    ['XFS_FILE_SIZE', (tree) => tree.set('h', file({ ...memory(''), size: 2 ** 53 }))],
    ...(
      [
        ['XFS_XATTR_NAME', 'other.name', 1],
        ['XFS_XATTR_NAME', 'user.', 1],
        ['XFS_XATTR_NAME', `user.${'n'.repeat(256)}`, 1],
        ['XFS_XATTR_NAME', 'trusted.SGI_ACL_FILE', 1],
        ['XFS_XATTR_SIZE', 'user.a', 65537],
        ['XFS_ACL', 'system.posix_acl_access', 3],
      ] as const
    ).map(([code, name, size]): [string, (tree: Tree) => void] => [
      code,
      (tree) => {
        tree.writeFile('x', 'x').xattrs = new Map([[name, new Uint8Array(size)]]);
      },
    ]),
    ['XFS_DIRECTORY_TWICE', (tree) => tree.root.children.set('b', tree.makeDirectory('a'))],
    ['XFS_TOO_SMALL', () => {}, { size: 300 * 1024 * 1024 - 1 }],
    ['XFS_TOO_SMALL', () => {}, { size: 64 * 1024 * 1024 - 1, small: true }],
    ['XFS_OPTION', () => {}, { sectorSize: 1024 }],
  ];
  for (const [code, change, options] of cases)
    assert.throws(plain(change, options), (error: Error & { code?: string }) => {
      assert.equal(error.code, code, error.message);
      return true;
    });
});

test('what cannot be read is named', async () => {
  const image = await collect(xfsImage(new Tree(), { small: true }).open());
  const changed = (at: number, bytes: readonly number[], verify = false) => {
    const copy = new Uint8Array(image);
    copy.set(bytes, at);
    return () => openXfs(randomAccessMemory(copy), { verify });
  };
  const { logGroup, groupBlocks, fixed } = xfsImage(new Tree(), { small: true }).plan.geometry;
  const log = (logGroup * groupBlocks + fixed.end) * 4096;
  for (const [open, code, reason] of [
    [changed(0, [0]), 'XFS_NOT', /superblock/],
    [() => openXfs(randomAccessMemory(new Uint8Array(100))), 'XFS_NOT', /short/],
    [changed(100, [0xb4, 0xa4]), 'XFS_UNSUPPORTED', /version 4/],
    [changed(216, [0x40]), 'XFS_UNSUPPORTED', /incompat 0x40000000/],
    [changed(48, [0, 0, 0, 0, 0, 0, 0, 0]), 'XFS_UNSUPPORTED', /log on another device/],
    [changed(108, [1], true), 'XFS_CORRUPT', /checksum/],
    // a record of a change instead of an unmount
    [changed(log + 512 + 9, [0]), 'XFS_LOG', /unmount/],
    [changed(log, [0, 0, 0, 1]), 'XFS_LOG', /no record/],
  ] as const)
    assert.throws(open, (error: Error & { code?: string }) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, reason);
      return true;
    });
  // a log to which nothing was ever written
  assert.deepEqual(
    changed(log, [...new Uint8Array(1024)])()
      .tree()
      .list(''),
    [],
  );
});

test('what the writer is given is what it makes', { skip: REFERENCE_TOOLS }, async (t) => {
  const tree = new Tree();
  tree.writeFile('a', 'x');
  assert.equal(xfsImage(tree).size, 300 * 1024 * 1024);
  for (const size of [64 * 1024 * 1024 + 1, 100_000_000, 314_572_800, 400_000_001]) {
    const small = size < 314_572_800;
    const path = await poured(t, tree, { size, small, label: 'twelve bytes', uuid: new Uint8Array(16).fill(7) });
    checkImage(path, tree);
    const facts = describeXfs(randomAccess(path));
    assert.equal(facts.size, Math.floor(size / 4096) * 4096);
    assert.equal(facts.label, 'twelve bytes');
    assert.equal(facts.uuid, '07070707-0707-0707-0707-070707070707');
  }
});

for (const name of ['bookworm', 'trixie'])
  test(`${name}: made by mkfs.xfs and filled by a kernel`, {
    skip: needs({ data: [`xfs/made-here/${name}.img.xz`], tools: ['xz'] }),
  }, async () => {
    const packed = data(`xfs/made-here/${name}.img.xz`);
    const image = execFileSync(tool('xz')!, ['-dkc', packed], { maxBuffer: 1 << 29 });
    const access = randomAccessMemory(image);
    const tree = openXfs(access).tree();
    assert.deepEqual(checkXfs(access).faults, []);
    const count = (path: string) => tree.list(path).length;
    assert.deepEqual([count('block'), count('leaf'), count('node')], [40, 400, 4000]);
    const { inode } = [...tree.walk()].find(({ path }) => path === 'node/' + tree.list('node')[0])!;
    assert.equal(inode, tree.lstat('sf/empty'));
    const link = tree.lstat('sf/remote');
    assert.ok(link?.kind === 'symlink' && link.target.length === 400);
    const device = tree.lstat('sf/null');
    assert.ok(device?.kind === 'char' && device.major === 1 && device.minor === 3);
    assert.equal(tree.lstat('sf')?.mtime, 1_700_000_000);
    assert.equal(tree.file('plain')?.content.size, 100_000);
    // holes between blocks; neighbours on disk are one run of these 71 and 990 extents
    assert.equal(tree.file('many')!.content.extents?.length, 40);
    assert.equal(tree.file('bmbt')!.content.extents?.length, 500);
    const text = (path: string, attribute: string) =>
      Buffer.from(tree.lstat(path)?.xattrs?.get(attribute) ?? []).toString();
    assert.equal(text('attrs/sf', 'user.a'), 'b');
    assert.match(text('attrs/sf', 'security.selinux'), /^system_u:object_r:etc_t:s0/);
    assert.equal(tree.lstat('attrs/leaf')?.xattrs?.size, 20);
    const values = [...(tree.lstat('attrs/remote')?.xattrs?.values() ?? [])];
    assert.ok(values.some(({ length }) => length === 5000));
    // and again by our writer
    const again = await collect(xfsImage(tree).open());
    assert.deepEqual(dump(openXfs(randomAccessMemory(again)).tree()), dump(tree));
  });

test('as much is free as mkfs.xfs leaves, but for the chunks of inodes that it spreads over all groups', {
  skip: needs({ tools: ['mkfs.xfs', 'xfs_db'] }),
}, async (t) => {
  const { below } = random(7);
  const tree = new Tree();
  for (let i = 0; i < 700; i++) {
    const folder = ['a', 'a/long-name-of-a-folder', 'b', 'many'][Math.min(3, below(8))]!;
    tree.writeFile(`${folder}/file-${i}`, 'x'.repeat(below(20) === 0 ? below(300_000) : below(9000)));
  }
  for (const size of [20, 300, 400, 1000]) tree.symlink(`link-${size}`, 't'.repeat(size));
  const path = await poured(t, tree, { size: 300 << 20 });
  const folder = temporary(t);
  await writeDirectory(tree, join(folder, 'tree'));
  writeFileSync(join(folder, 'proto'), `/dev/null\n0 0\nd--755 0 0\n${protofile(tree.root, join(folder, 'tree'))}$\n`);
  const theirs = join(folder, 'theirs');
  const data = `file,name=${theirs},size=${300 << 20}`;
  execFileSync(tool('mkfs.xfs')!, ['-q', '-m', 'reflink=0', '-d', data, '-p', join(folder, 'proto')]);
  const counts = (image: string) => {
    const shown = execFileSync(tool('xfs_db')!, ['-r', '-f', '-c', 'sb 0', '-c', 'p fdblocks icount ifree', image], {
      encoding: 'utf8',
    });
    const [free, inodes, unused] = [...shown.matchAll(/= (\d+)/g)].map((match) => Number(match[1]));
    return { free: free!, inodes: inodes!, used: inodes! - unused! };
  };
  const [own, peer] = [counts(path), counts(theirs)];
  assert.equal(own.used, peer.used);
  // 64 inodes of 512 bytes are 8 blocks
  assert.equal(own.free - peer.free, ((peer.inodes - own.inodes) / 64) * 8);
  // a further name of a file, which mkfs.xfs copies, takes no block
  const files = [...tree.walk()].filter(({ inode }) => inode.kind === 'file' && inode.content.size > 200_000);
  tree.root.children.set('second-name', files[0]!.inode);
  assert.equal(counts(await poured(t, tree, { size: 300 << 20 })).free, own.free);
});

/** What mkfs.xfs -p reads: a line for each name. */
function protofile(folder: Directory, at: string): string {
  let lines = '';
  for (const [name, inode] of folder.children) {
    const path = join(at, name);
    if (inode.kind === 'directory') lines += `${name} d--755 0 0\n${protofile(inode, path)}$\n`;
    else if (inode.kind === 'symlink') lines += `${name} l--777 0 0 ${inode.target}\n`;
    else lines += `${name} ---644 0 0 ${path}\n`;
  }
  return lines;
}
