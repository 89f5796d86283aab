import { createHash } from 'node:crypto';

/**
 * A package list in compact form: two texts (relationships, and everything else) with a line per field, offsets of each
 * package's first line, and the digests. Fields are cut out when asked for: 68,000 packages cost 20 MB and no objects.
 */

/** Relationship fields in the order in which apt reads them; the name stands first. */
export const RELATION_FIELDS = [
  'package',
  'pre-depends',
  'depends',
  'conflicts',
  'breaks',
  'recommends',
  'suggests',
  'replaces',
  'enhances',
  'provides',
] as const;

/** The other fields that are kept. */
export const FACT_FIELDS = [
  'version',
  'architecture',
  'source',
  'priority',
  'section',
  'multi-arch',
  'essential',
  'protected',
  'important',
  'installed-size',
  'size',
  'filename',
] as const;

export type RelationField = (typeof RELATION_FIELDS)[number];
export type FactField = (typeof FACT_FIELDS)[number];

const RELATION_LINE = new Map<string, number>(RELATION_FIELDS.map((name, line) => [name, line]));
const FACT_LINE = new Map<string, number>(FACT_FIELDS.map((name, line) => [name, line]));

/** What the table is made of; all arrays are exactly as long as they need to be. */
export interface TableParts {
  readonly count: number;
  readonly relations: Uint8Array;
  readonly facts: Uint8Array;
  /** `count + 1` offsets into `relations`. */
  readonly relationOffsets: Uint32Array;
  /** `count + 1` offsets into `facts`. */
  readonly factOffsets: Uint32Array;
  /** Packages that provide something, ascending. */
  readonly providers: Uint32Array;
  /** 32 bytes each; zeros: the list names none. */
  readonly digests: Uint8Array;
}

/** Raised when the layout below or the choice of fields changes: kept tables of another number are made anew. */
export const TABLE_VERSION = 1;
const MAGIC = 0x4c504442; // "BDPL" on disk
const HEADER = 64;

export class PackagesTable {
  readonly count: number;
  /** Packages that provide something, ascending. */
  readonly providers: Uint32Array;
  readonly #relations: string;
  readonly #facts: string;
  readonly #relationOffsets: Uint32Array;
  readonly #factOffsets: Uint32Array;
  readonly #digests: Uint8Array;

  constructor(parts: TableParts) {
    this.count = parts.count;
    this.providers = parts.providers;
    // one byte a character: names and relationships are ASCII, and V8 keeps such text as bytes
    this.#relations = Buffer.from(parts.relations.buffer, parts.relations.byteOffset, parts.relations.length).toString(
      'latin1',
    );
    this.#facts = Buffer.from(parts.facts.buffer, parts.facts.byteOffset, parts.facts.length).toString('latin1');
    this.#relationOffsets = parts.relationOffsets;
    this.#factOffsets = parts.factOffsets;
    this.#digests = parts.digests;
  }

  name(row: number): string {
    const start = this.#relationOffsets[row]!;
    return this.#relations.slice(start, this.#relations.indexOf('\n', start));
  }

  relation(row: number, field: RelationField): string {
    return line(this.#relations, this.#relationOffsets[row]!, RELATION_LINE.get(field)!);
  }

  fact(row: number, field: FactField): string {
    return line(this.#facts, this.#factOffsets[row]!, FACT_LINE.get(field)!);
  }

  /** SHA-256 of the package in hex; empty when the list names none. */
  digest(row: number): string {
    const bytes = this.#digests.subarray(row * 32, row * 32 + 32);
    return bytes.some((byte) => byte !== 0) ? Buffer.from(bytes).toString('hex') : '';
  }

  /**
   * Where the name is first mentioned, be it as a package or in a relationship: apt numbers packages in this order.
   * Infinity when it never is.
   */
  firstMention(name: string): number {
    const text = this.#relations;
    for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
      if (!partOfName(text.charCodeAt(at - 1)) && !partOfName(text.charCodeAt(at + name.length))) return at;
    }
    return Number.POSITIVE_INFINITY;
  }
}

function line(text: string, start: number, count: number): string {
  let at = start;
  for (let skip = count; skip > 0; skip--) at = text.indexOf('\n', at) + 1;
  return text.slice(at, text.indexOf('\n', at));
}

/** NaN, beyond the ends of the text, is none. */
function partOfName(c: number): boolean {
  return (
    (c >= 97 && c <= 122) ||
    (c >= 48 && c <= 57) ||
    c === 43 ||
    c === 45 ||
    c === 46 ||
    (c >= 65 && c <= 90) ||
    c === 95
  );
}

/** The table as a file holds it: header with a digest of all that follows, offsets, digests, texts. */
export function tableBytes(parts: TableParts): Uint8Array[] {
  const body = [
    parts.relationOffsets,
    parts.factOffsets,
    parts.providers,
    parts.digests,
    parts.relations,
    parts.facts,
  ].map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  const hash = createHash('sha256');
  for (const part of body) hash.update(part);
  const header = new Uint8Array(HEADER);
  const words = new Uint32Array(header.buffer, 0, 8);
  words.set([MAGIC, TABLE_VERSION, parts.count, parts.providers.length, parts.relations.length, parts.facts.length]);
  header.set(hash.digest(), 32);
  return [header, ...body];
}

/** The parts of a kept table, or undefined when the bytes are not whole or of another version or byte order. */
export function tableParts(bytes: Uint8Array): TableParts | undefined {
  if (bytes.length < HEADER || bytes.byteOffset % 4 !== 0) return undefined;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, 8);
  const [magic, version, count = 0, providers = 0, relations = 0, facts = 0] = words;
  if (magic !== MAGIC || version !== TABLE_VERSION) return undefined;
  const size = HEADER + 8 * (count + 1) + 4 * providers + 32 * count + relations + facts;
  if (bytes.length !== size) return undefined;
  const digest = createHash('sha256').update(bytes.subarray(HEADER)).digest();
  if (!digest.equals(bytes.subarray(32, HEADER))) return undefined;
  let at = bytes.byteOffset + HEADER;
  const take = (length: number) => {
    const part = new Uint8Array(bytes.buffer, at, length);
    at += length;
    return part;
  };
  const numbers = (length: number) => {
    const part = take(4 * length);
    return new Uint32Array(part.buffer, part.byteOffset, length);
  };
  return {
    count,
    relationOffsets: numbers(count + 1),
    factOffsets: numbers(count + 1),
    providers: numbers(providers),
    digests: take(32 * count),
    relations: take(relations),
    facts: take(facts),
  };
}
