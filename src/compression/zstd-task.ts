import { copyOf } from '../bytes/content.ts';
import { type Transferred, transferred } from '../workers/pool.ts';
import { BLOCK, beginFrame } from './zstd-frame.ts';

/** What becomes one frame: the first bytes of an array. */
export interface ZstdInput {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
  readonly level: number;
}

/** A frame, in parts, and the input's array for the next one: arrays of megabytes are collected late. */
export interface ZstdOutput {
  readonly parts: readonly Uint8Array[];
  readonly spare: Uint8Array<ArrayBuffer>;
}

/** Worker task. */
export async function task({ bytes, length, level }: ZstdInput): Promise<Transferred<ZstdOutput>> {
  const frame = await beginFrame(level);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  try {
    for (let at = 0; at < length; at += BLOCK)
      parts.push(own(frame.block(bytes.subarray(at, Math.min(at + BLOCK, length)))));
    parts.push(own(frame.end()));
  } finally {
    frame.close();
  }
  return transferred({ parts, spare: bytes }, [...parts.map((part) => part.buffer), bytes.buffer]);
}

/** The bytes in an array that can be handed over. */
function own(part: Uint8Array): Uint8Array<ArrayBuffer> {
  return part.byteLength === part.buffer.byteLength ? (part as Uint8Array<ArrayBuffer>) : copyOf(part);
}
