import type * as OpenPGP from 'openpgp';
import { withoutEnding } from '../bytes/ending.ts';
import { isoTime } from '../bytes/iso-time.ts';
import type { Code, Context } from '../errors/catalogue.ts';
import { BuildError } from '../errors/error.ts';
import type { Keyring } from './keys/key.ts';
import { removedKey } from './keys/removed.ts';

/** What a good signature proves. */
export interface Verified {
  /** Only the signed text: dashes unescaped, lines without trailing blanks, each ended by `\n`. */
  readonly text: string;
  /** Fingerprints (upper-case hex) of the certificates whose signature is good. */
  readonly signedBy: readonly string[];
}

/** How to verify. */
export interface VerifyOptions {
  /** For messages: URL or path of the signed file. */
  readonly path: string;
  /** Keys and signatures must not have expired at this time (Unix seconds); left out: when the signature was made. */
  readonly at?: number;
  /** Whether a signature by a key of the keyring that does not count is an error beside good ones too, as in rpm. */
  readonly every?: boolean;
}

/** Clocks differ: a signature may be this many seconds ahead of ours. */
const CLOCK_ALLOWANCE = 3600;

// 400 KB of code, needed once per build at most
let library: Promise<typeof OpenPGP> | undefined;
function openpgp(): Promise<typeof OpenPGP> {
  library ??= import('openpgp');
  return library;
}

/**
 * Verifies a clearsigned file (InRelease) against a keyring. One good signature of a key in the keyring is enough, as
 * for apt; keys and signatures that are expired, revoked, removed, unknown or weak do not count, and when none is left
 * the error says why. Anything before or after the signed region is an error.
 */
export async function verifyClearsigned(file: Uint8Array, keyring: Keyring, options: VerifyOptions): Promise<Verified> {
  const { text, signed } = clearsigned(file, options.path);
  return { text, signedBy: await checkSignatures(signed, keyring, options) };
}

/** The text of a clearsigned file, and what its signatures are about. */
export function clearsigned(file: Uint8Array, path: string): { readonly text: string; readonly signed: Signed } {
  const { text, signature } = splitClearsigned(file, path);
  // RFC 9580 section 7.2: hashed with CRLF line ends, and without the last one
  const bytes = new TextEncoder().encode(text.slice(0, -1).replaceAll('\n', '\r\n'));
  return { text, signed: { bytes, signature: new TextEncoder().encode(signature), kind: 'text' } };
}

/** Verifies a detached signature (Release.gpg, armoured or binary) over the bytes of a file (Release). */
export async function verifyDetached(
  file: Uint8Array,
  signature: Uint8Array,
  keyring: Keyring,
  options: VerifyOptions,
): Promise<Verified> {
  const signedBy = await checkSignatures({ bytes: file, signature, kind: 'any' }, keyring, options);
  return { text: signedText(file, options.path), signedBy };
}

/**
 * Verifies detached signatures (armoured or binary) over any bytes, such as the header of a package. Fingerprints of the
 * certificates whose signature is good; throws as the other functions do when there is none.
 */
export function verifyBytes(
  bytes: Uint8Array,
  signature: Uint8Array,
  keyring: Keyring,
  options: VerifyOptions,
): Promise<string[]> {
  return checkSignatures({ bytes, signature, kind: 'any' }, keyring, options);
}

/**
 * Splits a clearsigned file into its parts without verifying it. The text is returned as it is hashed: unescaped, without
 * blanks at line ends, so that no unsigned text is included.
 */
