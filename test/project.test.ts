import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CATALOGUE } from '../src/errors/catalogue.ts';
import { WARNINGS } from '../src/errors/warnings.ts';
import { ROOT } from './support/data.ts';
import { slowFiles } from './support/slow.ts';

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly exports: Record<string, string | Record<string, string>>;
  readonly engines: { readonly node: string };
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  packages: Record<
    string,
    { resolved?: string; hasInstallScript?: boolean; dev?: boolean; optional?: boolean; os?: string[]; cpu?: string[] }
  >;
};

test('dependencies are pinned exactly, and explained in docs/dependencies.md', () => {
  const page = readFileSync(join(ROOT, 'docs/dependencies.md'), 'utf8');
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
    if (!name.startsWith('@types/') && name !== 'typescript')
      assert.ok(page.includes(name), `${name} is not explained`);
  }
});

test('the lock names no host, and what runs with us installs without scripts on every machine', () => {
  for (const [path, entry] of Object.entries(lock.packages)) {
    assert.equal(entry.resolved, undefined, path);
    if (path === '' || entry.dev) continue;
    assert.notEqual(entry.hasInstallScript, true, path);
    assert.equal(entry.os ?? entry.cpu, undefined, path);
  }
});

test('what the package exports is built', () => {
  for (const target of Object.values(manifest.exports).flatMap((one) =>
    typeof one === 'string' ? [one] : Object.values(one),
  )) {
    const source = target
      .replace(/^\.\/dist\/bundle\//, './dist/src/')
      .replace(/^\.\/dist\/(.*?)(\.d\.ts|\.js)$/, './$1.ts');
    assert.ok(existsSync(join(ROOT, source)), target);
  }
});

test('test/slow.list names files that exist', () => {
  for (const name of slowFiles().keys())
    assert.ok(existsSync(join(ROOT, 'test', name)), `test/slow.list: there is no test/${name}`);
});

test('every error code is spelled like one, and is used', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('catalogue'))
    .map((name) => readFileSync(join(ROOT, 'src', name), 'utf8'))
    .join('\n');
  for (const code of Object.keys(CATALOGUE)) {
    assert.match(code, /^[A-Z][A-Z0-9_]*$/);
    assert.ok(sources.includes(`'${code}'`), `${code} is never thrown`);
  }
});

test('every warning code is spelled like one, and is used', () => {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && name !== join('errors', 'warnings.ts'))
    .map((name) => readFileSync(join(ROOT, 'src', name), 'utf8'))
    .join('\n');
  for (const code of Object.keys(WARNINGS)) {
    assert.match(code, /^[A-Z][A-Z0-9_]*$/);
    assert.ok(sources.includes(`'${code}'`), `${code} is never reported`);
  }
});

test('every export of src/index.ts has a docstring where it is declared', () => {
  const index = readFileSync(join(ROOT, 'src/index.ts'), 'utf8');
  let exports = 0;
  for (const [, names, from] of index.matchAll(/export (?:type )?\{([^}]*)\} from '([^']+)'/g)) {
    const source = readFileSync(join(ROOT, 'src', from!), 'utf8');
    for (const name of names!.split(',').map(
      (one) =>
        one
          .trim()
          .replace(/^type /, '')
          .split(' ')[0]!,
    )) {
      if (name === '') continue;
      exports++;
      assert.match(
        source,
        new RegExp(`\\*/\\nexport (async )?(function\\*?|class|const|let|type|interface) ${name}\\b`),
        `${name} of ${from} has no docstring`,
      );
    }
  }
  assert.ok(exports > 40);
});
