import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { hashStart } from '../../src/artefacts/disk.ts';
import type { DiskOptions } from '../../src/artefacts/disk-options.ts';
import { openArtefact } from '../../src/artefacts/open.ts';
import { verifyArtefact } from '../../src/artefacts/verify.ts';
import { disk } from '../../src/artefacts/volumes.ts';
import { collect, memory } from '../../src/bytes/content.ts';
import { hostFile, randomAccessMemory } from '../../src/bytes/file.ts';
import { decompress } from '../../src/compression/decompress.ts';
import { readGpt } from '../../src/formats/disk/gpt.ts';
import { readMbr } from '../../src/formats/disk/mbr.ts';
import { formatUuid } from '../../src/formats/disk/uuid.ts';
import { dmModCreate, kataParameters, parseRoot } from '../../src/formats/verity/parameters.ts';
import { readSignature } from '../../src/formats/verity/signature.ts';
import { file, rootMeta } from '../../src/tree/inode.ts';
import { Tree } from '../../src/tree/tree.ts';
import { osbuilder } from '../support/cli.ts';
import { data, needs, random, temporary, tool } from '../support/data.ts';
import { dump, sampleTrees } from '../support/trees.ts';

/** Measured disks: veritysetup, openssl and systemd-dissect decide whether they are right. */

const MIB = 1 << 20;
const FILE_SYSTEMS = ['ext4', 'erofs', 'xfs'] as const;
const SKIP = needs({ tools: ['veritysetup'] });

const OPTIONS = {
  blockSize: 4096,
  freeSpace: 0,
  label: 'root',
  features: [],
  epoch: 1_700_000_000,
  alignment: MIB,
  architecture: 'x86_64',
} as const;

function run(program: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(tool(program)!, args, { encoding: 'utf8' });
  return { status, text: `${stdout}${stderr}` };
}

/** A tree with data that is not compressible, and data that is. */
function guest(): Tree {
  const tree = new Tree();
  const { below } = random(11);
  const meta = rootMeta(0o644, 1_700_000_000);
  const noise = Uint8Array.from({ length: 700_000 }, () => below(256));
  tree.set('usr/bin/large', file(memory(noise), meta));
  tree.set('etc/plain', file(memory('some text\n'.repeat(5000)), meta));
  for (let i = 0; i < 50; i++) tree.set(`etc/conf.d/${i}`, file(memory(`number ${i}\n`), meta));
  return tree;
}

interface Laid {
  readonly path: string;
  readonly bytes: Buffer;
  readonly partitions: readonly { readonly start: number; readonly size: number }[];
}

/** The least size, so that tests are quick. */
const SMALL = { xfs: { options: ['--unsupported'] }, ext4: {}, erofs: {} } as const;

async function written(folder: string, tree: Tree, options: Partial<DiskOptions>, name = 'disk.img') {
  const all = {
    ...OPTIONS,
    ...SMALL[options.fileSystem ?? 'ext4'],
    ...options,
    workspace: () => folder,
  } as DiskOptions;
  await disk.validate(all);
  const planned = await disk.write(tree, all);
  const path = join(folder, name);
  const prepared = await planned.prepare(path);
  prepared.commit();
  const bytes = readFileSync(path);
  assert.equal(bytes.length, planned.size);
  const partitions =
    options.layout === 'gpt'
      ? readGpt(randomAccessMemory(bytes))!.partitions
      : readMbr(bytes.subarray(0, 512))!.partitions;
  const laid: Laid = { path, bytes, partitions };
  return { ...laid, measurement: await planned.measurement!() };
}

/** Writes partitions to files of their own. */
function cut({ bytes, partitions }: Laid, folder: string): string[] {
  return partitions.map(({ start, size }, i) => {
    const path = join(folder, `p${i + 1}`);
    writeFileSync(path, bytes.subarray(start, start + size));
    return path;
  });
}

/**
 * The first partition can be mounted from a device with sectors of 4096 bytes, as dm-verity makes: what util-linux finds to
 * be its least unit is no smaller, and a kernel mounts it where it may.
 */
