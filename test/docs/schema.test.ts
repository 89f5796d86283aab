import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { yamlValues } from '../../src/commands/config.ts';
import { gatherAll } from '../../src/settings/gather.ts';
import { guestsOf, hasGuests } from '../../src/settings/guests.ts';
import { flagOf, rowOf, SETTING_KEYS } from '../../src/settings/table.ts';
import { ROOT } from '../support/data.ts';

/** The schema of the config file, checked by ajv in its strict mode, and compared with what the program reads. */

const schema = JSON.parse(readFileSync(join(ROOT, 'docs/osbuilder.schema.json'), 'utf8')) as Record<string, unknown>;

type Validate = ((value: unknown) => boolean) & { errors?: readonly { instancePath: string; message?: string }[] };

/** Compiles the schema as its own `$schema` says: draft 2020-12. Errors of ajv's strict mode are thrown. */
async function compiled(): Promise<Validate> {
  const name: string = 'ajv/dist/2020.js';
  const { default: Ajv } = await import(name);
  const log: string[] = [];
  const note = (...words: unknown[]) => void log.push(words.join(' '));
  const ajv = new Ajv({
    ...{ strict: true, strictRequired: true, allErrors: true },
    logger: { log: note, warn: note, error: note },
  });
  assert.equal(schema['$schema'], 'https://json-schema.org/draft/2020-12/schema');
  assert.equal(ajv.validateSchema(schema), true, JSON.stringify(ajv.errors));
  const validate = ajv.compile(schema);
  assert.deepEqual(log, []);
  return validate;
}

/** True when the program accepts a document; the values are read as the program reads them. */
async function accepted(text: string): Promise<boolean> {
  try {
    const values = await yamlValues(text, (reason) => new Error(reason));
    const files = hasGuests(values) ? guestsOf('osbuilder.yaml', values).map((guest) => guest.values) : [values];
    for (const one of files)
      gatherAll({ flags: new Map(), environment: {}, config: { name: 'osbuilder.yaml', values: one } });
    return true;
  } catch {
    return false;
  }
}

test('the schema is valid in the strict mode, and knows every setting of the file', async () => {
  await compiled();
  const properties = Object.keys(schema['properties'] as object);
  const settings = SETTING_KEYS.filter((key) => !rowOf(key).commandLineOnly).map(flagOf);
  assert.deepEqual(
    properties.toSorted(),
    [...settings, 'rootfs', 'initrd', 'image', 'output', 'guests', 'matrix'].toSorted(),
  );
});

