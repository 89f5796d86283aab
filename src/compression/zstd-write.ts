import type { Bytes } from '../bytes/content.ts';
import { blocks } from './blocks.ts';

/** Bytes passed to the engine per call. Block boundaries depend on it, so it is part of the output format. */
const BLOCK = 1 << 18;

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

/**
 * Compresses to one zstd frame with the WASM encoder of @hpcc-js/wasm-zstd, so that the bytes depend only on the input
 * and the level: native encoders differ by processor and version. One frame, because the kernel takes several only
 * where each ends with a cpio entry (init/initramfs.c). WASM has no threads here: this runs in the calling one.
 */
export async function* writeZstd(source: Bytes, level: number): AsyncGenerator<Uint8Array> {
  const { Zstd } = await import('@hpcc-js/wasm-zstd');
  const shared = (await Zstd.load()) as unknown as Shared;
  // the package shares one encoder; two concurrent streams need one each
  const state = new shared._zstdClass();
  // the package copies results through an array of numbers, which took more time than compressing
  const heap = Object.create(shared._mainModule, {
    heapToUint8Array: { value: (part: unknown) => shared._mainModule.heapView(part).slice() },
  }) as Heap;
  const engine: Zstd = Object.assign(Object.create(Zstd.prototype), shared, { _zstd: state, _mainModule: heap });
  try {
    engine.reset();
    engine.setCompressionLevel(level);
    for await (const { bytes } of blocks(source, BLOCK)) {
      const packed = engine.compressChunk(bytes);
      if (packed.length > 0) yield packed;
      // a block can take a second at the highest levels: signals are heard in between
      await new Promise(setImmediate);
    }
    yield engine.compressEnd();
  } finally {
    state.delete();
  }
}
