import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isBuildError } from '../../../src/errors/error.ts';
import { parseControl, parseDeb822, readDeb822, type Stanza, withoutArmour } from '../../../src/families/apt/deb822.ts';
import { data, needs } from '../../support/data.ts';

const plain = (stanzas: readonly Stanza[]) =>
  stanzas.map((stanza) => stanza.fields.map(({ name, value }) => [name, value]));

async function inPieces(text: string, size: number): Promise<Stanza[]> {
  const bytes = Buffer.from(text);
  const shared = new Uint8Array(size);
  const stanzas: Stanza[] = [];
  const pieces = (async function* () {
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size);
      // the same buffer every time: detects a reader that keeps a piece
      shared.set(piece);
      yield shared.subarray(0, piece.length);
    }
  })();
  for await (const stanza of readDeb822(pieces, 'test')) stanzas.push(stanza);
  return stanzas;
}

const TEXT = `# a comment
Package: a
Description: short
 long
 .
   indented
# inside a field
 more
Empty:
Odd\t :   spaced  \t
Tab:
\tone
 two



package: b
Version:1:2
X-Url: http://a:b/c
 \t
Package: ü\r
Version: 3\r
\r
Last: no newline`;

test('stanzas, continuations, comments and unusual spacing', () => {
  const stanzas = parseDeb822(TEXT, 'test');
  assert.deepEqual(plain(stanzas), [
    [
      ['Package', 'a'],
      ['Description', 'short\n long\n .\n   indented\n more'],
      ['Empty', ''],
      ['Odd', 'spaced'],
      ['Tab', '\n one\n two'],
    ],
    [
      ['package', 'b'],
      ['Version', '1:2'],
      ['X-Url', 'http://a:b/c'],
    ],
    [
      ['Package', 'ü'],
      ['Version', '3'],
    ],
    [['Last', 'no newline']],
  ]);
  assert.deepEqual(
    stanzas.map((stanza) => stanza.line),
    [2, 17, 21, 24],
  );
  assert.equal(stanzas[1]!.get('PACKAGE'), 'b');
  assert.deepEqual(stanzas[0]!.lines('tab'), ['one', 'two']);
});

test('pieces of any size give the same stanzas', async () => {
  const whole = plain(parseDeb822(TEXT, 'test'));
  for (const size of [1, 2, 7, 321]) assert.deepEqual(plain(await inPieces(TEXT, size)), whole, `${size}`);
});

test('a written stanza equals the one that was read', () => {
  const stanzas = parseDeb822(TEXT, 'test');
  const again = parseDeb822(stanzas.map(String).join('\n'), 'test');
  assert.deepEqual(plain(again), plain(stanzas));
});

test('the last of repeated fields is used', () => {
  assert.equal(parseControl('A: 1\na: 2\n', 'test').get('A'), '2');
});

test('invalid stanzas are errors with a line number', () => {
  for (const [text, line] of [
    [' starts with a blank\n', 1],
    ['A: 1\nno colon here\n', 2],
    [': 1\n', 1],
    ['A: 1\n\nB c: 1\n', 3],
  ] as const)
    assert.throws(
      () => parseDeb822(text, 'some.file'),
      (error) =>
        isBuildError(error, 'DEB822_SYNTAX') && error.context.line === line && error.context.file === 'some.file',
    );
  assert.throws(() => parseControl('A: 1\n\nB: 1\n', 'x'), { code: 'DEB822_SYNTAX' });
  assert.throws(() => parseControl('\n', 'x'), { code: 'DEB822_SYNTAX' });
});

const FIXTURES = 'deb/apt-fixtures';
test('apt fixtures parse without loss', { skip: needs({ data: [FIXTURES] }) }, async () => {
  const files = readdirSync(data(FIXTURES));
  assert.ok(files.length >= 11);
  for (const file of files) {
    const text = readFileSync(data(`${FIXTURES}/${file}`), 'utf8');
    const stanzas = parseDeb822(text, file);
    assert.equal(stanzas.length, text.match(/^Package:/gm)?.length, file);
    // every line is written again, except for blanks at its ends and repeated empty lines
    const squeeze = (from: string) =>
      from
        .split('\n')
        .map((line) => line.trim().replace(/:\s*/, ':'))
        .filter((line) => line !== '');
    assert.deepEqual(squeeze(stanzas.map(String).join('\n')), squeeze(text), file);
    assert.deepEqual(plain(await inPieces(text, 1000)), plain(stanzas), file);
  }
});

const DSC = 'deb/deb822/0ad_0.0.26-3.dsc';
test('a clear-signed source description parses', { skip: needs({ data: [DSC] }) }, () => {
  const stanza = parseControl(withoutArmour(readFileSync(data(DSC), 'utf8')), DSC);
  assert.equal(stanza.get('Source'), '0ad');
  assert.equal(stanza.get('Version'), '0.0.26-3');
  assert.ok(stanza.lines('Files').length >= 2);
  assert.equal(withoutArmour('Package: a\n'), 'Package: a\n');
  assert.equal(
    withoutArmour('-----BEGIN PGP SIGNED MESSAGE-----\nHash: X\n\n- -dash\n-----BEGIN PGP SIGNATURE-----\n'),
    '-dash\n',
  );
});
