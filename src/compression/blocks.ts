import { type Bytes, copyOf } from '../bytes/content.ts';

/** A block of a stream, in its own array. */
export interface Block {
  /** The preceding bytes, at most `overlap` of them, then the block itself. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Number of preceding bytes. */
  readonly before: number;
  readonly last: boolean;
}

/**
 * Cuts a stream into blocks of equal size, regardless of the sizes of its pieces; the last is shorter, and an empty
 * stream is one empty block. Each block carries `overlap` bytes of what came before it. `watch` is called with every
 * piece.
 */
export async function* blocks(
  source: Bytes,
  size: number,
  overlap = 0,
  watch: (piece: Uint8Array) => void = () => {},
): AsyncGenerator<Block> {
  let bytes = new Uint8Array(size);
  let before = 0;
  let filled = 0;
  for await (const piece of source) {
    watch(piece);
    for (let at = 0; at < piece.length; ) {
      if (filled === bytes.length) {
        const kept = Math.min(overlap, filled);
        const next = new Uint8Array(kept + size);
        next.set(bytes.subarray(filled - kept));
        yield { bytes, before, last: false };
        bytes = next;
        before = filled = kept;
      }
      const part = piece.subarray(at, at + bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      at += part.length;
    }
  }
  yield { bytes: filled === bytes.length ? bytes : copyOf(bytes.subarray(0, filled)), before, last: true };
}
