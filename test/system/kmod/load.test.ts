import assert from 'node:assert/strict';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BuildError } from '../../../src/errors/error.ts';
import { loadModules, readAhead } from '../../../src/system/kmod/load.ts';
import { readDirectory } from '../../../src/tree/directory-read.ts';
import { lazyTree } from '../../../src/tree/lazy.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { parallelism } from '../../../src/workers/pool.ts';
import { closePool, setJobs } from '../../../src/workers/shared.ts';
import { temporary } from '../../support/data.ts';
import { madeModule } from '../../support/modules.ts';

after(async () => {
  await setJobs(parallelism());
  await closePool();
});

const COUNT = 150;

/** A folder of compressed modules, of which some cannot be read, and some are not compressed. */
function folderOf(t: Parameters<typeof temporary>[0]): string {
  const folder = temporary(t);
  for (let i = 0; i < COUNT; i++) {
    const bytes = madeModule({ info: [`alias=is:${i}`], exports: [`s${i}`], code: i % 40 === 0 ? 500_000 : 0 });
    const packed = gzipSync(bytes, { level: i % 40 === 0 ? 0 : 6 });
    const stored = i % 9 === 4 ? packed.subarray(0, packed.length - 9) : i % 13 === 6 ? bytes : packed;
    writeFileSync(join(folder, `m${i}.ko.gz`), stored);
  }
  return folder;
}

const filesOf = (tree: Tree) => tree.list('').map((path) => ({ path, content: tree.file(path)!.content }));

async function facts(tree: Tree, ahead: boolean): Promise<unknown[]> {
  const files = filesOf(tree);
  if (ahead) await readAhead(files);
  return (await loadModules(files)).map((one, at) => {
    if (!(one instanceof BuildError)) return [files[at]!.path, one.data];
    return [files[at]!.path, one.code];
  });
}

test('modules have the same facts and errors with any number of threads, read ahead or not, from any folder', async (t) => {
  const folder = folderOf(t);
  await setJobs(1);
  const expected = await facts(readDirectory(folder), false);
  const failed = expected.filter((one) => typeof (one as unknown[])[1] === 'string');
  assert.equal(failed.length, 17);
  for (const jobs of [2, 5]) {
    await setJobs(jobs);
    for (const ahead of [false, true])
      for (const open of [readDirectory, (path: string) => lazyTree(path, new Set<string>())])
        assert.deepEqual(await facts(open(folder), ahead), expected);
  }
});

test('a module of a system that changes while it is read ahead is an error that names it', async (t) => {
  const folder = folderOf(t);
  await setJobs(2);
  const tree = lazyTree(folder, new Set<string>());
  const files = filesOf(tree);
  utimesSync(join(folder, 'm77.ko.gz'), 1, 1);
  await readAhead(files);
  const results = await loadModules(files);
  const changed = results.filter((one) => one instanceof BuildError && one.code === 'SYSROOT_CHANGED');
  assert.equal(changed.length, 1);
  assert.match(String((changed[0] as BuildError).message), /m77\.ko\.gz/);
});
