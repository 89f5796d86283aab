import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { FAST, needs, ROOT, temporary } from '../support/data.ts';
import { debianSystem } from '../support/debian-system.ts';
import { type Difference, dracutList, type FileList, listOf, unnamedLines } from '../support/dracut-lists.ts';
import { once } from '../support/once.ts';

/** Nearly all modules of dracut, each generation's on a system of its time: our lists of files and dracut's own. */

const DIFFERENCES: readonly Difference[] = [
  {
    said: 'A library that a module names comes with what it needs: `libelf` with `libbpf`, `libxxhash` with `liblz4`',
    lines: /^\+ usr\/lib\/x86_64-linux-gnu\/(?:libelf|libxxhash)[-.]/,
    settings: /^trixie/,
  },
  {
    said: '`libresolv` comes with `libnss_dns`',
    lines: /^\+ usr\/lib\/x86_64-linux-gnu\/libresolv\.so\.2 f 644$/,
  },
  { said: 'no copies of `/etc/passwd` and `/etc/group`', lines: /^- etc\/(?:\.pwd\.lock|group-|passwd-) f / },
  {
    said: '`liblzma` with `libkmod`',
    lines: /^\+ usr\/lib\/x86_64-linux-gnu\/liblzma\.so\.5(?:\.MINOR)? /,
    settings: /^trixie/,
  },
];

/** Modules that are rejected here, with what they alone brought. */
const REJECTED = ['systemd-initrd', 'dracut-systemd'];

const COMMON = [
  ...['base', 'bash', 'systemd', 'systemd-udevd', 'systemd-modules-load', 'systemd-journald', 'systemd-tmpfiles'],
  ...['systemd-sysctl', 'udev-rules', 'dbus', 'syslog', 'kernel-modules', 'kernel-modules-extra', 'fs-lib'],
  ...['rootfs-block', 'virtiofs', 'shutdown', 'terminfo'],
];
const RICH = [
  ...['systemd-sysusers', 'systemd-cryptsetup', 'systemd-veritysetup', 'dbus-broker', 'dm', 'crypt', 'i18n'],
];
/** Packages of the rich system besides those of the small one. */
const PACKAGES = [
  ...['dracut-network', 'cryptsetup-bin', 'dmsetup', 'dbus-broker', 'rsyslog', 'e2fsprogs', 'xfsprogs', 'btrfs-progs'],
  ...['kbd', 'iproute2', 'iputils-arping', 'iputils-ping', 'systemd-resolved', 'chrony', 'iptables', 'busybox-static'],
  ...['lvm2', 'fdisk', 'firmware-linux-free', 'binutils', 'make', 'zstd', 'less', 'systemd-cryptsetup'],
  ...['util-linux-extra', 'libtss2-rc0', 'libtss2-tcti-device0', 'tpm2-tools'],
];

const folder = temporary({ after });
const skip =
  (FAST && 'left out by test:fast: downloads') ||
  needs({ data: ['dracut/trixie-rich-after.tsv.gz', 'dracut/bookworm-after.tsv.gz'] });
const rich = once(async () => debianSystem('trixie', folder, PACKAGES));
const small = once(async () => debianSystem('bookworm', folder));
const used = new Set<Difference>();

async function ours(path: string, modules: readonly string[]): Promise<FileList> {
  // a name of its own for each: open files are kept by name
  const initrd = join(folder, `${modules.length}.img`);
  const built = await osbuilder([
    ...['initrd', '--build-method', 'dracut', '--sysroot', path, '--rootfs-only', '--compress', 'none', '-o', initrd],
    `--dracut-options=--no-kernel --modules "${modules.join(' ')}"`,
  ]);
  assert.equal(built.code, 0, built.stderr);
  const list = listOf(await treeOf(initrd, folder));
  rmSync(initrd);
  return list;
}

for (const [suite, system, list, modules] of [
  ['trixie', rich, 'trixie-rich-after', [...COMMON, ...RICH]],
  ['bookworm', small, 'bookworm-after', COMMON],
] as const)
  test(`${suite}: the files of ${modules.length} modules are those that dracut takes`, { skip }, async (t) => {
    const from = await system();
    if (typeof from === 'string') return t.skip(from);
    const mine = await ours(from.path, modules);
    // what only rejected modules bring is missing; other modules may bring it too
    const theirs = new Map(
      [...dracutList(list)].filter(([path]) => mine.has(path) || dracutList(list, REJECTED).has(path)),
    );
    const lines = unnamedLines(suite, theirs, mine, DIFFERENCES, used).filter(
      (line) =>
        !(suite === 'bookworm' && OF_THE_SYSTEM.test(line)) &&
        // systemd-initrd changes it
        !/^! etc\/systemd\/system\/default\.target l 777 \/lib\/systemd\/system\/initrd\.target => /.test(line),
    );
    assert.equal(lines.join('\n'), '');
  });

/** Our systems have no hardware database: docs/parity.md. */
const OF_THE_SYSTEM = /^- usr\/lib\/udev\/hwdb\.bin f /;

test('trixie: modules without a list have the files that dracut takes here and now', {
  skip: skip || needs({ tools: ['unshare', 'chroot', 'tar', 'cpio'], root: true }),
}, async (t: TestContext) => {
  const from = await rich();
  if (typeof from === 'string') return t.skip(from);
  const root = join(folder, 'root');
  mkdirSync(root);
  execFileSync('tar', ['-C', root, '-xpf', from.path]);
  mkdirSync(join(root, 'conf'));
  const modules = ['systemd-networkd', 'network', 'rescue', 'virtfs', 'dash', 'bash'];
  const inside = `mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/dev" && mknod -m 666 "$0/dev/null" c 1 3 || exit 99
ln -s /proc/self/fd "$0/dev/fd"
exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin dracut --force --no-compress --conf /dev/null --confdir /conf \\
  --no-kernel --no-hostonly --reproducible --nostrip -m '${modules.join(' ')}' /out.img`;
  try {
    execFileSync('unshare', ['-m', 'sh', '-c', inside, root], { stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const { status, stderr } = error as { status: number | null; stderr: Buffer };
    if (status === 99 || /unshare/.test(String(stderr))) return t.skip('not available: mounting in a namespace');
    throw error;
  }
  const theirs = listOf(await treeOf(join(root, 'out.img'), folder));
  const mine = await ours(from.path, modules);
  assert.equal(unnamedLines('trixie-live', theirs, mine, DIFFERENCES, used).join('\n'), '');
  rmSync(root, { recursive: true });
});

test('every difference is explained', { skip }, () => {
  const page = readFileSync(join(ROOT, 'docs/dracut.md'), 'utf8').replace(/\s+/g, ' ');
  for (const one of DIFFERENCES) assert.ok(page.includes(one.said), one.said);
});
