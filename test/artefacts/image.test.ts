import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

test('one rootfs gives one image, whether read from packages, an archive, a folder or an image', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const run = async (...args: string[]) => {
    const { code, stderr } = await osbuilder([...args, '--image-size-alignment-mb', '16'], { cwd: folder });
    assert.equal(code, 0, stderr);
  };
  await run(
    ...['build', ...smallFlags(root, keyring, join(folder, 'cache'))],
    ...['--agent', 'demo', '--agent-init', '--rootfs', 'r.tar', '--image', 'packages.img'],
  );
  await run('rootfs', 'r.tar', '--rootfs-only', '-o', 'folder/');
  for (const source of ['r.tar', 'folder', 'packages.img'])
    await run('image', source, '--skip-rootfs-check', '-o', `from-${source}`);
  const made = readFileSync(join(folder, 'packages.img'));
  for (const source of ['r.tar', 'folder', 'packages.img'])
    assert.ok(readFileSync(join(folder, `from-${source}`)).equals(made), source);

  // and its identity follows the contents, not their names and sizes alone
  const uuid = async (file: string) => {
    const { stdout } = await osbuilder(['inspect', file, '--json'], { cwd: folder });
    return /"uuid": "([-0-9a-f]{36})"/.exec(stdout)?.[1];
  };
  const changed = readFileSync(join(folder, 'r.tar'));
  const at = changed.indexOf('a=1\n');
  assert.ok(at > 0);
  changed.write('a=2\n', at);
  writeFileSync(join(folder, 'changed.tar'), changed);
  await run('image', 'changed.tar', '--skip-rootfs-check', '-o', 'changed.img');
  const [one, other] = [await uuid('packages.img'), await uuid('changed.img')];
  assert.ok(one !== undefined && other !== undefined);
  assert.notEqual(one, other);
});
