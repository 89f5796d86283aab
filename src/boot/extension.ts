import { expectExtensionName, extensionSerial, extensionWord } from '../artefacts/extension.ts';
import type { Artefact, Structure } from '../artefacts/kind.ts';
import { BuildError } from '../errors/error.ts';
import type { Report } from '../events/events.ts';
import { warning } from '../events/events.ts';
import type { Tree } from '../tree/tree.ts';

/** An extension image that a guest gets as a further disk. */
export interface BootExtension {
  readonly path: string;
  readonly serial: string;
  /** The word for the kernel that makes the guest mount it. */
  readonly word: string;
  /** Drivers that the guest needs for it, of the kernels of distributions. */
  readonly drivers: readonly string[];
}

/** Drivers for a disk with EROFS; where it is measured also for dm-verity. */
const DRIVERS = ['virtio_pci', 'virtio_blk', 'erofs'];
const MEASURED_DRIVERS = ['sha256_generic', 'dm_verity'];

/** What a guest needs for an extension image. Throws `EXTENSION_NAME`, and `BOOT_UNFIT` for what is no such image. */
export async function bootExtension(name: string, artefact: Artefact): Promise<BootExtension> {
  expectExtensionName(name);
  const { path, kind, compression } = artefact;
  const unfit = (reason: string, hint?: string) =>
    new BuildError('BOOT_UNFIT', { path, reason }, hint === undefined ? {} : { hint });
  if (kind !== 'disk' || compression !== 'none')
    throw unfit('an extension is a disk image that is not compressed', 'make one with "osbuilder extension"');
  const structures = await artefact.structures();
  if (!structures.some(({ what }) => what.startsWith('erofs'))) throw unfit('an extension has an EROFS file system');
  const tree = structures.find(({ what }) => what.startsWith('dm-verity hash tree'));
  const serial = extensionSerial(name);
  if (tree === undefined) return { path, serial, word: extensionWord(name, undefined), drivers: DRIVERS };
  const parameters = parametersOf(tree);
  if (parameters === undefined)
    throw unfit('it is measured, and its root hash is not known', `put root_hash_${name}-extension.txt beside it`);
  return { path, serial, word: extensionWord(name, parameters), drivers: [...DRIVERS, ...MEASURED_DRIVERS] };
}

/** As in `root_hash_VARIANT.txt`; undefined when no file beside the image has it. */
function parametersOf({ facts }: Structure): string | undefined {
  const { rootHash, salt, dataBlocks, dataBlockSize, hashBlockSize } = facts;
  if (rootHash === undefined || dataBlocks === undefined) return undefined;
  return `root_hash=${rootHash},salt=${salt},data_blocks=${dataBlocks},data_block_size=${dataBlockSize},hash_block_size=${hashBlockSize}`;
}

/** Warns when nothing in the guest mounts extensions: then they are without effect. */
export function warnOfUnmounted(tree: Tree, path: string, report: Report): void {
  const mounts = ['usr/lib', 'lib', 'etc'].some((folder) =>
    tree.has(`${folder}/systemd/system/kata-extension-mount@.service`),
  );
  if (!mounts) report(warning('BOOT_EXTENSION_UNMOUNTED', { path }));
}
