import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { randomAccessMemory } from '../../src/bytes/file.ts';
import { silent } from '../../src/events/events.ts';
import { debianContext } from '../../src/families/apt/architecture.ts';
import { Installation } from '../../src/families/apt/install.ts';
import { unpackAll } from '../../src/families/apt/unpack.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { readElf } from '../../src/formats/elf/read.ts';
import { compareSonames, ldCache } from '../../src/formats/ldcache/emit.ts';
import { readLdCache } from '../../src/formats/ldcache/read.ts';
import { Closure } from '../../src/system/closure.ts';
import { elfOf } from '../../src/system/elfs.ts';
import { libraryClosure, missingLibraries, updateLoaderCache } from '../../src/system/loader.ts';
import { rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { closePool } from '../../src/workers/shared.ts';
import { data, needs, random, temporary } from '../support/data.ts';
import { debianPackages } from '../support/debian-archive.ts';
import { packageOf } from '../support/debs.ts';

after(closePool);

const context = debianContext({ architecture: 'amd64', epoch: 1_700_000_000, report: silent });

/** The packages the golden facts were taken from, by the names of their archives. */
const ARCHIVES =
  'base-files_12.4+deb12u15 libc6_2.36-9+deb12u14 zlib1g_1:1.2.13.dfsg-1 bash_5.2.15-2+b13 libtinfo6_6.4-4 dash_0.5.12-2 coreutils_9.1-1 libselinux1_3.4-1+b6 libacl1_2.3.1-3 libattr1_1:2.5.1-4 libgmp10_2:6.2.1+dfsg1-1.1 libpcre2-8-0_10.42-1 libcap2_1:2.66-4+deb12u3+b1 libcap2-bin_1:2.66-4+deb12u3+b1 iputils-ping_3:20221126-1+deb12u1 libgcrypt20_1.10.1-3+deb12u1 libgpg-error0_1.46-1 libcrypt1_1:4.4.33-2 passwd_1:4.13+dfsg1-1+deb12u2 man-db_2.11.2-2 sed_4.9-1+deb12u1'
    .split(' ')
    .map((one) => ({ name: one.split('_')[0]!, version: one.split('_')[1]! }));

interface Facts {
  readonly interp: string | null;
  readonly needed: readonly string[];
  readonly runpath: readonly string[] | string | null;
  readonly soname: string | null;
  readonly list_rc?: number;
  readonly resolved?: readonly string[];
  readonly err?: string;
}

const GOLDEN = ['elf/elf-bookworm-amd64.json.gz', 'elf/ld.so.cache.new', 'elf/ld.so.cache.compat'];

test('programs and libraries have the facts that readelf prints, and load what the loader loads', {
  skip: needs({ data: GOLDEN }),
}, async (t) => {
  const archives = await debianPackages('bookworm', ARCHIVES);
  if (typeof archives === 'string') return t.skip(archives);
  const unpacked = await unpackAll(
    ARCHIVES.map(({ name, version }) => ({
      package: packageOf(archives.get(name)!, version, name),
      archive: archives.get(name)!,
    })),
    new Cache(temporary(t)),
    silent,
  );
  const tree = new Tree();
  const installation = new Installation(tree, context);
  for (const one of unpacked) installation.add(one);
  const golden = JSON.parse(gunzipSync(readFileSync(data(GOLDEN[0]!))).toString()) as Record<string, Facts>;
  let compared = 0;
  let unresolved = 0;
  for (const [path, facts] of Object.entries(golden)) {
    const file = tree.file(path);
    assert.ok(file, path);
    const elf = elfOf(file);
    assert.ok(elf, path);
    assert.equal(elf.interpreter ?? null, facts.interp, path);
    assert.equal(elf.soname ?? null, facts.soname, path);
    assert.deepEqual(elf.needed, facts.needed, path);
    const runpath = [...elf.rpath, ...elf.runpath];
    assert.deepEqual(runpath, facts.runpath === null ? [] : [facts.runpath].flat(), path);
    assert.equal(elf.machineName, 'x86_64');
    compared++;
    if (facts.list_rc === undefined) continue;
    const closure = libraryClosure(tree, context, path);
    if (facts.list_rc === 0 && !(facts.resolved ?? []).some((line) => line.includes('not found'))) {
      const expected = facts
        .resolved!.filter((line) => line.includes(' => '))
        .map((line) => line.split(' => ') as [string, string]);
      const found = [...closure.found].filter(([soname]) => !soname.startsWith('ld-linux'));
      assert.deepEqual(
        new Map(found.sort()),
        new Map(expected.filter(([soname]) => !soname.startsWith('ld-linux')).sort()),
        path,
      );
      assert.deepEqual(closure.missing, [], path);
      const whole = new Closure(tree, { dlopen: 'none' });
      assert.ok(whole.add(path, { kind: 'asked', by: 'this test' }));
      assert.deepEqual(whole.missing, [], path);
      const files = [...whole.paths.keys()].filter((one) => tree.lstat(one)?.kind === 'file');
      const loaded = facts.resolved!.flatMap((line) => tree.realpath(/(\/\S+)$/.exec(line)?.[1] ?? '/') || []);
      assert.deepEqual(files.sort(), [...new Set([tree.realpath(path)!, ...loaded])].sort(), path);
    } else {
      const named = /loading shared libraries: (\S+):/.exec(facts.err ?? '')?.[1];
      if (named !== undefined) assert.ok(closure.missing.includes(named), `${path} misses ${named}`);
      assert.notDeepEqual(missingLibraries(tree, context, [path]), [], path);
      unresolved++;
    }
  }
  assert.ok(compared > 200 && unresolved > 5, `${compared} compared, ${unresolved} unresolved`);

  // ldconfig's own list over the same tree, which has no ldconfig to sign with
  updateLoaderCache(tree, context);
  const ours = tree.file('etc/ld.so.cache')!.content.readSync();
  const theirs = readFileSync(data('elf/ld.so.cache.new'));
  assert.deepEqual(readLdCache(ours)?.libraries, readLdCache(theirs)?.libraries);
  return undefined;
});

test('caches of both formats read back, and the new one is rewritten identically', {
  skip: needs({ data: GOLDEN }),
}, () => {
  const bytes = readFileSync(data('elf/ld.so.cache.new'));
  const cache = readLdCache(bytes)!;
  assert.ok(cache.libraries.length > 20);
  const generator = cache.generator === undefined ? {} : { generator: cache.generator };
  assert.deepEqual(Buffer.from(ldCache(cache.libraries, generator)), bytes);
  const compat = readLdCache(readFileSync(data('elf/ld.so.cache.compat')))!;
  assert.deepEqual(compat.libraries, cache.libraries);
});

test('a cache for a big-endian machine reads back correctly', () => {
  const libraries = [
    { soname: 'libz.so.1', path: '/lib/s390x-linux-gnu/libz.so.1', flags: 0x403 },
    { soname: 'libc.so.6', path: '/lib/s390x-linux-gnu/libc.so.6', flags: 0x403 },
  ];
  const bytes = ldCache(libraries, { littleEndian: false, generator: 'ldconfig (test)' });
  const cache = readLdCache(bytes)!;
  assert.equal(cache.littleEndian, false);
  assert.deepEqual(cache.libraries, libraries);
  assert.equal(cache.generator, 'ldconfig (test)');
  assert.equal(bytes[28], 3);
});

/** A minimal shared library for a 64-bit machine: a head, and an empty dynamic section. */
function library(machine: number, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + 16);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, littleEndian ? 1 : 2, 1]);
  const view = new DataView(bytes.buffer);
  view.setUint16(16, 3, littleEndian); // e_type: ET_DYN
  view.setUint16(18, machine, littleEndian);
  view.setBigUint64(32, 64n, littleEndian); // e_phoff
  view.setUint16(54, 56, littleEndian); // e_phentsize
  view.setUint16(56, 1, littleEndian); // e_phnum
  view.setUint32(64, 2, littleEndian); // p_type: PT_DYNAMIC
  view.setBigUint64(64 + 8, 120n, littleEndian); // p_offset
  view.setBigUint64(64 + 32, 16n, littleEndian); // p_filesz
  return bytes;
}

