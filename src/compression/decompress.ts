import type { Bytes } from '../bytes/content.ts';
import { Cursor } from '../bytes/cursor.ts';
import { DETECT_BYTES, detect, type Format } from './format.ts';
import { Reading } from './reading.ts';

/** How to decompress. */
export interface DecompressOptions {
  /**
   * Called with the offset when other data follows the compressed data; it is then left unread. Without the callback
   * that is an error. (Zeros after gzip members are padding, as on tapes, not other data.)
   */
  readonly trailing?: (offset: number) => void;
}

/**
 * Decompresses a stream: all consecutive members, streams or frames. What it yields is valid until
 * the next piece is requested. Memory does not grow with the stream. `name` is the stream's name in errors.
 *
 * @example
 * ```ts
 * import { compress, decompress, memory } from 'osbuilder';
 *
 * const packed = compress(memory('text').open(), 'gzip');
 * for await (const piece of decompress(packed, 'gzip', 'text.gz')) console.log(Buffer.from(piece).toString()); // prints: text
 * ```
 */
export async function* decompress(
  source: Bytes,
  format: Format,
  name: string,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const cursor = new Cursor(source, name);
  try {
    yield* decompressAt(cursor, format, name, options);
  } finally {
    await cursor.close();
  }
}

/** Decompresses a stream in the format detected from its first bytes; an unrecognised stream is passed through. */
export async function* decompressAny(
  source: Bytes,
  name: string,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const cursor = new Cursor(source, name);
  try {
    yield* decompressAt(cursor, await detectAt(cursor), name, options);
  } finally {
    await cursor.close();
  }
}

/** Detects the format of the next bytes without consuming them. */
export async function detectAt(cursor: Cursor): Promise<Format> {
  const first = await cursor.upTo(DETECT_BYTES);
  cursor.unread(first);
  return detect(first);
}

/**
 * Decompresses what comes next. With `options.trailing` the cursor is after the compressed data afterwards, so that
 * archives of several parts (such as microcode before an initrd) can be read part by part.
 */
export async function* decompressAt(
  cursor: Cursor,
  format: Format,
  name: string,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const reading = new Reading(cursor, format, name);
  yield* await reader(reading, format);
  const end = cursor.offset;
  if (await cursor.atEnd()) return;
  if (options.trailing === undefined) {
    if (format !== 'gzip' || !(await onlyZeros(cursor))) throw reading.trailing(end);
  } else {
    options.trailing(end);
  }
}

/** Each format's module is loaded on first use: the decoders are large, and most runs need one or two. */
async function reader(reading: Reading, format: Format): Promise<AsyncGenerator<Uint8Array>> {
  switch (format) {
    case 'none':
      return reading.cursor.rest();
    case 'gzip':
      return (await import('./gzip.ts')).readGzip(reading);
    case 'xz':
      return (await import('./xz/container.ts')).readXz(reading);
    case 'lzma':
      return (await import('./xz/alone.ts')).readLzma(reading);
    case 'lzip':
      return (await import('./xz/alone.ts')).readLzip(reading);
    case 'zstd':
      return (await import('./zstd.ts')).readZstd(reading);
    case 'bzip2':
      return (await import('./bzip2.ts')).readBzip2(reading);
    case 'lz4':
    case 'lz4-legacy':
      return (await import('./lz4.ts')).readLz4(reading);
    default:
      throw new TypeError(`no format "${format satisfies never}"`);
  }
}

async function onlyZeros(cursor: Cursor): Promise<boolean> {
  for (;;) {
    const piece = await cursor.at();
    if (piece.length === 0) return true;
    if (piece.some((byte) => byte !== 0)) return false;
    cursor.consume(piece.length);
  }
}
