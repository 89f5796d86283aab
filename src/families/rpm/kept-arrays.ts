import { createHash } from 'node:crypto';
import { latin1 } from '../../bytes/struct.ts';

/** Arrays of numbers and byte strings as they are kept together in a file of the cache. */
export interface KeptArrays {
  readonly numbers: readonly Int32Array[];
  readonly texts: readonly string[];
}

/** Magic, version, how many arrays of numbers, how many texts; a digest of the rest follows. */
const HEAD = 16;
const DIGEST = 32;

/**
 * A head, a digest, then arrays of 32-bit numbers and texts, each after its length in bytes, padded to 4. Numbers are in
 * the byte order of the machine: a cache is not carried to others.
 */
export function packArrays(magic: number, version: number, { numbers, texts }: KeptArrays): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const add = (bytes: Uint8Array) => {
    const length = new Uint8Array(4);
    new Uint32Array(length.buffer)[0] = bytes.length;
    parts.push(length, bytes, new Uint8Array(-bytes.length & 3));
  };
  for (const array of numbers) add(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  for (const text of texts) add(Buffer.from(text, 'latin1'));
  const head = new Uint8Array(HEAD);
  new Uint32Array(head.buffer).set([magic, version, numbers.length, texts.length]);
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return [head, hash.digest(), ...parts];
}

/**
 * The inverse of {@link packArrays}; undefined when the bytes are incomplete, damaged, of another version, or have other
 * numbers of arrays and texts. The arrays are views of the bytes.
 */
export function unpackArrays(
  bytes: Uint8Array,
  magic: number,
  version: number,
  counts: { readonly numbers: number; readonly texts: number },
): KeptArrays | undefined {
  if (bytes.length < HEAD + DIGEST) return undefined;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const head = new Uint32Array(aligned.buffer, aligned.byteOffset, 4);
  if (head[0] !== magic || head[1] !== version || head[2] !== counts.numbers || head[3] !== counts.texts)
    return undefined;
  const body = aligned.subarray(HEAD + DIGEST);
  if (
    !createHash('sha256')
      .update(body)
      .digest()
      .equals(aligned.subarray(HEAD, HEAD + DIGEST))
  )
    return undefined;
  let at = 0;
  const next = () => {
    const length = new Uint32Array(body.buffer, body.byteOffset + at, 1)[0]!;
    const part = body.subarray(at + 4, at + 4 + length);
    at += 4 + length + (-length & 3);
    return part;
  };
  const numbers: Int32Array[] = [];
  for (let i = 0; i < counts.numbers; i++) {
    const part = next();
    numbers.push(new Int32Array(part.buffer, part.byteOffset, part.length / 4));
  }
  const texts: string[] = [];
  for (let i = 0; i < counts.texts; i++) texts.push(latin1(next()));
  return { numbers, texts };
}
