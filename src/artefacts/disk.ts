import { type Content, compose, memory } from '../bytes/content.ts';
import { DAX_DATA_OFFSET, DAX_HEADER_OFFSET, daxHeader } from '../formats/disk/dax.ts';
import { mbr } from '../formats/disk/mbr.ts';

const MIB = 1024 * 1024;
const LINUX = 0x83;

/** Layout of the disk around a file system. */
export interface KataDiskOptions {
  /** Leave out the header for NVDIMM devices: a plain disk with its partition at 1 MiB. */
  readonly plain: boolean;
  /** The disk's size is a multiple of this, in bytes. */
  readonly alignment: number;
}

/** Where the partition begins, in bytes. */
export function partitionStart(plain: boolean): number {
  return plain ? MIB : DAX_DATA_OFFSET + MIB;
}

/** Size of the disk for a file system of at least `filesystem` bytes: a multiple of the alignment. */
export function diskSize(filesystem: number, options: KataDiskOptions): number {
  return Math.ceil((partitionStart(options.plain) + filesystem) / options.alignment) * options.alignment;
}

/**
 * Kata's disk image. A guest with an NVDIMM device sees its namespace begin at 2 MiB and reads the second MBR there;
 * every other guest reads the first. Both name the same partition.
 *
 * ```
 * 0 MBR │ 4 KiB DAX header │ 2 MiB MBR again │ 3 MiB file system … end
 * ```
 *
 * @example
 * ```ts
 * import { ext4Image, kataDisk, Tree } from 'osbuilder';
 *
 * const disk = kataDisk(ext4Image(new Tree()), { plain: false, alignment: 2 * 1024 * 1024 });
 * console.log(disk.size % (2 * 1024 * 1024)); // prints: 0
 * ```
 */
export function kataDisk(filesystem: Content, options: KataDiskOptions): Content {
  const size = diskSize(filesystem.size, options);
  const start = partitionStart(options.plain);
  const table = mbr([{ start, size: size - start, type: LINUX }]);
  if (options.plain)
    return compose(size, [
      { offset: 0, content: memory(table) },
      { offset: start, content: filesystem },
    ]);
  return compose(size, [
    { offset: 0, content: memory(table) },
    { offset: DAX_HEADER_OFFSET, content: memory(daxHeader()) },
    { offset: DAX_DATA_OFFSET, content: memory(mbr([{ start: MIB, size: size - start, type: LINUX }])) },
    { offset: start, content: filesystem },
  ]);
}
