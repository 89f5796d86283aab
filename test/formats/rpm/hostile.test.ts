import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { memory } from '../../../src/bytes/content.ts';
import { slicesOfMemory } from '../../../src/bytes/spool.ts';
import { BuildError } from '../../../src/errors/error.ts';
import { DEPENDENCY_TAGS, dependenciesOf } from '../../../src/formats/rpm/dependencies.ts';
import { fileTable } from '../../../src/formats/rpm/files.ts';
import { type Header, readHeader } from '../../../src/formats/rpm/header.ts';
import {
  HEADER_MAGIC,
  HeaderHead,
  I18N,
  INT16,
  INT32,
  Lead,
  STRING,
  STRING_ARRAY,
  TAG,
} from '../../../src/formats/rpm/layout.ts';
import { readPackage } from '../../../src/formats/rpm/package.ts';
import { readPayload } from '../../../src/formats/rpm/payload.ts';
import { payloadDigests, proveHeader, signaturesOf } from '../../../src/formats/rpm/proof.ts';
import { data, needs, random } from '../../support/data.ts';
import { headerOf, newc, type Row, texts, u16s, u32s } from '../../support/rpm-bytes.ts';

const NAME: Row = { tag: TAG.name, type: STRING, count: 1, bytes: texts('x') };
const read = (bytes: Uint8Array) => readHeader(bytes, 'main', 'made.rpm', 0);
const rejects = (bytes: Uint8Array, reason: RegExp) =>
  assert.throws(
    () => read(bytes),
    (error) => error instanceof BuildError && error.code === 'RPM_CORRUPT' && reason.test(error.message),
    String(reason),
  );

test('a made header reads back, so that the broken ones below are broken in one way only', () => {
  const header = read(headerOf([NAME, { tag: TAG.size, type: INT32, count: 2, bytes: u32s(7, 0xffffffff) }]));
  assert.equal(header.string(TAG.name), 'x');
  assert.deepEqual(header.numbers(TAG.size), [7, 0xffffffff]);
  assert.equal(header.immutable, true);
});

const BROKEN: readonly (readonly [what: string, bytes: () => Uint8Array, reason: RegExp])[] = [
  ['a value outside of the data', () => headerOf([{ ...NAME, offset: 1000 }]), /points to byte 1000/],
  ['an offset of 4 GiB', () => headerOf([{ ...NAME, offset: 0xfffffff0 }]), /points to byte/],
  [
    'a count of 4 billion',
    () => headerOf([{ tag: TAG.size, type: INT32, count: 0xffffffff, bytes: u32s(1) }]),
    /4294967295 values/,
  ],
  [
    'a count beyond the data',
    () => headerOf([{ tag: TAG.size, type: INT32, count: 8, bytes: u32s(1) }]),
    /beyond|overlaps/,
  ],
  ['no values', () => headerOf([{ ...NAME, count: 0 }]), /0 values/],
  ['two texts in one', () => headerOf([{ ...NAME, count: 2, bytes: texts('x', 'y') }]), /2 texts/],
  [
    'a text without end',
    () => headerOf([{ tag: TAG.group, type: I18N, count: 40, bytes: texts('x') }]),
    /beyond|40 values/,
  ],
  ['a type of nothing', () => headerOf([{ ...NAME, type: 0 }]), /unknown type 0/],
  ['an unknown type', () => headerOf([{ ...NAME, type: 10 }]), /unknown type 10/],
  ['a region among the values', () => headerOf([{ ...NAME, tag: 61 }]), /tag 61/],
  ['a tag twice', () => headerOf([NAME, NAME]), /twice/],
  [
    'values that overlap',
    () =>
      headerOf([
        { tag: TAG.name, type: STRING_ARRAY, count: 2, bytes: texts('ab', 'c') },
        { ...NAME, tag: 1001, offset: 1 },
      ]),
    /overlaps/,
  ],
  [
    'an unaligned number',
    () => headerOf([NAME, { tag: TAG.size, type: INT32, count: 1, bytes: u32s(1), offset: 2 }]),
    /aligned/,
  ],
  ['a region of fewer entries', () => headerOf([NAME, { ...NAME, tag: 1001 }], { covered: 2 }), /covers 2 of 3/],
  ['a region of more entries', () => headerOf([NAME], { covered: 5 }), /covers 5 of 2/],
  ['a region of no entries', () => headerOf([NAME], { covered: 0 }), /covers/],
  ['a trailer of another tag', () => headerOf([NAME], { trailer: { tag: 1000 } }), /trailer/],
  ['a trailer of another type', () => headerOf([NAME], { trailer: { type: INT32 } }), /trailer/],
  ['a trailer of another size', () => headerOf([NAME], { trailer: { count: 17 } }), /trailer/],
  ['more bytes than it states', () => Buffer.concat([headerOf([NAME]), new Uint8Array(1)]), /are there/],
  ['no magic', () => Buffer.concat([new Uint8Array(8), headerOf([NAME]).subarray(8)]), /no header/],
];

