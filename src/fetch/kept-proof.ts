import { sha256 } from '../bytes/digest.ts';
import { isBuildError } from '../errors/error.ts';
import type { Cache } from './cache.ts';
import { CODE } from './code.ts';
import type { Keyring } from './keys/key.ts';

/** Increase when a proof says something else. */
const VERSION = 1;
/** A kept proof begins with the digest of the rest, in hex. */
const DIGEST = 64;

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
  const kept = cache.read('parsed', name);
  const found = kept === undefined ? undefined : keysOf(kept);
  if (found !== undefined) return found;
  const keys = await verify();
  const text = Buffer.from(JSON.stringify(keys));
  try {
    await cache.write('parsed', name, Buffer.concat([Buffer.from(sha256(text)), text]));
  } catch (error) {
    // it is proven without being kept
    if (!isBuildError(error, 'WRITE_FAILED')) throw error;
  }
  return keys;
}

function keysOf(kept: Buffer): string[] | undefined {
  const text = kept.subarray(DIGEST);
  return kept.toString('latin1', 0, DIGEST) === sha256(text)
    ? (JSON.parse(text.toString('utf8')) as string[])
    : undefined;
}
