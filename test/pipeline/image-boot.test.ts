import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, copyFileSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openArtefact } from '../../src/artefacts/open.ts';
import type { Host } from '../../src/fetch/host.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, tool } from '../support/data.ts';
import { needsMirror, TEST_CACHE, testHost } from '../support/host.ts';
import { busybox, type Kernel, kernel } from '../support/kernel.ts';
import { QUIET } from '../support/kernel-arguments.ts';
import { boot } from '../support/qemu.ts';
import { stage1 } from '../support/stage1.ts';
import { sumsOf } from '../support/sums.ts';
import { bootUml } from '../support/uml.ts';

/** The Debian image, built once, read by two kernels through three kinds of disk. */

const KATA = 'rootflags=dax,data=ordered,errors=remount-ro ro rootfstype=ext4';
const skip = needs({ tools: ['e2fsck'] }) || (await needsMirror());
const qemu = skip || needs({ tools: ['qemu-system-x86_64'] });

const hooks: (() => void | Promise<void>)[] = [];
const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
const image = join(folder, 'kata.img');
let host: Host;
let linux: Kernel;
let first: string;

before(async () => {
  if (skip) return;
  host = testHost({ after: (fn) => void hooks.push(fn) });
  const made = await osbuilder([
    'image',
    '--distro',
    'debian',
    '--os-version',
    'trixie',
    '--arch',
    'amd64',
    '--agent',
    'demo',
    '--cache-dir',
    TEST_CACHE,
    '-o',
    image,
  ]);
  assert.equal(made.code, 0, made.stderr);
  chmodSync(folder, 0o755);
  if (qemu) return;
  linux = await kernel('amd64', host);
  first = await stage1(join(folder, 'stage1'), await busybox('amd64', host), linux, [
    'nfit',
    'nd_btt',
    'nd_pmem',
    'virtio_pci',
    'virtio_blk',
    'ext4',
  ]);
});
after(async () => {
  for (const hook of hooks) await hook();
  rmSync(folder, { recursive: true, force: true });
});

function e2fsck(path: string): void {
  const checked = spawnSync(tool('e2fsck')!, ['-fn', `${path}?offset=3145728`], { encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  assert.doesNotMatch(checked.stdout, /optimi[sz]e/i);
}

const booted = (options: Partial<Parameters<typeof boot>[0]> & { append: string; marker: RegExp }) =>
  boot({
    architecture: 'amd64',
    kernel: linux.path,
    initrd: first,
    disk: image,
    memory: 512,
    ...options,
    append: `${QUIET} ${options.append}`,
  });

test('e2fsck finds no problem in the Debian image', { skip }, () => e2fsck(image));

test('as an NVDIMM with Kata’s own arguments: page-mapped, in place, and every byte and number as planned', {
  skip: qemu,
}, async () => {
  const seen = await booted({ as: 'nvdimm', append: `root=/dev/pmem0p1 ${KATA} stage1=sums`, marker: /^STAGE1-DONE/m });
  assert.equal(seen.outcome, 'marker', seen.console);
  assert.match(seen.console, /nd_pmem pfn0\.1: /);
  assert.match(seen.console, /^STAGE1-MOUNTED .*dax=always/m);
  const sums = await sumsOf(await (await openArtefact(image, host)).tree());
  assert.match(seen.console, new RegExp(`^CHECK-CONTENT ${sums.content}`, 'm'));
  assert.match(seen.console, new RegExp(`^CHECK-META ${sums.meta}`, 'm'));
  assert.doesNotMatch(seen.console, /EXT4-fs (error|warning)/i);
});

test('one flipped byte in the DAX checksum: the kernel takes no page map, and does not mount with dax', {
  skip: qemu,
}, async () => {
  const broken = join(folder, 'broken.img');
  copyFileSync(image, broken);
  flip(broken, 4096 + 4090);
  const seen = await booted({
    disk: broken,
    as: 'nvdimm',
    append: `root=/dev/pmem0p1 ${KATA} stage1=sums`,
    marker: /^STAGE1-(MOUNT-FAIL|NODEV)/m,
  });
  assert.equal(seen.outcome, 'marker', seen.console);
  assert.doesNotMatch(seen.console, /nd_pmem pfn0\.1/);
});

test('without the second MBR the page-mapped device has no partition', { skip: qemu }, async () => {
  const broken = join(folder, 'no-mbr2.img');
  copyFileSync(image, broken);
  const fd = openSync(broken, 'r+');
  writeSync(fd, new Uint8Array(512), 0, 512, 2 * 1024 * 1024);
  closeSync(fd);
  const seen = await booted({
    disk: broken,
    as: 'nvdimm',
    append: `root=/dev/pmem0p1 ${KATA} stage1=sums`,
    marker: /^STAGE1-NODEV/m,
  });
  assert.equal(seen.outcome, 'marker', seen.console);
  assert.equal((await osbuilder(['verify', broken])).code, 1);
});

test('through virtio the guest fills, changes and leaves the file system, and it is still clean', {
  skip: qemu,
}, async () => {
  const written = join(folder, 'written.img');
  const made = await osbuilder(['image', image, '--skip-rootfs-check', '--root-free-space', '200', '-o', written]);
  assert.equal(made.code, 0, made.stderr);
  const seen = await booted({
    disk: written,
    as: 'virtio',
    writable: true,
    append: 'root=/dev/vda1 rw rootfstype=ext4 stage1=write',
    marker: /^STAGE1-UNMOUNTED/m,
    untilOff: true,
  });
  assert.equal(seen.outcome, 'marker', seen.console);
  const created = Number(/^STAGE1-CREATED (\d+)/m.exec(seen.console)?.[1]);
  assert.equal(created, 10_000);
  assert.ok(Number(/^STAGE1-FILLED (\d+)/m.exec(seen.console)?.[1]) > 150_000_000, seen.console);
  e2fsck(written);
});

test('User-Mode Linux, run by nobody, boots the image to the agent under systemd', {
  skip: skip || needs({ tools: ['linux.uml'] }),
}, async () => {
  const seen = await bootUml({
    disk: image,
    append: [
      'root=/dev/ubda1',
      'ro',
      'rootfstype=ext4',
      'systemd.unit=kata-containers.target',
      'systemd.mask=systemd-networkd.service',
      'systemd.mask=systemd-networkd.socket',
    ],
    marker: /^KATA-AGENT-READY/m,
  });
  assert.ok(seen.reached, seen.console.slice(-3000));
});

function flip(path: string, at: number): void {
  const fd = openSync(path, 'r+');
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, at);
  byte[0]! ^= 1;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}
