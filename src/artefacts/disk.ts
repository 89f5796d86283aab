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
 * Where the partition of the hash tree begins on a measured disk of `size` bytes: at 99 % of what a guest sees of it, in
 * whole MiB, as Kata's image builder has it. The tree needs less than 0.8 % of the data.
 */
export function hashStart(size: number, plain: boolean): number {
  const hidden = plain ? 0 : DAX_DATA_OFFSET;
  return hidden + Math.floor(((size - hidden) * 99) / 100 / MIB) * MIB;
}

/**
 * Kata's disk image. A guest with an NVDIMM device sees its namespace begin at 2 MiB and reads the second MBR there;
 * every other guest reads the first. Both name the same partition.
 *
 * ```
 * 0 MBR │ 4 KiB DAX header │ 2 MiB MBR again │ 3 MiB file system … end
 * ```
 *
 * With a hash tree, which begins at 99 % of the disk in the layout of Kata, the file system fills its partition up to there.
 *
 * @example
 * ```ts
 * import { ext4Image, kataDisk, Tree } from 'osbuilder';
 *
 * const disk = kataDisk(ext4Image(new Tree()), { plain: false, alignment: 2 * 1024 * 1024 });
 * console.log(disk.size % (2 * 1024 * 1024)); // prints: 0
 * ```
 */
export function kataDisk(filesystem: Content, options: KataDiskOptions, hashes?: Content): Content {
  const start = partitionStart(options.plain);
  const size = hashes === undefined ? diskSize(filesystem.size, options) : measuredSize(filesystem.size, options);
  const end = hashes === undefined ? size : hashStart(size, options.plain);
  if (hashes !== undefined && (start + filesystem.size !== end || end + hashes.size > size))
    throw new RangeError(`a tree of ${hashes.size} bytes over ${filesystem.size} on a disk of ${size}`);
  const table = (from: number) =>
    memory(
      mbr([
        { start: start - from, size: end - start, type: LINUX, active: hashes !== undefined },
        ...(hashes === undefined ? [] : [{ start: end - from, size: size - end, type: LINUX }]),
      ]),
    );
  const contents = [
    { offset: start, content: filesystem },
    ...(hashes === undefined ? [] : [{ offset: end, content: hashes }]),
  ];
  if (options.plain) return compose(size, [{ offset: 0, content: table(0) }, ...contents]);
  return compose(size, [
    { offset: 0, content: table(0) },
    { offset: DAX_HEADER_OFFSET, content: memory(daxHeader()) },
    { offset: DAX_DATA_OFFSET, content: table(DAX_DATA_OFFSET) },
    ...contents,
  ]);
}

/** Size of a measured disk for a file system of at least `filesystem` bytes: a multiple of the alignment. */
export function measuredSize(filesystem: number, { plain, alignment }: KataDiskOptions): number {
  const start = partitionStart(plain);
  let size = Math.ceil((start + filesystem + MIB) / alignment) * alignment;
  while (hashStart(size, plain) - start < filesystem) size += alignment;
  return size;
}
