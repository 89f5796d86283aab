import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openArtefact } from '../../src/artefacts/open.ts';
import { readMbr } from '../../src/formats/disk/mbr.ts';
import { osbuilder } from '../support/cli.ts';
import { needs, temporary, tool } from '../support/data.ts';
import { tar } from '../support/debs.ts';
import { fakeGuest, fakeQemu, fakeSteps } from '../support/fake-qemu.ts';
import { smallFlags, smallRepository } from '../support/small-guest.ts';
import { dump } from '../support/trees.ts';

/** `osbuilder extension`: images that Kata's guests mount beside their root file system. */

const EPOCH = '1700000000';
const PARAMETERS =
  /^root_hash=([0-9a-f]{64}),salt=([0-9a-f]+),data_blocks=(\d+),data_block_size=4096,hash_block_size=4096$/;

/** A folder with two sources: a folder and an archive, the second over the first. */
function sources(t: TestContext): string {
  const folder = temporary(t);
  mkdirSync(join(folder, 'tree/usr/bin'), { recursive: true });
  mkdirSync(join(folder, 'tree/etc'));
  writeFileSync(join(folder, 'tree/usr/bin/tool'), '#!/bin/sh\necho tool\n'.repeat(2000));
  chmodSync(join(folder, 'tree/usr/bin/tool'), 0o755);
  writeFileSync(join(folder, 'tree/etc/old'), 'old\n');
  writeFileSync(join(folder, 'tree/etc/kept'), 'kept\n');
  const layer = [
    { name: './etc/' },
    { name: './etc/.wh.old', data: '' },
    { name: './etc/new', data: 'new\n' },
    { name: './etc/new-again', type: '1', link: './etc/new' },
  ];
  writeFileSync(join(folder, 'layer.tar'), tar(layer));
  return folder;
}

const run = (folder: string, args: readonly string[], env: Record<string, string> = {}) =>
  osbuilder(['extension', ...args], { cwd: folder, env: { SOURCE_DATE_EPOCH: EPOCH, ...env } });

interface Document {
  readonly extension: Readonly<Record<string, string>> & { readonly base?: Readonly<Record<string, unknown>> };
  readonly outputs: readonly { readonly kind: string; readonly path: string; readonly sha256: string }[];
}

async function made(folder: string, args: readonly string[], env?: Record<string, string>): Promise<Document> {
  const result = await run(folder, [...args, '--json'], env);
  assert.equal(result.code, 0, result.stderr);
  return JSON.parse(result.stdout) as Document;
}

const treeOf = async (path: string) => (await openArtefact(path, { workspace: () => path })).tree();

test('of a folder and an archive: what Kata’s guests need of it, as text and as JSON', async (t) => {
  const folder = sources(t);
  const text = await run(folder, ['tools', 'tree', 'layer.tar']);
  assert.equal(text.code, 0, text.stderr);
  const name = 'kata-containers-tools-extension.img';
  const line = readFileSync(join(folder, 'root_hash_tools-extension.txt'), 'utf8').trimEnd();
  assert.match(line, PARAMETERS);
  assert.match(text.stdout, new RegExp(`^kata\\.extension\\.tools\\.verity_params=${line}$`, 'm'));
  assert.match(text.stdout, new RegExp(`^path = "${join(folder, name)}"\nverity_params = "${line}"$`, 'm'));
  const { extension, outputs } = await made(folder, ['tools', 'tree', 'layer.tar', '-o', 'again.img']);
  assert.deepEqual(extension, {
    name: 'tools',
    verityParams: line,
    kernelParameter: `kata.extension.tools.verity_params=${line}`,
    configuration: `[[hypervisor.qemu.guest_extension_images]]\nname = "tools"\npath = "${join(folder, 'again.img')}"\nverity_params = "${line}"\n`,
    serial: 'extension-tools',
    mountPoint: '/run/kata-extensions/tools',
  });
  assert.deepEqual([outputs[0]!.kind, outputs[0]!.path], ['extension', 'again.img']);
  assert.deepEqual(readFileSync(join(folder, 'again.img')), readFileSync(join(folder, name)));

  // nothing that is not in the sources, such as a machine id
  const tree = await treeOf(join(folder, name));
  const paths = [...tree.walk()].map(({ path }) => path);
  assert.deepEqual(paths, ['', 'etc', 'etc/kept', 'etc/new', 'etc/new-again', 'usr', 'usr/bin', 'usr/bin/tool']);
  assert.equal(tree.lstat('etc/new'), tree.lstat('etc/new-again'));

  // no header for NVDIMM devices: the first partition is at 1 MiB, and the only table before it is the first
  const bytes = readFileSync(join(folder, name));
  const { partitions } = readMbr(bytes.subarray(0, 512))!;
  assert.deepEqual(
    partitions.map(({ start, active }) => [start, active]),
    [
      [1 << 20, true],
      [(1 << 20) + partitions[0]!.size, false],
    ],
  );
  assert.ok(bytes.subarray(512, 1 << 20).every((byte) => byte === 0));
  const verified = await osbuilder(['verify', name], { cwd: folder });
  assert.equal(verified.code, 0, verified.stderr);
});

