import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { type AbstractPackage, FAMILIES_UNDER_TEST, type MadeRepository } from '../support/family-repository.ts';
import { bzImage, vmlinux } from '../support/kernels.ts';
import { type MadeModule, madeModule } from '../support/modules.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** Kernels from packages, with the same kernel in each family's own names and places. */

const RELEASE = '6.6.6-made';
const PLAIN = vmlinux();
const KERNEL = bzImage(gzipSync(PLAIN), PLAIN.length, `${RELEASE} (me@here)`, true);

const MODULES: Readonly<Record<string, MadeModule>> = {
  'kernel/drivers/net/virtio_net.ko': { needs: ['failover'] },
  'kernel/net/core/failover.ko': { exports: ['failover'], info: ['license=GPL', 'firmware=fail/over.bin'] },
  'kernel/drivers/other.ko': {},
};

interface Names {
  readonly asked: string;
  /** Package of the modules, of the kernel, and one that is not a part of it. */
  readonly modules: string;
  readonly kernel: string;
  readonly tools: string;
  readonly kernelPath: string;
  readonly lib: string;
}

const NAMES: Readonly<Record<string, Names>> = {
  apt: {
    asked: 'linux-image-generic',
    kernel: `linux-image-${RELEASE}`,
    modules: `linux-modules-${RELEASE}`,
    tools: 'initramfs-tools',
    kernelPath: `boot/vmlinuz-${RELEASE}`,
    lib: 'lib',
  },
  apk: {
    asked: 'linux-virt',
    kernel: 'linux-virt',
    modules: 'linux-virt',
    tools: 'mkinitfs',
    kernelPath: 'boot/vmlinuz-virt',
    lib: 'lib',
  },
  rpm: {
    asked: 'kernel',
    kernel: 'kernel-core',
    modules: 'kernel-modules-core',
    tools: 'dracut',
    kernelPath: `usr/lib/modules/${RELEASE}/vmlinuz`,
    lib: 'usr/lib',
  },
};

function folders(path: string): { name: string }[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, i) => ({ name: `${parts.slice(0, i + 1).join('/')}/` }));
}

function packagesOf({ asked, kernel, modules, tools, kernelPath, lib }: Names): AbstractPackage[] {
  const files = new Map<string, { name: string; data?: string | Buffer; mode?: number }[]>();
  const add = (owner: string, name: string, data: string | Buffer) => {
    const list = files.get(owner) ?? [];
    for (const folder of folders(name)) if (!list.some((one) => one.name === folder.name)) list.push(folder);
    list.push({ name, data });
    files.set(owner, list);
  };
  add(kernel, kernelPath, KERNEL);
  const top = `${lib}/modules/${RELEASE}`;
  // packaged compressed: rpmbuild rejects ELF files in packages for all architectures
  for (const [path, made] of Object.entries(MODULES)) add(modules, `${top}/${path}.gz`, gzipSync(madeModule(made)));
  add(modules, `${top}/modules.builtin`, 'kernel/fs/overlayfs/overlay.ko\n');
  add(
    modules,
    `${top}/modules.order`,
    Object.keys(MODULES)
      .map((path) => `${path}\n`)
      .join(''),
  );
  const depends: Record<string, string[]> = { [asked]: [tools] };
  if (kernel !== asked) depends[asked]!.push(kernel);
  if (modules !== kernel) depends[kernel] = [...(depends[kernel] ?? []), modules];
  return [
    {
      name: 'base',
      files: [
        ...['etc/', 'usr/', 'usr/bin/', 'usr/lib/'].map((name) => ({ name })),
        { name: 'etc/passwd', data: 'root:x:0:0:root:/root:/bin/sh\n' },
        { name: 'etc/group', data: 'root:x:0:\n' },
      ],
    },
    { name: tools, files: [...folders('usr/share/tools'), { name: 'usr/share/tools', data: 'not wanted' }] },
    ...[...new Set([asked, kernel, modules])].map((name) => ({
      name,
      ...(depends[name] === undefined ? {} : { depends: depends[name] }),
      files: files.get(name) ?? [],
    })),
  ];
}

