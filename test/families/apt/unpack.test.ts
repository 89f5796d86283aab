import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { sha256 } from '../../../src/bytes/digest.ts';
import { isBuildError } from '../../../src/errors/error.ts';
import type { Event } from '../../../src/events/events.ts';
import { silent } from '../../../src/events/events.ts';
import { controlFields } from '../../../src/families/apt/archive.ts';
import { type UnpackedDeb, unpackAll } from '../../../src/families/apt/unpack.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import type { Entry } from '../../../src/tree/entry.ts';
import type { Inode } from '../../../src/tree/inode.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { data, needs, temporary } from '../../support/data.ts';
import { ar, deb, packageOf, tar } from '../../support/debs.ts';

after(closePool);

interface Golden {
  readonly control: string;
  readonly list: readonly string[];
  readonly fsys_tar_sha256: string;
  readonly fsys_tar_bytes: number;
}

const GOLDEN = 'deb/golden-dpkg-deb.json.gz';

function modeText(inode: Inode): string {
  const bits = 'rwxrwxrwx';
  let text = { file: '-', directory: 'd', symlink: 'l', char: 'c', block: 'b', fifo: 'p', socket: 's' }[inode.kind];
  for (let i = 0; i < 9; i++) text += inode.mode & (1 << (8 - i)) ? bits[i] : '-';
  const special = (at: number, bit: number, on: string, off: string) => {
    if (inode.mode & bit) text = text.slice(0, at) + (text[at] === 'x' ? on : off) + text.slice(at + 1);
  };
  special(3, 0o4000, 's', 'S');
  special(6, 0o2000, 's', 'S');
  special(9, 0o1000, 't', 'T');
  return text;
}

/** A line of `dpkg-deb -c`, runs of blanks replaced by one. */
function listing(entry: Entry, earlier: ReadonlyMap<string, Inode>): string {
  const inode = 'link' in entry ? earlier.get(entry.link)! : entry.inode;
  const size = inode.kind === 'file' && !('link' in entry) ? inode.content.size : 0;
  const time = new Date(inode.mtime * 1000).toISOString().slice(0, 16).replace('T', ' ');
  const mode = 'link' in entry ? `h${modeText(inode).slice(1)}` : modeText(inode);
  const suffix = 'link' in entry ? ` link to ${entry.link}` : inode.kind === 'symlink' ? ` -> ${inode.target}` : '';
  const owner = `${inode.user ?? inode.uid}/${inode.group ?? inode.gid}`;
  return `${mode} ${owner} ${size} ${time} ${entry.path}${suffix}`;
}

function linesOf(deb: UnpackedDeb): string[] {
  const earlier = new Map<string, Inode>();
  return deb.entries.map((entry) => {
    const line = listing(entry, earlier);
    if ('inode' in entry) earlier.set(entry.path, entry.inode);
    return line;
  });
}

test('packages of every compressor and age read as dpkg-deb reads them', {
  skip: needs({ data: [GOLDEN] }),
}, async (t) => {
  const golden = JSON.parse(gunzipSync(readFileSync(data(GOLDEN))).toString()) as Record<string, Golden>;
  const folders = ['deb/real/bookworm-amd64', 'deb/compressors', 'deb/odd', 'deb/diffoscope'];
  const files = folders.flatMap((folder) =>
    readdirSync(data(folder))
      .filter((name) => name.endsWith('.deb'))
      .map((name) => `${folder}/${name}`),
  );
  const cache = new Cache(temporary(t));
  const unpacked = await unpackAll(
    files.map((file) => {
      const fields = controlFields((golden[file] ?? golden[basename(file)])!.control);
      return {
        package: packageOf(data(file), fields.get('Version'), fields.get('Package')),
        archive: data(file),
      };
    }),
    cache,
    silent,
  );
  let compared = 0;
  for (const [i, file] of files.entries()) {
    const expected = golden[file] ?? golden[basename(file)];
    assert.ok(expected, `no golden for ${file}`);
    const one = unpacked[i]!;
    const control = Buffer.from(one.control.get('control')!.content.readSync()).toString();
    assert.deepEqual([...controlFields(control)], [...controlFields(expected.control)], file);
    assert.equal(one.payload, expected.fsys_tar_sha256, file);
    const squeeze = (line: string) => line.replace(/\s+/g, ' ').trim();
    assert.deepEqual(linesOf(one).map(squeeze), expected.list.map(squeeze), file);
    for (const entry of one.entries)
      if ('inode' in entry && entry.inode.kind === 'file')
        assert.equal(sha256(entry.inode.content.readSync()), entry.inode.content.sha256, entry.path);
    compared++;
  }
  assert.ok(compared >= 20, `${compared} packages were compared`);
});

/** Writes an archive and unpacks it. */
async function unpackBytes(
  t: { after(fn: () => void): void },
  bytes: Uint8Array,
  name = 'small',
  cache = new Cache(temporary(t)),
) {
  const file = join(temporary(t), 'it.deb');
  writeFileSync(file, bytes);
  return unpackAll([{ package: packageOf(file, '1', name), archive: file }], cache, silent);
}

