import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CRC64 } from '../../src/compression/crc64.ts';
import { decodeBlock } from '../../src/compression/lz4.ts';
import { FillEncoder } from '../../src/compression/lz4-fill.ts';
import { LZ4_FILL } from '../../src/compression/lz4-fill-code.ts';
import { assemble } from '../../src/compression/wasm/assemble.ts';
import { LZMA } from '../../src/compression/xz/lzma-code.ts';
import { needs, random, temporary, tool } from '../support/data.ts';

/** Inputs of every nature: noise, runs, periods, text, and all of them in turns. */
function inputOf(seed: number): Uint8Array {
  const { below, pick } = random(seed);
  const bytes = new Uint8Array(pick([0, 1, 4, 5, 12, 13, 100, 4096, 70_000, 300_000]) + below(40));
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + below(pick([4, 30, 600, 9000, 100_000]));
    const kind = below(4);
    const period = 1 + below(9);
    const from = below(at + 1);
    for (let i = 0; i < length && at < bytes.length; i++, at++) {
      if (kind === 0) bytes[at] = below(256);
      else if (kind === 1) bytes[at] = at >= period ? bytes[at - period]! : 7;
      else if (kind === 2) bytes[at] = 97 + below(3);
      else bytes[at] = from + i < at ? bytes[from + i]! : 0;
    }
  }
  return bytes;
}

test('a block holds no more than its capacity, and decodes to what it consumed', () => {
  const encoders = [1, 2, 16, 256].map((depth) => new FillEncoder(depth));
  for (let seed = 0; seed < 240; seed++) {
    const { pick } = random(seed + 1000);
    const input = inputOf(seed);
    const encoder = pick(encoders);
    encoder.begin(input);
    const out = new Uint8Array(pick([20, 100, 4096, 8192, 65536, 1 << 20]));
    for (let at = 0; at < input.length; ) {
      const { consumed, produced } = encoder.fill(at, input.length, out);
      assert.ok(consumed > 0 && produced <= out.length, `seed ${seed}: ${consumed} bytes into ${produced}`);
      const decoded = new Uint8Array(consumed);
      assert.equal(decodeBlock(out.subarray(0, produced), decoded, 0, 0), consumed, `seed ${seed} at ${at}`);
      assert.deepEqual(Buffer.compare(decoded, input.subarray(at, at + consumed)), 0, `seed ${seed} at ${at}`);
      at += consumed;
    }
  }
});

test('what an encoder did before does not change its bytes', () => {
  const used = new FillEncoder(64);
  for (let seed = 0; seed < 60; seed++) {
    const input = inputOf(seed);
    const blocks = (encoder: FillEncoder) => {
      encoder.begin(input);
      const out = new Uint8Array(4096);
      const all: string[] = [];
      for (let at = 0; at < input.length; ) {
        const { consumed, produced } = encoder.fill(at, input.length, out);
        all.push(Buffer.from(out.subarray(0, produced)).toString('base64'));
        at += consumed;
      }
      return all;
    };
    assert.deepEqual(blocks(used), blocks(new FillEncoder(64)), `seed ${seed}`);
  }
});

test('the assembler makes what WABT makes', { skip: needs({ tools: ['wat2wasm'] }) }, (t) => {
  const folder = temporary(t);
  const module = `(module
    (memory (export "memory") 1)
    (global $sum (export "sum") (mut i32) (i32.const -65))
    (func $twice (param $x i32) (result i32) (i32.shl (local.get $x) (i32.const 1)))
    (func $other (param $y i32) (result i32) (local $a i64) (local $b i64) (local $c i32)
      ;; every form that is known
      (block $out (loop $in (br_if $in (i32.eqz (local.get $y))) (br $out)))
      (if (i32.lt_u (local.get $y) (i32.const 64)) (then (global.set $sum (i32.const 8191))) (else (nop)))
      (i64.store offset=300 (i32.const 0) (i64.load (i32.const 128)))
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 2))
      (memory.copy (i32.const 0) (i32.const 1) (i32.const 2))
      (drop (local.tee $c (i32.const -2147483648)))
      (if (result i32) (i64.eqz (local.get $a)) (then (call $twice (global.get $sum))) (else (i32.const 63))))
    (func $none (export "none")))`;
  for (const [name, text] of Object.entries({ module, LZ4_FILL, LZMA, CRC64 })) {
    const [from, to] = [join(folder, `${name}.wat`), join(folder, `${name}.wasm`)];
    writeFileSync(from, text);
    execFileSync(tool('wat2wasm')!, [from, '-o', to]);
    assert.deepEqual(Buffer.from(assemble(text)).toString('hex'), readFileSync(to).toString('hex'), name);
  }
});

test('what the assembler does not know is an error', () => {
  const inside = (text: string) => `(module (func $f (local $x i32) ${text}))`;
  for (const [text, reason] of [
    ['(module', /without its \)/],
    [')', /without its \(/],
    ['(other)', /module/],
    [inside('(f32.add)'), /f32\.add is not known/],
    [inside('(br $out)'), /no label \$out/],
    [inside('(local.get $y)'), /\$y is not declared/],
    [inside('(drop (i32.const one))'), /number/],
    ['(module (func $f (param $x f32)))', /type f32/],
  ] as const)
    assert.throws(() => assemble(text), reason);
});
