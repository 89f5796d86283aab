import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ImageKind } from '../../src/artefacts/kind.ts';
import { openArtefact } from '../../src/artefacts/open.ts';
import { IMAGE_KINDS } from '../../src/artefacts/registry.ts';
import { verifyArtefact } from '../../src/artefacts/verify.ts';
import { collect, type FileContent, memory, zeroPieces } from '../../src/bytes/content.ts';
import { BuildError } from '../../src/errors/error.ts';
import type { Event } from '../../src/events/events.ts';
import { file, type Inode, rootMeta, symlink } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { temporary } from '../support/data.ts';
import { dump, sampleTrees, type TreeLimits } from '../support/trees.ts';

/** Every image kind of the registry keeps the same contract: written, opened again, it is the same tree. */

const FILE_SYSTEM = { blockSize: 4096, freeSpace: 0, label: 'root', features: [], epoch: 1_700_000_000 };
const DISK = { ...FILE_SYSTEM, fileSystem: 'ext4', alignment: 1 << 20, architecture: 'x86_64' };

/** Holes are kept or filled, as a format likes: they read the same. */
const SHOWN = { extents: false };

/** Options for each kind, and options that must be rejected, with the error's code. A new row must be added here. */
const OPTIONS: Readonly<Record<keyof typeof IMAGE_KINDS, { good: object[]; bad: [options: object, code: string][] }>> =
  {
    directory: { good: [{}], bad: [] },
    tar: {
      good: [{ compress: 'none' }, { compress: 'gzip' }, { compress: 'zstd', level: 1 }, { compress: 'lz4' }],
      bad: [
        [{ compress: 'rar' }, 'COMPRESSION_UNKNOWN'],
        [{ compress: 'gzip', level: 10 }, 'COMPRESSION_LEVEL'],
        [{ compress: 'zstd', level: 0 }, 'COMPRESSION_LEVEL'],
        [{ compress: 'lz4', level: 1.5 }, 'COMPRESSION_LEVEL'],
      ],
    },
    initrd: {
      good: [{ compress: 'none' }, { compress: 'gzip', level: 1 }, { compress: 'zstd' }, { compress: 'lz4' }],
      bad: [[{ compress: 'lz4', level: 22 }, 'COMPRESSION_LEVEL']],
    },
    ext4: {
      good: [FILE_SYSTEM, { ...FILE_SYSTEM, features: ['^has_journal'], uuid: '00000000-0000-4000-8000-000000000001' }],
      bad: fileSystemFaults(FILE_SYSTEM),
    },
    erofs: {
      good: [
        FILE_SYSTEM,
        { ...FILE_SYSTEM, options: [], uuid: '00000000-0000-4000-8000-000000000001' },
        { ...FILE_SYSTEM, options: ['-z', 'lz4hc,3', '-C65536', '-E^noinline_data'] },
        { ...FILE_SYSTEM, kernel: '5.17', options: ['-zlz4hc', '-E^noinline_data,ztailpacking'] },
      ],
      bad: [
        [{ ...FILE_SYSTEM, blockSize: 1024 }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, freeSpace: 1 << 20 }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, features: ['64bit'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, uuid: 'not-a-uuid' }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, label: 'ü'.repeat(9) }, 'EROFS_OPTION'],
        [{ ...FILE_SYSTEM, options: ['-zzstd'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-zlz4hc,13'] }, 'EROFS_OPTION'],
        [{ ...FILE_SYSTEM, options: ['-C65536'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-Eztailpacking'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-zlz4hc', '-Eztailpacking'] }, 'EROFS_KERNEL'],
        [{ ...FILE_SYSTEM, options: ['-zlz4', '-C5000'] }, 'EROFS_OPTION'],
        [{ ...FILE_SYSTEM, options: ['-C'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-Efragments'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['--all-root'] }, 'SETTING_INVALID'],
      ],
    },
    xfs: {
      // small ones: each is read several times
      good: [
        { ...FILE_SYSTEM, options: ['--unsupported'] },
        {
          ...FILE_SYSTEM,
          options: ['--unsupported', '-m', 'reflink=1,rmapbt=1', '-s', 'size=4k', '-isize=1024'],
          uuid: '00000000-0000-4000-8000-000000000001',
        },
      ],
      bad: [
        [{ ...FILE_SYSTEM, blockSize: 1024 }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, features: ['reflink'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, uuid: 'not-a-uuid' }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, label: 'thirteen byte' }, 'XFS_OPTION'],
        [{ ...FILE_SYSTEM, options: ['-m', 'crc=0'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-m', 'reflink=2'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-m', 'finobt=0,inobtcount=1'] }, 'XFS_OPTION'],
        [{ ...FILE_SYSTEM, options: ['-m', 'uuid=none'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-i', 'size=256'] }, 'XFS_OPTION'],
        [{ ...FILE_SYSTEM, options: ['-i', 'size=many'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-s', 'size=1024'] }, 'XFS_OPTION'],
        [{ ...FILE_SYSTEM, options: ['-d', 'agcount=1'] }, 'XFS_OPTION'],
        [
          {
            ...FILE_SYSTEM,
            uuid: '00000000-0000-4000-8000-000000000001',
            options: ['-m', 'uuid=00000000-0000-4000-8000-000000000001'],
          },
          'SETTING_INVALID',
        ],
        [{ ...FILE_SYSTEM, options: ['-l', 'size=1m'] }, 'XFS_OPTION'],
        [{ ...FILE_SYSTEM, options: ['-n', 'version=ci'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-r', 'size=1g'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-m'] }, 'SETTING_INVALID'],
        [{ ...FILE_SYSTEM, options: ['-p', 'proto'] }, 'SETTING_INVALID'],
      ],
    },
    disk: {
      good: [
        ...['nvdimm', 'mbr', 'gpt'].map((layout) => ({ ...DISK, layout })),
        ...['nvdimm', 'mbr', 'gpt'].map((layout) => ({ ...DISK, layout, fileSystem: 'erofs' })),
        { ...DISK, layout: 'nvdimm', fileSystem: 'xfs', options: ['--unsupported'] },
        ...['nvdimm', 'gpt'].map((layout) => ({ ...DISK, layout, fileSystem: 'erofs', verity: {} })),
        { ...DISK, layout: 'gpt', sectorSize: 4096, verity: { salt: new Uint8Array(1) } },
      ],
      bad: [
        ...fileSystemFaults({ ...DISK, layout: 'gpt' }),
        [{ ...DISK, layout: 'mbr', sectorSize: 4096 }, 'SETTING_INVALID'],
        [{ ...DISK, layout: 'gpt', sectorSize: 4096, blockSize: 1024 }, 'SETTING_INVALID'],
        [{ ...DISK, layout: 'mbr', blockSize: 1024, verity: {} }, 'SETTING_INVALID'],
        [{ ...DISK, layout: 'mbr', verity: { salt: new Uint8Array(0) } }, 'SETTING_INVALID'],
        [{ ...DISK, layout: 'mbr', verity: { signer: {} } }, 'SETTING_INVALID'],
      ],
    },
  };

function fileSystemFaults(good: object): [object, string][] {
  return [
    [{ ...good, blockSize: 3000 }, 'EXT4_OPTION'],
    [{ ...good, blockSize: 65536 }, 'EXT4_OPTION'],
    [{ ...good, label: 'ü'.repeat(9) }, 'EXT4_OPTION'],
    [{ ...good, uuid: 'not-a-uuid' }, 'SETTING_INVALID'],
    [{ ...good, features: ['no_such_feature'] }, 'SETTING_INVALID'],
    [{ ...good, features: ['^extent', '64bit'] }, 'EXT4_FEATURE'],
  ];
}

/** What a kind keeps of a tree, for making one. */
function kept({ features, limits }: ImageKind<unknown>, options: { fileSystem?: string }): TreeLimits {
  // a disk keeps what its file system keeps
  const { target, major, minor } = options.fileSystem === 'xfs' ? IMAGE_KINDS.xfs.limits : limits;
  return {
    ...features,
    ...(Number.isFinite(target) ? { target: Math.min(target, 4000) } : {}),
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
  };
}

for (const [name, row] of Object.entries(IMAGE_KINDS)) {
  const kind = row as ImageKind<unknown>;
  const { good, bad } = OPTIONS[name as keyof typeof IMAGE_KINDS];
  const trees = (options: object) =>
    sampleTrees({ ...kept(kind, options), holes: true, negativeTimes: kind.limits.time[0] < 0, oddLinks: true });

  for (const options of good)
    test(`${name} ${JSON.stringify(options)}: written and opened, every tree is the same`, async (t) => {
      const folder = temporary(t);
      const open = { workspace: () => folder };
      await kind.validate(options);
      for (const [i, [what, tree]] of trees(options).entries()) {
        const path = join(folder, `${i}.out`);
        const planned = await kind.write(tree, { ...options, ...open });
        const sizes: number[] = [];
        const prepared = await planned.prepare(path, { progress: (bytes) => void sizes.push(bytes) });
        assert.equal(statSync(path, { throwIfNoEntry: false }), undefined, 'nothing has its name before commit');
        prepared.commit();
        const { size, sha256 } = prepared.value;
        if (planned.size !== undefined) assert.equal(size, planned.size, what);
        if (kind.open !== undefined) assert.equal(statSync(path).size, size, what);
        assert.equal(sizes.at(-1), planned.work, what);
        assert.ok(
          sizes.every((one, at) => at === 0 || one >= sizes[at - 1]!),
          what,
        );
        const artefact = await openArtefact(path, open);
        assert.equal(artefact.kind, name, what);
        assert.deepEqual(dump(await artefact.tree(), SHOWN), dump(tree, SHOWN), what);
        const { kind: verified, faults } = await verifyArtefact(path, open);
        assert.deepEqual({ verified, faults }, { verified: name, faults: [] }, what);
        // a second plan of the same tree gives the same bytes
        const again = join(folder, `${i}.again`);
        const second = await (await kind.write(tree, { ...options, ...open })).prepare(again);
        second.commit();
        assert.equal(second.value.sha256, sha256, what);
        if (kind.open !== undefined) assert.ok(readFileSync(again).equals(readFileSync(path)), what);
      }
    });

  test(`${name}: options that no tree can be written with are rejected before there is one`, async () => {
    for (const [options, code] of bad)
      await assert.rejects(kind.validate(options), { name: 'BuildError', code }, JSON.stringify(options));
  });

  test(`${name}: what is beyond its limits is rejected by name`, async (t) => {
    const folder = temporary(t);
    const { fileSize, path, target, minor, time } = kind.limits;
    const meta = rootMeta(0o644, 1_700_000_000);
    const beyond: [what: string, inode: Inode, at: string][] = [];
    const add = (what: string, limit: number, make: () => [Inode, string]) => {
      if (Number.isFinite(limit)) beyond.push([what, ...make()]);
    };
    add('file size', fileSize, () => [file(huge(fileSize + 1), meta), 'beyond']);
    add('target', target, () => [symlink('t'.repeat(target + 1), { ...meta, mode: 0o777 }), 'beyond']);
    if (minor !== undefined)
      add('minor number', minor, () => [{ ...meta, kind: 'char', major: 1, minor: minor + 1 }, 'beyond']);
    add('first time', time[0], () => [file(memory('x'), { ...meta, mtime: time[0] - 1 }), 'beyond']);
    add('last time', time[1], () => [file(memory('x'), { ...meta, mtime: time[1] + 1 }), 'beyond']);
    add('path', path, () => [file(memory('x'), meta), `${'p/'.repeat(Math.ceil(path / 2))}beyond`]);
    if (!kind.features.sockets) beyond.push(['socket', { ...meta, kind: 'socket' }, 'beyond']);
    for (const [what, inode, at] of beyond) {
      const tree = new Tree();
      tree.set(at, inode);
      const out = join(folder, `${what}.out`);
      const error = await (async () => (await kind.write(tree, good[0])).prepare(out))().then(
        () => assert.fail(`${name} took a tree beyond its limit of ${what}`),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof BuildError, `${what}: ${String(error)}`);
      assert.match(error.message, /beyond/, `${what}: ${error.message}`);
      assert.equal(statSync(out, { throwIfNoEntry: false }), undefined, what);
    }
  });

  test(`${name}: with a listener, times beyond its limits are the nearest ones, with a warning`, async (t) => {
    const folder = temporary(t);
    const open = { workspace: () => folder };
    const [first, last] = kind.limits.time;
    for (const [given, stored] of [
      [first - 1, first],
      [last + 1, last],
    ] as const) {
      // what is beyond the numbers of the tree itself is none of its times
      if (!Number.isSafeInteger(given)) continue;
      const tree = new Tree();
      tree.set('beyond', file(memory('x'), rootMeta(0o644, given)));
      const seen: string[] = [];
      const report = (event: Event) => {
        if (event.kind === 'warning') seen.push(`${event.code} ${event.message}`);
      };
      // the time of the file system itself is the newest of its files
      const out = join(folder, `${given}.out`);
      const planned = await kind.write(tree, { ...good[0], ...open, epoch: given }, report);
      (await planned.prepare(out)).commit();
      assert.equal((await (await openArtefact(out, open)).tree()).lstat('beyond')?.mtime, stored);
      assert.equal(seen.filter((one) => /^TIME_CLAMPED .*beyond/.test(one)).length, 1, seen.join('\n'));
    }
  });
}

test('a file that no image kind recognises is opened as a file, and is not a rootfs', async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'text');
  const { pour } = await import('../../src/bytes/pour.ts');
  await pour(memory('just text\n'.repeat(1000)).open(), path);
  const artefact = await openArtefact(path, { workspace: () => folder });
  assert.equal(artefact.kind, 'file');
  await assert.rejects(artefact.tree(), { code: 'ROOTFS_UNKNOWN' });
  await assert.rejects(verifyArtefact(path, { workspace: () => folder }), { code: 'ROOTFS_UNKNOWN' });
});

test('standard input is opened as a file is', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'w'));
  for (const [name, row] of Object.entries(IMAGE_KINDS)) {
    const kind = row as ImageKind<unknown>;
    if (kind.open === undefined) continue;
    for (const options of OPTIONS[name as keyof typeof IMAGE_KINDS].good) {
      const samples = sampleTrees({ ...kept(kind, options), negativeTimes: false });
      const [, tree] = samples.find(([what]) => what === 'links')!;
      const bytes = await collect((await kind.write(tree, { ...options, workspace: () => folder })).open());
      const artefact = await openArtefact('-', {
        workspace: () => join(folder, 'w'),
        input: () => memory(bytes).open(),
      });
      assert.equal(artefact.kind, name);
      assert.deepEqual(dump(await artefact.tree(), SHOWN), dump(tree, SHOWN), name);
    }
  }
  await assert.rejects(openArtefact('-', { workspace: () => folder }), { code: 'READ_FAILED' });
});

/** A file of this size that must be rejected unread; its digest is known, as of a file from a package. */
function huge(size: number): FileContent {
  return {
    size,
    sha256: '0'.repeat(64),
    extents: [],
    async *open() {
      yield* zeroPieces(Math.min(size, 1));
      assert.fail('a file beyond the limit was read');
    },
    readSync: () => assert.fail('a file beyond the limit was read'),
  };
}
