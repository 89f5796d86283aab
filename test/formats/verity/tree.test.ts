import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Bytes, type Content, collect, concat, memory, zeros } from '../../../src/bytes/content.ts';
import { fileSlice, hostFile, randomAccess, randomAccessMemory, section } from '../../../src/bytes/file.ts';
import { parseUuid } from '../../../src/formats/disk/uuid.ts';
import { checkTree } from '../../../src/formats/verity/check.ts';
import { geometryOf, treeOffset } from '../../../src/formats/verity/geometry.ts';
import { ALGORITHMS, type HashFormat, readSuperblock, superblock } from '../../../src/formats/verity/layout.ts';
import { hashTreeOf, measured, TreeBuilder } from '../../../src/formats/verity/tree.ts';
import { closePool, setJobs } from '../../../src/workers/shared.ts';
import { data, needs, random, temporary, tool } from '../../support/data.ts';

/** Hash trees against veritysetup: its published vectors, and its own runs over random data. */

const VECTORS = 'verity/veritysetup-vectors.tsv';

interface Vector {
  readonly data: string;
  readonly size: number;
  readonly format: HashFormat;
  readonly uuid: Uint8Array;
  readonly root: string;
  readonly deviceSize: number;
  readonly deviceSha256: string;
}

function vectors(): Vector[] {
  const [, ...lines] = readFileSync(data(VECTORS), 'latin1').trimEnd().split('\n');
  return lines.map((line) => {
    const [what, size, dataBlock, hashBlock, type, algorithm, salt, uuid, root, deviceSize, deviceSha256] =
      line.split('\t');
    return {
      data: what!,
      size: Number(size),
      format: {
        algorithm: algorithm as HashFormat['algorithm'],
        dataBlockSize: Number(dataBlock),
        hashBlockSize: Number(hashBlock),
        hashType: Number(type) as 0 | 1,
        salt: Uint8Array.from(Buffer.from(salt === '-' ? '' : salt!, 'hex')),
      },
      uuid: parseUuid(uuid!)!,
      root: root!,
      deviceSize: Number(deviceSize),
      deviceSha256: deviceSha256!,
    };
  });
}

/** `zero`, or `ctr:K`: SHA-256 of "K:0", "K:1", … back to back. */
function dataOf(what: string, size: number): Content {
  if (what === 'zero') return zeros(size);
  const bytes = Buffer.alloc(Math.ceil(size / 32) * 32);
  for (let i = 0; i * 32 < size; i++)
    createHash('sha256')
      .update(`${what.slice(4)}:${i}`)
      .digest()
      .copy(bytes, i * 32);
  return memory(bytes.subarray(0, size));
}

async function device(content: Content, format: HashFormat, uuid: Uint8Array) {
  const { tree, root } = measured(content, format);
  const header = new Uint8Array(treeOffset(format));
  header.set(superblock(format, content.size / format.dataBlockSize, uuid));
  const bytes = await collect(concat(memory(header), tree).open());
  return { bytes, root: Buffer.from(await root()).toString('hex') };
}

test('all of veritysetup’s vectors: root hash, size and every byte of the hash device', {
  skip: needs({ data: [VECTORS] }),
}, async () => {
  const all = vectors();
  assert.ok(all.length > 100);
  for (const { data: what, size, format, uuid, root, deviceSize, deviceSha256 } of all) {
    const name = `${what} ${size} ${JSON.stringify({ ...format, salt: format.salt.length })}`;
    const made = await device(dataOf(what, size), format, uuid);
    assert.equal(made.root, root, name);
    assert.equal(made.bytes.length, deviceSize, name);
    assert.equal(createHash('sha256').update(made.bytes).digest('hex'), deviceSha256, name);
    const found = readSuperblock(made.bytes)!;
    assert.ok('format' in found, name);
    assert.deepEqual(
      { ...found.format, salt: Buffer.from(found.format.salt).toString('hex') },
      { ...format, salt: Buffer.from(format.salt).toString('hex') },
    );
  }
});

