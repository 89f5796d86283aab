import { NameHash } from '../hash.ts';

const HASHES = ['legacy', 'half MD4', 'TEA'] as const;
/** The end mark of the hash space, which no name may have. */
const EOF_HASH = 0xfffffffe;

/** Hashes a name as a directory's index does; undefined for a hash that is not known. */
export function nameHasher(version: number, seed: Uint8Array, signed: boolean): ((name: string) => number) | undefined {
  const kind = HASHES[version % 3];
  if (version > 5 || kind === undefined) return undefined;
  if (kind === 'half MD4') {
    const hash = new NameHash(seed, signed);
    return (name) => hash.of(name);
  }
  return kind === 'legacy' ? (name) => finish(legacy(name, signed)) : (name) => finish(tea(name, seed, signed));
}

function finish(hash: number): number {
  const major = (hash & ~1) >>> 0;
  return major === EOF_HASH ? EOF_HASH - 2 : major;
}

function code(name: string, at: number, signed: boolean): number {
  const byte = name.charCodeAt(at);
  return signed ? (byte << 24) >> 24 : byte;
}

/** dx_hack_hash of fs/ext4/hash.c */
function legacy(name: string, signed: boolean): number {
  let before = 0x12a3fe2d;
  let last = 0x37abe8f9;
  for (let i = 0; i < name.length; i++) {
    let hash = (before + (last ^ Math.imul(code(name, i, signed), 7152373))) >>> 0;
    if (hash & 0x80000000) hash = (hash - 0x7fffffff) >>> 0;
    before = last;
    last = hash;
  }
  return (last << 1) >>> 0;
}

/** Sixteen rounds of the Tiny Encryption Algorithm per sixteen bytes of the name. */
function tea(name: string, seed: Uint8Array, signed: boolean): number {
  const view = new DataView(seed.buffer, seed.byteOffset, 16);
  let state = [0, 4, 8, 12].map((at) => view.getUint32(at, true));
  if (state.every((word) => word === 0)) state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  let a = state[0]!;
  let b = state[1]!;
  for (let from = 0; from < name.length; from += 16) {
    const words = fill(name, from, signed);
    let sum = 0;
    let x = a;
    let y = b;
    for (let round = 0; round < 16; round++) {
      sum = (sum + 0x9e3779b9) >>> 0;
      x = (x + ((((y << 4) + words[0]!) ^ (y + sum) ^ ((y >>> 5) + words[1]!)) >>> 0)) >>> 0;
      y = (y + ((((x << 4) + words[2]!) ^ (x + sum) ^ ((x >>> 5) + words[3]!)) >>> 0)) >>> 0;
    }
    a = (a + x) >>> 0;
    b = (b + y) >>> 0;
  }
  return a;
}

/** Sixteen bytes of the name as words; what is missing is filled with the length (str2hashbuf). */
function fill(name: string, from: number, signed: boolean): number[] {
  const left = name.length - from;
  const length = left & 0xff;
  const pad = (length | (length << 8) | (length << 16) | (length << 24)) >>> 0;
  const end = Math.min(left, 16);
  return [0, 1, 2, 3].map((word) => {
    let value = pad;
    for (let i = word * 4; i < word * 4 + 4 && i < end; i++)
      value = (code(name, from + i, signed) + (value << 8)) >>> 0;
    return value;
  });
}
