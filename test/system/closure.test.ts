import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomAccessMemory } from '../../src/bytes/file.ts';
import { readDlopenNotes } from '../../src/formats/elf/notes.ts';
import { readElf } from '../../src/formats/elf/read.ts';
import { Closure, type ClosureOptions } from '../../src/system/closure.ts';
import { rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { random } from '../support/data.ts';
import { type ElfFacts, elfFile } from '../support/elves.ts';

const ASKED = { kind: 'asked', by: 'the test' } as const;

/** A tree of ELF files (facts), texts and links (strings that begin with `->`). */
function treeOf(files: Readonly<Record<string, ElfFacts | string>>): Tree {
  const tree = new Tree();
  for (const [path, what] of Object.entries(files)) {
    if (typeof what === 'string' && what.startsWith('->')) tree.symlink(path, what.slice(2));
    else tree.writeFile(path, typeof what === 'string' ? what : elfFile(what), rootMeta(0o755));
  }
  return tree;
}

function closureOf(tree: Tree, paths: readonly string[], options?: ClosureOptions): Closure {
  const closure = new Closure(tree, options);
  for (const path of paths) assert.equal(closure.add(path, ASKED), true, path);
  return closure;
}

const found = (closure: Closure) => [...closure.paths.keys()].sort();
const missing = (closure: Closure) => closure.missing.map(({ name, reason }) => `${name} < ${reason.by}`).sort();

const LOADER = '/lib64/ld-linux-x86-64.so.2';

test('a program brings its loader, its libraries and every link on the way', () => {
  const tree = treeOf({
    lib: '->usr/lib',
    lib64: '->usr/lib64',
    'usr/lib64/ld-linux-x86-64.so.2': '->/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
    'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2': {},
    'usr/lib/x86_64-linux-gnu/liba.so.1': '->liba.so.1.2',
    'usr/lib/x86_64-linux-gnu/liba.so.1.2': { soname: 'liba.so.1', needed: ['libb.so.2', 'libnone.so'] },
    'usr/lib/x86_64-linux-gnu/libb.so.2': {},
    'usr/bin/tool': { interpreter: LOADER, needed: ['liba.so.1'] },
  });
  const closure = closureOf(tree, ['/usr/bin/tool']);
  assert.deepEqual(found(closure), [
    'lib',
    'lib64',
    'usr/bin/tool',
    'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
    'usr/lib/x86_64-linux-gnu/liba.so.1',
    'usr/lib/x86_64-linux-gnu/liba.so.1.2',
    'usr/lib/x86_64-linux-gnu/libb.so.2',
    'usr/lib64/ld-linux-x86-64.so.2',
  ]);
  assert.deepEqual(missing(closure), ['libnone.so < usr/lib/x86_64-linux-gnu/liba.so.1.2']);
  assert.deepEqual(closure.paths.get('usr/lib/x86_64-linux-gnu/liba.so.1'), { kind: 'needed', by: 'usr/bin/tool' });
  assert.deepEqual(closure.paths.get('usr/lib/x86_64-linux-gnu/liba.so.1.2'), {
    kind: 'link',
    by: 'usr/lib/x86_64-linux-gnu/liba.so.1',
  });
});

/** Rules of ld.so(8), each as a tree, the program in it, and the path that it must load. */
const RULES: Readonly<Record<string, { files: Record<string, ElfFacts | string>; takes: string; not?: string }>> = {
  'RPATH goes before the default folders': {
    files: { prog: { rpath: '/opt/l', needed: ['x.so'] }, 'opt/l/x.so': {}, 'usr/lib/x.so': {} },
    takes: 'opt/l/x.so',
    not: 'usr/lib/x.so',
  },
  'RPATH is inherited by what is loaded': {
    files: { prog: { rpath: '/opt/l', needed: ['a.so'] }, 'opt/l/a.so': { needed: ['x.so'] }, 'opt/l/x.so': {} },
    takes: 'opt/l/x.so',
  },
  'RUNPATH is not': {
    files: {
      prog: { runpath: '/opt/l', needed: ['a.so'] },
      'opt/l/a.so': { needed: ['x.so'] },
      'opt/l/x.so': {},
      'usr/lib/x.so': {},
    },
    takes: 'usr/lib/x.so',
    not: 'opt/l/x.so',
  },
  'an object with RUNPATH does not look into inherited folders': {
    files: {
      prog: { rpath: '/opt/l', needed: ['a.so'] },
      'opt/l/a.so': { runpath: '/opt/m', needed: ['x.so'] },
      'opt/l/x.so': {},
      'usr/lib/x.so': {},
    },
    takes: 'usr/lib/x.so',
    not: 'opt/l/x.so',
  },
  'RPATH beside RUNPATH is ignored': {
    files: { prog: { rpath: '/opt/l', runpath: '/opt/m', needed: ['x.so'] }, 'opt/l/x.so': {}, 'opt/m/x.so': {} },
    takes: 'opt/m/x.so',
    not: 'opt/l/x.so',
  },
  '$ORIGIN is the folder of the file behind the link': {
    files: {
      prog: '->opt/app/bin/prog',
      'opt/app/bin/prog': { runpath: '$ORIGIN/../lib', needed: ['x.so'] },
      'opt/app/lib/x.so': {},
    },
    takes: 'opt/app/lib/x.so',
  },
  '${LIB} is the multiarch folder where there is one': {
    files: {
      prog: { runpath: '/opt/${LIB}', needed: ['x.so'] },
      'opt/lib/x86_64-linux-gnu/x.so': {},
      'usr/lib/x86_64-linux-gnu/c.so': {},
    },
    takes: 'opt/lib/x86_64-linux-gnu/x.so',
  },
  '$LIB is lib64 elsewhere': {
    files: { prog: { runpath: '/opt/$LIB', needed: ['x.so'] }, 'opt/lib64/x.so': {}, 'usr/lib64/c.so': {} },
    takes: 'opt/lib64/x.so',
  },
  '$PLATFORM is the processor': {
    files: { prog: { runpath: '/opt/$PLATFORM', needed: ['x.so'] }, 'opt/x86_64/x.so': {} },
    takes: 'opt/x86_64/x.so',
  },
  'a library of another word size is passed over': {
    files: { prog: { needed: ['x.so'] }, 'lib64/x.so': { bits: 32, machine: 3 }, 'usr/lib/x.so': {} },
    takes: 'usr/lib/x.so',
    not: 'lib64/x.so',
  },
  'a library of another byte order is passed over': {
    files: {
      prog: { machine: 21, needed: ['x.so'] },
      'lib64/x.so': { machine: 21, little: false },
      'usr/lib/x.so': { machine: 21 },
    },
    takes: 'usr/lib/x.so',
    not: 'lib64/x.so',
  },
  'big-endian programs of 64 bits': {
    files: {
      prog: { machine: 22, little: false, needed: ['x.so'] },
      'usr/lib/s390x-linux-gnu/x.so': { machine: 22, little: false },
    },
    takes: 'usr/lib/s390x-linux-gnu/x.so',
  },
  'big-endian programs of 32 bits': {
    files: {
      prog: { machine: 20, bits: 32, little: false, needed: ['x.so'] },
      'usr/lib/x.so': { machine: 20, bits: 32, little: false },
    },
    takes: 'usr/lib/x.so',
  },
  'ld.so.conf and what it includes go before the default folders': {
    files: {
      prog: { needed: ['x.so'] },
      'etc/ld.so.conf': 'include ld.so.conf.d/*.conf\n',
      'etc/ld.so.conf.d/a.conf': '# ours\n/opt/conf\n',
      'opt/conf/x.so': {},
      'usr/lib/x.so': {},
    },
    takes: 'opt/conf/x.so',
    not: 'usr/lib/x.so',
  },
  'a name with a slash is a path': {
    files: { prog: { needed: ['/opt/x.so'] }, 'opt/x.so': {}, 'usr/lib/x.so': {} },
    takes: 'opt/x.so',
  },
  'DF_1_NODEFLIB leaves RUNPATH': {
    files: { prog: { noDefaultFolders: true, runpath: '/opt', needed: ['x.so'] }, 'opt/x.so': {} },
    takes: 'opt/x.so',
  },
  'musl inherits RUNPATH': {
    files: {
      prog: { interpreter: '/lib/ld-musl-x86_64.so.1', runpath: '/opt', needed: ['a.so'] },
      'lib/ld-musl-x86_64.so.1': {},
      'opt/a.so': { needed: ['x.so'] },
      'opt/x.so': {},
    },
    takes: 'opt/x.so',
  },
  'musl reads its own path file': {
    files: {
      prog: { interpreter: '/lib/ld-musl-x86_64.so.1', needed: ['x.so'] },
      'lib/ld-musl-x86_64.so.1': {},
      'etc/ld-musl-x86_64.path': '/a:/b\n',
      'b/x.so': {},
      'lib/x.so': {},
    },
    takes: 'b/x.so',
    not: 'lib/x.so',
  },
  'musl’s parts of libc are its loader': {
    files: {
      prog: { interpreter: '/lib/ld-musl-x86_64.so.1', needed: ['libpthread.so.0', 'libc.musl-x86_64.so.1'] },
      'lib/ld-musl-x86_64.so.1': {},
    },
    takes: 'lib/ld-musl-x86_64.so.1',
  },
  'a script brings its interpreter': {
    files: { prog: '#! /usr/bin/sh -e\n', 'usr/bin/sh': '->dash', 'usr/bin/dash': {} },
    takes: 'usr/bin/dash',
  },
  'a script of env brings the program as well': {
    files: { prog: '#!/usr/bin/env -S A=1 python3\n', 'usr/bin/env': {}, 'usr/bin/python3': {} },
    takes: 'usr/bin/python3',
  },
  'a note names a library to load later': {
    files: {
      prog: { notes: ['[{"soname":["libq.so.2","libq.so.1"],"priority":"recommended"}]'] },
      'usr/lib/libq.so.1': { needed: ['x.so'] },
      'usr/lib/x.so': {},
    },
    takes: 'usr/lib/x.so',
  },
  'a note in a section, without a segment': {
    files: {
      prog: { noteSection: true, notes: ['[{"soname":["libq.so.1"],"priority":"required"}]'] },
      'usr/lib/libq.so.1': {},
    },
    takes: 'usr/lib/libq.so.1',
  },
  'a suggestion is not followed': {
    files: {
      prog: { notes: ['[{"soname":["libq.so.1"],"priority":"suggested"}]'], needed: ['x.so'] },
      'usr/lib/libq.so.1': {},
      'usr/lib/x.so': {},
    },
    takes: 'usr/lib/x.so',
    not: 'usr/lib/libq.so.1',
  },
};

for (const [rule, { files, takes, not }] of Object.entries(RULES))
  test(`loader: ${rule}`, () => {
    const closure = closureOf(treeOf(files), ['prog']);
    assert.deepEqual(missing(closure), []);
    assert.ok(closure.paths.has(takes), found(closure).join(' '));
    if (not !== undefined) assert.ok(!closure.paths.has(not), found(closure).join(' '));
  });

test('what is missing is named with who needs it; what is optional is marked', () => {
  const tree = treeOf({
    prog: { interpreter: LOADER, needed: ['libx.so.1'], noDefaultFolders: true },
    'usr/lib/libx.so.1': {},
    noted: { notes: ['[{"soname":["libr.so"],"priority":"required"},{"soname":["libs.so"]}]'] },
    script: '#!/bin/zsh\n',
    other: '#!/usr/bin/env perl\n',
    'usr/bin/env': {},
  });
  const closure = closureOf(tree, ['prog', 'noted', 'script', 'other']);
  assert.deepEqual(missing(closure), [
    '/bin/zsh < script',
    '/lib64/ld-linux-x86-64.so.2 < prog',
    'libr.so < noted',
    'libs.so < noted',
    'libx.so.1 < prog',
    'perl < other',
  ]);
  assert.deepEqual(
    closure.missing.filter(({ optional }) => optional).map(({ name }) => name),
    ['libs.so'],
  );
  assert.equal(new Closure(tree).add('nothing', ASKED), false);
});

test('copies for newer processors are taken when asked', () => {
  const tree = treeOf({
    prog: { needed: ['x.so'] },
    'usr/lib/x86_64-linux-gnu/x.so': {},
    'usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/x.so': {},
  });
  const copy = 'usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/x.so';
  assert.ok(!closureOf(tree, ['prog']).paths.has(copy));
  assert.equal(closureOf(tree, ['prog'], { hwcaps: true }).paths.get(copy)?.kind, 'hwcaps');
});

test('loops of links, and what is no file, are errors with a path', () => {
  const tree = treeOf({ a: '->b', b: '->a', out: '->../../../etc/passwd', 'etc/passwd': 'root' });
  tree.set('pipe', { ...rootMeta(0o600), kind: 'fifo' });
  tree.set('null', { ...rootMeta(0o600), kind: 'char', major: 1, minor: 3 });
  assert.throws(() => new Closure(tree).add('a', ASKED), { code: 'PATH_LOOP' });
  for (const path of ['pipe', 'null']) assert.throws(() => new Closure(tree).add(path, ASKED), { code: 'NOT_A_FILE' });
  // a link that climbs out of the root ends at the root, as in a chroot
  assert.deepEqual(found(closureOf(tree, ['out'])), ['etc/passwd', 'out']);
});

test('chains of notes and of needs of any length do not exhaust the stack', () => {
  const tree = new Tree();
  const count = 5000;
  for (let i = 0; i < count; i++)
    tree.writeFile(
      `usr/lib/n${i}.so`,
      elfFile({ needed: [`n${(i * 7 + 1) % count}.so`], notes: [`[{"soname":["n${(i + 1) % count}.so"]}]`] }),
    );
  assert.equal(closureOf(tree, ['usr/lib/n0.so']).paths.size, count);
});

test('tables and notes that lie end in bounded time, without an error', () => {
  const good = elfFile({
    interpreter: LOADER,
    needed: ['libx.so.1', 'liby.so.1'],
    runpath: '$ORIGIN/../lib',
    notes: ['[{"soname":["libq.so.1"]}]'],
  });
  const { below } = random(11);
  for (let round = 0; round < 4000; round++) {
    const bytes = new Uint8Array(good);
    for (let i = 0; i <= below(4); i++) bytes[below(bytes.length)] = [0, 0xff, 0x7f, 0x80, below(256)][below(5)]!;
    const tree = new Tree();
    tree.writeFile('prog', bytes);
    new Closure(tree, { dlopen: 'suggested', hwcaps: true }).add('prog', ASKED);
  }
  // one string of a megabyte that every entry names
  const names = Array.from({ length: 4000 }, () => 'x'.repeat(100_000));
  assert.equal(readElf(randomAccessMemory(elfFile({ needed: names }))), undefined);
  for (const text of ['[', '{}', '[1,null,{"soname":"x"},{"soname":[1]},{"soname":[]}]', '"'.repeat(1000)])
    assert.deepEqual(readDlopenNotes(randomAccessMemory(elfFile({ notes: [text] }))), []);
});

test('a file that is taken as data brings the links on the way and nothing that it names', () => {
  const tree = treeOf({ lib: '->usr/lib', 'usr/lib/data': '#!/usr/bin/tool\n', 'usr/bin/tool': 'a program' });
  const closure = new Closure(tree);
  assert.equal(closure.addData('/lib/data', ASKED), true);
  assert.deepEqual(found(closure), ['lib', 'usr/lib/data']);
  assert.equal(closure.addData('/lib/none', ASKED), false);
});
