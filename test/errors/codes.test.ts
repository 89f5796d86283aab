import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { CATALOGUE } from '../../src/errors/catalogue.ts';
import { WARNINGS } from '../../src/errors/warnings.ts';
import { flagOf, SETTING_KEYS } from '../../src/settings/table.ts';
import { ROOT } from '../support/data.ts';

/** Codes that no test produces, and why. */
const NOT_PRODUCED: Readonly<Record<string, string>> = {
  NOT_REPRODUCIBLE: 'a build that depends on its surroundings would be a fault, and none is known',
  RPM_MISMATCH: 'needs a repository whose signed metadata contradict its packages; no maker in test/support writes one',
};

interface Source {
  readonly name: string;
  readonly tree: ts.SourceFile;
}

function sourcesOf(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.replaceAll(sep, '/'))
    .map((name) => {
      const text = readFileSync(join(ROOT, folder, name), 'utf8');
      return { name, tree: ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true) };
    });
}

/** Calls `look` with every string literal, and every part of a template, with its line. */
function literals(source: Source, look: (text: string, line: number) => void): void {
  const visit = (node: ts.Node): void => {
    if (
      ts.isStringLiteral(node) ||
      ts.isNoSubstitutionTemplateLiteral(node) ||
      ts.isTemplateHead(node) ||
      ts.isTemplateMiddle(node) ||
      ts.isTemplateTail(node)
    )
      look(node.text, source.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1);
    ts.forEachChild(node, visit);
  };
  visit(source.tree);
}

const engine = sourcesOf('src').filter(({ name }) => !name.startsWith('errors/'));
const codes = [...Object.keys(CATALOGUE), ...Object.keys(WARNINGS)];

test('every code is written in the code that throws or reports it', () => {
  const written = new Set<string>();
  for (const source of engine) literals(source, (text) => written.add(text));
  for (const code of codes) assert.ok(written.has(code), `${code} is never thrown or reported`);
});

test('every code is produced by a test', () => {
  const tests = sourcesOf('test').map(({ tree }) => tree.text);
  const named = new Set(tests.flatMap((text) => text.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\b/g) ?? []));
  const missing = codes.filter((code) => !named.has(code) && NOT_PRODUCED[code] === undefined);
  assert.deepEqual(missing, [], 'produce them in test/errors/produced.test.ts, or give the reason here');
  for (const code of Object.keys(NOT_PRODUCED)) assert.ok(codes.includes(code), `${code} is in no catalogue`);
});

test('messages of the engine name settings by their keys, not by flags', () => {
  const flags = new Set(SETTING_KEYS.map((key) => `--${flagOf(key)}`));
  const found: string[] = [];
  for (const source of engine) {
    // the command line's own rooms, and the programs that scripts call, with flags of their own
    if (/^(cli|commands|report|settings|shell|system)\//.test(source.name)) continue;
    literals(source, (text, line) => {
      // a flag alone is an argument of such a program; texts of several lines are files of the guest
      for (const [flag] of text.matchAll(/--[a-z][a-z-]*[a-z]/g))
        if (flags.has(flag) && text !== flag && !text.includes('\n')) found.push(`src/${source.name}:${line}: ${text}`);
    });
  }
  assert.deepEqual(found, []);
});
