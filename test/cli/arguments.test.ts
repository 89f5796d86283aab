import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { understandArguments } from '../../src/cli/arguments.ts';
import { type Arguments, COMMANDS } from '../../src/cli/commands.ts';
import { BuildError } from '../../src/errors/error.ts';
import { flagOf, rowOf, SETTING_KEYS } from '../../src/settings/table.ts';
import { supportedChoices } from '../../src/settings/unsupported.ts';

function understand(...argv: string[]): Arguments {
  const result = understandArguments(argv);
  assert.ok(!('answer' in result), `"${argv.join(' ')}" was answered`);
  return result;
}

/** The message of the misuse that a command line is. */
function misuse(...argv: string[]): string {
  try {
    understandArguments(argv);
  } catch (error) {
    assert.ok(error instanceof BuildError && error.code === 'USAGE', `${argv.join(' ')}: ${String(error)}`);
    assert.ok(error.hint !== undefined, error.message);
    return error.message;
  }
  assert.fail(`"${argv.join(' ')}" was accepted`);
}

test('a yes/no flag never swallows the file behind it', () => {
  for (const argv of [
    ['initrd', '--agent-init', 'rootfs.tar'],
    ['initrd', 'rootfs.tar', '--agent-init'],
    ['initrd', '--agent-init=yes', 'rootfs.tar'],
    ['initrd', '--agent-init', 'yes', 'rootfs.tar'],
  ]) {
    const { positional, flags } = understand(...argv);
    assert.deepEqual(positional, ['rootfs.tar'], argv.join(' '));
    assert.deepEqual(flags.get('agentInit'), ['yes']);
  }
});

test('--no-x turns a flag off', () => {
  assert.deepEqual(understand('initrd', '--no-trim').flags.get('trim'), ['no']);
  assert.deepEqual(understand('initrd', '--no-seccomp', 'r').flags.get('seccomp'), ['no']);
});

test('a package may begin with a minus inside its list, and end with one', () => {
  assert.deepEqual(understand('plan', '--extra-pkgs', 'vim- nano=1.0').flags.get('extraPkgs'), ['vim- nano=1.0']);
});

test('several words are a value though they begin with a minus, as the help shows it for options of dracut', () => {
  for (const text of ['--add "a b"', '-m base --no-kernel', '-E noinline_data'])
    assert.deepEqual(understand('initrd', '--dracut-options', text).flags.get('dracutOptions'), [text]);
  assert.match(misuse('initrd', '--dracut-options', '--no-kernel'), /--dracut-options needs a value/);
});

test('numbers stay text, as they were typed', () => {
  assert.deepEqual(understand('initrd', '--os-version', '24.10').flags.get('osVersion'), ['24.10']);
  assert.deepEqual(understand('inspect', '0123').positional, ['0123']);
});

test('build has its source beside its outputs', () => {
  const { positional, own } = understand('build', 'tree/', '--rootfs', 'a.tar', '--initrd', 'b.img');
  assert.deepEqual(positional, ['tree/']);
  assert.deepEqual(own, { rootfs: 'a.tar', initrd: 'b.img' });
});

test('misuse says what is wrong, and what may have been meant', () => {
  for (const [line, message] of [
    ['', 'no command is given'],
    ['--nosuch', 'no command is given, only --nosuch'],
    ['-q --arch arm64', 'no command is given, only -q --arch'],
    ['inital', 'unknown command "inital"; did you mean "initrd"?'],
    ['imgae', 'unknown command "imgae"; did you mean "image"?'],
    ['zzzzzz', 'unknown command "zzzzzz"'],
    ['help imgae', 'unknown command "imgae"; did you mean "image"?'],
    ['initrd --colour red', 'unknown argument: --colour'],
    ['initrd --ditsro red', 'unknown argument: --ditsro; did you mean "--distro"?'],
    ['initrd --no-trin', 'unknown argument: --no-trin; did you mean "--no-trim"?'],
    ['initrd -distro debian', 'unknown argument: -distro; did you mean "--distro"?'],
    ['initrd -output x', 'unknown argument: -output; did you mean "--output"?'],
    ['initrd -x', 'unknown argument: -x'],
    ['initrd --distro', '--distro needs a value: --distro NAME'],
    ['initrd --distro --json', '--distro needs a value: --distro NAME'],
    ['initrd -o', '-o needs a value: -o PATH'],
    ['initrd -o a -o b', '--output was given more than once'],
    ['plan --output x', '--output is a flag of rootfs, initrd, image, extension, lock, extract, pull, not of plan'],
    ['inspect x --list=yes', '--list takes no value'],
    ['initrd --no-trim=yes', '--no-trim takes no value'],
    ['inspect', '"osbuilder inspect" needs FILE: osbuilder inspect FILE'],
    ['verify', '"osbuilder verify" needs FILES: osbuilder verify FILES…'],
    ['initrd a b', 'unexpected argument "b": osbuilder initrd [SOURCE]'],
    ['initrd --compress rar', '--compress: invalid value "rar": expected one of gzip, none, zstd, lz4'],
    [
      'initrd --compress gzp',
      '--compress: invalid value "gzp": expected one of gzip, none, zstd, lz4; did you mean "gzip"?',
    ],
    [
      'image --fs-type etx4',
      `--fs-type: invalid value "etx4": expected one of ${supportedChoices('fsType')!.join(', ')}; did you mean "ext4"?`,
    ],
    ['completion basj', 'unknown shell "basj": expected one of bash, zsh, fish; did you mean "bash"?'],
    ['completion', '"osbuilder completion" needs SHELL: osbuilder completion SHELL'],
    ['version --json', '"osbuilder version" has no flag --json'],
    ['initrd --__proto__ x', 'unknown argument: --__proto__'],
    ['initrd --constructor x', 'unknown argument: --constructor'],
  ] as const)
    assert.equal(misuse(...line.split(' ').filter((word) => word !== '')), message, line);
});

