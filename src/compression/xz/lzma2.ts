import type { Reading } from '../reading.ts';
import { Lzma } from './lzma.ts';

/** One chunk's header: `control`, sizes in bytes, and the properties byte where there is one. */
interface Chunk {
  readonly header: Uint8Array;
  readonly control: number;
  readonly unpacked: number;
  /** Bytes that follow the header. */
  readonly packed: number;
}

/**
 * Reads chunk headers and checks the order that the format requires: a dictionary reset first, properties before the
 * first compressed chunk after one.
 */
class Chunks {
  private needsDictionary = true;
  private needsProperties = true;
  private readonly reading: Reading;

  constructor(reading: Reading) {
    this.reading = reading;
  }

  /** The next header; undefined at the end marker. */
  async next(): Promise<Chunk | undefined> {
    const control = (await this.reading.some('an LZMA2 chunk'))[0]!;
    const size = control === 0 ? 1 : control >= 0xc0 ? 6 : control >= 0x80 ? 5 : 3;
    if (control > 2 && control < 0x80) throw this.reading.corrupt(`LZMA2 control byte ${control}`);
    const header = await this.reading.exactly(size, 'an LZMA2 chunk header');
    if (control === 0) return undefined;
    if (control >= 0xe0 || control === 1) {
      this.needsDictionary = false;
      this.needsProperties = true;
    } else if (this.needsDictionary) throw this.reading.corrupt('LZMA2 data begins without a dictionary reset');
    if (control < 0x80) {
      const size = (header[1]! << 8) + header[2]! + 1;
      return { header, control, unpacked: size, packed: size };
    }
    if (control >= 0xc0) this.needsProperties = false;
    else if (this.needsProperties) throw this.reading.corrupt('an LZMA2 chunk comes before its properties');
    return {
      header,
      control,
      unpacked: ((control & 0x1f) << 16) + (header[1]! << 8) + header[2]! + 1,
      packed: (header[3]! << 8) + header[4]! + 1,
    };
  }
}

/** lc + lp is at most this in LZMA2. */
const LITERAL_BITS = 4;

/** Decodes an LZMA2 stream up to and including its end marker. Each piece is valid until the next one is requested. */
export async function* readLzma2(reading: Reading, dictionary: number): AsyncGenerator<Uint8Array> {
  const lzma = new Lzma(dictionary, LITERAL_BITS);
  try {
    yield* readChunks(reading, lzma);
  } finally {
    lzma.close();
  }
}

async function* readChunks(reading: Reading, lzma: Lzma): AsyncGenerator<Uint8Array> {
  const chunks = new Chunks(reading);
  const { window } = lzma;
  for (;;) {
    const chunk = await chunks.next();
    if (chunk === undefined) return;
    const { control, unpacked, packed } = chunk;
    if (control >= 0xe0 || control === 1) window.reset();
    window.reserve(unpacked);
    const begin = window.at;
    const { input } = lzma;
    for (let done = 0; done < packed; ) {
      const part = (await reading.some('an LZMA2 chunk')).subarray(0, packed - done);
      if (control < 0x80) {
        window.bytes.set(part, window.at);
        window.at += part.length;
      } else {
        input.set(part, done);
      }
      done += part.length;
      reading.cursor.consume(part.length);
    }
    if (control >= 0x80) {
      if (control >= 0xc0 && (!lzma.setProperties(chunk.header[5]!) || lzma.literalBits > LITERAL_BITS))
        throw reading.corrupt(`LZMA2 properties ${chunk.header[5]}`);
      if (control >= 0xa0) lzma.reset();
      const end = begin + unpacked;
      if (packed < 5 || !lzma.start()) throw reading.corrupt('an LZMA2 chunk does not begin as it must');
      const stop = lzma.decode(end, end, packed);
      if (stop !== 'output' || !lzma.atRest() || lzma.at !== packed)
        throw reading.corrupt('an LZMA2 chunk does not decode to its size');
    }
    if (window.beyondLimit) throw reading.unsupported(`a dictionary of ${window.dictionary} bytes`);
    yield window.bytes.subarray(begin, window.at);
  }
}
