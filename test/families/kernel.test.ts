import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { treeOf } from '../support/big-guest.ts';
import { osbuilder } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { FAMILIES_UNDER_TEST, type MadeRepository } from '../support/family-repository.ts';
import { KERNEL, kernelPackages, MODULES, NAMES, PLAIN, RELEASE } from '../support/kernel-packages.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** Kernels from packages, with the same kernel in each family's own names and places. */

const splits = FAMILIES_UNDER_TEST.flatMap((family) => NAMES[family.family]!.map((names) => ({ family, names })));

for (const { family, names } of splits)
  describe(`kernel packages of ${family.family}: ${names.asked}`, {
    skip: family.family === 'rpm' && needs({ tools: RPM_TOOLS }),
  }, () => {
    let folder: string;
    let made: MadeRepository;
    let server: StaticServer;
    const closing: (() => void | Promise<void>)[] = [];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'osbuilder-kernel-'));
      made = await family.make(folder, kernelPackages(names));
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

    test('a file of a package is as good as its name where a family takes files', async () => {
      const file = join(made.root, made.archives.get(names.asked)!);
      const kernel = join(folder, 'of-file');
      const out = join(folder, 'of-file.tar');
      const { code, stdout, stderr } = await run('--kernel-package', file, '--kernel', kernel, '--rootfs', out);
      if (family.family !== 'apt') {
        // only apt takes files where it takes names
        assert.equal(JSON.parse(stdout).error.code, family.codes.unknownPackage);
        return;
      }
      assert.equal(code, 0, stderr + stdout);
      assert.ok(readFileSync(kernel).equals(KERNEL));
      assert.ok((await treeOf(out, folder)).has(`lib/modules/${RELEASE}/modules.dep`));
    });

    test('a package with a kernel and no modules is of use for its kernel alone', async () => {
      const out = join(folder, 'uvm.tar');
      const kernel = join(folder, 'uvm');
      const codes = ({ stdout }: { stdout: string }) =>
        (JSON.parse(stdout) as { warnings: { code: string }[] }).warnings.map(({ code }) => code);
      const written = await run('--kernel-package', 'kernel-uvm', '--kernel', kernel, '--rootfs', out);
      assert.equal(written.code, 0, written.stderr + written.stdout);
      assert.ok(readFileSync(kernel).equals(PLAIN));
      assert.deepEqual(codes(written), []);
      const unused = await run('--kernel-package', 'kernel-uvm', '--rootfs', out);
      assert.equal(unused.code, 0, unused.stderr + unused.stdout);
      assert.deepEqual(codes(unused), ['KERNEL_UNUSED']);
      const chosen = await run('--kernel-package', 'kernel-uvm', '--drivers', 'virtio_net', '--rootfs', out);
      assert.notEqual(chosen.code, 0, chosen.stdout);
    });

    test('errors name the package, the driver, the flag', async () => {
      const out = join(folder, 'no.tar');
      const cases: readonly (readonly [code: string, ...args: string[]])[] = [
        ['DRIVER_UNKNOWN', '--kernel-package', names.asked, '--drivers', 'virtio_nett'],
        ['DRIVER_UNKNOWN', '--kernel-package', names.asked, '--drivers', 'kata-qemu'],
        ['DRIVERS_WITHOUT_KERNEL', '--drivers', 'virtio_net'],
        ['KERNEL_MISSING', '--kernel-package', 'base', '--kernel', join(folder, 'none')],
        // nothing of a kernel would come into the guest, and nobody would see it
        ['KERNEL_MISSING', '--kernel-package', 'base'],
        ['KERNEL_MISSING', '--kernel-package', family.family === 'apk' ? `!${names.asked}` : `${names.asked}-`],
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
