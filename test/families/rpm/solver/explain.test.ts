import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemText } from '../../../../src/families/rpm/solver/explain.ts';
import { Pool } from '../../../../src/families/rpm/solver/pool.ts';
import { resolve } from '../../../../src/families/rpm/solver/resolve.ts';
import { parseRich } from '../../../../src/families/rpm/solver/rich-parse.ts';
import type { Reason, Resolution, SolverRequest } from '../../../../src/families/rpm/solver/types.ts';
import { readTestTags } from './testcase.ts';

function pool(text: string, excluded?: (row: number) => boolean): Pool {
  const packages = readTestTags(text);
  return new Pool(
    [{ name: 'r', packages, priority: 99, cost: 1000, ...(excluded === undefined ? {} : { excluded }) }],
    {
      architecture: 'x86_64',
    },
  );
}

function ask(from: Pool, wanted: readonly string[], rest: Partial<SolverRequest> = {}): Resolution {
  return resolve(from, { wanted: wanted.map((text) => ({ text })), weakDependencies: true, best: true, ...rest });
}

interface Unsolvable {
  readonly title: string;
  readonly packages: string;
  readonly wanted: readonly string[];
  readonly sentences: readonly string[];
  readonly chain: readonly string[];
}

const app = (rest: string) => `=Pkg: app 1 1 x86_64\n${rest}`;

const UNSOLVABLE: readonly Unsolvable[] = [
  {
    title: 'no such name',
    packages: app(''),
    wanted: ['none'],
    sentences: ['nothing is named "none" or provides it'],
    chain: [],
  },
  {
    title: 'a requirement that nothing provides, two steps away',
    packages: `${app('=Req: lib >= 2')}\n=Pkg: lib 2 1 x86_64\n=Req: deeper`,
    wanted: ['app'],
    sentences: [
      '"app" was asked for',
      'app-1-1.x86_64 requires lib >= 2, and only lib-2-1.x86_64 provides it',
      'nothing provides deeper, which lib-2-1.x86_64 requires',
    ],
    chain: [
      '"app" was asked for',
      'app-1-1.x86_64 requires lib >= 2',
      'nothing provides deeper, which lib-2-1.x86_64 requires',
    ],
  },
  {
    title: 'two that conflict',
    packages: `${app('=Con: b < 3')}\n=Pkg: b 2 1 x86_64`,
    wanted: ['app', 'b'],
    sentences: [
      '"app" was asked for',
      '"b" was asked for',
      'app-1-1.x86_64 conflicts with b < 3, provided by b-2-1.x86_64',
    ],
    chain: ['"app" was asked for', 'app-1-1.x86_64 conflicts with b < 3, provided by b-2-1.x86_64'],
  },
  {
    title: 'one that obsoletes the other',
    packages: `${app('=Req: b')}\n=Pkg: b 2 1 x86_64\n=Pkg: c 1 1 x86_64\n=Obs: b`,
    wanted: ['app', 'c'],
    sentences: [
      '"app" was asked for',
      '"c" was asked for',
      'app-1-1.x86_64 requires b, and only b-2-1.x86_64 provides it',
      'c-1-1.x86_64 obsoletes b: b-2-1.x86_64',
    ],
    chain: ['"app" was asked for', 'app-1-1.x86_64 requires b', 'c-1-1.x86_64 obsoletes b: b-2-1.x86_64'],
  },
  {
    title: 'two versions of one name',
    packages: '=Pkg: a 1 1 x86_64\n=Pkg: a 2 1 x86_64',
    wanted: ['a = 1', 'a = 2'],
    sentences: [
      '"a = 1" was asked for',
      '"a = 2" was asked for',
      'a-1-1.x86_64, a-2-1.x86_64 cannot be installed together: they have the same name',
    ],
    chain: [
      '"a = 1" was asked for',
      'a-1-1.x86_64, a-2-1.x86_64 cannot be installed together: they have the same name',
    ],
  },
  {
    title: 'the newest cannot be installed, and only the best will do',
    packages: '=Pkg: a 1 1 x86_64\n=Pkg: a 2 1 x86_64\n=Req: none',
    wanted: ['a'],
    sentences: [
      'only the best of what "a" means will do: a-2-1.x86_64',
      'nothing provides none, which a-2-1.x86_64 requires',
    ],
    chain: ['"a" was asked for', 'nothing provides none, which a-2-1.x86_64 requires'],
  },
  {
    title: 'a rich dependency',
    packages: `${app('=Req: a <IF> (b >= 1)')}\n=Pkg: b 1 1 x86_64`,
    wanted: ['app', 'b'],
    sentences: [
      '"app" was asked for',
      '"b" was asked for',
      'app-1-1.x86_64 requires (a if b >= 1), and only b-1-1.x86_64 provides it',
    ],
    chain: ['"app" was asked for', '"b" was asked for'],
  },
];

for (const { title, packages, wanted, sentences, chain } of UNSOLVABLE)
  test(`explained: ${title}`, () => {
    const answer = ask(pool(packages), wanted);
    assert.ok(answer.kind === 'failed');
    const [problem] = answer.problems;
    assert.deepEqual([...problem!.sentences].sort(), [...sentences].sort());
    assert.deepEqual(problem!.chain, chain);
    assert.ok(problemText(problem!).length > 0);
  });

