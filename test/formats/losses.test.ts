import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, memory } from '../../src/bytes/content.ts';
import { randomAccessMemory } from '../../src/bytes/file.ts';
import { slicesOfMemory } from '../../src/bytes/spool.ts';
import type { WarningCode } from '../../src/errors/warnings.ts';
import type { Event } from '../../src/events/events.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
import { readCpio } from '../../src/formats/cpio/read.ts';
import { ext4Image } from '../../src/formats/ext4/emit.ts';
import { openExt4 } from '../../src/formats/ext4/read.ts';
import { textAcl } from '../../src/formats/tar/acl.ts';
import { tarArchive } from '../../src/formats/tar/emit.ts';
import { readTar } from '../../src/formats/tar/read.ts';
import { file, rootMeta } from '../../src/tree/inode.ts';
import { treeOf } from '../../src/tree/overlay.ts';
import { Tree } from '../../src/tree/tree.ts';
import { needs, temporary, tool } from '../support/data.ts';

/** What a source contains and a Linux file system or an output cannot store: kept, or left out with a warning. */

interface Seen {
  readonly code: WarningCode;
  readonly message: string;
}

function listener(): { seen: Seen[]; report: (event: Event) => void } {
  const seen: Seen[] = [];
  return { seen, report: (event) => void (event.kind === 'warning' && seen.push(event)) };
}

async function read(bytes: Uint8Array, source = 'x.tar'): Promise<{ tree: Tree; seen: Seen[] }> {
  const { seen, report } = listener();
  const entries = readTar(memory(bytes).open(), source, slicesOfMemory(bytes), { report });
  return { tree: await treeOf(entries, { source, report }), seen };
}

/** A ustar archive of one file with these pax records. */
function withRecords(records: Record<string, string | Buffer>): Buffer {
  const header = (name: string, type: string, size: number) => {
    const block = Buffer.alloc(512);
    block.write(name);
    block.write('0000640\0', 100);
    block.write('0000017\0', 108);
    block.write('0000021\0', 116);
    block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    block.write('00000000000\0', 136);
    block.write('        ', 148);
    block.write(type, 156);
    block.write('ustar\x0000', 257, 'latin1');
    block.write('mallory', 265);
    block.write('staff', 297);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return block;
  };
  const parts = Object.entries(records).map(([keyword, value]) => {
    const rest = Buffer.concat([Buffer.from(` ${keyword}=`), Buffer.from(value as string), Buffer.from('\n')]);
    let length = rest.length;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    return Buffer.concat([Buffer.from(String(length)), rest]);
  });
  const pax = Buffer.concat(parts);
  const padding = Buffer.alloc((512 - (pax.length % 512)) % 512);
  return Buffer.concat([header('pax', 'x', pax.length), pax, padding, header('opt/f', '0', 0), Buffer.alloc(1024)]);
}

/** Entries of a binary list as `tag:permissions:id`. */
function shown(value: Uint8Array | undefined): string[] | undefined {
  if (value === undefined) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  assert.equal(view.getUint32(0, true), 2);
  const entries: string[] = [];
  for (let at = 4; at < value.length; at += 8)
    entries.push(`${view.getUint16(at, true)}:${view.getUint16(at + 2, true)}:${view.getInt32(at + 4, true)}`);
  return entries;
}

const LIST = ['1:6:-1', '2:6:1', '4:4:-1', '16:6:-1', '32:0:-1'];

