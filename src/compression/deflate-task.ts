import { Deflate } from 'pako';
import { type Transferred, transferred } from '../workers/pool.ts';
import type { Block } from './blocks.ts';

/** One block to deflate, primed with what came before it. */
export interface DeflateInput extends Block {
  readonly level: number;
}

const SYNC_FLUSH = 2;
const FINISH = 4;

/**
 * zlib's default is 8. Smaller deflate blocks fit the mixture of a root file system better: measured 0.4 % smaller at
 * the same speed.
 */
const MEMORY_LEVEL = 7;

/** Deflates one block to raw deflate data that ends at a byte, so that blocks can be concatenated. */
export function deflateBlock({ bytes, before, last, level }: DeflateInput): Uint8Array<ArrayBuffer> {
  const engine = new Deflate({
    raw: true,
    level: level,
    memLevel: MEMORY_LEVEL,
    chunkSize: 1 << 16,
    ...(before > 0 ? { dictionary: bytes.subarray(0, before) } : {}),
  });
  const parts: Uint8Array[] = [];
  let size = 0;
  engine.onData = (part) => {
    parts.push(part);
    size += part.length;
  };
  engine.onEnd = () => {};
  engine.push(bytes.subarray(before), last ? FINISH : SYNC_FLUSH);
  if (engine.err !== 0) throw new RangeError(`deflate failed: ${engine.msg}`);
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Worker task. */
export function task(input: DeflateInput): Transferred<Uint8Array> {
  const packed = deflateBlock(input);
  return transferred(packed, [packed.buffer]);
}