test('cryptsetup’s own root hashes of 8 MiB of zeros', {
  skip: needs({ data: ['verity/cryptsetup-compat.txt'] }),
}, async () => {
  const lines = readFileSync(data('verity/cryptsetup-compat.txt'), 'latin1').split('\n');
  const own = /SALT=([0-9a-f]+)/.exec(lines[0]!)![1]!;
  let seen = 0;
  for (const line of lines) {
    if (line.startsWith('#') || line === '') continue;
    const [block, root, salt, type, algorithm] = line.split(' ');
    const format = {
      algorithm: algorithm as HashFormat['algorithm'],
      dataBlockSize: Number(block),
      hashBlockSize: Number(block),
      hashType: Number(type) as 0 | 1,
      salt: Uint8Array.from(Buffer.from(salt === '-' ? '' : salt === '$SALT' ? own : salt!, 'hex')),
    };
    assert.equal(Buffer.from(await measured(zeros(8 << 20), format).root()).toString('hex'), root, line);
    seen++;
  }
  assert.ok(seen >= 14);
});

/** Data with runs of zeros of any length, and random bytes between. */
function mixed(size: number, { next, below }: ReturnType<typeof random>): Buffer {
  const bytes = Buffer.alloc(size);
  const noise = Uint8Array.from({ length: 80_000 }, () => below(256));
  for (let at = 0; at < size; ) {
    const run = Math.min(size - at, 1 + below(40_000));
    if (next() < 0.6) bytes.set(noise.subarray(below(40_000)).subarray(0, run), at);
    at += run;
  }
  return bytes;
}

/** Pieces of any size that reuse one buffer. */
async function* oddly(bytes: Uint8Array, { below }: ReturnType<typeof random>): Bytes {
  const buffer = new Uint8Array(9000);
  for (let at = 0; at < bytes.length; ) {
    const size = Math.min(bytes.length - at, 1 + below(buffer.length));
    buffer.set(bytes.subarray(at, at + size));
    yield buffer.subarray(0, size);
    buffer.fill(0xee);
    at += size;
  }
}

test('random sizes, salts, digests and block sizes: byte-equal to veritysetup format', {
  skip: needs({ tools: ['veritysetup'] }),
}, async (t) => {
  const folder = temporary(t);
  const source = random(20);
  const { below, pick } = source;
  const [image, hashes] = [join(folder, 'data'), join(folder, 'hashes')];
  for (let round = 0; round < 24; round++) {
    const dataBlockSize = pick([512, 1024, 2048, 4096, 4096, 4096]);
    const hashBlockSize = pick([512, 1024, 4096, 4096]);
    const size = dataBlockSize * (1 + below(pick([3, 130, 700])));
    const format: HashFormat = {
      algorithm: pick(['sha1', 'sha256', 'sha256', 'sha512', 'sha384', 'sha224'] as const),
      dataBlockSize,
      hashBlockSize,
      hashType: pick([1, 1, 0] as const),
      salt: Uint8Array.from({ length: pick([0, 1, 8, 32, 64, 255, 256]) }, () => below(256)),
    };
    const bytes = mixed(size, source);
    writeFileSync(image, bytes);
    const bare = below(2) === 0;
    const uuid = `00000000-0000-4000-8000-${String(round).padStart(12, '0')}`;
    writeFileSync(hashes, '');
    const run = spawnSync(
      tool('veritysetup')!,
      [
        'format',
        `--hash=${format.algorithm}`,
        `--data-block-size=${dataBlockSize}`,
        `--hash-block-size=${hashBlockSize}`,
        `--format=${format.hashType}`,
        `--salt=${format.salt.length === 0 ? '-' : Buffer.from(format.salt).toString('hex')}`,
        ...(bare ? ['--no-superblock'] : [`--uuid=${uuid}`]),
        image,
        hashes,
      ],
      { encoding: 'utf8' },
    );
    const what = `round ${round}: ${JSON.stringify({ ...format, salt: format.salt.length, size, bare })}`;
    assert.equal(run.status, 0, `${what}\n${run.stdout}${run.stderr}`);
    const builder = new TreeBuilder(size, format);
    for await (const piece of oddly(bytes, source)) await builder.update(piece);
    const { root, bytes: tree } = await builder.finish();
    assert.equal(/Root hash:\s*([0-9a-f]+)/.exec(run.stdout)![1], Buffer.from(root).toString('hex'), what);
    const theirs = readFileSync(hashes);
    const start = bare ? 0 : treeOffset(format);
    if (!bare)
      assert.deepEqual(
        theirs.subarray(0, 512),
        Buffer.from(superblock(format, size / dataBlockSize, parseUuid(uuid)!)),
        what,
      );
    assert.ok(theirs.subarray(start).equals(tree), what);
    const check = await checkTree(
      randomAccessMemory(bytes),
      randomAccessMemory(theirs.subarray(start)),
      format,
      size / dataBlockSize,
      root,
    );
    assert.deepEqual({ wrong: check.wrong, unchecked: check.unchecked }, { wrong: [], unchecked: 0 }, what);
  }
});

