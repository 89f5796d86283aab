import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../../src/bytes/digest.ts';
import { ALPINE_SET } from '../support/apk-tools.ts';
import { apk, writeFiles } from '../support/apks.ts';
import { treeOf } from '../support/big-guest.ts';
import { AGENT_READY, bootBy, UNSOUND } from '../support/boot.ts';
import { osbuilder, type RunOptions } from '../support/cli.ts';
import { data, needs, temporary } from '../support/data.ts';
import { needsMirror, testHost } from '../support/host.ts';
import { busybox, kernel } from '../support/kernel.ts';
import { QUIET } from '../support/kernel-arguments.ts';
import { asNobody, nobodysFolder, nowhere, openFolder, setModes } from '../support/other-user.ts';
import { boot } from '../support/qemu.ts';
import { type StaticServer, serve } from '../support/server.ts';
import { stage1 } from '../support/stage1.ts';

/** Alpine guests from the packages of its own installation medium, served on loopback. They lack bash and iptables. */

const skip = needs({ data: [ALPINE_SET] });
const qemu = skip || needs({ tools: ['qemu-system-x86_64'] }) || (await needsMirror());

/** A mirror with the shape of Alpine's own. */
async function alpineServer(t: Parameters<typeof serve>[0], folder: string): Promise<StaticServer> {
  mkdirSync(join(folder, 'mirror/v3.19/main'), { recursive: true });
  symlinkSync(data(ALPINE_SET), join(folder, 'mirror/v3.19/main/x86_64'));
  return serve(t, join(folder, 'mirror'));
}

const alpineMirror = async (...args: Parameters<typeof alpineServer>) => (await alpineServer(...args)).url;

const flags = (url: string, cache: string) => [
  ...['--distro', 'alpine', '--os-version', '3.19', '--arch', 'x86_64', '--packages', 'alpine-base'],
  ...['--repo-url', url, '--cache-dir', cache],
];

test('systemd is an error where there is none, with a hint', async (t) => {
  const { code, stderr } = await osbuilder([
    'initrd',
    '--distro',
    'alpine',
    '--agent',
    'demo',
    '-o',
    join(temporary(t), 'i.img'),
  ]);
  assert.equal(code, 1);
  assert.match(stderr, /no systemd.*\[SETTING_CONFLICT\]\n.*--agent-init/);
});

test('an Alpine plan has a reason for every package', { skip }, async (t) => {
  const folder = temporary(t);
  const { code, stdout, stderr } = await osbuilder([
    'plan',
    ...flags(await alpineMirror(t, folder), join(folder, 'c')),
    '--agent-init',
    '--json',
  ]);
  assert.equal(code, 0, stderr);
  const { packages } = JSON.parse(stdout);
  assert.equal(packages.length, 25);
  for (const one of packages) assert.ok(one.reason.length > 0, one.name);
});

test('the same Alpine guest, for any user and folder, with how many threads, from the network or the cache alone', {
  skip,
}, async (t) => {
  const folder = openFolder(t);
  const cache = join(folder, 'c');
  const server = await alpineServer(t, folder);
  const build = async (name: string, args: readonly string[], options: RunOptions) => {
    const cwd = join(folder, name);
    if (options.uid === undefined) mkdirSync(cwd);
    else nobodysFolder(cwd);
    const made = await osbuilder(
      [
        ...['build', ...flags(server.url, cache), '--agent', 'demo', '--agent-init', '--keep-apk-db', '--strict'],
        ...['--rootfs', 'r.tar', '--initrd', 'i.img', '--image', 'k.img', '--image-size-alignment-mb', '16', ...args],
      ],
      { ...options, cwd },
    );
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(readdirSync(cwd).sort(), ['i.img', 'k.img', 'r.tar']);
    return ['i.img', 'k.img', 'r.tar'].map((file) => sha256(readFileSync(join(cwd, file))));
  };
  const first = await build('first', ['--jobs', '2'], { env: { TZ: 'Asia/Tokyo', LC_ALL: 'C' } });
  const proxy = await nowhere();
  await server.close();
  const bare = { HOME: join(folder, 'home'), http_proxy: proxy, https_proxy: proxy, no_proxy: '' };
  mkdirSync(bare.HOME, { mode: 0o555 });
  setModes(cache, 0o555, 0o444);
  const offline = { env: { ...bare, TZ: 'America/St_Johns', LANG: 'tr_TR.UTF-8' }, umask: '077', ...asNobody };
  assert.deepEqual(await build('offline', ['--offline', '--jobs', '1'], offline), first);
  // the same again, and this time everything is unpacked again
  setModes(cache, 0o755, 0o644);
  rmSync(join(cache, 'spools'), { recursive: true });
  assert.deepEqual(await build('again', ['--offline', '--jobs', '1'], { umask: '000' }), first);
});

