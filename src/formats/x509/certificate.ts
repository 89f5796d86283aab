import { createHash } from 'node:crypto';
import { der, type Element } from './der.ts';

/**
 * The part of X.509 (RFC 5280) that is needed to name certificate files: OpenSSL finds an issuer's certificate in a
 * folder by a hash of its subject.
 */

const SEQUENCE = 0x30;
const CONTEXT_0 = 0xa0;
const CONTEXT_3 = 0xa3;
const BOOLEAN = 0x01;
const OCTETS = 0x04;
const IDENTIFIER = 0x06;
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
  const subject = fieldOf(certificate, SUBJECT);
  return subject?.tag === SEQUENCE ? subject.content : undefined;
}

/** Fields of a certificate's body, counted without its version: serial, algorithm, issuer, validity, … */
const SUBJECT = 4;
const PUBLIC_KEY = 5;

function fieldOf(certificate: Uint8Array, number: number): Element | undefined {
  return bodyOf(certificate)?.filter((part, i) => i > 0 || part.tag !== CONTEXT_0)[number];
}

function bodyOf(certificate: Uint8Array): Element[] | undefined {
  const [outer] = der(certificate) ?? [];
  if (outer?.tag !== SEQUENCE) return undefined;
  const [body] = der(outer.content) ?? [];
  return body?.tag === SEQUENCE ? der(body.content) : undefined;
}

/** DER of the subject's public key with its algorithm (SubjectPublicKeyInfo). Undefined when this is no certificate. */
export function publicKeyOf(certificate: Uint8Array): Uint8Array | undefined {
  return fieldOf(certificate, PUBLIC_KEY)?.whole;
}

/** The content of an extension, by its object identifier in dots. */
export function extensionOf(certificate: Uint8Array, identifier: string): Uint8Array | undefined {
  const extensions = bodyOf(certificate)?.find((part) => part.tag === CONTEXT_3);
  const [list] = extensions === undefined ? [] : (der(extensions.content) ?? []);
  for (const one of der(list?.content ?? new Uint8Array(0)) ?? []) {
    const value = extensionValue(one.whole, identifier);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** The content of one extension (`SEQUENCE { identifier, critical, OCTET STRING }`) if it is the one that is meant. */
export function extensionValue(extension: Uint8Array, identifier: string): Uint8Array | undefined {
  const [outer] = der(extension) ?? [];
  const parts = outer?.tag === SEQUENCE ? der(outer.content) : undefined;
  if (parts?.[0] === undefined || identifierOf(parts[0]) !== identifier) return undefined;
  const value = parts.at(-1)!;
  return value.tag === OCTETS ? value.content : undefined;
}

/** The identifiers in an extension for extended key usage (RFC 5280, 4.2.1.12). Undefined when it is not one. */
export function purposesIn(value: Uint8Array): string[] | undefined {
  const [list] = der(value) ?? [];
  return list?.tag === SEQUENCE ? der(list.content)?.map(identifierOf) : undefined;
}

/** True when a certificate may sign others: it says so, or is of version 1 and signed by itself. */
export function isAuthority(certificate: Uint8Array): boolean {
  const constraints = extensionOf(certificate, '2.5.29.19');
  if (constraints !== undefined) {
    const [list] = der(constraints) ?? [];
    const [flag] = der(list?.content ?? new Uint8Array(0)) ?? [];
    return flag?.tag === BOOLEAN && flag.content[0] !== 0;
  }
  const [issuer, subject] = [fieldOf(certificate, 2), fieldOf(certificate, SUBJECT)];
  const first = bodyOf(certificate)?.[0]?.tag !== CONTEXT_0;
  return first && issuer !== undefined && subject !== undefined && Buffer.compare(issuer.whole, subject.whole) === 0;
}

/** The subject's common name, else its unit, else its organization. */
export function subjectName(certificate: Uint8Array): string | undefined {
  const names = new Map<string, string>();
  for (const set of der(subjectOf(certificate) ?? new Uint8Array(0)) ?? [])
    for (const attribute of der(set.content) ?? []) {
      const [type, value] = der(attribute.content) ?? [];
      const encoding = value === undefined ? undefined : STRINGS[value.tag];
      if (type === undefined || encoding === undefined) continue;
      const key = identifierOf(type);
      if (!names.has(key)) names.set(key, decode(value!.content, encoding));
    }
  return names.get('2.5.4.3') ?? names.get('2.5.4.11') ?? names.get('2.5.4.10');
}

/** An object identifier in dots; empty when it is none. */
function identifierOf({ tag, content }: Element): string {
  if (tag !== IDENTIFIER || content.length === 0) return '';
  const numbers: number[] = [];
  let number = 0;
  for (const octet of content) {
    number = number * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      numbers.push(number);
      number = 0;
    }
  }
  const [first = 0, ...rest] = numbers;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join('.');
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
