import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, Xxh32 } from '../../src/compression/checksum.ts';
import { Crc64 } from '../../src/compression/crc64.ts';
import { noise } from './samples.ts';

const DIGITS = Buffer.from('123456789');

test('the check values of the catalogues', () => {
  assert.equal(crc32(DIGITS), 0xcbf43926);
  const crc = new Crc64();
  crc.update(DIGITS);
  assert.equal(Buffer.from(crc.bytes()).readBigUInt64LE().toString(16), '995dc9bbdf1939fa');
  // from the specification of xxHash
  assert.equal(new Xxh32().digest(), 0x02cc5d05);
  assert.equal(new Xxh32().update(Buffer.from('a')).digest(), 0x550d7456);
  assert.equal(new Xxh32().update(Buffer.from('Nobody inspects the spammish repetition')).digest(), 0xe2293b2f);
});

test('piece by piece gives the same as all bytes together', () => {
  const bytes = noise(50, 5000);
  const whole = new Crc64();
  whole.update(bytes);
  for (const size of [1, 3, 7, 16, 321]) {
    const crc = new Crc64();
    const hash = new Xxh32();
    for (let at = 0; at < bytes.length; at += size) {
      crc.update(bytes.subarray(at, at + size));
      hash.update(bytes.subarray(at, at + size));
    }
    assert.deepEqual(crc.bytes(), whole.bytes());
    assert.equal(hash.digest(), new Xxh32().update(bytes).digest());
  }
});
