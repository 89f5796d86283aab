import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Bytes, PIECE, zeroPieces } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { expectLargeFile, PlainWriter, ThreadedWriter, type Writer } from '../../src/bytes/writer.ts';
import { setJobs } from '../../src/workers/shared.ts';
import { needs, random, temporary, tool } from '../support/data.ts';

const MIB = 1024 * 1024;

/** The same bytes and zeros, in pieces of any size that are overwritten immediately. */
async function feed(writer: Writer, seed: number, bytes: number): Promise<void> {
  const { next, below } = random(seed);
  const buffer = new Uint8Array(MIB);
  for (let done = 0; done < bytes; ) {
    if (below(6) === 0) {
      for (const zeros of zeroPieces(below(3) === 0 ? below(3 * MIB) : 4096)) {
        await writer.write(zeros);
        done += zeros.length;
      }
      continue;
    }
    // anywhere within a word
    const from = below(9);
    const piece = buffer.subarray(from, from + 1 + below(below(2) === 0 ? 5000 : MIB - 9));
    piece.fill(Math.floor(next() * 255) + 1);
    piece[0] = done & 0xff;
    await writer.write(piece);
    buffer.fill(0xee);
    done += piece.length;
  }
}

for (const [name, bytes] of [
  ['nothing', 0],
  ['a byte or so', 1],
  ['more than the ring holds', 40 * MIB],
] as const)
  test(`writer: a separate thread writes the same bytes and has their digest: ${name}`, async (t) => {
    const folder = temporary(t);
    for (let seed = 1; seed <= 3; seed++) {
      if (seed === 2) expectLargeFile();
      const digests: string[] = [];
      for (const [sparse, Kind] of [
        [false, PlainWriter],
        [false, ThreadedWriter],
        [true, PlainWriter],
        [true, ThreadedWriter],
      ] as const) {
        const path = join(folder, `${seed}-${digests.length}`);
        const fd = openSync(path, 'wx+');
        const writer = new Kind(fd, sparse);
        await feed(writer, seed, bytes);
        digests.push(await writer.finish());
        closeSync(fd);
        const there = readFileSync(path);
        // where zeros at the end were left out, the file is shorter
        if (!sparse) assert.equal(createHash('sha256').update(there).digest('hex'), digests[0]);
        else
          assert.ok(
            readFileSync(join(folder, `${seed}-0`))
              .subarray(0, there.length)
              .equals(there),
          );
      }
      assert.deepEqual(new Set(digests).size, 1);
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

test('pour: after any error in a large file, no part of it stays and the old file does', async (t) => {
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

test('writer: a thread that is lost is noticed', async (t) => {
  const fd = openSync(join(temporary(t), 'out'), 'wx');
  const writer = new ThreadedWriter(fd, false);
  await writer.write(new Uint8Array(5));
  await writer.abandon();
  closeSync(fd);
  await assert.rejects(feed(writer, 1, 30 * MIB), /thread/);
  await assert.rejects(writer.finish(), /thread/);
});

test('writer: a file that is abandoned when all was written leaves the thread to the next one', async (t) => {
  const folder = temporary(t);
  for (const name of ['a', 'b']) {
    const fd = openSync(join(folder, name), 'wx');
    const writer = new ThreadedWriter(fd, false);
    await writer.write(Buffer.from(name));
    assert.equal(await writer.finish(), createHash('sha256').update(name).digest('hex'));
    // as when the sync fails
    await writer.abandon();
    closeSync(fd);
  }
});

test('writer: a full disk is an error, early in a large file and at the end of a small one', {
  skip: !existsSync('/dev/full') && 'there is no /dev/full',
}, async () => {
  for (const bytes of [1, 40 * MIB]) {
    const fd = openSync('/dev/full', 'w');
    const writer = new ThreadedWriter(fd, false);
    const full = { code: 'ENOSPC', syscall: 'write' };
    await assert.rejects(async () => {
      await feed(writer, 1, bytes);
      await writer.finish();
    }, full);
    await writer.abandon();
    closeSync(fd);
    // what comes later does not go to whichever file has the number now
    await assert.rejects(writer.finish(), Error);
  }
});

test('writer: a prepared but unused thread does not keep the process alive', () => {
  const module =
    new URL('../../src/bytes/writer', import.meta.url).href + (import.meta.url.endsWith('.ts') ? '.ts' : '.js');
  const shared =
    new URL('../../src/workers/shared', import.meta.url).href + (import.meta.url.endsWith('.ts') ? '.ts' : '.js');
  const code = `(await import('${shared}')).setJobs(2); (await import('${module}')).expectLargeFile();`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', code], { timeout: 60_000, encoding: 'utf8' });
  assert.equal(child.status, 0, child.stderr);
});

test('pour: a named pipe whose reader leaves is an error', {
  skip: needs({ tools: ['mkfifo', 'head'] }),
}, async (t) => {
  const path = join(temporary(t), 'pipe');
  assert.equal(spawnSync(tool('mkfifo')!, [path]).status, 0);
  const reader = spawn(tool('head')!, ['-c', '10', path], { stdio: 'ignore' });
  t.after(() => reader.kill());
  async function* endless(): Bytes {
    for (;;) yield new Uint8Array(64 * 1024);
  }
  await assert.rejects(pour(endless(), path), { code: 'WRITE_FAILED', message: /the reader has closed the pipe/ });
});

test('pour: a named pipe gets every byte, also when its reader comes late', {
  skip: needs({ tools: ['mkfifo', 'cat'] }),
}, async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'pipe');
  assert.equal(spawnSync(tool('mkfifo')!, [path]).status, 0);
  const size = 3 * MIB + 7;
  const started = pour(zeroPieces(size) as never, path, { size });
  const reader = spawn(tool('cat')!, [path], { stdio: ['ignore', 'pipe', 'ignore'] });
  let read = 0;
  for await (const chunk of reader.stdout) read += (chunk as Uint8Array).length;
  assert.equal((await started).size, size);
  assert.equal(read, size);
});
