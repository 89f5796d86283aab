import { type Bytes, type Extent, type FileContent, PIECE, zeroPieces } from './content.ts';
import type { RandomAccess } from './file.ts';

/** A run of a file that is stored as it is; without an address a hole. */
export interface Run {
  /** Bytes from the start of the file. */
  readonly start: number;
  readonly length: number;
  /** Bytes from the start of the image. */
  readonly address: number | undefined;
}

/**
 * A file in an image, whose runs lie there as they are. They must be ascending, without gaps, and end at `size`; whoever
 * makes them has checked that they lie inside of the image.
 */
export class RunContent implements FileContent {
  readonly size: number;
  readonly extents?: readonly Extent[];
  readonly place?: { readonly file: string; readonly offset: number };
  private readonly access: RandomAccess;
  private readonly runs: readonly Run[];

  constructor(access: RandomAccess, size: number, runs: readonly Run[]) {
    this.access = access;
    this.size = size;
    this.runs = runs;
    const data = runs.filter(({ address }) => address !== undefined);
    if (data.length < runs.length) this.extents = data.map(({ start, length }) => ({ offset: start, size: length }));
    const { place } = access as { place?: { file: string; offset: number } };
    const [only] = runs;
    if (place !== undefined && runs.length === 1 && only?.address !== undefined)
      this.place = { file: place.file, offset: place.offset + only.address };
  }

  async *open(): Bytes {
    for (const { address, length } of this.runs) {
      if (address === undefined) {
        yield* zeroPieces(length);
        continue;
      }
      for (let done = 0; done < length; done += PIECE) {
        const piece = new Uint8Array(Math.min(PIECE, length - done));
        this.access.readAt(address + done, piece);
        yield piece;
      }
    }
  }

  readSync(): Uint8Array {
    const whole = new Uint8Array(this.size);
    for (const { start, length, address } of this.runs)
      if (address !== undefined) this.access.readAt(address, whole.subarray(start, start + length));
    return whole;
  }
}
