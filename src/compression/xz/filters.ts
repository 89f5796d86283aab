import { copyOf } from '../../bytes/content.ts';

/**
 * Undoes the filters that xz may apply before LZMA2: delta, and the branch filters, which turn absolute call targets
 * back into relative ones. Facts from the .xz format's list of filters and the instruction sets' manuals.
 */

/** Undoes a branch filter in `bytes`, which begin at `position` of the block; returns how many are finished. */
type Branch = (bytes: Uint8Array, position: number) => number;

/** Filter ids of the .xz format. */
export const DELTA = 0x03;
export const LZMA2 = 0x21;

/** The branch filters: id, and how instructions are aligned in bytes. */
export const BRANCH: ReadonlyMap<number, { readonly make: () => Branch; readonly align: number }> = new Map([
  [0x04, { make: x86, align: 1 }],
  [0x05, { make: () => powerpc, align: 4 }],
  [0x06, { make: () => ia64, align: 16 }],
  [0x07, { make: () => arm, align: 4 }],
  [0x08, { make: () => armThumb, align: 2 }],
  [0x09, { make: () => sparc, align: 4 }],
  [0x0a, { make: () => arm64, align: 4 }],
]);

/** Undoes the delta filter over `distance` bytes. Pieces are changed in place. */
export async function* undelta(source: AsyncIterable<Uint8Array>, distance: number): AsyncGenerator<Uint8Array> {
  const history = new Uint8Array(256);
  let at = 0;
  for await (const piece of source) {
    for (let i = 0; i < piece.length; i++) {
      const value = (piece[i]! + history[(at - distance) & 255]!) & 255;
      piece[i] = value;
      history[at++ & 255] = value;
    }
    yield piece;
  }
}

/**
 * Undoes a branch filter. Pieces are changed in place; the few bytes of an unfinished instruction wait for the next.
 */
export async function* unbranch(
  source: AsyncIterable<Uint8Array>,
  branch: Branch,
  position: number,
): AsyncGenerator<Uint8Array> {
  let held: Uint8Array = new Uint8Array(0);
  let at = position;
  for await (const piece of source) {
    const bytes: Uint8Array = held.length === 0 ? piece : Buffer.concat([held, piece]);
    const done = branch(bytes, at);
    at = (at + done) | 0;
    held = copyOf(bytes.subarray(done));
    yield bytes.subarray(0, done);
  }
  yield held;
}

/** Every piece as a copy that may be changed in place, in one array that is used again and again. */
export async function* owned(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const array = new Uint8Array(1 << 17);
  for await (const piece of source)
    for (let at = 0; at < piece.length; at += array.length) {
      const part = piece.subarray(at, at + array.length);
      array.set(part);
      yield array.subarray(0, part.length);
    }
}

const outermost = (byte: number) => byte === 0 || byte === 0xff;

/** CALL (E8) and JMP (E9) with a 32-bit operand whose top byte is 00 or FF. */
function x86(): Branch {
  // bits 1 to 4 of `mask`: which of the last bytes looked like an opcode or like the top byte of an operand
  let mask = 0;
  let last = -5;
  return (bytes, position) => {
    const end = bytes.length - 4;
    let at = 0;
    while (at < end) {
      if ((bytes[at]! & 0xfe) !== 0xe8) {
        at++;
        continue;
      }
      const here = (position + at) | 0;
      const gap = (here - last) >>> 0;
      last = here;
      if (gap > 5) mask = 0;
      else for (let i = 0; i < gap; i++) mask = (mask & 0x77) << 1;
      const top = bytes[at + 4]!;
      const status = mask >> 1;
      if (outermost(top) && status < 0x10 && (status & 7) !== 3 && (status & 7) < 5) {
        let operand = bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16) | (top << 24);
        let target: number;
        for (;;) {
          target = (operand - (here + 5)) | 0;
          if (mask === 0) break;
          const bits = 24 - 8 * (status > 3 ? 3 : status > 1 ? 2 : status);
          if (!outermost((target >>> bits) & 0xff)) break;
          operand = target ^ (bits + 8 === 32 ? -1 : (1 << (bits + 8)) - 1);
        }
        bytes[at + 1] = target;
        bytes[at + 2] = target >> 8;
        bytes[at + 3] = target >> 16;
        bytes[at + 4] = (target >> 24) & 1 ? 0xff : 0;
        at += 5;
        mask = 0;
      } else {
        at++;
        mask |= outermost(top) ? 0x11 : 1;
      }
    }
    return at;
  };
}

