import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compareEvr, evrText, parseEvr, rpmvercmp } from '../../../src/formats/rpm/version.ts';
import { data, needs, random } from '../../support/data.ts';

for (const name of ['rpmvercmp.tsv', 'rpm-real-pairs.tsv'])
  test(`rpmvercmp agrees with ${name}`, { skip: needs({ data: [`versions/${name}`] }) }, () => {
    const rows = readFileSync(data(`versions/${name}`), 'latin1')
      .split('\n')
      .filter((row) => row !== '');
    assert.ok(rows.length > 40);
    for (const row of rows) {
      const [a, b, order] = row.split('\t') as [string, string, string];
      assert.equal(rpmvercmp(a, b), Number(order), row);
      assert.equal(rpmvercmp(b, a), 0 - Number(order) || 0, `${row}, the other way round`);
    }
  });

test('rpmvercmp agrees with rpm on random texts', { skip: needs({ tools: ['rpm'] }) }, () => {
  const { pick, below } = random(20261);
  // no dash or colon: rpm.vercmp would take the text apart
  const word = () => Array.from({ length: 1 + below(7) }, () => pick([...'0019abAZ..~_^+'])).join('');
  const pairs = Array.from({ length: 300 }, () => [word(), word()] as const);
  const table = pairs.map(([a, b]) => `{"${a}","${b}"}`).join(',');
  const lua = `r = {} for i, p in ipairs({${table}}) do r[i] = rpm.vercmp(p[1], p[2]) end print(table.concat(r, " "))`;
  const answers = execFileSync('rpm', ['--eval', `%{lua:${lua}}`], { encoding: 'utf8' }).split(' ');
  assert.equal(answers.length, pairs.length);
  for (const [i, [a, b]] of pairs.entries()) assert.equal(rpmvercmp(a, b), Number(answers[i]), `"${a}" and "${b}"`);
});

test('a complete version is split at its first colon and its last dash', () => {
  assert.deepEqual(parseEvr('1:2.3-4.el9'), { epoch: 1, version: '2.3', release: '4.el9' });
  assert.deepEqual(parseEvr('2.3'), { epoch: 0, version: '2.3', release: '' });
  assert.deepEqual(parseEvr('0:2-3-4'), { epoch: 0, version: '2-3', release: '4' });
  assert.equal(evrText(parseEvr('0:2.3-1')), '2.3-1');
  assert.equal(evrText(parseEvr('7:2.3-1')), '7:2.3-1');
});

test('the epoch counts most, and a release only when both have one', () => {
  const order = (a: string, b: string) => compareEvr(parseEvr(a), parseEvr(b));
  assert.equal(order('1:1-1', '2-1'), 1);
  assert.equal(order('0:1-1', '1-1'), 0);
  assert.equal(order('1', '1-5'), 0);
  assert.equal(order('1-4', '1-5'), -1);
});
