import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseContexts, parseSubstitutions } from '../../../src/formats/selinux/contexts.ts';
import { compileExpression, ExpressionError } from '../../../src/formats/selinux/expression.ts';
import { LabelLookup } from '../../../src/formats/selinux/lookup.ts';

/** The dialect of file_contexts. */

const atom = fc.constantFrom(
  'a',
  'b',
  '/',
  '.',
  '\\.',
  '\\+',
  '[ab]',
  '[^/]',
  '[a-c.]',
  '[]a]',
  '[^]a]',
  '[[:digit:]a]',
  '-',
  ',',
);
const expression = fc.letrec<{ whole: string; piece: string }>((tie) => ({
  whole: fc.array(tie('piece'), { maxLength: 4 }).map((pieces) => pieces.join('')),
  piece: fc
    .tuple(
      fc.oneof(
        { depthSize: 'small' },
        atom,
        fc.tuple(tie('whole'), tie('whole')).map(([a, b]) => `(${a}|${b})`),
        tie('whole').map((a) => `(?:${a})`),
      ),
      fc.constantFrom('', '', '', '?', '*', '+', '{2}', '{1,2}', '{0,}'),
    )
    .map(([body, quantifier]) => body + quantifier),
})).whole;

test('random expressions match what those of JavaScript match', () => {
  const text = fc
    .array(fc.constantFrom('a', 'b', '/', '.', '+', 'c', ']', '3', '-', '\n'), { maxLength: 8 })
    .map((all) => all.join(''));
  fc.assert(
    fc.property(expression, fc.array(text, { minLength: 20, maxLength: 20 }), (source, texts) => {
      const ours = compileExpression(source);
      // a bracket that begins with ] is spelled otherwise there
      const theirs = new RegExp(
        `^(?:${source.replaceAll('[]a]', '[\\]a]').replaceAll('[^]a]', '[^\\]a]').replaceAll('[[:digit:]a]', '[0-9a]')})$`,
        's',
      );
      for (const one of texts) assert.equal(ours.matches(one), theirs.test(one), `${source} on ${JSON.stringify(one)}`);
    }),
    { numRuns: 300, seed: 5 },
  );
});

test('what the dialect does not have is an error', () => {
  for (const source of [
    '\\d',
    '\\1',
    'a**',
    'a*?',
    'a{2}{3}',
    '*',
    '(?=a)',
    '(?<n>a)',
    '(a',
    'a)',
    '[a',
    '[[:nothing:]]',
    '[b-a]',
    'a{3,2}',
    '^a',
    'a$',
    'a\\',
    '(*ACCEPT)',
    'a{20001}',
    '((a{200}){200}){200}',
    `${'('.repeat(200)}a${')'.repeat(200)}`,
    '(((){30000}){30000}){30000}',
  ])
    assert.throws(() => compileExpression(source), ExpressionError, source);
});

test('hostile expressions cost as much as the path is long', () => {
  const path = `/${'a'.repeat(4000)}!`;
  for (const source of [
    '/(a*)*b',
    '/(a|a)*b',
    '/(a+)+b',
    '/(a|aa)+b',
    '/(.*)*(.*)*(.*)*b',
    `/${'a?'.repeat(2000)}${'a'.repeat(2000)}b`,
    '/.*a.{200}b',
  ])
    assert.equal(compileExpression(source).matches(path), false, source);
  // many states: the automaton drops them and goes on
  const kept = { numbers: 0, dropped: 0 };
  const wide = compileExpression('(a|b)*a(a|b){18}', kept);
  let state = 1;
  for (let i = 0; i < 300; i++) {
    let text = '';
    for (let j = 0; j < 400; j++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      text += state >>> 31 ? 'a' : 'b';
    }
    assert.equal(wide.matches(text), text.at(-19) === 'a');
  }
  assert.ok(kept.dropped > 0);
});

test('lines that are none: file and line are named', () => {
  for (const text of [
    '/a\n',
    '/a -x u:r:t\n',
    '/a -- -- u:r:t\n',
    '/usr/bin/bad\tnot_a_valid_selinux_context\n',
    '/a u:r:t:c5\n',
    '/a u:r:t:s0:\n',
    '/\xe4 u:r:t\n',
    '/a\x01 u:r:t\n',
  ])
    assert.throws(
      () => parseContexts(`# one\n${text}`, 'file_contexts'),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, 'CONTEXTS_INVALID', text);
        assert.match(error.message, /^file_contexts, line 2: /);
        return true;
      },
    );
  for (const text of ['/a\n', 'a /b\n', '/a b\n', '/a /b /c\n'])
    assert.throws(() => parseSubstitutions(text, 'subs'), { code: 'CONTEXTS_INVALID' }, text);
  const lookup = new LabelLookup({
    contexts: [{ path: 'f', lines: parseContexts('/a u:r:t\n/(b u:r:t\n', 'f') }],
    substitutions: [],
  });
  assert.throws(() => lookup.check(), {
    code: 'CONTEXTS_INVALID',
    message: /^f, line 2: \/\(b: "\(" at 2 is not closed/,
  });
});

test('a policy whose expressions cost too much ends in an error', () => {
  const lines = parseContexts(Array.from({ length: 50_000 }, (_, i) => `/.*${i}x u:r:t\n`).join(''), 'f');
  const lookup = new LabelLookup({ contexts: [{ path: 'f', lines }], substitutions: [], work: 1e7 });
  const path = `/${'a'.repeat(200)}`;
  assert.throws(
    () => {
      for (let i = 0; i < 1000; i++) lookup.label(path, 'file');
    },
    { code: 'CONTEXTS_LIMIT' },
  );
});