for (const [name, text] of [
  ['libarchive', 'user::rw-,group::r--,other::---,user:daemon:rw-:1,mask::rw-'],
  ['star with numbers', 'user::rw-,user:1:rw-,group::r--,mask::rw-,other::---'],
  ['lines', 'user::rw-\nuser:daemon:rw-:1\ngroup::r--\nmask::rw-\nother::---\n'],
  ['short', 'u::rw-,u:daemon:rw-:1,g::r--,m::rw-,o::---'],
  ['Solaris', 'user::rw-,user:daemon:rw-:1,group::r--,mask:rw-,other:---'],
  ['default in front', 'default:user::rw-,d:user:daemon:rw-:1,d:group::r--,d:mask::rw-,d:other::---'],
  ['effective rights', 'user::rw-,user:daemon:rw-:1 #effective:rw-,group::r--,mask::rw-,other::---'],
] as const)
  test(`ACL in a tar, spelling of ${name}`, async () => {
    for (const [keyword, attribute] of [
      ['SCHILY.acl.access', 'system.posix_acl_access'],
      ['SCHILY.acl.default', 'system.posix_acl_default'],
    ] as const) {
      const { tree, seen } = await read(withRecords({ [keyword]: text }));
      assert.deepEqual(shown(tree.stat('opt/f')?.xattrs?.get(attribute)), LIST);
      assert.deepEqual(seen, []);
    }
  });

test('ACL in a tar: three entries are equivalent to the mode', async () => {
  const { tree, seen } = await read(withRecords({ 'SCHILY.acl.access': 'user::rw-,group::r--,other::---' }));
  assert.equal(tree.stat('opt/f')?.xattrs, undefined);
  assert.deepEqual(seen, []);
});

test('ACL in a tar: names are resolved by the entry itself, others are reported', async () => {
  const text = 'user::rw-,user:mallory:r--,user:root:r--,user:bob:---,group::r--,group:staff:r--,mask::r--,other::---';
  const { tree, seen } = await read(withRecords({ 'SCHILY.acl.access': text }));
  assert.deepEqual(shown(tree.stat('opt/f')?.xattrs?.get('system.posix_acl_access')), [
    ...['1:6:-1', '2:4:0', '2:4:15', '4:4:-1', '8:4:17', '16:4:-1', '32:0:-1'],
  ]);
  assert.deepEqual(
    seen.map(({ code }) => code),
    ['ACL_NAME_UNKNOWN'],
  );
  assert.match(seen[0]!.message, /^x\.tar: \/opt\/f: .*user bob/);
});

test('ACLs that cannot be used are left out with a warning that names file and source', async () => {
  for (const records of [
    { 'SCHILY.acl.access': 'user::rw-,nonsense,group::r--,other::---' },
    { 'SCHILY.acl.access': 'user::rwz,group::r--,other::---' },
    { 'SCHILY.acl.access': 'user::rw-,group::r--' },
    { 'SCHILY.acl.default': 'user::rw-,user:1:rw-,group::r--,other::---' },
    { 'SCHILY.acl.default': 'user::rw-,user::rw-,group::r--,other::---' },
    { 'SCHILY.acl.ace': 'owner@:rwxp--aARWcCos:------:allow' },
    { 'SCHILY.xattr.system.posix_acl_access': 'not a list' },
    { 'LIBARCHIVE.xattr.system.posix_acl_access': 'AgAAAAEA' },
  ] as Record<string, string>[]) {
    const { tree, seen } = await read(withRecords(records));
    assert.equal(tree.stat('opt/f')?.xattrs, undefined);
    assert.deepEqual(
      seen.map(({ code }) => code),
      ['ACL_LEFT_OUT'],
      JSON.stringify(records),
    );
    assert.match(seen[0]!.message, /^x\.tar: \/opt\/f: /);
  }
  assert.equal(typeof textAcl('user', () => undefined), 'string');
});

test('a binary ACL has precedence over its text', async () => {
  const binary = Buffer.from(
    '0200000001000600ffffffff020004000700000004000400ffffffff10000400ffffffff20000000ffffffff',
    'hex',
  );
  const text = 'user::rw-,user:nobody-knows:rw-,group::r--,mask::rw-,other::---';
  for (const [keyword, value] of [
    ['SCHILY.xattr.system.posix_acl_access', binary],
    ['LIBARCHIVE.xattr.system.posix%5facl_access', binary.toString('base64').replace(/=+$/, '')],
  ] as const) {
    const { tree, seen } = await read(withRecords({ 'SCHILY.acl.access': text, [keyword]: value }));
    const found = tree.stat('opt/f')?.xattrs?.get('system.posix_acl_access');
    assert.ok(Buffer.from(found!).equals(binary), keyword);
    assert.deepEqual(seen, []);
  }
});

