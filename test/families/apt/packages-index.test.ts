import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../../src/bytes/digest.ts';
import { hostFile } from '../../../src/bytes/file.ts';
import { decompress } from '../../../src/compression/decompress.ts';
import { parseDeb822, readDeb822 } from '../../../src/families/apt/deb822.ts';
import { PackageIndex } from '../../../src/families/apt/packages-index.ts';
import { tableBytes, tableParts } from '../../../src/families/apt/packages-kept.ts';
import { parsePackages } from '../../../src/families/apt/packages-parse.ts';
import { localPackages, readIndex, readPackages } from '../../../src/families/apt/packages-read.ts';
import { FACT_FIELDS, PackagesTable, RELATION_FIELDS } from '../../../src/families/apt/packages-table.ts';
import type { AptIndexFile } from '../../../src/families/apt/source.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { data, needs, temporary } from '../../support/data.ts';
import { packageList } from './universe.ts';

const TEXT = `Package: a
Version: 1
Architecture: amd64
Depends: b (>= 1), c | d,
 e:any
Description: something
 Depends: not this one
Size: 10
SHA256: ${'ab'.repeat(32)}
Filename: pool/a.deb
Priority: required
Essential: yes

Package: b
VERSION: 2:1-1
architecture: all
Provides: c (= 3), virtual, virtual
Conflicts:   x
Filename: ./b.deb
Size: 5


Package: b
Version: 2:1-2
Architecture: all

Package: f
Version: 1
Architecture: arm64
`;

async function* pieces(text: string, size: number) {
  const bytes = Buffer.from(text);
  const shared = new Uint8Array(size);
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    shared.set(piece);
    yield shared.subarray(0, piece.length);
  }
}

const list = async (text: string, size = 4096) => ({
  table: new PackagesTable(await parsePackages(pieces(text, size), 'test')),
  bases: ['http://one.example/debian/', 'http://two.example/debian'],
  suite: 'stable',
  codename: 'trixie',
  origin: 'Debian',
  priority: 500,
});

test('a package list in pieces of any size', async () => {
  for (const size of [1, 7, 321, 4096]) {
    const index = new PackageIndex('amd64', [await list(TEXT, size)]);
    const [a] = index.versions('a');
    assert.deepEqual(index.package(a!), {
      name: 'a',
      version: '1',
      architecture: 'amd64',
      size: 10,
      sha256: 'ab'.repeat(32),
      sha512: '',
      archive: 'http://one.example/debian/',
      urls: ['http://one.example/debian/pool/a.deb', 'http://two.example/debian/pool/a.deb'],
      source: 'a',
      essential: true,
      protected: false,
      priority: 'required',
      section: '',
      multiArch: 'no',
      installedSize: 0,
      depends: 'b (>= 1), c | d,  e:any',
      preDepends: '',
      recommends: '',
      suggests: '',
      conflicts: '',
      breaks: '',
      replaces: '',
      provides: '',
      suite: 'stable',
      codename: 'trixie',
      pin: 500,
    });
    assert.deepEqual(
      index.versions('b').map((id) => index.version(id)),
      ['2:1-2', '2:1-1'],
    );
    assert.equal(index.package(index.versions('b')[1]!).urls[0], 'http://one.example/debian/b.deb');
    assert.deepEqual(index.versions('f'), [], 'another architecture');
    assert.deepEqual(index.versions('zz'), []);
    assert.deepEqual(
      index.providers('c').map(({ version }) => version),
      ['3'],
    );
    assert.equal(index.providers('b').length, 0);
    // a is mentioned first, then what it depends on, then what comes later
    const order = ['a', 'b', 'c', 'd', 'e', 'x', 'virtual', 'f', 'nowhere'];
    const mentions = order.map((name) => index.mention(name));
    assert.deepEqual(
      [...mentions].sort((x, y) => x - y),
      mentions,
    );
    assert.equal(mentions.at(-1), Number.POSITIVE_INFINITY);
  }
});

test('invalid package lists are errors with an entry number', async () => {
  for (const [text, entry] of [
    ['Package: a\nVersion: 1\n', 1],
    ['Package: a\nVersion: 1\nArchitecture: all\n\nVersion: 1\n', 2],
    ['nonsense\n', 1],
    [' continuation\n', 1],
  ] as const)
    await assert.rejects(parsePackages(pieces(text, 7), 'x'), (error: unknown) => {
      const { code, context } = error as { code: string; context: { entry: number } };
      return code === 'PACKAGES_SYNTAX' && context.entry === entry;
    });
  assert.equal((await parsePackages(pieces('', 1), 'x')).count, 0);
  assert.equal((await parsePackages(pieces('\n\n', 1), 'x')).count, 0);
});

test('a list must not refer outside its archive', async () => {
  for (const name of ['pool/../../../etc/shadow', '/etc/shadow', 'pool/%2e%2e/x', 'pool/.%2E/x', 'a\\..\\x', '..']) {
    const index = new PackageIndex('amd64', [
      await list(`Package: a\nVersion: 1\nArchitecture: all\nFilename: ${name}\n`),
    ]);
    assert.throws(() => index.package(index.versions('a')[0]!), { code: 'PACKAGES_SYNTAX' }, name);
  }
});

