import { crc32c } from '../../../bytes/crc32c.ts';
import { TYPE_BITS } from '../../../tree/inode.ts';
import { orphanBlockSums } from '../checksums.ts';
import {
  INODE_EXTENTS,
  INODE_INDEX,
  JOURNAL_CHECKSUMS,
  JOURNAL_INCOMPAT,
  JOURNAL_MAGIC,
  JOURNAL_MIN_BLOCKS,
  JOURNAL_SUPERBLOCK_V1,
  JOURNAL_SUPERBLOCK_V2,
  JournalSuperblock,
  LARGE_FILE_SIZE,
  ORPHAN_MAGIC,
  OrphanTail,
} from '../layout.ts';
import type { RawInode } from '../volume.ts';
import { superBlock } from './groups.ts';
import { walkMap } from './mapping.ts';
import { checkQuota } from './quota.ts';
import { KIND, type State } from './state.ts';

/** True for inodes that the superblock names, and no directory: quota files, orphan file. */
export function isSpecial(state: State, number: number): boolean {
  const { sb, features } = state.volume;
  return (
    (features.has('orphan_file') && number === sb.orphanFileInode) ||
    (features.has('quota') && [sb.userQuotaInode, sb.groupQuotaInode, sb.projectQuotaInode].includes(number))
  );
}

/** Journal, orphan file, quota files and block of mmp. */
export function checkSpecial(state: State): void {
  const { volume, findings } = state;
  const { sb, features } = volume;
  const file = (number: number, what: string, check: (inode: RawInode) => void) => {
    if (number === 0 || number > sb.inodes) {
      findings.fault('superblock', `the ${what} is inode ${number}`);
      return;
    }
    state.attempt(what, number, () => {
      const inode = volume.inode(number);
      if ((inode.record.mode & 0o170000) !== TYPE_BITS.file || inode.record.links === 0)
        findings.fault(what, `inode ${number} is not a file`);
      else check(inode);
    });
  };
  if (features.has('has_journal') && sb.journalInode !== 0)
    file(sb.journalInode, 'journal', (inode) => journal(state, inode));
  strangers(state);
  if (features.has('orphan_file')) file(sb.orphanFileInode, 'orphan file', (inode) => orphanFile(state, inode));
  if (features.has('quota'))
    for (const [number, what, magic, kind] of [
      [sb.userQuotaInode, 'quota file of users', 0xd9c01f11, 'user'],
      [sb.groupQuotaInode, 'quota file of groups', 0xd9c01927, 'group'],
      [features.has('project') ? sb.projectQuotaInode : 0, 'quota file of projects', 0xd9c03f14, 'project'],
    ] as const)
      if (number !== 0) file(number, what, (inode) => checkQuota(state, inode, what, magic, kind));
  if (features.has('mmp')) mmp(state);
  if (sb.lastOrphan !== 0) orphanList(state);
}

/** Inodes that the superblock names for features which are not there: what it names must not be in use for something. */
function strangers(state: State): void {
  const { volume, findings } = state;
  const { sb, features } = volume;
  const used = (number: number) => {
    const kind = number > sb.inodes ? KIND.unused : state.kind(number);
    return kind !== KIND.unused && kind !== KIND.reserved;
  };
  const fault = (what: string, number: number, feature: string) =>
    findings.fault('superblock', `the ${what} is inode ${number}, without the feature ${feature}`);
  if (!features.has('orphan_file') && used(sb.orphanFileInode)) fault('orphan file', sb.orphanFileInode, 'orphan_file');
  if (features.has('quota')) return;
  if (sb.projectQuotaInode !== 0) fault('quota file of projects', sb.projectQuotaInode, 'quota');
  for (const [what, number, own] of [
    ['quota file of users', sb.userQuotaInode, 3],
    ['quota file of groups', sb.groupQuotaInode, 4],
  ] as const)
    if (number !== 0 && number !== own && (number < volume.firstInode || number > sb.inodes || used(number)))
      fault(what, number, 'quota');
}

/** Visits every block of a special file; a hole is a fault. */
function eachBlock(
  state: State,
  inode: RawInode,
  what: string,
  visit: (bytes: Uint8Array, logical: number, physical: number) => void,
): void {
  const { volume, findings } = state;
  const end = Math.ceil(inode.size / volume.blockSize);
  let next = 0;
  for (const { logical, physical, length } of volume.mapping(inode)) {
    if (logical !== next) findings.fault(what, `block ${next} of it is a hole`, inode.number);
    next = logical + length;
    for (let i = 0; i < length && logical + i < end; i++) {
      volume.spend(1, what);
      visit(volume.block(physical + i, what), logical + i, physical + i);
    }
  }
  if (next < end) findings.fault(what, `block ${next} of it is a hole`, inode.number);
}

/**
 * The journal's superblock has a checksum once the kernel has switched the journal's checksums on; before that, its
 * numbers must agree with those of the file system.
 */
