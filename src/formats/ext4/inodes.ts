import { crc32c, crc32cWord } from '../../bytes/crc32c.ts';
import { blockRanges } from '../../bytes/ranges.ts';
import { type Inode, TYPE_BITS } from '../../tree/inode.ts';
import { pathIn } from '../../tree/names.ts';
import { blockMap } from './blockmap.ts';
import { type Extent, extentsOf, extentTree, type Range } from './extents.ts';
import { groupStart, hasSuper, physical } from './geometry.ts';
import {
  INODE_EXTENTS,
  INODE_INDEX,
  InodeRecord,
  JOURNAL_INODE,
  LINKS_MAX,
  OLD_INODE_SIZE,
  RESIZE_INODE,
} from './layout.ts';
import { lastTime, TIME_FIRST } from './options.ts';
import { type Plan, resizeInodeSize, xattrSpace } from './plan.ts';
import { encodeXattrs } from './xattr.ts';

/** Mode of the hidden files: journal, resize inode, orphan file. */
const HIDDEN_MODE = TYPE_BITS.file | 0o600;

/** Where the data of an inode is, and the blocks that map it. */
export interface Mapping {
  /** i_block */
  readonly root: Uint8Array;
  readonly nodes: readonly Uint8Array[];
}

/** Writes inodes of a plan, one after the other, into places of the inode table. */
export class InodeWriter {
  private readonly plan: Plan;
  /** Checksum seed of the file system. */
  private readonly seed: number;
  private readonly checksums: boolean;
  private readonly numberOfDirectory = new Map<number, number>();

  constructor(plan: Plan, seed: number) {
    this.plan = plan;
    this.seed = seed;
    this.checksums = plan.settings.chosen.has('metadata_csum');
    for (const [i, { number }] of plan.census.directories.entries()) this.numberOfDirectory.set(number, i);
  }

  /** Seed of the checksums of what belongs to one inode; generations are zero. */
  seedOf(number: number): number {
    return crc32cWord(crc32cWord(this.seed, number), 0);
  }

  private ranges(number: number): readonly Range[] {
    const { plan } = this;
    const node = plan.census.nodes[number];
    if (node?.kind === 'file') return blockRanges(node.content, plan.settings.blockSize);
    const blocks = this.blocks(number);
    return blocks === 0 ? [] : [[0, blocks]];
  }

  private blocks(number: number): number {
    const { dataBlocks, placement, census } = this.plan;
    if (number === JOURNAL_INODE) return placement.journalBlocks;
    if (number === census.orphanFile) return placement.orphanBlocks;
    return dataBlocks[number]!;
  }

  private extents(number: number): Extent[] {
    const { geometry, placement } = this.plan;
    const ranges = this.ranges(number);
    return ranges.length === 0 ? [] : extentsOf(geometry.segments, placement.start[number]!, ranges);
  }

  /** The extent tree or block map of an inode. */
  mapping(number: number): Mapping {
    const { geometry, placement, settings } = this.plan;
    const behind = placement.start[number]! + this.blocks(number);
    const place = (block: number) => physical(geometry.segments, behind + block);
    const extents = this.extents(number);
    const made = settings.chosen.has('extent')
      ? extentTree(extents, settings.blockSize, place, this.checksums ? this.seedOf(number) : undefined)
      : blockMap(extents, settings.blockSize, place);
    if (made.nodes.length !== placement.treeBlocks[number])
      throw new RangeError(
        `inode ${number}: ${made.nodes.length} blocks of map, ${placement.treeBlocks[number]} planned`,
      );
    return made;
  }

  /**
   * Writes inode `number` at `at`, where all bytes are zero. Reserved inodes that are not in use get a checksum only.
   */
  write(into: Uint8Array, at: number, number: number): void {
    const { plan } = this;
    const node = plan.census.nodes[number];
    if (node !== undefined) this.writeNode(into, at, number, node);
    else if (number === JOURNAL_INODE && plan.placement.journalBlocks > 0) this.writeHidden(into, at, number);
    else if (number === plan.census.orphanFile) this.writeHidden(into, at, number);
    else if (number === RESIZE_INODE && plan.placement.resize >= 0) this.writeResize(into, at);
    if (this.checksums) this.writeChecksum(into, at, number);
  }