/** A package made of a hand-written payload and control archive. */
function around(
  data: Uint8Array,
  more: { readonly name?: string; readonly data?: string; readonly control?: Uint8Array } = {},
) {
  return ar([
    { name: 'debian-binary', data: Buffer.from('2.0\n') },
    { name: more.name ?? 'control.tar', data: more.control ?? tar([{ name: './control', data: CONTROL }]) },
    { name: more.data ?? 'data.tar', data },
  ]);
}

const CONTROL = 'Package: small\nVersion: 1\nArchitecture: amd64\n';
const FILE = { name: './usr/file', data: 'hello' };

test('every form of package that dpkg accepts is accepted', async (t) => {
  const payload = tar([{ name: './' }, FILE]);
  const control = tar([{ name: './' }, { name: './control', data: CONTROL }]);
  const shapes: Record<string, Uint8Array> = {
    plain: around(payload),
    'members that begin with _ anywhere': ar([
      { name: 'debian-binary', data: Buffer.from('2.1\nmore\n') },
      { name: '_gpgorigin', data: Buffer.from('x') },
      { name: 'control.tar.gz', data: gzipSync(control) },
      { name: '_other', data: Buffer.from('yy') },
      { name: 'data.tar.gz', data: gzipSync(payload) },
    ]),
    'whatever follows data.tar': ar([
      { name: 'debian-binary', data: Buffer.from('2.0\n') },
      { name: 'control.tar', data: control },
      { name: 'data.tar', data: payload },
      { name: 'control.tar', data: Buffer.from('never looked at') },
    ]),
    'the old format': Buffer.concat([
      Buffer.from(`0.939000\n${gzipSync(control).length}\n`),
      gzipSync(control),
      gzipSync(payload),
    ]),
    'the old format with its folder': Buffer.concat([
      Buffer.from(`0.93\n${gzipSync(tar([{ name: 'DEBIAN/control', data: CONTROL }])).length}\n`),
      gzipSync(tar([{ name: 'DEBIAN/control', data: CONTROL }])),
      gzipSync(payload),
    ]),
  };
  for (const [name, bytes] of Object.entries(shapes)) {
    const [one] = await unpackBytes(t, bytes);
    assert.equal(one!.payload, sha256(payload), name);
    const file = one!.entries[1]!;
    assert.ok('inode' in file && file.inode.kind === 'file', name);
    assert.equal(Buffer.from(file.inode.content.readSync()).toString(), 'hello', name);
    assert.equal(Buffer.from(one!.control.get('control')!.content.readSync()).toString(), CONTROL, name);
  }
});

test('hostile and corrupt packages are errors with a code, and nothing is left behind', async (t) => {
  const payload = tar([FILE]);
  const control = tar([{ name: './control', data: CONTROL }]);
  const version = { name: 'debian-binary', data: Buffer.from('2.0\n') };
  const escaping = (name: string) => around(tar([{ name, data: 'x' }]));
  const cases: readonly (readonly [string, string, Uint8Array])[] = [
    ['a path that climbs', 'PATH_ESCAPES', escaping('./../../etc/passwd')],
    ['a path that climbs from within', 'PATH_ESCAPES', escaping('./usr/../../x')],
    ['a hard link to the outside', 'PATH_ESCAPES', around(tar([{ name: './x', type: '1', link: '../../etc/shadow' }]))],
    ['a name too long for the kernel', 'PATH_INVALID', escaping(`./${'n'.repeat(300)}`)],
    ['a file cut off', 'TRUNCATED', around(payload.subarray(0, 514))],
    ['a file of eight gigabytes that is not there', 'TRUNCATED', around(tar([{ ...FILE, size: 8 ** 11 - 1 }]))],
    ['a member cut off', 'TRUNCATED', around(payload).subarray(0, -700)],
    [
      'a member longer than the archive',
      'TRUNCATED',
      ar([version, { name: 'control.tar', data: control, size: 999999999 }]),
    ],
    [
      'two control members',
      'DEB_INVALID',
      ar([version, { name: 'control.tar', data: control }, { name: 'control.tar.gz', data: gzipSync(control) }]),
    ],
    [
      'data before control',
      'DEB_INVALID',
      ar([version, { name: 'data.tar', data: payload }, { name: 'control.tar', data: control }]),
    ],
    [
      'a member nobody knows',
      'DEB_INVALID',
      ar([version, { name: 'evil.sh', data: Buffer.from('x') }, { name: 'control.tar', data: control }]),
    ],
    ['no version member', 'DEB_INVALID', ar([{ name: 'control.tar', data: control }])],
    ['a version to come', 'DEB_INVALID', ar([{ name: 'debian-binary', data: Buffer.from('3.0\n') }])],
    ['no data', 'DEB_INVALID', ar([version, { name: 'control.tar', data: control }])],
    ['nothing at all', 'DEB_INVALID', ar([])],
    ['a compressor dpkg has not', 'DEB_COMPRESSION', around(payload, { data: 'data.tar.lz4' })],
    ['a control compressor that dpkg rejects', 'DEB_COMPRESSION', around(payload, { name: 'control.tar.bz2' })],
    [
      'a control file that is a link',
      'DEB_CONTROL',
      around(payload, { control: tar([{ name: './control', type: '2', link: '/etc/passwd' }]) }),
    ],
    ['no control file', 'DEB_CONTROL', around(payload, { control: tar([{ name: './postinst', data: '' }]) })],
    ['an endless head of the old format', 'DEB_INVALID', Buffer.from(`0.93${'9'.repeat(200)}`)],
    [
      'another package than was promised',
      'DEB_MISMATCH',
      around(payload, { control: tar([{ name: './control', data: CONTROL.replace('small', 'other') }]) }),
    ],
    ['no archive', 'AR_CORRUPT', Buffer.from('this is no package at all')],
  ];
  for (const [name, code, bytes] of cases) {
    const cache = new Cache(temporary(t));
    await assert.rejects(
      unpackBytes(t, bytes, 'small', cache),
      (error) => isBuildError(error, code as never) || assert.fail(`${name}: ${String(error)}`),
    );
    assert.deepEqual(
      cache.info().filter((category) => category.files > 0),
      [],
      `${name} left something`,
    );
  }
  // the wrong decompressor: its own error, with any code
  for (const member of ['data.tar.gz', 'data.tar.xz', 'data.tar.zst', 'data.tar.bz2'])
    await assert.rejects(
      unpackBytes(t, around(payload, { data: member })),
      (error) => error instanceof Error && 'code' in error,
      member,
    );
});

