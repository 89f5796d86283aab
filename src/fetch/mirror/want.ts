import type { DigestAlgorithm } from '../../bytes/digest.ts';
import { BuildError } from '../../errors/error.ts';
import type { CacheCategory } from '../cache.ts';
import type { Part } from './part.ts';
import { shown } from './url.ts';

/** A file to be fetched into the cache, and what is known about it. */
export interface Want {
  /** Addresses of the same file, best first. */
  readonly urls: readonly string[];
  /** Bytes, where the index says so. */
  readonly size?: number;
  /** Its expected digest, which is also its name in the cache. */
  readonly digest: { readonly algorithm: DigestAlgorithm; readonly hex: string };
  /** How the file is verified when its digest does not cover all of it. */
  readonly proof?: Proof;
  readonly category: CacheCategory;
  /** Ask caches on the way to revalidate with the mirror, after they returned an old version. */
  readonly fresh?: boolean;
  /** How its server is convinced that we may have it; it is told to no other. */
  readonly access?: Access;
}

/** What a server asks for before it gives a file. */
export interface Access {
  /** Header Authorization for the first request; undefined where nothing is known to be needed. */
  current(address: string): string | undefined;
  /** The same after an answer 401 to `sent`, with this header WWW-Authenticate; undefined where there is nothing to try. */
  renew(address: string, challenge: string, sent: string | undefined): Promise<string | undefined>;
}

/** How files are verified whose index has no digest of the complete file. */
export interface Proof {
  /** Their name in the cache: a file with this name was verified when it was stored. */
  readonly key: string;
  /**
   * Checks the complete file, whose digest in hex by the algorithm of {@link Want.digest} was counted while it arrived. Throws
   * `DIGEST_MISMATCH` when it is not the expected one.
   */
  prove(file: string, url: string, digest: string): Promise<void>;
}

/** The name of a file in the cache. */
export function keyOf(want: Want): string {
  if (want.proof !== undefined) return want.proof.key;
  const { algorithm, hex } = want.digest;
  if (!/^[0-9a-f]{32,128}$/.test(hex)) throw new RangeError(`"${hex}" is no digest in lower-case hex`);
  return algorithm === 'sha256' ? hex : `${algorithm}-${hex}`;
}

/** The error for a file of another size than its index says. */
export function wrongSize(url: string, declared: number, read: number): BuildError {
  const hint =
    'this is not the file that was promised, perhaps a login or error page in its place: try again, or name another mirror as `repoUrl`';
  return new BuildError('CONTENT_SIZE', { path: url, declared, read }, { hint });
}

/** Checks a complete download against what is known about it. Throws `CONTENT_SIZE` and `DIGEST_MISMATCH`. */
export async function verify(address: string, want: Want, part: Part): Promise<void> {
  const url = shown(address);
  if (want.size !== undefined && part.size !== want.size) throw wrongSize(url, want.size, part.size);
  const actual = part.digest();
  if (want.proof !== undefined) return want.proof.prove(part.path, url, actual);
  if (actual !== want.digest.hex) throw new BuildError('DIGEST_MISMATCH', { url, expected: want.digest.hex, actual });
}

/** Is told of each of several files as soon as it is in the cache and verified: its number, and its path. */
export type Arrived = (index: number, path: string) => void;
