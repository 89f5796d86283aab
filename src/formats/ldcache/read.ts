import { latin1 } from '../../bytes/struct.ts';
import type { CachedLibrary } from './emit.ts';
import {
  CacheExtension,
  CacheHeader,
  EXTENSION_MAGIC,
  FLAG_BIG_ENDIAN,
  MAGIC,
  OLD_ENTRY,
  OLD_HEADER,
  OLD_MAGIC,
} from './layout.ts';

/** The content of a loader cache. */
export interface LdCache {
  readonly libraries: readonly CachedLibrary[];
  readonly generator: string | undefined;
  readonly littleEndian: boolean;
}

/** Reads a cache of the new format, alone or after an old one; undefined when it is neither or damaged. */
export function readLdCache(bytes: Uint8Array): LdCache | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let start = 0;
  if (latin1(bytes.subarray(0, OLD_MAGIC.length)) === OLD_MAGIC) {
    if (bytes.length < OLD_HEADER) return undefined;
    // the new format follows the old entries, aligned to eight bytes; its name offsets count from its own start
    start = Math.ceil((OLD_HEADER + view.getUint32(12, true) * OLD_ENTRY) / 8) * 8;
  }
  if (latin1(bytes.subarray(start, start + MAGIC.length)) !== MAGIC || start + CacheHeader.size > bytes.length)
    return undefined;
  const little = (bytes[start + CacheHeader.offset.flags]! & 3) !== FLAG_BIG_ENDIAN;
  const word = (at: number) => view.getUint32(at, little);
  const count = word(start + CacheHeader.offset.nlibs);
  if (start + CacheHeader.size + count * 24 > bytes.length) return undefined;
  const name = (at: number): string | undefined => {
    const end = bytes.indexOf(0, at);
    return at >= bytes.length || end < 0 ? undefined : latin1(bytes.subarray(at, end));
  };
  const libraries: CachedLibrary[] = [];
  for (let i = 0; i < count; i++) {
    const at = start + CacheHeader.size + i * 24;
    const soname = name(start + word(at + 4));
    const path = name(start + word(at + 8));
    if (soname === undefined || path === undefined) return undefined;
    libraries.push({ flags: word(at), soname, path });
  }
  const extension = word(start + CacheHeader.offset.extensionOffset);
  let generator: string | undefined;
  if (extension !== 0 && start + extension + CacheExtension.size <= bytes.length) {
    const at = start + extension;
    if (word(at) === EXTENSION_MAGIC && word(at + 4) >= 1)
      generator = latin1(bytes.subarray(start + word(at + 16), start + word(at + 16) + word(at + 20)));
  }
  return { libraries, generator, littleEndian: little };
}
