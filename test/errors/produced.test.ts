import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse as parseYaml } from 'yaml';
import { collect, type FileContent, memory } from '../../src/bytes/content.ts';
import { randomAccessMemory } from '../../src/bytes/file.ts';
import { writeFailed } from '../../src/bytes/reason.ts';
import { BuildError } from '../../src/errors/error.ts';
import type { WarningCode } from '../../src/errors/warnings.ts';
import { type Report, silent } from '../../src/events/events.ts';
import { parseIndex } from '../../src/families/apk/index-file.ts';
import type { ApkRepository } from '../../src/families/apk/repository.ts';
import { parseWorld, resolve } from '../../src/families/apk/resolve.ts';
import { debianContext } from '../../src/families/apt/architecture.ts';
import { readDeb } from '../../src/families/apt/archive.ts';
import { BASE_RULES } from '../../src/families/apt/configure/base-rules.ts';
import type { Step } from '../../src/families/apt/configure/rules.ts';
import { Installation } from '../../src/families/rpm/install.ts';
import { readRepoFile } from '../../src/families/rpm/repo-file.ts';
import { fetchMetadata, openAndRead } from '../../src/families/rpm/repository.ts';
import { checkLimit } from '../../src/families/rpm/solver/limits.ts';
import { SOURCE_DEFAULTS } from '../../src/families/rpm/source.ts';
import type { UnpackedRpm } from '../../src/families/rpm/unpack.ts';
import { Cache } from '../../src/fetch/cache.ts';
import { verifyClearsigned } from '../../src/fetch/openpgp.ts';
import type { Package } from '../../src/fetch/package.ts';
import { unpackAll } from '../../src/fetch/unpacking.ts';
import { gptDisk } from '../../src/formats/disk/gpt.ts';
import { erofsImage } from '../../src/formats/erofs/emit.ts';
import { SUPERBLOCK_OFFSET as EROFS_SUPERBLOCK } from '../../src/formats/erofs/layout.ts';
import { Volume } from '../../src/formats/erofs/volume.ts';
import { ext4Image } from '../../src/formats/ext4/emit.ts';
import { readPackage } from '../../src/formats/rpm/package.ts';
import { proveHeader } from '../../src/formats/rpm/proof.ts';
import { checkModules } from '../../src/rootfs/check.ts';
import { Budget } from '../../src/shell/limits.ts';
import { parse } from '../../src/shell/parser.ts';
import { Alternatives } from '../../src/system/alternatives.ts';
import { updateCertificates } from '../../src/system/certificates.ts';
import type { ConfigureContext } from '../../src/system/context.ts';
import { rcDefaults } from '../../src/system/init-links.ts';
import { updateLoaderCache } from '../../src/system/loader.ts';
import { pamAuthUpdate } from '../../src/system/pam.ts';
import { sysusersLines } from '../../src/system/sysusers.ts';
import { systemdTmpfiles } from '../../src/system/tmpfiles.ts';
import { linksOf } from '../../src/system/units.ts';
import { readManifest } from '../../src/tree/directory-manifest.ts';
import { type Directory, directory, file, type Inode, symlink } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary } from '../support/data.ts';
import { ar, tar } from '../support/debs.ts';
import { FAMILIES_UNDER_TEST } from '../support/family-repository.ts';
import { testHost } from '../support/host.ts';
import { installed, smallSystem } from '../support/postinst.ts';
import { clearsign, MADE, makeKey } from '../support/repository.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { serve } from '../support/server.ts';

/** Codes that no other test names: for each the shortest way to it, and a part of the message. */

type Errors = Readonly<Record<string, readonly [message: RegExp, produce: (t: TestContext) => unknown]>>;

function ext4Of(name: string, inode: Inode): unknown {
  const tree = new Tree();
  tree.root.children.set(name, inode);
  return ext4Image(tree);
}

const owned = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
/** A content with a size that is only planned. */
const planned = (size: number): FileContent => ({
  size,
  open: () => memory('not read').open(),
  readSync: () => {
    throw new RangeError('not read');
  },
});