test('Kata’s own package list, with what the medium lacks from a local folder', { skip }, async (t) => {
  const folder = temporary(t);
  const url = await alpineMirror(t, folder);
  const [initrd, own] = [join(folder, 'i.img'), join(folder, 'own')];
  const common = [
    '--distro',
    'alpine',
    '--os-version',
    '3.19',
    '--arch',
    'x86_64',
    '--repo-url',
    url,
    '--agent',
    'demo',
  ];
  const args = ['initrd', ...common, '--agent-init', '--cache-dir', join(folder, 'c'), '-o', initrd];
  const lacking = await osbuilder(args);
  assert.equal(lacking.code, 1);
  assert.match(lacking.stderr, /bash \(no such package\):\n {4}required by: world\[bash\]/);
  for (const name of ['bash', 'iptables', 'ip6tables']) {
    const made = apk({
      name,
      fields: { depend: 'so:libc.musl-x86_64.so.1' },
      files: [{ name: 'bin/' }, { name: `bin/${name}`, data: name, mode: 0o755 }],
    });
    writeFiles(own, { [made.file]: made.bytes });
  }
  const made = await osbuilder([...args, '--repo', own]);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stderr, /bash-1-r0\.apk, ip6tables-1-r0\.apk, iptables-1-r0\.apk is used without a proof/);
  const tree = await treeOf(initrd, folder);
  for (const name of ['bash', 'iptables', 'ip6tables']) assert.equal(tree.text(`bin/${name}`), name);
  // what seccomp needs belongs to the list unless it is turned off
  assert.ok(tree.has('usr/lib/libseccomp.so.2'));
  assert.equal(tree.realpath('init'), tree.realpath('sbin/init'));
  assert.equal((await osbuilder([...args, '--repo', own, '--strict'])).code, 1);
});

test('a plain root has the database and the world that was asked for', { skip }, async (t) => {
  const folder = temporary(t);
  const out = join(folder, 'r.tar');
  const url = await alpineMirror(t, folder);
  const made = await osbuilder(['rootfs', ...flags(url, join(folder, 'c')), '--rootfs-only', '-o', out]);
  assert.equal(made.code, 0, made.stderr);
  const database = await osbuilder(['inspect', out, '--cat', '/lib/apk/db/installed']);
  assert.match(database.stdout, /^P:alpine-base$/m);
  const world = await osbuilder(['inspect', out, '--cat', '/etc/apk/world']);
  assert.equal(world.stdout, 'alpine-base\n');
});

test('it boots to the agent as init, from initrd and from disk', {
  skip: qemu,
}, async (t) => {
  const folder = temporary(t);
  const [initrd, image] = [join(folder, 'i.img'), join(folder, 'k.img')];
  const made = await osbuilder([
    'build',
    ...flags(await alpineMirror(t, folder), join(folder, 'c')),
    '--agent',
    'demo',
    '--agent-init',
    '--initrd',
    initrd,
    '--image',
    image,
    '--image-size-alignment-mb',
    '16',
  ]);
  assert.equal(made.code, 0, made.stderr);
  for (const artefact of [initrd, image]) {
    const booted = await bootBy(artefact, ['--until-regex', AGENT_READY, '--fail-regex', UNSOUND]);
    assert.equal(booted.outcome, 'seen', booted.shown);
  }
});

