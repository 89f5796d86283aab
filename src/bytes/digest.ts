import { createHash, hash } from 'node:crypto';
import { BuildError } from '../errors/error.ts';
import type { Bytes, Content } from './content.ts';
import type { Cursor } from './cursor.ts';

/** Digests that are accepted for verification. MD5 and SHA-1 only where an old format has nothing else. */
export type DigestAlgorithm = 'sha256' | 'sha224' | 'sha384' | 'sha512' | 'sha1' | 'md5';

/** The expected size and digest of a download or a member. */
export interface Expectation {
  /** Where it comes from, for messages. */
  readonly url: string;
  readonly size: number;
  readonly digest: { readonly algorithm: DigestAlgorithm; readonly hex: string };
  /** What to do when it is another, where it does not come from a mirror. */
  readonly hint?: string;
}

/**
 * Yields `source` unchanged. Throws at the end when it differs from what is expected, immediately when it is longer.
 */
export async function* verified(source: Bytes, expect: Expectation): Bytes {
  const hash = createHash(expect.digest.algorithm);
  let size = 0;
  for await (const piece of source) {
    size += piece.length;
    if (size > expect.size) break;
    hash.update(piece);
    yield piece;
  }
  if (size !== expect.size)
    throw new BuildError('CONTENT_SIZE', { path: expect.url, declared: expect.size, read: size });
  const actual = hash.digest('hex');
  if (actual !== expect.digest.hex)
    throw new BuildError(
      'DIGEST_MISMATCH',
      { url: expect.url, expected: expect.digest.hex, actual },
      expect.hint === undefined ? {} : { hint: expect.hint },
    );
}

/** Digest of a complete content in hex. */
export async function digestOf(content: Content, algorithm: DigestAlgorithm = 'sha256'): Promise<string> {
  const hash = createHash(algorithm);
  for await (const piece of content.open()) hash.update(piece);
  return hash.digest('hex');
}

/** SHA-256 in hex of bytes in memory (strings as UTF-8). */
export function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Skips the next `size` bytes of a cursor; returns their SHA-256 in hex if `digest`. */
export async function digested(
  cursor: Cursor,
  size: number,
  what: string,
  digest: boolean,
): Promise<string | undefined> {
  const whole = cursor.now(size);
  if (whole !== undefined) return digest ? hash('sha256', whole, 'hex') : undefined;
  if (!digest) {
    await cursor.skip(size, what);
    return undefined;
  }
  const sum = createHash('sha256');
  await cursor.skip(size, what, (piece) => sum.update(piece));
  return sum.digest('hex');
}
