import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { type TestContext, test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { serve } from '../support/server.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

/** `--remote-cache http://…`: the cache folder of another machine, read through a web server. */

/** A mirror that has lost its packages, and a cache folder that has them. */
async function ground(t: TestContext) {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const build = (name: string, ...more: readonly string[]) =>
    osbuilder(
      [
        ...['rootfs', ...smallFlags(root, keyring, join(folder, name))],
        ...['--rootfs-only', '-o', `${name}.tar`, '--json', '--verbose', ...more],
      ],
      { cwd: folder },
    );
  const first = await build('filled');
  assert.equal(first.code, 0, first.stderr);
  const bytes = readFileSync(join(folder, 'filled.tar'));
  const rest = (name: string) => readFileSync(join(folder, `${name}.tar`)).equals(bytes);
  rmSync(join(root, 'pool'), { recursive: true, force: true });
  return { folder, build, same: rest };
}

/** Files below a folder, with `/` between names. */
const below = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => relative(folder, join(one.parentPath, one.name)).split(sep).join('/'));

test('packages come from the folder, by http and as a folder of this machine', async (t) => {
  const { folder, build, same } = await ground(t);
  const { url, requests } = await serve(t, join(folder, 'filled'));
  const byHttp = await build('http', '--remote-cache', `${url}/`);
  assert.equal(byHttp.code, 0, byHttp.stderr);
  assert.ok(same('http'));
  // packages alone: metadata has signatures of its own, and unpacked packages prove nothing
  assert.deepEqual([...new Set(requests.map(({ path }) => path.split('/')[1]))], ['archives']);
  const local = await build('local', '--remote-cache', `file://${join(folder, 'filled')}`);
  assert.equal(local.code, 0, local.stderr);
  assert.ok(same('local'));
});

test('what is not there comes from the mirror, without a warning', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  const { url } = await serve(t, {});
  const built = await osbuilder(
    [
      ...['rootfs', ...smallFlags(root, keyring, join(folder, 'cache')), '--rootfs-only', '-o', 'a.tar', '--strict'],
      ...['--remote-cache', url],
    ],
    { cwd: folder },
  );
  assert.equal(built.code, 0, built.stderr);
});

test('a folder with other bytes, or a server that fails: one warning, and nothing wrong is kept', async (t) => {
  const { folder, build } = await ground(t);
  const { url, fault } = await serve(t, join(folder, 'filled'));
  const archives = join(folder, 'filled/archives');
  for (const path of below(archives)) writeFileSync(join(archives, path), 'something else');
  const lying = await build('lied', '--remote-cache', url);
  assert.notEqual(lying.code, 0, 'neither has the packages');
  assert.equal(lying.stderr.match(/remote cache .* cannot be used/g)?.length, 1, lying.stderr);
  assert.deepEqual(
    below(join(folder, 'lied')).filter((path) => path.startsWith('archives/')),
    [],
  );
  for (const path of below(archives)) fault(`/archives/${path}`, { times: 9, status: 403 });
  const denied = await build('denied', '--remote-cache', url);
  assert.equal(denied.stderr.match(/remote cache .* cannot be used/g)?.length, 1, denied.stderr);
});

test('a folder is not written to, and says so', async (t) => {
  const { folder, build } = await ground(t);
  const url = `file://${join(folder, 'filled')}`;
  const result = await build('x', '--remote-cache', url, '--remote-cache-write');
  assert.match(result.stdout + result.stderr, /a folder is read only.*REFERENCE_INVALID/s);
});
