import { initrd, tar } from './archives.ts';
import { directory } from './folder.ts';
import type { ImageKind } from './kind.ts';
import { disk, erofs, ext4, xfs } from './volumes.ts';

/**
 * Every kind of image that can be opened and written, in the order in which a file is tried: kinds recognised by their
 * first bytes alone come first. To add a kind, add a row; the contract test runs over all of them.
 *
 * @example
 * ```ts
 * import { file, IMAGE_KINDS, memory, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.set('etc/hostname', file(memory('kata')));
 * const options = { blockSize: 4096, freeSpace: 0, label: '', features: [], epoch: 0 };
 * await IMAGE_KINDS.ext4.validate(options);
 * const planned = await IMAGE_KINDS.ext4.write(tree, options);
 * const written = await planned.prepare('root.ext4');
 * written.commit();
 * console.log(written.value.size === planned.size); // prints: true
 * ```
 */
export const IMAGE_KINDS = { directory, tar, initrd, ext4, erofs, xfs, disk } as const satisfies Record<
  string,
  ImageKind<never>
>;
