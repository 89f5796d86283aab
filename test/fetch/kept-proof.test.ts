import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../src/bytes/digest.ts';
import { BuildError } from '../../src/errors/error.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { verifiedBytes, verifiedClearsigned, verifiedDetached } from '../../src/fetch/kept-proof.ts';
import type { Keyring } from '../../src/fetch/keys/key.ts';
import { verifyClearsigned, verifyDetached } from '../../src/fetch/openpgp.ts';
import { temporary } from '../support/data.ts';
import { clearsign, detachedSignature, MADE, makeKey, type RepositoryKey } from '../support/repository.ts';

const path = 'repomd.xml';
const ring = (...keys: readonly RepositoryKey[]): Keyring => ({
  name: 'test',
  keys: keys.map((key) => key.publicKey),
});

test('a signature that was good is taken from the cache for the same bytes, signature, keys and code alone', async (t) => {
  const folder = temporary(t);
  const cache = new Cache(folder);
  const [key, other] = await Promise.all([makeKey(), makeKey()]);
  const signed = Buffer.from('a list of packages');
  const signature = Buffer.from(await detachedSignature(signed.toString(), [key]));
  const proofs = () =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.proof'));
  const ask = (more: { signed?: Uint8Array; signature?: Uint8Array; keyring?: Keyring; code?: string } = {}) =>
    verifiedBytes(more.signed ?? signed, more.signature ?? signature, more.keyring ?? ring(key), {
      path,
      cache,
      code: more.code ?? 'code',
    });
  const keys = await ask();
  assert.equal(keys.length, 1);
  assert.equal(proofs().length, 1);
  assert.deepEqual(await ask(), keys);
  // what is kept is read: with another answer in its place, that is the answer
  const kept = proofs()[0]!;
  const whole = readFileSync(join(folder, kept));
  const planted = '[{"key":"PLANTED","name":"","made":1}]';
  await cache.write('parsed', basename(kept), Buffer.from(`${sha256(Buffer.from(planted))}${planted}`));
  assert.deepEqual(await ask(), ['PLANTED']);
  await cache.write('parsed', basename(kept), whole);
  // nothing else has the answer
  const code = (expected: string) => (error: unknown) => error instanceof BuildError && error.code === expected;
  await assert.rejects(ask({ signed: Buffer.from('another list of packages') }), code('SIGNATURE_BAD'));
  await assert.rejects(ask({ keyring: ring(other) }), code('SIGNATURE_KEY_UNKNOWN'));
  const garbled = Buffer.from(await detachedSignature('something else', [key]));
  await assert.rejects(ask({ signature: garbled }), code('SIGNATURE_BAD'));
  // what failed is not kept
  await assert.rejects(ask({ signature: garbled }), code('SIGNATURE_BAD'));
  assert.equal(proofs().length, 1);
  assert.deepEqual(await ask({ keyring: ring(key, other) }), keys);
  assert.deepEqual(await ask({ code: 'other code' }), keys);
  assert.equal(proofs().length, 3);
  // code that is not known keeps nothing
  assert.deepEqual(await ask({ code: '', keyring: ring(other, key) }), keys);
  assert.equal(proofs().length, 3);
});

test('a kept proof that is damaged, or that cannot be kept, is made again', async (t) => {
  const folder = temporary(t);
  const key = await makeKey();
  const signed = Buffer.from('a list of packages');
  const signature = Buffer.from(await detachedSignature(signed.toString(), [key]));
  const ask = () => verifiedBytes(signed, signature, ring(key), { path, cache: new Cache(folder), code: 'code' });
  const keys = await ask();
  const [name] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith('.proof'));
  const file = join(folder, name!);
  const whole = readFileSync(file);
  for (const damaged of ['', 'x', whole.subarray(1), whole.subarray(0, -1), Buffer.from(whole).fill(0, 70, 75)])
    for (const planted of [false, true]) {
      if (planted) await new Cache(folder).write('parsed', basename(file), Buffer.from(damaged));
      else writeFileSync(file, damaged);
      assert.deepEqual(await ask(), keys);
    }
  rmSync(join(folder, 'parsed'), { recursive: true });
  writeFileSync(join(folder, 'parsed'), 'no folder');
  assert.deepEqual(await ask(), keys);
});

test('a kept proof counts at the times between which its signature does, and at no other', async (t) => {
  const cache = new Cache(temporary(t));
  const text = 'Suite: test\n';
  const DAY = 86_400;
  const [brief, other] = await Promise.all([makeKey({ lifetime: 60 * DAY }), makeKey()]);
  const expires = MADE + 30 * DAY;
  const lapses = MADE + 7 * DAY;
  const times = [-2 * DAY, -3601, -3599, 0, DAY, 7 * DAY - 1, 7 * DAY, 30 * DAY - 1, 30 * DAY, 99 * DAY].map(
    (after) => MADE + after,
  );
  const said = async (work: Promise<{ signedBy: readonly string[] }>) => {
    try {
      return (await work).signedBy;
    } catch (error) {
      return (error as BuildError).code;
    }
  };
  assert.ok(expires > lapses);
  for (const [keys, signing] of [
    [[brief], {}],
    [[brief], { expiresIn: 7 * DAY }],
    [[brief, other], {}],
  ] as const) {
    const file = Buffer.from(await clearsign(text, keys, signing));
    const signature = Buffer.from(await detachedSignature(text, keys, signing));
    const answers = new Set<string>();
    // in either order, so that each time meets a proof that another one left
    for (const order of [times, [...times].reverse()])
      for (const at of [...order, undefined]) {
        const options = { path, ...(at === undefined ? {} : { at }) };
        const kept = { ...options, cache, code: `code ${order === times}` };
        const expected = await said(verifyClearsigned(file, ring(...keys), options));
        answers.add(String(expected));
        assert.deepEqual(await said(verifiedClearsigned(file, ring(...keys), kept)), expected, `at ${at}`);
        assert.deepEqual(
          await said(verifiedDetached(Buffer.from(text), signature, ring(...keys), kept)),
          await said(verifyDetached(Buffer.from(text), signature, ring(...keys), options)),
          `at ${at}`,
        );
      }
    assert.ok(answers.size > 1, 'the time matters');
  }
});

test('a kept proof has the text that was signed', async (t) => {
  const kept = { path, cache: new Cache(temporary(t)), code: 'code' };
  const key = await makeKey();
  const text = '- dashes\nblanks  \n\nend\n';
  const file = Buffer.from(await clearsign(text, [key]));
  const expected = await verifyClearsigned(file, ring(key), { path });
  for (let i = 0; i < 2; i++) assert.deepEqual(await verifiedClearsigned(file, ring(key), kept), expected);
  const signature = Buffer.from(await detachedSignature('\u00fc\n', [key]));
  for (let i = 0; i < 2; i++)
    assert.equal((await verifiedDetached(Buffer.from('\u00fc\n'), signature, ring(key), kept)).text, '\u00fc\n');
  // a proof of a detached signature is none for a clearsigned file: other signatures count there
  const bytes = Buffer.from([0xff, 0x0a]);
  const binary = Buffer.from(await detachedSignature(bytes.toString('latin1'), [key]));
  await assert.rejects(verifiedDetached(bytes, binary, ring(key), kept), BuildError);
});
