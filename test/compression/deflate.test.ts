import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import { Deflate } from 'pako';
import { Deflater, INPUT_MAX } from '../../src/compression/deflate/deflater.ts';
import { random } from '../support/data.ts';
import { noise, sample } from './samples.ts';

/** pako with the settings that our output imitates. */
function reference(bytes: Uint8Array, before: number, level: number, last: boolean): Buffer {
  const dictionary = before > 0 ? { dictionary: bytes.subarray(0, before) } : {};
  const engine = new Deflate({ raw: true, level, memLevel: 7, chunkSize: 1 << 16, ...dictionary });
  const parts: Uint8Array[] = [];
  engine.onData = (part) => {
    parts.push(part.slice());
  };
  engine.onEnd = () => {};
  engine.push(bytes.subarray(before), last ? 4 : 2);
  assert.equal(engine.err, 0);
  return Buffer.concat(parts);
}

const deflater = new Deflater();

function compare(bytes: Uint8Array, before: number, level: number, last: boolean): Buffer {
  const ours = Buffer.from(deflater.deflate(bytes, before, level, last));
  const theirs = reference(bytes, before, level, last);
  const what = `${bytes.length} bytes, ${before} of them before, level ${level}, ${last ? 'last' : 'not last'}`;
  assert.ok(ours.equals(theirs), `${what}: ${ours.length} bytes, pako ${theirs.length}`);
  return ours;
}

test('deflate: pako has the same bytes, of text, noise, runs and mixtures, at every level', () => {
  const { below } = random(91);
  const text = sample(92, 700_000);
  for (let i = 0; i < 90; i++) {
    const before = [0, 32768, below(6), below(32768)][below(4)]!;
    const size = [below(300), below(70_000), below(262_145), 262_144][below(4)]!;
    const start = below(text.length - before - size);
    const bytes = text.slice(start, start + before + size);
    const kind = below(5);
    const letters = 1 + below(4);
    if (kind === 1) for (let at = 0; at < bytes.length; at += 1 + below(6)) bytes[at] = below(256);
    if (kind === 2) bytes.set(noise(i, bytes.length));
    if (kind === 3) for (let at = 0; at < bytes.length; at++) bytes[at] = 37 * below(letters);
    compare(bytes, before, 1 + (i % 9), below(2) === 0);
  }
});

test('deflate: pako has the same bytes where its window is moved', () => {
  const { below } = random(93);
  for (const near of [32_768, 65_536, 98_304])
    for (let off = -280; off <= 280; off += 1 + below(20)) {
      const bytes = new Uint8Array(near + off);
      const letters = [4, 16, 256][below(3)]!;
      for (let at = 0; at < bytes.length; at++)
        bytes[at] = at > 32_507 && below(3) > 0 ? bytes[at - 32_507 + below(3)]! : below(letters);
      // the end is found as far back as it may be, or just not
      for (let at = Math.max(0, bytes.length - below(9)); at < bytes.length; at++) bytes[at] = bytes[at - 32_506] ?? 0;
      compare(bytes, off % 2 === 0 ? 0 : Math.min(32_768, bytes.length), [1, 4, 6, 9][below(4)]!, off % 3 === 0);
    }
});

test('deflate: pako has the same bytes where a piece of its output ends within the mark of a flush', () => {
  const { below } = random(94);
  const mark = Buffer.of(0, 0, 0xff, 0xff);
  let twice = 0;
  const all = noise(95, 66_000);
  for (let size = 65_440; size < 65_540; size++) {
    const ours = compare(all.slice(0, size), 0, 1 + below(9), false);
    if (ours.subarray(-9, -5).equals(mark)) twice++;
  }
  assert.ok(twice > 0, 'no mark was cut');
});

test('deflate: zlib reads all that we write, block behind block', () => {
  const { below } = random(96);
  const whole = sample(97, 900_000);
  for (const level of [1, 6, 9]) {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < whole.length; ) {
      const before = Math.min(at, 32_768);
      const end = Math.min(whole.length, at + 1 + below(262_144));
      parts.push(deflater.deflate(whole.slice(at - before, end), before, level, end === whole.length));
      at = end;
    }
    assert.ok(inflateRawSync(Buffer.concat(parts)).equals(whole));
  }
  assert.throws(() => deflater.deflate(new Uint8Array(INPUT_MAX + 1), 0, 6, true), RangeError);
});
