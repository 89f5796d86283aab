import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { memory } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { tarArchive } from '../../src/formats/tar/emit.ts';
import { directory, rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { PROGRAM } from '../support/cli.ts';
import { temporary } from '../support/data.ts';

async function rootfs(path: string): Promise<void> {
  const tree = new Tree(directory(rootMeta(0o755, 1)));
  tree.writeFile('etc/os-release', memory('ID=small\n'), rootMeta(0o644, 1));
  await pour(tarArchive(tree).open(), path);
}

const run = (cwd: string, args: readonly string[], input?: Uint8Array) =>
  spawnSync(process.execPath, [PROGRAM, ...args], { cwd, ...(input === undefined ? {} : { input }) });

test('a rootfs on standard input makes what the same file makes', async (t) => {
  const folder = temporary(t);
  await rootfs(join(folder, 'r.tar'));
  const plain = ['--skip-rootfs-check', '--json'];
  const byName = run(folder, ['initrd', 'r.tar', '-o', 'a.img', ...plain]);
  assert.equal(byName.status, 0, String(byName.stderr));
  const piped = run(folder, ['initrd', '-', '-o', 'b.img', ...plain], readFileSync(join(folder, 'r.tar')));
  assert.equal(piped.status, 0, String(piped.stderr));
  assert.ok(readFileSync(join(folder, 'a.img')).equals(readFileSync(join(folder, 'b.img'))));
});

test('extract never writes over what it reads, nor over a folder that it did not make', async (t) => {
  const folder = temporary(t);
  await rootfs(join(folder, 'r.tar'));
  const before = readFileSync(join(folder, 'r.tar'));
  mkdirSync(join(folder, 'mine'));
  writeFileSync(join(folder, 'mine/letter'), 'dear');
  for (const [target, code] of [
    ['r.tar', 'OUTPUT_IS_INPUT'],
    ['mine', 'DIRECTORY_NOT_OURS'],
  ] as const) {
    const { status, stdout } = run(folder, ['extract', 'r.tar', '-o', target, '--json']);
    assert.equal(status, 1, target);
    assert.equal(JSON.parse(String(stdout)).error.code, code);
  }
  assert.ok(readFileSync(join(folder, 'r.tar')).equals(before));
  assert.equal(readFileSync(join(folder, 'mine/letter'), 'utf8'), 'dear');
  assert.equal(run(folder, ['extract', 'r.tar', '-o', 'mine', '--force']).status, 0);
  assert.equal(readFileSync(join(folder, 'mine/etc/os-release'), 'utf8'), 'ID=small\n');
});

test('the config file is an input, too', async (t) => {
  const folder = temporary(t);
  await rootfs(join(folder, 'r.tar'));
  writeFileSync(join(folder, 'osbuilder.yaml'), 'fs-label: x\n');
  const { status, stdout } = run(folder, ['image', 'r.tar', '-o', 'osbuilder.yaml', '--skip-rootfs-check', '--json']);
  assert.equal(status, 1);
  assert.equal(JSON.parse(String(stdout)).error.code, 'OUTPUT_IS_INPUT');
  assert.equal(readFileSync(join(folder, 'osbuilder.yaml'), 'utf8'), 'fs-label: x\n');
});

test('a temporary folder that cannot be used is an error that names it', async (t) => {
  const folder = temporary(t);
  await rootfs(join(folder, 'r.tar'));
  for (const tmp of [join(folder, 'nowhere'), join(folder, 'r.tar')]) {
    const inspect = spawnSync(process.execPath, [PROGRAM, 'inspect', '-', '--json'], {
      cwd: folder,
      env: { ...process.env, TMPDIR: tmp },
      input: gzipSync(readFileSync(join(folder, 'r.tar'))),
    });
    assert.equal(inspect.status, 1, String(inspect.stderr));
    const { error } = JSON.parse(String(inspect.stdout));
    assert.equal(error.code, 'WRITE_FAILED');
    assert.match(error.message, new RegExp(tmp));
    assert.match(error.hint, /TMPDIR/);
  }
});
