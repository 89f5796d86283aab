import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { BuildError } from '../../../src/errors/error.ts';
import { PackageIndex } from '../../../src/families/apt/packages-index.ts';
import { parsePackages } from '../../../src/families/apt/packages-parse.ts';
import { PackagesTable } from '../../../src/families/apt/packages-table.ts';
import { listPriority, parsePinLine, parsePreferences } from '../../../src/families/apt/preferences.ts';
import { osbuilder } from '../../support/cli.ts';
import { needs, temporary } from '../../support/data.ts';
import { rfc822 } from '../../support/repository.ts';

/** Three suites; versions of each package by suite. */
const SUITES = [
  { suite: 'stable', codename: 'alpha', origin: 'Debian', label: 'Debian', release: '12.4', component: 'main' },
  { suite: 'testing', codename: 'beta', origin: 'Debian', label: 'Debian', release: '13.0', component: 'main' },
  { suite: 'extras', codename: 'gamma', origin: 'Vendor', label: 'Own things', release: '1', component: 'extra' },
];
const PACKAGES: Readonly<Record<string, readonly (readonly [version: string, source?: string])[]>> = {
  'perl-base': [
    ['5.36.0-7', 'perl'],
    ['5.38.2-1', 'perl'],
    ['5.40~vendor', 'perl'],
  ],
  libperl5: [
    ['5.36.0-7', 'perl'],
    ['5.38.2-1', 'perl'],
    ['1', 'libperl5'],
  ],
  'g++': [['12.2'], ['13.2'], ['9.9']],
  same: [['1.0'], ['1.0'], ['0.9']],
};

function packagesOf(suite: number): string {
  return Object.entries(PACKAGES)
    .map(([name, versions]) => {
      const [version, source] = versions[suite]!;
      const digest = Buffer.from(`${name} ${version}`).toString('hex').padEnd(64, '0');
      return `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: x\nDescription: x\n${source === undefined ? '' : `Source: ${source}\n`}Filename: ${name}_${version}.deb\nSize: 1\nSHA256: ${digest}\n\n`;
    })
    .join('');
}

const STANZAS = [
  'Package: perl-base\nPin: version 5.36*\nPin-Priority: 1001',
  'Package: perl-base\nPin: version 5.36.0-7\nPin-Priority: 900',
  'Package: perl-base\nPin: version /^5\\.3[0-7]/\nPin-Priority: 900',
  'Package: perl*\nPin: release a=stable\nPin-Priority: 900',
  'Package: /^(lib)?perl/\nPin: release n=alpha\nPin-Priority: 950',
  'Package: src:perl\nPin: release a=stable\nPin-Priority: 900',
  'Package: perl-base libperl5\nPin: release o=Vendor, l=Own things\nPin-Priority: -5',
  'Package: *\nPin: release a=stable\nPin-Priority: 900',
  'Package: *\nPin: release c=extra\nPin-Priority: -1',
  'Package: *\nPin: release v=12*\nPin-Priority: 700',
  'Package: *\nPin: release o=Debian,n=beta\nPin-Priority: 300',
  'Package: *\nPin: release l=own*\nPin-Priority: 990',
  'Package: *\nPin: release stable\nPin-Priority: 991',
  'Package: *\nPin: origin ""\nPin-Priority: 400',
  'Package: *\nPin: origin ftp.example.org\nPin-Priority: 999',
  'Package: g++\nPin: release n=alpha\nPin-Priority: 800',
  'Package: g++\nPin: release n=alpha\nPin-Priority: 100\n\nPackage: g++\nPin: version 12.2\nPin-Priority: 1200',
  'Package: *\nPin: release a=testing\nPin-Priority: 50\n\nPackage: *\nPin: release o=Debian\nPin-Priority: 60',
  'Package: same\nPin: release a=extras\nPin-Priority: 900',
  'Package: same\nPin: release a=testing\nPin-Priority: 900',
  'Package: *\nPin: release a=testing\nPin-Priority: -1\n\nPackage: same\nPin: release a=stable\nPin-Priority: 700',
  'Explanation: words\nPackage: PERL*\nPin: release a=STABLE\nPin-Priority: 901',
  'Package: lib[a-p]*5\nPin: release n=?lpha\nPin-Priority: 902',
];

