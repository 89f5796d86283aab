import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostFile } from '../../../src/bytes/file.ts';
import { decompress } from '../../../src/compression/decompress.ts';
import { isBuildError } from '../../../src/errors/error.ts';
import { artifactsIn, exclusionOf } from '../../../src/families/rpm/exclusion.ts';
import { askedModule, moduleFilter, packagesOfModule } from '../../../src/families/rpm/module-filter.ts';
import { type Modules, mergeModules, parseModules } from '../../../src/families/rpm/modules.ts';
import { Pool } from '../../../src/families/rpm/solver/pool.ts';
import { resolve } from '../../../src/families/rpm/solver/resolve.ts';
import { PackageTableBuilder } from '../../../src/families/rpm/solver/table.ts';
import { TextList } from '../../../src/families/rpm/solver/texts.ts';
import { SOURCE_DEFAULTS } from '../../../src/families/rpm/source.ts';
import { data, needs, random, temporary } from '../../support/data.ts';
import { pythonWithDnf, writeRepository } from './solver/dnf-oracle.ts';
import { readPrimary } from './solver/primary.ts';

/** Modules: which packages are there, and what `@module:stream/profile` asks for, as dnf decides it. */

const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return String((error as { code?: string }).code);
  }
  return '';
};

const stream = (name: string, text = '') =>
  `---\ndocument: modulemd\nversion: 2\ndata:\n  name: ${name.split(':')[0]}\n  stream: ${name.split(':')[1]}\n  version: ${name.split(':')[2] ?? 1}\n  context: c0\n${text}...\n`;
const standard = (name: string, text: string) =>
  `---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: ${name}\n${text}...\n`;

test('names of streams are texts, whatever they look like', () => {
  const { streams, defaults } = parseModules(
    stream('perl:5.10', '  profiles:\n    1.0:\n      rpms: [perl]\n') +
      standard('perl', '  stream: 5.10\n  profiles:\n    5.10: [1.0]\n'),
    'modules.yaml',
  );
  assert.deepEqual([streams[0]!.stream, [...streams[0]!.profiles]], ['5.10', [['1.0', ['perl']]]]);
  assert.equal(defaults.get('perl')!.stream, '5.10');
  assert.deepEqual(defaults.get('perl')!.profiles.get('5.10'), ['1.0']);
});

test('of two opinions about a default the newer counts; as old ones that differ leave none', () => {
  const of = (stream: string, modified: number) =>
    parseModules(standard('a', `  modified: ${modified}\n  stream: ${stream}\n`), 'modules.yaml');
  const merged = (...all: Modules[]) => mergeModules(all).defaults.get('a')!.stream;
  assert.equal(merged(of('1', 5), of('2', 7)), '2');
  assert.equal(merged(of('1', 7), of('2', 5)), '1');
  assert.equal(merged(of('1', 5), of('2', 5)), undefined);
  assert.equal(merged(of('2', 5), of('2', 5)), '2');
});

