import type { RandomAccess } from '../../bytes/file.ts';
import { type ReadOptions, Volume } from './volume.ts';

/** The fields of a superblock, as plain values. */
export interface Ext4Facts {
  readonly kind: 'ext2' | 'ext3' | 'ext4';
  readonly features: readonly string[];
  readonly uuid: string;
  readonly label: string;
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly reservedBlocks: number;
  readonly inodes: number;
  readonly freeInodes: number;
  readonly inodeSize: number;
  readonly groups: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly journalInode: number;
  readonly hashSeed: string;
  /** Seconds since 1970. */
  readonly madeTime: number;
  readonly clean: boolean;
  /** Bytes that the file system takes of the image, and that are free. */
  readonly size: number;
  readonly freeSpace: number;
}

/** The facts of an ext2, ext3 or ext4 file system, for users and programs. */
export function describeExt4(access: RandomAccess, options: ReadOptions = {}): Ext4Facts {
  const volume = new Volume(access, options);
  const { sb, features } = volume;
  const high = (value: number) => (features.has('64bit') ? value * 2 ** 32 : 0);
  const freeBlocks = sb.freeBlocks + high(sb.freeBlocksHigh);
  const modern = ['extent', '64bit', 'flex_bg', 'metadata_csum', 'huge_file', 'uninit_bg', 'dir_nlink', 'extra_isize'];
  const end = sb.label.indexOf(0);
  return {
    kind: modern.some((name) => features.has(name)) ? 'ext4' : features.has('has_journal') ? 'ext3' : 'ext2',
    features: [...features],
    uuid: uuidText(sb.uuid),
    label: new TextDecoder().decode(sb.label.subarray(0, end < 0 ? 16 : end)),
    blockSize: volume.blockSize,
    blocks: volume.blocks,
    freeBlocks,
    reservedBlocks: sb.reservedBlocks + high(sb.reservedBlocksHigh),
    inodes: sb.inodes,
    freeInodes: sb.freeInodes,
    inodeSize: volume.inodeSize,
    groups: volume.groups,
    blocksPerGroup: sb.blocksPerGroup,
    inodesPerGroup: sb.inodesPerGroup,
    journalInode: sb.journalInode,
    hashSeed: uuidText(sb.hashSeed),
    madeTime: sb.madeTime + sb.madeTimeHigh * 2 ** 32,
    clean: (sb.state & 3) === 1,
    size: volume.blocks * volume.blockSize,
    freeSpace: freeBlocks * volume.blockSize,
  };
}

function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