/** Files that a user adds to a plain Alpine for a login on the serial line, and a test of apk. */
function serialOverlay(folder: string, script?: string): string {
  const overlay = join(folder, 'overlay');
  mkdirSync(join(overlay, 'etc/runlevels/default'), { recursive: true });
  mkdirSync(join(overlay, 'etc/local.d'), { recursive: true });
  writeFileSync(
    join(overlay, 'etc/inittab'),
    '::sysinit:/sbin/openrc sysinit\n::sysinit:/sbin/openrc boot\n::wait:/sbin/openrc default\n' +
      'ttyS0::respawn:/sbin/getty -L 0 ttyS0 vt100\n',
  );
  if (script !== undefined) {
    symlinkSync('/etc/init.d/local', join(overlay, 'etc/runlevels/default/local'));
    writeFileSync(join(overlay, 'etc/local.d/check.start'), script);
    chmodSync(join(overlay, 'etc/local.d/check.start'), 0o755);
  }
  return overlay;
}

/** What getty prints before the login prompt. */
const LOGIN = /^Welcome to Alpine Linux 3\.19\nKernel \S+ on an x86_64 \(\/dev\/ttyS0\)$/m;

test('a plain rootfs as initrd: OpenRC, and a login', { skip: qemu }, async (t) => {
  const folder = temporary(t);
  const initrd = join(folder, 'i.img');
  const made = await osbuilder([
    ...['initrd', ...flags(await alpineMirror(t, folder), join(folder, 'c')), '--rootfs-only'],
    ...['--overlay', serialOverlay(folder), '-o', initrd],
  ]);
  assert.equal(made.code, 0, made.stderr);
  const booted = await bootBy(initrd, ['--until-regex', '^Kernel \\S+ on an x86_64 \\(/dev/ttyS0\\)$']);
  assert.equal(booted.outcome, 'seen', booted.shown);
  assert.match(booted.shown, LOGIN);
  assert.match(booted.shown, /OpenRC 0\.52\.1 is starting up Linux/);
});

test('a plain rootfs on disk: OpenRC, apk finds it whole and adds a package from the network, and a login', {
  skip: qemu,
}, async (t) => {
  const folder = temporary(t);
  const host = testHost(t);
  const image = join(folder, 'k.img');
  const url = await alpineMirror(t, folder);
  const script = `#!/bin/sh
{
ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0
sed -i s/127.0.0.1/10.0.2.2/ /etc/apk/repositories
echo "CHECK files $(apk audit --system | wc -l)"
echo "CHECK packages $(apk info | wc -l)"
apk add --no-progress doas 2>&1 | sed 's/^/CHECK /'
echo "CHECK doas $(apk info -e doas) $(stat -c %a /usr/bin/doas)"
apk del --no-progress doas 2>&1 | sed 's/^/CHECK /'
echo "CHECK files $(apk audit --system | wc -l)"
} > /dev/console
`;
  const made = await osbuilder([
    ...['image', ...flags(url, join(folder, 'c')), '--rootfs-only', '--image-size-alignment-mb', '16'],
    ...['--root-free-space', '16', '--overlay', serialOverlay(folder, script), '-o', image],
  ]);
  assert.equal(made.code, 0, made.stderr);
  const linux = await kernel('amd64', host);
  const drivers = ['virtio_pci', 'virtio_blk', 'virtio_net', 'ext4'];
  const driver = await stage1(join(folder, 'stage1'), await busybox('amd64', host), linux, drivers);
  const seen = await boot({
    ...{ architecture: 'amd64', kernel: linux.path, initrd: driver, disk: image, writable: true, network: true },
    ...{ append: `${QUIET} root=/dev/vda1 rw rootfstype=ext4`, marker: LOGIN },
  });
  assert.equal(seen.outcome, 'marker', seen.console);
  const checked = seen.console.split('\n').flatMap((line) => /CHECK (.*)$/.exec(line)?.[1] ?? []);
  assert.deepEqual(checked, [
    'files 0',
    'packages 25',
    `fetch ${url.replace('127.0.0.1', '10.0.2.2')}/v3.19/main/x86_64/APKINDEX.tar.gz`,
    '(1/1) Installing doas (6.8.2-r6)',
    'Executing busybox-1.36.1-r15.trigger',
    'OK: 10 MiB in 26 packages',
    'doas doas 4755',
    '(1/1) Purging doas (6.8.2-r6)',
    'Executing busybox-1.36.1-r15.trigger',
    'OK: 10 MiB in 25 packages',
    'files 0',
  ]);
});
