import { random } from '../support/data.ts';

type Random = ReturnType<typeof random>;

const NUMBERS = [
  0,
  1,
  2,
  7,
  8,
  127,
  128,
  255,
  256,
  4095,
  4096,
  32767,
  32768,
  65535,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
];
const WORDS = [
  '-1',
  '0',
  '99999999999999999999',
  '\0',
  '\n',
  '../',
  '%s',
  '$(',
  '`',
  '"',
  "'",
  '\\',
  '[',
  '(',
  '*',
  '{',
  '}',
  ' ',
  '\xff',
  '..',
  '/',
  ':',
  ',',
];

/** An input made from the seeds: the same for the same numbers, so that a crash is found again by its seed. */
export function mutated(seeds: readonly Uint8Array[], seed: number, round: number): Uint8Array {
  const source = random((seed * 0x9e3779b1 + round * 0x85ebca6b) >>> 0);
  let bytes = Uint8Array.from(source.pick(seeds));
  // the first rounds try the seeds as they are
  if (round < seeds.length) return Uint8Array.from(seeds[round]!);
  for (let left = 1 + source.below(6); left > 0; left--) bytes = change(bytes, seeds, source);
  return bytes;
}

/** One change. */
function change(bytes: Uint8Array<ArrayBuffer>, seeds: readonly Uint8Array[], source: Random): Uint8Array<ArrayBuffer> {
  const { below, pick } = source;
  if (bytes.length === 0) return Uint8Array.from({ length: 1 + below(64) }, () => below(256));
  const at = below(bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (below(12)) {
    case 0:
      bytes[at]! ^= 1 << below(8);
      return bytes;
    case 1:
      bytes[at] = below(256);
      return bytes;
    case 2:
      if (at + 2 <= bytes.length) view.setUint16(at, pick(NUMBERS) & 0xffff, below(2) === 0);
      return bytes;
    case 3:
      if (at + 4 <= bytes.length) view.setUint32(at, pick(NUMBERS), below(2) === 0);
      return bytes;
    case 4:
      return join(bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + below(64))));
    case 5:
      return join(bytes.subarray(0, at), bytes.subarray(at, at + 1 + below(64)), bytes.subarray(at));
    case 6:
      return bytes.slice(0, at);
    case 7: {
      const other = pick(seeds);
      return join(bytes.subarray(0, at), other.subarray(below(other.length + 1)));
    }
    case 8:
      return join(bytes.subarray(0, at), Buffer.from(pick(WORDS), 'latin1'), bytes.subarray(at));
    case 9: {
      // a digit or a letter of text
      const shown = bytes[at]!;
      bytes[at] = shown >= 48 && shown <= 57 ? 48 + below(10) : 32 + below(95);
      return bytes;
    }
    case 10:
      bytes.fill(pick([0, 255, 0x20, 0x41]), at, at + 1 + below(32));
      return bytes;
    default: {
      const from = below(bytes.length);
      bytes.copyWithin(at, from, from + 1 + below(64));
      return bytes;
    }
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts));
}
