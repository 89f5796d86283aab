import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBuildError } from '../../../src/errors/error.ts';
import { PackageIndex } from '../../../src/families/apt/packages-index.ts';
import { resolve } from '../../../src/families/apt/resolve.ts';
import { configureOrder } from '../../../src/families/apt/resolver/order.ts';
import { verifyClosure } from '../../../src/families/apt/resolver/verify.ts';
import { random } from '../../support/data.ts';
import { packageList, randomCase } from './universe.ts';

test('random cases: every result is a valid closure, deterministic, and in a valid order', () => {
  let solved = 0;
  let rejected = 0;
  let left = 0;
  for (let seed = 1; seed <= 2000; seed++) {
    const { entries, requests } = randomCase(seed);
    const index = new PackageIndex('amd64', [packageList(entries.join('\n'))]);
    const options = { recommends: seed % 3 === 0 };
    const run = () => {
      try {
        return resolve(requests, index, options).packages;
      } catch (error) {
        if (isBuildError(error, 'UNSATISFIABLE'))
          assert.ok(error.context.chains.length > 0, `seed ${seed}: an error gives a reason`);
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
      rejected++;
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
  // apt keeps them, too
  assert.ok(left < solved / 50, `${left} left over`);
  // each of them must be frequent for the test to be meaningful
  assert.ok(solved > 700 && rejected > 200, `${solved} solved, ${rejected} rejected`);
});

test('the order of list entries has no effect without providers and priorities', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { below } = random(seed);
    // no providers, no priorities: nothing depends on the order in which names are read
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
        return 'rejected';
      }
    });
    assert.deepEqual(answers[1], answers[0], `seed ${seed}`);
  }
});
