import { ZSTDDecoder } from 'zstddec/stream';
import type { Reading } from './reading.ts';

/**
 * The Zstandard format, RFC 8878, by the WASM decoder of the package zstddec. Its functions are called directly, since
 * the package's own loop never ends on damaged data: here every result is checked.
 */

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;

/** The decoder's own limit, 2^27 (`ZSTD_WINDOWLOG_LIMIT_DEFAULT`), as in the zstd command. */
const WINDOW_LIMIT = 2 ** 27;

const INPUT = 1 << 17;
const OUTPUT = 1 << 17;

/** Instances with more memory than this are not kept for the next decoding. */
const SPARE_MEMORY = 24 << 20;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  malloc(size: number): number;
  ZSTD_createDCtx(): number;
  ZSTD_freeDCtx(context: number): number;
  ZSTD_decompressStream(context: number, output: number, input: number): number;
}

/** Words of the engine's memory, which is little-endian on every machine. */
class Words {
  readonly buffer: ArrayBuffer;
  private readonly view: DataView;

  constructor(buffer: ArrayBuffer) {
    this.buffer = buffer;
    this.view = new DataView(buffer);
  }

  get(address: number): number {
    return this.view.getUint32(address, true);
  }

  set(address: number, ...values: number[]): void {
    for (const [i, value] of values.entries()) this.view.setUint32(address + 4 * i, value, true);
  }
}

interface Instance {
  readonly exports: Exports;
  /** Addresses of the buffers and of their two descriptions: address, size, position. */
  readonly input: number;
  readonly output: number;
  readonly inputBuffer: number;
  readonly outputBuffer: number;
}

/** The part of WebAssembly used here; TypeScript declares it only in the DOM library. */
declare const WebAssembly: {
  instantiate(module: object, imports: object): Promise<{ readonly exports: unknown }>;
};

/** Obtains the compiled module, so that every decoding gets its own instance. */
class Loader extends ZSTDDecoder {
  module: object | undefined;

  override init(): Promise<void> {
    // if `fetch` exists, the package loads its module with it, and Node spends 50 ms and 20 MB on an HTTP client;
    // no other code runs before it is restored
    const fetch = Object.getOwnPropertyDescriptor(globalThis, 'fetch');
    if (fetch?.configurable) Reflect.deleteProperty(globalThis, 'fetch');
    try {
      // the package runs `_init` without an owner
      this._init = (result) => {
        this.module = (result as { module: object }).module;
      };
      return super.init();
    } finally {
      if (fetch?.configurable) Object.defineProperty(globalThis, 'fetch', fetch);
    }
  }
}

let loader: Promise<object> | undefined;
let spare: Instance | undefined;

async function instance(): Promise<Instance> {
  loader ??= (async () => {
    const loading = new Loader();
    await loading.init();
    if (loading.module === undefined) throw new TypeError('zstddec was loaded by someone else before');
    return loading.module;
  })();
  const module = await loader;
  if (spare !== undefined) {
    const taken = spare;
    spare = undefined;
    return taken;
  }
  const made = await WebAssembly.instantiate(module, { env: { emscripten_notify_memory_growth: () => {} } });
  const exports = made.exports as Exports;
  return {
    exports,
    input: exports.malloc(INPUT),
    output: exports.malloc(OUTPUT),
    inputBuffer: exports.malloc(12),
    outputBuffer: exports.malloc(12),
  };
}

/**
 * A function that decodes one frame of at most `length` bytes at once, for file systems that keep frames in clusters.
 * It returns undefined when the data is damaged or decodes to fewer bytes.
 */
export async function frameDecoder(): Promise<(encoded: Uint8Array, length: number) => Uint8Array | undefined> {
  const wasm = await instance();
  const { exports, input, output, inputBuffer, outputBuffer } = wasm;
  return (encoded, length) => {
    const out = new Uint8Array(length);
    let size = 0;
    const context = exports.ZSTD_createDCtx();
    try {
      for (let at = 0; at < encoded.length && size < length; ) {
        const piece = encoded.subarray(at, at + INPUT);
        new Uint8Array(exports.memory.buffer).set(piece, input);
        const words = () => new Words(exports.memory.buffer);
        words().set(inputBuffer, input, piece.length, 0);
        words().set(outputBuffer, output, OUTPUT, 0);
        const result = exports.ZSTD_decompressStream(context, outputBuffer, inputBuffer);
        const used = words().get(inputBuffer + 8);
        const made = words().get(outputBuffer + 8);
        if ((result < 0 && result > -120) || (used === 0 && made === 0)) return undefined;
        out.set(new Uint8Array(exports.memory.buffer, output, Math.min(made, length - size)), size);
        size = Math.min(length, size + made);
        at += used;
        if (result === 0) break;
      }
      return size === length ? out : undefined;
    } finally {
      exports.ZSTD_freeDCtx(context);
    }
  };
}

