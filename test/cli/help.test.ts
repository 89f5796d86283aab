import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actingSettings } from '../../src/cli/acting.ts';
import { ANSWERS, COMMANDS } from '../../src/cli/commands.ts';
import { helpText } from '../../src/cli/help.ts';
import { cells } from '../../src/report/progress-line.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey } from '../../src/settings/table.ts';
import { isUnsupported, supportedChoices } from '../../src/settings/unsupported.ts';
import { osbuilder } from '../support/cli.ts';

const ALL = [undefined, ...Object.keys(COMMANDS), ...Object.keys(ANSWERS)];

test('no line of help is longer than the terminal', () => {
  for (const command of ALL)
    for (const columns of [20, 40, 60, 71, 72, 80, 100, 120, 200])
      for (const line of helpText(command, columns).split('\n'))
        assert.ok(cells(line) <= columns, `${command}, ${columns} columns: ${line}`);
});

test('the help of the program names every command', () => {
  const text = helpText(undefined, 100);
  for (const command of ALL) if (command !== undefined) assert.match(text, new RegExp(`^ {2}${command}\\b`, 'm'));
});

test('the help of a command shows exactly the settings that act in it, with values, default and variables', () => {
  for (const command of Object.keys(COMMANDS)) {
    const text = helpText(command, 100);
    const flat = text.replace(/\s+/g, ' ');
    const acting = new Set(actingSettings(command));
    for (const key of SETTING_KEYS) {
      const flag = flagOf(key);
      const shown = new RegExp(`^ {2}--${flag} `, 'm').test(text);
      assert.equal(shown, acting.has(key), `${command} --${flag}`);
      if (!shown) continue;
      const { kind, environment, fallback } = rowOf(key);
      const values = kind.name === 'yes-no' ? '[yes|no]' : (supportedChoices(key)?.join('|') ?? kind.placeholder);
      assert.ok(flat.includes(` --${flag} ${values} `), `${command} --${flag} ${values}`);
      assert.ok(flat.includes(`[$${environment.join(', $')}]`), `${command} --${flag}`);
      if (typeof fallback === 'number') assert.ok(flat.includes(`(default: ${fallback}) [$${environment[0]}`));
    }
    for (const flag of Object.keys(COMMANDS[command]!.own)) assert.match(text, new RegExp(`--${flag}\\b`));
    assert.match(text, /^Examples:$/m, command);
  }
});

test('every setting is in the help of a command, and of each command that makes what it is about', () => {
  const shown = new Set(Object.keys(COMMANDS).flatMap(actingSettings));
  const hidden = SETTING_KEYS.filter((key) => !shown.has(key) && !isUnsupported(key));
  assert.deepEqual(
    hidden.filter((key) => supportedChoices(key)?.length !== 1),
    [],
  );
  // these act only where another one is given
  const withOthers: readonly (readonly [string, string])[] = [
    ['initrd', 'sysroot dracutConfDir dracutOptions modulesLoad kernelFormat sbomFormat signKey cmdline'],
    ['image', 'kernelCompat buildVariant veritySalt verityKey remoteCacheWrite'],
    ['inspect', 'sbomFormat sbomFiles'],
  ];
  for (const [command, keys] of withOthers)
    for (const key of keys.split(' ') as SettingKey[])
      assert.match(helpText(command, 100), new RegExp(`^ {2}--${flagOf(key)} `, 'm'), `${command} ${key}`);
});

test('what is not supported is not shown as working', () => {
  for (const command of Object.keys(COMMANDS)) {
    const text = helpText(command, 100);
    for (const key of SETTING_KEYS) {
      if (isUnsupported(key)) assert.doesNotMatch(text, new RegExp(`--${flagOf(key)}\\b`), `${command} ${key}`);
      const unsupported = (rowOf(key).kind.choices ?? []).filter((one) => !supportedChoices(key)!.includes(one));
      for (const choice of unsupported)
        assert.doesNotMatch(text, new RegExp(`--${flagOf(key)} \\S*\\b${choice}\\b`), `${command} ${key} ${choice}`);
    }
  }
});

test('settings of a build act in builds, and hardly any in commands that only look', () => {
  assert.ok(actingSettings('build').includes('fsUuid') && actingSettings('build').includes('compress'));
  assert.ok(!actingSettings('initrd').includes('fsUuid') && !actingSettings('image').includes('compress'));
  assert.deepEqual(actingSettings('inspect'), [
    'sbom',
    'sbomFormat',
    'sbomFiles',
    'strict',
    'json',
    'quiet',
    'verbose',
  ]);
});

test('help COMMAND and COMMAND --help are the same', async () => {
  for (const command of ['initrd', 'cache', 'completion']) {
    const one = await osbuilder(['help', command]);
    const other = await osbuilder([command, '--help']);
    assert.equal(one.code, 0);
    assert.equal(one.stderr, '');
    assert.deepEqual(one, other);
  }
});
