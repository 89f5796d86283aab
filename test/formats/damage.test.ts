import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kataDisk } from '../../src/artefacts/disk.ts';

import type { Structure } from '../../src/artefacts/kind.ts';
import { diskStructures } from '../../src/artefacts/structures.ts';
import { verifyArtefact } from '../../src/artefacts/verify.ts';
import { volumeStructures } from '../../src/artefacts/volumes.ts';
import { type Content, memory } from '../../src/bytes/content.ts';
import { randomAccess, section } from '../../src/bytes/file.ts';
import { pour } from '../../src/bytes/pour.ts';
import { gptDisk } from '../../src/formats/disk/gpt.ts';
import { deriveUuid, parseUuid } from '../../src/formats/disk/uuid.ts';
import { ext4Image } from '../../src/formats/ext4/emit.ts';
import { InodeRecord } from '../../src/formats/ext4/layout.ts';
import { Volume } from '../../src/formats/ext4/volume.ts';
import { file } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, random, temporary, tool } from '../support/data.ts';
import { holed, noise } from '../support/trees.ts';

/**
 * A flipped bit in any structure of an image is found by `verify`, which says where. The structures are found as
 * `inspect` shows them, and through the reader for those that belong to one file.
 */

const MIB = 1024 * 1024;
const SEED = Number(process.env['OSBUILDER_TEST_SEED'] ?? 1);

/** A tree with a hashed directory of two levels, an extent tree with a block of its own, and attributes in a block. */
function everything(): Tree {
  const tree = new Tree();
  const many = tree.makeDirectory('many');
  for (let i = 0; i < 6000; i++)
    many.children.set(`a name that takes a good deal of room, number ${i}`, file(memory('')));
  tree.makeDirectory('few').children.set('one', file(memory('1')));
  const places = Array.from({ length: 400 }, (_, i) => [i * 10_000, 100] as const);
  tree.set('fragments', file(holed(4_000_000, places)));
  const held = file(memory('x'));
  held.xattrs = new Map([['user.large', noise(700)]]);
  tree.set('held', held);
  return tree;
}

interface Site {
  readonly what: string;
  /** Bytes from the start of the file system. */
  readonly offset: number;
  readonly size: number;
  /** How the fault begins. */
  readonly says: RegExp;
}

