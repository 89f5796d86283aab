import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import * as openpgp from 'openpgp';
import { BuildError } from '../../src/errors/error.ts';
import type { BuiltInKey, Keyring } from '../../src/fetch/keys/key.ts';
import { BUILT_IN_KEYS, builtInKeyring } from '../../src/fetch/keys/keyring.ts';
import { removedKey } from '../../src/fetch/keys/removed.ts';
import { listKeyring, splitClearsigned, verifyClearsigned, verifyDetached } from '../../src/fetch/openpgp.ts';
import { data, needs, random, temporary, tool } from '../support/data.ts';
import { clearsign, detachedSignature, MADE, makeKey, type RepositoryKey } from '../support/repository.ts';

const YEAR = 365 * 86400;
const bytes = (text: string) => new TextEncoder().encode(text);
const ring = (...keys: readonly Pick<RepositoryKey, 'publicKey'>[]): Keyring => ({
  name: 'the test keyring',
  keys: keys.map((key) => key.publicKey),
});
const path = 'InRelease';

function failsWith(code: string, part?: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof BuildError, String(error));
    assert.equal(error.code, code, error.message);
    if (part !== undefined) assert.match(error.message, part);
    return true;
  };
}

/** What gpgv says of a clearsigned file, or of a file and its detached signature. */
function gpgv(
  t: TestContext,
  keys: Uint8Array,
  file: Uint8Array,
  signature?: Uint8Array,
): { good: boolean; text: string } {
  const folder = temporary(t);
  writeFileSync(join(folder, 'keys'), keys);
  writeFileSync(join(folder, 'file'), file);
  if (signature !== undefined) writeFileSync(join(folder, 'sig'), signature);
  const result = spawnSync(
    tool('gpgv')!,
    [
      '--keyring',
      join(folder, 'keys'),
      '--status-fd',
      '1',
      ...(signature === undefined ? ['--output', join(folder, 'out')] : [join(folder, 'sig')]),
      join(folder, 'file'),
    ],
    { encoding: 'utf8' },
  );
  const out = join(folder, 'out');
  return { good: /^\[GNUPG:\] GOODSIG/m.test(result.stdout), text: existsSync(out) ? readFileSync(out, 'utf8') : '' };
}

const TEXT = 'Origin: Test\nSuite: trixie\nDate: Sat, 10 Jan 2026 12:00:00 UTC\nSHA256:\n abc 1 x\n';

for (const suite of ['bookworm', 'trixie'])
  test(`Debian's own InRelease of ${suite} verifies against the built-in keys`, {
    skip: needs({ data: [`deb/solver/${suite}/InRelease`] }),
  }, async () => {
    const file = readFileSync(data(`deb/solver/${suite}/InRelease`));
    const { text, signedBy } = await verifyClearsigned(file, builtInKeyring('debian'), {
      path,
      at: Date.UTC(2026, 10, 23) / 1000,
    });
    assert.equal(signedBy.length, 3);
    assert.match(text, new RegExp(`^Codename: ${suite}$`, 'm'));
    assert.ok(text.startsWith('Origin: Debian\n'));
    // long after, the keys have expired
    await assert.rejects(
      verifyClearsigned(file, builtInKeyring('debian'), { path, at: Date.UTC(2040, 0, 1) / 1000 }),
      failsWith('SIGNATURE_KEY_EXPIRED'),
    );
    await assert.rejects(
      verifyClearsigned(file, builtInKeyring('ubuntu'), { path }),
      failsWith('SIGNATURE_KEY_UNKNOWN', /Ubuntu/),
    );
    const altered = Buffer.from(file);
    altered[altered.indexOf('SHA256:\n') + 100]! ^= 1;
    await assert.rejects(verifyClearsigned(altered, builtInKeyring('debian'), { path }), failsWith('SIGNATURE_BAD'));
  });

