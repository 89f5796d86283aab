import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MACHINES } from '../../src/boot/machines.ts';
import { treeOf } from '../support/big-guest.ts';
import { AGENT_READY, bootBy, UNSOUND } from '../support/boot.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, ROOT, TEST_CACHE, temporary } from '../support/data.ts';
import { needsMirror } from '../support/host.ts';

/** The examples of docs/examples/chisel, built from Debian and booted to the agent; each against the same guest uncut. */

const skip = needs({ tools: [MACHINES['x86_64']!.program] }) || (await needsMirror());
const DEBIAN = ['--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--agent', 'demo'];

async function chiselled(t: TestContext, name: string, flags: readonly string[]) {
  const initrd = join(temporary(t), 'initrd.img');
  const made = await osbuilder([
    ...['initrd', ...DEBIAN, ...flags, '--cache-dir', TEST_CACHE, '--compress', 'zstd', '--json', '-o', initrd],
    ...['--keep', join(ROOT, 'docs/examples/chisel', name)],
  ]);
  assert.equal(made.code, 0, made.stderr);
  const { kept, warnings } = JSON.parse(made.stdout);
  assert.deepEqual(warnings, []);
  const [before, after] = [kept.before.bytes, kept.after.bytes] as [number, number];
  t.diagnostic(`${(after / 2 ** 20).toFixed(1)} of ${(before / 2 ** 20).toFixed(1)} MiB`);
  assert.ok(after < before / 2, `${after} of ${before} bytes`);
  const booted = await bootBy(initrd, ['--until-regex', AGENT_READY, '--fail-regex', UNSOUND]);
  assert.equal(booted.outcome, 'seen', booted.shown);
  t.diagnostic(`agent after ${booted.seconds} s`);
  return treeOf(initrd, temporary(t));
}

test('a guest of systemd, the agent, iptables and chrony', { skip }, async (t) => {
  const tree = await chiselled(t, 'systemd.yaml', []);
  for (const path of ['usr/sbin/iptables', 'usr/sbin/chronyd', 'usr/bin/systemctl', 'etc/chrony/chrony.conf'])
    assert.ok(tree.file(path) !== undefined, path);
  for (const path of ['usr/bin/perl', 'usr/bin/dpkg', 'usr/sbin/mke2fs']) assert.ok(!tree.has(path), path);
  assert.ok(tree.has('usr/share/doc/chrony/copyright'));
});

test('the agent alone as process 1', { skip }, async (t) => {
  const tree = await chiselled(t, 'agent.yaml', ['--agent-init']);
  assert.ok(!tree.has('usr/lib/systemd/systemd') && !tree.has('usr/sbin/chronyd'));
  assert.match(tree.text('sbin/init')!, /KATA-AGENT-READY/);
});

test('a guest whose driver is named by a list of its vendor', { skip }, async (t) => {
  const tree = await chiselled(t, 'gpu.yaml', ['--extra-pkgs', 'clinfo libdrm-amdgpu1']);
  for (const path of ['usr/bin/clinfo', 'usr/lib/libOpenCL.so', 'usr/share/libdrm/amdgpu.ids', 'etc/OpenCL/vendors'])
    assert.ok(tree.lstat(path) !== undefined, path);
  assert.match(tree.text('etc/modprobe.d/0000-gpu.conf')!, /^options amdgpu/);
});
