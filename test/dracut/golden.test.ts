import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import type { Tree } from '../../src/tree/tree.ts';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { data, FAST, needs, ROOT, temporary } from '../support/data.ts';
import { type DebianSystem, debianSystem } from '../support/debian-system.ts';
import { type Difference, dracutList, listOf, unnamedLines } from '../support/dracut-lists.ts';
import { elfFile } from '../support/elves.ts';
import { once } from '../support/once.ts';

/**
 * Our lists of files against those of dracut itself, for each setting of Kata's Makefile and each release of Debian, and
 * for nearly all modules. Every difference is a row here, and each row is a sentence of docs/dracut.md.
 */

const DIFFERENCES: readonly Difference[] = [
  {
    said: 'No chrony configuration is written when chrony is not taken.',
    lines: /^- etc\/chrony(?:\/chrony\.conf)? /,
  },
  {
    said: 'The units that mount extension images come into every guest with systemd as process 1.',
    lines:
      /^\+ usr\/(?:lib\/systemd\/(?:system\/kata-extension-mount@\.service|system-generators\/kata-extension-mount-generator)|libexec(?:\/kata-extension-u?mount\.sh)?) /,
    settings: /^(?!.*-init$)/,
  },
  {
    said: '`var/tmp` is a link to `../tmp`',
    lines: /^! var\/tmp d 755 => l 777 \.\.\/tmp$/,
  },
  {
    said: '`/etc/systemd/system/default.target` leads to `kata-containers.target`',
    lines: /^\+ etc\/systemd\/system\/default\.target l 777 \/usr\/lib\/systemd\/system\/kata-containers\.target$/,
    settings: /^trixie/,
  },
  {
    said: 'With the agent as process 1 the kernel starts it',
    lines:
      /^! (?:init l 777 usr\/lib\/systemd\/systemd => l 777 \/sbin\/init|usr\/sbin\/init l 777 \.\.\/lib\/systemd\/systemd => f 755)$/,
    settings: /-init$/,
  },
  {
    said: 'no list of kernel modules to load is written where there is none and systemd is not process 1',
    lines: /^- etc\/modules-load\.d(?:\/kata-modules\.conf)? /,
    settings: /-init$/,
  },
  {
    said: '`libresolv` comes with `libnss_dns`',
    lines: /^\+ usr\/lib\/x86_64-linux-gnu\/libresolv\.so\.2 f 644$/,
  },
  {
    said: '`liblzma` with `libkmod`',
    lines: /^\+ usr\/lib\/x86_64-linux-gnu\/liblzma\.so\.5(?:\.MINOR)? /,
    settings: /^trixie/,
  },
];

const folder = temporary({ after });
const skip =
  (FAST && 'left out by test:fast: downloads') ||
  needs({ data: ['dracut/trixie-virt.tsv.gz', 'dracut/bookworm-virt.tsv.gz'] });

/** A stand-in for Kata's release of the agent, as the lists were made with. */
const agent = once(async () => {
  const top = join(folder, 'agent');
  const units = join(top, 'usr/lib/systemd/system');
  for (const path of [join(top, 'usr/bin'), units]) mkdirSync(path, { recursive: true });
  writeFileSync(join(top, 'usr/bin/kata-agent'), elfFile({}), { mode: 0o755 });
  for (const name of ['kata-agent.service', 'kata-containers.target']) writeFileSync(join(units, name), '[Unit]\n');
  const packed = await osbuilder(['rootfs', top, '--rootfs-only', '-o', `${top}.tar`]);
  assert.equal(packed.code, 0, packed.stderr);
  return `${top}.tar`;
});

const VIRT =
  'virtio_blk virtio_net virtio_scsi virtio_console virtiofs vmw_vsock_virtio_transport overlay nd_pmem dm-verity erofs xfs vfio-pci virtio_mem virtio_balloon';
/** dracut takes systemd’s modules whatever is process 1. */
const SYSTEMD = '--add systemd --add dbus --add syslog';
const kernel = (release: string, options: string, ...more: readonly string[]) => [
  // dracut’s run had an empty list of modules to load
  ...['--dracut-kversion', release, '--modules-load', 'none', `--dracut-options=${options}`, ...more],
];

