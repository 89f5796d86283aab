import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { tar } from '../support/debs.ts';

/** A rootfs archive whose files move when something is added. */
function source(): Buffer {
  const files = Array.from({ length: 40 }, (_, i) => ({ name: `f${i}`, data: Buffer.alloc(3000 + i, 65 + (i % 26)) }));
  return tar([{ name: 'usr/' }, { name: 'usr/bin/' }, { name: 'sbin/' }, ...files]);
}

test('when one artefact fails, none appears and none is replaced', async (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'a.tar'), source());
  writeFileSync(join(folder, 'old.tar'), 'what stood there');
  writeFileSync(join(folder, 'file'), '');
  const result = await osbuilder(
    ['build', 'a.tar', '--agent', 'demo', '--agent-init', '--rootfs', 'old.tar', '--initrd', 'file/i.img'],
    { cwd: folder },
  );
  assert.equal(result.code, 1, result.stderr);
  assert.match(result.stderr, /\[WRITE_FAILED\]/);
  assert.equal(readFileSync(join(folder, 'old.tar'), 'utf8'), 'what stood there');
  assert.deepEqual(readdirSync(folder).sort(), ['a.tar', 'file', 'old.tar']);
});

test('one file for two artefacts is rejected, and a folder in the place of one', async (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'a.tar'), source());
  mkdirSync(join(folder, 'taken.img'));
  const args = ['build', 'a.tar', '--agent', 'demo', '--agent-init'];
  const twice = await osbuilder([...args, '--rootfs', 'x.tar', '--initrd', './x.tar'], { cwd: folder });
  assert.equal(twice.code, 1);
  assert.match(twice.stderr, /\[SETTING_CONFLICT\]/);
  const taken = await osbuilder([...args, '--initrd', 'taken.img'], { cwd: folder });
  assert.equal(taken.code, 1, taken.stderr);
  assert.match(taken.stderr, /\[WRITE_FAILED\]/);
  assert.deepEqual(readdirSync(folder).sort(), ['a.tar', 'taken.img']);
});
