import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Ajv } from 'ajv';
import { osbuilder } from '../support/cli.ts';
import { ownFolder, ROOT, tool } from '../support/data.ts';
import { FAMILIES_UNDER_TEST } from '../support/family-repository.ts';
import { npmProgram, type Outside, pythonProgram } from '../support/outside.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { SMALL_PACKAGES, smallFlags, smallRepository } from '../support/small-guest.ts';

/**
 * What programs of others say of our bills of materials: the scanner of CycloneDX (cdxgen), the tools of SPDX, and the
 * parsers of package URLs and licence expressions that scanners of npm use. Each must also refuse a bill with a mistake.
 */

const CDXGEN = await npmProgram('@cyclonedx/cdxgen', '12.8.4');
const SPDX_TOOLS = await pythonProgram('spdx-tools', '0.8.5');
const PURL = await npmProgram('packageurl-js', '2.0.1');
const EXPRESSION = await npmProgram('spdx-expression-parse', '4.0.0');
const skip = (one: Outside): string | false => ('skip' in one ? one.skip : false);
const folderOf = (one: Outside): string => ('folder' in one ? one.folder : assert.fail());

let folder: string;
/** Bills by name: of guests of each family, of a rootfs that was there, with every file and without. */
const bills: string[] = [];
const json = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Record<string, unknown>;

const COPYRIGHT = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: somebody
License: GPL-2+ with OpenSSL exception

