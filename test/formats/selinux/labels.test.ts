import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parseContexts, parseSubstitutions } from '../../../src/formats/selinux/contexts.ts';
import { LabelLookup } from '../../../src/formats/selinux/lookup.ts';
import type { Kind } from '../../../src/tree/inode.ts';
import { data, needs, temporary, tool } from '../../support/data.ts';

/** Labels of paths against libselinux' own answers. */

const POLICY = 'selinux/file_contexts.gz';
const unpacked = (name: string): string => gunzipSync(readFileSync(data(`selinux/${name}.gz`))).toString('latin1');

/** Debian 12's policy. */
function debian(): LabelLookup {
  const contexts = ['file_contexts', 'file_contexts.homedirs'].map((path) => ({
    path,
    lines: parseContexts(unpacked(path), path),
  }));
  const substitutions = [parseSubstitutions(unpacked('file_contexts.subs_dist'), 'file_contexts.subs_dist')];
  return new LabelLookup({ contexts, substitutions });
}

/** Letters of matchpathcon -m. */
const LETTERS: Readonly<Record<Kind, string>> = {
  ...{ file: 'file', directory: 'dir', symlink: 'l', char: 'c', block: 'b', fifo: 'p', socket: 's' },
};

/** What matchpathcon answers for these paths, with the policy in a folder. */
function matchpathcon(folder: string, kind: Kind, paths: readonly string[]): string[] {
  const { status, stdout, stderr } = spawnSync(
    tool('matchpathcon')!,
    ['-n', '-m', LETTERS[kind], '-f', join(folder, 'file_contexts'), ...paths],
    { encoding: 'latin1', maxBuffer: 1 << 26 },
  );
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split('\n');
}

const KINDS = Object.keys(LETTERS) as Kind[];

test('Debian’s policy: the labels that libselinux 3.4 gave', { skip: needs({ data: [POLICY] }) }, () => {
  const lookup = debian();
  lookup.check();
  for (const [name, kind] of [
    ['labels-file.tsv', 'file'],
    ['labels-dir.tsv', 'directory'],
    // made with -m lnk_file; the manifest says which kind that means
    ['labels-symlink.tsv', undefined],
  ] as const) {
    const rows = unpacked(name)
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t') as [string, string]);
    assert.ok(rows.length > 2000);
    const wrong = (of: Kind) => rows.filter(([path, label]) => (lookup.label(path, of) ?? '<<none>>') !== label);
    if (kind !== undefined) assert.deepEqual(wrong(kind), [], name);
    else assert.ok(wrong('symlink').length === 0 || wrong('socket').length === 0, name);
  }
});

test('Debian’s policy: what matchpathcon says of every kind', {
  skip: needs({ data: [POLICY], tools: ['matchpathcon'] }),
}, (t) => {
  const folder = temporary(t);
  for (const name of ['file_contexts', 'file_contexts.homedirs', 'file_contexts.subs_dist'])
    writeFileSync(join(folder, name), unpacked(name), 'latin1');
  const lookup = debian();
  const known = unpacked('labels-file.tsv')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[0]!);
  // paths that a policy is about, each with something behind it, and with its last letter gone
  // libselinux tries every expression, which takes it 2 ms a path
  const paths = known
    .filter((_, i) => i % 23 === 0)
    .flatMap((path) => [path, `${path}/x.so.1`, path.length > 2 ? path.slice(0, -1).replace(/\/+$/, '') || '/' : path]);
  for (const kind of KINDS) {
    const answers = matchpathcon(folder, kind, paths);
    const wrong = paths.flatMap((path, i) => {
      const ours = lookup.label(path, kind) ?? '<<none>>';
      return ours === answers[i] ? [] : [`${path}: ours ${ours}, theirs ${answers[i]}`];
    });
    assert.deepEqual(wrong, [], kind);
  }
});

