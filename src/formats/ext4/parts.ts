import type { RandomAccess } from '../../bytes/file.ts';
import { SUPERBLOCK_OFFSET, Superblock } from './layout.ts';
import { type ReadOptions, Volume } from './volume.ts';

/** A structure of a file system: where it begins and how long it is, in bytes. */
export interface Part {
  readonly what: string;
  readonly offset: number;
  readonly size: number;
}

/**
 * Superblocks, descriptors, bitmaps, tables, journal and orphan file of an ext2, ext3 or ext4 file system, as they are.
 */
export function ext4Parts(access: RandomAccess, options: ReadOptions = {}): Part[] {
  const volume = new Volume(access, { ...options, verify: false });
  const { sb, blockSize, groups, descriptorSize, features } = volume;
  const parts: Part[] = [{ what: 'superblock', offset: SUPERBLOCK_OFFSET, size: Superblock.size }];
  const blocks = (what: string, start: number, count: number) => {
    if (count > 0) parts.push({ what, offset: start * blockSize, size: count * blockSize });
  };
  const per = blockSize / descriptorSize;
  const tables = features.has('meta_bg') ? sb.firstMetaGroup : Math.ceil(groups / per);
  const tableBlocks = Math.ceil((sb.inodesPerGroup * volume.inodeSize) / blockSize);
  for (let group = 0; group < groups; group++) {
    const of = `of group ${group}`;
    const start = sb.firstDataBlock + group * sb.blocksPerGroup;
    if (volume.superIn(group)) {
      const copy = group === 0 ? '' : `copy in group ${group}: `;
      if (group > 0) blocks(`${copy}superblock`, start, 1);
      // blocks of more than 1 KiB have the superblock inside their first
      blocks(`${copy}group descriptors`, start + 1, tables);
      blocks(`${copy}space for more group descriptors`, start + 1 + tables, sb.reservedGdtBlocks);
    }
    const { blockBitmap, inodeBitmap, inodeTable } = volume.groupOf(group);
    blocks(`block bitmap ${of}`, blockBitmap, 1);
    blocks(`inode bitmap ${of}`, inodeBitmap, 1);
    blocks(`inode table ${of}`, inodeTable, tableBlocks);
  }
  const file = (what: string, number: number) => {
    for (const { physical, length } of volume.mapping(volume.inode(number))) blocks(what, physical, length);
  };
  if (features.has('has_journal') && sb.journalInode > 0) file('journal', sb.journalInode);
  if (features.has('orphan_file') && sb.orphanFileInode > 0) file('orphan file', sb.orphanFileInode);
  return parts.sort((a, b) => a.offset - b.offset);
}
