/** dpkg's in-memory hash tables of packages and paths: they determine the order of its own files. */

/** Bins of dpkg's package table (lib/dpkg/pkg-hash.c). */
const PACKAGE_BINS = 65521;
/** Bins of dpkg's table of paths (lib/dpkg/fsys-hash.c). */
const PATH_BINS = 262139;

/** Packages in the order dpkg walks them. */
export function inPackageOrder<T>(items: readonly T[], name: (item: T) => string): T[] {
  return inBins(items, (item) => fnv1a(name(item)) % PACKAGE_BINS);
}

/** Paths (absolute) in the order dpkg walks them. */
export function inPathOrder<T>(items: readonly T[], path: (item: T) => string): T[] {
  return inBins(items, (item) => fnv1a(path(item).replace(/^\/+/, '')) % PATH_BINS);
}

function inBins<T>(items: readonly T[], bin: (item: T) => number): T[] {
  return items
    .map((item, i) => ({ item, i, bin: bin(item) }))
    .sort((a, b) => a.bin - b.bin || a.i - b.i)
    .map(({ item }) => item);
}

/** The Fowler–Noll–Vo hash of a byte string, 32 bits. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