function journal(state: State, inode: RawInode): void {
  const { volume, findings } = state;
  const fault = (reason: string) => findings.fault('journal superblock', reason, inode.number);
  findings.count('journal');
  const runs = volume.mapping(inode);
  const blocks = Math.floor(inode.size / volume.blockSize);
  let next = 0;
  for (const { logical, length } of runs) {
    if (logical !== next) fault(`block ${next} of the journal is a hole`);
    next = logical + length;
  }
  if (next === 0) fault('block 0 of the journal is a hole');
  const [first] = runs;
  if (first === undefined || first.logical !== 0) return;
  const bytes = volume.block(first.physical, 'journal').subarray(0, JournalSuperblock.size);
  const found = JournalSuperblock.read(bytes);
  if (found.magic !== JOURNAL_MAGIC) {
    fault('there is no superblock in it');
    return;
  }
  if (found.type !== JOURNAL_SUPERBLOCK_V2 && found.type !== JOURNAL_SUPERBLOCK_V1)
    fault(`blocks of type ${found.type} are not a superblock`);
  if (found.blockSize !== volume.blockSize)
    fault(`blocks of ${found.blockSize} bytes, the file system has ${volume.blockSize}`);
  if (next < Math.min(blocks, found.blocks)) fault(`block ${next} of the journal is a hole`);
  if (found.blocks > blocks) fault(`${found.blocks} blocks, its file has ${blocks}`);
  if (found.blocks < JOURNAL_MIN_BLOCKS) fault(`${found.blocks} blocks, at least ${JOURNAL_MIN_BLOCKS} are needed`);
  // most begin at block 1
  if (found.first === 0 || found.first >= found.blocks) fault(`its log begins at block ${found.first}`);
  if (found.start !== 0)
    fault(`it has transactions from block ${found.start} on, and the file system says it is clean`);
  if (found.error !== 0) fault(`it noted error ${found.error | 0}`);
  // a journal inside the file system has one user, and mke2fs leaves the count zero
  if (found.users > 1) fault(`it says that ${found.users} file systems use it`);
  if (found.incompat & ~JOURNAL_INCOMPAT || found.roCompat !== 0) fault('it has features that are not known');
  if ((found.incompat & JOURNAL_CHECKSUMS) === JOURNAL_CHECKSUMS) fault('it has two kinds of checksums');
  if (found.incompat & JOURNAL_CHECKSUMS) {
    bytes.fill(0, JournalSuperblock.offset.checksum, JournalSuperblock.offset.checksum + 4);
    findings.sum('journal checksum', 'journal superblock', {
      stored: found.checksum,
      computed: crc32c(0xffffffff, bytes),
    });
  }
}

/** Every block of the orphan file has its magic number, and no entries unless the file system says so. */
function orphanFile(state: State, inode: RawInode): void {
  const { volume, findings } = state;
  let orphans = 0;
  if (inode.size === 0 || inode.size % volume.blockSize !== 0)
    findings.fault('orphan file', `it has ${inode.size} bytes`, inode.number);
  eachBlock(state, inode, 'orphan file', (bytes, logical, physical) => {
    const at = `orphan file, block ${logical}`;
    findings.count('orphan block');
    const end = bytes.length - OrphanTail.size;
    if (OrphanTail.read(bytes, end).magic !== ORPHAN_MAGIC) findings.fault(at, 'it is not a block of orphans');
    else if (volume.checksums) findings.sum('orphans', at, orphanBlockSums(bytes, physical, inode.seed));
    const view = new DataView(bytes.buffer, bytes.byteOffset, end);
    for (let i = 0; i < end; i += 4) {
      const number = view.getUint32(i, true);
      if (number === 0) continue;
      orphans++;
      if (!volume.features.has('orphan_present')) {
        findings.fault(at, `it names inode ${number}, but the file system has no orphans`);
        break;
      }
      findings.inode(number, 'it is in the orphan file: deleted or cut off while it was open, and not cleaned up');
    }
  });
  if (orphans === 0 && volume.features.has('orphan_present'))
    findings.fault('orphan file', 'it is empty, but the file system says that it has orphans', inode.number);
}

/** Inodes that were deleted or cut off while they were open; each names the next in its time of deletion. */
function orphanList(state: State): void {
  const { volume, findings } = state;
  const seen = new Set<number>();
  for (let number = volume.sb.lastOrphan; number !== 0; ) {
    if (number < volume.firstInode || number > volume.sb.inodes || seen.has(number)) {
      findings.fault('orphan list', seen.has(number) ? `it comes back to inode ${number}` : `it names inode ${number}`);
      return;
    }
    seen.add(number);
    findings.inode(number, 'it is on the orphan list: deleted or cut off while it was open, and not cleaned up');
    if (seen.size > 10_000) return;
    number = volume.inode(number).record.dtime;
  }
}