function mountable({ path, partitions }: Laid, folder: string): void {
  const [{ start, size }] = partitions as [Laid['partitions'][0]];
  if (needs({ tools: ['blkid'] }) === false) {
    const probe = run('blkid', ['-p', '-O', `${start}`, '-S', `${size}`, '-s', 'BLOCK_SIZE', '-o', 'value', path]);
    assert.ok(Number(probe.text) >= 4096, `a unit of ${probe.text} bytes`);
  }
  if (needs({ tools: ['losetup', 'mount', 'umount'], root: true }) !== false) return;
  const device = run('losetup', ['-f', '--show', '-r', '-b', '4096', '-o', `${start}`, '--sizelimit', `${size}`, path]);
  // no loop devices here
  if (device.status !== 0) return;
  const [loop, at] = [device.text.trim(), join(folder, 'mounted')];
  try {
    mkdirSync(at, { recursive: true });
    const mounted = run('mount', ['-o', 'ro', loop, at]);
    if (/unknown filesystem type/.test(mounted.text)) return;
    assert.equal(mounted.status, 0, mounted.text);
    run('umount', [at]);
  } finally {
    run('losetup', ['-d', loop]);
  }
}

for (const fileSystem of FILE_SYSTEMS)
  for (const layout of ['nvdimm', 'mbr'] as const)
    test(`${fileSystem} in Kata's layout (${layout}): places, parameters, and veritysetup verify`, {
      skip: SKIP,
    }, async (t) => {
      const folder = temporary(t);
      const salt = Uint8Array.from({ length: 32 }, (_, i) => i);
      for (const verity of [{}, { salt }, { salt: salt.slice(0, 1) }]) {
        const made = await written(folder, guest(), { fileSystem, layout, verity });
        const { bytes, partitions, measurement } = made;
        mountable(made, folder);
        const start = layout === 'mbr' ? MIB : 3 * MIB;
        const hidden = layout === 'mbr' ? 0 : 2;
        const end = (Math.floor(((bytes.length / MIB - hidden) * 99) / 100) + hidden) * MIB;
        assert.deepEqual(
          partitions.map(({ start: at, size, ...rest }) => ({ at, size, ...rest })),
          [
            { at: start, size: end - start, type: 0x83, active: true, number: 1 },
            { at: end, size: bytes.length - end, type: 0x83, active: false, number: 2 },
          ],
        );
        if (layout === 'nvdimm') {
          const inner = readMbr(bytes.subarray(2 * MIB, 2 * MIB + 512))!.partitions;
          assert.deepEqual(
            inner.map((one) => ({ ...one, start: one.start + 2 * MIB })),
            partitions,
          );
        }
        const { rootHash, dataBlocks, format } = measurement;
        assert.equal(dataBlocks * 4096, end - start, 'the whole partition is measured');
        if (verity.salt !== undefined) assert.deepEqual(format.salt, verity.salt);
        const [p1, p2] = cut(made, folder);
        const hex = Buffer.from(format.salt).toString('hex');
        const sizes = ['--data-block-size=4096', '--hash-block-size=4096', `--data-blocks=${dataBlocks}`];
        const checked = run('veritysetup', [
          'verify',
          '--no-superblock',
          ...sizes,
          `--salt=${hex}`,
          p1!,
          p2!,
          rootHash,
        ]);
        assert.equal(checked.status, 0, checked.text);
        const line = `root_hash=${rootHash},salt=${hex},data_blocks=${dataBlocks},data_block_size=4096,hash_block_size=4096`;
        assert.equal(kataParameters(measurement), line);
        assert.equal(
          dmModCreate(measurement, '/dev/vda'),
          `dm-mod.create="dm-verity,,,ro,0 ${dataBlocks * 8} verity 1 /dev/vda1 /dev/vda2 4096 4096 ${dataBlocks} 0 sha256 ${rootHash} ${hex}"`,
        );
        const open = { workspace: () => folder, rootHash: line };
        const { faults, unchecked } = await verifyArtefact(made.path, open);
        assert.deepEqual(faults, []);
        assert.ok(!unchecked.some((one) => /verity/.test(one)));
      }
      // a salt that is not given follows from the content
      const [one, same] = [1, 2].map(() => written(folder, guest(), { fileSystem, layout, verity: {} }));
      const other = guest();
      other.writeFile('etc/plain', 'other');
      const different = await written(folder, other, { fileSystem, layout, verity: {} }, 'other.img');
      assert.equal((await one!).measurement.rootHash, (await same!).measurement.rootHash);
      assert.notDeepEqual((await one!).measurement.format.salt, different.measurement.format.salt);
    });

