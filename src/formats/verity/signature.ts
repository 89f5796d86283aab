import type { KeyObject } from 'node:crypto';
import { certificateFingerprint, readDetached, signDetached } from '../x509/pkcs7.ts';

/** Bytes of a signature partition, as systemd-repart makes it. */
export const SIGNATURE_SIZE = 16 * 1024;

/** A key and its certificate, for signing root hashes. */
export interface Signer {
  readonly key: KeyObject;
  /** DER. */
  readonly certificate: Uint8Array;
}

/**
 * The signature partition of a root hash (discoverable partitions specification, "Verity signature partition"): a JSON
 * object padded with NUL. What is signed are the hexadecimal digits of the root hash.
 */
export function signaturePartition(root: Uint8Array, { key, certificate }: Signer): Uint8Array {
  const rootHash = Buffer.from(root).toString('hex');
  const signature = signDetached(Buffer.from(rootHash), key, certificate);
  const text = JSON.stringify({
    rootHash,
    certificateFingerprint: certificateFingerprint(certificate),
    signature: Buffer.from(signature).toString('base64'),
  });
  if (text.length >= SIGNATURE_SIZE)
    throw new RangeError(`a signature of ${text.length} bytes, the partition has ${SIGNATURE_SIZE}`);
  const bytes = new Uint8Array(SIGNATURE_SIZE);
  bytes.set(Buffer.from(text, 'latin1'));
  return bytes;
}

/** What a signature partition says, and what is wrong with it. */
export interface FoundSignature {
  readonly rootHash: string;
  readonly fingerprint: string;
  readonly faults: readonly string[];
}

/** Reads a signature partition. Its certificate is the signer's own word: whether to trust it is not decided here. */
export function readSignature(bytes: Uint8Array): FoundSignature {
  const end = bytes.indexOf(0);
  const text = Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
  let fields: Record<string, unknown> = {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) fields = value as Record<string, unknown>;
  } catch {
    return { rootHash: '', fingerprint: '', faults: ['it does not hold a JSON object'] };
  }
  const textOf = (name: string) => {
    const value = fields[name];
    return typeof value === 'string' ? value : '';
  };
  const [rootHash, fingerprint] = [textOf('rootHash'), textOf('certificateFingerprint')];
  const faults: string[] = [];
  if (end >= 0 && bytes.subarray(end).some((byte) => byte !== 0)) faults.push('bytes other than NUL follow its JSON');
  if (!/^(?:[0-9a-f]{2}){20,64}$/.test(rootHash)) faults.push('it names no root hash');
  const signature = readDetached(Buffer.from(textOf('signature'), 'base64'));
  if ('reason' in signature) faults.push(`its signature cannot be used: ${signature.reason}`);
  else {
    const own = certificateFingerprint(signature.certificate);
    if (own !== fingerprint) faults.push(`it names the certificate ${fingerprint}, its own is ${own}`);
    if (!signature.verifies(Buffer.from(rootHash))) faults.push('its signature is not one of its root hash');
  }
  return { rootHash, fingerprint, faults };
}
