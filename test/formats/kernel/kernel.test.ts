import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Content, collect, memory } from '../../../src/bytes/content.ts';
import { accessTo, randomAccessMemory } from '../../../src/bytes/file.ts';
import { compress } from '../../../src/compression/compress.ts';
import { BuildError } from '../../../src/errors/error.ts';
import { plainKernel, recogniseKernel, s390xMemory } from '../../../src/formats/kernel/image.ts';
import { FAST, needs, tool } from '../../support/data.ts';
import { testHost } from '../../support/host.ts';
import { debianPackage } from '../../support/kernel.ts';
import { arm64Image, bzImage, vmlinux, zboot } from '../../support/kernels.ts';

const plain = vmlinux();
const bytesOf = async (content: Content) => Buffer.from(await collect(content.open()));
const unpack = (file: Buffer) => plainKernel(randomAccessMemory(file), 'made');

/** Each compression that kernels are built with: how to make it, and whether its end has the size. */
const WAYS: readonly (readonly [name: string, command: readonly string[], own?: boolean])[] = [
  ['gzip', ['gzip', '-n9'], true],
  ['bzip2', ['bzip2', '-9']],
  // with the dictionary of 64 MiB that the kernel's build has, by which it is recognised
  ['lzma', ['xz', '--format=lzma', '-9']],
  // scripts/xz_wrap.sh
  ['xz', ['xz', '--check=crc32', '--x86', '--lzma2=preset=1']],
  ['lz4', ['lz4', '-l', '-9', '-c']],
  ['zstd', ['zstd', '-3']],
];

for (const [name, [program, ...args], own] of WAYS)
  test(`a bzImage with ${name}`, { skip: needs({ tools: [program!] }) }, async () => {
    const packed = execFileSync(tool(program!)!, args, { input: plain, maxBuffer: 1 << 26 });
    const file = bzImage(packed, plain.length, undefined, own);
    assert.deepEqual(recogniseKernel(randomAccessMemory(file)), {
      form: 'bzimage',
      architecture: 'x86_64',
      version: '6.6.6-made (me@here)',
    });
    const found = await unpack(file);
    assert.equal(found.size, plain.length);
    assert.ok((await bytesOf(found)).equals(plain));
    // a protocol too old to say where the payload is: older than lz4, whose last block has no mark
    const old = Buffer.from(file);
    old.writeUInt16LE(0x207, 0x206);
    if (name !== 'lz4') assert.ok((await bytesOf(await unpack(old))).equals(plain), 'found by its magic number');
    // a size that lies
    const lying = bzImage(packed, plain.length + 1, undefined, own);
    if (own) return;
    await assert.rejects(unpack(lying), { code: 'KERNEL_CORRUPT' });
  });

test('EFI zboot, Image, Image.gz and ELF', async () => {
  const image = arm64Image();
  const zstd = await collect(compress(memory(image).open(), 'zstd'));
  for (const [packed, way] of [
    [gzipSync(image), 'gzip'],
    [zstd, 'zstd22'],
  ] as const) {
    const file = zboot(packed, way);
    assert.equal(recogniseKernel(randomAccessMemory(file))!.architecture, 'aarch64');
    assert.ok((await bytesOf(await unpack(file))).equals(image));
  }
  assert.ok((await bytesOf(await unpack(gzipSync(image)))).equals(image));
  for (const file of [image, plain]) assert.ok((await bytesOf(await unpack(file))).equals(file));
  assert.equal(recogniseKernel(randomAccessMemory(plain))!.form, 'elf');
});

