import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { COMMANDS } from '../../src/cli/commands.ts';
import { WARNING_HINTS } from '../../src/errors/warnings.ts';
import { withFlags } from '../../src/report/errors.ts';
import { flagOf, isSettingKey, SETTING_KEYS } from '../../src/settings/table.ts';
import { ROOT } from '../support/data.ts';

/**
 * The engine's messages are read by users of the library as well, who have no flags: they name settings by their keys, in
 * backticks, and the command line shows its own spelling instead.
 */

/**
 * The command line itself, the page about its flags, booting, whose options are flags of one command and no settings, and the
 * table of dracut's own options.
 */
const EDGES =
  /^(boot|cli|commands|report)\/|^settings\/([a-z]+-settings|table|reference|upstream)\.ts$|^dracut\/(command-line|options)\.ts$/;
/** Emulated programs of guests have flags of their own; only their errors are looked at. */
const EMULATED = /^(shell|system)\/|^families\/\w+\/(commands|configure)\//;

const FLAGS = new Set([
  ...SETTING_KEYS.map(flagOf),
  ...SETTING_KEYS.map((key) => `no-${flagOf(key)}`),
  ...Object.values(COMMANDS).flatMap((row) => Object.keys(row.own)),
  'config',
]);

/** Flags of this program in a text, but for a complete command that is quoted: `osbuilder plan --scripts`. */
function flagsIn(text: string): string[] {
  const rest = text.replace(/(?:osbuilder [a-z]+|systemctl)[^"`;:]*/g, '');
  return [...rest.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)].flatMap(([flag, name]) => (FLAGS.has(name!) ? [flag] : []));
}

/** Text of string literals and templates in a node, each with its place. */
function* texts(node: ts.Node): Generator<{ node: ts.Node; text: string }> {
  if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node))
    yield { node, text: node.text };
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  for (const child of children) yield* texts(child);
}

/** The parts of a file that may become messages: everything, or for emulated programs what is thrown or warned of. */
function* messages(file: ts.SourceFile, emulated: boolean): Generator<ts.Node> {
  if (!emulated) return yield file;
  const todo: ts.Node[] = [file];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    const made = ts.isNewExpression(node) && node.expression.getText(file) === 'BuildError';
    const warned = ts.isCallExpression(node) && /^(warn|warning)$/.test(node.expression.getText(file));
    if (made || warned) yield node;
    else ts.forEachChild(node, (child) => void todo.push(child));
  }
}

function* sources(): Generator<{ name: string; file: ts.SourceFile }> {
  for (const name of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).toSorted())
    if (name.endsWith('.ts'))
      yield {
        name,
        file: ts.createSourceFile(name, readFileSync(join(ROOT, 'src', name), 'utf8'), ts.ScriptTarget.Latest, true),
      };
}

test('the search finds a flag in a message, and leaves other programs and whole commands alone', () => {
  assert.deepEqual(flagsIn('use --offline or --no-trim'), ['--offline', '--no-trim']);
  assert.deepEqual(flagsIn('`osbuilder plan --scripts` shows them'), []);
  assert.deepEqual(flagsIn('write it with tar --acls --xattrs'), []);
});

test('no message of the engine names a flag', () => {
  const found: string[] = [];
  let looked = 0;
  for (const { name, file } of sources()) {
    if (EDGES.test(name)) continue;
    for (const part of messages(file, EMULATED.test(name)))
      for (const { node, text } of texts(part)) {
        looked++;
        for (const flag of flagsIn(text)) {
          const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
          found.push(`src/${name}:${line + 1}: ${flag}`);
        }
      }
  }
  assert.ok(looked > 5000);
  assert.deepEqual(found, []);
});

test('a word in backticks that looks like a setting is one, so that the command line can spell it', () => {
  const unknown: string[] = [];
  for (const { name, file } of sources()) {
    if (EDGES.test(name)) continue;
    for (const part of messages(file, true))
      for (const { text } of texts(part))
        for (const [, word] of text.matchAll(/`([a-z]+[A-Z][A-Za-z]+)`/g))
          if (!isSettingKey(word!)) unknown.push(`src/${name}: ${word}`);
  }
  assert.deepEqual(unknown, []);
});

test('the command line shows flags in place of keys', () => {
  assert.equal(withFlags('name another mirror with `repoUrl`'), 'name another mirror with --repo-url');
  assert.equal(withFlags('run `uname -m`, not `nothing`'), 'run `uname -m`, not `nothing`');
  for (const hint of Object.values(WARNING_HINTS)) assert.deepEqual(flagsIn(hint), []);
});
