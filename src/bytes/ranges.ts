import { type Bytes, type FileContent, zeroPieces } from './content.ts';

/** Consecutive blocks: the first one and how many. */
export type BlockRange = readonly [first: number, length: number];

/** Where a file has data, in blocks. */
export function blockRanges(content: FileContent, blockSize: number): BlockRange[] {
  const blocks = Math.ceil(content.size / blockSize);
  if (content.extents === undefined) return blocks === 0 ? [] : [[0, blocks]];
  const ranges: [number, number][] = [];
  for (const { offset, size } of content.extents) {
    if (size === 0) continue;
    const from = Math.floor(offset / blockSize);
    const to = Math.min(blocks, Math.ceil((offset + size) / blockSize));
    const last = ranges[ranges.length - 1];
    if (last !== undefined && from <= last[0] + last[1]) last[1] = Math.max(last[1], to - last[0]);
    else if (to > from) ranges.push([from, to - from]);
  }
  return ranges;
}

/** The data of a content without its holes, padded to whole blocks. `ended` gets the number of bytes. */
export async function* blockData(content: FileContent, blockSize: number, ended: (read: number) => void): Bytes {
  const ranges = blockRanges(content, blockSize);
  let index = 0;
  let at = 0;
  for await (const piece of content.open()) {
    let from = 0;
    // more than declared is noticed at the end; it must not go into the image
    const length = Math.min(piece.length, Math.max(0, content.size - at));
    while (from < length && index < ranges.length) {
      const start = ranges[index]![0] * blockSize;
      const end = start + ranges[index]![1] * blockSize;
      const here = at + from;
      if (here < start) {
        from = Math.min(length, from + start - here);
        continue;
      }
      const part = piece.subarray(from, Math.min(length, from + end - here));
      yield part;
      from += part.length;
      if (at + from >= end) index++;
    }
    at += piece.length;
    if (at > content.size) break;
  }
  ended(at);
  if (at !== content.size || index >= ranges.length) return;
  const last = ranges[ranges.length - 1]!;
  yield* zeroPieces((last[0] + last[1]) * blockSize - at);
}