test('the same archive in several lists is one package with all URLs; another one of that version is ignored', () => {
  const one = packageList('a 1\n  SHA256: ' + 'aa'.repeat(32), 'one', 500);
  const same = packageList('a 1\n  SHA256: ' + 'aa'.repeat(32), 'two', 900);
  const other = packageList('a 1\n  SHA256: ' + 'bb'.repeat(32), 'three', 500);
  const better = packageList('a 1\n  SHA256: ' + 'cc'.repeat(32), 'four', 990);
  const of = (...lists: (typeof one)[]) => {
    const index = new PackageIndex('amd64', lists);
    const ids = index.versions('a');
    assert.equal(ids.length, 1);
    return { ...index.package(ids[0]!), inTwo: index.inSuite(ids[0]!, 'two') };
  };
  assert.deepEqual(of(one, same).urls, ['http://one.example/pool/a_1.deb', 'http://two.example/pool/a_1.deb']);
  assert.equal(of(one, same).pin, 900);
  assert.equal(of(one, same).inTwo, true);
  assert.equal(of(one, other).sha256, 'aa'.repeat(32));
  assert.equal(of(other, one).sha256, 'bb'.repeat(32));
  assert.equal(of(one, better).sha256, 'cc'.repeat(32));
});

test('local packages have their own URL', () => {
  const [control] = parseDeb822('Package: mine\nVersion: 1\nArchitecture: all\nSize: 99\nDescription: x\n y\n', 'x');
  const index = new PackageIndex('amd64', [
    localPackages([{ control: control!, size: 7, sha256: '12'.repeat(32), url: 'file:///debs/mine.deb' }], '/debs'),
  ]);
  const mine = index.package(index.versions('mine')[0]!);
  assert.deepEqual([mine.size, mine.sha256, mine.urls], [7, '12'.repeat(32), ['file:///debs/mine.deb']]);
});

test('a cached list is read again, and a damaged one is rebuilt', async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'Packages');
  writeFileSync(path, TEXT);
  const file: AptIndexFile = {
    component: 'main',
    architecture: 'amd64',
    file: path,
    compression: 'none',
    sha256: sha256(TEXT),
    bases: ['http://x.example'],
    suite: 'stable',
    codename: 'trixie',
    origin: 'Debian',
    priority: 500,
  };
  const cache = new Cache(join(folder, 'cache'));
  const names = async () => {
    const index = await readIndex([file], 'amd64', { cache });
    return index.package(index.versions('a')[0]!).depends;
  };
  const depends = await names();
  const [info] = cache.info().filter(({ category }) => category === 'parsed');
  assert.equal(info!.files, 1);
  // the list itself may be deleted: it is not read again
  writeFileSync(path, 'nonsense');
  assert.equal(await names(), depends);
  const kept = cache.find('parsed', `${file.sha256}.packages-2`)!;
  const whole = readFileSync(kept);
  for (const spoil of [
    (bytes: Buffer) => bytes.subarray(0, bytes.length - 1),
    (bytes: Buffer) => bytes.subarray(0, 10),
    (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0])]),
    (bytes: Buffer) => {
      bytes[bytes.length - 5]! ^= 1;
      return bytes;
    },
    (bytes: Buffer) => {
      bytes[4]! ^= 1;
      return bytes;
    },
  ]) {
    assert.equal(tableParts(spoil(Buffer.from(whole))), undefined);
  }
  writeFileSync(kept, whole.subarray(0, 100));
  await assert.rejects(names(), { code: 'PACKAGES_SYNTAX' });
  writeFileSync(path, TEXT);
  assert.equal(await names(), depends);
  assert.deepEqual(readFileSync(kept), whole);
  const parts = await parsePackages(pieces(TEXT, 5), 'x');
  assert.deepEqual(tableParts(new Uint8Array(Buffer.concat(tableBytes(parts)))), parts);
});

const REAL = 'deb/solver/trixie/main/binary-amd64/Packages.xz';
test('a distribution’s list: every field as the general parser reads it', {
  skip: needs({ data: [REAL] }),
}, async () => {
  const file = data(REAL);
  const { table } = await readPackages({
    component: 'main',
    architecture: 'amd64',
    file,
    compression: 'xz',
    sha256: '',
    bases: [],
    suite: 'trixie',
    codename: 'trixie',
    origin: 'Debian',
    priority: 500,
  });
  let row = 0;
  for await (const stanza of readDeb822(decompress(hostFile(file).open(), 'xz', file), file)) {
    // every 37th completely, so that the test stays short
    if (row % 37 === 0) {
      for (const field of RELATION_FIELDS) assert.equal(table.relation(row, field), stanza.get(field) ?? '', field);
      for (const field of FACT_FIELDS) assert.equal(table.fact(row, field), stanza.get(field) ?? '', field);
      assert.equal(table.digest(row), stanza.get('sha256'));
      assert.ok(table.rowsOf(stanza.get('Package')!).includes(row));
    }
    row++;
  }
  assert.equal(row, table.count);
  assert.ok(row > 60_000);
  for (const name of ['libc6', 'g++', 'python3', 'original-awk', 'zsh'])
    assert.equal(table.mention(table.rowsOf(name)[0]!), table.findMention(name), name);
});