/** Where the structures are that belong to one inode each. */
function sites(volume: Volume): Site[] {
  const { blockSize } = volume;
  const found: Site[] = [];
  const number = (path: string) => {
    let at = 2;
    for (const name of path.split('/')) {
      let next: number | undefined;
      for (const { physical, length } of volume.mapping(volume.inode(at)))
        for (let i = 0; i < length; i++) {
          const bytes = Buffer.from(volume.block(physical + i, path));
          const where = bytes.indexOf(name, 0, 'latin1');
          if (where > 8) next ??= bytes.readUInt32LE(where - 8);
        }
      at = next ?? assert.fail(path);
    }
    return at;
  };
  const fragments = volume.inode(number('fragments'));
  const { inodeTable } = volume.groupOf(0);
  const inside = (inode: number) => inodeTable * blockSize + (inode - 1) * volume.inodeSize;
  found.push({ what: 'inode', offset: inside(fragments.number), size: 128 + 32, says: /inode \d+ \(/ });
  volume.walkExtents(
    fragments,
    () => {},
    (block) =>
      found.push({
        what: 'extent block',
        offset: block * blockSize,
        size: blockSize - 4,
        says: /inode \d+.*(extent|names)/,
      }),
  );
  const held = volume.inode(number('held')).record.fileAcl;
  found.push({
    what: 'attribute block',
    offset: held * blockSize,
    size: blockSize,
    says: /extended attributes in block|there is no checksum/,
  });
  const few = volume.mapping(volume.inode(number('few')))[0]!.physical;
  found.push({
    what: 'directory block',
    offset: few * blockSize,
    size: blockSize,
    says: /directory \d+( \(.*?\))?, block 0/,
  });
  const many = volume.mapping(volume.inode(number('many')));
  const blocks = many.flatMap(({ physical, length }) => Array.from({ length }, (_, i) => physical + i));
  found.push({
    what: 'htree root',
    offset: blocks[0]! * blockSize,
    size: 40 + 8,
    says: /directory \d+( \(.*?\))?, block 0/,
  });
  // inner nodes begin with one unused entry that takes the whole block
  const nodes = blocks.filter((block) => {
    const head = Buffer.from(volume.block(block, 'many')).subarray(0, 8);
    return head.readUInt32LE(0) === 0 && head.readUInt16LE(4) === blockSize && head.readUInt16LE(6) === 0;
  });
  assert.ok(nodes.length >= 2, 'an index of two levels');
  for (const node of nodes)
    found.push({
      what: 'htree node',
      offset: node * blockSize,
      size: 8 + 8,
      says: /directory \d+( \(.*?\))?, block \d+/,
    });
  found.push({
    what: 'htree leaf',
    offset: blocks.at(-1)! * blockSize,
    size: blockSize,
    says: /directory \d+( \(.*?\))?, block \d+/,
  });
  assert.ok(InodeRecord.size === 160);
  return found;
}

const DISKS: readonly (readonly [name: string, make: (filesystem: Content) => Content])[] = [
  ['for NVDIMM', (filesystem) => kataDisk(filesystem, { plain: false, alignment: MIB })],
  ['plain', (filesystem) => kataDisk(filesystem, { plain: true, alignment: MIB })],
  [
    'GPT',
    (filesystem) =>
      gptDisk(
        [
          {
            name: 'root',
            type: parseUuid('4f68bce3-e8cd-4db1-96e7-fbcaf984b709')!,
            guid: deriveUuid('p'),
            content: filesystem,
          },
        ],
        { diskGuid: deriveUuid('d') },
      ),
  ],
];

/** What `verify` must report about damage in a part that `inspect` shows. */
const SAYS: readonly (readonly [part: RegExp, says: RegExp])[] = [
  [/copy in group \d+: superblock/, /superblock of group \d+/],
  [/^superblock/, /superblock|there is no|block size|file system/],
  [/copy in group \d+: group descriptors/, /copy in group \d+ of the descriptor/],
  [/^group descriptors/, /descriptor|group \d+|bitmap|names block/],
  [/block bitmap of group (\d+)/, /block bitmap of group \d+/],
  [/inode bitmap of group (\d+)/, /inode bitmap of group \d+/],
  [/orphan file/, /orphan file/],
];

for (const [name, make] of DISKS)
  test(`${name}: one flipped bit in any structure is found, and named`, async (t) => {
    const tree = everything();
    const filesystem = ext4Image(tree, { blockSize: 1024, size: 40 * MIB, groupsPerFlex: 2, journalBlocks: 1024 });
    const disk = make(filesystem);
    const path = join(temporary(t), 'disk.img');
    await pour(disk.open(), path, { sparse: true, size: disk.size });
    const workspace = () => assert.fail('nothing is unpacked here');
    assert.deepEqual((await verifyArtefact(path, { workspace })).faults, []);
    const access = randomAccess(path);
    const { structures, volumes } = diskStructures(access);
    const start = volumes[0]!.offset;
    const { parts } = (await volumeStructures(access, volumes))[0]!;
    const expected: Site[] = [
      { what: 'MBR magic', offset: 510, size: 2, says: name === 'plain' ? /not a rootfs/ : /MBR/ },
      { what: 'MBR start of partition', offset: 454, size: 4, says: /MBR/ },
      { what: 'MBR size of partition', offset: 458, size: 4, says: /MBR|it names|blocks/ },
      { what: 'MBR type', offset: 450, size: 1, says: /MBR/ },
    ].filter(({ what }) => name !== 'plain' || /magic|start|size/.test(what));
    if (name === 'for NVDIMM')
      expected.push(
        { what: 'DAX header', offset: 4096, size: 4096, says: /DAX header/ },
        { what: 'second MBR magic', offset: 2 * MIB + 510, size: 2, says: /MBR for NVDIMM/ },
        { what: 'second MBR partition', offset: 2 * MIB + 454, size: 8, says: /MBR/ },
      );
    if (name === 'GPT') {
      const last = access.size;
      expected.push(
        { what: 'GPT header', offset: 512, size: 92, says: /^GPT at byte 512: / },
        { what: 'GPT entries', offset: 1024, size: 128 * 128, says: /^GPT at byte 512: / },
        {
          what: 'backup GPT entries',
          offset: last - 33 * 512,
          size: 128 * 128,
          says: /^(backup GPT at byte|GPT at byte 512: the two)/,
        },
        { what: 'backup GPT header', offset: last - 512, size: 92, says: /^backup GPT at byte/ },
      );
      assert.deepEqual(
        structures.map(({ what }) => what),
        ['protective MBR', 'GPT', 'backup GPT'],
      );
      assert.deepEqual(
        structures.flatMap((one) => one.parts ?? []).map(({ what, offset }) => [what, offset]),
        [
          ['header', 512],
          ['entries', 1024],
          ['entries', last - 33 * 512],
          ['header', last - 512],
        ],
      );
    }
    const volume = new Volume(section(access, start, volumes[0]!.size));
    const ext4 = sites(volume);
    for (const { what, offset, size } of parts!) {
      const says = SAYS.find(([part]) => part.test(what))?.[1];
      if (says === undefined) continue;
      let covered = size;
      if (/descriptors/.test(what)) covered = volume.groups * volume.descriptorSize;
      if (/copy.*superblock/.test(what)) covered = 1024;
      ext4.push({ what, offset: offset - start, size: covered, says });
    }
    const journal = parts!.find(({ what }) => what === 'journal')!.offset - start;
    // the numbers in its superblock; the rest of it has no checksum, as mke2fs leaves it
    for (const [what, offset, size] of [
      ['magic', 0, 4],
      ['type', 4, 4],
      ['block size', 12, 4],
      ['first', 20, 4],
      ['start', 28, 4],
    ] as const)
      ext4.push({ what: `journal's ${what}`, offset: journal + offset, size, says: /journal superblock/ });
    // the same in every disk
    if (name === 'for NVDIMM') for (const site of ext4) expected.push({ ...site, offset: site.offset + start });
    if (name === 'for NVDIMM')
      for (const kind of [
        'copy in group 1: superblock',
        'block bitmap of group 4',
        'inode bitmap of group 0',
        'orphan file',
        'htree node',
        'extent block',
      ])
        assert.ok(
          expected.some(({ what }) => what === kind),
          kind,
        );
    const { below } = random(SEED);
    for (const site of expected)
      for (let n = 0; n < 2; n++) {
        const at = site.offset + below(site.size);
        const flip = 1 << below(8);
        const back = poke(path, at, flip);
        const { faults } = await verifyArtefact(path, { workspace }).catch((error) => ({
          faults: [`${error.message} [${error.code}]`],
        }));
        poke(path, at, flip);
        assert.equal(back, back | 0);
        assert.ok(faults.length > 0, `seed ${SEED}: ${site.what}, byte ${at}, bit ${flip}: not noticed`);
        assert.ok(
          faults.some((fault) => site.says.test(fault)),
          `seed ${SEED}: ${site.what}, byte ${at}, bit ${flip}: ${faults.slice(0, 5).join('\n')}`,
        );
      }
    assert.deepEqual((await verifyArtefact(path, { workspace })).faults, []);
  });

test('inspect shows where everything is, as dumpe2fs does', {
  skip: needs({ tools: ['dumpe2fs'] }),
}, async (t) => {
  for (const options of [
    { blockSize: 1024, size: 60 * MIB, groupsPerFlex: 2 },
    { blockSize: 4096, size: 300 * MIB },
    { blockSize: 1024, size: 60 * MIB, features: { flex_bg: false, resize_inode: false, sparse_super: false } },
  ]) {
    const disk = kataDisk(ext4Image(everything(), options), { plain: false, alignment: MIB });
    const path = join(temporary(t), 'disk.img');
    await pour(disk.open(), path, { sparse: true, size: disk.size });
    const result = await osbuilder(['inspect', path, '--json']);
    assert.equal(result.code, 0, result.stderr);
    const { structures } = JSON.parse(result.stdout) as { structures: Structure[] };
    assert.deepEqual(
      structures.map(({ what, offset }) => [what, offset]),
      [
        ['MBR', 0],
        ['DAX header', 4096],
        ['MBR for NVDIMM', 2 * MIB],
        ['ext4 in partition 1', 3 * MIB],
      ],
    );
    const ours = new Set(
      structures[3]!.parts!.map(({ what, offset, size }) => {
        const start = (offset - 3 * MIB) / options.blockSize;
        return `${what} ${start}-${start + size / options.blockSize - 1}`;
      }),
    );
    const theirs = execFileSync(tool('dumpe2fs')!, [`${path}?offset=${3 * MIB}`], {
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let group = '';
    let compared = 0;
    const expect = (what: string, blocks: string) => {
      const [from, to = from] = blocks.split('-');
      assert.ok(
        ours.has(`${what} ${from}-${to}`),
        `${what} ${from}-${to}, not in ${[...ours].slice(0, 30).join('; ')}`,
      );
      compared++;
    };
    for (const line of theirs.split('\n')) {
      group = /^Group (\d+):/.exec(line)?.[1] ?? group;
      const copy = group === '0' ? '' : `copy in group ${group}: `;
      const found = (pattern: RegExp) => pattern.exec(line)?.[1];
      const backup = found(/Backup superblock at (\d+)/);
      if (backup !== undefined) expect(`${copy}superblock`, backup);
      const descriptors = found(/Group descriptors at ([\d-]+)/);
      if (descriptors !== undefined) expect(`${copy}group descriptors`, descriptors);
      const room = found(/Reserved GDT blocks at ([\d-]+)/);
      if (room !== undefined) expect(`${copy}space for more group descriptors`, room);
      for (const kind of ['block bitmap', 'inode bitmap', 'inode table']) {
        const blocks = found(new RegExp(`${kind} at ([\\d-]+)`, 'i'));
        if (blocks !== undefined) expect(`${kind} of group ${group}`, blocks);
      }
    }
    assert.ok(compared > 8, `${compared} compared`);
    assert.ok([...ours].some((part) => part.startsWith('journal ')));
    assert.ok([...ours].some((part) => part.startsWith('orphan file ')));
  }
});

/** Flips bits of one byte; returns the new value. */
function poke(path: string, at: number, flip: number): number {
  const fd = openSync(path, 'r+');
  try {
    const one = new Uint8Array(1);
    readSync(fd, one, 0, 1, at);
    one[0]! ^= flip;
    writeSync(fd, one, 0, 1, at);
    return one[0]!;
  } finally {
    closeSync(fd);
  }
}