test('built-in keys: fingerprints, names and ends are those of the armoured text', async () => {
  for (const distribution of Object.keys(BUILT_IN_KEYS) as (keyof typeof BUILT_IN_KEYS)[]) {
    const keys: readonly BuiltInKey[] = BUILT_IN_KEYS[distribution];
    const read = await listKeyring(builtInKeyring(distribution));
    assert.deepEqual(
      read,
      keys.map(({ fingerprint, name, expires }) => ({
        fingerprint,
        name,
        ...(expires === undefined ? {} : { expires }),
      })),
    );
    for (const key of keys) {
      assert.match(key.origin.sha256, /^[0-9a-f]{64}$/);
      assert.equal(removedKey(key.fingerprint), undefined);
    }
  }
  assert.match(removedKey('6D33866EDD8FFA41C0143AEDDCC9EFBF77E11517') ?? '', /buster/);
  assert.match(removedKey('DCC9EFBF77E11517') ?? '', /buster/);
  assert.equal(removedKey('17'), undefined);
});

test("built-in Debian keys are those of Debian's own keyring", {
  skip: needs({ data: ['keys/deb/debian-archive-keyring.gpg', 'keys/deb/debian-archive-bookworm-stable.gpg'] }),
}, async () => {
  const file = (name: string) => ({ name, keys: [readFileSync(data(`keys/deb/${name}`))] });
  const theirs = await listKeyring(file('debian-archive-keyring.gpg'));
  const ours = await listKeyring(builtInKeyring('debian'));
  const order = (list: typeof ours) => [...list].sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
  assert.deepEqual(order(ours), order(theirs));
  const [stable] = await listKeyring(file('debian-archive-bookworm-stable.gpg'));
  assert.ok(ours.some((key) => key.fingerprint === stable!.fingerprint));
});

test('one good signature is enough; which ones were good is reported', async () => {
  const [a, b, c] = await Promise.all([makeKey(), makeKey({ subkey: true }), makeKey({ rsa: true })]);
  const file = bytes(await clearsign(TEXT, [a, b, c]));
  for (const known of [[a], [b], [c], [a, c], [a, b, c]]) {
    const { text, signedBy } = await verifyClearsigned(file, ring(...known), { path });
    assert.equal(text, TEXT);
    assert.deepEqual(
      signedBy,
      known.map((key) => key.fingerprint),
    );
  }
  const other = await makeKey();
  await assert.rejects(verifyClearsigned(file, ring(other), { path }), (error: BuildError<'SIGNATURE_KEY_UNKNOWN'>) => {
    assert.equal(error.code, 'SIGNATURE_KEY_UNKNOWN');
    assert.equal(error.context.keys.length, 3);
    assert.ok(error.context.keys.includes(a.fingerprint));
    return true;
  });
});

test('dashes, blanks and line ends: what comes back is what was signed', {
  skip: needs({ tools: ['gpgv'] }),
}, async (t) => {
  const key = await makeKey();
  const odd = '- dash\n-----BEGIN PGP SIGNATURE-----\n-\n\nFrom: x\n  indented\ttab\nümläut 日本\n--\n';
  const file = await clearsign(odd, [key]);
  assert.match(file, /^- -----BEGIN PGP SIGNATURE-----$/m);
  assert.equal((await verifyClearsigned(bytes(file), ring(key), { path })).text, odd);
  assert.equal(gpgv(t, key.publicKey, bytes(file)).text.trimEnd(), odd.trimEnd());
  // added blanks and other line ends are not signed: they verify, and do not come back
  for (const altered of [
    file.replace('- dash', '- dash \t '),
    file.replaceAll('\n', '\r\n'),
    file.replace('tab\n', 'tab\r\n'),
  ]) {
    assert.equal(
      (await verifyClearsigned(bytes(altered), ring(key), { path })).text,
      odd.replace('- dash \t ', '- dash'),
    );
    assert.ok(gpgv(t, key.publicKey, bytes(altered)).good);
  }
  for (const altered of [
    file.replace('indented', 'indentet'),
    file.replace('  indented', ' indented'),
    file.replace('From', '\nFrom'),
  ])
    await assert.rejects(verifyClearsigned(bytes(altered), ring(key), { path }), failsWith('SIGNATURE_BAD'));
});

