import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LIMITS } from '../../src/shell/limits.ts';
import { compilePath, compilePattern, matches, matchesPath } from '../../src/shell/pattern.ts';
import { runScript } from '../../src/shell/run.ts';
import { Tree } from '../../src/tree/tree.ts';

/** Steps that a script takes with a pattern as `$1`. */
function steps(script: string, pattern: string): number {
  const tree = new Tree();
  for (const name of ['a', 'b', 'ab', '[']) tree.writeFile(`tmp/${name}`, 'a\n');
  const limits = { ...LIMITS, steps: 20_000_000 };
  const result = runScript(script, { tree, name: 's', args: [pattern], time: 0, limits });
  equal(result.error, undefined, script);
  return result.steps;
}

describe('the cost of a pattern grows no faster than the pattern', () => {
  const shapes: readonly (readonly [string, (n: number) => string])[] = [
    ['unclosed classes', (n) => '[[:a%'.repeat(n)],
    ['unclosed brackets', (n) => '['.repeat(n)],
    ['a class at the end of unclosed brackets', (n) => `${'['.repeat(n)}[:alpha:]`],
    ['unclosed symbols that all end at the end', (n) => `${'[[.ab'.repeat(n)}.]`],
    ['closed brackets', (n) => '[a-z]'.repeat(n)],
    ['classes in one bracket', (n) => `[${'[:alpha:]'.repeat(n)}]`],
    ['stars and brackets', (n) => '*[ab]'.repeat(n)],
    ['plain text', (n) => 'abcde'.repeat(n)],
  ];
  const scripts: readonly (readonly [string, string])[] = [
    ['case', 'case a in $1) ;; esac'],
    ['a glob', 'cd /tmp; echo $1 > /dev/null'],
    ['find -name', 'find /tmp -name "$1"'],
    ['${x#pattern}', 'x=aaaa; echo "${x#$1}" "${x##$1}" > /dev/null'],
    ['${x%pattern}', 'x=aaaa; echo "${x%$1}" "${x%%$1}" > /dev/null'],
    ['a sed expression', 'echo a | sed "s/$1/x/"'],
    ['a sed address', 'echo a | sed "/$1/d"'],
    ['an awk expression', 'echo a | awk "/$1/"'],
    ['grep', 'echo a | grep -e "$1"'],
  ];
  for (const [i, [kind, script]] of scripts.entries())
    for (const [shape, make] of shapes)
      test(`${kind}: ${shape}`, () => {
        // a different pattern for each script, since compiled ones are cached
        const own = String.fromCharCode(97 + i);
        const [small, large] = [steps(script, own + make(200)), steps(script, own + make(1600))];
        // eight times the input; ten allows for rounding and for the constant cost of a script
        ok(large <= 10 * small + 2000, `${small} steps, then ${large}`);
      });

  test('reading positions of unclosed brackets is not repeated', () => {
    let read = 0;
    const text = '[[:a%'.repeat(5000);
    const counted = new Proxy(Object(text) as object, {
      get(target, key) {
        if (typeof key === 'string' && /^\d+$/.test(key)) read++;
        const value = Reflect.get(target, key) as unknown;
        return typeof value === 'function' ? value.bind(text) : value;
      },
    }) as unknown as string;
    equal(compilePattern(counted).tokens.length, text.length);
    ok(read < 20 * text.length, `${read} characters read of ${text.length}`);
  });
});

describe('patterns without a shell', () => {
  test('a backslash is an escape, or a literal character when requested', () => {
    const text = (pattern: string, name: string, literal: boolean) =>
      matches(compilePattern(pattern, undefined, literal), name);
    deepEqual([text('a\\*', 'a*', false), text('a\\*', 'a\\bc', true), text('[\\]]', '\\]', true)], [true, true, true]);
    deepEqual([text('a\\*', 'abc', false), text('a\\*', 'a*', true)], [false, false]);
  });

  test('no wildcard of a path pattern matches a slash', () => {
    const fits = (pattern: string, path: string) => matchesPath(compilePath(pattern), path);
    ok(fits('/usr/*/x?', '/usr/share/x1'));
    ok(!fits('/usr/*', '/usr/share/x1'));
    ok(!fits('/usr?share', '/usr/share'));
    ok(!fits('/usr[/]share', '/usr/share'));
  });
});
