import { type Bytes, copyOf } from '../../bytes/content.ts';
import { BuildError } from '../../errors/error.ts';
import type { Stanza } from './deb822.ts';
import { indexNames } from './packages-names.ts';
import {
  FACT_FIELDS,
  KEY_ROWS,
  MARK_ESSENTIAL,
  MARK_PROTECTED,
  PRIORITIES,
  RELATION_FIELDS,
  type TableParts,
} from './packages-table.ts';

const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
const HASH = 35;

const FIELDS = [...RELATION_FIELDS, ...FACT_FIELDS, 'sha256'] as const;
const SHA256 = FIELDS.length - 1;
const SHA512 = SHA256 - 1;
const FIRST_FACT = RELATION_FIELDS.length;
const VERSION = FIRST_FACT + FACT_FIELDS.indexOf('version');
const ARCHITECTURE = FIRST_FACT + FACT_FIELDS.indexOf('architecture');
const PRIORITY = FIRST_FACT + FACT_FIELDS.indexOf('priority');
const ESSENTIAL = FIRST_FACT + FACT_FIELDS.indexOf('essential');
const PROTECTED = FIRST_FACT + FACT_FIELDS.indexOf('protected');
const IMPORTANT = FIRST_FACT + FACT_FIELDS.indexOf('important');

/** A field name by its length, first and fourth letter: these are unique among the fields that are read. */
const BY_SHAPE = new Map<number, number>(
  FIELDS.map((name, index) => [shape(name.length, name.charCodeAt(0), name.charCodeAt(3)), index]),
);
const NAMES = FIELDS.map((name) => Buffer.from(name));

function shape(length: number, first: number, fourth: number): number {
  return (length << 16) | (first << 8) | (fourth | 32);
}

/** Longest accepted stanza in bytes; real packages stay below it. */
const STANZA_LIMIT = 16 * 1024 * 1024;

/** Reads a package list (`Packages`, decompressed) into the parts of a table. `origin` names it in errors. */
export async function parsePackages(source: Bytes, origin: string): Promise<TableParts> {
  const parser = new PackagesParser(origin);
  for await (const piece of source) parser.push(piece);
  return parser.end();
}

/** The parts of a table built from control stanzas that were read elsewhere, with details of their archives. */
export function tableOfStanzas(
  rows: readonly {
    readonly stanza: Stanza;
    readonly size: number;
    readonly sha256: string;
    readonly filename: string;
  }[],
  origin: string,
): TableParts {
  const parser = new PackagesParser(origin);
  const encoder = new TextEncoder();
  for (const { stanza, size, sha256, filename } of rows) {
    const fields = stanza.fields.filter(({ name }) => !/^(size|sha256|filename)$/i.test(name));
    const text = fields.map(({ name, value }) => `${name}: ${value.replaceAll('\n', '\n ')}\n`).join('');
    parser.push(encoder.encode(`${text}Size: ${size}\nSHA256: ${sha256}\nFilename: ${filename}\n\n`));
  }
  return parser.end();
}

/**
 * The hot loop of reading an index: bytes in, bytes out, no strings and no objects per package. Pieces may end anywhere;
 * only complete stanzas are processed, the rest waits for the next piece.
 */
class PackagesParser {
  readonly #origin: string;
  readonly #relations = new Growing(1 << 16);
  readonly #facts = new Growing(1 << 16);
  readonly #digests = new Growing(1 << 14);
  readonly #relationOffsets: number[] = [0];
  readonly #factOffsets: number[] = [0];
  readonly #marks: number[] = [];
  readonly #starts = new Int32Array(FIELDS.length);
  readonly #ends = new Int32Array(FIELDS.length);
  #rest: Uint8Array = new Uint8Array(0);

  constructor(origin: string) {
    this.#origin = origin;
  }

