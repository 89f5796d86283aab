import { type FileContent, isZeroPage, PIECE, zeroPieces } from './content.ts';

/**
 * Small pieces are gathered up to this many bytes, which fits the processor's cache while they are digested and
 * written.
 */
const GATHERED = PIECE;
/** Pieces from this many bytes on are passed on as they are. */
const LARGE = GATHERED / 4;
/** From this many consecutive zeros the shared page of zeros is yielded, so that a sparse sink sees a hole. */
const ZEROS_ALONE = 32 * 1024;

/** Gathers small pieces into large ones; large pieces and long zeros pass through as they are. */
export class Gatherer {
  private readonly buffer = new Uint8Array(GATHERED);
  private filled = 0;

  /** Space for `size` bytes in the buffer; `undefined` when the buffer must be flushed first. */
  private space(size: number): Uint8Array | undefined {
    if (this.filled + size > GATHERED) return undefined;
    const space = this.buffer.subarray(this.filled, this.filled + size);
    this.filled += size;
    return space;
  }

  /** True when `size` bytes fit without a flush. */
  fits(size: number): boolean {
    return this.filled + size <= GATHERED;
  }

  /** The gathered bytes; they may be overwritten once the next piece is requested. */
  letGo(): Uint8Array {
    const gathered = this.buffer.subarray(0, this.filled);
    this.filled = 0;
    return gathered;
  }

  /**
   * Reads a complete content, which {@link fits} with its padding of zeros. No generator: there are tens of thousands
   * of small files, and each would cost more than its bytes. Returns the bytes read.
   */
  read(content: FileContent, padded: number): number {
    const { size } = content;
    if (content.copyTo !== undefined) content.copyTo(this.buffer, this.filled);
    else {
      const bytes = content.readSync();
      if (bytes.length !== size) return bytes.length;
      this.buffer.set(bytes, this.filled);
    }
    this.buffer.fill(0, this.filled + size, this.filled + padded);
    this.filled += padded;
    return size;
  }

  *flush(): Generator<Uint8Array> {
    if (this.filled > 0) yield this.letGo();
  }

  *put(piece: Uint8Array): Generator<Uint8Array> {
    if (piece.length >= LARGE || (piece.length >= ZEROS_ALONE && isZeroPage(piece))) {
      yield* this.flush();
      yield piece;
      return;
    }
    let space = this.space(piece.length);
    if (space === undefined) {
      yield* this.flush();
      space = this.space(piece.length)!;
    }
    space.set(piece);
  }

  *zeros(size: number): Generator<Uint8Array> {
    if (size >= ZEROS_ALONE) {
      yield* this.flush();
      yield* zeroPieces(size);
      return;
    }
    let space = this.space(size);
    if (space === undefined) {
      yield* this.flush();
      space = this.space(size)!;
    }
    space.fill(0);
  }
}
