import { copyOf } from '../../bytes/content.ts';
import { crc32c, crc32cWord } from '../../bytes/crc32c.ts';
import type { RandomAccess } from '../../bytes/file.ts';
import type { Of } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import { walkBlockMap } from './block-map.ts';
import { featureNames } from './features.ts';
import { hasSuper } from './geometry.ts';
import {
  EXTENT_MAGIC,
  EXTENT_MAX,
  ExtentHeader,
  ExtentIndex,
  ExtentLeaf,
  GroupDescriptor,
  INODE_EXTENTS,
  InodeRecord,
  MAGIC,
  OLD_INODE_SIZE,
  SUPERBLOCK_OFFSET,
  Superblock,
} from './layout.ts';

/** Options for reading. */
export interface ReadOptions {
  /** The image's name in messages. */
  readonly name?: string;
  /** Verify the checksums of what is read; true by default. */
  readonly verify?: boolean;
}

/** A run of blocks of a file, as found. */
export interface MappedExtent {
  readonly logical: number;
  readonly physical: number;
  readonly length: number;
}

/** An inode as found: its number, its record, and all its bytes. */
export interface RawInode {
  readonly number: number;
  readonly record: Of<typeof InodeRecord>;
  readonly bytes: Uint8Array;
  /** i_size, all of it. */
  readonly size: number;
  /** i_extra_isize, 0 for old inodes. */
  readonly extraSize: number;
  /** Checksum seed of what belongs to it. */
  readonly seed: number;
}

/** Incompatible features that do not prevent reading. */
const READABLE = new Set<string>([
  'filetype',
  'meta_bg',
  'extent',
  '64bit',
  'mmp',
  'flex_bg',
  'ea_inode',
  'metadata_csum_seed',
  'large_dir',
  'inline_data',
  // decided for each inode: only those that are encrypted are rejected
  'encrypt',
  'casefold',
]);

/** A stored checksum and the computed one. */
export interface Comparison {
  readonly stored: number;
  readonly computed: number;
}

/**
 * The numbers of an ext2, ext3 or ext4 file system, read from anywhere: superblock, descriptors, inodes, and where data
 * is. No input makes this loop forever or read out of bounds.
 */
export class Volume {
  readonly access: RandomAccess;
  readonly name: string;
  readonly verify: boolean;
  readonly sb: Of<typeof Superblock>;
  readonly superblockBytes: Uint8Array;
  readonly features: ReadonlySet<string>;
  readonly blockSize: number;
  readonly blocks: number;
  readonly groups: number;
  readonly inodeSize: number;
  readonly firstInode: number;
  readonly descriptorSize: number;
  readonly checksums: boolean;
  readonly seed: number;
  private readonly descriptors = new Map<number, Uint8Array>();
  private tablePiece: { start: number; bytes: Uint8Array } | undefined;
  private budget = 0;