function twice(): Tree {
  const tree = new Tree();
  const shared: Directory = directory();
  tree.root.children.set('a', shared).set('b', shared);
  return tree;
}

/** An EROFS file system with files of these sizes. */
function erofsOf(sizes: readonly number[]): unknown {
  const tree = new Tree();
  for (const [i, size] of sizes.entries()) tree.root.children.set(`huge${i}`, file(planned(size)));
  return erofsImage(tree);
}

const ERRORS: Errors = {
  EXT4_NAME: [/\/a.b/, () => ext4Of('a/b', file(memory('')))],
  EXT4_DIRECTORY_TWICE: [/\/b/, () => ext4Image(twice())],
  EXT4_SYMLINK: [/\/link/, () => ext4Of('link', symlink('x'.repeat(4097)))],
  EXT4_DEVICE: [/4096/, () => ext4Of('node', { ...owned, kind: 'char', major: 4096, minor: 0 })],
  EXT4_OWNER: [/\/x/, () => ext4Of('x', { ...file(memory('')), uid: 2 ** 32 })],
  EXT4_FILE_SIZE: [/\/huge/, () => ext4Of('huge', file(planned(2 ** 44)))],
  EXT4_XATTR_SIZE: [
    // the least that is too much: what is needed is more than what there is
    /\/x: .* 4100 bytes, .* 4096$/,
    () => ext4Of('x', { ...file(memory('')), xattrs: new Map([['user.x', new Uint8Array(4041)]]) }),
  ],
  EXT4_ACL: [
    /\/x/,
    () => ext4Of('x', { ...file(memory('')), xattrs: new Map([['system.posix_acl_access', new Uint8Array(5)]]) }),
  ],
  DISK_TOO_SMALL: [/4096/, () => gptDisk([], { diskGuid: new Uint8Array(16), size: 4096 })],
  MANIFEST_INVALID: [/line 1/, () => readManifest(Buffer.from('{}\n'), 'rootfs.manifest.jsonl')],
  EROFS_FILE_SIZE: [/huge/, () => erofsOf([2 ** 45])],
  EROFS_TOO_LARGE: [/blocks/, () => erofsOf([2 ** 43, 2 ** 43, 2 ** 43])],
  EROFS_CHECKSUM: [
    /checksum/i,
    async () => {
      const bytes = await collect((await erofsImage(new Tree())).open());
      bytes[EROFS_SUPERBLOCK + 64]! ^= 1; // its name
      return new Volume(randomAccessMemory(bytes));
    },
  ],
  EROFS_UNSUPPORTED: [
    /0x40000000/,
    async () => {
      const bytes = await collect((await erofsImage(new Tree())).open());
      bytes[EROFS_SUPERBLOCK + 83]! |= 0x40; // feature_incompat, its highest byte
      return new Volume(randomAccessMemory(bytes));
    },
  ],
  RPM_CONFLICT: [
    /usr\/x/,
    () => {
      const of = (name: string, digest: string) =>
        ({
          package: { name, version: '1-1', architecture: 'noarch' },
          table: { files: [{ path: 'usr/x', kind: 'file', flags: 0, colour: 0, size: 1, digest }] },
        }) as unknown as UnpackedRpm;
      new Installation(new Tree(), 0, silent).prepare([of('a', '01'), of('b', '02')]);
    },
  ],
  REPO_INVALID: [
    /neither \[NAME\] nor KEY=VALUE/,
    (t) => readRepoFile('[x]\nnonsense\n', 'x.repo', {} as Parameters<typeof readRepoFile>[2], {}, testHost(t)),
  ],
  APK_WORLD: [/a b/, () => parseWorld(['a b'])],
  APK_REPOSITORIES: [/64/, () => resolve([], new Array<ApkRepository>(64), 'x86_64', silent)],
  RESOLVER_LIMIT: [/rules/, () => checkLimit(11, 'rules', 10)],
  RPM_UNSUPPORTED: [
    /format 9/,
    () =>
      readPackage(() => {
        const lead = Buffer.alloc(96);
        lead.writeUInt32BE(0xedabeedb);
        lead[4] = 9;
        return lead;
      }, 'x.rpm'),
  ],
  RPM_UNPROVEN: [
    /no digest/,
    () => {
      const header = { string: () => undefined, bytes: new Uint8Array(), path: 'x.rpm' };
      proveHeader({ signature: header, main: header, format: 4 } as unknown as Parameters<typeof proveHeader>[0]);
    },
  ],
  METADATA_DIGEST: [
    /md4/,
    (t) =>
      fetchMetadata(
        { location: 'x', digest: { algorithm: 'md4', hex: '0'.repeat(32) } } as Parameters<typeof fetchMetadata>[0],
        { bases: ['http://127.0.0.1:1'], proof: { kind: 'none' } },
        'repomd.xml',
        testHost(t).mirror,
      ),
  ],
  SIGNATURE_EXPIRED: [
    /expired/,
    async () => {
      const key = await makeKey();
      const text = await clearsign('x\n', [key], { expiresIn: 3600 });
      const ring = { name: 'test keys', keys: [key.publicKey] };
      await verifyClearsigned(Buffer.from(text), ring, { path: 'InRelease', at: MADE + 7200 });
    },
  ],
  SIGNATURE_KEY_UNFIT: [
    /critical/i,
    async () => {
      const key = await makeKey();
      const text = await clearsign('x\n', [key], { critical: true });
      const ring = { name: 'test keys', keys: [key.publicKey] };
      await verifyClearsigned(Buffer.from(text), ring, { path: 'InRelease', at: MADE + 1 });
    },
  ],
  DEB_TOO_LARGE: [
    /format version/,
    (t) => {
      const path = join(temporary(t), 'x.deb');
      writeFileSync(path, ar([{ name: 'debian-binary', data: Buffer.alloc(5000, 0x30) }]));
      return readDeb(path, 'x.deb', {} as Parameters<typeof readDeb>[2]);
    },
  ],
  SCRIPT_SYNTAX: [/x:1/, () => parse({ name: 'x', text: 'if true' }, new Budget('x'))],
  SPOOL_INVALID: [
    /spools/,
    (t) => {
      const self = { name: 'x', size: 1 } as Package;
      const nothing = async () => {};
      return unpackAll(
        [{ package: self, archive: '/nowhere' }],
        {
          key: () => 'key',
          module: new URL('file:///nowhere'),
          load: async () => ({ task: nothing }),
          input: () => undefined,
          opened: () => undefined,
        },
        new Cache(temporary(t)),
        silent,
      );
    },
  ],
};

