import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { BuildError } from '../../../src/errors/error.ts';
import { isCompiled, readCompiled } from '../../../src/formats/selinux/compiled.ts';
import { type ContextLine, parseContexts } from '../../../src/formats/selinux/contexts.ts';
import { LabelLookup } from '../../../src/formats/selinux/lookup.ts';
import { labelsOf } from '../../../src/system/selinux.ts';
import { Tree } from '../../../src/tree/tree.ts';
import { data, needs, ROOT, random, temporary, tool } from '../../support/data.ts';

/** file_contexts in the form that sefcontext_compile gives it: the same lines, and the same labels, as of the text. */

const FIXTURE = join(ROOT, 'fixtures', 'selinux');
const fixtureText = () => readFileSync(join(FIXTURE, 'file_contexts'), 'latin1');
const version6 = () => readFileSync(join(FIXTURE, 'file_contexts.6.bin'));

const KINDS = ['file', 'directory', 'symlink', 'char', 'block', 'fifo', 'socket'] as const;

/** What a line is but for its number, sorted. */
const contents = (lines: readonly ContextLine[]) =>
  lines.map(({ expression, kind, label, literal }) => JSON.stringify([expression, kind, label, literal])).sort();

const lookupOf = (lines: readonly ContextLine[]) =>
  new LabelLookup({ contexts: [{ path: 'x', lines }], substitutions: [] });

function sameLabels(a: readonly ContextLine[], b: readonly ContextLine[], paths: readonly string[]): void {
  const [one, other] = [lookupOf(a), lookupOf(b)];
  for (const path of paths)
    for (const kind of KINDS) assert.equal(one.label(path, kind), other.label(path, kind), `${kind} ${path}`);
}

const PATHS =
  '/ /x /etc /etc/passwd /etc/passwd- /etc/passwd+ /etc/passwdx /etc/rc.d/a /srv /srv/a.b /srv/axb /srv/q/x /srv/deep/er/p /dev/sda /dev/tty1 /run/a.sock /run/b'.split(
    ' ',
  );

function compiled(folder: string, text: string, ...args: string[]): Buffer {
  const [source, out] = [join(folder, 'fc'), join(folder, 'fc.bin')];
  writeFileSync(source, text, 'latin1');
  const { status, stderr } = spawnSync(tool('sefcontext_compile')!, [...args, '-o', out, source], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return readFileSync(out);
}

test('version 6, with what PCRE made of each expression', () => {
  const bytes = version6();
  assert.ok(isCompiled(bytes));
  const lines = readCompiled(bytes, 'fc.bin');
  const source = parseContexts(fixtureText(), 'fc');
  assert.deepEqual(contents(lines), contents(source));
  sameLabels(lines, source, PATHS);
  // the numbers of lines are the source's
  const at = (all: readonly ContextLine[]) => all.find(({ expression }) => expression === '/srv/[^/]+/x')!.line;
  assert.equal(at(lines), at(source));
});

for (const args of [[], ['-r']])
  test(`what sefcontext_compile ${args.join(' ')} writes here`, {
    skip: needs({ tools: ['sefcontext_compile'] }),
  }, (t) => {
    const text = fixtureText();
    const lines = readCompiled(compiled(temporary(t), text, ...args), 'fc.bin');
    assert.deepEqual(contents(lines), contents(parseContexts(text, 'fc')));
    sameLabels(lines, parseContexts(text, 'fc'), PATHS);
  });

test('Debian’s policy, compiled: the labels of the text', {
  skip: needs({ tools: ['sefcontext_compile'], data: ['selinux/file_contexts.gz', 'selinux/labels-file.tsv.gz'] }),
}, (t) => {
  const unpacked = (name: string) => gunzipSync(readFileSync(data(`selinux/${name}.gz`))).toString('latin1');
  const text = unpacked('file_contexts');
  const lines = readCompiled(compiled(temporary(t), text), 'fc.bin');
  assert.ok(lines.length > 5000);
  const paths = unpacked('labels-file.tsv')
    .trimEnd()
    .split('\n')
    .map((row) => row.split('\t')[0]!);
  sameLabels(lines, parseContexts(text, 'fc'), paths);
});

/** A guest whose policy has these files. */
function guest(files: Readonly<Record<string, string | Uint8Array>>): Tree {
  const tree = new Tree();
  tree.writeFile('etc/selinux/config', 'SELINUXTYPE=default\n');
  for (const [name, content] of Object.entries(files))
    tree.writeFile(`etc/selinux/default/contexts/files/${name}`, content);
  return tree;
}
const asText = (label: Uint8Array | undefined) =>
  label === undefined ? undefined : Buffer.from(label).toString('latin1').replace(/\0$/, '');

test('the compiled form is read where the text is not there, and only then', () => {
  const local = '/opt/x\tsystem_u:object_r:bin_t:s0\n';
  const labels = labelsOf(guest({ 'file_contexts.bin': version6(), 'file_contexts.local': local }));
  assert.equal(asText(labels('etc/passwd', 'file')), 'system_u:object_r:passwd_t:s0');
  assert.equal(asText(labels('opt/x', 'file')), 'system_u:object_r:bin_t:s0');
  assert.equal(labels('etc/rc.d/x', 'file'), undefined);
  const both = labelsOf(guest({ 'file_contexts.bin': version6(), file_contexts: local }));
  assert.equal(both('etc/passwd', 'file'), undefined);
  assert.throws(() => labelsOf(guest({ 'file_contexts.homedirs.bin': version6() })), {
    code: 'SELINUX_POLICY_MISSING',
  });
  // sefcontext_compile may have been given the name of the text
  assert.equal(
    asText(labelsOf(guest({ file_contexts: version6() }))('srv', 'directory')),
    'system_u:object_r:var_t:s0',
  );
});

test('damaged files are an error with the byte: every length, every single byte, random ones', () => {
  const whole = version6();
  const read = (bytes: Uint8Array) => {
    try {
      lookupOf(readCompiled(bytes, 'fc.bin')).label('/etc/passwd', 'file');
      return true;
    } catch (error) {
      const codes = ['CONTEXTS_COMPILED', 'CONTEXTS_INVALID', 'CONTEXTS_LIMIT'];
      assert.ok(error instanceof BuildError && codes.includes(error.code), String(error));
      return false;
    }
  };
  assert.ok(read(whole));
  for (let size = 0; size < whole.length; size += 7) assert.ok(!read(whole.subarray(0, size)), `${size} bytes`);
  const { below } = random(3);
  let rejected = 0;
  for (let i = 0; i < 3000; i++) {
    const changed = Uint8Array.from(whole);
    for (let n = below(3); n >= 0; n--) changed[below(changed.length)] = below(256);
    if (!read(changed)) rejected++;
  }
  assert.ok(rejected > 50, `${rejected} rejected`);
  // numbers of records that no file has space for
  for (const [version, little] of [
    [6, false],
    [5, true],
    [9, true],
    [2, true],
    [5, false],
  ] as const) {
    const bomb = Buffer.alloc(64, 0xff);
    new DataView(bomb.buffer, bomb.byteOffset).setUint32(0, 0xf97cff8a, little);
    new DataView(bomb.buffer, bomb.byteOffset).setUint32(4, version, little);
    assert.ok(!read(bomb));
    bomb.fill(0, 8, 20);
    assert.ok(!read(bomb));
  }
});
