import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silent } from '../../../src/events/events.ts';
import { parseIndex } from '../../../src/families/apk/index-file.ts';
import type { ApkRepository } from '../../../src/families/apk/repository.ts';
import { generationOf, resolve } from '../../../src/families/apk/resolve.ts';
import { random } from '../../support/data.ts';

/** Rules in which apk-tools 2.14 and 3.0 differ; which apply says the apk-tools of the repositories. */

/** A repository of packages in the words of an index: `name version`, then fields such as `D:other`. */
function repository(tools: string | undefined, packages: readonly string[], tag?: string): ApkRepository {
  const all = tools === undefined ? packages : [`apk-tools ${tools}`, ...packages];
  const stanzas = all.map((text, i) => {
    const [name, version, ...fields] = text.split(' ');
    const identity = `Q1${Buffer.from(String(i).padStart(20, '0')).toString('base64')}`;
    const lines = fields.map((field) => field.replaceAll(',', ' '));
    return [`C:${identity}`, `P:${name}`, `V:${version}`, 'A:x86_64', 'S:1', 'I:1', ...lines].join('\n');
  });
  const records = parseIndex(`${stanzas.join('\n\n')}\n\n`, (_, line) => assert.fail(line));
  const source = { mirrors: ['/r'], ...(tag === undefined ? {} : { tag }) };
  return { source, bases: ['/r'], local: false, records } as unknown as ApkRepository;
}

function chosen(tools: string | undefined, packages: readonly string[], world: readonly string[]): string[] | string {
  try {
    return resolve(world, [repository(tools, packages)], 'x86_64', silent).map(
      (one) => `${one.package.name}-${one.package.version}`,
    );
  } catch (error) {
    return (error as Error).message;
  }
}

const OLD = '2.14.6-r3';
const NEW = '3.0.1-r1';

test('the rules are those of the newest apk-tools without a tag', () => {
  const of = (...repositories: ApkRepository[]) => generationOf(repositories);
  assert.equal(of(repository(OLD, [])), 2);
  assert.equal(of(repository(NEW, [])), 3);
  assert.equal(of(repository('3.0.0_rc5-r0', [])), 3);
  assert.equal(of(repository(undefined, ['a 1'])), 2);
  assert.equal(of(repository(OLD, []), repository(NEW, [])), 3);
  assert.equal(of(repository(OLD, []), repository(NEW, [], 'edge')), 2);
});

test('install_if with !name: apk 3 installs it where the name stays away, apk 2.14 never', () => {
  const packages = ['app 1', 'other 1', 'extra 1 i:app,!other'];
  assert.deepEqual(chosen(OLD, packages, ['app']), ['app-1']);
  assert.deepEqual(chosen(NEW, packages, ['app']), ['app-1', 'extra-1']);
  assert.deepEqual(chosen(NEW, packages, ['app', 'other']), ['app-1', 'other-1']);
  // also when something else brings the name
  assert.deepEqual(chosen(NEW, [...packages, 'user 1 D:other'], ['app', 'user']), ['app-1', 'other-1', 'user-1']);
});

test('install_if of a name that a package provides: apk 3 looks at it when the package is chosen', () => {
  const packages = ['app 1', 'real 1 p:virtual=1', 'extra 1 i:app,virtual'];
  assert.deepEqual(chosen(NEW, packages, ['app', 'real']), ['app-1', 'real-1', 'extra-1']);
});

test('of two providers apk 3 takes the one that is asked for by its own name, whatever the priorities', () => {
  const packages = ['low 1 p:sh k:1', 'high 1 p:sh k:9 D:low'];
  assert.deepEqual(chosen(NEW, packages, ['low', 'sh']), ['low-1']);
  assert.deepEqual(chosen(NEW, packages, ['sh']), ['low-1', 'high-1']);
});

test('neither chooses the sole provider of a name without a version and a priority', () => {
  for (const tools of [OLD, NEW]) {
    const packages = ['sole 1 p:virtual', 'user 1 D:virtual'];
    const answer = chosen(tools, packages, ['user']);
    assert.match(String(answer), /virtual \(virtual\):\n {4}note: please select one/, tools);
    assert.deepEqual(chosen(tools, packages, ['user', 'sole']), ['sole-1', 'user-1'].sort(), tools);
  }
});

test('a solution by either rules satisfies every dependency and has no conflict', () => {
  let solved = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const { below } = random(seed);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const pick = (share: number) => names.filter(() => below(share) === 0);
    const packages = names.flatMap((name) =>
      Array.from({ length: 1 + below(2) }, (_, version) => {
        const depends = [...pick(5), ...pick(20).map((one) => `!${one}`), ...pick(12).map((one) => `v${one}`)];
        const provides = [...pick(9).map((one) => `v${one}=${below(3)}`), ...pick(9).map((one) => `v${one}`)];
        const when = below(4) === 0 ? [...pick(4), ...pick(5).map((one) => `!${one}`)] : [];
        const fields = [
          ['D', depends.filter((one) => one !== name && one !== `!${name}`)],
          ['p', provides],
          ['i', when.filter((one) => one !== name && one !== `!${name}`)],
        ] as const;
        const lines = fields.flatMap(([letter, words]) => (words.length === 0 ? [] : [`${letter}:${words.join(',')}`]));
        return [name, String(version + 1), ...(below(3) === 0 ? [`k:${below(9)}`] : []), ...lines].join(' ');
      }),
    );
    const world = pick(3);
    for (const tools of [OLD, NEW]) {
      const answer = chosen(tools, packages, world);
      if (typeof answer === 'string') continue;
      solved++;
      const label = `seed ${seed}, ${tools}: ${world.join(' ')} → ${answer.join(' ')}\n${packages.join('\n')}`;
      check(packages, world, answer, label);
    }
  }
  assert.ok(solved > 200, `${solved} solutions`);
});

/** What a solution must fulfil whatever the solver's preferences are. */
function check(packages: readonly string[], world: readonly string[], answer: string[], label: string) {
  const records = packages.map((text) => {
    const [name, version, ...fields] = text.split(' ');
    const field = (letter: string) =>
      fields.flatMap((one) => (one.startsWith(`${letter}:`) ? one.slice(2).split(',') : []));
    return { label: `${name}-${version}`, name: name!, depends: field('D'), provides: field('p'), when: field('i') };
  });
  const installed = records.filter((one) => answer.includes(one.label));
  assert.equal(new Set(installed.map(({ name }) => name)).size, answer.length, `${label}: two versions of one package`);
  const has = (name: string, but?: string) =>
    installed.some(
      (one) => one.label !== but && (one.name === name || one.provides.some((p) => p.split('=')[0] === name)),
    );
  for (const name of world) assert.ok(has(name), `${label}: ${name} is missing`);
  for (const one of installed)
    for (const word of one.depends)
      assert.equal(
        has(word.replace(/^!/, ''), word.startsWith('!') ? one.label : undefined),
        !word.startsWith('!'),
        `${label}: ${word} of ${one.label}`,
      );
  const versions = new Map<string, string>();
  for (const one of installed)
    for (const word of one.provides.filter((p) => p.includes('='))) {
      const name = word.split('=')[0]!;
      assert.ok(
        !versions.has(name) || versions.get(name) === one.label,
        `${label}: two provide ${name} with a version`,
      );
      versions.set(name, one.label);
    }
}