for (const [code, [message, produce]] of Object.entries(ERRORS))
  test(`error ${code}`, async (t) => {
    await assert.rejects(
      async () => produce(t),
      (error) => {
        assert.ok(error instanceof BuildError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      },
    );
  });

/** What a program run reports. */
const RUNS: Readonly<Record<string, readonly [exit: number, args: (folder: string) => readonly string[]]>> = {
  NOT_A_FILE: [1, (folder) => ['inspect', join(folder, 'rootfs.tar'), '--cat', '/etc']],
  UNVERIFIED: [1, (folder) => ['verify', join(folder, 'none'), join(folder, 'rootfs.tar'), join(folder, 'none-too')]],
  UNSOUND: [1, (folder) => ['verify', join(folder, 'cut.tar')]],
};

for (const [code, [exit, args]] of Object.entries(RUNS))
  test(`error ${code}`, async (t) => {
    const folder = temporary(t);
    const bytes = tar([{ name: './' }, { name: './etc/' }, { name: './etc/a', data: 'x'.repeat(3000) }]);
    writeFileSync(join(folder, 'rootfs.tar'), bytes);
    writeFileSync(join(folder, 'cut.tar'), bytes.subarray(0, 2500));
    const result = await osbuilder(args(folder));
    assert.equal(result.code, exit, result.stderr);
    assert.match(result.stderr, new RegExp(`\\[${code}\\]`));
  });

type System = (tree: Tree, context: ConfigureContext) => void;
type Warnings = Readonly<
  Partial<Record<WarningCode, readonly [files: Readonly<Record<string, string>>, produce: System]>>
>;
const admin = 'var/lib/dpkg/alternatives';
const alternative = { link: '/usr/bin/x', name: 'x', path: '/usr/bin/real', priority: 1 };

const SYSTEM: Warnings = {
  ALTERNATIVE_BLOCKED: [
    { 'usr/bin/real': 'x', 'usr/bin/x': 'a file' },
    (tree, context) => new Alternatives(tree, context, admin).install(alternative),
  ],
  ALTERNATIVE_MISSING: [{}, (tree, context) => new Alternatives(tree, context, admin).install(alternative)],
  CERTIFICATE_MISSING: [{ 'etc/ca-certificates.conf': 'none.crt\n' }, updateCertificates],
  CERTIFICATE_SKIPPED: [{ 'etc/ssl/certs/bad.pem': 'no certificate\n' }, updateCertificates],
  LOADER_CACHE: [{}, (tree, context) => updateLoaderCache(tree, { ...context, machine: 'vax' })],
  LOADER_HWCAPS: [
    { 'etc/ld.so.conf': '/usr/local/lib\n', 'usr/local/lib/glibc-hwcaps/x86-64-v3/libx.so.1': 'x' },
    updateLoaderCache,
  ],
  IDS_EXHAUSTED: [
    {
      'etc/passwd': Array.from({ length: 1000 }, (_, id) => `u${id}:x:${id}:${id}::/:/bin/sh\n`).join(''),
      'etc/group': Array.from({ length: 1000 }, (_, id) => `u${id}:x:${id}:\n`).join(''),
    },
    (tree, context) => sysusersLines(tree, context, 'g new -'),
  ],
  PAM_LOCAL: [
    { 'etc/pam.d/common-auth': 'mine\n', 'usr/share/pam/common-auth': '# end of pam-auth-update config\n' },
    pamAuthUpdate,
  ],
  RC_HEADER: [{ 'etc/init.d/x': '#!/bin/sh\n' }, (tree, context) => rcDefaults(tree, context, 'x')],
  TMPFILES_ACL: [
    { 'usr/lib/tmpfiles.d/x.conf': 'a /etc - - - - nonsense\n' },
    (tree, context) => systemdTmpfiles(tree, context, ['x.conf']),
  ],
  TMPFILES_TYPE: [
    { 'usr/lib/tmpfiles.d/x.conf': 'Y /etc/x - - - -\n' },
    (tree, context) => systemdTmpfiles(tree, context, ['x.conf']),
  ],
  UNIT_MISSING: [
    { 'usr/lib/systemd/system/a.service': '[Install]\nAlso=none.service\n' },
    (tree, context) => void linksOf(tree, context, 'a.service', 'system'),
  ],
};

function collector(): { readonly report: Report; readonly codes: string[] } {
  const codes: string[] = [];
  return { codes, report: (event) => void (event.kind === 'warning' && codes.push(event.code)) };
}

for (const [code, [files, produce]] of Object.entries(SYSTEM))
  test(`warning ${code}`, () => {
    const { codes, report } = collector();
    produce(smallSystem(files), debianContext({ architecture: 'amd64', epoch: 1_700_000_000, report }));
    assert.ok(codes.includes(code), codes.join(' '));
  });

test('warning APK_RELATION', () => {
  const { codes, report } = collector();
  const records = parseIndex('C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:a\nV:1\nA:x86_64\nS:1\nI:1\nD:b@tag\n\n', () => {});
  const repository = { source: { mirrors: ['/x'] }, bases: ['/x'], local: false, records };
  try {
    resolve(['a'], [repository as unknown as ApkRepository], 'x86_64', report);
  } catch (error) {
    assert.ok(error instanceof BuildError);
  }
  assert.deepEqual(codes, ['APK_RELATION']);
});

test('warning MODULES_UNINDEXED', () => {
  const { report, codes } = collector();
  const tree = new Tree();
  tree.writeFile('lib/modules/6.1/kernel/fs/ext4.ko', 'a module');
  checkModules(tree, report);
  tree.writeFile('lib/modules/6.1/modules.dep', 'kernel/fs/ext4.ko:\n');
  checkModules(tree, report);
  assert.deepEqual(codes, ['MODULES_UNINDEXED']);
});

test('warnings DIRECTORY_KEPT and FILE_ALIASED', () => {
  const { codes, report } = collector();
  const step = {
    tree: smallSystem({ 'usr/old/a': 'x' }),
    context: debianContext({ architecture: 'amd64', epoch: 1_700_000_000, report }),
    script: '  migrate_directory /usr/old /usr/new\n',
  };
  BASE_RULES['base-files']!.postinst!(step as unknown as Step);
  assert.deepEqual(codes, ['DIRECTORY_KEPT']);
  const aliased = installed([
    { name: 'a', files: { 'usr/bin/x': 'x' } },
    { name: 'b', files: { 'bin/x': 'x' } },
  ]);
  assert.deepEqual(
    aliased.warnings.map((one) => one.code),
    ['FILE_ALIASED'],
  );
});

test('warning MIRRORLIST_UNUSED', async (t) => {
  const server = await serve(t);
  const { codes, report } = collector();
  const host = testHost(t, { cache: temporary(t), report });
  const source = {
    ...{ name: 'made', bases: [`${server.url}/none`], mirrorList: `${server.url}/list`, keyring: undefined },
    ...SOURCE_DEFAULTS,
  };
  await assert.rejects(
    openAndRead({ ...source, mirrorList: `${server.url}/list` }, host, {} as Parameters<typeof openAndRead>[2]),
  );
  assert.ok(codes.includes('MIRRORLIST_UNUSED'), codes.join(' '));
});

test('errors GROUP_NOT_FOUND and REPOSITORY_UNPROVEN', { skip: needs({ tools: RPM_TOOLS }) }, async (t) => {
  const folder = temporary(t);
  const rpm = FAMILIES_UNDER_TEST.find((one) => one.family === 'rpm')!;
  const made = await rpm.make(folder, [{ name: 'base', files: [{ name: 'etc/' }, { name: 'etc/passwd' }] }]);
  const server = await serve(t, made.root);
  const code = async (...args: string[]) => {
    const words = ['--repo-url', server.url, '--cache-dir', join(folder, 'cache'), '--rootfs-only', '--json', ...args];
    const { stdout, stderr } = await osbuilder(['plan', ...rpm.flags, ...words]);
    assert.notEqual(stdout, '', stderr);
    return (JSON.parse(stdout).error as { code: string }).code;
  };
  const key = ['--keyring', made.keyring];
  assert.equal(await code(...key, '--packages', '@none'), 'GROUP_NOT_FOUND');
  // the same distribution without keys of its own
  const shown = await osbuilder(['distros', '--show', rpm.flags[rpm.flags.indexOf('--distro') + 1]!]);
  const profile = join(folder, 'profile.json');
  writeFileSync(profile, JSON.stringify({ ...(parseYaml(shown.stdout) as object), keyring: [] }));
  const own = rpm.flags.flatMap((word, i) =>
    word === '--distro' ? ['--profile', profile] : rpm.flags[i - 1] === '--distro' ? [] : [word],
  );
  const words = ['--repo-url', server.url, '--cache-dir', join(folder, 'cache'), '--rootfs-only', '--json'];
  const unproven = await osbuilder(['plan', ...own, ...words, '--packages', 'base']);
  assert.equal((JSON.parse(unproven.stdout).error as { code: string }).code, 'REPOSITORY_UNPROVEN', unproven.stdout);
});

test('the reason of a write error is never wrapped in another write error', () => {
  const disk = Object.assign(new Error('x'), { code: 'ENOSPC' });
  const once = writeFailed('/a', disk);
  for (const error of [
    writeFailed('/b', once),
    writeFailed('/b', once, 'a hint'),
    writeFailed('/c', writeFailed('/b', once, 'a hint'), 'another'),
  ]) {
    assert.equal(error.code, 'WRITE_FAILED');
    assert.match(error.message, /^cannot write \/[abc]: no space left/);
    for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause)
      assert.ok(!(cause instanceof BuildError), String(cause));
  }
  // other errors of ours pass through
  const other = new BuildError('CONTENT_SHORT', { path: 'x', offset: 0, size: 1 });
  assert.equal(writeFailed('/a', other, 'a hint'), other);
});
