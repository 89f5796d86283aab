import {
  CacheEntry,
  CacheExtension,
  CacheHeader,
  EXTENSION_MAGIC,
  FLAG_BIG_ENDIAN,
  FLAG_LITTLE_ENDIAN,
  MAGIC,
} from './layout.ts';

/** A library the loader can find: its soname and where it is. */
export interface CachedLibrary {
  /** Name that programs request (byte string). */
  readonly soname: string;
  /** Absolute path (byte string). */
  readonly path: string;
  /** What kind of library it is: FLAG_ELF_LIBC6 with the machine's bits. */
  readonly flags: number;
}

/** How the file is written. */
export interface CacheOptions {
  /** ldconfig's generator name; the extension is omitted without it. */
  readonly generator?: string;
  readonly littleEndian?: boolean;
}

/** The bytes of /etc/ld.so.cache. */
export function ldCache(libraries: readonly CachedLibrary[], options: CacheOptions = {}): Uint8Array {
  const little = options.littleEndian ?? true;
  // the loader uses a binary search, so the order is part of the format
  const sorted = libraries
    .map((library, i) => ({ library, i }))
    .sort((a, b) => compareSonames(b.library.soname, a.library.soname) || a.i - b.i)
    .map(({ library }) => library);
  const table = stringTable(sorted.flatMap((library) => [library.soname, library.path]));
  const stringsAt = CacheHeader.size + sorted.length * CacheEntry.size;
  const end = stringsAt + table.bytes.length;
  const extensionAt = Math.ceil(end / 4) * 4;
  const generator = options.generator === undefined ? undefined : Buffer.from(options.generator, 'latin1');
  const size = generator === undefined ? end : extensionAt + CacheExtension.size + generator.length;
  const out = new Uint8Array(size);
  CacheHeader.write(out, 0, {
    magic: MAGIC,
    nlibs: sorted.length,
    stringsSize: table.bytes.length,
    flags: little ? FLAG_LITTLE_ENDIAN : FLAG_BIG_ENDIAN,
    extensionOffset: generator === undefined ? 0 : extensionAt,
  });
  for (const [i, library] of sorted.entries())
    CacheEntry.write(out, CacheHeader.size + i * CacheEntry.size, {
      flags: library.flags,
      key: stringsAt + table.offsets.get(library.soname)!,
      value: stringsAt + table.offsets.get(library.path)!,
    });
  out.set(table.bytes, stringsAt);
  if (generator !== undefined) {
    CacheExtension.write(out, extensionAt, {
      magic: EXTENSION_MAGIC,
      count: 1,
      offset: extensionAt + CacheExtension.size,
      size: generator.length,
    });
    out.set(generator, extensionAt + CacheExtension.size);
  }
  if (!little) swapWords(out, stringsAt, generator === undefined ? undefined : extensionAt);
  return out;
}

/** The tables above are little-endian: swaps the bytes of their words for big-endian machines. */
function swapWords(out: Uint8Array, stringsAt: number, extensionAt: number | undefined): void {
  const view = new DataView(out.buffer);
  const swap = (from: number, to: number) => {
    for (let at = from; at < to; at += 4) view.setUint32(at, view.getUint32(at, true), false);
  };
  swap(20, 28);
  swap(32, 36);
  // the 64-bit hwcap is zero, so swapping words is enough
  swap(CacheHeader.size, stringsAt);
  if (extensionAt !== undefined) swap(extensionAt, extensionAt + CacheExtension.size);
}

/**
 * The loader's own order of names (`_dl_cache_libcmp`): runs of digits compare as numbers, a digit comes after
 * anything else, other bytes by value.
 */
export function compareSonames(a: string, b: string): number {
  let i = 0;
  let j = 0;
  const digit = (code: number) => code >= 48 && code <= 57;
  while (i < a.length) {
    const x = a.charCodeAt(i);
    const y = j < b.length ? b.charCodeAt(j) : 0;
    if (digit(x)) {
      if (!digit(y)) return 1;
      let m = 0;
      let n = 0;
      while (i < a.length && digit(a.charCodeAt(i))) m = m * 10 + a.charCodeAt(i++) - 48;
      while (j < b.length && digit(b.charCodeAt(j))) n = n * 10 + b.charCodeAt(j++) - 48;
      if (m !== n) return m - n;
    } else if (digit(y)) {
      return -1;
    } else if (x !== y) {
      return x - y;
    } else {
      i++;
      j++;
    }
  }
  return j < b.length ? -1 : 0;
}

/** Strings with shared endings stored once: sorted by their ends, so that one that ends another follows it. */
function stringTable(strings: readonly string[]): { bytes: Uint8Array; offsets: Map<string, number> } {
  const sorted = [...new Set(strings)].sort(byEndDescending);
  const offsets = new Map<string, number>();
  let size = 0;
  let previous: { text: string; offset: number } | undefined;
  for (const text of sorted) {
    const offset: number =
      previous === undefined
        ? 0
        : previous.text.endsWith(text)
          ? previous.offset + previous.text.length - text.length
          : previous.offset + previous.text.length + 1;
    offsets.set(text, offset);
    size = Math.max(size, offset + text.length + 1);
    previous = { text, offset };
  }
  const bytes = new Uint8Array(size);
  for (const [text, offset] of offsets) bytes.set(Buffer.from(text, 'latin1'), offset);
  return { bytes, offsets };
}

function byEndDescending(a: string, b: string): number {
  let i = a.length;
  let j = b.length;
  while (i > 0 && j > 0) {
    const difference = b.charCodeAt(--j) - a.charCodeAt(--i);
    if (difference !== 0) return difference;
  }
  // one ends the other: the longer first
  return b.length - a.length;
}
