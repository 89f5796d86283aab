/**
 * The hash by which kmod orders what it has in a table: SuperFastHash by Paul Hsieh, seeded with the length. `name` is a
 * byte string.
 */
export function superFastHash(name: string): number {
  const bytes = Buffer.from(name, 'latin1');
  return superFastHashOf(bytes, 0, bytes.length);
}

/** {@link superFastHash} of a part of `bytes`. */
export function superFastHashOf(bytes: Uint8Array, from: number, end: number): number {
  const length = end - from;
  let hash = length | 0;
  let at = from;
  for (let quads = length >>> 2; quads > 0; quads--, at += 4) {
    hash = (hash + (bytes[at]! | (bytes[at + 1]! << 8))) | 0;
    const next = ((bytes[at + 2]! | (bytes[at + 3]! << 8)) << 11) ^ hash;
    hash = (hash << 16) ^ next;
    hash = (hash + (hash >>> 11)) | 0;
  }
  const left = length & 3;
  if (left === 3) {
    hash = (hash + (bytes[at]! | (bytes[at + 1]! << 8))) | 0;
    hash ^= hash << 16;
    hash ^= signed(bytes[at + 2]!) << 18;
    hash = (hash + (hash >>> 11)) | 0;
  } else if (left === 2) {
    hash = (hash + (bytes[at]! | (bytes[at + 1]! << 8))) | 0;
    hash ^= hash << 11;
    hash = (hash + (hash >>> 17)) | 0;
  } else if (left === 1) {
    hash = (hash + signed(bytes[at]!)) | 0;
    hash ^= hash << 10;
    hash = (hash + (hash >>> 1)) | 0;
  }
  hash ^= hash << 3;
  hash = (hash + (hash >>> 5)) | 0;
  hash ^= hash << 4;
  hash = (hash + (hash >>> 17)) | 0;
  hash ^= hash << 25;
  hash = (hash + (hash >>> 6)) | 0;
  return hash >>> 0;
}

/** The last byte is a `signed char` there. */
function signed(byte: number): number {
  return byte > 127 ? byte - 256 : byte;
}

/**
 * Names in the order in which kmod walks a table of `buckets` (a power of two): by bucket, then by name. Names are byte
 * strings, each once.
 */
export function hashOrder(names: Iterable<string>, buckets: number): string[] {
  const table: string[][] = [];
  for (const name of names) {
    const bucket = superFastHash(name) & (buckets - 1);
    const there = table[bucket];
    if (there === undefined) table[bucket] = [name];
    else there.push(name);
  }
  // a hole of the array is an empty bucket
  return table.flatMap((bucket) => bucket.sort());
}
