import assert from 'node:assert/strict';
import { chmodSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { collect, memory } from '../../../src/bytes/content.ts';
import { randomAccess, randomAccessMemory } from '../../../src/bytes/file.ts';
import { checkExt4 } from '../../../src/formats/ext4/check/check.ts';
import { ext4Image } from '../../../src/formats/ext4/emit.ts';
import { ExtentHeader, GROUP_BLOCK_UNINIT, GROUP_INODE_UNINIT, HashRoot } from '../../../src/formats/ext4/layout.ts';
import { openExt4 } from '../../../src/formats/ext4/read.ts';
import { Volume } from '../../../src/formats/ext4/volume.ts';
import { type Directory, file, type Inode, rootMeta, symlink } from '../../../src/tree/inode.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { needs } from '../../support/data.ts';
import { inKernel } from '../../support/kernel-script.ts';
import { dump, holed, noise, sampleTrees } from '../../support/trees.ts';
import { checkImage, clean, fitting, poured, REFERENCE_TOOLS, run } from './reference-tools.ts';

/** The limits of ext4: links, names, directories, extents, sizes, groups. */

const KERNEL = REFERENCE_TOOLS || needs({ tools: ['linux.uml', 'busybox'] });

/** The inode number that a path has in an image. */
function numberOf(path: string, name: string): number {
  return Number(/^Inode: (\d+) /m.exec(run('debugfs', ['-R', `stat "${name}"`, path]))![1]);
}

/** A directory of `count` names, on as few inodes as may have them. */
function wide(directory: Directory, count: number, length: number): void {
  let shared: Inode = file(memory(''));
  for (let i = 0; i < count; i++) {
    if (i % 60_000 === 0) shared = file(memory(''));
    directory.children.set(`${i}`.padEnd(length, '-'), shared);
  }
}

test('65,000 names for one inode; one more is rejected by name', { skip: REFERENCE_TOOLS }, async (t) => {
  const tree = new Tree();
  const one = file(memory('shared'));
  for (let d = 0; d < 13; d++) {
    const folder = tree.makeDirectory(`d${d}`);
    for (let i = 0; i < 5000; i++) folder.children.set(`n${i}`, one);
  }
  const path = await poured(t, ext4Image(tree));
  checkImage(path, tree);
  assert.match(run('debugfs', ['-R', 'stat /d0/n0', path]), /Links: 65000 /);
  tree.set('d12/one-too-many', one);
  assert.throws(
    () => ext4Image(tree),
    (error: Error & { code?: string }) =>
      error.code === 'EXT4_LINKS' && /^\/d0\/n0: more than 65000 .*65001/.test(error.message),
  );
});

test('70,000 folders in one: the count of links is no longer kept, as in the kernel', {
  skip: REFERENCE_TOOLS,
}, async (t) => {
  const tree = new Tree();
  const many = tree.makeDirectory('many');
  for (let i = 0; i < 70_000; i++)
    many.children.set(`${i}`, { ...rootMeta(0o755), kind: 'directory', children: new Map() });
  const path = await poured(t, ext4Image(tree, { blockSize: 1024 }));
  clean(path);
  assert.deepEqual(checkExt4(randomAccess(path)).faults, []);
  assert.match(run('debugfs', ['-R', 'stat /many', path]), /Links: 1 /);
  assert.equal(openExt4(randomAccess(path)).tree().list('many').length, 70_000);
});

for (const blockSize of [1024, 2048, 4096])
  test(`directories of 0 to 300,000 names, blocks of ${blockSize}`, { skip: REFERENCE_TOOLS }, async (t) => {
    const tree = new Tree();
    const counts = [0, 1, 2, 3, 15, 40, 100, 1000, 3500, 20_000, 300_000];
    for (const count of counts) wide(tree.makeDirectory(`${count}`), count, count === 300_000 ? 30 : 20);
    // as many names as fill blocks exactly, and one more or less
    for (let count = 1; count <= 4 * Math.floor(blockSize / 264) + 1; count++)
      wide(tree.makeDirectory(`full-${count}`), count, 255);
    const path = await poured(t, ext4Image(tree, { blockSize }));
    checkImage(path, tree);
    const levels = new Set<number>();
    for (const count of counts.filter((count) => count >= 1000)) {
      const volume = new Volume(randomAccess(path));
      const root = volume.mapping(volume.inode(numberOf(path, `/${count}`)))[0]!.physical;
      const info = HashRoot.read(volume.block(root, 'root'), 24);
      levels.add(info.levels);
      assert.equal(info.version, 1, 'half_md4');
      assert.match(
        run('debugfs', ['-R', `htree /${count}`, path]).slice(0, 2000),
        new RegExp(`Indirect levels: ${info.levels}`),
      );
    }
    assert.ok(levels.has(1) && levels.has(0), `levels ${[...levels]}`);
  });

test('an index of three levels, with large_dir; without that rejected by name', {
  skip: REFERENCE_TOOLS,
}, async (t) => {
  const tree = new Tree();
  wide(tree.makeDirectory('far/too/wide'), 100_000, 255);
  const path = await poured(t, ext4Image(tree, { blockSize: 1024 }));
  checkImage(path, tree);
  assert.match(run('dumpe2fs', ['-h', path]), /features: .* large_dir/);
  assert.match(run('debugfs', ['-R', 'htree /far/too/wide', path]).slice(0, 2000), /Indirect levels: 2/);
  assert.throws(
    () => ext4Image(tree, { blockSize: 1024, features: { large_dir: false } }),
    (error: Error & { code?: string }) =>
      error.code === 'EXT4_DIRECTORY_SIZE' && error.message.startsWith('/far/too/wide: '),
  );
});

/** A file of so many pieces of one block, with a hole of one after each. */
function pieces(count: number, blockSize: number) {
  return holed(
    2 * blockSize * count,
    Array.from({ length: count }, (_, i) => [2 * blockSize * i, blockSize] as const),
    count,
  );
}

test('extent trees of depth 0 to 3, and the files over 4 GiB', { skip: REFERENCE_TOOLS }, async (t) => {
  const tree = new Tree();
  // 4 extents in the inode, 84 in a block of 1 KiB
  const expected = new Map([
    [1, 0],
    [4, 0],
    [5, 1],
    [4 * 84, 1],
    [4 * 84 + 1, 2],
    [4 * 84 * 84, 2],
    [4 * 84 * 84 + 1, 3],
  ]);
  for (const count of expected.keys()) tree.set(`pieces-${count}`, file(pieces(count, 1024)));
  const path = await poured(t, ext4Image(tree, { blockSize: 1024 }));
  checkImage(path, tree);
  const volume = new Volume(randomAccess(path));
  for (const [count, depth] of expected) {
    const inode = volume.inode(numberOf(path, `/pieces-${count}`));
    assert.equal(ExtentHeader.read(inode.record.block).depth, depth, `${count} extents`);
    assert.equal(volume.mapping(inode).length, count);
  }
  // a longest extent is 32768 blocks: one written in whole needs more
  const long = new Tree();
  long.set(
    'long',
    file({
      size: 300 << 20,
      readSync: () => new Uint8Array(0),
      async *open() {
        const piece = new Uint8Array(1 << 20).fill(0x5a);
        for (let i = 0; i < 300; i++) yield piece;
      },
    }),
  );
  const places = [
    [0, 10],
    [4.2 * 2 ** 30, 100],
    [2 ** 32 - 3, 6],
    [4.5 * 2 ** 30 - 5, 5],
  ] as const;
  const sorted = [...places].map(([at, size]) => [Math.floor(at), size] as const).sort((a, b) => a[0] - b[0]);
  const size = Math.floor(4.5 * 2 ** 30);
  long.set('over-4-GiB', file(holed(size, sorted, 9)));
  for (const options of [{ blockSize: 1024 }, { blockSize: 4096 }, { blockSize: 4096, features: { extent: false } }]) {
    const at = await poured(t, ext4Image(long, options));
    clean(at);
    assert.deepEqual(checkExt4(randomAccess(at)).faults, []);
    assert.match(run('debugfs', ['-R', 'stat /over-4-GiB', at]), new RegExp(`Size: ${size}$`, 'm'));
    const found = openExt4(randomAccess(at)).tree().file('over-4-GiB')!;
    assert.equal(found.content.size, size);
    assert.deepEqual(await stored(found), await stored(long.file('over-4-GiB')!));
  }
});

/** What is not zero in a file: at which places, and which bytes. */
async function stored(inode: { content: ReturnType<typeof memory> }): Promise<string[]> {
  const found: string[] = [];
  let at = 0;
  for await (const piece of inode.content.open()) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    if (!bytes.equals(ZEROS.subarray(0, bytes.length)))
      for (const [i, byte] of bytes.entries()) if (byte !== 0) found.push(`${at + i}:${byte}`);
    at += piece.length;
  }
  return found;
}
const ZEROS = Buffer.alloc(1 << 22);

