import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Lock, lockText, parseLock } from '../../src/lock/lock.ts';
import { osbuilder, type Result } from '../support/cli.ts';
import { needs } from '../support/data.ts';
import { FAMILIES_UNDER_TEST, type MadeRepository } from '../support/family-repository.ts';
import { KERNEL, kernelPackages, NAMES } from '../support/kernel-packages.ts';
import { RPM_TOOLS } from '../support/rpms.ts';
import { type StaticServer, serve } from '../support/server.ts';

/** Kernels from packages in locks, bills of materials and provenance, for each family. */

interface Made {
  readonly outputs: readonly { readonly kind: string; readonly sha256: string }[];
  readonly kernel?: { readonly sha256: string };
}

const documentOf = ({ stdout, stderr }: Result): Made => {
  assert.notEqual(stdout, '', stderr);
  const document = JSON.parse(stdout) as Made & { readonly error?: { readonly message: string } };
  assert.equal(document.error, undefined, stderr);
  return document;
};
const errorOf = ({ stdout, stderr }: Result): { code: string; message: string } => {
  assert.notEqual(stdout, '', stderr);
  return (JSON.parse(stdout) as { error: { code: string; message: string } }).error;
};

for (const family of FAMILIES_UNDER_TEST)
  describe(`locked kernels of ${family.family}`, {
    skip: family.family === 'rpm' && needs({ tools: RPM_TOOLS }),
  }, () => {
    const names = NAMES[family.family]!.at(-1)!;
    const { asked, kernel, modules, whole = kernel, lists = modules } = names;
    const parts = [...new Set([asked, whole, kernel, modules, lists])].sort();
    let folder: string;
    let made: MadeRepository;
    let server: StaticServer;
    let lock: Lock;
    const path = (name: string) => join(folder, name);
    const closing: (() => void | Promise<void>)[] = [];

    const run = (args: readonly string[], where: readonly string[] = ['--repo-url', server.url]) =>
      osbuilder([...args, '--keyring', made.keyring, ...where], { cwd: folder, env: { http_proxy: '' } });
    const fresh = (name: string) => ['--cache-dir', path(`cache-${name}`)];
    const guest = () => [
      ...[...family.flags, '--packages', 'base', '--agent', 'demo', '--agent-init', '--no-seccomp'],
      ...['--kernel-package', names.asked, '--drivers', 'virtio_net'],
    ];

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'osbuilder-locked-kernel-'));
      made = await family.make(folder, kernelPackages(names));
      server = await serve({ after: (fn) => void closing.push(fn) }, made.root);
      const outputs = ['--rootfs', 'a.tar', '--initrd', 'a.img', '--kernel', 'vmlinuz'];
      const result = await run(['lock', ...guest(), ...outputs, '-o', 'l.json', ...fresh('lock')]);
      assert.equal(result.code, 0, result.stderr);
      lock = parseLock(readFileSync(path('l.json'), 'utf8'), 'l.json');
    });
    after(async () => {
      for (const close of closing) await close();
      rmSync(folder, { recursive: true, force: true });
    });

    test('the lock names the kernel, its packages, and nothing else that they need', () => {
      const kernels = lock.packages.filter(({ part }) => part === 'kernel');
      assert.deepEqual(kernels.map(({ name }) => name).sort(), parts);
      for (const { repository } of kernels) assert.equal(repository, 0);
      assert.equal(lock.repositories.length, 1);
      assert.ok(!lock.packages.some(({ name }) => name === names.tools));
      assert.deepEqual(
        lock.outputs.map(({ kind, name }) => `${kind} ${name}`),
        ['rootfs a.tar', 'initrd a.img', 'kernel vmlinuz'],
      );
      assert.equal(lock.outputs[2]!.size, KERNEL.length);
    });

    test('an empty list is locked as one: no drivers, no packages of the profile, no options of mkfs', async () => {
      const words = [
        ...[...family.flags, '--packages', '', '--extra-pkgs', 'base', '--agent', 'demo', '--agent-init'],
        ...['--kernel-package', names.asked, '--drivers', '', '--fs-type', 'erofs', '--fs-options', ''],
      ];
      const locked = await run(['lock', ...words, '--image', 'n.img', '-o', 'n.json', ...fresh('lock')]);
      assert.equal(locked.code, 0, locked.stderr);
      const again = ['build', '--image', 'n2.img', '--lock', 'n.json', '--frozen', ...fresh('lock')];
      const built = await run(again);
      assert.equal(built.code, 0, built.stderr);
      assert.ok(readFileSync(path('n.img')).equals(readFileSync(path('n2.img'))));
      const verified = await run(['verify', 'n.img', '--lock', 'n.json', '--rebuild', ...fresh('lock')]);
      assert.equal(verified.code, 0, verified.stderr);
      // what a lock of another build says; the file itself is as that lock has it
      const { drivers: _, ...settings } = JSON.parse(readFileSync(path('n.json'), 'utf8')).settings;
      const other = { ...JSON.parse(readFileSync(path('n.json'), 'utf8')), settings };
      writeFileSync(path('n-other.json'), JSON.stringify(other));
      const differs = await run(['verify', 'n.img', '--lock', 'n-other.json', '--rebuild', '--json', ...fresh('lock')]);
      assert.equal(errorOf(differs).code, 'LOCK_OUTPUT_DIFFERS');
      assert.match(
        errorOf(differs).message,
        /^n\.img is what the lock says \([0-9a-f]{64}\), but a fresh build differs:/,
      );
    });

    test('the same packages are locked without building', async () => {
      const result = await run(['lock', ...guest(), '-o', 'planned.json', ...fresh('planned')]);
      assert.equal(result.code, 0, result.stderr);
      const planned = parseLock(readFileSync(path('planned.json'), 'utf8'), 'planned.json');
      assert.equal(lockText({ ...planned, outputs: lock.outputs }), lockText(lock));
    });

    test('built again, frozen, from the mirror, from a bare folder, and offline from the cache: the same bytes', async () => {
      mkdirSync(path('bare'));
      let count = 0;
      for (const one of made.archives.values()) copyFileSync(join(made.root, one), path(`bare/${count++}.bin`));
      const cases: [name: string, where: readonly string[]][] = [
        ['mirror', ['--repo-url', server.url]],
        ['folder', ['--repo', path('bare')]],
        ['mirror', ['--offline']],
      ];
      for (const [name, where] of cases) {
        const outputs = ['--rootfs', 'b.tar', '--initrd', 'b.img', '--kernel', 'vmlinuz-b'];
        const words = ['build', '--lock', 'l.json', '--frozen', ...outputs, '--json', ...fresh(name)];
        const before = server.requests.length;
        const { outputs: again, kernel } = documentOf(await run(words, where));
        assert.deepEqual(
          [...again.map(({ sha256 }) => sha256), kernel!.sha256],
          lock.outputs.map(({ sha256 }) => sha256),
          `${name} ${where.join(' ')}`,
        );
        if (name !== 'mirror' || where.includes('--offline')) assert.equal(server.requests.length, before);
      }
    });

    test('verify reads it, builds it again, and names one that differs', async () => {
      const args = ['verify', 'a.img', 'vmlinuz', '--lock', 'l.json'];
      const plainly = (more: readonly string[]) => osbuilder(more, { cwd: folder });
      const good = await plainly(args);
      assert.equal(good.code, 0, good.stderr);
      const again = await run([...args, '--rebuild', ...fresh('mirror')]);
      assert.equal(again.code, 0, again.stderr);
      assert.match(again.stdout, /^vmlinuz: kernel, as the lock says, built again with the same bytes$/m);
      mkdirSync(path('changed'), { recursive: true });
      writeFileSync(path('changed/vmlinuz'), Buffer.concat([KERNEL, Buffer.from('\0')]));
      const changed = errorOf(await plainly(['verify', 'changed/vmlinuz', '--lock', 'l.json', '--json']));
      assert.equal(changed.code, 'LOCK_OUTPUT_DIFFERS');
    });

    test('another kernel, and none, are no kernel of the lock', async () => {
      const word = ['build', '--lock', 'l.json', '--rootfs', 'c.tar', '--json', ...fresh('mirror')];
      const other = errorOf(await run([...word, '--kernel-package', 'base']));
      assert.equal(other.code, 'LOCK_SETTING_CHANGED');
      assert.match(other.message, /kernel-package.* is base, and the lock says/);
      const { 'kernel-package': _, drivers: __, ...settings } = lock.settings;
      const without = { ...lock, settings, packages: lock.packages.filter(({ part }) => part === undefined) };
      writeFileSync(path('without.json'), lockText(without));
      const more = ['build', '--lock', 'without.json', '--rootfs', 'c.tar', '--json', ...fresh('mirror')];
      assert.equal(errorOf(await run([...more, '--kernel-package', names.asked])).code, 'LOCK_SETTING_CHANGED');
      writeFileSync(path('empty.json'), lockText({ ...without, settings: lock.settings }));
      const empty = ['build', '--lock', 'empty.json', '--rootfs', 'c.tar', '--json', ...fresh('mirror')];
      assert.equal(errorOf(await run(empty)).code, 'KERNEL_MISSING');
    });

    test('a kernel that has changed at its mirror is named', async () => {
      const at = `/${made.archives.get(names.kernel)!}`;
      server.files.set(at, Buffer.from('another one'));
      const error = errorOf(await run(['build', '--lock', 'l.json', '--rootfs', 'd.tar', '--json', ...fresh('moved')]));
      server.files.delete(at);
      assert.equal(error.code, 'LOCKED_PACKAGE_MISSING');
      assert.ok(error.message.startsWith(`${names.kernel} `), error.message);
    });

    test('lock --update of another package keeps the kernel; of the kernel it takes it anew', async () => {
      for (const name of ['base', names.kernel]) {
        copyFileSync(path('l.json'), path('u.json'));
        const args = ['lock', '--update', name, '-o', 'u.json', '--json', ...fresh('mirror')];
        const result = await run(args);
        assert.equal(result.code, 0, result.stderr);
        const updated = parseLock(readFileSync(path('u.json'), 'utf8'), 'u.json');
        assert.deepEqual(updated.packages, lock.packages);
        assert.deepEqual(updated.repositories, lock.repositories);
      }
    });

    test('its packages are in bills of materials and provenance, and its digest in the values', async () => {
      const proofs = ['--sbom', 's.cdx.json', '--provenance', 'p.json', '--reference-values', 'v.json'];
      const outputs = ['--rootfs', 'e.tar', '--initrd', 'e.img', '--kernel', 'vmlinuz-e'];
      const built = await run(['build', ...guest(), ...outputs, ...proofs, ...fresh('mirror')]);
      assert.equal(built.code, 0, built.stderr);
      const read = (name: string): unknown => JSON.parse(readFileSync(path(name), 'utf8'));
      const { components, dependencies } = read('s.cdx.json') as {
        components: { name: string; type: string; 'bom-ref': string; hashes: { content: string }[] }[];
        dependencies: { ref: string; dependsOn?: string[] }[];
      };
      const sums = new Map(lock.packages.map(({ name, sha256 }) => [name, sha256]));
      for (const name of parts) {
        const found = components.filter((one) => one.name === name && one.type === 'library');
        assert.deepEqual(
          found.map(({ hashes }) => hashes[0]!.content),
          [sums.get(name)],
          name,
        );
        assert.ok(dependencies.find(({ ref }) => ref === 'guest')!.dependsOn!.includes(found[0]!['bom-ref']));
      }
      assert.ok(!components.some(({ name }) => /virtio_net/.test(name)), 'a module came with its package');
      const { subject, predicate } = read('p.json') as {
        subject: { name: string; digest: { sha256: string } }[];
        predicate: { buildDefinition: { resolvedDependencies: { digest: { sha256: string } }[] } };
      };
      assert.deepEqual(
        subject.map(({ digest }) => digest.sha256),
        lock.outputs.map(({ sha256 }) => sha256),
      );
      const used = predicate.buildDefinition.resolvedDependencies.map(({ digest }) => digest.sha256);
      for (const { sha256 } of lock.packages) assert.ok(used.includes(sha256));
      assert.deepEqual((read('v.json') as Record<string, string[]>)['kernel-sha256'], [lock.outputs[2]!.sha256]);
    });
  });