function keys(folder: string, algorithm: readonly string[], name: string) {
  const [key, certificate] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const args = ['req', '-x509', '-nodes', '-newkey', ...algorithm, '-keyout', key, '-out', certificate];
  const made = run('openssl', [...args, '-days', '36500', '-subj', `/CN=${name}`]);
  assert.equal(made.status, 0, made.text);
  return { key, certificate };
}

const KEYS = {
  rsa: ['rsa:2048'],
  ec: ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
} as const;

for (const fileSystem of FILE_SYSTEMS)
  for (const sectorSize of [512, 4096] as const)
    test(`${fileSystem} in the discoverable layout, sectors of ${sectorSize}: UUIDs, veritysetup verify, signature`, {
      skip: SKIP || needs({ tools: ['openssl'] }),
    }, async (t) => {
      const folder = temporary(t);
      const { readSigner } = await import('../../src/artefacts/disk-options.ts');
      for (const [kind, algorithm] of Object.entries(KEYS)) {
        const { key, certificate } = keys(folder, algorithm, kind);
        const signer = readSigner(key, certificate);
        const made = await written(folder, guest(), { fileSystem, layout: 'gpt', sectorSize, verity: { signer } });
        const { bytes, partitions, measurement } = made;
        assert.equal(bytes.length % MIB, 0);
        mountable(made, folder);
        const table = readGpt(randomAccessMemory(bytes))!;
        assert.deepEqual([table.faults, table.backupFaults, table.sectorSize], [[], [], sectorSize]);
        assert.ok(partitions.every(({ start }) => start % MIB === 0));
        assert.deepEqual(
          table.partitions.map(({ name, type, readOnly }) => [name, formatUuid(type), readOnly]),
          [
            ['root-x86-64', '4f68bce3-e8cd-4db1-96e7-fbcaf984b709', true],
            ['root-x86-64-verity', '2c7357ed-ebd2-46d9-aec1-23d437ec2bf5', true],
            ['root-x86-64-verity-sig', '41092b05-9fc8-4523-994f-2def0408b176', true],
          ],
        );
        const [root, tree] = table.partitions;
        const { rootHash } = measurement;
        assert.equal(Buffer.concat([root!.guid, tree!.guid]).toString('hex'), rootHash);
        const [p1, p2, p3] = cut(made, folder);
        const checked = run('veritysetup', ['verify', p1!, p2!, rootHash]);
        assert.equal(checked.status, 0, checked.text);

        const found = readSignature(readFileSync(p3!));
        assert.deepEqual(found.faults, []);
        const text = readFileSync(p3!, 'latin1').replace(/\0+$/, '');
        const fields = JSON.parse(text) as { rootHash: string; signature: string; certificateFingerprint: string };
        assert.equal(fields.rootHash, rootHash);
        const fingerprint = run('openssl', ['x509', '-in', certificate, '-noout', '-fingerprint', '-sha256']).text;
        assert.equal(
          /=([0-9A-F:]+)/.exec(fingerprint)![1]!.replaceAll(':', '').toLowerCase(),
          fields.certificateFingerprint,
        );
        const [signature, content] = [join(folder, 'signature'), join(folder, 'content')];
        writeFileSync(signature, Buffer.from(fields.signature, 'base64'));
        writeFileSync(content, rootHash);
        const verify = ['cms', '-verify', '-binary', '-inform', 'DER', '-in', signature, '-purpose', 'any'];
        const passed = run('openssl', [...verify, '-content', content, '-CAfile', certificate]);
        assert.equal(passed.status, 0, passed.text);
        if (kind === 'rsa') {
          // such signatures have no random part
          const theirs = join(folder, 'theirs');
          const sign = ['smime', '-sign', '-binary', '-noattr', '-outform', 'DER', '-md', 'sha256', '-in', content];
          run('openssl', [...sign, '-signer', certificate, '-inkey', key, '-out', theirs]);
          assert.ok(readFileSync(theirs).equals(readFileSync(signature)));
        }
        const { faults } = await verifyArtefact(made.path, { workspace: () => folder });
        assert.deepEqual(faults, []);
        // the tree is the same when it is read back
        const opened = await openArtefact(made.path, { workspace: () => folder });
        assert.deepEqual(dump(await opened.tree()), dump(guest()));
      }
    });

