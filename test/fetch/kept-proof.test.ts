import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../src/bytes/digest.ts';
import { BuildError } from '../../src/errors/error.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { verifiedBytes } from '../../src/fetch/kept-proof.ts';
import type { Keyring } from '../../src/fetch/keys/key.ts';
import { temporary } from '../support/data.ts';
import { detachedSignature, makeKey, type RepositoryKey } from '../support/repository.ts';

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
    verifiedBytes(
      more.signed ?? signed,
      more.signature ?? signature,
      more.keyring ?? ring(key),
      { path, cache },
      more.code ?? 'code',
    );
  const keys = await ask();
  assert.equal(keys.length, 1);
  assert.equal(proofs().length, 1);
  assert.deepEqual(await ask(), keys);
  // what is kept is read: with another answer in its place, that is the answer
  const kept = proofs()[0]!;
  const whole = readFileSync(join(folder, kept));
  await cache.write('parsed', basename(kept), Buffer.from(`${sha256(Buffer.from('["PLANTED"]'))}["PLANTED"]`));
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
  const ask = () => verifiedBytes(signed, signature, ring(key), { path, cache: new Cache(folder) }, 'code');
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
