import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, memory } from '../../src/bytes/content.ts';
import { Cursor } from '../../src/bytes/cursor.ts';
import { fileSlice, hostFile } from '../../src/bytes/file.ts';
import { pour } from '../../src/bytes/pour.ts';
import { dataOf, sparse } from '../../src/bytes/sparse.ts';
import { slicesOf, spooled } from '../../src/bytes/spool.ts';
import { random, temporary } from '../support/data.ts';
import { inPieces, noise } from '../support/trees.ts';

test('spool: the stream is stored, in pieces of any size', async (t) => {
  for (const [size, chunk] of [
    [0, 1],
    [1, 1],
    [1000, 7],
    [700_000, 1000],
    [700_000, 100_000],
    [700_000, 700_000],
  ] as const) {
    const path = join(temporary(t), 'spool');
    const bytes = noise(size, size);
    assert.deepEqual(await collect(spooled(inPieces(bytes, chunk), path)), bytes);
    assert.deepEqual(new Uint8Array(readFileSync(path)), bytes);
    if (size > 10) assert.deepEqual(slicesOf(path)(5, 4).readSync(), bytes.slice(5, 9));
  }
});

test('collect: pieces that are overwritten afterwards were copied, Buffers too', async () => {
  const bytes = noise(5000);
  assert.deepEqual(await collect(inPieces(bytes, 7)), bytes);
  const buffer = Buffer.alloc(3);
  const source = async function* () {
    for (const letter of 'abc') yield buffer.fill(letter);
  };
  assert.equal(Buffer.from(await collect(source())).toString(), 'aaabbbccc');
});

test('slices: read in any order from many files, each is right', async (t) => {
  const folder = temporary(t);
  const { below } = random(5);
  const files = Array.from({ length: 300 }, (_, i) => {
    const bytes = noise(1000 + i * 100, i);
    writeFileSync(join(folder, String(i)), bytes);
    return bytes;
  });
  for (let n = 0; n < 3000; n++) {
    const i = below(files.length);
    const bytes = files[i]!;
    const offset = below(bytes.length);
    const size = below(bytes.length - offset + 1);
    const slice = fileSlice(join(folder, String(i)), offset, size);
    assert.deepEqual(slice.readSync(), bytes.slice(offset, offset + size));
    const into = new Uint8Array(size + 10);
    slice.copyTo!(into, 5);
    assert.deepEqual(into.subarray(5, 5 + size), bytes.slice(offset, offset + size));
  }
  assert.throws(() => fileSlice(join(folder, '0'), 900, 200).readSync(), { code: 'CONTENT_SHORT' });
});

test('slices: a file that was written again is read again', async (t) => {
  const path = join(temporary(t), 'file');
  await pour(memory('old content').open(), path);
  assert.equal(Buffer.from(hostFile(path).readSync()).toString(), 'old content');
  await pour(memory('new').open(), path);
  assert.equal(Buffer.from(hostFile(path).readSync()).toString(), 'new');
  for await (const _ of spooled(memory('newest').open(), path));
  assert.equal(Buffer.from(hostFile(path).readSync()).toString(), 'newest');
});

test('sparse: data and holes are separated and joined again', async () => {
  const { below } = random(11);
  for (let n = 0; n < 40; n++) {
    const extents: { offset: number; size: number }[] = [];
    let at = 0;
    for (let i = below(6); i > 0; i--) {
      at += below(300_000);
      extents.push({ offset: at, size: below(5000) });
      at += extents[extents.length - 1]!.size;
    }
    const size = at + below(100_000);
    const stored = noise(
      extents.reduce((sum, extent) => sum + extent.size, 0),
      n,
    );
    const content = sparse(memory(stored), extents, size);
    const whole = await collect(content.open());
    assert.equal(whole.length, size);
    assert.deepEqual(content.readSync(), whole);
    assert.deepEqual(await collect(dataOf(content, extents, 'x').open()), stored);
    // also from a content without hole information
    const plain = { ...memory(whole), open: () => inPieces(whole, 1 + below(70_000)) };
    assert.deepEqual(await collect(dataOf(plain, extents, 'x').open()), stored);
  }
  assert.throws(() => sparse(memory('ab'), [{ offset: 0, size: 1 }], 9), RangeError);
  assert.throws(() => sparse(memory('ab'), [{ offset: 8, size: 2 }], 9), RangeError);
});

test('cursor: looking ahead consumes nothing', async () => {
  const bytes = noise(1000);
  for (const chunk of [1, 7, 321, 1000]) {
    const cursor = new Cursor(inPieces(bytes, chunk), 'x');
    assert.deepEqual(new Uint8Array(await cursor.peek(10)), bytes.slice(0, 10));
    assert.equal(cursor.offset, 0);
    assert.deepEqual(await cursor.exactly(500, 'half'), bytes.slice(0, 500));
    assert.deepEqual(new Uint8Array(await cursor.peek(600)), bytes.slice(500));
    let seen = 0;
    await cursor.skip(400, 'more', (piece) => {
      seen += piece.length;
    });
    assert.equal(seen, 400);
    assert.equal(cursor.now(101), undefined);
    await assert.rejects(cursor.skip(101, 'too much'), { code: 'TRUNCATED' });
  }
});
