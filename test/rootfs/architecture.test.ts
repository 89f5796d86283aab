import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { architectureIn } from '../../src/rootfs/architecture.ts';
import { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { tar } from '../support/debs.ts';

/** The head of an ELF program without sections or segments. */
function program(machine: number, little = true): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.write('\x7fELF\x02', 'latin1');
  bytes[5] = little ? 1 : 2;
  bytes[6] = 1;
  const put = (value: number, at: number) => (little ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at));
  put(2, 16);
  put(machine, 18);
  put(64, 52);
  return bytes;
}

test('the architecture of a rootfs is that of its programs', () => {
  const of = (bytes: Uint8Array, path = 'usr/lib/systemd/systemd') => {
    const tree = new Tree();
    tree.symlink('sbin/init', '/usr/lib/systemd/systemd');
    tree.writeFile(path, bytes);
    return architectureIn(tree);
  };
  assert.equal(of(program(62)), 'x86_64');
  assert.equal(of(program(183)), 'aarch64');
  assert.equal(of(program(21)), 'ppc64le');
  assert.equal(of(program(22, false)), 's390x');
  assert.equal(of(program(183), 'bin/busybox'), 'aarch64');
  assert.equal(of(Buffer.from('#!/bin/sh\n')), undefined);
  assert.equal(of(program(62).subarray(0, 40)), undefined);
  assert.equal(architectureIn(new Tree()), undefined);
});

test('a rootfs of another architecture is packed and provisioned for its own architecture, and keeps its summary', async (t) => {
  const folder = temporary(t);
  const earlier = `---
architecture: "aarch64"
base-distro:
  name: "debian"
  version: "trixie"
  packages:
    default:
      - "init"
    extra: []
agent:
  url: "https://example.org"
  name: "kata-agent"
  version: "3.2"
  agent-is-init-daemon: "no"
`;
  const files = [{ name: 'usr/' }, { name: 'usr/lib/' }, { name: 'usr/lib/systemd/' }, { name: 'sbin/' }];
  writeFileSync(
    join(folder, 'r.tar'),
    tar([
      ...files,
      { name: 'usr/lib/systemd/systemd', data: program(183), mode: 0o755 },
      { name: 'sbin/init', type: '2', link: '/usr/lib/systemd/systemd' },
      ...['var/', 'var/lib/', 'var/lib/osbuilder/'].map((name) => ({ name })),
      { name: 'var/lib/osbuilder/osbuilder.yaml', data: earlier },
    ]),
  );
  const run = async (...args: string[]) => {
    const result = await osbuilder(args, { cwd: folder });
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  };
  const small = ['--image-size-alignment-mb', '16', '--skip-rootfs-check'];
  await run('image', 'r.tar', ...small, '--partition-table', 'gpt', '-o', 'k.img');
  // the Discoverable Partitions Specification's root for 64-bit ARM
  assert.match(await run('inspect', 'k.img'), /b921b045-1df0-41c3-af44-4c6f280d3fae/);

  const summary = async (image: string) =>
    parse(await run('inspect', image, '--cat', 'var/lib/osbuilder/osbuilder.yaml'));
  // no part of Kata is requested: packed unchanged
  await run('image', 'r.tar', ...small, '-o', 'plain.img');
  assert.deepEqual(await summary('plain.img'), parse(earlier));
  // modules are requested, and must not be ignored silently
  writeFileSync(join(folder, 'policy'), 'package agent_policy\n');
  await run('image', 'r.tar', ...small, '--agent-policy-file', 'policy', '-o', 'policy.img');
  assert.match(await run('inspect', 'policy.img', '--list'), /etc\/kata-opa\/policy/);
  const kept = await summary('policy.img');
  assert.equal(kept.architecture, 'aarch64');
  assert.deepEqual(kept['base-distro'], {
    name: 'debian',
    version: 'trixie',
    packages: { default: ['init'], extra: [] },
  });
  assert.equal(kept.agent.version, '3.2');
  await run('image', 'r.tar', ...small, '--agent', 'demo', '-o', 'demo.img');
  const other = await summary('demo.img');
  assert.equal(other['base-distro'].version, 'trixie');
  assert.equal(other.agent.version, 'demo');
  assert.ok(readFileSync(join(folder, 'demo.img')).length > 0);
});
