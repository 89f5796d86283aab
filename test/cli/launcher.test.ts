import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PROGRAM } from '../support/cli.ts';
import { ROOT, temporary } from '../support/data.ts';

test('a Node that is too old is reported in one sentence', (t) => {
  const fake = join(temporary(t), 'fake.cjs');
  for (const [version, old] of [
    ['12.22.0', true],
    ['20.18.3', true],
    ['20.19.0', false],
    ['24.0.0', false],
  ] as const) {
    writeFileSync(fake, `Object.defineProperty(process.versions, 'node', { value: '${version}' });\n`);
    const run = spawnSync(process.execPath, ['--require', fake, PROGRAM, 'version'], { encoding: 'utf8' });
    assert.equal(run.status, old ? 1 : 0, run.stderr);
    if (old) assert.equal(run.stderr, `osbuilder needs Node 20.19 or newer, and this is Node ${version}.\n`);
  }
});

test('the launcher has no syntax and no import that an old Node could not parse', () => {
  const text = readFileSync(join(ROOT, 'src/cli/main.ts'), 'utf8').replace(/^(#!.*|\s*\/\/.*)$/gm, '');
  assert.doesNotMatch(text, /^import\s+[^(]|\?\.|\?\?|\bawait\b|\|\|=|&&=/m);
});
