import type { Header } from './header.ts';
import { HEADER_MAGIC, HeaderEntry, HeaderHead, REGION_MAIN, TYPE_SIZE } from './layout.ts';

/** One value of a header that follows its region: in the database of installed packages, what was not in the package. */
export interface Dribble {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** The value as stored: big-endian numbers, texts with their NUL. */
  readonly bytes: Uint8Array;
}

const HEAD = HeaderHead.size;
const ENTRY = HeaderEntry.size;

/** Head, entries and data of the region of a header that has entries behind it: the header as the package had it. */
export function immutableRegion(header: Header): Uint8Array {
  const { bytes } = header;
  const { entries, data } = HeaderHead.read(bytes);
  const region = HeaderEntry.read(bytes, HEAD);
  const base = HEAD + entries * ENTRY;
  if (region.tag !== REGION_MAIN) throw header.corrupt(HEAD, 'a header without its region');
  const covered = -(HeaderEntry.read(bytes, base + region.offset).offset | 0) / ENTRY;
  const size = Math.min(region.offset + ENTRY, data);
  return Buffer.concat([
    HeaderHead.bytes({ magic: HEADER_MAGIC, entries: covered, data: size }),
    bytes.subarray(HEAD, HEAD + covered * ENTRY),
    bytes.subarray(base, base + size),
  ]);
}

/**
 * A header as rpm's database stores it: without its magic; the region byte for byte as in the package, so that its
 * signature still holds, then the dribbles by tag.
 */
export function databaseBlob(main: Header, dribbles: readonly Dribble[]): Uint8Array {
  const { entries, data } = HeaderHead.read(main.bytes);
  const sorted = [...dribbles].sort((a, b) => a.tag - b.tag);
  const rows: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  let at = data;
  for (const { tag, type, count, bytes } of sorted) {
    const size = TYPE_SIZE[type] ?? 0;
    const padding = size > 1 ? -at & (size - 1) : 0;
    if (padding > 0) values.push(new Uint8Array(padding));
    at += padding;
    rows.push(HeaderEntry.bytes({ tag, type, offset: at, count }));
    values.push(bytes);
    at += bytes.length;
  }
  const head = HeaderHead.bytes({ magic: HEADER_MAGIC, entries: entries + sorted.length, data: at });
  const base = HEAD + entries * ENTRY;
  return Buffer.concat([
    head.subarray(8),
    main.bytes.subarray(HEAD, base),
    ...rows,
    main.bytes.subarray(base),
    ...values,
  ]);
}
