import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBuildError } from '../../../../src/errors/error.ts';
import { Pool } from '../../../../src/families/rpm/solver/pool.ts';
import { resolve } from '../../../../src/families/rpm/solver/resolve.ts';
import { PackageTableBuilder } from '../../../../src/families/rpm/solver/table.ts';
import type { Resolution } from '../../../../src/families/rpm/solver/types.ts';

/** Repositories made to keep a resolver busy: each ends with an answer or with a clear error. */

type Build = (builder: PackageTableBuilder) => void;

function ask(build: Build, ...wanted: string[]): Resolution {
  const builder = new PackageTableBuilder();
  build(builder);
  const pool = new Pool([{ name: 'r', packages: builder.finish(), priority: 99, cost: 1000 }], {
    architecture: 'x86_64',
  });
  return resolve(pool, { wanted: wanted.map((text) => ({ text })), weakDependencies: true, best: true });
}

function add(builder: PackageTableBuilder, name: string, evr = '1-1', arch = 'x86_64'): void {
  builder.package(name, evr, arch);
  builder.dependency('provides', name, 2, evr);
}

const count = (answer: Resolution) => (answer.kind === 'resolved' ? answer.packages.length : -1);

test('a circle of requirements', () => {
  const answer = ask((b) => {
    for (let i = 0; i < 5000; i++) {
      add(b, `p${i}`);
      b.dependency('requires', `p${(i + 1) % 5000}`);
    }
  }, 'p17');
  assert.equal(count(answer), 5000);
});

test('thousands of providers, of which each is impossible', () => {
  const answer = ask((b) => {
    add(b, 'app');
    b.dependency('requires', 'cap');
    for (let i = 0; i < 5000; i++) {
      add(b, `p${i}`);
      b.dependency('provides', 'cap');
      b.dependency('requires', `missing${i}`);
    }
  }, 'app');
  assert.equal(answer.kind, 'failed');
  assert.ok(answer.kind === 'failed' && answer.problems[0]!.sentences.length <= 45);
});

test('thousands of versions of one name', () => {
  const answer = ask((b) => {
    for (let i = 1; i <= 1000; i++) {
      add(b, 'p', `${i}-1`);
      b.dependency('requires', `q`);
    }
    add(b, 'q');
  }, 'p');
  assert.equal(count(answer), 2);
});

/** Distinct letters' worth of names, all of them packages. */
function names(b: PackageTableBuilder, number: number): string[] {
  const all = Array.from({ length: number }, (_, i) => `n${i}`);
  for (const name of all) add(b, name);
  return all;
}

test('a rich dependency that multiplies out is an error', () => {
  assert.throws(
    () =>
      ask((b) => {
        const all = names(b, 60);
        let text = `(${all[0]} and ${all[1]})`;
        for (let i = 2; i < 60; i += 2) text = `(${text} or (${all[i]} and ${all[i + 1]}))`;
        add(b, 'app');
        b.dependency('requires', text);
      }, 'app'),
    (error) => isBuildError(error, 'RESOLVER_LIMIT') && /rich dependency/.test(error.message),
  );
});

test('rich dependencies that are deep, long or broken', () => {
  const deep = (levels: number, make: (inner: string, i: number) => string) => {
    let text = 'n0';
    for (let i = 0; i < levels; i++) text = make(text, i);
    return text;
  };
  const texts = [
    deep(900, (inner) => `(${inner} or n1)`),
    deep(900, (inner) => `(n1 or ${inner})`),
    deep(900, (inner) => `(n2 if ${inner})`),
    `(${Array.from({ length: 900 }, (_, i) => `n${i % 5}`).join(' or ')})`,
    `(${Array.from({ length: 900 }, (_, i) => `n${i % 5}`).join(' and ')})`,
  ];
  for (const text of texts) {
    const answer = ask((b) => {
      names(b, 5);
      add(b, 'app');
      b.dependency('requires', text);
      b.dependency('recommends', text);
      b.dependency('supplements', text);
    }, 'app');
    assert.equal(answer.kind, 'resolved', text.slice(0, 60));
  }
  const unreadable = [
    deep(100_000, (inner) => `(${inner} or n1)`),
    `(${Array.from({ length: 100_000 }, () => 'n0').join(' or ')})`,
    '(',
    '()',
    '(n0',
    '(n0 or)',
    '(n0 xor n1)',
    '(n0 and n1 or n2)',
    '(n0 >= ) ',
    `${'('.repeat(100_000)}n0${')'.repeat(100_000)}`,
  ];
  for (const text of unreadable) {
    const answer = ask((b) => {
      names(b, 5);
      add(b, 'app');
      b.dependency('requires', text);
    }, 'app');
    assert.equal(answer.kind, 'failed', text.slice(0, 60));
    assert.ok(answer.kind === 'failed' && answer.problems[0]!.sentences.every((one) => one.length < 400));
  }
});