test('nothing unsigned is accepted: text before, behind or between is an error', async () => {
  const key = await makeKey();
  const file = await clearsign(TEXT, [key]);
  const hash = /^Hash: .*$/m.exec(file)![0];
  for (const [altered, reason] of [
    [`Suite: evil\n${file}`, /does not begin/],
    [`\n${file}`, /does not begin/],
    [`\ufeff${file}`, /does not begin/],
    [`${file}Suite: evil\n`, /behind the signature/],
    [`${file}${file}`, /behind the signature/],
    [file.replace(hash, `${hash}\nSuite: evil`), /unexpected header/],
    [file.replace(hash, 'Suite: evil\n\n'), /unexpected header/],
    [file.replace('Origin', '-Origin'), /not dash-escaped/],
    [file.replace('-----END PGP SIGNATURE-----', ''), /cut off in its signature/],
    [file.slice(0, file.indexOf('-----BEGIN PGP SIGNATURE')), /cut off before/],
    ['-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256', /cut off in its headers/],
    ['', /does not begin/],
    [TEXT, /does not begin/],
    [file.replace(/(-----BEGIN PGP SIGNATURE-----\n\n)[\s\S]*(\n-----END)/, '$1!!!!$2'), /signature cannot be read/],
  ] as const)
    await assert.rejects(
      verifyClearsigned(bytes(altered), ring(key), { path }),
      failsWith('SIGNED_FILE_MALFORMED', reason),
      altered.slice(0, 90),
    );
  const notText = Buffer.from(file);
  notText[notText.indexOf('Test')] = 0xff;
  await assert.rejects(verifyClearsigned(notText, ring(key), { path }), failsWith('SIGNED_FILE_MALFORMED', /UTF-8/));
  // trailing empty lines are harmless
  assert.equal((await verifyClearsigned(bytes(`${file}\n\n`), ring(key), { path })).text, TEXT);
});

test('a text without any signature', async () => {
  const empty = openpgp.armor(openpgp.enums.armor.signature, new Uint8Array());
  const file = `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${TEXT}${empty.replaceAll('\r', '')}`;
  await assert.rejects(verifyClearsigned(bytes(file), ring(await makeKey()), { path }), (error: BuildError) =>
    ['SIGNATURE_MISSING', 'SIGNED_FILE_MALFORMED'].includes(error.code),
  );
});

test('keys and signatures in time: expired, revoked, from the future', async () => {
  const brief = await makeKey({ lifetime: 60 * 86400 });
  const file = bytes(await clearsign(TEXT, [brief]));
  await verifyClearsigned(file, ring(brief), { path });
  await verifyClearsigned(file, ring(brief), { path, at: MADE + 86400 });
  await assert.rejects(
    verifyClearsigned(file, ring(brief), { path, at: MADE + YEAR }),
    failsWith('SIGNATURE_KEY_EXPIRED', /expired on 2026-02-09T12:00:00Z/),
  );
  await assert.rejects(
    verifyClearsigned(file, ring(brief), { path, at: MADE - 86400 }),
    failsWith('SIGNATURE_FROM_FUTURE'),
  );
  await verifyClearsigned(file, ring(brief), { path, at: MADE - 60 });

  // revoked after the signature was made: it does not count any more all the same
  const revoked = await makeKey({ revoked: MADE + 86400 });
  const signed = bytes(await clearsign(TEXT, [revoked]));
  for (const at of [undefined, MADE, MADE + YEAR])
    await assert.rejects(
      verifyClearsigned(signed, ring(revoked), { path, ...(at === undefined ? {} : { at }) }),
      failsWith('SIGNATURE_KEY_REVOKED'),
    );

  const good = await makeKey();
  const both = bytes(await clearsign(TEXT, [revoked, brief, good]));
  const { signedBy } = await verifyClearsigned(both, ring(revoked, brief, good), { path, at: MADE + YEAR });
  assert.deepEqual(signedBy, [good.fingerprint]);
  // of several reasons the most serious is reported
  await assert.rejects(
    verifyClearsigned(both, ring(revoked, brief), { path, at: MADE + YEAR }),
    failsWith('SIGNATURE_KEY_REVOKED'),
  );
});

test("a key of apt's own tests can be read", {
  skip: needs({ data: ['keys/deb/joesixpack.pub'] }),
}, async () => {
  const keyring: Keyring = { name: 'joesixpack.pub', keys: [readFileSync(data('keys/deb/joesixpack.pub'))] };
  assert.equal((await listKeyring(keyring)).length, 1);
});

