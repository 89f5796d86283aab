import { sha256 } from '../bytes/digest.ts';
import { isBuildError } from '../errors/error.ts';
import type { Cache } from './cache.ts';

/** A kept value begins with the digest of the rest, in hex. */
const DIGEST = 64;

/**
 * A value that JSON can hold, kept in the cache under a name that stands for all that decides on it; `make` makes it where it is
 * not there, or is damaged. What `make` throws is not kept, nor is a value whose text `mayKeep` rejects.
 */
export async function keptJson<T>(
  cache: Cache,
  name: string,
  make: () => Promise<T>,
  mayKeep: (text: string) => boolean = () => true,
): Promise<T> {
  const kept = cache.read('parsed', name);
  const text = kept?.subarray(DIGEST);
  if (text !== undefined && kept!.toString('latin1', 0, DIGEST) === sha256(text))
    return JSON.parse(text.toString('utf8')) as T;
  const value = await make();
  const json = JSON.stringify(value);
  if (!mayKeep(json)) return value;
  const bytes = Buffer.from(json);
  try {
    await cache.write('parsed', name, Buffer.concat([Buffer.from(sha256(bytes)), bytes]));
  } catch (error) {
    // the value is there without it
    if (!isBuildError(error, 'WRITE_FAILED')) throw error;
  }
  return value;
}
