import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { excludedName } from '../../src/families/requests.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

test('what a request keeps out', () => {
  const cases = { 'dbus-': 'dbus', '!dbus': 'dbus', 'g++-': 'g++' };
  for (const [request, name] of Object.entries(cases)) assert.equal(excludedName(request), name, request);
  for (const request of ['dbus', 'g++', '?essential', 'a=1-', 'a/sid-'])
    assert.equal(excludedName(request), undefined, request);
});

test('packages that the user keeps out do not come on the profile’s account, nor in silence', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const plan = async (...more: string[]) => {
    const args = ['plan', ...smallFlags(root, keyring, join(folder, 'cache')), '--json', ...more];
    const { code, stdout } = await osbuilder(args, { cwd: folder });
    return { code, said: JSON.parse(stdout) as { packages: { name: string }[]; error: Record<string, unknown> } };
  };
  const names = async (...more: string[]) => (await plan(...more)).said.packages.map(({ name }) => name).sort();
  assert.deepEqual(await names(), ['base-files', 'extra', 'libsmall', 'tools']);
  assert.deepEqual(await names('--extra-pkgs', 'extra-'), ['base-files', 'libsmall', 'tools']);
  // in apt's eyes what is essential outweighs the wish: said, not found out in the guest
  const essential = await plan('--extra-pkgs', 'base-files-');
  assert.equal(essential.code, 1);
  assert.equal(essential.said.error['code'], 'PACKAGE_EXCLUDED');
  assert.match(String(essential.said.error['message']), /base-files.*Essential/);
  const needed = await plan('--extra-pkgs', 'libsmall-');
  assert.equal(needed.said.error['code'], 'UNSATISFIABLE');
  const unknown = await plan('--extra-pkgs', 'exrta');
  assert.equal(unknown.said.error['code'], 'PACKAGE_NOT_FOUND');
  assert.match(String(unknown.said.error['hint']), /did you mean extra\?/);
});
