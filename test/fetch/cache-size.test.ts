import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Cache } from '../../src/fetch/cache.ts';
import { Usage } from '../../src/fetch/cache-usage.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';

/** A cache that is kept below a size: what goes, and what stays. */

const NOW = 2_000_000_000;
const HOUR = 3600;

/** An entry of 1,000 bytes that was written and last used so many hours ago. */
async function entry(folder: string, key: string, written: number, used?: number): Promise<void> {
  const path = await new Cache(folder).write('spools', key, Buffer.alloc(1000, key));
  utimesSync(path, NOW - written * HOUR, NOW - written * HOUR);
  // the identity that was noted is another one now, which is what a copied cache looks like
  if (used !== undefined) new Cache(folder, { now: NOW - used * HOUR }).find('spools', key);
}

test('what was not used for the longest time goes first; what was used lately stays', async (t) => {
  const folder = temporary(t);
  for (const [key, written, used] of [
    ['old', 100, undefined],
    ['older', 200, undefined],
    ['oldest-but-used', 300, 5],
    ['just-used', 300, 1],
    ['new', 0, undefined],
  ] as const)
    await entry(folder, key, written, used);
  const has = () =>
    ['old', 'older', 'oldest-but-used', 'just-used', 'new'].filter((key) =>
      existsSync(new Cache(folder).path('spools', key)),
    );
  assert.deepEqual(new Cache(folder).collect(5000, NOW), { bytes: 5000, removed: [] });
  assert.deepEqual(new Cache(folder).collect(4999, NOW), { bytes: 4000, removed: ['spools/older'] });
  assert.deepEqual(new Cache(folder).collect(3000, NOW), { bytes: 3000, removed: ['spools/old'] });
  assert.deepEqual(new Cache(folder).collect(1, NOW), { bytes: 2000, removed: ['spools/oldest-but-used'] });
  assert.deepEqual(has(), ['just-used', 'new']);
  // what is left is still good
  for (const key of has()) assert.ok(new Cache(folder).find('spools', key), key);
});

test('any uses: the size is reached, or all that is left was used lately', () => {
  const entries = fc.uniqueArray(
    fc.record({ key: fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/), age: fc.integer({ min: 0, max: 9 }) }),
    { maxLength: 12, selector: ({ key }) => key },
  );
  return fc.assert(
    fc.asyncProperty(entries, fc.integer({ min: 0, max: 13_000 }), async (list, limit) => {
      const closing: (() => void)[] = [];
      const folder = temporary({ after: (fn) => void closing.push(fn) });
      for (const { key, age } of list) await entry(folder, key, age);
      const { bytes, removed } = new Cache(folder).collect(limit, NOW);
      const left = list.filter(({ key }) => existsSync(new Cache(folder).path('spools', key)));
      assert.equal(bytes, left.length * 1000);
      assert.equal(removed.length + left.length, list.length);
      if (bytes > limit) assert.ok(left.every(({ age }) => age <= 2));
      for (const name of removed) {
        const { age } = list.find(({ key }) => `spools/${key}` === name)!;
        assert.ok(
          left.every((one) => one.age <= age || one.age <= 2),
          'an older one stays',
        );
      }
      // never more than one entry below the size
      if (removed.length > 0) assert.ok(bytes + 1000 > limit);
      for (const close of closing) close();
    }),
    { numRuns: 25, seed: 9 },
  );
});

test('uses are noted once an hour, and the file of them is written anew', (t) => {
  const folder = temporary(t);
  const lines = () =>
    readFileSync(join(folder, 'used'), 'latin1')
      .split('\n')
      .filter((line) => line !== '').length;
  for (let second = 0; second < 3600; second += 60) new Usage(folder).note('spools/a', NOW + second);
  assert.equal(lines(), 1);
  for (let hour = 1; hour < 20; hour++) new Usage(folder).note('spools/a', NOW + hour * HOUR);
  new Usage(folder).note('spools/b', NOW);
  assert.equal(lines(), 21);
  new Usage(folder).shorten(new Set(['spools/a']));
  assert.equal(lines(), 1);
  assert.equal(new Usage(folder).all().get('spools/a'), NOW + 19 * HOUR);
  // a clock that was wrong does not keep an entry for ever
  new Usage(folder).note('spools/c', NOW * 2);
  new Usage(folder).note('spools/c', NOW);
  assert.equal(new Usage(folder).all().get('spools/c'), NOW);
  for (const damage of ['\0\0\0', 'x'.repeat(100), `${NOW}`, '-1 spools/a', `99999999999999 spools/a`]) {
    writeFileSync(join(folder, 'used'), damage);
    assert.equal(new Usage(folder).all().size, 0, damage);
  }
});

test('temporary files of killed builds go, those of running ones stay', async (t) => {
  const folder = temporary(t);
  await entry(folder, 'kept', 0);
  const place = join(new Cache(folder).path('archives', 'abc'), '..');
  mkdirSync(place, { recursive: true });
  for (const [name, hours] of [
    ['.abc.1.0123456789abcdef.part', 50],
    ['.abc.1.0123456789abcdef.download', 50],
    ['.abc.2.0123456789abcdef.part', 0],
  ] as const) {
    writeFileSync(join(place, name), 'x');
    utimesSync(join(place, name), NOW - hours * HOUR, NOW - hours * HOUR);
  }
  new Cache(folder).collect(1e9, NOW);
  assert.deepEqual(
    ['.abc.1.0123456789abcdef.part', '.abc.1.0123456789abcdef.download', '.abc.2.0123456789abcdef.part'].map((name) =>
      existsSync(join(place, name)),
    ),
    [false, false, true],
  );
});

test('the command says what it did, and how large when it is not told', async (t) => {
  const folder = temporary(t);
  await entry(folder, 'old', 9000);
  const run = (...args: string[]) => osbuilder(['cache', ...args, '--cache-dir', folder]);
  assert.match((await run('gc')).stderr, /say how much .*--cache-size MIB/);
  assert.equal((await run('info', '--cache-size', '5')).code, 2);
  const { code, stdout } = await run('gc', '--cache-size', '1');
  assert.equal(code, 0);
  assert.match(
    stdout,
    /0 entries removed, 0\.0 MiB left|0 entries removed, 1000 B left|0 entries removed, 1\.0 KiB left/,
  );
  const json = await run('gc', '--cache-size', '1', '--json');
  assert.deepEqual((JSON.parse(json.stdout) as { removed: string[] }).removed, []);
});
