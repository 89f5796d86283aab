import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { apk, apkRepository, type MadeApk, makeApkKey, type SmallApk, testKey, writeFiles } from '../support/apks.ts';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { temporary } from '../support/data.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** Which repositories an Alpine guest is made from, as a user says it, with small packages made for it. */

type Hooks = Parameters<typeof serve>[0];

const base = (architecture: string, more: Partial<SmallApk> = {}): SmallApk => ({
  name: 'alpine-base',
  version: '3.24.2-r0',
  architecture,
  files: [
    ...['bin/', 'sbin/', 'etc/', 'etc/init.d/', 'usr/', 'usr/bin/', 'var/', 'run/'].map((name) => ({ name })),
    { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
    { name: 'etc/group', data: 'root:x:0:\n' },
    { name: 'bin/busybox', data: `busybox for ${architecture}`, mode: 0o755 },
    { name: 'bin/sh', type: '2', link: '/bin/busybox', mode: 0o777 },
  ],
  scripts: {
    'post-install': '#!/bin/sh\naddgroup -S -g 321 made 2>/dev/null\nuname -m > /etc/machine-name\n',
    trigger: '#!/bin/sh\necho "$@" > /etc/triggered\n',
  },
  ...more,
  fields: { triggers: '/usr/bin', ...more.fields },
});

const program = (name: string, more: Partial<SmallApk> = {}): SmallApk => ({
  name,
  files: [{ name: 'usr/' }, { name: 'usr/bin/' }, { name: `usr/bin/${name}`, data: name, mode: 0o755 }],
  ...more,
});

/** A mirror with releases, as Alpine's: `main` has the base, `community` a program that needs it. */
function mirror(architecture: string, releases: readonly string[], signer = testKey()): Record<string, Uint8Array> {
  const own = (small: SmallApk): MadeApk => apk({ architecture, ...small }, signer);
  return Object.fromEntries(
    releases.flatMap((release) => [
      ...Object.entries(
        apkRepository(
          `${release}/main/${architecture}`,
          [own(base(architecture)), own(program('bash')), own(program('noisy', { architecture: 'noarch' }))],
          signer,
        ),
      ),
      ...Object.entries(
        apkRepository(
          `${release}/community/${architecture}`,
          [own(program('extra', { fields: { depend: 'bash' } }))],
          signer,
        ),
      ),
    ]),
  );
}

interface Setting {
  readonly folder: string;
  readonly server: StaticServer;
  readonly keyring: string;
  /** Builds a rootfs and reads files of it. */
  build(args: readonly string[]): Promise<{ readonly cat: (path: string) => string }>;
  reject(args: readonly string[]): Promise<{ readonly code: string; readonly message: string; readonly hint: string }>;
}

async function setUp(t: Hooks & Parameters<typeof temporary>[0], files: Record<string, Uint8Array>): Promise<Setting> {
  const folder = temporary(t);
  const server = await serve(t, files);
  const keyring = join(folder, testKey().name);
  writeFileSync(keyring, testKey().pem);
  let out = '';
  let builds = 0;
  const flags = (args: readonly string[]) => [
    ...['rootfs', '--distro', 'alpine', '--keyring', keyring, '--cache-dir', join(folder, 'cache'), '--rootfs-only'],
    ...['--quiet', '-o', out, ...(args.includes('--arch') ? [] : ['--arch', 'x86_64']), ...args],
    ...(args.includes('--packages') ? [] : ['--packages', 'alpine-base']),
  ];
  return {
    folder,
    server,
    keyring,
    async build(args) {
      out = join(folder, `${builds++}.tar`);
      const made = await osbuilder(flags(args));
      assert.equal(made.code, 0, made.stderr);
      const tree = await treeOf(out, folder);
      return { cat: (path) => tree.text(path) ?? '' };
    },
    async reject(args) {
      out = join(folder, 'rejected.tar');
      const result = await osbuilder([...flags(args), '--json']);
      assert.ok(result.code === 1 || result.code === 2, result.stderr);
      return JSON.parse(result.stdout).error;
    },
  };
}

for (const [architecture, uname] of [
  ['x86_64', 'x86_64'],
  ['aarch64', 'arm64'],
  ['ppc64le', 'ppc64el'],
  ['s390x', 's390x'],
] as const)
  test(`a guest for ${architecture}, asked for as ${uname}: indexed, resolved, unpacked, its scripts followed`, async (t) => {
    const { server, build } = await setUp(t, mirror(architecture, ['v3.24']));
    const world = ['--packages', 'alpine-base noisy'];
    const { cat } = await build(['--arch', uname, '--repo-url', server.url, ...world, '--strict']);
    assert.equal(cat('/etc/apk/arch'), `${architecture}\n`);
    assert.equal(cat('/bin/busybox'), `busybox for ${architecture}`);
    assert.equal(cat('/etc/machine-name'), `${architecture}\n`);
    assert.match(cat('/etc/group'), /^made:x:321:$/m);
    assert.equal(cat('/etc/triggered'), '/usr/bin\n');
    assert.equal(cat('/usr/bin/noisy'), 'noisy');
    const database = cat('/lib/apk/db/installed');
    assert.match(database, new RegExp(`^P:alpine-base\\nV:3.24.2-r0\\nA:${architecture}$`, 'm'));
    assert.match(database, /^P:noisy\nV:1-r0\nA:noarch$/m);
    assert.equal(cat('/etc/apk/world'), 'alpine-base\nnoisy\n');
    assert.equal(cat('/etc/apk/repositories'), `${server.url}/v3.24/main\n`);
    // without it the guest's apk could not go on with that repository
    assert.equal(cat(`/etc/apk/keys/${testKey().name}`), testKey().pem);
  });

test('releases by number, by folder and by moving name; the newest is the default', async (t) => {
  const releases = ['v3.24', 'v3.19', 'edge', 'latest-stable'];
  const { server, build, reject } = await setUp(t, mirror('x86_64', releases));
  const used = async (...args: string[]) => {
    const { cat } = await build([...args, '--repo-url', server.url]);
    return cat('/etc/apk/repositories').replace(server.url, '');
  };
  assert.equal(await used(), '/v3.24/main\n');
  assert.equal(await used('--os-version', '3.19'), '/v3.19/main\n');
  assert.equal(await used('--os-version', 'v3.19'), '/v3.19/main\n');
  assert.equal(await used('--os-version', 'edge'), '/edge/main\n');
  assert.equal(await used('--os-version', 'latest-stable'), '/latest-stable/main\n');
  assert.equal((await reject(['--os-version', '3.5', '--repo-url', server.url])).code, 'RELEASE_UNKNOWN');
  const missing = await reject(['--os-version', '3.20', '--repo-url', server.url]);
  assert.equal(missing.code, 'NOT_FOUND');
  assert.match(missing.message, /\/v3\.20\/main\/x86_64\/APKINDEX\.tar\.gz/);
});

test('components, the folder of one repository, file: URLs and plain folders', async (t) => {
  const files = mirror('x86_64', ['v3.24']);
  const { folder, server, build, reject } = await setUp(t, files);
  writeFiles(join(folder, 'copy'), files);
  const extra = ['--packages', 'alpine-base extra'];
  const lacking = await reject(['--repo-url', server.url, ...extra]);
  assert.equal(lacking.code, 'APK_UNSOLVABLE');
  assert.match(lacking.message, /extra \(no such package\)/);
  const both = await build(['--repo-url', server.url, '--repo-components', 'main community', ...extra]);
  assert.equal(both.cat('/etc/apk/repositories'), `${server.url}/v3.24/main\n${server.url}/v3.24/community\n`);
  assert.equal(both.cat('/usr/bin/extra'), 'extra');
  for (const url of [
    `${server.url}/v3.24/main`,
    `file://${join(folder, 'copy')}`,
    join(folder, 'copy'),
    join(folder, 'copy/v3.24/main'),
  ]) {
    const { cat } = await build(['--repo-url', url]);
    assert.equal(cat('/bin/busybox'), 'busybox for x86_64', url);
    // a folder of the build host means nothing in the guest
    if (!url.startsWith('http')) assert.equal(cat('/etc/apk/repositories'), '', url);
  }
});

test("a tagged repository gives only what asks for it, and the guest's repositories have the tag", async (t) => {
  const newer = apk(program('bash', { version: '9-r0' }));
  const { server, build, reject } = await setUp(t, {
    ...mirror('x86_64', ['v3.24']),
    ...apkRepository('testing/x86_64', [newer]),
  });
  const tagged = ['--repo-url', server.url, '--repo', `@test ${server.url}/testing`];
  const plain = await build([...tagged, '--packages', 'alpine-base bash']);
  assert.match(plain.cat('/lib/apk/db/installed'), /^P:bash\nV:1-r0$/m);
  const asked = await build([...tagged, '--packages', 'alpine-base bash@test']);
  assert.match(asked.cat('/lib/apk/db/installed'), /^P:bash\nV:9-r0\n(.+\n)*s:test$/m);
  assert.equal(asked.cat('/etc/apk/world'), 'alpine-base\nbash@test\n');
  assert.equal(asked.cat('/etc/apk/repositories'), `${server.url}/v3.24/main\n@test ${server.url}/testing\n`);
  const unknown = await reject(['--repo-url', server.url, '--packages', 'bash@nowhere']);
  assert.equal(unknown.code, 'APK_TAG');
  assert.match(unknown.message, /no repository carries the tag @nowhere/);
});

test('a further repository may have a key of its own, or none', async (t) => {
  const own = makeApkKey('own@example.org-2.rsa.pub');
  const { folder, server, keyring, build, reject } = await setUp(t, {
    ...mirror('x86_64', ['v3.24']),
    ...apkRepository('own/x86_64', [apk(program('owned'), own)], own),
  });
  const args = ['--repo-url', server.url, '--packages', 'alpine-base owned'];
  assert.equal((await reject([...args, '--repo', `${server.url}/own`])).code, 'APK_SIGNATURE_UNKNOWN');
  const file = join(folder, own.name);
  writeFileSync(file, own.pem);
  const signed = await build([...args, '--repo', `[signed-by=${file}] ${server.url}/own`, '--strict']);
  assert.equal(signed.cat('/usr/bin/owned'), 'owned');
  assert.equal(signed.cat(`/etc/apk/keys/${own.name}`), own.pem);
  // the mirror still has to be signed by its own
  const crossed = await reject([...args, '--repo', `[signed-by=${keyring}] @o ${server.url}/own`]);
  assert.equal(crossed.code, 'APK_SIGNATURE_UNKNOWN');
  const trusted = ['--repo', `[trusted=yes] ${server.url}/own`];
  const taken = await build([...args, ...trusted]);
  assert.equal(taken.cat(`/etc/apk/keys/${own.name}`), '');
  assert.equal((await reject([...args, ...trusted, '--strict'])).code, 'STRICT');
  const odd = await reject([...args, '--repo', `[colour=red] ${server.url}/own`]);
  assert.equal(odd.code, 'SETTING_INVALID');
  assert.match(odd.message, /colour=red/);
});

test('a local folder of packages goes before the mirror where both have the same', async (t) => {
  const { folder, server, build } = await setUp(t, mirror('x86_64', ['v3.24']));
  const mine = apk(program('mine', { fields: { depend: 'bash' } }));
  writeFiles(join(folder, 'mine'), { [mine.file]: mine.bytes });
  const { cat } = await build([
    '--repo-url',
    server.url,
    '--repo',
    join(folder, 'mine'),
    '--packages',
    'alpine-base mine',
  ]);
  assert.equal(cat('/usr/bin/mine'), 'mine');
  assert.equal(cat('/usr/bin/bash'), 'bash');
  assert.equal(cat('/etc/apk/repositories'), `${server.url}/v3.24/main\n`);
});

test('trust: built-in keys alone unless others are given, and nothing unsigned unless asked for', async (t) => {
  const other = makeApkKey('other@example.org-1.rsa.pub');
  const { folder, server, keyring } = await setUp(t, mirror('x86_64', ['v3.24'], other));
  const run = (...args: string[]) =>
    osbuilder([
      ...['rootfs', '--distro', 'alpine', '--arch', 'x86_64', '--packages', 'alpine-base', '--repo-url', server.url],
      ...['--cache-dir', join(folder, 'cache'), '--rootfs-only', '--quiet', '-o', join(folder, 'r.tar'), ...args],
    ]);
  const rejected = await run();
  assert.equal(rejected.code, 1);
  assert.match(
    rejected.stderr,
    /signed by other@example\.org-1\.rsa\.pub, none of which is among the built-in Alpine keys for x86_64 \[APK_SIGNATURE_UNKNOWN\]\n.*--keyring/,
  );
  const testKeyOnly = await run('--keyring', keyring);
  assert.match(testKeyOnly.stderr, /\[APK_SIGNATURE_UNKNOWN\]/);
  writeFileSync(join(folder, other.name), other.pem);
  assert.equal((await run('--keyring', keyring, '--keyring', join(folder, other.name))).code, 0);
  const allowed = await run('--allow-unauthenticated');
  assert.equal(allowed.code, 0, allowed.stderr);
  const broken = join(folder, 'broken.rsa.pub');
  writeFileSync(broken, 'no key');
  const bad = await run('--keyring', broken);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /broken\.rsa\.pub: it is not an RSA public key in PEM form \[APK_FORMAT\]/);
  assert.match((await run('--keyring', join(folder, 'nowhere.pub'))).stderr, /nowhere\.pub.*\[READ_FAILED\]/);
});