test('many groups: descriptors over several blocks, and uninitialized groups', {
  skip: REFERENCE_TOOLS,
}, async (t) => {
  const tree = sampleTrees()[7]![1];
  for (const [features, flags] of [
    [{}, true],
    [{ metadata_csum: false, uninit_bg: true }, true],
    [{ metadata_csum: false }, false],
  ] as const) {
    const path = await poured(t, ext4Image(fitting(tree, 1024), { blockSize: 1024, size: 900 << 20, features }));
    checkImage(path, fitting(tree, 1024));
    const volume = new Volume(randomAccess(path));
    assert.equal(volume.groups, 113);
    assert.ok((volume.groups * volume.descriptorSize) / 1024 > 7);
    const seen = Array.from({ length: volume.groups }, (_, group) => volume.groupOf(group).record.flags);
    assert.equal(
      seen.some((one) => (one & GROUP_BLOCK_UNINIT) !== 0),
      flags,
    );
    assert.equal(
      seen.some((one) => (one & GROUP_INODE_UNINIT) !== 0),
      flags,
    );
    assert.ok(
      seen.every((one, group) => group !== volume.groups - 1 || (one & GROUP_BLOCK_UNINIT) === 0),
      'the last group',
    );
    const result = run('dumpe2fs', [path]);
    assert.equal(/BLOCK_UNINIT/.test(result), flags);
  }
});

