import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../../src/bytes/digest.ts';
import type { Event } from '../../../src/events/events.ts';
import { readArchive } from '../../../src/families/apk/archive.ts';
import { keyOf } from '../../../src/families/apk/key-file.ts';
import { type ApkSource, openRepository } from '../../../src/families/apk/repository.ts';
import { alpineKeyring, verifySigned } from '../../../src/families/apk/signature.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { ALPINE_KEYS } from '../../../src/fetch/keys/alpine.ts';
import { Mirror } from '../../../src/fetch/mirror.ts';
import { ALPINE_SET } from '../../support/apk-tools.ts';
import { apk, apkIndex, apkRepository, makeApkKey, testKey, writeFiles } from '../../support/apks.ts';
import { data, needs, temporary } from '../../support/data.ts';

async function opened(t: Parameters<typeof temporary>[0], source: ApkSource, architecture = 'x86_64') {
  const events: Event[] = [];
  const mirror = new Mirror({ cache: new Cache(temporary(t)), report: (event) => events.push(event) });
  try {
    return { repository: await openRepository(source, architecture, mirror), events };
  } finally {
    await mirror.close();
  }
}

const mine = () => ({ name: 'my keys', keys: [testKey()] });
const warnings = (events: readonly Event[]) => events.flatMap((one) => (one.kind === 'warning' ? [one.code] : []));

test('the built-in keys are those that Alpine ships, for each architecture', {
  skip: needs({ data: ['keys/alpine'] }),
}, () => {
  const shipped = readdirSync(data('keys/alpine')).sort();
  assert.deepEqual(ALPINE_KEYS.map((key) => key.name).sort(), shipped);
  for (const { name, pem, sha256: digest } of ALPINE_KEYS) {
    assert.equal(pem, readFileSync(data(`keys/alpine/${name}`), 'latin1'));
    assert.equal(sha256(pem), digest);
  }
  for (const architecture of ['x86_64', 'aarch64', 'ppc64le', 's390x', 'riscv64', 'armv7', 'armhf', 'x86'])
    assert.ok(alpineKeyring(architecture).keys.length >= 1, architecture);
});

test('real indexes are verified by the built-in keys of their architecture alone', {
  skip: needs({ data: ['apk/index', ALPINE_SET] }),
}, async (t) => {
  for (const [folder, count] of [
    ['apk/index/v3.19-main-x86_64', 5443],
    ['apk/index/v3.19-community-x86_64', 17587],
    [ALPINE_SET, 100],
  ] as const) {
    const { repository, events } = await opened(t, { mirrors: [data(folder)], keyring: alpineKeyring('x86_64') });
    assert.equal(repository.records.length, count);
    assert.equal(repository.signedBy, 'alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub');
    assert.ok(repository.date > 1_690_000_000 && repository.date < 1_720_000_000, `${repository.date}`);
    assert.deepEqual(warnings(events), []);
  }
  for (const architecture of ['aarch64', 's390x', 'sparc64'])
    await assert.rejects(opened(t, { mirrors: [data(ALPINE_SET)], keyring: alpineKeyring(architecture) }), {
      code: 'APK_SIGNATURE_UNKNOWN',
    });
});

test('signatures by SHA-1 and by SHA-256, and several at once', async (t) => {
  const folder = temporary(t);
  const { stanza } = apk({ name: 'a' });
  for (const scheme of ['RSA', 'RSA256'] as const) {
    writeFiles(folder, { 'x86_64/APKINDEX.tar.gz': apkIndex([stanza], testKey(), scheme) });
    const { repository } = await opened(t, { mirrors: [folder], keyring: mine() });
    assert.equal(repository.signedBy, testKey().name);
    assert.equal(repository.date, 1_700_000_000);
  }
});

