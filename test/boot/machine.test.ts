import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { kernelArchitecture } from '../../src/boot/kernel-file.ts';
import { kvmUse } from '../../src/boot/kvm.ts';
import { MACHINES } from '../../src/boot/machines.ts';
import { KernelModules } from '../../src/boot/modules.ts';
import { randomAccessMemory } from '../../src/bytes/file.ts';
import { pour } from '../../src/bytes/pour.ts';
import { cpioArchive } from '../../src/formats/cpio/emit.ts';
import { rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { osbuilder, type Result } from '../support/cli.ts';
import { elfFile } from '../support/elves.ts';
import { type FakeStep, fakeGuest, fakeQemu, fakeSteps } from '../support/fake-qemu.ts';
import { madeModule } from '../support/modules.ts';
import { openFolder } from '../support/other-user.ts';

/** `osbuilder boot` around a stand-in for QEMU: what is seen, said and left behind. */

interface Scene {
  readonly folder: string;
  boot(
    steps: readonly FakeStep[],
    args?: readonly string[],
    started?: Parameters<typeof osbuilder>[1],
    artefact?: string,
  ): Promise<Result>;
  trace(): { readonly pid: number; readonly args: string[] };
  readonly initrd: string;
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = openFolder(t);
  const bin = fakeQemu(folder);
  const { initrd, kernel } = await fakeGuest(folder);
  const trace = join(folder, 'trace');
  return {
    folder,
    initrd,
    boot: (steps, args = ['--until', 'READY'], options = {}, artefact = initrd) =>
      osbuilder(['boot', artefact, '--arch', 'x86_64', '--kernel', kernel, ...args], {
        ...options,
        env: { ...fakeSteps(bin, steps, trace), TMPDIR: folder, ...options.env },
      }),
    trace: () => JSON.parse(readFileSync(trace, 'utf8')),
  };
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a line with the text ends the machine; the console is printed without control characters', async (t) => {
  const { boot, trace, folder } = await scene(t);
  const seen = await boot([
    { console: '[    0.0] Command line: console=ttyS0 READY\r\n' },
    { console: '[    0.1] Unknown kernel command line parameters "READY", will be passed to user space.\r\n' },
    { console: '\x1b[2J\x1b]0;title\x07\x1b[0;32m  OK  \x1b[0m fine\r\nKATA-AGENT-READY\r\n' },
  ]);
  assert.equal(seen.code, 0, seen.stderr);
  assert.match(seen.stdout, /^ {2}OK {2} fine\nKATA-AGENT-READY\n$/m);
  assert.doesNotMatch(seen.stdout, /[\x1b\r]/);
  assert.match(seen.stderr, /KATA-AGENT-READY after \d+\.\d s/);
  assert.equal(alive(trace().pid), false);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith('osbuilder-')),
    [],
  );
});

test('a text is found in a line that never ends, a pattern only in complete lines', async (t) => {
  const { boot } = await scene(t);
  const prompt: FakeStep[] = [{ console: 'guest login: ' }];
  assert.equal((await boot(prompt, ['--until', 'login:'])).code, 0);
  const pattern = await boot(prompt, ['--until-regex', 'login: $', '--timeout', '1']);
  assert.match(pattern.stderr, /\[BOOT_TIMEOUT\]/);
  const ended = await boot([...prompt, { exit: 0 }], ['--until-regex', '^GUEST login: $']);
  assert.equal(ended.code, 0, ended.stderr);
});

