import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { randomAccess } from '../../../src/bytes/file.ts';
import { checkXfs } from '../../../src/formats/xfs/check.ts';
import type { XfsOptions } from '../../../src/formats/xfs/options.ts';
import { openXfs } from '../../../src/formats/xfs/read.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { needs, temporary } from '../../support/data.ts';
import { needsMirror, testHost } from '../../support/host.ts';
import { busybox, kernel } from '../../support/kernel.ts';
import { QUIET } from '../../support/kernel-arguments.ts';
import { boot } from '../../support/qemu.ts';
import { stage1 } from '../../support/stage1.ts';
import { sumsOf } from '../../support/sums.ts';
import { sampleTrees } from '../../support/trees.ts';
import { oneOfEach } from './edges.ts';
import { poured, REFERENCE_TOOLS, repair } from './reference-tools.ts';

/** Debian's kernel reads what was planned, fills it, changes it in every way, and xfs_repair finds nothing after that. */

const skip = REFERENCE_TOOLS || needs({ tools: ['qemu-system-x86_64'] }) || (await needsMirror());

/** Everything but names that a shell script cannot handle line by line. */
function guest(): Tree {
  const all = oneOfEach();
  for (const [name, tree] of sampleTrees({ sockets: true, target: 1023, major: 511, minor: 2 ** 18 - 1 }))
    if (name !== 'names') all.root.children.set(name.replaceAll(' ', '-'), tree.root);
  return all;
}

const VARIANTS: readonly (readonly [name: string, options: XfsOptions])[] = [
  ['default', { small: false, freeSpace: 64 << 20 }],
  ['reflink, rmapbt and nrext64', { features: { rmapbt: true, reflink: true }, freeSpace: 64 << 20 }],
];

test('a kernel sees what was planned, and writes to it', { skip }, async (t) => {
  const host = testHost(t);
  const linux = await kernel('amd64', host);
  const drivers = ['virtio_pci', 'virtio_blk', 'crc32c_generic', 'crc32c_intel', 'xfs'];
  const initrd = await stage1(join(temporary(t), 'stage1'), await busybox('amd64', host), linux, drivers);
  const tree = guest();
  const sums = await sumsOf(tree);
  for (const [name, options] of VARIANTS)
    await t.test(name, async (inner) => {
      const image = await poured(inner, tree, options);
      const started = (append: string, marker: RegExp, writable = false) =>
        boot({
          architecture: 'amd64',
          kernel: linux.path,
          initrd,
          disk: image,
          as: 'virtio',
          writable,
          memory: 512,
          append: `${QUIET} root=/dev/vda rootfstype=xfs ${append}`,
          marker,
          forbid: /STAGE1-(?:MOUNT-FAIL|NODEV)/,
          untilOff: writable,
        });
      const seen = await started('ro stage1=sums', /^STAGE1-DONE/m);
      assert.equal(seen.outcome, 'marker', seen.console);
      assert.match(seen.console, new RegExp(`^CHECK-LINES ${sums.lines}`, 'm'), seen.console);
      assert.match(seen.console, new RegExp(`^CHECK-CONTENT ${sums.content}`, 'm'));
      assert.match(seen.console, new RegExp(`^CHECK-META ${sums.meta}`, 'm'));
      const before = join(temporary(inner), 'before');
      copyFileSync(image, before);
      const written = await started('rw stage1=write', /^STAGE1-UNMOUNTED/m, true);
      assert.match(written.console, /^STAGE1-CREATED 10000/m, written.console);
      assert.match(written.console, /^STAGE1-UNMOUNTED/m, written.console);
      // free space that was asked for can be used; the kernel keeps a part for the growth of rmap and refcount trees
      const promised = options.features?.rmapbt ? 56 << 20 : 64 << 20;
      const filled = Number(/^STAGE1-FILLED (\d+)/m.exec(written.console)?.[1]);
      assert.ok(filled >= promised, `${filled} bytes could be written`);
      repair(image);
      const access = randomAccess(image);
      assert.deepEqual(checkXfs(access).faults, []);
      const after = openXfs(access).tree();
      assert.equal(after.list('w/renamed').length, 7000);
      assert.equal(after.text('w/data-too'), 'data\n');
      assert.ok(openXfs(randomAccess(before)).tree().lstat('w') === undefined);
    });
});