test('a folder of packages without an index is read as apk would index it', {
  skip: needs({ data: [ALPINE_SET] }),
}, async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'x86_64'));
  const packages = readdirSync(data(ALPINE_SET)).filter((name) => name.endsWith('.apk'));
  for (const name of packages) cpSync(data(`${ALPINE_SET}/${name}`), join(folder, 'x86_64', name));
  const { repository: indexed } = await opened(t, { mirrors: [data(ALPINE_SET)], keyring: alpineKeyring('x86_64') });
  for (const base of [folder, join(folder, 'x86_64'), `file://${folder}`]) {
    const { repository, events } = await opened(t, { mirrors: [base], keyring: alpineKeyring('x86_64') });
    // Alpine's own index was made with --rewrite-arch
    const stanzas = (records: typeof repository.records) =>
      records.map(({ stanza }) => stanza.replace('\nA:noarch\n', '\nA:x86_64\n')).sort();
    assert.deepEqual(stanzas(repository.records), stanzas(indexed.records));
    assert.equal(repository.signedBy, 'alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub');
    assert.equal(repository.local, true);
    assert.deepEqual(warnings(events), []);
  }
});

test('packages of a folder that no trusted key signed are used and reported; a wrong signature is rejected', async (t) => {
  const folder = temporary(t);
  const other = makeApkKey('other@example.org-1.rsa.pub');
  const [a, b, c] = [apk({ name: 'a' }), apk({ name: 'b' }, other), apk({ name: 'c' })];
  const unsigned = c.bytes.subarray(c.bytes.length - c.control.length - c.data.length);
  writeFiles(folder, { [a.file]: a.bytes });
  const source = { mirrors: [folder], keyring: mine() };
  const proven = await opened(t, source);
  assert.equal(proven.repository.signedBy, testKey().name);
  assert.deepEqual(warnings(proven.events), []);
  writeFiles(folder, { [b.file]: b.bytes, [c.file]: unsigned });
  const { repository, events } = await opened(t, source);
  assert.deepEqual(
    repository.records.map((one) => one.name),
    ['a', 'b', 'c'],
  );
  assert.equal(repository.signedBy, undefined);
  const result = events.flatMap((one) => (one.kind === 'warning' ? [one.message] : []));
  assert.equal(result.length, 1);
  assert.match(result[0]!, /: b-1-r0\.apk, c-1-r0\.apk is used without a proof of its origin$/);
  const sameName = { ...other, name: testKey().name };
  writeFileSync(join(folder, b.file), apk({ name: 'b' }, sameName).bytes);
  await assert.rejects(opened(t, source), { code: 'APK_SIGNATURE_BAD', message: /b-1-r0\.apk/ });
  writeFileSync(join(folder, b.file), b.bytes);
  writeFileSync(join(folder, 'b-9-r9.apk'), b.bytes);
  await assert.rejects(opened(t, source), { code: 'APK_MISMATCH', message: /b-9-r9\.apk/ });
});

test('packages for other architectures in a folder are left out', async (t) => {
  const folder = temporary(t);
  for (const [name, architecture] of [
    ['a', 'x86_64'],
    ['b', 'aarch64'],
    ['c', 'noarch'],
  ] as const) {
    const made = apk({ name, architecture });
    writeFiles(folder, { [made.file]: made.bytes });
  }
  const names = async (architecture: string) =>
    (await opened(t, { mirrors: [folder], keyring: mine() }, architecture)).repository.records.map((one) => one.name);
  assert.deepEqual(await names('x86_64'), ['a', 'c']);
  assert.deepEqual(await names('aarch64'), ['b', 'c']);
});

test('the next mirror is used when one has nothing, and a wrong signature is rejected', async (t) => {
  const folder = temporary(t);
  writeFiles(folder, {
    ...apkRepository('good/x86_64', [apk({ name: 'a' })]),
    ...apkRepository('bad/x86_64', [apk({ name: 'a' })], makeApkKey('other@example.org-1.rsa.pub')),
  });
  const good = join(folder, 'good');
  const { repository } = await opened(t, { mirrors: [join(folder, 'nowhere'), good], keyring: mine() });
  assert.deepEqual(repository.bases, [join(good, 'x86_64'), join(folder, 'nowhere/x86_64')]);
  await assert.rejects(opened(t, { mirrors: [join(folder, 'bad'), good], keyring: mine() }), {
    code: 'APK_SIGNATURE_UNKNOWN',
  });
});

