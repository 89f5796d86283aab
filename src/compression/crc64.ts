import { assemble, type Instance, instantiate } from './wasm/assemble.ts';

/** Address of the bytes to read; the tables are before it: eight of 256 entries of eight bytes. */
const INPUT = 1 << 14;
/** Bytes that are read at once. */
const PIECE = 1 << 16;

/** The entry of table `table` for byte `byte` of a word of 32 bits. */
const entry = (table: number, word: string, byte: number) =>
  `(i64.load offset=${table * 2048} (i32.and ${
    byte === 0 ? `(i32.shl ${word} (i32.const 3))` : `(i32.shr_u ${word} (i32.const ${8 * byte - 3}))`
  } (i32.const 2040)))`;

const LOW = '(local.get $low)';
const HIGH = '(local.get $high)';
const WORD = [7, 6, 5, 4, 3, 2, 1, 0]
  .map((table, i) => entry(table, i < 4 ? LOW : HIGH, i % 4))
  .reduce((all, one) => `(i64.xor ${all} ${one})`);

/** Eight bytes at once, by eight tables ("slicing by 8"). JavaScript has no 64-bit numbers that are as fast. */
export const CRC64 = `
(module
  (memory (export "memory") 2)
  (func $update (export "update") (param $crc i64) (param $at i32) (param $end i32) (result i64)
    (local $low i32) (local $high i32)
    (block $short
      (loop $words
        (br_if $short (i32.gt_u (i32.add (local.get $at) (i32.const 8)) (local.get $end)))
        (local.set $crc (i64.xor (local.get $crc) (i64.load (local.get $at))))
        (local.set $low (i32.wrap_i64 (local.get $crc)))
        (local.set $high (i32.wrap_i64 (i64.shr_u (local.get $crc) (i64.const 32))))
        (local.set $crc ${WORD})
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $words)))
    (block $done
      (loop $bytes
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $low (i32.xor (i32.wrap_i64 (local.get $crc)) (i32.load8_u (local.get $at))))
        (local.set $crc (i64.xor (i64.shr_u (local.get $crc) (i64.const 8)) ${entry(0, LOW, 0)}))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $bytes)))
    (local.get $crc)))`;

interface Code extends Instance {
  update(crc: bigint, at: number, end: number): bigint;
}

let code: Code | undefined;
let memory = new Uint8Array(0);

/** The code with its tables; its memory never grows. */
function made(): Code {
  if (code !== undefined) return code;
  code = instantiate<Code>(assemble(CRC64));
  memory = new Uint8Array(code.memory.buffer);
  const view = new DataView(code.memory.buffer);
  for (let i = 0; i < 256; i++) {
    let low = i;
    let high = 0;
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (odd) {
        low ^= 0xd7870f42;
        high ^= 0xc96c5795;
      }
    }
    view.setInt32(8 * i, low, true);
    view.setInt32(8 * i + 4, high, true);
  }
  for (let at = 2048; at < INPUT; at += 8) {
    const low = view.getInt32(at - 2048, true);
    const high = view.getInt32(at - 2044, true);
    const first = 8 * (low & 0xff);
    view.setInt32(at, ((low >>> 8) | (high << 24)) ^ view.getInt32(first, true), true);
    view.setInt32(at + 4, (high >>> 8) ^ view.getInt32(first + 4, true), true);
  }
  return code;
}

/** CRC-64 as in xz (ECMA-182, reflected: 0xC96C5795D7870F42), computed incrementally. */
export class Crc64 {
  private crc = 0xffffffffffffffffn;

  update(bytes: Uint8Array): void {
    const { update } = made();
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      memory.set(piece, INPUT);
      this.crc = update(this.crc, INPUT, INPUT + piece.length);
    }
  }

  /** The eight bytes as they are in the file, least significant first. */
  bytes(): Uint8Array {
    const out = new Uint8Array(8);
    new DataView(out.buffer).setBigUint64(0, BigInt.asUintN(64, ~this.crc), true);
    return out;
  }
}
