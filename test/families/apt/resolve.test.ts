import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from '../../../src/errors/error.ts';
import { PackageIndex } from '../../../src/families/apt/packages-index.ts';
import { resolve } from '../../../src/families/apt/resolve.ts';
import { configureOrder, unpackOrder } from '../../../src/families/apt/resolver/order.ts';
import { names, packageList, universe } from './universe.ts';

function failure(run: () => unknown): BuildError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof BuildError, String(error));
    return error;
  }
  assert.fail('it did not fail');
}

test('dependencies are installed, each with its reason', () => {
  const index = universe(`
app
  Depends: lib (>= 1), data | other, mail-agent
  Recommends: nice
lib 2
  Pre-Depends: base
base
data
other
nice
postfix
  Provides: mail-agent
core
  Essential: yes
shell
  Priority: required
`);
  const { packages } = resolve(['app', '?essential', '?priority(required)'], index);
  assert.deepEqual(Object.fromEntries(packages.map((one) => [one.package.name, one.reason])), {
    app: 'asked for',
    base: 'lib depends on it beforehand',
    core: 'Essential',
    data: 'app depends on it',
    lib: 'app depends on it',
    postfix: 'app depends on it as mail-agent',
    shell: 'Priority: required',
  });
  assert.ok(names(index, ['app'], { recommends: true }).includes('nice'));
});

test('alternatives and providers: the first available, those chosen already, then by priority', () => {
  const index = universe(`
a
  Depends: none | second | third
second
third
b
  Depends: virtual
v1
  Provides: virtual
  Priority: optional
v2
  Provides: virtual
  Priority: important
c
  Depends: second | third
  Conflicts: second
bad
  Depends: nowhere
d
  Depends: bad | third
`);
  assert.deepEqual(names(index, ['a']), ['a', 'second']);
  assert.deepEqual(names(index, ['a', 'third']), ['a', 'third']);
  assert.deepEqual(names(index, ['b']), ['b', 'v2']);
  assert.deepEqual(names(index, ['b', 'v1']), ['b', 'v1']);
  assert.deepEqual(names(index, ['c']), ['c', 'third']);
  assert.deepEqual(names(index, ['d']), ['d', 'third']);
  assert.deepEqual(names(index, ['a'], { prefer: ['third'] }), ['a', 'third']);
});

test('usr-is-merged is chosen instead of usrmerge when preferred', () => {
  const index = universe(`
init-system-helpers
  Depends: usrmerge | usr-is-merged
usrmerge
  Conflicts: usr-is-merged
  Provides: usr-is-merged
usr-is-merged
  Conflicts: usrmerge
`);
  assert.deepEqual(names(index, ['init-system-helpers']), ['init-system-helpers', 'usrmerge']);
  assert.deepEqual(names(index, ['init-system-helpers'], { prefer: ['usr-is-merged'] }), [
    'init-system-helpers',
    'usr-is-merged',
  ]);
});

test('versioned Provides, and :any', () => {
  const index = universe(`
a
  Depends: api (>= 2)
old
  Provides: api
middle
  Provides: api (= 1)
new
  Provides: api (= 2.1)
b
  Depends: python:any
python
  Multi-Arch: allowed
c
  Depends: perl:any
perl
`);
  assert.deepEqual(names(index, ['a']), ['a', 'new']);
  assert.deepEqual(names(index, ['b']), ['b', 'python']);
  const make = universe(`
app
  Depends: make:any
dev
  Depends: make
make
  Multi-Arch: allowed
make-guile
  Multi-Arch: allowed
  Provides: make
`);
  assert.deepEqual(names(make, ['dev']), ['dev', 'make']);
  assert.deepEqual(names(make, ['app']), ['app', 'make-guile'], 'as apt decides');
  assert.match(failure(() => resolve(['c'], index)).message, /c 1 depends on perl:any, but perl:any is not available/);
});

test('versions, suites and pins', () => {
  const index = new PackageIndex('amd64', [
    packageList('app 1\nlib 1', 'stable'),
    packageList('app 2\n  Depends: lib (>= 2)\nlib 2', 'backports', 100),
    packageList('app 3\n  Depends: lib (>= 3)', 'experimental', 1),
  ]);
  const versions = (...requests: string[]) =>
    resolve(requests, index)
      .packages.map((one) => `${one.package.name}=${one.package.version}`)
      .sort();
  assert.deepEqual(versions('app'), ['app=1']);
  assert.deepEqual(versions('app/backports'), ['app=2', 'lib=2']);
  assert.deepEqual(versions('app=2', 'lib=2'), ['app=2', 'lib=2']);
  assert.match(failure(() => versions('app=2')).message, /app 2 depends on lib \(>= 2\), but lib 2 is not the version/);
  assert.match(
    failure(() => versions('app=3')).message,
    /app 3 depends on lib \(>= 3\), but only lib 2, 1 is available/,
  );
  assert.deepEqual(failure(() => versions('app=9')).context, { name: 'app', wanted: '9', available: ['3', '2', '1'] });
  assert.equal(failure(() => versions('app/sid')).code, 'PACKAGE_VERSION_NOT_FOUND');
  assert.deepEqual(versions('app:amd64=1*'), ['app=1']);
  assert.equal(failure(() => versions('app:arm64')).code, 'PACKAGE_NOT_FOUND');
});

