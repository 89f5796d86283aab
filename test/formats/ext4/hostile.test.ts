import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, memory } from '../../../src/bytes/content.ts';
import { randomAccessMemory } from '../../../src/bytes/file.ts';
import { mbr } from '../../../src/formats/disk/mbr.ts';
import { checkExt4 } from '../../../src/formats/ext4/check/check.ts';
import { ext4Image } from '../../../src/formats/ext4/emit.ts';
import { openExt4 } from '../../../src/formats/ext4/read.ts';
import { directory, file } from '../../../src/tree/inode.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { osbuilder } from '../../support/cli.ts';
import { needs, temporary } from '../../support/data.ts';
import { Patient } from './damage.ts';
import { run } from './reference-tools.ts';

async function small(name: string): Promise<Uint8Array> {
  const tree = new Tree(directory({ mode: 0o755, uid: 0, gid: 0, mtime: 0 }));
  tree.root.children.set(name, file(memory(Buffer.from('content'))));
  return collect(ext4Image(tree, { blockSize: 1024, features: { metadata_csum: false, has_journal: false } }).open());
}

test('an entry renamed to "." or ".." is rejected by the reader and named by the check', async () => {
  for (const name of ['.', '..']) {
    const patient = new Patient(Uint8Array.from(await small('ab'.slice(0, name.length))));
    const at = patient.entry(2, 'ab'.slice(0, name.length));
    patient.bytes.fill(0x2e, at + 8, at + 8 + name.length);
    const access = randomAccessMemory(patient.bytes);
    assert.throws(() => openExt4(access).tree(), { code: 'EXT4_CORRUPT' });
    assert.match(JSON.stringify(checkExt4(access).faults), /second entry/);
  }
});

test('a superblock in front of the first partition does not make a disk a file system', async (t) => {
  const folder = temporary(t);
  const right = await small('right');
  const wrong = await small('wrong');
  const start = 1 << 20;
  const disk = new Uint8Array(start + Math.ceil(right.length / 512) * 512);
  disk.set(wrong.subarray(0, Math.min(wrong.length, start)));
  disk.set(mbr([{ start, size: disk.length - start, type: 0x83 }]));
  disk.set(right, start);
  writeFileSync(join(folder, 'disk.img'), disk);
  const { code, stdout, stderr } = await osbuilder(['inspect', 'disk.img', '--json'], { cwd: folder });
  assert.equal(code, 0, stderr);
  assert.equal(
    (JSON.parse(stdout) as { kind?: string }).kind ?? JSON.parse(stdout).artefact?.kind,
    'disk',
    stdout.slice(0, 300),
  );
  // without a table in front it is a file system
  writeFileSync(join(folder, 'bare.img'), right);
  const bare = await osbuilder(['inspect', 'bare.img', '--json'], { cwd: folder });
  assert.match(bare.stdout, /"kind": "ext4"/);
});

test('a link with attributes in a cluster of several blocks', {
  skip: needs({ tools: ['mke2fs', 'debugfs'] }),
}, (t) => {
  const folder = temporary(t);
  const path = join(folder, 'image');
  run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '1024', '-O', 'bigalloc,^has_journal', '-C', '8192', path, '32M']);
  writeFileSync(join(folder, 'value'), Buffer.alloc(500, 'v'));
  writeFileSync(join(folder, 'script'), `symlink link target\nea_set -f ${join(folder, 'value')} link user.large\n`);
  run('debugfs', ['-w', '-f', join(folder, 'script'), path]);
  const bytes = readFileSync(path);
  const patient = new Patient(Uint8Array.from(bytes));
  assert.notEqual(patient.get32(patient.field('link', 'fileAcl')), 0);
  // as the kernel counts it: debugfs of this version counts a block
  patient.u32(patient.field('link', 'blocks'), 16);
  const volume = openExt4(randomAccessMemory(patient.bytes), { verify: false });
  const found = volume.tree().lstat('link');
  assert.equal(found?.kind === 'symlink' ? found.target : undefined, 'target');
});
