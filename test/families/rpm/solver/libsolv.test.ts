import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Pool } from '../../../../src/families/rpm/solver/pool.ts';
import { problemset } from '../../../../src/families/rpm/solver/problemset.ts';
import { run } from '../../../../src/families/rpm/solver/run.ts';
import { data, needs } from '../../../support/data.ts';
import { engineJobs, readTestFile, type TestCase } from './testcase.ts';

/** Test cases that libsolv publishes. */
const FOLDER = data('rpm/libsolv-testcases');

const INSTALLED = 'changes a system that has packages already; a guest begins with none';
const NO_REQUEST = 'asks for nothing to be installed';

/** Files that do not concern the installation of packages into an empty root, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'alternative/yumobs.t': INSTALLED,
  'cleandeps/cleandeps_in.t': INSTALLED,
  'cleandeps/cleandeps_up3.t': INSTALLED,
  'cleandeps/mistake.t': INSTALLED,
  'distupgrade/dup_multiversion3.t': INSTALLED,
  'distupgrade/dup_noarchchange.t': INSTALLED,
  'distupgrade/dup_orphan1.t': INSTALLED,
  'distupgrade/dup_orphan2.t': INSTALLED,
  'evrcmp/caret.t': 'asks for the order of versions only; compared below',
  'evrcmp/testevr.t': `${INSTALLED}; the same comparisons are made below`,
  'favor/recommends.t': 'favours packages, which dnf never asks for',
  'focus/best.t': INSTALLED,
  'focus/new2.t': INSTALLED,
  'forcebest/forcebest_multiarch_implicitobsoleteusescolors.t': INSTALLED,
  'lock/best.t': INSTALLED,
  'lock/dup.t': INSTALLED,
  'lockstep/infarch_install_best.t': INSTALLED,
  'multiversion/update2.t': INSTALLED,
  'namespace/namespaceprovides.t': 'namespaces, which rpm does not have',
  'selection/selection_filelist.t': NO_REQUEST,
  'selection/selection_matchdeps.t': NO_REQUEST,
  'selection/selection_name.t': NO_REQUEST,
  'strictrepoprio/strictrepoprio.t': 'a flag that dnf does not set',
  'strongrecommends/strongr.t': 'a flag that dnf does not set',
  'targeted/targeted_color.t': INSTALLED,
  'targeted/targeted_up.t': INSTALLED,
  'testcase/nested.t': NO_REQUEST,
  'testcase/str2dep.t': NO_REQUEST,
  'whatprovideswithdisabled/dup.t': INSTALLED,
  'whatprovideswithdisabled/dup2.t': INSTALLED,
  'yumobs/split.t': INSTALLED,
  'yumobs/split2.t': INSTALLED,
};

const files = existsSync(FOLDER)
  ? readdirSync(FOLDER, { recursive: true })
      .map(String)
      .filter((one) => one.endsWith('.t'))
      .sort()
  : [];

/** Rules in result lines: by kind, each as its sorted literals. */
function rulesOf(lines: readonly string[]): string[] {
  const rules = new Map<string, string[]>();
  let at = '';
  let kind = '';
  for (const line of lines) {
    const rule = /^rule (\w+) (\w+)\s+(\S+)$/.exec(line);
    const begins = /^proof (\w+ +\d+) (job|pkg|best)\b/.exec(line);
    const literal = /^proof (\w+ +\d+):.*?(-?[^\s>-]\S*)$/.exec(line);
    if (rule !== null) {
      const key = `${rule[1]} ${rule[2]}`;
      rules.set(key, [...(rules.get(key) ?? []), rule[3]!]);
    } else if (begins !== null) [at, kind] = [begins[1]!, begins[2]!];
    else if (literal !== null && literal[1] === at) {
      const key = `${kind} ${at}`;
      rules.set(key, [...(rules.get(key) ?? []), literal[2]!]);
    }
  }
  return [...new Set([...rules].map(([key, literals]) => `${key.split(' ')[0]}: ${literals.sort().join(' ')}`))].sort();
}