test('fsck.erofs and veritysetup accept its partitions', {
  skip: needs({ tools: ['fsck.erofs', 'veritysetup'] }),
}, async (t) => {
  const folder = sources(t);
  const { extension } = await made(folder, ['tools', 'tree', 'layer.tar', '-o', 'x.img']);
  const bytes = readFileSync(join(folder, 'x.img'));
  const [data, hashes] = readMbr(bytes.subarray(0, 512))!.partitions.map(({ start, size }, i) => {
    const path = join(folder, `p${i}`);
    writeFileSync(path, bytes.subarray(start, start + size));
    return path;
  }) as [string, string];
  const out = join(folder, 'extracted');
  const fsck = spawnSync(tool('fsck.erofs')!, [`--extract=${out}`, data], { encoding: 'utf8' });
  assert.equal(fsck.status, 0, fsck.stdout + fsck.stderr);
  for (const path of ['usr/bin/tool', 'etc/kept'])
    assert.deepEqual(readFileSync(join(out, path)), readFileSync(join(folder, 'tree', path)));
  const [, root, salt, blocks] = PARAMETERS.exec(extension['verityParams']!)!;
  const verify = (hash: string) =>
    spawnSync(
      tool('veritysetup')!,
      [
        ...['verify', '--no-superblock', `--data-blocks=${blocks}`, `--salt=${salt}`],
        ...['--data-block-size=4096', '--hash-block-size=4096', data, hashes, hash],
      ],
      { encoding: 'utf8' },
    );
  const good = verify(root!);
  assert.equal(good.status, 0, good.stderr);
  assert.notEqual(verify(root!.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))).status, 0);
});

test('the same bytes with 1, 2 and 16 threads, in another folder, time zone and from every form of source', async (t) => {
  const folder = sources(t);
  cpSync(join(folder, 'tree'), join(folder, 'elsewhere/copy'), { recursive: true, preserveTimestamps: true });
  const args = (source: string, name: string) => ['tools', source, 'layer.tar', '-o', name];
  const expected = (await made(folder, args('tree', 'a.img'))).outputs[0]!.sha256;
  for (const jobs of ['1', '2', '16'])
    assert.equal((await made(folder, [...args('tree', `j${jobs}.img`), '--jobs', jobs])).outputs[0]!.sha256, expected);
  const env = { TZ: 'Asia/Tokyo', LC_ALL: 'C' };
  assert.equal((await made(folder, args('elsewhere/copy', 'b.img'), env)).outputs[0]!.sha256, expected);
  for (const form of ['rootfs.tar', 'rootfs.tar.zst']) {
    const packed = await osbuilder(['extract', 'tree', '-o', form], { cwd: folder });
    assert.equal(packed.code, 0, packed.stderr);
    assert.equal((await made(folder, args(form, 'c.img'))).outputs[0]!.sha256, expected, form);
  }
  // an image of it as the source of another one
  assert.equal((await made(folder, ['tools', 'a.img', '-o', 'd.img'])).outputs[0]!.sha256, expected);
});

test('not measured: one partition, and no value for the kernel', async (t) => {
  const folder = sources(t);
  for (const [args, env] of [
    [['--measured-rootfs', 'no'], {}],
    [[], { MEASURED_ROOTFS: 'no' }],
  ] as const) {
    const { extension } = await made(folder, ['tools', 'tree', '-o', 'x.img', ...args], env);
    assert.equal(extension['kernelParameter'], 'kata.extension.tools.verity_params');
    assert.match(extension['configuration']!, /^verity_params = ""$/m);
    assert.equal(readMbr(readFileSync(join(folder, 'x.img')).subarray(0, 512))!.partitions.length, 1);
    assert.ok(!existsSync(join(folder, 'root_hash_tools-extension.txt')));
  }
});

