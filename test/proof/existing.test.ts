import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, createReadStream, createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, test } from 'node:test';
import { createGunzip } from 'node:zlib';
import { osbuilder } from '../support/cli.ts';
import { data, needs, temporary } from '../support/data.ts';
import { type AbstractPackage, FAMILIES_UNDER_TEST } from '../support/family-repository.ts';
import { RPM_TOOLS } from '../support/rpms.ts';

/** Bills of materials of what somebody else built, or of what was built before: packages come from the guest's databases. */

interface Component {
  readonly type: string;
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
  readonly hashes?: readonly unknown[];
  readonly description?: string;
  readonly supplier?: { readonly name: string };
  readonly licenses?: readonly { readonly expression: string }[];
  readonly properties?: readonly { readonly name: string; readonly value: string }[];
}
interface Bom {
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const bomAt = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Bom;

/** Everything about the packages but their archives and why they are there: a line for each. */
const packagesIn = ({ components, dependencies }: Bom): string[] =>
  components
    .filter(({ type }) => type === 'library')
    .map(({ name, version, purl, description, supplier, licenses = [] }) => {
      const needs = dependencies.find(({ ref }) => ref === decodeURIComponent(purl!))!.dependsOn;
      const licence = licenses.map(({ expression }) => expression).join();
      return [name, version, purl, description, supplier?.name, licence, [...needs].sort().join(' ')].join(' | ');
    })
    .sort();

const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: somebody
License: GPL-2+
`;
const doc = (name: string) => [
  ...['usr/', 'usr/share/', 'usr/share/doc/', `usr/share/doc/${name}/`].map((path) => ({ name: path })),
  { name: `usr/share/doc/${name}/copyright`, data: copyright },
];
const PACKAGES: readonly AbstractPackage[] = [
  {
    name: 'base',
    files: [
      ...['etc/', 'usr/', 'usr/bin/'].map((name) => ({ name })),
      { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
      { name: 'etc/group', data: 'root:x:0:\n' },
      ...doc('base'),
    ],
  },
  { name: 'tool', depends: ['base', 'library'], files: [{ name: 'usr/tool', data: 'tool' }, ...doc('tool')] },
  { name: 'library', files: [{ name: 'usr/library', data: 'library' }] },
];
/** `ID` and `VERSION_ID` that lead to the distribution that the guest was built as. */
const RELEASES: Readonly<Record<string, string>> = {
  apt: 'ID=debian\nVERSION_ID="13"\n',
  apk: 'ID=alpine\nVERSION_ID=3.24.1\n',
  rpm: 'ID=cbl-mariner\nVERSION_ID="3.0"\n',
};

for (const { family, flags, make, keepDatabase } of FAMILIES_UNDER_TEST)
  describe(`a rootfs with packages of ${family}`, {
    skip: family === 'rpm' ? needs({ tools: RPM_TOOLS }) : false,
  }, () => {
    test('its bill has what the bill of its build has, in every form, and whatever is cut from it', async (t) => {
      const folder = temporary(t);
      const run = async (...args: string[]) => {
        const result = await osbuilder(args, { cwd: folder });
        assert.equal(result.code, 0, `${args.join(' ')}\n${result.stderr}`);
        return result;
      };
      const release = { name: 'etc/os-release', data: RELEASES[family]! };
      const [base, ...others] = PACKAGES;
      const repository = await make(folder, [{ ...base!, files: [...base!.files!, release] }, ...others]);
      const where = ['--repo-url', repository.root, '--keyring', repository.keyring];
      await run(
        ...['rootfs', ...flags, '--packages', 'base tool', '--no-seccomp', '--rootfs-only', '--no-trim', keepDatabase],
        ...[...where, '--cache-dir', 'cache', '-o', 'r.tar', '--sbom', 'built.cdx.json', '--sbom-files'],
      );
      const built = bomAt(join(folder, 'built.cdx.json'));
      const expected = packagesIn(built);
      assert.equal(expected.length, 3);
      if (family === 'apt') assert.match(expected.join('\n'), /^tool \|.* GPL-2\.0-or-later \|/m);
      await run('extract', 'r.tar', '-o', 'tree/');
      await run('initrd', 'r.tar', '--skip-rootfs-check', '-o', 'i.img');
      await run('image', 'r.tar', '--skip-rootfs-check', '-o', 'm.img');
      for (const source of ['r.tar', 'tree', 'i.img', 'm.img']) {
        await run('inspect', source, '--sbom', 'seen.cdx.json');
        const seen = bomAt(join(folder, 'seen.cdx.json'));
        assert.deepEqual(packagesIn(seen), expected, source);
        // nothing is known of the archives
        assert.ok(seen.components.every(({ type, hashes }) => (type === 'library') === (hashes === undefined)));
        await run(
          ...['rootfs', source, '--sbom', 'again.cdx.json', '--sbom-files', '-o', 'again.tar', '--rootfs-only'],
          ...['--remove', '/usr/share/doc', '--remove', `/${family === 'rpm' ? 'var/lib/rpm' : 'lib/apk/db'}`],
        );
        const again = bomAt(join(folder, 'again.cdx.json'));
        assert.deepEqual(packagesIn(again), expected, `a guest of ${source}`);
        const owner = again.components.find(({ name }) => name === '/usr/tool')!.properties;
        assert.deepEqual(owner, [{ name: 'osbuilder:package', value: 'tool' }]);
        await run('inspect', source, '--sbom', 'seen.spdx.json', '--sbom-files');
        const spdx = JSON.parse(readFileSync(join(folder, 'seen.spdx.json'), 'utf8')) as {
          packages: { externalRefs?: { referenceLocator: string }[]; checksums?: unknown }[];
        };
        const purls = spdx.packages.flatMap(({ externalRefs = [] }) => externalRefs.map((one) => one.referenceLocator));
        assert.deepEqual(
          purls.sort(),
          seen.components.flatMap(({ purl }) => purl ?? []).sort(),
          `${source}: the same package URLs`,
        );
      }
    });
  });

test('a guest that dracut makes of a system has those of its packages of which it has a file', async (t) => {
  const folder = temporary(t);
  const run = async (...args: string[]) => {
    const result = await osbuilder(args, { cwd: folder });
    assert.equal(result.code, 0, `${args.join(' ')}\n${result.stderr}`);
  };
  const { SYSTEM, systemTree } = await import('../support/systems.ts');
  const { writeRootfs } = await import('../../src/artefacts/outputs.ts');
  const stanza = (name: string) =>
    `Package: ${name}\nStatus: install ok installed\nVersion: 1-1\nArchitecture: amd64\nMaintainer: Me <me@example.org>\nDescription: ${name}\n\n`;
  const tree = systemTree({
    ...SYSTEM,
    'etc/os-release': 'ID=debian\nVERSION_ID="13"\n',
    'var/lib/dpkg/status': ['dash', 'unused'].map(stanza).join(''),
    'var/lib/dpkg/info/dash.list': '/.\n/usr\n/usr/bin\n/usr/bin/dash\n',
    'var/lib/dpkg/info/unused.list': '/.\n/usr\n/usr/share\n/usr/share/unused\n',
    'usr/share/unused': 'x',
    'usr/share/doc/dash/copyright': copyright,
  });
  await writeRootfs(tree, join(folder, 'system.tar'), { force: false, report: () => {} });
  await run(
    ...['rootfs', '--build-method', 'dracut', '--sysroot', 'system.tar', '--agent', 'demo'],
    ...['-o', 'r.tar', '--sbom', 's.cdx.json', '--cache-dir', 'cache'],
  );
  assert.deepEqual(packagesIn(bomAt(join(folder, 's.cdx.json'))), [
    'dash | 1-1 | pkg:deb/debian/dash@1-1?arch=amd64&distro=debian-13 | dash | Me <me@example.org> | GPL-2.0-or-later | ',
  ]);
});

test('what has no package database is said to have none', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'tree/etc'), { recursive: true });
  writeFileSync(join(folder, 'tree/etc/hostname'), 'x\n');
  for (const args of [
    ['inspect', 'tree'],
    ['rootfs', 'tree', '--rootfs-only', '-o', 'r.tar', '--json'],
  ]) {
    const { code, stdout, stderr } = await osbuilder([...args, '--sbom', 's.spdx.json'], { cwd: folder });
    assert.equal(code, 0, stderr);
    assert.match(`${stdout}${stderr}`, /tree has no package database/);
    if (args.includes('--json')) assert.match(stdout, /"BILL_WITHOUT_PACKAGES"/);
    const { packages } = JSON.parse(readFileSync(join(folder, 's.spdx.json'), 'utf8')) as { packages: unknown[] };
    assert.equal(packages.length, 2, 'the guest, and what it was made of');
  }
  const lost = await osbuilder(['inspect', 'tree', '--sbom', 'tree/etc/hostname', '--json'], { cwd: folder });
  assert.equal((JSON.parse(lost.stdout) as { error: { code: string } }).error.code, 'OUTPUT_INSIDE_INPUT');
  assert.equal(readFileSync(join(folder, 'tree/etc/hostname'), 'utf8'), 'x\n');
});

test('a damaged database is an error, not a bill without packages', async (t) => {
  const folder = temporary(t);
  for (const [path, text] of [
    ['var/lib/rpm/Packages', 'x'],
    ['var/lib/rpm/rpmdb.sqlite', 'x'],
    ['lib/apk/db/installed', 'P:a\nno colon\n'],
    ['var/lib/dpkg/status', 'no colon\n'],
  ] as const) {
    const at = join(folder, path.replaceAll('/', '-'));
    mkdirSync(join(at, path, '..'), { recursive: true });
    writeFileSync(join(at, path), text);
    const { code, stdout } = await osbuilder(['inspect', at, '--sbom', 's.cdx.json', '--json'], { cwd: folder });
    assert.equal(code, 1, path);
    assert.match((JSON.parse(stdout) as { error: { code: string } }).error.code, /^(DATABASE_INVALID|DEB822_SYNTAX)$/);
  }
});

test('the packages of this Debian system are those that dpkg-query lists', {
  skip: needs({ tools: ['dpkg-query'] }),
}, async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'tree/var/lib/dpkg/info'), { recursive: true });
  mkdirSync(join(folder, 'tree/etc'));
  copyFileSync('/var/lib/dpkg/status', join(folder, 'tree/var/lib/dpkg/status'));
  writeFileSync(join(folder, 'tree/etc/os-release'), 'ID=debian\nVERSION_CODENAME=sid\n');
  const format = '${db:Status-Status} ${Package} ${Version} ${Architecture}\n';
  const asked = execFileSync('dpkg-query', ['--admindir', join(folder, 'tree/var/lib/dpkg'), '-W', '-f', format], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const expected = asked.split('\n').flatMap((line) => {
    const [state, name, version, architecture] = line.split(' ');
    if (state !== 'installed') return [];
    const encoded = version!.replaceAll('+', '%2B');
    return [`pkg:deb/debian/${name!.replaceAll('+', '%2B')}@${encoded}?arch=${architecture}&distro=debian-sid`];
  });
  const { code, stderr } = await osbuilder(['inspect', 'tree', '--sbom', 's.cdx.json'], { cwd: folder });
  assert.equal(code, 0, stderr);
  const { components } = bomAt(join(folder, 's.cdx.json'));
  const listed = components.flatMap(({ purl }) => purl?.replace(/&upstream=[^&]*/, '') ?? []);
  assert.ok(expected.length > 50);
  assert.deepEqual(listed.sort(), expected.sort());
});

const MINIROOTFS = 'apk/minirootfs/alpine-minirootfs-3.12.12-x86_64.tar.gz';
test('the packages of Alpine’s mini root file system', { skip: needs({ data: [MINIROOTFS] }) }, async (t) => {
  const folder = temporary(t);
  const { code, stderr } = await osbuilder(['inspect', data(MINIROOTFS), '--sbom', 's.cdx.json'], { cwd: folder });
  assert.equal(code, 0, stderr);
  const installed = execFileSync('tar', ['-xzOf', data(MINIROOTFS), './lib/apk/db/installed'], { encoding: 'utf8' });
  const of = (letter: string) => [...installed.matchAll(new RegExp(`^${letter}:(.*)$`, 'gm'))].map((one) => one[1]!);
  const [names, versions] = [of('P'), of('V')];
  const { components } = bomAt(join(folder, 's.cdx.json'));
  const packages = components.filter(({ type }) => type === 'library');
  assert.deepEqual(
    packages.map(({ purl }) => purl!.replace(/&upstream=.*/, '')).sort(),
    names.map((name, i) => `pkg:apk/alpine/${name}@${versions[i]}?arch=x86_64&distro=alpine-3.12`).sort(),
  );
  const unlicensed = packages.filter(({ licenses = [] }) => licenses.length === 0).map(({ name }) => name);
  // theirs are words without an operator between them: nobody knows whether one or all of them apply
  assert.deepEqual(unlicensed, ['ca-certificates-bundle', 'musl-utils']);
});

const MARINER = 'rpm/real-base/cbl-mariner-2.0-rpmdb.sqlite.gz';
test('the packages of a CBL-Mariner system', { skip: needs({ data: [MARINER] }) }, async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'tree/var/lib/rpm'), { recursive: true });
  mkdirSync(join(folder, 'tree/etc'));
  await pipeline(
    createReadStream(data(MARINER)),
    createGunzip(),
    createWriteStream(join(folder, 'tree/var/lib/rpm/rpmdb.sqlite')),
  );
  writeFileSync(join(folder, 'tree/etc/os-release'), 'ID=mariner\nVERSION_ID="2.0"\n');
  const { code, stderr } = await osbuilder(['inspect', 'tree', '--sbom', 's.cdx.json'], { cwd: folder });
  assert.equal(code, 0, stderr);
  const packages = bomAt(join(folder, 's.cdx.json')).components.filter(({ type }) => type === 'library');
  assert.equal(packages.length, 129);
  for (const { purl } of packages)
    assert.match(
      purl!,
      /^pkg:rpm\/mariner\/[^@/]+@[^?]+\?arch=(x86_64|noarch)&distro=mariner-2\.0(&epoch=\d+)?&upstream=/,
    );
  const licensed = packages.filter(({ licenses = [] }) => licenses.length === 1);
  assert.ok(licensed.length >= 0.95 * packages.length, String(licensed.length));
});