function check(one: TestCase): void {
  const pool = new Pool(one.repositories, {
    ...(one.architecture === undefined ? {} : { architecture: one.architecture }),
    coloured: one.poolFlags.includes('implicitobsoleteusescolors'),
    keepOrder: true,
  });
  const { jobs, multiversion } = engineJobs(pool, one.jobs);
  const set = problemset(pool, jobs, multiversion);
  const shown = (literal: number) => {
    const id = Math.abs(literal);
    return `${literal < 0 ? '-' : ''}${pool.show(id)}@${pool.repositories[pool.repository[id]!]!.name}`;
  };
  const rule = (i: number) =>
    `${i < set.jobRules ? 'pkg' : 'job'}: ${set.rules.literals(i).map(shown).sort().join(' ')}`;
  if (one.resultKinds.includes('rules')) {
    const ours: string[] = [];
    for (let i = 1; i < set.architectureRules; i++) ours.push(rule(i));
    assert.deepEqual(ours.sort(), rulesOf(one.result));
  }
  const { state, solved } = run(set, !one.solverFlags.includes('ignorerecommended'), multiversion);
  if (one.resultKinds.includes('transaction')) {
    assert.ok(solved);
    assert.deepEqual(
      state.decisions
        .filter((id) => id > 1)
        .map((id) => `install ${shown(id)}`)
        .sort(),
      one.result.filter((line) => line.startsWith('install ')).sort(),
    );
  }
  if (one.resultKinds.includes('proof')) {
    assert.ok(!solved);
    const involved = new Set<string>();
    const stack = [...state.conflicts[0]!.proof];
    while (stack.length > 0) {
      const i = stack.pop()!;
      if (i >= set.learntRules) stack.push(...state.proofOf(i));
      else involved.add(rule(i));
    }
    assert.deepEqual([...involved].sort(), rulesOf(one.result));
  }
}

for (const file of files) {
  if (LEFT_OUT[file] !== undefined) continue;
  for (const one of readTestFile(join(FOLDER, file)))
    test(`libsolv's ${file}, case ${one.number}`, () => {
      assert.deepEqual(one.unknown, []);
      assert.ok(one.resultKinds.length > 0);
      check(one);
    });
}

test("libsolv's cases that concern installation are all compared", {
  skip: needs({ data: ['rpm/libsolv-testcases'] }),
}, () => {
  const compared = files.filter((one) => LEFT_OUT[one] === undefined);
  assert.ok(compared.length >= 14, compared.join());
  for (const file of Object.keys(LEFT_OUT)) assert.ok(files.includes(file), `${file} is not there`);
  for (const file of files) {
    const reason = LEFT_OUT[file];
    if (reason !== INSTALLED) continue;
    // the reason is checked where it can be
    const cases = readTestFile(join(FOLDER, file));
    assert.ok(
      cases.some(({ repositories }) => repositories.some((one) => one.installed && one.packages.name.length > 0)),
      file,
    );
  }
});

test('comparisons of versions in dependencies, as libsolv matches them', {
  skip: needs({ data: ['rpm/libsolv-testcases/evrcmp'] }),
}, () => {
  // each package C… conflicts with certain versions; what it would erase is what its conflict matches
  let cases = 0;
  for (const one of readTestFile(join(FOLDER, 'evrcmp/testevr.t'))) {
    const pool = new Pool(one.repositories, { architecture: 'i686' });
    const name = one.jobs[0]!.words[2]!;
    const { starts, items } = pool.dependencies.conflicts;
    const matched = new Set<string>();
    for (let id = 2; id < pool.size; id++)
      if (pool.relations.texts.get(pool.name[id]!) === name)
        for (let i = starts[id]!; i < starts[id + 1]!; i++)
          for (const other of pool.providers(items[i]!)) matched.add(`erase ${pool.show(other)}@system`);
    const expected = one.result.filter((line) => line.startsWith('erase '));
    assert.ok(expected.length > 0);
    assert.deepEqual([...matched].sort(), expected.sort(), name);
    cases++;
  }
  assert.ok(cases >= 10, `${cases} cases`);
});

test('the order of versions, as libsolv has it', { skip: needs({ data: ['rpm/libsolv-testcases/evrcmp'] }) }, () => {
  const { relations } = new Pool([], { architecture: 'x86_64' });
  let pairs = 0;
  for (const line of readFileSync(join(FOLDER, 'evrcmp/caret.t'), 'utf8').split('\n')) {
    const found = /^#>job noop provides (\S+) ([<=>]) (\S+)$/.exec(line);
    if (found === null) continue;
    pairs++;
    const order = relations.compareEvr(relations.text(found[1]!), relations.text(found[3]!));
    assert.equal('<=>'[Math.sign(order) + 1], found[2], line);
  }
  assert.ok(pairs >= 15, `${pairs} pairs`);
});