test('device nodes, fifos, sockets and unusual names are kept in the tree, never created on the build host', async (t) => {
  const odd = './odd \x01\xff name';
  const [one] = await unpackBytes(
    t,
    around(
      tar([
        { name: './dev/null', type: '3', device: [1, 3], mode: 0o666 },
        { name: './dev/sda', type: '4', device: [8, 0] },
        { name: './run/pipe', type: '6' },
        { name: './abs', type: '2', link: '/etc/passwd' },
        { name: './setuid', data: 'x', mode: 0o6755, user: 'man', group: 'adm', uid: 6, gid: 4 },
        { name: odd, data: '' },
      ]),
    ),
  );
  const inodes = one!.entries.map((entry) => ('inode' in entry ? entry.inode : assert.fail()));
  assert.deepEqual(
    inodes.map((inode) => inode.kind),
    ['char', 'block', 'fifo', 'symlink', 'file', 'file'],
  );
  assert.deepEqual([inodes[0]!.mode, (inodes[0] as { minor: number }).minor], [0o666, 3]);
  assert.deepEqual([inodes[4]!.mode, inodes[4]!.user, inodes[4]!.uid, inodes[4]!.group], [0o6755, 'man', 6, 'adm']);
  assert.equal(one!.entries[5]!.path, odd);
});

test('a warm run only reads the spool; one that is truncated, modified or of another version is rebuilt', async (t) => {
  const cache = new Cache(temporary(t));
  const file = join(temporary(t), 'it.deb');
  writeFileSync(file, deb({ name: 'small', files: [{ name: './' }, FILE] }));
  const archive = { package: packageOf(file, '1', 'small'), archive: file };
  const events: Event[] = [];
  const run = () => unpackAll([archive, archive], cache, (event) => events.push(event));
  const [first, twin] = await run();
  assert.equal(first!.payload, twin!.payload);
  assert.deepEqual(events.at(-1), { kind: 'ended', phase: 'unpack', bytes: 2 * archive.package.size });
  const spool = cache.path('spools', archive.package.sha256);
  const bytes = readFileSync(spool);
  const before = statSync(spool, { bigint: true });
  await run();
  assert.equal(statSync(spool, { bigint: true }).mtimeNs, before.mtimeNs, 'nothing was written again');
  const damage: readonly (() => void)[] = [
    () => truncateSync(spool, bytes.length - 1),
    () => truncateSync(spool, 10),
    () => truncateSync(spool, 0),
    () => writeFileSync(spool, Buffer.concat([bytes, Buffer.from('x')])),
    () => writeFileSync(spool, Buffer.concat([bytes.subarray(0, -24), Buffer.from([99]), bytes.subarray(-23)])),
    () => writeFileSync(spool, Buffer.concat([bytes.subarray(0, -60), Buffer.from('#'), bytes.subarray(-59)])),
  ];
  for (const [i, harm] of damage.entries()) {
    harm();
    const [again] = await run();
    assert.deepEqual(readFileSync(spool), bytes, `damage ${i}`);
    const entry = again!.entries[1]!;
    assert.ok('inode' in entry && entry.inode.kind === 'file');
    assert.equal(Buffer.from(entry.inode.content.readSync()).toString(), 'hello');
  }
  assert.ok(existsSync(file));
});
