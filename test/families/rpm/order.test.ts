import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import initSqlJs from 'sql.js';
import { openPackage } from '../../../src/families/rpm/folder.ts';
import { installOrder, type Ordered } from '../../../src/families/rpm/order.ts';
import { dependenciesOf, SENSE } from '../../../src/formats/rpm/dependencies.ts';
import { fileTable } from '../../../src/formats/rpm/files.ts';
import { readHeader } from '../../../src/formats/rpm/header.ts';
import { HEADER_MAGIC, TAG } from '../../../src/formats/rpm/layout.ts';
import { data, needs, random, temporary } from '../../support/data.ts';
import { makeRpms, RPM_TOOLS } from '../../support/rpms.ts';

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
    return ordered(main.string(TAG.name)!, main);
  });
}

function ordered(name: string, main: Ordered['main']): Ordered {
  const { files } = fileTable(main);
  const colour = files.reduce((bits, file) => bits | file.colour, 0);
  return { name, main, paths: files.map((file) => file.path), colour };
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

test('random requirements, with many loops: the order is the one that rpm says', {
  skip: needs({ tools: [...RPM_TOOLS, 'rpm'] }),
}, (t) => {
  const folder = temporary(t);
  // seed, packages, relations, how many of a hundred are of each kind
  const graphs: readonly (readonly [number, number, number, Readonly<Record<string, number>>])[] = [
    [1, 5, 7, {}],
    [2, 5, 9, { 'Requires(post)': 50 }],
    [3, 12, 20, { 'Requires(pre)': 40 }],
    [4, 12, 30, { 'Requires(post)': 20, Recommends: 20, Suggests: 10 }],
    [5, 20, 30, { Supplements: 20, Enhances: 10, OrderWithRequires: 20 }],
    [6, 40, 60, { 'Requires(post)': 20 }],
    [7, 40, 80, { 'Requires(pre)': 10, Supplements: 10, Recommends: 20, OrderWithRequires: 10 }],
    [8, 30, 45, { 'Requires(posttrans)': 40 }],
    [9, 14, 20, { rich: 40 }],
    [10, 40, 60, { rich: 60, 'Requires(post)': 10 }],
  ];
  const packages = graphs.flatMap(([seed, count, relations, kinds]) => {
    const { below } = random(seed);
    const name = (i: number) => `g${seed}p${String(i).padStart(2, '0')}`;
    const tags = Array.from({ length: count }, (): Record<string, string[]> => ({}));
    for (let i = 0; i < relations; i++) {
      const [from, to] = [below(count), below(count)];
      let chance = below(100);
      let kind = 'Requires';
      for (const [one, share] of Object.entries(kinds)) {
        if (chance >= 0 && chance < share) kind = one;
        chance -= share;
      }
      const operator = ['or', 'and', 'if', 'if'][below(4)]!;
      const last = operator === 'if' && below(2) === 0 ? ` else (${name(below(count))} and ${name(0)} >= 1)` : '';
      const rich = `(${name(to)} ${operator} ${name(below(count))}${last})`;
      (tags[from]![kind === 'rich' ? 'Requires' : kind] ??= []).push(kind === 'rich' ? rich : name(to));
    }
    return tags.map((one, i) => ({ name: name(i), tags: one, files: [] }));
  });
  const made = makeRpms(folder, packages);
  for (const [seed] of graphs) {
    const names = packages.map((one) => one.name).filter((name) => name.startsWith(`g${seed}p`));
    const paths = names.map((name) => made.get(name)!);
    assert.deepEqual(ourOrder(paths), orderOfRpm(folder, paths), `graph ${seed}`);
  }
});

test('who has a file that is required comes before it, not who says that it provides it', {
  skip: needs({ tools: [...RPM_TOOLS, 'rpm'] }),
}, (t) => {
  const folder = temporary(t);
  const file = (name: string) => [{ name, data: name }];
  const made = makeRpms(folder, [
    { name: 'a-provides', tags: { Provides: ['/opt/file', '/opt/nobody'], Requires: ['b-needs'] } },
    { name: 'b-needs', tags: { Requires: ['/opt/file'] } },
    { name: 'c-needs', tags: { Requires: ['/opt/nobody'] } },
    { name: 'y-has', files: file('opt/file') },
    { name: 'z-has-too', tags: { Provides: ['/opt/file'] }, files: file('opt/file') },
  ]);
  const paths = [...made.values()];
  const expected = orderOfRpm(folder, paths);
  assert.ok(expected.indexOf('b-needs') > expected.indexOf('y-has'), expected.join());
  assert.deepEqual(ourOrder(paths), expected);
  assert.deepEqual(ourOrder(paths.toReversed()), orderOfRpm(folder, paths.toReversed()));
});

const nameOf = (path: string) => basename(path).replace(/-1-1\.noarch\.rpm$/, '');

const ourOrder = (paths: readonly string[]): string[] =>
  installOrder(paths.map((path) => ordered(nameOf(path), openPackage(path).rpm.main))).map((i) => nameOf(paths[i]!));

/** What rpm says in a test that writes nothing. */
function orderOfRpm(folder: string, paths: readonly string[]): string[] {
  const root = join(folder, 'root');
  mkdirSync(root, { recursive: true });
  const { stderr } = spawnSync('rpm', ['--root', root, '-Uvv', '--test', '--nodeps', '--nosignature', ...paths], {
    env: { ...process.env, HOME: folder },
    encoding: 'utf8',
  });
  const found = [...stderr.matchAll(/^D: +\d+ +\d+ +\d+ +\d+ +\+(\S+)-1-1\./gm)].map(([, name]) => name!);
  assert.equal(found.length, paths.length, stderr.slice(-2000));
  return found;
}
