/**
 * The central types of this project. Everything that has bytes is a {@link Content}, everything that moves bytes is
 * {@link Bytes}: a file inside a package, an initrd, a file system, a partition, a disk.
 */

/** Pieces of a byte stream in order. A piece is valid only until the next one is requested: copy what you keep. */
export type Bytes = AsyncIterable<Uint8Array>;

/** A byte stream whose source can pass over bytes without reading them. Its iterator is one for all who ask. */
export interface SkippableBytes extends AsyncGenerator<Uint8Array> {
  /** Passes over the next bytes after the piece that was yielded last. Returns their number: less than asked for at the end only. */
  skip(bytes: number): number;
}

/** True for a stream of {@link SkippableBytes}. */
export function isSkippable(bytes: Bytes): bytes is SkippableBytes {
  return 'skip' in bytes;
}

/** A file of the build host, as another thread opens it: a part of a file, or a file below a folder that is being read. */
export type Reopening =
  | { readonly file: string; readonly offset: number; readonly size: number }
  | {
      readonly root: string;
      readonly path: string;
      readonly size: number;
      /** When it was last changed as it was listed, in seconds and the rest in nanoseconds; absent where that is not checked. */
      readonly changed?: { readonly mtime: number; readonly nanoseconds: number };
    };

/** Bytes of known length that can be read from the start any number of times. */
export interface Content {
  /** Length in bytes. `open()` yields exactly this many. */
  readonly size: number;
  /** Reads from byte 0 on every call. */
  open(): Bytes;
  /** Optional: by which another thread opens the same bytes, with the same checks; a plain value. */
  reopening?(): Reopening;
}

/** A run of bytes inside a content, in bytes. */
export interface Extent {
  readonly offset: number;
  readonly size: number;
}

/** The content of a regular file in a tree: also readable synchronously, for the steps that parse it. */
export interface FileContent extends Content {
  /** All bytes at once, synchronously. Meant for small files: reject or bound before calling it on a large one. */
  readSync(): Uint8Array;
  /** Optional: writes all bytes into `into`, from `at` on, without a separate array. */
  copyTo?(into: Uint8Array, at: number): void;
  /** Optional: opens once, and reads only what is asked for during the call; offsets are within the content. */
  inParts?<T>(use: (readAt: (offset: number, into: Uint8Array) => void) => T): T;
  /** SHA-256 in hex, if already computed; a step that computes it later may store it here. */
  sha256?: string | undefined;
  /** Extents of data, ascending and disjoint; the rest are holes that read as zeros. Absent: no holes. */
  readonly extents?: readonly Extent[];
  /** Where the bytes are on the build host, if they are contiguous there. */
  readonly place?: { readonly file: string; readonly offset: number };
}

/** Size of the pieces that our own producers yield, in bytes. */
export const PIECE = 256 * 1024;

const ZERO_PAGE = new Uint8Array(PIECE);

/** True for the shared page that {@link zeros} yields slices of: a sparse sink may skip it without looking. */
export function isZeroPage(piece: Uint8Array): boolean {
  return piece.buffer === ZERO_PAGE.buffer;
}

/** A stretch of zeros, always slices of one shared page. Never write into what it yields. */
export function* zeroPieces(size: number): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= PIECE) yield left >= PIECE ? ZERO_PAGE : ZERO_PAGE.subarray(0, left);
}

/**
 * `size` zero bytes as a content.
 *
 * @example
 * ```ts
 * import { zeros } from 'osbuilder';
 *
 * let bytes = 0;
 * for await (const piece of zeros(3_000_000).open()) bytes += piece.length;
 * console.log(bytes); // prints: 3000000
 * ```
 */
export function zeros(size: number): FileContent {
  return {
    size,
    async *open() {
      yield* zeroPieces(size);
    },
    readSync: () => new Uint8Array(size),
    extents: [],
  };
}

/**
 * Bytes held in memory. The array must not change afterwards. Strings are encoded as UTF-8.
 *
 * @example
 * ```ts
 * import { memory } from 'osbuilder';
 *
 * for await (const piece of memory('some text').open()) console.log(piece.length); // prints: 9
 * ```
 */
export function memory(data: Uint8Array | string): FileContent {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  return {
    size: bytes.length,
    async *open() {
      for (let at = 0; at < bytes.length; at += PIECE) yield bytes.subarray(at, at + PIECE);
    },
    readSync: () => bytes,
  };
}

/**
 * Concatenates contents.
 *
 * @example
 * ```ts
 * import { concat, memory, zeros } from 'osbuilder';
 *
 * const whole = concat(memory('header'), zeros(506), memory('data'));
 * console.log(whole.size); // prints: 516
 * ```
 */
export function concat(...parts: readonly Content[]): Content {
  return {
    size: parts.reduce((sum, part) => sum + part.size, 0),
    async *open() {
      for (const part of parts) yield* part.open();
    },
  };
}

/** A content of `size` bytes with parts at given offsets (ascending, disjoint) and zeros between them. */
export function compose(
  size: number,
  parts: readonly { readonly offset: number; readonly content: Content }[],
): Content {
  const laid: Content[] = [];
  let end = 0;
  for (const { offset, content } of parts) {
    if (offset < end) throw new RangeError(`a part at ${offset} overlaps one that ends at ${end}`);
    if (offset > end) laid.push(zeros(offset - end));
    laid.push(content);
    end = offset + content.size;
  }
  if (end > size) throw new RangeError(`parts end at ${end}, past the ${size} bytes they are to fill`);
  if (end < size) laid.push(zeros(size - end));
  const content = concat(...laid);
  return { size, open: () => content.open() };
}

/**
 * A copy of bytes that may be overwritten. Node's Buffers must not be copied by `slice`, which gives a view of them.
 */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/**
 * Reads a complete stream into one array. Throws a `RangeError` beyond `limit` bytes, as a guard against bombs.
 *
 * @example
 * ```ts
 * import { collect, memory } from 'osbuilder';
 *
 * console.log((await collect(memory('text').open())).length); // prints: 4
 * ```
 */
export async function collect(source: Bytes, limit = 1 << 30): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of source) {
    size += piece.length;
    if (size > limit) throw new RangeError(`stream is longer than ${limit} bytes`);
    pieces.push(copyOf(piece));
  }
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * The part of a content that begins at `offset`; reads and discards the bytes before it.
 *
 * @example
 * ```ts
 * import { memory, slice } from 'osbuilder';
 *
 * for await (const piece of slice(memory('header and data'), 11, 4).open()) console.log(Buffer.from(piece).toString()); // prints: data
 * ```
 */
export function slice(content: Content, offset: number, size: number): Content {
  if (offset < 0 || size < 0 || offset + size > content.size)
    throw new RangeError(`slice ${offset}+${size} of ${content.size} bytes`);
  return {
    size,
    async *open() {
      let skip = offset;
      let left = size;
      if (left === 0) return;
      for await (const piece of content.open()) {
        if (skip >= piece.length) {
          skip -= piece.length;
          continue;
        }
        const part = piece.subarray(skip, skip + left);
        skip = 0;
        left -= part.length;
        yield part;
        if (left === 0) return;
      }
    },
  };
}
