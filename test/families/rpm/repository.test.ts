import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { sha256 } from '../../../src/bytes/digest.ts';
import { BuildError } from '../../../src/errors/error.ts';
import type { Event } from '../../../src/events/events.ts';
import { keptBytes, keptPrimary } from '../../../src/families/rpm/kept.ts';
import { parseMirrorList } from '../../../src/families/rpm/mirrors.ts';
import { factsOf } from '../../../src/families/rpm/primary.ts';
import { fileOf, parseRepomd } from '../../../src/families/rpm/repomd.ts';
import { openAndRead, type RpmRepository } from '../../../src/families/rpm/repository.ts';
import { KINDS, type PackageTable } from '../../../src/families/rpm/solver/types.ts';
import { type RpmSource, SOURCE_DEFAULTS } from '../../../src/families/rpm/source.ts';
import { data, needs, temporary } from '../../support/data.ts';
import { testHost } from '../../support/host.ts';
import {
  createRepository,
  makeRpmKey,
  makeRpms,
  RPM_TOOLS,
  type RpmKey,
  repomdOf,
  signRpms,
} from '../../support/rpms.ts';
import { serve } from '../../support/server.ts';

const code = (error: unknown) => (error instanceof BuildError ? error.code : String(error));
const source = (over: Partial<RpmSource> = {}): RpmSource => ({
  name: 'made',
  bases: [],
  keyring: undefined,
  ...SOURCE_DEFAULTS,
  ...over,
});

/** The dependencies of a row as texts. */
function shown(table: PackageTable, row: number): Record<string, string[]> {
  const text = (id: number) => table.texts.get(id);
  const words = ['', '>', '=', '>=', '<', '<>', '<='];
  return Object.fromEntries([
    ...KINDS.map((kind) => {
      const { starts, items } = table.dependencies[kind];
      const list = [...items.subarray(starts[row], starts[row + 1])].map((id) => {
        const flags = table.relations.flags[id]!;
        const name = text(table.relations.name[id]!);
        return flags === 0 ? name : `${name} ${words[flags]} ${text(table.relations.evr[id]!)}`;
      });
      return [kind, list];
    }),
    ['files', [...table.files.items.subarray(table.files.starts[row], table.files.starts[row + 1])].map(text)],
  ]);
}

