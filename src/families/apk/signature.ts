import { createPublicKey, verify } from 'node:crypto';
import { memory } from '../../bytes/content.ts';
import { slicesOfMemory } from '../../bytes/spool.ts';
import { BuildError } from '../../errors/error.ts';
import { ALPINE_KEYS } from '../../fetch/keys/alpine.ts';
import { readTar } from '../../formats/tar/read.ts';
import { display } from '../../tree/path.ts';

/** Trusted RSA public keys, by their names in signatures. */
export interface ApkKeyring {
  /** For messages: `built-in Alpine keys for x86_64`, or the path of a file. */
  readonly name: string;
  readonly keys: readonly { readonly name: string; readonly pem: string }[];
}

/** The built-in keys that sign Alpine's repositories of an architecture. */
export function alpineKeyring(architecture: string): ApkKeyring {
  return {
    name: `built-in Alpine keys for ${architecture}`,
    keys: ALPINE_KEYS.filter((key) => key.architectures.includes(architecture)),
  };
}

/** A file of a tar archive held in memory. */
export interface MemoryFile {
  readonly name: string;
  readonly mode: number;
  readonly mtime: number;
  readonly bytes: Uint8Array;
}

/** The regular files of a small tar archive, in order. */
export async function filesOf(tar: Uint8Array, path: string): Promise<MemoryFile[]> {
  const files: MemoryFile[] = [];
  for await (const entry of readTar(memory(tar).open(), path, slicesOfMemory(tar)))
    if ('inode' in entry && entry.inode.kind === 'file') {
      const { mode, mtime, content } = entry.inode;
      files.push({ name: entry.path.replace(/^\.\//, ''), mode, mtime, bytes: content.readSync() });
    }
  return files;
}

/** Signature schemes by the name in `.SIGN.NAME.KEY`. */
const SCHEMES: ReadonlyMap<string, string> = new Map(
  Object.entries({ RSA: 'sha1', RSA256: 'sha256', RSA512: 'sha512' }),
);

/**
 * Verifies what follows a signature segment and returns the name of the key. There may be several signatures, for
 * several generations of apk: one good signature of a trusted key is enough, a bad one of a trusted key is an error.
 */
export function verifySigned(
  files: readonly MemoryFile[],
  signed: Uint8Array,
  keyring: ApkKeyring,
  path: string,
): string {
  const seen: string[] = [];
  let good: string | undefined;
  for (const file of files) {
    const match = /^\.SIGN\.([A-Z0-9]+)\.(.+)$/.exec(file.name);
    if (match === null)
      throw new BuildError('APK_FORMAT', { path, reason: `"${display(file.name)}" among signatures` });
    const [, scheme, name] = match as unknown as [string, string, string];
    seen.push(name);
    const digest = SCHEMES.get(scheme);
    const key = keyring.keys.find((one) => one.name === name);
    if (digest === undefined || key === undefined) continue;
    if (!verify(digest, signed, createPublicKey(key.pem), file.bytes))
      throw new BuildError('APK_SIGNATURE_BAD', { path, key: display(name) });
    good ??= name;
  }
  if (good !== undefined) return good;
  const hint =
    keyring.keys.length === 0
      ? 'no key is known for this architecture: give one as `keyring`'
      : 'if you trust that key, give it as `keyring`';
  throw new BuildError(
    'APK_SIGNATURE_UNKNOWN',
    { path, keys: seen.map(display).join(', '), keyring: keyring.name },
    { hint },
  );
}

/** True when a segment holds signatures and nothing else. */
export function isSignature(files: readonly MemoryFile[]): boolean {
  return files.length > 0 && files[0]!.name.startsWith('.SIGN.');
}

/** True for a file of apk 3: its own container format (`ADB.`, or compressed `ADBd`, `ADBc`). */
export function isAdb(first: Uint8Array): boolean {
  return first.length >= 4 && /^ADB[.dc]/.test(Buffer.from(first.subarray(0, 4)).toString('latin1'));
}