/** Reads all frames; skips skippable ones; stops before data that is neither. */
export async function* readZstd(reading: Reading): AsyncGenerator<Uint8Array> {
  const wasm = await instance();
  const context = wasm.exports.ZSTD_createDCtx();
  try {
    for (let frame = 0; ; frame++) {
      const magic = await nextFrame(reading, frame);
      if (magic === undefined) return;
      const header = await readHeader(reading);
      reading.cursor.unread(header);
      reading.cursor.unread(magic);
      yield* readFrame(reading, wasm, context);
    }
  } finally {
    wasm.exports.ZSTD_freeDCtx(context);
    if (wasm.exports.memory.buffer.byteLength <= SPARE_MEMORY) spare = wasm;
  }
}

/** Finds the next frame and consumes its magic number; undefined when there is none. */
async function nextFrame(reading: Reading, frame: number): Promise<Uint8Array | undefined> {
  const { cursor } = reading;
  for (let skipped = 0; ; skipped++) {
    const start = cursor.offset;
    const magic = await cursor.upTo(4);
    if (magic.length > 0 && magic.every((byte, i) => byte === MAGIC[i])) {
      if (magic.length < 4) throw reading.truncated('a magic number');
      return magic;
    }
    const skippable =
      magic.length === 4 && (magic[0]! & 0xf0) === 0x50 && magic[1] === 0x2a && magic[2] === 0x4d && magic[3] === 0x18;
    if (!skippable) {
      if (frame + skipped === 0)
        throw magic.length > 0 ? reading.corrupt('no zstd frame begins here', start) : reading.truncated('the header');
      cursor.unread(magic);
      return undefined;
    }
    const size = await reading.exactly(4, 'a skippable frame');
    let left = new DataView(size.buffer, size.byteOffset).getUint32(0, true);
    while (left > 0) {
      const part = Math.min((await reading.some('a skippable frame')).length, left);
      cursor.consume(part);
      left -= part;
    }
  }
}

/** Reads a frame's header behind the magic number and rejects what cannot be decoded. */
async function readHeader(reading: Reading): Promise<Uint8Array> {
  const what = 'a frame header';
  const descriptor = (await reading.some(what))[0]!;
  const single = (descriptor & 0x20) !== 0;
  const dictionarySize = [0, 1, 2, 4][descriptor & 3]!;
  const contentSize = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  if (descriptor & 8) throw reading.unsupported('a frame header of a later version');
  const bytes = await reading.exactly(1 + (single ? 0 : 1) + dictionarySize + contentSize, what);
  let at = 1;
  let window = 0;
  if (!single) {
    const byte = bytes[at++]!;
    window = 2 ** (10 + (byte >> 3)) * (1 + (byte & 7) / 8);
  }
  const number = (size: number) => {
    let value = 0;
    for (let i = 0; i < size; i++) value += bytes[at++]! * 2 ** (8 * i);
    return value;
  };
  const dictionary = number(dictionarySize);
  if (single) window = number(contentSize) + (contentSize === 2 ? 256 : 0);
  if (dictionary !== 0) throw reading.unsupported(`it was made with dictionary ${dictionary}`);
  if (window > WINDOW_LIMIT) throw reading.unsupported(`a window of ${window} bytes`);
  return bytes;
}

async function* readFrame(reading: Reading, wasm: Instance, context: number): AsyncGenerator<Uint8Array> {
  const { exports, input, output, inputBuffer, outputBuffer } = wasm;
  let memory = new Uint8Array(exports.memory.buffer);
  let words = new Words(exports.memory.buffer);
  words.set(inputBuffer, input);
  for (;;) {
    const piece = (await reading.some('a frame')).subarray(0, INPUT);
    memory.set(piece, input);
    words.set(inputBuffer + 4, piece.length, 0);
    for (let used = 0; used < piece.length; ) {
      words.set(outputBuffer, output, OUTPUT, 0);
      const result = exports.ZSTD_decompressStream(context, outputBuffer, inputBuffer);
      if (memory.buffer !== exports.memory.buffer) {
        memory = new Uint8Array(exports.memory.buffer);
        words = new Words(exports.memory.buffer);
      }
      // errors are -1 to -119
      if (result < 0 && result > -120) throw engineError(reading, -result);
      const now = words.get(inputBuffer + 8);
      const size = words.get(outputBuffer + 8);
      if (now === used && size === 0) throw reading.corrupt('a frame does not go on');
      reading.cursor.consume(now - used);
      used = now;
      if (size > 0) yield memory.subarray(output, output + size);
      if (result === 0) return;
    }
  }
}

/** Names the error, `ZSTD_ErrorCode`. */
function engineError(reading: Reading, code: number): Error {
  switch (code) {
    case 14:
    case 16:
      return reading.unsupported('parameters of a frame');
    case 22:
      return reading.corrupt('the checksum of a frame does not agree');
    case 64:
      return new RangeError('no memory left for a zstd window');
    default:
      return reading.corrupt(`zstd error ${code}`);
  }
}
