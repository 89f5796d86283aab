import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memory } from '../../../src/bytes/content.ts';
import { debian } from '../../../src/distros/debian.ts';
import { BuildError } from '../../../src/errors/error.ts';
import { controlFields } from '../../../src/families/apt/archive.ts';
import { Debconf, readPreseed, readTemplates } from '../../../src/families/apt/configure/debconf.ts';
import { splitScript } from '../../../src/families/apt/configure/snippets.ts';
import { interests } from '../../../src/families/apt/configure/triggers.ts';
import { parseControl, parseDeb822, readDeb822, withoutArmour } from '../../../src/families/apt/deb822.ts';
import { hostArchives, parseHostSources } from '../../../src/families/apt/host-sources.ts';
import { PackageIndex } from '../../../src/families/apt/packages-index.ts';
import { tableBytes, tableParts } from '../../../src/families/apt/packages-kept.ts';
import { parsePackages } from '../../../src/families/apt/packages-parse.ts';
import { PackagesTable } from '../../../src/families/apt/packages-table.ts';
import {
  listPriority,
  parsePinLine,
  parsePreferences,
  versionPriority,
} from '../../../src/families/apt/preferences.ts';
import { parseRelations, printAlternatives, versionSatisfies } from '../../../src/families/apt/relations.ts';
import { checkRelease, parseRelease, parseTime, showTime } from '../../../src/families/apt/release.ts';
import { resolve } from '../../../src/families/apt/resolve.ts';
import { snapshotTime } from '../../../src/families/apt/snapshot.ts';
import { compareVersions, splitVersion, versionFault } from '../../../src/families/apt/version.ts';
import { NONSENSE, variations } from '../../support/nonsense.ts';

const bytesOf = (text: string) => Buffer.from(text, 'utf8');
const source = async function* (text: string) {
  const bytes = bytesOf(text);
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
};

const RELEASE = `Origin: x
Suite: trixie
Codename: trixie
Date: Sat, 10 Jan 2026 12:00:00 UTC
Valid-Until: Sat, 17 Jan 2026 12:00:00 UTC
Components: main
Architectures: amd64
SHA256:
 ${'a'.repeat(64)} 10 main/binary-amd64/Packages
`;
const PACKAGES = `Package: a
Version: 1:2.0-3
Architecture: amd64
Depends: b (>= 1) | c:any, d [amd64] <!nocheck>
Provides: e (= 1)
Filename: pool/a.deb
Size: 10
SHA256: ${'b'.repeat(64)}

Package: b
Version: 1
Architecture: all
Essential: yes
Filename: pool/b.deb
Size: 1
SHA256: ${'c'.repeat(64)}
`;
const PREFERENCES = 'Package: a src:b /c/ *\nPin: release a=trixie, o=Debian\nPin-Priority: 900\n';
const TEMPLATES =
  'Template: a/b\nType: select\nChoices: x, ${y}\nDefault: x\nDescription: text\n more\n .\n\nTemplate: c/d\n';
const LIST = { suite: 'trixie', codename: 'trixie', origin: 'Debian' };

