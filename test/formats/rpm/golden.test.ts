import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { memory } from '../../../src/bytes/content.ts';
import { slicesOfMemory } from '../../../src/bytes/spool.ts';
import { decompressAny } from '../../../src/compression/decompress.ts';
import { dependenciesOf, dependencyText } from '../../../src/formats/rpm/dependencies.ts';
import { FILE, fileTable, type RpmFile } from '../../../src/formats/rpm/files.ts';
import { TAG } from '../../../src/formats/rpm/layout.ts';
import { type RpmPackage, readPackage } from '../../../src/formats/rpm/package.ts';
import { payloadLimit, readPayload } from '../../../src/formats/rpm/payload.ts';
import { payloadDigests, proveHeader } from '../../../src/formats/rpm/proof.ts';
import { TYPE_BITS } from '../../../src/tree/inode.ts';
import { data, needs } from '../../support/data.ts';

/** What rpm 4.18 says of a package, and rpm2cpio of its payload. */
interface Golden {
  readonly rc: number;
  readonly head: string;
  readonly files: readonly string[];
  readonly requires: readonly string[];
  readonly provides: readonly string[];
  readonly conflicts: readonly string[];
  readonly obsoletes: readonly string[];
  readonly recommends: readonly string[];
  readonly cpio_rc: number;
  readonly cpio_sha256: string;
}

const GOLDEN = 'rpm/golden-rpm.json.gz';

/** Bytes that are no UTF-8 became replacement characters in the golden facts. */
const lossy = (text: string) => Buffer.from(text, 'latin1').toString('utf8');

const open = (bytes: Uint8Array, path: string) => readPackage((at, size) => bytes.subarray(at, at + size), path);

/** Letters of rpm's `:fflags`, in its order. */
const LETTERS: readonly (readonly [number, string])[] = [
  [FILE.doc, 'd'],
  [FILE.config, 'c'],
  [1 << 2, 's'],
  [FILE.missingOk, 'm'],
  [FILE.noReplace, 'n'],
  [1 << 5, 's'],
  [FILE.ghost, 'g'],
  [FILE.licence, 'l'],
  [FILE.readme, 'r'],
  [FILE.artifact, 'a'],
];

function fileRow(file: RpmFile, main: RpmPackage['main'], files: readonly RpmFile[]): string {
  const links = file.links === 0 ? 1 : files.filter((one) => one.links === file.links).length;
  const none = '(none)';
  // the query that made these facts knows neither sizes nor capabilities of a package that lacks the tag
  const size = main.has(TAG.fileSizes) ? String(file.size) : none;
  const caps = main.has(TAG.fileCaps) ? file.capabilities : none;
  const flags = LETTERS.flatMap(([bit, letter]) => (file.flags & bit ? [letter] : [])).join('');
  return [
    `/${file.path}`,
    (TYPE_BITS[file.kind] | file.mode).toString(8),
    size,
    `${file.user}:${file.group}`,
    flags,
    file.target,
    file.mtime,
    caps,
    links,
  ].join('\t');
}

test('the headers and payloads of real packages are as rpm shows them', {
  skip: needs({ data: [GOLDEN] }),
}, async () => {
  const golden = JSON.parse(gunzipSync(readFileSync(data(GOLDEN))).toString()) as Record<string, Golden>;
  assert.ok(Object.keys(golden).length > 90);
  let payloads = 0;
  for (const [name, expected] of Object.entries(golden)) {
    const bytes = readFileSync(data(name));
    assert.equal(expected.rc, 0, name);
    const rpm = open(bytes, name);
    const { main } = rpm;
    const text = (tag: number) => main.string(tag) ?? '(none)';
    const epoch = main.number(TAG.epoch);
    const head = [text(TAG.name), epoch ?? '(none)', text(TAG.version), text(TAG.release), text(TAG.arch)];
    assert.equal(head.join('|'), expected.head.split('|').slice(0, 5).join('|'), name);
    for (const kind of ['requires', 'provides', 'conflicts', 'obsoletes', 'recommends'] as const)
      assert.deepEqual(
        dependenciesOf(main, kind).map(dependencyText).map(lossy).sort(),
        [...expected[kind]].sort(),
        `${name}: ${kind}`,
      );
    const table = main.has(TAG.sourcePackage) || name.endsWith('.src.rpm') ? undefined : fileTable(main);
    if (table !== undefined)
      assert.deepEqual(
        table.files.map((file) => lossy(fileRow(file, main, table.files))),
        expected.files,
        name,
      );
    // what this rpm could not unpack is checked against the digests in the header itself
    const stored = bytes.subarray(rpm.payloadOffset);
    const pieces: Uint8Array[] = [];
    for await (const piece of decompressAny(memory(stored).open(), name)) pieces.push(new Uint8Array(piece));
    const plain = Buffer.concat(pieces);
    const sha256 = createHash('sha256').update(plain).digest('hex');
    if (expected.cpio_rc === 0) assert.equal(sha256, expected.cpio_sha256, `${name}: payload`);
    for (const { algorithm, hex, of } of payloadDigests(rpm)) {
      const actual = createHash(algorithm)
        .update(of === 'stored' ? stored : plain)
        .digest('hex');
      assert.equal(actual, hex, `${name}: ${algorithm} of the ${of} payload`);
    }
    proveHeader(rpm);
    if (table === undefined) continue;
    const names: string[] = [];
    assert.ok(plain.length <= payloadLimit(table), `${name}: ${plain.length} bytes`);
    for await (const entry of readPayload(memory(plain).open(), table, name, slicesOfMemory(plain)))
      names.push(entry.path);
    const stands = table.files.filter((file) => (file.flags & FILE.ghost) === 0).map((file) => file.path);
    assert.deepEqual(names.sort(), stands.sort(), name);
    payloads++;
  }
  assert.ok(payloads > 90, `${payloads} payloads`);
});
