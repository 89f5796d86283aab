import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { isBuildError } from '../../../src/errors/error.ts';
import type { Event } from '../../../src/events/events.ts';
import { readFolder } from '../../../src/families/rpm/folder.ts';
import { rpm } from '../../../src/families/rpm/rpm.ts';
import { INT32, SIGNATURE, STRING, STRING_ARRAY, TAG } from '../../../src/formats/rpm/layout.ts';
import { orderOf } from '../../../src/pipeline/order.ts';
import { gather } from '../../../src/settings/gather.ts';
import type { SettingKey } from '../../../src/settings/table.ts';
import type { Tree } from '../../../src/tree/tree.ts';
import { osbuilder } from '../../support/cli.ts';
import { needs, temporary } from '../../support/data.ts';
import { testHost } from '../../support/host.ts';
import {
  digestRow,
  newc,
  primaryEntry,
  type RawEntry,
  type RawFile,
  type RawRpm,
  rawMetadata,
  rawRpm,
  texts,
  u32s,
} from '../../support/rpm-bytes.ts';
import { makeRpmKey, RPM_TOOLS, signRpms } from '../../support/rpms.ts';
import { type StaticServer, serve } from '../../support/server.ts';

/** Repositories whose mirror, or whose packager, wants to do harm: rejected with an error that says what is wrong, or harmless. */

const EPOCH = 1_700_000_000;
const HOME = '3.0/prod/base/x86_64';
type Files = Record<string, Uint8Array>;
type Hook = Parameters<typeof testHost>[0];

/** Builds a root of `victim` from a repository on the loopback. */
async function buildAt(
  t: Hook,
  server: StaticServer,
  folder: string,
  flags: Partial<Record<SettingKey, string[]>> = { allowUnauthenticated: ['yes'] },
): Promise<{ readonly tree: Tree; readonly events: readonly Event[] }> {
  const events: Event[] = [];
  const host = testHost(t, { cache: join(folder, 'cache'), report: (event) => void events.push(event) });
  const given: Partial<Record<SettingKey, string[]>> = {
    ...{ distro: ['cbl-mariner'], osVersion: ['3.0'], arch: ['x86_64'], packages: ['victim'] },
    ...{ repoUrl: [server.url], ...flags },
  };
  const settings = gather({ flags: new Map(Object.entries(given) as [SettingKey, string[]][]), environment: {} });
  const order = orderOf({ settings, hostArchitecture: 'x86_64' });
  rpm.validate(order, host);
  const plan = await rpm.plan(order, host);
  const archives = await rpm.fetch(plan, host);
  const unpacked = await rpm.unpack(
    plan.chosen.map(({ package: one }, i) => ({ package: one, archive: archives[i]! })),
    host,
  );
  const { tree } = await rpm.configure(rpm.inputs(plan, host), unpacked, {
    epoch: EPOCH,
    report: host.report,
  });
  return { tree, events };
}

const good: RawRpm = {
  name: 'victim',
  provides: ['/bin/sh'],
  files: [
    { folder: '/', name: 'etc', mode: 0o40755 },
    { folder: '/etc/', name: 'victim.conf', data: 'good\n' },
    { folder: '/', name: 'bin', mode: 0o40755 },
    { folder: '/bin/', name: 'sh', mode: 0o100755, data: 'shell' },
  ],
  post: ['echo done > /etc/done', '/bin/sh'],
};

const below = (files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`${HOME}/${path}`, bytes]));

/** A repository of these packages, each described as it is, unless `say` says otherwise. */
function repository(raws: readonly RawRpm[], say: RawEntry = {}): Files {
  const made = raws.map((raw) => ({ raw, bytes: rawRpm(raw) }));
  return below({
    ...rawMetadata(made.map(({ raw, bytes }) => primaryEntry(raw, bytes, say))),
    ...Object.fromEntries(
      made.map(({ raw: { name = 'victim', version = '1' }, bytes }) => [`${name}-${version}-1.noarch.rpm`, bytes]),
    ),
  });
}

