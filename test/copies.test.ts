import assert from 'node:assert/strict';
import { relative } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { ROOT } from './support/data.ts';
import { compiled } from './support/program.ts';

/** Copies that are none, or lack something, and that the compiler takes for complete. */

const { checker, own } = compiled();

function where(node: ts.Node): string {
  const source = node.getSourceFile();
  const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
  return `${relative(ROOT, source.fileName)}:${line}: ${node.getText()}`;
}

/** `slice` of a Buffer, which any Uint8Array may be, is a view: what is written later, or to it, changes both. */
test('no bytes are copied by slice', () => {
  const wrong: string[] = [];
  let calls = 0;
  const visit = (node: ts.Node): void => {
    ts.forEachChild(node, visit);
    if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
    if (node.expression.name.text !== 'slice') return;
    calls++;
    const type = checker.getTypeAtLocation(node.expression.expression);
    if ((type.isUnion() ? type.types : [type]).some(({ symbol }) => /^(?:Uint8Array|Buffer)$/.test(symbol?.name ?? '')))
      wrong.push(where(node));
  };
  for (const source of own) visit(source);
  assert.ok(calls > 500, String(calls));
  assert.deepEqual(wrong, []);
});

/**
 * A spread copies own properties alone: the methods of a class stay behind, and the compiler does not notice where the
 * value is known by an interface. So nothing that a class implements is ever spread.
 */
test('no value that may be an object of a class is spread', () => {
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
    return [`${where(spread)} is a ${named.symbol.name}`];
  });
  assert.ok(spreads.length > 300 && classes.size > 30, `${spreads.length} spreads, ${classes.size} classes`);
  assert.deepEqual(wrong, []);
});