test('apt itself has the same candidates and priorities', {
  skip: needs({ tools: ['apt-cache', 'apt-get'] }),
}, async (t) => {
  const folder = temporary(t);
  for (const path of ['etc/apt.conf.d', 'etc/preferences.d', 'state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(folder, path), { recursive: true });
  let sources = '';
  const lists = [];
  for (const [i, one] of SUITES.entries()) {
    const home = join(folder, 'repo/dists', one.codename);
    const file = `${one.component}/binary-amd64/Packages`;
    mkdirSync(join(home, file, '..'), { recursive: true });
    const text = packagesOf(i);
    writeFileSync(join(home, file), text);
    const digest = (await import('node:crypto')).createHash('sha256').update(text).digest('hex');
    writeFileSync(
      join(home, 'Release'),
      `Origin: ${one.origin}\nLabel: ${one.label}\nSuite: ${one.suite}\nCodename: ${one.codename}\nVersion: ${one.release}\nDate: ${rfc822(1_700_000_000)}\nArchitectures: amd64\nComponents: ${one.component}\nSHA256:\n ${digest} ${text.length} ${file}\n`,
    );
    sources += `deb [trusted=yes] file:${folder}/repo ${one.codename} ${one.component}\n`;
    const pieces = (async function* () {
      yield Buffer.from(text);
    })();
    const table = new PackagesTable(await parsePackages(pieces, one.suite));
    lists.push({ table, bases: ['file:///repo'], ...one, architecture: 'amd64', site: '', priority: 500 });
  }
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(join(folder, 'etc/sources.list'), sources);
  writeFileSync(
    join(folder, 'apt.conf'),
    `Dir::State "${folder}/state";\nDir::State::status "${folder}/status";\nDir::Cache "${folder}/cache";\nDir::Etc "${folder}/etc";\nDir::Etc::Parts "${folder}/etc/apt.conf.d";\nDir::Etc::main "/dev/null";\nAPT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\nAPT::Sandbox::User "";\n`,
  );
  const env = { ...process.env, APT_CONFIG: join(folder, 'apt.conf'), LC_ALL: 'C' };
  const run = (tool: string, ...args: string[]) =>
    execFileSync(tool, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  run('apt-get', 'update');
  let moved = 0;
  for (const text of ['', ...STANZAS]) {
    writeFileSync(join(folder, 'etc/preferences'), `${text}\n`);
    const pins = parsePreferences(text, 'preferences');
    const index: PackageIndex = new PackageIndex(
      'amd64',
      lists.map((list) => ({ ...list, priority: listPriority(pins, list) ?? list.priority })),
      pins,
    );
    for (const name of Object.keys(PACKAGES)) {
      const output = run('apt-cache', 'policy', name);
      const expected = /Candidate: (\S+)/.exec(output)![1]!;
      const table = [...output.matchAll(/^ {5}(\S+) (-?\d+)$/gm)].map(([, version, pin]) => `${version} ${pin}`);
      const ids = index.versions(name);
      // policy prints a version's own pin; priorities of lists are on the lines of lists
      let best: number | undefined;
      for (const id of ids) if (index.pin(id) > Math.max(0, best === undefined ? 0 : index.pin(best))) best = id;
      assert.equal(best === undefined ? '(none)' : index.version(best), expected, `${name} under\n${text}\n${output}`);
      assert.deepEqual(
        ids.map((id) => `${index.version(id)} ${index.pin(id)}`),
        table,
        `${name} under\n${text}\n${output}`,
      );
      if (expected !== index.version(ids[0]!)) moved++;
    }
  }
  t.diagnostic(`${STANZAS.length} preferences; ${moved} candidates are not the newest version`);
  assert.ok(moved > 10);
});

test('one-line stanzas, and what is not a stanza', async () => {
  const [pin] = parsePinLine('Package: a b; Pin: release a=x, c=y ; Pin-Priority: -7', '--pin');
  assert.deepEqual(pin, {
    packages: ['a', 'b'],
    match: { kind: 'release', fields: { a: 'x', c: 'y' } },
    priority: -7,
  });
  for (const text of [
    'Package: a',
    'Package: a; Pin: version 1',
    'Package: a; Pin: version 1; Pin-Priority: 0',
    'Package: a; Pin: version 1; Pin-Priority: high',
    'Package: a; Pin: version 1; Pin-Priority: 99999',
    'Package: *; Pin: version 1; Pin-Priority: 5',
    'Package: a; Pin: suite x; Pin-Priority: 5',
    'Package: a; Pin: release q=x; Pin-Priority: 5',
    'Pin: release a=x; Pin-Priority: 5',
  ])
    assert.throws(
      () => parsePinLine(text, '--pin'),
      (error: unknown) => error instanceof BuildError && error.code === 'PREFERENCES_INVALID',
      text,
    );
  const output = await osbuilder(['plan', '--distro', 'debian', '--pin', 'Package: a; Pin: x', '--offline']);
  assert.equal(output.code, 1);
  assert.match(output.stderr, /PREFERENCES_INVALID/);
});