describe('repositories', { skip: needs({ tools: RPM_TOOLS }) }, () => {
  let folder: string;
  let repository: string;
  let key: RpmKey;
  const closing: (() => void)[] = [];

  before(() => {
    folder = temporary({ after: (fn) => void closing.push(fn) });
    key = makeRpmKey(join(folder, 'gpg'));
    const made = makeRpms(folder, [
      {
        name: 'one',
        epoch: 2,
        version: '1.5~rc1',
        tags: {
          Requires: ['two >= 1', '(three if four)', '/usr/bin/sh'],
          Provides: ['virtual = 3:1-2', 'plain'],
          Conflicts: ['five < 2'],
          Obsoletes: ['old <= 7'],
          Recommends: ['six'],
          Suggests: ['seven'],
          Supplements: ['eight'],
          Enhances: ['nine > 3'],
        },
        files: [
          { name: 'usr/bin/one', data: 'one', mode: 0o755 },
          { name: 'usr/share/one', data: 'x' },
        ],
      },
      { name: 'two', architecture: 'x86_64', files: [{ name: 'etc/two', data: 'a & <b> "c"' }] },
    ]);
    signRpms([...made.values()], key);
    repository = join(folder, 'repository');
    mkdirSync(repository);
    for (const path of made.values()) copyFileSync(path, join(repository, basename(path)));
    createRepository(repository, key);
  });
  after(() => {
    for (const close of closing) close();
  });

  const keyring = () => ({ name: 'the test keyring', keys: [readFileSync(key.publicKey)] });

  function check({ primary: { table, facts } }: RpmRepository): void {
    const rows = [...table.name].map((id) => table.texts.get(id));
    assert.deepEqual([...rows].sort(), ['one', 'two']);
    const row = rows.indexOf('one');
    assert.equal(table.texts.get(table.evr[row]!), '2:1.5~rc1-1');
    assert.equal(table.texts.get(table.arch[row]!), 'noarch');
    const all = shown(table, row);
    assert.deepEqual(all['requires']!.filter((one) => !one.startsWith('rpmlib')).sort(), [
      '(three if four)',
      '/usr/bin/sh',
      'two >= 1',
    ]);
    assert.deepEqual(all['provides']!.sort(), ['one = 2:1.5~rc1-1', 'plain', 'virtual = 3:1-2']);
    assert.deepEqual(all['conflicts'], ['five < 2']);
    assert.deepEqual(all['obsoletes'], ['old <= 7']);
    assert.deepEqual(all['recommends'], ['six']);
    assert.deepEqual(all['suggests'], ['seven']);
    assert.deepEqual(all['supplements'], ['eight']);
    assert.deepEqual(all['enhances'], ['nine > 3']);
    assert.ok(all['files']!.includes('/usr/bin/one'));
    const { location, digest, size } = factsOf(facts.get(row));
    const bytes = readFileSync(join(repository, location));
    assert.equal(bytes.length, size);
    assert.deepEqual(digest, { algorithm: 'sha256', hex: createHash('sha256').update(bytes).digest('hex') });
  }

  test('signed metadata is read over http, kept, and read again without a request for it', async (t) => {
    const server = await serve(t, repository);
    const host = testHost(t, { cache: join(temporary(t), 'cache') });
    const signed = source({ bases: [server.url], keyring: keyring(), signedMetadata: true });
    const first = await openAndRead(signed, host, { pins: [] });
    assert.equal(first.proof.kind, 'signed');
    check(first);
    const before = server.requests.length;
    const again = await openAndRead(signed, host, { pins: [] });
    check(again);
    assert.deepEqual(
      server.requests.slice(before).map(({ path }) => path.replace(/^.*\//, '')),
      ['repomd.xml', 'repomd.xml.asc'],
    );
    assert.deepEqual(again.primary.table.texts.toArray(), first.primary.table.texts.toArray());
    const offline = testHost(t, { cache: host.cache.directory, offline: true });
    check(await openAndRead(signed, offline, { pins: [] }));
  });

  test('a changed repomd.xml is rejected: by its signature, by a pin', async (t) => {
    const changed = join(temporary(t), 'changed');
    mkdirSync(join(changed, 'repodata'), { recursive: true });
    for (const name of ['repomd.xml', 'repomd.xml.asc'])
      copyFileSync(join(repository, 'repodata', name), join(changed, 'repodata', name));
    appendFileSync(join(changed, 'repodata/repomd.xml'), '\n');
    const host = testHost(t, { cache: join(temporary(t), 'cache') });
    const signed = source({ bases: [changed], keyring: keyring(), signedMetadata: true });
    await assert.rejects(openAndRead(signed, host, { pins: [] }), (e) => code(e) === 'SIGNATURE_BAD');
    const pin = sha256(repomdOf(repository));
    const plain = source({ bases: [changed] });
    await assert.rejects(openAndRead(plain, host, { pins: [pin] }), (e) => code(e) === 'METADATA_UNPINNED');
    rmSync(join(changed, 'repodata/repomd.xml.asc'));
    await assert.rejects(openAndRead(signed, host, { pins: [] }), (e) => code(e) === 'METADATA_UNSIGNED');
    const pinned = await openAndRead(source({ bases: [repository] }), host, { pins: [pin] });
    assert.equal(pinned.proof.kind, 'pinned');
  });

  test('metadata that nothing proves is a warning', async (t) => {
    const events: Event[] = [];
    const host = testHost(t, { cache: join(temporary(t), 'cache'), report: (event) => events.push(event) });
    const opened = await openAndRead(source({ bases: [repository] }), host, { pins: [] });
    assert.equal(opened.proof.kind, 'none');
    check(opened);
    assert.ok(events.some((event) => event.kind === 'warning' && event.code === 'METADATA_UNPROVEN'));
  });

  test('a metalink: best mirror first, its digest decides, an older promised one is right too', async (t) => {
    const server = await serve(t, folder);
    const host = testHost(t, { cache: join(temporary(t), 'cache') });
    const digest = sha256(repomdOf(repository));
    const metalink = (newest: string, older?: string) => {
      const hash = (hex: string) =>
        `<verification><hash type="md5">00</hash><hash type="sha256">${hex}</hash></verification>`;
      const alternates =
        older === undefined
          ? ''
          : `<mm0:alternates><mm0:alternate><size>${repomdOf(repository).length}</size>${hash(older)}</mm0:alternate></mm0:alternates>`;
      const url = (path: string, preference: number) =>
        `<url protocol="http" preference="${preference}">${server.url}/${path}/repodata/repomd.xml</url>`;
      writeFileSync(
        join(folder, 'metalink'),
        `<?xml version="1.0"?><metalink version="3.0" xmlns:mm0="x"><files><file name="repomd.xml">${hash(newest)}${alternates}<resources>${url('nowhere', 10)}${url('repository', 90)}<url protocol="rsync">rsync://x/repodata/repomd.xml</url></resources></file></files></metalink>`,
      );
      return source({ mirrorList: `${server.url}/metalink` });
    };
    const first = await openAndRead(metalink(digest), host, { pins: [] });
    assert.deepEqual(first.bases, [`${server.url}/repository`, `${server.url}/nowhere`]);
    check(await openAndRead(metalink('0'.repeat(64), digest), host, { pins: [] }));
    await assert.rejects(
      openAndRead(metalink('0'.repeat(64)), host, { pins: [] }),
      (e) => code(e) === 'DIGEST_MISMATCH',
    );
  });

  test('a metalink: mirrors that are behind it or ahead of it are passed over', async (t) => {
    const server = await serve(t, folder);
    const host = testHost(t, { cache: join(temporary(t), 'cache') });
    const right = repomdOf(repository);
    const mirror = (name: string, change: (text: string) => string) => {
      mkdirSync(join(folder, name, 'repodata'), { recursive: true });
      writeFileSync(join(folder, name, 'repodata/repomd.xml'), change(right.toString()));
      return `<url>${server.url}/${name}/repodata/repomd.xml</url>`;
    };
    const urls = [
      mirror('stale', (text) => text.replace(/<revision>\d+/, '<revision>1')),
      mirror('ahead', (text) => text.replace(/<revision>\d+/, '<revision>9999999999')),
      mirror('cut', (text) => text.slice(0, -20)),
      `<url>${server.url}/repository/repodata/repomd.xml</url>`,
    ];
    const list = (which: readonly string[]) =>
      writeFileSync(
        join(folder, 'metalink-lagging'),
        `<metalink version="3.0"><files><file name="repomd.xml"><size>${right.length}</size><verification><hash type="sha256">${sha256(right)}</hash></verification><resources>${which.join('')}</resources></file></files></metalink>`,
      );
    const open = () => openAndRead(source({ mirrorList: `${server.url}/metalink-lagging` }), host, { pins: [] });
    list(urls);
    const opened = await open();
    assert.equal(opened.bases[0], `${server.url}/repository`);
    check(opened);
    list(urls.slice(0, 2));
    await assert.rejects(
      open(),
      (error: Error) =>
        code(error) === 'DIGEST_MISMATCH' && /not up to date/.test(String((error as { hint?: string }).hint)),
    );
  });

  test('a folder of packages without metadata says the same as its metadata', async (t) => {
    const flat = join(temporary(t), 'flat');
    mkdirSync(flat);
    const host = testHost(t, { cache: join(temporary(t), 'cache') });
    const indexed = await openAndRead(source({ bases: [repository] }), host, { pins: [] });
    for (const line of indexed.primary.facts.toArray())
      copyFileSync(join(repository, factsOf(line).location), join(flat, factsOf(line).location));
    const opened = await openAndRead(source({ bases: [flat] }), host, { pins: [] });
    assert.equal(opened.local, true);
    assert.equal(opened.primary.table.name.length, indexed.primary.table.name.length);
    for (let row = 0; row < opened.primary.facts.length; row++) {
      const name = opened.primary.table.texts.get(opened.primary.table.name[row]!);
      const other = [...indexed.primary.table.name].findIndex((id) => indexed.primary.table.texts.get(id) === name);
      const mine = shown(opened.primary.table, row);
      const theirs = shown(indexed.primary.table, other);
      for (const kind of KINDS)
        assert.deepEqual(
          mine[kind]!.sort(),
          theirs[kind]!.filter((one) => !one.startsWith('rpmlib(')).sort(),
          `${name}: ${kind}`,
        );
      const facts = [opened.primary.facts.get(row), indexed.primary.facts.get(other)]
        .map(factsOf)
        .map(({ digest, size, installed, built }) => ({ digest, size, installed, built }));
      assert.deepEqual(facts[0], facts[1]);
    }
  });
});

test('a kept list that was damaged or cut is not taken', {
  skip: needs({ data: ['rpm/createrepo-pulp'] }),
}, async (t) => {
  const host = testHost(t, { cache: join(temporary(t), 'cache') });
  const { primary } = await openAndRead(source({ bases: [data('rpm/createrepo-pulp')] }), host, { pins: [] });
  const bytes = Buffer.concat(keptBytes(primary));
  const again = keptPrimary(bytes)!;
  assert.deepEqual(again.table.texts.toArray(), primary.table.texts.toArray());
  assert.deepEqual(Buffer.concat(keptBytes(again)), bytes);
  for (const at of [0, 5, 20, 60, bytes.length - 1]) {
    const damaged = new Uint8Array(bytes);
    damaged[at]! ^= 1;
    assert.equal(keptPrimary(damaged), undefined, `byte ${at}`);
  }
  for (const size of [0, 10, 47, 100, bytes.length - 4])
    assert.equal(keptPrimary(bytes.subarray(0, size)), undefined, `${size} bytes`);
});

test('real metadata: CentOS Stream 9 BaseOS and AppStream', {
  skip: needs({ data: ['rpm/c9s-baseos', 'rpm/c9s-appstream'] }),
}, async (t) => {
  const host = testHost(t, { cache: join(temporary(t), 'cache') });
  for (const [name, packages, requires, rich] of [
    ['c9s-baseos', 1125, 1096, 14],
    ['c9s-appstream', 17649, 16969, 730],
  ] as const) {
    const { primary } = await openAndRead(source({ bases: [data(`rpm/${name}`)] }), host, { pins: [] });
    const { table, facts } = primary;
    assert.equal(table.name.length, packages);
    assert.equal(facts.length, packages);
    const { starts, items } = table.dependencies.requires;
    let having = 0;
    for (let row = 0; row < packages; row++) if (starts[row + 1]! > starts[row]!) having++;
    assert.equal(having, requires, `${name}: packages that require something`);
    assert.equal(
      [...items].filter((id) => table.texts.get(table.relations.name[id]!).startsWith('(')).length,
      rich,
      `${name}: rich requires`,
    );
  }
});

const REPOMDS: Readonly<Record<string, string>> = {
  'another document': '<metadata/>',
  'an entry without a checksum': '<repomd><data type="primary"><location href="x"/></data></repomd>',
  'an entry without a place': '<repomd><data type="primary"><checksum type="sha256">00</checksum></data></repomd>',
  'a size that is no number': '<repomd><data type="primary"><size>-5</size></data></repomd>',
};

for (const [what, text] of Object.entries(REPOMDS))
  test(`a repomd.xml is rejected: ${what}`, () =>
    assert.throws(
      () => parseRepomd(Buffer.from(text), 'repomd.xml'),
      (e) => code(e) === 'REPOMD_INVALID',
    ));

test('metadata that exists as zchunk or as a database only is rejected by name', () => {
  const entry = (type: string, href: string) =>
    `<data type="${type}"><checksum type="sha256">00</checksum><location href="${href}"/></data>`;
  const of = (...entries: string[]) =>
    fileOf(parseRepomd(Buffer.from(`<repomd>${entries.join('')}</repomd>`), 'r'), 'primary', 'r');
  assert.throws(() => of(entry('primary_zck', 'p.xml.zck')), /zchunk/);
  assert.throws(() => of(entry('primary_db', 'p.sqlite.bz2')), /SQLite/);
  assert.equal(
    of(entry('primary_zck', 'p.xml.zck'), entry('primary', 'p.xml.zst'), entry('primary', 'p.xml.gz'))?.location,
    'p.xml.gz',
  );
  assert.equal(of(), undefined);
});

const REPOMD_URL = (base: string, attributes = '') => `<url ${attributes}>${base}/repodata/repomd.xml</url>`;
const HASH = (type: string, hex: string) => `<verification><hash type="${type}">${hex}</hash></verification>`;
const SHA = ['a', 'b', 'c'].map((digit) => HASH('sha256', digit.repeat(64)));
const DOCUMENT = (...files: string[]) => `<metalink version="3.0"><files>${files.join('')}</files></metalink>`;
const FILE = (name: string, ...parts: string[]) => `<file name="${name}">${parts.join('')}</file>`;

for (const [what, text, bases, sizes] of [
  [
    'other files are not read',
    DOCUMENT(
      FILE('primary.xml', '<size>1</size>', SHA[1]!, REPOMD_URL('http://wrong')),
      FILE('repomd.xml', '<size>5</size>', SHA[0]!, REPOMD_URL('http://a')),
    ),
    ['http://a'],
    [5],
  ],
  [
    'the best first, equal ones as they stand, those of the web only',
    DOCUMENT(
      FILE(
        'repomd.xml',
        SHA[0]!,
        REPOMD_URL('http://a', 'preference="90"'),
        REPOMD_URL('rsync://b', 'protocol="rsync" preference="100"'),
        REPOMD_URL('https://c', 'protocol="https" preference="100"'),
        REPOMD_URL('ftp://d', 'preference="95"'),
        REPOMD_URL('http://e', 'location="DE"'),
        REPOMD_URL('http://f', 'preference="90"'),
      ),
    ),
    ['https://c', 'http://a', 'http://f', 'http://e'],
    [undefined],
  ],
  [
    'alternates by any prefix; those with MD5 alone are none',
    DOCUMENT(
      FILE(
        'repomd.xml',
        '<size>5</size>',
        SHA[0]!,
        '<x:alternates>',
        `<x:alternate><size>4</size>${HASH('md5', 'a'.repeat(32))}</x:alternate>`,
        `<x:alternate><x:timestamp>3</x:timestamp><size>3</size>${SHA[1]!}</x:alternate>`,
        `<x:alternate>${SHA[2]!}</x:alternate>`,
        '</x:alternates>',
        REPOMD_URL('http://a'),
      ),
    ),
    ['http://a'],
    [5, 3, undefined],
  ],
  [
    'a comment first',
    `<!-- made -->${DOCUMENT(FILE('repomd.xml', SHA[0]!, REPOMD_URL('http://a')))}`,
    ['http://a'],
    [undefined],
  ],
] as const)
  test(`a metalink is read: ${what}`, () => {
    const list = parseMirrorList(Buffer.from(text), 'list');
    assert.deepEqual(list.bases, bases);
    assert.deepEqual(
      list.promised.map(({ size }) => size),
      sizes,
    );
    // each version has the digest of its own
    assert.equal(new Set(list.promised.map(({ digests }) => digests.map(({ hex }) => hex).join())).size, sizes.length);
    assert.ok(list.promised.every(({ digests }) => digests.length === 1));
  });

for (const [what, text, reason] of [
  ['no file', DOCUMENT(), /names no mirror/],
  ['another file', DOCUMENT(FILE('primary.xml', SHA[0]!, REPOMD_URL('http://a'))), /names no mirror/],
  ['MD5 alone', DOCUMENT(FILE('repomd.xml', HASH('md5', 'a'.repeat(32)), REPOMD_URL('http://a'))), /no digest/],
  ['no digest', DOCUMENT(FILE('repomd.xml', '<size>5</size>', REPOMD_URL('http://a'))), /no digest/],
  ['rsync alone', DOCUMENT(FILE('repomd.xml', SHA[0]!, REPOMD_URL('rsync://a'))), /names no mirror/],
  ['an empty size', DOCUMENT(FILE('repomd.xml', '<size/>', SHA[0]!, REPOMD_URL('http://a'))), /is no size/],
  ['a size in words', DOCUMENT(FILE('repomd.xml', '<size>5 kB</size>', SHA[0]!, REPOMD_URL('http://a'))), /is no size/],
  ['a page', '<html><a href="http://a/">here</a></html>', /names no mirror/],
] as const)
  test(`a metalink is rejected: ${what}`, () =>
    assert.throws(
      () => parseMirrorList(Buffer.from(text), 'list'),
      (error: Error) => code(error) === 'MIRRORLIST_INVALID' && reason.test(error.message),
    ));

test('mirror lists of librepo', { skip: needs({ data: ['rpm/librepo'] }) }, () => {
  const read = (path: string) => parseMirrorList(readFileSync(data(`rpm/librepo/${path}`)), path);
  const metalink = read('repo_yum_01/metalink.xml');
  assert.deepEqual(metalink.bases, ['http://127.0.0.1:5000/yum/static/01']);
  assert.equal(metalink.promised[0]?.digests[0]?.algorithm, 'sha512');
  assert.ok(read('repo_yum_02/mirrorlist').bases.length > 0);
  assert.throws(
    () => parseMirrorList(Buffer.from('# nothing\n'), 'list'),
    (e) => code(e) === 'MIRRORLIST_INVALID',
  );
});
