import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, temporary } from '../support/data.ts';

test('the build removes output without a source, rebuilds deleted output, and leaves the rest unchanged', (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'src/deep'), { recursive: true });
  mkdirSync(join(folder, 'src/cli'));
  mkdirSync(join(folder, 'test'));
  for (const name of ['scripts', 'tsconfig.json', 'package.json'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const write = (path: string) => writeFileSync(join(folder, path), 'export const one = 1;\n');
  for (const path of ['src/a.ts', 'src/deep/b.ts', 'test/c.test.ts', 'src/cli/main.ts']) write(path);
  const build = () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'scripts/build.mjs')], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stdout + stderr);
  };
  const built = (path: string) => existsSync(join(folder, 'dist', path));
  build();
  assert.ok(built('bundle/cli/main.js') && built('src/a.js') && built('src/deep/b.d.ts') && built('test/c.test.js'));
  const before = statSync(join(folder, 'dist/src/a.js')).mtimeMs;

  renameSync(join(folder, 'src/deep/b.ts'), join(folder, 'src/b.ts'));
  rmSync(join(folder, 'test/c.test.ts'));
  writeFileSync(join(folder, 'dist/src/stray.js'), '');
  writeFileSync(join(folder, 'dist/src/a.js.map'), '');
  build();
  for (const path of ['src/deep/b.js', 'src/deep/b.d.ts', 'test/c.test.js', 'src/stray.js', 'src/a.js.map'])
    assert.ok(!built(path), path);
  assert.ok(built('src/b.js'));
  assert.equal(statSync(join(folder, 'dist/src/a.js')).mtimeMs, before, 'what has not changed is not written again');

  rmSync(join(folder, 'dist/src/b.js'));
  build();
  assert.ok(built('src/b.js'));
});