export function splitClearsigned(file: Uint8Array, path: string): { text: string; signature: string } {
  const lines = signedText(file, path).split('\n');
  const malformed = (reason: string) => new BuildError('SIGNED_FILE_MALFORMED', { path, reason });
  const bare = (index: number) => {
    const line = lines[index];
    return line === undefined ? undefined : withoutEnding(line, ' \t\r');
  };
  if (bare(0) !== '-----BEGIN PGP SIGNED MESSAGE-----') throw malformed('it does not begin as a signed message');
  let at = 1;
  for (; bare(at) !== ''; at++) {
    const header = bare(at);
    if (header === undefined) throw malformed('cut off in its headers');
    // other headers are not covered by the signature and could mislead a reader: RFC 9580 allows only Hash
    if (!HASH_HEADER.test(header)) throw malformed(`unexpected header "${header.slice(0, 60)}"`);
  }
  at++;
  let text = '';
  for (; ; at++) {
    const line = bare(at);
    if (line === undefined) throw malformed('cut off before its signature');
    if (line === '-----BEGIN PGP SIGNATURE-----') break;
    if (line === '-') text += '\n';
    else if (line.startsWith('- ')) text += `${line.slice(2)}\n`;
    else if (line.startsWith('-')) throw malformed(`the line "${line.slice(0, 60)}" is not dash-escaped`);
    else text += `${line}\n`;
  }
  if (text === '') throw malformed('it signs nothing');
  const begin = at;
  while (bare(at) !== '-----END PGP SIGNATURE-----') {
    if (bare(at) === undefined) throw malformed('cut off in its signature');
    at++;
  }
  const signature = lines.slice(begin, at + 1).join('\n');
  for (at++; at < lines.length; at++) if (bare(at) !== '') throw malformed('there is text behind the signature');
  return { text, signature: `${signature}\n` };
}

const DIGEST = '(?:MD5|RIPEMD160|SHA1|SHA224|SHA256|SHA384|SHA512|SHA3-256|SHA3-512)';
const HASH_HEADER = new RegExp(`^Hash: ${DIGEST}(?:, ?${DIGEST})*$`);

/** The text that is signed. Throws `SIGNED_FILE_MALFORMED`. */
export function signedText(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new BuildError('SIGNED_FILE_MALFORMED', { path, reason: 'it is not UTF-8 text' }, { cause });
  }
}

/** Why a signature does not count. */
interface Objection<C extends Code = Code> {
  readonly code: C;
  readonly context: Context<C>;
}

// the most important reason first: it becomes the error
const GRAVITY: readonly Code[] = [
  'SIGNATURE_BAD',
  'SIGNATURE_KEY_REVOKED',
  'SIGNATURE_KEY_EXPIRED',
  'SIGNATURE_EXPIRED',
  'SIGNATURE_FROM_FUTURE',
  'SIGNATURE_WEAK',
  'SIGNATURE_KEY_UNFIT',
  'SIGNATURE_KEY_REMOVED',
  'SIGNATURE_KEY_UNKNOWN',
];

/** Signatures of somebody who is not in the keyring. */
const STRANGER: ReadonlySet<Code> = new Set(['SIGNATURE_KEY_UNKNOWN', 'SIGNATURE_KEY_REMOVED']);

/** Bytes with their signatures, armoured or binary. `text` are only signatures of texts, as clearsigned files have them. */
export interface Signed {
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly kind: 'text' | 'any';
}

/** A signature that is good but for the time: when it counts. Unix seconds; absent where there is no end. */
export interface GoodSignature {
  /** Fingerprint of the certificate, in upper-case hex. */
  readonly key: string;
  readonly name: string;
  readonly made: number;
  /** When the signature lapses. */
  readonly lapses?: number;
  /** When the key expires. */
  readonly expires?: number;
}

async function checkSignatures(signed: Signed, keyring: Keyring, options: VerifyOptions): Promise<string[]> {
  const { good, objections } = await examine(signed, keyring, options.path);
  const signedBy = signersAt(good, options.at);
  const all = [...objections, ...good.flatMap((one) => timeObjection(one, options) ?? [])];
  const wrong = options.every === true ? all.filter(({ code }) => !STRANGER.has(code)) : [];
  if (signedBy.length === 0 || wrong.length > 0) reject(signedBy.length === 0 ? all : wrong, keyring, options.path);
  return signedBy;
}

/** Fingerprints of the certificates whose signature counts at a time; see {@link VerifyOptions}. */
export function signersAt(good: readonly GoodSignature[], at: number | undefined): string[] {
  const counts = (one: GoodSignature) =>
    timeObjection(one, { path: '', ...(at === undefined ? {} : { at }) }) === undefined;
  return [...new Set(good.filter(counts).map(({ key }) => key))];
}

