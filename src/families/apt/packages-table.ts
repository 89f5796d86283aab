/**
 * A package list in compact form: two texts (relationships, and everything else) with a line per field, offsets of each
 * package's first line, digests, and sorted keys to find names by. Fields are cut out of the texts on demand, so
 * 68,000 packages cost 27 MB and no objects, and a cached list is ready as soon as its bytes are read.
 */

/** Relationship fields in the order in which apt reads them; the name comes first. */
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
  // kept only where there is no SHA-256
  'sha512',
] as const;

export type RelationField = (typeof RELATION_FIELDS)[number];
export type FactField = (typeof FACT_FIELDS)[number];

const RELATION_LINE = new Map<string, number>(RELATION_FIELDS.map((name, line) => [name, line]));
const FACT_LINE = new Map<string, number>(FACT_FIELDS.map((name, line) => [name, line]));

/** Priorities by their number in {@link PackagesTable.priority}; 0 is an unknown priority. */
export const PRIORITIES = ['', 'required', 'important', 'standard', 'optional', 'extra'] as const;
/** Bits of a package's mark, above its priority. */
export const MARK_ESSENTIAL = 8;
export const MARK_PROTECTED = 16;

/** Keys hold the hash of a name above the number of a row. */
export const KEY_ROWS = 2 ** 21;

/** The parts of the table; all arrays have exactly the needed length. */
export interface TableParts {
  readonly count: number;
  readonly relations: Uint8Array;
  readonly facts: Uint8Array;
  /** `count + 1` offsets into `relations`. */
  readonly relationOffsets: Uint32Array;
  /** `count + 1` offsets into `facts`. */
  readonly factOffsets: Uint32Array;
  /** Where in `relations` each package's name is first mentioned, including other packages' relationships. */
  readonly mentions: Uint32Array;
  /** Keys of the names, ascending. */
  readonly names: Float64Array;
  /** Keys of the provided names, ascending. */
  readonly provided: Float64Array;
  /** Priority and the bits above. */
  readonly marks: Uint8Array;
  /** 32 bytes each; zeros: not in the list. */
  readonly digests: Uint8Array;
}

/** FNV-1a of a name in ASCII, 32 bits. */
export function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

export class PackagesTable {
  readonly count: number;
  readonly #parts: Omit<TableParts, 'relations' | 'facts'>;
  readonly #relations: string;
  readonly #facts: string;

  constructor({ relations, facts, ...parts }: TableParts) {
    this.count = parts.count;
    this.#parts = parts;
    // one byte per character: names and relationships are ASCII, and V8 stores such text as bytes
    this.#relations = latin1(relations);
    this.#facts = latin1(facts);
  }

  name(row: number): string {
    return line(this.#relations, this.#parts.relationOffsets[row]!, 0);
  }

  relation(row: number, field: RelationField): string {
    return line(this.#relations, this.#parts.relationOffsets[row]!, RELATION_LINE.get(field)!);
  }

  fact(row: number, field: FactField): string {
    return line(this.#facts, this.#parts.factOffsets[row]!, FACT_LINE.get(field)!);
  }

  /** Priority (0 to 5) and the bits `MARK_…`. */
  marks(row: number): number {
    return this.#parts.marks[row]!;
  }

  /** SHA-512 of the package in lower-case hex where the list has that but no SHA-256; else empty. */
  sha512(row: number): string {
    const text = this.fact(row, 'sha512').toLowerCase();
    return /^[0-9a-f]{128}$/.test(text) ? text : '';
  }

  /** SHA-256 of the package in hex; empty when the list has none. */
  digest(row: number): string {
    const bytes = this.#parts.digests.subarray(row * 32, row * 32 + 32);
    return bytes.some((byte) => byte !== 0) ? Buffer.from(bytes).toString('hex') : '';
  }

  /** Rows of the packages of that name, ascending. */
  rowsOf(name: string): number[] {
    return rowsUnder(this.#parts.names, name).filter((row) => this.name(row) === name);
  }

  /** Rows of packages that may provide the name; their Provides field decides. */
  rowsProviding(name: string): number[] {
    return rowsUnder(this.#parts.provided, name);
  }

  /** Where the package's name is first mentioned. */
  mention(row: number): number {
    return this.#parts.mentions[row]!;
  }

  /** Where a name that is not a package of this list is first mentioned; Infinity if never. Slow. */
  findMention(name: string): number {
    const text = this.#relations;
    for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1))
      if (!partOfName(text.charCodeAt(at - 1)) && !partOfName(text.charCodeAt(at + name.length))) return at;
    return Number.POSITIVE_INFINITY;
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function line(text: string, start: number, count: number): string {
  let at = start;
  for (let skip = count; skip > 0; skip--) at = text.indexOf('\n', at) + 1;
  return text.slice(at, text.indexOf('\n', at));
}

function rowsUnder(keys: Float64Array, name: string): number[] {
  const least = hashName(name) * KEY_ROWS;
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < least) low = middle + 1;
    else high = middle;
  }
  const rows: number[] = [];
  for (let at = low; at < keys.length && keys[at]! < least + KEY_ROWS; at++) rows.push(keys[at]! - least);
  return rows;
}

/** Characters of package names; NaN, beyond the ends of the text, is not one. */
function partOfName(c: number): boolean {
  return (
    (c >= 97 && c <= 122) ||
    (c >= 48 && c <= 57) ||
    (c >= 65 && c <= 90) ||
    c === 43 ||
    c === 45 ||
    c === 46 ||
    c === 95
  );
}