test('excluded packages are not installed', () => {
  const index = universe(`
a
  Depends: b | c
b
c
d
  Depends: b
g++
`);
  assert.deepEqual(names(index, ['a', 'b-']), ['a', 'c']);
  assert.match(
    failure(() => resolve(['d', 'b-'], index)).message,
    /d 1 depends on b, but b is excluded by the request/,
  );
  assert.deepEqual(names(index, ['g++']), ['g++']);
  assert.deepEqual(names(index, ['a', 'g++-']), ['a', 'b']);
  assert.equal(failure(() => resolve(['a', 'nothing-'], index)).code, 'PACKAGE_NOT_FOUND');
});

test('requests that match nothing or are ambiguous', () => {
  const index = universe(`
a
  Provides: virtual, single
b
  Provides: virtual
`);
  assert.equal(failure(() => resolve(['missing'], index)).code, 'PACKAGE_NOT_FOUND');
  assert.deepEqual(failure(() => resolve(['virtual'], index)).context, { name: 'virtual', providers: ['a', 'b'] });
  assert.deepEqual(names(index, ['single']), ['a']);
  for (const invalid of ['?installed', '?priority(high)', '', 'a b', '../a', 'a=', 'a/'])
    assert.equal(failure(() => resolve([invalid], index)).code, 'PACKAGE_REQUEST', invalid);
});

test('an error names the chain of dependencies that makes it impossible', () => {
  const index = universe(`
top
  Depends: middle
middle
  Depends: lower
lower
  Depends: lib (>= 2)
lib 1
x
  Conflicts: y
y
z
  Depends: x, y
agent1
  Provides: agent
  Conflicts: agent
agent2
  Provides: agent
  Conflicts: agent
`);
  assert.match(
    failure(() => resolve(['top'], index)).message,
    /lower 1 depends on lib \(>= 2\), but only lib 1 is available: required by middle <- top/,
  );
  assert.match(failure(() => resolve(['z'], index)).message, /x (1 )?conflicts with y/);
  assert.match(failure(() => resolve(['x', 'y'], index)).message, /x 1 conflicts with y, which is y 1/);
  assert.match(
    failure(() => resolve(['agent1', 'agent2'], index)).message,
    /agent1 1 conflicts with agent, which is agent2 1/,
  );
});

test('dependencies of a choice that failed are removed again', () => {
  const index = universe(`
app
  Depends: one | two
one
  Depends: helper, clash
helper
clash
  Conflicts: app
two
`);
  assert.deepEqual(names(index, ['app']), ['app', 'two']);
});

test('cycles and chains', () => {
  assert.deepEqual(names(universe('a\n  Depends: b\nb\n  Depends: c\nc\n  Depends: a'), ['a']), ['a', 'b', 'c']);
  const chain = (length: number) =>
    universe(Array.from({ length }, (_, i) => `p${i}${i + 1 < length ? `\n  Depends: p${i + 1}` : ''}`).join('\n'));
  assert.equal(names(chain(350), ['p0']).length, 350);
  assert.equal(failure(() => resolve(['p0'], chain(5000))).code, 'DEPENDENCIES_TOO_DEEP');
});

test('installed packages that conflict are upgraded or removed', () => {
  const index = universe(`
app
  Depends: lib (>= 2)
  Conflicts: rival
lib 1
lib 2
rival
user
`);
  const installed = [
    { name: 'lib', version: '1' },
    { name: 'rival', version: '1' },
    { name: 'user', version: '1' },
  ];
  const { packages, removed } = resolve(['app'], index, { installed });
  assert.deepEqual(
    packages.map((one) => `${one.package.name}=${one.package.version}`),
    ['lib=2', 'app=1'],
  );
  assert.deepEqual(removed, ['rival']);
});

test('the order of unpacking and of configuring', () => {
  const index = universe(`
zz
  Pre-Depends: aa
aa
  Depends: bb
bb
  Depends: aa
core
  Essential: yes
  Depends: lib
lib
`);
  const packages = resolve(['zz', 'core'], index).packages.map((one) => one.package);
  assert.deepEqual(
    packages.map(({ name }) => name),
    ['lib', 'core', 'aa', 'bb', 'zz'],
  );
  assert.deepEqual(unpackOrder([...packages].reverse()), packages);
  assert.deepEqual(
    configureOrder(packages).map(({ name }) => name),
    ['lib', 'core', 'bb', 'aa', 'zz'],
  );
  // a cycle is broken at a package without a postinst
  assert.deepEqual(
    configureOrder(packages, ({ name }) => name !== 'aa').map(({ name }) => name),
    ['lib', 'core', 'aa', 'bb', 'zz'],
  );
});