/**
 * The signatures that are good but for the time. The same bytes, signatures and keys have the same ones always. Throws as the
 * functions above do where there is none.
 */
export async function goodSignatures(
  signed: Signed,
  keyring: Keyring,
  path: string,
): Promise<readonly GoodSignature[]> {
  const { good, objections } = await examine(signed, keyring, path);
  if (good.length === 0) reject(objections, keyring, path);
  return good;
}

async function examine(
  signed: Signed,
  keyring: Keyring,
  path: string,
): Promise<{ readonly good: GoodSignature[]; readonly objections: Objection[] }> {
  const pgp = await openpgp();
  let packets: OpenPGP.SignaturePacket[];
  try {
    packets = await readPackets(pgp, signed.signature);
  } catch (cause) {
    const reason = `its signature cannot be read (${(cause as Error).message})`;
    throw new BuildError('SIGNED_FILE_MALFORMED', { path, reason }, { cause });
  }
  if (packets.length === 0) throw new BuildError('SIGNATURE_MISSING', { path });
  if (packets.length > SIGNATURES_LIMIT)
    throw new BuildError('SIGNED_FILE_MALFORMED', { path, reason: `it has more than ${SIGNATURES_LIMIT} signatures` });
  const message = await pgp.createMessage({ binary: signed.bytes });
  const literal = message.packets.findPacket(pgp.enums.packet.literalData)!;
  const certificates = await certificatesOf(keyring);
  const good: GoodSignature[] = [];
  const objections: Objection[] = [];
  for (const packet of packets) {
    const candidates = certificates.filter((key) => key.getKeys(packet.issuerKeyID).length > 0);
    if (candidates.length === 0) objections.push(unknownKey(packet, keyring, path));
    // 64-bit key ids may collide: each certificate with that id is tried, and one of them is enough
    const against: Objection[] = [];
    const before = good.length;
    for (const certificate of candidates) {
      const judged = await judge(pgp, packet, certificate, literal, path, signed.kind);
      if ('code' in judged) against.push(judged);
      else good.push(judged);
    }
    if (good.length === before) objections.push(...against);
  }
  return { good, objections };
}

/** Why a good signature does not count at a time. */
function timeObjection({ key, name, made, lapses, expires }: GoodSignature, { path, at = made }: VerifyOptions) {
  const objection = <C extends Code>(code: C, context: Context<C>): Objection => ({ code, context });
  if (made > at + CLOCK_ALLOWANCE)
    return objection('SIGNATURE_FROM_FUTURE', { path, key, made: day(made), now: day(at) });
  if (lapses !== undefined && lapses <= at) return objection('SIGNATURE_EXPIRED', { path, key, expired: day(lapses) });
  if (expires !== undefined && expires <= at)
    return objection('SIGNATURE_KEY_EXPIRED', { path, key, name, expired: day(expires) });
  return undefined;
}

/** Most signatures of one file: each is hashed with the file. Real ones have up to five. */
const SIGNATURES_LIMIT = 64;

/** The signature packets of a file: binary, or any number of armoured blocks. */
async function readPackets(pgp: typeof OpenPGP, signature: Uint8Array): Promise<OpenPGP.SignaturePacket[]> {
  const only = ({ packets }: OpenPGP.Signature) => packets.filter((packet) => packet instanceof pgp.SignaturePacket);
  if (!isArmored(signature)) return only(await pgp.readSignature({ binarySignature: signature }));
  const text = new TextDecoder().decode(signature);
  // as gpgv reads them: a file may be several, one after the other
  const blocks = text.match(/^-----BEGIN PGP SIGNATURE-----[\s\S]*?^-----END PGP SIGNATURE-----/gm) ?? [text];
  const packets: OpenPGP.SignaturePacket[] = [];
  for (const block of blocks.slice(0, SIGNATURES_LIMIT + 1))
    packets.push(...only(await pgp.readSignature({ armoredSignature: `${block}\n` })));
  return packets;
}

