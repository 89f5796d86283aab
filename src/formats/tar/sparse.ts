import type { Extent } from '../../bytes/content.ts';
import { HeaderError, number } from './header.ts';
import { BLOCK, GnuHeader, GnuSparseBlock } from './layout.ts';
import { type PaxRecords, paxSize } from './pax.ts';

/** The extents of a sparse member's data. */
export interface SparseMap {
  readonly extents: readonly Extent[];
  /** Size of the file with its holes. */
  readonly size: number;
}

/** More extents than this are rejected: a map is held in memory. */
const EXTENTS_LIMIT = 1 << 20;

/** Takes the entries of an old GNU map from a block. A zero pair ends it. */
function takeEntries(block: Uint8Array, start: number, count: number, into: Extent[]): void {
  for (let i = 0; i < count; i++) {
    const at = start + i * 24;
    if (block[at] === 0 && block[at + 12] === 0) return;
    into.push({ offset: number(block, at, 12, 'sparse offset'), size: number(block, at + 12, 12, 'sparse size') });
  }
  if (into.length > EXTENTS_LIMIT) throw new HeaderError('too many sparse extents');
}

/** The map of an old GNU sparse header (type S), which continues in blocks after the header. */
export async function oldGnuMap(header: Uint8Array, nextBlock: () => Promise<Uint8Array>): Promise<SparseMap> {
  const extents: Extent[] = [];
  const size = number(header, GnuHeader.offset.realSize, 12, 'real size');
  let more = header[GnuHeader.offset.isExtended] !== 0;
  takeEntries(header, GnuHeader.offset.sparse, 4, extents);
  while (more) {
    const block = await nextBlock();
    takeEntries(block, GnuSparseBlock.offset.sparse, 21, extents);
    more = block[GnuSparseBlock.offset.isExtended] !== 0;
  }
  return { extents, size };
}

/** The map of GNU's sparse formats 0.0 and 0.1, all in pax records; undefined when there is none. */
export function paxMap({ values, sparse }: PaxRecords): SparseMap | undefined {
  const size = values.get('GNU.sparse.size') ?? values.get('GNU.sparse.realsize');
  const map = values.get('GNU.sparse.map');
  if (size === undefined || (map === undefined && sparse.length === 0 && !values.has('GNU.sparse.numblocks')))
    return undefined;
  const extents = [...sparse];
  if (map !== undefined && map !== '') {
    const numbers = map.split(',');
    if (numbers.length % 2 !== 0 || numbers.length > 2 * EXTENTS_LIMIT)
      throw new HeaderError('the sparse map is uneven');
    for (let i = 0; i < numbers.length; i += 2)
      extents.push({
        offset: paxSize(numbers[i]!, 'GNU.sparse.map'),
        size: paxSize(numbers[i + 1]!, 'GNU.sparse.map'),
      });
  }
  return { extents, size: paxSize(size, 'GNU.sparse.size') };
}

/** True when the map is in front of the data: GNU's sparse format 1.0. */
export function hasMapInData(values: ReadonlyMap<string, string>): boolean {
  return values.get('GNU.sparse.major') === '1' && values.get('GNU.sparse.minor') === '0';
}

/** Reads the map in front of the data: decimal lines with the number of extents, then the offset and size of each. */
export async function dataMap(
  values: ReadonlyMap<string, string>,
  nextBlock: () => Promise<Uint8Array>,
): Promise<SparseMap & { blocks: number }> {
  const size = paxSize(values.get('GNU.sparse.realsize') ?? '', 'GNU.sparse.realsize');
  let block = new Uint8Array(0);
  let at = 0;
  let blocks = 0;
  const next = async (): Promise<number> => {
    let value = 0;
    for (let digits = 0; ; digits++) {
      if (at === block.length) {
        block = new Uint8Array(await nextBlock());
        blocks++;
        at = 0;
      }
      const byte = block[at++]!;
      if (byte === 0x0a && digits > 0) return value;
      if (byte < 0x30 || byte > 0x39 || digits > 15) throw new HeaderError('the sparse map is not made of numbers');
      value = value * 10 + byte - 0x30;
    }
  };
  const count = await next();
  if (count > EXTENTS_LIMIT) throw new HeaderError('too many sparse extents');
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) extents.push({ offset: await next(), size: await next() });
  return { extents, size, blocks };
}

/** Rejects a map that does not fit its file or its data; drops empty extents (GNU marks the end with one). */
export function checkedMap(map: SparseMap, stored: number): SparseMap {
  let end = 0;
  let sum = 0;
  const extents: Extent[] = [];
  for (const extent of map.extents) {
    if (extent.offset < end || extent.size < 0) throw new HeaderError('the extents of a sparse file overlap');
    end = extent.offset + extent.size;
    sum += extent.size;
    if (extent.size > 0) extents.push(extent);
  }
  if (map.size < 0 || end > map.size) throw new HeaderError('the extents of a sparse file are beyond its end');
  if (sum !== stored) throw new HeaderError(`the extents of a sparse file hold ${sum} bytes, ${stored} are stored`);
  return { extents, size: map.size };
}

/**
 * Extents widened to whole blocks and joined where they then meet. GNU tar takes the data of each extent from blocks of
 * its own, other readers take it without gaps; where extents are whole blocks both see the same.
 */
export function wholeBlocks(extents: readonly Extent[], size: number): Extent[] {
  const whole: { offset: number; size: number }[] = [];
  for (const extent of extents) {
    if (extent.size === 0) continue;
    const offset = extent.offset - (extent.offset % BLOCK);
    const end = Math.min(Math.ceil((extent.offset + extent.size) / BLOCK) * BLOCK, size);
    const last = whole[whole.length - 1];
    if (last !== undefined && offset <= last.offset + last.size) last.size = end - last.offset;
    else whole.push({ offset, size: end - offset });
  }
  return whole;
}

/** The map as format 1.0 writes it in front of the data, padded to whole blocks. */
export function mapBlocks(extents: readonly Extent[], size: number): Buffer {
  const last = extents[extents.length - 1];
  // an empty extent marks the end where the file ends in a hole
  const all =
    last !== undefined && last.offset + last.size === size ? extents : [...extents, { offset: size, size: 0 }];
  let text = `${all.length}\n`;
  for (const extent of all) text += `${extent.offset}\n${extent.size}\n`;
  const bytes = Buffer.alloc(Math.ceil(text.length / BLOCK) * BLOCK);
  bytes.write(text, 'latin1');
  return bytes;
}
