import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildError } from '../../../src/errors/error.ts';
import { attribute, XmlScanner } from '../../../src/formats/xml/scan.ts';
import { random } from '../../support/data.ts';

/** Events of a document that comes in pieces of `size` bytes. */
function events(text: string, size = 1 << 20): string[] {
  const seen: string[] = [];
  const scanner = new XmlScanner(
    {
      open: (name, attributes) => seen.push(`<${name}${attributes.trim() === '' ? '' : ` ${attributes.trim()}`}>`),
      close: (name, inner) => seen.push(`</${name}>${inner.trim() === '' ? '' : inner}`),
    },
    'made.xml',
  );
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) scanner.push(bytes.subarray(at, at + size));
  scanner.end();
  return seen;
}

const DOCUMENT = `\ufeff<?xml version="1.0" encoding="UTF-8"?>
<!-- a > b -->
<a x="1" y='>"'>
  <b>one &amp; two &#x20ac; &#60;</b>
  <c z="a&quot;b"/><d ><![CDATA[<raw> & ]]></d
  >
  <rpm:e/>
</a>
`;

test('a document gives the same events in pieces of every size', () => {
  const whole = events(DOCUMENT);
  assert.deepEqual(whole, [
    `<a x="1" y='>"'>`,
    '<b>',
    `</b>one & two ${Buffer.from('€').toString('latin1')} <`,
    '<c z="a&quot;b">',
    '</c>',
    '<d>',
    '</d><raw> & ',
    '<rpm:e>',
    '</rpm:e>',
    '</a>',
  ]);
  for (const size of [1, 2, 3, 7, 11, 321]) assert.deepEqual(events(DOCUMENT, size), whole, `pieces of ${size}`);
});

test('a document type that declares nothing is skipped', () => {
  const text = '<?xml version="1.0"?>\n<!DOCTYPE comps PUBLIC "-//x//EN" "comps.dtd">\n<a/>';
  for (const size of [1, 5, 1000]) assert.deepEqual(events(text, size), ['<a>', '</a>']);
});

test('attributes are found by their complete name', () => {
  const given = ` xname="no" name = 'a "b"' other="name='z'" flags="EQ" e="&lt;&amp;&#65;"`;
  assert.equal(attribute(given, 'name'), 'a "b"');
  assert.equal(attribute(given, 'flags'), 'EQ');
  assert.equal(attribute(given, 'e'), '<&A');
  assert.equal(attribute(given, 'am'), undefined);
  assert.equal(attribute(` other=" name='z' "`, 'name'), undefined);
  assert.equal(attribute(' name', 'name'), undefined);
});

const BROKEN: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'a tag that is not closed': '<a><b></a>',
  'an end without a start': '</a>',
  'a second root': '<a/><b/>',
  'text around the root': '<a/>text',
  'a cut tag': '<a><b',
  'a cut comment': '<a><!-- x',
  'a document type': '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
  'a document type after the root': '<a/><!DOCTYPE a>',
  'another declaration': '<!ELEMENT a ANY><a/>',
  'an unknown entity': '<a>&x;</a>',
  'an entity without end': '<a>&amp</a>',
  'a reference to nothing': '<a>&#0;</a>',
  'a surrogate': '<a>&#xd800;</a>',
  'a name of quotes': '<"a"/>',
  'a deep document': '<a>'.repeat(80) + '</a>'.repeat(80),
};

for (const [what, text] of Object.entries(BROKEN))
  test(`rejected: ${what}`, () => {
    for (const size of [1, 1 << 20])
      assert.throws(
        () => events(text, size),
        (error) => error instanceof BuildError && error.code === 'XML_SYNTAX',
      );
  });

test('one endless token is rejected before memory is full', () => {
  const scanner = new XmlScanner({ open: () => {}, close: () => {} }, 'made.xml');
  scanner.push(Buffer.from('<a>'));
  const piece = new Uint8Array(1 << 20).fill(0x61);
  assert.throws(
    () => {
      for (let i = 0; i < 100; i++) scanner.push(piece);
    },
    (error) => error instanceof BuildError && error.code === 'XML_SYNTAX',
  );
});

test('random damage gives events or an error of ours', () => {
  const { below, pick } = random(99);
  for (let round = 0; round < 3000; round++) {
    const letters = [...DOCUMENT];
    for (let n = 1 + below(4); n > 0; n--)
      letters[below(letters.length)] = pick(['<', '>', '&', '"', "'", '/', '!', ';', 'x', ' ']);
    try {
      events(letters.join(''), 1 + below(50));
    } catch (error) {
      assert.ok(error instanceof BuildError && error.code === 'XML_SYNTAX', String(error));
    }
  }
});
