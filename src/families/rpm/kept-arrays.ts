import { createHash } from 'node:crypto';
import { PackedTexts, packTexts, type Texts } from './solver/texts.ts';

/** Arrays of numbers and lists of texts as they are kept together in a file of the cache. */
export interface KeptArrays {
  readonly numbers: readonly Int32Array[];
  readonly texts: readonly Texts[];
}

/** Magic, version, how many arrays of numbers, how many lists of texts; a digest of the rest follows. */
const HEAD = 16;
const DIGEST = 32;

/**
 * A head, a digest, then arrays of 32-bit numbers and texts (where each begins, and all of their bytes), each after its
 * length in bytes, padded to 4. Numbers are in
 * the byte order of the machine: a cache is not carried to others.
 */
export function packArrays(magic: number, version: number, { numbers, texts }: KeptArrays): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const add = (bytes: Uint8Array) => {
    const length = new Uint8Array(4);
    new Uint32Array(length.buffer)[0] = bytes.length;
    parts.push(length, bytes, new Uint8Array(-bytes.length & 3));
  };
  const addNumbers = (array: Int32Array) => add(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  for (const array of numbers) addNumbers(array);
  for (const list of texts) {
    const { bytes, starts } = packTexts(list);
    addNumbers(starts);
    add(bytes);
  }
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
  const nextNumbers = () => {
    const part = next();
    return new Int32Array(part.buffer, part.byteOffset, part.length / 4);
  };
  const numbers: Int32Array[] = [];
  for (let i = 0; i < counts.numbers; i++) numbers.push(nextNumbers());
  const texts: Texts[] = [];
  for (let i = 0; i < counts.texts; i++) {
    const starts = nextNumbers();
    texts.push(new PackedTexts(next(), starts));
  }
  return { numbers, texts };
}
