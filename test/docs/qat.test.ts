import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { randomAccess } from '../../src/bytes/file.ts';
import { recogniseKernel } from '../../src/formats/kernel/image.ts';
import { Closure } from '../../src/system/closure.ts';
import { readModules } from '../../src/system/kmod/depmod.ts';
import { isUnindexed, moduleReleases } from '../../src/system/kmod/install.ts';
import { ModuleLookup } from '../../src/system/kmod/lookup.ts';
import { firmwareOf } from '../../src/system/kmod/select.ts';
import { closePool } from '../../src/workers/shared.ts';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { FAST, ROOT, TEST_CACHE, temporary } from '../support/data.ts';

/** Errors of a machine without Debian's archive. */
const NETWORK = ['CONNECTION_FAILED', 'DOWNLOAD_STALLED', 'DOWNLOAD_CUT', 'HTTP_STATUS'];

test('the guest for QuickAssist has modules, firmware, group and rules, and all that they need', async (t) => {
  if (FAST) return t.skip('left out by test:fast: a download');
  const folder = temporary(t);
  const out = join(folder, 'rootfs.tar');
  const kernel = join(folder, 'vmlinuz');
  // from any folder
  const config = ['--config', join(ROOT, 'docs/examples/qat/osbuilder.yaml')];
  const cache = ['--cache-dir', join(TEST_CACHE, 'qat')];
  const { code, stdout, stderr } = await osbuilder(
    ['build', ...config, '--rootfs', out, '--kernel', kernel, ...cache, '--json'],
    { cwd: folder },
  );
  const report = JSON.parse(stdout) as {
    error?: { code: string; message: string };
    kernel: { release: string; package: string };
    notes: string[];
  };
  if (report.error !== undefined && NETWORK.includes(report.error.code))
    return t.skip(`not available: ${report.error.message}`);
  assert.equal(code, 0, stderr + stdout.slice(0, 1000));
  const tree = await treeOf(out, folder);

  const { release } = report.kernel;
  assert.deepEqual(moduleReleases(tree), [release]);
  assert.equal(report.kernel.package, `linux-image-${release}`);
  const recognised = recogniseKernel(randomAccess(kernel))!;
  assert.equal(recognised.architecture, 'x86_64');
  assert.ok(recognised.version!.startsWith(release), recognised.version);

  const top = `lib/modules/${release}`;
  assert.equal(isUnindexed(tree, top), false);
  const set = await readModules(tree, top);
  await closePool();
  const lookup = new ModuleLookup(tree, set);
  const names = set.modules.map(({ name }) => name);
  for (const name of ['intel_qat', 'qat_c62x', 'qat_c62xvf', 'qat_dh895xccvf', 'vfio_pci', 'virtio_net'])
    assert.ok(names.includes(name), name);
  assert.ok(names.length < 300, `${names.length} modules`);
  // the closure is whole: every symbol that came from a module of the complete kernel is there, as `depends` says
  for (const { name, facts } of set.modules) {
    const depends = facts!.info.flatMap(([key, value]) => (key === 'depends' && value !== '' ? value.split(',') : []));
    for (const other of depends) assert.ok(lookup.find(other) !== undefined, `${name} depends on ${other}`);
  }
  const qat = set.modules.filter(({ path }) => path.includes('/qat/'));
  const firmware = firmwareOf(tree, set, qat);
  assert.deepEqual([...firmware.missing], []);
  assert.ok(firmware.paths.length >= 6, firmware.paths.join(' '));

  assert.match(tree.text('etc/group')!, /^qat:x:\d+:/m);
  assert.ok(tree.lstat('etc/systemd/system/multi-user.target.wants/qat.service') !== undefined);
  assert.match(tree.text('etc/udev/rules.d/60-qat.rules')!, /GROUP="qat"/);
  const closure = new Closure(tree);
  const programs = ['usr/sbin/qatmgr', 'usr/sbin/qat_init', 'usr/lib/x86_64-linux-gnu/engines-3/qatengine.so'];
  for (const path of programs) assert.ok(closure.add(path, { kind: 'asked', by: 'test' }), path);
  assert.deepEqual(
    closure.missing.filter(({ optional }) => !optional).map(({ name }) => name),
    [],
  );
  assert.ok([...closure.paths.keys()].some((path) => path.endsWith('libqat.so.4')));
});
