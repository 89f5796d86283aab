import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBuildError } from '../../../src/errors/error.ts';
import { PackageIndex } from '../../../src/families/apt/packages-index.ts';
import { resolve } from '../../../src/families/apt/resolve.ts';
import { configureOrder } from '../../../src/families/apt/resolver/order.ts';
import { verifyClosure } from '../../../src/families/apt/resolver/verify.ts';
import { random } from '../../support/data.ts';
import { packageList, world } from './universe.ts';

test('random worlds: every answer is a valid closure, the same each time, and in a sound order', () => {
  let solved = 0;
  let refused = 0;
  let left = 0;
  for (let seed = 1; seed <= 2000; seed++) {
    const { entries, requests } = world(seed);
    const index = new PackageIndex('amd64', [packageList(entries.join('\n'))]);
    const options = { recommends: seed % 3 === 0 };
    const run = () => {
      try {
        return resolve(requests, index, options).packages;
      } catch (error) {
        if (isBuildError(error, 'UNSATISFIABLE'))
          assert.ok(error.context.chains.length > 0, `seed ${seed}: a refusal says why`);
        else
          assert.ok(
            isBuildError(error, 'PACKAGE_VERSION_NOT_FOUND') || isBuildError(error, 'PACKAGE_NOT_FOUND'),
            `seed ${seed}: ${String(error)}`,
          );
        return undefined;
      }
    };
    const packages = run();
    const twice = run();
    assert.deepEqual(twice, packages, `seed ${seed}`);
    if (packages === undefined) {
      refused++;
      continue;
    }
    solved++;
    const chosen = packages.map((one) => one.package);
    assert.deepEqual(verifyClosure(chosen), [], `seed ${seed}: ${requests.join(' ')}`);
    const names = new Set(chosen.map((one) => one.name));
    for (const request of requests) {
      const [, plain] = /^(p\d+)(?:=\d)?$/.exec(request) ?? [];
      if (plain !== undefined && !requests.includes(`${plain}-`))
        assert.ok(names.has(plain), `seed ${seed}: ${request}`);
    }
    for (const { reason } of packages)
      if (reason === 'left from a choice that was given up') left++;
      else assert.match(reason, /^(asked for|Essential|p\d+ (depends|recommends))/);
    const configured = configureOrder(chosen);
    assert.equal(new Set(configured).size, chosen.length, `seed ${seed}`);
  }
  // apt leaves them, too
  assert.ok(left < solved / 50, `${left} left over`);
  // were one of them rare, the test would prove little
  assert.ok(solved > 700 && refused > 200, `${solved} solved, ${refused} refused`);
});

test('the order of the lists’ entries changes nothing where nothing but that order decides', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { below } = random(seed);
    // no providers, no priorities: nothing is left to the order in which names are met
    const entries = Array.from({ length: 12 }, (_, i) => {
      const deps = Array.from({ length: below(4) }, () => `p${below(12)}${below(2) ? ` | p${below(12)}` : ''}`).join(
        ', ',
      );
      return `p${i}${deps ? `\n  Depends: ${deps}` : ''}${below(6) === 0 ? `\n  Conflicts: p${below(12)}` : ''}`;
    });
    const answers = [entries, [...entries].reverse()].map((list) => {
      const index = new PackageIndex('amd64', [packageList(list.join('\n'))]);
      try {
        return resolve(['p0', 'p1'], index).packages.map((one) => `${one.package.name} ${one.reason}`);
      } catch (error) {
        assert.ok(isBuildError(error, 'UNSATISFIABLE'));
        return 'refused';
      }
    });
    assert.deepEqual(answers[1], answers[0], `seed ${seed}`);
  }
});
