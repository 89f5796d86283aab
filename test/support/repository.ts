/**
 * Makes signed Debian-style repositories in a folder, with nothing but Node: keys, Packages, Release, InRelease,
 * Release.gpg, by-hash and pool.
 *
 *     const key = await makeKey({ name: 'Test Archive <archive@example.org>' });
 *     await writeRepository(folder, {
 *       suites: [{ suite: 'trixie', components: { main: { amd64: [stanzaOf('a.deb')] } }, keys: [key] }],
 *       debs: ['a.deb'],
 *     });
 *
 * then serve the folder with `serve(t, folder)` of server.ts, or use it as a plain folder or `file:` URL, with the keyring
 * `{ name: 'test', keys: [key.publicKey] }`. `addDebs` does the whole from paths of .deb files in one go.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as zlib from 'node:zlib';
import * as openpgp from 'openpgp';
import { memory } from '../../src/bytes/content.ts';
import { decompress } from '../../src/compression/decompress.ts';

/** A signing key made for a test. */
export interface RepositoryKey {
  /** Fingerprint of the primary key, upper-case hex. */
  readonly fingerprint: string;
  /** The certificate, binary, as a keyring holds it. */
  readonly publicKey: Uint8Array;
  /** The certificate, armoured. */
  readonly armored: string;
  readonly privateKey: openpgp.PrivateKey;
}

/** When test repositories are made, in Unix seconds: nothing here depends on the clock. */
export const MADE = Date.UTC(2026, 0, 10, 12, 0, 0) / 1000;

/** Makes an Ed25519 (or RSA) key. Times are Unix seconds. */
export async function makeKey(
  options: {
    readonly name?: string;
    readonly created?: number;
    /** Seconds from its making until it expires; left out: never. */
    readonly lifetime?: number;
    /** Revoke it at this time: the certificate then carries the revocation. */
    readonly revoked?: number;
    /** Sign with a subkey, as Debian's archive keys do. */
    readonly subkey?: boolean;
    readonly rsa?: boolean;
  } = {},
): Promise<RepositoryKey> {
  const created = options.created ?? MADE - 86400 * 30;
  const { privateKey } = await openpgp.generateKey({
    ...(options.rsa
      ? { type: 'rsa' as const, rsaBits: 2048 }
      : { type: 'ecc' as const, curve: 'ed25519Legacy' as const }),
    userIDs: [splitUserId(options.name ?? 'Test Archive Signing Key <archive@example.org>')],
    subkeys: options.subkey ? [{ sign: true }] : [],
    date: new Date(created * 1000),
    ...(options.lifetime === undefined ? {} : { keyExpirationTime: options.lifetime }),
    format: 'object',
  });
  let publicKey = privateKey.toPublic();
  if (options.revoked !== undefined) {
    const revoked = await openpgp.revokeKey({
      key: privateKey,
      date: new Date(options.revoked * 1000),
      reasonForRevocation: { flag: openpgp.enums.reasonForRevocation.keyCompromised, string: 'test' },
      format: 'object',
    });
    publicKey = revoked.publicKey;
  }
  return {
    fingerprint: publicKey.getFingerprint().toUpperCase(),
    publicKey: publicKey.write(),
    armored: publicKey.armor(),
    privateKey,
  };
}

function splitUserId(text: string): { name: string; email: string } {
  const match = /^(.*) <(.*)>$/.exec(text)!;
  return { name: match[1]!, email: match[2]! };
}

/** How a test signature is made. */
export interface SigningOptions {
  /** Seconds after which the signature expires. */
  readonly expiresIn?: number;
  /** Add a critical notation that no program knows. */
  readonly critical?: boolean;
  /** Unix seconds; {@link MADE} by default. */
  readonly time?: number;
  /** A digest, which may be a weak one on purpose; SHA-512 by default. */
  readonly hash?: openpgp.enums.hash;
}

