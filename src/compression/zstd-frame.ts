import { Zstd as Package } from '@hpcc-js/wasm-zstd';
import { copyOf } from '../bytes/content.ts';

/** Bytes passed to the engine per call. Block boundaries depend on it, so it is part of the output format. */
export const BLOCK = 1 << 18;

/** The part of the package's class that is used here, including two private members; the version is pinned. */
interface Zstd {
  setCompressionLevel(level: number): void;
  reset(): void;
  compressChunk(data: Uint8Array): Uint8Array;
  compressEnd(): Uint8Array;
}
interface Shared extends Zstd {
  readonly _zstdClass: new () => { delete(): void };
  _zstd: { delete(): void };
  readonly _mainModule: Heap;
}
/** The engine's memory. */
interface Heap {
  heapView(part: unknown): Uint8Array;
}

/** Encodes one zstd frame. */
export interface FrameEncoder {
  /** Takes at most {@link BLOCK} bytes; returns what is ready, which may be nothing. */
  block(bytes: Uint8Array): Uint8Array;
  end(): Uint8Array;
  /** Frees its memory. */
  close(): void;
}

/** Begins a frame with the WASM encoder of @hpcc-js/wasm-zstd. */
export async function beginFrame(level: number): Promise<FrameEncoder> {
  const shared = (await Package.load()) as unknown as Shared;
  // the package shares one encoder; two concurrent streams need one each
  const state = new shared._zstdClass();
  // the package copies results through an array of numbers, which took more time than compressing
  const heap = Object.create(shared._mainModule, {
    heapToUint8Array: { value: (part: unknown) => copyOf(shared._mainModule.heapView(part)) },
  }) as Heap;
  const engine: Zstd = Object.assign(Object.create(Package.prototype), shared, { _zstd: state, _mainModule: heap });
  engine.reset();
  engine.setCompressionLevel(level);
  return {
    block: (bytes) => engine.compressChunk(bytes),
    end: () => engine.compressEnd(),
    close: () => state.delete(),
  };
}
