import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema, gather, nearest } from '../../src/settings/gather.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey } from '../../src/settings/table.ts';

const flags = (given: Partial<Record<SettingKey, string[]>>) =>
  new Map(Object.entries(given)) as Map<SettingKey, string[]>;

test('a flag goes before the environment, that before the config file, that before the default', () => {
  const config = { name: 'osbuilder.yaml', values: { distro: 'c', 'os-version': 'c', 'block-size': 1024 } };
  const environment = { DISTRO: 'b', OS_VERSION: 'b' };
  const settings = gather({ flags: flags({ distro: ['a'] }), environment, config });
  assert.equal(settings.distro, 'a');
  assert.equal(settings.osVersion, 'b');
  assert.equal(settings.blockSize, 1024);
  assert.equal(settings.imageSizeAlignmentMb, 128);
  assert.equal(settings.compressLevel, undefined);
});

test('an empty environment variable says nothing', () => {
  assert.equal(gather({ flags: flags({}), environment: { DISTRO: '', AGENT_INIT: '' } }).distro, 'ubuntu');
});

test('yes and no are understood in every spelling people use', () => {
  for (const word of ['yes', 'true', '1', 'YES', 'y', 'on'])
    assert.equal(gather({ flags: flags({}), environment: { AGENT_INIT: word } }).agentInit, true);
  for (const word of ['no', 'false', '0', 'No', 'off'])
    assert.equal(gather({ flags: flags({ agentInit: [word] }), environment: {} }).agentInit, false);
  assert.throws(() => gather({ flags: flags({ agentInit: ['perhaps'] }), environment: {} }), {
    code: 'SETTING_INVALID',
    message: /--agent-init/,
  });
});

test('a list flag that is repeated adds up; a scalar’s last word counts', () => {
  const settings = gather({
    flags: flags({ extraPkgs: ['a b', 'c'], overlay: ['dir one', 'two.tar'], distro: ['x', 'y'] }),
    environment: {},
  });
  assert.deepEqual(settings.extraPkgs, ['a', 'b', 'c']);
  assert.deepEqual(settings.overlay, ['dir one', 'two.tar']);
  assert.equal(settings.distro, 'y');
});

test('either of upstream’s two variables gives the agent', () => {
  assert.equal(gather({ flags: flags({}), environment: { AGENT_TARBALL: 't.tar.zst' } }).agent, 't.tar.zst');
  assert.equal(gather({ flags: flags({}), environment: { AGENT_SOURCE_BIN: 'bin', AGENT_TARBALL: 't' } }).agent, 'bin');
});

test('a config key that is no setting is refused, with the nearest that is', () => {
  assert.throws(
    () => gather({ flags: flags({}), environment: {}, config: { name: 'o.yaml', values: { distr: 'x' } } }),
    { code: 'CONFIG_INVALID', message: /did you mean "distro"/ },
  );
  assert.throws(() => gather({ flags: flags({}), environment: {}, config: { name: 'o.yaml', values: ['x'] } }), {
    code: 'CONFIG_INVALID',
  });
  assert.throws(
    () => gather({ flags: flags({}), environment: {}, config: { name: 'o.yaml', values: { jobs: 'many' } } }),
    { code: 'SETTING_INVALID' },
  );
});

test('numbers out of their range are refused with the range', () => {
  assert.throws(() => gather({ flags: flags({ compressLevel: ['0'] }), environment: {} }), {
    code: 'SETTING_INVALID',
    message: /from 1 to 22/,
  });
  assert.throws(() => gather({ flags: flags({ blockSize: ['4k'] }), environment: {} }), { code: 'SETTING_INVALID' });
});

test('every setting has a flag of its own, a variable of its own and a place in the schema', () => {
  const names = SETTING_KEYS.flatMap((key) => rowOf(key).environment);
  assert.equal(new Set(names).size, names.length);
  const { properties } = configSchema() as { properties: Record<string, unknown> };
  assert.deepEqual(Object.keys(properties).sort(), SETTING_KEYS.map(flagOf).sort());
});

test('the nearest word is found, and none when none is near', () => {
  assert.match(nearest('extra-pkg', ['extra-pkgs', 'packages']), /extra-pkgs/);
  assert.equal(nearest('zzzzzz', ['extra-pkgs', 'packages']), '');
});
