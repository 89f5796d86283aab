import type { RandomAccess } from '../../bytes/file.ts';
import { formatUuid } from '../disk/uuid.ts';
import { type ReadOptions, Volume } from './volume.ts';

/** The fields of a superblock, as plain values. */
export interface XfsFacts {
  readonly kind: 'xfs';
  readonly features: readonly string[];
  readonly uuid: string;
  readonly label: string;
  readonly blockSize: number;
  readonly sectorSize: number;
  readonly inodeSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  /** Inodes that are allocated, and those of them that are in use by nothing. */
  readonly inodes: number;
  readonly freeInodes: number;
  /** Allocation groups and the blocks of each. */
  readonly groups: number;
  readonly groupBlocks: number;
  readonly logBlocks: number;
  /** Bytes that the file system takes of the image. */
  readonly size: number;
}

/** The facts of an XFS file system, for users and programs. */
export function describeXfs(access: RandomAccess, options: ReadOptions = {}): XfsFacts {
  const { sb, features, blockSize } = new Volume(access, options);
  const end = sb.label.indexOf(0);
  return {
    kind: 'xfs',
    features: [...features],
    uuid: formatUuid(sb.uuid),
    label: Buffer.from(sb.label.subarray(0, end < 0 ? 12 : end)).toString('utf8'),
    blockSize,
    sectorSize: sb.sectorSize,
    inodeSize: sb.inodeSize,
    blocks: sb.blocks,
    freeBlocks: sb.freeBlocks,
    inodes: sb.inodes,
    freeInodes: sb.freeInodes,
    groups: sb.groups,
    groupBlocks: sb.groupBlocks,
    logBlocks: sb.logBlocks,
    size: sb.blocks * blockSize,
  };
}
