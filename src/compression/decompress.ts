import type { Bytes } from '../bytes/content.ts';
import { Cursor } from '../bytes/cursor.ts';
import { readBzip2 } from './bzip2.ts';
import { DETECT_BYTES, detect, type Format } from './format.ts';
import { readGzip } from './gzip.ts';
import { readLz4 } from './lz4.ts';
import { Reading } from './reading.ts';
import { readLzip, readLzma } from './xz/alone.ts';
import { readXz } from './xz/container.ts';
import { readZstd } from './zstd.ts';

/** How to decompress. */
export interface DecompressOptions {
  /**
   * Called with the offset when something else follows the compressed data, which is then left unread. Without it that
   * is refused. (Zeros behind gzip members are padding, as tapes have it, and nothing else.)
   */
  readonly trailing?: (offset: number) => void;
}

/**
 * Decompresses a stream: all members, streams or frames that stand one behind the other. What it yields is good until
 * the next piece is asked for. Memory does not grow with the stream. `name` is what refusals call it.
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

/** Decompresses a stream whose format its first bytes tell; what is not recognised comes through as it is. */
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

/** Names the format of what comes next, without consuming it. */
export async function detectAt(cursor: Cursor): Promise<Format> {
  const first = await cursor.upTo(DETECT_BYTES);
  cursor.unread(first);
  return detect(first);
}

/**
 * Decompresses what comes next. With `options.trailing` the cursor stands behind the compressed data afterwards, so that
 * archives made of several parts (microcode before an initrd, say) can be read part by part.
 */
export async function* decompressAt(
  cursor: Cursor,
  format: Format,
  name: string,
  options: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const reading = new Reading(cursor, format, name);
  yield* reader(reading, format);
  const end = cursor.offset;
  if (await cursor.atEnd()) return;
  if (options.trailing === undefined) {
    if (format !== 'gzip' || !(await onlyZeros(cursor))) throw reading.trailing(end);
  } else {
    options.trailing(end);
  }
}

function reader(reading: Reading, format: Format): AsyncGenerator<Uint8Array> {
  switch (format) {
    case 'none':
      return reading.cursor.rest();
    case 'gzip':
      return readGzip(reading);
    case 'xz':
      return readXz(reading);
    case 'lzma':
      return readLzma(reading);
    case 'lzip':
      return readLzip(reading);
    case 'zstd':
      return readZstd(reading);
    case 'bzip2':
      return readBzip2(reading);
    case 'lz4':
    case 'lz4-legacy':
      return readLz4(reading);
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
