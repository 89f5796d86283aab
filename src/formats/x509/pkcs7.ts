import { createHash, type KeyObject, sign, verify, X509Certificate } from 'node:crypto';
import { der, type Element } from './der.ts';

/**
 * Detached signatures in PKCS #7 (RFC 2315) as the kernel and systemd take them for root hashes: one signer, SHA-256, no
 * signed attributes, the certificate inside. The same bytes as `openssl smime -sign -binary -noattr -outform DER`.
 */

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const OCTETS = 0x04;
const NULL = 0x05;
const OID = 0x06;
const CONTEXT_0 = 0xa0;

const DATA = '2a864886f70d010701'; // 1.2.840.113549.1.7.1
const SIGNED_DATA = '2a864886f70d010702';
const SHA256 = '608648016503040201';
const RSA = '2a864886f70d010101';
const ECDSA_SHA256 = '2a8648ce3d040302';

function encode(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  const octets: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) octets.unshift(left % 256);
  return Buffer.concat([Buffer.of(tag, 0x80 | octets.length, ...octets), content]);
}

const oid = (hex: string) => encode(OID, Buffer.from(hex, 'hex'));
const version1 = encode(INTEGER, Buffer.of(1));
const sha256Algorithm = encode(SEQUENCE, oid(SHA256), encode(NULL));

/** Issuer and serial number of a certificate, as DER elements; undefined when it is none. */
function identityOf(certificate: Uint8Array): Buffer | undefined {
  const [outer] = der(certificate) ?? [];
  const [body] = (outer === undefined ? undefined : der(outer.content)) ?? [];
  const parts = body === undefined ? undefined : der(body.content);
  if (parts === undefined) return undefined;
  const [serial, , issuer] = parts.slice(parts[0]?.tag === CONTEXT_0 ? 1 : 0);
  if (serial?.tag !== INTEGER || issuer?.tag !== SEQUENCE) return undefined;
  return encode(SEQUENCE, issuer.whole, serial.whole);
}

/** True for keys that {@link signDetached} signs with. */
export function isSigningKey(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'ec';
}

/** Signs `content`. `certificate` is DER and belongs to the key, which is RSA or of an elliptic curve. */
export function signDetached(content: Uint8Array, key: KeyObject, certificate: Uint8Array): Uint8Array {
  const identity = identityOf(certificate);
  if (identity === undefined || !isSigningKey(key)) throw new TypeError('not a certificate, or not a key that signs');
  const algorithm =
    key.asymmetricKeyType === 'rsa' ? encode(SEQUENCE, oid(RSA), encode(NULL)) : encode(SEQUENCE, oid(ECDSA_SHA256));
  const signature = sign('sha256', content, key);
  const signer = encode(SEQUENCE, version1, identity, sha256Algorithm, algorithm, encode(OCTETS, signature));
  const signed = encode(
    SEQUENCE,
    version1,
    encode(SET, sha256Algorithm),
    encode(SEQUENCE, oid(DATA)),
    encode(CONTEXT_0, certificate),
    encode(SET, signer),
  );
  return encode(SEQUENCE, oid(SIGNED_DATA), encode(CONTEXT_0, signed));
}

/** What {@link readDetached} found. */
export interface DetachedSignature {
  /** DER. */
  readonly certificate: Uint8Array;
  /** True when the certificate's key made this signature of this content. */
  verifies(content: Uint8Array): boolean;
}

/**
 * Reads a signature as {@link signDetached} makes it; a reason when it is anything else. Whether the certificate is to be
 * trusted is up to the caller.
 */
export function readDetached(bytes: Uint8Array): DetachedSignature | { readonly reason: string } {
  const inside = (element: Element | undefined, tag: number) =>
    element?.tag === tag ? (der(element.content) ?? []) : [];
  const isOid = (element: Element | undefined, hex: string) =>
    element?.tag === OID && Buffer.from(element.content).toString('hex') === hex;
  const [type, wrapped] = inside((der(bytes) ?? [])[0], SEQUENCE);
  if (!isOid(type, SIGNED_DATA)) return { reason: 'it is not PKCS #7 signed data' };
  const parts = inside(inside(wrapped, CONTEXT_0)[0], SEQUENCE);
  const certificate = inside(
    parts.find(({ tag }) => tag === CONTEXT_0),
    CONTEXT_0,
  )[0]?.whole;
  const signers = inside(parts.at(-1), SET);
  if (certificate === undefined) return { reason: 'no certificate is in it' };
  if (signers.length !== 1) return { reason: `it has ${signers.length} signers, expected one` };
  const fields = inside(signers[0], SEQUENCE);
  if (fields.some(({ tag }) => tag === CONTEXT_0))
    return { reason: 'it has signed attributes, which the kernel rejects' };
  if (!isOid(inside(fields[2], SEQUENCE)[0], SHA256)) return { reason: 'its digest is not SHA-256' };
  const signature = fields.find(({ tag }) => tag === OCTETS)?.content;
  if (signature === undefined) return { reason: 'there is no signature value in it' };
  let key: KeyObject;
  try {
    key = new X509Certificate(certificate).publicKey;
  } catch {
    return { reason: 'its certificate cannot be read' };
  }
  return {
    certificate,
    verifies(content) {
      try {
        return verify('sha256', content, key, signature);
      } catch {
        return false; // a signature that is no signature of this kind of key
      }
    },
  };
}

/** SHA-256 of a certificate in hex, as systemd writes it. */
export function certificateFingerprint(certificate: Uint8Array): string {
  return createHash('sha256').update(certificate).digest('hex');
}