/** Clearsigns a text, as InRelease files are. */
export async function clearsign(
  text: string,
  keys: readonly RepositoryKey[],
  options: SigningOptions = {},
): Promise<string> {
  const body = text.replace(/\n$/, '');
  const hashed = body.replace(/[ \t]+$/gm, '').replaceAll('\n', '\r\n');
  const signature = await armoredSignature(Buffer.from(hashed), openpgp.enums.signature.text, keys, options);
  const name = openpgp.enums.read(openpgp.enums.hash, options.hash ?? openpgp.enums.hash.sha512).toUpperCase();
  const hash = name === 'RIPEMD' ? 'RIPEMD160' : name;
  const escaped = body.replace(/^-/gm, '- -');
  return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: ${hash}\n\n${escaped}\n${signature}`;
}

/** A detached armoured signature, as Release.gpg is. */
export function detachedSignature(
  text: string,
  keys: readonly RepositoryKey[],
  options: SigningOptions = {},
): Promise<string> {
  return armoredSignature(Buffer.from(text), openpgp.enums.signature.binary, keys, options);
}

const SIGNING: openpgp.Config = { ...openpgp.config, nonDeterministicSignaturesViaNotation: false };

// packet by packet: the library's own functions sign with nothing weak, and the tests need that too
async function armoredSignature(
  bytes: Uint8Array,
  type: openpgp.enums.signature,
  keys: readonly RepositoryKey[],
  options: SigningOptions,
): Promise<string> {
  const date = new Date((options.time ?? MADE) * 1000);
  const message = await openpgp.createMessage({ binary: bytes });
  const literal = message.packets.findPacket(openpgp.enums.packet.literalData) as unknown as Uint8Array;
  const packets = new openpgp.PacketList<openpgp.SignaturePacket>();
  for (const key of keys) {
    const signer = await key.privateKey.getSigningKey(undefined, date);
    const packet = new openpgp.SignaturePacket();
    packet.signatureType = type;
    packet.publicKeyAlgorithm = signer.keyPacket.algorithm;
    packet.hashAlgorithm = options.hash ?? openpgp.enums.hash.sha512;
    if (options.expiresIn !== undefined) {
      packet.signatureExpirationTime = options.expiresIn;
      packet.signatureNeverExpires = false;
    }
    if (options.critical)
      packet.rawNotations = [
        { name: 'unknown@example.org', value: Buffer.from('x'), humanReadable: true, critical: true },
      ];
    // its types leave the last parameter out
    const sign = packet.sign as (...parameters: unknown[]) => Promise<void>;
    await sign.call(packet, signer.keyPacket, literal, date, true, SIGNING);
    packets.push(packet);
  }
  const armored = openpgp.armor(openpgp.enums.armor.signature, packets.write());
  return armored.replaceAll('\r', '');
}

/** One suite to be made. */
export interface RepositorySuite {
  /** Name of its folder below dists/; ends in `/` for a flat repository (`./`, `x/`). */
  readonly suite: string;
  readonly codename?: string;
  readonly origin?: string;
  readonly label?: string;
  /** By component and architecture: stanzas of the Packages file (a text of several is fine too). */
  readonly components: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  /** Unix seconds; {@link MADE} by default. */
  readonly date?: number;
  readonly validUntil?: number;
  /** Fields to add or replace; undefined leaves the field out. */
  readonly fields?: Readonly<Record<string, string | undefined>>;
  /** Who signs; an empty list makes an unsigned Release and no InRelease. */
  readonly keys: readonly RepositoryKey[];
  /** Which of InRelease and Release + Release.gpg are written; all by default. */
  readonly files?: readonly ('InRelease' | 'Release' | 'Release.gpg')[];
  readonly byHash?: boolean;
  /** Which forms of Packages exist; gz and plain by default. xz and bz2 need a tool and are not made here. */
  readonly forms?: readonly ('' | '.gz' | '.zst')[];
  /** Digest tables; SHA256 by default. */
  readonly hashes?: readonly ('MD5Sum' | 'SHA1' | 'SHA256' | 'SHA512')[];
  /** Digest of the signatures. */
  readonly signatureHash?: openpgp.enums.hash;
}

/** Writes `suites` below `folder`, and copies the .deb files to where {@link stanzaOf} says they are. */
export async function writeRepository(
  folder: string,
  repository: { readonly suites: readonly RepositorySuite[]; readonly debs?: readonly string[] },
): Promise<void> {
  for (const deb of repository.debs ?? []) {
    const target = join(folder, poolPath(deb));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(deb, target);
  }
  for (const suite of repository.suites) await writeSuite(folder, suite);
}

async function writeSuite(folder: string, suite: RepositorySuite): Promise<void> {
  const flat = suite.suite.endsWith('/');
  const home = flat ? join(folder, suite.suite) : join(folder, 'dists', suite.suite);
  mkdirSync(home, { recursive: true });
  const entries: { path: string; bytes: Uint8Array }[] = [];
  const architectures = new Set<string>();
  for (const [component, byArchitecture] of Object.entries(suite.components))
    for (const [architecture, stanzas] of Object.entries(byArchitecture)) {
      architectures.add(architecture);
      const text = stanzas.map((stanza) => stanza.replace(/\n*$/, '\n')).join('\n');
      for (const form of suite.forms ?? ['', '.gz']) {
        const path = flat ? `Packages${form}` : `${component}/binary-${architecture}/Packages${form}`;
        entries.push({ path, bytes: compressed(text, form) });
      }
    }
  for (const { path, bytes } of entries) {
    const target = join(home, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
    if (suite.byHash) {
      const copy = join(dirname(target), 'by-hash', 'SHA256', digest('sha256', bytes));
      mkdirSync(dirname(copy), { recursive: true });
      writeFileSync(copy, bytes);
    }
  }
  const fields: Record<string, string | undefined> = {
    Origin: suite.origin ?? 'Debian',
    Label: suite.label ?? 'Debian',
    Suite: flat ? undefined : suite.suite,
    Codename: suite.codename ?? (flat ? undefined : suite.suite),
    Date: rfc822(suite.date ?? MADE),
    'Valid-Until': suite.validUntil === undefined ? undefined : rfc822(suite.validUntil),
    'Acquire-By-Hash': suite.byHash ? 'yes' : undefined,
    Architectures: flat ? undefined : [...architectures].join(' '),
    Components: flat ? undefined : Object.keys(suite.components).join(' '),
    Description: 'made by a test',
    ...suite.fields,
  };
  let text = '';
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) text += `${name}: ${value}\n`;
  for (const table of suite.hashes ?? ['SHA256']) {
    text += `${table}:\n`;
    const algorithm = table === 'MD5Sum' ? 'md5' : table.toLowerCase();
    for (const { path, bytes } of entries)
      text += ` ${digest(algorithm, bytes)} ${String(bytes.length).padStart(8)} ${path}\n`;
  }
  const files = suite.files ?? ['InRelease', 'Release', 'Release.gpg'];
  const signing = {
    time: suite.date ?? MADE,
    ...(suite.signatureHash === undefined ? {} : { hash: suite.signatureHash }),
  };
  if (files.includes('Release')) writeFileSync(join(home, 'Release'), text);
  if (suite.keys.length === 0) return;
  if (files.includes('InRelease')) writeFileSync(join(home, 'InRelease'), await clearsign(text, suite.keys, signing));
  if (files.includes('Release.gpg'))
    writeFileSync(join(home, 'Release.gpg'), await detachedSignature(text, suite.keys, signing));
}

/** Makes one suite out of .deb files: each goes to the pool and into the index of its architecture (`all` into every one). */
export async function addDebs(
  folder: string,
  suite: Omit<RepositorySuite, 'components'> & {
    readonly debs: readonly string[];
    readonly architectures: readonly string[];
    readonly component?: string;
  },
): Promise<void> {
  const byArchitecture: Record<string, string[]> = Object.fromEntries(suite.architectures.map((name) => [name, []]));
  for (const deb of suite.debs) {
    const stanza = await stanzaOf(deb);
    const own = /^Architecture: (.*)$/m.exec(stanza)![1]!;
    for (const name of own === 'all' ? suite.architectures : [own]) byArchitecture[name]?.push(stanza);
  }
  await writeRepository(folder, {
    suites: [{ ...suite, components: { [suite.component ?? 'main']: byArchitecture } }],
    debs: suite.debs,
  });
}

/** Where {@link writeRepository} puts a .deb, relative to the repository. */
export function poolPath(deb: string): string {
  const name = basename(deb);
  return `pool/main/${name[0]}/${name}`;
}

/** The Packages stanza of a .deb file: its control fields with Filename, Size and SHA256. */
export async function stanzaOf(deb: string): Promise<string> {
  const bytes = readFileSync(deb);
  const control = await controlOf(bytes, deb);
  return `${control.trimEnd()}\nFilename: ${poolPath(deb)}\nSize: ${bytes.length}\nSHA256: ${digest('sha256', bytes)}\n`;
}

async function controlOf(deb: Buffer, path: string): Promise<string> {
  for (let at = 8; at + 60 <= deb.length; ) {
    const name = deb.toString('latin1', at, at + 16).replace(/\/?\s*$/, '');
    const size = Number(deb.toString('latin1', at + 48, at + 58));
    const member = deb.subarray(at + 60, at + 60 + size);
    if (name.startsWith('control.tar')) return fileOfTar(await unpacked(name, member), 'control');
    at += 60 + size + (size & 1);
  }
  throw new Error(`${path}: no control.tar`);
}

async function unpacked(name: string, bytes: Buffer): Promise<Buffer> {
  if (name.endsWith('.gz')) return zlib.gunzipSync(bytes);
  if (name.endsWith('.xz')) {
    const pieces: Uint8Array[] = [];
    for await (const piece of decompress(memory(bytes).open(), 'xz', name)) pieces.push(piece.slice());
    return Buffer.concat(pieces);
  }
  if (name.endsWith('.zst')) {
    const { ZSTDDecoder } = await import('zstddec');
    const decoder = new ZSTDDecoder();
    await decoder.init();
    return Buffer.from(decoder.decode(bytes));
  }
  return bytes;
}

function fileOfTar(tar: Buffer, wanted: string): string {
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 135), 8) || 0;
    if (name.replace(/^\.\//, '') === wanted) return tar.toString('utf8', at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`no ${wanted} in the archive`);
}

function compressed(text: string, form: '' | '.gz' | '.zst'): Uint8Array {
  const bytes = Buffer.from(text);
  if (form === '.gz') return zlib.gzipSync(bytes);
  if (form === '.zst') {
    const compress = (zlib as { zstdCompressSync?: (bytes: Uint8Array) => Uint8Array }).zstdCompressSync;
    if (compress === undefined) throw new Error('this Node has no zstd');
    return compress(bytes);
  }
  return bytes;
}

function digest(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex');
}

/** `Sat, 10 Jan 2026 12:00:00 UTC`, as Release files write times. */
export function rfc822(seconds: number): string {
  return new Date(seconds * 1000).toUTCString().replace('GMT', 'UTC');
}
