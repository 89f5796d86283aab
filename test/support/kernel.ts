import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { collect, memory } from '../../src/bytes/content.ts';
import { decompress } from '../../src/compression/decompress.ts';
import { detect } from '../../src/compression/format.ts';
import type { AptPackage } from '../../src/families/apt/package.ts';
import { readIndex } from '../../src/families/apt/packages-read.ts';
import { aptSources } from '../../src/families/apt/plan.ts';
import { openSuite } from '../../src/families/apt/repository.ts';
import { unpackAll } from '../../src/families/apt/unpack.ts';
import type { Host } from '../../src/fetch/host.ts';
import type { Unpacked } from '../../src/fetch/package.ts';
import { orderOf } from '../../src/pipeline/order.ts';
import { settings, TEST_CACHE } from './host.ts';
import type { BootArchitecture } from './qemu.ts';

/** The kernel packages of Debian 12: small, and with drivers for what QEMU imitates. */
const PACKAGES: Readonly<Record<BootArchitecture, string>> = {
  amd64: 'linux-image-cloud-amd64',
  arm64: 'linux-image-arm64',
  ppc64el: 'linux-image-powerpc64le',
  s390x: 'linux-image-s390x',
};

/** A Debian package by name, fetched and unpacked by our own means. Metapackages are followed to what they stand for. */
export async function debianPackage(
  name: string,
  architecture: string,
  host: Host,
  suite = 'bookworm',
): Promise<Unpacked<AptPackage>> {
  const order = orderOf({
    settings: settings({ distro: 'debian', osVersion: suite, arch: architecture, repoSuites: suite }),
    hostArchitecture: 'x86_64',
  });
  const opened = await Promise.all(
    aptSources(order, host).map((source) => openSuite(source, architecture, host.mirror)),
  );
  const index = await readIndex(
    opened.flatMap((one) => one.indexes),
    architecture,
    { cache: host.cache },
  );
  let wanted = name;
  for (;;) {
    const id = index.versions(wanted)[0];
    if (id === undefined) throw new Error(`no package ${wanted} in ${suite} for ${architecture}`);
    const found = index.package(id);
    const real = /^linux-image-[a-z]/.test(wanted) ? /linux-image-\d\S*/.exec(found.depends)?.[0] : undefined;
    if (real !== undefined) {
      wanted = real;
      continue;
    }
    const archive = await host.mirror.fetch({
      urls: found.urls,
      size: found.size,
      digest: { algorithm: 'sha256', hex: found.sha256 },
      category: 'archives',
    });
    return (await unpackAll([{ package: found, archive }], host.cache, host.report))[0]!;
  }
}

/** Debian 13's for clouds on arm64: Debian 12's kernel there has neither DAX nor page maps for persistent memory. */
export const ARM64_WITH_DAX = { name: 'linux-image-cloud-arm64', suite: 'trixie' };

/** A kernel that QEMU can start. */
export interface Kernel {
  /** Path of the image. */
  readonly path: string;
  /** Modules by name without `.ko`, dashes as underscores. */
  module(name: string): Promise<Uint8Array> | undefined;
}

/** Debian's kernel for an architecture, in the form that starts fastest. */
export async function kernel(
  architecture: BootArchitecture,
  host: Host,
  from = { name: PACKAGES[architecture], suite: 'bookworm' },
): Promise<Kernel> {
  const unpacked = await debianPackage(from.name, architecture, host, from.suite);
  const modules = new Map<string, () => Promise<Uint8Array>>();
  let image: { readSync(): Uint8Array } | undefined;
  for (const entry of unpacked.entries) {
    if (!('inode' in entry) || entry.inode.kind !== 'file') continue;
    const { content } = entry.inode;
    const match = /\/([^/]+)\.ko(\.xz)?$/.exec(entry.path);
    const plain =
      match?.[2] === undefined
        ? async () => content.readSync()
        : () => collect(decompress(content.open(), 'xz', entry.path));
    if (match !== null) modules.set(match[1]!.replaceAll('-', '_'), plain);
    else if (/^\.?\/?boot\/vmlinu[xz]-/.test(entry.path)) image = entry.inode.content;
  }
  if (image === undefined) throw new Error(`no kernel in ${unpacked.package.name}`);
  const path = join(TEST_CACHE, `kernel-${architecture}-${unpacked.package.version.replace(/[^\w.-]/g, '_')}`);
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(TEST_CACHE, { recursive: true });
    const bytes = image.readSync();
    const part = `${path}.${process.pid}`;
    writeFileSync(part, architecture === 'amd64' ? await plainKernel(bytes) : bytes);
    renameSync(part, path);
  }
  return { path, module: (name) => modules.get(name.replaceAll('-', '_'))?.() };
}

/** The ELF kernel inside a bzImage: QEMU starts it at its PVH entry, and the guest need not decompress it. */
async function plainKernel(bzImage: Uint8Array): Promise<Uint8Array> {
  const view = new DataView(bzImage.buffer, bzImage.byteOffset, bzImage.byteLength);
  // Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length; the last four bytes are the size
  const setup = (bzImage[0x1f1]! + 1) * 512;
  const offset = setup + view.getUint32(0x248, true);
  const payload = bzImage.subarray(offset, offset + view.getUint32(0x24c, true) - 4);
  return collect(decompress(memory(payload).open(), detect(payload), 'vmlinux'));
}

/** A static busybox, from this machine or from Debian's package. */
export async function busybox(architecture: BootArchitecture, host: Host): Promise<Uint8Array> {
  const unpacked = await debianPackage('busybox-static', architecture, host);
  for (const entry of unpacked.entries)
    if ('inode' in entry && entry.inode.kind === 'file' && /\/busybox$/.test(entry.path))
      return entry.inode.content.readSync();
  return readFileSync('/bin/busybox');
}
