import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BuildError } from '../../../src/errors/error.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { KernelModule } from '../../../src/formats/kmod/module.ts';
import { KeptModules, keptModules } from '../../../src/system/kmod/kept.ts';
import { loadModules, readAhead } from '../../../src/system/kmod/load.ts';
import { readDirectory } from '../../../src/tree/directory-read.ts';
import { parallelism } from '../../../src/workers/pool.ts';
import { closePool, setJobs } from '../../../src/workers/shared.ts';
import { temporary } from '../../support/data.ts';
import { madeModule } from '../../support/modules.ts';

after(async () => {
  await setJobs(parallelism());
  await closePool();
});

const COUNT = 50;

const moduleOf = (i: number, alias = `is:${i}`) =>
  gzipSync(madeModule({ info: [`alias=${alias}`], exports: [`s${i}`], needs: [`n${i}`, 'printk'] }));

function folderOf(t: Parameters<typeof temporary>[0]): string {
  const folder = temporary(t);
  for (let i = 0; i < COUNT; i++) writeFileSync(join(folder, `m${i}.ko.gz`), moduleOf(i));
  return folder;
}

/** Facts of all modules of a folder that was opened for this; codes in place of what cannot be read. */
async function factsOf(folder: string, kept?: KeptModules, ahead = false): Promise<unknown[]> {
  const tree = readDirectory(folder);
  const files = tree.list('').map((path) => ({ path, content: tree.file(path)!.content }));
  if (ahead) await readAhead(files, kept);
  return (await loadModules(files, kept)).map((one) => (one instanceof KernelModule ? one.data : one.code));
}

const keptFiles = (cache: Cache) =>
  readdirSync(join(cache.directory, 'parsed'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.modules'))
    .map((name) => join(cache.directory, 'parsed', name));

/** Counts how often facts that were kept are taken. */
class Counting extends KeptModules {
  taken = 0;
  override read(name: string) {
    const found = super.read(name);
    if (found !== undefined) this.taken++;
    return found;
  }
}

test('facts of modules are kept for their files, and the same as those that are read', async (t) => {
  const folder = folderOf(t);
  const expected = await factsOf(folder);
  for (const jobs of [1, 2])
    for (const ahead of [false, true]) {
      await setJobs(jobs);
      const kept = new Counting(new Cache(temporary(t)), 'code');
      for (const taken of [0, 1, 2]) {
        assert.deepEqual(await factsOf(folder, kept, ahead), expected);
        assert.equal(kept.taken, taken);
      }
    }
});

test('a module that changed, and what is not as it was kept, is read again', async (t) => {
  const folder = folderOf(t);
  const cache = new Cache(temporary(t));
  const kept = new Counting(cache, 'code');
  await factsOf(folder, kept);
  // the same size and time, as `cp -p` of another version may leave it
  const path = join(folder, 'm7.ko.gz');
  const before = statSync(path);
  const other = moduleOf(7, 'is:X');
  assert.equal(other.length, before.size);
  writeFileSync(path, other);
  utimesSync(path, before.atime, before.mtime);
  const expected = await factsOf(folder);
  assert.ok(expected.some((one) => Buffer.from((one as { info: Uint8Array }).info).includes('is:X')));
  assert.deepEqual(await factsOf(folder, kept), expected);
  assert.equal(kept.taken, 0);
  assert.equal(keptFiles(cache).length, 2);

  for (const damage of [
    (file: string) => truncateSync(file, statSync(file).size - 5),
    (file: string) => {
      const bytes = readFileSync(file);
      bytes[bytes.length - 3]! ^= 1;
      writeFileSync(file, bytes);
    },
    (file: string) => writeFileSync(file, ''),
    (file: string) => rmSync(file),
  ]) {
    for (const file of keptFiles(cache)) damage(file);
    // another process: nothing is known of the cache
    const later = new Counting(new Cache(cache.directory), 'code');
    assert.deepEqual(await factsOf(folder, later), expected);
    assert.equal(later.taken, 0);
    assert.deepEqual(await factsOf(folder, later), expected);
    assert.equal(later.taken, 1);
  }
});

test('nothing is kept of modules that cannot be read, for other code, or where all is made anew', async (t) => {
  const folder = folderOf(t);
  const path = join(folder, 'm3.ko.gz');
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, whole.length - 9));
  const cache = new Cache(temporary(t));
  const kept = new Counting(cache, 'code');
  for (let i = 0; i < 2; i++)
    assert.equal((await factsOf(folder, kept)).filter((one) => typeof one === 'string').length, 1);
  assert.equal(kept.taken, 0);
  writeFileSync(path, whole);
  await factsOf(folder, kept);
  const other = new Counting(cache, 'other code');
  await factsOf(folder, other);
  assert.equal(other.taken, 0);
  assert.equal(keptFiles(cache).length, 2);
  assert.equal(keptModules({ cache, anew: true }), undefined);
});

test('a cache that cannot be written to changes nothing', async (t) => {
  const folder = folderOf(t);
  const place = join(temporary(t), 'file');
  writeFileSync(place, '');
  const kept = new KeptModules(new Cache(join(place, 'cache')), 'code');
  const facts = await factsOf(folder, kept);
  assert.equal(facts.length, COUNT);
  assert.ok(!facts.some((one) => one instanceof BuildError || typeof one === 'string'));
});