const holding = (raw: Partial<RawRpm>): Files => repository([{ ...good, ...raw }]);
const withFiles = (...files: RawFile[]): Files => holding({ files });
const said = (say: RawEntry): Files => repository([good], say);
const changed = (change: (bytes: Buffer) => Buffer): Files => holding({ change });
const flipped = (at: (bytes: Buffer) => number) => (bytes: Buffer) => {
  bytes[at(bytes)]! ^= 1;
  return bytes;
};
const zeros = Buffer.alloc(64 << 20);
const bomb = () => gzipSync(zeros);
const metadata = (...change: Parameters<typeof rawMetadata>): Files => ({
  ...repository([good]),
  ...below(rawMetadata(...change)),
});
const entryOf = (raw: RawRpm = good) => primaryEntry(raw, rawRpm(raw));
/** Where the main header of a package begins, whose signature header has one digest. */
const mainAt = (bytes: Buffer) => bytes.indexOf(Buffer.from([0x8e, 0xad, 0xe8, 1]), 97);
/** The package as it is, with another number of 32 bits at a place of its main header. */
const poked = (at: number, value: number) =>
  changed((bytes) => {
    bytes.writeUInt32BE(value, mainAt(bytes) + at);
    return bytes;
  });

/** What is wrong, how it is made, the error's code and what it says. */
const HOSTILE: readonly (readonly [what: string, files: () => Files, code: string, says: RegExp])[] = [
  // digests
  [
    'a bit of the payload turned over',
    () => changed(flipped((bytes) => bytes.length - 9)),
    'RPM_DIGEST|COMPRESSED',
    /victim/,
  ],
  ['a bit of the main header turned over', () => changed(flipped((bytes) => mainAt(bytes) + 40)), 'RPM_', /victim/],
  [
    'no digest of the main header',
    () => holding({ signature: () => [{ tag: SIGNATURE.size, type: INT32, count: 1, bytes: u32s(1) }] }),
    'RPM_UNPROVEN',
    /no digest/,
  ],
  [
    'a digest of another header',
    () => holding({ signature: () => [digestRow(Buffer.alloc(1))] }),
    'RPM_DIGEST',
    /main header/,
  ],
  [
    'a digest of another payload',
    () => holding({ rows: [{ tag: TAG.payloadSha256, type: STRING_ARRAY, count: 1, bytes: texts('0'.repeat(64)) }] }),
    'RPM_DIGEST',
    /payload/,
  ],
  [
    'a file with another digest',
    () => withFiles({ folder: '/etc/', name: 'a', data: 'b', digest: '0'.repeat(64) }),
    'RPM_DIGEST',
    /etc\/a/,
  ],
  [
    'a file without a digest',
    () => withFiles({ folder: '/etc/', name: 'a', data: 'b', digest: '' }),
    'RPM_PAYLOAD',
    /no digest/,
  ],
  [
    'a digest of an unknown kind',
    () => holding({ rows: [{ tag: TAG.fileDigestAlgo, type: INT32, count: 1, bytes: u32s(99) }] }),
    'RPM_UNSUPPORTED',
    /digest 99/,
  ],
  ['another package than the list describes', () => said({ sha256: '0'.repeat(64) }), 'DIGEST_MISMATCH', /victim/],
  ['a package of another size', () => said({ size: '100' }), 'CONTENT_SIZE', /victim/],
  [
    'a package proven by MD5 alone',
    () => said({ checksumType: 'md5', sha256: '0'.repeat(32) }),
    'METADATA_DIGEST',
    /md5/,
  ],
  ['a package proven by nothing', () => said({ checksumType: 'crc', sha256: '0' }), 'METADATA_DIGEST', /crc/],
  ['a package that calls itself otherwise', () => said({ version: '2' }), 'RPM_MISMATCH', /victim/],
  // headers
  ['a package cut within its header', () => changed((bytes) => bytes.subarray(0, mainAt(bytes) + 30)), '', /victim/],
  [
    'a page of a captive portal',
    () => changed(() => Buffer.from('<html>please log in</html>'.repeat(40))),
    'RPM_CORRUPT',
    /victim/,
  ],
  ['70,000 entries', () => poked(8, 70_000), 'RPM_CORRUPT', /70000/],
  ['4 GiB of data', () => poked(12, 0xffffffff), 'RPM_CORRUPT', /4294967295/],
  ['an entry at an offset of 4 GiB', () => poked(16 + 16 + 8, 0xfffffff0), 'RPM_', /victim/],
  ['an entry of 4 billion values', () => poked(16 + 16 + 12, 0xffffffff), 'RPM_', /victim/],
  ['a region of another type', () => poked(16 + 4, 4), 'RPM_', /victim/],
  ['a region that begins elsewhere', () => poked(16 + 8, 16), 'RPM_', /victim/],
  [
    'a package of rpm 3',
    () =>
      holding({ files: [], rows: [{ tag: TAG.oldFileNames, type: STRING_ARRAY, count: 1, bytes: texts('/etc/x') }] }),
    'RPM_UNSUPPORTED',
    /OLDFILENAMES/,
  ],
  [
    'a delta package',
    () => changed(() => Buffer.concat([Buffer.from('drpm'), Buffer.alloc(600)])),
    'RPM_UNSUPPORTED',
    /delta/,
  ],
  // payloads
  ['a payload that is a bomb', () => holding({ payload: bomb() }), 'RPM_PAYLOAD', /longer than/],
  [
    'a payload with a bomb behind its end',
    () =>
      holding({
        payload: gzipSync(
          Buffer.concat([
            newc([
              ['./etc', '', 0o40755],
              ['./etc/victim.conf', 'good\n'],
            ]),
            zeros,
          ]),
        ),
      }),
    'RPM_PAYLOAD',
    /longer than/,
  ],
  [
    'a file of 4 GiB that is not there',
    () => withFiles({ folder: '/etc/', name: 'a', data: 'x', size: 0xffffffff }),
    'RPM_PAYLOAD',
    /4294967295/,
  ],
  ['bytes that are no payload', () => holding({ payload: Buffer.from('x'.repeat(500)) }), 'CPIO_CORRUPT', /victim/],
  [
    'a file that is in the payload only',
    () => holding({ files: [], payload: gzipSync(newc([['./etc/shadow', 'root::0:::::']])) }),
    'RPM_PAYLOAD',
    /not in its file list/,
  ],
  [
    'a file that is in the list only',
    () => withFiles({ folder: '/etc/', name: 'a', data: 'x', absent: true }),
    'RPM_PAYLOAD',
    /not in it/,
  ],
  [
    'a folder with content',
    () => withFiles({ folder: '/', name: 'etc', mode: 0o40755, data: 'x' }),
    'RPM_PAYLOAD',
    /directory with 1 bytes/,
  ],
  [
    'a link that leads elsewhere than the list says',
    () =>
      holding({
        files: [{ folder: '/', name: 'a', mode: 0o120777, target: 'etc' }],
        payload: gzipSync(newc([['./a', 'tmp', 0o120777]])),
      }),
    'RPM_PAYLOAD',
    /leads to/,
  ],
  // paths
  [
    'a folder `..` among dirnames',
    () => withFiles({ folder: '/../../etc/', name: 'evil', data: 'x' }),
    'PATH_ESCAPES',
    /leads out/,
  ],
  ['a relative dirname', () => withFiles({ folder: '../etc/', name: 'evil', data: 'x' }), 'PATH_ESCAPES', /leads out/],
  ['a file named `..`', () => withFiles({ folder: '/etc/', name: '..', data: 'x' }), 'PATH_', /\.\./],
  ['a slash in a file name', () => withFiles({ folder: '/', name: '../etc/x', data: 'x' }), 'RPM_CORRUPT', /file name/],
  [
    'a name of 256 bytes',
    () => withFiles({ folder: '/etc/', name: 'a'.repeat(256), data: 'x' }),
    'PATH_INVALID',
    /256/,
  ],
  [
    'a path twice',
    () => withFiles({ folder: '/etc/', name: 'a', data: 'x' }, { folder: '//etc/', name: 'a', data: 'x' }),
    'RPM_CORRUPT',
    /twice/,
  ],
  [
    'a file below a file',
    () => withFiles({ folder: '/', name: 'a', data: 'x' }, { folder: '/a/', name: 'b', data: 'x' }),
    'NOT_A_DIRECTORY',
    /a/,
  ],
  [
    'a file in the place of a folder',
    () => withFiles({ folder: '/a/', name: 'b', data: 'x' }, { folder: '/', name: 'a', data: 'x' }),
    'PATH_EXISTS',
    /a/,
  ],
  [
    'links in a circle',
    () =>
      withFiles(
        { folder: '/', name: 'a', mode: 0o120777, target: 'b' },
        { folder: '/', name: 'b', mode: 0o120777, target: 'a' },
        { folder: '/a/', name: 'c', data: 'x' },
      ),
    'PATH_LOOP',
    /a/,
  ],
  [
    'a place that leads out of the repository',
    () => said({ location: '../../../../etc/passwd' }),
    'URL_UNSUPPORTED',
    /leads out/,
  ],
  ['such a place in percent signs', () => said({ location: 'x/%2e%2e/%2e%2e/etc/passwd' }), '', /etc\/passwd/],
  ['a base on the build host', () => said({ base: 'file:///etc', location: 'passwd' }), 'URL_UNSUPPORTED', /file:/],
  ['a base without a scheme', () => said({ base: '/etc', location: 'passwd' }), 'URL_UNSUPPORTED', /\/etc/],
  // metadata
  [
    'a list that is a bomb',
    () => metadata([entryOf()], { primary: gzipSync(`<metadata>${' '.repeat(64 << 20)}</metadata>`) }),
    '',
    /primary/,
  ],
  [
    'a list that is not what repomd.xml says',
    () => ({ ...repository([good]), [`${HOME}/repodata/primary.xml.gz`]: gzipSync('<metadata/>') }),
    '',
    /primary/,
  ],
  [
    'a list in a folder above',
    () => metadata([entryOf()], { repomd: (text) => text.replace('href="', 'href="../../') }),
    'URL_UNSUPPORTED',
    /leads out/,
  ],
  [
    'a list on the build host',
    () => metadata([entryOf()], { repomd: (text) => text.replace('<location ', '<location xml:base="file:///" ') }),
    'URL_UNSUPPORTED',
    /file:/,
  ],
  [
    'a list proven by MD5',
    () =>
      metadata([entryOf()], { repomd: (text) => text.replace('<checksum type="sha256">', '<checksum type="md5">') }),
    'METADATA_DIGEST',
    /md5/,
  ],
  ['a list with an entity', () => metadata(['<!DOCTYPE x [<!ENTITY a "b">]>', entryOf()]), 'XML_', /primary/],
  ['a list nested without end', () => metadata([`${'<a>'.repeat(100_000)}`, entryOf()]), 'XML_', /primary/],
  ['a list without an end', () => metadata([`${entryOf()}<package`]), 'XML_', /primary/],
  [
    'a package without a version',
    () => metadata([entryOf().replace(/<version[^>]*>/, '')]),
    'REPOMD_INVALID|PRIMARY',
    /version/,
  ],
  ...(['name', 'ver', 'arch'] as const).map(
    (part) =>
      [
        `a line break in the ${part} of a package`,
        () =>
          metadata([
            part === 'ver'
              ? entryOf().replace(/ ver="/, ' ver="1&#10;osbuilder: done')
              : entryOf().replace(`<${part}>`, `<${part}>x&#10;osbuilder: done `),
          ]),
        'REPOMD_INVALID',
        /control character/,
      ] as const,
  ),
  [
    'a line break in what a package requires',
    () => metadata([entryOf({ ...good, requires: ['nothing-BREAK-osbuilder: done'] }).replace('-BREAK-', '&#10;')]),
    'REPOMD_INVALID',
    /a control character in its requires: nothing\\x0a/,
  ],
  ['a package of a negative size', () => said({ size: '-5' }), '', /size|-5/],
  ['a package without a size', () => said({ size: '' }), '', /declared/],
  [
    'a dependency nested without end',
    () => repository([{ ...good, requires: [`${'('.repeat(50_000)}a${')'.repeat(50_000)}`] }]),
    '',
    /victim|nested|\(/,
  ],
  [
    'repomd.xml with a thousand lists',
    () =>
      metadata([entryOf()], {
        repomd: (text) =>
          text.replace(
            '</repomd>',
            `${'<data type="x"><checksum type="sha256">0</checksum><location href="x"/></data>'.repeat(1001)}</repomd>`,
          ),
      }),
    'REPOMD_INVALID',
    /1000/,
  ],
];

test('the package that the hostile ones are made from is accepted', async (t) => {
  const { tree } = await buildAt(t, await serve(t, repository([good])), temporary(t));
  assert.equal(tree.text('etc/victim.conf'), 'good\n');
  assert.equal(tree.text('etc/done'), 'done\n');
});

test('the program rejects a hostile package in one line, and leaves nothing behind', async (t) => {
  const folder = temporary(t);
  const [out, temp] = [join(folder, 'out'), join(folder, 'tmp')];
  for (const path of [out, temp]) mkdirSync(path);
  const server = await serve(t, withFiles({ folder: '/../../etc/', name: 'evil', data: 'x' }));
  const flags = ['--distro', 'cbl-mariner', '--arch', 'x86_64', '--packages', 'victim', '--repo-url', server.url];
  const outputs = ['--rootfs', 'r.tar', '--initrd', 'i.img', '--image', 'k.img'];
  const result = await osbuilder(
    [
      'build',
      ...flags,
      '--allow-unauthenticated',
      '--cache-dir',
      join(folder, 'cache'),
      ...'--agent demo --agent-init --quiet'.split(' '),
      ...outputs,
    ],
    { cwd: out, env: { TMPDIR: temp, http_proxy: '' } },
  );
  assert.equal(result.code, 1);
  assert.match(
    result.stderr,
    /osbuilder: victim-1-1\.noarch\.rpm: the path "[./]*etc\/evil" leads out of the root \[PATH_ESCAPES\]\n$/,
  );
  assert.equal(result.stdout, '');
  for (const path of [out, temp]) assert.deepEqual(readdirSync(path), []);
});

test('a package of a folder with a line break in its name, version or dependencies is rejected', (t) => {
  for (const raw of [{ name: 'x\ny' }, { version: '1\n2' }, { requires: ['a\nb'] }, { provides: ['a\x1b[2Jb'] }]) {
    const folder = temporary(t);
    const rows = [{ tag: TAG.sourceRpm, type: STRING, count: 1, bytes: texts('victim.src.rpm') }];
    writeFileSync(join(folder, 'victim.rpm'), rawRpm({ ...good, ...raw, rows }));
    assert.throws(
      () => readFolder(folder),
      (error: Error) => isBuildError(error, 'RPM_CORRUPT') && /control character in its/.test(error.message),
    );
  }
});

describe('rejected', { concurrency: 2 }, () => {
  for (const [what, files, code, says] of HOSTILE)
    test(what, async (t) => {
      const folder = temporary(t);
      await assert.rejects(
        async () => buildAt(t, await serve(t, files()), folder),
        (error: Error) => {
          const { code: actual } = error as { code?: string };
          assert.ok(isBuildError(error, actual as 'RPM_CORRUPT'), String(error.stack));
          assert.match(actual!, new RegExp(`^(${code})`), error.message);
          assert.match(error.message, says);
          assert.ok(error.message.length < 2000, `${error.message.length} characters`);
          return true;
        },
      );
      assert.deepEqual(readdirSync(folder), ['cache']);
      const spools = join(folder, 'cache/spools');
      const left = existsSync(spools) ? readdirSync(spools, { recursive: true, encoding: 'utf8' }) : [];
      assert.deepEqual(
        left.filter((name) => name.endsWith('.part')),
        [],
      );
    });
});

describe('harmless', () => {
  const built = async (t: Hook & { after(fn: () => void): void }, files: Files) =>
    buildAt(t, await serve(t, files), temporary(t));
  const warned = (events: readonly Event[]) => events.flatMap((one) => (one.kind === 'warning' ? [one.code] : []));

  test('devices stay in the tree, with the numbers of the header', async (t) => {
    const { tree } = await built(
      t,
      withFiles(
        { folder: '/', name: 'sda', mode: 0o60660, rdev: 0x0801 },
        { folder: '/', name: 'mem', mode: 0o20666, rdev: 0x0101 },
      ),
    );
    const { kind, major, minor } = tree.lstat('sda') as { kind: string; major: number; minor: number };
    assert.deepEqual([kind, major, minor], ['block', 8, 1]);
    assert.equal(tree.lstat('mem')?.kind, 'char');
  });

  test('a link out of the root leads nowhere: what is below it is in the tree', async (t) => {
    const files: RawFile[] = [
      { folder: '/', name: 'out', mode: 0o120777, target: '../../../../etc' },
      { folder: '/', name: 'etc', mode: 0o40755 },
      { folder: '/out/', name: 'evil', data: 'x' },
    ];
    const { tree } = await built(t, withFiles(...files));
    assert.equal(tree.text('etc/evil'), 'x');
  });

  test('an owner that is nonsense: root’s, without the bits; capabilities that are nonsense are an error, as for rpm', async (t) => {
    const { tree, events } = await built(
      t,
      withFiles({ folder: '/', name: 'a', data: 'x', mode: 0o104755, user: 'x\x1b[31m' }),
    );
    assert.equal((tree.lstat('a') as { mode: number }).mode, 0o755);
    assert.ok(warned(events).includes('OWNER_UNKNOWN'));
    await assert.rejects(
      built(t, withFiles({ folder: '/', name: 'a', data: 'x', capabilities: 'cap_all_of_them=eip' })),
      { code: 'RPM_CORRUPT' },
    );
  });

  test('packages that require each other in a circle are installed', async (t) => {
    const ring = Array.from(
      { length: 200 },
      (_, i): RawRpm => ({
        name: i === 0 ? 'victim' : `ring${i}`,
        requires: [i === 199 ? 'victim' : `ring${i + 1}`, 'victim'],
        files: [{ folder: '/', name: `f${i}`, data: 'x' }],
      }),
    );
    const { tree } = await built(t, repository(ring));
    assert.equal(tree.list('').filter((name) => /^f\d/.test(name)).length, 200);
  });

  for (const [what, post] of [
    ['a loop of the shell', ['while :; do :; done', '/bin/sh']],
    ['a fork bomb', ['b() { b | b; }; b', '/bin/sh']],
    ['text without end', ['x=a; while :; do x=$x$x; done', '/bin/sh']],
    ['a loop of Lua', ['while true do end', '<lua>']],
    ['recursion of Lua', ['function f() return 1 + f() end f()', '<lua>']],
    ['text of Lua without end', ['local x = "a" while true do x = x .. x end', '<lua>']],
    ['a table of Lua without end', ['local t = {} while true do t[#t + 1] = t end', '<lua>']],
    ['patterns of Lua', ['string.rep("a", 30000):find((".-"):rep(30) .. "b")', '<lua>']],
    [
      'files of Lua without end',
      ['local f = io.open("/x", "w") while true do f:write(string.rep("a", 1000000)) end', '<lua>'],
    ],
  ] as const)
    test(`a script that does not end is stopped: ${what}`, async (t) => {
      const { tree, events } = await built(t, holding({ post }));
      assert.ok(warned(events).includes('SCRIPT_FAILED'), JSON.stringify(warned(events)));
      assert.equal(tree.text('etc/victim.conf'), 'good\n');
    });

  test('a script cannot reach the build host', async (t) => {
    const post = [
      'cat /etc/hostname /proc/self/environ > /etc/seen 2>/dev/null; ls /home /root >> /etc/seen 2>&1; echo end',
      '/bin/sh',
    ] as const;
    const { tree } = await built(t, holding({ post }));
    assert.doesNotMatch(tree.text('etc/seen') ?? '', /PATH=|root:/);
  });
});

describe('signatures', { skip: needs({ tools: RPM_TOOLS }) }, () => {
  test('by nobody, by somebody else, changed afterwards: rejected; by the key: accepted', async (t) => {
    const folder = temporary(t);
    const key = makeRpmKey(join(folder, 'key'));
    const other = makeRpmKey(join(folder, 'other'), 'Other <other@example.org>');
    const { readFileSync } = await import('node:fs');
    const signedBy = (by: typeof key): Buffer => {
      const path = join(folder, `${by === key ? 'own' : 'other'}.rpm`);
      writeFileSync(path, rawRpm(good));
      signRpms([path], by);
      return readFileSync(path);
    };
    const own = signedBy(key);
    const forged = Buffer.from(own);
    // the payload, and with it the header and its digest, of another package below the signature of this one
    const evil = rawRpm({ ...good, files: [{ folder: '/etc/', name: 'victim.conf', data: 'evil\n' }] });
    const cases: readonly (readonly [what: string, bytes: Buffer, code: string])[] = [
      ['unsigned', rawRpm(good), 'RPM_UNSIGNED'],
      ['by another key', signedBy(other), 'SIGNATURE_KEY_UNKNOWN'],
      [
        'another package behind the signature',
        Buffer.concat([own.subarray(0, mainAt(own)), evil.subarray(mainAt(evil))]),
        'RPM_DIGEST',
      ],
      [
        'a bit of the signature',
        flipped((bytes) => bytes.indexOf(Buffer.from([0x89, 0x01])) + 200)(forged),
        'SIGNATURE_BAD',
      ],
    ];
    const flags = { repomdSha256: ['0'.repeat(64)], keyring: [key.publicKey] };
    const serveOf = async (bytes: Buffer) => {
      const files: Files = {
        ...below(rawMetadata([primaryEntry(good, bytes)])),
        [`${HOME}/victim-1-1.noarch.rpm`]: bytes,
      };
      const { createHash } = await import('node:crypto');
      flags.repomdSha256 = [createHash('sha256').update(files[`${HOME}/repodata/repomd.xml`]!).digest('hex')];
      return serve(t, files);
    };
    for (const [what, bytes, code] of cases)
      await assert.rejects(
        buildAt(t, await serveOf(bytes), temporary(t), flags),
        (error) => {
          assert.equal((error as { code: string }).code, code, `${what}: ${(error as Error).message}`);
          return true;
        },
        what,
      );
    const { tree } = await buildAt(t, await serveOf(own), temporary(t), flags);
    assert.equal(tree.text('etc/victim.conf'), 'good\n');
  });
});