const FAILED: readonly (readonly [name: string, steps: readonly FakeStep[], args: readonly string[], says: RegExp])[] =
  [
    [
      'a panic',
      [{ console: 'Initramfs unpacking failed: write error\nKernel panic - not syncing: VFS\nREADY\n' }],
      [],
      /failed to boot.*panic - not syncing: VFS\n {2}\| Initramfs[\s\S]*\[BOOT_FAILED\]\n.*give it more with --memory/,
    ],
    [
      'an init that cannot run',
      [{ console: 'Failed to execute /init (error -13)\n' }],
      [],
      /\[BOOT_FAILED\]\n.*\/init is missing, not executable/,
    ],
    [
      'systemd in its emergency mode',
      [{ console: 'You are in emergency mode. After logging in…\n' }],
      [],
      /\[BOOT_FAILED\]\n.*systemd could not start/,
    ],
    [
      'a disk without driver',
      [{ console: 'osbuilder-boot: failed: no device /dev/vda1\n' }],
      [],
      /\[BOOT_FAILED\]\n.*no driver for the disk/,
    ],
    [
      'dax without header',
      [
        { console: 'EXT4-fs (pmem0): DAX unsupported by block device.\n' },
        { console: 'osbuilder-boot: failed: mount of /dev/pmem0p1\n' },
      ],
      [],
      /\[BOOT_FAILED\]\n.*--disk virtio-blk/,
    ],
    ['a line of the user’s', [{ console: 'my service broke\n' }], ['--fail-regex', 'BROKE$'], /\[BOOT_FAILED\]/],
    [
      'a machine that powers off',
      [{ console: 'bye\n' }, { exit: 0 }],
      [],
      /never showed "READY"\n {2}\| bye \[BOOT_ENDED\]/,
    ],
    [
      'no end in time',
      [{ console: 'slow\n' }],
      ['--timeout', '1'],
      /had not shown "READY"\n {2}\| slow \[BOOT_TIMEOUT\]\n.*--timeout/,
    ],
    ['QEMU that says nothing', [{ exit: 3 }], [], /with status 3: it said nothing \[QEMU_FAILED\]/],
    ...(
      [
        ["could not load PC BIOS 'bios-256k.bin'", /seabios/],
        ["Could not open option rom 'vgabios.bin': No such file or directory", /seabios/],
        ['Error loading uncompressed kernel without PVH ELF Note', /vmlinuz/],
        ['linux kernel too old to load a ram disk', /is no kernel of this architecture/],
        ["qemu: could not load kernel 'x': invalid kernel header", /is no kernel of this architecture/],
        ['Failed to get "write" lock', /another program has the image open/],
        ["cannot set up guest memory 'pc.ram': Cannot allocate memory", /less with --memory/],
        ["could not load bootloader 's390-ccw.img'", /qemu-system-data/],
      ] as const
    ).map(
      ([said, hint]) =>
        [
          `QEMU: ${said}`,
          [{ stderr: `qemu-system-x86_64: ${said}\n` }, { exit: 1 }],
          [],
          new RegExp(`with status 1: ${said.replaceAll(/[(){}[\].'"]/g, '.')} .QEMU_FAILED.\\n.*${hint.source}`),
        ] as const,
    ),
  ];

for (const [name, steps, args, says] of FAILED)
  test(`an error is said as it is needed: ${name}`, async (t) => {
    const { boot, trace } = await scene(t);
    const seen = await boot(steps, ['--until', 'READY', ...args]);
    assert.equal(seen.code, 1, seen.stdout);
    assert.match(seen.stderr, says);
    assert.equal(alive(trace().pid), false);
  });

test('a machine that powers off has not failed when nothing was sought', async (t) => {
  const { boot } = await scene(t);
  const seen = await boot([{ console: 'bye\n' }, { exit: 0 }], []);
  assert.equal(seen.code, 0, seen.stderr);
  assert.equal(seen.stdout, 'bye\n');
});

test('after the text the guest runs on until it powers off, where that is asked for', async (t) => {
  const { boot } = await scene(t);
  const seen = await boot(
    [{ console: 'READY\nKernel panic - not syncing: after the proof\nlast\n' }, { exit: 0 }],
    ['--until', 'READY', '--until-off'],
  );
  assert.equal(seen.code, 0, seen.stderr);
  assert.match(seen.stdout, /\nlast\n$/);
});

test('KVM that does not start is said, and the boot goes on', async (t) => {
  const { boot } = await scene(t);
  const stderr =
    'Could not access KVM kernel module: Permission denied\nqemu-system-x86_64: failed to initialize kvm: Permission denied\nqemu-system-x86_64: falling back to tcg\n';
  const seen = await boot([{ stderr }, { console: 'READY\n' }]);
  assert.equal(seen.code, 0, seen.stderr);
  assert.match(seen.stderr, /the machine was emulated: Could not access KVM kernel module: Permission denied/);
});

