import { BuildError } from '../errors/error.ts';
import { type Content, type Extent, type FileContent, zeroPieces } from './content.ts';

/** A file with holes, composed over its stored data: the bytes of the extents back to back. */
export interface SparseContent extends FileContent {
  readonly extents: readonly Extent[];
  readonly stored: FileContent;
}

/** True when a content was made by {@link sparse}: `stored` and `extents` then describe it completely. */
export function isSparse(content: FileContent): content is SparseContent {
  return 'stored' in content;
}

/** Bytes of data in these extents. */
export function dataSize(extents: readonly Extent[]): number {
  return extents.reduce((sum, extent) => sum + extent.size, 0);
}

/**
 * The file of `size` bytes whose data, stored back to back, is at `extents` (ascending, disjoint); the rest is holes.
 */
export function sparse(stored: FileContent, extents: readonly Extent[], size: number): SparseContent {
  let end = 0;
  for (const extent of extents) {
    if (extent.offset < end || extent.size < 0) throw new RangeError(`extent at ${extent.offset} overlaps one before`);
    end = extent.offset + extent.size;
  }
  if (end > size) throw new RangeError(`extents end at ${end} of a file of ${size} bytes`);
  if (dataSize(extents) !== stored.size) throw new RangeError(`extents do not add up to ${stored.size} stored bytes`);
  return {
    size,
    extents,
    stored,
    async *open() {
      let at = 0;
      let index = 0;
      let done = 0; // bytes of the current extent
      const holeBefore = function* (): Generator<Uint8Array> {
        while (index < extents.length && done === extents[index]!.size) {
          index++;
          done = 0;
        }
        const next = index < extents.length ? extents[index]!.offset + done : size;
        yield* zeroPieces(next - at);
        at = next;
      };
      for await (const piece of stored.open()) {
        for (let used = 0; used < piece.length; ) {
          yield* holeBefore();
          const part = piece.subarray(used, used + extents[index]!.size - done);
          yield part;
          used += part.length;
          done += part.length;
          at += part.length;
        }
      }
      yield* holeBefore();
    },
    readSync() {
      const bytes = new Uint8Array(size);
      const data = stored.readSync();
      let from = 0;
      for (const extent of extents) {
        bytes.set(data.subarray(from, from + extent.size), extent.offset);
        from += extent.size;
      }
      return bytes;
    },
  };
}

/** Only the data of a content with holes, the inverse of {@link sparse}. `path` is for messages. */
export function dataOf(content: FileContent, extents: readonly Extent[], path: string): Content {
  if (isSparse(content) && content.extents === extents) return content.stored;
  return {
    size: dataSize(extents),
    async *open() {
      let at = 0;
      let index = 0;
      for await (const piece of content.open()) {
        const end = at + piece.length;
        while (index < extents.length && extents[index]!.offset < end) {
          const extent = extents[index]!;
          const part = piece.subarray(Math.max(0, extent.offset - at), extent.offset + extent.size - at);
          if (part.length > 0) yield part;
          if (extent.offset + extent.size > end) break;
          index++;
        }
        at = end;
      }
      if (at !== content.size) throw new BuildError('CONTENT_SIZE', { path, declared: content.size, read: at });
    },
  };
}
