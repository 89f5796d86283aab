import type { Bytes } from '../bytes/content.ts';
import { taskModule } from '../workers/pool.ts';
import { pool } from '../workers/shared.ts';
import { type Block, blocks } from './blocks.ts';
import { crc32 } from './checksum.ts';
import type { DeflateInput } from './deflate-task.ts';

/** Bytes deflated by one thread at a time. Part of the output format: another size gives different bytes. */
const BLOCK = 256 * 1024;
/** Deflate's window. */
const WINDOW = 32 * 1024;

const TASK = taskModule('./deflate-task', import.meta.url);

/**
 * Compresses to one gzip member over all threads. The blocks are deflated by threads, each primed with the 32 KiB
 * before it and ended by a sync flush, so that the bytes depend only on the input and the level: not on Node's
 * zlib, the processor, the number of threads or the pieces of the source. One member, because the kernel takes several
 * only where each ends with a cpio entry (init/initramfs.c).
 */
export async function* writeGzip(source: Bytes, level: number): AsyncGenerator<Uint8Array> {
  let crc = 0;
  let size = 0;
  const watch = (piece: Uint8Array) => {
    crc = crc32(piece, crc);
    size += piece.length;
  };
  // no time, no name; XFL marks the best and the fastest level; OS 3 is Unix (RFC 1952)
  yield Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, level === 9 ? 2 : level === 1 ? 4 : 0, 3);
  yield* pool().map<DeflateInput, Uint8Array>(TASK, inputs(blocks(source, BLOCK, WINDOW, watch), level), (input) => [
    input.bytes.buffer,
  ]);
  const trailer = new Uint8Array(8);
  const view = new DataView(trailer.buffer);
  view.setUint32(0, crc, true);
  view.setUint32(4, size % 2 ** 32, true);
  yield trailer;
}

async function* inputs(source: AsyncIterable<Block>, level: number): AsyncGenerator<DeflateInput> {
  for await (const block of source) yield { ...block, level };
}
