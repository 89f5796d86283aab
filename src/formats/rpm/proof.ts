import { createHash } from 'node:crypto';
import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import { DIGESTS, SIGNATURE, TAG } from './layout.ts';
import type { RpmPackage } from './package.ts';

/** One OpenPGP signature of a package. */
export interface RpmSignature {
  /** Binary packets, not armoured. */
  readonly packets: Uint8Array;
  /** What it is over: the main header, which names the payload's digest, or main header and payload together. */
  readonly over: 'header' | 'package';
}

/** Digests of a payload; each covers it as stored, or decompressed. */
export interface PayloadDigest {
  /** As node:crypto calls it. */
  readonly algorithm: string;
  readonly hex: string;
  readonly of: 'stored' | 'plain';
}

/**
 * Checks the main header against the digests of the signature header. One of SHA-256, SHA3-256 or (only in packages of
 * version 4) SHA-1 must be there; each that is there must be right.
 */
export function proveHeader({ signature, main, format }: RpmPackage): void {
  const { path } = main;
  const digests: (readonly [name: string, algorithm: string, tag: number])[] = [
    ['SHA-256 of its main header', 'sha256', SIGNATURE.sha256],
    ['SHA3-256 of its main header', 'sha3-256', SIGNATURE.sha3],
    ['SHA-1 of its main header', 'sha1', SIGNATURE.sha1],
  ];
  let proofs = 0;
  for (const [what, algorithm, tag] of digests) {
    const expected = signature.string(tag)?.toLowerCase();
    if (expected === undefined) continue;
    if (algorithm === 'sha1' && format === 6)
      throw new BuildError('RPM_UNPROVEN', { path, reason: 'a package of version 6 with a SHA-1 of its header' });
    const actual = createHash(algorithm).update(main.bytes).digest('hex');
    if (actual !== expected) throw new BuildError('RPM_DIGEST', { path, what, expected, actual });
    proofs++;
  }
  if (proofs === 0)
    throw new BuildError('RPM_UNPROVEN', { path, reason: 'its signature header has no digest of the main header' });
}

/**
 * All OpenPGP signatures of a package, those of rpm 6 (several, base64) first: where they are there, the older ones are
 * copies of one of them and are left out.
 */
export function signaturesOf({ signature }: RpmPackage): RpmSignature[] {
  if (signature.has(SIGNATURE.openpgp))
    return signature.strings(SIGNATURE.openpgp).map((text) => ({
      packets: Buffer.from(text, 'base64'),
      over: 'header' as const,
    }));
  const found: RpmSignature[] = [];
  for (const [tag, over] of [
    [SIGNATURE.rsa, 'header'],
    [SIGNATURE.dsa, 'header'],
    [SIGNATURE.pgp, 'package'],
    [SIGNATURE.gpg, 'package'],
  ] as const) {
    const packets = signature.binary(tag);
    if (packets !== undefined) found.push({ packets, over });
  }
  return found;
}

/** Digests of the payload that the main header names; empty in packages of rpm before 4.14. */
export function payloadDigests({ main }: RpmPackage): PayloadDigest[] {
  const number = main.number(TAG.payloadDigestAlgo) ?? 8;
  const algorithm = DIGESTS[number];
  if (algorithm === undefined)
    throw new BuildError('RPM_UNSUPPORTED', { path: main.path, what: `the digest ${number} of its payload` });
  const found: PayloadDigest[] = [];
  for (const [tag, name, of] of [
    [TAG.payloadSha256, algorithm, 'stored'],
    [TAG.plainPayloadSha256, algorithm, 'plain'],
    [TAG.payloadSha512, 'sha512', 'stored'],
    [TAG.plainPayloadSha512, 'sha512', 'plain'],
    [TAG.payloadSha3, 'sha3-256', 'stored'],
    [TAG.plainPayloadSha3, 'sha3-256', 'plain'],
  ] as const) {
    const hex = main.string(tag)?.toLowerCase();
    if (hex === undefined) continue;
    if (!/^[0-9a-f]{40,128}$/.test(hex))
      throw main.corrupt(0, `"${latin1(Buffer.from(hex))}" is no digest of a payload`);
    found.push({ algorithm: name, hex, of });
  }
  return found;
}
