import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isBuildError } from '../../../src/errors/error.ts';
import { readIndex } from '../../../src/families/apt/packages-read.ts';
import { resolve } from '../../../src/families/apt/resolve.ts';
import { configureOrder } from '../../../src/families/apt/resolver/order.ts';
import { verifyClosure } from '../../../src/families/apt/resolver/verify.ts';
import type { AptIndexFile } from '../../../src/families/apt/source.ts';
import { data, needs } from '../../support/data.ts';

interface Case {
  readonly request: readonly string[];
  readonly recommends: boolean;
  readonly rc: number;
  readonly result: readonly string[];
  readonly order: readonly string[];
}

for (const suite of ['bookworm', 'trixie']) {
  const oracle = `deb/solver/apt-oracle-${suite}-amd64.json.gz`;
  const list = `deb/solver/${suite}/main/binary-amd64/Packages.xz`;
  test(`${suite}: the packages that apt chooses, and errors where apt fails`, {
    skip: needs({ data: [oracle, list] }),
  }, async (t) => {
    const { cases } = JSON.parse(gunzipSync(readFileSync(data(oracle))).toString()) as { cases: Case[] };
    const file: AptIndexFile = {
      component: 'main',
      architecture: 'amd64',
      file: data(list),
      compression: 'xz',
      sha256: '',
      bases: ['http://debian.example/debian'],
      suite,
      codename: suite,
      origin: 'Debian',
      priority: 500,
    };
    const index = await readIndex([file], 'amd64');
    const count = { exact: 0, valid: 0, rejected: 0, wrong: 0 };
    const wrong: string[] = [];
    let pairs = 0;
    let swapped = 0;
    for (const { request, recommends, rc, result, order } of cases) {
      const title = `${request.join(' ')}${recommends ? ' with recommends' : ''}`;
      let chosen: ReturnType<typeof resolve>['packages'];
      try {
        // apt counts itself as Essential
        chosen = resolve(request, index, { recommends, essential: ['apt'] }).packages;
      } catch (error) {
        if (rc === 0 || !(error instanceof Error)) wrong.push(`${title}: rejected: ${String(error)}`);
        else {
          count.rejected++;
          if (isBuildError(error, 'UNSATISFIABLE')) assert.ok(error.context.chains.length > 0, title);
          else assert.ok(isBuildError(error, 'PACKAGE_NOT_FOUND') || isBuildError(error, 'PACKAGE_IS_VIRTUAL'), title);
        }
        continue;
      }
      const packages = chosen.map((one) => one.package);
      const faults = verifyClosure(packages);
      const same =
        packages
          .map((one) => `${one.name}=${one.version}`)
          .sort()
          .join() === [...result].sort().join();
      if (rc !== 0) wrong.push(`${title}: not rejected`);
      else if (faults.length > 0) wrong.push(`${title}: ${faults.join('; ')}`);
      else if (same) count.exact++;
      else count.valid++;
      assert.equal(new Set(configureOrder(packages)).size, packages.length, title);
      // distance of our unpacking order from apt's: pairs of packages in reverse order
      const place = new Map(order.map((name, at) => [name, at]));
      const places = packages.map((one) => place.get(one.name) ?? 0);
      for (const [i, a] of places.entries())
        for (const b of places.slice(i + 1)) {
          pairs++;
          if (a > b) swapped++;
        }
    }
    count.wrong = wrong.length;
    t.diagnostic(
      `${suite}: ${count.exact} exact, ${count.valid} valid but different, ${count.rejected} rejected, ${count.wrong} wrong of ${cases.length}; ` +
        `${((100 * swapped) / pairs).toFixed(2)} % of pairs unpacked the other way round`,
    );
    assert.deepEqual(wrong, []);
    assert.deepEqual(count, {
      exact: cases.filter(({ rc }) => rc === 0).length,
      valid: 0,
      rejected: cases.filter(({ rc }) => rc !== 0).length,
      wrong: 0,
    });
    assert.ok(swapped / pairs < 0.02);
  });
}
