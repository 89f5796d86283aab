import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import initSqlJs from 'sql.js';
import { sha256 } from '../../../src/bytes/digest.ts';
import { BuildError } from '../../../src/errors/error.ts';
import { proveOrigin } from '../../../src/families/rpm/signature.ts';
import type { Keyring } from '../../../src/fetch/keys/key.ts';
import { BUILT_IN_KEYS, builtInKeyring } from '../../../src/fetch/keys/keyring.ts';
import { listKeyring, verifyBytes } from '../../../src/fetch/openpgp.ts';
import { immutableRegion } from '../../../src/formats/rpm/blob.ts';
import { readHeader } from '../../../src/formats/rpm/header.ts';
import { HEADER_MAGIC, SIGNATURE } from '../../../src/formats/rpm/layout.ts';
import { readPackage } from '../../../src/formats/rpm/package.ts';
import { data, needs, temporary } from '../../support/data.ts';

const KEYS = 'keys/rpm/rpm-rs';
const RPMS = 'rpm/rpm-rs';
const keyring = (...names: readonly string[]): Keyring => ({
  name: 'the test keyring',
  keys: names.map((name) => readFileSync(data(`${KEYS}/rpm-testkey-${name}.asc`))),
});
const packageAt = (path: string, change?: (bytes: Uint8Array) => void) => {
  const bytes = new Uint8Array(readFileSync(data(path)));
  change?.(bytes);
  const rpm = readPackage((at, size) => bytes.subarray(at, at + size), path);
  return { rpm, prove: (keys: Keyring) => proveOrigin(rpm, keys, () => bytes.subarray(rpm.payloadOffset)) };
};
const code = (error: unknown) => (error instanceof BuildError ? error.code : String(error));

const CASES: readonly (readonly [file: string, key: string])[] = [
  ['v4_signed_rpm-basic-with-rsa4096', 'v4-rsa4096'],
  ['v4_signed_rpm-basic-with-ed25519', 'v4-ed25519'],
  ['v4_signed_rpm-basic-with-ecdsa', 'v4-ecdsa-nistp256'],
  ['v4_signed_rpm-basic-with-ima', 'v4-rsa4096'],
  ['v6_signed_rpm-basic-with-rsa4k', 'v6-rsa4k'],
  ['v6_signed_rpm-basic-with-ed25519', 'v6-ed25519'],
  ['v6_signed_rpm-basic-multiple-signatures', 'v6-rsa4k'],
  ['v6_signed_rpm-basic-multiple-signatures', 'v6-ed25519'],
];
const fileOf = (name: string) => `${RPMS}/${name}-2.3.4-5.el9.noarch.rpm`;

for (const [file, key] of CASES)
  test(`${file} is signed by ${key}`, { skip: needs({ data: [RPMS, KEYS] }) }, async () => {
    const [expected] = await listKeyring(keyring(key));
    const { keys } = await packageAt(fileOf(file)).prove(keyring(key));
    assert.deepEqual(keys, [expected!.fingerprint]);
    // any other key, and the same package with one byte of its header or of its signature changed
    const other = key === 'v4-rsa4096' ? 'v4-ed25519' : 'v4-rsa4096';
    if (!file.endsWith('ima'))
      await assert.rejects(packageAt(fileOf(file)).prove(keyring(other)), (e) => code(e) === 'SIGNATURE_KEY_UNKNOWN');
    const { rpm } = packageAt(fileOf(file));
    const name = Buffer.from(rpm.main.bytes).lastIndexOf('example_config.toml');
    const { payloadOffset } = rpm;
    const changed = (bytes: Uint8Array) =>
      bytes.fill(0x58, payloadOffset - rpm.main.bytes.length + name, payloadOffset - rpm.main.bytes.length + name + 1);
    await assert.rejects(
      async () => packageAt(fileOf(file), changed).prove(keyring(key)),
      (e) => code(e) === 'RPM_DIGEST',
    );
  });

test('a signature over another header is wrong, even when the digests were made to fit', {
  skip: needs({ data: [RPMS, KEYS] }),
}, async () => {
  const path = fileOf('v4_signed_rpm-basic-with-ed25519');
  const { rpm } = packageAt(path);
  const at = rpm.payloadOffset - rpm.main.bytes.length;
  const name = at + Buffer.from(rpm.main.bytes).lastIndexOf('example_config.toml');
  const before = rpm.signature.string(SIGNATURE.sha256)!;
  const forged = packageAt(path, (bytes) => {
    bytes[name] = 0x58;
    const digest = sha256(bytes.subarray(at, rpm.payloadOffset));
    const place = Buffer.from(bytes).indexOf(before);
    bytes.set(Buffer.from(digest), place);
    const sha1 = rpm.signature.string(SIGNATURE.sha1);
    if (sha1 !== undefined) {
      const { createHash } = process.getBuiltinModule('node:crypto');
      const right = createHash('sha1').update(bytes.subarray(at, rpm.payloadOffset)).digest('hex');
      bytes.set(Buffer.from(right), Buffer.from(bytes).indexOf(sha1));
    }
  });
  await assert.rejects(forged.prove(keyring('v4-ed25519')), (e) => code(e) === 'SIGNATURE_BAD');
});

