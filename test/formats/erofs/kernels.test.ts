import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { randomAccessMemory } from '../../../src/bytes/file.ts';
import { describeErofs } from '../../../src/formats/erofs/inspect.ts';
import { isBefore, oldestLinux, parseLinux } from '../../../src/formats/erofs/kernels.ts';
import { osbuilder } from '../../support/cli.ts';
import { data, needs, temporary, tool } from '../../support/data.ts';

/** Which Linux reads an image, and images for older ones. */

test('versions are compared as numbers', () => {
  const [old, newer] = [parseLinux('5.4')!, parseLinux('5.15')!];
  assert.ok(isBefore(old, newer) && !isBefore(newer, old) && !isBefore(old, old) && isBefore(newer, [6, 0]));
  for (const text of ['', '5', '5.x', '5.15.1', '-5.1', 'v5.15', '5.', '99999.1'])
    assert.equal(parseLinux(text), undefined, text);
});

test('the newest of all features decides', () => {
  const linux = (features: string[], algorithms: string[] = [], blockSize = 4096) =>
    oldestLinux({ features, algorithms, blockSize }).join('.');
  assert.equal(linux([]), '5.4');
  assert.equal(linux(['zero_padding'], ['lz4']), '5.4');
  assert.equal(linux(['compr_cfgs', 'chunked_file'], ['lz4']), '5.15');
  assert.equal(linux(['ztailpacking', 'compr_cfgs'], ['lz4', 'lzma']), '5.17');
  assert.equal(linux(['fragments'], ['deflate']), '6.6');
  assert.equal(linux([], ['zstd']), '6.10');
  assert.equal(linux(['48bit']), '6.15');
  assert.equal(linux([], [], 1024), '6.4');
});

/** Images of mkfs.erofs, and the first kernel that its manual and the kernel's history name for their features. */
const MADE: Readonly<Record<string, string>> = {
  plain: '5.4',
  lz4hc: '5.4',
  'lz4hc-noinl': '5.4',
  c16: '5.13',
  c16all: '6.1',
  chunk: '5.15',
  zstd: '6.10',
};
for (const [name, expected] of Object.entries(MADE)) {
  const path = `erofs/made-here/${name}.img.xz`;
  test(`mkfs.erofs, ${name}: Linux ${expected}`, { skip: needs({ data: [path], tools: ['xz'] }) }, () => {
    const image = execFileSync(tool('xz')!, ['-dkc', data(path)], { maxBuffer: 1 << 28 });
    assert.equal(describeErofs(randomAccessMemory(image)).linux, expected);
  });
}

/** A rootfs with a file that is mostly holes. */
function sparse(t: TestContext): string {
  const folder = temporary(t);
  mkdirSync(join(folder, 'tree/etc'), { recursive: true });
  writeFileSync(join(folder, 'tree/etc/text'), 'some text\n'.repeat(3000));
  const fd = openSync(join(folder, 'tree/holes'), 'w');
  ftruncateSync(fd, 1 << 20);
  writeSync(fd, Buffer.alloc(4096, 7), 0, 4096, 512 * 1024);
  closeSync(fd);
  return folder;
}

const image = (folder: string, ...args: string[]) =>
  osbuilder(['image', 'tree', '--fs-type', 'erofs', '--skip-rootfs-check', '-o', 'x.img', ...args], { cwd: folder });

async function linuxOf(folder: string, ...args: string[]): Promise<string> {
  const made = await image(folder, ...args);
  assert.equal(made.code, 0, made.stderr);
  const seen = await osbuilder(['inspect', 'x.img', '--json'], { cwd: folder });
  const found = JSON.stringify(JSON.parse(seen.stdout));
  const holes = await osbuilder(['inspect', 'x.img', '--cat', '/holes'], { cwd: folder });
  assert.equal(holes.code, 0, holes.stderr);
  return /"linux":"([\d.]+)"/.exec(found)![1]!;
}

test('an image for an older kernel has none of the forms that it does not read', async (t) => {
  const folder = sparse(t);
  for (const options of ['-zlz4hc', '-Enoinline_data', '-E^noinline_data']) {
    assert.equal(await linuxOf(folder, `--fs-options=${options}`), '5.15', options);
    assert.equal(await linuxOf(folder, `--fs-options=${options}`, '--kernel-compat', '5.14'), '5.4', options);
    const verified = await osbuilder(['verify', 'x.img'], { cwd: folder });
    assert.equal(verified.code, 0, verified.stderr);
  }
  assert.equal(await linuxOf(folder, '--fs-options=-zlz4 -C16384', '--kernel-compat', '5.13'), '5.13');
  const packed = '--fs-options=-zlz4hc,9 -E^noinline_data,ztailpacking';
  assert.equal(await linuxOf(folder, packed, '--kernel-compat', '5.17'), '5.17');
});

test('what a kernel cannot read is an error before anything is written', async (t) => {
  const folder = sparse(t);
  for (const [args, says] of [
    [
      ['--kernel-compat', '5.12', '--fs-options=-zlz4hc -C65536'],
      /clusters of 65536 bytes are read by Linux 5\.13 .*\[EROFS_KERNEL\]/,
    ],
    [
      ['--fs-options=-zlz4hc,9 -Enoinline_data,ztailpacking'],
      /ends of compressed files behind inodes are read by Linux 5\.17 and later, and Linux 5\.15 must .*\[EROFS_KERNEL\]/,
    ],
    [['--fs-options=-Enoinline_data -C65536'], /-C is for compressed clusters.*\[SETTING_INVALID\]/],
    [['--kernel-compat', '4.19'], /are read by Linux 5\.4 and later, and Linux 4\.19 must .*\[EROFS_KERNEL\]/],
    [['--kernel-compat', 'new'], /expected a version of Linux such as 5\.15.*\[SETTING_INVALID\]/],
    [
      ['--kernel-compat', '5.15', '--fs-type', 'ext4'],
      /only erofs has forms that older kernels do not read.*\[USAGE\]/,
    ],
  ] as const) {
    const { code, stderr } = await image(folder, ...args);
    assert.ok(code === 1 || code === 2, stderr);
    assert.match(stderr, says);
  }
});