async function judge(
  pgp: typeof OpenPGP,
  packet: OpenPGP.SignaturePacket,
  certificate: OpenPGP.Key,
  literal: object,
  path: string,
  kind: 'text' | 'any',
): Promise<Objection | GoodSignature> {
  const key = certificate.getFingerprint().toUpperCase();
  const name = certificate.getUserIDs()[0] ?? 'no name';
  const hash = packet.hashAlgorithm!;
  const { sha256, sha384, sha512, sha224, sha3_256, sha3_512 } = pgp.enums.hash;
  if (![sha256, sha384, sha512, sha224, sha3_256, sha3_512].includes(hash))
    return { code: 'SIGNATURE_WEAK', context: { path, key, reason: `it uses the digest ${hashName(pgp, hash)}` } };
  const types = pgp.enums.signature;
  // other types hash something other than the file (a standalone signature hashes nothing)
  if (packet.signatureType !== types.text && (kind === 'text' || packet.signatureType !== types.binary))
    return { code: 'SIGNATURE_BAD', context: { path, key, name } };
  const signer = certificate.getKeys(packet.issuerKeyID)[0]!;
  try {
    // null: times are checked below, with our own messages
    await packet.verify(signer.keyPacket, packet.signatureType, literal, NEVER, kind === 'any');
  } catch (cause) {
    const reason = (cause as Error).message;
    if (/critical/.test(reason)) return { code: 'SIGNATURE_KEY_UNFIT', context: { path, key, name, reason } };
    return { code: 'SIGNATURE_BAD', context: { path, key, name } };
  }
  const made = packet.created!.getTime() / 1000;
  const lapses = seconds(packet.getExpirationTime());
  try {
    await certificate.getSigningKey(packet.issuerKeyID, NEVER);
  } catch (cause) {
    const reason = (cause as Error).message;
    if (/revoked/i.test(reason)) return { code: 'SIGNATURE_KEY_REVOKED', context: { path, key, name } };
    return { code: 'SIGNATURE_KEY_UNFIT', context: { path, key, name, reason } };
  }
  if (signer.getCreationTime().getTime() / 1000 > made)
    return { code: 'SIGNATURE_KEY_UNFIT', context: { path, key, name, reason: 'it is newer than the signature' } };
  const expires = Math.min(
    seconds(await certificate.getExpirationTime()),
    signer instanceof pgp.Subkey ? seconds(await signer.getExpirationTime(NEVER)) : Number.POSITIVE_INFINITY,
  );
  return {
    ...{ key, name, made },
    ...(lapses === Number.POSITIVE_INFINITY ? {} : { lapses }),
    // a key that was never valid is none at any time, also where this is kept as JSON, which has no infinite numbers
    ...(expires === Number.POSITIVE_INFINITY ? {} : { expires: Math.max(expires, Number.MIN_SAFE_INTEGER) }),
  };
}

// the library takes null for "at no particular time"; its types do not declare that
const NEVER = null as unknown as Date;

/** A key's end in Unix seconds; the library returns null for a key that was never valid. */
function seconds(end: Date | typeof Infinity | null): number {
  if (end === null) return Number.NEGATIVE_INFINITY;
  return typeof end === 'number' ? end : end.getTime() / 1000;
}

function day(unix: number): string {
  return Number.isFinite(unix) && unix !== Number.MIN_SAFE_INTEGER ? isoTime(unix) : 'an unknown day';
}

function hashName(pgp: typeof OpenPGP, hash: OpenPGP.enums.hash): string {
  return Object.entries(pgp.enums.hash).find(([, value]) => value === hash)?.[0] ?? `number ${hash}`;
}