const FORMAT: HashFormat = {
  algorithm: 'sha256',
  dataBlockSize: 4096,
  hashBlockSize: 4096,
  hashType: 1,
  salt: new Uint8Array(32).fill(7),
};

test('the same tree on any number of threads, and in one pass with the data', async (t) => {
  t.after(async () => {
    await setJobs(2);
    await closePool();
  });
  const bytes = mixed(12 << 20, random(3));
  let first: string | undefined;
  for (const jobs of [1, 2, 5]) {
    await setJobs(jobs);
    let opened = 0;
    const source: Content = {
      size: bytes.length,
      open() {
        opened++;
        return oddly(bytes, random(jobs));
      },
    };
    const { data: reading, tree } = measured(source, FORMAT);
    const hash = createHash('sha256');
    for await (const piece of concat(reading, tree).open()) hash.update(piece);
    assert.equal(opened, 1, 'the data is read once');
    const digest = hash.digest('hex');
    first ??= digest;
    assert.equal(digest, first, `${jobs} threads`);
    await closePool();
  }
});

test('every flipped bit of data and of the tree is found where it is', async () => {
  const source = random(8);
  const bytes = mixed(300 * 4096, source);
  const { tree, root } = measured(memory(bytes), FORMAT);
  const hashes = Buffer.from(await collect(tree.open()));
  const right = await root();
  const { levels } = geometryOf(300, FORMAT);
  assert.deepEqual(
    levels.map(({ start, blocks }) => [start, blocks]),
    [
      [1, 3],
      [0, 1],
    ],
  );
  const check = () => checkTree(randomAccessMemory(bytes), randomAccessMemory(hashes), FORMAT, 300, right);
  for (let round = 0; round < 12; round++) {
    const at = source.below(bytes.length);
    bytes[at]! ^= 1 << source.below(8);
    const { wrong, unchecked } = await check();
    const first = Math.floor(at / 4096);
    assert.deepEqual(
      { wrong, unchecked },
      { wrong: [{ level: 'data', first, count: 1, offset: first * 4096 }], unchecked: 0 },
    );
    bytes.set(mixed(300 * 4096, random(8)).subarray(at, at + 1), at);
  }
  assert.deepEqual((await check()).wrong, []);
  for (let block = 0; block < 4; block++) {
    const at = block * 4096 + source.below(4096);
    const before = hashes[at]!;
    hashes[at]! ^= 1;
    const { wrong, unchecked } = await check();
    const level = block === 0 ? 1 : 0;
    assert.deepEqual(wrong, [{ level, first: block === 0 ? 0 : block - 1, count: 1, offset: block * 4096 }]);
    assert.equal(unchecked, block === 0 ? 300 : block === 3 ? 44 : 128);
    hashes[at] = before;
  }
  bytes.fill(1, 10 * 4096, 14 * 4096);
  assert.deepEqual((await check()).wrong, [{ level: 'data', first: 10, count: 4, offset: 40960 }]);
});

