import { type Transferred, transferred } from '../workers/pool.ts';
import { encodeBlock } from './lz4-block.ts';

/** One block to encode. */
export interface Lz4Input {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly level: number;
}

/** Worker task. */
export function task({ bytes, level }: Lz4Input): Transferred<Uint8Array> {
  const packed = encodeBlock(bytes, level);
  return transferred(packed, [packed.buffer]);
}
