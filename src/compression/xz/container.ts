import { createHash, type Hash } from 'node:crypto';
import { crc32 } from '../checksum.ts';
import { Crc64 } from '../crc64.ts';
import type { Reading } from '../reading.ts';
import { BRANCH, DELTA, LZMA2, owned, unbranch, undelta } from './filters.ts';
import { readLzma2 } from './lzma2.ts';

/** The .xz container (specification 1.2.1): streams of blocks, an index, a footer. */

const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] as const;
const STREAM_HEADER = 12;

/** Sizes of the checks by their number in the stream flags; 2.1.1.2 of the specification. */
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;

interface Filter {
  readonly id: number;
  readonly properties: Uint8Array;
}

/** A block's header, as parsed. */
export interface BlockHeader {
  readonly bytes: Uint8Array;
  readonly packed: number | undefined;
  readonly unpacked: number | undefined;
  /** In the order of encoding; LZMA2 is the last. */
  readonly filters: readonly Filter[];
  /** Size of the LZMA2 dictionary in bytes. */
  readonly dictionary: number;
}

/** Reads an .xz file: all its streams, with padding between and after them. */
export async function* readXz(reading: Reading): AsyncGenerator<Uint8Array> {
  const { cursor } = reading;
  for (let stream = 0; ; stream++) {
    const start = cursor.offset;
    const header = await cursor.upTo(STREAM_HEADER);
    const wrong = HEADER_MAGIC.findIndex((byte, i) => header[i] !== byte);
    if (wrong >= 0 && wrong < header.length) {
      if (stream === 0) throw reading.corrupt('no xz stream begins here', start);
      return cursor.unread(header);
    }
    if (header.length < STREAM_HEADER) throw reading.truncated('a stream header');
    yield* readStream(reading, header);
    if (await skipPadding(reading)) return;
  }
}

/** Skips zeros after a stream, a multiple of four; true at the end of the file. */
async function skipPadding(reading: Reading): Promise<boolean> {
  const { cursor } = reading;
  const start = cursor.offset;
  for (;;) {
    const piece = await cursor.at();
    let zeros = 0;
    while (zeros < piece.length && piece[zeros] === 0) zeros++;
    const ended = piece.length === 0;
    cursor.consume(zeros);
    if (!ended && zeros === piece.length) continue;
    if ((cursor.offset - start) % 4 !== 0) throw reading.corrupt('padding that is not a multiple of four bytes', start);
    return ended;
  }
}

async function* readStream(reading: Reading, header: Uint8Array): AsyncGenerator<Uint8Array> {
  const view = new DataView(header.buffer, header.byteOffset);
  if (view.getUint32(8, true) !== crc32(header.subarray(6, 8))) throw reading.corrupt('the stream header is damaged');
  const check = header[7]!;
  if (header[6] !== 0 || check > 15) throw reading.unsupported('stream flags of a later version');
  if (![0, 1, 4, 10].includes(check)) throw reading.unsupported(`check number ${check}`);
  const seen = new Records();
  for (;;) {
    const first = (await reading.some('a block header'))[0]!;
    if (first === 0) break;
    const block = await readBlockHeader(reading, first);
    let unpacked = 0;
    let blockSize = 0;
    const data = readBlock(reading, block, check);
    for (;;) {
      const next = await data.next();
      if (next.done) {
        blockSize = next.value;
        break;
      }
      unpacked += next.value.length;
      if (block.unpacked !== undefined && unpacked > block.unpacked)
        throw reading.corrupt('a block is longer than its header says');
      yield next.value;
    }
    if (block.unpacked !== undefined && block.unpacked !== unpacked)
      throw reading.corrupt(`a block decodes to ${unpacked} bytes where its header says ${block.unpacked}`);
    seen.add(blockSize, unpacked);
  }

  const indexSize = await readIndex(reading, seen);
  const footer = await reading.exactly(12, 'the stream footer');
  const foot = new DataView(footer.buffer, footer.byteOffset);
  if (footer[10] !== 0x59 || footer[11] !== 0x5a) throw reading.corrupt('the stream footer has no magic');
  if (foot.getUint32(0, true) !== crc32(footer.subarray(4, 10))) throw reading.corrupt('the stream footer is damaged');
  if (footer[8] !== header[6] || footer[9] !== header[7])
    throw reading.corrupt('header and footer of a stream do not agree');
  if ((foot.getUint32(4, true) + 1) * 4 !== indexSize)
    throw reading.corrupt('the footer has another size of the index');
}

