import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

/** An envelope of DSSE v1.0 (secure-systems-lab/dsse, envelope.md). */
export interface Envelope {
  readonly payloadType: string;
  /** In base64. */
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** What is signed: pre-authentication encoding of type and payload (protocol.md). */
export function preAuthentication(type: string, payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** Signs a payload with an Ed25519 key, or an ECDSA key over P-256. */
export function seal(type: string, payload: Uint8Array, key: KeyObject, keyid: string): Envelope {
  const sig = sign(algorithmOf(key), preAuthentication(type, payload), key).toString('base64');
  return { payloadType: type, payload: Buffer.from(payload).toString('base64'), signatures: [{ keyid, sig }] };
}

/** True when one of the signatures is of that public key. */
export function isSealedBy({ payloadType, payload, signatures }: Envelope, key: KeyObject): boolean {
  const text = preAuthentication(payloadType, Buffer.from(payload, 'base64'));
  return signatures.some(({ sig }) => {
    try {
      return verify(algorithmOf(key), text, key, Buffer.from(sig, 'base64'));
    } catch {
      return false;
    }
  });
}

/** SHA-256 of the public key (its SubjectPublicKeyInfo), in hex: how signatures name it. */
export function publicBytes(key: KeyObject): Uint8Array {
  return (key.type === 'public' ? key : createPublicKey(key)).export({ type: 'spki', format: 'der' });
}

/** Ed25519 hashes by itself; ECDSA signs a SHA-256. */
function algorithmOf(key: KeyObject): string | null {
  return key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
}

/** True for the kinds of keys that envelopes are signed with. */
export function isSigningKey(key: KeyObject): boolean {
  if (key.asymmetricKeyType === 'ed25519') return true;
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}
