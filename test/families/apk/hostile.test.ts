import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { isBuildError } from '../../../src/errors/error.ts';
import { openRepositories } from '../../../src/families/apk/repository.ts';
import { resolve } from '../../../src/families/apk/resolve.ts';
import { task } from '../../../src/families/apk/unpack-task.ts';
import { Cache } from '../../../src/fetch/cache.ts';
import { Mirror } from '../../../src/fetch/mirror.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { closePool } from '../../../src/workers/shared.ts';
import { makeRoot } from '../../support/apk-root.ts';
import {
  type ApkKey,
  apk,
  apkIndex,
  apkRepository,
  cut,
  type MadeApk,
  makeApkKey,
  type SmallApk,
  signature,
  testKey,
} from '../../support/apks.ts';
import { osbuilder } from '../../support/cli.ts';
import { temporary } from '../../support/data.ts';
import { type TarMember, tar } from '../../support/debs.ts';
import { type StaticServer, serve } from '../../support/server.ts';
import { dump } from '../../support/trees.ts';

type Files = Record<string, Uint8Array>;

/** Builds a root of `victim` from a repository on the loopback. */
async function buildAt(
  t: Parameters<typeof serve>[0],
  server: StaticServer,
  folder: string,
  unauthenticated = false,
): Promise<Tree> {
  const cache = new Cache(join(folder, 'cache'));
  const mirror = new Mirror({ cache, sleep: async () => {} });
  t.after(() => mirror.close());
  t.after(closePool);
  const source = { mirrors: [`${server.url}/r`], keyring: { name: 'test keys', keys: [testKey()] }, unauthenticated };
  const repositories = await openRepositories([source], 'x86_64', mirror);
  const chosen = resolve(['victim'], repositories, 'x86_64', () => {});
  return (await makeRoot(chosen, { architecture: 'x86_64', epoch: 1_700_000_000, mirror, cache })).tree;
}

const good: SmallApk = {
  name: 'victim',
  files: [{ name: 'etc/' }, { name: 'etc/victim.conf', data: 'good\n' }],
  scripts: { 'post-install': '#!/bin/sh\necho done > /etc/done\n' },
};
const PACKAGE = 'r/x86_64/victim-1-r0.apk';
const INDEX = 'r/x86_64/APKINDEX.tar.gz';

/** A repository whose index describes `made`, and which serves `bytes` for it. */
function repository(made: MadeApk, bytes: Uint8Array = made.bytes, stanza = made.stanza): Files {
  return { [INDEX]: apkIndex([stanza]), [PACKAGE]: bytes };
}

/** A package whose index entry is correct: only its content is hostile. */
const holding = (small: Partial<SmallApk>): Files => repository(apk({ ...good, ...small }));
const withFiles = (...files: TarMember[]): Files => holding({ files });

/** The mirror serves something other than the index describes, of the size in the index. */
function swapped(swap: (made: MadeApk) => Uint8Array): Files {
  const made = apk(good);
  const bytes = swap(made);
  return repository(made, bytes, made.stanza.replace(/^S:.*$/m, `S:${bytes.length}`));
}

/** A correct package, and an index that differs from it. */
function misdescribed(change: (stanza: string) => string): Files {
  const made = apk(good);
  return repository(made, made.bytes, change(made.stanza));
}

const withIndex = (index: Uint8Array): Files => ({ [INDEX]: index, [PACKAGE]: apk(good).bytes });

