import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskSize, kataDisk, partitionStart } from '../../src/artefacts/disk.ts';
import { diskStructures } from '../../src/artefacts/structures.ts';
import { collect, memory } from '../../src/bytes/content.ts';
import { randomAccess, randomAccessMemory } from '../../src/bytes/file.ts';
import { pour } from '../../src/bytes/pour.ts';
import { decompress } from '../../src/compression/decompress.ts';
import { daxHeader, readDaxHeader } from '../../src/formats/disk/dax.ts';
import { type GptPartition, gptDisk, readGpt } from '../../src/formats/disk/gpt.ts';
import { mbr, readMbr, SECTOR } from '../../src/formats/disk/mbr.ts';
import { deriveUuid, formatUuid, mixedEndian, parseUuid } from '../../src/formats/disk/uuid.ts';
import { data, needs, random, temporary, tool } from '../support/data.ts';

const MIB = 1024 * 1024;
const LINUX_DATA = parseUuid('0fc63daf-8483-4772-8e79-3d69d8477de4')!;

function run(name: string, ...args: string[]): string {
  return execFileSync(tool(name)!, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function partitions(count: number): GptPartition[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `part-${i}-grüße`,
    type: LINUX_DATA,
    guid: deriveUuid(`partition ${i}`),
    content: memory(new Uint8Array(SECTOR * (1 + i * 7)).fill(i + 1)),
  }));
}

test('a UUID survives its text, and GPT’s spelling is its own inverse', () => {
  const text = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
  const bytes = parseUuid(text.toUpperCase())!;
  assert.equal(formatUuid(bytes), text);
  assert.equal(Buffer.from(mixedEndian(bytes)).toString('hex'), '28732ac11ff8d211ba4b00a0c93ec93b');
  assert.deepEqual(mixedEndian(mixedEndian(bytes)), bytes);
  assert.equal(parseUuid('c12a7328-f81f-11d2-ba4b-00a0c93ec93'), undefined);
});

test('an MBR reads back as it was written', () => {
  const table = [
    { start: 3 * MIB, size: 125 * MIB, type: 0x83, active: false, number: 1 },
    { start: 128 * MIB, size: SECTOR, type: 0x82, active: true, number: 2 },
  ];
  assert.deepEqual(readMbr(mbr(table, 0x1234abcd)), { signature: 0x1234abcd, partitions: table });
});

test('an MBR rejects what 32-bit sectors cannot hold, by name', () => {
  assert.throws(() => mbr([{ start: 2 ** 41, size: 512, type: 0x83 }]), { code: 'DISK_TOO_LARGE' });
  assert.throws(() => mbr([{ start: 1, size: 512, type: 0x83 }]), RangeError);
});

test('sfdisk, parted and blkid agree on Kata’s disk, at both of its MBRs', {
  skip: needs({ tools: ['sfdisk', 'parted', 'blkid'] }),
}, async (t) => {
  const folder = temporary(t);
  for (const plain of [false, true]) {
    const filesystem = memory(new Uint8Array(5 * MIB).fill(7));
    const disk = kataDisk(filesystem, { plain, alignment: 16 * MIB });
    const path = join(folder, `kata-${plain}.img`);
    await pour(disk.open(), path, { sparse: true, size: disk.size });
    const start = partitionStart(plain);
    const seen = JSON.parse(run('sfdisk', '--json', path)).partitiontable;
    assert.equal(seen.label, 'dos');
    assert.deepEqual(
      seen.partitions.map((p: { start: number; size: number; type: string }) => [p.start * 512, p.size * 512, p.type]),
      [[start, disk.size - start, '83']],
    );
    assert.match(run('parted', '-sm', path, 'unit', 'B', 'print'), new RegExp(`^1:${start}B:${disk.size - 1}B:`, 'm'));
    assert.match(run('blkid', '-p', '-o', 'export', path), /^PTTYPE=dos$/m);
    if (plain) continue;
    const inner = join(folder, 'inner.img');
    writeFileSync(inner, readFileSync(path).subarray(2 * MIB));
    const again = JSON.parse(run('sfdisk', '--json', inner)).partitiontable.partitions;
    assert.deepEqual(
      again.map((p: { start: number; size: number }) => [p.start * 512, p.size * 512]),
      [[MIB, disk.size - start]],
    );
  }
});

test('the DAX header is at 4 KiB with the checksum the kernel computes', async () => {
  const header = daxHeader();
  assert.equal(Buffer.from(header.subarray(0, 16)).toString('latin1'), 'NVDIMM_PFN_INFO\0');
  assert.deepEqual(readDaxHeader(header), { dataOffset: 2 * MIB, align: 2 * MIB, sound: true });
  const broken = header.slice();
  broken[4090]! ^= 1;
  assert.equal(readDaxHeader(broken)!.sound, false);
  assert.equal(readDaxHeader(new Uint8Array(4096)), undefined);
  const disk = await collect(kataDisk(memory(new Uint8Array(MIB)), { plain: false, alignment: 8 * MIB }).open());
  assert.deepEqual(disk.subarray(4096, 8192), header);
});

test('the disk’s size is the next multiple of its alignment', () => {
  for (const [size, want] of [
    [1, 8],
    [5 * MIB, 8],
    [5 * MIB + 1, 16],
  ] as const)
    assert.equal(diskSize(size, { plain: false, alignment: 8 * MIB }), want * MIB);
});

