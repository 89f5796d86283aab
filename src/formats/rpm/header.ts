import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import {
  BIN,
  CHAR,
  DATA_MAX,
  ENTRIES_MAX,
  HEADER_MAGIC,
  HeaderEntry,
  HeaderHead,
  I18N,
  INT8,
  INT16,
  INT32,
  INT64,
  REGION_MAIN,
  REGION_SIGNATURE,
  STRING,
  STRING_ARRAY,
  TYPE_SIZE,
} from './layout.ts';

/** Which of a package's two headers it is. */
export type HeaderKind = 'signature' | 'main';

/** Where one tag's values are. */
interface Place {
  readonly type: number;
  /** Absolute, in the header's bytes. */
  readonly offset: number;
  readonly count: number;
  /** Behind its last byte. */
  readonly end: number;
}

const HEAD = HeaderHead.size;
const ENTRY = HeaderEntry.size;

/**
 * A header: typed values by tag. Everything about its structure was checked when it was read: values are inside the
 * data, aligned, do not overlap, texts end.
 */
export class Header {
  readonly kind: HeaderKind;
  /** Exactly as in the file, from its magic to its last byte of data: what digests and signatures cover. */
  readonly bytes: Uint8Array;
  /** Name of the package for messages. */
  readonly path: string;
  /** True when its region covers every entry, as in every package since rpm 4. */
  readonly immutable: boolean;
  private readonly view: DataView;
  private readonly places: ReadonlyMap<number, Place>;
  /** Where the header begins in its file. */
  private readonly start: number;

