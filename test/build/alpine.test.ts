import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { osbuilder } from '../support/cli.ts';
import { data, needs, temporary } from '../support/data.ts';
import { needsMirror, testDoors } from '../support/doors.ts';
import { busybox, kernel } from '../support/kernel.ts';
import { boot } from '../support/qemu.ts';
import { serve } from '../support/server.ts';
import { stage1 } from '../support/stage1.ts';

/** Alpine guests from the packages of its own installation medium, served on loopback. They lack bash and iptables. */

const SET = 'apk/alpine-3.19-x86_64-iso';
const skip = needs({ data: [SET] });
const QUIET =
  'quiet cryptomgr.notests tsc=reliable no_timer_check mitigations=off nokaslr random.trust_cpu=on audit=0 apparmor=0';

/** A mirror with the shape of Alpine's own. */
async function alpineMirror(t: { after(fn: () => void | Promise<void>): void }, folder: string): Promise<string> {
  mkdirSync(join(folder, 'mirror/v3.19/main'), { recursive: true });
  symlinkSync(data(SET), join(folder, 'mirror/v3.19/main/x86_64'));
  return (await serve(t, join(folder, 'mirror'))).url;
}

const flags = (url: string, cache: string) => [
  ...['--distro', 'alpine', '--os-version', '3.19', '--arch', 'x86_64', '--packages', 'alpine-base'],
  ...['--repo-url', url, '--cache-dir', cache],
];

test('systemd is refused where there is none, with the way out', async (t) => {
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

test('the same Alpine guest twice, from the network and from the cache alone', { skip }, async (t) => {
  const folder = temporary(t);
  const url = await alpineMirror(t, folder);
  const [a, b] = [join(folder, 'a.tar'), join(folder, 'b.tar')];
  const first = await osbuilder(['rootfs', ...flags(url, join(folder, 'c')), '--rootfs-only', '-o', a], {
    env: { TZ: 'Asia/Tokyo' },
  });
  assert.equal(first.code, 0, first.stderr);
  const second = await osbuilder(
    ['rootfs', ...flags(url, join(folder, 'c')), '--rootfs-only', '--offline', '--jobs', '1', '-o', b],
    { umask: '077' },
  );
  assert.equal(second.code, 0, second.stderr);
  assert.deepEqual(readFileSync(a), readFileSync(b));
  const database = await osbuilder(['inspect', a, '--cat', '/lib/apk/db/installed']);
  assert.match(database.stdout, /^P:alpine-base$/m);
  const world = await osbuilder(['inspect', a, '--cat', '/etc/apk/world']);
  assert.equal(world.stdout, 'alpine-base\n');
});

test('it boots to the agent as init, from initrd and from disk', {
  skip: skip || needs({ tools: ['qemu-system-x86_64'] }) || (await needsMirror()),
}, async (t) => {
  const folder = temporary(t);
  const doors = testDoors(t);
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
  const linux = await kernel('amd64', doors);
  const common = { architecture: 'amd64', kernel: linux.path, marker: /^KATA-AGENT-READY/m, seconds: 120 } as const;
  const first = await boot({ ...common, initrd, append: QUIET });
  assert.equal(first.outcome, 'marker', first.console);
  const driver = await stage1(join(folder, 'stage1'), await busybox('amd64', doors), linux, [
    'virtio_pci',
    'virtio_blk',
    'ext4',
  ]);
  const second = await boot({
    ...common,
    initrd: driver,
    disk: image,
    append: `${QUIET} root=/dev/vda1 ro rootfstype=ext4`,
  });
  assert.equal(second.outcome, 'marker', second.console);
});
