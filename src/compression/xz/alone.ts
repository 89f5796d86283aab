import { copyOf } from '../../bytes/content.ts';
import { crc32 } from '../checksum.ts';
import type { Reading } from '../reading.ts';
import { LONGEST_MATCH, LONGEST_SYMBOL, Lzma, PROPERTIES } from './lzma.ts';

/** Input is decoded in chunks of at most this many bytes. */
const STRETCH = 1 << 16;
/** Output is yielded in pieces of about this many bytes. */
const PIECE = 1 << 18;

/**
 * One raw LZMA stream, whose properties byte is in range. `size` is the decoded size, after which an end marker may follow; undefined when only the
 * marker ends the stream. Bytes read too far are put back.
 */
async function* readStream(
  reading: Reading,
  properties: number,
  dictionary: number,
  size: number | undefined,
): AsyncGenerator<Uint8Array> {
  const lzma = new Lzma(dictionary, (properties % 9) + (Math.floor(properties / 9) % 5));
  lzma.setProperties(properties);
  try {
    yield* decodeStream(reading, lzma, size);
  } finally {
    lzma.close();
  }
}

async function* decodeStream(reading: Reading, lzma: Lzma, size: number | undefined): AsyncGenerator<Uint8Array> {
  const { cursor } = reading;
  const { window } = lzma;
  // `filled` bytes were read from the stream; zeros follow them once the stream has ended
  let filled = 0;
  let ended = false;
  const refill = async () => {
    const { input } = lzma;
    input.copyWithin(0, lzma.at, filled);
    filled -= lzma.at;
    lzma.at = 0;
    while (filled < LONGEST_SYMBOL && !ended) {
      const part = (await cursor.at()).subarray(0, STRETCH - filled);
      input.set(part, filled);
      filled += part.length;
      ended = part.length === 0;
      cursor.consume(part.length);
    }
    if (ended) input.fill(0, filled);
  };
  const checkEnd = () => {
    if (lzma.at > filled) throw reading.truncated('the LZMA stream');
  };

  lzma.reset();
  lzma.at = 0;
  await refill();
  if (!lzma.start()) throw reading.corrupt('the LZMA stream does not begin with a zero byte');
  for (let left = size ?? Number.POSITIVE_INFINITY; ; ) {
    if (filled - lzma.at < LONGEST_SYMBOL && !ended) await refill();
    if (left === 0) {
      const atRest = lzma.atRest();
      checkEnd();
      if (atRest) break;
    }
    window.reserve(PIECE + LONGEST_MATCH);
    const begin = window.at;
    // with nothing left one more symbol is tried: it must be the end marker
    const end = begin + Math.max(1, Math.min(left, PIECE));
    const limit = begin + Math.min(left, PIECE + LONGEST_MATCH);
    const stop = lzma.decode(end, limit, ended ? filled : filled - LONGEST_SYMBOL);
    checkEnd();
    if (stop === 'corrupt' || window.at > limit) throw reading.corrupt('the LZMA stream makes no sense');
    left -= window.at - begin;
    if (window.beyondLimit) throw reading.unsupported(`a dictionary of ${window.dictionary} bytes`);
    if (window.at > begin) yield window.bytes.subarray(begin, window.at);
    if (stop === 'marker') {
      if (size !== undefined && left > 0) throw reading.corrupt(`the end marker comes ${left} bytes early`);
      const atRest = lzma.atRest();
      checkEnd();
      if (!atRest) throw reading.corrupt('something is left in the range coder at the end marker');
      break;
    }
  }
  cursor.unread(copyOf(lzma.input.subarray(lzma.at, filled)));
}

/** A `.lzma` file: 13 bytes of header and one stream. */
export async function* readLzma(reading: Reading): AsyncGenerator<Uint8Array> {
  const header = await reading.exactly(13, 'the header');
  const view = new DataView(header.buffer, header.byteOffset);
  if (header[0]! >= PROPERTIES) throw reading.corrupt(`properties byte ${header[0]}`, 0);
  const low = view.getUint32(5, true);
  const high = view.getUint32(9, true);
  const known = low !== 0xffffffff || high !== 0xffffffff;
  if (known && high >= 1 << 21) throw reading.corrupt('the header states a size beyond all bounds', 5);
  yield* readStream(reading, header[0]!, view.getUint32(1, true), known ? high * 2 ** 32 + low : undefined);
}

/** lc 3, lp 0, pb 2, always. */
const LZIP_PROPERTIES = 93;

const LZIP = [0x4c, 0x5a, 0x49, 0x50] as const;

/**
 * A lzip file, versions 0 and 1: members, each followed by a CRC-32 and sizes. As in xz, data that does not begin with
 * the magic ends the sequence; {@link Reading} decides whether that is an error.
 */
export async function* readLzip(reading: Reading): AsyncGenerator<Uint8Array> {
  const { cursor } = reading;
  for (let member = 0; ; member++) {
    const start = cursor.offset;
    const magic = await cursor.upTo(4);
    const same = LZIP.findIndex((byte, i) => magic[i] !== byte);
    if (same >= 0) {
      if (member > 0) return cursor.unread(magic);
      if (same < magic.length) throw reading.corrupt('no lzip member begins here', start);
      throw reading.truncated('a member header');
    }
    const [version, code] = (await reading.exactly(2, 'a member header')) as unknown as [number, number];
    if (version > 1) throw reading.unsupported(`lzip version ${version}`);
    const bits = code & 0x1f;
    const dictionary = 2 ** bits - (2 ** bits / 16) * (code >> 5);
    if (bits < 12 || bits > 29 || dictionary < 4096) throw reading.corrupt(`dictionary code ${code}`);
    let crc = 0;
    let size = 0;
    for await (const piece of readStream(reading, LZIP_PROPERTIES, dictionary, undefined)) {
      crc = crc32(piece, crc);
      size += piece.length;
      yield piece;
    }
    const trailer = await reading.exactly(version === 0 ? 12 : 20, 'a member trailer');
    const view = new DataView(trailer.buffer, trailer.byteOffset);
    if (view.getUint32(0, true) !== crc) throw reading.corrupt('the CRC-32 of a member does not agree');
    if (view.getUint32(4, true) + view.getUint32(8, true) * 2 ** 32 !== size)
      throw reading.corrupt('the size of a member does not agree');
    if (version > 0 && view.getUint32(12, true) + view.getUint32(16, true) * 2 ** 32 !== cursor.offset - start)
      throw reading.corrupt('the packed size of a member does not agree');
  }
}
