import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import initSqlJs from 'sql.js';
import { installOrder, type Ordered } from '../../../src/families/rpm/order.ts';
import { dependenciesOf, SENSE } from '../../../src/formats/rpm/dependencies.ts';
import { fileTable } from '../../../src/formats/rpm/files.ts';
import { readHeader } from '../../../src/formats/rpm/header.ts';
import { HEADER_MAGIC, TAG } from '../../../src/formats/rpm/layout.ts';
import { data, needs, random } from '../../support/data.ts';

const DATABASE = 'rpm/real-base/cbl-mariner-2.0-rpmdb.sqlite.gz';

/** The 129 packages of a real distribution in the order in which rpm installed them. */
async function mariner(): Promise<Ordered[]> {
  const SQL = await initSqlJs();
  const bytes = gunzipSync(readFileSync(data(DATABASE)));
  bytes.set([1, 1], 18);
  const database = new SQL.Database(bytes);
  return database.exec('SELECT blob FROM Packages ORDER BY hnum')[0]!.values.map(([blob], i) => {
    const whole = Buffer.concat([Buffer.from(HEADER_MAGIC), blob as Uint8Array]);
    const main = readHeader(whole, 'main', `row ${i + 1}`, 0, { dribbles: true });
    return { name: main.string(TAG.name)!, main, paths: fileTable(main).files.map((file) => file.path) };
  });
}

/** Pairs of packages where the first requires the second, by the names in requirements that only one package provides. */
function edges(
  packages: readonly Ordered[],
): { readonly from: number; readonly to: number; readonly script: boolean }[] {
  const providers = new Map<string, Set<number>>();
  for (const [i, { main, paths }] of packages.entries()) {
    for (const { name } of dependenciesOf(main, 'provides'))
      (providers.get(name) ?? providers.set(name, new Set()).get(name)!).add(i);
    for (const path of paths)
      (providers.get(`/${path}`) ?? providers.set(`/${path}`, new Set()).get(`/${path}`)!).add(i);
  }
  return packages.flatMap(({ main }, from) =>
    dependenciesOf(main, 'requires').flatMap(({ name, flags }) => {
      const found = providers.get(name);
      if (found?.size !== 1 || found.has(from)) return [];
      const only = SENSE.rpmlib | SENSE.config | SENSE.pretrans | SENSE.posttrans | SENSE.verify | SENSE.meta;
      const scripts = SENSE.pre | SENSE.post | SENSE.prereq;
      if ((flags & only) !== 0 && (flags & scripts) === 0) return [];
      return [{ from, to: [...found][0]!, script: (flags & scripts) !== 0 }];
    }),
  );
}

test('a real distribution: what rpm kept in order is kept in order', {
  skip: needs({ data: [DATABASE] }),
}, async () => {
  const packages = await mariner();
  const all = edges(packages);
  assert.ok(all.length > 300, `${all.length} requirements`);
  const violated = (order: readonly number[]) => {
    const place = new Map(order.map((index, at) => [index, at]));
    return all.filter(({ from, to }) => place.get(from)! < place.get(to)!);
  };
  const theirs = violated(packages.map((_, i) => i));
  const { below } = random(7);
  for (let round = 0; round < 20; round++) {
    // in another order of the input each time: only loops may be broken, and no more of them than rpm breaks
    const shuffled = packages
      .map((one, i) => ({ one, i, key: round === 0 ? i : below(1 << 30) }))
      .sort((a, b) => a.key - b.key);
    const order = installOrder(shuffled.map(({ one }) => one)).map((at) => shuffled[at]!.i);
    assert.deepEqual(
      [...order].sort((a, b) => a - b),
      packages.map((_, i) => i),
      'each package once',
    );
    const broken = violated(order);
    const scripts = (list: typeof broken) => list.filter((one) => one.script).length;
    assert.ok(
      broken.length <= theirs.length + 4,
      `round ${round}: ${broken.length} requirements broken, rpm ${theirs.length}`,
    );
    assert.ok(
      scripts(broken) <= scripts(theirs) + 2,
      `round ${round}: ${scripts(broken)} of scripts, rpm ${scripts(theirs)}`,
    );
  }
});