  constructor(
    kind: HeaderKind,
    bytes: Uint8Array,
    path: string,
    start: number,
    places: ReadonlyMap<number, Place>,
    immutable: boolean,
  ) {
    this.kind = kind;
    this.bytes = bytes;
    this.path = path;
    this.start = start;
    this.places = places;
    this.immutable = immutable;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Every tag, in the header's order; the region's own tag is left out. */
  tags(): number[] {
    return [...this.places.keys()];
  }

  has(tag: number): boolean {
    return this.places.has(tag);
  }

  /** How many values a tag has; 0 when it is absent. */
  count(tag: number): number {
    return this.places.get(tag)?.count ?? 0;
  }

  /** Integers of any width. 64-bit ones above 2^53 are rejected. Empty when the tag is absent. */
  numbers(tag: number): number[] {
    const place = this.places.get(tag);
    if (place === undefined) return [];
    const { type, offset, count } = place;
    const size = TYPE_SIZE[type]!;
    if (type !== CHAR && type !== INT8 && type !== INT16 && type !== INT32 && type !== INT64)
      throw this.wrong(tag, place, 'numbers');
    const values = new Array<number>(count);
    for (let i = 0; i < count; i++) {
      const at = offset + i * size;
      if (size === 4) values[i] = this.view.getUint32(at);
      else if (size === 2) values[i] = this.view.getUint16(at);
      else if (size === 1) values[i] = this.view.getUint8(at);
      else {
        const high = this.view.getUint32(at);
        if (high >= 2 ** 21) throw this.corrupt(at, `tag ${tag} has a number beyond 2^53`);
        values[i] = high * 2 ** 32 + this.view.getUint32(at + 4);
      }
    }
    return values;
  }

  /** The first integer of a tag. */
  number(tag: number): number | undefined {
    return this.has(tag) ? this.numbers(tag)[0] : undefined;
  }

  /** Texts of a tag as byte strings; empty when it is absent. */
  strings(tag: number): string[] {
    const place = this.places.get(tag);
    if (place === undefined) return [];
    if (place.type !== STRING && place.type !== STRING_ARRAY && place.type !== I18N)
      throw this.wrong(tag, place, 'text');
    const all = latin1(this.bytes.subarray(place.offset, place.end));
    // the last text's NUL leaves one empty text behind it
    return all.split('\0', place.count);
  }

  /** The first text of a tag: of translated ones that is the untranslated one. */
  string(tag: number): string | undefined {
    const place = this.places.get(tag);
    if (place === undefined) return undefined;
    if (place.type !== STRING && place.type !== STRING_ARRAY && place.type !== I18N)
      throw this.wrong(tag, place, 'text');
    return latin1(this.bytes.subarray(place.offset, this.bytes.indexOf(0, place.offset)));
  }

  /** Raw bytes of a tag, a view. */
  binary(tag: number): Uint8Array | undefined {
    const place = this.places.get(tag);
    if (place === undefined) return undefined;
    if (place.type !== BIN) throw this.wrong(tag, place, 'bytes');
    return this.bytes.subarray(place.offset, place.end);
  }

  /** Type, count and stored bytes of a tag, for copying it elsewhere. */
  raw(tag: number): { readonly type: number; readonly count: number; readonly bytes: Uint8Array } | undefined {
    const place = this.places.get(tag);
    if (place === undefined) return undefined;
    return { type: place.type, count: place.count, bytes: this.bytes.subarray(place.offset, place.end) };
  }

  /** An error about this header. `at` is an offset in it. */
  corrupt(at: number, reason: string): BuildError<'RPM_CORRUPT'> {
    return new BuildError('RPM_CORRUPT', { path: this.path, offset: this.start + at, reason });
  }

  private wrong(tag: number, { type, offset }: Place, wanted: string): BuildError<'RPM_CORRUPT'> {
    return this.corrupt(offset, `tag ${tag} has type ${type}, not ${wanted}`);
  }
}

/** Sizes that a header's first 16 bytes state: of all of it, and of its parts. */
export interface HeaderSize {
  readonly entries: number;
  readonly data: number;
  /** Magic, entries and data. */
  readonly total: number;
}

/** Reads the head of a header and checks its limits before anything of that size is read. */
export function headerSize(head: Uint8Array, path: string, start: number): HeaderSize {
  const corrupt = (reason: string) => new BuildError('RPM_CORRUPT', { path, offset: start, reason });
  const { magic, entries, data } = HeaderHead.read(head);
  if (HEADER_MAGIC.some((byte, i) => magic[i] !== byte)) throw corrupt('no header begins here');
  if (entries === 0) throw corrupt('a header without entries');
  if (entries > ENTRIES_MAX) throw corrupt(`a header of ${entries} entries, ${ENTRIES_MAX} are the limit`);
  if (data > DATA_MAX) throw corrupt(`a header of ${data} bytes of data, ${DATA_MAX} are the limit`);
  return { entries, data, total: HEAD + entries * ENTRY + data };
}

/**
 * Reads a header from all of its bytes. `start` is where it begins in its file, for messages. `dribbles`: entries may
 * follow the region, as in the database of installed packages.
 */
export function readHeader(
  bytes: Uint8Array,
  kind: HeaderKind,
  path: string,
  start: number,
  options: { readonly dribbles?: boolean } = {},
): Header {
  const { entries, data, total } = headerSize(bytes, path, start);
  const corrupt = (at: number, reason: string) => new BuildError('RPM_CORRUPT', { path, offset: start + at, reason });
  if (total !== bytes.length) throw corrupt(0, `a header of ${total} bytes, ${bytes.length} are there`);
  const base = HEAD + entries * ENTRY;
  const regionTag = kind === 'signature' ? REGION_SIGNATURE : REGION_MAIN;
  const places = new Map<number, Place>();
  const dribbled = new Set<number>();
  let covered = 0;
  let end = 0;
  for (let i = 0; i < entries; i++) {
    const at = HEAD + i * ENTRY;
    const { tag, type, offset, count } = HeaderEntry.read(bytes, at);
    if (i === 0 && tag === regionTag) {
      covered = regionEntries(bytes, { type, offset, count }, { entries, base, data, tag }, corrupt);
      if (covered !== entries && options.dribbles !== true)
        throw corrupt(at, `its region covers ${covered} of ${entries} entries`);
      continue;
    }
    if (tag < 100) throw corrupt(at, `the tag ${tag} in the place of a value`);
    // a value behind the region is newer than the one inside it; old signature headers are not sorted
    if (places.has(tag) && (covered === 0 || i < covered || dribbled.has(tag)))
      throw corrupt(at, `the tag ${tag} stands twice`);
    if (i >= covered) dribbled.add(tag);
    if (type < CHAR || type > I18N) throw corrupt(at, `tag ${tag} has the unknown type ${type}`);
    if (count === 0 || count > data) throw corrupt(at, `tag ${tag} has ${count} values`);
    if (type === STRING && count !== 1) throw corrupt(at, `tag ${tag} has ${count} texts where one is allowed`);
    if (offset >= data) throw corrupt(at, `tag ${tag} points to byte ${offset} of ${data}`);
    // rpm's rule: values lie in the order of their entries, so that none can be read as part of two
    if (offset < end) throw corrupt(at, `tag ${tag} overlaps the value before it`);
    const size = TYPE_SIZE[type]!;
    if (size > 1 && offset % size !== 0) throw corrupt(at, `tag ${tag} is not aligned`);
    const stop = size === 0 ? textsEnd(bytes, base + offset, count) : base + offset + size * count;
    if (stop === undefined || stop > bytes.length) throw corrupt(at, `tag ${tag} reaches beyond the data`);
    end = stop - base;
    // the trailer of the region stands between its values and those that follow it
    if (covered > 0 && i === covered - 1) end += ENTRY;
    if (end > data) throw corrupt(at, `tag ${tag} overlaps the trailer of the region`);
    places.set(tag, { type, offset: base + offset, count, end: stop });
  }
  return new Header(kind, bytes, path, start, places, covered === entries);
}

/** How many entries a region covers; its trailer says it. */
function regionEntries(
  bytes: Uint8Array,
  { type, offset, count }: { type: number; offset: number; count: number },
  { entries, base, data, tag }: { entries: number; base: number; data: number; tag: number },
  corrupt: (at: number, reason: string) => BuildError,
): number {
  if (type !== BIN || count !== ENTRY) throw corrupt(HEAD, `its region has type ${type} and ${count} bytes`);
  if (offset + ENTRY > data) throw corrupt(HEAD, `its region ends at byte ${offset} of ${data}`);
  const trailer = HeaderEntry.read(bytes, base + offset);
  // signed packages of old rpms have the main header's tag in the signature header's trailer
  const known = trailer.tag === tag || (tag === REGION_SIGNATURE && trailer.tag === REGION_MAIN);
  if (!known || trailer.type !== BIN || trailer.count !== ENTRY)
    throw corrupt(base + offset, 'the trailer of its region is not one');
  const covered = -(trailer.offset | 0) / ENTRY;
  if (!Number.isInteger(covered) || covered < 1 || covered > entries)
    throw corrupt(base + offset, `its region covers ${covered} of ${entries} entries`);
  return covered;
}

/** Offset behind `count` texts that each end with NUL; undefined when the bytes end before. */
function textsEnd(bytes: Uint8Array, start: number, count: number): number | undefined {
  let at = start;
  for (let left = count; left > 0; left--) {
    const nul = bytes.indexOf(0, at);
    if (nul < 0) return undefined;
    at = nul + 1;
  }
  return at;
}
