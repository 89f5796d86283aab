import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pool } from '../../../../src/families/rpm/solver/pool.ts';
import { problemset } from '../../../../src/families/rpm/solver/problemset.ts';
import { run } from '../../../../src/families/rpm/solver/run.ts';
import { needs, temporary, tool } from '../../../support/data.ts';
import { randomTestFile } from './random-pool.ts';
import { engineJobs, readTestFile, type TestCase } from './testcase.ts';

/** Our answer to a test case, in testsolv's words. */
export function answer(one: TestCase): readonly string[] | 'rejected' {
  const coloured = one.poolFlags.includes('implicitobsoleteusescolors');
  const pool = new Pool(one.repositories, { architecture: one.architecture!, coloured, keepOrder: true });
  const { jobs, multiversion } = engineJobs(pool, one.jobs);
  const weak = !one.solverFlags.includes('ignorerecommended');
  const { state, solved } = run(problemset(pool, jobs, multiversion, weak), weak, multiversion);
  if (!solved) return 'rejected';
  return state.decisions
    .filter((id) => id > 1)
    .map((id) => `install ${pool.show(id)}@${pool.repositories[pool.repository[id]!]!.name}`)
    .sort();
}

/** What testsolv prints for each case of some files. */
function testsolv(files: readonly string[]): (readonly string[] | 'rejected')[] {
  const printed = execFileSync(tool('testsolv')!, ['-r', ...files], { encoding: 'latin1', maxBuffer: 1 << 28 });
  return printed
    .split(/^test \d+:\n/m)
    .slice(1)
    .map((block) => {
      const lines = block.split('\n').filter((line) => line !== '');
      return lines.some((line) => line.startsWith('problem')) ? 'rejected' : lines.sort();
    });
}

const REQUESTS = 4;
const FILES = 1500;
const BATCH = 250;

for (let batch = 0; batch < FILES / BATCH; batch++)
  test(`${BATCH * REQUESTS} requests of random repositories, as testsolv answers them (${batch})`, {
    skip: needs({ tools: ['testsolv'] }),
  }, (t) => {
    const folder = temporary(t);
    const files: string[] = [];
    for (let i = 0; i < BATCH; i++) {
      const seed = batch * BATCH + i;
      const file = join(folder, `${seed}.t`);
      writeFileSync(file, randomTestFile(seed, REQUESTS), 'latin1');
      files.push(file);
    }
    const theirs = testsolv(files);
    assert.equal(theirs.length, BATCH * REQUESTS);
    let at = 0;
    let rejected = 0;
    for (const [i, file] of files.entries())
      for (const one of readTestFile(file)) {
        const expected = theirs[at++]!;
        if (expected === 'rejected') rejected++;
        assert.deepEqual(answer(one), expected, `seed ${batch * BATCH + i}, request ${one.number}`);
      }
    // the mix is of use only while both happen
    assert.ok(rejected > BATCH / 2 && rejected < BATCH * (REQUESTS - 1), `${rejected} rejected`);
  });