test('every example is valid, for the schema and for the program', async () => {
  const validate = await compiled();
  const folder = join(ROOT, 'docs/examples');
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  assert.ok(names.length >= 8);
  for (const name of names) {
    const text = readFileSync(join(folder, name), 'utf8');
    // editors find the schema by this line
    assert.match(text, /^# yaml-language-server: \$schema=\.\.\/osbuilder\.schema\.json\n/, name);
    assert.ok(validate(parse(text)), `${name}: ${JSON.stringify(validate.errors)}`);
    assert.ok(await accepted(text), name);
  }
});

/** Values of every kind, right and wrong. The last column: both must agree on it; what they say is written down. */
const VALUES: readonly (readonly [kind: string, value: string, right: boolean])[] = [
  ...['yes', 'no', 'Yes', 'TRUE', 'true', 'False', 'on', 'off', 'y', 'n', '1', '0', '"1"', '" yes "', '""'].map(
    (value) => ['yes-no', value, true] as const,
  ),
  ...['2', 'maybe', '1.5', '[yes]', '{a: 1}', 'null', '', 'yess', '"yes no"'].map(
    (value) => ['yes-no', value, false] as const,
  ),
  ...['trixie', '3.20', '13', '"13"', '1e3', '0x10', '"two words"'].map((value) => ['text', value, true] as const),
  ...['true', 'null', '', '""', '[a]', '{a: 1}'].map((value) => ['text', value, false] as const),
  ...['nano', '"nano curl"', '[nano, curl]', '[]', '7', '[7, nano]', '""', '|\n  one\n  two'].map(
    (value) => ['list', value, true] as const,
  ),
  ...['true', 'null', '{a: 1}', '[[a]]', '[null]', '[true]'].map((value) => ['list', value, false] as const),
];

const KEYS: Readonly<Record<string, string>> = { 'yes-no': 'agent-init', text: 'os-version', list: 'extra-pkgs' };

const DOCUMENTS: readonly (readonly [document: string, right: boolean])[] = [
  ...VALUES.map(([kind, value, right]) => [`${KEYS[kind]}: ${value}\n`, right] as const),
  ...['1', '19', '"19"', '" 7 "', '22'].map((value) => [`compress-level: ${value}`, true] as const),
  ...['0', '-1', '1.5', '"1.5"', 'fast', 'true', 'null', '[3]', '"0"', '""', '23'].map(
    (value) => [`compress-level: ${value}`, false] as const,
  ),
  ...['0', '64', '"064"'].map((value) => [`root-free-space: ${value}`, true] as const),
  ...['-1', '1e30', '64M', '0.5'].map((value) => [`root-free-space: ${value}`, false] as const),
  ...['gpt', 'GPT', '" mbr "'].map((value) => [`partition-table: ${value}`, true] as const),
  ...['apm', '1', 'true', '[gpt]', 'null', '"gpt mbr"'].map((value) => [`partition-table: ${value}`, false] as const),
  ['image: a.img\ninitrd: b.img\nrootfs: c/', true],
  ['output: 7', true],
  ['output: [a]', false],
  ['image: true', false],
  ['image: null', false],
  ['distro: debian\ndistr: debian', false],
  ['osVersion: trixie', false],
  ['OS_VERSION: trixie', false],
  ['config: other.yaml', false],
  ['guests: {a: {image: "a.img"}, b: null}', true],
  ['guests: {}', false],
  ['guests: [a]', false],
  ['guests: {"a b": {}}', false],
  ['guests: {a: {guests: {}}}', false],
  ['guests: {a: {distr: debian}}', false],
  ['guests: {a: {jobs: many}}', false],
  ['matrix: {arch: [x86_64, aarch64], exclude: [{arch: aarch64}]}', true],
  ['guests: {a: {matrix: {os-version: [3.20, 13]}}}', true],
  ['matrix: {arch: []}', false],
  ['matrix: {arch: x86_64}', false],
  ['matrix: {arch: [[x86_64]]}', false],
  ['matrix: {arch: [x86_64], exclude: {arch: x86_64}}', false],
  ['{}', true],
  ['[]', false],
  ['distro', false],
  ['distro: debian\nos-version: trixie\nagent: demo\nagent-init: yes\nrepo: [a, b]\njobs: 2', true],
];

test('the program and the schema agree on each document of a table', async () => {
  const validate = await compiled();
  for (const [document, right] of DOCUMENTS) {
    // as the program reads numbers, and as an editor does
    const readings = [await yamlValues(document, (reason) => new Error(reason)), parse(document)];
    for (const value of readings)
      assert.equal(validate(value), right, `schema: ${document}: ${JSON.stringify(validate.errors)}`);
    assert.equal(await accepted(document), right, `program: ${document}`);
  }
});

test('each setting of the file: what the schema accepts of sample values is what the program accepts', async () => {
  const validate = await compiled();
  const samples = ['yes', '0', '1', '7', '2000', '-3', 'text', '"3"', '[a]', '[1]', 'true', 'null', '{a: b}', '0.5'];
  for (const key of SETTING_KEYS) {
    if (rowOf(key).commandLineOnly) continue;
    const choices = rowOf(key).kind.choices ?? [];
    for (const sample of [...samples, ...choices]) {
      const document = `${flagOf(key)}: ${sample}`;
      // a string with a number out of range is beyond a schema
      if (rowOf(key).kind.name === 'number' && sample === '"3"' && !(await accepted(document))) continue;
      assert.equal(validate(parse(document)), await accepted(document), document);
    }
  }
});

test('an empty file is no settings, and two keys of one name are an error', async () => {
  assert.ok(await accepted(''));
  assert.ok(await accepted('# nothing\n'));
  assert.ok(!(await accepted('distro: debian\ndistro: alpine\n')));
});
