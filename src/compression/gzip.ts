import { createInflateRaw } from 'node:zlib';
import { crc32 } from './checksum.ts';
import type { Reading } from './reading.ts';

/** The gzip format, RFC 1952. */

const HEADER_CRC = 2;
const EXTRA = 4;
const NAME = 8;
const COMMENT = 16;
const RESERVED = 0xe0;

/** Output is yielded in pieces of at most this many bytes. */
const PIECE = 1 << 17;

/** Reads all members of a gzip file; stops before data that does not begin like one. */
export async function* readGzip(reading: Reading): AsyncGenerator<Uint8Array> {
  const { cursor } = reading;
  for (let member = 0; ; member++) {
    const start = cursor.offset;
    const magic = await cursor.upTo(2);
    if (magic[0] !== 0x1f || (magic[1] ?? 0x8b) !== 0x8b) {
      if (member > 0 || magic.length > 0) cursor.unread(magic);
      if (member > 0) return;
      throw magic.length > 0 ? reading.corrupt('no gzip member begins here', start) : reading.truncated('the header');
    }
    if (magic.length < 2) throw reading.truncated('a member header');
    await readHeader(reading, magic);
    let crc = 0;
    let size = 0;
    for await (const piece of inflate(reading)) {
      crc = crc32(piece, crc);
      size += piece.length;
      yield piece;
    }
    const trailer = await reading.exactly(8, 'a member trailer');
    const view = new DataView(trailer.buffer, trailer.byteOffset);
    if (view.getUint32(0, true) !== crc) throw reading.corrupt('the CRC-32 of a member does not agree');
    if (view.getUint32(4, true) !== size % 2 ** 32) throw reading.corrupt('the size of a member does not agree');
  }
}

async function readHeader(reading: Reading, magic: Uint8Array): Promise<void> {
  const { cursor } = reading;
  const what = 'a member header';
  let crc = crc32(magic);
  const take = async (size: number) => {
    const bytes = await reading.exactly(size, what);
    crc = crc32(bytes, crc);
    return bytes;
  };
  const [method, flags] = (await take(8)) as unknown as [number, number];
  if (method !== 8) throw reading.unsupported(`compression method ${method}`);
  if (flags & RESERVED) throw reading.unsupported(`reserved flags ${flags}`);
  if (flags & EXTRA) {
    const size = await take(2);
    await take(size[0]! | (size[1]! << 8));
  }
  for (const field of [NAME, COMMENT]) {
    if ((flags & field) === 0) continue;
    for (let ended = false; !ended; ) {
      const piece = await reading.some(what);
      const end = piece.indexOf(0);
      ended = end >= 0;
      const part = ended ? piece.subarray(0, end + 1) : piece;
      crc = crc32(part, crc);
      cursor.consume(part.length);
    }
  }
  if (flags & HEADER_CRC) {
    const expected = crc & 0xffff;
    const stored = await reading.exactly(2, what);
    if ((stored[0]! | (stored[1]! << 8)) !== expected) throw reading.corrupt('a member header is damaged');
  }
}

/** One deflate stream, by Node's zlib; consumes exactly its bytes. */
async function* inflate(reading: Reading): AsyncGenerator<Uint8Array> {
  const { cursor } = reading;
  const engine = createInflateRaw({ chunkSize: PIECE });
  // a failing engine never calls back for the write that failed, so its end must release the waiting side too
  let release: () => void = () => {};
  engine.once('close', () => release());
  const feed = async () => {
    for (;;) {
      const piece = await cursor.at();
      if (engine.destroyed) return;
      if (piece.length === 0) {
        engine.end();
        return;
      }
      const before = engine.bytesWritten;
      // called when all output of this piece has been consumed
      await new Promise<void>((done) => {
        release = done;
        engine.write(piece, () => done());
      });
      if (engine.destroyed) return;
      const used = engine.bytesWritten - before;
      cursor.consume(used);
      if (used < piece.length) return;
    }
  };
  const fed = feed().catch((error) => {
    engine.destroy(error);
  });
  try {
    for await (const piece of engine) yield piece as Uint8Array;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'Z_BUF_ERROR') throw reading.truncated('a member');
    if (code === 'Z_DATA_ERROR') throw reading.corrupt((error as Error).message);
    throw error;
  } finally {
    engine.destroy();
    await fed;
  }
}