test('systemd-dissect takes a signed disk for one with a signed root', {
  skip: needs({ tools: ['systemd-dissect', 'openssl'], root: true }),
}, async (t) => {
  const folder = temporary(t);
  const { readSigner } = await import('../../src/artefacts/disk-options.ts');
  const { key, certificate } = keys(folder, KEYS.rsa, 'rsa');
  const verity = { signer: readSigner(key, certificate) };
  const { path } = await written(folder, guest(), { fileSystem: 'erofs', layout: 'gpt', verity }, 'disk.raw');
  const { status, text } = run('systemd-dissect', ['--no-pager', '--json=short', path]);
  if (status !== 0 && /loop|permitted|No such device/i.test(text)) return t.skip(`no loop devices here: ${text}`);
  assert.equal(status, 0, text);
  assert.match(text, /"verity"\s*:\s*"signed"/);
});

test('every size leaves room for the tree, and as much as it can for the file system', () => {
  for (const plain of [true, false])
    for (let mib = 8; mib < 3000; mib++) {
      const start = hashStart(mib * MIB, plain);
      const data = start - (plain ? 1 : 3) * MIB;
      const tree = mib * MIB - start;
      assert.ok(tree >= Math.ceil(data / 4096 / 127) * 4096 + 4096, `${mib} MiB, plain ${plain}: ${tree} for ${data}`);
    }
});

test('trees of every kind: measured, verified and read back, in each layout', async (t) => {
  const folder = temporary(t);
  for (const [what, tree] of sampleTrees({
    xattrs: true,
    sockets: true,
    nanoseconds: true,
    negativeTimes: false,
  }).slice(0, 6))
    for (const fileSystem of FILE_SYSTEMS)
      for (const layout of ['nvdimm', 'gpt'] as const) {
        const { path, measurement } = await written(
          folder,
          tree,
          { fileSystem, layout, verity: {} },
          `${what}-${layout}`,
        );
        const open = { workspace: () => folder, rootHash: kataParameters(measurement) };
        assert.deepEqual((await verifyArtefact(path, open)).faults, [], what);
        assert.deepEqual(
          dump(await (await openArtefact(path, open)).tree(), { extents: false }),
          dump(tree, { extents: false }),
        );
      }
});

test('systemd-repart’s own signed disk: verified, described, read', {
  skip: needs({ data: ['verity/made-here/repart-root-verity-sig.raw.xz'] }),
}, async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'repart.raw');
  const packed = hostFile(data('verity/made-here/repart-root-verity-sig.raw.xz'));
  writeFileSync(path, await collect(decompress(packed.open(), 'xz', path)));
  const open = { workspace: () => folder };
  const { faults, unchecked } = await verifyArtefact(path, open);
  assert.deepEqual({ faults, unchecked }, { faults: [], unchecked: [] });
  const opened = await openArtefact(path, open);
  const structures = await opened.structures();
  const hash = '5b5ca906ec817c1e141179851156dc3f62242bebb98d2f17873bc1c37d705938';
  const [tree, signature] = structures.filter(({ what }) => /dm-verity/.test(what));
  assert.equal(tree?.facts['rootHash'], hash);
  assert.equal(signature?.facts['rootHash'], hash);
  assert.ok((await opened.tree()).list('').length > 0);
  // one bit in each of the three partitions
  const whole = readFileSync(path);
  for (const [at, fault] of [
    [20480 + 50_000, /^dm-verity hash tree .*data block 12 at byte 69632, which is in \/.*: another digest/],
    [618496 + 4096 + 7, /hash block 0 of level 0 at byte 622592: it does not have the root hash from the UUIDs/],
    [618496 + 100, /hash tree/],
    [1220608 + 300, /^dm-verity signature in root-x86-64-verity-sig/],
  ] as const) {
    const copy = Buffer.from(whole);
    copy[at]! ^= 1;
    writeFileSync(path, copy);
    const changed = join(folder, `changed-${at}.raw`);
    copyFileSync(path, changed);
    const found = await verifyArtefact(changed, open);
    assert.ok(
      found.faults.some((one) => fault.test(one)),
      `${at}: ${found.faults.join('\n')}`,
    );
  }
});

