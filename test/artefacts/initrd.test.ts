import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openArtefact } from '../../src/artefacts/open.ts';
import { collect, memory } from '../../src/bytes/content.ts';
import { pour } from '../../src/bytes/pour.ts';
import { compress, type WritableFormat } from '../../src/compression/compress.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
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

test('small archives one after another, each compressed in its own way, are one initrd, as the kernel reads them', async (t) => {
  const folder = temporary(t);
  const formats: readonly WritableFormat[] = ['none', 'gzip', 'zstd', 'lz4'];
  const part = async (name: string, format: WritableFormat) => {
    const tree = new Tree();
    tree.set(name, file(memory(name)));
    const plain = await collect(cpioArchive(tree).open());
    return format === 'none' ? plain : collect(compress(memory(plain).open(), format));
  };
  for (const first of formats)
    for (const second of formats) {
      const path = join(folder, `${first}-${second}`);
      const padding = Buffer.alloc(first === 'none' ? 0 : 4);
      writeFileSync(path, Buffer.concat([await part('a', first), padding, await part('b', second)]));
      const artefact = await openArtefact(path, { workspace: () => folder });
      assert.deepEqual([artefact.kind, (await artefact.tree()).list('')], ['initrd', ['a', 'b']], path);
      const listed = await osbuilder(['inspect', path, '--cat', 'b']);
      assert.deepEqual([listed.code, listed.stdout], [0, 'b'], `${path}: ${listed.stderr}`);
    }
  // what is no archive is found all the same
  for (const format of formats) {
    const path = join(folder, `junk-${format}`);
    writeFileSync(path, Buffer.concat([await part('a', format), Buffer.from('junk')]));
    const verified = await osbuilder(['verify', path]);
    assert.deepEqual([verified.code, /UNSOUND/.test(verified.stderr)], [1, true], `${path}: ${verified.stderr}`);
  }
});

test('inspect counts every path once', async (t) => {
  const folder = temporary(t);
  const tree = new Tree();
  tree.set('d/a', file(memory('a')));
  tree.symlink('d/b', 'a');
  await pour(tarArchive(tree).open(), join(folder, 'r.tar'));
  const { stdout } = await osbuilder(['inspect', join(folder, 'r.tar')]);
  assert.match(stdout, /^3 entries: 1 files \(1 B\), 1 folders, 1 links, 0 others$/m);
});
