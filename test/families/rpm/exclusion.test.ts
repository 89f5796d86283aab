import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { exclusionOf } from '../../../src/families/rpm/exclusion.ts';
import { moduleFilter } from '../../../src/families/rpm/module-filter.ts';
import { NO_MODULES } from '../../../src/families/rpm/module-table.ts';
import { PackageTableBuilder } from '../../../src/families/rpm/solver/table.ts';
import { TextList } from '../../../src/families/rpm/solver/texts.ts';
import type { PackageTable } from '../../../src/families/rpm/solver/types.ts';
import { SOURCE_DEFAULTS } from '../../../src/families/rpm/source.ts';
import { needs, random, temporary } from '../../support/data.ts';
import { pythonWithDnf, writeRepository } from './solver/dnf-oracle.ts';

/** Which packages of repositories `exclude` and `include` mean: what dnf says is right. */

/** Prints for each list of excludes and includes the packages that are left. */
const SCRIPT = `
import sys, json, os, dnf
job = json.load(sys.stdin)
out = []
for exclude, include in job['cases']:
    base = dnf.Base()
    conf = base.conf
    conf.substitutions['releasever'] = '9'
    conf.substitutions['arch'] = conf.substitutions['basearch'] = 'x86_64'
    conf.installroot = job['root']
    conf.cachedir = os.path.join(job['root'], 'cache')
    conf.persistdir = os.path.join(job['root'], 'persist')
    conf.logdir = os.path.join(job['root'], 'log')
    os.makedirs(conf.logdir, exist_ok=True)
    for i, path in enumerate(job['repositories']):
        repo = dnf.repo.Repo('r%d' % i, conf)
        repo.baseurl = ['file://' + path]
        if i == 0:
            repo.excludepkgs = exclude
            repo.includepkgs = include
        base.repos.add(repo)
    base.fill_sack(load_system_repo=False)
    out.append(sorted('%s@%s' % (p, p.reponame) for p in base.sack.query()))
    base.close()
json.dump(out, sys.stdout)
`;

const table = (rows: readonly (readonly [name: string, evr: string, arch: string])[]): PackageTable => {
  const builder = new PackageTableBuilder();
  for (const row of rows) builder.package(...row);
  return builder.finish();
};

/** Names that are pieces of each other, with versions that look like names. */
const TABLES = [
  table([
    ['python3', '3.9.1-2', 'x86_64'],
    ['python3-libs', '3.9.1-2', 'x86_64'],
    ['python3-libs', '3.9.1-2', 'i686'],
    ['python', '2:2.7-3', 'x86_64'],
    ['python-3', '1-3', 'noarch'],
    ['kernel', '5.14.0-4', 'x86_64'],
    ['kernel-core', '5.14.0-4', 'x86_64'],
    ['gtk+', '1-1', 'x86_64'],
    ['a', '1-1', 'x86_64'],
    ['b', '1-1', 'x86_64'],
    ['a.b', '1.0-1', 'noarch'],
  ]),
  table([
    ['kernel-5.14.0', '1-1', 'x86_64'],
    ['python3', '3.9.2-1', 'x86_64'],
    ['c', '1-1', 'noarch'],
  ]),
];

const SPELLED: readonly string[] = [
  ...['python3', 'python*3', 'k*4', 'kernel-5.14.0', 'kernel-5.14.0-4', 'kernel-0:5.14.0-4.x86_64', 'python-2:2.7-3'],
  ...[
    'python-2.7',
    'python-1:2.7-3',
    '*.noarch',
    '*.i686',
    'python3-libs.i?86',
    'python*-3*',
    '[!k]*',
    '[^k]*',
    '[ab]',
  ],
  ...[
    '[a-',
    '[z-a]',
    '[]a]',
    'gtk+',
    'gtk\\+',
    'gtk[+]',
    '?',
    '*',
    'a.b',
    'a.*',
    '[[:alpha:]]',
    'python-3',
    'c',
    'nothing',
  ],
  ...[
    'python3-libs-3.9.1-2',
    'python3-libs-3.9.1',
    'python3-libs-3.9*',
    'PYTHON3',
    'a=1-1',
    '{a,b}',
    '*-1-1',
    '*-1-1.*',
  ],
  ...['k*0:*', 'p*2:*', 'p*:2.7*', 'p*n-2.7-3.x86_64', 'p*-2*', '*64', '?-1-1.x86_64', 'a.b-*'],
];

const filter = moduleFilter(NO_MODULES, []);

function left(excludes: readonly string[], includes: readonly string[]): string[] {
  return TABLES.flatMap((one, i) => {
    const source = { ...SOURCE_DEFAULTS, name: `r${i}`, bases: [], keyring: undefined };
    const own = i === 0 ? { ...source, excludes, includes } : source;
    const excluded = exclusionOf({ source: own, primary: { table: one, facts: new TextList([]) } }, filter, TABLES);
    const { texts, name, evr, arch } = one;
    return Array.from(name, (id, row) =>
      excluded?.(row) === true ? [] : [`${texts.get(id)}-${texts.get(evr[row]!)}.${texts.get(arch[row]!)}@r${i}`],
    ).flat();
  }).sort();
}

const python = pythonWithDnf();

test('excludes and includes mean the packages that dnf leaves out', {
  skip: python === undefined ? 'dnf for Python is missing' : needs({ tools: ['dnf'] }),
}, (t) => {
  const root = temporary(t);
  const repositories = TABLES.map((packages, i) => {
    const path = join(root, `r${i}`);
    writeRepository(path, { name: `r${i}`, packages, priority: 99, cost: 1000 });
    return path;
  });
  const r = random(7);
  const cases: [string[], string[]][] = [
    ...SPELLED.map((one): [string[], string[]] => [[one], []]),
    ...SPELLED.map((one): [string[], string[]] => [[], [one]]),
    ...Array.from({ length: 40 }, (): [string[], string[]] => [
      Array.from({ length: r.below(3) }, () => r.pick(SPELLED)),
      Array.from({ length: r.below(3) }, () => r.pick(SPELLED)),
    ]),
  ];
  const input = JSON.stringify({ root: join(root, 'root'), repositories, cases });
  const answers = JSON.parse(execFileSync(python!, ['-c', SCRIPT], { input, encoding: 'utf8' })) as string[][];
  assert.equal(answers.length, cases.length);
  for (const [i, [excludes, includes]] of cases.entries())
    assert.deepEqual(
      left(excludes, includes),
      answers[i],
      `exclude ${excludes.join(' ')}; include ${includes.join(' ')}`,
    );
  // most spellings mean something, and none means all
  assert.ok(new Set(answers.map((one) => one.join())).size > 30);
});
