import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Pool } from '../../../../src/families/rpm/solver/pool.ts';
import { resolve } from '../../../../src/families/rpm/solver/resolve.ts';
import type { Resolution, SolverRepository } from '../../../../src/families/rpm/solver/types.ts';
import { data, needs } from '../../../support/data.ts';
import { readPrimary } from './primary.ts';
import { appstream, baseos, repository } from './stream9.ts';
import { readTestTags } from './testcase.ts';

interface Case {
  readonly request: readonly string[];
  readonly rc: number;
  readonly result: readonly string[];
  readonly weak_deps: boolean;
}

const json = (path: string) => JSON.parse(gunzipSync(readFileSync(data(path))).toString('utf8'));

const sorted = (pool: Pool, answer: Resolution) =>
  answer.kind === 'failed' ? 'rejected' : answer.packages.map(({ id }) => pool.show(id)).sort();

/** Every package's reason leads back to what was asked for, without going in a circle. */
function checkReasons(pool: Pool, answer: Resolution): void {
  if (answer.kind === 'failed') {
    for (const { sentences } of answer.problems) assert.ok(sentences.length > 0);
    return;
  }
  const byId = new Map(answer.packages.map((one) => [one.id, one]));
  for (const { id, reason } of answer.packages) {
    assert.ok(reason !== undefined, pool.show(id));
    let at = reason;
    for (let steps = 0; at.kind === 'required' || at.kind === 'recommended'; steps++) {
      assert.ok(steps < answer.packages.length, `${pool.show(id)}: reasons in a circle`);
      const by = byId.get(at.by);
      assert.ok(by !== undefined, `${pool.show(id)}: ${pool.show(at.by)} is not chosen`);
      at = by.reason;
    }
  }
}

function compare(title: string, oracle: string, least: number, repositories: () => Promise<SolverRepository[]>): void {
  const needed = needs({ data: [`rpm/${oracle}`, 'rpm/c9s-baseos', 'rpm/c9s-appstream', 'rpm/createrepo-pulp'] });
  test(title, { skip: needed }, async () => {
    const pool = new Pool(await repositories(), { architecture: 'x86_64' });
    const { cases } = json(`rpm/${oracle}`) as { cases: Case[] };
    assert.ok(cases.length >= least, `${cases.length} cases`);
    for (const { request, rc, result, weak_deps } of cases) {
      const wanted = request.map((text) => ({ text }));
      const answer = resolve(pool, { wanted, weakDependencies: weak_deps, best: true });
      const name = `${request.join(' ')}, weak dependencies ${weak_deps}`;
      assert.deepEqual(sorted(pool, answer), rc === 0 ? [...result].sort() : 'rejected', name);
      checkReasons(pool, answer);
    }
  });
}

compare("dnf's answers on CentOS Stream 9 BaseOS", 'rpm-oracle-c9s-baseos.json.gz', 141, async () => [baseos()]);

compare("dnf's answers on BaseOS and AppStream", 'rpm-oracle-c9s-baseos-appstream.json.gz', 141, async () => [
  baseos(),
  await appstream(),
]);

compare("dnf's answers on a small repository", 'rpm-oracle-pulp.json.gz', 30, async () => [
  repository('pulp', readPrimary(data('rpm/createrepo-pulp/repodata/primary.xml.gz'))),
]);

interface ChoiceCase {
  readonly label: string;
  readonly repos: readonly string[];
  /** libsolv's numbers: higher is better. */
  readonly priority: readonly number[] | null;
  readonly request: readonly string[];
  readonly weak_deps: boolean;
  readonly best: boolean;
  readonly result: readonly string[] | null;
}

const CHOICES = 'rpm/real-base/choice-order-testsolv.json.gz';
for (const one of existsSync(data(CHOICES)) ? (json(CHOICES).cases as ChoiceCase[]) : [])
  test(`which candidate testsolv takes: ${one.label}, ${one.request.join(' ')}, ${one.weak_deps}, ${one.best}`, () => {
    const pool = new Pool(
      one.repos.map((text, i) => repository(`r${i}`, readTestTags(text), { priority: -(one.priority?.[i] ?? 0) })),
      { architecture: 'x86_64' },
    );
    const wanted = one.request.map((text) => ({ text: text.replace(/^\?/, '') }));
    const answer = resolve(pool, { wanted, weakDependencies: one.weak_deps, best: one.best });
    assert.deepEqual(sorted(pool, answer), one.result ?? 'rejected');
  });
test('there are cases of choices', { skip: needs({ data: [CHOICES] }) }, () => {
  assert.ok((json(CHOICES).cases as ChoiceCase[]).length >= 39);
});
