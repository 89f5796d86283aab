import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashOrder } from '../../../src/formats/kmod/hash.ts';
import type { SymbolNames } from '../../../src/formats/kmod/symbols.ts';
import { SymbolTable } from '../../../src/system/kmod/symbol-table.ts';

/** The table's own hash, so that names can be made to meet in it. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}

const list = (names: readonly string[]): SymbolNames => {
  const ends = Int32Array.from(names, (name) => name.length + 1);
  for (let i = 1; i < ends.length; i++) ends[i]! += ends[i - 1]!;
  return {
    bytes: Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1'),
    hashes: Int32Array.from(names, hashOf),
    ends,
  };
};

function found(table: SymbolTable, names: readonly string[]): number[] {
  const ids: number[] = [];
  table.find(list(names), (id) => ids.push(id));
  return ids;
}

test('names get numbers in their order, and are found again', () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `name_${(i * 7919) % 20_000}`);
  const table = new SymbolTable();
  assert.deepEqual([...table.add(list(names))], [...names.keys()]);
  assert.deepEqual([...table.add(list(names.toReversed()))], [...names.keys()].reverse());
  assert.deepEqual(found(table, ['none', names[5]!, 'none', names[7]!]), [5, 7]);
  assert.equal(table.name(19_999), names[19_999]);
  assert.deepEqual([table.numberOf(names[3]!), table.numberOf('none')], [3, -1]);
  assert.deepEqual(table.names(), names);
});

test('names that all meet in one place are found as well', () => {
  const meeting: string[] = [];
  for (let i = 0; meeting.length < 200; i++) if ((hashOf(`x${i}`) & 0x7fff) === 7) meeting.push(`x${i}`);
  const others = Array.from({ length: 3000 }, (_, i) => `y${i}`);
  const table = new SymbolTable();
  const all = [...meeting, ...others];
  assert.deepEqual([...table.add(list(all))], [...all.keys()]);
  assert.deepEqual(found(table, all), [...all.keys()]);
  assert.deepEqual(found(table, ['x', 'y', 'z']), []);
});

test('the order of names is that of kmod’s table', () => {
  const names = ['', 'a', 'ab', 'abc', 'abcd', 'b\xff', '\xe4', 'x'.repeat(300)];
  for (let i = 0; i < 3000; i++) names.push(`symbol_${i * 37}`);
  const table = new SymbolTable();
  table.add(list(names));
  for (const buckets of [1, 16, 2048])
    assert.deepEqual(
      [...table.inOrder(buckets)].map((id) => table.name(id)),
      hashOrder(names, buckets),
    );
});
