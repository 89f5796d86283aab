import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRelations, printAlternatives, versionSatisfies } from '../../../src/families/apt/relations.ts';

const print = (field: string) => parseRelations(field).map(printAlternatives);

test('relationship fields are parsed', () => {
  assert.deepEqual(print('libc6 (>= 2.34), libfoo1(<<2)|bar:any (= 1:2-3) , baz [amd64] <!nocheck>, '), [
    'libc6 (>= 2.34)',
    'libfoo1 (<< 2) | bar:any (= 1:2-3)',
    'baz',
  ]);
  assert.deepEqual(print(''), []);
  assert.deepEqual(print(',, ,'), []);
  assert.deepEqual(print('g++, libstdc++6 (>>  4)'), ['g++', 'libstdc++6 (>> 4)']);
});

test('the old spelling of comparisons includes equality', () => {
  assert.deepEqual(print('a (< 2), b (> 2), c (2)'), ['a (<= 2)', 'b (>= 2)', 'c (= 2)']);
});

test('invalid items are reported and match nothing', () => {
  const invalid: string[] = [];
  const groups = parseRelations('a, b (>= 1, c d, ${shlibs:Depends}, (= 1)', (item) => invalid.push(item));
  assert.deepEqual(invalid, ['b (>= 1', 'c d', '${shlibs:Depends}', '(= 1)']);
  assert.equal(groups.length, 5);
});

test('an item of a million blanks is parsed in linear time', () => {
  const blanks = ' '.repeat(1_000_000);
  assert.equal(parseRelations(`a${blanks}b`).length, 1);
  assert.deepEqual(print(`a${blanks}(>= ${blanks}1${blanks})`), ['a (>= 1)']);
});

test('comparisons with versions', () => {
  const [[relation] = []] = parseRelations('x (>= 1.2-1)');
  assert.ok(versionSatisfies('1.2-1', relation!));
  assert.ok(versionSatisfies('1.10', relation!));
  assert.ok(!versionSatisfies('1.2~', relation!));
  for (const [comparison, lower, equal, higher] of [
    ['<<', true, false, false],
    ['<=', true, true, false],
    ['=', false, true, false],
    ['>=', false, true, true],
    ['>>', false, false, true],
  ] as const) {
    const [[bound] = []] = parseRelations(`x (${comparison} 2)`);
    assert.deepEqual(
      ['1', '2', '3'].map((version) => versionSatisfies(version, bound!)),
      [lower, equal, higher],
    );
  }
});
