import assert from 'node:assert/strict';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { ROOT } from './support/data.ts';

/**
 * A spread copies own properties alone: the methods of a class stay behind, and the compiler does not notice where the
 * value is known by an interface. So nothing that a class implements is ever spread.
 */
test('no value that may be an object of a class is spread', () => {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(ROOT, 'tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (found) => assert.fail(String(found.messageText)) },
  )!;
  const program = ts.createProgram(config.fileNames, config.options);
  const checker = program.getTypeChecker();
  const own = program.getSourceFiles().filter(({ fileName }) => relative(ROOT, fileName).startsWith('src'));

  const classes = new Set<ts.Symbol>();
  const within = (type: ts.Type) => {
    if (type.symbol !== undefined) classes.add(type.symbol);
    for (const base of type.isClassOrInterface() ? checker.getBaseTypes(type) : []) within(base);
  };
  const spreads: ts.SpreadAssignment[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isSpreadAssignment(node)) spreads.push(node);
    if (ts.isClassLike(node)) {
      within(checker.getTypeAtLocation(node));
      for (const clause of node.heritageClauses ?? [])
        for (const base of clause.types) within(checker.getTypeAtLocation(base));
    }
    ts.forEachChild(node, visit);
  };
  for (const source of own) visit(source);

  const parts = (type: ts.Type): ts.Type[] =>
    type.isUnionOrIntersection() ? type.types.flatMap(parts) : [type, ...basesOf(type).flatMap(parts)];
  const basesOf = (type: ts.Type) => (type.isClassOrInterface() ? checker.getBaseTypes(type) : []);
  const hasMethods = (symbol: ts.Symbol) =>
    [...(symbol.members?.values() ?? [])].some(({ flags }) => (flags & ts.SymbolFlags.Method) !== 0);
  const wrong = spreads.flatMap((spread) => {
    const named = parts(checker.getTypeAtLocation(spread.expression)).find(
      ({ symbol }) => symbol !== undefined && classes.has(symbol) && hasMethods(symbol),
    );
    if (named === undefined) return [];
    const source = spread.getSourceFile();
    const line = source.getLineAndCharacterOfPosition(spread.getStart()).line + 1;
    return [`${relative(ROOT, source.fileName)}:${line}: ${spread.getText()} is a ${named.symbol.name}`];
  });
  assert.ok(spreads.length > 300 && classes.size > 30, `${spreads.length} spreads, ${classes.size} classes`);
  assert.deepEqual(wrong, []);
});
