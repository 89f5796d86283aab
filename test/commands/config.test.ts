import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yamlValues } from '../../src/commands/config.ts';

class Invalid extends Error {}
const invalid = (reason: string) => new Invalid(reason);

test('YAML with more levels than a parser survives is an error', async () => {
  const deep = 5000;
  const texts = {
    lists: '['.repeat(deep),
    maps: '{a: '.repeat(deep),
    'lists and maps': '[{a: '.repeat(deep),
    'lists by dashes': '- '.repeat(deep),
    'explicit keys': '? '.repeat(deep),
    indentation: Array.from({ length: 400 }, (_, i) => `${' '.repeat(i)}a:\n`).join(''),
    'just beyond': `${'['.repeat(201)}${']'.repeat(201)}`,
  };
  for (const [what, text] of Object.entries(texts)) await assert.rejects(yamlValues(text, invalid), Invalid, what);
});

test('YAML with some levels, brackets in text and rulers is read', async () => {
  const levels = 100;
  assert.ok(await yamlValues(`a: ${'['.repeat(levels)}${']'.repeat(levels)}`, invalid));
  assert.deepEqual(
    await yamlValues(`# ${'-'.repeat(500)}\na: '${'[]'.repeat(300)}'\nb: ${'-'.repeat(300)}\n`, invalid),
    {
      a: '[]'.repeat(300),
      b: '-'.repeat(300),
    },
  );
});
