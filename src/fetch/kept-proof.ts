import { sha256 } from '../bytes/digest.ts';
import type { Cache } from './cache.ts';
import { CODE } from './code.ts';
import { keptJson } from './kept-json.ts';
import type { Keyring } from './keys/key.ts';
import {
  clearsigned,
  type GoodSignature,
  goodSignatures,
  type Signed,
  signedText,
  signersAt,
  type Verified,
  type VerifyOptions,
  verifyBytes,
  verifyClearsigned,
  verifyDetached,
} from './openpgp.ts';

/** Increase when a proof says something else. */
const VERSION = 2;

/** How to verify, and where proofs are kept. */
export interface KeptOptions extends VerifyOptions {
  readonly cache: Cache;
  /** Identity of this program's code; nothing is kept without it. */
  readonly code?: string;
}

// The same bytes, signatures and keys have the same answer always, but for the time: so what is good is kept in the cache under
// the digest of all three, with the times between which it counts. Checking again what an earlier build of this program checked
// needs no OpenPGP library. What fails is not kept, and what does not count at the time asked for is checked anew.

/** The keys that made a detached signature, as `verifyBytes` says. */
export async function verifiedBytes(
  bytes: Uint8Array,
  signature: Uint8Array,
  keyring: Keyring,
  options: KeptOptions,
): Promise<string[]> {
  const known = await keptSigners({ bytes, signature, kind: 'any' }, keyring, options);
  return known ?? verifyBytes(bytes, signature, keyring, options);
}

/** What the signature within a clearsigned file proves, as `verifyClearsigned` says. */
export async function verifiedClearsigned(file: Uint8Array, keyring: Keyring, options: KeptOptions): Promise<Verified> {
  const { text, signed } = clearsigned(file, options.path);
  const signedBy = await keptSigners(signed, keyring, options);
  return signedBy === undefined ? verifyClearsigned(file, keyring, options) : { text, signedBy };
}

/** What a detached signature of a text proves, as `verifyDetached` says. */
export async function verifiedDetached(
  file: Uint8Array,
  signature: Uint8Array,
  keyring: Keyring,
  options: KeptOptions,
): Promise<Verified> {
  const signedBy = await keptSigners({ bytes: file, signature, kind: 'any' }, keyring, options);
  if (signedBy === undefined) return verifyDetached(file, signature, keyring, options);
  return { text: signedText(file, options.path), signedBy };
}

/** Who signed by signatures that count, as a kept proof or a new one says; undefined where none does. */
async function keptSigners(
  signed: Signed,
  keyring: Keyring,
  { path, at, cache, code = CODE }: KeptOptions,
): Promise<string[] | undefined> {
  if (code === '') return undefined;
  const { bytes, signature, kind } = signed;
  const inputs = [VERSION, code, kind, sha256(bytes), sha256(signature), keyring.keys.map((key) => sha256(key))];
  const name = `${sha256(Buffer.from(JSON.stringify(inputs)))}.proof`;
  const good = await keptJson<readonly GoodSignature[]>(cache, name, () => goodSignatures(signed, keyring, path));
  const signers = signersAt(good, at);
  return signers.length === 0 ? undefined : signers;
}
