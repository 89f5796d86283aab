import { copyOf } from '../bytes/content.ts';
import type { Reading } from './reading.ts';

/** The bzip2 format: streams of blocks, each a Burrows-Wheeler transform of up to 900,000 bytes. */

const BLOCK_MAGIC_HIGH = 0x314159;
const BLOCK_MAGIC_LOW = 0x265359;
const END_MAGIC_HIGH = 0x177245;
const END_MAGIC_LOW = 0x385090;

/** Symbols coded with one table before the next selector. */
const GROUP = 50;
/** Longest code, in bits. */
const LONGEST = 20;
/** Codes up to this length are decoded with one table lookup. */
const LOOK = 10;
const PIECE = 1 << 18;

/** Thrown inside this module when the bits run out. The input was filled before, so the file is truncated. */
class Ended extends Error {}

/** Reads all streams of a bzip2 file; stops before data that does not begin like one. */
export async function* readBzip2(reading: Reading): AsyncGenerator<Uint8Array> {
  const { cursor } = reading;
  const decoder = new Decoder(reading);
  for (let stream = 0; ; stream++) {
    const start = cursor.offset;
    const header = await cursor.upTo(4);
    const like = [0x42, 0x5a, 0x68].every((byte, i) => (header[i] ?? byte) === byte);
    if (header.length === 0 || !like) {
      if (stream === 0)
        throw like ? reading.truncated('the header') : reading.corrupt('no bzip2 stream begins here', start);
      cursor.unread(header);
      return;
    }
    if (header.length < 4) throw reading.truncated('a stream header');
    const level = header[3]! - 0x30;
    if (level < 1 || level > 9) throw reading.corrupt(`block size "${String.fromCharCode(header[3]!)}"`);
    yield* decoder.stream(level);
  }
}

/** bzip2's CRC-32 starts at the most significant bit. */
const CRC = (() => {
  const table = new Int32Array(256);
  for (let i = 0; i < 256; i++) {
    let crc = i << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
    table[i] = crc;
  }
  return table;
})();

function update(crc: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) crc = (crc << 8) ^ CRC[(crc >>> 24) ^ bytes[i]!]!;
  return crc;
}

/** A canonical Huffman code: short codes by table, long ones by comparing with each length's last code. */
class Code {
  /** (symbol << 5) | length by the next {@link LOOK} bits; 0 where the code is longer. */
  readonly quick = new Uint16Array(1 << LOOK);
  /** By length: the first code too large for it, aligned to {@link LONGEST} bits. */
  readonly limits = new Int32Array(LONGEST + 1);
  /** By length: what to add to a code to find its place in `symbols`. */
  readonly offsets = new Int32Array(LONGEST + 1);
  readonly symbols = new Uint16Array(258);

  build(lengths: Uint8Array, count: number): void {
    this.quick.fill(0);
    let code = 0;
    let place = 0;
    for (let length = 1; length <= LONGEST; length++) {
      this.offsets[length] = place - code;
      for (let symbol = 0; symbol < count; symbol++) {
        if (lengths[symbol] !== length) continue;
        this.symbols[place++] = symbol;
        if (length <= LOOK && code < 1 << length)
          this.quick.fill((symbol << 5) | length, code << (LOOK - length), (code + 1) << (LOOK - length));
        code++;
      }
      this.limits[length] = code << (LONGEST - length);
      code <<= 1;
    }
  }
}

class Decoder {
  private readonly reading: Reading;
  private input = new Uint8Array(0);
  private filled = 0;
  private ended = false;
  private at = 0;
  /** The lowest `count` bits of `bits` are still unread. */
  private bits = 0;
  private count = 0;
  private readonly codes = Array.from({ length: 6 }, () => new Code());
  private readonly selectors = new Uint8Array(1 << 15);
  private links = new Uint32Array(0);

  constructor(reading: Reading) {
    this.reading = reading;
  }

  private async fill(): Promise<void> {
    const { cursor } = this.reading;
    this.input.copyWithin(0, this.at, this.filled);
    this.filled -= this.at;
    this.at = 0;
    while (this.filled < this.input.length && !this.ended) {
      const part = (await cursor.at()).subarray(0, this.input.length - this.filled);
      this.input.set(part, this.filled);
      this.filled += part.length;
      this.ended = part.length === 0;
      cursor.consume(part.length);
    }
  }

