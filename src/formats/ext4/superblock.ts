import { crc32c, crc32cWord } from '../../bytes/crc32c.ts';
import { featureWords } from './features.ts';
import { type Geometry, groupStart, physical } from './geometry.ts';
import { InodeWriter } from './inodes.ts';
import {
  EXTRA_SIZE,
  FIRST_INODE,
  FLAG_SIGNED_HASH,
  GROUP_BLOCK_UNINIT,
  GROUP_INODE_UNINIT,
  GROUP_INODE_ZEROED,
  GroupDescriptor,
  HASH_HALF_MD4,
  JOURNAL_INODE,
  MAGIC,
  MOUNT_ACL,
  MOUNT_XATTR_USER,
  OLD_INODE_SIZE,
  STATE_CLEAN,
  Superblock,
} from './layout.ts';
import type { Plan } from './plan.ts';

/** Seed of all metadata checksums of a file system, computed from its UUID. */
export function checksumSeed(uuid: Uint8Array): number {
  return crc32c(0xffffffff, uuid);
}

/** What a group has in use. */
export interface GroupUse {
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly directories: number;
  /** Inodes at the end of the table that were never used. */
  readonly unusedInodes: number;
  readonly flags: number;
}

/** Counts what each group has in use. */
export function groupUse(plan: Plan): GroupUse[] {
  const { geometry, census, placement } = plan;
  const used = new Float64Array(geometry.groups);
  const own = new Float64Array(geometry.groups);
  const add = (start: number, length: number, owner: number | undefined) => {
    for (let at = start, end = start + length; at < end; ) {
      const group = Math.floor((at - geometry.firstDataBlock) / geometry.blocksPerGroup);
      const upTo = Math.min(end, groupStart(geometry, group + 1));
      used[group]! += upTo - at;
      if (owner === group) own[group]! += upTo - at;
      at = upTo;
    }
  };
  for (const { start, length, group } of geometry.regions) add(start, length, group);
  for (const { start, length, virtual } of geometry.segments)
    if (virtual < placement.used) add(start, Math.min(length, placement.used - virtual), undefined);
  const directories = new Float64Array(geometry.groups);
  for (const { number } of census.directories) directories[Math.floor((number - 1) / geometry.inodesPerGroup)]!++;
  const lazy = plan.settings.chosen.has('metadata_csum') || plan.settings.chosen.has('uninit_bg');
  return Array.from({ length: geometry.groups }, (_, group) => {
    const blocks = Math.min(geometry.blocks, groupStart(geometry, group + 1)) - groupStart(geometry, group);
    const inodes = clamp(census.used - group * geometry.inodesPerGroup, geometry.inodesPerGroup);
    let flags = 0;
    if (lazy) {
      flags = GROUP_INODE_ZEROED;
      if (inodes === 0) flags |= GROUP_INODE_UNINIT;
      // the kernel can only compute the bitmap of a group that contains nothing but its own metadata
      if (inodes === 0 && used[group] === own[group] && group < geometry.groups - 1) flags |= GROUP_BLOCK_UNINIT;
    }
    return {
      freeBlocks: blocks - used[group]!,
      freeInodes: geometry.inodesPerGroup - inodes,
      directories: directories[group]!,
      unusedInodes: lazy ? geometry.inodesPerGroup - inodes : 0,
      flags,
    };
  });
}

const clamp = (value: number, most: number) => Math.max(0, Math.min(value, most));

/** Sets `count` bits from `start` on. */
function setBits(bitmap: Uint8Array, start: number, count: number): void {
  const end = start + count;
  let at = start;
  for (; at < end && (at & 7) !== 0; at++) bitmap[at >> 3]! |= 1 << (at & 7);
  const whole = (end - at) >> 3;
  if (whole > 0) bitmap.fill(0xff, at >> 3, (at >> 3) + whole);
  for (at += Math.max(0, whole) * 8; at < end; at++) bitmap[at >> 3]! |= 1 << (at & 7);
}

/** The block bitmap of a group; blocks past the end count as used. */
export function blockBitmap(plan: Plan, group: number): Uint8Array {
  const { geometry, placement, settings } = plan;
  const bitmap = new Uint8Array(settings.blockSize);
  const start = groupStart(geometry, group);
  const end = start + geometry.blocksPerGroup;
  const mark = (from: number, length: number) => {
    const first = Math.max(from, start);
    const last = Math.min(from + length, end);
    if (last > first) setBits(bitmap, first - start, last - first);
  };
  const dataEnd = placement.used === 0 ? 0 : physical(geometry.segments, placement.used - 1) + 1;
  mark(start, dataEnd - start);
  for (let i = firstBehind(geometry, start); i < geometry.regions.length; i++) {
    const region = geometry.regions[i]!;
    if (region.start >= end) break;
    mark(region.start, region.length);
  }
  mark(geometry.blocks, end - geometry.blocks);
  return bitmap;
}

