import { blocksOf, isPlain, lengthOf } from './extents.ts';
import { ADVISE, BLOCK, BLOCK_COUNT, CLUSTER, MapHeader } from './layout.ts';

/**
 * The compact index of a compressed file (fs/erofs/zmap.c): a record for each logical cluster, in packs of 2 records (8
 * bytes) until the address is a multiple of 32, then packs of 16 (32 bytes), then packs of 2 again. A pack ends with a
 * block address; a record has 12 bits of value and 2 bits of type.
 */

const SMALL = { records: 2, bytes: 8, bits: 16 } as const;
const LARGE = { records: 16, bytes: 32, bits: 14 } as const;
const VALUE_BITS = 12;
const FARTHEST = (1 << 11) - 1;

/** Numbers of records in packs of each kind, in order, for an index that begins at `start` (bytes, modulo 32). */
export function packsOf(records: number, start: number, large = true): readonly [number, number, number] {
  const before = ((32 - (start % 32)) / 4) & 7;
  const middle = large && before < records ? Math.floor((records - before) / 16) * 16 : 0;
  const first = Math.min(before, records);
  return middle > 0 ? [before, middle, records - before - middle] : [first, 0, records - first];
}

/** Bytes of a compact index, without its header. */
export function indexSize(records: number, start: number, large = true): number {
  const [first, middle, rest] = packsOf(records, start, large);
  if (middle === 0) return Math.ceil(records / 2) * 8;
  return first * 4 + middle * 2 + Math.ceil(rest / 2) * 8;
}

/** Logical clusters of a file of `size` bytes. */
export const clustersOf = (size: number): number => Math.ceil(size / BLOCK);

interface Record {
  readonly type: number;
  /** For a head: where its extent begins in the cluster. Else the number of blocks, or the distance back. */
  readonly value: number;
  /** Distance to the next head, for records without one. */
  readonly ahead: number;
  /** For a head: the first block of its extent. */
  readonly block: number;
  /** Blocks that a count in this record adds. */
  readonly counted: number;
}

/** The records of a file whose blocks begin at `firstBlock`. */
function* records(extents: Uint32Array, size: number, firstBlock: number, big: boolean): Generator<Record> {
  const total = clustersOf(size);
  let start = 0;
  let block = firstBlock;
  for (let i = 0; i < extents.length; i++) {
    const extent = extents[i]!;
    const cluster = Math.floor(start / BLOCK);
    const end = start + lengthOf(extent);
    const last = i + 1 === extents.length;
    // the end of the file is marked as a further head would be, or the kernel takes the last extent for too long
    const marked = last && size % BLOCK !== 0 && cluster < total - 1;
    const next = last && !marked ? total : Math.floor(end / BLOCK);
    const type = isPlain(extent) ? CLUSTER.plain : CLUSTER.head1;
    yield { type, value: start % BLOCK, ahead: 0, block, counted: 0 };
    for (let at = cluster + 1; at < next; at++) {
      const count = big && at === cluster + 1 ? blocksOf(extent) : 0;
      const value = count > 0 ? BLOCK_COUNT | count : at - cluster;
      yield { type: CLUSTER.nonHead, value, ahead: Math.min(FARTHEST, next - at), block, counted: count };
    }
    start = end;
    block += blocksOf(extent);
    if (marked) yield { type: CLUSTER.plain, value: size % BLOCK, ahead: 0, block, counted: 0 };
  }
}

/**
 * The index with its header, for an address of the index itself of `start` (modulo 32). `big` is set when physical
 * clusters may have several blocks; `packed` bytes of the last extent follow the index instead of being in a block.
 */
export function indexBytes(
  extents: Uint32Array,
  size: number,
  firstBlock: number,
  start: number,
  big: boolean,
  packed = 0,
): Uint8Array {
  const total = clustersOf(size);
  const into = new Uint8Array(MapHeader.size + indexSize(total, start));
  const view = new DataView(into.buffer);
  const advise = ADVISE.compact2 | (big ? ADVISE.bigCluster1 | ADVISE.bigCluster2 : 0);
  MapHeader.write(into, 0, { advise: advise | (packed > 0 ? ADVISE.inlineCluster : 0), inlineSize: packed });
  const [first, middle] = packsOf(total, start);
  const source = records(extents, size, firstBlock, big);
  let at = MapHeader.size;
  for (let done = 0; done < total; ) {
    const pack = middle > 0 && done >= first && done < first + middle ? LARGE : SMALL;
    const members: Record[] = [];
    while (members.length < pack.records && done < total) {
      members.push(source.next().value as Record);
      done++;
    }
    writePack(into, at, members, pack.records, pack.bits);
    view.setUint32(at + pack.bytes - 4, baseOf(members, big), true);
    at += pack.bytes;
  }
  return into;
}

function writePack(into: Uint8Array, at: number, members: readonly Record[], records: number, bits: number): void {
  for (const [i, { type, value, ahead, counted }] of members.entries()) {
    const last = i + 1 === records && type === CLUSTER.nonHead && counted === 0;
    const record = (type << VALUE_BITS) | (last ? ahead : value);
    const bit = i * bits;
    const byte = at + (bit >>> 3);
    const shifted = record << (bit & 7);
    into[byte] = into[byte]! | shifted;
    into[byte + 1] = into[byte + 1]! | (shifted >>> 8);
    if (shifted >>> 16 !== 0) into[byte + 2] = into[byte + 2]! | (shifted >>> 16);
  }
}

/**
 * The block address of a pack. Readers add to it: 1 for each head up to the wanted one; or, with big clusters, what the
 * counts before the wanted head say, and 1 for each head before it that no count follows.
 */
function baseOf(members: readonly Record[], big: boolean): number {
  let counted = 0;
  for (const member of members) {
    if (member.type !== CLUSTER.nonHead) return big ? member.block - counted : member.block - 1;
    counted += member.counted;
  }
  // no head here: the position of the extent that goes on
  return members[0]!.block;
}