  constructor(access: RandomAccess, options: ReadOptions = {}) {
    this.access = access;
    this.name = options.name ?? 'image';
    this.verify = options.verify ?? true;
    if (access.size < SUPERBLOCK_OFFSET + Superblock.size) throw this.not('it is too short');
    this.superblockBytes = new Uint8Array(Superblock.size);
    access.readAt(SUPERBLOCK_OFFSET, this.superblockBytes);
    const sb = Superblock.read(this.superblockBytes);
    this.sb = sb;
    if (sb.magic !== MAGIC) throw this.not('there is no superblock at byte 1024');
    const old = sb.revision === 0;
    this.features = new Set(old ? [] : featureNames(sb.compat, sb.incompat, sb.roCompat));
    if (this.features.has('journal_dev')) throw this.not('it is the separate journal of one');
    this.checksums = this.features.has('metadata_csum');
    if (this.checksums && this.verify) {
      const { stored, computed } = this.superblockSums();
      this.compare({ stored, computed }, 'superblock');
    }
    if (sb.logBlockSize > 6) throw this.corrupt('superblock', `a block size of 2^${10 + sb.logBlockSize}`);
    this.blockSize = 1024 << sb.logBlockSize;
    for (const name of featureNames(0, sb.incompat, 0))
      if (!old && !READABLE.has(name) && name !== 'needs_recovery')
        throw new BuildError('EXT4_UNSUPPORTED', { path: this.name, feature: name });
    if (this.features.has('needs_recovery')) throw new BuildError('EXT4_JOURNAL', { path: this.name });
    this.blocks = sb.blocks + (this.features.has('64bit') ? sb.blocksHigh * 2 ** 32 : 0);
    this.inodeSize = old ? OLD_INODE_SIZE : sb.inodeSize;
    this.firstInode = old ? 11 : sb.firstInode;
    this.descriptorSize = this.features.has('64bit') ? sb.descriptorSize : 32;
    const whole = (value: number, most: number) => value > 0 && value <= most;
    if (
      this.inodeSize < OLD_INODE_SIZE ||
      this.inodeSize > this.blockSize ||
      (this.inodeSize & (this.inodeSize - 1)) !== 0
    )
      throw this.corrupt('superblock', `inodes of ${this.inodeSize} bytes`);
    if (
      this.descriptorSize < 32 ||
      this.descriptorSize > this.blockSize ||
      (this.descriptorSize & (this.descriptorSize - 1)) !== 0
    )
      throw this.corrupt('superblock', `group descriptors of ${this.descriptorSize} bytes`);
    if (!whole(sb.inodesPerGroup, this.blockSize * 8))
      throw this.corrupt('superblock', `${sb.inodesPerGroup} inodes per group`);
    // clusters of several blocks make groups of more blocks than the bitmap has bits
    if (!whole(sb.blocksPerGroup, this.features.has('bigalloc') ? 2 ** 32 - 1 : this.blockSize * 8))
      throw this.corrupt('superblock', `${sb.blocksPerGroup} blocks per group`);
    if (sb.firstDataBlock >= this.blocks)
      throw this.corrupt('superblock', `first block ${sb.firstDataBlock} of ${this.blocks}`);
    if (this.blocks * this.blockSize > access.size)
      throw this.corrupt(
        'superblock',
        `${this.blocks} blocks of ${this.blockSize} bytes, but the image ends at ${access.size}`,
      );
    this.groups = Math.ceil((this.blocks - sb.firstDataBlock) / sb.blocksPerGroup);
    if (sb.inodes > this.groups * sb.inodesPerGroup || sb.inodes < this.firstInode - 1)
      throw this.corrupt('superblock', `${sb.inodes} inodes in ${this.groups} groups`);
    this.seed = this.features.has('metadata_csum_seed') ? sb.checksumSeed : crc32c(0xffffffff, sb.uuid);
    this.beginPass();
  }

