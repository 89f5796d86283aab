import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type TarMember, tar } from './debs.ts';

/** Makers of small Alpine packages and repositories for tests, byte by byte, so that hostile ones can be made too. */

/** A key that signs: what signatures call it, and both halves. */
export interface ApkKey {
  readonly name: string;
  readonly pem: string;
  readonly secret: string;
}

/** A fresh RSA key. Making one takes a while: see {@link testKey}. */
export function makeApkKey(name: string): ApkKey {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { name, pem: publicKey, secret: privateKey };
}

/** The key that tests sign with unless they need another. */
export function testKey(): ApkKey {
  key ??= makeApkKey('test@example.org-5f5f5f5f.rsa.pub');
  return key;
}

let key: ApkKey | undefined;

/** What a small package is made of. */
export interface SmallApk {
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  /** The architecture that an index says: Alpine's lists packages for all of them as those of its own. */
  readonly listedAs?: string;
  /** By default its own name. */
  readonly origin?: string;
  /** `depend`, `provides`, `replaces`, `install_if`, `provider_priority`, `triggers`, …: lists are several lines. */
  readonly fields?: Readonly<Record<string, string | readonly string[]>>;
  /** `post-install`, `trigger`, …. */
  readonly scripts?: Readonly<Record<string, string>>;
  readonly files?: readonly TarMember[];
  /** Further members of the control segment. */
  readonly control?: readonly TarMember[];
  /** In place of the SHA-256 of the data. */
  readonly dataHash?: string;
  /** In place of the data segment made of `files`. */
  readonly data?: Buffer;
}

/** A package as made, with what an index says of it. */
export interface MadeApk {
  readonly file: string;
  readonly bytes: Buffer;
  readonly control: Buffer;
  readonly data: Buffer;
  readonly stanza: string;
}

/** A tar segment without the blocks that end an archive, as abuild cuts it. */
export const cut = (members: readonly TarMember[]) => tar(members).subarray(0, -1024);

/** Files with the checksums that apk asks of them, in pax headers. */
function withChecksums(files: readonly TarMember[]): TarMember[] {
  return files.flatMap((one) => {
    const type = one.type ?? (one.name.endsWith('/') ? '5' : '0');
    if (type !== '0' && type !== '2') return [one];
    const sha1 = createHash('sha1')
      .update(type === '2' ? one.link! : Buffer.from(one.data ?? ''))
      .digest('hex');
    const text = ` APK-TOOLS.checksum.SHA1=${sha1}\n`;
    const length = text.length + 2;
    return [{ name: 'PaxHeaders', type: 'x', data: `${length}${text}` }, one];
  });
}

/** Makes a package, signed as abuild signs. */
export function apk(small: SmallApk, signer: ApkKey = testKey()): MadeApk {
  const { name, version = '1-r0', architecture = 'x86_64', origin = small.name, fields = {} } = small;
  const data = small.data ?? gzipSync(tar(withChecksums(small.files ?? [])));
  const list = (value: string | readonly string[]) => (typeof value === 'string' ? [value] : value);
  const info = [
    `# made for a test`,
    `pkgname = ${name}`,
    `pkgver = ${version}`,
    `arch = ${architecture}`,
    `size = 4096`,
    `origin = ${origin}`,
    `pkgdesc = made for a test`,
    `url = https://example.org`,
    `license = MIT`,
    ...Object.entries(fields).flatMap(([field, value]) => list(value).map((one) => `${field} = ${one}`)),
    `datahash = ${small.dataHash ?? createHash('sha256').update(data).digest('hex')}`,
    '',
  ].join('\n');
  const scripts = Object.entries(small.scripts ?? {});
  const control = gzipSync(
    cut([
      { name: '.PKGINFO', data: info },
      ...scripts.map(([script, text]) => ({ name: `.${script}`, data: text, mode: 0o755 })),
      ...(small.control ?? []),
    ]),
  );
  const bytes = Buffer.concat([signature(control, signer), control, data]);
  const letters: Readonly<Record<string, string>> = {
    depend: 'D',
    provides: 'p',
    install_if: 'i',
    provider_priority: 'k',
  };
  const stanza = [
    `C:Q1${createHash('sha1').update(control).digest('base64')}`,
    `P:${name}`,
    `V:${version}`,
    `A:${small.listedAs ?? architecture}`,
    `S:${bytes.length}`,
    'I:4096',
    'T:made for a test',
    'U:https://example.org',
    'L:MIT',
    `o:${origin}`,
    ...Object.entries(fields).flatMap(([field, value]) =>
      field in letters ? [`${letters[field]}:${list(value).join(' ')}`] : [],
    ),
    '',
  ].join('\n');
  return { file: `${name}-${version}.apk`, bytes, control, data, stanza };
}

/** A segment with the signature of `signed`. */
export function signature(signed: Uint8Array, signer: ApkKey, scheme: 'RSA' | 'RSA256' = 'RSA'): Buffer {
  const sign = createSign(scheme === 'RSA' ? 'sha1' : 'sha256');
  const data = sign.update(signed).sign(signer.secret);
  return gzipSync(cut([{ name: `.SIGN.${scheme}.${signer.name}`, data }]));
}

/** A signed index, or one that nobody signed. */
export function apkIndex(
  stanzas: readonly string[],
  signer: ApkKey | 'nobody' = testKey(),
  scheme: 'RSA' | 'RSA256' = 'RSA',
): Buffer {
  const content = gzipSync(
    tar([
      { name: 'DESCRIPTION', data: 'made for a test', mtime: 1_700_000_000 },
      { name: 'APKINDEX', data: stanzas.map((one) => `${one}\n`).join(''), mtime: 1_700_000_000 },
    ]),
  );
  return signer === 'nobody' ? content : Buffer.concat([signature(content, signer, scheme), content]);
}

/** Writes files below a folder. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}

/** A repository as files by path: index and packages in the folder of an architecture. */
export function apkRepository(
  folder: string,
  packages: readonly MadeApk[],
  signer: ApkKey = testKey(),
): Record<string, Buffer> {
  return Object.fromEntries([
    [
      `${folder}/APKINDEX.tar.gz`,
      apkIndex(
        packages.map((one) => one.stanza),
        signer,
      ),
    ],
    ...packages.map((one) => [`${folder}/${one.file}`, one.bytes]),
  ]);
}