function unknownKey(packet: OpenPGP.SignaturePacket, keyring: Keyring, path: string): Objection {
  const key =
    packet.issuerFingerprint === null
      ? packet.issuerKeyID.toHex().toUpperCase()
      : Buffer.from(packet.issuerFingerprint).toString('hex').toUpperCase();
  const removed = removedKey(key);
  if (removed !== undefined) return { code: 'SIGNATURE_KEY_REMOVED', context: { path, key, name: removed } };
  return { code: 'SIGNATURE_KEY_UNKNOWN', context: { path, keys: [key], keyring: keyring.name } };
}

const HINTS: Partial<Record<Code, string>> = {
  SIGNATURE_BAD: 'try another mirror; the file does not come from the key it names',
  SIGNATURE_KEY_UNKNOWN: 'give the right keys as `keyring` if you trust this repository',
  SIGNATURE_KEY_REMOVED: 'such a release is no longer maintained; give its old keys as `keyring` if it must be',
  SIGNATURE_KEY_EXPIRED: 'check the clock of this machine, or give newer keys as `keyring`',
  SIGNATURE_EXPIRED: 'check the clock of this machine, or try another mirror',
  SIGNATURE_FROM_FUTURE: 'check the clock of this machine',
};

function reject(objections: readonly Objection[], keyring: Keyring, path: string): never {
  const code = GRAVITY.find((each) => objections.some((objection) => objection.code === each));
  if (code === undefined) throw new BuildError('SIGNATURE_MISSING', { path });
  const hint = HINTS[code];
  const options = hint === undefined ? {} : { hint };
  if (code === 'SIGNATURE_KEY_UNKNOWN') {
    const keys = objections.flatMap((o) => ('keys' in o.context ? o.context.keys : []));
    throw new BuildError(code, { path, keys, keyring: keyring.name }, options);
  }
  throw new BuildError(code, objections.find((objection) => objection.code === code)!.context, options);
}

const parsed = new WeakMap<Keyring, Promise<OpenPGP.Key[]>>();

function certificatesOf(keyring: Keyring): Promise<OpenPGP.Key[]> {
  let certificates = parsed.get(keyring);
  if (certificates === undefined) {
    certificates = readCertificates(keyring);
    parsed.set(keyring, certificates);
  }
  return certificates;
}

async function readCertificates(keyring: Keyring): Promise<OpenPGP.Key[]> {
  const pgp = await openpgp();
  const all: OpenPGP.Key[] = [];
  for (const bytes of keyring.keys) {
    try {
      if (isArmored(bytes)) {
        // one file may contain several armoured blocks
        const text = new TextDecoder('latin1').decode(bytes);
        const blocks = text.match(/-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g);
        if (blocks === null) throw new Error('it holds no public key block');
        for (const block of blocks) all.push(...(await pgp.readKeys({ armoredKeys: `${block}\n` })));
      } else {
        if (Buffer.from(bytes.subarray(8, 12)).toString('latin1') === 'KBXf')
          throw new Error('it is a GnuPG keybox; export it with: gpg --export');
        all.push(...(await pgp.readKeys({ binaryKeys: bytes })));
      }
    } catch (cause) {
      const reason = (cause as Error).message;
      throw new BuildError('KEYRING_UNREADABLE', { name: keyring.name, reason }, { cause });
    }
  }
  if (all.length === 0) throw new BuildError('KEYRING_UNREADABLE', { name: keyring.name, reason: 'it holds no key' });
  return all;
}

/** Binary OpenPGP begins with a byte whose top bit is set (RFC 9580 section 4.2); keybox files begin with zeros. */
function isArmored(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes[0]! < 0x80 && bytes[0]! >= 0x09;
}

/** Primary fingerprints (upper-case hex) and names of the certificates in a keyring, for reports and tests. */
export async function listKeyring(
  keyring: Keyring,
): Promise<{ fingerprint: string; name: string; expires?: number }[]> {
  const list: { fingerprint: string; name: string; expires?: number }[] = [];
  for (const key of await certificatesOf(keyring)) {
    const expires = seconds(await key.getExpirationTime());
    list.push({
      fingerprint: key.getFingerprint().toUpperCase(),
      name: key.getUserIDs()[0] ?? '',
      ...(Number.isFinite(expires) ? { expires } : {}),
    });
  }
  return list;
}
