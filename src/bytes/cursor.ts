import { BuildError } from '../errors/error.ts';
import type { Bytes } from './content.ts';

/**
 * Reads records off a byte stream, whatever the sizes of its pieces. It keeps no more than one piece and what was
 * asked for.
 */
export class Cursor {
  /** Bytes consumed so far. */
  offset = 0;
  private readonly source: AsyncIterator<Uint8Array>;
  private piece: Uint8Array = new Uint8Array(0);
  private ended = false;
  private readonly name: string;

  /** `name` is what messages call the stream. */
  constructor(source: Bytes, name: string) {
    this.source = source[Symbol.asyncIterator]();
    this.name = name;
  }

  private async more(): Promise<boolean> {
    while (!this.ended) {
      const next = await this.source.next();
      if (next.done) {
        this.ended = true;
        return false;
      }
      if (next.value.length > 0) {
        this.piece = next.value;
        return true;
      }
    }
    return false;
  }

  /** True when nothing is left. */
  async atEnd(): Promise<boolean> {
    return this.piece.length === 0 && !(await this.more());
  }

  /** Up to `size` bytes, fewer only at the end of the stream. The result is the caller's own copy. */
  async upTo(size: number): Promise<Uint8Array> {
    const out = new Uint8Array(size);
    let done = 0;
    while (done < size) {
      if (this.piece.length === 0 && !(await this.more())) return out.subarray(0, done);
      const part = this.piece.subarray(0, size - done);
      out.set(part, done);
      done += part.length;
      this.piece = this.piece.subarray(part.length);
      this.offset += part.length;
    }
    return out;
  }

  /** Exactly `size` bytes, else the stream is refused as truncated. */
  async exactly(size: number, what: string): Promise<Uint8Array> {
    const at = this.offset;
    const bytes = await this.upTo(size);
    if (bytes.length < size)
      throw new BuildError('TRUNCATED', { path: this.name, what, offset: at, wanted: size, left: bytes.length });
    return bytes;
  }

  /** The next `size` bytes as a stream. It must be read to its end, or {@link skip}ped, before the cursor goes on. */
  async *through(size: number, what: string): AsyncGenerator<Uint8Array> {
    let left = size;
    while (left > 0) {
      if (this.piece.length === 0 && !(await this.more()))
        throw new BuildError('TRUNCATED', { path: this.name, what, offset: this.offset, wanted: left, left: 0 });
      const part = this.piece.subarray(0, left);
      this.piece = this.piece.subarray(part.length);
      this.offset += part.length;
      left -= part.length;
      yield part;
    }
  }

  /** Drops `size` bytes. */
  async skip(size: number, what: string): Promise<void> {
    for await (const _ of this.through(size, what));
  }

  /** All that is left, as a stream. */
  async *rest(): AsyncGenerator<Uint8Array> {
    while (this.piece.length > 0 || (await this.more())) {
      const part = this.piece;
      this.piece = new Uint8Array(0);
      this.offset += part.length;
      yield part;
    }
  }

  /** Ends the source early, so that whatever it holds is let go. */
  async close(): Promise<void> {
    this.ended = true;
    this.piece = new Uint8Array(0);
    await this.source.return?.();
  }
}
