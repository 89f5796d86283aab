import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Bytes, PIECE, zeroPieces } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { PlainSink, type Sink } from '../../src/bytes/sink.ts';
import { expectLargeFile, ThreadedSink } from '../../src/bytes/threaded-sink.ts';
import { setJobs } from '../../src/workers/shared.ts';
import { random, temporary } from '../support/data.ts';

const MIB = 1024 * 1024;

/** Puts the same bytes and holes into a sink, in pieces of any size that are overwritten at once. */
async function feed(sink: Sink, seed: number, bytes: number): Promise<void> {
  const { next, below } = random(seed);
  const buffer = new Uint8Array(MIB);
  for (let done = 0; done < bytes; ) {
    if (below(6) === 0) {
      for (const zeros of zeroPieces(below(3) === 0 ? below(3 * MIB) : 4096)) {
        await sink.skip(zeros);
        done += zeros.length;
      }
      continue;
    }
    const piece = buffer.subarray(0, 1 + below(below(2) === 0 ? 5000 : MIB));
    piece.fill(Math.floor(next() * 255) + 1);
    piece[0] = done & 0xff;
    await sink.put(piece);
    buffer.fill(0xee);
    done += piece.length;
  }
}

async function through(path: string, make: (fd: number) => Sink, seed: number, bytes: number): Promise<string> {
  const fd = openSync(path, 'w');
  try {
    const sink = make(fd);
    await feed(sink, seed, bytes);
    return await sink.finish();
  } finally {
    closeSync(fd);
  }
}

for (const [name, bytes] of [
  ['nothing', 0],
  ['a byte or so', 1],
  ['more than the ring holds', 40 * MIB],
] as const)
  test(`pour: a thread of its own writes and digests the same: ${name}`, async (t) => {
    const folder = temporary(t);
    const [plain, threaded] = [join(folder, 'plain'), join(folder, 'threaded')];
    for (let seed = 1; seed <= 3; seed++) {
      if (seed === 2) expectLargeFile();
      const sha256 = await through(plain, (fd) => new PlainSink(fd), seed, bytes);
      assert.equal(await through(threaded, (fd) => new ThreadedSink(fd), seed, bytes), sha256);
      const written = readFileSync(threaded);
      assert.equal(createHash('sha256').update(written).digest('hex'), sha256);
      assert.ok(written.equals(readFileSync(plain)));
    }
  });

test('pour: large files have holes where there were zeros, and the digest of all their bytes', async (t) => {
  await setJobs(2);
  const path = join(temporary(t), 'image');
  const size = 90 * MIB + 5;
  async function* source(): Bytes {
    yield* zeroPieces(30 * MIB);
    yield new Uint8Array(5).fill(1);
    yield* zeroPieces(60 * MIB);
  }
  const poured = await pour(source(), path, { size, sparse: true });
  assert.equal(poured.sha256, createHash('sha256').update(readFileSync(path)).digest('hex'));
  const stat = statSync(path);
  assert.equal(stat.size, size);
  if (process.platform === 'linux') assert.ok(stat.blocks * 512 < MIB, `${stat.blocks} blocks`);
});

test('pour: whatever goes wrong in a large file, nothing of it stays and what stood there does', async (t) => {
  await setJobs(2);
  const folder = temporary(t);
  const path = join(folder, 'image');
  writeFileSync(path, 'before');
  const size = 80 * MIB;
  async function* broken(after: number): Bytes {
    for (let done = 0; done < after; done += PIECE) yield new Uint8Array(PIECE).fill(3);
    throw new TypeError('no more');
  }
  for (const after of [0, PIECE, 60 * MIB])
    await assert.rejects(pour(broken(after), path, { size }), { message: 'no more' });
  await assert.rejects(pour(zerosOf(size - 1), path, { size }), { code: 'CONTENT_SIZE' });
  assert.deepEqual(readdirSync(folder), ['image']);
  assert.equal(readFileSync(path, 'utf8'), 'before');
});

async function* zerosOf(size: number): Bytes {
  yield* zeroPieces(size);
}

test('pour: a full disk is told by whoever writes, however much is still to come', {
  skip: existsSync('/dev/full') ? false : 'there is no /dev/full',
}, async () => {
  for (const bytes of [1, 30 * MIB]) {
    const fd = openSync('/dev/full', 'w');
    const sink = new ThreadedSink(fd);
    await assert.rejects(
      feed(sink, 1, bytes).then(() => sink.finish()),
      { code: 'ENOSPC' },
    );
    await sink.abandon();
    fstatSync(fd);
    closeSync(fd);
  }
});

test('pour: a thread that is lost is noticed', async (t) => {
  const fd = openSync(join(temporary(t), 'file'), 'w');
  const sink = new ThreadedSink(fd);
  await sink.put(new Uint8Array(5));
  await sink.abandon();
  await assert.rejects(feed(sink, 1, 30 * MIB), /thread/);
  await assert.rejects(sink.finish(), /thread/);
  closeSync(fd);
});

test('pour: a thread that was made ready and not needed keeps nobody from ending', () => {
  const module =
    new URL('../../src/bytes/threaded-sink', import.meta.url).href + (import.meta.url.endsWith('.ts') ? '.ts' : '.js');
  const shared =
    new URL('../../src/workers/shared', import.meta.url).href + (import.meta.url.endsWith('.ts') ? '.ts' : '.js');
  const code = `(await import('${shared}')).setJobs(2); (await import('${module}')).expectLargeFile();`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', code], { timeout: 60_000, encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
});
