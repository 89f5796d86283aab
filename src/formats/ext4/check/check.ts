import type { RandomAccess } from '../../../bytes/file.ts';
import { type ReadOptions, Volume } from '../volume.ts';
import { checkBitmaps } from './bitmaps.ts';
import { checkDirectories } from './directories.ts';
import type { Ext4Verified } from './findings.ts';
import { checkGroups } from './groups.ts';
import { checkInodes } from './inodes.ts';
import { checkLinks, checkTree } from './links.ts';
import { nameOwners } from './owners.ts';
import { pathsOf } from './paths.ts';
import { checkSpecial } from './special.ts';
import { State } from './state.ts';
import { checkSuperblock } from './superblock.ts';

/**
 * Checks the structure of an ext2, ext3 or ext4 file system as `e2fsck -fn` does: superblock and features, group
 * descriptors, every inode with its attributes and map of blocks, directories with their index, links, bitmaps and
 * counts, journal, orphans, and every checksum. Damage is reported with its inode and path, not thrown; an image that
 * cannot be read at all is rejected with an `EXT4_…` error. Reads metadata only; memory grows with the number of inodes
 * in use.
 */
export function checkExt4(access: RandomAccess, options: Omit<ReadOptions, 'verify'> = {}): Ext4Verified {
  const volume = new Volume(access, { ...options, verify: false });
  const state = new State(volume);
  const { findings } = state;
  findings.unsummed.add('the content of files, for which ext4 has no checksums');
  if (!volume.checksums)
    findings.unsummed.add('values of metadata fields that have no rule: there are no checksums (metadata_csum)');
  checkSuperblock(state);
  if (state.findings.found.length > 0 && !canContinue(state)) {
    findings.unchecked.add('everything behind the superblock, which is damaged');
    return findings.result(new Map());
  }
  checkGroups(state);
  volume.beginPass();
  checkInodes(state);
  nameOwners(state);
  volume.beginPass();
  checkSpecial(state);
  checkDirectories(state);
  checkTree(state);
  checkLinks(state);
  checkBitmaps(state);
  const inodes = findings.inodes();
  return findings.result(inodes.size === 0 ? new Map() : pathsOf(state, inodes));
}

/** Whether the numbers that everything else is computed from are usable. */
function canContinue({ volume, clustersPerGroup, ratio }: State): boolean {
  return (
    Number.isInteger(clustersPerGroup) &&
    clustersPerGroup % 8 === 0 &&
    clustersPerGroup > 0 &&
    clustersPerGroup <= volume.blockSize * 8 &&
    volume.sb.inodesPerGroup % 8 === 0 &&
    ratio >= 1
  );
}