/** Flags for each setting. */
const SETTINGS: Readonly<Record<string, (release: string) => readonly string[]>> = {
  nokernel: () => [],
  'nokernel-init': () => ['--agent-init', `--dracut-options=${SYSTEMD}`],
  kver: (release) => ['--dracut-kversion', release],
  // drivers that are nowhere are an error here; efivarfs is one that comes anyway
  kver9p: (release) => kernel(release, '--drivers efivarfs'),
  'kver9p-init': (release) => kernel(release, `--drivers efivarfs ${SYSTEMD}`, '--agent-init'),
  virt: (release) => kernel(release, `--drivers "${VIRT}"`),
};

const used = new Set<Difference>();

async function made(system: DebianSystem, name: string, flags: readonly string[]): Promise<Tree> {
  const initrd = join(folder, `${name}.img`);
  const built = await osbuilder([
    ...['initrd', '--build-method', 'dracut', '--sysroot', system.path, '--compress', 'none', '-o', initrd],
    ...['--cache-dir', join(folder, 'cache')],
    ...flags,
  ]);
  assert.equal(built.code, 0, built.stderr);
  return treeOf(initrd, folder);
}

for (const suite of ['trixie', 'bookworm'] as const) {
  const system = once(async () => debianSystem(suite, folder));
  for (const [setting, flags] of Object.entries(SETTINGS)) {
    const name = `${suite}-${setting}`;
    test(`${name}: the files are those that dracut takes`, { skip }, async (t: TestContext) => {
      const from = await system();
      if (typeof from === 'string') return t.skip(from);
      const tree = await made(from, name, ['--agent', await agent(), ...flags(from.release)]);
      const lines = unnamedLines(name, dracutList(name), listOf(tree), DIFFERENCES, used);
      if (setting === 'virt') sameTexts(name, tree);
      rmSync(join(folder, `${name}.img`));
      assert.equal(lines.join('\n'), '');
    });
  }

  test(`${suite}: a driver that its kernel does not have is an error`, { skip }, async (t: TestContext) => {
    const from = await system();
    if (typeof from === 'string') return t.skip(from);
    const built = await osbuilder([
      ...['initrd', '--build-method', 'dracut', '--sysroot', from.path, '--agent', 'demo', '-o', join(folder, 'x')],
      ...['--cache-dir', join(folder, 'cache')],
      ...kernel(from.release, '--drivers "9p 9pnet"'),
    ]);
    assert.match(built.stderr, /has no drivers 9p, 9pnet, .*\[DRIVER_UNKNOWN\]/);
    rmSync(from.path);
  });
}

/** Small files that dracut makes or changes: ours have the same text. */
function sameTexts(name: string, tree: Tree): void {
  const into = join(folder, `${name}-texts`);
  mkdirSync(into);
  execFileSync('tar', ['-C', into, '-xf', data(`dracut/${name}.generated.tar.xz`)]);
  const text = (path: string) => readFileSync(join(into, path), 'latin1');
  for (const path of [
    ...['etc/conf.d/systemd.conf', 'usr/lib/dracut/modules.txt', 'etc/ld.so.conf', 'etc/ld.so.conf.d/libc.conf'],
    ...['usr/lib/systemd/system/dbus.service', 'usr/lib/systemd/system/dbus.socket'],
    ...(name.startsWith('bookworm') ? ['etc/systemd/journald.conf', 'etc/udev/udev.conf'] : []),
  ])
    assert.equal(tree.text(path), text(path), path);
  // numbers of system accounts depend on the order in which packages make them
  const names = (lines: string) => [...lines.matchAll(/^[^:]+/gm)].map(([line]) => line).sort();
  assert.deepEqual(names(tree.text('etc/passwd')!), [...names(text('etc/passwd')), 'root'].sort());
  assert.deepEqual(names(tree.text('etc/group')!), names(text('etc/group')));
}

test('every difference is one, and is explained', { skip }, () => {
  const page = readFileSync(join(ROOT, 'docs/dracut.md'), 'utf8').replace(/\s+/g, ' ');
  for (const one of DIFFERENCES) assert.ok(page.includes(one.said), one.said);
  // without Debian's archive nothing was compared
  if (used.size > 0) for (const one of DIFFERENCES) assert.ok(used.has(one), `nothing differs by: ${one.said}`);
});
