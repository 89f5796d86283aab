import { sha256 } from '../bytes/digest.ts';
import type { Cache } from './cache.ts';
import { CODE } from './code.ts';
import { keptJson } from './kept-json.ts';
import type { Keyring } from './keys/key.ts';

/** Increase when a proof says something else. */
const VERSION = 1;

/**
 * The keys that made a detached signature, as `verifyBytes` says without a time: the same bytes, signature and keys have the same
 * answer always. So a good one is kept in the cache under the digest of all three, and checking again what an earlier build of
 * this program checked needs no OpenPGP library. What fails is not kept. `code`: identity of this program's code; nothing is
 * kept without it.
 */
export async function verifiedBytes(
  signed: Uint8Array,
  signature: Uint8Array,
  keyring: Keyring,
  { path, cache }: { readonly path: string; readonly cache: Cache },
  code = CODE,
): Promise<string[]> {
  const verify = async () => (await import('./openpgp.ts')).verifyBytes(signed, signature, keyring, { path });
  if (code === '') return verify();
  const inputs = [VERSION, code, sha256(signed), sha256(signature), keyring.keys.map((key) => sha256(key))];
  const name = `${sha256(Buffer.from(JSON.stringify(inputs)))}.proof`;
  return keptJson(cache, name, verify);
}
