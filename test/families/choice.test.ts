import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { keptChoice } from '../../src/families/choice.ts';
import type { Chosen } from '../../src/families/family.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import type { SmallDeb } from '../support/debs.ts';
import { SMALL_PACKAGES, smallRepository } from '../support/small-guest.ts';

/** What a choice consists of; another package for another number. */
const choice = (number: number): Chosen[] => [
  {
    package: { name: `p${number}`, version: '1', architecture: 'all', size: 1, sha256: '', urls: ['http://ä/'] },
    reason: 'asked for',
  },
];

test('a choice is made once for the same inputs, code and Node', async (t) => {
  const cache = new Cache(temporary(t));
  let made = 0;
  const ask = (inputs: unknown, code = 'code') =>
    keptChoice(
      inputs,
      cache,
      async () => {
        made++;
        return choice(made);
      },
      code,
    );
  assert.deepEqual(await ask(['a']), choice(1));
  assert.deepEqual(await ask(['a']), choice(1));
  assert.deepEqual(await ask(['b']), choice(2));
  assert.deepEqual(await ask(['a'], 'other code'), choice(3));
  // code that is not known keeps nothing
  assert.deepEqual(await ask(['a'], ''), choice(4));
  assert.deepEqual(await ask(['a'], ''), choice(5));
  assert.deepEqual(await ask(['a']), choice(1));
});

test('a choice that fails is not kept', async (t) => {
  const cache = new Cache(temporary(t));
  const failing = () => Promise.reject(new Error('unsatisfiable'));
  await assert.rejects(keptChoice([], cache, failing, 'code'), /unsatisfiable/);
  assert.deepEqual(await keptChoice([], cache, async () => choice(1), 'code'), choice(1));
});

test('a kept choice that is damaged, or that cannot be kept, is made again', async (t) => {
  const folder = temporary(t);
  const ask = (number: number) => keptChoice([], new Cache(folder), async () => choice(number), 'code');
  await ask(1);
  const [name] = readdirSync(join(folder, 'parsed'), { recursive: true, encoding: 'utf8' }).filter((one) =>
    one.endsWith('.choice'),
  );
  const path = join(folder, 'parsed', name!);
  const whole = readFileSync(path);
  for (const damaged of ['', 'x', whole.subarray(1), whole.subarray(0, -1), Buffer.from(whole).fill(0, 80, 90)]) {
    // also one that the cache takes for what it wrote
    for (const planted of [false, true]) {
      if (planted) await new Cache(folder).write('parsed', path.slice(path.lastIndexOf('/') + 1), Buffer.from(damaged));
      else writeFileSync(path, damaged);
      assert.deepEqual(await ask(2), choice(2));
      rmSync(path);
      assert.deepEqual(await ask(1), choice(1));
    }
  }
  rmSync(join(folder, 'parsed'), { recursive: true });
  writeFileSync(join(folder, 'parsed'), 'no folder');
  assert.deepEqual(await ask(3), choice(3));
});

test('whatever decides on Debian packages is asked for again when it changes', async (t) => {
  const folder = temporary(t);
  const packages: readonly SmallDeb[] = [
    ...SMALL_PACKAGES,
    { name: 'thing', version: '1', files: [{ name: './usr/' }] },
    { name: 'thing', version: '2', files: [{ name: './usr/' }] },
  ];
  const { root, keyring } = await smallRepository(join(folder, 'one'), {}, packages);
  const other = await smallRepository(join(folder, 'other'), {}, [
    ...packages,
    { name: 'thing', version: '3', files: [{ name: './usr/' }] },
  ]);
  const preferences = join(folder, 'preferences');
  const pin = (version: string) => `Package: thing\nPin: version ${version}\nPin-Priority: 1001\n`;
  writeFileSync(preferences, pin('1'));
  const basis = ['--distro', 'debian', '--os-version', 'trixie', '--arch', 'amd64', '--rootfs-only', '--json'];
  const asked = (words: readonly string[]) => [...basis, '--repo-url', root, '--keyring', keyring, ...words];
  const plan = async (words: readonly string[], cache: string) => {
    const { code, stdout, stderr } = await osbuilder(['plan', ...words, '--cache-dir', join(folder, cache)]);
    assert.equal(code, 0, stderr);
    const { timings: _, ...rest } = JSON.parse(stdout) as { readonly timings: unknown };
    return JSON.stringify(rest);
  };
  const requests: (() => readonly string[])[] = [
    () => asked(['--packages', 'thing']),
    () => asked(['--packages', 'thing,extra']),
    () => asked(['--packages', 'extra,thing']),
    () => asked(['--packages', 'thing=1']),
    () => asked(['--packages', 'extra', '--recommends']),
    () => asked(['--packages', 'extra']),
    () => asked(['--packages', 'thing', '--pin', 'Package: thing; Pin: version 1; Pin-Priority: 1001']),
    () => asked(['--packages', 'thing', '--pin', preferences]),
    () => {
      writeFileSync(preferences, pin('2'));
      return asked(['--packages', 'thing', '--pin', preferences]);
    },
    () => [...basis, '--repo-url', other.root, '--keyring', other.keyring, '--packages', 'thing'],
    () => asked(['--packages', join(folder, 'other', 'debs', 'thing_3_amd64.deb')]),
    () => asked(['--packages', 'thing', '--repo', join(folder, 'other', 'debs')]),
  ];
  const answers = new Set<string>();
  for (const [i, request] of requests.entries()) {
    const words = request();
    const fresh = await plan(words, `fresh-${i}`);
    assert.equal(await plan(words, 'shared'), fresh, words.join(' '));
    assert.equal(await plan(words, 'shared'), fresh, `again: ${words.join(' ')}`);
    answers.add(fresh);
  }
  assert.ok(answers.size >= 6, `${answers.size} different answers`);
  assert.ok(existsSync(join(folder, 'shared', 'parsed')));
});
