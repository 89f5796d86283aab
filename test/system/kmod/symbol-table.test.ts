import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SymbolTable } from '../../../src/system/kmod/symbol-table.ts';

const list = (names: readonly string[]) => Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1');

/** The table's own hash, so that names can be made to meet in it. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}

test('names get numbers in their order, and are found again', () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `name_${(i * 7919) % 20_000}`);
  const table = new SymbolTable();
  assert.deepEqual([...table.numbers(list(names), true)], [...names.keys()]);
  assert.deepEqual([...table.numbers(list(names.toReversed()), true)], [...names.keys()].reverse());
  assert.deepEqual([...table.numbers(list(['none', names[5]!, '', 'none']), false)], [-1, 5, -1]);
  assert.equal(table.name(19_999), names[19_999]);
  // the last name of a list may lack its end
  assert.deepEqual([...table.numbers(Buffer.from(names[3]!), false)], [3]);
});

test('names that all meet in one place are found as well', () => {
  const meeting: string[] = [];
  for (let i = 0; meeting.length < 200; i++) if ((hashOf(`x${i}`) & 0x1fff) === 7) meeting.push(`x${i}`);
  const others = Array.from({ length: 3000 }, (_, i) => `y${i}`);
  const table = new SymbolTable();
  const all = [...meeting, ...others];
  assert.deepEqual([...table.numbers(list(all), true)], [...all.keys()]);
  assert.deepEqual([...table.numbers(list(all), false)], [...all.keys()]);
  assert.deepEqual([...table.numbers(list(['x', 'y', 'z']), false)], [-1, -1, -1]);
});
