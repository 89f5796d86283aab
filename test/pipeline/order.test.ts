import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { excludedName } from '../../src/families/requests.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

test('packages that a request excludes', () => {
  const cases = { 'dbus-': 'dbus', '!dbus': 'dbus', 'g++-': 'g++' };
  for (const [request, name] of Object.entries(cases)) assert.equal(excludedName(request), name, request);
  for (const request of ['dbus', 'g++', '?essential', 'a=1-', 'a/sid-'])
    assert.equal(excludedName(request), undefined, request);
});

test('packages that the user excludes are not added by the profile, and that is reported', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const plan = async (...more: string[]) => {
    const args = ['plan', ...smallFlags(root, keyring, join(folder, 'cache')), '--json', ...more];
    const { code, stdout } = await osbuilder(args, { cwd: folder });
    return { code, result: JSON.parse(stdout) as { packages: { name: string }[]; error: Record<string, unknown> } };
  };
  const names = async (...more: string[]) => (await plan(...more)).result.packages.map(({ name }) => name).sort();
  assert.deepEqual(await names(), ['base-files', 'extra', 'libsmall', 'tools']);
  assert.deepEqual(await names('--extra-pkgs', 'extra-'), ['base-files', 'libsmall', 'tools']);
  // apt installs essential packages anyway: that is reported
  const essential = await plan('--extra-pkgs', 'base-files-');
  assert.equal(essential.code, 1);
  assert.equal(essential.result.error['code'], 'PACKAGE_EXCLUDED');
  assert.match(String(essential.result.error['message']), /base-files.*Essential/);
  const needed = await plan('--extra-pkgs', 'libsmall-');
  assert.equal(needed.result.error['code'], 'UNSATISFIABLE');
  const unknown = await plan('--extra-pkgs', 'exrta');
  assert.equal(unknown.result.error['code'], 'PACKAGE_NOT_FOUND');
  assert.match(String(unknown.result.error['hint']), /did you mean extra\?/);
});
