import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { filesBesideConfig } from '../../src/commands/beside-config.ts';
import { gatherAll } from '../../src/settings/gather.ts';
import { roleOf } from '../../src/settings/role.ts';
import { flagOf, rowOf, SETTING_KEYS, type SettingKey } from '../../src/settings/table.ts';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';

/** Which files are meant by the paths in a config file. */

/** Settings whose files are written: they go to the current folder, as all outputs. */
const WRITTEN = new Set<SettingKey>(['sbom', 'provenance', 'referenceValues', 'cacheDir']);
/** A folder inside of an archive. */
const INSIDE = new Set<SettingKey>(['sourceRoot']);

test('every setting that names a file finds it beside the config file, and leaves other values as they are', (t) => {
  const folder = temporary(t);
  const config = join(folder, 'osbuilder.yaml');
  for (const name of ['there.yaml', 'demo', 'chronyd']) writeFileSync(join(folder, name), '');
  const read = (key: SettingKey, value: unknown, flag = false) => {
    const given = flag
      ? { flags: new Map([[key, [String(value)]]]), environment: {} }
      : {
          flags: new Map(),
          environment: {},
          config: { name: config, values: { [flagOf(key)]: value } },
        };
    return filesBesideConfig(gatherAll(given), config).settings[key];
  };
  let settings = 0;
  for (const key of SETTING_KEYS) {
    const { kind } = rowOf(key);
    const names = roleOf(key) === 'input' || /FILE|DIR/.test(kind.placeholder);
    if (!names || WRITTEN.has(key) || INSIDE.has(key)) continue;
    settings++;
    const is = (value: unknown) => (kind.name === 'list' ? [value] : value);
    assert.deepEqual(read(key, 'there.yaml'), is(join(folder, 'there.yaml')), key);
    assert.deepEqual(read(key, 'there.yaml', true), is('there.yaml'), `${key} as a flag`);
    for (const other of ['absent.yaml', join(folder, 'there.yaml'), '-'])
      assert.deepEqual(read(key, other), is(other), `${key}: ${other}`);
  }
  assert.ok(settings > 15, `${settings} settings`);
  for (const key of WRITTEN) assert.equal(read(key, 'there.yaml'), 'there.yaml', key);
  assert.deepEqual(read('repo', ['there.yaml', 'deb http://a b c']), [join(folder, 'there.yaml'), 'deb http://a b c']);
  // words, though something of that name is there
  assert.equal(read('agent', 'demo'), 'demo');
  assert.deepEqual(read('keep', 'chronyd'), ['chronyd']);
});

test('a config file with its overlay is used from any folder; what is not beside it is in the current one', async (t) => {
  const folder = temporary(t);
  for (const name of ['project/one/etc', 'elsewhere/two/etc', 'elsewhere/one/etc', 'rootfs/sbin'])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'project/one/etc/one'), 'project');
  writeFileSync(join(folder, 'elsewhere/one/etc/one'), 'elsewhere');
  writeFileSync(join(folder, 'elsewhere/two/etc/two'), 'elsewhere');
  const config = join(folder, 'project/osbuilder.yaml');
  writeFileSync(config, 'agent: demo\nagent-init: yes\noverlay: [one, two]\noutput: out.tar\n');
  for (const named of [config, relative(join(folder, 'elsewhere'), config)]) {
    const made = await osbuilder(
      ['rootfs', join(folder, 'rootfs'), '--skip-rootfs-check', '--force', '--config', named],
      { cwd: join(folder, 'elsewhere') },
    );
    assert.equal(made.code, 0, made.stderr);
    const tree = await treeOf(join(folder, 'elsewhere/out.tar'), folder);
    assert.equal(tree.text('etc/one'), 'project');
    assert.equal(tree.text('etc/two'), 'elsewhere');
  }
});
