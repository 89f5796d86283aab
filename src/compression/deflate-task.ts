import { type Transferred, transferred } from '../workers/pool.ts';
import type { Block } from './blocks.ts';
import { Deflater } from './deflate/deflater.ts';

/** One block to deflate, primed with what came before it. */
export interface DeflateInput extends Block {
  readonly level: number;
}

let deflater: Deflater | undefined;

/** Worker task: deflates one block to raw deflate data that ends at a byte, so that blocks can be concatenated. */
export function task({ bytes, before, last, level }: DeflateInput): Transferred<Uint8Array> {
  deflater ??= new Deflater();
  const packed = deflater.deflate(bytes, before, level, last);
  return transferred(packed, [packed.buffer]);
}