test('what is damaged is named: files, metadata, unused space, the tree, in compressed files too', async (t) => {
  const folder = temporary(t);
  for (const fileSystem of FILE_SYSTEMS) {
    const { bytes, partitions, measurement } = await written(folder, guest(), {
      fileSystem,
      layout: 'mbr',
      alignment: 16 * MIB,
      verity: {},
    });
    const [first, second] = partitions;
    const noise = Buffer.from(await largeFile());
    const inLarge = bytes.indexOf(noise.subarray(0, 4096)) + 500_000;
    assert.ok(inLarge > first!.start);
    const flips: [at: number, RegExp][] = [
      [inLarge, /which is in \/usr\/bin\/large: another digest/],
      [first!.start + 1024 + 50, /data block 0 at byte 1048576, which is in (superblock|directories and inodes)/],
      [first!.start + first!.size - 10, fileSystem === 'erofs' ? /which is in space that no file uses/ : /which is in/],
      [
        second!.start + 10,
        /^dm-verity hash tree in partition 2 .*: hash block 0 of level [12] .* does not have the root hash/,
      ],
      [second!.start + 4096 + 10, /hash block 0 of level [01] .*: it does not have the digest above/],
    ];
    if (fileSystem === 'erofs') {
      // the file's compressed blocks: the only place where this text begins
      const at = bytes.indexOf('some text\n', first!.start);
      assert.ok(at > 0);
      flips.push([at, /which is in \/etc\/plain/]);
    }
    for (const [at, fault] of flips) {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 4;
      const path = join(folder, `${fileSystem}-${at}.img`);
      writeFileSync(path, copy);
      const { faults } = await verifyArtefact(path, { workspace: () => folder, rootHash: kataParameters(measurement) });
      assert.ok(
        faults.some((one) => fault.test(one)),
        `${fileSystem} ${at}: ${faults.join('\n')}`,
      );
      rmSync(path);
    }
  }
});

async function largeFile(): Promise<Uint8Array> {
  const inode = guest().file('usr/bin/large')!;
  return inode.content.readSync();
}

