import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Bytes, collect, isSkippable, memory, PIECE } from '../../src/bytes/content.ts';
import { Cursor } from '../../src/bytes/cursor.ts';
import { hostFile } from '../../src/bytes/file.ts';
import { slicesOf } from '../../src/bytes/spool.ts';
import { tarArchive } from '../../src/formats/tar/emit.ts';
import { readTar } from '../../src/formats/tar/read.ts';
import { file, rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { random, temporary } from '../support/data.ts';

/** The same bytes from a source that cannot skip. */
async function* read(source: Bytes): Bytes {
  for await (const piece of source) yield piece;
}

test('a cursor that passes over bytes of a file finds the same ones as a cursor that reads them', async (t) => {
  const path = join(temporary(t), 'file');
  const size = 3 * PIECE + 1234;
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(at, at);
  writeFileSync(path, bytes);
  const { below } = random(7);
  for (let round = 0; round < 200; round++) {
    const source = hostFile(path).open();
    assert.ok(isSkippable(source));
    const [skips, reads] = [new Cursor(source, path), new Cursor(read(hostFile(path).open()), path)];
    for (;;) {
      const [take, pass] = [below(600), below(3) === 0 ? below(2 * PIECE) : below(5000)];
      const [a, b] = [await skips.upTo(take), await reads.upTo(take)];
      assert.ok(Buffer.from(a).equals(b));
      if (a.length < take) break;
      const errors: unknown[] = [];
      for (const cursor of [skips, reads])
        await cursor
          .skip(pass, 'the test')
          .catch((error: { code: string; message: string }) => errors.push(error.message));
      assert.equal(skips.offset, reads.offset);
      assert.equal(errors[0], errors[1]);
      if (errors.length > 0) break;
    }
    assert.equal(await skips.atEnd(), await reads.atEnd());
    await skips.close();
  }
});

test('a tar archive has the same entries and the same errors when its files are passed over', async (t) => {
  const path = join(temporary(t), 'a.tar');
  const tree = new Tree();
  const sizes = [0, 1, 511, 512, 513, PIECE - 512, PIECE, PIECE + 1, 3 * PIECE, 100];
  for (const [i, size] of sizes.entries()) tree.set(`f${i}`, file(memory(Buffer.alloc(size, i)), rootMeta(0o644)));
  const whole = await collect(tarArchive(tree).open());
  const entriesOf = async (source: Bytes) => {
    const paths: string[] = [];
    try {
      for await (const entry of readTar(source, path, slicesOf(path)))
        paths.push(
          'inode' in entry && entry.inode.kind === 'file' ? `${entry.path} ${entry.inode.content.size}` : entry.path,
        );
    } catch (error) {
      paths.push((error as Error).message);
    }
    return paths;
  };
  writeFileSync(path, whole);
  const { below } = random(8);
  const complete = await entriesOf(hostFile(path).open());
  assert.equal(complete.length, sizes.length + 1);
  for (let length = whole.length, round = 0; round < 150; round++, length = below(whole.length)) {
    writeFileSync(path, whole);
    truncateSync(path, length);
    assert.deepEqual(
      await entriesOf(hostFile(path).open()),
      await entriesOf(read(hostFile(path).open())),
      `${length} bytes`,
    );
  }
});