test('sgdisk, sfdisk and parted accept our GPT and list its partitions', {
  skip: needs({ tools: ['sgdisk', 'sfdisk', 'parted', 'blkid'] }),
}, async (t) => {
  const folder = temporary(t);
  for (const count of [0, 1, 2, 9]) {
    const reference = partitions(count);
    const disk = gptDisk(reference, { diskGuid: deriveUuid('disk') });
    const path = join(folder, `gpt-${count}.img`);
    await pour(disk.open(), path, { size: disk.size });
    assert.match(run('sgdisk', '--verify', path), /No problems found/);
    const probed = run('blkid', '-p', '-o', 'export', path);
    assert.match(probed, /^PTTYPE=gpt$/m);
    assert.ok(probed.includes(`PTUUID=${formatUuid(deriveUuid('disk'))}`), probed);
    const seen = JSON.parse(run('sfdisk', '--json', path)).partitiontable;
    assert.equal(seen.id.toLowerCase(), formatUuid(deriveUuid('disk')));
    assert.deepEqual(
      (seen.partitions ?? []).map((p: { name: string; uuid: string; type: string }) => [
        p.name,
        p.uuid.toLowerCase(),
        p.type.toLowerCase(),
      ]),
      reference.map((p) => [p.name, formatUuid(p.guid), formatUuid(p.type)]),
    );
    run('parted', '-sm', path, 'unit', 'B', 'print');
    const own = readGpt(randomAccess(path))!;
    assert.deepEqual([...own.faults, ...own.backupFaults], []);
    assert.deepEqual(
      own.partitions.map((p) => p.name),
      reference.map((p) => p.name),
    );
    for (const [i, p] of own.partitions.entries()) {
      assert.equal(p.start % MIB, 0);
      const first = new Uint8Array(1);
      randomAccess(path).readAt(p.start, first);
      assert.equal(first[0], i + 1);
    }
  }
});

test('a GPT with one damaged copy is read from the other, and the damage named', async () => {
  const disk = await collect(gptDisk(partitions(2), { diskGuid: deriveUuid('d') }).open());
  for (const at of [SECTOR + 20, 2 * SECTOR + 3, disk.length - SECTOR + 20, disk.length - 20 * SECTOR]) {
    const broken = disk.slice();
    broken[at]! ^= 0xff;
    const table = readGpt(randomAccessMemory(broken));
    assert.ok(table !== undefined);
    assert.deepEqual(
      table.partitions.map((p) => p.name),
      partitions(2).map((p) => p.name),
    );
    const backup = at > disk.length / 2;
    assert.equal(
      table.faults.some((fault) => fault.startsWith('the primary')),
      !backup,
      `damage at ${at}`,
    );
    assert.equal(table.backupFaults.length > 0, backup, `damage at ${at}`);
  }
});

test('random bytes in a partition table never crash the reader', async () => {
  const seed = 20240601;
  const { below } = random(seed);
  const disk = await collect(gptDisk(partitions(3), { diskGuid: deriveUuid('d') }).open());
  for (let round = 0; round < 2000; round++) {
    const broken = disk.slice();
    for (let n = 1 + below(8); n > 0; n--)
      broken[below(4) === 0 ? disk.length - 1 - below(SECTOR) : below(3 * SECTOR)] = below(256);
    const table = readGpt(randomAccessMemory(broken));
    for (const p of table?.partitions ?? []) assert.equal(typeof p.name, 'string', `seed ${seed}, round ${round}`);
    readMbr(broken.subarray(0, SECTOR));
  }
});

test('an entry of a GPT that another project wrote is written identically', {
  skip: needs({ data: ['partition/go-diskfs-gpt_partition.dat'] }),
}, async () => {
  const disk = gptDisk(
    [
      {
        name: 'EFI System',
        type: parseUuid('c12a7328-f81f-11d2-ba4b-00a0c93ec93b')!,
        guid: parseUuid('5ca3360b-5de6-4fcf-b4ce-419cee433b51')!,
        content: memory(new Uint8Array(1001 * SECTOR)),
      },
    ],
    { diskGuid: deriveUuid('d') },
  );
  const entry = (await collect(disk.open())).subarray(2 * SECTOR, 2 * SECTOR + 128);
  assert.deepEqual(Buffer.from(entry), readFileSync(data('partition/go-diskfs-gpt_partition.dat')));
});

for (const kind of ['atari-primary', 'bsd', 'dasd-ldl', 'sun'])
  test(`a table of kind ${kind} is not recognised`, {
    skip: needs({ data: [`partition/${kind}.img.xz`] }),
  }, async () => {
    const packed = memory(readFileSync(data(`partition/${kind}.img.xz`)));
    const disk = await collect(decompress(packed.open(), 'xz', kind));
    assert.equal(readGpt(randomAccessMemory(disk)), undefined);
    assert.deepEqual(readMbr(disk.subarray(0, SECTOR))?.partitions ?? [], []);
    assert.deepEqual(diskStructures(randomAccessMemory(disk)), { structures: [], volumes: [] });
  });

test('a GPT from another tool is read as blkid reads it', {
  skip: needs({ data: ['partition/gpt.img.xz', 'partition/expected/blkid_lowprobe-pt-gpt'] }),
}, async () => {
  const packed = memory(readFileSync(data('partition/gpt.img.xz')));
  const table = readGpt(randomAccessMemory(await collect(decompress(packed.open(), 'xz', 'gpt.img.xz'))))!;
  assert.deepEqual([...table.faults, ...table.backupFaults], []);
  const expected = readFileSync(data('partition/expected/blkid_lowprobe-pt-gpt'), 'latin1');
  const listed = [...expected.matchAll(/^#\d+: +(\d+) +(\d+) .*name='([^']*)' uuid='([^']*)' type='([^']*)'/gm)];
  assert.ok(listed.length > 0);
  assert.deepEqual(
    table.partitions.map((p) => [p.start / SECTOR, p.size / SECTOR, p.name, formatUuid(p.guid), formatUuid(p.type)]),
    listed.map(([, start, size, name, uuid, type]) => [Number(start), Number(size), name, uuid, type]),
  );
});