test('signatures of an unknown algorithm do not count', { skip: needs({ data: [RPMS, KEYS] }) }, async () => {
  const path = fileOf('v6_signed_rpm-basic-with-mldsa65-ed25519');
  await assert.rejects(packageAt(path).prove(keyring('v6-ed25519')), (e) => code(e) === 'RPM_SIGNATURE_UNREADABLE');
});

test('a package without a signature is rejected', { skip: needs({ data: [RPMS, KEYS] }) }, async () => {
  const unsigned = readdirSync(data(RPMS)).filter((name) => !name.includes('signed'));
  assert.ok(unsigned.length > 10);
  for (const name of unsigned)
    await assert.rejects(
      packageAt(`${RPMS}/${name}`).prove(keyring('v4-rsa4096')),
      (e) => code(e) === 'RPM_UNSIGNED',
      name,
    );
});

test('all headers of a real distribution are proven: region, SHA-256, RSA signature', {
  skip: needs({ data: ['rpm/real-base/cbl-mariner-2.0-rpmdb.sqlite.gz'] }),
}, async () => {
  const SQL = await initSqlJs();
  // the file was left in write-ahead mode; without its log the header has to say that there is none
  const bytes = gunzipSync(readFileSync(data('rpm/real-base/cbl-mariner-2.0-rpmdb.sqlite.gz')));
  bytes.set([1, 1], 18);
  const database = new SQL.Database(bytes);
  const rows = database.exec('SELECT hnum, blob FROM Packages ORDER BY hnum')[0]!.values;
  assert.equal(rows.length, 129);
  for (const [hnum, blob] of rows) {
    const header = readHeader(
      Buffer.concat([Buffer.from(HEADER_MAGIC), blob as Uint8Array]),
      'main',
      `row ${hnum}`,
      0,
      {
        dribbles: true,
      },
    );
    const region = immutableRegion(header);
    assert.equal(sha256(region), header.string(SIGNATURE.sha256), `row ${hnum}`);
    const signature = header.binary(SIGNATURE.rsa)!;
    const keys = await verifyBytes(region, signature, builtInKeyring('azure'), { path: `row ${hnum}` });
    assert.deepEqual(keys, [BUILT_IN_KEYS.azure[0]!.fingerprint]);
  }
});

test('packages of CentOS Stream 9 are signed by the built-in key', {
  skip: needs({ data: ['rpm/el9-bzip2-repo'] }),
}, async () => {
  for (const name of ['bzip2-1.0.8-18.el9.x86_64.rpm', 'bzip2-libs-1.0.8-18.el9.x86_64.rpm']) {
    const one = packageAt(`rpm/el9-bzip2-repo/${name}`);
    const result = await one.prove(builtInKeyring('centos')).then(
      ({ keys }) => keys.join(),
      (error) => code(error),
    );
    // rebuilt by somebody else: what matters is that no foreign key passes for CentOS's
    assert.ok(result === BUILT_IN_KEYS.centos[0]!.fingerprint || result === 'SIGNATURE_KEY_UNKNOWN', result);
  }
});

test('keys that bind themselves with SHA-1 are accepted, as CentOS’s once did; signatures with SHA-1 are not', {
  skip: needs({ tools: ['gpg'] }),
}, async (t) => {
  const home = temporary(t);
  const gpg = (...args: string[]) =>
    execFileSync('gpg', [
      '--homedir',
      home,
      '--batch',
      '--quiet',
      '--pinentry-mode',
      'loopback',
      '--passphrase',
      '',
      ...args,
    ]);
  gpg('--cert-digest-algo', 'SHA1', '--quick-gen-key', 'Old <old@example.org>', 'rsa2048', 'sign', 'never');
  const key = gpg('--export');
  const file = join(home, 'file');
  const sign = (digest: string) => {
    writeFileSync(file, 'text');
    return gpg('--digest-algo', digest, '--detach-sign', '--output', '-', file);
  };
  const bytes = new TextEncoder().encode('text');
  const plain: Keyring = { name: 'the test keyring', keys: [key] };
  const good = sign('SHA256');
  assert.equal((await verifyBytes(bytes, good, plain, { path: 'file' })).length, 1);
  const weak = sign('SHA1');
  await assert.rejects(verifyBytes(bytes, weak, plain, { path: 'file' }), (e) => code(e) === 'SIGNATURE_WEAK');
});