test('root hashes beside an image: the one that fits is taken, and what is wrong is said', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'r', 'etc'), { recursive: true });
  writeFileSync(join(folder, 'r', 'etc', 'hello'), 'hello');
  const make = async (...args: string[]) => {
    const flags = [
      '--rootfs-only',
      '--measured-rootfs',
      '--image-size-alignment-mb',
      '4',
      '--arch',
      'x86_64',
      '--json',
    ];
    const made = await osbuilder(['image', 'r', ...flags, ...args], { cwd: folder });
    assert.equal(made.code, 0, made.stderr);
    return JSON.parse(made.stdout) as { outputs: { verity: Record<string, unknown> }[] };
  };
  const verify = async (...args: string[]) => {
    const { code, stdout, stderr } = await osbuilder(['verify', ...args], { cwd: folder });
    return { code, text: stdout + stderr };
  };
  const { outputs } = await make('-o', 'a.img', '--build-variant', 'first', '--verity-salt', 'AA'.repeat(32));
  const { verity } = outputs[0]!;
  const line = readFileSync(join(folder, 'root_hash_first.txt'), 'latin1');
  assert.equal(line, `${String(verity['kernelVerityParams'])}\n`);
  assert.match(
    line,
    /^root_hash=[0-9a-f]{64},salt=(aa){32},data_blocks=\d+,data_block_size=4096,hash_block_size=4096\n$/,
  );
  assert.equal(verity['roothash'], `roothash=${String(verity['rootHash'])}`);
  assert.match(String(verity['dmModCreate']), /verity 1 \/dev\/vda1 \/dev\/vda2 4096 4096 \d+ 0 sha256 /);
  assert.match(String(verity['dmModCreateNvdimm']), /verity 1 \/dev\/pmem0p1 \/dev\/pmem0p2 /);
  const hashed = (given: string, from: string) => ({
    code: 0,
    text: `a.img: disk, sound\n  partition 1: all ${Number(/data_blocks=(\d+)/.exec(line)![1]) * 4096} bytes have the root hash ${given}, which is from ${from}\n`,
  });
  const hash = String(verity['rootHash']);
  assert.deepEqual(await verify('a.img'), hashed(hash, 'root_hash_first.txt'));
  assert.deepEqual(await verify('a.img', '--root-hash', line.trim()), hashed(hash, 'the caller'));
  // a second image of the same size in the same folder: each finds its own
  writeFileSync(join(folder, 'r', 'etc', 'hello'), 'other');
  await make('-o', 'b.img');
  assert.ok(existsSync(join(folder, 'root_hash_.txt')));
  assert.equal((await verify('a.img')).code, 0);
  assert.equal((await verify('b.img')).code, 0);
  const crossed = await verify('b.img', '--root-hash', 'root_hash_first.txt');
  assert.equal(crossed.code, 1);
  assert.match(crossed.text, /does not have the root hash from the caller/);
  assert.equal((await verify('b.img', '--root-hash', 'root_hash_.txt')).code, 0);
  rmSync(join(folder, 'root_hash_.txt'));
  rmSync(join(folder, 'root_hash_first.txt'));
  const without = await verify('b.img');
  assert.equal(without.code, 0);
  assert.match(without.text, /not checked: dm-verity hash tree in partition 2: .*give root_hash=/);
  assert.equal((await verify('a.img', '--root-hash', line.trim())).code, 0);
  // the discoverable layout
  const { outputs: discovered } = await make('-o', 'c.raw', '--partition-table', 'gpt');
  const rootHash = String(discovered[0]!.verity['rootHash']);
  assert.equal(readFileSync(join(folder, 'c.roothash'), 'latin1'), `${rootHash}\n`);
  assert.equal(discovered[0]!.verity['kernelVerityParams'], undefined);
  assert.equal((await verify('c.raw')).code, 0);
  assert.equal((await verify('c.raw', '--root-hash', rootHash)).code, 0);
  const other = await verify('c.raw', '--root-hash', '0'.repeat(64));
  assert.match(other.text, /does not have the root hash from the caller/);
  writeFileSync(join(folder, 'c.roothash'), `${'1'.repeat(64)}\n`);
  assert.match((await verify('c.raw')).text, /that of c\.roothash is 1{64}/);
  // and through a pipe the hash is said, not written
  const piped = await osbuilder(['image', 'r', '--rootfs-only', '--measured-rootfs', '-o', '-', '--verbose'], {
    cwd: folder,
  });
  assert.equal(piped.code, 0);
  assert.match(piped.stderr, /root hash, which is written to no file here: root_hash=/);
  assert.ok(!existsSync(join(folder, 'root_hash_.txt')));
  for (const [args, reason] of [
    [['c.raw', '--root-hash', 'xyz'], /expected hexadecimal/],
    [['c.raw', '--root-hash', 'abcd'], /4 digits/],
    [['r', '--root-hash', rootHash], /no disk/],
  ] as const) {
    const rejected = await verify(...args);
    assert.equal(rejected.code, 2, rejected.text);
    assert.match(rejected.text, reason);
  }
  await osbuilder(['image', 'r', '--rootfs-only', '-o', 'plain.img'], { cwd: folder });
  assert.match((await verify('plain.img', '--root-hash', rootHash)).text, /no partition holds a dm-verity hash tree/);
});