test('weak digests do not count', async () => {
  const key = await makeKey({ rsa: true });
  for (const hash of [openpgp.enums.hash.sha1, openpgp.enums.hash.md5, openpgp.enums.hash.ripemd]) {
    const file = await clearsign(TEXT, [key], { hash });
    const name = Object.entries(openpgp.enums.hash).find(([, value]) => value === hash)![0];
    await assert.rejects(
      verifyClearsigned(bytes(file), ring(key), { path }),
      failsWith('SIGNATURE_WEAK', new RegExp(name)),
    );
  }
  for (const hash of [openpgp.enums.hash.sha256, openpgp.enums.hash.sha384, openpgp.enums.hash.sha512])
    await verifyClearsigned(bytes(await clearsign(TEXT, [key], { hash })), ring(key), { path });
});

test('detached signatures, armoured and binary', { skip: needs({ tools: ['gpgv'] }) }, async (t) => {
  const key = await makeKey({ subkey: true });
  const armored = await detachedSignature(TEXT, [key]);
  const binary = (await openpgp.unarmor(armored)).data as Uint8Array;
  for (const signature of [bytes(armored), binary]) {
    const { text, signedBy } = await verifyDetached(bytes(TEXT), signature, ring(key), { path });
    assert.equal(text, TEXT);
    assert.deepEqual(signedBy, [key.fingerprint]);
    assert.ok(gpgv(t, key.publicKey, bytes(TEXT), signature).good);
    for (const altered of [`${TEXT}\n`, TEXT.slice(1), '', TEXT.replace('\n', '\r\n')])
      await assert.rejects(verifyDetached(bytes(altered), signature, ring(key), { path }), failsWith('SIGNATURE_BAD'));
  }
  await assert.rejects(verifyDetached(bytes(TEXT), new Uint8Array(), ring(key), { path }), BuildError);
});

test('several armoured signatures in one file: a good one is enough, wherever it is', {
  skip: needs({ tools: ['gpgv'] }),
}, async (t) => {
  const [a, b] = await Promise.all([makeKey(), makeKey()]);
  const [good, other, wrong] = await Promise.all([
    detachedSignature(TEXT, [a]),
    detachedSignature(TEXT, [b]),
    detachedSignature(`${TEXT}more`, [b]),
  ]);
  const broken = good.replace(/\n\n[\s\S]{20}/, '\n\n!!!!!!!!!!!!!!!!!!!!');
  for (const [name, parts] of [
    ['known and good, in both orders', [other, good]],
    ['good first', [good, other]],
    ['text between', [other, 'a comment\n', good]],
    ['a wrong one first', [wrong, good]],
  ] as const) {
    const signature = bytes(parts.join(''));
    const { signedBy } = await verifyDetached(bytes(TEXT), signature, ring(a), { path });
    assert.deepEqual(signedBy, [a.fingerprint], name);
    assert.ok(gpgv(t, a.publicKey, bytes(TEXT), signature).good, name);
  }
  await assert.rejects(
    verifyDetached(bytes(TEXT), bytes(wrong + wrong), ring(b), { path }),
    failsWith('SIGNATURE_BAD'),
  );
  assert.ok(!gpgv(t, a.publicKey, bytes(TEXT), bytes(broken + good)).good);
  await assert.rejects(
    verifyDetached(bytes(TEXT), bytes(broken + good), ring(a), { path }),
    failsWith('SIGNED_FILE_MALFORMED', /cannot be read/),
  );
  await assert.rejects(
    verifyDetached(bytes(TEXT), bytes(good.repeat(65)), ring(a), { path }),
    failsWith('SIGNED_FILE_MALFORMED', /more than 64 signatures/),
  );
});

test('a signature made for something else does not stand for a file', async () => {
  const key = await makeKey();
  // a detached signature over the same text, put into the frame of a clearsigned one
  const detached = await detachedSignature(TEXT.slice(0, -1).replaceAll('\n', '\r\n'), [key]);
  const file = `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${TEXT}${detached.replaceAll('\r', '')}`;
  await assert.rejects(verifyClearsigned(bytes(file), ring(key), { path }), failsWith('SIGNATURE_BAD'));
  // the certificate's own self-signature, presented as one over the file
  const certification = key.privateKey.users[0]!.selfCertifications[0]!;
  await assert.rejects(
    verifyDetached(bytes(TEXT), certification.write().length > 0 ? wrap(certification) : new Uint8Array(), ring(key), {
      path,
    }),
    failsWith('SIGNATURE_BAD'),
  );
});

