import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Ajv } from 'ajv';
import { licensesOf } from '../../src/families/apt/copyright.ts';
import { spdxExpression } from '../../src/families/licenses.ts';
import { purl } from '../../src/formats/purl/purl.ts';
import { osbuilder, type Result } from '../support/cli.ts';
import { needs, ownFolder } from '../support/data.ts';
import { random } from '../support/random.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';

/** What is said about outputs: differences, verification by a lock, bills of materials, provenance, reference values. */

const errorOf = ({ stdout, stderr }: Result): { code: string; message: string } => {
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as { error: { code: string; message: string } }).error;
};
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('a guest of small packages', () => {
  let folder: string;
  let flags: string[];
  const run = (args: readonly string[]) => osbuilder(args, { cwd: folder, env: { http_proxy: '' } });
  const guest = () => [...flags, '--agent', 'demo', '--agent-init'];
  const secret = generateKeyPairSync('ec', { namedCurve: 'P-256' });

  before(async () => {
    folder = ownFolder(`osbuilder-proof-${process.pid}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const { root, keyring } = await smallRepository(folder);
    flags = smallFlags(root, keyring, join(folder, 'cache'));
    writeFileSync(join(folder, 'key.pem'), secret.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(folder, 'pub.pem'), secret.publicKey.export({ type: 'spki', format: 'pem' }));
    const locked = await run(['lock', ...guest(), '--rootfs', 'r.tar', '--initrd', 'i.img', '-o', 'l.json']);
    assert.equal(locked.code, 0, locked.stderr);
    const proofs = ['--sbom', 's.cdx.json', '--provenance', 'p.dsse.json', '--sign-key', 'key.pem'];
    const values = ['--reference-values', 'v.json', '--cmdline', 'console=ttyS0 ro'];
    const built = await run(['build', ...guest(), '--initrd', 'p.img', '--image', 'p.disk', ...proofs, ...values]);
    assert.equal(built.code, 0, built.stderr);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('verify compares with a lock, and builds again', async () => {
    const keyring = flags.slice(flags.indexOf('--repo-url'));
    const good = await run(['verify', 'r.tar', 'i.img', '--lock', 'l.json']);
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /as the lock says/);
    const again = await run(['verify', 'i.img', '--lock', 'l.json', '--rebuild', ...keyring]);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /built again with the same bytes/);
    const other = await run(['initrd', 'r.tar', '--agent-init', '--remove', '/etc/tools.conf', '-o', 'other.img']);
    assert.equal(other.code, 0, other.stderr);
    const differs = errorOf(await run(['verify', 'other.img', '--lock', 'l.json', '--json']));
    assert.equal(differs.code, 'LOCK_OUTPUT_DIFFERS');
    const why = errorOf(await run(['verify', 'other.img', '--lock', 'l.json', '--rebuild', '--json', ...keyring]));
    assert.equal(why.code, 'LOCK_OUTPUT_DIFFERS');
    assert.match(why.message, /\+ \/etc\/tools\.conf/);
    const unknown = errorOf(await run(['verify', 'p.disk', '--lock', 'l.json', '--json']));
    assert.equal(unknown.code, 'LOCK_OUTPUT_UNKNOWN');
  });

  test('outputs appear with what is said about them, or not at all', async () => {
    const place = join(folder, 'atomic');
    mkdirSync(join(place, 'taken'), { recursive: true });
    writeFileSync(join(place, 'file'), '');
    const say = (sbom: string, values: string) => [
      ...[
        '--sbom',
        join(place, sbom),
        '--provenance',
        join(place, 'p.json'),
        '--reference-values',
        join(place, values),
      ],
    ];
    for (const [sbom, values] of [
      ['s.cdx.json', 'file/v.json'],
      ['s.cdx.json', 'taken'],
      ['taken', 'v.json'],
    ] as const) {
      const outputs = ['--rootfs', join(place, 'r.tar'), '--initrd', join(place, 'i.img')];
      const failed = await run(['build', ...guest(), ...outputs, ...say(sbom, values)]);
      assert.equal(failed.code, 1, failed.stderr);
      assert.deepEqual(
        readdirSync(place).filter((name) => /\.(?:tar|img)$|part/.test(name)),
        [],
        `${sbom} ${values}: no output, and no temporary file`,
      );
    }
  });

  test('diff shows packages, paths, modes, texts, accounts and units, and ends with 1', async () => {
    mkdirSync(join(folder, 'over/etc/systemd/system/multi-user.target.wants'), { recursive: true });
    writeFileSync(join(folder, 'over/etc/tools.conf'), 'a=2\nb=3\n');
    writeFileSync(join(folder, 'over/etc/passwd'), 'new:x:7:7::/:/bin/sh\n');
    writeFileSync(join(folder, 'over/etc/systemd/system/multi-user.target.wants/x.service'), '');
    const made = await run([
      'rootfs',
      'r.tar',
      '--overlay',
      'over',
      '--remove',
      '/usr/share/extra',
      '--rootfs-only',
      '-o',
      'd.tar',
    ]);
    assert.equal(made.code, 0, made.stderr);
    const text = await run(['diff', 'r.tar', 'd.tar']);
    assert.equal(text.code, 1, text.stderr);
    assert.equal(text.stderr, '');
    for (const line of [
      /^- \/usr\/share\/extra \(file/m,
      /^~ \/etc\/tools\.conf: content: 4 bytes -> 8 bytes$/m,
      /^ {4}-a=1$/m,
      /^ {4}\+b=3$/m,
      /^\+ user new: /m,
      /^\+ unit .*x\.service/m,
    ])
      assert.match(text.stdout, line);
    const json = await run(['diff', 'r.tar', 'd.tar', '--json']);
    assert.equal(json.code, 1);
    const document = JSON.parse(json.stdout) as { same: boolean; paths: { path: string; change: string }[] };
    assert.equal(document.same, false);
    assert.ok(document.paths.some(({ path, change }) => path === '/usr/share/extra' && change === 'removed'));
    const same = await run(['diff', 'r.tar', 'r.tar']);
    assert.equal(same.code, 0, same.stdout);
    // a file with the root hash lies beside one of them alone
    const image = [
      'image',
      'r.tar',
      '--agent-init',
      '--skip-rootfs-check',
      '--measured-rootfs',
      '-o',
      'measured/m.img',
    ];
    assert.equal((await run(image)).code, 0);
    copyFileSync(join(folder, 'measured/m.img'), join(folder, 'm.img'));
    const copied = await run(['diff', 'measured/m.img', 'm.img']);
    assert.equal(copied.code, 0, copied.stdout);
    const formats = await run(['diff', 'p.img', 'p.disk', '--json']);
    assert.equal(formats.code, 1);
    assert.ok((JSON.parse(formats.stdout) as { structures: unknown[] }).structures.length > 0);
    const locks = await run(['diff', 'l.json', 'l.json']);
    assert.equal(locks.code, 0, locks.stdout);
    writeFileSync(
      join(folder, 'm.json'),
      readFileSync(join(folder, 'l.json'), 'utf8').replace('"version": "1:2.0-3"', '"version": "1:2.0-4"'),
    );
    const moved = await run(['diff', 'l.json', 'm.json']);
    assert.equal(moved.code, 1);
    assert.match(moved.stdout, /~ package +tools +1:2\.0-3 -> 1:2\.0-4/);
  });

  test('the bill of materials is valid CycloneDX 1.6 and SPDX, has every package, and is the same twice', async () => {
    const text = readFileSync(join(folder, 's.cdx.json'), 'utf8');
    const bom = JSON.parse(text) as {
      serialNumber: string;
      components: { name: string; purl?: string; hashes: unknown[] }[];
      dependencies: { ref: string; dependsOn?: string[] }[];
    };
    const validate = cyclonedxValidator();
    assert.ok(validate(bom), JSON.stringify(validate.errors));
    const purls = bom.components.flatMap((one) => one.purl ?? []);
    assert.deepEqual(purls.sort(), [
      'pkg:deb/debian/base-files@1?arch=amd64&distro=debian-13',
      'pkg:deb/debian/extra@1?arch=amd64&distro=debian-13',
      'pkg:deb/debian/libsmall@1?arch=amd64&distro=debian-13',
      'pkg:deb/debian/tools@1:2.0-3?arch=amd64&distro=debian-13',
    ]);
    // cdxgen's validator reads no entry without this list
    assert.ok(bom.dependencies.every(({ dependsOn }) => Array.isArray(dependsOn)));
    const tools = bom.dependencies.find(({ ref }) => ref.includes('/tools@'))!;
    assert.deepEqual(tools.dependsOn!.map((ref) => /debian\/([^@]*)/.exec(ref)![1]).sort(), ['base-files', 'libsmall']);
    // the agent came with no package
    assert.ok(
      bom.components.some(({ name }) => name === '/usr/sbin/init'),
      text,
    );
    const again = await run([
      'build',
      ...guest(),
      '--initrd',
      'q.img',
      '--sbom',
      'q.cdx.json',
      '--sbom-format',
      'cyclonedx',
    ]);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(readFileSync(join(folder, 'q.cdx.json'), 'utf8'), text);
    const spdx = await run(['build', ...guest(), '--initrd', 'q.img', '--sbom', 'q.spdx.json', '--sbom-files']);
    assert.equal(spdx.code, 0, spdx.stderr);
    const document = JSON.parse(readFileSync(join(folder, 'q.spdx.json'), 'utf8')) as Record<string, unknown[]>;
    assert.deepEqual(document['spdxVersion'], 'SPDX-2.3');
    assert.equal(document['packages']!.length, 1 + 4 + 1);
    const ids = new Set(
      [...document['packages']!, ...document['files']!].map((one) => (one as { SPDXID: string }).SPDXID),
    );
    for (const one of document['relationships'] as { spdxElementId: string; relatedSpdxElement: string }[])
      for (const id of [one.spdxElementId, one.relatedSpdxElement])
        assert.ok(id === 'SPDXRef-DOCUMENT' || ids.has(id), id);
    const tool = (document['files'] as { fileName: string; SPDXID: string; checksums: object[] }[]).find(
      ({ fileName }) => fileName === './usr/bin/tool',
    )!;
    const sha1 = createHash('sha1').update('#!/bin/sh\necho tool\n').digest('hex');
    assert.deepEqual(tool.checksums[0], { algorithm: 'SHA1', checksumValue: sha1 });
    const from = (document['relationships'] as Record<string, string>[]).find(
      (one) => one['spdxElementId'] === tool.SPDXID && one['relationshipType'] === 'EXPANDED_FROM_ARCHIVE',
    )!;
    assert.match(from['relatedSpdxElement']!, /^SPDXRef-Package-tools-/);
  });

  test('a guest of which only a part was kept has the packages of which something was kept', async () => {
    const kept = ['--rootfs-only', '--keep', '/usr/bin/tool', '--rootfs', 'k.tar'];
    const made = await run(['build', ...flags, ...kept, '--sbom', 'k.cdx.json']);
    assert.equal(made.code, 0, made.stderr);
    const { components } = JSON.parse(readFileSync(join(folder, 'k.cdx.json'), 'utf8')) as {
      components: { type: string; name: string }[];
    };
    const names = components.filter(({ type }) => type === 'library').map(({ name }) => name);
    assert.deepEqual(names.sort(), ['base-files', 'tools']);
  });

  test('provenance is signed: openssl verifies it, and what was tampered with does not verify', {
    skip: needs({ tools: ['openssl'] }),
  }, async () => {
    const envelope = JSON.parse(readFileSync(join(folder, 'p.dsse.json'), 'utf8')) as {
      payloadType: string;
      payload: string;
      signatures: { sig: string }[];
    };
    const payload = Buffer.from(envelope.payload, 'base64');
    const statement = JSON.parse(payload.toString()) as {
      subject: { name: string; digest: { sha256: string } }[];
      predicate: { buildDefinition: { resolvedDependencies: { name: string }[] } };
    };
    assert.deepEqual(
      statement.subject.map(({ name, digest }) => [name, digest.sha256]),
      [
        ['p.img', sha256(join(folder, 'p.img'))],
        ['p.disk', sha256(join(folder, 'p.disk'))],
      ],
    );
    assert.ok(statement.predicate.buildDefinition.resolvedDependencies.some(({ name }) => name === 'tools 1:2.0-3'));
    // DSSE, protocol.md: what is signed, written out by hand
    const type = envelope.payloadType;
    writeFileSync(
      join(folder, 'signed'),
      Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]),
    );
    writeFileSync(join(folder, 'sig'), Buffer.from(envelope.signatures[0]!.sig, 'base64'));
    const openssl = (file: string) =>
      execFileSync('openssl', ['dgst', '-sha256', '-verify', 'pub.pem', '-signature', 'sig', file], {
        cwd: folder,
        encoding: 'utf8',
        stdio: 'pipe',
      });
    assert.match(openssl('signed'), /Verified OK/);
    writeFileSync(join(folder, 'tampered'), Buffer.concat([readFileSync(join(folder, 'signed')), Buffer.from(' ')]));
    assert.throws(() => openssl('tampered'));
    const good = await run(['verify', 'p.dsse.json', 'p.img', '--key', 'pub.pem']);
    assert.equal(good.code, 0, good.stderr);
    const keyless = errorOf(await run(['verify', 'p.dsse.json', 'p.img', '--json']));
    assert.match(keyless.message, /p\.dsse\.json is JSON.*--key/);
    const subject = errorOf(await run(['verify', 'p.dsse.json', 'r.tar', '--key', 'pub.pem', '--json']));
    assert.equal(subject.code, 'ATTESTATION_SUBJECT');
    const altered = Buffer.from(payload.toString().replace('p.img', 'x.img')).toString('base64');
    const bad: [unknown, string][] = [
      [{ ...envelope, payload: altered }, 'ATTESTATION_SIGNATURE'],
      [{ ...envelope, signatures: [{ sig: Buffer.alloc(64).toString('base64') }] }, 'ATTESTATION_SIGNATURE'],
      [{ ...envelope, signatures: [] }, 'ATTESTATION_SIGNATURE'],
      [{ ...envelope, signatures: 1 }, 'ATTESTATION_INVALID'],
      [{ ...envelope, payloadType: 'x' }, 'ATTESTATION_INVALID'],
      [{}, 'ATTESTATION_INVALID'],
    ];
    for (const [value, code] of bad) {
      writeFileSync(join(folder, 'bad.json'), JSON.stringify(value));
      assert.equal(errorOf(await run(['verify', 'bad.json', '--key', 'pub.pem', '--json'])).code, code);
    }
    const ed = generateKeyPairSync('ed25519');
    writeFileSync(join(folder, 'ed.pem'), ed.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    writeFileSync(join(folder, 'ed.pub'), ed.publicKey.export({ type: 'spki', format: 'pem' }));
    const other = await run([
      'build',
      ...guest(),
      '--initrd',
      'e.img',
      '--provenance',
      'e.json',
      '--sign-key',
      'ed.pem',
    ]);
    assert.equal(other.code, 0, other.stderr);
    assert.equal((await run(['verify', 'e.json', 'e.img', '--key', 'ed.pub'])).code, 0);
    assert.equal(errorOf(await run(['verify', 'e.json', '--key', 'pub.pem', '--json'])).code, 'ATTESTATION_SIGNATURE');
    writeFileSync(join(folder, 'no.pem'), 'SECRET');
    const unusable = await run([
      'build',
      ...guest(),
      '--initrd',
      'e.img',
      '--provenance',
      'e.json',
      '--sign-key',
      'no.pem',
      '--json',
    ]);
    assert.equal(errorOf(unusable).code, 'KEY_UNUSABLE');
    for (const text of [unusable.stdout, unusable.stderr, readFileSync(join(folder, 'e.json'), 'utf8')])
      assert.ok(!text.includes('SECRET') && !text.includes('PRIVATE KEY'));
  });

  test('reference values are the digests of the outputs, of partitions and of the command line', async () => {
    const values = JSON.parse(readFileSync(join(folder, 'v.json'), 'utf8')) as Record<string, string[]>;
    assert.deepEqual(values['initrd-sha256'], [sha256(join(folder, 'p.img'))]);
    assert.deepEqual(values['image-sha256'], [sha256(join(folder, 'p.disk'))]);
    const of = (algorithm: string, text: string) => [createHash(algorithm).update(text).digest('hex')];
    assert.deepEqual(values['cmdline-sha256'], of('sha256', 'console=ttyS0 ro'));
    assert.deepEqual(values['cmdline-nul-sha384'], of('sha384', 'console=ttyS0 ro\0'));
    assert.match(values['image-partition-1-sha256']![0]!, /^[0-9a-f]{64}$/);
    const args = ['--reference-values', 'w.json', '--reference-values-format', 'rvps'];
    const made = await run(['build', ...guest(), '--initrd', 'w.img', ...args]);
    assert.equal(made.code, 0, made.stderr);
    const message = JSON.parse(readFileSync(join(folder, 'w.json'), 'utf8')) as Record<string, string>;
    assert.equal(message['version'], '0.1.0');
    assert.equal(message['type'], 'sample');
    const payload = JSON.parse(Buffer.from(message['payload']!, 'base64').toString()) as Record<string, string[]>;
    const [name, value] = Object.entries(payload).find(([key]) => key.includes('initrd-sha256'))!;
    assert.match(name, /^rvps:\/\/\/github\.com\/[a-z0-9/-]+:[a-z0-9]+$/);
    assert.deepEqual(value, [sha256(join(folder, 'w.img'))]);
  });

  test('repro builds twice and says the same', async () => {
    const result = await run(['repro', ...guest(), '--json']);
    assert.equal(result.code, 0, result.stderr);
    const { outputs } = JSON.parse(result.stdout) as { outputs: { kind: string; sha256: string }[] };
    assert.deepEqual(
      outputs.map(({ kind }) => kind),
      ['rootfs', 'initrd', 'image'],
    );
    assert.equal(outputs[0]!.sha256, sha256(join(folder, 'r.tar')));
    copyFileSync(join(folder, 'r.tar'), join(folder, 'source.tar'));
  });
});

function cyclonedxValidator() {
  const require = createRequire(import.meta.url);
  const library = join(require.resolve('@cyclonedx/cyclonedx-library'), '../..');
  const root = library.slice(0, library.indexOf('cyclonedx-library') + 'cyclonedx-library'.length);
  const schema = (name: string) =>
    JSON.parse(readFileSync(join(root, 'res/schema', name), 'utf8')) as Record<string, unknown>;
  const ajv = new Ajv({ strict: false, validateFormats: false });
  for (const name of ['spdx', 'jsf-0.82'])
    ajv.addSchema(schema(`${name}.SNAPSHOT.schema.json`), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
  return ajv.compile(schema('bom-1.6.SNAPSHOT.schema.json'));
}

test('package URLs are spelled as the specification says', () => {
  // every test of purl-spec's suite that builds a URL of the types deb, apk, rpm and generic, and more of its rules
  const cases: [Parameters<typeof purl>[0], string][] = [
    [
      {
        type: 'deb',
        namespace: 'debian',
        name: 'curl',
        version: '7.50.3-1',
        qualifiers: { distro: 'jessie', arch: 'i386' },
      },
      'pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie',
    ],
    [
      { type: 'deb', namespace: 'debian', name: 'libstdc++6', version: '14.2.0-19' },
      'pkg:deb/debian/libstdc%2B%2B6@14.2.0-19',
    ],
    [{ type: 'deb', namespace: 'debian', name: 'a', version: '1:2~rc1+b2' }, 'pkg:deb/debian/a@1:2~rc1%2Bb2'],
    [
      {
        type: 'rpm',
        namespace: 'fedora',
        name: 'curl',
        version: '7.50.3-1.fc25',
        qualifiers: { arch: 'i386', distro: 'fedora-25' },
      },
      'pkg:rpm/fedora/curl@7.50.3-1.fc25?arch=i386&distro=fedora-25',
    ],
    [
      { type: 'apk', namespace: 'alpine', name: 'apk', version: '2.12.9-r3', qualifiers: { arch: 'x86' } },
      'pkg:apk/alpine/apk@2.12.9-r3?arch=x86',
    ],
    [
      {
        type: 'deb',
        namespace: 'debian',
        name: 'dpkg',
        version: '1.19.0.4',
        qualifiers: { arch: 'amd64', distro: 'stretch' },
      },
      'pkg:deb/debian/dpkg@1.19.0.4?arch=amd64&distro=stretch',
    ],
    [
      { type: 'deb', namespace: 'ubuntu', name: 'dpkg', version: '1.19.0.4', qualifiers: { arch: 'amd64' } },
      'pkg:deb/ubuntu/dpkg@1.19.0.4?arch=amd64',
    ],
    [
      { type: 'deb', namespace: 'debian', name: 'attr', version: '1:2.4.47-2', qualifiers: { arch: 'source' } },
      'pkg:deb/debian/attr@1:2.4.47-2?arch=source',
    ],
    [
      { type: 'deb', namespace: 'debian', name: 'attr', version: '1:2.4.47-2+b1', qualifiers: { arch: 'amd64' } },
      'pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64',
    ],
    [
      { type: 'apk', namespace: 'alpine', name: 'curl', version: '7.83.0-r0', qualifiers: { arch: 'x86' } },
      'pkg:apk/alpine/curl@7.83.0-r0?arch=x86',
    ],
    [
      {
        type: 'apk',
        namespace: 'alpine',
        name: 'libcrypto3',
        version: '3.5.5-r0',
        qualifiers: { upstream: 'openssl', distro: 'alpine-edge', arch: 'x86_64' },
      },
      'pkg:apk/alpine/libcrypto3@3.5.5-r0?arch=x86_64&distro=alpine-edge&upstream=openssl',
    ],
    [
      {
        type: 'Rpm',
        namespace: 'fedora',
        name: 'curl',
        version: '7.50.3-1.fc25',
        qualifiers: { Arch: 'i386', Distro: 'fedora-25' },
      },
      'pkg:rpm/fedora/curl@7.50.3-1.fc25?arch=i386&distro=fedora-25',
    ],
    [
      {
        type: 'rpm',
        name: 'centerim',
        version: '4.22.10-1.el6',
        qualifiers: { arch: 'i686', epoch: '1', distro: 'fedora-25' },
      },
      'pkg:rpm/centerim@4.22.10-1.el6?arch=i686&distro=fedora-25&epoch=1',
    ],
    [
      {
        type: 'generic',
        name: 'openssl',
        version: '1.1.10g',
        qualifiers: { checksum: 'sha1:ad9503c3e994a4f,sha256:41bf9088b3a1e6c1ef1d' },
      },
      'pkg:generic/openssl@1.1.10g?checksum=sha1:ad9503c3e994a4f%2Csha256:41bf9088b3a1e6c1ef1d',
    ],
    [{ type: 'DEB', namespace: 'Debian', name: 'A B', version: '', qualifiers: { none: '' } }, 'pkg:deb/debian/a%20b'],
  ];
  for (const [parts, text] of cases) assert.equal(purl(parts), text);
});

test('copyright files become SPDX expressions', () => {
  const dep5 = (...names: string[]) =>
    `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n${names.map((name) => `Files: *\nCopyright: x\nLicense: ${name}\n`).join('\n')}`;
  const cases: [string, string | undefined][] = [
    [dep5('GPL-2+'), 'GPL-2.0-or-later'],
    [dep5('LGPL-2.1', 'Expat'), 'LGPL-2.1-only AND MIT'],
    [dep5('GPL-2+ or Artistic-2.0, and BSD-3-clause'), '(GPL-2.0-or-later OR Artistic-2.0) AND BSD-3-Clause'],
    [dep5('GPL-3+ with Autoconf exception'), 'GPL-3.0-or-later WITH Autoconf-exception-3.0'],
    [dep5('GFDL-NIV-1.3+'), 'GFDL-1.3-no-invariants-or-later'],
    [dep5('public-domain'), 'LicenseRef-public-domain'],
    [dep5('Some Odd (Licence)'), 'LicenseRef-Some-Odd-Licence'],
    ['On Debian systems see /usr/share/common-licenses/GPL-2. You may use any later version.', 'GPL-2.0-or-later'],
    ['See /usr/share/common-licenses/LGPL-2.1.', 'LGPL-2.1-only'],
    ['Permission is hereby granted, free of charge, to any person obtaining a copy', 'MIT'],
    ['nothing is said', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(licensesOf(text), expected, text);
  // whatever separates names, and however often, an expression is one
  const dice = random(5);
  const parts = [
    'MIT',
    'GPL-2+',
    'weird',
    ' or ',
    ' and ',
    ', and ',
    ', ',
    ' | ',
    '||',
    '; ',
    ' and/or ',
    ' with ',
    'x',
    '-',
  ];
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: 1 + dice.below(8) }, () => dice.pick(parts)).join('');
    const found = licensesOf(
      `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: ${text}\n`,
    );
    if (found !== undefined) assert.equal(spdxExpression(found), found, JSON.stringify(text));
  }
  for (const run of [' ', '\t', '-', ',', '|', ' or', ';'].map((one) => one.repeat(100_000)))
    assert.match(licensesOf(`Format: dep5\n\nFiles: *\nLicense: MIT${run}or${run}ISC with${run}x\n`) ?? '', /MIT/);
  assert.equal(spdxExpression('GPL-2.0-or-later WITH GCC-exception-3.1'), 'GPL-2.0-or-later WITH GCC-exception-3.1');
  const words = (text: string) =>
    spdxExpression(text, (name) => (name === 'ASL 2.0' ? 'Apache-2.0' : undefined), { blanks: true });
  assert.equal(
    words('BSD and Public Domain or (ASL 2.0 AND MIT)'),
    'LicenseRef-BSD AND LicenseRef-Public-Domain OR (Apache-2.0 AND MIT)',
  );
  assert.equal(words('MIT with my own exception'), 'MIT');
  assert.equal(spdxExpression('mit and (bsd-3-clause OR weird)'), 'MIT AND (BSD-3-Clause OR LicenseRef-weird)');
  for (const bad of ['', 'AND', 'MIT OR', '(MIT', 'MIT)', 'MIT MIT']) assert.equal(spdxExpression(bad), undefined, bad);
});
