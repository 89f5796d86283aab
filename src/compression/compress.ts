import { BIG_ENDIAN } from '../bytes/byte-order.ts';
import type { Bytes } from '../bytes/content.ts';
import { BuildError } from '../errors/error.ts';

/** Compression formats that can be written. `lz4` is the legacy frame, the one the kernel reads. */
export type WritableFormat = 'gzip' | 'zstd' | 'lz4' | 'none';

/** Options of compression. */
export interface CompressOptions {
  /** 1 is fastest; the default is chosen for initrds. */
  readonly level?: number;
  /**
   * Offsets in the source, ascending, where an output of several frames (zstd) may cut; without them, anywhere. The kernel
   * takes several frames of an initrd only if each ends where an entry ends.
   */
  readonly cuts?: Float64Array;
}

interface Writer {
  readonly lowest: number;
  readonly highest: number;
  readonly standard: number;
  readonly write: (source: Bytes, level: number, cuts?: Float64Array) => Bytes;
}

/** A writer whose module is loaded when the first byte is requested, since most runs write one format or none. */
function loaded(load: () => Promise<Writer['write']>): Writer['write'] {
  return async function* (source, level, cuts) {
    yield* (await load())(source, level, cuts);
  };
}

/** Every format that can be written, with its levels. */
export const WRITERS: Readonly<Record<WritableFormat, Writer>> = {
  none: { lowest: 0, highest: 0, standard: 0, write: (source) => source },
  // 1.01 times the size of gzip -9 on a Debian root file system, at several times its speed
  gzip: { lowest: 1, highest: 9, standard: 6, write: loaded(async () => (await import('./gzip-write.ts')).writeGzip) },
  zstd: { lowest: 1, highest: 19, standard: 3, write: loaded(async () => (await import('./zstd-write.ts')).writeZstd) },
  lz4: { lowest: 1, highest: 9, standard: 5, write: loaded(async () => (await import('./lz4-write.ts')).writeLz4) },
};

/**
 * Rejects formats that cannot be written on this machine: the zstd encoder, a package, does not run where the most significant byte
 * of a number comes first (s390x). Throws `NOT_SUPPORTED`.
 */
export function checkWritable(format: WritableFormat, bigEndian = BIG_ENDIAN): void {
  if (format === 'zstd' && bigEndian)
    throw new BuildError('NOT_SUPPORTED', {
      what: 'zstd on this machine',
      reason: 'its encoder takes the least significant byte of a number first; choose gzip or lz4',
    });
}

/**
 * Compresses a stream. The result depends only on the bytes, the format and the level: not on Node's
 * version, the processor, the number of threads, or the pieces the source comes in.
 *
 * @example
 * ```ts
 * import { compress, decompress, memory } from 'osbuilder';
 *
 * const packed = compress(memory('again '.repeat(1000)).open(), 'zstd', { level: 3 });
 * let bytes = 0;
 * for await (const piece of decompress(packed, 'zstd', 'example')) bytes += piece.length;
 * console.log(bytes); // prints: 6000
 * ```
 */
export function compress(source: Bytes, format: WritableFormat, options: CompressOptions = {}): Bytes {
  const writer = Object.hasOwn(WRITERS, format) ? WRITERS[format] : undefined;
  if (writer === undefined)
    throw new BuildError('COMPRESSION_UNKNOWN', { format, known: Object.keys(WRITERS).join(', ') });
  const level = options.level ?? writer.standard;
  if (format !== 'none' && (!Number.isInteger(level) || level < writer.lowest || level > writer.highest))
    throw new BuildError('COMPRESSION_LEVEL', { format, level, lowest: writer.lowest, highest: writer.highest });
  checkWritable(format);
  return writer.write(source, level, options.cuts);
}