/** BL: condition "always", opcode 1011. */
function arm(bytes: Uint8Array, position: number): number {
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    if (bytes[at + 3] !== 0xeb) continue;
    const operand = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)) << 2;
    const target = (operand - (position + at + 8)) >>> 2;
    bytes[at] = target;
    bytes[at + 1] = target >> 8;
    bytes[at + 2] = target >> 16;
  }
  return at;
}

/** BL and BLX as a pair of half words. */
function armThumb(bytes: Uint8Array, position: number): number {
  let at = 0;
  for (; at + 4 <= bytes.length; at += 2) {
    if ((bytes[at + 1]! & 0xf8) !== 0xf0 || (bytes[at + 3]! & 0xf8) !== 0xf8) continue;
    const operand = ((bytes[at + 1]! & 7) << 19) | (bytes[at]! << 11) | ((bytes[at + 3]! & 7) << 8) | bytes[at + 2]!;
    const target = ((operand << 1) - (position + at + 4)) >>> 1;
    bytes[at + 1] = 0xf0 | ((target >>> 19) & 7);
    bytes[at] = target >>> 11;
    bytes[at + 3] = 0xf8 | ((target >>> 8) & 7);
    bytes[at + 2] = target;
    at += 2;
  }
  return at;
}

/** BL, and ADRP within 512 MiB. */
function arm64(bytes: Uint8Array, position: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    const instruction = view.getUint32(at, true);
    const here = (position + at) >>> 0;
    if (instruction >>> 26 === 0x25) {
      view.setUint32(at, 0x94000000 | ((instruction - (here >>> 2)) & 0x03ffffff), true);
    } else if ((instruction & 0x9f000000) >>> 0 === 0x90000000) {
      const page = ((instruction >>> 29) & 3) | ((instruction >>> 3) & 0x1ffffc);
      if ((page + 0x20000) & 0x1c0000) continue;
      const target = page - (here >>> 12);
      const sign = target & 0x20000 ? 0xe00000 : 0;
      const fields = ((target & 3) << 29) | ((target & 0x3fffc) << 3) | sign;
      view.setUint32(at, (instruction & 0x9000001f) | fields, true);
    }
  }
  return at;
}

/** "bl" with relative addressing. */
function powerpc(bytes: Uint8Array, position: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    const instruction = view.getUint32(at);
    if ((instruction & 0xfc000003) !== 0x48000001) continue;
    const target = (instruction & 0x03fffffc) - (position + at);
    view.setUint32(at, 0x48000001 | (target & 0x03fffffc));
  }
  return at;
}

/** CALL within 16 MiB. */
function sparc(bytes: Uint8Array, position: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    const instruction = view.getUint32(at);
    const head = instruction >>> 22;
    if (head !== 0x100 && head !== 0x1ff) continue;
    const target = ((instruction << 2) - (position + at)) >>> 2;
    const sign = target & 0x400000 ? -1 << 22 : 0;
    view.setUint32(at, 0x40000000 | (sign & 0x3fffffff) | (target & 0x3fffff));
  }
  return at;
}

/** Which of a bundle's three slots hold a branch, by the template in its lowest five bits. */
const IA64_SLOTS = Uint8Array.of(
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  4,
  4,
  6,
  6,
  0,
  0,
  7,
  7,
  4,
  4,
  0,
  0,
  4,
  4,
  0,
  0,
);

/** br.call in bundles of 16 bytes: three instructions of 41 bits. Rare enough for big integers. */
function ia64(bytes: Uint8Array, position: number): number {
  let at = 0;
  for (; at + 16 <= bytes.length; at += 16) {
    const slots = IA64_SLOTS[bytes[at]! & 0x1f]!;
    for (let slot = 0; slot < 3; slot++) {
      if (((slots >> slot) & 1) === 0) continue;
      const bit = 5 + 41 * slot;
      const start = at + (bit >> 3);
      const shift = BigInt(bit & 7);
      let field = 0n;
      for (let i = 5; i >= 0; i--) field = (field << 8n) | BigInt(bytes[start + i]!);
      let instruction = field >> shift;
      if (((instruction >> 37n) & 0xfn) !== 5n || ((instruction >> 9n) & 7n) !== 0n) continue;
      const operand = Number((instruction >> 13n) & 0xfffffn) | (Number((instruction >> 36n) & 1n) << 20);
      const target = BigInt(((operand << 4) - (position + at)) >>> 4);
      instruction &= ~(0x8fffffn << 13n);
      instruction |= (target & 0xfffffn) << 13n;
      instruction |= (target & 0x100000n) << 16n;
      field = (field & ((1n << shift) - 1n)) | (instruction << shift);
      for (let i = 0; i < 6; i++) bytes[start + i] = Number((field >> BigInt(8 * i)) & 0xffn);
    }
  }
  return at;
}
