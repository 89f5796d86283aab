import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { ociLayout, writeLayout } from '../support/containers.ts';
import { temporary } from '../support/data.ts';
import { tar } from '../support/debs.ts';
import { elfFile } from '../support/elves.ts';

/** `osbuilder verify` of several files, of kernels and of programs; `inspect` of what cannot be told. */

test('verify checks every file, also behind those that cannot be read or are not sound, and reports each', async (t) => {
  const folder = temporary(t);
  const bytes = tar([{ name: 'etc/' }, { name: 'etc/a', data: 'x'.repeat(3000) }]);
  writeFileSync(join(folder, 'good.tar'), bytes);
  writeFileSync(join(folder, 'cut.tar'), bytes.subarray(0, 2500));
  writeFileSync(join(folder, 'junk'), 'nothing that is known');
  const verify = (...args: string[]) => osbuilder(['verify', ...args], { cwd: folder });
  for (const [files, code, count] of [
    [['none', 'good.tar'], 'READ_FAILED', 1],
    [['junk', 'good.tar'], 'ROOTFS_UNKNOWN', 1],
    [['none', 'junk', 'good.tar'], 'UNVERIFIED', 2],
    [['none', 'cut.tar', 'good.tar'], 'UNSOUND', 1],
    [['good.tar', 'cut.tar', 'junk'], 'UNSOUND', 1],
  ] as const) {
    const text = await verify(...files);
    assert.equal(text.code, 1, text.stderr);
    assert.match(text.stderr, new RegExp(`\\[${code}\\]`));
    const lines = text.stdout.split('\n');
    assert.ok(lines.includes('good.tar: tar, sound'), text.stdout);
    assert.equal(lines.filter((line) => line.includes(': NOT verified: ')).length, count, text.stdout);
    assert.equal(lines.includes('cut.tar: tar, NOT sound'), (files as readonly string[]).includes('cut.tar'));
    const json = await verify(...files, '--json');
    const { error } = JSON.parse(json.stdout) as { error: { code: string; message: string; context: object } };
    assert.deepEqual([json.code, error.code], [1, code]);
    for (const file of files)
      assert.equal(JSON.stringify([error.message, error.context]).includes(file), file !== 'good.tar', file);
  }
  // misuse is not about one file
  const misuse = await verify('good.tar', 'none', '--root-hash', '0'.repeat(64));
  assert.equal(misuse.code, 2, misuse.stderr);
});

test('verify calls an ELF file a kernel if it says so itself, whatever it is linked as, and no other', async (t) => {
  const folder = temporary(t);
  const banner = 'Linux version 6.12.1-made (me@here) (gcc 14) #1 SMP\n';
  const elf = (text: string, before = 0, facts: Parameters<typeof elfFile>[0] = {}) =>
    Buffer.concat([elfFile(facts), Buffer.alloc(before), Buffer.from(`\0${text}\0`)]);
  const interpreter = '/usr/lib/ld.so.1';
  for (const [name, bytes, isKernel] of [
    ['vmlinux', elf(banner), true],
    // beyond the first piece that is looked at, and across its end
    ['far', elf(banner, 3_000_000), true],
    ['across', elf(banner, (1 << 20) - elfFile({}).length - 10), true],
    ['ppc64le', elf(banner, 0, { machine: 21, interpreter }), true],
    ['s390x', elf(banner, 0, { machine: 22, little: false }), true],
    ['wrapped', elf('.kernel:vmlinux.strip', 0, { machine: 21 }), true],
    ['program', elf('Linux version %s is too old', 0, { interpreter, needed: ['libc.so.6'] }), false],
    ['library', elf('Linux version 2.6.32 or newer', 0, { soname: 'libx.so.1' }), false],
    ['node', undefined, false],
  ] as const) {
    const path = bytes === undefined ? process.execPath : join(folder, name);
    if (bytes !== undefined) writeFileSync(path, bytes);
    const { code, stdout, stderr } = await osbuilder(['verify', path]);
    if (isKernel) {
      assert.equal(code, 0, `${name}: ${stderr}`);
      assert.equal(stdout.split('\n')[0], `${path}: kernel`);
      assert.match(stdout, /^ {2}not checked: all of it/m);
    } else {
      assert.deepEqual([code, stdout], [1, ''], name);
      assert.match(stderr, /\[ROOTFS_UNKNOWN\]/, name);
    }
  }
});

test('inspect prints nothing of a layout of which it cannot tell the image', async (t) => {
  const folder = temporary(t);
  const files = await ociLayout([{ members: [{ name: 'etc/' }] }], { images: 2 });
  const layout = writeLayout(join(folder, 'layout'), files);
  const archive = join(folder, 'layout.tar');
  writeFileSync(archive, tar([...files].map(([name, data]) => ({ name, data }))));
  for (const path of [layout, archive, `oci:${layout}`]) {
    const { code, stdout, stderr } = await osbuilder(['inspect', path]);
    assert.deepEqual([code, stdout], [1, ''], path);
    assert.match(stderr, /\[CONTAINER_SEVERAL\]/);
  }
});
