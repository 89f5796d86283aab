import type { Bytes } from '../bytes/content.ts';
import { Cursor } from '../bytes/cursor.ts';
import { taskModule } from '../workers/pool.ts';
import { pool } from '../workers/shared.ts';
import { BLOCK, beginFrame } from './zstd-frame.ts';
import type { ZstdInput, ZstdOutput } from './zstd-task.ts';

const TASK = taskModule('./zstd-task', import.meta.url);

/** A frame is cut at the first possible place after this many windows of its level. Part of the output format. */
const WINDOWS = 4;
/** What is cut later than this is not held in memory, and compressed while it is read. */
const LONGEST = 64 << 20;

/** Input of a frame: four times the window of the level (zstd's clevels.h). */
function frameSize(level: number): number {
  return (WINDOWS << 21) * (level < 9 ? 1 : level < 17 ? 2 : 4);
}

/**
 * Compresses to zstd frames over all threads with the WASM encoder of @hpcc-js/wasm-zstd, so that the bytes depend only on the
 * input, its cuts and the level: native encoders differ by processor and version. `cuts` are offsets, ascending, where a frame
 * may end: the kernel takes several frames only where each ends with a cpio entry (init/initramfs.c). Without it, anywhere.
 */
export async function* writeZstd(source: Bytes, level: number, cuts?: Float64Array): AsyncGenerator<Uint8Array> {
  const size = frameSize(level);
  const cursor = new Cursor(source, 'zstd');
  const flying: Promise<ZstdOutput>[] = [];
  const spares: Uint8Array<ArrayBuffer>[] = [];
  const landed = async function* (most: number) {
    while (flying.length > most) {
      const { parts, spare } = await flying.shift()!;
      spares.push(spare);
      yield* parts;
    }
  };
  try {
    for (let next = 0, isFirst = true; isFirst || !(await cursor.atEnd()); isFirst = false) {
      while (cuts !== undefined && next < cuts.length && cuts[next]! < cursor.offset + size) next++;
      // what follows the last cut is short, and belongs to the frame before
      const wanted = cuts === undefined ? size : next < cuts.length - 1 ? cuts[next]! - cursor.offset : Infinity;
      const { bytes, length } = await upTo(cursor, Math.min(wanted, LONGEST), spares.pop() ?? new Uint8Array(2 * size));
      const isWhole = length < LONGEST || length === wanted;
      if (!isWhole || (isFirst && (await cursor.atEnd()))) {
        yield* landed(0);
        yield* here(bytes.subarray(0, length), isWhole ? 0 : wanted - length, cursor, level);
        continue;
      }
      const frame = pool().run<ZstdOutput>(TASK, { bytes, length, level } satisfies ZstdInput, [bytes.buffer]);
      frame.catch(() => {}); // reported when its turn comes
      flying.push(frame);
      // one frame waits while all threads work: more would only cost memory
      yield* landed(pool().size);
    }
    yield* landed(0);
  } finally {
    await Promise.allSettled(flying);
    await cursor.close();
  }
}

/** One frame of `bytes` and the next `more` bytes, or all that follow. */
async function* here(bytes: Uint8Array, more: number, cursor: Cursor, level: number): AsyncGenerator<Uint8Array> {
  const frame = await beginFrame(level);
  const parts = async function* () {
    for (let at = 0; at < bytes.length; at += BLOCK) yield bytes.subarray(at, at + BLOCK);
    let block = new Uint8Array(BLOCK);
    for (let left = more; left > 0; ) {
      const read = await upTo(cursor, Math.min(left, BLOCK), block);
      if (read.length === 0) return;
      block = read.bytes;
      left -= read.length;
      yield block.subarray(0, read.length);
    }
  };
  try {
    for await (const part of parts()) {
      const packed = frame.block(part);
      if (packed.length > 0) yield packed;
      // a block can take a second at the highest levels: signals are heard in between
      await new Promise(setImmediate);
    }
    yield frame.end();
  } finally {
    frame.close();
  }
}

/** Reads up to `size` bytes into `bytes`, or into a longer array when that is too short. */
async function upTo(
  cursor: Cursor,
  size: number,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly length: number }> {
  let into = bytes;
  let length = 0;
  while (length < size) {
    const part = await cursor.some(size - length);
    if (part.length === 0) break;
    if (length + part.length > into.length) {
      const longer = new Uint8Array(Math.max(2 * into.length, length + part.length));
      longer.set(into);
      into = longer;
    }
    into.set(part, length);
    length += part.length;
  }
  return { bytes: into, length };
}
