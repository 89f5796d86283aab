import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary, tool } from '../support/data.ts';

/** Options of mkfs.ext4: what they make of our file systems is what mkfs.ext4 itself makes of them. */

const UUID = '12345678-9abc-def0-1234-56789abcdef0';

const OPTIONS = [
  '-I 128',
  '-I 512 -m 0',
  '-m 1.5',
  '-i 8192',
  '-e panic',
  '-e remount-ro -G 4',
  '-J size=16',
  '-O ^metadata_csum,^64bit,extents -L name',
  '-O ^has_journal',
  `-U ${UUID} -E hash_seed=${UUID},lazy_itable_init=0,nodiscard -b 4096`,
  '-I256 -m5 -Lnear',
];

/** What dumpe2fs says of a file system, but for its size and what follows from it. */
function facts(path: string): Record<string, string> {
  const { stdout, status } = spawnSync(tool('dumpe2fs')!, ['-h', path], { encoding: 'utf8' });
  assert.equal(status, 0, path);
  const lines = new Map(stdout.split('\n').map((line) => line.split(/:\s+/, 2) as [string, string]));
  const number = (name: string) => Number(lines.get(name));
  const shown: Record<string, string> = {};
  for (const name of ['Inode size', 'Errors behavior', 'Flex block group size', 'Filesystem features', 'Block size'])
    shown[name] = String(lines.get(name)?.trim());
  // what the machine's mke2fs.conf decides, and what follows from the size of inodes
  shown['Filesystem features'] = shown['Filesystem features']!.replace(/ (orphan_file|extra_isize)/g, '');
  shown['Reserved'] = ((number('Reserved block count') / number('Block count')) * 100).toFixed(1);
  shown['Bytes per inode'] = String(Math.round((number('Block count') * 4096) / number('Inode count') / 512));
  shown['Journal'] = String(lines.get('Total journal blocks'));
  return shown;
}

test('options of mkfs.ext4 do what mkfs.ext4 does with them', {
  skip: needs({ tools: ['mkfs.ext4', 'dumpe2fs', 'e2fsck'] }),
}, async (t) => {
  const folder = temporary(t);
  const image = ['image', 'r', '--rootfs-only', '--skip-dax-header', '--root-free-space', '200', '-o', 'disk.img'];
  mkdirSync(join(folder, 'r'));
  for (const options of OPTIONS) {
    const made = await osbuilder([...image, '--fs-options', options], { cwd: folder });
    assert.equal(made.code, 0, `${options}\n${made.stderr}`);
    const ours = join(folder, 'ours');
    spawnSync('dd', ['if=disk.img', 'of=ours', 'bs=1M', 'skip=1', 'conv=sparse'], { cwd: folder });
    const checked = spawnSync(tool('e2fsck')!, ['-fn', ours], { encoding: 'utf8' });
    assert.equal(checked.status, 0, `${options}\n${checked.stdout}`);
    const theirs = join(folder, 'theirs');
    writeFileSync(theirs, '');
    truncateSync(theirs, statSync(ours).size);
    const reserved = /-m/.test(options) ? [] : ['-m', '3'];
    const mkfs = spawnSync(
      tool('mkfs.ext4')!,
      ['-q', '-F', '-T', 'default', ...reserved, ...options.split(' '), theirs],
      {
        encoding: 'utf8',
      },
    );
    assert.equal(mkfs.status, 0, mkfs.stderr);
    assert.deepEqual(facts(ours), facts(theirs), options);
    for (const [pattern, name] of [
      [/-L ?(\w+)/, 'Filesystem volume name'],
      [/-U (\S+)/, 'Filesystem UUID'],
      [/hash_seed=([^,]+)/, 'Directory Hash Seed'],
    ] as const) {
      const given = pattern.exec(options)?.[1];
      if (given === undefined) continue;
      const { stdout } = spawnSync(tool('dumpe2fs')!, ['-h', ours], { encoding: 'utf8' });
      assert.match(stdout, new RegExp(`${name}: +${given}\n`), options);
    }
  }
});

test('options that mkfs.ext4 does not have, or that contradict others, are rejected by name', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'r'));
  for (const [options, reason] of [
    ['-zlz4hc', /-zlz4hc.*as mkfs\.ext4 has them/],
    ['-m', /-m.*it needs a value/],
    ['-m 51', /51.*0 to 50/],
    ['-m x', /-m x.*a number/],
    ['-b 1024', /-b 1024.*--block-size/],
    ['-e never', /-e never.*remount-ro/],
    ['-E stride=4', /-E stride=4/],
    ['-J device=/dev/sda', /size=MIB/],
    ['-J size=1', /journalBlocks is 256/],
    ['-J size=8 -O ^has_journal', /has_journal/],
    ['-G 3', /groupsPerFlex is 3/],
    ['-G 4 -O ^flex_bg', /flex_bg/],
    ['-I 100', /inodeSize is 100/],
    ['-O bigalloc', /bigalloc.*expected one of/],
    ['-U random', /-U random/],
    ['-N 5000', /-N.*as mkfs\.ext4 has them/],
  ] as const) {
    const made = await osbuilder(['image', 'r', '--rootfs-only', '--fs-options', options], { cwd: folder });
    assert.ok(made.code === 1 || made.code === 2, `${options}\n${made.stderr}`);
    assert.match(made.stderr, reason, options);
  }
});

test('options of a mkfs are values though they begin with a dash; our own flags are not', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'r'));
  const image = ['image', 'r', '--rootfs-only', '-o', 'x.img', '--fs-type', 'erofs', '--fs-options'];
  for (const options of ['-zlz4hc', '-Enoinline_data']) {
    const made = await osbuilder([...image, options], { cwd: folder });
    assert.equal(made.code, 0, `${options}\n${made.stderr}`);
  }
  for (const flag of ['--json', '-o', '--no-trim', '-oy.img']) {
    const made = await osbuilder([...image, flag], { cwd: folder });
    assert.equal(made.code, 2, flag);
    assert.match(made.stderr, /--fs-options needs a value/, flag);
  }
});