test('documents that are nested too deep are errors that say so', () => {
  const deep: readonly string[] = [
    '['.repeat(500_000),
    '{a: '.repeat(100_000),
    `${'- '.repeat(100_000)}a`,
    `${'? '.repeat(5000)}a`,
    Array.from({ length: 3000 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
  ];
  for (const text of deep)
    assert.throws(
      () => parseModules(text, 'modules.yaml'),
      (error) => isBuildError(error, 'REPOMD_INVALID') && /nested too deep/.test(error.message),
    );
});

test('documents that are none, aliases and names that nothing can have are errors', () => {
  const bomb = Array.from({ length: 12 }, (_, i) => `  a${i}: &a${i} [${`*a${i - 1},`.repeat(i === 0 ? 0 : 9)}]\n`);
  for (const text of [
    'document: [',
    stream('a b:1'),
    stream('a:1', '  context: "a:b"\n'),
    `document: modulemd\ndata:\n${bomb.join('')}`,
  ])
    assert.equal(
      codeOf(() => parseModules(text, 'modules.yaml')),
      'REPOMD_INVALID',
      text.slice(0, 60),
    );
  for (const text of [
    '',
    '---\n...\n',
    '[]',
    'a',
    '{document: modulemd, data: 1}',
    'document: modulemd\ndata:\n  name: [x]\n',
  ])
    assert.deepEqual(parseModules(text, 'modules.yaml').streams, [], text);
});

test('what is asked for and not there is an error that says what there is', () => {
  const modules = mergeModules([parseModules(stream('a:1') + stream('a:2') + stream('b:1'), 'modules.yaml')]);
  assert.equal(askedModule('c', modules), undefined);
  assert.equal(askedModule('b', modules)!.stream, '1');
  assert.equal(askedModule('a', modules, [{ text: 'a:2', module: 'a', stream: '2' }])!.stream, '2');
  for (const [text, what] of [
    ['c:1', /no module "c"/],
    ['a:3', /a:1, a:2/],
    ['a', /several streams.*a:1, a:2/],
  ] as const)
    assert.throws(() => askedModule(text, modules), { code: 'MODULE_NOT_FOUND', message: what });
  const both = ['a:1', 'a:2'].map((text) => askedModule(text, modules)!);
  assert.equal(
    codeOf(() => moduleFilter(modules, both)),
    'MODULE_UNSOLVABLE',
  );
  const filter = moduleFilter(modules, both.slice(0, 1));
  assert.deepEqual(filter.streams, ['a:1']);
  assert.equal(
    codeOf(() => packagesOfModule(both[0]!, undefined, modules, filter, () => true)),
    'MODULE_NOT_FOUND',
  );
  assert.equal(
    codeOf(() => packagesOfModule(both[0]!, 'x', modules, filter, () => true)),
    'MODULE_NOT_FOUND',
  );
});

/** One way to ask: streams to make active, then what to install; `@` for a profile. */
interface Question {
  readonly streams: readonly string[];
  readonly install: readonly string[];
}

/** Repositories (folders), and questions about them. */
interface Round {
  readonly folders: readonly string[];
  readonly questions: readonly Question[];
}

const SCRIPT = `
import sys, json, os, dnf, dnf.module.module_base
out = []
for n, pool in enumerate(json.load(sys.stdin)):
    for i, question in enumerate(pool['questions']):
        base = dnf.Base()
        conf = base.conf
        conf.substitutions.update(releasever='9', arch='x86_64', basearch='x86_64')
        conf.installroot = os.path.join(pool['root'], 'root%d-%d' % (n, i))
        conf.cachedir = os.path.join(pool['root'], 'cache%d' % n)
        conf.persistdir = os.path.join(conf.installroot, 'persist')
        conf.logdir = os.path.join(conf.installroot, 'log')
        os.makedirs(conf.logdir)
        conf.best = True
        conf.install_weak_deps = False
        conf.module_platform_id = 'platform:el9'
        for k, folder in enumerate(pool['folders']):
            repo = dnf.repo.Repo('r%d' % k, conf)
            repo.baseurl = ['file://' + folder]
            base.repos.add(repo)
        try:
            base.fill_sack(load_system_repo=False)
            if question['streams']:
                dnf.module.module_base.ModuleBase(base).enable(question['streams'])
            if question['install']:
                base.install_specs(question['install'])
                base.resolve()
            there = sorted(set(str(p) for p in base.sack.query().available()))
            chosen = sorted(str(p) for p in base.transaction.install_set) if base.transaction else []
            out.append({'there': there, 'chosen': chosen})
        except dnf.exceptions.Error as error:
            out.append({'error': str(error)})
        base.close()
json.dump(out, sys.stdout)
`;

type Answer = { readonly there: readonly string[]; readonly chosen: readonly string[] } | { readonly error: string };

const python = pythonWithDnf();
const lacking = python === undefined ? "not available: dnf's library for Python" : false;

function askDnf(folder: string, rounds: readonly Round[]): Answer[] {
  return JSON.parse(
    execFileSync(python!, ['-c', SCRIPT], {
      input: JSON.stringify(rounds.map((one) => ({ ...one, root: folder }))),
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: '/usr/bin:/bin', HOME: folder, LANG: 'C.UTF-8' },
    }),
  ) as Answer[];
}

/** The same of this program: of the repositories' tables and modules. */
function ours(
  tables: readonly ReturnType<typeof readPrimary>[],
  modules: Modules,
  { streams, install }: Question,
): Answer {
  try {
    const asked = streams.map((text) => askedModule(text, modules)!);
    const artifacts = artifactsIn(tables);
    const parts = (text: string) => /^@([^/]*)(?:\/(.*))?$/.exec(text) ?? [];
    for (const text of install) {
      const module = askedModule(parts(text)[1] ?? '', modules, asked);
      if (module !== undefined) asked.push(module);
    }
    const filter = moduleFilter(modules, asked);
    const wanted = install.flatMap((text) => {
      const [, spelled, profile] = parts(text);
      if (spelled === undefined) return [{ text }];
      const module = askedModule(spelled, modules, asked)!;
      return packagesOfModule(module, profile, modules, filter, (one) => artifacts.has(one)).map((name) => ({
        text: name,
      }));
    });
    const repositories = tables.map((packages, i) => {
      const source = { ...SOURCE_DEFAULTS, name: `r${i}`, bases: [], keyring: undefined };
      const excluded = exclusionOf({ source, primary: { table: packages, facts: new TextList([]) } }, filter, tables);
      return { name: `r${i}`, packages, priority: 99, cost: 1000, ...(excluded === undefined ? {} : { excluded }) };
    });
    const nevra = ({ texts, name, evr, arch }: (typeof tables)[number], row: number) =>
      `${texts.get(name[row]!)}-${texts.get(evr[row]!)}.${texts.get(arch[row]!)}`;
    const there = new Set<string>();
    for (const { packages, excluded } of repositories)
      packages.name.forEach((_, row) => {
        if (excluded?.(row) !== true) there.add(nevra(packages, row));
      });
    if (wanted.length === 0) return { there: [...there].sort(), chosen: [] };
    const pool = new Pool(repositories, { architecture: 'x86_64' });
    const resolution = resolve(pool, { wanted, weakDependencies: false, best: true });
    if (resolution.kind === 'failed') return { error: resolution.problems.flatMap((one) => one.sentences).join('\n') };
    const chosen = resolution.packages.map(({ repository, row }) => nevra(tables[repository]!, row)).sort();
    return { there: [...there].sort(), chosen };
  } catch (error) {
    return { error: String(error) };
  }
}

function assertSame(mine: Answer, theirs: Answer, what: string): void {
  if ('error' in mine || 'error' in theirs)
    assert.ok('error' in mine && 'error' in theirs, `${what}: ${JSON.stringify({ mine, theirs }).slice(0, 2000)}`);
  else {
    // what can be had at all on this machine
    const runs = (list: readonly string[]) => list.filter((one) => /\.(x86_64|noarch|i\d86)$/.test(one));
    const [own, other] = [new Set(runs(mine.there)), new Set(runs(theirs.there))];
    assert.deepEqual(
      { more: [...own].filter((one) => !other.has(one)), fewer: [...other].filter((one) => !own.has(one)) },
      { more: [], fewer: [] },
      what,
    );
    assert.deepEqual(mine.chosen, theirs.chosen, what);
  }
}

test('the modules of CentOS Stream 9: packages that are there, and what profiles install, as dnf says', {
  skip: needs({ tools: ['dnf'], data: ['rpm/c9s-baseos', 'rpm/c9s-appstream'] }) || lacking,
}, async (t) => {
  const folders = [data('rpm/c9s-baseos'), data('rpm/c9s-appstream')];
  const file = (folder: string, end: string) =>
    join(folder, 'repodata', readdirSync(join(folder, 'repodata')).find((one) => one.endsWith(end))!);
  const path = file(folders[1]!, 'modules.yaml.xz');
  const pieces: Uint8Array[] = [];
  for await (const piece of decompress(hostFile(path).open(), 'xz', path)) pieces.push(Uint8Array.from(piece));
  const modules = mergeModules([parseModules(Buffer.concat(pieces).toString('utf8'), path)]);
  const tables = folders.map((one) => readPrimary(file(one, 'primary.xml.gz')));
  const questions: Question[] = [
    { streams: ['nodejs:22', 'php:8.2', 'postgresql:16', 'ruby:3.1'], install: ['nodejs'] },
    { streams: ['mariadb:10.11'], install: ['mariadb-server', '@nodejs:20'] },
    { streams: ['maven'], install: ['@maven', '@nginx:1.24/common'] },
    { streams: [], install: ['@php'] },
    { streams: ['redis:7'], install: ['redis'] },
  ];
  const theirs = askDnf(temporary(t), [{ folders, questions }]);
  for (const [i, question] of questions.entries())
    assertSame(ours(tables, modules, question), theirs[i]!, JSON.stringify(question));
  assert.equal(theirs.filter((one) => 'chosen' in one && one.chosen.length > 0).length, 4);
});

const NAMES = ['a', 'b', 'c', 'd', 'e'];
const STREAMS = ['1', '2', '3'];

/** A repository of modular and other packages, and the modules it has. */
function randomUniverse(r: ReturnType<typeof random>) {
  const builder = new PackageTableBuilder();
  let yaml = '';
  const add = (name: string, evr: string) => {
    builder.package(name, evr, r.below(3) === 0 ? 'noarch' : 'x86_64');
    builder.dependency('provides', name, 2, evr);
    if (r.below(4) === 0) builder.dependency('provides', r.pick(NAMES));
    if (r.below(4) === 0) builder.dependency('requires', r.pick(NAMES));
  };
  const made: [string, string][] = [];
  for (const name of NAMES) for (let i = r.below(3); i > 0; i--) made.push([name, `${i}-1`]);
  for (const [name, evr] of made) add(name, evr);
  for (const module of ['m', 'n', 'o', 'p'].slice(0, 2 + r.below(3))) {
    const streams = STREAMS.slice(0, 1 + r.below(3));
    for (const stream of streams) {
      // builds of one stream need the same: between several contexts libdnf chooses by names that it makes up
      const other = r.pick(['m', 'n', 'o', 'p'].filter((one) => one !== module));
      const requires: string[] = ['platform: [el9]'];
      if (r.below(3) === 0) requires.push(`${other}: [${r.pick(['', '1', '2', '1, 2', '"-1"'])}]`);
      for (let version = 1 + r.below(2); version > 0; version--) {
        const artifacts: string[] = [];
        for (const name of NAMES) {
          if (r.below(3) > 0) continue;
          const evr = `${r.below(3)}-${module}${stream}.${version}`;
          builder.package(name, evr, 'x86_64');
          builder.dependency('provides', name, 2, evr);
          artifacts.push(`${name}-0:${evr}.x86_64`);
          if (r.below(3) === 0) artifacts.push(`${r.pick(NAMES)}-0:${evr}.src`);
        }
        if (made.length > 0 && r.below(5) === 0) {
          const [name, evr] = r.pick(made);
          artifacts.push(`${name}-0:${evr}.x86_64`);
        }
        yaml += `---\ndocument: modulemd\nversion: 2\ndata:\n  name: ${module}\n  stream: "${stream}"\n  version: ${version}\n  context: c${r.below(2)}\n  arch: x86_64\n  summary: s\n  description: d\n  license:\n    module: [MIT]\n  dependencies:\n  - buildrequires:\n      platform: [el9]\n    requires:\n${requires.map((one) => `      ${one}\n`).join('')}`;
        yaml += `  profiles:\n    common:\n      rpms: [${r.pick(NAMES)}]\n`;
        if (artifacts.length > 0)
          yaml += `  artifacts:\n    rpms:\n${[...new Set(artifacts)].map((one) => `    - ${one}\n`).join('')}`;
        yaml += '...\n';
      }
    }
    if (r.below(2) === 0)
      yaml += `---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: ${module}\n  stream: "${r.pick(streams)}"\n  profiles:\n${streams.map((one) => `    "${one}": [common]\n`).join('')}...\n`;
  }
  const spelled = () => `${r.pick(['m', 'n', 'o'])}:${r.pick(['1', '1', '2', '3'])}`;
  const questions: Question[] = Array.from({ length: 5 }, () => ({
    streams: Array.from({ length: r.below(3) }, spelled),
    install: r.below(2) === 0 ? [] : [r.below(3) === 0 ? `@${spelled()}/common` : r.pick(NAMES)],
  }));
  return { table: builder.finish(), yaml, questions };
}

test('random modules with defaults, requirements and conflicts, as dnf decides', {
  skip: needs({ tools: ['dnf'] }) || lacking,
}, (t) => {
  const folder = temporary(t);
  const rounds = Array.from({ length: 40 }, (_, seed) => {
    const { table, yaml, questions } = randomUniverse(random(31_000 + seed));
    const at = join(folder, `repository${seed}`);
    writeRepository(at, { name: 'r0', packages: table, priority: 99, cost: 1000 });
    writeFileSync(join(at, 'repodata/modules.yaml'), yaml);
    const digest = createHash('sha256').update(yaml).digest('hex');
    const repomd = join(at, 'repodata/repomd.xml');
    writeFileSync(
      repomd,
      readFileSync(repomd, 'utf8').replace(
        '</repomd>',
        `<data type="modules"><checksum type="sha256">${digest}</checksum><location href="repodata/modules.yaml"/><timestamp>1</timestamp><size>${Buffer.byteLength(yaml)}</size></data></repomd>`,
      ),
    );
    const modules = mergeModules([parseModules(yaml, 'modules.yaml')]);
    return { folders: [at], questions, modules, table: readPrimary(join(at, 'repodata/primary.xml')) };
  });
  const theirs = askDnf(
    folder,
    rounds.map(({ folders, questions }) => ({ folders, questions })),
  );
  let n = 0;
  let answered = 0;
  for (const [seed, { questions, modules, table }] of rounds.entries())
    for (const question of questions) {
      const answer = theirs[n++]!;
      // here a default stream that cannot be active is not active; dnf then installs packages, but no modules
      if ('error' in answer && answer.error.includes('problems with Defaults')) continue;
      if (!('error' in answer)) answered++;
      assertSame(ours([table], modules, question), answer, `seed ${seed} ${JSON.stringify(question)}`);
    }
  assert.ok(answered > 80 && answered < n, `${answered} of ${n} have an answer`);
});