/** Index of the first region that ends after `block`. */
function firstBehind({ regions }: Geometry, block: number): number {
  let low = 0;
  let high = regions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (regions[middle]!.start + regions[middle]!.length > block) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The inode bitmap of a group; bits without an inode are set. */
export function inodeBitmap(plan: Plan, group: number): Uint8Array {
  const { geometry, census, settings } = plan;
  const bitmap = new Uint8Array(settings.blockSize);
  setBits(bitmap, 0, clamp(census.used - group * geometry.inodesPerGroup, geometry.inodesPerGroup));
  setBits(bitmap, geometry.inodesPerGroup, settings.blockSize * 8 - geometry.inodesPerGroup);
  return bitmap;
}

/** The group descriptor table, padded to whole blocks. */
export function descriptorTable(plan: Plan, seed: number): Uint8Array {
  const { geometry, settings, uuid } = plan;
  const size = settings.chosen.has('64bit') ? 64 : 32;
  const checksums = settings.chosen.has('metadata_csum');
  const table = new Uint8Array(geometry.descriptorBlocks * settings.blockSize);
  const one = new Uint8Array(GroupDescriptor.size);
  const low = (value: number) => value % 2 ** 32;
  const high = (value: number) => Math.floor(value / 2 ** 32);
  for (const [group, use] of groupUse(plan).entries()) {
    const blocksSum = checksums ? crc32c(seed, blockBitmap(plan, group), 0, geometry.blocksPerGroup / 8) : 0;
    const inodesSum = checksums ? crc32c(seed, inodeBitmap(plan, group), 0, geometry.inodesPerGroup / 8) : 0;
    GroupDescriptor.write(one, 0, {
      blockBitmap: low(geometry.blockBitmap[group]!),
      inodeBitmap: low(geometry.inodeBitmap[group]!),
      inodeTable: low(geometry.inodeTable[group]!),
      freeBlocks: use.freeBlocks & 0xffff,
      freeInodes: use.freeInodes & 0xffff,
      directories: use.directories & 0xffff,
      flags: use.flags,
      blockBitmapChecksum: blocksSum & 0xffff,
      inodeBitmapChecksum: inodesSum & 0xffff,
      unusedInodes: use.unusedInodes & 0xffff,
      blockBitmapHigh: high(geometry.blockBitmap[group]!),
      inodeBitmapHigh: high(geometry.inodeBitmap[group]!),
      inodeTableHigh: high(geometry.inodeTable[group]!),
      freeBlocksHigh: use.freeBlocks >>> 16,
      freeInodesHigh: use.freeInodes >>> 16,
      directoriesHigh: use.directories >>> 16,
      unusedInodesHigh: use.unusedInodes >>> 16,
      blockBitmapChecksumHigh: blocksSum >>> 16,
      inodeBitmapChecksumHigh: inodesSum >>> 16,
    });
    const sum = descriptorChecksum(one.subarray(0, size), group, {
      metadata: checksums,
      groups: settings.chosen.has('uninit_bg'),
      seed,
      uuid,
    });
    new DataView(one.buffer).setUint16(GroupDescriptor.offset.checksum, sum, true);
    table.set(one.subarray(0, size), group * size);
  }
  return table;
}

/** Checksum of a group descriptor, ignoring its stored checksum; 0 when the file system has none. */
export function descriptorChecksum(
  descriptor: Uint8Array,
  group: number,
  how: { metadata: boolean; groups: boolean; seed: number; uuid: Uint8Array },
): number {
  const at = GroupDescriptor.offset.checksum;
  if (how.metadata) {
    let crc = crc32cWord(how.seed, group);
    crc = crc32c(crc, descriptor, 0, at);
    crc = crc32c(crc, new Uint8Array(2));
    return crc32c(crc, descriptor, at + 2) & 0xffff;
  }
  if (!how.groups) return 0;
  let crc = crc16(0xffff, how.uuid);
  crc = crc16(crc, Uint8Array.of(group, group >>> 8, group >>> 16, group >>> 24));
  crc = crc16(crc, descriptor.subarray(0, at));
  return crc16(crc, descriptor.subarray(at + 2));
}

/** CRC-16 with the reflected polynomial 0xa001, as used by uninit_bg. */
function crc16(seed: number, bytes: Uint8Array): number {
  let crc = seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}

/** The superblock, as it is in `group`. */
export function superblock(plan: Plan, group: number, seed: number): Uint8Array {
  const { geometry, settings, placement, census } = plan;
  const { chosen, blockSize, time } = settings;
  const words = featureWords(chosen);
  const free = geometry.capacity - placement.used;
  const reserved = Math.floor((geometry.blocks * settings.reservedPercent) / 100);
  const logBlock = Math.log2(blockSize) - 10;
  const extra = chosen.has('extra_isize') ? EXTRA_SIZE : 0;
  const journal = placement.journalBlocks > 0;
  if (!journal) words.compat &= ~featureWords(new Set(['has_journal'])).compat;
  const low = (value: number) => value % 2 ** 32;
  const high = (value: number) => Math.floor(value / 2 ** 32);
  const bytes = Superblock.bytes({
    inodes: geometry.groups * geometry.inodesPerGroup,
    blocks: low(geometry.blocks),
    reservedBlocks: low(reserved),
    freeBlocks: low(free),
    freeInodes: geometry.groups * geometry.inodesPerGroup - census.used,
    firstDataBlock: geometry.firstDataBlock,
    logBlockSize: logBlock,
    logClusterSize: logBlock,
    blocksPerGroup: geometry.blocksPerGroup,
    clustersPerGroup: geometry.blocksPerGroup,
    inodesPerGroup: geometry.inodesPerGroup,
    writeTime: low(time),
    writeTimeHigh: high(time),
    maxMounts: 0xffff,
    magic: MAGIC,
    state: STATE_CLEAN,
    errors: { continue: 1, 'remount-ro': 2, panic: 3 }[settings.onErrors ?? 'continue'],
    lastCheck: low(time),
    lastCheckHigh: high(time),
    revision: 1,
    firstInode: FIRST_INODE,
    inodeSize: settings.inodeSize,
    group,
    compat: words.compat,
    incompat: words.incompat,
    roCompat: words.roCompat,
    uuid: plan.uuid,
    label: new TextEncoder().encode(settings.label ?? ''),
    reservedGdtBlocks: geometry.reservedDescriptorBlocks,
    hashSeed: plan.hashSeed,
    hashVersion: HASH_HALF_MD4,
    descriptorSize: chosen.has('64bit') ? 64 : 0,
    mountOptions: MOUNT_XATTR_USER | MOUNT_ACL,
    madeTime: low(time),
    madeTimeHigh: high(time),
    blocksHigh: high(geometry.blocks),
    reservedBlocksHigh: high(reserved),
    freeBlocksHigh: high(free),
    minExtraSize: settings.inodeSize > OLD_INODE_SIZE ? extra : 0,
    wantExtraSize: settings.inodeSize > OLD_INODE_SIZE ? extra : 0,
    flags: FLAG_SIGNED_HASH,
    logGroupsPerFlex: chosen.has('flex_bg') ? Math.log2(settings.groupsPerFlex) : 0,
    checksumType: chosen.has('metadata_csum') ? 1 : 0,
    overheadBlocks: geometry.regions.reduce(
      (sum, { length }) => sum + length,
      geometry.firstDataBlock + placement.journalBlocks,
    ),
    orphanFileInode: census.orphanFile,
    ...(chosen.has('metadata_csum_seed') ? { checksumSeed: seed } : {}),
    ...(journal ? { journalInode: JOURNAL_INODE, journalBackupType: 1, journalBlocks: journalBackup(plan, seed) } : {}),
  });
  if (chosen.has('metadata_csum'))
    new DataView(bytes.buffer).setUint32(
      Superblock.offset.checksum,
      crc32c(0xffffffff, bytes, 0, Superblock.offset.checksum),
      true,
    );
  return bytes;
}

/** The journal's i_block and size, kept in the superblock too in case its inode is lost. */
function journalBackup(plan: Plan, seed: number): number[] {
  const { root } = new InodeWriter(plan, seed).mapping(JOURNAL_INODE);
  const view = new DataView(root.buffer);
  const size = plan.placement.journalBlocks * plan.settings.blockSize;
  return [
    ...Array.from({ length: 15 }, (_, i) => view.getUint32(i * 4, true)),
    Math.floor(size / 2 ** 32),
    size % 2 ** 32,
  ];
}
