import { join } from 'node:path';
import { sha256 } from '../../bytes/digest.ts';
import { hostNames, hostStat } from '../../bytes/host-directory.ts';
import { BuildError, isBuildError } from '../../errors/error.ts';
import { kindOf } from '../../tree/inode.ts';
import { type PackageInfo, readArchive } from './archive.ts';
import { type ApkRecord, parseIndex } from './index-file.ts';
import { type ApkKeyring, type MemoryFile, verifySigned } from './signature.ts';

/** A folder of packages without an index, as an index would describe it. */
export interface PackageFolder {
  readonly records: readonly ApkRecord[];
  /** When the newest of them was built, in Unix seconds. */
  readonly date: number;
  /** SHA-256 of the text of their index. */
  readonly sha256: string;
  /** Names of the trusted keys that signed them. */
  readonly signedBy: readonly string[];
  /** Files that no trusted key signed. */
  readonly unverified: readonly string[];
}

/** Letters of an index for the fields of a .PKGINFO, in the order of an index. */
const LETTERS: readonly (readonly [letter: string, field: string])[] = [
  ['P', 'pkgname'],
  ['V', 'pkgver'],
  ['A', 'arch'],
  ['I', 'size'],
  ['T', 'pkgdesc'],
  ['U', 'url'],
  ['L', 'license'],
  ['o', 'origin'],
  ['m', 'maintainer'],
  ['t', 'builddate'],
  ['c', 'commit'],
  ['k', 'provider_priority'],
  ['D', 'depend'],
  ['p', 'provides'],
  ['i', 'install_if'],
];

/** The packages of a folder, by name of file; none when there is no such folder. */
export function packagesIn(folder: string): string[] {
  const stat = hostStat(folder);
  if (stat === undefined || kindOf(stat.mode) === 'file') return [];
  return hostNames(folder, '').filter((name) => name.endsWith('.apk'));
}

/**
 * Reads the packages of a folder as an index would list them, without those for other architectures. The user chose the
 * folder, so packages without a signature are reported, not rejected. A wrong signature is rejected.
 */
export async function readFolder(folder: string, architecture: string, keyring: ApkKeyring): Promise<PackageFolder> {
  const keys = new Set<string>();
  const unverified: string[] = [];
  const files = new Map<string, string>();
  const stanzas: string[] = [];
  for (const file of packagesIn(folder)) {
    const path = join(folder, file);
    const { archive, raw, identity } = await readArchive(path, path);
    const { name, version, architecture: own } = archive.info;
    if (own !== architecture && own !== 'noarch') continue;
    // apk's own cache adds eight digits of the identity to the name
    const stem = `${name}-${version}`;
    const cached = file.startsWith(`${stem}.`) && /^\.[0-9a-f]{8}\.apk$/.test(file.slice(stem.length));
    if (file !== `${stem}.apk` && !cached)
      throw new BuildError('APK_MISMATCH', { path, expected: file, actual: `${name}-${version}.apk` });
    const key = signerOf(archive.signatures, raw, keyring, path);
    if (key === undefined) unverified.push(file);
    else keys.add(key);
    // the same package under both names is one
    if (files.has(identity)) continue;
    files.set(identity, file);
    stanzas.push(stanzaOf(archive.info, identity, archive.size));
  }
  const text = stanzas.join('\n');
  const records = parseIndex(text, (line, what) => {
    throw new BuildError('APK_FORMAT', {
      path: folder,
      reason: `line ${line} is not understood: ${what.slice(0, 80)}`,
    });
  });
  for (const record of records) {
    const file = files.get(record.identity);
    if (file !== undefined) (record as { file?: string }).file = file;
  }
  const built = records.map((one) => Number(/^t:(\d+)$/m.exec(one.stanza)?.[1] ?? 0));
  return {
    records,
    date: Math.max(0, ...built),
    sha256: sha256(text),
    signedBy: [...keys].sort(),
    unverified,
  };
}

/** The trusted key that signed a package; undefined when none did. */
function signerOf(
  signatures: readonly MemoryFile[],
  signed: Uint8Array,
  keyring: ApkKeyring,
  path: string,
): string | undefined {
  if (signatures.length === 0) return undefined;
  try {
    return verifySigned(signatures, signed, keyring, path);
  } catch (error) {
    if (isBuildError(error, 'APK_SIGNATURE_UNKNOWN')) return undefined;
    throw error;
  }
}

/** What an index would say of a package. */
export function stanzaOf({ fields }: PackageInfo, identity: string, size: number): string {
  const lines = LETTERS.flatMap(([letter, field]) => {
    const values = fields.get(field);
    return values === undefined ? [] : [`${letter}:${values.join(' ')}`];
  });
  return `C:${identity}\n${lines.slice(0, 3).join('\n')}\nS:${size}\n${lines.slice(3).join('\n')}\n`;
}