test('data of another length than announced is an error of ours, not a wrong tree', async () => {
  const short = new TreeBuilder(8192, FORMAT);
  await short.update(new Uint8Array(4096));
  await assert.rejects(short.finish(), RangeError);
  const long = new TreeBuilder(4096, FORMAT);
  assert.throws(() => long.update(new Uint8Array(8192)), RangeError);
  assert.throws(() => new TreeBuilder(4097, FORMAT), RangeError);
  assert.throws(() => new TreeBuilder(0, FORMAT), RangeError);
});

test('superblocks of every kind of nonsense are named, and none is an exception', () => {
  const good = superblock(FORMAT, 100, new Uint8Array(16));
  assert.equal(readSuperblock(new Uint8Array(512)), undefined);
  assert.equal(readSuperblock(good.subarray(0, 511)), undefined);
  const changed = (offset: number, ...bytes: number[]) => {
    const copy = good.slice();
    copy.set(bytes, offset);
    const found = readSuperblock(copy)!;
    return 'reason' in found ? found.reason : 'taken';
  };
  assert.equal(changed(0), 'taken');
  assert.match(changed(8, 2), /version is 2/);
  assert.match(changed(12, 2), /hash type is 2/);
  assert.match(changed(32, 0x78), /digest "xha256"/);
  assert.match(changed(64, 1), /data block of 4097/);
  assert.match(changed(68, 0, 0), /hash block of 0/);
  assert.match(changed(72, 0, 0, 0, 0, 0, 0, 0, 0), /0 blocks/);
  assert.match(changed(72, 255, 255, 255, 255, 255, 255, 255, 255), /blocks of data/);
  assert.match(changed(80, 1, 1), /salt of 257/);
  assert.match(changed(32, ...Buffer.from('constructor\0')), /not known/);
  const { next, below } = random(5);
  for (let i = 0; i < 2000; i++) {
    const copy = good.slice();
    for (let n = 0; n < 4; n++) copy[8 + below(100)] = Math.floor(next() * 256);
    const found = readSuperblock(copy)!;
    if ('format' in found) assert.ok(found.format.algorithm in ALGORITHMS && found.dataBlocks > 0);
  }
});

test('a file that all threads read has the tree that its bytes have, with any number of threads', async (t) => {
  const folder = temporary(t);
  const { below } = random(11);
  const blocks = 2500;
  for (const [dataBlockSize, hashType] of [
    [4096, 1],
    [4096, 0],
    [65_536, 1],
  ] as const) {
    const format: HashFormat = {
      algorithm: 'sha256',
      dataBlockSize,
      hashBlockSize: 4096,
      salt: new Uint8Array(32).fill(5),
      hashType,
    };
    const bytes = Buffer.alloc(blocks * dataBlockSize);
    // a third of the blocks are zeros
    for (let i = 0; i < blocks; i++)
      if (i % 3 !== 0) bytes.writeUInt32LE(below(2 ** 32), i * dataBlockSize + below(4000));
    const path = join(folder, `data-${dataBlockSize}-${hashType}`);
    writeFileSync(path, Buffer.concat([Buffer.alloc(777, 1), bytes, Buffer.alloc(99, 2)]));
    const builder = new TreeBuilder(bytes.length, format);
    await builder.update(bytes);
    const expected = await builder.finish();
    for (const jobs of [1, 2, 5]) {
      await setJobs(jobs);
      for (const content of [fileSlice(path, 777, bytes.length), section(randomAccess(path), 777, bytes.length)]) {
        const built = await hashTreeOf(content, format);
        assert.deepEqual([built.root, Buffer.from(built.bytes)], [expected.root, Buffer.from(expected.bytes)]);
      }
    }
    // a file that is shorter meanwhile, and one that another has replaced
    const content = fileSlice(path, 777, bytes.length);
    truncateSync(path, bytes.length - 5000);
    await assert.rejects(hashTreeOf(content, format), { code: 'CONTENT_SHORT' });
    bytes[bytes.length - 1] = 9;
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
    assert.notDeepEqual((await hashTreeOf(hostFile(path), format)).root, expected.root);
    rmSync(path);
  }
  await closePool();
});