test('a Kata guest keeps no database unless asked to', async (t) => {
  const { folder, server, keyring } = await setUp(t, mirror('x86_64', ['v3.24']));
  const make = async (...args: string[]) => {
    const out = join(folder, 'k.tar');
    const made = await osbuilder([
      ...['rootfs', '--distro', 'alpine', '--arch', 'x86_64', '--packages', 'alpine-base', '--repo-url', server.url],
      ...['--keyring', keyring, '--agent', 'demo', '--agent-init', '--quiet', '-o', out, ...args],
      ...['--cache-dir', join(folder, 'cache')],
    ]);
    assert.equal(made.code, 0, made.stderr);
    return (await osbuilder(['inspect', out, '--list'])).stdout;
  };
  assert.doesNotMatch(await make(), /lib\/apk\/db/);
  assert.match(await make('--keep-apk-db'), /lib\/apk\/db\/installed/);
});

test('the initrd of a plain rootfs starts the init that is there', async (t) => {
  const { folder, server, keyring } = await setUp(t, mirror('x86_64', ['v3.24']));
  const out = join(folder, 'i.img');
  const made = await osbuilder([
    ...['initrd', '--distro', 'alpine', '--arch', 'x86_64', '--packages', 'alpine-base', '--repo-url', server.url],
    ...['--keyring', keyring, '--cache-dir', join(folder, 'cache'), '--rootfs-only', '--quiet', '-o', out],
  ]);
  assert.equal(made.code, 0, made.stderr);
  const init = (await treeOf(out, folder)).lstat('init');
  assert.equal(init?.kind === 'symlink' && init.target, '/sbin/init');
});

