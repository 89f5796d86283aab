import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { ROOT } from './support/data.ts';

/**
 * An expression such as `\s+$` is tried from each character of a run, and each time runs to the end of the run: a hundred
 * thousand blanks that something follows take it a minute, a million hours. `withoutEnding` and `trimEnd` look from the end.
 */
const SHORT: ReadonlyMap<string, string> = new Map([
  ...[
    'shell/commands/columns.ts /[^\\n]*\\n|[^\\n]+$/g',
    'shell/commands/concatenate.ts /[^\\n]*\\n|[^\\n]+$/g',
    'shell/commands/csplit.ts /[^\\n]*\\n|[^\\n]+$/g',
    'shell/commands/fill.ts /[^\\n]*\\n|[^\\n]+$/g',
  ].map((one): [string, string] => [one, 'what the first branch does not take, the second does']),
  ...[
    'dracut/gather.ts /\\/*[^/]*\\/*$/',
    'dracut/gather.ts /\\/+$/',
    'settings/guests.ts /\\/+$/',
    'shell/commands/copy.ts /\\/*[^/]*\\/*$/',
    'shell/commands/find-format.ts /\\/+[^/]*\\/*$/',
    'shell/commands/paths.ts /[^/]*\\/*$/',
    'shell/commands/sed.ts /[^/]*$/',
    'tree/lazy.ts /\\/+$/',
  ].map((one): [string, string] => [one, 'paths of files that are there, or that a user names: at most 4096 bytes']),
  ['families/apt/packages-index.ts /\\s*\\(.*$/', 'a field of one line, which is short where it is read'],
  ['rootfs/chrony.ts /\\n*$/', 'a file of the guest with few empty lines'],
  [`shell/commands/fill.ts /[)\\]'"]+$/`, 'a word'],
]);

function expressions(): [place: string, source: string][] {
  const found: [string, string][] = [];
  for (const name of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.ts')) continue;
    const file = ts.createSourceFile(name, readFileSync(join(ROOT, 'src', name), 'utf8'), ts.ScriptTarget.Latest);
    const visit = (node: ts.Node): void => {
      if (ts.isRegularExpressionLiteral(node)) found.push([name, node.text]);
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

/** A class or character that is repeated, at the start of an expression which has to reach the end of the text. */
const RUN_TO_THE_END =
  /^\/(?:\(\?<[=!][^)]*\))?(?:\((?:\?:)?)?(?:\\.|\[(?:\\.|[^\]\\])+\]|[^\\[(^/])[+*](?!\?).*\$\)?\/[a-z]*$/;

test('no expression looks for the end of a text from every character of a run', () => {
  const all = expressions();
  assert.ok(all.length > 1000, String(all.length));
  const found = all.filter(([, text]) => RUN_TO_THE_END.test(text)).map(([name, text]) => `${name} ${text}`);
  assert.deepEqual(
    found.filter((one) => !SHORT.has(one)),
    [],
  );
  assert.deepEqual(
    [...SHORT.keys()].filter((one) => !found.includes(one)),
    [],
    'what is in the list is in the program',
  );
});