/** A UUID that names nothing. */
const NIL_UUID = '00000000-0000-0000-0000-000000000000';

test('what cannot be is rejected before anything is fetched or written', {
  skip: needs({ tools: ['openssl'] }),
}, async (t) => {
  const folder = temporary(t);
  const { key, certificate } = keys(folder, KEYS.rsa, 'one');
  const other = keys(folder, KEYS.rsa, 'two');
  const odd = keys(folder, ['ed25519'], 'odd');
  writeFileSync(join(folder, 'text'), 'no key');
  const signed = ['--measured-rootfs', '--partition-table', 'gpt'];
  const cases: [args: string[], code: number, reason: RegExp][] = [
    [['--measured-rootfs', '--block-size', '1024'], 2, /no kernel mounts ext4 with such blocks from a measured rootfs/],
    [['--measured-rootfs', '--verity-salt', ''], 2, /verity-salt/],
    [['--measured-rootfs', '--verity-salt', 'abc'], 2, /hexadecimal digits of 1 to 256 bytes/],
    [['--measured-rootfs', '--verity-salt', 'ab'.repeat(257)], 2, /hexadecimal digits of 1 to 256 bytes/],
    [['--measured-rootfs', '--build-variant', 'a/b'], 2, /part of a file name/],
    [['--verity-salt', 'ab'], 2, /none is measured/],
    [['--build-variant', 'x'], 2, /none is measured/],
    [[...signed, '--build-variant', 'x'], 2, /root hash in the UUIDs/],
    [['--measured-rootfs', '--verity-key', key, '--verity-cert', certificate], 2, /only a disk with a GPT/],
    [[...signed, '--verity-key', key], 1, /one of them is missing/],
    [[...signed, '--verity-cert', certificate], 1, /one of them is missing/],
    [[...signed, '--verity-key', key, '--verity-cert', other.certificate], 1, /does not belong to the key/],
    [[...signed, '--verity-key', 'text', '--verity-cert', certificate], 1, /expected a private key/],
    [[...signed, '--verity-key', key, '--verity-cert', 'text'], 1, /expected an X\.509 certificate/],
    [[...signed, '--verity-key', 'missing', '--verity-cert', certificate], 1, /missing/],
    [
      [...signed, '--verity-key', odd.key, '--verity-cert', odd.certificate],
      1,
      /kind ed25519; the kernel verifies rsa and ec/,
    ],
    [['--sector-size', '4096'], 2, /only disks with a GPT/],
    [
      ['--sector-size', '4096', '--partition-table', 'gpt', '--block-size', '2048'],
      2,
      /no kernel mounts ext4 with such blocks/,
    ],
    [['--sector-size', '1024'], 2, /512 or 4096/],
    [['--fs-type', 'xfs', '--fs-uuid', NIL_UUID], 2, /--fs-uuid: .* no kernel mounts xfs without a UUID/],
    [['--fs-type', 'xfs', '--fs-options', `-m uuid=${NIL_UUID}`], 2, /--fs-options: .* without a UUID/],
    [['--root-free-space', '99999999999'], 2, /from 0 to 16777216/],
    [
      ['--measured-rootfs', '--fs-type', 'xfs', '--fs-options', '-m reflink=0 -s size=512'],
      2,
      /no kernel mounts xfs with such sectors/,
    ],
    [['--measured-rootfs', '-o', 'root_hash_.txt'], 1, /cannot both be written/],
  ];
  for (const [args, code, reason] of cases) {
    const flags = [
      '--distro',
      'debian',
      '--agent',
      'demo',
      '--cache-dir',
      'cache',
      '--repo-url',
      'http://127.0.0.1:9/',
    ];
    const made = await osbuilder(['image', ...flags, ...args], { cwd: folder });
    assert.deepEqual([made.code, reason.test(made.stderr)], [code, true], `${args.join(' ')}\n${made.stderr}`);
    assert.ok(!existsSync(join(folder, 'cache')), args.join(' '));
    assert.ok(!existsSync(join(folder, 'kata-containers.img')), args.join(' '));
  }
});