/** A policy of random lines over few names, so that many lines match a path. */
function randomPolicy(random: () => number): { contexts: string; local: string; subs: string; dist: string } {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const part = () =>
    pick([
      'a',
      'b',
      'ab',
      'a\\.b',
      '[^/]*',
      '[ab]+',
      '(a|b)',
      '(a|ab)?b',
      '.',
      'a.*',
      'b{2}',
      'a{1,2}',
      '[[:alpha:]]',
      '[^a]',
    ]);
  const line = (i: number) => {
    const parts = Array.from({ length: 1 + Math.floor(random() * 3) }, part);
    // not `/?`: libselinux 3.8 does not find such a line for the path without the slash, as 3.4 and the expression do
    const end = pick(['', '', '(/.*)?', '/.*']);
    const type = pick(['', '', '', '\t--', '\t-d', '\t-l', '\t-s']);
    const label = random() < 0.1 ? '<<none>>' : `u:object_r:t${i}_t:s0`;
    return `${pick(['/', '/', '(/a)?/'])}${parts.join('/')}${end}${type}\t${label}`;
  };
  const list = (from: number, count: number) =>
    `${[...new Map(Array.from({ length: count }, (_, i) => line(from + i)).map((one) => [one.replace(/\t[^\t]*$/, ''), one])).values()].join('\n')}\n`;
  const substitution = () => `/${pick(['a', 'b', 'ab', 'a/b'])} /${pick(['b', 'ab', 'b/a', 'aa'])}`;
  return {
    ...{ contexts: `/.*\tu:object_r:default_t:s0\n${list(0, 30)}`, local: list(100, 5) },
    ...{ subs: `${substitution()}\n`, dist: `# a comment\n${substitution()}\n${substitution()}\n` },
  };
}

function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test('random policies: what matchpathcon says', { skip: needs({ tools: ['matchpathcon'] }) }, (t) => {
  const random = randomNumbers(7);
  const names = ['a', 'b', 'ab', 'a.b', 'bb', 'aa', 'ba', 'c', 'abb'];
  const name = () => names[Math.floor(random() * names.length)]!;
  const paths = [
    '/',
    ...Array.from({ length: 300 }, () => `/${Array.from({ length: 1 + Math.floor(random() * 4) }, name).join('/')}`),
  ];
  for (let round = 0; round < 30; round++) {
    const folder = temporary(t);
    const { contexts, local, subs, dist } = randomPolicy(random);
    for (const [file, text] of [
      ['file_contexts', contexts],
      ['file_contexts.local', local],
      ['file_contexts.subs', subs],
      ['file_contexts.subs_dist', dist],
    ] as const)
      writeFileSync(join(folder, file), text);
    const lookup = new LabelLookup({
      contexts: [
        { path: 'file_contexts', lines: parseContexts(contexts, 'file_contexts') },
        { path: 'file_contexts.local', lines: parseContexts(local, 'file_contexts.local') },
      ],
      substitutions: [parseSubstitutions(subs, 'subs'), parseSubstitutions(dist, 'subs_dist')],
    });
    for (const kind of ['file', 'directory', 'symlink', 'fifo'] as const) {
      const answers = matchpathcon(folder, kind, paths);
      const wrong = paths.flatMap((path, i) => {
        const ours = lookup.label(path, kind) ?? '<<none>>';
        return ours === answers[i] ? [] : [`${path}: ours ${ours}, theirs ${answers[i]}`];
      });
      assert.deepEqual(wrong, [], `round ${round}, ${kind}\n${contexts}--\n${local}--\n${subs}--\n${dist}`);
    }
  }
});

test('100,000 paths meet few of the 6,000 lines', { skip: needs({ data: [POLICY] }) }, () => {
  const lookup = debian();
  const paths = unpacked('labels-file.tsv')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[0]!);
  let labelled = 0;
  for (let i = 0; i < 100_000; i++)
    if (lookup.label(`${paths[i % paths.length]}/${i}`, 'file') !== undefined) labelled++;
  assert.ok(labelled > 50_000);
  assert.ok(lookup.work < 2e9, `${lookup.work} bytes were looked at`);
});
