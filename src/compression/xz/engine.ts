import xz from 'xz-decompress';

/**
 * The WASM decoder of the package xz-decompress (xz-embedded), driven without its web streams: one instance of its own
 * for each decoding, so that nothing is shared and all memory can be released.
 */

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  create_context(): number;
  destroy_context(context: number): void;
  supply_input(context: number, size: number): void;
  get_next_output(context: number): number;
}

/** The package exposes its module only through these two members; the version is pinned, and tests cover them. */
const Loader = xz.XzReadableStream as unknown as {
  _getModuleInstance(): Promise<void>;
  _moduleInstance: { readonly exports: Exports };
};

// The context begins with these words: the size of both buffers, then for input and output each the buffer's address
// and its position and size.
const BUFFER_SIZE = 0;
const INPUT = 1;
const INPUT_AT = 2;
const INPUT_SIZE = 3;
const OUTPUT = 4;
const OUTPUT_AT = 5;

/** Results of xz-embedded, `enum xz_ret`. */
const OK = 0;
const STREAM_END = 1;

/** Instances with more memory than this are not kept for the next decoding. */
const SPARE_MEMORY = 24 << 20;

let spare: Exports | undefined;
let loading: Promise<unknown> = Promise.resolve();

/** An instance for exclusive use. */
function instance(): Promise<Exports> {
  if (spare !== undefined) {
    const taken = spare;
    spare = undefined;
    return Promise.resolve(taken);
  }
  // one at a time, because the loader stores its result in a shared place
  const next = loading.then(async () => {
    await Loader._getModuleInstance();
    return Loader._moduleInstance.exports;
  });
  loading = next.catch(() => {});
  return next;
}

/** Decodes plain LZMA2 blocks faster than our own decoder, and verifies their checks. */
export class Engine {
  /** Largest supported dictionary: the limit of the WASM build. */
  static readonly DICTIONARY = 64 << 20;
  /** The check numbers it verifies: none, CRC-32, CRC-64. */
  static readonly CHECKS: readonly number[] = [0, 1, 4];

  private readonly exports: Exports;
  private context = 0;
  private words = new Uint32Array(0);
  private bytes = new Uint8Array(0);
  private filled = 0;

  private constructor(exports: Exports) {
    this.exports = exports;
  }

  static async make(): Promise<Engine> {
    return new Engine(await instance());
  }

  /** Begins a stream; its header of 12 bytes is the first thing pushed. */
  begin(): void {
    if (this.context !== 0) this.exports.destroy_context(this.context);
    this.context = this.exports.create_context();
    this.filled = 0;
  }

  /** Memory moves when it grows. */
  private look(): void {
    if (this.words.buffer === this.exports.memory.buffer) return;
    this.words = new Uint32Array(this.exports.memory.buffer);
    this.bytes = new Uint8Array(this.exports.memory.buffer);
  }

  private word(field: number): number {
    return this.words[(this.context >> 2) + field]!;
  }

  /** Feeds the stream's next bytes and yields the output. Throws the error that `reject` makes. */
  *push(bytes: Uint8Array, reject: () => Error): Generator<Uint8Array> {
    this.look();
    const size = this.word(BUFFER_SIZE);
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + size - this.filled);
      this.bytes.set(part, this.word(INPUT) + this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled === size) yield* this.flush(reject);
    }
  }

  /** Decodes everything pushed so far. */
  *flush(reject: () => Error): Generator<Uint8Array> {
    this.exports.supply_input(this.context, this.filled);
    this.filled = 0;
    for (;;) {
      this.look();
      this.words[(this.context >> 2) + OUTPUT_AT] = 0;
      const result = this.exports.get_next_output(this.context);
      this.look();
      if (result !== OK && result !== STREAM_END) throw reject();
      const size = this.word(OUTPUT_AT);
      const drained = size < this.word(BUFFER_SIZE) && this.word(INPUT_AT) === this.word(INPUT_SIZE);
      if (size > 0) yield this.bytes.subarray(this.word(OUTPUT), this.word(OUTPUT) + size);
      if (drained) return;
      if (size === 0) throw reject();
    }
  }

  /** Releases all memory, or keeps a small instance for the next decoding. */
  close(): void {
    if (this.context !== 0) this.exports.destroy_context(this.context);
    this.context = 0;
    if (this.exports.memory.buffer.byteLength <= SPARE_MEMORY) spare = this.exports;
  }
}
