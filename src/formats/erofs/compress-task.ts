import { FillEncoder } from '../../compression/lz4-fill.ts';
import { type Transferred, transferred } from '../../workers/pool.ts';
import { packExtent } from './extents.ts';
import { BLOCK, EXTENT_LIMIT } from './layout.ts';

/** Pieces of files to compress, back to back. */
export interface CompressInput {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Length of each piece. A piece ends at the end of its file or at a multiple of the block size. */
  readonly sizes: readonly number[];
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
}

let encoder: { depth: number; fill: FillEncoder } | undefined;

/** Worker task. */
export function task(input: CompressInput): Transferred<Compressed> {
  const result = compressPieces(input);
  return transferred(result, [result.data.buffer, result.extents.buffer]);
}

/** Cuts each piece into extents and encodes them. */
export function compressPieces({ bytes, sizes, clusterSize, depth }: CompressInput): Compressed {
  if (encoder?.depth !== depth) encoder = { depth, fill: new FillEncoder(depth) };
  encoder.fill.begin(bytes);
  const blocks = sizes.reduce((sum, size) => sum + Math.ceil(size / BLOCK), 0);
  const writer = new Writer(bytes, blocks + 1);
  const counts: number[] = [];
  let start = 0;
  for (const size of sizes) {
    const before = writer.count;
    cut(writer, encoder.fill, start, start + size, clusterSize);
    counts.push(writer.count - before);
    start += size;
  }
  return { data: writer.data.slice(0, writer.blocks * BLOCK), extents: writer.extents.slice(0, writer.count), counts };
}

/** Collects extents and their blocks. */
class Writer {
  readonly input: Uint8Array;
  data: Uint8Array<ArrayBuffer>;
  extents: Uint32Array<ArrayBuffer>;
  blocks = 0;
  count = 0;

  constructor(input: Uint8Array, blocks: number) {
    this.input = input;
    this.data = new Uint8Array(blocks * BLOCK);
    this.extents = new Uint32Array(blocks);
  }

  plain(from: number, length: number): void {
    this.data.set(this.input.subarray(from, from + length), this.blocks * BLOCK);
    this.add(packExtent(length, 1, true), 1);
  }

  /** Right-aligned with zeros in front (the feature zero_padding). */
  compressed(length: number, encoded: Uint8Array): void {
    const blocks = Math.ceil(encoded.length / BLOCK);
    this.data.set(encoded, (this.blocks + blocks) * BLOCK - encoded.length);
    this.add(packExtent(length, blocks, false), blocks);
  }

  private add(extent: number, blocks: number): void {
    this.extents[this.count++] = extent;
    this.blocks += blocks;
  }
}

/**
 * Each extent but the last of a piece decodes to more than the blocks it takes, and to a block at least: so at most one
 * begins in each logical cluster, which the index requires.
 */
function cut(writer: Writer, encoder: FillEncoder, start: number, end: number, clusterSize: number): void {
  const out = new Uint8Array(clusterSize);
  for (let at = start; at < end; ) {
    if (end - at <= BLOCK) {
      writer.plain(at, end - at);
      return;
    }
    const { consumed, produced } = encoder.fill(at, Math.min(end, at + EXTENT_LIMIT), out);
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
