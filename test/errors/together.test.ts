import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { together } from '../../src/errors/together.ts';
import { ROOT } from '../support/data.ts';

test('all are waited for, and the first failure in their order is the error', async () => {
  const done: string[] = [];
  const step = async (name: string, milliseconds: number, fails = false): Promise<string> => {
    await sleep(milliseconds);
    done.push(name);
    if (fails) throw new Error(name);
    return name;
  };
  const [a, b] = await together([step('a', 5), 7 as number]);
  assert.deepEqual([a, b], ['a', 7]);
  done.length = 0;
  await assert.rejects(together([step('late', 30), step('second', 20, true), step('first to fail', 1, true)]), {
    message: 'second',
  });
  assert.deepEqual(done.sort(), ['first to fail', 'late', 'second']);
});

test('what families and the pipeline do at once goes on behind no error', () => {
  const found: string[] = [];
  for (const folder of ['families', 'pipeline', 'fetch'])
    for (const name of readdirSync(join(ROOT, 'src', folder), { recursive: true, encoding: 'utf8' }).sort()) {
      if (!name.endsWith('.ts')) continue;
      const text = readFileSync(join(ROOT, 'src', folder, name), 'utf8');
      // modules that are loaded write nothing
      for (const [, what] of text.matchAll(/Promise\.all\(([\s\S]{0,60})/g))
        if (!/^\[\s*import\(/.test(what!)) found.push(`${folder}/${name}: ${/^\s*\w*/.exec(what!)![0].trim()}`);
    }
  assert.deepEqual(found, [
    // what was fetched is read, in memory
    'families/apk/locked.ts: archives',
    'families/apk/repository.ts: members',
    // files wait for each other there
    'fetch/mirror.ts: wants',
  ]);
});
