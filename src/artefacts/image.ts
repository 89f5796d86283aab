import type { Content } from '../bytes/content.ts';
import type { Tree } from '../tree/tree.ts';
import type { DiskOptions } from './disk-options.ts';
import { imageTree } from './variant.ts';
import { disk } from './volumes.ts';

/** How {@link image} makes a disk; omitted options have Kata's defaults. Sizes in bytes, times in Unix seconds. */
export type ImageOptions = Partial<DiskOptions>;

const DEFAULTS: DiskOptions = {
  fileSystem: 'ext4',
  layout: 'nvdimm',
  blockSize: 4096,
  freeSpace: 0,
  alignment: 128 * 1024 * 1024,
  label: '',
  features: [],
  epoch: 0,
};

/**
 * A bootable disk of the rootfs: file system, partition table and, with the layout `nvdimm`, the header for NVDIMM
 * devices. Throws `SETTING_INVALID` and `EXT4_…` errors for options and trees that cannot be made into a file system.
 *
 * @example
 * ```ts
 * import { createHost, image, openArtefact, pour } from 'osbuilder';
 *
 * const host = createHost({ cacheDirectory: 'cache' });
 * const tree = await (await openArtefact('rootfs.tar', host)).tree();
 * const disk = await image(tree, { layout: 'gpt', label: 'kata', alignment: 2 * 1024 * 1024 });
 * await pour(disk.open(), 'disk.img', { sparse: true });
 * console.log((await openArtefact('disk.img', host)).kind); // prints: disk
 * await host.close();
 * ```
 */
export async function image(tree: Tree, options: ImageOptions = {}): Promise<Content> {
  const all = { ...DEFAULTS, ...options };
  const planned = await disk.write(imageTree(tree, all), all);
  return { size: planned.size!, open: () => planned.open() };
}
