import { copyOf } from '../../bytes/content.ts';
import { FillEncoder } from '../../compression/lz4-fill.ts';
import { type Transferred, transferred } from '../../workers/pool.ts';
import { packExtent } from './extents.ts';
import { BLOCK, EXTENT_LIMIT } from './layout.ts';

/** Pieces of files to compress, back to back. */
export interface CompressInput {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Length of each piece. A piece ends at the end of its file or at a multiple of the block size. */
  readonly sizes: readonly number[];
  /** Of each piece: whether its last extent may be stored behind an inode, so that less than a block counts. */
  readonly packed: readonly boolean[];
  /** The largest physical cluster, in bytes. */
  readonly clusterSize: number;
  /** Earlier positions that are tried for a match. */
  readonly depth: number;
}

/** What the pieces became. */
export interface Compressed {
  /** Whole blocks, piece after piece. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** Packed extents, piece after piece. */
  readonly extents: Uint32Array<ArrayBuffer>;
  /** Number of extents of each piece. */
  readonly counts: readonly number[];
  /** Bytes of the last extent of each piece as it is stored, when that is one block; 0 when it has more. */
  readonly ends: readonly number[];
}

let encoder: { depth: number; fill: FillEncoder } | undefined;

/** Worker task. */
export function task(input: CompressInput): Transferred<Compressed> {
  const result = compressPieces(input);
  return transferred(result, [result.data.buffer, result.extents.buffer]);
}

/** Cuts each piece into extents and encodes them. */
export function compressPieces({ bytes, sizes, packed, clusterSize, depth }: CompressInput): Compressed {
  if (encoder?.depth !== depth) encoder = { depth, fill: new FillEncoder(depth) };
  encoder.fill.begin(bytes);
  const blocks = sizes.reduce((sum, size) => sum + Math.ceil(size / BLOCK), 0);
  // one more for each end that is cut off
  const writer = new Writer(bytes, blocks + sizes.length);
  const counts: number[] = [];
  const ends: number[] = [];
  let start = 0;
  for (const [i, size] of sizes.entries()) {
    const before = writer.count;
    cut(writer, encoder.fill, start, start + size, clusterSize, packed[i]!);
    counts.push(writer.count - before);
    ends.push(writer.end);
    start += size;
  }
  return {
    data: copyOf(writer.data.subarray(0, writer.blocks * BLOCK)),
    extents: writer.extents.slice(0, writer.count),
    counts,
    ends,
  };
}

/** Collects extents and their blocks. */
class Writer {
  readonly input: Uint8Array;
  data: Uint8Array<ArrayBuffer>;
  extents: Uint32Array<ArrayBuffer>;
  blocks = 0;
  count = 0;
  /** Bytes of the last extent, when it is in one block. */
  end = 0;

  constructor(input: Uint8Array, blocks: number) {
    this.input = input;
    this.data = new Uint8Array(blocks * BLOCK);
    this.extents = new Uint32Array(blocks);
  }

  plain(from: number, length: number): void {
    this.data.set(this.input.subarray(from, from + length), this.blocks * BLOCK);
    this.add(packExtent(length, 1, true), 1, length);
  }

  /** Right-aligned with zeros in front (the feature zero_padding). */
  compressed(length: number, encoded: Uint8Array): void {
    const blocks = Math.ceil(encoded.length / BLOCK);
    this.data.set(encoded, (this.blocks + blocks) * BLOCK - encoded.length);
    this.add(packExtent(length, blocks, false), blocks, encoded.length);
  }

  private add(extent: number, blocks: number, bytes: number): void {
    this.end = blocks === 1 ? bytes : 0;
    this.extents[this.count++] = extent;
    this.blocks += blocks;
  }
}

/**
 * Each extent but the last of a piece decodes to more than the blocks it takes, and to a block at least: so at most one
 * begins in each logical cluster, which the index requires.
 */
function cut(
  writer: Writer,
  encoder: FillEncoder,
  start: number,
  end: number,
  clusterSize: number,
  packed: boolean,
): void {
  const out = new Uint8Array(clusterSize);
  for (let at = start; at < end; ) {
    if (end - at <= BLOCK) {
      last(writer, encoder, at, end, out, packed);
      return;
    }
    const { consumed, produced } = encoder.fill(at, Math.min(end, at + EXTENT_LIMIT), out);
    if (packed && at + consumed === end && produced > BLOCK) {
      const whole = cutOff(writer, encoder, at, end, out, produced);
      if (whole > 0) {
        at += whole;
        continue;
      }
      // the output was overwritten
      encoder.fill(at, Math.min(end, at + EXTENT_LIMIT), out);
    }
    if (consumed > Math.ceil(produced / BLOCK) * BLOCK) {
      writer.compressed(consumed, out.subarray(0, produced));
      at += consumed;
      continue;
    }
    for (let left = Math.max(1, Math.floor(consumed / BLOCK)); left > 0 && at < end; left--) {
      const length = Math.min(BLOCK, end - at);
      writer.plain(at, length);
      at += length;
    }
  }
}

/** The end of a piece, at most a block: as it is, or encoded where less than a block counts. */
function last(writer: Writer, encoder: FillEncoder, at: number, end: number, out: Uint8Array, packed: boolean): void {
  const length = end - at;
  if (packed) {
    const { consumed, produced } = encoder.fill(at, end, out.subarray(0, BLOCK));
    if (consumed === length && produced < length) {
      writer.compressed(length, out.subarray(0, produced));
      return;
    }
  }
  writer.plain(at, length);
}

/**
 * Writes as much of a last extent as fills whole blocks, if what is left then takes less than a block. Returns how many
 * bytes were consumed; 0 when the extent is better left as it is.
 */
function cutOff(
  writer: Writer,
  encoder: FillEncoder,
  at: number,
  end: number,
  out: Uint8Array,
  produced: number,
): number {
  const room = Math.floor((produced - 1) / BLOCK) * BLOCK;
  const whole = encoder.fill(at, end, out.subarray(0, room));
  const left = end - at - whole.consumed;
  // each extent but the last decodes to more than it takes
  if (left <= 0 || whole.consumed <= room) return 0;
  const encoded = copyOf(out.subarray(0, whole.produced));
  if (Math.ceil(whole.produced / BLOCK) * BLOCK !== room) return 0;
  if (left > BLOCK) {
    const rest = encoder.fill(at + whole.consumed, end, out.subarray(0, BLOCK));
    if (rest.consumed < left) return 0;
  }
  writer.compressed(whole.consumed, encoded);
  return whole.consumed;
}