/** EXT4_MMP_SEQ_CLEAN and EXT4_MMP_SEQ_MAX */
const MMP_CLEAN = 0xff4d4d50;
const MMP_MAX = 0xe24d4d4f;

/** struct mmp_struct: magic, sequence, and a checksum at the end of its 1024 bytes. */
function mmp(state: State): void {
  const { volume, findings } = state;
  const at = 'block of mmp';
  const { mmpBlock } = volume.sb;
  if (!state.inRange(mmpBlock)) return findings.fault(at, `it is block ${mmpBlock} of ${volume.blocks}`);
  const bytes = volume.block(mmpBlock, at);
  const view = new DataView(bytes.buffer);
  findings.count('mmp');
  if (view.getUint32(0, true) !== 0x004d4d50) findings.fault(at, 'it does not begin with its magic number');
  const sequence = view.getUint32(4, true);
  // a number below says that it was in use: nobody may have cleared it
  if (sequence !== MMP_CLEAN && sequence > MMP_MAX)
    findings.fault(at, `e2fsck is at work on it, or was ended: 0x${sequence.toString(16)}`);
  if (volume.checksums)
    findings.sum('mmp checksum', at, {
      stored: view.getUint32(1020, true),
      computed: crc32c(volume.seed, bytes, 0, 1020),
    });
}

/**
 * The resize inode owns the blocks that are reserved for more descriptors: block 1 of each reserve is a block of numbers
 * that names the same block of every copy, and all of them hang below one block of the second level.
 */
export function checkResizeInode(state: State, inode: RawInode): void {
  const { volume, findings } = state;
  const { sb, features, blockSize } = volume;
  const { record } = inode;
  const fault = (reason: string) => findings.fault('resize inode', reason);
  const view = new DataView(record.block.buffer, record.block.byteOffset);
  const numbers = Array.from({ length: 15 }, (_, i) => view.getUint32(i * 4, true));
  if (record.flags & INODE_INDEX) fault('it has an index, but is not a directory');
  if (!features.has('resize_inode')) {
    if (numbers.some((number) => number !== 0) || record.blocks !== 0)
      fault('it has blocks without the feature resize_inode');
    return;
  }
  findings.count('resize inode');
  const double = numbers[13]!;
  if (numbers.some((number, i) => number !== 0 && i !== 13)) fault('it has blocks besides those of the second level');
  if (record.links === 0 || (record.mode & 0o170000) !== TYPE_BITS.file || record.flags & INODE_EXTENTS)
    fault('it is not a file with block numbers');
  if (!state.inRange(double)) return fault(`its block of the second level is ${double} of ${volume.blocks}`);
  const cluster = state.cluster(double);
  if (state.used.add(cluster) !== undefined) state.shared.add(cluster);
  const table = new DataView(volume.block(double, 'resize inode').buffer);
  const per = blockSize / 4;
  const descriptors = Math.ceil(volume.groups / (blockSize / volume.descriptorSize));
  for (let i = 0; i < sb.reservedGdtBlocks; i++) {
    const block = superBlock(state, 0) + 1 + descriptors + i;
    const found = table.getUint32(((descriptors + i) % per) * 4, true);
    if (found !== block) return fault(`entry ${(descriptors + i) % per} names block ${found}, not ${block}`);
    const copies = new DataView(volume.block(block, 'resize inode').buffer);
    let at = 0;
    for (let group = 1; group < volume.groups && at < per; group++) {
      if (!volume.superIn(group)) continue;
      const expected = block + group * sb.blocksPerGroup;
      const copy = copies.getUint32(at++ * 4, true);
      if (copy !== expected) return fault(`block ${block} names ${copy}, not ${expected} of group ${group}`);
    }
    for (; at < per; at++) {
      const copy = copies.getUint32(at * 4, true);
      if (copy !== 0) return fault(`block ${block} names ${copy}, for which there is no group`);
    }
  }
  if (inode.size >= LARGE_FILE_SIZE && !features.has('large_file'))
    fault(`${inode.size} bytes without the feature large_file`);
  for (let i = sb.reservedGdtBlocks; i < per; i++) {
    const entry = (descriptors + i) % per;
    const found = table.getUint32(entry * 4, true);
    if (found !== 0) return fault(`entry ${entry} names block ${found}, which is not reserved`);
  }
  // with clusters, the blocks of a reserve share some
  if (state.ratio > 1) return;
  let blocks = 0;
  let end = 0;
  walkMap(volume, inode, {
    data(logical, _physical, length) {
      blocks += length;
      end = Math.max(end, logical + length);
    },
    node: () => ++blocks > 0,
    fault,
  });
  const expected = (blocks * blockSize) / 512;
  if (record.blocks !== expected) fault(`i_blocks is ${record.blocks}, ${expected} is right`);
  if (inode.size < (end - 1) * blockSize) fault(`${inode.size} bytes, but it has data in block ${end - 1}`);
}
