import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Tree } from '../../src/tree/tree.ts';
import { BIG_FLAGS, checkArchive, FAST, treeOf } from '../support/big-guest.ts';
import { AGENT_READY, bootBy, UNSOUND } from '../support/boot.ts';
import { osbuilder } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { needsMirror, testHost } from '../support/host.ts';
import { busybox, kernel } from '../support/kernel.ts';
import { boot, qemuFor } from '../support/qemu.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';
import { gnuLines, linesOf, sumsOf } from '../support/sums.ts';
import { dump } from '../support/trees.ts';

const skip = needs({ tools: [qemuFor('amd64')] }) || (await needsMirror());
const folder = mkdtempSync(join(tmpdir(), 'osbuilder-test-'));
const closing: (() => void | Promise<void>)[] = [];
after(async () => {
  for (const close of closing) await close();
  rmSync(folder, { recursive: true, force: true });
});

/** Each artefact is made once, by the first test that needs it. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const host = once(async () => testHost({ after: (close) => void closing.push(close) }));
const machine = once(async () => kernel('amd64', await host()));
const systemdGuest = once(async () => {
  const made = { rootfs: join(folder, 'systemd.tar'), initrd: join(folder, 'systemd.img') };
  const result = await osbuilder(['build', ...BIG_FLAGS, '--rootfs', made.rootfs, '--initrd', made.initrd]);
  assert.equal(result.code, 0, result.stderr);
  return { ...made, tree: await treeOf(made.initrd, folder) };
});
const agentGuest = once(async () => {
  const path = join(folder, 'agent.img');
  const result = await osbuilder(['initrd', ...BIG_FLAGS, '--agent-init', '--compress', 'zstd', '-o', path]);
  assert.equal(result.code, 0, result.stderr);
  return path;
});

/** Boots an initrd with our script as init; returns the sums it printed. */
async function sumsInGuest(initrd: string, tree: Tree, conditions = '') {
  const both = join(folder, 'checked.img');
  const check = await checkArchive(await busybox('amd64', await host()), tree, conditions);
  writeFileSync(both, Buffer.concat([check, readFileSync(initrd)]));
  const booted = await boot({
    architecture: 'amd64',
    kernel: (await machine()).path,
    initrd: both,
    append: `rdinit=/.check/run ${FAST}`,
    memory: 640,
    marker: /^CHECK-DONE$/m,
    forbid: /not syncing|Initramfs unpacking failed/,
  });
  assert.equal(booted.outcome, 'marker', booted.console);
  const [, content] = /^CHECK-CONTENT ([0-9a-f]{64})/m.exec(booted.console) ?? [];
  const [, meta] = /^CHECK-META ([0-9a-f]{64})/m.exec(booted.console) ?? [];
  const [, lines] = /^CHECK-LINES (\d+)$/m.exec(booted.console) ?? [];
  return { content, meta, lines: Number(lines) };
}

/** Boots an initrd by the program itself to the agent. */
async function toAgent(initrd: string) {
  const booted = await bootBy(initrd, ['--until-regex', AGENT_READY, '--fail-regex', UNSOUND]);
  assert.equal(booted.outcome, 'seen', booted.shown);
  return booted.shown;
}

test('a Debian guest boots under systemd to its agent', { skip }, async () => {
  const { initrd } = await systemdGuest();
  const result = await toAgent(initrd);
  assert.doesNotMatch(result, /\[FAILED\]|Unit .* not found/);
});

test('a Debian guest boots with the agent as process 1', { skip }, async () => {
  await toAgent(await agentGuest());
});

test('what the kernel unpacks is, file by file and in all its metadata, what was planned', { skip }, async () => {
  const { initrd, tree } = await systemdGuest();
  assert.ok([...tree.walk()].length > 3000);
  assert.deepEqual(await sumsInGuest(initrd, tree), await sumsOf(tree));
});

test('the initrd holds what the rootfs archive holds, and /init', { skip }, async () => {
  const { rootfs, tree } = await systemdGuest();
  const lines = dump(tree, { xattrs: false, extents: false });
  const init = lines.filter((line) => line.startsWith('init '));
  assert.equal(init.length, 1);
  assert.match(init[0]!, / -> \/lib\/systemd\/systemd$/);
  const others = lines.filter((line) => !line.startsWith('init '));
  assert.deepEqual(others, dump(await treeOf(rootfs, folder), { xattrs: false, extents: false }));
});

test('GNU cpio unpacks it to the same, as root', {
  skip: skip || needs({ tools: ['cpio', 'gzip', 'bash'], root: true }),
}, async () => {
  const { initrd, tree } = await systemdGuest();
  await sameWithGnu(initrd, 'gzip', tree, 'gnu');
});

/** Lines that only one of them has, for a message that can be read. */
function difference(a: string[], b: string[]): string[] {
  const inA = new Set(a);
  const inB = new Set(b);
  return [...a.filter((line) => !inB.has(line)).map((line) => `+ ${line}`), ...b.filter((line) => !inA.has(line))];
}

async function sameWithGnu(initrd: string, program: string, tree: Tree, name: string) {
  const into = join(folder, name);
  mkdirSync(into);
  execFileSync('/bin/sh', ['-c', `${program} -dc "$0" | cpio -idm --quiet`, initrd], {
    cwd: into,
    stdio: ['ignore', openSync('/dev/null', 'w'), 'inherit'],
  });
  const ours = await linesOf(tree);
  const theirs = gnuLines(into);
  rmSync(into, { recursive: true });
  // GNU cpio sets no times of symbolic links, and those of folders before it fills them
  const timeless = (lines: string[]) =>
    lines.map((line) => line.replace(/^(4\S+ \d+ \d+|a\S+ \d+ \d+) \d+ /, '$1 - ')).sort();
  assert.deepEqual(difference(timeless(theirs.meta), timeless(ours.meta)), []);
  assert.deepEqual(difference(theirs.files, ours.files), []);
}

for (const compress of ['gzip', 'zstd', 'lz4', 'none'])
  test(`the kernel reads a small initrd, compression ${compress}`, { skip }, async (t) => {
    const home = mkdtempSync(join(folder, 'small-'));
    t.after(() => rmSync(home, { recursive: true }));
    const { root, keyring } = await smallRepository(home);
    const initrd = join(home, 'i.img');
    const result = await osbuilder([
      ...['initrd', ...smallFlags(root, keyring, join(home, 'cache'))],
      ...['--agent', 'demo', '--agent-init', '--compress', compress, '-o', initrd],
    ]);
    assert.equal(result.code, 0, result.stderr);
    const tree = await treeOf(initrd, home);
    assert.equal(tree.lstat('usr/bin/tool'), tree.lstat('usr/bin/tool-again'));
    // the kernel has a /root of its own before it unpacks anything
    assert.equal(tree.has('root'), false);
    assert.deepEqual(await sumsInGuest(initrd, tree, '! -path ./root'), await sumsOf(tree));
  });
