import { createHash } from 'node:crypto';
import type { TableParts } from './packages-table.ts';

/** Increase when the layout below or the set of fields changes: cached tables of another version are rebuilt. */
export const TABLE_VERSION = 2;
const MAGIC = 0x4c504442;
const HEADER = 64;

/** The table as stored in a file: sizes of the parts and a digest of the rest, then the parts, wide ones first. */
export function tableBytes(parts: TableParts): Uint8Array[] {
  const body = [
    parts.names,
    parts.provided,
    parts.relationOffsets,
    parts.factOffsets,
    parts.mentions,
    parts.marks,
    parts.digests,
    parts.relations,
    parts.facts,
  ].map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  const hash = createHash('sha256');
  for (const part of body) hash.update(part);
  const header = new Uint8Array(HEADER);
  new Uint32Array(header.buffer, 0, 8).set([
    MAGIC,
    TABLE_VERSION,
    parts.count,
    parts.provided.length,
    parts.relations.length,
    parts.facts.length,
  ]);
  header.set(hash.digest(), 32);
  return [header, ...body];
}

/**
 * The parts of a cached table, or undefined when the bytes are incomplete, of another version or byte order. The
 * numbers are copied out, so that the file's bytes need not stay in memory.
 */
export function tableParts(bytes: Uint8Array): TableParts | undefined {
  if (bytes.length < HEADER) return undefined;
  const head = new Uint32Array(new Uint8Array(bytes.subarray(0, HEADER)).buffer);
  const [magic, version, count = 0, provided = 0, relations = 0, facts = 0] = head;
  if (magic !== MAGIC || version !== TABLE_VERSION) return undefined;
  const lengths = [8 * count, 8 * provided, 4 * (count + 1), 4 * (count + 1), 4 * count, count, 32 * count];
  const size = HEADER + lengths.reduce((sum, length) => sum + length, 0) + relations + facts;
  if (bytes.length !== size) return undefined;
  const digest = createHash('sha256').update(bytes.subarray(HEADER)).digest();
  if (!digest.equals(bytes.subarray(32, HEADER))) return undefined;
  let at = HEADER;
  const take = (length: number) => {
    at += length;
    return new Uint8Array(bytes.subarray(at - length, at));
  };
  return {
    count,
    names: new Float64Array(take(8 * count).buffer),
    provided: new Float64Array(take(8 * provided).buffer),
    relationOffsets: new Uint32Array(take(4 * (count + 1)).buffer),
    factOffsets: new Uint32Array(take(4 * (count + 1)).buffer),
    mentions: new Uint32Array(take(4 * count).buffer),
    marks: take(count),
    digests: take(32 * count),
    relations: bytes.subarray(at, at + relations),
    facts: bytes.subarray(at + relations, at + relations + facts),
  };
}
