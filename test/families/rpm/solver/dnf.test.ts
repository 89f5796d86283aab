import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pool } from '../../../../src/families/rpm/solver/pool.ts';
import { resolve } from '../../../../src/families/rpm/solver/resolve.ts';
import type { PackageTable, SolverRepository } from '../../../../src/families/rpm/solver/types.ts';
import { data, needs, random, temporary } from '../../../support/data.ts';
import { askDnf, type DnfRequest, pythonWithDnf, writeRepository } from './dnf-oracle.ts';
import { readPrimary } from './primary.ts';
import { randomTestFile } from './random-pool.ts';
import { appstream, baseos } from './stream9.ts';
import { readTestFile } from './testcase.ts';

const POOLS = 24;
const REQUESTS = 8;

/** Spells requests in all the ways that dnf knows, for packages that are there and for some that are not. */
function randomRequest(r: ReturnType<typeof random>, pool: Pool): DnfRequest {
  const { texts } = pool.relations;
  const spelled = (): string => {
    const id = 2 + r.below(pool.size - 2);
    const name = texts.get(pool.name[id]!);
    const evr = texts.get(pool.evr[id]!);
    const arch = texts.get(pool.arch[id]!);
    switch (r.below(16)) {
      case 0:
        return `${name}.${arch}`;
      case 1:
        return `${name}-${evr}.${arch}`;
      case 2:
        return `${name}-${evr}`;
      case 3:
        return `${name}-${evr.replace(/-.*/, '')}`;
      case 4:
        return r.pick(['*', 'a*', '[ab]', '?', '[!a-c]', `${name}*`]);
      case 5:
        return `${name}.*`;
      case 6:
        return r.pick([`${name}-*`, `${name[0]}*-${evr}.*`, '*64', '?-[0-9]*', '*-0:1*', '*1-1*']);
      case 7:
        return r.pick(['cap', 'cap2', 'cap3', 'lib(x)', 'cap*']);
      case 8:
        return `${r.pick(['cap', 'cap2', 'lib(x)'])} ${r.pick(['=', '>=', '<', '>', '<='])} ${r.pick(['1', '2', '2-1'])}`;
      case 9:
        return r.pick(['/usr/bin/f', '/usr/bin/g', '/usr/bin/none']);
      case 10:
        return r.pick(['none', 'none.x86_64', `${name}-9`]);
      case 11:
        return `${name} ${r.pick(['=', '>='])} ${evr}`;
      default:
        return name;
    }
  };
  return {
    wanted: Array.from({ length: 1 + r.below(3) }, () => ({ text: spelled(), strict: r.below(5) > 0 })),
    without: r.below(4) > 0 ? [] : [r.pick(['a', 'b*', '*.i686', 'c-1-*', 'd.x86_64', '*686', 'a*-1-1*', '[!a-c]'])],
    weak: r.below(2) === 0,
    best: r.below(3) > 0,
  };
}

function throughPrimary(folder: string, repository: SolverRepository): PackageTable {
  writeRepository(folder, repository);
  return readPrimary(join(folder, 'repodata/primary.xml'));
}

const python = pythonWithDnf();

test('requests to random repositories, spelled in all ways, as dnf answers them', {
  skip: needs({ tools: ['dnf', 'rpm'] }) || (python === undefined ? "not available: dnf's library for Python" : false),
}, (t) => {
  const folder = temporary(t);
  const asked: { repositories: readonly SolverRepository[]; requests: DnfRequest[]; pool: Pool }[] = [];
  for (let seed = 0; seed < POOLS; seed++) {
    const file = join(folder, 'pool.t');
    writeFileSync(file, randomTestFile(70_000 + seed, 1), 'latin1');
    const r = random(seed);
    // read from the metadata that dnf gets, since the order in which names occur in it matters
    const repositories = readTestFile(file)[0]!.repositories.map((one) => ({
      ...one,
      packages: throughPrimary(join(folder, `tables${seed}`), one),
      priority: r.pick([99, 99, 50]),
      cost: r.pick([1000, 1000, 500]),
    }));
    const pool = new Pool(repositories, { architecture: 'x86_64' });
    asked.push({ repositories, pool, requests: Array.from({ length: REQUESTS }, () => randomRequest(r, pool)) });
  }
  const answers = askDnf(python!, folder, asked);
  assert.equal(answers.length, POOLS * REQUESTS);
  let at = 0;
  let rejected = 0;
  for (const [seed, { pool, repositories, requests }] of asked.entries())
    for (const { wanted, without, weak, best } of requests) {
      const theirs = answers[at++]!;
      const answer = resolve(pool, { wanted, without, weakDependencies: weak, best });
      const ours =
        answer.kind === 'failed'
          ? 'rejected'
          : answer.packages.map(({ id, repository }) => `${pool.show(id)}@${repositories[repository]!.name}`).sort();
      if ('error' in theirs) rejected++;
      const name = JSON.stringify({ seed, wanted, without, weak, best });
      assert.deepEqual(ours, 'error' in theirs ? 'rejected' : theirs.packages, `${name} ${JSON.stringify(theirs)}`);
    }
  assert.ok(rejected > 10 && rejected < answers.length - 10, `${rejected} rejected`);
});

test('requests to CentOS Stream 9, as dnf answers them', {
  skip:
    needs({ tools: ['dnf', 'rpm'], data: ['rpm/c9s-baseos', 'rpm/c9s-appstream'] }) ||
    (python === undefined ? "not available: dnf's library for Python" : false),
}, async (t) => {
  const repositories = [baseos(), await appstream()];
  const pool = new Pool(repositories, { architecture: 'x86_64' });
  const { texts } = pool.relations;
  const { starts, items } = pool.dependencies.provides;
  const r = random(9);
  const spelled = () => {
    const id = 2 + r.below(pool.size - 2);
    const name = texts.get(pool.name[id]!);
    const full = `${name}-${texts.get(pool.evr[id]!)}`;
    const provided = texts.get(pool.relations.plainName(items[starts[id]!]!));
    const text = r.pick([name, name, name, full, `${full}.${texts.get(pool.arch[id]!)}`, provided]);
    return { text, strict: true };
  };
  const requests = Array.from({ length: 40 }, () => ({
    wanted: Array.from({ length: 1 + r.below(3) }, spelled),
    without: [],
    weak: r.below(2) === 0,
    best: r.below(3) > 0,
  }));
  const folders = ['c9s-baseos', 'c9s-appstream'].map((one) => data(`rpm/${one}`));
  const answers = askDnf(python!, temporary(t), [{ repositories, requests, folders }]);
  let packages = 0;
  for (const [i, { wanted, weak, best }] of requests.entries()) {
    const theirs = answers[i]!;
    const answer = resolve(pool, { wanted, weakDependencies: weak, best });
    const ours =
      answer.kind === 'failed'
        ? 'rejected'
        : answer.packages.map(({ id, repository }) => `${pool.show(id)}@${repositories[repository]!.name}`).sort();
    const name = JSON.stringify({ wanted, weak, best });
    assert.deepEqual(ours, 'error' in theirs ? 'rejected' : theirs.packages, `${name} ${JSON.stringify(theirs)}`);
    packages += ours.length;
  }
  assert.ok(packages > 2000, `${packages} packages`);
});
