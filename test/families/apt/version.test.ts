import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compareVersions, splitVersion, versionFault } from '../../../src/families/apt/version.ts';
import { data, needs, random } from '../../support/data.ts';

function pairs(path: string): [string, string, number][] {
  return readFileSync(data(path), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const [a, b, order] = line.trim().split(/\s+/);
      return [a!, b!, Number(order)];
    });
}

for (const path of ['versions/dpkg-version.txt', 'versions/deb-real-pairs.tsv'])
  test(`versions are ordered as by dpkg: ${path}`, { skip: needs({ data: [path] }) }, () => {
    const cases = pairs(path);
    assert.ok(cases.length > 30);
    for (const [a, b, order] of cases) {
      assert.equal(Math.sign(compareVersions(a, b)), order, `${a} ${b}`);
      assert.equal(Math.sign(compareVersions(b, a)), order === 0 ? 0 : -order, `${b} ${a}`);
      assert.equal(versionFault(a), undefined, a);
      assert.equal(versionFault(b), undefined, b);
    }
  });

test('the rules of deb-version(7), one by one', () => {
  const ascending = [
    ['1~~', '1~~a', '1~', '1', '1a', '1b', '1+', '1.0~', '1.', '1.1', '1.2-0.1', '1.2-1', '1.10', '2', '1:0', '10:0'],
    ['0.9', '0.10', '0.010.1', '0.11'],
    ['1-1', '1-1+b1', '1-1.1', '1-2', '1-10'],
    ['99999999999999999999', '100000000000000000000'],
  ];
  for (const list of ascending)
    for (const [i, a] of list.entries())
      for (const [j, b] of list.entries())
        assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} ${b}`);
  assert.equal(compareVersions('1', '1-0'), 0);
  assert.equal(compareVersions('1', '0:1'), 0);
  assert.equal(compareVersions('01.000', '1.0'), 0);
});

test('comparison is a total order: random versions', () => {
  const { below, pick } = random(20);
  const make = () =>
    `${below(4) === 0 ? `${below(3)}:` : ''}${below(3)}${Array.from({ length: below(6) }, () => pick([...'019.~+ab-'])).join('')}`;
  for (let turn = 0; turn < 3000; turn++) {
    const [a, b, c] = [make(), make(), make()];
    assert.equal(Math.sign(compareVersions(a, b)), -Math.sign(compareVersions(b, a)) + 0, `${a} ${b}`);
    if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0)
      assert.ok(compareVersions(a, c) <= 0, `${a} <= ${b} <= ${c}`);
  }
});

test('versions that dpkg rejects have a fault', () => {
  for (const version of ['', 'a1', '1 2', ':1', '1:', 'x:1', '1-', '-1', '1_2', '1-a_b', '1-2:3', '3000000000:1', '1é'])
    assert.notEqual(versionFault(version), undefined, version);
  for (const version of ['1', '0', '1:2-3-4', '1.2~rc1+dfsg-1', '1:2:3'])
    assert.equal(versionFault(version), undefined, version);
  assert.deepEqual(splitVersion('2:1.0-rc1-3'), { epoch: 2, upstream: '1.0-rc1', revision: '3' });
});
