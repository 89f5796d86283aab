import { JOURNAL_INODE, OLD_INODE_SIZE } from '../layout.ts';
import type { State } from './state.ts';

const AT = 'superblock';
/** EXT2_MAX_DESC_SIZE of e2fsprogs, which asks for it without 64bit as well. */
const MOST_DESCRIPTOR_SIZE = 1024;
/** The one encoding of names that ignore case. */
const UTF8_12_1 = 1;

/** The superblock's own numbers: their ranges, and features that contradict each other. */
export function checkSuperblock(state: State): void {
  const { volume, findings } = state;
  const { sb, features, blockSize } = volume;
  const fault = (reason: string) => findings.fault(AT, reason);
  if (volume.checksums) findings.sum('superblock', AT, volume.superblockSums());
  ranges(state, fault);
  for (const reason of contradictions(features)) fault(reason);
  if (volume.checksums && sb.checksumType !== 1) fault(`checksums of the unknown type ${sb.checksumType}`);
  for (const name of features) if (/^[CIR]\d+$/.test(name) || GONE.includes(name)) fault(`the unknown feature ${name}`);
  if (sb.revision === 0 && (sb.compat | sb.incompat | sb.roCompat) !== 0) fault('revision 0 has no features');
  if (sb.revision > 1) fault(`revision ${sb.revision}`);
  if (features.has('has_journal')) {
    if (sb.journalInode !== JOURNAL_INODE && sb.journalInode !== 0) fault(`the journal is inode ${sb.journalInode}`);
    if (sb.journalInode === 0 && sb.journalDevice === 0) fault('it has a journal, but not where');
    if (sb.journalInode === 0) findings.unchecked.add('the journal, which is on another device');
  } else if (sb.journalInode !== 0) fault(`the journal is inode ${sb.journalInode}, without the feature has_journal`);
  if (sb.lastOrphan !== 0 && (sb.lastOrphan < volume.firstInode || sb.lastOrphan > sb.inodes))
    fault(`the orphan list begins with inode ${sb.lastOrphan}`);
  // a journal on another device is found by its UUID
  if (sb.journalUuid.some((byte) => byte !== 0) && (!features.has('has_journal') || sb.journalInode !== 0))
    fault('it has the UUID of a journal on another device');
  if (features.has('resize_inode') === false && sb.reservedGdtBlocks !== 0)
    fault(`${sb.reservedGdtBlocks} blocks are reserved for descriptors, without the feature resize_inode`);
  if (sb.reservedGdtBlocks > blockSize / 4) fault(`${sb.reservedGdtBlocks} blocks are reserved for descriptors`);
}

/** Ranges that are not needed for reading, which is why the reader does not check them. */
function ranges(state: State, fault: (reason: string) => void): void {
  const { volume, ratio } = state;
  const { sb, features, blockSize, blocks } = volume;
  const high = (value: number) => (features.has('64bit') ? value * 2 ** 32 : 0);
  const free = sb.freeBlocks + high(sb.freeBlocksHigh);
  const reserved = sb.reservedBlocks + high(sb.reservedBlocksHigh);
  if (free > blocks) fault(`${free} free blocks of ${blocks}`);
  if (sb.freeInodes > sb.inodes) fault(`${sb.freeInodes} free inodes of ${sb.inodes}`);
  if (reserved > blocks / 2) fault(`${reserved} reserved blocks of ${blocks}`);
  if (sb.firstDataBlock !== (blockSize === 1024 && ratio === 1 ? 1 : 0))
    fault(`the first block is ${sb.firstDataBlock}`);
  if (features.has('bigalloc')) {
    if (sb.logClusterSize < sb.logBlockSize || sb.logClusterSize > 19)
      fault(`clusters of 2^${10 + sb.logClusterSize} bytes`);
    else if (sb.clustersPerGroup * ratio !== sb.blocksPerGroup || sb.clustersPerGroup > blockSize * 8)
      fault(`${sb.clustersPerGroup} clusters per group`);
  } else {
    if (sb.clustersPerGroup !== sb.blocksPerGroup) fault(`${sb.clustersPerGroup} clusters per group`);
    if (sb.logClusterSize !== sb.logBlockSize) fault(`clusters of 2^${10 + sb.logClusterSize} bytes`);
  }
  if (state.clustersPerGroup % 8 !== 0 || sb.blocksPerGroup < 8) fault(`${sb.blocksPerGroup} blocks per group`);
  if ((sb.inodesPerGroup * volume.inodeSize) % blockSize !== 0 || sb.inodesPerGroup % 8 !== 0)
    fault(`${sb.inodesPerGroup} inodes per group`);
  if (sb.inodes !== sb.inodesPerGroup * volume.groups)
    fault(`${sb.inodes} inodes, not ${volume.groups} groups of ${sb.inodesPerGroup}`);
  if (sb.revision > 0 && (sb.firstInode < 11 || sb.firstInode > sb.inodes))
    fault(`the first inode is ${sb.firstInode}`);
  const perBlock = blockSize / volume.descriptorSize;
  if (features.has('meta_bg') && sb.firstMetaGroup > Math.ceil(volume.groups / perBlock))
    fault(`the first meta group is ${sb.firstMetaGroup}`);
  if (sb.descriptorSize > MOST_DESCRIPTOR_SIZE) fault(`descriptors of ${sb.descriptorSize} bytes`);
  if (sb.logGroupsPerFlex > 31) fault(`flexible groups of 2^${sb.logGroupsPerFlex} groups`);
  if (features.has('casefold') && sb.encoding !== UTF8_12_1) fault(`names in the unknown encoding ${sb.encoding}`);
  if (features.has('64bit') && volume.descriptorSize < 64)
    fault(`descriptors of ${volume.descriptorSize} bytes with 64bit`);
  if (volume.inodeSize > OLD_INODE_SIZE)
    for (const [name, value] of [
      ['s_min_extra_isize', sb.minExtraSize],
      ['s_want_extra_isize', sb.wantExtraSize],
    ] as const)
      if (value !== 0 && (value < 4 || value > volume.inodeSize - OLD_INODE_SIZE || (value & 3) !== 0))
        fault(`${name} is ${value}`);
}

/** Features that no kernel since 4.0 knows, though they have names. */
const GONE = ['btree_dir', 'replica'];

/** Features that exclude or need each other. */
function contradictions(features: ReadonlySet<string>): string[] {
  const has = (name: string) => features.has(name);
  const found: string[] = [];
  if (has('metadata_csum') && has('uninit_bg')) found.push('metadata_csum and uninit_bg exclude each other');
  if (has('resize_inode') && has('meta_bg')) found.push('resize_inode and meta_bg exclude each other');
  if (has('64bit') && !has('extent')) found.push('64bit needs extent');
  if (has('bigalloc') && !has('extent')) found.push('bigalloc needs extent');
  if (has('metadata_csum_seed') && !has('metadata_csum')) found.push('metadata_csum_seed needs metadata_csum');
  if (has('orphan_present') && !has('orphan_file')) found.push('orphan_present needs orphan_file');
  return found;
}