const REJECTED: readonly (readonly [args: readonly string[], code: string, says: RegExp])[] = [
  [['a b', 'tree'], 'EXTENSION_NAME', /letters, digits/],
  [['../x', 'tree'], 'EXTENSION_NAME', /letters, digits/],
  [['elevenchars', 'tree'], 'EXTENSION_NAME', /11 characters/],
  [['coco', 'tree'], 'EXTENSION_MANIFEST', /the extension "coco" has none/],
  [['x', 'absent'], 'READ_FAILED', /absent/],
  [['x', 'tree', 'tree/etc/old'], 'ROOTFS_UNKNOWN', /expected a folder/],
  [['x', 'tree', '--base', 'absent'], 'READ_FAILED', /absent/],
  [['x', 'tree', '--base', 'tree'], 'EXTENSION_EMPTY', /nothing is new or changed/],
  [['x', 'tree', '--fs-type', 'ext4'], 'USAGE', /--fs-type has no effect: .* EROFS/],
  [['x', 'tree', '--partition-table', 'gpt'], 'USAGE', /a disk with an MBR/],
  [['x', 'tree', '--agent', 'demo'], 'USAGE', /none of Kata’s parts/],
  [['x', 'tree', '--root-free-space', '5'], 'SETTING_INVALID', /erofs is read-only/],
  [['x', 'tree', '--sbom', 'x.json'], 'USAGE', /writes nothing about a guest/],
  [['x', 'tree', '-o', 'tree/x.img'], 'OUTPUT_INSIDE_INPUT', /x\.img/],
  [['x', 'tree', 'layer.tar', '-o', 'layer.tar'], 'OUTPUT_IS_INPUT', /layer\.tar/],
  [['x', 'tree', '--base', 'layer.tar', '-o', 'layer.tar'], 'OUTPUT_IS_INPUT', /layer\.tar/],
  [[], 'USAGE', /needs NAME/],
];

for (const [args, code, says] of REJECTED)
  test(`rejected: ${args.join(' ')}`, async (t) => {
    const folder = sources(t);
    const before = readdirSync(folder);
    const { code: status, stderr } = await run(folder, args);
    assert.ok(status !== 0 && status !== 70, stderr);
    assert.match(stderr, new RegExp(`\\[${code}\\]`));
    assert.match(stderr, says);
    assert.deepEqual(readdirSync(folder), before);
  });

test('--base: only what is new or changed; what would need deletion is named', async (t) => {
  const folder = temporary(t);
  const repository = await smallRepository(folder);
  const flags = [...smallFlags(repository.root, repository.keyring, join(folder, 'cache')), '--agent', 'demo'];
  const guest = [...flags, '--agent-init'];
  for (const [kind, path, ...more] of [
    ['image', 'base.img'],
    ['image', 'erofs.img', '--fs-type', 'erofs'],
    ['initrd', 'base.initrd'],
    ['rootfs', 'base.tar'],
  ] as const) {
    const base = await osbuilder([kind, ...guest, ...more, '-o', path], {
      cwd: folder,
      env: { SOURCE_DATE_EPOCH: EPOCH },
    });
    assert.equal(base.code, 0, base.stderr);
  }
  writeFileSync(
    join(folder, 'conf.tar'),
    tar([
      { name: './etc/tools.conf', data: 'a=2\n' },
      { name: './opt/x', data: 'x' },
    ]),
  );
  const fuller = [...guest, '--overlay', 'conf.tar'];
  const sums = new Set<string>();
  for (const base of ['base.img', 'erofs.img', 'base.initrd', 'base.tar']) {
    const { extension, outputs } = await made(folder, ['more', ...fuller, '--base', base, '-o', 'more.img']);
    assert.deepEqual(extension.base, { path: base, added: 2, changed: 1 }, base);
    sums.add(outputs[0]!.sha256);
    const files = [...(await treeOf(join(folder, 'more.img'))).walk()].filter(
      ({ inode }) => inode.kind !== 'directory',
    );
    assert.deepEqual(
      files.map(({ path }) => path),
      ['etc/tools.conf', 'opt/x'],
    );
  }
  assert.equal(sums.size, 1, 'the form of the base has no influence');

  for (const [more, paths] of [
    [['--remove', 'usr/share/extra'], '/usr/share/extra'],
    [['--remove', 'etc/*'], '/etc/os-release'],
    // without the agent that the base has
    [[], '/sbin/init|/usr/sbin/init'],
  ] as const) {
    const own = more.length === 0 ? flags : fuller;
    const result = await run(folder, ['less', ...own, ...more, '--base', 'base.img', '-o', 'less.img']);
    assert.equal(result.code, 1, result.stderr);
    assert.match(
      result.stderr,
      new RegExp(`base\\.img has what would need deletion: .*(${paths}).* \\[EXTENSION_DELETES\\]`),
    );
    assert.ok(!existsSync(join(folder, 'less.img')));
  }

  // an image against an image
  const both = await osbuilder(['image', ...fuller, '--measured-rootfs', '-o', 'fuller.img'], {
    cwd: folder,
    env: { SOURCE_DATE_EPOCH: EPOCH },
  });
  assert.equal(both.code, 0, both.stderr);
  const { extension } = await made(folder, ['more', 'fuller.img', '--base', 'base.img', '-o', 'images.img']);
  assert.equal(extension.base!['added'], 2);
  assert.deepEqual(
    dump(await treeOf(join(folder, 'images.img'))).map((line) => line.split(' ')[0]),
    ['/', 'etc', 'etc/tools.conf', 'opt', 'opt/x'],
  );
});