/** Access control lists as the kernel returns them: version 2, then tag, permissions and id. */
function acl(...entries: readonly (readonly [tag: number, permissions: number, id?: number])[]): Uint8Array {
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  for (const [i, [tag, permissions, id = 0xffffffff]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + i * 8);
    bytes.writeUInt16LE(permissions, 6 + i * 8);
    bytes.writeUInt32LE(id, 8 + i * 8);
  }
  return bytes;
}

function attributed(): Tree {
  const tree = new Tree();
  const access = acl([1, 7], [2, 6, 1000], [4, 5], [8, 4, 2000], [0x10, 7], [0x20, 1]);
  const both = new Map([
    ['system.posix_acl_access', access],
    ['system.posix_acl_default', acl([1, 7], [4, 5], [0x20, 0])],
  ]);
  const folder = tree.makeDirectory('folder', { ...rootMeta(0o771), xattrs: both });
  folder.mode = 0o771;
  tree.set('listed', { ...file(memory('a'), rootMeta(0o771)), xattrs: new Map([['system.posix_acl_access', access]]) });
  // the same attributes, too long for the inode: one block for all of them, as the kernel shares it
  const large = () =>
    new Map([
      ['user.large', noise(600)],
      ['security.selinux', Buffer.from('system_u:object_r:bin_t:s0\0')],
    ]);
  for (let i = 0; i < 1500; i++) tree.set(`shared-${i}`, { ...file(memory(`${i}`)), xattrs: large() });
  tree.set('ping', {
    ...file(memory('p'), rootMeta(0o755)),
    xattrs: new Map([
      ['security.capability', Uint8Array.from([1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ]),
  });
  tree.set('trusted', { ...file(memory('t')), xattrs: new Map([['trusted.overlay.opaque', Buffer.from('y')]]) });
  tree.set('link', {
    ...symlink('ping', rootMeta(0o777)),
    xattrs: new Map([['security.selinux', Buffer.from('x\0')]]),
  });
  return tree;
}

test('attributes in inodes and in shared blocks, access control lists and capabilities', {
  skip: REFERENCE_TOOLS,
}, async (t) => {
  const tree = attributed();
  for (const [blockSize, inodeSize] of [
    [1024, 256],
    [4096, 256],
    [4096, 128],
    [4096, 512],
  ] as const) {
    if (inodeSize === 128) for (const { inode } of tree.walk()) delete inode.nanoseconds;
    const path = await poured(t, ext4Image(tree, { blockSize, inodeSize }));
    checkImage(path, tree);
    const volume = new Volume(randomAccess(path));
    const blocks = Array.from({ length: 1500 }, (_, i) => volume.inode(numberOfAll(path, volume, i)).record.fileAcl);
    // no more than 1024 inodes share one
    assert.equal(new Set(blocks).size, 2);
    assert.match(run('debugfs', ['-R', 'ea_list /listed', path]), /system\.posix_acl_access \(36\)/);
    assert.match(run('debugfs', ['-R', 'ea_list /folder', path]), /system\.posix_acl_default \(16\)/);
    assert.match(run('debugfs', ['-R', 'ea_list /ping', path]), /security\.capability \(20\)/);
    assert.match(run('debugfs', ['-R', 'ea_list /trusted', path]), /trusted\.overlay\.opaque \(1\) = "y"/);
  }
});

let firstShared = 0;
/** Numbers follow names in byte order: those of `shared-…` are looked up once, and then found by sorting. */
function numberOfAll(path: string, volume: Volume, i: number): number {
  if (i === 0) firstShared = numberOf(path, '/shared-0');
  assert.ok(volume.sb.inodes > firstShared + i);
  return firstShared + i;
}

test('a kernel returns the same attributes', {
  skip: REFERENCE_TOOLS || needs({ root: true, tools: ['mount', 'umount', 'getfattr', 'getfacl'] }),
}, async (t) => {
  const path = await poured(t, ext4Image(attributed()));
  const at = `${dirname(path)}/m`;
  run('mkdir', [at]);
  try {
    run('mount', ['-o', 'loop,ro', '-t', 'ext4', path, at]);
  } catch {
    t.skip('no loop device available');
    return;
  }
  try {
    const result = run('getfacl', ['-n', '-p', `${at}/folder`]);
    for (const line of [
      'user::rwx',
      'user:1000:rw-',
      'group::r-x',
      'group:2000:r--',
      'mask::rwx',
      'other::--x',
      'default:user::rwx',
      'default:group::r-x',
      'default:other::---',
    ])
      assert.ok(result.split('\n').includes(line), `${line}\n${result}`);
    const all = (name: string) =>
      run('getfattr', ['-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', `${at}/${name}`]);
    assert.ok(all('shared-1499').includes(`user.large=0x${Buffer.from(noise(600)).toString('hex')}`));
    assert.match(all('shared-7'), /security\.selinux=0x73797374656d5f75/);
    assert.match(all('ping'), /security\.capability=0x0100000200200000/);
    assert.match(all('trusted'), /trusted\.overlay\.opaque=0x79/);
  } finally {
    run('umount', [at]);
  }
});

test('too small is rejected before a byte is read, with the numbers', () => {
  let opened = 0;
  const tree = new Tree();
  tree.set(
    'large',
    file({ size: 30 << 20, readSync: () => assert.fail('read'), open: () => assert.fail(`opened ${++opened} times`) }),
  );
  assert.throws(
    () => ext4Image(tree, { size: 20 << 20 }),
    (error: Error & { code?: string; context?: { given: number; needed: number } }) => {
      assert.equal(error.code, 'EXT4_TOO_SMALL');
      assert.equal(error.context!.given, 20 << 20);
      assert.ok(error.context!.needed > 30 << 20 && error.context!.needed < 40 << 20, error.message);
      assert.ok(error.message.includes(String(error.context!.needed)));
      // and what it asks for is what it then takes
      assert.doesNotThrow(() => ext4Image(tree, { size: error.context!.needed }));
      return true;
    },
  );
  assert.equal(opened, 0);
});

test('reserved blocks, label, UUID and times to the year 2446', { skip: REFERENCE_TOOLS }, async (t) => {
  const tree = new Tree();
  const last = 2 ** 34 - 2 ** 31 - 1;
  const times = [-(2 ** 31), -1, 0, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 33 + 5, last];
  for (const time of times)
    tree.set(`t${time}`, file(memory('t'), { ...rootMeta(0o644, time), nanoseconds: 999_999_999 }));
  const path = await poured(
    t,
    ext4Image(tree, { time: 2 ** 32 + 7, reservedPercent: 0, label: 'sixteen byte 日', size: 64 << 20 }),
  );
  checkImage(path, tree);
  const result = run('dumpe2fs', ['-h', path]);
  assert.match(result, /Reserved block count: +0$/m);
  assert.ok(Buffer.from(result, 'latin1').toString().includes('sixteen byte 日'));
  for (const time of times)
    assert.match(
      run('debugfs', ['-R', `stat "/t${time}"`, path]),
      new RegExp(`mtime: 0x${(time >>> 0).toString(16).padStart(8, '0')}:`),
    );
  assert.throws(() => ext4Image(tree, { inodeSize: 128 }), { code: 'EXT4_TIME' });
});

test('a kernel can read the widest directory, the deepest extents and the most links', {
  skip: KERNEL,
}, async (t) => {
  const tree = new Tree();
  wide(tree.makeDirectory('wide'), 300_000, 30);
  tree.set('pieces', file(pieces(4 * 84 * 84 + 1, 1024)));
  tree.set('far', file(holed(5 * 2 ** 30, [[5 * 2 ** 30 - 4, 4]], 3)));
  const shared = file(memory('shared'));
  for (let i = 0; i < 65_000; i++) tree.set(`links-${i % 10}/${i}`, shared);
  const names = Array.from({ length: 40 }, (_, i) => `${i * 7499}`.padEnd(30, '-'));
  const { createHash } = await import('node:crypto');
  const digest = createHash('md5').update(tree.file('pieces')!.content.readSync()).digest('hex');
  const tail = Buffer.from(noise(4, 3)).toString('hex');
  const path = await poured(t, ext4Image(tree, { blockSize: 1024 }));
  chmodSync(dirname(path), 0o755);
  const result = await inKernel(
    t,
    [path],
    [
      '$B mount -t ext4 -o ro,errors=panic /dev/ubda /m && echo MOUNTED',
      '$B find /m/wide | $B wc -l | $B sed s/^/NAMES-/',
      `n=0; for f in ${names.join(' ')}; do [ -f /m/wide/$f ] && n=$((n+1)); done; echo FOUND-$n`,
      '[ -e /m/wide/nothing ] || echo NOTHING',
      '$B md5sum /m/pieces',
      '$B stat -c SIZE-%s /m/far; $B tail -c 4 /m/far | $B od -An -tx1 | $B tr -d " "',
      '$B stat -c LINKS-%h /m/links-3/3',
      '$B umount /m; $B dmesg | $B grep -iE "ext4-fs (error|warning)"',
    ].join('\n'),
  );
  for (const line of [
    'MOUNTED',
    'NAMES-300001',
    'FOUND-40',
    'NOTHING',
    `${digest}  /m/pieces`,
    `SIZE-${5 * 2 ** 30}`,
    tail,
    'LINKS-65000',
  ])
    assert.ok(result.split('\n').includes(line), `${line}\n${result.slice(-2000)}`);
  assert.doesNotMatch(result, /EXT4-fs (error|warning)/i);
  assert.ok(existsSync(path));
});

test('the ext2fs package reads the same, where it reads right: blocks of 1 KiB', {
  skip: REFERENCE_TOOLS,
}, async () => {
  const { withMountedDisk } = createRequire(import.meta.url)('ext2fs') as Ext2fs;
  const limits = { xattrs: false, anyBytes: false, devices: false, holes: true };
  let files = 0;
  for (const name of ['one file', 'sizes around blocks', 'modes', 'links', 'holes', 'many small files']) {
    const tree = fitting(sampleTrees(limits).find(([known]) => known === name)![1], 1024);
    const image = await collect(
      ext4Image(tree, { blockSize: 1024, features: { has_journal: false, orphan_file: false } }).open(),
    );
    // it writes on unmount, even after only reading
    const disk = {
      read: async (into: Uint8Array, at: number, length: number, from: number) => {
        into.set(image.subarray(from, from + length), at);
        return { bytesRead: length, buffer: into };
      },
      write: async (from: Uint8Array, _at: number, length: number) => ({ bytesWritten: length, buffer: from }),
      discard: async () => {},
      flush: async () => {},
    };
    await withMountedDisk(disk, 0, async ({ promises: fs }) => {
      for (const { path, inode } of tree.walk()) {
        if (path === '' || /[^\x20-\x7e]/.test(path)) continue;
        const stat = await fs.lstat(`/${path}`).catch(() => undefined);
        if (inode.kind === 'directory') {
          const listed = (await fs.readdir(`/${path}`)).filter((one) => one !== '.' && one !== '..');
          assert.deepEqual(listed.sort(), [...inode.children.keys()].sort(), path);
        }
        if (inode.kind !== 'file') continue;
        files++;
        if (stat !== undefined) assert.equal(stat.mode & 0o7777, inode.mode, path);
        assert.ok(
          Buffer.from(inode.content.readSync()).equals(await all(fs, path, inode.content.size)),
          `${name}: ${path}`,
        );
      }
    });
    assert.deepEqual(
      dump(openExt4(randomAccessMemory(image)).tree(), { extents: false }),
      dump(tree, { extents: false }),
    );
  }
  assert.ok(files > 600, `${files} files`);
});

interface Ext2fs {
  withMountedDisk<T>(disk: object, offset: number, use: (fs: { promises: Ext2Promises }) => Promise<T>): Promise<T>;
}
interface Ext2Promises {
  lstat(path: string): Promise<{ mode: number }>;
  readdir(path: string): Promise<string[]>;
  open(
    path: string,
    flags: 'r',
  ): Promise<{
    read(into: Buffer, at: number, length: number, from: number): Promise<{ bytesRead: number }>;
    close(): Promise<void>;
  }>;
}

/** Its readFile() treats every file as text. */
async function all(fs: Ext2Promises, path: string, size: number): Promise<Buffer> {
  const handle = await fs.open(`/${path}`, 'r');
  const bytes = Buffer.alloc(size + 1);
  let done = 0;
  for (let n = -1; n !== 0 && done <= size; done += n)
    ({ bytesRead: n } = await handle.read(bytes, done, bytes.length - done, done));
  await handle.close();
  return bytes.subarray(0, done);
}