  private writeNode(into: Uint8Array, at: number, number: number, node: Inode): void {
    const { plan } = this;
    const { settings, placement } = plan;
    const size = this.sizeOf(number, node);
    const index = plan.xattrOf[number]!;
    const xattrBlock = index === 0 ? 0 : physical(plan.geometry.segments, placement.xattrs + index - 1);
    const dataBlocks = plan.dataBlocks[number]!;
    const blocks = dataBlocks + placement.treeBlocks[number]! + (index === 0 ? 0 : 1);
    const mapped = node.kind === 'file' || node.kind === 'directory' || dataBlocks > 0;
    let flags = mapped && settings.chosen.has('extent') ? INODE_EXTENTS : 0;
    if (node.kind === 'directory' && plan.directories[this.numberOfDirectory.get(number)!]!.hashes !== undefined)
      flags |= INODE_INDEX;
    const block = mapped ? this.mapping(number).root : immediate(node);
    const time = Math.min(Math.max(node.mtime, TIME_FIRST), lastTime(settings.inodeSize));
    const low = time | 0;
    const extra = ((((node.nanoseconds ?? 0) << 2) >>> 0) | (((time - low) / 2 ** 32) & 3)) >>> 0;
    this.record(into, at, {
      mode: TYPE_BITS[node.kind] | (node.mode & 0o7777),
      uid: node.uid,
      gid: node.gid,
      size,
      time: low,
      extra,
      links: this.linksOf(number, node),
      blocks,
      flags,
      block,
      xattrBlock,
    });
    if (node.xattrs !== undefined && node.xattrs.size > 0) {
      const space = xattrSpace(settings);
      const path = () => pathIn(plan.census.root, node);
      const { inode } = encodeXattrs(node.xattrs, space, settings.blockSize, path, settings.report && (() => {}));
      if (inode !== undefined) into.set(inode, at + settings.inodeSize - space);
    }
  }

  private sizeOf(number: number, node: Inode): number {
    if (node.kind === 'file') return node.content.size;
    if (node.kind === 'symlink') return node.target.length;
    if (node.kind === 'directory') return this.plan.dataBlocks[number]! * this.plan.settings.blockSize;
    return 0;
  }

  private linksOf(number: number, node: Inode): number {
    if (node.kind !== 'directory') return this.plan.census.links[number]!;
    const count = 2 + this.plan.census.directories[this.numberOfDirectory.get(number)!]!.subdirectories;
    // dir_nlink: one means "too many to count"
    return count > LINKS_MAX ? 1 : count;
  }

  private writeHidden(into: Uint8Array, at: number, number: number): void {
    const { settings, placement } = this.plan;
    const blocks = this.blocks(number);
    this.record(into, at, {
      mode: HIDDEN_MODE,
      uid: 0,
      gid: 0,
      size: blocks * settings.blockSize,
      ...this.made(),
      links: 1,
      blocks: blocks + placement.treeBlocks[number]!,
      flags: settings.chosen.has('extent') ? INODE_EXTENTS : 0,
      block: this.mapping(number).root,
      xattrBlock: 0,
    });
  }

  /** The resize inode names its reserve through a double-indirect block, as resize2fs and the kernel expect it. */
  private writeResize(into: Uint8Array, at: number): void {
    const { geometry, placement, settings } = this.plan;
    const block = new Uint8Array(60);
    new DataView(block.buffer).setUint32(52, physical(geometry.segments, placement.resize), true);
    this.record(into, at, {
      mode: HIDDEN_MODE,
      uid: 0,
      gid: 0,
      size: resizeInodeSize(settings.blockSize),
      ...this.made(),
      links: 1,
      blocks: 1 + geometry.reservedDescriptorBlocks * (1 + backupGroups(this.plan).length),
      flags: 0,
      block,
      xattrBlock: 0,
    });
  }

  private made(): { time: number; extra: number } {
    const low = this.plan.settings.time | 0;
    return { time: low, extra: ((this.plan.settings.time - low) / 2 ** 32) & 3 };
  }

