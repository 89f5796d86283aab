import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { needsMirror, TEST_CACHE } from '../support/host.ts';

/** The bill of materials of a whole Debian guest: every package is in it, and how many of them say their licence. */

const skip = await needsMirror();

for (const [method, ...more] of [['packages'], ['dracut', '--build-method', 'dracut', '--extra-pkgs', 'udev']] as const)
  test(`of a trixie guest made by ${method} every package is listed, and 95 of 100 have a licence`, {
    skip,
  }, async (t) => {
    const folder = temporary(t);
    const result = await osbuilder(
      [
        ...['build', '--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--agent', 'demo', ...more],
        ...['--rootfs', 'r.tar', '--sbom', 's.cdx.json', '--cache-dir', TEST_CACHE, '--json'],
      ],
      { cwd: folder, env: { http_proxy: process.env['http_proxy'] ?? '' } },
    );
    assert.equal(result.code, 0, result.stderr);
    const { packages } = JSON.parse(result.stdout) as { packages: { name: string; sha256: string }[] };
    const { components } = JSON.parse(readFileSync(join(folder, 's.cdx.json'), 'utf8')) as {
      components: {
        name: string;
        purl?: string;
        hashes: { content: string }[];
        licenses?: { expression?: string }[];
      }[];
    };
    const listed = components.filter(({ purl }) => purl !== undefined);
    assert.ok(packages.length > 100);
    assert.deepEqual(
      listed.map(({ hashes }) => hashes[0]!.content).sort(),
      packages.map(({ sha256 }) => sha256).sort(),
    );
    const without = listed.filter(({ licenses = [] }) => !licenses.some(({ expression }) => expression !== undefined));
    t.diagnostic(`${listed.length - without.length} of ${listed.length} packages have a licence`);
    const share = 1 - without.length / listed.length;
    assert.ok(share >= 0.95, `${Math.round(share * 100)} %: ${without.map(({ name }) => name).join(' ')}`);
    for (const { purl } of listed)
      assert.match(purl!, /^pkg:deb\/debian\/[^@?]+@[^?]+\?arch=(amd64|all)&distro=debian-13/);
  });
