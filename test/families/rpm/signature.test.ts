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
import { type RpmPackage, readPackage } from '../../../src/formats/rpm/package.ts';
import { data, needs, temporary } from '../../support/data.ts';
import { digestRow, rawRpm } from '../../support/rpm-bytes.ts';

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
  return { rpm, prove: (keys: Keyring) => proveOrigin(rpm, keys, payloadOf(rpm, bytes)) };
};
const payloadOf = ({ payloadOffset }: RpmPackage, bytes: Uint8Array) => ({
  size: bytes.length - payloadOffset,
  read: () => bytes.subarray(payloadOffset),
});
const code = (error: unknown) => (error instanceof BuildError ? error.code : String(error));

/** A program call of gpg with a home of its own. */
const gpgIn =
  (home: string) =>
  (...args: string[]) =>
    execFileSync('gpg', [
      ...['--homedir', home, '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', ''],
      ...args,
    ]);

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
  const gpg = gpgIn(home);
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

test('of several signatures all are asked, in any order: one wrong one by a known key rejects the package', {
  skip: needs({ tools: ['gpg'] }),
}, async (t) => {
  const folder = temporary(t);
  const gpg = gpgIn(folder);
  for (const name of ['known', 'second', 'stranger'])
    gpg('--quick-gen-key', `${name}@example.org`, 'ed25519', 'sign', 'never');
  const keys: Keyring = { name: 'the test keyring', keys: [gpg('--export', 'known', 'second')] };
  const file = join(folder, 'header');
  const by = (name: string, bytes: Uint8Array) => {
    writeFileSync(file, bytes);
    return gpg('--local-user', name, '--detach-sign', '--output', '-', file);
  };
  // ML-DSA-65 with Ed25519 has the number 30: a signature packet of version 6 whose algorithm nobody here knows
  const newer = () => Buffer.from([0xc2, 8, 6, 0, 30, 10, 0, 0, 0, 0]);
  const KINDS = {
    good: (main: Buffer) => by('known', main),
    'good by the second key': (main: Buffer) => by('second', main),
    wrong: () => by('known', Buffer.from('another header')),
    stranger: (main: Buffer) => by('stranger', main),
    newer,
    'good and wrong in one': (main: Buffer) => Buffer.concat([by('known', main), by('second', Buffer.from('x'))]),
    'good and a stranger in one': (main: Buffer) => Buffer.concat([by('known', main), by('stranger', main)]),
  };
  type Kind = keyof typeof KINDS;
  const prove = (kinds: readonly Kind[]) => {
    const bytes = rawRpm({
      signature: (main) => [
        digestRow(main),
        {
          ...{ tag: SIGNATURE.openpgp, type: 8, count: kinds.length },
          bytes: Buffer.from(kinds.map((kind) => `${Buffer.from(KINDS[kind](main)).toString('base64')}\0`).join('')),
        },
      ],
    });
    const rpm = readPackage((at, size) => bytes.subarray(at, at + size), 'victim');
    return proveOrigin(rpm, keys, payloadOf(rpm, bytes)).then(({ keys: found }) => found.length, code);
  };
  const orders = (kinds: readonly Kind[]): Kind[][] =>
    kinds.length < 2
      ? [[...kinds]]
      : kinds.flatMap((kind, i) => orders(kinds.filter((_, j) => j !== i)).map((rest) => [kind, ...rest]));
  const cases: readonly (readonly [kinds: readonly Kind[], expected: number | string])[] = [
    [['good'], 1],
    [['good', 'good'], 1],
    [['good', 'good by the second key'], 2],
    [['good', 'stranger', 'newer'], 1],
    [['good', 'wrong'], 'SIGNATURE_BAD'],
    [['good', 'good by the second key', 'wrong'], 'SIGNATURE_BAD'],
    [['wrong', 'stranger'], 'SIGNATURE_BAD'],
    [['stranger', 'newer'], 'SIGNATURE_KEY_UNKNOWN'],
    [['newer'], 'RPM_SIGNATURE_UNREADABLE'],
    [['good and wrong in one'], 'SIGNATURE_BAD'],
    [['good and a stranger in one'], 1],
  ];
  for (const [kinds, expected] of cases)
    for (const order of orders(kinds)) assert.equal(await prove(order), expected, order.join(', '));
});

test('signatures over header and payload count beside those over the header, as in rpm', {
  skip: needs({ tools: ['gpg'] }),
}, async (t) => {
  const folder = temporary(t);
  const gpg = gpgIn(folder);
  gpg('--quick-gen-key', 'known@example.org', 'ed25519', 'sign', 'never');
  const ring: Keyring = { name: 'the test keyring', keys: [gpg('--export')] };
  const sign = (...parts: readonly Uint8Array[]) => {
    writeFileSync(join(folder, 'signed'), Buffer.concat(parts));
    return gpg('--detach-sign', '--output', '-', join(folder, 'signed'));
  };
  const proveWith = (signature: (main: Buffer) => readonly [tag: number, bytes: Uint8Array][], size?: number) => {
    const bytes = rawRpm({
      payload: Buffer.from('payload'),
      signature: (main) => [
        digestRow(main),
        ...signature(main).map(([tag, packets]) => ({ tag, type: 7, count: packets.length, bytes: packets })),
      ],
    });
    const rpm = readPackage((at, length) => bytes.subarray(at, at + length), 'victim');
    let asked = 0;
    const read = () => {
      asked++;
      return bytes.subarray(rpm.payloadOffset);
    };
    const payload = { size: size ?? bytes.length - rpm.payloadOffset, read };
    return proveOrigin(rpm, ring, payload).then(({ over }) => `${over} ${asked}`, code);
  };
  const { dsa, rsa, gpg: both } = SIGNATURE;
  const wrong = sign(Buffer.from('another'));
  const whole = (main: Buffer) => sign(main, Buffer.from('payload'));
  assert.equal(await proveWith((main) => [[dsa, sign(main)]]), 'header 0');
  assert.equal(
    await proveWith((main) => [
      [dsa, sign(main)],
      [rsa, wrong],
    ]),
    'SIGNATURE_BAD',
  );
  assert.equal(
    await proveWith((main) => [
      [dsa, wrong],
      [rsa, sign(main)],
    ]),
    'SIGNATURE_BAD',
  );
  assert.equal(
    await proveWith((main) => [
      [dsa, sign(main)],
      [both, whole(main)],
    ]),
    'header 1',
  );
  assert.equal(
    await proveWith((main) => [
      [dsa, sign(main)],
      [both, wrong],
    ]),
    'SIGNATURE_BAD',
  );
  assert.equal(await proveWith((main) => [[both, whole(main)]]), 'package 1');
  assert.equal(await proveWith(() => [[both, wrong]]), 'SIGNATURE_BAD');
  // too long to be read at once: what the signed header says of it is enough, where there is one
  assert.equal(
    await proveWith(
      (main) => [
        [dsa, sign(main)],
        [both, wrong],
      ],
      2 ** 29,
    ),
    'header 0',
  );
  assert.equal(await proveWith((main) => [[both, whole(main)]], 2 ** 29), 'RPM_UNSUPPORTED');
});
