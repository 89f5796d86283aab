import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { askYargs, spellOut, understandArguments } from '../../src/cli/arguments.ts';
import { type Arguments, COMMANDS } from '../../src/cli/commands.ts';
import { plainArguments } from '../../src/cli/plain-arguments.ts';
import { flagOf, rowOf, SETTING_KEYS } from '../../src/settings/table.ts';

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

test('what is understood without yargs is what yargs understands', async () => {
  const values = fc.oneof(
    fc.constantFrom(
      'a',
      'yes',
      'no',
      'true',
      'false',
      '-x',
      '--',
      '0',
      '007',
      '-1',
      '1e3',
      "'a'",
      '"a"',
      '"',
      'a=b',
      '',
      'ä ö',
      'a,b c',
      'gzip',
      'debian',
      'a\nb',
      '[a]',
      '{a}',
      '__proto__',
    ),
    fc.string({ unit: 'binary-ascii', maxLength: 4 }),
  );
  const flags = [
    ...SETTING_KEYS.map(flagOf),
    'output',
    'rootfs',
    'initrd',
    'list',
    'cat',
    'show',
    'config',
    'help',
    'version',
    'colour',
  ];
  const choices = SETTING_KEYS.flatMap((key) =>
    (rowOf(key).kind.choices ?? []).map((one) => ({ name: flagOf(key), one })),
  );
  const flag = fc.constantFrom(...flags);
  const word = fc.oneof(
    { weight: 3, arbitrary: values.map((one) => [one]) },
    { weight: 3, arbitrary: fc.tuple(flag, values).map(([name, one]) => [`--${name}`, one]) },
    { weight: 3, arbitrary: fc.tuple(flag, values).map(([name, one]) => [`--${name}=${one}`]) },
    { weight: 2, arbitrary: fc.constantFrom(...choices).map(({ name, one }) => [`--${name}`, one]) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('-o', '-o=a', '-oa', '-h', '-x').chain((one) => values.map((value) => [one, value])),
    },
    { weight: 1, arbitrary: flag.map((name) => [`--no-${name}`]) },
    { weight: 1, arbitrary: flag.map((name) => [`--${name}`]) },
  );
  const line = fc
    .tuple(fc.constantFrom(...Object.keys(COMMANDS), 'nothing'), fc.array(word, { maxLength: 4 }))
    .map(([command, words]) => [command, ...words.flat()]);
  let plain = 0;
  await fc.assert(
    fc.asyncProperty(line, async (argv) => {
      let ours: Arguments | undefined;
      try {
        ours = plainArguments(spellOut(argv));
      } catch (error) {
        await assert.rejects(askYargs(argv, '0', 100), { message: (error as Error).message });
        return;
      }
      if (ours === undefined) return; // yargs is asked
      plain++;
      assert.deepEqual(ours, await askYargs(argv, '0', 100));
    }),
    { numRuns: 400 },
  );
  assert.ok(plain > 60, `only ${plain} of these command lines were plain`);
});

test('usual command lines are understood without yargs', () => {
  for (const argv of [
    ['initrd', 'tree/', '--skip-rootfs-check=yes', '--compress', 'none', '-o', 'a.img'],
    ['verify', 'a', 'b'],
    ['distros'],
    ['inspect', 'a.img', '--list'],
    ['build', '--distro=debian', '--rootfs', 'r.tar', '--extra-pkgs', 'vim', '--extra-pkgs', 'nano'],
  ])
    assert.ok(plainArguments(argv) !== undefined, argv.join(' '));
});

test('a dash is standard input or output, as an argument and as a value', async () => {
  const { positional, own } = await understand('image', '-', '-o', '-', '--quiet');
  assert.deepEqual(positional, ['-']);
  assert.deepEqual(own, { output: '-' });
});