/** A block's content; returns the block's size without padding. */
async function* readBlock(reading: Reading, block: BlockHeader, check: number): AsyncGenerator<Uint8Array, number> {
  const start = reading.cursor.offset;
  const sum = checker(check);
  for await (const piece of decode(reading, block)) {
    sum?.update(piece);
    yield piece;
  }
  const { padding, stored } = await readCheck(reading, block, check, start);
  if (sum !== undefined && !sum.digest().every((byte, i) => byte === stored[i]))
    throw reading.corrupt('the check of a block does not agree');
  return reading.cursor.offset - start - padding.length + block.bytes.length;
}

/** Reads the padding and the check after the data that began at `start`. */
async function readCheck(
  reading: Reading,
  block: BlockHeader,
  check: number,
  start: number,
): Promise<{ padding: Uint8Array; stored: Uint8Array }> {
  const packed = reading.cursor.offset - start;
  if (block.packed !== undefined && block.packed !== packed)
    throw reading.corrupt(`a block has ${packed} bytes where its header says ${block.packed}`);
  const padding = await reading.exactly(-packed & 3, 'block padding');
  if (padding.some((byte) => byte !== 0)) throw reading.corrupt('block padding that is not zero');
  return { padding, stored: await reading.exactly(CHECK_SIZES[check]!, 'a block check') };
}

/** Decodes a block's data. */
function decode(reading: Reading, block: BlockHeader): AsyncIterable<Uint8Array> {
  let data: AsyncIterable<Uint8Array> = readLzma2(reading, block.dictionary);
  if (block.filters.length > 1) data = owned(data);
  for (const { id, properties } of block.filters.slice(0, -1).reverse()) {
    if (id === DELTA) {
      data = undelta(data, properties[0]! + 1);
    } else {
      const start =
        properties.length === 4 ? new DataView(properties.buffer, properties.byteOffset).getInt32(0, true) : 0;
      data = unbranch(data, BRANCH.get(id)!.make(), start);
    }
  }
  return data;
}

/** The check over a block's content; undefined for none. */
function checker(check: number): { update(bytes: Uint8Array): void; digest(): Uint8Array } | undefined {
  if (check === 1) {
    let crc = 0;
    return {
      update: (bytes) => {
        crc = crc32(bytes, crc);
      },
      digest: () => Uint8Array.of(crc, crc >>> 8, crc >>> 16, crc >>> 24),
    };
  }
  if (check === 4) {
    const crc = new Crc64();
    return { update: (bytes) => crc.update(bytes), digest: () => crc.bytes() };
  }
  if (check === 10) {
    const hash = createHash('sha256');
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
  }
  return undefined;
}

/** A number of one to nine bytes, seven bits each, least first. */
class Numbers {
  at: number;
  private readonly bytes: Uint8Array;
  private readonly reading: Reading;

  constructor(bytes: Uint8Array, at: number, reading: Reading) {
    this.bytes = bytes;
    this.at = at;
    this.reading = reading;
  }

  next(): number {
    let value = 0;
    for (let i = 0; ; i++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined || i === 9 || (byte === 0 && i > 0))
        throw this.reading.corrupt('a number is not well formed');
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) break;
    }
    if (value > Number.MAX_SAFE_INTEGER) throw this.reading.corrupt('a size beyond all bounds');
    return value;
  }
}

async function readBlockHeader(reading: Reading, sizeByte: number): Promise<BlockHeader> {
  const bytes = await reading.exactly((sizeByte + 1) * 4, 'a block header');
  const end = bytes.length - 4;
  if (new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true) !== crc32(bytes.subarray(0, end)))
    throw reading.corrupt('a block header is damaged');
  const flags = bytes[1]!;
  if (flags & 0x3c) throw reading.unsupported('block flags of a later version');
  const numbers = new Numbers(bytes.subarray(0, end), 2, reading);
  const packed = flags & 0x40 ? numbers.next() : undefined;
  const unpacked = flags & 0x80 ? numbers.next() : undefined;
  if (packed === 0) throw reading.corrupt('a block header states a size of 0');
  const filters: Filter[] = [];
  for (let count = (flags & 3) + 1; count > 0; count--) {
    const id = numbers.next();
    const size = numbers.next();
    if (numbers.at + size > end) throw reading.corrupt('a filter reaches beyond its block header');
    filters.push({ id, properties: bytes.subarray(numbers.at, numbers.at + size) });
    numbers.at += size;
  }
  if (bytes.subarray(numbers.at, end).some((byte) => byte !== 0))
    throw reading.unsupported('unknown block header fields');
  return { bytes, packed, unpacked, filters, dictionary: checkFilters(reading, filters) };
}

