import { Inflate } from 'pako';
import { copyOf } from '../../bytes/content.ts';
import { decodePrefix } from '../../compression/lz4.ts';
import { frameDecoder } from '../../compression/zstd.ts';
import type { Extent } from './clusters.ts';
import type { Volume } from './volume.ts';

let zstd: Awaited<ReturnType<typeof frameDecoder>> | undefined;

/** Loads the decoders that a file system needs, so that extents can be decoded synchronously. */
export async function loadDecoders(volume: Volume): Promise<void> {
  // a set of algorithms by number; zstd is 3
  if (volume.features.has('compr_cfgs') && volume.sb.compression & 8) zstd ??= await frameDecoder();
}

/**
 * Decodes one extent from the bytes of its cluster. With zero padding the encoded data is at the end of the cluster,
 * behind zeros; without, at its start.
 */
export function decodeExtent(volume: Volume, cluster: Uint8Array, extent: Extent, at: string): Uint8Array {
  const { algorithm, length, start } = extent;
  if (algorithm === 'plain' || algorithm === 'interlaced') {
    if (cluster.length < length)
      throw volume.corrupt(at, `${length} bytes as they are in a cluster of ${cluster.length}`);
    if (algorithm === 'plain') return copyOf(cluster.subarray(0, length));
    const out = new Uint8Array(length);
    const offset = start % volume.blockSize;
    for (let i = 0; i < length; i++) out[i] = cluster[(offset + i) % volume.blockSize]!;
    return out;
  }
  let first = 0;
  if (volume.features.has('zero_padding')) while (first < cluster.length && cluster[first] === 0) first++;
  const encoded = cluster.subarray(first);
  let out: Uint8Array | undefined;
  if (algorithm === 'lz4') {
    const into = new Uint8Array(length);
    if (decodePrefix(encoded, into) === length) out = into;
  } else if (algorithm === 'deflate') out = inflated(encoded, length);
  else out = zstd?.(encoded, length);
  if (out === undefined || out.length < length)
    throw volume.corrupt(at, `the extent at byte ${start} does not decode to ${length} bytes of ${algorithm}`);
  return out.subarray(0, length);
}

function inflated(encoded: Uint8Array, length: number): Uint8Array | undefined {
  const out = new Uint8Array(length);
  let size = 0;
  const inflate = new Inflate({ raw: true, chunkSize: 65536 });
  inflate.onData = (piece: Uint8Array) => {
    out.set(piece.subarray(0, length - size), size);
    size = Math.min(length, size + piece.length);
  };
  // in parts, so that a bomb stops when there is enough
  for (let at = 0; at < encoded.length && size < length && !inflate.err && !inflate.ended; at += 512)
    inflate.push(encoded.subarray(at, at + 512), at + 512 >= encoded.length);
  return size === length ? out : undefined;
}
