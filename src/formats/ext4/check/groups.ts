import { GROUP_BLOCK_UNINIT, GROUP_INODE_UNINIT, GroupDescriptor, Superblock } from '../layout.ts';
import { descriptorChecksum } from '../superblock.ts';
import type { Comparison } from '../volume.ts';
import type { State } from './state.ts';

/**
 * Group descriptors and where they say that bitmaps and inode tables are: in range, and nothing twice. Marks all blocks
 * of the file system's own metadata as used.
 */
export function checkGroups(state: State): void {
  const { volume } = state;
  for (let group = 0; group < volume.groups; group++)
    state.attempt(`group ${group}`, undefined, () => {
      superParts(state, group);
      descriptor(state, group);
      if (group > 0 && volume.superIn(group)) {
        backup(state, group);
        if (state.lazy) descriptorCopies(state, group);
      }
    });
  if (volume.features.has('mmp') && state.inRange(volume.sb.mmpBlock))
    claim(state, volume.sb.mmpBlock, 1, 'the block of mmp');
}

/** Marks blocks as metadata. */
function claim(state: State, start: number, count: number, what: string): void {
  const already = state.fixed.add(start, count);
  if (already !== undefined) state.findings.fault(what, `block ${already} holds other metadata, too`);
  const first = state.cluster(start);
  state.used.add(first, state.cluster(start + count - 1) - first + 1);
}

/** The superblock and descriptors that a group has, with the blocks that are reserved for more descriptors. */
function superParts(state: State, group: number): void {
  const { volume } = state;
  const { sb, blockSize } = volume;
  const start = superBlock(state, group);
  const hasSuper = volume.superIn(group);
  if (hasSuper) claim(state, start, 1, `superblock of group ${group}`);
  // the boot block shares the first cluster
  if (group === 0 && start > state.groupStart(0)) state.fixed.add(state.groupStart(0), start - state.groupStart(0));
  const per = blockSize / volume.descriptorSize;
  const meta = volume.features.has('meta_bg');
  const index = Math.floor(group / per);
  if (!meta || index < sb.firstMetaGroup) {
    const blocks = meta ? sb.firstMetaGroup : Math.ceil(volume.groups / per) + sb.reservedGdtBlocks;
    const fits = Math.min(blocks, volume.blocks - start - 1);
    if (hasSuper && fits > 0) claim(state, start + 1, fits, `descriptors in group ${group}`);
    return;
  }
  const within = group % per;
  if (within === 0 || within === 1 || within === per - 1)
    if (state.inRange(start + (hasSuper ? 1 : 0)))
      claim(state, start + (hasSuper ? 1 : 0), 1, `descriptors in group ${group}`);
}

/** Where a group's superblock is. */
export function superBlock(state: State, group: number): number {
  const start = state.groupStart(group);
  // with clusters, blocks of 1 KiB begin with block 0, the boot block
  return start === 0 && state.volume.blockSize === 1024 ? 1 : start;
}

function descriptor(state: State, group: number): void {
  const { volume, findings } = state;
  const { sb, blockSize } = volume;
  const at = `descriptor of group ${group}`;
  findings.count('group');
  const { record, blockBitmap, inodeBitmap, inodeTable } = volume.groupOf(group);
  if (state.lazy) findings.sum('descriptor', at, descriptorSums(state, volume.descriptor(group), group));
  const start = volume.features.has('flex_bg') ? sb.firstDataBlock : state.groupStart(group);
  const end = volume.features.has('flex_bg') ? volume.blocks : Math.min(volume.blocks, state.groupStart(group + 1));
  const tableBlocks = Math.ceil((sb.inodesPerGroup * volume.inodeSize) / blockSize);
  for (const [what, block, count] of [
    ['block bitmap', blockBitmap, 1],
    ['inode bitmap', inodeBitmap, 1],
    ['inode table', inodeTable, tableBlocks],
  ] as const) {
    if (block < start || block + count > end)
      findings.fault(at, `the ${what} is at block ${block}, outside of the group (${start} to ${end - 1})`);
    else claim(state, block, count, `${what} of group ${group}`);
  }
  const unused = unusedInodes(state, group);
  if (unused > sb.inodesPerGroup) findings.fault(at, `${unused} unused inodes of ${sb.inodesPerGroup}`);
  if (!state.lazy && (record.flags & (GROUP_BLOCK_UNINIT | GROUP_INODE_UNINIT)) !== 0)
    findings.fault(at, 'it says that a bitmap is not initialised, without a feature that allows it');
  if (!state.lazy && unused !== 0)
    findings.fault(at, `it has ${unused} unused inodes, without a feature that allows it`);
  if (group === volume.groups - 1 && record.flags & GROUP_BLOCK_UNINIT)
    findings.fault(at, 'the block bitmap of the last group is not initialised');
}

/** Inodes at the end of a group's table that were never used. */
export function unusedInodes(state: State, group: number): number {
  const { record } = state.volume.groupOf(group);
  return record.unusedInodes + (state.volume.descriptorSize >= 64 ? record.unusedInodesHigh * 2 ** 16 : 0);
}

/** A copy of the superblock differs in its group's number, so it has its own checksum. */
function backup(state: State, group: number): void {
  const { volume, findings } = state;
  if (!volume.checksums) return;
  const bytes = volume.block(superBlock(state, group), `superblock of group ${group}`);
  findings.sum('superblock', `superblock of group ${group}`, volume.superblockSums(bytes.subarray(0, Superblock.size)));
}

/**
 * A copy of the descriptors. The kernel does not keep the copies up to date, so counts may differ, but each has its
 * checksum and the right locations of bitmaps and tables.
 */
function descriptorCopies(state: State, group: number): void {
  const { volume, findings } = state;
  const { descriptorSize, blockSize, sb } = volume;
  const start = superBlock(state, group) + 1;
  const per = blockSize / descriptorSize;
  const blocks = volume.features.has('meta_bg') ? sb.firstMetaGroup : Math.ceil(volume.groups / per);
  for (let i = 0; i < blocks; i++) {
    const bytes = volume.block(start + i, `copy of the descriptors in group ${group}`);
    for (let of = i * per; of < Math.min((i + 1) * per, volume.groups); of++) {
      const copy = bytes.subarray((of % per) * descriptorSize, ((of % per) + 1) * descriptorSize);
      const at = `copy in group ${group} of the descriptor of group ${of}`;
      const sums = descriptorSums(state, copy, of);
      // a copy from before checksums were switched on has none
      if (sums.stored !== 0) findings.sum('descriptor', at, sums);
      // bg_block_bitmap_lo, bg_inode_bitmap_lo and bg_inode_table_lo
      if (Buffer.compare(copy.subarray(0, 12), volume.descriptor(of).subarray(0, 12)) !== 0)
        findings.fault(at, 'it names other blocks than the descriptor itself');
    }
  }
}

function descriptorSums({ volume }: State, descriptor: Uint8Array, group: number): Comparison {
  const stored = new DataView(descriptor.buffer, descriptor.byteOffset).getUint16(
    GroupDescriptor.offset.checksum,
    true,
  );
  const how = { metadata: volume.checksums, groups: true, seed: volume.seed, uuid: volume.sb.uuid };
  return { stored, computed: descriptorChecksum(descriptor, group, how) };
}