test('names that ldconfig accepts as a library: s390x and ppc64el call their loader ld64.so', () => {
  for (const [architecture, triplet, machine, little] of [
    ['s390x', 's390x-linux-gnu', 22, false],
    ['ppc64el', 'powerpc64le-linux-gnu', 21, true],
  ] as const) {
    const tree = new Tree();
    const names = [
      'libz.so.1',
      'ld64.so.1',
      'ld.so.1',
      'ld-linux.so.2',
      'ld-2.36.so',
      'ld64.so',
      'ldap.so.1',
      'xlib.so',
    ];
    for (const name of names) tree.writeFile(`usr/lib/${triplet}/${name}`, library(machine, little));
    tree.set('usr/lib/ld64.so.1', { ...rootMeta(0o777), kind: 'symlink', target: `${triplet}/ld64.so.1` });
    updateLoaderCache(tree, debianContext({ ...context, architecture }));
    const cache = readLdCache(tree.file('etc/ld.so.cache')!.content.readSync())!;
    assert.deepEqual(
      cache.libraries.map(({ path }) => path.replace('/usr/lib/', '').replace(triplet, 'T')),
      ['T/libz.so.1', 'T/ld64.so.1', 'ld64.so.1', 'T/ld.so.1', 'T/ld-2.36.so', 'T/ld-linux.so.2'],
    );
  }
});