test('all problems of a request are explained, not only the first', () => {
  const answer = ask(pool('=Pkg: a 1 1 x86_64\n=Req: x\n=Pkg: b 1 1 x86_64\n=Req: y'), ['a', 'b']);
  assert.ok(answer.kind === 'failed');
  assert.equal(answer.problems.length, 2);
});

test('an excluded package and one of another architecture are not asked for by name', () => {
  const from = pool('=Pkg: a 1 1 x86_64\n=Pkg: b 1 1 aarch64\n=Pkg: c 1 1 x86_64\n=Req: a', (row) => row === 0);
  for (const [name, sentence] of [
    ['a', 'all packages that "a" means are excluded'],
    ['b', 'no package that "b" means runs on x86_64'],
  ] as const) {
    const answer = ask(from, [name]);
    assert.ok(answer.kind === 'failed');
    assert.deepEqual(answer.problems, [{ sentences: [sentence], chain: [] }]);
  }
  const none = ask(from, ['none']);
  assert.ok(none.kind === 'failed' && none.problems[0]!.missing === 'none');
  const answer = ask(from, ['c']);
  assert.ok(answer.kind === 'failed');
  assert.ok(answer.problems[0]!.sentences.includes('a-1-1.x86_64 is excluded'), answer.problems[0]!.sentences.join());
});

test('an exclusion of one request does not last', () => {
  const from = pool('=Pkg: a 1 1 x86_64\n=Prv: cap\n=Pkg: b 1 1 x86_64\n=Prv: cap\n=Pkg: app 1 1 x86_64\n=Req: cap');
  const names = (answer: Resolution) =>
    answer.kind === 'failed' ? [] : answer.packages.map(({ id }) => from.show(id)).sort();
  assert.deepEqual(names(ask(from, ['app'])), ['a-1-1.x86_64', 'app-1-1.x86_64']);
  assert.deepEqual(names(ask(from, ['app'], { without: ['a'] })), ['app-1-1.x86_64', 'b-1-1.x86_64']);
  assert.deepEqual(names(ask(from, ['app'])), ['a-1-1.x86_64', 'app-1-1.x86_64']);
});

test('what is not strict is left out when it is not there or cannot be', () => {
  const from = pool('=Pkg: a 1 1 x86_64\n=Pkg: b 1 1 x86_64\n=Req: none\n=Pkg: c 1 1 x86_64\n=Con: a');
  const wanted = ['none', 'b', 'c'].map((text) => ({ text, strict: false }));
  const answer = ask(from, [], { wanted: [{ text: 'a' }, ...wanted] });
  assert.ok(answer.kind === 'resolved');
  assert.deepEqual(
    answer.packages.map(({ id }) => from.show(id)),
    ['a-1-1.x86_64'],
  );
  assert.deepEqual([...answer.missing].sort(), ['b', 'c', 'none']);
});

test('why each package is there', () => {
  const from = pool(
    [
      '=Pkg: app 1 1 x86_64\n=Req: lib(x) >= 2\n=Rec: helper\n=Req: extra <IF> absent\n=Req: present <IF> app',
      '=Pkg: lib 3 1 x86_64\n=Prv: lib(x) = 3\n=Req: /usr/bin/tool',
      '=Pkg: tool 1 1 noarch\n=Fls: /usr/bin/tool',
      '=Pkg: helper 1 1 x86_64',
      '=Pkg: addon 1 1 x86_64\n=Sup: app & helper',
      '=Pkg: extra 1 1 x86_64',
      '=Pkg: present 1 1 x86_64',
    ].join('\n'),
  );
  const answer = ask(from, ['app', 'extra']);
  assert.ok(answer.kind === 'resolved');
  const idOf = (name: string) => answer.packages.find(({ id }) => from.show(id).startsWith(`${name}-`))!.id;
  const expected: Readonly<Record<string, Reason>> = {
    app: { kind: 'asked', text: 'app' },
    lib: { kind: 'required', by: idOf('app'), dependency: 'lib(x) >= 2' },
    tool: { kind: 'required', by: idOf('lib'), dependency: '/usr/bin/tool' },
    helper: { kind: 'recommended', by: idOf('app'), dependency: 'helper' },
    addon: { kind: 'supplements', dependency: '(app and helper)' },
    extra: { kind: 'asked', text: 'extra' },
    present: { kind: 'required', by: idOf('app'), dependency: '(present if app)' },
  };
  for (const { id, reason } of answer.packages)
    assert.deepEqual(reason, expected[from.show(id).replace(/-1-1.*|-3-1.*/, '')], from.show(id));
  assert.equal(answer.packages.length, Object.keys(expected).length);
});

test('dependencies are shown as rpm writes them', () => {
  const written = [
    'a',
    'a >= 1:2-3',
    '(a or b)',
    '(a or b or c)',
    '(a and (b or c))',
    '(a if b)',
    '(a if b else c)',
    '(a unless b else (c >= 1 and d))',
    '(a >= 1 with a < 2)',
    '(a without b)',
    '((a or b) if (c and d))',
  ];
  const text = '=Ver: 3.0\n=Pkg: app 1 1 x86_64';
  const { relations } = pool(text);
  for (const one of written.filter((one) => one.startsWith('(')))
    assert.equal(relations.show(parseRich(relations, one)), one);
});