test('every flag with one letter wrong is recognised in every command', () => {
  for (const command of Object.keys(COMMANDS))
    for (const key of SETTING_KEYS) {
      const flag = flagOf(key);
      if (flag.length < 6) continue;
      const wrong = `${flag.slice(0, 2)}${flag.slice(3)}`;
      assert.match(misuse(command, `--${wrong}`, 'x'), /did you mean "--/, `${command} --${wrong}`);
    }
});

test('every choice with one letter too many is recognised', () => {
  for (const key of SETTING_KEYS)
    for (const choice of rowOf(key).kind.choices ?? []) {
      const message = misuse('image', `--${flagOf(key)}`, `${choice}q`);
      assert.match(message, /expected one of/);
      // choices that are not supported are not proposed
      if (message.includes(`${choice},`) || message.includes(`${choice};`))
        assert.match(message, new RegExp(`did you mean "${choice}"`), `${flagOf(key)} ${choice}`);
    }
});

test('help, version and completion are answers', () => {
  for (const [line, answer] of [
    ['--help', { answer: 'help' }],
    ['-h', { answer: 'help' }],
    ['help', { answer: 'help' }],
    ['initrd --help', { answer: 'help', command: 'initrd' }],
    ['initrd x --distro debian -h', { answer: 'help', command: 'initrd' }],
    ['--help initrd', { answer: 'help', command: 'initrd' }],
    ['help initrd', { answer: 'help', command: 'initrd' }],
    ['help help', { answer: 'help', command: 'help' }],
    ['completion --help', { answer: 'help', command: 'completion' }],
    ['--version', { answer: 'version' }],
    ['version', { answer: 'version' }],
    ['completion zsh', { answer: 'completion', shell: 'zsh' }],
  ] as const)
    assert.deepEqual(understandArguments(line.split(' ')), answer, line);
});

test('values are taken literally, in both spellings, and flags may come before the command', () => {
  const values = fc.oneof(
    fc.constantFrom(
      "'a'",
      '"a"',
      'a=b',
      '',
      'ä ö',
      'a\nb',
      '[a]',
      '__proto__',
      '1e3',
      '007',
      '-',
      '-1',
      'initrd',
      'yes',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => !text.startsWith('-')),
  );
  const texts = SETTING_KEYS.filter(
    (key) => rowOf(key).kind.choices === undefined && rowOf(key).kind.name !== 'yes-no',
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...texts), values, fc.boolean()), { maxLength: 5 }),
      fc.option(
        values.filter((text) => !['', 'yes', 'no', 'true', 'false', '1', '0'].includes(text)),
        { nil: undefined },
      ),
      fc.boolean(),
      (given, source, first) => {
        const flags = given.flatMap(([key, value, joined]) =>
          joined ? [`--${flagOf(key)}=${value}`] : [`--${flagOf(key)}`, value],
        );
        const command = ['build', ...(source === undefined ? [] : ['--', source])];
        const parsed = understand(...(first ? [...flags, ...command] : [command[0]!, ...flags, ...command.slice(1)]));
        assert.equal(parsed.command, 'build');
        assert.deepEqual(parsed.positional, source === undefined ? [] : [source]);
        const expected = new Map<string, string[]>();
        for (const [key, value] of given) expected.set(key, [...(expected.get(key) ?? []), value]);
        assert.deepEqual(parsed.flags, expected);
      },
    ),
  );
});

test('nothing that can be typed makes the parser fail in another way than by misuse', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '-',
      '--',
      '---',
      '-o',
      '-oa',
      '-o=a',
      '--=',
      '--no-',
      '--no',
      '-h',
      '-=',
      '--list',
      '--json',
      'yes',
    ),
    fc.constantFrom(...Object.keys(COMMANDS), 'help', 'completion'),
    fc.constantFrom(...SETTING_KEYS.map((key) => `--${flagOf(key)}`)),
    fc.string({ unit: 'binary', maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      try {
        understandArguments(argv);
      } catch (error) {
        assert.ok(error instanceof BuildError && error.code === 'USAGE', String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test('a dash is standard input or output, as an argument and as a value', () => {
  const { positional, own } = understand('image', '-', '-o', '-', '--quiet');
  assert.deepEqual(positional, ['-']);
  assert.deepEqual(own, { output: '-' });
});