  /** The superblock's checksum, stored and computed. */
  superblockSums(bytes = this.superblockBytes): Comparison {
    const at = Superblock.offset.checksum;
    return {
      stored: new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true),
      computed: crc32c(0xffffffff, bytes, 0, at),
    };
  }

  not(reason: string): BuildError<'EXT4_NOT'> {
    return new BuildError('EXT4_NOT', { path: this.name, reason });
  }

  corrupt(at: string, reason: string): BuildError<'EXT4_CORRUPT'> {
    return new BuildError('EXT4_CORRUPT', { path: this.name, at, reason });
  }

  /** Throws when a checksum does not match. */
  compare({ stored, computed }: Comparison, at: string): void {
    if (stored === computed) return;
    const hex = (value: number) => `0x${value.toString(16).padStart(8, '0')}`;
    throw new BuildError('EXT4_CHECKSUM', { path: this.name, at, stored: hex(stored), computed: hex(computed) });
  }

  /** One block, a fresh copy. */
  block(number: number, at: string): Uint8Array {
    if (number < this.sb.firstDataBlock || number >= this.blocks)
      throw this.corrupt(at, `it names block ${number} of ${this.blocks}`);
    const bytes = new Uint8Array(this.blockSize);
    this.access.readAt(number * this.blockSize, bytes);
    return bytes;
  }

  /** The bytes of a group's descriptor. */
  descriptor(group: number): Uint8Array {
    const per = this.blockSize / this.descriptorSize;
    const index = Math.floor(group / per);
    let table = this.descriptors.get(index);
    if (table === undefined) {
      table = this.block(this.descriptorBlock(index), `descriptors of group ${index * per} and on`);
      this.descriptors.set(index, table);
    }
    const start = (group % per) * this.descriptorSize;
    return table.subarray(start, start + this.descriptorSize);
  }

  /** The block that holds the n-th block of descriptors. */
  private descriptorBlock(index: number): number {
    const { sb } = this;
    if (!this.features.has('meta_bg') || index < sb.firstMetaGroup)
      return Math.floor(SUPERBLOCK_OFFSET / this.blockSize) + 1 + index;
    const group = index * (this.blockSize / this.descriptorSize);
    const start = sb.firstDataBlock + group * sb.blocksPerGroup;
    return start + (this.superIn(group) ? 1 : 0);
  }

  /** True when a group carries a copy of the superblock. */
  superIn(group: number): boolean {
    if (this.features.has('sparse_super2')) return group === 0 || this.sb.backupGroups.includes(group);
    return hasSuper(group, this.features.has('sparse_super'));
  }

  /** A group's descriptor as numbers, the high halves joined. */
  groupOf(group: number): {
    blockBitmap: number;
    inodeBitmap: number;
    inodeTable: number;
    record: Of<typeof GroupDescriptor>;
  } {
    const bytes = new Uint8Array(GroupDescriptor.size);
    bytes.set(this.descriptor(group).subarray(0, GroupDescriptor.size));
    const record = GroupDescriptor.read(bytes);
    const join = (low: number, high: number) => (this.descriptorSize >= 64 ? high * 2 ** 32 : 0) + low;
    return {
      blockBitmap: join(record.blockBitmap, record.blockBitmapHigh),
      inodeBitmap: join(record.inodeBitmap, record.inodeBitmapHigh),
      inodeTable: join(record.inodeTable, record.inodeTableHigh),
      record,
    };
  }

  /** Begins a pass over the complete file system. */
  beginPass(): void {
    // each block belongs to one inode, which is read a few times; inodes that share blocks would cost unbounded time
    this.budget = 4 * this.blocks + 64;
  }

  /** Counts blocks of directories, maps and attribute values that a pass reads; throws when there are too many. */
  spend(blocks: number, at: string): void {
    this.budget -= blocks;
    if (this.budget < 0) throw this.corrupt(at, 'inodes share their blocks');
  }

  /** Reads an inode; its checksum is compared when there is one. */
  inode(number: number): RawInode {
    const at = `inode ${number}`;
    if (number < 1 || number > this.sb.inodes) throw this.corrupt(at, `there are ${this.sb.inodes} inodes`);
    const group = Math.floor((number - 1) / this.sb.inodesPerGroup);
    const offset = ((number - 1) % this.sb.inodesPerGroup) * this.inodeSize;
    const { inodeTable } = this.groupOf(group);
    const block = inodeTable + Math.floor(offset / this.blockSize);
    if (this.tablePiece?.start !== block)
      this.tablePiece = { start: block, bytes: this.block(block, `table of group ${group}`) };
    const start = offset % this.blockSize;
    const inode = this.decode(number, copyOf(this.tablePiece.bytes.subarray(start, start + this.inodeSize)));
    const { extraSize } = inode;
    if (extraSize > this.inodeSize - OLD_INODE_SIZE || (extraSize & 3) !== 0)
      throw this.corrupt(at, `i_extra_isize is ${extraSize}`);
    if (this.checksums && this.verify) this.compare(this.inodeSums(inode), at);
    return inode;
  }

  /** The inode that `bytes` of an inode table hold, as it is: nothing is checked. */
  decode(number: number, bytes: Uint8Array): RawInode {
    const wide = new Uint8Array(InodeRecord.size);
    wide.set(bytes.subarray(0, Math.min(bytes.length, wide.length)));
    const extraSize =
      this.inodeSize > OLD_INODE_SIZE ? new DataView(wide.buffer).getUint16(InodeRecord.offset.extraSize, true) : 0;
    // fields beyond i_extra_isize do not exist, regardless of the bytes there
    wide.fill(0, Math.min(wide.length, OLD_INODE_SIZE + extraSize));
    const record = InodeRecord.read(wide);
    const seed = crc32cWord(crc32cWord(this.seed, number), record.generation);
    return { number, record, bytes, size: record.size + record.sizeHigh * 2 ** 32, extraSize, seed };
  }

  /** An inode's checksum, stored and computed. */
  inodeSums({ bytes, seed, extraSize }: RawInode): Comparison {
    const copy = copyOf(bytes);
    const view = new DataView(copy.buffer);
    const { checksum, checksumHigh } = InodeRecord.offset;
    let stored = view.getUint16(checksum, true);
    view.setUint16(checksum, 0, true);
    const wide = extraSize >= 4;
    if (wide) {
      stored += view.getUint16(checksumHigh, true) * 2 ** 16;
      view.setUint16(checksumHigh, 0, true);
    }
    const crc = crc32c(seed, copy);
    return { stored, computed: wide ? crc : crc & 0xffff };
  }

  /** Where the data of an inode is: ascending, holes and unwritten runs left out. */
  mapping(inode: RawInode): MappedExtent[] {
    const found: MappedExtent[] = [];
    let total = 0;
    let next = 0;
    const add = (logical: number, physical: number, length: number, at: string) => {
      if (physical < this.sb.firstDataBlock || physical + length > this.blocks)
        throw this.corrupt(at, `it names blocks ${physical}+${length} of ${this.blocks}`);
      if (logical < next) throw this.corrupt(at, `block ${logical} of the file is named again or out of order`);
      next = logical + length;
      total += length;
      if (total > this.blocks) throw this.corrupt(at, `it names more blocks than the file system has`);
      const last = found[found.length - 1];
      if (last !== undefined && last.logical + last.length === logical && last.physical + last.length === physical)
        found[found.length - 1] = { ...last, length: last.length + length };
      else found.push({ logical, physical, length });
    };
    if (inode.record.flags & INODE_EXTENTS) this.walkExtents(inode, add, () => {});
    else this.walkMap(inode, add);
    return found;
  }

  /** Walks an extent tree; `node` is called for each block of it. */
  walkExtents(
    inode: RawInode,
    add: (logical: number, physical: number, length: number, at: string) => void,
    node: (block: number, bytes: Uint8Array) => void,
  ): void {
    const seen = new Set<number>();
    const walk = (bytes: Uint8Array, depth: number | undefined, at: string): void => {
      const header = ExtentHeader.read(bytes);
      if (header.magic !== EXTENT_MAGIC) throw this.corrupt(at, 'no extent tree where one should be');
      if (header.depth > 5 || (depth !== undefined && header.depth !== depth))
        throw this.corrupt(
          at,
          `extent tree depth ${header.depth}${depth === undefined ? '' : ` in place of ${depth}`}`,
        );
      if (header.entries > header.max || ExtentHeader.size * (1 + header.max) > bytes.length)
        throw this.corrupt(at, `${header.entries} extents in a place for ${header.max}`);
      for (let i = 0; i < header.entries; i++) {
        const where = ExtentHeader.size * (1 + i);
        if (header.depth === 0) {
          const leaf = ExtentLeaf.read(bytes, where);
          const unwritten = leaf.length > EXTENT_MAX;
          if (leaf.length === 0) throw this.corrupt(at, 'an extent without length');
          if (!unwritten) add(leaf.block, leaf.start + leaf.startHigh * 2 ** 32, leaf.length, at);
          continue;
        }
        const index = ExtentIndex.read(bytes, where);
        const block = index.leaf + index.leafHigh * 2 ** 32;
        if (seen.has(block)) throw this.corrupt(at, `block ${block} of the extent tree is named twice`);
        seen.add(block);
        this.spend(1, at);
        const below = this.block(block, at);
        if (this.checksums && this.verify) this.compare(this.extentSums(inode, below), `${at}, extent block ${block}`);
        node(block, below);
        walk(below, header.depth - 1, at);
      }
    };
    walk(inode.record.block, undefined, `inode ${inode.number}`);
  }

  /** The checksum of a block of an extent tree, stored and computed. */
  extentSums(inode: RawInode, bytes: Uint8Array): Comparison {
    const { max } = ExtentHeader.read(bytes);
    const tail = ExtentHeader.size * (1 + max);
    if (tail + 4 > bytes.length) throw this.corrupt(`inode ${inode.number}`, `an extent block for ${max} entries`);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return { stored: view.getUint32(tail, true), computed: crc32c(inode.seed, bytes, 0, tail) };
  }

  private walkMap(inode: RawInode, add: (logical: number, physical: number, length: number, at: string) => void): void {
    const at = `inode ${inode.number}`;
    const end = Math.ceil(inode.size / this.blockSize);
    const seen = new Set<number>();
    walkBlockMap(inode.record.block, this.blockSize, {
      data(logical, block) {
        if (logical < end) add(logical, block, 1, at);
      },
      numbers: (block, logical) => {
        if (logical >= end) return undefined;
        if (seen.has(block)) throw this.corrupt(at, `block ${block} of the block map is named twice`);
        seen.add(block);
        this.spend(1, at);
        return this.block(block, at);
      },
    });
  }
}
