import type { Bytes } from '../bytes/content.ts';
import { taskModule } from '../workers/pool.ts';
import { pool } from '../workers/shared.ts';
import { blocks } from './blocks.ts';
import { LEGACY_BLOCK } from './lz4.ts';
import type { Lz4Input } from './lz4-task.ts';

const TASK = taskModule('./lz4-task', import.meta.url);

/**
 * Compresses to an LZ4 legacy frame over all threads: the frame that the kernel reads (lib/decompress_unlz4.c) and
 * `lz4 -l` writes. Its blocks of 8 MiB are independent, so the bytes do not depend on the number of threads.
 */
export async function* writeLz4(source: Bytes, level: number): AsyncGenerator<Uint8Array> {
  yield Uint8Array.of(0x02, 0x21, 0x4c, 0x18);
  const packed = pool().map<Lz4Input, Uint8Array>(
    TASK,
    inputs(source, level),
    (input) => [input.bytes.buffer],
    // one block waits while all threads work: more would only cost memory
    pool().size + 1,
  );
  for await (const block of packed) {
    const size = new Uint8Array(4);
    new DataView(size.buffer).setUint32(0, block.length, true);
    yield size;
    yield block;
  }
}

async function* inputs(source: Bytes, level: number): AsyncGenerator<Lz4Input> {
  // an empty block would be an end mark to the kernel and an error to other decoders
  for await (const { bytes } of blocks(source, LEGACY_BLOCK)) if (bytes.length > 0) yield { bytes, level };
}
