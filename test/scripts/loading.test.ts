import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/data.ts';

/** What the files of the bundle have each other load: half of the time of a short command is spent on that. */

const BUNDLE = join(ROOT, 'dist/bundle');
const PARTS = join(BUNDLE, 'parts');
const parts = new Map(
  readdirSync(PARTS)
    .filter((name) => name.endsWith('.js'))
    .map((name) => [name, readFileSync(join(PARTS, name), 'utf8')]),
);

/** What a file loads as soon as it is loaded: parts by their names, libraries. */
const required = (code: string): string[] =>
  [...code.matchAll(/^(?:(?:const|var) \w+ = )?require\('(?:(?:\.{1,2}\/)+(?:parts\/)?)?([^']+)'\);/gm)].map(
    ([, next]) => next!,
  );

/** The parts that are loaded with one, by imports that are followed at once. */
function loadedWith(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const next of required(parts.get(name)!)) if (parts.has(next)) loadedWith(next, seen);
  return seen;
}

const having = (text: string): string => {
  const found = [...parts].filter(([, code]) => code.includes(text)).map(([name]) => name);
  assert.equal(found.length, 1, `${text} is in ${found.join()}`);
  return found[0]!;
};

test('planning, and taking a tree that was kept, load no interpreter of scripts and no OpenPGP library', () => {
  const interpreter = having('function runScriptlet(');
  const families = ['apt', 'apk', 'rpm'].map((name) => having(`\nconst ${name} = {\n    name: '${name}'`));
  for (const part of [...families, having('\nasync function assemble('), having('\nasync function build(')]) {
    const loaded = loadedWith(part);
    assert.ok(loaded.size > 3, part);
    assert.ok(!loaded.has(interpreter), `${part} loads ${interpreter}`);
    for (const one of loaded)
      assert.doesNotMatch(parts.get(one)!, /^(?:const|var) .*require\('(openpgp|sql\.js|fengari|undici.*)'/m, one);
  }
  const resolver = having('function resolveRest(');
  assert.ok(!loadedWith(having("\nconst rpm = {\n    name: 'rpm'")).has(resolver), 'a kept choice needs no resolver');
  // configuring does
  const loading = [...parts.keys()].filter((name) => loadedWith(name).has(interpreter));
  assert.ok(loading.filter((name) => name.startsWith('configure')).length >= 3, loading.join());
});

test('threads load what they share with the program, and not the program, nor a library that only it needs', () => {
  const program = having('\nasync function build(');
  const tasks = readdirSync(BUNDLE, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(?:-task|workers[/\\]thread)\.js$/.test(name),
  );
  assert.ok(tasks.length > 10, tasks.join());
  for (const task of tasks) {
    const own = readFileSync(join(BUNDLE, task), 'utf8');
    const loaded = new Set(required(own).flatMap((name) => (parts.has(name) ? [...loadedWith(name)] : [])));
    assert.ok(loaded.size > 0, task);
    assert.ok(!loaded.has(program), `${task} loads ${program}`);
    for (const code of [own, ...[...loaded].map((name) => parts.get(name)!)])
      for (const library of required(code))
        assert.doesNotMatch(library, /^(?:valibot|yaml|undici|openpgp|sql\.js|node:dns|node:net)/, task);
  }
});
