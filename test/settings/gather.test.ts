import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema, gather, gatherAll } from '../../src/settings/gather.ts';
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
  assert.equal(settings.compressLevel, undefined);
});

test('an empty environment variable is not set', () => {
  assert.equal(gather({ flags: flags({}), environment: { DISTRO: '', AGENT_INIT: '' } }).distro, 'ubuntu');
});

test('yes and no are accepted in every usual spelling', () => {
  for (const word of ['yes', 'true', '1', 'YES', 'y', 'on'])
    assert.equal(gather({ flags: flags({}), environment: { AGENT_INIT: word } }).agentInit, true);
  for (const word of ['no', 'false', '0', 'No', 'off'])
    assert.equal(gather({ flags: flags({ agentInit: [word] }), environment: {} }).agentInit, false);
  assert.throws(() => gather({ flags: flags({ agentInit: ['perhaps'] }), environment: {} }), {
    code: 'SETTING_INVALID',
    message: /--agent-init/,
  });
});

test('a repeated list flag adds up; of a scalar the last one counts', () => {
  const settings = gather({
    flags: flags({ extraPkgs: ['a b', 'c'], overlay: ['dir one', 'two.tar'], distro: ['x', 'y'] }),
    environment: {},
  });
  assert.deepEqual(settings.extraPkgs, ['a', 'b', 'c']);
  assert.deepEqual(settings.overlay, ['dir one', 'two.tar']);
  assert.equal(settings.distro, 'y');
});

test('one of upstream’s two variables gives the agent; both at once are an error that names them', () => {
  const from = (environment: Record<string, string>, given: Partial<Record<SettingKey, string[]>> = {}) =>
    gather({ flags: flags(given), environment }).agent;
  assert.equal(from({ AGENT_TARBALL: 't.tar.zst' }), 't.tar.zst');
  assert.equal(from({ AGENT_SOURCE_BIN: 'bin', AGENT_TARBALL: '' }), 'bin');
  assert.equal(from({ AGENT_SOURCE_BIN: 'same', AGENT_TARBALL: 'same' }), 'same');
  assert.equal(from({ AGENT_SOURCE_BIN: 'bin', AGENT_TARBALL: 't' }, { agent: ['demo'] }), 'demo');
  assert.throws(() => from({ AGENT_SOURCE_BIN: 'bin', AGENT_TARBALL: 't' }), {
    code: 'SETTING_CONFLICT',
    message: /\$AGENT_SOURCE_BIN and \$AGENT_TARBALL/,
  });
});

test('where each value came from is known, as the user wrote it', () => {
  const { given } = gatherAll({
    flags: flags({ distro: ['a'] }),
    environment: { DISTRO: 'b', OS_VERSION: 'b' },
    config: { name: 'o.yaml', values: { distro: 'c', 'block-size': 1024 } },
  });
  assert.deepEqual(
    [...given].map(([key, { from, name }]) => [key, from, name]),
    [
      ['distro', 'flag', '--distro'],
      ['osVersion', 'environment', '$OS_VERSION'],
      ['blockSize', 'file', 'o.yaml: block-size'],
    ],
  );
});

test('the config file names outputs, and its numbers may be strings', () => {
  const values = { initrd: 'i.img', output: 'x', 'os-version': '3.20', 'block-size': '4096', packages: ['a', 7] };
  const { settings, outputs } = gatherAll({ flags: flags({}), environment: {}, config: { name: 'o.yaml', values } });
  assert.deepEqual(outputs, { initrd: 'i.img', output: 'x' });
  assert.equal(settings.osVersion, '3.20');
  assert.equal(settings.blockSize, 4096);
  assert.deepEqual(settings.packages, ['a', '7']);
  assert.throws(
    () => gatherAll({ flags: flags({}), environment: {}, config: { name: 'o.yaml', values: { image: [1] } } }),
    { code: 'CONFIG_INVALID', message: /image: expected the path/ },
  );
});

test('an unknown config key is an error that proposes the nearest one', () => {
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

test('numbers out of their range are rejected, with the range', () => {
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
  assert.deepEqual(
    Object.keys(properties).sort(),
    [...SETTING_KEYS.map(flagOf), 'rootfs', 'initrd', 'image', 'output', 'guests', 'matrix'].sort(),
  );
});
