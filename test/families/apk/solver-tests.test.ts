import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  type Dependency,
  dependencyText,
  EQUAL,
  parseDependency,
  versionSatisfies,
} from '../../../src/families/apk/dependency.ts';
import { type ApkRecord, parseIndex } from '../../../src/families/apk/index-file.ts';
import { isStep } from '../../../src/families/apk/solver/changes.ts';
import { explain } from '../../../src/families/apk/solver/explain.ts';
import { type Generation, LATEST, REINSTALL, REMOVED, UPGRADE } from '../../../src/families/apk/solver/flags.ts';
import { Universe } from '../../../src/families/apk/solver/names.ts';
import { type Solution, solve } from '../../../src/families/apk/solver/solve.ts';
import { data, needs } from '../../support/data.ts';

/** Scenarios for which apk 2.14 has another result than apk 3, to which they belong. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'error5.test': 'apk 2.14 names c-1 before a-3 in its explanation, as we do by its rules',
  'provides-swap3.test': 'apk 2.14 leaves nui out, as we do by its rules',
};

const FOLDER = 'apk/solver-tests';

interface Scenario {
  readonly args: readonly string[];
  readonly repositories: readonly { readonly tag: string; readonly file: string; readonly cached: boolean }[];
  readonly installed: readonly string[];
  readonly world: readonly string[];
  readonly expect: string;
}

function readScenario(name: string): Scenario {
  const args: string[] = [];
  const repositories: { tag: string; file: string; cached: boolean }[] = [];
  const installed: string[] = [];
  const world: string[] = [];
  const [head, expect] = readFileSync(data(join(FOLDER, name)), 'utf8').split('@EXPECT\n') as [string, string];
  for (const line of head.split('\n')) {
    const words = line.split(' ');
    const tag = words[1]?.startsWith('@') ? words[1].slice(1) : '';
    if (words[0] === '@ARGS') args.push(...words.slice(1));
    else if (words[0] === '@REPO' || words[0] === '@CACHE')
      repositories.push({ tag, file: words.at(-1)!, cached: words[0] === '@CACHE' });
    else if (words[0] === '@INSTALLED') installed.push(words[1]!);
    else if (words[0] === '@WORLD') world.push(...words.slice(1));
  }
  return { args, repositories, installed, world, expect };
}

function records(file: string): ApkRecord[] {
  return parseIndex(readFileSync(data(join(FOLDER, file)), 'latin1'), (line, text) => {
    throw new Error(`${file}:${line}: ${text}`);
  });
}

/** A package that the command line makes up: `add -t NAME[=VERSION] REQUEST…`. */
function virtualPackage(name: string, version: string, depends: readonly string[]): ApkRecord {
  const stanza = `P:${name}\nV:${version}\nS:0\nI:0\nD:${depends.join(' ')}\n`;
  return parseIndex(stanza, (_, text) => assert.fail(text))[0]!;
}

/** What apk would print. */
function play(scenario: Scenario, generation: Generation): string {
  const flags = new Set(scenario.args.filter((arg) => arg.startsWith('-')));
  const valued = (flag: string) => scenario.args.filter((_, i) => scenario.args[i - 1] === flag);
  const values = new Set(['-t', '--preupgrade-depends'].flatMap(valued));
  const [verb, ...names] = scenario.args.filter((arg) => !arg.startsWith('-') && !values.has(arg));
  const tags = [{ name: '', repositories: 0 }];
  let usable = 0;
  const sources = scenario.repositories.map(({ tag, file, cached }, i) => {
    const bit = 2 ** (i + 1);
    let found = tags.find((one) => one.name === tag);
    if (found === undefined) tags.push((found = { name: tag, repositories: 0 }));
    found.repositories |= bit;
    if (cached || !flags.has('--no-network')) usable |= bit;
    return { records: records(file), repository: i + 1 };
  });
  const installed = scenario.installed.flatMap((file) => records(file));
  const installedTags = new Map(
    installed.map((one) => [
      one.name,
      tags.findIndex(({ name }) => name === (/^s:(.*)$/m.exec(one.stanza)?.[1] ?? '')),
    ]),
  );
  let world = new Map<string, Dependency>(
    scenario.world.map((text) => {
      const one = parseDependency(text, true)!;
      return [one.name, one];
    }),
  );
  const nameFlags = new Map<string, number>();
  let all = 0;
  const virtual = valued('-t')[0];
  if (virtual !== undefined) {
    const one = parseDependency(virtual);
    if (one === undefined || one.operator & ~EQUAL) return `ERROR: ${virtual}: bad package specifier\n`;
    const repository = sources.length + 1;
    sources.push({ records: [virtualPackage(one.name, one.version ?? '0', names)], repository });
    usable |= 2 ** repository;
    names.splice(0, names.length, one.name);
  }
  for (const name of names) {
    const one = parseDependency(name, true);
    if (one === undefined)
      return `ERROR: '${name}' is not a valid world dependency, format is name(@tag)([<>~=]version)\n`;
    if (verb === 'add') world.set(one.name, one);
    if (verb === 'del') world.delete(one.name);
    if (verb === 'del') nameFlags.set(one.name, REMOVED);
    if (verb === 'fix') nameFlags.set(one.name, REINSTALL);
    // what is named on the command line is decided first, also without a flag
    if (verb === 'add') nameFlags.set(one.name, flags.has('--upgrade') ? UPGRADE : 0);
    if (verb === 'upgrade') nameFlags.set(one.name, UPGRADE);
  }
  if (flags.has('--latest')) all = LATEST;
  const before = beforeUpgrade(scenario, installed);
  for (const name of before ?? []) nameFlags.set(name, UPGRADE);
  if (verb === 'upgrade' && names.length === 0 && before === undefined) all = UPGRADE;
  if (flags.has('--prune')) {
    const had = new Set(sources.flatMap((source) => source.records.map((one) => one.name)));
    world = new Map([...world].filter(([name]) => had.has(name)));
  }
  for (;;) {
    const universe = new Universe(
      [...sources, { records: installed, repository: undefined, installedTags }],
      (message) => assert.fail(message),
    );
    const solution = solve({ universe, world: [...world.values()], tags, usable, flags: all, nameFlags, generation });
    if (before !== undefined) {
      const upgraded = solution.changes.some(({ from, to }) => from !== to && before.includes(to?.record.name ?? ''));
      return solution.errors > 0 || !upgraded ? '' : `Preupgrading:\n${outcome(solution, tags)}`;
    }
    if (solution.errors === 0) return outcome(solution, tags);
    if (!flags.has('--force-broken-world')) return `ERROR: unable to select packages:\n${explain(solution, tags)}\n`;
    // what is broken is left out, and the rest is tried again
    const broken = solution.world.filter(({ target }) => target.chosen.candidate?.broken !== false);
    assert.notEqual(broken.length, 0);
    for (const { name } of broken) world.delete(name);
  }
}