test('KVM is used where it can be, and what stands against it is said', () => {
  const use = (...args: Parameters<typeof kvmUse>) => kvmUse(...args);
  assert.deepEqual(use(undefined, 'x86_64', 'x86_64', 'usable'), { kvm: true });
  assert.deepEqual(use('tcg', 'x86_64', 'x86_64', 'usable'), { kvm: false });
  assert.deepEqual(use(undefined, 'aarch64', 'x86_64', 'usable'), { kvm: false });
  assert.deepEqual(use('kvm', 'x86_64', 'x86_64', 'dead'), { kvm: true });
  for (const [state, says] of [
    ['missing', /no \/dev\/kvm/],
    ['forbidden', /permission.*group/],
    ['dead', /neither vmx nor svm/],
  ] as const) {
    const { kvm, reason } = use(undefined, 'x86_64', 'x86_64', state);
    assert.equal(kvm, false);
    assert.match(reason!, says);
  }
  assert.match(use('kvm', 'aarch64', 'x86_64', 'usable').reason!, /KVM of x86_64 runs no guest of aarch64/);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  test(`${signal} ends the machine and leaves nothing`, async (t) => {
    const { boot, trace, folder } = await scene(t);
    const seen = await boot([{ deaf: true }, { console: 'running\n' }], ['--until', 'READY'], {
      // its first line shows that the machine runs
      started: (child) => void child.stdout!.once('data', () => child.kill(signal)),
    });
    assert.equal(seen.code, 130, seen.stderr);
    const { pid } = trace();
    for (let i = 0; i < 200 && alive(pid); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    assert.equal(alive(pid), false);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('osbuilder-')),
      [],
    );
  });

test('a machine that does not end when it is asked to is killed', async (t) => {
  const { boot, trace } = await scene(t);
  const seen = await boot([{ deaf: true }, { console: 'READY\n' }]);
  assert.equal(seen.code, 0, seen.stderr);
  assert.equal(alive(trace().pid), false);
});

test('--json says what came when', async (t) => {
  const { boot, initrd } = await scene(t);
  const seen = await boot(
    [{ console: 'one\nREADY now\n' }],
    ['--until', 'READY', '--json', '--accelerator', 'tcg', '--append', 'a b'],
  );
  assert.equal(seen.code, 0, seen.stderr);
  const { artefact, kernel, machine, outcome, line, console, seconds } = JSON.parse(seen.stdout);
  assert.deepEqual(artefact, { path: initrd, kind: 'initrd', architecture: 'x86_64' });
  assert.match(kernel.path, /vmlinuz$/);
  assert.equal(machine.accelerator, 'tcg');
  assert.equal(machine.memory, 512);
  assert.match(machine.arguments.at(-1), /^console=ttyS0 panic=-1 .* a b$/);
  assert.equal(outcome, 'seen');
  assert.equal(line.text, 'READY now');
  assert.ok(line.seconds <= seconds && line.seconds >= 0);
  assert.deepEqual(
    console.map((one: { text: string }) => one.text),
    ['one', 'READY now'],
  );
  const failed = await boot([{ exit: 1 }], ['--until', 'READY', '--json']);
  assert.equal(JSON.parse(failed.stdout).error.code, 'QEMU_FAILED');
});

test('a word that a guest gets anyway and that --append has as well is given once', async (t) => {
  const { boot, trace, folder } = await scene(t);
  const tree = new Tree();
  for (const path of ['usr/lib/systemd/systemd', 'usr/lib/systemd/system/kata-containers.target'])
    tree.writeFile(path, '');
  tree.symlink('init', 'usr/lib/systemd/systemd');
  const initrd = join(folder, 'systemd.img');
  await pour(cpioArchive(tree).open(), initrd);
  const mask = 'systemd.mask=systemd-networkd.service';
  for (const append of [[], ['--append', `a ${mask} b`]]) {
    const seen = await boot([{ console: 'READY\n' }], ['--until', 'READY', ...append], {}, initrd);
    assert.equal(seen.code, 0, seen.stderr);
    const words = trace().args.at(-1)!.split(' ');
    assert.equal(words.filter((word) => word === mask).length, 1, words.join(' '));
    assert.ok(words.includes('systemd.unit=kata-containers.target'));
  }
});

test('without QEMU the error names the package, for every architecture, before anything is fetched', async (t) => {
  const { initrd, folder } = await scene(t);
  for (const [arch, { program, package: name }] of Object.entries(MACHINES)) {
    const seen = await osbuilder(['boot', initrd, '--arch', arch, '--offline', '--cache-dir', join(folder, 'cache')], {
      env: { PATH: join(folder, 'nothing'), TMPDIR: folder },
    });
    assert.equal(seen.code, 1);
    assert.match(seen.stderr, new RegExp(`no program ${program}.*\\[QEMU_MISSING\\]\\n.*package ${name} `));
  }
  const unknown = await osbuilder(['boot', initrd, '--arch', 'riscv64'], { env: { TMPDIR: folder } });
  assert.match(unknown.stderr, /architecture riscv64: expected one of x86_64.*\[MACHINE_UNKNOWN\]/);
});

test('what cannot be booted is rejected, with the way to it', async (t) => {
  const { folder, initrd } = await scene(t);
  const text = join(folder, 'notes.txt');
  writeFileSync(text, 'text\n'.repeat(300));
  const boot = async (path: string) => (await osbuilder(['boot', path], { env: { TMPDIR: folder } })).stderr;
  assert.match(await boot(text), /notes\.txt cannot be booted: it is no initrd and no disk image \[BOOT_UNFIT\]/);
  assert.match(await boot(folder), /it is a folder \[BOOT_UNFIT\]\n.*osbuilder initrd .* -o initrd\.img/);
  assert.match(await boot(join(folder, 'absent')), /\[READ_FAILED\]/);
  assert.match(await boot('-'), /QEMU needs a file/);
  const wrong = await osbuilder(['boot', initrd, '--arch', 'aarch64', '--kernel', join(folder, 'vmlinuz')], {
    env: { PATH: fakeQemu(folder, ['qemu-system-aarch64']), TMPDIR: folder },
  });
  assert.match(wrong.stderr, /vmlinuz is for x86_64, but the guest is for aarch64 \[BOOT_ARCHITECTURE\]/);
  rmSync(text);
});

test('a measured image is started with a warning that its hash tree is not used', async (t) => {
  const { folder } = await scene(t);
  const made = await osbuilder(
    ['image', 'tree', '-o', 'm.img', '--measured-rootfs', '--skip-dax-header', '--skip-rootfs-check', '--quiet'],
    { cwd: bootable(folder), env: { TMPDIR: folder } },
  );
  assert.equal(made.code, 0, made.stderr);
  const env = { ...fakeSteps(join(folder, 'bin'), [{ console: 'READY\n' }]), TMPDIR: folder };
  const args = ['boot', 'm.img', '--arch', 'x86_64', '--kernel', 'vmlinuz', '--until', 'READY', '--json'];
  const booted = await osbuilder(args, { cwd: folder, env });
  assert.equal(booted.code, 0, booted.stderr);
  assert.deepEqual(
    JSON.parse(booted.stdout).warnings.map((one: { code: string }) => one.code),
    ['BOOT_UNMEASURED'],
  );
});

/** A folder with a tree that has an init. */
function bootable(folder: string): string {
  mkdirSync(join(folder, 'tree/sbin'), { recursive: true });
  writeFileSync(join(folder, 'tree/sbin/init'), '#!/bin/sh\n', { mode: 0o755 });
  return folder;
}

test('kernels are recognised by their first bytes', () => {
  const of = (size: number, ...parts: readonly (readonly [at: number, text: string])[]) => {
    const bytes = Buffer.alloc(size);
    for (const [at, text] of parts) bytes.write(text, at, 'latin1');
    return kernelArchitecture(randomAccessMemory(bytes), 'k');
  };
  assert.equal(of(4096, [0x202, 'HdrS']), 'x86_64');
  assert.equal(of(4096, [0, 'MZ'], [0x38, 'ARM\x64']), 'aarch64');
  assert.equal(of(4096, [0, 'MZ'], [4, 'zimg']), undefined);
  assert.equal(of(4096, [0, '\x1f\x8b']), undefined);
  assert.equal(of(0x20000, [0x10008, 'S390EP']), 's390x');
  for (const size of [0, 1, 63, 64, 0x206, 0x1000e]) assert.throws(() => of(size), { code: 'KERNEL_UNFIT' });
  // an ELF header that says nothing more
  assert.throws(() => of(64, [0, '\x7fELF']), { code: 'KERNEL_UNFIT' });
});

test('a kernel without a driver, a distribution without a kernel: both are said', async (t) => {
  const { folder, initrd, boot } = await scene(t);
  const modules = new Tree();
  modules.writeFile('lib/modules/6.1/modules.builtin', 'kernel/fs/ext4.ko\n');
  modules.writeFile('lib/modules/6.1/kernel/virtio-blk.ko', madeModule({ info: ['depends=virtio_ring'] }));
  const kernel = new KernelModules(modules, 'lib/modules/6.1', 'linux 6.1');
  assert.deepEqual(await kernel.closure(['ext4']), []);
  await assert.rejects(kernel.closure(['xfs']), { code: 'DRIVER_MISSING', message: /linux 6\.1 has no driver xfs$/ });
  await assert.rejects(kernel.closure(['virtio_blk']), { message: /no driver virtio_ring, which virtio_blk needs/ });
  // a module that is none, and one that unpacks to more than any module has
  modules.writeFile('lib/modules/6.1/kernel/virtio-net.ko', 'x\0depends=virtio\0 and no more');
  modules.writeFile('lib/modules/6.1/kernel/virtio-gpu.ko.gz', gzipSync(Buffer.alloc(257 << 20)));
  const more = new KernelModules(modules, 'lib/modules/6.1', 'linux 6.1');
  for (const name of ['virtio_net', 'virtio-gpu'])
    await assert.rejects(more.closure([name]), { code: 'MODULE_CORRUPT' });
  const none = await osbuilder(['boot', initrd, '--arch', 'x86_64', '--distro', 'clearlinux'], {
    env: { PATH: fakeQemu(folder), TMPDIR: folder },
  });
  assert.match(
    none.stderr,
    /nothing says which package has the kernel of clearlinux.*\[KERNEL_UNKNOWN\]\n.*the file of a kernel/,
  );
  assert.equal((await boot([], ['--distro', 'debian'])).code, 2);
});

test('with --json a boot that failed has all lines of its console too', async (t) => {
  const { boot } = await scene(t);
  const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`);
  for (const [last, code] of [
    ['Kernel panic - not syncing: VFS', 'BOOT_FAILED'],
    ['and off', 'BOOT_ENDED'],
  ] as const) {
    const steps: FakeStep[] = [{ console: [...lines, last, ''].join('\n') }, { exit: 0 }];
    const { code: exit, stdout } = await boot(steps, ['--until', 'READY', '--json']);
    assert.equal(exit, 1);
    const { error } = JSON.parse(stdout);
    assert.equal(error.code, code);
    assert.deepEqual(
      error.context.console.map((one: { text: string }) => one.text),
      [...lines, last],
    );
    assert.equal(typeof error.context.console[0].seconds, 'number');
  }
});

test('flags that contradict each other or have no meaning are misuse', async (t) => {
  const { boot } = await scene(t);
  for (const [args, says] of [
    [['--until', 'a', '--until-regex', 'b'], /only one of them/],
    [['--until-regex', '('], /--until-regex: Invalid regular expression/],
    [['--fail-regex', '['], /--fail-regex: Invalid/],
    [['--until', ''], /--until/],
    [['--until-off'], /--until-off needs --until/],
    [['--timeout', 'soon'], /--timeout: expected a whole number from 1/],
    [['--memory', '2'], /--memory: expected a whole number from 16 to 9999999, not "2"/],
    [['--memory', '99999999'], /from 16 to 9999999/],
    [['--timeout', '1e3'], /from 1 to 9999999/],
    [['--disk', 'nvdimm'], /--disk is for disks, and .*initrd\.img is an initrd/],
    [['--disk', 'virtio-blk'], /--disk is for disks/],
    [['--writable'], /--writable is for disks/],
    [['--disk', 'nvdim'], /did you mean "?nvdimm/],
    [['--accelerator', 'xen'], /expected one of kvm, tcg/],
    [['--load', 'overlay'], /--load.*--kernel/],
    [['--extra-pkgs', 'a'], /has no effect|extra-pkgs/],
  ] as const) {
    const seen = await boot([], args);
    assert.equal(seen.code, 2, `${args.join(' ')}: ${seen.stderr}`);
    assert.match(seen.stderr, says);
  }
});

test('--arch that contradicts the programs of the guest is an error', async (t) => {
  const { boot, folder } = await scene(t);
  const tree = new Tree();
  tree.writeFile('init', '#!/bin/sh\n', rootMeta(0o755));
  tree.writeFile('usr/bin/env', elfFile({ machine: 183 }), rootMeta(0o755));
  const other = join(folder, 'arm.img');
  await pour(cpioArchive(tree).open(), other);
  const seen = await boot([], [], {}, other);
  assert.equal(seen.code, 2, seen.stderr);
  assert.match(seen.stderr, /are for aarch64, not for x86_64 .*\[SETTING_CONFLICT\]/s);
});
