import { Xxh32 } from './checksum.ts';
import type { Reading } from './reading.ts';

/**
 * The LZ4 frame format 1.6.x, and the legacy frame, which is the one the Linux kernel reads (lib/decompress_unlz4.c).
 */

const FRAME = 0x184d2204;
const LEGACY = 0x184c2102;
const SKIPPABLE = 0x184d2a50;

/** Blocks of a legacy frame decode to this many bytes, the last one to fewer. */
export const LEGACY_BLOCK = 8 << 20;

const HISTORY = 1 << 16;

/** The largest a compressed block can be (`LZ4_compressBound`). */
export function blockBound(size: number): number {
  return size + Math.floor(size / 255) + 16;
}

/** Reads all frames, of both kinds; stops before data that is neither. */
export async function* readLz4(reading: Reading): AsyncGenerator<Uint8Array> {
  const { cursor } = reading;
  for (let frame = 0; ; frame++) {
    const start = cursor.offset;
    const bytes = await cursor.upTo(4);
    const magic = bytes.length === 4 ? word(bytes, 0) : 0;
    if (magic === FRAME) yield* readFrame(reading);
    else if (magic === LEGACY) yield* readLegacy(reading);
    else if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
      for (let left = word(await reading.exactly(4, 'a skippable frame'), 0); left > 0; ) {
        const part = Math.min((await reading.some('a skippable frame')).length, left);
        cursor.consume(part);
        left -= part;
      }
    } else {
      if (bytes.length < 4 && (frame === 0 || bytes.length > 0)) throw reading.truncated('a magic number');
      if (frame === 0) throw reading.corrupt('no lz4 frame begins here', start);
      cursor.unread(bytes);
      return;
    }
  }
}

async function* readFrame(reading: Reading): AsyncGenerator<Uint8Array> {
  const what = 'a frame header';
  const first = await reading.exactly(2, what);
  const [flags, sizes] = first as unknown as [number, number];
  if (flags >> 6 !== 1) throw reading.unsupported(`frame version ${flags >> 6}`);
  const linked = (flags & 0x20) === 0;
  const blockChecks = (flags & 0x10) !== 0;
  const sized = (flags & 0x08) !== 0;
  const contentCheck = (flags & 0x04) !== 0;
  const code = (sizes >> 4) & 7;
  if ((flags & 2) !== 0 || (sizes & 0x8f) !== 0 || code < 4)
    throw reading.unsupported('a frame header of a later version');
  const rest = await reading.exactly((sized ? 8 : 0) + (flags & 1 ? 4 : 0), what);
  const check = (await reading.exactly(1, what))[0]!;
  if (((new Xxh32().update(first).update(rest).digest() >> 8) & 0xff) !== check)
    throw reading.corrupt('a frame header is damaged');
  if (flags & 1) throw reading.unsupported(`it was made with dictionary ${word(rest, rest.length - 4)}`);
  const expected = sized ? word(rest, 0) + word(rest, 4) * 2 ** 32 : undefined;

  const blockSize = 2 ** (8 + 2 * code);
  const out = new Uint8Array(HISTORY + blockSize);
  const content = contentCheck ? new Xxh32() : undefined;
  let history = 0;
  let total = 0;
  for (;;) {
    const header = word(await reading.exactly(4, 'a block size'), 0);
    if (header === 0) break;
    const stored = header >= 2 ** 31;
    const size = header % 2 ** 31;
    if (size > blockSize) throw reading.corrupt(`a block of ${size} bytes where the frame has blocks of ${blockSize}`);
    const packed = await reading.exactly(size, 'a block');
    if (blockChecks && new Xxh32().update(packed).digest() !== word(await reading.exactly(4, 'a block checksum'), 0))
      throw reading.corrupt('the checksum of a block does not agree');
    let end = HISTORY + size;
    if (stored) out.set(packed, HISTORY);
    else end = decodeBlock(packed, out, HISTORY - history, HISTORY);
    if (end < 0) throw reading.corrupt('a block makes no sense');
    const piece = out.subarray(HISTORY, end);
    content?.update(piece);
    total += piece.length;
    yield piece;
    if (linked) {
      history = Math.min(HISTORY, history + piece.length);
      out.copyWithin(HISTORY - history, end - history, end);
    }
  }
  if (content !== undefined && content.digest() !== word(await reading.exactly(4, 'the content checksum'), 0))
    throw reading.corrupt('the checksum of the content does not agree');
  if (expected !== undefined && expected !== total)
    throw reading.corrupt(`a frame decodes to ${total} bytes where its header says ${expected}`);
}

