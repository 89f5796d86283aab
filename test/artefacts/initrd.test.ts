import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { memory } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { tarArchive } from '../../src/formats/tar/emit.ts';
import { file } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';

test('extended attributes that an initrd cannot hold give a warning, an image keeps them', async (t) => {
  const folder = temporary(t);
  const tree = new Tree();
  const capability = new Uint8Array([1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  tree.set('usr/bin/ping', { ...file(memory('ping')), xattrs: new Map([['security.capability', capability]]) });
  await pour(tarArchive(tree).open(), join(folder, 'r.tar'));
  const run = (...args: string[]) => osbuilder(['build', 'r.tar', '--rootfs-only', '--json', ...args], { cwd: folder });
  const initrd = await run('--initrd', 'i.img');
  assert.equal(initrd.code, 0, initrd.stderr);
  const { warnings } = JSON.parse(initrd.stdout) as { warnings: { code: string; message: string }[] };
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['XATTRS_LOST'],
  );
  assert.match(warnings[0]!.message, /\/usr\/bin\/ping \(security\.capability\)/);
  const strict = await run('--strict', '--initrd', 's.img');
  assert.equal(strict.code, 1);
  assert.equal(existsSync(join(folder, 's.img')), false);
  const image = await run('--strict', '--image', 'k.img', '--image-size-alignment-mb', '8');
  assert.equal(image.code, 0, image.stderr);
  const back = await osbuilder(['extract', 'k.img', '-o', 'back.tar'], { cwd: folder });
  assert.equal(back.code, 0, back.stderr);
  assert.ok(readFileSync(join(folder, 'back.tar')).includes('SCHILY.xattr.security.capability'));
});
