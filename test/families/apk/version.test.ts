import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compareVersions, isVersion } from '../../../src/families/apk/version.ts';
import { data, needs } from '../../support/data.ts';

test('the version cases that apk-tools publishes', { skip: needs({ data: ['versions/apk-version.data'] }) }, () => {
  let cases = 0;
  for (const line of readFileSync(data('versions/apk-version.data'), 'utf8').split('\n')) {
    const words = line.replace(/#.*/, '').trim().split(/\s+/);
    if (words[0] === '') continue;
    cases++;
    if (words.length === 1) {
      const wrong = words[0]!.startsWith('!');
      assert.equal(isVersion(words[0]!.replace(/^!/, '')), !wrong, line);
      continue;
    }
    const [a, signs, b] = words as [string, string, string];
    const operator = signs.replace(/^!/, '');
    const order = compareVersions(a, b, operator.includes('~'));
    const holds = operator.includes(order < 0 ? '<' : order > 0 ? '>' : '=') || (order === 0 && operator.includes('~'));
    assert.equal(holds, !signs.startsWith('!'), line);
  }
  assert.ok(cases > 300, `${cases} cases`);
});

/**
 * apk 2 read what follows leading zeros as a number (1.03 < 1.028), apk 3 reads it as a fraction, as the published cases
 * above demand (8.2.0015 < 8.2.002): both cannot be had.
 */
const OLDER = new Set(['1.03-r2\t1.028-r1\t-1']);

test('pairs of real versions, ordered by apk 2.14', { skip: needs({ data: ['versions/apk-real-pairs.tsv'] }) }, () => {
  let pairs = 0;
  for (const line of readFileSync(data('versions/apk-real-pairs.tsv'), 'utf8').split('\n')) {
    if (line === '' || OLDER.has(line)) continue;
    pairs++;
    const [a, b, order] = line.split('\t') as [string, string, string];
    assert.equal(Math.sign(compareVersions(a, b)), Number(order), line);
    assert.equal(Math.sign(compareVersions(b, a)), 0 - Number(order), `${line}, the other way round`);
  }
  assert.ok(pairs > 300, `${pairs} pairs`);
});

test('numbers beyond what a double holds', () => {
  assert.ok(compareVersions('1.99999999999999999999', '1.100000000000000000000') < 0);
  assert.ok(compareVersions('20240101000000000001', '20240101000000000002') < 0);
});
