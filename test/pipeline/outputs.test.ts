import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

test('artefacts may take the place of what they are made from', async (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'a.tar'), source());
  copyFileSync(join(folder, 'a.tar'), join(folder, 'b.tar'));
  mkdirSync(join(folder, 'over/a'), { recursive: true });
  writeFileSync(join(folder, 'over/a/early'), 'x'.repeat(2000));
  const args = [
    '--agent',
    'demo',
    '--agent-init',
    '--overlay',
    'over',
    '--source-date-epoch',
    '1700000000',
    '--compress',
    'none',
  ];
  const apart = await osbuilder(['build', 'b.tar', ...args, '--rootfs', 'c.tar', '--initrd', 'c.img'], { cwd: folder });
  assert.equal(apart.code, 0, apart.stderr);
  const over = await osbuilder(['build', 'a.tar', ...args, '--rootfs', 'a.tar', '--initrd', 'a.img'], { cwd: folder });
  assert.equal(over.code, 0, over.stderr);
  for (const ending of ['tar', 'img'])
    assert.deepEqual(readFileSync(join(folder, `a.${ending}`)), readFileSync(join(folder, `c.${ending}`)), ending);
});

test('a rootfs folder is provisioned in place', async (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'a.tar'), source());
  assert.equal((await osbuilder(['extract', 'a.tar', '-o', 'root/'], { cwd: folder })).code, 0);
  const args = ['--agent', 'demo', '--agent-init', '--source-date-epoch', '1700000000'];
  const apart = await osbuilder(['build', 'root', ...args, '--rootfs', 'c.tar', '--initrd', 'c.img'], { cwd: folder });
  assert.equal(apart.code, 0, apart.stderr);
  const over = await osbuilder(['build', 'root', ...args, '--rootfs', 'root/', '--initrd', 'a.img'], { cwd: folder });
  assert.equal(over.code, 0, over.stderr);
  assert.deepEqual(readFileSync(join(folder, 'a.img')), readFileSync(join(folder, 'c.img')));
  assert.equal((await osbuilder(['extract', 'root', '-o', 'a.tar'], { cwd: folder })).code, 0);
  assert.deepEqual(readFileSync(join(folder, 'a.tar')), readFileSync(join(folder, 'c.tar')));
});

test('when one artefact fails, none appears and none is replaced', async (t) => {
  const folder = temporary(t);
  writeFileSync(join(folder, 'a.tar'), source());
  writeFileSync(join(folder, 'old.tar'), 'what stood there');
  writeFileSync(join(folder, 'file'), '');
  const said = await osbuilder(
    ['build', 'a.tar', '--agent', 'demo', '--agent-init', '--rootfs', 'old.tar', '--initrd', 'file/i.img'],
    { cwd: folder },
  );
  assert.equal(said.code, 1, said.stderr);
  assert.match(said.stderr, /\[WRITE_FAILED\]/);
  assert.equal(readFileSync(join(folder, 'old.tar'), 'utf8'), 'what stood there');
  assert.deepEqual(readdirSync(folder).sort(), ['a.tar', 'file', 'old.tar']);
});

test('one file for two artefacts is refused, and a folder in the place of one', async (t) => {
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
