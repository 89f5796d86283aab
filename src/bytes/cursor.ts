import { BuildError } from '../errors/error.ts';
import type { Bytes, SkippableBytes } from './content.ts';

const NOTHING = new Uint8Array(0);

/**
 * Reads records from a byte stream, regardless of the sizes of its pieces. It keeps at most one piece and what was
 * requested.
 */
export class Cursor {
  /** Bytes consumed so far. */
  offset = 0;
  private readonly source: AsyncIterator<Uint8Array> & Partial<Pick<SkippableBytes, 'skip'>>;
  private piece: Uint8Array = new Uint8Array(0);
  private ended = false;
  private readonly name: string;

  /** `name` is the stream's name in messages. */
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

  /**
   * The buffered bytes, at least one unless the stream is at its end. Nothing is consumed: {@link consume} reports
   * how much was used. The bytes belong to the stream's producer.
   */
  async at(): Promise<Uint8Array> {
    if (this.piece.length === 0) await this.more();
    return this.piece;
  }

  /** Moves past the first `size` bytes of what {@link at} returned. */
  consume(size: number): void {
    if (size > this.piece.length) throw new RangeError(`${size} bytes consumed of ${this.piece.length} at hand`);
    this.piece = this.piece.subarray(size);
    this.offset += size;
  }

  /** Puts bytes back at the front of the stream. They must stay unchanged until they are consumed again. */
  unread(bytes: Uint8Array): void {
    this.offset -= bytes.length;
    if (this.piece.length === 0) this.piece = bytes;
    else if (bytes.length > 0) this.piece = Buffer.concat([bytes, this.piece]);
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

  /**
   * The next `size` bytes if they are buffered, without waiting; undefined when the current piece is shorter (nothing
   * is consumed then). A view: it is valid until the cursor is used again.
   */
  now(size: number): Uint8Array | undefined {
    if (this.piece.length < size) return undefined;
    const part = this.piece.subarray(0, size);
    this.piece = this.piece.subarray(size);
    this.offset += size;
    return part;
  }

  /**
   * The buffered part of the next `size` bytes, at least one unless the stream has ended. A view, as from {@link now}.
   */
  async some(size: number): Promise<Uint8Array> {
    if (this.piece.length === 0 && !(await this.more())) return this.piece;
    const part = this.piece.subarray(0, size);
    this.piece = this.piece.subarray(part.length);
    this.offset += part.length;
    return part;
  }

  /** Up to `size` bytes to come, fewer only at the end of the stream, without consuming them. A view. */
  async peek(size: number): Promise<Uint8Array> {
    while (this.piece.length < size) {
      const held = new Uint8Array(this.piece);
      this.piece = held.subarray(held.length);
      if (!(await this.more())) {
        this.piece = held;
        break;
      }
      if (held.length === 0) continue;
      const joined = new Uint8Array(held.length + this.piece.length);
      joined.set(held);
      joined.set(this.piece, held.length);
      this.piece = joined;
    }
    return this.piece.subarray(0, size);
  }

  /** Exactly `size` bytes, else the stream is rejected as truncated. */
  async exactly(size: number, what: string): Promise<Uint8Array> {
    const at = this.offset;
    const bytes = await this.upTo(size);
    if (bytes.length < size)
      throw new BuildError('TRUNCATED', { path: this.name, what, offset: at, needed: size, left: bytes.length });
    return bytes;
  }

  /**
   * The next `size` bytes as a stream. It must be read to its end, or {@link skip}ped, before the cursor is used again.
   */
  async *through(size: number, what: string): AsyncGenerator<Uint8Array> {
    let left = size;
    while (left > 0) {
      if (this.piece.length === 0 && !(await this.more()))
        throw new BuildError('TRUNCATED', { path: this.name, what, offset: this.offset, needed: left, left: 0 });
      const part = this.piece.subarray(0, left);
      this.piece = this.piece.subarray(part.length);
      this.offset += part.length;
      left -= part.length;
      yield part;
    }
  }

  /** Skips `size` bytes, passing each piece to `seen` if given; without it they are not read where the source can do that. */
  async skip(size: number, what: string, seen?: (piece: Uint8Array) => void): Promise<void> {
    const at = this.offset;
    for (let left = size; left > 0; ) {
      if (this.piece.length === 0 && seen === undefined && !this.ended && this.source.skip !== undefined) {
        const skipped = this.source.skip(left);
        this.offset += skipped;
        left -= skipped;
        if (left === 0) return;
      }
      const part = await this.some(left);
      if (part.length === 0)
        throw new BuildError('TRUNCATED', { path: this.name, what, offset: at, needed: size, left: size - left });
      seen?.(part);
      left -= part.length;
    }
  }

  /**
   * {@link skip} of some bytes and of padding behind them without waiting; false, and nothing is skipped, where that needs the
   * source's next piece.
   */
  skipNow(size: number, padding: number, what: () => string): boolean {
    const all = size + padding;
    const here = this.piece.length;
    if (here >= all) {
      this.piece = this.piece.subarray(all);
      this.offset += all;
      return true;
    }
    if (this.ended || this.source.skip === undefined) return false;
    const at = this.offset;
    const passed = here + this.source.skip(all - here);
    this.piece = NOTHING;
    this.offset += passed;
    if (passed < size)
      throw new BuildError('TRUNCATED', { path: this.name, what: what(), offset: at, needed: size, left: passed });
    if (passed < all) {
      const left = passed - size;
      throw new BuildError('TRUNCATED', { path: this.name, what: 'padding', offset: at + size, needed: padding, left });
    }
    return true;
  }

  /** The rest of the stream. */
  async *rest(): AsyncGenerator<Uint8Array> {
    while (this.piece.length > 0 || (await this.more())) {
      const part = this.piece;
      this.piece = new Uint8Array(0);
      this.offset += part.length;
      yield part;
    }
  }

  /** Ends the source early, so that it releases its resources. */
  async close(): Promise<void> {
    this.ended = true;
    this.piece = new Uint8Array(0);
    await this.source.return?.();
  }
}