Files: x
Copyright: somebody
License: Some-Licence and (BSD-3-clause or Artistic)
`;

before(async () => {
  folder = ownFolder(`osbuilder-outside-${process.pid}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const run = async (args: readonly string[]) => {
    const { code, stderr } = await osbuilder(args, { cwd: folder, env: { http_proxy: '' } });
    assert.equal(code, 0, `${args.join(' ')}\n${stderr}`);
  };
  const bill = (name: string, ...more: string[]): string[] => {
    bills.push(name);
    return ['--sbom', name, ...more];
  };
  const named = {
    name: 'libc++1',
    version: '2:1.0~rc1+dfsg-1+b2',
    fields:
      'Source: c++ (1.0~rc1+dfsg-1)\nDepends: tools, nowhere | base-files\nProvides: libc++\nHomepage: https://example.org/ü?a=b\n',
    files: [
      ...['./usr/', './usr/share/', './usr/share/doc/', './usr/share/doc/libc++1/'].map((name) => ({ name })),
      { name: './usr/share/doc/libc++1/copyright', data: COPYRIGHT },
    ],
  };
  const { root, keyring } = await smallRepository(folder, {}, [...SMALL_PACKAGES, named]);
  const guest = [...smallFlags(root, keyring, 'cache'), '--extra-pkgs', 'libc++1', '--agent', 'demo', '--agent-init'];
  mkdirSync(join(folder, 'over lay/etc'), { recursive: true });
  writeFileSync(join(folder, 'over lay/etc/näme "x"'), 'x');
  const overlay = ['--overlay', 'over lay'];
  await run(['build', ...guest, ...overlay, '--rootfs', 'r.tar', '--keep-dpkg-db', ...bill('built.cdx.json')]);
  await run(['build', ...guest, ...overlay, '--initrd', 'i.img', ...bill('built.spdx.json')]);
  await run(['build', ...guest, '--initrd', 'i.img', ...bill('files.spdx.json', '--sbom-files')]);
  await run(['build', ...guest, '--initrd', 'i.img', ...bill('files.cdx.json', '--sbom-files')]);
  await run(['inspect', 'r.tar', ...bill('seen.cdx.json')]);
  await run(['inspect', 'r.tar', ...bill('seen.spdx.json', '--sbom-files')]);
  for (const { family, flags, make } of FAMILIES_UNDER_TEST) {
    if (family === 'rpm' && RPM_TOOLS.some((name) => tool(name) === undefined)) continue;
    mkdirSync(join(folder, family));
    const made = await make(join(folder, family), [
      { name: 'base', files: [{ name: 'etc/' }, { name: 'etc/passwd', data: 'root:x:0:0::/:/bin/sh\n' }] },
      { name: 'tool', depends: ['base'], files: [{ name: 'usr/' }, { name: 'usr/tool', data: 'tool' }] },
    ]);
    const where = ['--repo-url', made.root, '--keyring', made.keyring, '--cache-dir', 'cache'];
    const args = [
      'rootfs',
      ...flags,
      '--packages',
      'base tool',
      '--no-seccomp',
      '--rootfs-only',
      ...where,
      '-o',
      'f.tar',
    ];
    await run([...args, ...bill(`${family}.cdx.json`)]);
    await run([...args, ...bill(`${family}.spdx.json`, '--sbom-files')]);
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A run of cdx-validate: how it ended and its report. */
function cdxValidate(name: string) {
  const program = join(folderOf(CDXGEN), 'node_modules/@cyclonedx/cdxgen/bin/validate.js');
  const args = [program, '-i', join(folder, name), '--strict', '--report', 'json', '--fail-severity', 'critical'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  return { status, said: `${stdout}${stderr}` };
}

test('cdxgen accepts those in CycloneDX', { skip: skip(CDXGEN) }, () => {
  const own = bills.filter((name) => name.endsWith('.cdx.json'));
  assert.ok(own.length >= 5);
  for (const name of own) {
    const { status, said } = cdxValidate(name);
    assert.equal(status, 0, `${name}: ${said}`);
  }
  const good = json('built.cdx.json') as { components: { purl?: string }[] };
  const components = good.components.map((one) => (one.purl === undefined ? one : { ...one, purl: 'pkg:deb' }));
  writeFileSync(join(folder, 'bad.json'), JSON.stringify({ ...good, components }));
  assert.notEqual(cdxValidate('bad.json').status, 0, 'wrong package URLs');
  writeFileSync(join(folder, 'bad.json'), JSON.stringify({ ...good, serialNumber: 'x' }));
  assert.notEqual(cdxValidate('bad.json').status, 0, 'against the schema');
});

test('the tools of SPDX accept those in SPDX', { skip: skip(SPDX_TOOLS) }, () => {
  const verify = (name: string) => {
    const args = ['-m', 'spdx_tools.spdx.clitools.pyspdxtools', '-i', join(folder, name), '--version', 'SPDX-2.3'];
    const env = { ...process.env, PYTHONPATH: folderOf(SPDX_TOOLS) };
    const { status, stdout, stderr } = spawnSync(tool('python3')!, args, { encoding: 'utf8', env });
    return { status, said: `${stdout}${stderr}` };
  };
  const own = bills.filter((name) => name.endsWith('.spdx.json'));
  assert.ok(own.length >= 4);
  for (const name of own) {
    const { status, said } = verify(name);
    assert.equal(status, 0, `${name}: ${said}`);
  }
  const good = json('files.spdx.json');
  for (const [what, bad] of Object.entries({
    'a missing namespace': { ...good, documentNamespace: undefined },
    'a relation to nothing': {
      ...good,
      relationships: [
        { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: 'SPDXRef-None' },
      ],
    },
    'a wrong time': { ...good, creationInfo: { created: 'today', creators: ['Tool: x'] } },
  })) {
    writeFileSync(join(folder, 'bad.spdx.json'), JSON.stringify(bad));
    assert.notEqual(verify('bad.spdx.json').status, 0, what);
  }
});

/** Every package URL of the bills, and every licence. */
function said(): { purls: Set<string>; licences: Set<string> } {
  const purls = new Set<string>();
  const licences = new Set<string>();
  for (const name of bills) {
    const { components = [], packages = [] } = json(name) as {
      components?: { purl?: string; licenses?: { expression: string }[] }[];
      packages?: { licenseDeclared: string; externalRefs?: { referenceLocator: string }[] }[];
    };
    for (const { purl, licenses = [] } of components) {
      if (purl !== undefined) purls.add(purl);
      for (const { expression } of licenses) licences.add(expression);
    }
    for (const { licenseDeclared, externalRefs = [] } of packages) {
      if (licenseDeclared !== 'NOASSERTION') licences.add(licenseDeclared);
      for (const { referenceLocator } of externalRefs) purls.add(referenceLocator);
    }
  }
  return { purls, licences };
}

test('package URLs are those that packageurl-js writes', { skip: skip(PURL) }, () => {
  const { PackageURL } = createRequire(join(folderOf(PURL), 'x.js'))('packageurl-js') as {
    PackageURL: { fromString(text: string): { toString(): string; name: string; version: string; qualifiers: object } };
  };
  const { purls } = said();
  assert.ok(purls.size > 8);
  for (const text of purls) {
    const parsed = PackageURL.fromString(text);
    assert.equal(decodeURIComponent(parsed.toString()), decodeURIComponent(text));
    if (parsed.name === 'libc++1')
      assert.deepEqual(
        [parsed.version, { ...parsed.qualifiers }],
        [
          '2:1.0~rc1+dfsg-1+b2',
          // the os-release of the small guest says so
          { arch: 'amd64', distro: text.includes('/small/') ? 'small' : 'debian-13', upstream: 'c++@1.0~rc1+dfsg-1' },
        ],
      );
  }
});

test('licences are expressions of SPDX', { skip: skip(EXPRESSION) }, () => {
  const parse = createRequire(join(folderOf(EXPRESSION), 'x.js'))('spdx-expression-parse') as (text: string) => unknown;
  const { licences } = said();
  assert.ok(
    [...licences].some((text) => text.includes('LicenseRef-')),
    [...licences].join('\n'),
  );
  for (const text of licences) assert.doesNotThrow(() => parse(text), text);
});

test('those in SPDX are valid by the schema of SPDX 2.3', () => {
  const schema = JSON.parse(readFileSync(join(ROOT, 'fixtures/spdx/spdx-schema-v2.3.json'), 'utf8')) as object;
  const { $schema: _, ...plain } = schema as Record<string, unknown>;
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(plain);
  for (const name of bills.filter((one) => one.endsWith('.spdx.json')))
    assert.ok(validate(json(name)), `${name}: ${JSON.stringify(validate.errors)}`);
  const good = json('files.spdx.json');
  for (const bad of [
    { ...good, dataLicense: undefined },
    { ...good, files: [{ SPDXID: 'x' }] },
    { ...good, more: 1 },
  ])
    assert.ok(!validate(bad));
});

test('the tools of SPDX lose nothing of them', { skip: skip(SPDX_TOOLS) }, () => {
  // they write what they have read
  for (const name of bills.filter((one) => one.endsWith('.spdx.json'))) {
    const module = ['-m', 'spdx_tools.spdx.clitools.pyspdxtools'];
    const args = [...module, '-i', join(folder, name), '-o', join(folder, 'again.spdx.json')];
    const env = { ...process.env, PYTHONPATH: folderOf(SPDX_TOOLS) };
    execFileSync(tool('python3')!, args, { env, stdio: 'pipe' });
    assert.deepEqual(normal(json('again.spdx.json')), normal(json(name)), name);
  }
});

/** A document in any order of its rows, without what one spells out and the other leaves out. */
function normal(document: Record<string, unknown>): unknown {
  const { documentDescribes: _, relationships = [], ...rest } = document;
  const rows = (relationships as Record<string, string>[])
    .filter(({ relationshipType }) => relationshipType !== 'DESCRIBES')
    .map((one) => `${one['spdxElementId']} ${one['relationshipType']} ${one['relatedSpdxElement']}`);
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => key !== 'hasFiles')
        // both spellings are in the schema
        .map(([key, one]) => [key, key === 'referenceCategory' ? String(one).replace('_', '-') : strip(one)]),
    );
  };
  return { ...(strip(rest) as object), relationships: rows.sort() };
}