for (const family of FAMILIES_UNDER_TEST)
  describe(`kernel packages of ${family.family}`, {
    skip: family.family === 'rpm' && needs({ tools: RPM_TOOLS }),
  }, () => {
    const names = NAMES[family.family]!;
    let folder: string;
    let made: MadeRepository;
    let server: StaticServer;
    const closing: (() => void | Promise<void>)[] = [];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'osbuilder-kernel-'));
      made = await family.make(folder, packagesOf(names));
      server = await serve({ after: (fn) => void closing.push(fn) }, made.root);
    });
    after(async () => {
      for (const close of closing) await close();
      rmSync(folder, { recursive: true, force: true });
    });

    const run = (...args: string[]) =>
      osbuilder([
        ...['build', ...family.flags, '--repo-url', server.url, '--keyring', made.keyring, '--packages', 'base'],
        ...['--rootfs-only', '--cache-dir', join(folder, 'cache'), '--json', ...args],
      ]);

    test('its modules are in the guest, indexed; the kernel is written; nothing else is taken', async () => {
      const out = join(folder, 'all.tar');
      const kernel = join(folder, 'out', 'vmlinuz');
      const { code, stdout, stderr } = await run('--kernel-package', names.asked, '--kernel', kernel, '--rootfs', out);
      assert.equal(code, 0, stderr + stdout);
      const report = JSON.parse(stdout) as { kernel: Record<string, unknown>; packages: { name: string }[] };
      assert.ok(readFileSync(kernel).equals(KERNEL));
      const { release, package: owner, format, size } = report.kernel;
      assert.deepEqual(
        { release, owner, format, size },
        { release: RELEASE, owner: names.kernel, format: 'vmlinuz', size: KERNEL.length },
      );
      assert.ok(!report.packages.some(({ name }) => name === names.tools));
      const tree = await treeOf(out, folder);
      const top = `lib/modules/${RELEASE}`;
      for (const path of Object.keys(MODULES)) assert.ok(tree.has(`${top}/${path}.gz`), path);
      assert.match(tree.text(`${top}/modules.dep`)!, /virtio_net\.ko\.gz: kernel\/net\/core\/failover\.ko\.gz\n/);
      assert.ok(tree.has(`${top}/modules.dep.bin`) && tree.has(`${top}/modules.builtin`));
      assert.ok(!tree.has('usr/share/tools') && !tree.has(names.kernelPath));
    });

    test('only named drivers and what they need, and a kernel that is not compressed', async () => {
      const out = join(folder, 'some.tar');
      const kernel = join(folder, 'vmlinux');
      const words = ['--drivers', 'virtio-net overlay', '--kernel-format', 'vmlinux', '--kernel', kernel];
      const { code, stdout, stderr } = await run('--kernel-package', names.asked, ...words, '--rootfs', out);
      assert.equal(code, 0, stderr + stdout);
      assert.ok(readFileSync(kernel).equals(PLAIN));
      const tree = await treeOf(out, folder);
      const top = `lib/modules/${RELEASE}`;
      assert.deepEqual(
        Object.keys(MODULES).filter((path) => tree.has(`${top}/${path}.gz`)),
        ['kernel/drivers/net/virtio_net.ko', 'kernel/net/core/failover.ko'],
      );
      assert.ok(!tree.text(`${top}/modules.dep`)!.includes('other'));
      assert.deepEqual(
        (JSON.parse(stdout) as { notes: string[] }).notes.filter((note) => note.includes('fail/over.bin')).length,
        1,
        stdout,
      );
    });

    test('errors name the package, the driver, the flag', async () => {
      const out = join(folder, 'no.tar');
      const cases: readonly (readonly [code: string, ...args: string[]])[] = [
        ['DRIVER_UNKNOWN', '--kernel-package', names.asked, '--drivers', 'virtio_nett'],
        ['DRIVER_UNKNOWN', '--kernel-package', names.asked, '--drivers', 'kata-qemu'],
        ['DRIVERS_WITHOUT_KERNEL', '--drivers', 'virtio_net'],
        ['KERNEL_MISSING', '--kernel-package', 'base', '--kernel', join(folder, 'none')],
        ['USAGE', '--kernel', join(folder, 'none')],
        ['SETTING_CONFLICT', '--kernel-package', names.asked, '--kernel', out],
        [family.codes.unknownPackage, '--kernel-package', 'no-such-kernel'],
      ];
      for (const [code, ...args] of cases) {
        const built = await run(...args, '--rootfs', out);
        assert.notEqual(built.code, 0, args.join(' '));
        const { error } = JSON.parse(built.stdout) as { error: { code: string; message: string } };
        assert.equal(error.code, code, `${args.join(' ')}: ${error.message}`);
      }
    });
  });