  /** Up to 24 bits. */
  private take(count: number): number {
    while (this.count < count) {
      if (this.at >= this.filled) throw new Ended();
      this.bits = (this.bits << 8) | this.input[this.at++]!;
      this.count += 8;
    }
    this.count -= count;
    return (this.bits >>> this.count) & ((1 << count) - 1);
  }

  private corrupt(reason: string): Error {
    return this.reading.corrupt(reason, this.reading.cursor.offset - (this.filled - this.at));
  }

  /** Reads what follows a stream's header. */
  async *stream(level: number): AsyncGenerator<Uint8Array> {
    const size = level * 100_000;
    // no block can be longer than this in the file: all symbols with the longest code, tables, selectors
    const longest = Math.ceil((size * LONGEST) / 8) + (1 << 16);
    if (this.input.length < longest) {
      const grown = new Uint8Array(longest);
      grown.set(this.input.subarray(0, this.filled));
      this.input = grown;
      this.links = new Uint32Array(size);
    }
    this.bits = this.count = 0;
    let combined = 0;
    try {
      for (;;) {
        await this.fill();
        const high = this.take(24);
        const low = this.take(24);
        const crc = (this.take(16) << 16) | this.take(16);
        if (high === END_MAGIC_HIGH && low === END_MAGIC_LOW) {
          if (crc !== combined) throw this.corrupt('the CRC of a stream does not agree');
          break;
        }
        if (high !== BLOCK_MAGIC_HIGH || low !== BLOCK_MAGIC_LOW) throw this.corrupt('no block begins here');
        const symbols = this.block(size);
        let actual = -1;
        for (const piece of this.runs(symbols.first, symbols.count)) {
          actual = update(actual, piece);
          yield piece;
        }
        if (~actual !== crc) throw this.corrupt('the CRC of a block does not agree');
        combined = ((combined << 1) | (combined >>> 31)) ^ crc;
      }
    } catch (error) {
      if (error instanceof Ended) throw this.reading.truncated('a block');
      throw error;
    }
    // the stream ends at a byte; whole bytes read too far into `bits` do not occur, since `take` reads no more than it must
    this.reading.cursor.unread(copyOf(this.input.subarray(this.at, this.filled)));
    this.at = this.filled = 0;
    this.ended = false;
  }

  /** Decodes a block's symbols and sorts them back: `links` then leads from each byte to the next. */
  private block(size: number): { first: number; count: number } {
    if (this.take(1) === 1) throw this.reading.unsupported('a randomised block, as only bzip2 before 0.9.5 wrote them');
    const origin = this.take(24);
    const alphabet = new Uint8Array(256);
    let letters = 0;
    const ranges = this.take(16);
    for (let i = 0; i < 16; i++) {
      if ((ranges & (0x8000 >> i)) === 0) continue;
      const used = this.take(16);
      for (let j = 0; j < 16; j++) if (used & (0x8000 >> j)) alphabet[letters++] = 16 * i + j;
    }
    if (letters === 0) throw this.corrupt('a block without letters');
    const tables = this.take(3);
    const selectorCount = this.take(15);
    if (tables < 2 || tables > 6 || selectorCount === 0) throw this.corrupt('a block with wrong tables');
    const order = [0, 1, 2, 3, 4, 5];
    for (let i = 0; i < selectorCount; i++) {
      let place = 0;
      while (this.take(1) === 1) if (++place >= tables) throw this.corrupt('a selector out of range');
      const [table] = order.splice(place, 1) as [number];
      order.unshift(table);
      this.selectors[i] = table;
    }
    const lengths = new Uint8Array(258);
    const symbols = letters + 2;
    for (let table = 0; table < tables; table++) {
      let length = this.take(5);
      for (let symbol = 0; symbol < symbols; symbol++) {
        for (;;) {
          if (length < 1 || length > LONGEST) throw this.corrupt('a code length out of range');
          if (this.take(1) === 0) break;
          length += this.take(1) === 0 ? 1 : -1;
        }
        lengths[symbol] = length;
      }
      this.codes[table]!.build(lengths, symbols);
    }
    const count = this.symbols(size, selectorCount, letters + 1, alphabet);
    if (origin >= count) throw this.corrupt('a block begins beyond its end');

    // the inverse transform: the low byte holds the letter, the rest becomes the place of the next one
    const { links } = this;
    const starts = new Int32Array(257);
    for (let i = 0; i < count; i++) starts[(links[i]! & 0xff) + 1]!++;
    for (let i = 0; i < 256; i++) starts[i + 1]! += starts[i]!;
    for (let i = 0; i < count; i++) {
      const letter = links[i]! & 0xff;
      const place = starts[letter]!;
      starts[letter] = place + 1;
      links[place] = (links[place]! & 0xff) | (i << 8);
    }
    return { first: links[origin]! >>> 8, count };
  }