test('conditions in conditions, which are looked at twice each, end at a limit', () => {
  let limited = 0;
  for (const word of ['if', 'unless'])
    for (const shape of [
      (inner: string) => `(n1 ${word} ${inner} else n2)`,
      (inner: string) => `(${inner} ${word} n1 else n2)`,
      (inner: string) => `(n1 ${word} n2 else ${inner})`,
      (inner: string) => `(${inner} ${word} ${inner.slice(0, 40).includes('(') ? 'n3' : inner} else n2)`,
    ])
      for (const kind of ['requires', 'recommends', 'supplements', 'conflicts'] as const) {
        let text = 'n0';
        for (let i = 0; i < 200; i++) text = shape(text);
        try {
          ask((b) => {
            names(b, 5);
            add(b, 'app');
            b.dependency(kind, text);
          }, 'app');
        } catch (error) {
          assert.ok(isBuildError(error, 'RESOLVER_LIMIT'), `${kind} ${text.slice(0, 60)}: ${error}`);
          limited++;
        }
      }
  assert.ok(limited > 0);
});

test('pigeons and holes: too hard for any solver of this kind, so it ends at a limit', () => {
  const pigeons = (holes: number) =>
    ask((b) => {
      add(b, 'app');
      for (let p = 0; p <= holes; p++) b.dependency('requires', `pigeon${p}`);
      for (let p = 0; p <= holes; p++)
        for (let h = 0; h < holes; h++) {
          add(b, `p${p}h${h}`);
          b.dependency('provides', `pigeon${p}`);
          b.dependency('provides', `hole${h}`);
          b.dependency('conflicts', `hole${h}`);
        }
    }, 'app');
  assert.equal(pigeons(5).kind, 'failed');
  assert.throws(
    () => pigeons(10),
    (error) => isBuildError(error, 'RESOLVER_LIMIT') && /80000000 steps/.test(error.message),
  );
});

test('chains of supplements against the order of packages', () => {
  const answer = ask((b) => {
    for (let i = 3000; i > 0; i--) {
      add(b, `s${i}`);
      b.dependency('supplements', `s${i - 1}`);
    }
    add(b, 's0');
  }, 's0');
  assert.equal(count(answer), 3001);
});

test('everything obsoletes, conflicts with and recommends everything', () => {
  const answer = ask((b) => {
    for (let i = 0; i < 300; i++) {
      add(b, `p${i}`);
      b.dependency('provides', 'all');
      b.dependency('obsoletes', `p${(i * 7 + 1) % 300}`);
      b.dependency('conflicts', 'all');
      b.dependency('recommends', 'all');
    }
  }, 'p5');
  assert.ok(answer.kind === 'resolved' || answer.kind === 'failed');
});

test('names, versions and architectures of any characters', () => {
  const odd = [
    '',
    ' ',
    '\0',
    '(',
    ')',
    '((',
    '/',
    '//',
    '/a/../b',
    '*',
    '[',
    '\xff\xfe',
    '-',
    ':',
    '0:',
    '1:-',
    '~',
    '^',
  ];
  const answer = ask((b) => {
    add(b, 'app');
    for (const text of odd) {
      b.dependency('requires', text);
      b.dependency('conflicts', text, 4, text);
      b.dependency('provides', text, 2, text);
      b.dependency('recommends', text, 3, text);
      b.dependency('supplements', text, 7, text);
      b.dependency('obsoletes', text, 1, text);
      b.file(text);
    }
    for (const text of odd) add(b, text, text, text);
  }, 'app');
  assert.ok(answer.kind === 'resolved' || answer.kind === 'failed');
  for (const text of odd) {
    const one = ask((b) => add(b, 'app'), text);
    assert.ok(one.kind === 'resolved' || one.kind === 'failed', text);
  }
});