/** Each parser, a valid text for it, and what is done with its result. */
const PARSERS: Readonly<Record<string, readonly [valid: string, parse: (text: string) => unknown]>> = {
  deb822: [PACKAGES, (text) => parseDeb822(text, 'x').map(String)],
  control: [PACKAGES.split('\n\n')[0]!, (text) => [parseControl(text, 'x').toMap(), controlFields(text)]],
  armour: [
    `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${RELEASE}-----BEGIN PGP SIGNATURE-----\n`,
    (text) => withoutArmour(text),
  ],
  versions: [
    '1:2.0~rc1-3+b1',
    (text) => [splitVersion(text), versionFault(text), compareVersions(text, '1:2'), compareVersions('1:2', text)],
  ],
  relations: [
    'a (>= 1) | b:any [amd64], c (<< 2) <!stage1>',
    (text) =>
      parseRelations(text, () => {}).map((group) => [printAlternatives(group), versionSatisfies('1', group[0]!)]),
  ],
  release: [
    RELEASE,
    (text) => {
      const release = parseRelease(text, 'Release');
      showTime(release.date);
      checkRelease(release, { suite: 'trixie', components: ['main'], architecture: 'amd64', validAt: 1_768_000_000 });
    },
  ],
  time: ['Sat, 10 Jan 2026 12:00:00 UTC', (text) => showTime(parseTime(text) ?? 0)],
  preferences: [
    PREFERENCES,
    (text) => {
      const pins = [...parsePreferences(text, 'x'), ...parsePinLine(text, 'y')];
      listPriority(pins, LIST);
      versionPriority(pins, { name: text, version: text, source: text, lists: [LIST] });
    },
  ],
  'host sources': [
    'deb [arch=amd64] http://ftp.debian.org/debian trixie main\n',
    (text) => hostArchives([{ path: '/etc/apt/sources.list', text }], HOST_RULES, 'amd64'),
  ],
  'deb822 sources': [
    'Types: deb\nURIs: http://ftp.debian.org/debian\nSuites: trixie\nComponents: main\n',
    (text) => parseHostSources(text, 'x.sources'),
  ],
  snapshot: ['2026-01-31T00:00:00Z', (text) => snapshotTime(text)],
  templates: [
    TEMPLATES,
    (text) => {
      const debconf = new Debconf(readPreseed(`o a/b string ${text}`));
      debconf.load(memory(Buffer.from(text, 'latin1')));
      for (const { name } of readTemplates(text)) {
        debconf.substitute(name, 'y', text);
        debconf.meta(name, 'choices');
        debconf.get(name);
      }
    },
  ],
  preseed: ['tzdata tzdata/Areas select Etc\\\n more\n', (text) => readPreseed(text, () => {})],
  triggers: ['interest-noawait /usr/lib\nactivate ldconfig\n', (text) => interests(text)],
  script: ['# Automatically added by dh_x\nx\n# End automatically added section\n', (text) => splitScript(text)],
};
const HOST_RULES = debian.hostArchives;

/** Runs a parser; errors of the catalogue are fine, all others are not. */
async function harmless(name: string, text: string, parse: (text: string) => unknown): Promise<void> {
  try {
    await parse(text);
  } catch (error) {
    if (!(error instanceof BuildError))
      assert.fail(`${name} of ${JSON.stringify(text.slice(0, 60))}: ${String((error as Error).stack)}`);
  }
}

for (const [name, [valid, parse]] of Object.entries(PARSERS))
  test(`nonsense through the parser of ${name}: errors with a code, or none`, async () => {
    for (const text of variations(valid)) await harmless(name, text, parse);
  });

test('nonsense through streamed stanzas and package lists: errors with a code, or none', async () => {
  for (const text of variations(PACKAGES)) {
    await harmless('stream', text, async () => {
      for await (const stanza of readDeb822(source(text), 'x')) stanza.get('Package');
    });
    await harmless('packages', text, async () => {
      const parts = await parsePackages(source(text), 'x');
      assert.deepEqual(tableParts(Buffer.concat(tableBytes(parts)))?.count, parts.count);
      const list = { ...LIST, table: new PackagesTable(parts), bases: ['http://a/b'], priority: 500 };
      const index = new PackageIndex('amd64', [list]);
      for (const one of ['a', 'b', 'e', '']) for (const id of index.versions(one)) index.package(id);
      resolve(['?essential', 'a'], index);
    });
  }
});

test('nonsense as a cached package list is rejected', () => {
  for (const text of NONSENSE) assert.equal(tableParts(bytesOf(text.repeat(3))), undefined);
});

test('nonsense as a request for packages: errors with a code', async () => {
  const parts = await parsePackages(source(PACKAGES), 'x');
  const list = { ...LIST, table: new PackagesTable(parts), bases: ['http://a/b'], priority: 500 };
  for (const text of NONSENSE)
    for (const request of [text, `a=${text}`, `a/${text}`, `a:${text}`, `?${text}`, `${text}-`])
      await harmless('request', request, () => resolve([request], new PackageIndex('amd64', [list])));
});