function flipped(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

function withChecksum(sha1: string, member: TarMember): Buffer {
  const text = ` APK-TOOLS.checksum.SHA1=${sha1}\n`;
  return gzipSync(tar([{ name: 'PaxHeaders', type: 'x', data: `${text.length + 2}${text}` }, member]));
}

const evil = () => apk({ ...good, files: [{ name: 'etc/victim.conf', data: 'evil\n' }] });
const { stanza } = apk(good);
/** A key that is not trusted, once under its own name and once under the trusted key's. */
const other = makeApkKey('other@example.org-00000000.rsa.pub');
const sameName: ApkKey = { ...other, name: testKey().name };
/** Alpine removed this one years ago. */
const removed: ApkKey = { ...other, name: 'alpine-devel@lists.alpinelinux.org-4d07755e.rsa.pub' };
const zeros = gzipSync(Buffer.alloc(64 << 20));

/** What is wrong, how it is made, and the error. */
const HOSTILE: readonly (readonly [what: string, files: () => Files, code: string, says: RegExp])[] = [
  // checksums
  [
    'another data segment',
    () => swapped(({ bytes, data }) => Buffer.concat([bytes.subarray(0, -data.length), evil().data])),
    'DIGEST_MISMATCH',
    /victim-1-r0\.apk/,
  ],
  [
    'a bit of the data turned over',
    () => swapped(({ bytes }) => flipped(bytes, bytes.length - 20)),
    'DIGEST_MISMATCH',
    /victim-1-r0\.apk/,
  ],
  ['another package', () => swapped(() => evil().bytes), 'DIGEST_MISMATCH', /victim-1-r0\.apk/],
  [
    'a byte more than the index knows',
    () => repository(apk(good), Buffer.concat([apk(good).bytes, Buffer.alloc(1)])),
    'CONTENT_SIZE',
    /victim-1-r0\.apk/,
  ],
  ['no datahash', () => holding({ dataHash: '' }), 'APK_FORMAT', /does not prove its data \(no datahash\)/],
  ['a datahash of other data', () => holding({ dataHash: '0'.repeat(64) }), 'DIGEST_MISMATCH', /0{64}/],
  [
    'a file that is not what its checksum says',
    () => holding({ data: withChecksum('0'.repeat(40), { name: 'etc/a', data: 'b' }) }),
    'APK_CHECKSUM',
    /\/etc\/a is not what its checksum says/,
  ],
  [
    'a link that is not what its checksum says',
    () => holding({ data: withChecksum('0'.repeat(40), { name: 'etc/a', type: '2', link: 'b' }) }),
    'APK_CHECKSUM',
    /\/etc\/a is not what its checksum says/,
  ],
  [
    'an identity that is none',
    () => misdescribed((text) => text.replace(/^C:.*$/m, 'C:Q1nonsense')),
    'APK_FORMAT',
    /"Q1nonsense" is not a checksum/,
  ],
  [
    'no identity at all',
    () => misdescribed((text) => text.replace(/^C:.*\n/m, '')),
    'APK_FORMAT',
    /"" is not a checksum/,
  ],
  // segments
  [
    'a segment before the control segment',
    () => swapped(({ bytes }) => Buffer.concat([gzipSync(cut([{ name: '.PKGINFO', data: 'x' }])), bytes])),
    'DIGEST_MISMATCH',
    /victim/,
  ],
  [
    'a second signature segment',
    () => swapped(({ bytes, control }) => Buffer.concat([signature(control, testKey()), bytes])),
    'DIGEST_MISMATCH',
    /victim/,
  ],
  [
    'a segment behind the data',
    () => swapped(({ bytes }) => Buffer.concat([bytes, gzipSync(tar([{ name: 'etc/evil', data: 'x' }]))])),
    'DIGEST_MISMATCH',
    /victim/,
  ],
  [
    'files of the payload in the control segment',
    () => holding({ control: [{ name: 'etc/shadow', data: 'root::0:::::' }] }),
    'APK_FORMAT',
    /"etc\/shadow" in the control segment/,
  ],
  [
    'two .PKGINFO',
    () => holding({ control: [{ name: '.PKGINFO', data: 'pkgname = evil' }] }),
    'APK_FORMAT',
    /2 \.PKGINFO/,
  ],
  ['bytes that are no gzip', () => swapped(() => Buffer.from('no package')), 'DIGEST_MISMATCH', /victim/],
  [
    'data that is no gzip',
    () => holding({ data: Buffer.from('no gzip') }),
    'COMPRESSED_CORRUPT',
    /no gzip member begins here/,
  ],
  ['data that is no tar', () => holding({ data: gzipSync(Buffer.alloc(700, 'x')) }), 'TAR_CORRUPT', /victim/],
  [
    'data that ends too soon',
    () => holding({ data: gzipSync(tar(good.files!)).subarray(0, -30) }),
    'COMPRESSED_TRUNCATED',
    /in the middle of a member/,
  ],
  [
    'a package of apk 3',
    () => swapped(() => Buffer.concat([Buffer.from('ADBd'), Buffer.alloc(100)])),
    'APK_V3',
    /victim-1-r0\.apk: a package of apk 3/,
  ],
  [
    'a package that calls itself otherwise',
    () => ({
      ...misdescribed((text) => text.replace('V:1-r0', 'V:2-r0')),
      'r/x86_64/victim-2-r0.apk': apk(good).bytes,
    }),
    'APK_MISMATCH',
    /it says that it is victim 1-r0, not victim 2-r0/,
  ],
  [
    'data that is a bomb',
    () => holding({ data: Buffer.concat(Array.from({ length: 6 }, () => zeros)) }),
    'APK_FORMAT',
    /its data is longer than \d+ bytes, where it speaks of 4096/,
  ],
  [
    'a file that is a bomb',
    () =>
      holding({
        data: Buffer.concat([
          gzipSync(tar([{ name: 'etc/zero', size: 5 * (64 << 20) }]).subarray(0, 512)),
          ...Array.from({ length: 5 }, () => zeros),
        ]),
      }),
    'APK_FORMAT',
    /its data is longer than \d+ bytes, where it speaks of 4096/,
  ],
  [
    'an index that is a bomb',
    () => withIndex(Buffer.concat([signature(zeros, testKey()), Buffer.concat([zeros, zeros, zeros, zeros, zeros])])),
    'APK_SIGNATURE_BAD',
    /APKINDEX\.tar\.gz/,
  ],
  // paths
  ['a path out of the root', () => withFiles({ name: '../../etc/evil', data: 'x' }), 'PATH_ESCAPES', /leads out/],
  ['a path out of the root by folders', () => withFiles({ name: 'etc/../../x' }), 'PATH_ESCAPES', /leads out/],
  ['a folder out of the root', () => withFiles({ name: 'etc/../../x/' }), 'PATH_ESCAPES', /leads out/],
  [
    'a hard link out of the root',
    () => withFiles({ name: 'etc/a', type: '1', link: '../../etc/shadow' }),
    'PATH_ESCAPES',
    /leads out/,
  ],
  [
    'a hard link to what is not in the package',
    () => withFiles({ name: 'etc/a', type: '1', link: 'etc/shadow' }),
    'HARD_LINK_MISSING',
    /"\/etc\/a" is a hard link to "etc\/shadow"/,
  ],
  [
    'a file in the place of a folder',
    () => withFiles({ name: 'dev', data: 'x' }),
    'PATH_EXISTS',
    /\/dev exists already/,
  ],
  ['a name that is too long', () => withFiles({ name: `etc/${'a'.repeat(256)}` }), 'PATH_INVALID', /256 bytes/],
  [
    'a name in the index that leads out of the repository',
    () => repository(apk({ name: '../../evil', fields: { provides: 'victim=9' } })),
    'URL_UNSUPPORTED',
    /leads out of it/,
  ],
  // signatures
  ['an unsigned index', () => withIndex(apkIndex([stanza], 'nobody')), 'APK_UNSIGNED', /carries no signature/],
  [
    'an index signed by another key',
    () => withIndex(apkIndex([stanza], other)),
    'APK_SIGNATURE_UNKNOWN',
    /signed by other@example\.org-00000000\.rsa\.pub, none of which is among the test keys/,
  ],
  [
    'an index signed by another key under a trusted name',
    () => withIndex(apkIndex([stanza], sameName)),
    'APK_SIGNATURE_BAD',
    /the signature by test@example\.org-5f5f5f5f\.rsa\.pub is wrong/,
  ],
  [
    'an index signed by a key that Alpine withdrew',
    () => withIndex(apkIndex([stanza], removed)),
    'APK_SIGNATURE_UNKNOWN',
    /4d07755e/,
  ],
  [
    'an index changed after it was signed',
    () => {
      const index = apkIndex([stanza]);
      // the date in the header of its last gzip member: it still decompresses, whatever made it
      return withIndex(flipped(index, index.length - apkIndex([stanza], 'nobody').length + 4));
    },
    'APK_SIGNATURE_BAD',
    /is wrong/,
  ],
  [
    'an index with something unsigned behind it',
    () => withIndex(Buffer.concat([apkIndex([stanza]), gzipSync(tar([{ name: 'APKINDEX', data: stanza }]))])),
    'APK_SIGNATURE_BAD',
    /is wrong/,
  ],
  [
    'an index with a package list among its signatures',
    () => {
      const content = apkIndex([stanza], 'nobody');
      const list = { name: 'APKINDEX', data: stanza };
      return withIndex(Buffer.concat([gzipSync(cut([{ name: `.SIGN.RSA.${other.name}`, data: 'x' }, list])), content]));
    },
    'APK_FORMAT',
    /"APKINDEX" among signatures/,
  ],
  ['an index cut short', () => withIndex(apkIndex([stanza]).subarray(0, -40)), 'APK_FORMAT', /ends within/],
  ['an empty index', () => withIndex(Buffer.alloc(0)), 'APK_FORMAT', /it is empty/],
  [
    'an index of apk 3',
    () => withIndex(Buffer.concat([Buffer.from('ADB.'), Buffer.alloc(60)])),
    'APK_V3',
    /a repository index of apk 3/,
  ],
  [
    'an index with a line that is none',
    () => withIndex(apkIndex([`${stanza}what is this\n`])),
    'APK_FORMAT',
    /line \d+ is not understood: what is this/,
  ],
];

test('the package that the hostile ones are made from is accepted', async (t) => {
  const tree = await buildAt(t, await serve(t, repository(apk(good))), temporary(t));
  assert.equal(tree.text('etc/victim.conf'), 'good\n');
  assert.equal(tree.text('etc/done'), 'done\n');
});

test('identities by SHA-256 are accepted and checked like those by SHA-1', async (t) => {
  const made = apk(good);
  const by = (bytes: Uint8Array) => `C:Q2${createHash('sha256').update(bytes).digest('base64')}`;
  const folder = temporary(t);
  const server = await serve(t, repository(made, made.bytes, made.stanza.replace(/^C:.*$/m, by(made.control))));
  const tree = await buildAt(t, server, folder);
  assert.equal(tree.text('etc/victim.conf'), 'good\n');
  server.files.set(`/${INDEX}`, apkIndex([made.stanza.replace(/^C:.*$/m, by(evil().control))]));
  await assert.rejects(buildAt(t, server, temporary(t)), { code: 'DIGEST_MISMATCH' });
});

test('the program rejects a hostile package in one line, and leaves nothing behind', async (t) => {
  const folder = temporary(t);
  const [out, temp] = [join(folder, 'out'), join(folder, 'tmp')];
  for (const path of [out, temp]) mkdirSync(path);
  const keyring = join(folder, testKey().name);
  writeFileSync(keyring, testKey().pem);
  const escaping = apk({ ...good, files: [{ name: '../../etc/evil', data: 'x' }] });
  const server = await serve(t, apkRepository('r/main/x86_64', [escaping]));
  const result = await osbuilder(
    [
      ...[
        'build',
        '--distro',
        'alpine',
        '--arch',
        'x86_64',
        '--packages',
        'victim',
        '--repo-url',
        `${server.url}/r/main`,
      ],
      ...['--keyring', keyring, '--cache-dir', join(folder, 'cache'), '--agent', 'demo', '--agent-init', '--quiet'],
      ...['--rootfs', 'r.tar', '--initrd', 'i.img', '--image', 'k.img'],
    ],
    { cwd: out, env: { TMPDIR: temp } },
  );
  assert.equal(result.code, 1);
  assert.match(
    result.stderr,
    /^osbuilder: victim-1-r0\.apk: the path "\.\.\/\.\.\/etc\/evil" leads out of the root \[PATH_ESCAPES\]\n$/,
  );
  assert.equal(result.stdout, '');
  for (const path of [out, temp]) assert.deepEqual(readdirSync(path), []);
});

for (const [what, files, code, says] of HOSTILE)
  test(`rejected: ${what}`, async (t) => {
    const folder = temporary(t);
    await assert.rejects(
      async () => buildAt(t, await serve(t, files()), folder),
      (error: Error) => {
        assert.ok(isBuildError(error, code as 'APK_FORMAT'), `${(error as { code?: string }).code}: ${error.message}`);
        assert.match(error.message, says);
        return true;
      },
    );
    assert.deepEqual(readdirSync(folder), ['cache']);
    // neither a spool of a rejected package nor a part of one
    const spools = join(folder, 'cache/spools');
    const left = existsSync(spools) ? readdirSync(spools, { recursive: true, encoding: 'utf8' }) : [];
    if (code !== 'APK_MISMATCH' && code !== 'PATH_EXISTS' && code !== 'HARD_LINK_MISSING')
      assert.deepEqual(
        left.filter((name) => name.includes('apk')),
        [],
      );
  });

test('a package truncated anywhere is rejected', async (t) => {
  const made = apk(good);
  const server = await serve(t, repository(made));
  const folder = temporary(t);
  for (let length = 1; length < made.bytes.length; length += 37) {
    server.files.set(`/${PACKAGE}`, made.bytes.subarray(0, length));
    server.files.set(`/${INDEX}`, apkIndex([made.stanza.replace(/^S:.*$/m, `S:${length}`)]));
    await assert.rejects(buildAt(t, server, folder), { code: 'DIGEST_MISMATCH' }, `${length} bytes`);
  }
});

test('links that lead out of the root lead to places in it', async (t) => {
  const folder = temporary(t);
  const outside = join(folder, 'outside');
  const files = [
    { name: 'etc/' },
    { name: 'etc/out', type: '2', link: outside },
    { name: 'etc/up', type: '2', link: '../../../../../..' },
    { name: 'etc/up/top', data: 'top' },
    { name: `${outside.slice(1)}/` },
    { name: 'etc/out/file', data: 'inside' },
  ];
  const tree = await buildAt(t, await serve(t, repository(apk({ ...good, files }))), folder);
  assert.equal(tree.text('top'), 'top');
  assert.equal(tree.text(`${outside.slice(1)}/file`), 'inside');
  assert.equal(existsSync(outside), false);
});

test('an endless script is stopped with a warning, and changes nothing outside', async (t) => {
  const folder = temporary(t);
  const script = `#!/bin/sh\necho x > ${join(folder, 'outside')}\nwhile :; do :; done\n`;
  const tree = await buildAt(
    t,
    await serve(t, repository(apk({ ...good, scripts: { 'post-install': script } }))),
    folder,
  );
  assert.equal(tree.text('etc/victim.conf'), 'good\n');
  assert.equal(existsSync(join(folder, 'outside')), false);
});

test('a repository without a valid signature is used when asked for, and its packages are still verified', async (t) => {
  const folder = temporary(t);
  const made = apk(good);
  const server = await serve(t, { ...repository(made), [INDEX]: apkIndex([made.stanza], other) });
  assert.equal((await buildAt(t, server, folder, true)).text('etc/victim.conf'), 'good\n');
  server.files.set(`/${PACKAGE}`, flipped(made.bytes, made.bytes.length - 20));
  await assert.rejects(buildAt(t, server, temporary(t), true), { code: 'DIGEST_MISMATCH' });
});

test('a damaged cache is noticed before anything of it is used, and fetched again', async (t) => {
  const folder = temporary(t);
  const made = apk(good);
  const server = await serve(t, repository(made));
  const whole = dump(await buildAt(t, server, folder));
  const archives = join(folder, 'cache/archives');
  const [kept] = readdirSync(archives, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('-apk'));
  const { data, control } = made;
  const inControl = made.bytes.length - data.length - control.length + 20;
  for (const at of [inControl, made.bytes.length - 20]) {
    // the next build is another process: no thread has the file open
    await closePool();
    rmSync(join(folder, 'cache/spools'), { recursive: true });
    writeFileSync(join(archives, kept!), flipped(made.bytes, at));
    const before = server.requests.filter(({ path }) => path.endsWith('.apk')).length;
    assert.deepEqual(dump(await buildAt(t, server, folder)), whole);
    assert.equal(server.requests.filter(({ path }) => path.endsWith('.apk')).length, before + 1);
  }
});

test('data that changes between fetching and unpacking is noticed', async (t) => {
  const folder = temporary(t);
  const made = apk(good);
  const archive = join(folder, 'victim.apk');
  writeFileSync(archive, flipped(made.bytes, made.bytes.length - 20));
  const identity = /^C:(.*)$/m.exec(made.stanza)![1]!;
  const input = {
    archive,
    name: 'victim-1-r0.apk',
    identity,
    cache: join(folder, 'cache'),
    key: 'victim',
    limit: 1 << 20,
  };
  await assert.rejects(task(input), { code: 'APK_DATA_MISMATCH' });
});