test('lines of Kata’s side file are read strictly', () => {
  const line = `root_hash=${'ab'.repeat(32)},salt=cd,data_blocks=7,data_block_size=4096,hash_block_size=4096`;
  const found = parseRoot(`${line}\n`);
  assert.ok('parameters' in found && found.parameters !== undefined);
  assert.equal(kataParameters(found.parameters), line);
  for (const bad of [
    '',
    'root_hash=',
    line.replace('salt=cd', 'salt='),
    line.replace('salt=cd', `salt=${'ab'.repeat(257)}`),
    line.replace('=7', '=0'),
    line.replace('=7', `=${'9'.repeat(15)}`),
    line.replace('size=4096', 'size=4095'),
    line.replace('ab', ''),
    line.replace('ab', 'xy'),
    `${line},x`,
  ])
    assert.ok('reason' in parseRoot(bad), bad);
});

test('a partition that ends before it begins is a fault of its table, and nothing else', async (t) => {
  const folder = temporary(t);
  const { path, bytes } = await written(folder, guest(), { fileSystem: 'erofs', layout: 'gpt', verity: {} });
  const open = { workspace: () => folder };
  for (const entry of [0, 1]) {
    const copy = Buffer.from(bytes);
    // both tables, and their checksums
    for (const [header, entries] of [
      [512, 1024],
      [copy.length - 512, copy.length - 33 * 512],
    ] as const) {
      copy.writeBigUInt64LE(5n, entries + entry * 128 + 40);
      copy.writeUInt32LE(crc32(copy.subarray(entries, entries + 16384)), header + 88);
      copy.writeUInt32LE(0, header + 16);
      copy.writeUInt32LE(crc32(copy.subarray(header, header + 92)), header + 16);
    }
    writeFileSync(path, copy);
    const changed = join(folder, `changed-${entry}.img`);
    copyFileSync(path, changed);
    const { faults } = await verifyArtefact(changed, open);
    assert.ok(
      faults.some((one) => /reaches out of the disk/.test(one)),
      faults.join('\n'),
    );
  }
});

test('an EROFS image for NVDIMM devices ends where the kernel maps it: on a multiple of 2 MiB', async (t) => {
  const folder = temporary(t);
  mkdirSync(join(folder, 'r'));
  let said = false;
  for (const size of [1, 2, 3]) {
    // random bytes, which do not compress
    const { below } = random(size);
    writeFileSync(
      join(folder, 'r', 'file'),
      Uint8Array.from({ length: size * MIB }, () => below(256)),
    );
    for (const flags of [[], ['--measured-rootfs']]) {
      const args = ['image', 'r', '--rootfs-only', '--fs-type', 'erofs', '-o', 'x.img', ...flags];
      const made = await osbuilder(args, { cwd: folder });
      assert.equal(made.code, 0, made.stderr);
      assert.equal(readFileSync(join(folder, 'x.img')).length % (2 * MIB), 0, `${size} ${flags.join(' ')}`);
    }
    // an alignment that the user names may leave it unmapped, which is said; without the header it does not matter
    for (const header of [true, false]) {
      const flags = [...(header ? [] : ['--skip-dax-header']), '--fs-options=-Enoinline_data', '--json'];
      const args = ['image', 'r', '--rootfs-only', '--fs-type', 'erofs', '--image-size-alignment-mb', '1'];
      const made = await osbuilder([...args, ...flags, '-o', 'x.img'], { cwd: folder });
      assert.equal(made.code, 0, made.stderr);
      const odd = readFileSync(join(folder, 'x.img')).length % (2 * MIB) !== 0;
      const codes = JSON.parse(made.stdout).warnings.map(({ code }: { code: string }) => code);
      assert.deepEqual(codes, header && odd ? ['NVDIMM_UNALIGNED'] : []);
      if (header && odd) said = true;
    }
  }
  assert.ok(said, 'one of them ends elsewhere');
});
