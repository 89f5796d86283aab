import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { openArtefact } from '../../src/artefacts/open.ts';
import { SETTINGS } from '../../src/settings/table.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary } from '../support/data.ts';
import type { SmallDeb } from '../support/debs.ts';
import { fakeGuest, fakeQemu, fakeSteps } from '../support/fake-qemu.ts';
import { type StaticServer, serve } from '../support/server.ts';
import { SMALL_PACKAGES, smallRepository } from '../support/small-guest.ts';

/** Every call that Kata's build makes of tools/osbuilder, played on the files of `osbuilder drop-in`. */

const skip = needs({ tools: ['bash', 'make', 'git'] });

/** A systemd of three files, so that a guest with it passes the builders' checks. */
const SYSTEMD: SmallDeb = {
  name: 'init',
  files: [
    { name: './usr/' },
    { name: './usr/lib/' },
    { name: './usr/lib/systemd/' },
    { name: './usr/lib/systemd/systemd', data: '#!/bin/sh\n', mode: 0o755 },
    { name: './usr/sbin/' },
    { name: './usr/sbin/init', type: '2', link: '../lib/systemd/systemd' },
  ],
};

const FILES = [
  ['Makefile', 0o644],
  ['rootfs-builder/rootfs.sh', 0o755],
  ['image-builder/image_builder.sh', 0o755],
  ['initrd-builder/initrd_builder.sh', 0o755],
] as const;

