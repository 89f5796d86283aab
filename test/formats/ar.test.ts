import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, memory } from '../../src/bytes/content.ts';
import { BuildError } from '../../src/errors/error.ts';
import { arArchive } from '../../src/formats/ar/emit.ts';
import { isAr, readAr } from '../../src/formats/ar/read.ts';
import { data, needs, random, temporary } from '../support/data.ts';
import { inPieces } from '../support/trees.ts';

async function members(bytes: Uint8Array, chunk = 100): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const member of readAr(inPieces(bytes, chunk), 'test.a'))
    found.push([member.name, Buffer.from(await collect(member.data)).toString('latin1')]);
  return found;
}

const header = (name: string, size: number | string) =>
  `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(size).padEnd(10)}\`\n`;

test('ar: what was written reads the same, in pieces of any size', async () => {
  const inputs = ['debian-binary', 'control.tar.xz', 'x', 'sixteen-letters.'].map((name, i) => ({
    name,
    content: memory('y'.repeat(i * 7)),
  }));
  const archive = arArchive(inputs);
  const bytes = await collect(archive.open());
  assert.equal(bytes.length, archive.size);
  assert.ok(isAr(bytes));
  for (const chunk of [1, 7, 321])
    assert.deepEqual(
      await members(bytes, chunk),
      inputs.map(({ name, content }) => [name, 'y'.repeat(content.size)]),
    );
});

test('ar: GNU and BSD spellings of names', async () => {
  const table = 'a-name-longer-than-sixteen/\nanother-name-that-is-long/\n';
  const text = [
    '!<arch>\n',
    header('/', 4),
    'symb',
    header('//', table.length),
    table + (table.length % 2 ? '\n' : ''),
    header('short.o/', 3),
    'abc\n',
    header('/0', 1),
    'd\n',
    header('/28', 2),
    'ef',
    header('#1/20', 23),
    'a bsd name\0\0\0\0\0\0\0\0\0\0ghi\n',
    header('plain', 1),
    'z', // the last padding may be missing
  ].join('');
  assert.deepEqual(await members(Buffer.from(text, 'latin1')), [
    ['/', 'symb'],
    ['short.o', 'abc'],
    ['a-name-longer-than-sixteen', 'd'],
    ['another-name-that-is-long', 'ef'],
    ['a bsd name', 'ghi'],
    ['plain', 'z'],
  ]);
});

test('ar: unread data is skipped', async () => {
  const bytes = await collect(
    arArchive(['a', 'b'].map((name) => ({ name, content: memory(name.repeat(999)) }))).open(),
  );
  const names: string[] = [];
  for await (const member of readAr(inPieces(bytes, 100), 'test.a')) names.push(`${member.name} at ${member.offset}`);
  assert.deepEqual(names, ['a at 68', `b at ${68 + 1000 + 60}`]);
});

test('ar: damaged archives are rejected', async () => {
  const cases: [string, string][] = [
    ['', 'AR_CORRUPT'],
    ['!<arch>', 'AR_CORRUPT'],
    ['!<thin>\n', 'ARCHIVE_UNSUPPORTED'],
    [`!<arch>\n${header('a', 5)}abc`, 'TRUNCATED'],
    [`!<arch>\n${header('a', 'x')}`, 'AR_CORRUPT'],
    [`!<arch>\n${header('a', '')}`, 'AR_CORRUPT'],
    [`!<arch>\n${header('a', -1)}`, 'AR_CORRUPT'],
    [`!<arch>\n${header('a', 1).replace('`', "'")}b`, 'AR_CORRUPT'],
    [`!<arch>\n${header('/5', 1)}b`, 'AR_CORRUPT'],
    [`!<arch>\n${header('//', 2)}a\n${header('/5', 1)}b`, 'AR_CORRUPT'],
    [`!<arch>\n${header('#1/9', 1)}b`, 'AR_CORRUPT'],
    [`!<arch>\n${header('', 1)}b`, 'AR_CORRUPT'],
    [`!<arch>\n${header('a', 1)}`.slice(0, 40), 'TRUNCATED'],
  ];
  for (const [text, code] of cases) await assert.rejects(members(Buffer.from(text, 'latin1')), { code }, text);
});

test('ar: flipped bits are rejected or read, never more', async () => {
  const bytes = await collect(
    arArchive(['a', 'b', 'c'].map((name) => ({ name, content: memory(name.repeat(33)) }))).open(),
  );
  const { below } = random(97);
  for (let i = 0; i < 1000; i++) {
    const bad = Uint8Array.from(bytes);
    bad[below(bad.length)]! ^= 1 << below(8);
    try {
      await members(bad);
    } catch (error) {
      assert.ok(error instanceof BuildError, String(error));
    }
  }
});

test('ar: an archive of GNU ar with a long name', { skip: needs({ data: ['deb/ar/long.a'] }) }, async () => {
  const found = await members(readFileSync(data('deb/ar/long.a')));
  assert.deepEqual(
    found.map(([name, content]) => [name, content.length]),
    [
      ['/', 4],
      ['name-longer-than-16-bytes.gox', 577],
    ],
  );
});

test('ar: GNU ar reads ours, and dpkg-deb would', { skip: needs({ tools: ['ar'] }) }, async (t) => {
  const path = join(temporary(t), 'x.a');
  writeFileSync(
    path,
    await collect(
      arArchive([
        { name: 'debian-binary', content: memory('2.0\n') },
        { name: 'odd', content: memory('abc') },
        { name: 'even', content: memory('abcd') },
      ]).open(),
    ),
  );
  const listed = spawnSync('ar', ['t', path], { encoding: 'utf8' });
  assert.equal(listed.stdout, 'debian-binary\nodd\neven\n');
  assert.equal(spawnSync('ar', ['p', path, 'odd'], { encoding: 'utf8' }).stdout, 'abc');
});
