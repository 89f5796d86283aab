import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Lock } from '../../src/lock/lock.ts';
import { osbuilder } from '../support/cli.ts';
import { data, needs, temporary } from '../support/data.ts';
import { RPM_TOOLS } from '../support/rpms.ts';

/**
 * Locks of packages that distributions made, built again from a bare folder of them. What an index says of a package is not
 * always what the package says of itself, and made packages show few of the ways in which they differ.
 */

async function rebuild(
  t: { after(fn: () => void): void },
  given: { readonly flags: readonly string[]; readonly packages: string; readonly bare: string },
) {
  const cwd = temporary(t);
  const run = async (...args: string[]) => {
    const result = await osbuilder(args, { cwd, env: { http_proxy: '' } });
    assert.equal(result.code, 0, `${args.join(' ')}\n${result.stderr}`);
    return result;
  };
  const guest = [...given.flags, '--packages', given.packages, '--rootfs-only', '--cache-dir', 'first'];
  await run('lock', ...guest, '--rootfs', 'g.tar', '-o', 'l.json');
  const { stdout } = await run(
    ...['verify', 'g.tar', '--lock', 'l.json', '--rebuild', '--repo', given.bare, '--cache-dir', 'second'],
  );
  assert.match(stdout, /built again with the same bytes/);
  const lock = JSON.parse(readFileSync(join(cwd, 'l.json'), 'utf8')) as Lock;
  // the database in the guest knows as much as the build
  await run(
    'build',
    '--lock',
    'l.json',
    '--repo',
    given.bare,
    '--rootfs',
    'g.tar',
    '--cache-dir',
    'second',
    '--sbom',
    'b',
  );
  await run('inspect', 'g.tar', '--sbom', 's');
  const packagesOf = (name: string) => {
    const { components } = JSON.parse(readFileSync(join(cwd, name), 'utf8')) as {
      components: { purl?: string; licenses?: unknown }[];
    };
    return components
      .filter(({ purl }) => purl !== undefined)
      .map(({ purl, licenses }) => `${purl!.replace(/&distro=[^&]*/, '')} ${JSON.stringify(licenses)}`)
      .sort();
  };
  const listed = packagesOf('b').map((one) => one.replace(/^pkg:rpm\/cbl-mariner\//, 'pkg:rpm/'));
  assert.deepEqual(packagesOf('s'), listed);
  assert.equal(listed.length, lock.packages.length);
  return lock;
}

const ALPINE = 'apk/alpine-3.19-x86_64-iso';
test('Alpine’s own packages', { skip: needs({ data: [ALPINE] }) }, async (t) => {
  const root = temporary(t);
  symlinkSync(data(ALPINE), join(root, 'x86_64'));
  const bare = temporary(t);
  for (const name of readdirSync(data(ALPINE)).filter((one) => one.endsWith('.apk')))
    copyFileSync(join(data(ALPINE), name), join(bare, name));
  // where the folder of an architecture is at the root, its name says so
  const apks = join(temporary(t), 'apks');
  symlinkSync(root, apks);
  const flags = ['--distro', 'alpine', '--os-version', '3.19', '--arch', 'x86_64', '--repo-url', apks];
  const lock = await rebuild(t, { flags, packages: 'alpine-base openssh chrony e2fsprogs', bare });
  assert.ok(lock.packages.length > 25);
  // packages for every architecture are among them
  assert.ok(lock.packages.some(({ name, record }) => name === 'alpine-baselayout-data' && record !== undefined));
});

const PULP = 'rpm/pulp';
test('small real packages of rpm', { skip: needs({ data: [PULP], tools: RPM_TOOLS }) }, async (t) => {
  const root = temporary(t);
  const bare = join(root, '3.0/prod/base/x86_64');
  mkdirSync(bare, { recursive: true });
  for (const name of readdirSync(data(PULP)).filter((one) => one.endsWith('.rpm')))
    if (statSync(data(`${PULP}/${name}`)).size > 100) copyFileSync(data(`${PULP}/${name}`), join(bare, name));
  execFileSync('createrepo_c', ['-q', bare]);
  const flags = ['--distro', 'cbl-mariner', '--os-version', '3.0', '--arch', 'x86_64', '--repo-url', root];
  const packages = 'elephant kangaroo walrus zebra penguin';
  const lock = await rebuild(t, { flags: [...flags, '--allow-unauthenticated'], packages, bare });
  assert.ok(lock.packages.length >= 5);
});
