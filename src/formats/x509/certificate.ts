import { createHash } from 'node:crypto';
import { der } from './der.ts';

/**
 * The part of X.509 (RFC 5280) that is needed to name certificate files: OpenSSL finds an issuer's certificate in a
 * folder by a hash of its subject.
 */

const SEQUENCE = 0x30;
const CONTEXT_0 = 0xa0;
const UTF8 = 0x0c;

/** String types whose spelling does not count in a name's canonical form (OpenSSL's X509_NAME canonical encoding). */
const STRINGS: Readonly<Record<number, 'utf8' | 'latin1' | 'utf16' | 'utf32'>> = {
  12: 'utf8', // UTF8String
  19: 'latin1', // PrintableString
  20: 'latin1', // T61String, taken as Latin-1
  22: 'latin1', // IA5String
  26: 'latin1', // VisibleString
  28: 'utf32', // UniversalString
  30: 'utf16', // BMPString
};

/** DER bytes of the certificates in a PEM text, in order. */
export function certificatesOf(pem: string): Uint8Array[] {
  return [
    ...pem.matchAll(
      /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([\s\S]*?)-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g,
    ),
  ].map((match) => Buffer.from(match[1]!.replace(/\s+/g, ''), 'base64'));
}

/** The subject's hash as `openssl x509 -hash` prints it: eight hex digits. Undefined when this is not a certificate. */
export function subjectHash(certificate: Uint8Array): string | undefined {
  const subject = subjectOf(certificate);
  if (subject === undefined) return undefined;
  const canonical = canonicalName(subject);
  if (canonical === undefined) return undefined;
  const digest = createHash('sha1').update(canonical).digest();
  return digest.readUInt32LE(0).toString(16).padStart(8, '0');
}

/** SHA-1 over the certificate, which distinguishes two with the same subject. */
export function fingerprint(certificate: Uint8Array): string {
  return createHash('sha1').update(certificate).digest('hex');
}

/** Content of the subject's outer sequence. */
function subjectOf(certificate: Uint8Array): Uint8Array | undefined {
  const [outer] = der(certificate) ?? [];
  if (outer?.tag !== SEQUENCE) return undefined;
  const [body] = der(outer.content) ?? [];
  if (body?.tag !== SEQUENCE) return undefined;
  const parts = der(body.content);
  if (parts === undefined) return undefined;
  // [0] version (left out in version 1), serial, algorithm, issuer, validity, subject
  const subject = parts[parts[0]?.tag === CONTEXT_0 ? 5 : 4];
  return subject?.tag === SEQUENCE ? subject.content : undefined;
}

function canonicalName(subject: Uint8Array): Uint8Array | undefined {
  const sets: Uint8Array[] = [];
  for (const set of der(subject) ?? []) {
    const members: Buffer[] = [];
    for (const attribute of der(set.content) ?? []) {
      const [type, value] = der(attribute.content) ?? [];
      if (type === undefined || value === undefined) return undefined;
      const encoding = STRINGS[value.tag];
      const canonical =
        encoding === undefined
          ? value.whole
          : encode(UTF8, Buffer.from(canonicalText(decode(value.content, encoding)), 'utf8'));
      members.push(encode(SEQUENCE, Buffer.concat([type.whole, canonical])));
    }
    members.sort(Buffer.compare);
    sets.push(encode(set.tag, Buffer.concat(members)));
  }
  return Buffer.concat(sets);
}

/** White space trimmed and its runs made one blank, ASCII letters in lower case. */
function canonicalText(text: string): string {
  return text
    .replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '')
    .replace(/[ \t\n\v\f\r]+/g, ' ')
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function decode(bytes: Uint8Array, encoding: 'utf8' | 'latin1' | 'utf16' | 'utf32'): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (encoding === 'utf8' || encoding === 'latin1') return buffer.toString(encoding);
  let text = '';
  const step = encoding === 'utf16' ? 2 : 4;
  for (let at = 0; at + step <= buffer.length; at += step) {
    const point = step === 2 ? buffer.readUInt16BE(at) : buffer.readUInt32BE(at);
    text += point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd';
  }
  return text;
}

function encode(tag: number, content: Uint8Array): Buffer {
  const head = [tag];
  if (content.length < 0x80) head.push(content.length);
  else {
    const digits: number[] = [];
    for (let left = content.length; left > 0; left = Math.floor(left / 256)) digits.unshift(left % 256);
    head.push(0x80 | digits.length, ...digits);
  }
  return Buffer.concat([Buffer.from(head), content]);
}