/** Names that apk upgrades before all others: itself, and those whose installed version meets `--preupgrade-depends`. */
function beforeUpgrade({ args }: Scenario, installed: readonly ApkRecord[]): string[] | undefined {
  if (!args.includes('--self-upgrade-only') && !args.includes('--preupgrade-only')) return undefined;
  const asked = new Map([['apk-tools', parseDependency('apk-tools')!]]);
  for (const [i, arg] of args.entries())
    if (args[i - 1] === '--preupgrade-depends') {
      const one = parseDependency(arg)!;
      asked.set(one.name, one);
    }
  return [...asked.values()].flatMap((one) => {
    const present = installed.find(({ name }) => name === one.name);
    return !one.conflict && present !== undefined && versionSatisfies(one, present.version) ? [one.name] : [];
  });
}

function outcome(solution: Solution, tags: readonly { readonly name: string }[]): string {
  const steps = solution.changes.filter(isStep);
  const lines = steps.map((change, i) => {
    const { from, to, tag } = change;
    const label = (to ?? from)!.record.name + (tag === 0 ? '' : `@${tags[tag]!.name}`);
    const text =
      to === undefined
        ? `Purging ${label} (${from!.record.version})`
        : from === undefined
          ? `Installing ${label} (${to.record.version})`
          : from === to
            ? `Reinstalling ${label} (${to.record.version})`
            : `Upgrading ${label} (${from.record.version} -> ${to.record.version})`;
    return `(${i + 1}/${steps.length}) ${text}\n`;
  });
  const left = solution.changes.flatMap(({ to }) => (to === undefined ? [] : [to]));
  const bytes = left.reduce((sum, one) => sum + one.record.installedSize, 0);
  return `${lines.join('')}OK: ${bytes} B in ${left.length} packages\n`;
}

describe('the scenarios that apk-tools publishes for its solver', { skip: needs({ data: [FOLDER] }) }, () => {
  const folder = data(FOLDER);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.test')) : [];
  for (const name of names)
    test(`${name}, by the rules of apk 3`, () => {
      const scenario = readScenario(name);
      assert.equal(play(scenario, 3), scenario.expect);
    });
  for (const name of names)
    test(`${name}, by the rules of apk 2.14`, () => {
      const scenario = readScenario(name);
      const [answer, reason] = [play(scenario, 2), OTHERWISE[name]];
      if (reason === undefined) assert.equal(answer, scenario.expect);
      else assert.notEqual(answer, scenario.expect, `the list of exceptions is out of date: ${reason}`);
    });
  test('at most one in twenty has another result', () => {
    assert.ok(Object.keys(OTHERWISE).length <= names.length * 0.05);
  });
});

test('requirements are written as they were read', () => {
  for (const text of ['a', 'a=1', 'a<2', 'a>=1.2-r0', '!a', 'a~3', 'a@testing', 'a@t>1', 'so:libc.so.1', '/bin/sh'])
    assert.equal(dependencyText(parseDependency(text, true)!), text);
  for (const text of ['', '=', 'a=', 'a==', '>1', '!', 'a@', '@b', 'a=x y'])
    assert.equal(parseDependency(text, true), undefined);
});
