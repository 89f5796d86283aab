import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keyStore } from '../../src/formats/jks/emit.ts';
import { ROOT } from '../support/data.ts';

interface Entry {
  readonly alias: string;
  readonly date: bigint;
  readonly type: string;
  readonly certificate: string;
}

/** Reads a store back, by the format's own description. */
function read(bytes: Buffer): Entry[] {
  assert.equal(bytes.readUInt32BE(0), 0xfeedfeed);
  assert.equal(bytes.readUInt32BE(4), 2);
  const entries: Entry[] = [];
  let at = 12;
  const utf = () => {
    const length = bytes.readUInt16BE(at);
    at += 2 + length;
    return bytes.toString('utf8', at - length, at);
  };
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    assert.equal(bytes.readUInt32BE(at), 2);
    at += 4;
    const alias = utf();
    const date = bytes.readBigUInt64BE(at);
    at += 8;
    const type = utf();
    const length = bytes.readUInt32BE(at);
    at += 4 + length;
    entries.push({ alias, date, type, certificate: bytes.toString('latin1', at - length, at) });
  }
  const password = Buffer.from('changeit', 'utf16le').swap16();
  const digest = createHash('sha1').update(password).update('Mighty Aphrodite').update(bytes.subarray(0, at)).digest();
  assert.deepEqual(bytes.subarray(at), digest);
  return entries;
}

test('a store reads back, in the order in which Java itself wrote the same entries', () => {
  const expected = readFileSync(join(ROOT, 'fixtures/jks/aliases.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  assert.ok(expected.length > 100);
  const bytes = (text: string) => Buffer.from(text).toString('latin1');
  const given = [...expected].sort((a, b) => (bytes(a) < bytes(b) ? -1 : 1));
  const entries = read(
    Buffer.from(
      keyStore(
        given.map((alias) => ({ alias, certificate: Buffer.from(`of ${alias.toLowerCase()}`) })),
        { password: 'changeit', time: 1_700_000_000 },
      ),
    ),
  );
  assert.deepEqual(
    entries.map((one) => one.alias),
    expected.map((alias) => alias.toLowerCase()),
  );
  for (const one of entries)
    assert.deepEqual(
      [one.date, one.type, one.certificate],
      [1_700_000_000_000n, 'X.509', Buffer.from(`of ${one.alias}`).toString('latin1')],
    );
});

test('a repeated alias replaces the first', () => {
  const entries = ['a', 'b', 'A'].map((alias, i) => ({ alias, certificate: Buffer.from(String(i)) }));
  const back = read(Buffer.from(keyStore(entries, { password: 'changeit', time: 0 })));
  assert.deepEqual(back.map((one) => one.alias + one.certificate).sort(), ['a2', 'b1']);
});