test('a package that Alpine published for another architecture verifies by that one’s keys', {
  skip: needs({ data: ['apk/apko/alpine-316'] }),
}, async () => {
  const path = data('apk/apko/alpine-316/alpine-baselayout-3.2.0-r23.apk');
  const { archive, raw } = await readArchive(path, path);
  assert.equal(archive.info.architecture, 'aarch64');
  const name = 'alpine-devel@lists.alpinelinux.org-616ae350.rsa.pub';
  assert.equal(verifySigned(archive.signatures, raw, alpineKeyring('aarch64'), path), name);
  assert.throws(() => verifySigned(archive.signatures, raw, alpineKeyring('x86_64'), path), {
    code: 'APK_SIGNATURE_UNKNOWN',
  });
  const changed = Buffer.from(raw);
  changed[changed.length - 1]! ^= 1;
  assert.throws(() => verifySigned(archive.signatures, changed, alpineKeyring('aarch64'), path), {
    code: 'APK_SIGNATURE_BAD',
  });
});

test('packages and indexes of apk 3 are recognised and rejected by name', {
  skip: needs({ data: ['apk/v3-adb'] }),
}, async (t) => {
  const packages = readdirSync(data('apk/v3-adb')).filter((name) => name.endsWith('.apk'));
  assert.ok(packages.length > 10);
  for (const name of packages)
    await assert.rejects(readArchive(data(`apk/v3-adb/${name}`), name), {
      code: 'APK_V3',
      message: new RegExp(`${name}: a package of apk 3`),
    });
  await assert.rejects(opened(t, { mirrors: [data('apk/v3-adb')], keyring: mine() }), {
    code: 'APK_V3',
    message: /a package of apk 3/,
  });
  const folder = temporary(t);
  writeFiles(folder, { 'x86_64/APKINDEX.tar.gz': readFileSync(data('apk/v3-adb/packages.adb')) });
  await assert.rejects(opened(t, { mirrors: [folder], keyring: mine() }), {
    code: 'APK_V3',
    message: /a repository index of apk 3/,
  });
});

test('a file that is no key is an error with its name', () => {
  assert.throws(() => keyOf('/k/mine.rsa.pub', Buffer.from('no key')), {
    code: 'APK_FORMAT',
    message: /mine\.rsa\.pub.*not an RSA public key/,
  });
  assert.throws(
    () => keyOf('/k/mine.rsa.pub', Buffer.from('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n')),
    { code: 'APK_FORMAT' },
  );
  assert.equal(keyOf('/k/mine.rsa.pub', Buffer.from(testKey().pem)).name, 'mine.rsa.pub');
});

test('packages under the names that apk’s own cache gives them', async (t) => {
  const one = apk({ name: 'a' });
  const bytes = one.bytes;
  const folder = (names: readonly string[]) => {
    const path = temporary(t);
    for (const name of names) writeFileSync(join(path, name), bytes);
    return { mirrors: [path], keyring: mine() };
  };
  const records = async (...names: string[]) =>
    (await opened(t, folder(names))).repository.records.map(({ name, version, file }) => [name, version, file]);
  assert.deepEqual(await records('a-1-r0.1a2b3c4d.apk'), [['a', '1-r0', 'a-1-r0.1a2b3c4d.apk']]);
  assert.deepEqual(await records('a-1-r0.apk'), [['a', '1-r0', 'a-1-r0.apk']]);
  // the same package under both names is one
  assert.equal((await records('a-1-r0.1a2b3c4d.apk', 'a-1-r0.apk')).length, 1);
  for (const name of [
    'a-1-r0.1a2b3c4.apk',
    'a-1-r0.1a2b3c4dd.apk',
    'a-1-r0.1A2B3C4D.apk',
    'b-1-r0.1a2b3c4d.apk',
    'a.apk',
  ])
    await assert.rejects(opened(t, folder([name])), { code: 'APK_MISMATCH' }, name);
});
