import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { claim, task } from '../../src/artefacts/digest-task.ts';
import { completeDigests } from '../../src/artefacts/digests.ts';
import { memory } from '../../src/bytes/content.ts';
import { BuildError } from '../../src/errors/error.ts';
import type { Event } from '../../src/events/events.ts';
import { readDirectory } from '../../src/tree/directory-read.ts';
import { file, rootMeta } from '../../src/tree/inode.ts';
import { closePool, setJobs } from '../../src/workers/shared.ts';
import { random, temporary } from '../support/data.ts';

const KIB = 1024;

/** A folder of files of sizes around every limit, and what each contains. */
function folderOf(folder: string): Map<string, Buffer> {
  const { below } = random(4);
  const files = new Map<string, Buffer>();
  const sizes = [0, 1, 4096, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 256 * KIB, 256 * KIB + 1, 3_000_000];
  mkdirSync(folder);
  for (let i = 0; i < 60; i++) {
    const bytes = Buffer.alloc(sizes[i % sizes.length]!, below(256));
    bytes[0] = i;
    files.set(`f${i}`, bytes);
    writeFileSync(join(folder, `f${i}`), bytes);
  }
  return files;
}

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

for (const jobs of [1, 2])
  test(`digests of a folder, and of what is in memory, with ${jobs} threads`, async (t) => {
    await setJobs(jobs);
    t.after(closePool);
    const folder = join(temporary(t), 'root');
    const files = folderOf(folder);
    const tree = readDirectory(folder);
    const own = Buffer.alloc(100 * KIB, 7);
    tree.set('own', file(memory(own), rootMeta(0o644)));
    files.set('own', own);
    const events: Event[] = [];
    await completeDigests(tree, (event) => events.push(event));
    for (const [path, bytes] of files) assert.equal(tree.file(path)?.content.sha256, digest(bytes), path);
    const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    assert.deepEqual(events[0], { kind: 'phase', phase: 'hash', bytes: total });
    assert.deepEqual(events.at(-1), { kind: 'ended', phase: 'hash', bytes: total });
    // again: nothing is missing
    await completeDigests(tree, () => assert.fail('nothing is to be done'));
  });

test('each content is digested by one thread, and what another one has begun is left to it', async (t) => {
  const folder = join(temporary(t), 'root');
  folderOf(folder);
  const tree = readDirectory(folder);
  const contents = [0, 1, 8].map((i) => tree.file(`f${i}`)!.content.reopening!());
  const begun = new Int32Array(new SharedArrayBuffer(4 * contents.length));
  assert.equal(claim(begun, 1), true);
  assert.equal(claim(begun, 1), false);
  assert.deepEqual(
    (await task({ contents, begun })).map(([number]) => number),
    [2, 0],
  );
  assert.deepEqual(await task({ contents, begun }), []);
});

test('a file that changed since it was listed is the same error, whichever thread reads it', async (t) => {
  t.after(closePool);
  const folder = join(temporary(t), 'root');
  folderOf(folder);
  const large = Array.from({ length: 60 }, (_, i) => i).filter((i) => i % 9 === 8);
  for (const size of [2_000_000, 4_000_000]) {
    const codes: unknown[] = [];
    for (const jobs of [1, 2]) {
      await setJobs(jobs);
      for (const i of large) writeFileSync(join(folder, `f${i}`), Buffer.alloc(3_000_000, i));
      const tree = readDirectory(folder);
      for (const i of large) writeFileSync(join(folder, `f${i}`), Buffer.alloc(size, i));
      await assert.rejects(completeDigests(tree), (error: unknown) => {
        codes.push((error as { code?: string }).code);
        return error instanceof BuildError;
      });
    }
    assert.equal(codes[1], codes[0], `${size} bytes`);
  }
});