  /** Undoes Huffman coding, runs of zero and move-to-front; the letters go to `links`. */
  private symbols(size: number, selectorCount: number, endSymbol: number, alphabet: Uint8Array): number {
    const { input, filled, links, codes, selectors } = this;
    let { at, bits, count: bitCount } = this;
    const front = copyOf(alphabet);
    let selector = 0;
    let left = 0;
    let code = codes[0]!;
    let count = 0;
    let run = 0;
    let runBit = 1;
    // past the end the bits are zeros, so what does not fit there is truncated, not damaged
    const wrong = (reason: string) => (at > filled ? new Ended() : this.corrupt(reason));
    for (;;) {
      if (left === 0) {
        if (selector === selectorCount) throw wrong('a block has too few selectors');
        code = codes[selectors[selector++]!]!;
        left = GROUP;
      }
      left--;
      while (bitCount < LONGEST) {
        bits = (bits << 8) | (at < filled ? input[at]! : 0);
        at++;
        bitCount += 8;
      }
      let symbol: number;
      const quick = code.quick[(bits >>> (bitCount - LOOK)) & ((1 << LOOK) - 1)]!;
      if (quick !== 0) {
        bitCount -= quick & 31;
        symbol = quick >> 5;
      } else {
        const next = (bits >>> (bitCount - LONGEST)) & ((1 << LONGEST) - 1);
        let length = 1;
        while (length <= LONGEST && next >= code.limits[length]!) length++;
        if (length > LONGEST) throw wrong('a code without a symbol');
        bitCount -= length;
        symbol = code.symbols[(next >>> (LONGEST - length)) + code.offsets[length]!]!;
      }
      if (symbol <= 1) {
        // runs of the first letter, their length in bijective base 2
        if (runBit > size) throw wrong('a run beyond the end of its block');
        run += runBit << symbol;
        runBit <<= 1;
        continue;
      }
      if (run > 0) {
        if (run > size - count) throw wrong('a run beyond the end of its block');
        links.fill(front[0]!, count, count + run);
        count += run;
        run = 0;
        runBit = 1;
      }
      if (symbol === endSymbol) break;
      if (count === size) throw wrong('a block beyond its size');
      const place = symbol - 1;
      const letter = front[place]!;
      if (place < 16) for (let i = place; i > 0; i--) front[i] = front[i - 1]!;
      else front.copyWithin(1, 0, place);
      front[0] = letter;
      links[count++] = letter;
    }
    // return the complete bytes that were not needed
    while (bitCount >= 8) {
      bitCount -= 8;
      bits >>>= 8;
      at--;
    }
    if (at > filled) throw new Ended();
    this.at = at;
    this.bits = bits;
    this.count = bitCount;
    return count;
  }

  /** Follows the links; after four equal bytes comes the number of further repetitions. */
  private *runs(first: number, count: number): Generator<Uint8Array> {
    const { links } = this;
    const out = new Uint8Array(PIECE);
    let to = 0;
    let place = first;
    let same = 0;
    let last = -1;
    for (let i = 0; i < count; i++) {
      const link = links[place]!;
      const letter = link & 0xff;
      place = link >>> 8;
      if (same === 4) {
        if (to + letter > PIECE) {
          yield out.subarray(0, to);
          to = 0;
        }
        out.fill(last, to, to + letter);
        to += letter;
        same = 0;
        last = -1;
        continue;
      }
      if (letter === last) same++;
      else {
        same = 1;
        last = letter;
      }
      if (to === PIECE) {
        yield out;
        to = 0;
      }
      out[to++] = letter;
    }
    if (to > 0) yield out.subarray(0, to);
  }
}
