import { createHash } from 'node:crypto';
import { latin1 } from '../../bytes/struct.ts';
import type { Primary } from './primary.ts';
import { KINDS, type Kind, type Lists } from './solver/types.ts';

/** Increase when the layout below changes, or what is read of primary.xml: kept files of another version are made anew. */
export const KEPT_VERSION = 1;
const MAGIC = 0x4d50524b;
/** Magic, version, number of arrays; a digest of the rest follows. */
const HEAD = 16;
const DIGEST = 32;

/**
 * A parsed package list as it is kept in the cache: a head, a digest, then arrays of 32-bit numbers and two texts, each
 * after its length in bytes, padded to 4. Numbers are in the byte order of the machine: a cache is not carried to others.
 */
export function keptBytes({ table, facts }: Primary): Uint8Array[] {
  const { relations, dependencies } = table;
  const numbers: Int32Array[] = [
    relations.name,
    relations.evr,
    Int32Array.from(relations.flags),
    table.name,
    table.evr,
    table.arch,
    table.files.starts,
    table.files.items,
    ...KINDS.flatMap((kind) => [dependencies[kind].starts, dependencies[kind].items]),
  ];
  const parts: Uint8Array[] = [];
  const add = (bytes: Uint8Array) => {
    const length = new Uint8Array(4);
    new Uint32Array(length.buffer)[0] = bytes.length;
    parts.push(length, bytes, new Uint8Array(-bytes.length & 3));
  };
  for (const array of numbers) add(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  add(Buffer.from(table.texts.join('\0'), 'latin1'));
  add(Buffer.from(facts, 'latin1'));
  const head = new Uint8Array(HEAD);
  new Uint32Array(head.buffer).set([MAGIC, KEPT_VERSION, numbers.length, 0]);
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return [head, hash.digest(), ...parts];
}

/** The inverse of {@link keptBytes}; undefined when the bytes are incomplete, damaged or of another version. */
export function keptPrimary(bytes: Uint8Array): Primary | undefined {
  if (bytes.length < HEAD + DIGEST) return undefined;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const [magic, version, count] = new Uint32Array(aligned.buffer, aligned.byteOffset, 3);
  if (magic !== MAGIC || version !== KEPT_VERSION || count !== 8 + 2 * KINDS.length) return undefined;
  const body = aligned.subarray(HEAD + DIGEST);
  const digest = createHash('sha256').update(body).digest();
  if (!digest.equals(aligned.subarray(HEAD, HEAD + DIGEST))) return undefined;
  let at = 0;
  const next = () => {
    const length = new Uint32Array(body.buffer, body.byteOffset + at, 1)[0]!;
    const part = body.subarray(at + 4, at + 4 + length);
    at += 4 + length + (-length & 3);
    return part;
  };
  const numbers = () => {
    const part = next();
    return new Int32Array(part.buffer, part.byteOffset, part.length / 4);
  };
  const lists = (): Lists => ({ starts: numbers(), items: numbers() });
  const relations = { name: numbers(), evr: numbers(), flags: Uint8Array.from(numbers()) };
  const columns = { name: numbers(), evr: numbers(), arch: numbers(), files: lists() };
  const dependencies = Object.fromEntries(KINDS.map((kind) => [kind, lists()])) as Record<Kind, Lists>;
  const texts = latin1(next()).split('\0');
  return { table: { texts, relations, ...columns, dependencies }, facts: latin1(next()) };
}
