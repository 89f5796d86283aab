import type { Bytes } from './content.ts';

/** Reads given numbers of bytes from a stream, passing its pieces through. */
export class Taker {
  private readonly source: AsyncIterator<Uint8Array>;
  private piece: Uint8Array = new Uint8Array(0);

  constructor(source: Bytes) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** Yields exactly `size` bytes; a `RangeError` when the stream ends before. */
  async *take(size: number): AsyncGenerator<Uint8Array> {
    for (let left = size; left > 0; ) {
      if (this.piece.length === 0) {
        const next = await this.source.next();
        if (next.done) throw new RangeError(`the data ended ${left} bytes before its planned end`);
        this.piece = next.value;
      }
      const part = this.piece.subarray(0, left);
      this.piece = this.piece.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** Ends the stream early. */
  async close(): Promise<void> {
    await this.source.return?.();
  }
}