test('what an image has of its form alone is not deleted: machine id, also where its folder was made for it', async (t) => {
  const folder = temporary(t);
  for (const [name, files] of [
    ['bare', { 'opt/x': 'x' }],
    ['more', { 'opt/x': 'x', 'opt/y': 'y' }],
    ['other', { 'opt/x': 'x', 'etc/conf': 'y' }],
  ] as const)
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(folder, name, path, '..'), { recursive: true });
      writeFileSync(join(folder, name, path), text);
    }
  for (const fsType of ['ext4', 'erofs', 'xfs']) {
    for (const name of ['bare', 'other']) {
      const args = ['image', name, '--rootfs-only', '--fs-type', fsType, '-o', `${name}.img`];
      const { code, stderr } = await osbuilder(args, { cwd: folder, env: { SOURCE_DATE_EPOCH: EPOCH } });
      assert.equal(code, 0, stderr);
    }
    const { extension } = await made(folder, ['e', 'more', '--base', 'bare.img', '-o', 'e.img']);
    assert.deepEqual([extension.base!['added'], extension.base!['changed']], [1, 0], fsType);
    // a file that the user had there
    const { code, stderr } = await run(folder, ['e', 'more', '--base', 'other.img', '-o', 'none.img']);
    assert.equal(code, 1);
    assert.match(stderr, /EXTENSION_DELETES/);
  }
});

test('from packages, without a base: the distribution’s files and none of Kata’s parts', async (t) => {
  const folder = temporary(t);
  const { root, keyring } = await smallRepository(folder);
  await made(folder, ['devkit', ...smallFlags(root, keyring, join(folder, 'cache')), '-o', 'x.img']);
  const tree = await treeOf(join(folder, 'x.img'));
  assert.ok(tree.has('usr/share/extra') && tree.has('usr/bin/tool'));
  for (const path of ['etc/machine-id', 'var/lib/osbuilder', 'usr/lib/systemd/system/kata-agent.service'])
    assert.ok(!tree.has(path), path);
});

test('boot gives extensions to the guest as disks with their serial numbers, and says their root hashes', async (t) => {
  const folder = sources(t);
  const { extension } = await made(folder, ['tools', 'tree', '-o', 'tools.img']);
  await made(folder, ['plain', 'tree', '-o', 'plain.img', '--measured-rootfs', 'no']);
  const bin = fakeQemu(folder);
  const { kernel, initrd } = await fakeGuest(folder);
  const boot = async (...args: string[]) => {
    const trace = join(folder, 'trace');
    const env = { ...fakeSteps(bin, [{ console: 'READY\n' }], trace), TMPDIR: folder };
    const common = ['boot', initrd, '--arch', 'x86_64', '--kernel', kernel, '--until', 'READY', '--json'];
    const result = await osbuilder([...common, ...args], { cwd: folder, env });
    return { result, words: () => (JSON.parse(readFileSync(trace, 'utf8')) as { args: string[] }).args };
  };
  const { result, words } = await boot('--extension', 'tools=tools.img', '--extension', 'plain=plain.img');
  assert.equal(result.code, 0, result.stderr);
  const all = words();
  assert.ok(all.includes('virtio-blk-pci,drive=x0,serial=extension-tools'), all.join(' '));
  assert.ok(all.includes('virtio-blk-pci,drive=x1,serial=extension-plain'));
  assert.ok(all.some((word) => /^file=plain\.img,.*id=x1,.*readonly=on/.test(word)));
  const append = all[all.indexOf('-append') + 1]!.split(' ');
  assert.ok(append.includes(extension['kernelParameter']!) && append.includes('kata.extension.plain.verity_params'));
  const codes = (JSON.parse(result.stdout) as { warnings: { code: string }[] }).warnings.map(({ code }) => code);
  assert.deepEqual(codes, ['BOOT_EXTENSION_UNMOUNTED']);
  for (const [args, says] of [
    [['--extension', 'tools'], /expected NAME=FILE/],
    [['--extension', 'a=tools.img', '--extension', 'a=plain.img'], /is named twice/],
    [['--extension', 'a b=tools.img'], /EXTENSION_NAME/],
    [['--extension', 'a=layer.tar'], /BOOT_UNFIT.*an extension is a disk image/s],
    [['--extension', 'a=absent'], /READ_FAILED/],
  ] as const)
    assert.match((await boot(...args)).result.stdout, says);
  // measured, and the root hash is nowhere
  mkdirSync(join(folder, 'alone'));
  cpSync(join(folder, 'tools.img'), join(folder, 'alone/tools.img'));
  assert.match(
    (await boot('--extension', 'tools=alone/tools.img')).result.stdout,
    /BOOT_UNFIT.*its root hash is not known/s,
  );
});
