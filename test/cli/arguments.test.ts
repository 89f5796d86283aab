import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Arguments, understandArguments } from '../../src/cli/arguments.ts';

async function understand(...argv: string[]): Promise<Arguments> {
  const result = await understandArguments(argv, '0.0.0', 100);
  assert.ok('command' in result, `"${argv.join(' ')}" was answered with help`);
  return result;
}

test('a yes/no flag never swallows the file behind it', async () => {
  for (const argv of [
    ['initrd', '--agent-init', 'rootfs.tar'],
    ['initrd', 'rootfs.tar', '--agent-init'],
    ['initrd', '--agent-init=yes', 'rootfs.tar'],
    ['initrd', '--agent-init', 'yes', 'rootfs.tar'],
  ]) {
    const { positional, flags } = await understand(...argv);
    assert.deepEqual(positional, ['rootfs.tar'], argv.join(' '));
    assert.deepEqual(flags.get('agentInit'), ['yes']);
  }
});

test('--no-x turns a flag off', async () => {
  assert.deepEqual((await understand('initrd', '--no-trim')).flags.get('trim'), ['no']);
  assert.deepEqual((await understand('initrd', '--no-seccomp', 'r')).flags.get('seccomp'), ['no']);
});

test('a package may begin with a minus inside its list, and end with one', async () => {
  assert.deepEqual((await understand('plan', '--extra-pkgs', 'vim- nano=1.0')).flags.get('extraPkgs'), [
    'vim- nano=1.0',
  ]);
});

test('numbers stay text, as they were typed', async () => {
  assert.deepEqual((await understand('initrd', '--os-version', '24.10')).flags.get('osVersion'), ['24.10']);
  assert.deepEqual((await understand('inspect', '0123')).positional, ['0123']);
});

test('build has its source beside its outputs', async () => {
  const { positional, own } = await understand('build', 'tree/', '--rootfs', 'a.tar', '--initrd', 'b.img');
  assert.deepEqual(positional, ['tree/']);
  assert.deepEqual(own, { rootfs: 'a.tar', initrd: 'b.img' });
});

test('misuse is refused, with what was meant where that can be guessed', async () => {
  for (const argv of [
    [],
    ['inital'],
    ['initrd', '--colour', 'red'],
    ['initrd', '--distro'],
    ['initrd', '-o', 'a', '-o', 'b'],
    ['inspect'],
    ['initrd', 'a', 'b'],
    ['initrd', '--compress', 'rar'],
  ])
    await assert.rejects(understandArguments(argv, '0', 100), { code: 'USAGE' }, argv.join(' '));
  await assert.rejects(understandArguments(['inird'], '0', 100), /initrd/);
});

test('help and version are answers, not refusals', async () => {
  for (const argv of [['--help'], ['initrd', '--help'], ['--version'], ['-h']]) {
    const answer = await understandArguments(argv, '1.2.3', 100);
    assert.ok('text' in answer && answer.text.length > 0, argv.join(' '));
  }
});
