import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { provideExtensions } from '../../src/rootfs/extensions.ts';
import type { Guest } from '../../src/rootfs/guest.ts';
import { Tree } from '../../src/tree/tree.ts';
import { needs, temporary, tool } from '../support/data.ts';

/**
 * The scripts that mount extensions in a guest, run by real shells over folders in the place of /sys, /proc and /dev. Only
 * shells that take programs from PATH: busybox has a mount of its own.
 */

const SCRIPTS = {
  mount: 'usr/libexec/kata-extension-mount.sh',
  unmount: 'usr/libexec/kata-extension-umount.sh',
  generator: 'usr/lib/systemd/system-generators/kata-extension-mount-generator',
} as const;
const ROOT_HASH = 'ab'.repeat(32);
const PARAMETERS = `root_hash=${ROOT_HASH},salt=cd,data_blocks=7,data_block_size=4096,hash_block_size=1024`;

interface Disk {
  readonly device: string;
  readonly serial: string;
  readonly partitions: number;
}

/** Runs a script with these disks and this command line; every program that it calls writes down its arguments. */
function played(
  t: TestContext,
  shell: readonly string[],
  script: keyof typeof SCRIPTS,
  { disks, words, args }: { readonly disks: readonly Disk[]; readonly words: string; readonly args: readonly string[] },
) {
  const root = temporary(t);
  const tree = new Tree();
  provideExtensions(tree, { epoch: 0 } as Guest);
  for (const { device, serial, partitions } of disks) {
    mkdirSync(join(root, 'sys/block', device), { recursive: true });
    // as the driver of virtio-blk gives it, without an end of line
    writeFileSync(join(root, 'sys/block', device, 'serial'), serial);
    mkdirSync(join(root, 'dev'), { recursive: true });
    writeFileSync(join(root, 'dev', device), '');
    const separator = /\d$/.test(device) ? 'p' : '';
    for (let i = 1; i <= partitions; i++) writeFileSync(join(root, 'dev', `${device}${separator}${i}`), '');
  }
  mkdirSync(join(root, 'proc'));
  writeFileSync(join(root, 'proc/cmdline'), `${words}\n`);
  const bin = join(root, 'bin');
  mkdirSync(bin);
  for (const name of ['veritysetup', 'mount', 'umount', 'sleep']) {
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >>"${root}/calls"\n`);
    chmodSync(join(bin, name), 0o755);
  }
  // files stand in for devices, of which only root can make some
  const text = tree
    .text(SCRIPTS[script])!
    .replaceAll('[ -b', '[ -e')
    .replaceAll('/sys/', `${root}/sys/`)
    .replaceAll('/proc/', `${root}/proc/`)
    .replaceAll('/dev/', `${root}/dev/`)
    .replaceAll('/run/', `${root}/run/`);
  const path = join(root, 'script');
  writeFileSync(path, text);
  const ran = spawnSync(shell[0]!, [...shell.slice(1), path, ...args.map((arg) => arg.replace('ROOT', root))], {
    env: { PATH: `${bin}:/usr/bin:/bin` },
    encoding: 'utf8',
  });
  const plain = (textOf: string) => textOf.replaceAll(root, '');
  let calls: string[] = [];
  try {
    calls = plain(readFileSync(join(root, 'calls'), 'utf8'))
      .trimEnd()
      .split('\n');
  } catch {
    // nothing was called
  }
  return { root, status: ran.status, stderr: plain(ran.stderr), calls: calls.filter((call) => call !== 'sleep 0.1') };
}

const WORD = `kata.extension.gpu.verity_params=${PARAMETERS}`;
const disk = (partitions: number, device = 'vdb'): Disk => ({ device, serial: 'extension-gpu', partitions });
const OTHER: Disk = { device: 'vda', serial: '', partitions: 2 };
const opened = (partition: string) =>
  `veritysetup open /dev/${partition}1 extension-gpu /dev/${partition}2 ${ROOT_HASH} --no-superblock --salt=cd --data-blocks=7 --data-block-size=4096 --hash-block-size=1024`;
const mounted = (source: string) => `mount -t erofs -o ro ${source} /run/kata-extensions/gpu`;

/** Kata's table: the disk decides whether an extension is measured, and the words must agree. */
const CASES: readonly (readonly [
  name: string,
  disks: readonly Disk[],
  words: string,
  expected: readonly string[] | RegExp,
])[] = [
  ['measured', [OTHER, disk(2)], `ro ${WORD} quiet`, [opened('vdb'), mounted('/dev/mapper/extension-gpu')]],
  [
    'device names that end in a digit',
    [disk(2, 'nvme0')],
    WORD,
    [opened('nvme0p'), mounted('/dev/mapper/extension-gpu')],
  ],
  ['not measured', [disk(1)], 'kata.extension.gpu.verity_params', [mounted('/dev/vdb1')]],
  ['not measured, an empty value', [disk(1)], 'kata.extension.gpu.verity_params=', [mounted('/dev/vdb1')]],
  ['a bare file system', [disk(0)], 'kata.extension.gpu.verity_params', [mounted('/dev/vdb')]],
  ['stripped of its parameters', [disk(2)], 'kata.extension.gpu.verity_params', /no root hash for it/],
  ['parameters of another one', [disk(2)], WORD.replace('gpu', 'coco'), /no root hash for it/],
  ['parameters and no tree', [disk(1)], WORD, /its disk has no hash tree/],
  ['no root hash in them', [disk(2)], 'kata.extension.gpu.verity_params=salt=ab,data_blocks=1', /have no root_hash/],
  ['no number of blocks', [disk(2)], `kata.extension.gpu.verity_params=root_hash=${ROOT_HASH}`, /have no data_blocks/],
  ['no disk', [OTHER, { ...disk(2), serial: 'extension-gpu2' }], WORD, /no disk has the serial number extension-gpu/],
  ['patterns are no file names', [disk(2)], `* ? ${WORD}`, [opened('vdb'), mounted('/dev/mapper/extension-gpu')]],
];

for (const shell of [['dash'], ['bash', '--posix']] as const) {
  const skip = needs({ tools: [shell[0]] });
  const run = [tool(shell[0]) ?? '', ...shell.slice(1)];

  for (const [name, disks, words, expected] of CASES)
    test(`${shell.join(' ')}: ${name}`, { skip }, (t) => {
      const { status, stderr, calls } = played(t, run, 'mount', { disks, words, args: ['gpu'] });
      if (expected instanceof RegExp) {
        assert.equal(status, 1);
        assert.match(stderr, expected);
        assert.deepEqual(calls, []);
      } else {
        assert.equal(status, 0, stderr);
        assert.deepEqual(calls, expected);
      }
    });

  test(`${shell.join(' ')}: the generator starts a unit for each extension`, { skip }, (t) => {
    const bad =
      'kata.extension..verity_params kata.extension.a/b.verity_params=x kata.extension.gpu.other=1 kata.extension.a*';
    const { root, status, stderr } = played(t, run, 'generator', {
      disks: [],
      words: `quiet ${WORD} kata.extension.dev_kit-2.verity_params ${bad}`,
      args: ['ROOT/units', 'ROOT/early', 'ROOT/late'],
    });
    assert.equal(status, 0, stderr);
    const wants = join(root, 'units/kata-containers.target.wants');
    assert.deepEqual(readdirSync(wants).sort(), [
      'kata-extension-mount@dev_kit-2.service',
      'kata-extension-mount@gpu.service',
    ]);
    const unit = '/usr/lib/systemd/system/kata-extension-mount@.service';
    assert.equal(readlinkSync(join(wants, 'kata-extension-mount@gpu.service')), unit);
    const none = played(t, run, 'generator', { disks: [], words: 'quiet', args: ['ROOT/units'] });
    assert.equal(none.status, 0);
    assert.throws(() => readdirSync(join(none.root, 'units')));
  });

  test(`${shell.join(' ')}: what was mounted is unmounted`, { skip }, (t) => {
    const { status, calls } = played(t, run, 'unmount', { disks: [], words: '', args: ['gpu'] });
    assert.deepEqual([status, calls], [0, ['umount /run/kata-extensions/gpu']]);
  });
}

test('what the package of an agent brought is kept', () => {
  const tree = new Tree();
  tree.writeFile(SCRIPTS.mount, 'own');
  provideExtensions(tree, { epoch: 0 } as Guest);
  assert.equal(tree.text(SCRIPTS.mount), 'own');
  assert.match(tree.text('usr/lib/systemd/system/kata-extension-mount@.service')!, /^Before=kata-agent\.service$/m);
});
