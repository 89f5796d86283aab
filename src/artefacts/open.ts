import { statSync } from 'node:fs';
import { reasonOf } from '../bytes/pour.ts';
import { spooled } from '../bytes/spool.ts';
import { BuildError } from '../errors/error.ts';
import { isReference } from '../formats/oci/reference.ts';
import type { Tree } from '../tree/tree.ts';
import { entriesOf } from './entries.ts';
import { openDirectory } from './folder.ts';
import type { Artefact, ImageKind } from './kind.ts';
import { type OpenOptions, Probe, spoolPath } from './probe.ts';

/** The path that means standard input. */
export const STDIN = '-';

/**
 * Recognises a file or folder by its content, not by its name. `-` reads standard input into the workspace first;
 * references (`oci://…`, `oci:DIR`, `oci-archive:FILE`) name something in a registry or a layout.
 * Throws `READ_FAILED`; a file that no image kind recognises is returned as kind `file`.
 *
 * @example
 * ```ts
 * import { createHost, openArtefact } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * for (const path of ['rootfs.tar', 'rootfs', 'kata-containers-initrd.img', 'kata-containers.img']) {
 *   const artefact = await openArtefact(path, host);
 *   console.log(artefact.kind, (await artefact.tree()).text('etc/hostname'));
 * }
 * // prints: tar kata
 * // prints: directory kata
 * // prints: initrd kata
 * // prints: disk kata
 * await host.close();
 * ```
 */
export async function openArtefact(path: string, options: OpenOptions): Promise<Artefact> {
  if (isReference(path)) return (await import('./reference.ts')).openReference(path, options, openArtefact);
  const file = path === STDIN ? await spoolInput(options) : path;
  const name = path === STDIN ? 'standard input' : path;
  let size: number;
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) return openDirectory(file, options);
    size = stat.size;
  } catch (error) {
    throw new BuildError('READ_FAILED', { path: name, reason: reasonOf(error) });
  }
  const probe = await Probe.of(file, name, size, options);
  // a folder needs none of the readers of archives and disks
  const { IMAGE_KINDS } = await import('./registry.ts');
  for (const kind of Object.values(IMAGE_KINDS) as ImageKind<never>[]) {
    const artefact = await kind.open?.(probe);
    if (artefact !== undefined) return artefact;
  }
  return unknown(probe);
}

/**
 * {@link openArtefact} for what must be a rootfs: anything else is rejected with `ROOTFS_UNKNOWN`.
 *
 * @example
 * ```ts
 * import { createHost, isBuildError, openRootfs } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * try {
 *   await openRootfs('notes.txt', host);
 * } catch (error) {
 *   console.log(isBuildError(error, 'ROOTFS_UNKNOWN')); // prints: true
 * }
 * await host.close();
 * ```
 */
export async function openRootfs(path: string, options: OpenOptions): Promise<Artefact> {
  const artefact = await openArtefact(path, options);
  // its tree says what it is
  if (artefact.kind === 'file') await artefact.tree();
  return artefact;
}

async function spoolInput(options: OpenOptions): Promise<string> {
  if (options.input === undefined)
    throw new BuildError('READ_FAILED', { path: 'standard input', reason: 'there is none here' });
  const spool = spoolPath(options, 'stdin');
  for await (const _ of spooled(options.input(), spool));
  return spool;
}

function unknown(probe: Probe): Artefact {
  const { path, compression, size } = probe;
  const hint = convertible(probe.head);
  const tree = (): Promise<Tree> => Promise.reject(notRootfs(path, hint));
  return {
    path,
    kind: 'file',
    compression,
    size,
    access: () => probe.access(),
    tree,
    async *entries() {
      yield* entriesOf(await tree());
    },
    structures: async () => [],
  };
}

/** What people give that other programs can change into something that is read: first bytes, name, and how. */
const CONVERTIBLE: readonly (readonly [magic: string, what: string, how: string])[] = [
  ['QFI\xfb', 'a qcow2 image', 'qemu-img convert -O raw FILE disk.img'],
  ['KDMV', 'a VMDK image', 'qemu-img convert -O raw FILE disk.img'],
  ['vhdxfile', 'a VHDX image', 'qemu-img convert -O raw FILE disk.img'],
  ['conectix', 'a VHD image', 'qemu-img convert -O raw FILE disk.img'],
  ['hsqs', 'a SquashFS image', 'unsquashfs -d FOLDER FILE'],
  ['PK\x03\x04', 'a ZIP archive', 'unzip FILE -d FOLDER'],
  ['7z\xbc\xaf\x27\x1c', 'a 7-Zip archive', '7z x -oFOLDER FILE'],
];

function convertible(head: Uint8Array): string | undefined {
  const text = Buffer.from(head.subarray(0, 8)).toString('latin1');
  const found = CONVERTIBLE.find(([magic]) => text.startsWith(magic));
  return found === undefined ? undefined : `it is ${found[1]}: ${found[2]} makes of it what can be read`;
}

function notRootfs(path: string, hint: string | undefined): BuildError {
  const reason = 'expected a folder, a tar or cpio archive, or an image with a file system';
  return new BuildError('ROOTFS_UNKNOWN', { path, reason }, hint === undefined ? {} : { hint });
}
