import assert from 'node:assert/strict';
import { relative } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { ROOT } from './support/data.ts';
import { compiled } from './support/program.ts';

/**
 * A table that is an object literal also has what all objects have: `table[name]` of a name from outside finds a function
 * under `constructor`. So such a table is a Map, or is asked with `Object.hasOwn` first, or its names are in this list.
 */
const CLOSED: ReadonlyMap<string, readonly string[]> = new Map([
  [
    'the key is one letter, or a word that a regular expression chose from a list',
    [
      'src/families/apk/protection.ts KINDS',
      'src/families/apt/relations.ts COMPARISONS',
      'src/families/rpm/lua/patterns.ts CLASSES',
      'src/shell/brackets.ts AWK_ESCAPES',
      'src/shell/commands/awk-parser.ts ESCAPES',
      'src/shell/commands/columns.ts plain',
      'src/shell/commands/date-text.ts UNITS',
      'src/shell/commands/date-text.ts ZONES',
      'src/shell/commands/date-text.ts words',
      'src/shell/commands/find-format.ts ESCAPES',
      'src/shell/commands/ls.ts escapes',
      'src/shell/commands/sed-run.ts codes',
      'src/shell/commands/translate.ts ESCAPES',
      'src/shell/commands/xargs.ts escapes',
      'src/shell/escapes.ts plain',
      'src/shell/strftime.ts COMPOUND',
      'src/shell/transform.ts plain',
      'src/system/library-search.ts values',
    ],
  ],
  [
    'the key is a name of ours, or one that was looked up before',
    [
      'src/cli/arguments.ts COMMANDS',
      'src/cli/completion.ts PATHS',
      'src/cli/completion.ts POSITIONALS',
      'src/cli/help.ts COMMANDS',
      'src/commands/commands.ts COMMANDS',
      'src/commands/rebuild.ts OUTPUT_OF',
      'src/compression/wasm/assemble.ts KIND',
      'src/compression/wasm/assemble.ts MEMORY',
      'src/compression/wasm/assemble.ts PLAIN',
      'src/compression/wasm/assemble.ts TYPE',
      'src/compression/wasm/assemble.ts VARIABLE',
      'src/compression/wasm/assemble.ts seen',
      'src/dracut/command-line.ts FLAGS',
      'src/dracut/command-line.ts OWN',
      'src/families/rpm/sqlite.ts VIEWS',
      'src/pipeline/lock.ts found',
      'src/proof/reference-values.ts values',
      'src/report/history.ts TITLES',
      'src/settings/gather.ts properties',
      'src/families/apt/commands/system.ts table',
      'src/families/apt/configure.ts BASE_RULES',
      'src/fetch/keys/removed.ts REMOVED',
      'src/formats/cpio/head.ts values',
      'src/formats/verity/signature.ts fields',
      'src/shell/commands/dump.ts LETTERS',
      'src/shell/commands/find-format.ts FIND_KINDS',
      'src/shell/commands/usage.ts units',
      'src/shell/declare.ts TAKES',
      'src/system/commands/omitted.ts table',
    ],
  ],
  [
    'the key is a name of a machine that a profile knows, or a code in upper case',
    [
      'src/artefacts/layouts.ts DISCOVERABLE',
      'src/dracut/kernel.ts SOURCE_NAMES',
      'src/errors/system.ts REASONS',
      'src/fetch/mirror/client-failures.ts WORDS',
      'src/shell/commands/system.ts CHARSETS',
      'src/system/loader.ts ARCHITECTURES',
    ],
  ],
]);

const { checker, own } = compiled();

const plain = (expression: ts.Expression): ts.Expression =>
  ts.isParenthesizedExpression(expression) || ts.isAsExpression(expression) || ts.isSatisfiesExpression(expression)
    ? plain(expression.expression)
    : expression;

/** True for the plain type `string`, or one with it: names that are known to the compiler are no names from outside. */
function isOpen(type: ts.Type): boolean {
  return type.isUnion() ? type.types.some(isOpen) : (type.flags & ts.TypeFlags.String) !== 0;
}

/** The constant that an expression names, when it is made of an object literal. */
function tableOf(expression: ts.Expression): ts.Symbol | undefined {
  const inner = plain(expression);
  if (!ts.isIdentifier(inner)) return undefined;
  const found = checker.getSymbolAtLocation(inner);
  if (found === undefined) return undefined;
  const symbol = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
  const declared = symbol.valueDeclaration;
  if (declared === undefined || !ts.isVariableDeclaration(declared) || declared.initializer === undefined)
    return undefined;
  return ts.isObjectLiteralExpression(plain(declared.initializer)) ? symbol : undefined;
}

function lookups(file: ts.SourceFile): [name: string, line: number][] {
  const found: [string, line: number][] = [];
  const note = (table: ts.Expression, key: ts.Expression) => {
    const symbol = tableOf(table);
    if (symbol === undefined || !isOpen(checker.getTypeAtLocation(key))) return;
    if (file.text.includes(`Object.hasOwn(${symbol.name}, `)) return;
    found.push([symbol.name, file.getLineAndCharacterOfPosition(key.getStart(file)).line + 1]);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isElementAccessExpression(node)) note(node.expression, node.argumentExpression);
    if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.InKeyword) note(node.right, node.left);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

test('no name from outside finds in a table what all objects have', () => {
  const closed = [...CLOSED.values()].flat();
  const wrong: string[] = [];
  const used = new Set<string>();
  for (const file of own) {
    const path = relative(ROOT, file.fileName);
    for (const [name, line] of lookups(file)) {
      used.add(`${path} ${name}`);
      if (!closed.includes(`${path} ${name}`)) wrong.push(`${path}:${line} ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(
    closed.filter((place) => !used.has(place)),
    [],
    'what is in the list is in the program',
  );
});