for (const [what, bytes, reason] of BROKEN) test(`a header is rejected: ${what}`, () => rejects(bytes(), reason));

test('sizes are checked before anything of that size is read', () => {
  const asked: number[] = [];
  const lead = Lead.bytes({ magic: [0xed, 0xab, 0xee, 0xdb], major: 3, signatureType: 5 });
  for (const [entries, size] of [
    [0, 0],
    [70_000, 16],
    [1, 0xffffffff],
    [0xffffffff, 0xffffffff],
  ] as const) {
    const file = Buffer.concat([lead, HeaderHead.bytes({ magic: HEADER_MAGIC, entries, data: size })]);
    const readAt = (at: number, length: number) => {
      asked.push(length);
      return file.subarray(at, at + length);
    };
    assert.throws(
      () => readPackage(readAt, 'x.rpm'),
      (e) => e instanceof BuildError && e.code === 'RPM_CORRUPT',
    );
  }
  assert.ok(Math.max(...asked) <= 96);
});

/** Rows of a file table with these paths. */
function filesOf(folder: string, name: string, change: Partial<Record<number, Row>> = {}): Header {
  const rows: Row[] = [
    NAME,
    { tag: TAG.fileSizes, type: INT32, count: 1, bytes: u32s(0) },
    { tag: TAG.fileModes, type: INT16, count: 1, bytes: u16s(0o100644) },
    { tag: TAG.fileMtimes, type: INT32, count: 1, bytes: u32s(1) },
    { tag: TAG.fileFlags, type: INT32, count: 1, bytes: u32s(0) },
    { tag: TAG.fileUserName, type: STRING_ARRAY, count: 1, bytes: texts('root') },
    { tag: TAG.fileGroupName, type: STRING_ARRAY, count: 1, bytes: texts('root') },
    { tag: TAG.dirIndexes, type: INT32, count: 1, bytes: u32s(0) },
    { tag: TAG.baseNames, type: STRING_ARRAY, count: 1, bytes: texts(name) },
    { tag: TAG.dirNames, type: STRING_ARRAY, count: 1, bytes: texts(folder) },
  ];
  return read(headerOf(rows.map((row) => change[row.tag] ?? row)));
}

test('paths of a file table stay inside the root', () => {
  assert.deepEqual(
    fileTable(filesOf('/usr/bin/', 'true')).files.map((file) => file.path),
    ['usr/bin/true'],
  );
  for (const [folder, name] of [
    ['/usr/../../etc/', 'passwd'],
    ['../', 'x'],
    ['/usr/bin/', '..'],
    ['/usr/bin/', 'a/b'],
    [`/${'d'.repeat(300)}/`, 'x'],
    ['/usr/bin/', ''],
  ] as const)
    if (name !== '')
      assert.throws(
        () => fileTable(filesOf(folder, name)),
        (e) => e instanceof BuildError,
        `${folder}${name}`,
      );
});

test('columns of a file table that do not fit each other are rejected', () => {
  const wrong: Row[] = [
    { tag: TAG.fileSizes, type: INT32, count: 2, bytes: u32s(0, 0) },
    { tag: TAG.dirIndexes, type: INT32, count: 1, bytes: u32s(7) },
    { tag: TAG.fileModes, type: INT16, count: 1, bytes: u16s(0o170644) },
    { tag: TAG.fileModes, type: STRING_ARRAY, count: 1, bytes: texts('0644') },
    { tag: TAG.fileUserName, type: INT32, count: 1, bytes: u32s(0) },
  ];
  for (const row of wrong)
    assert.throws(
      () => fileTable(filesOf('/', 'x', { [row.tag]: row })),
      (error) => error instanceof BuildError && error.code === 'RPM_CORRUPT',
      `tag ${row.tag}`,
    );
});

