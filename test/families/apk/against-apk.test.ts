import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readDirectory } from '../../../src/tree/directory-read.ts';
import { ALPINE_SET, APK_NEEDS, ApkTools, apkInside, described } from '../../support/apk-tools.ts';
import { osbuilder } from '../../support/cli.ts';
import { data, needs, temporary } from '../../support/data.ts';
import { serve } from '../../support/server.ts';

/**
 * Alpine's own apk checks ours: it installs the same world beside ours, scripts included, and then reports on our root
 * that it finds no difference and continues from there. Scripts run in a chroot, so it must be root.
 */

const skip =
  process.arch === 'x64' ? needs({ ...APK_NEEDS, tools: [...APK_NEEDS.tools, 'chroot'], root: true }) : 'x86_64 alone';
const WORLDS = [
  'alpine-base',
  'alpine-base chrony doas e2fsprogs openssh',
  'alpine-base dhcpcd wpa_supplicant ppp-daemon ppp-openrc openntpd tiny-cloud-alpine ifupdown-ng-wifi ifupdown-ng-ppp kbd-bkeymaps tzdata wget iw sfdisk e2fsprogs-extra partx openssl usb-modeswitch',
];

/** What is in one of the trees alone, and why. All that is in both must be the same. */
const EXPLAINED: readonly { readonly path: RegExp; readonly why: string }[] = [
  {
    path: /^dev\/(fd|tty|ttyS\d)$/,
    why: 'nodes that every guest of ours has, for programs that run without a devtmpfs',
  },
  { path: /^etc\/apk\/repositories$/, why: 'apk got the repository by a flag' },
];

async function setUp(t: Parameters<typeof temporary>[0]) {
  const folder = temporary(t);
  mkdirSync(join(folder, 'mirror/v3.19/main'), { recursive: true });
  symlinkSync(data(ALPINE_SET), join(folder, 'mirror/v3.19/main/x86_64'));
  const { url } = await serve(t, join(folder, 'mirror'));
  const build = async (world: string) => {
    const root = join(folder, 'ours');
    const made = await osbuilder([
      ...['rootfs', '--distro', 'alpine', '--os-version', '3.19', '--arch', 'x86_64', '--packages', world],
      ...['--repo-url', url, '--cache-dir', join(folder, 'cache'), '--rootfs-only', '--no-trim', '--strict'],
      ...['-o', `${root}/`],
    ]);
    assert.equal(made.code, 0, made.stderr);
    return root;
  };
  return { folder, url: `${url}/v3.19/main`, build, apk: new ApkTools(folder) };
}

for (const world of WORLDS)
  test(`apk add ${world}: the same tree, scripts and triggers followed`, { skip }, async (t) => {
    const { folder, url, build, apk } = await setUp(t);
    const theirs = join(folder, 'theirs');
    const result = await apk.run(apk.adding(theirs, url, ...world.split(' ')));
    assert.equal(result.code, 0, result.stderr + result.stdout);
    const [a, b] = [readDirectory(await build(world)), readDirectory(theirs)].map(described) as [
      Map<string, string>,
      Map<string, string>,
    ];
    const differing = [...new Set([...a.keys(), ...b.keys()])].sort().filter((path) => a.get(path) !== b.get(path));
    const unexplained = differing.filter(
      (path) => (a.has(path) && b.has(path)) || !EXPLAINED.some((one) => one.path.test(path)),
    );
    assert.deepEqual(
      unexplained.map((path) => `${path}: ours ${a.get(path)}, apk's ${b.get(path)}`),
      [],
    );
    const stated = differing.filter((path) => !(a.has(path) && b.has(path)));
    assert.deepEqual(
      EXPLAINED.filter((one) => !stated.some((path) => one.path.test(path))),
      [],
      'every explanation is needed',
    );
  });

test('apk finds our root whole, knows what is in it, and goes on from there', { skip }, async (t) => {
  const { folder, url, build, apk } = await setUp(t);
  const theirs = join(folder, 'theirs');
  const result = await apk.run(apk.adding(theirs, url, 'alpine-base'));
  assert.equal(result.code, 0, result.stderr);
  const ours = await build('alpine-base');
  assert.equal(readFileSync(join(ours, 'etc/apk/repositories'), 'utf8'), `${url}\n`);
  writeFileSync(join(theirs, 'etc/apk/repositories'), `${url}\n`);
  const both = async (...args: string[]) => {
    const [a, b] = [await apkInside(ours, args), await apkInside(theirs, args)];
    assert.equal(a.code, 0, a.stderr);
    // audit lists files in the order of the host's readdir
    const sorted = (one: typeof a) => ({ ...one, stdout: one.stdout.split('\n').sort().join('\n') });
    assert.deepEqual(sorted(a), sorted(b), args.join(' '));
    return a.stdout;
  };
  // a changed file would be listed with U, a missing one with X
  assert.doesNotMatch(await both('audit'), /^[^A]/m);
  assert.equal(await both('audit', '--system'), '');
  assert.equal((await both('info', '-v')).split('\n').length - 1, 25);
  await both('info', '--all', 'busybox');
  await both('info', '--who-owns', '/bin/busybox');
  assert.match(await both('add', '--no-cache', 'chrony'), /OK: \d+ MiB in 36 packages/);
  assert.match(await both('del', 'chrony'), /OK: \d+ MiB in 25 packages/);
  // without any network, from a folder inside the root
  for (const root of [ours, theirs]) {
    mkdirSync(join(root, 'media/set'));
    cpSync(data(ALPINE_SET), join(root, 'media/set/x86_64'), { recursive: true });
  }
  await both('add', '--no-network', '--repositories-file', '/dev/null', '--repository', '/media/set', 'doas', 'tzdata');
  await both('fix', '--no-network', '--repositories-file', '/dev/null', '--repository', '/media/set', 'busybox');
  await both('audit');
  const database = (root: string) => readFileSync(join(root, 'lib/apk/db/installed'), 'latin1');
  assert.ok(database(ours) === database(theirs), 'the databases that apk wrote from both differ');
  // and the check can fail
  appendFileSync(join(ours, 'bin/uniso'), 'x');
  rmSync(join(ours, 'sbin/setup-alpine'));
  assert.equal((await apkInside(ours, ['audit', '--system'])).stdout, 'U bin/uniso\nX sbin/setup-alpine\n');
});
