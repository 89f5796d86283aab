import { copyOf } from '../bytes/content.ts';
import { blockBound } from './lz4.ts';

/** Encodes LZ4 blocks, as lz4_Block_format.md describes them. */

const SHORTEST = 4;
/** The last match begins at least this many bytes before the end of the block, and the last five bytes are literals. */
const LAST_MATCH = 12;
const LAST_LITERALS = 5;
const FARTHEST = 65535;
const HASH_BITS = 16;

/**
 * Encodes `input` as one block. Level 1 checks one earlier position for each position, higher levels check 2^(level-1)
 * of them, and also the next position before they accept a match.
 */
export function encodeBlock(input: Uint8Array, level: number): Uint8Array<ArrayBuffer> {
  const size = input.length;
  const out = new Uint8Array(blockBound(size));
  const heads = new Int32Array(1 << HASH_BITS).fill(-1);
  const depth = level === 1 ? 1 : 1 << (level - 1);
  // by position modulo 64 KiB: how far back the last position with the same hash is
  const chain = new Uint16Array(depth > 1 ? 1 << 16 : 0);
  const matchEnd = size - LAST_LITERALS;
  const lastStart = size - LAST_MATCH;
  let to = 0;
  let anchor = 0;
  let at = 0;
  let next = 0;
  let foundLength = 0;
  let foundPlace = 0;

  const hash = (place: number) =>
    Math.imul(
      input[place]! | (input[place + 1]! << 8) | (input[place + 2]! << 16) | (input[place + 3]! << 24),
      -1640531535,
    ) >>>
    (32 - HASH_BITS);

  /** Enters all positions up to `end` into the table. */
  const enter = (end: number) => {
    for (; next < end; next++) {
      const slot = hash(next);
      if (depth > 1) {
        const back = next - heads[slot]!;
        chain[next & 0xffff] = heads[slot]! < 0 || back > FARTHEST ? 0 : back;
      }
      heads[slot] = next;
    }
  };

  const measure = (a: number, b: number) => {
    const start = b;
    while (b < matchEnd && input[a] === input[b]) {
      a++;
      b++;
    }
    return b - start;
  };

  /** The longest match at `place` among the candidates that are longer than `best`. */
  const find = (place: number, best: number) => {
    foundLength = best;
    const slot = hash(place);
    let candidate = heads[slot]!;
    for (let tries = depth; candidate >= 0 && tries > 0; tries--) {
      if (place - candidate > FARTHEST) break;
      if (input[candidate + foundLength] === input[place + foundLength]) {
        const length = measure(candidate, place);
        if (length > foundLength && length >= SHORTEST) {
          foundLength = length;
          foundPlace = candidate;
          if (place + length >= matchEnd) break;
        }
      }
      if (depth === 1) break;
      const back = chain[candidate & 0xffff]!;
      if (back === 0) break;
      candidate -= back;
    }
  };

  const lengthBytes = (value: number) => {
    let left = value;
    for (; left >= 255; left -= 255) out[to++] = 255;
    out[to++] = left;
  };

  const literals = (end: number, matchCode: number) => {
    const count = end - anchor;
    out[to++] = (Math.min(count, 15) << 4) | matchCode;
    if (count >= 15) lengthBytes(count - 15);
    if (count > 32) out.set(input.subarray(anchor, end), to);
    else for (let i = 0; i < count; i++) out[to + i] = input[anchor + i]!;
    to += count;
  };

  let misses = 0;
  while (at <= lastStart) {
    if (depth > 1) enter(at);
    find(at, 0);
    if (depth === 1) heads[hash(at)] = at;
    if (foundLength < SHORTEST) {
      // where nothing matches, steps grow
      at += 1 + (misses++ >> (depth === 1 ? 6 : 9));
      continue;
    }
    misses = 0;
    let length = foundLength;
    let place = foundPlace;
    while (depth > 1 && at + 1 <= lastStart) {
      enter(at + 1);
      find(at + 1, length);
      if (foundLength <= length) break;
      at++;
      length = foundLength;
      place = foundPlace;
    }
    while (at > anchor && place > 0 && input[at - 1] === input[place - 1]) {
      at--;
      place--;
      length++;
    }
    literals(at, Math.min(length - SHORTEST, 15));
    const distance = at - place;
    out[to++] = distance;
    out[to++] = distance >> 8;
    if (length - SHORTEST >= 15) lengthBytes(length - SHORTEST - 15);
    at += length;
    anchor = at;
    if (depth === 1 && at <= lastStart) heads[hash(at - 2)] = at - 2;
  }
  literals(size, 0);
  return copyOf(out.subarray(0, to));
}
