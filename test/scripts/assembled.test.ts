import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { assemble } from '../../src/compression/wasm/assemble.ts';
import { ROOT } from '../support/data.ts';

const BUNDLE = join(ROOT, 'dist/bundle');
const SOURCE = join(ROOT, 'dist/src');

const files = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(folder, name));

test('all WebAssembly that a module has as text is in its binary form in the bundle', async () => {
  const bundled = files(BUNDLE)
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const seen: string[] = [];
  for (const path of files(SOURCE)) {
    const code = readFileSync(path, 'utf8');
    if (!code.includes('\n(module')) continue;
    for (const [name, text] of Object.entries((await import(path)) as Record<string, unknown>)) {
      if (typeof text !== 'string' || !text.startsWith('\n(module')) continue;
      seen.push(name);
      const binary = Buffer.from(assemble(text)).toString('base64');
      assert.ok(bundled.includes(`const ${name} = '${binary}';`), `${name} of ${path}`);
      assert.deepEqual(assemble(binary), assemble(text));
    }
  }
  assert.ok(seen.length >= 5, seen.join());
});