/** Rejects filter chains that cannot be undone; the size of the LZMA2 dictionary otherwise. */
function checkFilters(reading: Reading, filters: readonly Filter[]): number {
  for (const [i, { id, properties }] of filters.entries()) {
    const last = i === filters.length - 1;
    const branch = BRANCH.get(id);
    if (last !== (id === LZMA2)) throw reading.unsupported(`filter ${id} at place ${i + 1} of ${filters.length}`);
    if (id === LZMA2 || id === DELTA) {
      if (properties.length !== 1) throw reading.unsupported(`properties of filter ${id}`);
    } else if (branch === undefined) {
      throw reading.unsupported(`filter ${id}`);
    } else if (properties.length !== 0) {
      const start = properties[0]! | (properties[1]! << 8) | (properties[2]! << 16) | (properties[3]! << 24);
      if (properties.length !== 4 || start % branch.align !== 0)
        throw reading.unsupported(`properties of filter ${id}`);
    }
  }
  const code = filters.at(-1)!.properties[0]!;
  if (code > 40) throw reading.unsupported(`LZMA2 dictionary size ${code}`);
  return code === 40 ? 0xffffffff : (2 | (code & 1)) * 2 ** ((code >> 1) + 11);
}

/** Sizes of so many blocks are kept as they are: most files have one block. */
const FEW = 16;

/** Sizes of blocks, of many as sums and a digest, so that millions of tiny blocks cost no memory. */
class Records {
  count = 0;
  private packed = 0;
  private unpacked = 0;
  private readonly first: number[] = [];
  private hash: Hash | undefined;

  add(packed: number, unpacked: number): void {
    this.packed += packed;
    this.unpacked += unpacked;
    if (this.count++ < FEW) this.first.push(packed, unpacked);
    else {
      this.hash ??= createHash('sha256');
      this.hash.update(Float64Array.of(packed, unpacked));
    }
  }

  /** The specification limits the sums to below 2^63, so that hostile data cannot make a reader overflow. */
  get overflows(): boolean {
    return this.packed >= 2 ** 63 || this.unpacked >= 2 ** 63;
  }

  digest(): string {
    return `${this.first.join()} ${this.hash?.digest('hex') ?? ''}`;
  }
}

/** Reads the index and compares it with the blocks read; returns its size in bytes with the CRC. */
async function readIndex(reading: Reading, seen: Records): Promise<number> {
  const start = reading.cursor.offset;
  let crc = 0;
  const byte = async () => {
    const bytes = await reading.exactly(1, 'the index');
    crc = crc32(bytes, crc);
    return bytes[0]!;
  };
  const number = async () => {
    const bytes: number[] = [];
    do bytes.push(await byte());
    while (bytes.at(-1)! >= 0x80 && bytes.length < 9);
    return new Numbers(Uint8Array.from(bytes), 0, reading).next();
  };
  await byte();
  if ((await number()) !== seen.count) throw reading.corrupt('the index has another number of blocks');
  const listed = new Records();
  for (let i = 0; i < seen.count; i++) listed.add(await number(), await number());
  if (listed.overflows || listed.digest() !== seen.digest())
    throw reading.corrupt('the index does not agree with the blocks');
  while ((reading.cursor.offset - start) % 4 !== 0)
    if ((await byte()) !== 0) throw reading.corrupt('index padding that is not zero');
  const stored = await reading.exactly(4, 'the index');
  if (new DataView(stored.buffer, stored.byteOffset).getUint32(0, true) !== crc)
    throw reading.corrupt('the index is damaged');
  return reading.cursor.offset - start;
}