/** All that is read of a package. */
async function everything(bytes: Uint8Array, path: string): Promise<void> {
  const rpm = readPackage((at, size) => bytes.subarray(at, at + size), path);
  proveHeader(rpm);
  signaturesOf(rpm);
  payloadDigests(rpm);
  for (const kind of Object.keys(DEPENDENCY_TAGS) as (keyof typeof DEPENDENCY_TAGS)[]) dependenciesOf(rpm.main, kind);
  fileTable(rpm.main);
}

test('damaged packages are rejected with an error of ours, or by their digest', {
  skip: needs({ data: ['rpm/rpm-rs', 'rpm/createrepo_c'] }),
}, async () => {
  const { below, pick } = random(4711);
  const names = ['rpm/rpm-rs', 'rpm/createrepo_c'].flatMap((folder) =>
    readdirSync(data(folder)).map((name) => `${folder}/${name}`),
  );
  let rejected = 0;
  for (let round = 0; round < 1500; round++) {
    const path = pick(names);
    const bytes = new Uint8Array(readFileSync(data(path)));
    const { payloadOffset } = readPackage((at, size) => bytes.subarray(at, at + size), path);
    for (let changes = 1 + below(3); changes > 0; changes--) {
      const at = below(payloadOffset);
      // sizes and offsets are worth the most attention: whole words, and extreme ones
      if (below(2) === 0) bytes[at] = below(256);
      else
        new DataView(bytes.buffer).setUint32(
          at & ~3,
          pick([0, 1, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff, 65535]),
        );
    }
    const cut = below(4) === 0 ? bytes.subarray(0, below(bytes.length)) : bytes;
    try {
      await everything(cut, path);
    } catch (error) {
      assert.ok(error instanceof BuildError, `${path}, round ${round}: ${(error as Error).stack}`);
      rejected++;
    }
  }
  assert.ok(rejected > 700, `${rejected} rejected`);
});

const PAYLOADS: readonly (readonly [what: string, payload: Buffer, code: string])[] = [
  ['a name that is not in the file list', newc([['./etc/passwd', '']]), 'RPM_PAYLOAD'],
  ['a path out of the root', newc([['./../x', '']]), 'RPM_PAYLOAD'],
  ['another size', newc([['./usr/bin/x', 'abc']]), 'RPM_PAYLOAD'],
  [
    'a file twice',
    newc([
      ['./usr/bin/x', ''],
      ['./usr/bin/x', ''],
    ]),
    'RPM_PAYLOAD',
  ],
  ['a missing file', newc([]), 'RPM_PAYLOAD'],
  ['a file number beyond the list', Buffer.from('07070X00000009\0\0'), 'CPIO_CORRUPT'],
  ['a file number that is none', Buffer.from('07070X0000zz09\0\0'), 'CPIO_CORRUPT'],
  ['something else', Buffer.from('x'.repeat(200)), 'CPIO_CORRUPT'],
  ['nothing', Buffer.alloc(0), 'TRUNCATED'],
];

for (const [what, payload, code] of PAYLOADS)
  test(`a payload is rejected: ${what}`, async () => {
    const table = fileTable(filesOf('/usr/bin/', 'x'));
    for (const size of [1, 7, 1 << 20]) {
      const pieces = async function* () {
        for (let at = 0; at < payload.length; at += size) yield payload.subarray(at, at + size);
      };
      await assert.rejects(
        async () => {
          for await (const _ of readPayload(pieces(), table, 'made.rpm', slicesOfMemory(payload)));
        },
        (error) => error instanceof BuildError && error.code === code,
      );
    }
  });

test('both forms of a payload give the same entries', async () => {
  const table = fileTable(filesOf('/usr/bin/', 'x'));
  const stripped = Buffer.concat([Buffer.from('07070X00000000\0\0'), newc([])]);
  for (const payload of [newc([['./usr/bin/x', '']]), stripped]) {
    const names: string[] = [];
    for await (const entry of readPayload(memory(payload).open(), table, 'made.rpm', slicesOfMemory(payload)))
      names.push(entry.path);
    assert.deepEqual(names, ['usr/bin/x']);
  }
});