test('names are ordered as the loader orders them', () => {
  for (const [a, b, sign] of [
    ['libc.so.6', 'libc.so.10', -1],
    ['libc.so.6', 'libc.so', 1],
    ['libfoo-2.so', 'libfoo.so', -1],
    ['liba1.so', 'liba.so', 1],
    ['libx.so.1', 'libx.so.1', 0],
    ['libx.so.01', 'libx.so.1', 0],
  ] as const) {
    assert.equal(Math.sign(compareSonames(a, b)), sign, `${a} ${b}`);
    assert.equal(Math.sign(compareSonames(b, a)), sign === 0 ? 0 : -sign, `${b} ${a}`);
  }
});

test('damaged ELF files are not recognised, and are never read beyond their end', () => {
  assert.equal(readElf(randomAccessMemory(new Uint8Array(0))), undefined);
  assert.equal(readElf(randomAccessMemory(Buffer.from('#!/bin/sh\n'.padEnd(200)))), undefined);
  const valid = readFileSync(process.execPath).subarray(0, 1 << 16);
  const { below } = random(42);
  for (let round = 0; round < 400; round++) {
    const bytes = Uint8Array.from(valid.subarray(0, 1 + below(4096)));
    for (let i = 0; i < 8; i++) bytes[below(Math.min(bytes.length, 1024))] = below(256);
    bytes.set(valid.subarray(0, Math.min(6, bytes.length)));
    readElf(randomAccessMemory(bytes));
  }
});

test('broken caches are rejected, not followed', () => {
  const bytes = ldCache([{ soname: 'libz.so.1', path: '/lib/libz.so.1', flags: 3 }], { generator: 'x' });
  assert.ok(readLdCache(bytes));
  const { below } = random(7);
  for (let round = 0; round < 500; round++) {
    const broken = bytes.slice(0, below(bytes.length + 1));
    for (let i = 0; i < 3 && broken.length > 20; i++) broken[20 + below(broken.length - 20)] = below(256);
    readLdCache(broken);
  }
});