/** Consecutive blocks until the end of the file, or until another magic number. There are no checksums. */
async function* readLegacy(reading: Reading): AsyncGenerator<Uint8Array> {
  const { cursor } = reading;
  let out = new Uint8Array(0);
  for (;;) {
    const header = await cursor.upTo(4);
    if (header.length === 0) return;
    if (header.length < 4) throw reading.truncated('a block size');
    const size = word(header, 0);
    if (size === 0 || size > blockBound(LEGACY_BLOCK)) return cursor.unread(header);
    const packed = await reading.exactly(size, 'a block');
    if (out.length === 0) out = new Uint8Array(LEGACY_BLOCK);
    const end = decodeBlock(packed, out, 0, 0);
    if (end < 0) throw reading.corrupt('a block makes no sense');
    for (let at = 0; at < end; at += 1 << 20) yield out.subarray(at, Math.min(end, at + (1 << 20)));
  }
}

/**
 * Decodes one block to `out` from `start` on. Matches may reach back to `floor`. Returns where the output ends, -1 when
 * the block is damaged.
 */
export function decodeBlock(packed: Uint8Array, out: Uint8Array, floor: number, start: number): number {
  const size = packed.length;
  const capacity = out.length;
  let at = 0;
  let to = start;
  while (at < size) {
    const token = packed[at++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let byte: number;
      do {
        if (at >= size) return -1;
        byte = packed[at++]!;
        literals += byte;
      } while (byte === 255);
    }
    if (literals > size - at || literals > capacity - to) return -1;
    if (literals > 32) {
      out.set(packed.subarray(at, at + literals), to);
      at += literals;
      to += literals;
    } else {
      for (const end = at + literals; at < end; ) out[to++] = packed[at++]!;
    }
    if (at === size) return (token & 15) === 0 || size === 1 ? to : -1;
    if (size - at < 2) return -1;
    const distance = packed[at]! | (packed[at + 1]! << 8);
    at += 2;
    let length = (token & 15) + 4;
    if (length === 19) {
      let byte: number;
      do {
        if (at >= size) return -1;
        byte = packed[at++]!;
        length += byte;
      } while (byte === 255);
    }
    let from = to - distance;
    if (distance === 0 || from < floor || length > capacity - to) return -1;
    if (length > 64 && distance >= length) {
      out.copyWithin(to, from, from + length);
      to += length;
    } else {
      for (const end = to + length; to < end; ) out[to++] = out[from++]!;
    }
  }
  // a block ends with literals
  return -1;
}

/**
 * Decodes the start of a block until `out` is full, and ignores what follows. Returns the number of bytes decoded, -1 when
 * the block is damaged or too short.
 */
export function decodePrefix(packed: Uint8Array, out: Uint8Array): number {
  const size = packed.length;
  let at = 0;
  let to = 0;
  const longer = (count: number): number => {
    let byte = 255;
    while (byte === 255) {
      if (at >= size) return -1;
      byte = packed[at++]!;
      count += byte;
    }
    return count;
  };
  while (at < size && to < out.length) {
    const token = packed[at++]!;
    let literals = token >> 4;
    if (literals === 15) literals = longer(literals);
    if (literals < 0) return -1;
    literals = Math.min(literals, out.length - to);
    if (literals > size - at) return -1;
    out.set(packed.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (to === out.length) return to;
    if (size - at < 2) return -1;
    const distance = packed[at]! | (packed[at + 1]! << 8);
    at += 2;
    let length = (token & 15) + 4;
    if (length === 19) length = longer(length);
    if (length < 0 || distance === 0 || distance > to) return -1;
    const end = Math.min(out.length, to + length);
    if (distance >= end - to) {
      out.copyWithin(to, to - distance, end - distance);
      to = end;
    } else for (; to < end; to++) out[to] = out[to - distance]!;
  }
  return to === out.length ? to : -1;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