  private record(
    into: Uint8Array,
    at: number,
    v: {
      mode: number;
      uid: number;
      gid: number;
      size: number;
      time: number;
      extra: number;
      links: number;
      blocks: number;
      flags: number;
      block: Uint8Array;
      xattrBlock: number;
    },
  ): void {
    const { settings } = this.plan;
    const sectors = v.blocks * (settings.blockSize / 512);
    const view = new DataView(into.buffer, into.byteOffset + at, settings.inodeSize);
    const o = InodeRecord.offset;
    view.setUint16(o.mode, v.mode, true);
    view.setUint16(o.uid, v.uid & 0xffff, true);
    view.setUint32(o.size, v.size % 2 ** 32, true);
    view.setInt32(o.atime, v.time, true);
    view.setInt32(o.ctime, v.time, true);
    view.setInt32(o.mtime, v.time, true);
    view.setUint16(o.gid, v.gid & 0xffff, true);
    view.setUint16(o.links, v.links, true);
    view.setUint32(o.blocks, sectors % 2 ** 32, true);
    view.setUint32(o.flags, v.flags, true);
    into.set(v.block, at + o.block);
    view.setUint32(o.fileAcl, v.xattrBlock % 2 ** 32, true);
    view.setUint32(o.sizeHigh, Math.floor(v.size / 2 ** 32), true);
    view.setUint16(o.blocksHigh, Math.floor(sectors / 2 ** 32), true);
    view.setUint16(o.fileAclHigh, Math.floor(v.xattrBlock / 2 ** 32), true);
    view.setUint16(o.uidHigh, v.uid >>> 16, true);
    view.setUint16(o.gidHigh, v.gid >>> 16, true);
    if (settings.inodeSize === OLD_INODE_SIZE) return;
    view.setUint16(o.extraSize, settings.extraSize, true);
    view.setUint32(o.ctimeExtra, v.extra, true);
    view.setUint32(o.mtimeExtra, v.extra, true);
    view.setUint32(o.atimeExtra, v.extra, true);
    view.setInt32(o.crtime, v.time, true);
    view.setUint32(o.crtimeExtra, v.extra, true);
  }

  private writeChecksum(into: Uint8Array, at: number, number: number): void {
    const { inodeSize } = this.plan.settings;
    const crc = crc32c(this.seedOf(number), into, at, at + inodeSize);
    const low = at + InodeRecord.offset.checksum;
    into[low] = crc & 0xff;
    into[low + 1] = (crc >>> 8) & 0xff;
    // reserved inodes have no extra fields, so no upper half
    if (inodeSize === OLD_INODE_SIZE || into[at + InodeRecord.offset.extraSize] === 0) return;
    const high = at + InodeRecord.offset.checksumHigh;
    into[high] = (crc >>> 16) & 0xff;
    into[high + 1] = crc >>> 24;
  }
}

/** What is in i_block of an inode without data blocks. */
function immediate(node: Inode): Uint8Array {
  const block = new Uint8Array(60);
  if (node.kind === 'symlink') for (let i = 0; i < node.target.length; i++) block[i] = node.target.charCodeAt(i);
  if (node.kind === 'char' || node.kind === 'block') {
    const { major, minor } = node;
    const view = new DataView(block.buffer);
    // small numbers in the first word, as in ext2; others in the second with the minor number around the major
    if (major < 256 && minor < 256) view.setUint32(0, (major << 8) | minor, true);
    else view.setUint32(4, ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, true);
  }
  return block;
}

/** Groups other than the first that carry copies of superblock and descriptors. */
export function backupGroups(plan: Plan): number[] {
  const groups: number[] = [];
  const sparse = plan.settings.chosen.has('sparse_super');
  for (let group = 1; group < plan.geometry.groups; group++) if (hasSuper(group, sparse)) groups.push(group);
  return groups;
}

/** The double-indirect block of the resize inode: one entry per reserved descriptor block. */
export function resizeBlock(plan: Plan): Uint8Array {
  const { geometry, settings } = plan;
  const block = new Uint8Array(settings.blockSize);
  const view = new DataView(block.buffer);
  for (let i = 0; i < geometry.reservedDescriptorBlocks; i++) {
    const entry = (geometry.descriptorBlocks + i) % (settings.blockSize / 4);
    view.setUint32(entry * 4, reservedDescriptor(plan, 0, i), true);
  }
  return block;
}

/** A reserved descriptor block of the first group serves as indirect block and names its copies in the other groups. */
export function reserveBlock(plan: Plan, index: number): Uint8Array {
  const block = new Uint8Array(plan.settings.blockSize);
  const view = new DataView(block.buffer);
  for (const [i, group] of backupGroups(plan).entries())
    view.setUint32(i * 4, reservedDescriptor(plan, group, index), true);
  return block;
}

function reservedDescriptor({ geometry }: Plan, group: number, index: number): number {
  return groupStart(geometry, group) + 1 + geometry.descriptorBlocks + index;
}