function wrap(packet: openpgp.SignaturePacket): Uint8Array {
  const list = new openpgp.PacketList<openpgp.SignaturePacket>();
  list.push(packet);
  return list.write();
}

test('a signature of a key that its distribution has withdrawn is distinguished from an unknown key', async () => {
  const key = await makeKey();
  const signature = Buffer.from((await openpgp.unarmor(await detachedSignature(TEXT, [key]))).data as Uint8Array);
  const own = Buffer.from(key.fingerprint, 'hex');
  const withdrawn = Buffer.from('6D33866EDD8FFA41C0143AEDDCC9EFBF77E11517', 'hex');
  // the issuer is there as fingerprint and as its last 8 bytes
  for (const [from, to] of [
    [own, withdrawn],
    [own.subarray(12), withdrawn.subarray(12)],
  ] as const)
    for (let at = signature.indexOf(from); at >= 0; at = signature.indexOf(from)) to.copy(signature, at);
  await assert.rejects(
    verifyDetached(bytes(TEXT), signature, builtInKeyring('debian'), { path }),
    failsWith('SIGNATURE_KEY_REMOVED', /buster.*withdrawn/),
  );
});

test('keyrings: binary, armoured, several in one file; others are errors with their name', async () => {
  const [a, b] = await Promise.all([makeKey(), makeKey()]);
  const file = bytes(await clearsign(TEXT, [b]));
  const joined = new Uint8Array([...a.publicKey, ...b.publicKey]);
  for (const keys of [
    [joined],
    [bytes(`${a.armored}\n${b.armored}`)],
    [bytes(`Comment\n\n${a.armored.replaceAll('\n', '\r\n')}${b.armored}`)],
    [a.publicKey, b.publicKey],
  ]) {
    const keyring = { name: 'k', keys };
    assert.equal((await listKeyring(keyring)).length, 2);
    await verifyClearsigned(file, keyring, { path });
  }
  const keybox = new Uint8Array(32);
  keybox.set(bytes('KBXf'), 8);
  for (const [keys, reason] of [
    [[keybox], /keybox/],
    [[bytes('hello')], /no public key/],
    [[], /no key/],
    [[new Uint8Array([0x99, 1, 2, 3])], /./],
  ] as const)
    await assert.rejects(
      verifyClearsigned(file, { name: 'my.gpg', keys }, { path }),
      failsWith('KEYRING_UNREADABLE', reason),
    );
});

test('gpgv and we agree on hundreds of corrupted files', { skip: needs({ tools: ['gpgv'] }) }, async (t) => {
  const key = await makeKey();
  const file = bytes(await clearsign(TEXT, [key]));
  const { below } = random(20260110);
  let good = 0;
  for (let i = 0; i < 400; i++) {
    // some get only what does not count: blanks at the ends of lines
    const harmless = i % 8 === 0;
    const text = Buffer.from(file).toString();
    const corrupted = bytes(harmless ? text.replace(/\n(?=Suite)|\n(?=SHA256)/, ' \t'.slice(below(2)) + '\n') : text);
    for (let flips = harmless ? 0 : 1 + below(2); flips > 0; flips--)
      corrupted[below(corrupted.length)]! ^= 1 << below(8);
    const ours = await verifyClearsigned(corrupted, ring(key), { path }).catch((error: unknown) => {
      assert.ok(error instanceof BuildError, String(error));
      return undefined;
    });
    if (ours === undefined) continue;
    // whatever we accept is the text that was signed, and gpgv accepts it too
    good++;
    assert.equal(ours.text, TEXT);
    if (good < 20) assert.ok(gpgv(t, key.publicKey, corrupted).good, Buffer.from(corrupted).toString());
  }
  assert.ok(good > 0 && good < 200, `${good} of 400 are still good`);
  assert.equal(splitClearsigned(file, path).text, TEXT);
});