test('what Alpine does not support is an error with its reason', async (t) => {
  const out = join(temporary(t), 'i.img');
  const error = async (...args: string[]) => {
    const result = await osbuilder(['initrd', '--distro', 'alpine', '--agent', 'demo', '-o', out, ...args]);
    assert.equal(result.code, /\[(ARCH_UNKNOWN|SETTING_INVALID)\]/.test(result.stderr) ? 2 : 1, result.stderr);
    return result.stderr;
  };
  assert.match(await error(), /Alpine Linux has no systemd \[SETTING_CONFLICT\]\n.*--agent-init/);
  assert.match(
    await error('--agent-init', '--snapshot', '20260101T000000Z'),
    /--snapshot.*Alpine keeps no dated archives/,
  );
  assert.match(await error('--agent-init', '--arch', 'mips'), /\[ARCH_UNKNOWN\]/);
  assert.match(
    await error('--agent-init', '--repo', 'http://127.0.0.1/one two three'),
    /an Alpine repository is `\[OPTIONS\] \[@TAG\] URL`/,
  );
  assert.match(await error('--agent-init', '--packages', 'a b==c', '--repo-url', '/nowhere'), /\/nowhere/);
  const { stdout } = await osbuilder(['distros']);
  assert.match(
    stdout,
    /^alpine .*apk\n {2}releases {7}3\.24, .*3\.19, latest-stable, edge\n.*s390x\n {2}init {11}agent\n/m,
  );
});
