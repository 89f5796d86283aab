import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';

/** Every command that makes a guest makes the same one of the same settings: none leaves one of them out. */

const EPOCH = '1700000000';

/** A folder with a system, a list of what is kept, and a way to run commands there. */
function ground(t: TestContext) {
  const folder = temporary(t);
  for (const path of ['tree/etc', 'tree/usr/bin', 'tree/usr/share/doc'])
    mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, 'tree/etc/os-release'), 'ID=small\n');
  writeFileSync(join(folder, 'tree/etc/other'), 'other\n');
  writeFileSync(join(folder, 'tree/usr/bin/tool'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(folder, 'tree/usr/share/doc/text'), 'text\n');
  writeFileSync(join(folder, 'keep.yaml'), 'keep: [/etc/os-release, /usr/bin/tool]\n');
  const run = async (...args: string[]) => {
    const result = await osbuilder(args, { cwd: folder, env: { SOURCE_DATE_EPOCH: EPOCH } });
    assert.equal(result.code, 0, `${args.join(' ')}\n${result.stderr}`);
    return result.stdout;
  };
  const fails = async (...args: string[]) => {
    const result = await osbuilder(args, { cwd: folder, env: { SOURCE_DATE_EPOCH: EPOCH } });
    assert.notEqual(result.code, 0, args.join(' '));
    return result.stderr;
  };
  return { folder, run, fails };
}

interface Outputs {
  readonly outputs: readonly { readonly kind: string; readonly sha256: string }[];
}

const digestOf = (text: string, kind: string) =>
  (JSON.parse(text) as Outputs).outputs.find((one) => one.kind === kind)!.sha256;

for (const [name, keep] of [
  ['patterns', ['--keep', '/etc/os-release', '--keep', '/usr/bin/tool']],
  ['a file', ['--keep', 'keep.yaml']],
] as const)
  test(`what is kept (${name}): initrd, lock, repro and verify --rebuild make the same guest`, async (t) => {
    const { folder, run } = ground(t);
    const flags = ['tree', '--skip-rootfs-check', ...keep];
    const made = digestOf(await run('initrd', ...flags, '-o', 'a.img', '--json'), 'initrd');
    const whole = digestOf(await run('initrd', 'tree', '--skip-rootfs-check', '-o', 'whole.img', '--json'), 'initrd');
    assert.notEqual(made, whole);
    await run('lock', ...flags, '-o', 'l.json', '--initrd', 'b.img');
    assert.deepEqual(readFileSync(join(folder, 'b.img')), readFileSync(join(folder, 'a.img')));
    await run('verify', 'a.img', '--lock', 'l.json', '--rebuild');
    assert.equal(digestOf(await run('repro', ...flags, '--json'), 'initrd'), made);
    const again = await run(
      'initrd',
      '--lock',
      'l.json',
      '--frozen',
      'tree',
      '--skip-rootfs-check',
      '-o',
      'c.img',
      '--json',
    );
    assert.equal(digestOf(again, 'initrd'), made);
  });

test('a dracut module of one’s own: read by lock and repro as by initrd', async (t) => {
  const { folder, fails } = ground(t);
  writeFileSync(join(folder, 'm.yaml'), 'name: [broken\n');
  const flags = ['--build-method', 'dracut', '--sysroot', 'tree', '--dracut-module', 'm.yaml'];
  for (const command of [
    ['initrd', ...flags, '-o', 'a.img'],
    ['lock', ...flags, '-o', 'l.json'],
    ['repro', ...flags],
  ])
    assert.match(await fails(...command), /\[DRACUT_MODULE_INVALID\]/, command[0]);
});
