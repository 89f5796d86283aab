import { createHash } from 'node:crypto';
import { hostFile } from '../bytes/file.ts';
import { sortedJson } from '../lock/lock.ts';

/** A file that a verifier compares with what a machine reports. */
export interface ReferenceFile {
  readonly kind: string;
  readonly path: string;
  /** Numbers of a measured file system. */
  readonly verity?: { readonly rootHash: string; readonly salt: string; readonly dataBlocks: number };
  readonly partitions?: readonly { readonly offset: number; readonly size: number }[];
}

/** Names of values with their values: what Trustee's RVPS has, and plain JSON. */
export type ReferenceValues = Readonly<Record<string, readonly string[]>>;

/** The values of files and of a kernel command line. */
export async function referenceValues(files: readonly ReferenceFile[], cmdline?: string): Promise<ReferenceValues> {
  const values: Record<string, string[]> = {};
  const add = (name: string, value: string): void => void (values[name] ??= []).push(value);
  for (const { kind, path, verity, partitions } of files) {
    for (const [algorithm, digest] of await digestsOf(path)) add(`${kind}-${algorithm}`, digest);
    if (verity !== undefined) {
      add(`${kind}-root-hash`, verity.rootHash);
      add(`${kind}-verity-salt`, verity.salt);
      add(`${kind}-verity-data-blocks`, String(verity.dataBlocks));
    }
    for (const [i, { offset, size }] of (partitions ?? []).entries())
      for (const [algorithm, digest] of await digestsOf(path, offset, size))
        add(`${kind}-partition-${i + 1}-${algorithm}`, digest);
  }
  if (cmdline !== undefined)
    for (const algorithm of ALGORITHMS) {
      add(`cmdline-${algorithm}`, createHash(algorithm).update(cmdline).digest('hex'));
      // the table of hashes of SEV covers the command line with its NUL (OVMF, QEMU: SevHashTable)
      add(`cmdline-nul-${algorithm}`, createHash(algorithm).update(`${cmdline}\0`).digest('hex'));
    }
  return values;
}

const ALGORITHMS = ['sha256', 'sha384'] as const;

async function digestsOf(path: string, offset = 0, size?: number): Promise<[string, string][]> {
  const hashes = ALGORITHMS.map((algorithm) => [algorithm, createHash(algorithm)] as const);
  let at = 0;
  const end = size === undefined ? Number.POSITIVE_INFINITY : offset + size;
  for await (const piece of hostFile(path).open()) {
    const part = piece.subarray(
      Math.max(0, Math.min(piece.length, offset - at)),
      Math.max(0, Math.min(piece.length, end - at)),
    );
    if (part.length > 0) for (const [, hash] of hashes) hash.update(part);
    at += piece.length;
    if (at >= end) break;
  }
  return hashes.map(([algorithm, hash]) => [algorithm, hash.digest('hex')]);
}

/** Names of a message for RVPS: recommended are URIs with an immutable tag. */
const URI = 'rvps:///github.com/kata-containers/osbuilder';

/** Values as a file: plain JSON, or the message that Trustee's RVPS takes. */
export function referenceText(values: ReferenceValues, format: 'json' | 'rvps', tag: string): string {
  if (format === 'json') return sortedJson(values);
  const named = Object.fromEntries(Object.entries(values).map(([name, value]) => [`${URI}/${name}:${tag}`, value]));
  const payload = Buffer.from(sortedJson(named)).toString('base64');
  return sortedJson({ version: '0.1.0', type: 'sample', payload });
}