test('attributes: Linux namespaces are kept, those of other systems and unknown records are reported once', async () => {
  const { tree, seen } = await read(
    withRecords({
      'SCHILY.xattr.com.apple.provenance': 'x',
      'LIBARCHIVE.xattr.com.apple.provenance': 'AQIAFA',
      'SCHILY.xattr.user.a': '1',
      'SCHILY.xattr.trusted.b': '2',
      'SCHILY.xattr.userland': '3',
      'RHT.security.selinux': 'system_u:object_r:bin_t:s0',
      'SCHILY.fflags': 'nodump',
    }),
  );
  assert.deepEqual([...tree.stat('opt/f')!.xattrs!.keys()], ['user.a', 'trusted.b', 'security.selinux']);
  assert.deepEqual(
    seen.map(({ code }) => code),
    ['PAX_RECORD_IGNORED', 'ATTRIBUTE_LEFT_OUT', 'ATTRIBUTE_LEFT_OUT'],
  );
  assert.match(seen[1]!.message, /x\.tar: \/opt\/f: .*com\.apple\.provenance/);
});

const TOOLS = needs({ tools: ['setfacl', 'getfattr', 'tar', 'bsdtar'], root: true });
test('ACLs that tar and bsdtar write are those of the kernel', { skip: TOOLS }, async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'd'));
  writeFileSync(join(folder, 'd/f'), '');
  const set = spawnSync(tool('setfacl')!, ['-m', 'u:1:rw,g:2:r,u:4242:rwx,m::rwx', join(folder, 'd/f')]);
  if (set.status !== 0) {
    t.skip('the file system has no access control lists');
    return;
  }
  assert.equal(spawnSync(tool('setfacl')!, ['-d', '-m', 'u:1:rwx', join(folder, 'd')]).status, 0);
  const kernel = (path: string, name: string) => {
    const args = ['--absolute-names', '-n', name, '-e', 'hex', '--only-values', join(folder, path)];
    return spawnSync(tool('getfattr')!, args).stdout;
  };
  for (const args of [
    ['tar', '--acls', '--xattrs', '--format=pax'],
    ['bsdtar', '--format', 'pax', '--acls'],
    ['bsdtar', '--format', 'pax', '--acls', '--xattrs'],
  ]) {
    const path = join(folder, 'x.tar');
    assert.equal(spawnSync(tool(args[0]!)!, [...args.slice(1), '-cf', path, '-C', folder, 'd']).status, 0);
    const { tree, seen } = await read(new Uint8Array(readFileSync(path)));
    assert.deepEqual(seen, [], args.join(' '));
    for (const [name, attribute] of [
      ['d/f', 'system.posix_acl_access'],
      ['d', 'system.posix_acl_default'],
    ] as const) {
      const found = tree.lstat(name)?.xattrs?.get(attribute);
      assert.ok(found !== undefined && kernel(name, attribute).equals(found), `${args.join(' ')}: ${name}`);
    }
  }
});

const TIMES = [-(2 ** 40), -(2 ** 31) - 1, -1, 0, 2 ** 31, 2 ** 32, 2 ** 34 - 2 ** 31, 2 ** 40];

function timed(mtime: number): Tree {
  const tree = new Tree();
  tree.set('f', file(memory('x'), rootMeta(0o644, mtime)));
  return tree;
}