describe('drop-in', { skip }, () => {
  const hooks: (() => void)[] = [];
  const folder = skip ? '' : temporary({ after: (fn) => void hooks.push(fn) });
  const tools = join(folder, 'tools', 'osbuilder');
  let server: StaticServer;
  let base: Record<string, string>;

  before(async (t) => {
    const { root, keyring } = await smallRepository(folder, {}, [...SMALL_PACKAGES, SYSTEMD]);
    server = await serve({ after: (fn) => void hooks.push(() => void fn()) }, root);
    const agent = join(folder, 'kata-agent');
    writeFileSync(agent, '#!/bin/sh\n', { mode: 0o755 });
    base = {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      TMPDIR: tmpdir(),
      ARCH: 'x86_64',
      OS_VERSION: 'trixie',
      PACKAGES: 'extra init',
      REPO_URL: server.url,
      KEYRING: keyring,
      OSBUILDER_CACHE_DIR: join(folder, 'cache'),
      AGENT_SOURCE_BIN: agent,
      SOURCE_DATE_EPOCH: '1700000000',
      IMAGE_SIZE_ALIGNMENT_MB: '8',
    };
    assert.ok(t);
    const made = await osbuilder(['drop-in', 'tools/osbuilder'], { cwd: folder });
    assert.equal(made.code, 0, made.stderr);
  });
  test.after(() => {
    for (const hook of hooks) hook();
  });

  /** Runs a program in a folder with the base's variables and others; an empty value is an empty variable. */
  async function run(cwd: string, program: string, args: readonly string[], more: Record<string, string> = {}) {
    mkdirSync(join(folder, cwd), { recursive: true });
    const child = spawn(program, args, { cwd: join(folder, cwd), env: { ...base, ...more } });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (piece) => void (stdout += piece));
    child.stderr.on('data', (piece) => void (stderr += piece));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    return { code, stdout, stderr, text: stdout + stderr };
  }
  const rootfs = (cwd: string, args: readonly string[], more?: Record<string, string>) =>
    run(cwd, join(tools, 'rootfs-builder/rootfs.sh'), args, more);
  const image = (cwd: string, args: readonly string[], more?: Record<string, string>) =>
    run(cwd, join(tools, 'image-builder/image_builder.sh'), args, more);
  const initrd = (cwd: string, args: readonly string[], more?: Record<string, string>) =>
    run(cwd, join(tools, 'initrd-builder/initrd_builder.sh'), args, more);
  const make = (cwd: string, args: readonly string[], more?: Record<string, string>) =>
    run(cwd, 'make', ['-f', join(tools, 'Makefile'), ...args], more);
  const at = (...parts: string[]) => join(folder, ...parts);
  const kindOf = async (path: string) => (await openArtefact(path, { workspace: () => at('cache') })).kind;
  const treeOf = async (path: string) => (await openArtefact(path, { workspace: () => at('cache') })).tree();

  test('four files, which only this command replaces', async () => {
    for (const [name, mode] of FILES) assert.equal(statSync(join(tools, name)).mode & 0o777, mode, name);
    const again = await osbuilder(['drop-in', 'tools/osbuilder', '--json'], { cwd: folder });
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(
      (JSON.parse(again.stdout) as { files: string[] }).files,
      FILES.map(([name]) => join('tools/osbuilder', name)),
    );
    mkdirSync(at('theirs', 'rootfs-builder'), { recursive: true });
    writeFileSync(at('theirs', 'rootfs-builder', 'rootfs.sh'), '#!/bin/bash\n');
    const other = await osbuilder(['drop-in', 'theirs'], { cwd: folder });
    assert.equal(other.code, 1);
    assert.match(other.stderr, /rootfs\.sh.*not written by "osbuilder drop-in"/);
    assert.ok(!existsSync(at('theirs', 'Makefile')), 'nothing is written when one file cannot be');
  });

  test('make: the targets, their files and markers, in the current folder', async () => {
    const all = await make('a', ['DISTRO=debian', 'USE_DOCKER=1']);
    assert.equal(all.code, 0, all.text);
    for (const name of ['debian_rootfs', '.debian_rootfs.done', 'kata-containers.img', 'kata-containers-initrd.img'])
      assert.ok(existsSync(at('a', name)), name);
    assert.match(all.stderr, /^rootfs\.sh: USE_DOCKER has no effect: no container is used$/m);
    assert.equal(await kindOf(at('a/kata-containers.img')), 'disk');
    assert.equal(await kindOf(at('a/kata-containers-initrd.img')), 'initrd');
    const tree = await treeOf(at('a/kata-containers.img'));
    assert.equal(tree.file('usr/bin/kata-agent')?.mode, 0o755);
    assert.equal(tree.text('etc/tools.conf'), 'a=1\n');
    assert.equal(tree.text('etc/machine-id'), '');
    assert.equal(tree.lstat('usr/bin/tool')?.mode, 0o4755, 'modes that a folder of the host may not have');
    // a marker that is there skips the rootfs
    const asked = server.requests.length;
    rmSync(at('a/kata-containers.img'));
    const again = await make('a', ['image', 'DISTRO=debian']);
    assert.equal(again.code, 0, again.text);
    assert.doesNotMatch(again.stdout, /Creating rootfs/);
    assert.equal(server.requests.length, asked);
    assert.ok(existsSync(at('a/kata-containers.img')));
    assert.equal((await make('a', ['clean', 'DISTRO=debian'])).code, 0);
    for (const name of ['debian_rootfs', '.debian_rootfs.done', 'kata-containers.img', 'kata-containers-initrd.img'])
      assert.ok(!existsSync(at('a', name)), name);
  });

  test('make: targets of one distribution, and folders that only arguments set', async () => {
    const named = await make('b', [
      'image-debian',
      'initrd-debian',
      `ROOTFS_BUILD_DEST=${at('b/r')}`,
      `IMAGES_BUILD_DEST=${at('b/i')}`,
    ]);
    // IMAGES_BUILD_DEST has to exist, as with Kata's own
    assert.equal(named.code, 0, named.text);
    assert.ok(existsSync(at('b/r/debian_rootfs')) && existsSync(at('b/r/.debian_rootfs.done')));
    assert.equal(await kindOf(at('b/i/kata-containers-image-debian.img')), 'disk');
    assert.equal(await kindOf(at('b/i/kata-containers-initrd-debian.img')), 'initrd');
    const environment = await make('c', ['print-ROOTFS_BUILD_DEST', 'print-IMAGES_BUILD_DEST', 'print-DISTRO'], {
      ROOTFS_BUILD_DEST: '/elsewhere',
      IMAGES_BUILD_DEST: '/elsewhere',
    });
    assert.equal(environment.stdout, `${at('c')}\n${at('c')}\nubuntu\n`);
    assert.equal((await make('c', ['print-DISTRO'], { DISTRO: 'debian' })).stdout, 'debian\n');
    assert.equal((await make('c', ['print-TARGET_ROOTFS', 'DISTRO=debian'])).stdout, `${at('c/debian_rootfs')}\n`);
  });

  test('make test: initrd and image of each distribution are built and booted; one that fails ends it', async () => {
    const bin = fakeQemu(at('qemu'));
    const { kernel } = await fakeGuest(at('qemu'));
    const booted = (console: string) => {
      const { PATH, FAKE_QEMU, FAKE_QEMU_TRACE } = fakeSteps(bin, [{ console }], at('qemu', 'trace'));
      return make('t', ['test', 'DISTRO=debian', `TEST_BOOT_OPTIONS=--kernel ${kernel}`], {
        ...{ FAKE_QEMU, FAKE_QEMU_TRACE: FAKE_QEMU_TRACE! },
        PATH: `${PATH}:${base['PATH']}`,
      });
    };
    const good = await booted('[  OK  ] Started kata-agent.service - Kata Containers Agent.\n');
    assert.equal(good.code, 0, good.text);
    assert.equal(good.stdout.match(/^\[ {2}OK {2}\] Started kata-agent/gm)?.length, 2, good.text);
    for (const name of ['initrd', 'image']) assert.ok(existsSync(at('t', `kata-containers-${name}-debian.img`)), name);
    // the last one started was the image, as a disk
    const { args } = JSON.parse(readFileSync(at('qemu', 'trace'), 'utf8')) as { args: string[] };
    assert.ok(args.some((word) => word.includes('kata-containers-image-debian.img')));
    const bad = await booted('Kernel panic - not syncing: VFS\n');
    assert.notEqual(bad.code, 0);
    assert.match(bad.stderr, /\[BOOT_FAILED\]/);
  });

  test('make: BUILD_METHOD, list-distros, install-scripts', async () => {
    const wrong = await make('d', ['rootfs', 'BUILD_METHOD=other']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /Invalid BUILD_METHOD value 'other'. Supported values: distro dracut/);
    assert.match((await make('d', ['print-TARGET_ROOTFS', 'BUILD_METHOD=dracut'])).stdout, /^dracut_rootfs$/m);
    const listed = await make('d', ['list-distros']);
    for (const name of ['alpine', 'debian', 'ubuntu']) assert.match(listed.stdout, new RegExp(`^${name}$`, 'm'));
    assert.match(listed.stdout, /^[\w-]+(\n[\w-]+)*\n$/);
    const installed = await make('d', ['install-scripts', `DESTDIR=${at('d/dest')}`, 'KATADIR=/opt/kata']);
    assert.equal(installed.code, 0, installed.text);
    for (const [name, mode] of FILES.slice(1))
      assert.equal(statSync(at('d/dest/opt/kata/osbuilder', name)).mode & 0o777, mode, name);
  });

  test('build_image.sh: a measured image with its root hash beside it', async () => {
    const made = await make(
      'e',
      [
        'image',
        'BUILD_VARIANT=base',
        'DISTRO=debian',
        'DEBUG=',
        'OS_VERSION=trixie',
        `ROOTFS_BUILD_DEST=${at('e/build')}`,
        'USE_DOCKER=1',
        'AGENT_POLICY=no',
        'COCO_GUEST_COMPONENTS_TARBALL=',
        'PAUSE_IMAGE_TARBALL=',
        'GUEST_HOOKS_TARBALL=',
        'AGENT_TARBALL=',
      ],
      {
        MEASURED_ROOTFS: 'yes',
        CONFIDENTIAL_GUEST: 'no',
        FS_TYPE: 'erofs',
        SKIP_DAX_HEADER: 'yes',
        EXTRA_PKGS: '',
        REPO_COMPONENTS: '',
      },
    );
    assert.equal(made.code, 0, made.text);
    const line = readFileSync(at('e/root_hash_base.txt'), 'latin1');
    assert.match(
      line,
      /^root_hash=[0-9a-f]{64},salt=[0-9a-f]{64},data_blocks=\d+,data_block_size=4096,hash_block_size=4096\n$/,
    );
    const verified = await osbuilder(['verify', 'kata-containers.img'], { cwd: at('e') });
    assert.equal(verified.code, 0, verified.stderr);
    const [first, second] = verified.stdout.split('\n');
    assert.equal(first, 'kata-containers.img: disk, sound');
    assert.equal(
      second,
      `  partition 1: all ${Number(/data_blocks=(\d+)/.exec(line)![1]) * 4096} bytes have the root hash ${line.slice('root_hash='.length, line.indexOf(','))}, which is from root_hash_base.txt`,
    );
  });

  test('rootfs.sh: options, a folder that is emptied first, and an existing rootfs', async () => {
    mkdirSync(at('f/guest/old'), { recursive: true });
    const made = await rootfs('f', ['-d', '-o', '9.9-test', '-r', at('f/guest'), 'debian'], {
      COCO_GUEST_COMPONENTS_TARBALL: '',
    });
    assert.equal(made.code, 0, made.text);
    const tree = await treeOf(at('f/guest'));
    assert.equal(tree.lstat('old'), undefined);
    assert.match(tree.text('var/lib/osbuilder/osbuilder.yaml')!, /version: "9\.9-test"/);
    // without a name the rootfs is beside the script, as Kata's own has it
    const beside = await rootfs('f', ['debian'], { ROOTFS_DIR: '' });
    assert.equal(beside.code, 0, beside.text);
    assert.ok(existsSync(join(tools, 'rootfs-builder/rootfs-debian/etc')));
    rmSync(join(tools, 'rootfs-builder/rootfs-debian'), { recursive: true });
    // an existing rootfs gets Kata's parts, and keeps its own
    mkdirSync(at('f/own/etc'), { recursive: true });
    writeFileSync(at('f/own/etc/mine'), 'mine');
    const provisioned = await rootfs('f', [], { ROOTFS_DIR: at('f/own'), AGENT_INIT: 'yes' });
    assert.equal(provisioned.code, 0, provisioned.text);
    assert.equal((await treeOf(at('f/own'))).text('etc/mine'), 'mine');
    assert.equal((await treeOf(at('f/own'))).file('sbin/init')?.mode, 0o755);
    assert.ok(!existsSync(at('f/own.new')));
    const packed = await initrd('f', [at('f/own')], { AGENT_INIT: 'yes', INITRD_IMAGE: 'named.img' });
    assert.equal(packed.code, 0, packed.text);
    assert.equal(await kindOf(at('f/named.img')), 'initrd');
    // an address for one architecture outranks the other, however that is named
    for (const ARCH of ['x86_64', 'amd64']) {
      const more = { ARCH, REPO_URL: 'http://127.0.0.1:9/', REPO_URL_X86_64: server.url };
      const outranked = await rootfs('f', ['-r', at('f/ranked'), 'debian'], more);
      assert.equal(outranked.code, 0, outranked.text);
    }
    const unknown = await rootfs('f', ['-r', at('f/ranked'), 'debian'], { ARCH: 'x-y' });
    assert.deepEqual([unknown.code, /"x-y"/.test(unknown.stderr)], [1, true], unknown.text);
  });

  test('rootfs.sh: an existing rootfs behind a link keeps its place, and nothing else is touched', async () => {
    mkdirSync(at('k/own/etc'), { recursive: true });
    mkdirSync(at('k/own.new'), { recursive: true });
    writeFileSync(at('k/own.new/theirs'), '');
    writeFileSync(at('k/own/etc/mine'), 'mine');
    symlinkSync('own', at('k/link'));
    const place = statSync(at('k/own')).ino;
    const made = await rootfs('k', ['-r', 'link'], { AGENT_INIT: 'yes' });
    assert.equal(made.code, 0, made.text);
    assert.match(made.stdout, /^rootfs .* \S*k\/own$/m);
    assert.equal(statSync(at('k/own')).ino, place);
    assert.equal((await treeOf(at('k/link'))).file('sbin/init')?.mode, 0o755);
    assert.deepEqual(readdirSync(at('k')).sort(), ['link', 'own', 'own.manifest.jsonl', 'own.new']);
    assert.deepEqual(readdirSync(at('k/own.new')), ['theirs']);
    const packed = await initrd('k', ['-o', '-named.img', 'link'], { AGENT_INIT: 'yes' });
    assert.equal(packed.code, 0, packed.text);
    assert.equal(await kindOf(at('k/-named.img')), 'initrd');
    // a build that fails leaves the rootfs as it was
    const failed = await rootfs('k', ['-r', 'link'], { AGENT_SOURCE_BIN: '/no/such' });
    assert.equal(failed.code, 1, failed.text);
    assert.deepEqual(readdirSync(at('k')).sort(), ['-named.img', 'link', 'own', 'own.manifest.jsonl', 'own.new']);
    // so does one by name, into the folder that a link leads to
    const anew = await rootfs('k', ['-r', 'link', 'debian']);
    assert.equal(anew.code, 0, anew.text);
    assert.ok(lstatSync(at('k/link')).isSymbolicLink() && existsSync(at('k/own/usr')));
  });

  test('make: empty variables are not set, and folders with spaces are an error that touches nothing', async () => {
    const empty = ['DISTRO=', 'BUILD_METHOD=', 'ROOTFS_BUILD_DEST=', 'IMAGES_BUILD_DEST='];
    const clean = await make('l', ['-n', 'clean', ...empty]);
    assert.equal(clean.code, 0, clean.text);
    assert.ok(clean.stdout.includes(` ${at('l/ubuntu_rootfs')} `), clean.stdout);
    const unset = await make('l', ['print-DISTRO'], { DISTRO: '' });
    assert.equal(unset.stdout, 'ubuntu\n');
    mkdirSync(at('l/a b'), { recursive: true });
    mkdirSync(at('l/a'));
    for (const [cwd, args] of [
      ['l/a b', ['clean']],
      ['l', ['clean', 'ROOTFS_BUILD_DEST=a b']],
      ['l', ['clean', `IMAGES_BUILD_DEST=${at('l/a')} b`]],
      ['l', ['rootfs', 'DISTRO=debian x']],
    ] as const) {
      const made = await make(cwd, args);
      assert.deepEqual([made.code, /must be without spaces/.test(made.stderr)], [2, true], made.text);
    }
    assert.deepEqual(readdirSync(at('l')).sort(), ['a', 'a b']);
  });

  test('rootfs.sh: help, lists, templates', async () => {
    const help = await rootfs('g', ['-h']);
    assert.deepEqual([help.code, help.stderr], [0, '']);
    for (const option of ['-a', '-d', '-h', '-l', '-o', '-r', '-t'])
      assert.match(help.stdout, new RegExp(`^  ${option} `, 'm'));
    assert.match((await rootfs('g', ['-l'])).stdout, /^debian$/m);
    assert.match((await rootfs('g', ['-t', 'alpine'])).stdout, /^name: alpine$/m);
    assert.equal((await rootfs('g', ['-t', 'no-such'])).code, 1);
    assert.equal((await rootfs('g', ['-x'])).code, 1);
  });

  test('what ends with an error, by name and with exit 1, and makes nothing', async () => {
    const debian = ['-r', at('h/guest'), 'debian'];
    const cases: [args: string[], more: Record<string, string>, reason: RegExp][] = [
      [debian, { AGENT_INIT: 'maybe' }, /AGENT_INIT\(maybe\) is invalid/],
      [debian, { AGENT_POLICY: '1' }, /AGENT_POLICY\(1\) is invalid/],
      [debian, { KERNEL_MODULES_DIR: '/no/such' }, /KERNEL_MODULES_DIR is not an existing directory/],
      [debian, { AGENT_TARBALL: '/a.tar', USE_DOCKER: '1' }, /AGENT_SOURCE_BIN and AGENT_TARBALL are both set/],
      [debian, { SELINUX: 'yes' }, /SELINUX=yes is for centos/],
      [debian, { OS_VERSION: '' }, /OS_VERSION is needed for debian/],
      [['-r', at('h/guest'), 'ubuntu'], { OS_VERSION: '' }, /OS_VERSION is needed for ubuntu/],
      [debian, { AGENT_SOURCE_BIN: '' }, /no agent is given/],
      [debian, { AGENT_BIN: 'other' }, /AGENT_BIN=other/],
      [['-a', '1.0', ...debian], {}, /-a is not supported/],
      [[], { ROOTFS_DIR: '' }, /ROOTFS_DIR is empty/],
      [['-r', '/', 'debian'], {}, /must not be \//],
      [['-r', at('h/guest')], {}, /guest is not a directory/],
      [['debian', '-r', at('h/guest')], {}, /: -r is too much/],
      [debian, { SELINUX: 'true' }, /SELINUX=yes is for centos/],
      [['-r', at('h/guest'), 'no-such'], {}, /no-such/],
      [debian, { BUILD_VARIANT: 'nvidia-gpu' }, /BUILD_VARIANT=nvidia-gpu is not supported/],
      ...[
        'AGENT_VERSION',
        'LIBC',
        'DISTRO_REPO',
        'DNF_CONF',
        'NVIDIA_GPU_STACK',
        'KBUILD_SIGN_PIN',
        'GRACEFUL_EXIT',
      ].map((name): [string[], Record<string, string>, RegExp] => [
        debian,
        { [name]: 'x' },
        new RegExp(`${name} is not supported`),
      ]),
    ];
    for (const [args, more, reason] of cases) {
      const made = await rootfs('h', args, more);
      assert.deepEqual(
        [made.code, reason.test(made.stderr)],
        [1, true],
        `${JSON.stringify(more)} ${args.join(' ')}\n${made.text}`,
      );
      assert.ok(!existsSync(at('h/guest')));
    }
  });

  test('variables without effect: a line for each, and empty ones are not set', async () => {
    const names = [
      'USE_DOCKER',
      'USE_PODMAN',
      'DOCKER_RUNTIME',
      'IMAGE_REGISTRY',
      'INSIDE_CONTAINER',
      'NSDAX_BIN',
      'GOPATH',
    ];
    const set = Object.fromEntries(names.map((name) => [name, 'x']));
    for (const call of [rootfs, image, initrd]) {
      const said = await call('i', ['-h'], set);
      assert.equal(said.code, 0);
      assert.deepEqual(
        said.stderr
          .trimEnd()
          .split('\n')
          .map((line) => / (\w+) has no effect: /.exec(line)?.[1]),
        names,
      );
      const empty = await call(
        'i',
        ['-h'],
        Object.fromEntries(
          [...names, 'AGENT_VERSION', 'LIBC', 'BUILD_VARIANT', 'AGENT_INIT'].map((name) => [name, '']),
        ),
      );
      assert.deepEqual([empty.code, empty.stderr], [0, '']);
    }
  });

  test('every variable belongs to one script, or to all: what made the rootfs is not asked of its image again', async () => {
    const all =
      `ARCH AGENT_INIT SELINUX SOURCE_DATE_EPOCH OSBUILDER_SBOM OSBUILDER_SBOM_FORMAT OSBUILDER_SBOM_FILES OSBUILDER_PROVENANCE
      OSBUILDER_SIGN_KEY OSBUILDER_REFERENCE_VALUES OSBUILDER_REFERENCE_VALUES_FORMAT OSBUILDER_CMDLINE OSBUILDER_PUSH
      OSBUILDER_REGISTRY_PLAIN_HTTP OSBUILDER_CA_CERT OSBUILDER_REMOTE_CACHE OSBUILDER_REMOTE_CACHE_WRITE OSBUILDER_FORCE OSBUILDER_SOURCE_OWNER
      OSBUILDER_CACHE_DIR OSBUILDER_MAX_PACKAGE_SIZE OSBUILDER_MAX_UNPACKED_SIZE OSBUILDER_CACHE_SIZE OSBUILDER_VERIFY_CACHE
      OSBUILDER_OFFLINE OSBUILDER_MIRROR_TIMEOUT OSBUILDER_JOBS OSBUILDER_STRICT OSBUILDER_JSON OSBUILDER_QUIET
      OSBUILDER_VERBOSE`.split(/\s+/);
    const text = readFileSync(join(tools, 'image-builder/image_builder.sh'), 'latin1');
    const own = [...text.matchAll(/^\w+_variables=\(([^)]*)\)/gm)].flatMap((match) => match[1]!.split(/\s+/));
    for (const { environment } of Object.values(SETTINGS) as { environment: readonly string[] }[])
      for (const name of environment) assert.equal([...all, ...own].filter((each) => each === name).length, 1, name);
    // those of the rootfs that would be errors of an image
    const more = { OSBUILDER_KEEP: 'tool', DRIVERS: 'none', OSBUILDER_SOURCE_ROOT: 'x', OSBUILDER_LOCK: '/no/such' };
    const packed = await image('f', ['-o', 'kept.img', 'guest'], { ...more, OSBUILDER_PROFILE: '/no/such' });
    assert.deepEqual([packed.code, /no effect|warning/.test(packed.stderr)], [0, false], packed.text);
  });

  test('image_builder.sh and initrd_builder.sh: options before variables, names, checks', async () => {
    const ready = await rootfs('j', ['-r', at('j/guest'), 'debian'], { DEBUG: '1' });
    assert.equal(ready.code, 0, ready.text);
    const cases: [call: typeof image, args: string[], more: Record<string, string>, made: string, kind: string][] = [
      [image, ['guest'], {}, 'kata-containers.img', 'disk'],
      [image, ['guest'], { IMAGE: 'variable.img' }, 'variable.img', 'disk'],
      [
        image,
        ['-o', 'option.img', '-f', 'erofs', 'guest'],
        { IMAGE: 'other.img', FS_TYPE: 'ext4' },
        'option.img',
        'disk',
      ],
      [image, ['-o', 'free.img', '-r', '20', 'guest'], { OSBUILDER_USE_CHRONIC: '1' }, 'free.img', 'disk'],
      [initrd, ['guest'], {}, 'kata-containers-initrd.img', 'initrd'],
      [initrd, ['-o', 'option-initrd.img', 'guest'], { INITRD_IMAGE: 'other.img' }, 'option-initrd.img', 'initrd'],
    ];
    for (const [call, args, more, name, kind] of cases) {
      const made = await call('j', args, more);
      assert.equal(made.code, 0, made.text);
      assert.equal(await kindOf(at('j', name)), kind, name);
      if (more['OSBUILDER_USE_CHRONIC'] !== undefined) assert.equal(made.stderr, '');
    }
    assert.ok(!existsSync(at('j/other.img')));
    assert.ok(statSync(at('j/free.img')).size >= statSync(at('j/kata-containers.img')).size + (16 << 20));
    const inspected = await osbuilder(['inspect', 'option.img'], { cwd: at('j') });
    assert.match(inspected.stdout, /^erofs in partition 1/m);
    for (const call of [image, initrd]) {
      assert.equal((await call('j', [])).code, 0, 'usage');
      assert.match((await call('j', ['-h'])).stdout, /^Usage: /);
      const missing = await call('j', ['no-such']);
      assert.deepEqual([missing.code, /no-such is not a directory/.test(missing.stderr)], [1, true]);
      mkdirSync(at('j/empty'), { recursive: true });
      const unfit = await call('j', ['-o', 'unfit.img', 'empty']);
      assert.deepEqual([unfit.code, /\/sbin\/init is not installed/.test(unfit.stderr)], [1, true]);
      assert.ok(!existsSync(at('j/unfit.img')));
    }
    for (const call of [image, initrd]) {
      const more = await call('j', ['guest', '-o', 'late.img']);
      assert.deepEqual([more.code, /: -o is too much/.test(more.stderr)], [1, true]);
    }
    const measured = await image('j', ['-o', 'm.img', 'guest'], { MEASURED_ROOTFS: '1', BUILD_VARIANT: 'base' });
    assert.deepEqual([measured.code, existsSync(at('j/root_hash_base.txt'))], [0, true], measured.text);
    const unchecked = await image('j', ['-o', 'unfit.img', 'empty'], { SKIP_ROOTFS_CHECK: 'yes' });
    assert.equal(unchecked.code, 0, unchecked.text);
    mkdirSync(at('j/half/sbin'), { recursive: true });
    writeFileSync(at('j/half/sbin/init'), '', { mode: 0o755 });
    const agentless = await initrd('j', ['half']);
    assert.deepEqual([agentless.code, /kata-agent is not installed/.test(agentless.stderr)], [1, true]);
  });
});