test('errors KERNEL_UNRECOGNISED and KERNEL_CORRUPT name the file', async () => {
  await assert.rejects(unpack(Buffer.alloc(10_000)), { code: 'KERNEL_UNRECOGNISED', message: /^made is no kernel/ });
  await assert.rejects(unpack(zboot(gzipSync(plain), 'rot13')), { code: 'KERNEL_CORRUPT', message: /^made: .*rot13/ });
  const outside = zboot(gzipSync(plain), 'gzip');
  outside.writeUInt32LE(0x7fffffff, 12);
  await assert.rejects(unpack(outside), { code: 'KERNEL_CORRUPT' });
  const lzo = Buffer.concat([Buffer.from('894c5a4f000d0a1a0a', 'hex'), Buffer.alloc(100)]);
  await assert.rejects(unpack(bzImage(lzo, 5)), { code: 'KERNEL_CORRUPT', message: /LZO/ });
  await assert.rejects(unpack(bzImage(gzipSync(Buffer.alloc(2_000_000)), 2_000_000, 'x', true)), {
    code: 'KERNEL_CORRUPT',
  });
});

test('a damaged kernel ends in an error with a code', async () => {
  const image = arm64Image(2000);
  const good = zboot(gzipSync(image), 'gzip');
  const small = bzImage(gzipSync(plain.subarray(0, 3000)), 3000, 'v', true);
  let rejected = 0;
  for (const file of [good, small])
    for (const at of [
      ...Array(0x90).keys(),
      0x1f1,
      0x1fe,
      0x202,
      0x206,
      0x20e,
      0x20f,
      0x248,
      0x249,
      0x24a,
      0x24b,
      0x24d,
    ])
      for (const value of [0, 0x81, 0xff]) {
        const bad = Buffer.from(file);
        bad[at] = value;
        try {
          await bytesOf(await unpack(bad));
        } catch (error) {
          assert.ok(error instanceof BuildError, String(error));
          rejected++;
        }
      }
  assert.ok(rejected > 20, String(rejected));
});

const REAL = [
  { name: 'linux-image-cloud-amd64', architecture: 'amd64', form: 'bzimage', uname: 'x86_64', suite: 'bookworm' },
  { name: 'linux-image-cloud-amd64', architecture: 'amd64', form: 'bzimage', uname: 'x86_64', suite: 'trixie' },
  { name: 'linux-image-arm64', architecture: 'arm64', form: 'image', uname: 'aarch64', suite: 'bookworm' },
  { name: 'linux-image-powerpc64le', architecture: 'ppc64el', form: 'elf', uname: 'ppc64le', suite: 'bookworm' },
  { name: 'linux-image-s390x', architecture: 's390x', form: 's390x', uname: 's390x', suite: 'bookworm' },
] as const;

for (const { name, architecture, form, uname, suite } of REAL)
  test(`Debian's kernel for ${architecture}, ${suite}`, async (t) => {
    if (FAST) return t.skip('left out by test:fast: a download');
    const unpacked = await debianPackage(name, architecture, testHost(t), suite).catch((error: unknown) =>
      String(error),
    );
    if (typeof unpacked === 'string') return t.skip(`not available: ${unpacked}`);
    const entry = unpacked.entries.find((one) => /boot\/vmlinu[xz]-/.test(one.path));
    assert.ok(entry !== undefined && 'inode' in entry && entry.inode.kind === 'file');
    const file = accessTo(entry.inode.content);
    const found = recogniseKernel(file)!;
    assert.deepEqual([found.form, found.architecture], [form, uname]);
    const kernel = await plainKernel(file, entry.path);
    const hash = createHash('sha256');
    let text = '';
    const look = async (content: Content) => {
      let before = '';
      for await (const piece of content.open()) {
        const now = before + Buffer.from(piece).toString('latin1');
        text ||= /Linux version \d[^\n]*/.exec(now)?.[0] ?? '';
        before = now.slice(-200);
        hash.update(piece);
      }
    };
    await look(kernel);
    if (form === 's390x') {
      assert.equal(kernel.size, file.size);
      await look(await s390xMemory(file, entry.path));
    }
    // the name of the file has the release, and the kernel says it itself
    assert.ok(text.includes(/vmlinu[xz]-(.*)$/.exec(entry.path)![1]!), text);
    if (form === 'bzimage') assert.ok(kernel.size > 3 * file.size);
  });