test('times: tar stores them all, cpio and ext4 store the nearest and report it', async () => {
  for (const mtime of TIMES) {
    const tar = await read(await collect(tarArchive(timed(mtime)).open()));
    assert.equal(tar.tree.lstat('f')?.mtime, mtime);
    assert.deepEqual(tar.seen, []);

    const cpio = listener();
    const archive = await collect(cpioArchive(timed(mtime), { report: cpio.report }).open());
    const tree = await treeOf(readCpio(memory(archive).open(), 'c', slicesOfMemory(archive)), { source: 'c' });
    check('cpio', tree, cpio.seen, mtime, 0, 2 ** 32 - 1);

    for (const [inodeSize, last] of [
      [128, 2 ** 31 - 1],
      [256, 2 ** 34 - 2 ** 31 - 1],
    ] as const) {
      const ext4 = listener();
      const image = await collect(ext4Image(timed(mtime), { inodeSize, report: ext4.report }).open());
      const found = openExt4(randomAccessMemory(image)).tree();
      check(`ext4 with inodes of ${inodeSize}`, found, ext4.seen, mtime, -(2 ** 31), last);
    }
  }

  function check(what: string, tree: Tree, seen: Seen[], mtime: number, first: number, last: number): void {
    const stored = Math.min(Math.max(mtime, first), last);
    assert.equal(tree.lstat('f')?.mtime, stored, `${what}: ${mtime}`);
    const codes = seen.map(({ code }) => code);
    assert.deepEqual(codes, stored === mtime ? [] : ['TIME_CLAMPED'], `${what}: ${mtime}`);
  }
});

test('ext4: attributes of other systems are left out with a warning, or an error without a listener', async () => {
  const tree = timed(0);
  tree.lstat('f')!.xattrs = new Map([
    ['com.apple.quarantine', new Uint8Array(3)],
    ['user.kept', new Uint8Array(2)],
  ]);
  assert.throws(() => ext4Image(tree), { code: 'EXT4_XATTR_NAME' });
  const { seen, report } = listener();
  const image = await collect(ext4Image(tree, { report }).open());
  const found = openExt4(randomAccessMemory(image)).tree().lstat('f');
  assert.deepEqual([...found!.xattrs!.keys()], ['user.kept']);
  assert.match(seen.map(({ message }) => message).join(), /\/f: .*com\.apple\.quarantine/);
});

test('cpio: zeros between entries and a missing trailer are accepted as the kernel does, and reported', async () => {
  const tree = new Tree();
  for (const name of ['a', 'b', 'c']) tree.writeFile(name, `${name}\n`);
  const archive = cpioArchive(tree);
  const bytes = await collect(archive.open());
  const trailer = archive.entries.at(-1)!;
  const gap = archive.entries[2]!;
  const padded = (size: number) =>
    Buffer.concat([bytes.subarray(0, gap), new Uint8Array(size), bytes.subarray(gap, trailer)]);
  for (const [input, codes] of [
    [bytes, []],
    [bytes.subarray(0, trailer), ['ARCHIVE_UNTERMINATED']],
    [Buffer.concat([bytes.subarray(0, trailer), new Uint8Array(512)]), ['ARCHIVE_UNTERMINATED']],
    [padded(512), ['ARCHIVE_PADDED', 'ARCHIVE_UNTERMINATED']],
    [padded(4), ['ARCHIVE_PADDED', 'ARCHIVE_UNTERMINATED']],
  ] as [Uint8Array, WarningCode[]][]) {
    const { seen, report } = listener();
    const entries = readCpio(memory(input).open(), 'initrd', slicesOfMemory(input), { report });
    const found = await treeOf(entries, { source: 'initrd' });
    assert.deepEqual(found.list(''), ['a', 'b', 'c']);
    assert.deepEqual(
      seen.map(({ code }) => code),
      codes,
    );
  }
  const odd = padded(2);
  const entries = readCpio(memory(odd).open(), 'initrd', slicesOfMemory(odd));
  await assert.rejects(treeOf(entries, { source: 'initrd' }), { code: 'CPIO_CORRUPT' });
});