  push(piece: Uint8Array): void {
    let window = piece;
    if (this.#rest.length > 0) {
      window = new Uint8Array(this.#rest.length + piece.length);
      window.set(this.#rest);
      window.set(piece, this.#rest.length);
    }
    let end = window.length;
    while (end >= 2 && !(window[end - 1] === NEWLINE && window[end - 2] === NEWLINE)) end--;
    if (end < 2) end = 0;
    this.#stanzas(window, end);
    // copy, whatever the type of array: the producer owns the piece
    this.#rest = new Uint8Array(window.subarray(end));
    if (this.#rest.length > STANZA_LIMIT) this.#fault(`a stanza of more than ${STANZA_LIMIT} bytes`);
  }

  end(): TableParts {
    const last = new Uint8Array(this.#rest.length + 2);
    last.set(this.#rest);
    last.fill(NEWLINE, this.#rest.length);
    this.#stanzas(last, last.length);
    this.#rest = new Uint8Array(0);
    const relations = this.#relations.take();
    const relationOffsets = Uint32Array.from(this.#relationOffsets);
    return {
      count: this.#relationOffsets.length - 1,
      relations,
      facts: this.#facts.take(),
      relationOffsets,
      factOffsets: Uint32Array.from(this.#factOffsets),
      ...indexNames(relations, relationOffsets),
      marks: Uint8Array.from(this.#marks),
      digests: this.#digests.take(),
    };
  }

  #stanzas(bytes: Uint8Array, end: number): void {
    const starts = this.#starts;
    const ends = this.#ends;
    starts.fill(-1);
    let fields = 0;
    let field = -1;
    let at = 0;
    while (at < end) {
      const first = bytes[at]!;
      if (first === NEWLINE || (first === RETURN && bytes[at + 1] === NEWLINE)) {
        if (fields > 0) {
          this.#row(bytes);
          starts.fill(-1);
          fields = 0;
        }
        field = -1;
        at += first === NEWLINE ? 1 : 2;
        continue;
      }
      let start = at;
      if (first === SPACE || first === TAB) {
        if (fields === 0) this.#fault('a continuation line without a field above it');
        start = -1;
      } else if (first !== HASH) {
        while (bytes[at] !== COLON && bytes[at] !== NEWLINE) at++;
        if (bytes[at] === NEWLINE) this.#fault('a line that is neither "Name: value" nor a continuation');
        fields++;
        field = fieldOf(bytes, start, at);
        start = at + 1;
      }
      while (bytes[at] !== NEWLINE) at++;
      if (field >= 0 && first !== HASH) {
        if (start >= 0) starts[field] = start;
        ends[field] = at;
      }
      at++;
    }
    if (fields > 0) this.#row(bytes);
  }

  #row(bytes: Uint8Array): void {
    const starts = this.#starts;
    const ends = this.#ends;
    for (const must of [0, VERSION, ARCHITECTURE])
      if (starts[must]! < 0) this.#fault(`a stanza without a ${FIELDS[must]} field`);
    for (let field = 0; field < FIRST_FACT; field++) this.#relations.line(bytes, starts[field]!, ends[field]!);
    for (let field = FIRST_FACT; field < SHA512; field++) this.#facts.line(bytes, starts[field]!, ends[field]!);
    const hasSha256 = this.#digests.hex(bytes, starts[SHA256]!, ends[SHA256]!);
    this.#facts.line(bytes, hasSha256 ? -1 : starts[SHA512]!, ends[SHA512]!);
    const yes = (field: number) => starts[field]! >= 0 && value(bytes, starts[field]!, ends[field]!) === 'yes';
    this.#marks.push(
      Math.max(0, starts[PRIORITY]! < 0 ? 0 : RANKS.indexOf(value(bytes, starts[PRIORITY]!, ends[PRIORITY]!))) +
        (yes(ESSENTIAL) ? MARK_ESSENTIAL : 0) +
        (yes(PROTECTED) || yes(IMPORTANT) ? MARK_PROTECTED : 0),
    );
    if (this.#marks.length >= KEY_ROWS) this.#fault(`more than ${KEY_ROWS} packages`);
    this.#relationOffsets.push(this.#relations.size);
    this.#factOffsets.push(this.#facts.size);
  }

  #fault(fault: string): never {
    throw new BuildError('PACKAGES_SYNTAX', { file: this.#origin, entry: this.#relationOffsets.length, fault });
  }
}

function fieldOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length < 4) return -1;
  const index = BY_SHAPE.get(shape(length, bytes[start]! | 32, bytes[start + 3]!));
  if (index === undefined) return -1;
  const name = NAMES[index]!;
  for (let i = 0; i < length; i++) {
    const c = bytes[start + i]!;
    if ((c >= 65 && c <= 90 ? c | 32 : c) !== name[i]) return -1;
  }
  return index;
}

const RANKS: readonly string[] = PRIORITIES;

/** A short value as text, in lower case. */
function value(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end && text.length < 16; at++) text += String.fromCharCode(bytes[at]!);
  return text.trim().toLowerCase();
}

/** Bytes that grow by doubling. */
class Growing {
  #bytes: Uint8Array;
  size = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Adds a value as one line: trimmed, newlines of a folded value become blanks. `start` < 0: an empty line. */
  line(bytes: Uint8Array, start: number, end: number): void {
    let from = start;
    let to = end;
    if (from >= 0) {
      while (from < to && bytes[from]! <= SPACE) from++;
      while (to > from && bytes[to - 1]! <= SPACE) to--;
      this.#room(to - from + 1);
      const out = this.#bytes;
      let size = this.size;
      for (let at = from; at < to; at++) {
        const c = bytes[at]!;
        out[size++] = c === NEWLINE || c === RETURN ? SPACE : c;
      }
      this.size = size;
    } else this.#room(1);
    this.#bytes[this.size++] = NEWLINE;
  }

  /** Adds 32 bytes written as 64 hex digits; zeros, and false, for anything else. */
  hex(bytes: Uint8Array, start: number, end: number): boolean {
    this.#room(32);
    const out = this.#bytes;
    const base = this.size;
    this.size += 32;
    out.fill(0, base, base + 32);
    if (start < 0) return false;
    let from = start;
    let to = end;
    while (from < to && bytes[from]! <= SPACE) from++;
    while (to > from && bytes[to - 1]! <= SPACE) to--;
    if (to - from !== 64) return false;
    for (let i = 0; i < 32; i++) {
      const high = nibble(bytes[from + 2 * i]!);
      const low = nibble(bytes[from + 2 * i + 1]!);
      if (high < 0 || low < 0) {
        out.fill(0, base, base + 32);
        return false;
      }
      out[base + i] = (high << 4) | low;
    }
    return true;
  }

  take(): Uint8Array {
    return copyOf(this.#bytes.subarray(0, this.size));
  }

  #room(more: number): void {
    if (this.size + more <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, this.size + more));
    bytes.set(this.#bytes.subarray(0, this.size));
    this.#bytes = bytes;
  }
}

function nibble(c: number): number {
  if (c >= 48 && c <= 57) return c - 48;
  const lower = c | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
