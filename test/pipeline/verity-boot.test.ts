import assert from 'node:assert/strict';
import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openArtefact } from '../../src/artefacts/open.ts';
import type { Host } from '../../src/fetch/host.ts';
import { BIG_FLAGS } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, tool } from '../support/data.ts';
import { needsMirror, testHost } from '../support/host.ts';
import { busybox, type Kernel, kernel } from '../support/kernel.ts';
import { QUIET } from '../support/kernel-arguments.ts';
import { type Booted, boot } from '../support/qemu.ts';
import { stage1 } from '../support/stage1.ts';
import { sumsOf } from '../support/sums.ts';

/** One Debian guest, measured on ext4 and on EROFS, started with the words that Kata's runtimes make of its root hash. */

const skip = needs({ tools: ['qemu-system-x86_64', 'veritysetup', 'ldd'] }) || (await needsMirror());

const hooks: (() => void | Promise<void>)[] = [];
const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
const rootfs = join(folder, 'rootfs.tar');
let host: Host;
let linux: Kernel;
let first: string;

before(async () => {
  if (skip) return;
  host = testHost({ after: (fn) => void hooks.push(fn) });
  const made = await osbuilder(['rootfs', ...BIG_FLAGS, '-o', rootfs]);
  assert.equal(made.code, 0, made.stderr);
  linux = await kernel('amd64', host);
  const drivers = [
    'nfit',
    'nd_btt',
    'nd_pmem',
    'virtio_pci',
    'virtio_blk',
    'ext4',
    'erofs',
    'sha256_generic',
    'dm_verity',
  ];
  first = await stage1(join(folder, 'stage1'), await busybox('amd64', host), linux, drivers, [tool('veritysetup')!]);
});
after(async () => {
  for (const hook of hooks) await hook();
  rmSync(folder, { recursive: true, force: true });
});

interface Image {
  readonly path: string;
  readonly verity: Readonly<Record<string, string>> | undefined;
}

async function image(name: string, ...flags: string[]): Promise<Image> {
  const path = join(folder, name);
  const made = await osbuilder(['image', rootfs, '--skip-rootfs-check', '--json', '-o', path, ...flags]);
  assert.equal(made.code, 0, made.stderr);
  const [output] = (JSON.parse(made.stdout) as { outputs: { verity?: Record<string, string> }[] }).outputs;
  return { path, verity: output!.verity };
}

const booted = (options: Partial<Parameters<typeof boot>[0]> & { append: string; marker: RegExp }): Promise<Booted> =>
  boot({
    architecture: 'amd64',
    kernel: linux.path,
    initrd: first,
    memory: 512,
    ...options,
    append: `${QUIET} ${options.append}`,
  });

function flip(path: string, at: number): void {
  const fd = openSync(path, 'r+');
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, at);
  byte[0]! ^= 1;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}

for (const [fileSystem, rootflags] of [
  ['ext4', 'data=ordered,errors=remount-ro'],
  ['erofs', 'ro'],
] as const)
  test(`${fileSystem}, measured: every byte as planned, to the agent, and one flipped bit ends it`, {
    skip,
  }, async () => {
    const { path, verity } = await image(
      `${fileSystem}.img`,
      '--fs-type',
      fileSystem,
      '--measured-rootfs',
      '--build-variant',
      fileSystem,
    );
    const root = `${verity!['dmModCreate']} root=/dev/dm-0 rootflags=${rootflags} ro rootfstype=${fileSystem}`;
    const summed = await booted({ disk: path, append: `${root} stage1=sums`, marker: /^STAGE1-DONE/m });
    assert.equal(summed.outcome, 'marker', summed.console);
    assert.match(summed.console, /^STAGE1-VERITY$/m);
    assert.match(summed.console, new RegExp(`^STAGE1-MOUNTED /dev/dm-0 .* ${fileSystem} ro`, 'm'));
    const sums = await sumsOf(await (await openArtefact(path, host)).tree());
    assert.match(summed.console, new RegExp(`^CHECK-CONTENT ${sums.content}`, 'm'));
    assert.match(summed.console, new RegExp(`^CHECK-META ${sums.meta}`, 'm'));

    const seen = await booted({ disk: path, append: root, marker: /^KATA-AGENT-READY/m });
    assert.equal(seen.outcome, 'marker', seen.console);

    // one bit of a file's data: reading it ends the guest, and verify names the file
    const broken = join(folder, `${fileSystem}-broken.img`);
    copyFileSync(path, broken);
    const at = dataIn(readFileSync(broken), Number(verity!['dataBlocks']));
    flip(broken, at);
    const panic = /not syncing: dm-verity device (has )?corrupted|dm-verity device corrupted/;
    const ended = await booted({
      disk: broken,
      append: `${root} verity.panic stage1=sums`,
      marker: panic,
      forbid: /^STAGE1-DONE/m,
    });
    assert.equal(ended.outcome, 'marker', ended.console);
    const verified = await osbuilder(['verify', broken]);
    assert.equal(verified.code, 1);
    assert.match(verified.stdout, /data block \d+ at byte \d+, which is in \/\S+: another digest than the tree has/);
    // one bit of the first block: the file system is not mounted
    const unmounted = join(folder, `${fileSystem}-unmounted.img`);
    copyFileSync(path, unmounted);
    flip(unmounted, 3 * 1024 * 1024 + 1030);
    const rejected = await booted({
      disk: unmounted,
      damaged: true,
      append: `${root} stage1=sums`,
      marker: /^STAGE1-MOUNT-FAIL/m,
    });
    assert.equal(rejected.outcome, 'marker', rejected.console);
    assert.match(rejected.console, /verity: .*data block 0 is corrupted/);
  });

/** A place in the middle of the partition's data that is not zero, so that it belongs to something. */
function dataIn(bytes: Buffer, blocks: number): number {
  const start = 3 * 1024 * 1024;
  for (let block = Math.floor(blocks / 4); block < blocks; block++) {
    const at = start + block * 4096;
    // a whole block of a large file: no zeros at either end
    if (bytes[at] !== 0 && bytes[at + 4095] !== 0 && bytes[at + 2048] !== 0) return at + 2000;
  }
  assert.fail('there is no data');
}
