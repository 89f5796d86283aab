import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomAccessMemory } from '../../../src/bytes/file.ts';
import { BuildError } from '../../../src/errors/error.ts';
import { hashOrder, superFastHash } from '../../../src/formats/kmod/hash.ts';
import { type IndexEntry, readModuleIndex } from '../../../src/formats/kmod/index-file.ts';
import { moduleIndex } from '../../../src/formats/kmod/index-write.ts';
import { readModule } from '../../../src/formats/kmod/module.ts';
import { random } from '../../support/data.ts';
import { madeModule } from '../../support/modules.ts';

const read = (bytes: Buffer) => readModule(randomAccessMemory(bytes), 'made.ko');

test('a module of each word size and byte order', () => {
  // larger than what is read at once
  for (const bits of [32, 64] as const)
    for (const bigEndian of [false, true])
      for (const code of [16, 200_000]) {
        const module = read(
          madeModule({
            bits,
            bigEndian,
            code,
            machine: bits === 64 && bigEndian ? 22 : 40,
            info: ['license=GPL', '', 'alias=a=b', 'flag'],
            exports: ['one', 'two'],
            needs: ['three', '', 'four'],
            versions: ['module_layout', 'three'],
          }),
        );
        const { bits: width, littleEndian, machine } = module.data;
        const { info, exports, needs } = module;
        assert.deepEqual(
          { bits: width, littleEndian, machine, info, exports, needs },
          {
            bits,
            littleEndian: !bigEndian,
            machine: bits === 64 && bigEndian ? 's390x' : 'arm',
            info: [
              ['license', 'GPL'],
              ['alias', 'a=b'],
              ['flag', ''],
            ],
            exports: ['one', 'two'],
            needs: ['three', 'four', 'module_layout'],
          },
        );
      }
  assert.deepEqual(read(madeModule({ strings: ['a', '', 'b'] })).exports, ['a', 'b']);
});

test('a module with more names than the memory has space for at first, and one with too many', () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `a_rather_long_name_of_a_symbol_${i}`);
  for (const bigEndian of [false, true]) {
    const { needs, exports } = read(madeModule({ bigEndian, needs: names, exports: names.slice(5) }));
    assert.deepEqual([needs, exports], [names, names.slice(5)]);
  }
  const listed = read(madeModule({ strings: names }));
  assert.deepEqual(listed.exports, names);
  const huge = 'x'.repeat(1 << 20);
  const many = madeModule({ needs: Array.from({ length: 70 }, (_, i) => `${i}${huge}`) });
  assert.throws(() => read(many), { code: 'MODULE_CORRUPT', message: /symbols have more than 67108864 bytes/ });
  // a large one leaves nothing behind
  assert.deepEqual(read(madeModule({ needs: ['one'] })).needs, ['one']);
});

test('a damaged module is MODULE_CORRUPT, wherever the damage is', () => {
  for (const made of [{}, { bits: 32, bigEndian: true }] as const) {
    const good = madeModule({ ...made, exports: ['a'], needs: ['b'], versions: ['c'], strings: ['d'] });
    let rejected = 0;
    const attempt = (bytes: Buffer) => {
      try {
        read(bytes);
      } catch (error) {
        assert.ok(error instanceof BuildError && error.code === 'MODULE_CORRUPT', String(error));
        rejected++;
      }
    };
    for (let at = 0; at < good.length; at++)
      for (const value of [0, 0x7f, 0xff]) {
        const bad = Buffer.from(good);
        bad[at] = value;
        attempt(bad);
      }
    for (let size = 0; size < good.length; size++) attempt(good.subarray(0, size));
    assert.ok(rejected > good.length, String(rejected));
  }
});

test('the hash has the values of its author’s code', () => {
  // printed by a program that uses the published SuperFastHash with the length as seed
  assert.equal(superFastHash(''), 0);
  const names = Array.from({ length: 5000 }, (_, i) => `name_${i}`);
  const order = hashOrder(names, 512);
  assert.deepEqual([...order].sort(), [...names].sort());
  for (let i = 1; i < order.length; i++) {
    const [a, b] = [order[i - 1]!, order[i]!];
    const [x, y] = [superFastHash(a) & 511, superFastHash(b) & 511];
    assert.ok(x < y || (x === y && a < b));
  }
});

const sorted = (entries: readonly IndexEntry[]) =>
  entries
    .map((entry, at) => ({ entry, at }))
    .sort(
      (a, b) =>
        Buffer.compare(Buffer.from(a.entry.key), Buffer.from(b.entry.key)) ||
        a.entry.priority - b.entry.priority ||
        b.at - a.at,
    )
    .map(({ entry }) => entry);

test('an index has all entries again, in both orders', () => {
  for (let seed = 1; seed <= 30; seed++) {
    const numbers = random(seed);
    const entries = Array.from({ length: numbers.below(60) }, () => ({
      key: Array.from({ length: numbers.below(7) }, () => numbers.pick(['a', 'b', ':', '*', '\x7f'])).join(''),
      value: `v${numbers.below(5)}`,
      priority: numbers.below(3),
    }));
    for (const order of ['children-first', 'parents-first'] as const)
      assert.deepEqual(readModuleIndex(moduleIndex(entries, order), 'made.bin'), sorted(entries), `seed ${seed}`);
  }
});

test('an index with one key ten thousand times, and with keys of all lengths', () => {
  const entries: IndexEntry[] = [];
  for (let i = 0; i < 10_000; i++) entries.push({ key: 'same', value: `v${i % 3}`, priority: (i * 7919) % 1000 });
  for (let i = 0; i < 4095; i += 13) entries.push({ key: 'k'.repeat(i), value: `${i}`, priority: i });
  for (const order of ['children-first', 'parents-first'] as const)
    assert.deepEqual(readModuleIndex(moduleIndex(entries, order), 'made.bin'), sorted(entries));
});

test('an empty index has 12 bytes', () => {
  assert.equal(Buffer.from(moduleIndex([], 'parents-first')).toString('hex'), 'b007f457000200010000000c');
});

test('error MODULE_INDEX_CORRUPT: a damaged index ends, and soon', () => {
  const entries = ['', 'a', 'ab', 'abc', 'b', 'bcd'].map((key, priority) => ({ key, value: key, priority }));
  const good = Buffer.from(moduleIndex(entries, 'parents-first'));
  let rejected = 0;
  for (let at = 0; at < good.length; at++)
    for (let value = 0; value < 256; value++) {
      const bad = Buffer.from(good);
      bad[at] = value;
      try {
        readModuleIndex(bad, 'bad.bin');
      } catch (error) {
        assert.ok(error instanceof BuildError && error.code === 'MODULE_INDEX_CORRUPT', String(error));
        rejected++;
      }
    }
  assert.ok(rejected > good.length);
});
