/**
 * A table of damages: each changes one structure of an image, the way a bad disk, a bug or an attacker would. Whether a
 * damage matters is decided by e2fsck, not here.
 */
import assert from 'node:assert/strict';
import { randomAccessMemory } from '../../../src/bytes/file.ts';
import { INODE_EXTENTS, InodeRecord, XATTR_MAGIC } from '../../../src/formats/ext4/layout.ts';
import { Volume } from '../../../src/formats/ext4/volume.ts';

/** An image in memory, with the places of its structures. */
export class Patient {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly volume: Volume;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.volume = new Volume(randomAccessMemory(bytes), { verify: false });
  }

  u16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }

  u32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  get32(at: number): number {
    return this.view.getUint32(at, true);
  }

  get16(at: number): number {
    return this.view.getUint16(at, true);
  }

  /** Where a block begins. */
  block(number: number): number {
    return number * this.volume.blockSize;
  }

  /** Number of the inode with that path. */
  number(path: string): number {
    let at = 2;
    for (const name of path.split('/').filter((part) => part !== '')) {
      const entry = this.entry(at, name);
      at = this.get32(entry);
    }
    return at;
  }

  /** Where a directory's entry of that name is. */
  entry(directory: number | string, name: string): number {
    const number = typeof directory === 'string' ? this.number(directory) : directory;
    for (const start of this.blocksOf(number))
      for (let at = start; at < start + this.volume.blockSize; at += Math.max(8, this.get16(at + 4))) {
        const found = Buffer.from(this.bytes.subarray(at + 8, at + 8 + this.bytes[at + 6]!)).toString('latin1');
        if (found === name && (this.get32(at) !== 0 || name === '')) return at;
      }
    return assert.fail(`no entry ${name} in inode ${number}`);
  }

  /** Where the blocks of a file or directory begin, in order. */
  blocksOf(number: number | string): number[] {
    const inode = this.volume.inode(typeof number === 'string' ? this.number(number) : number);
    return this.volume
      .mapping(inode)
      .flatMap(({ physical, length }) => Array.from({ length }, (_, i) => this.block(physical + i)));
  }

  /** Where the record of an inode begins. */
  inode(of: number | string): number {
    const number = typeof of === 'string' ? this.number(of) : of;
    const { sb, inodeSize } = this.volume;
    const group = Math.floor((number - 1) / sb.inodesPerGroup);
    return this.block(this.volume.groupOf(group).inodeTable) + ((number - 1) % sb.inodesPerGroup) * inodeSize;
  }

  /** Where a field of an inode is. */
  field(of: number | string, name: keyof typeof InodeRecord.offset): number {
    return this.inode(of) + InodeRecord.offset[name];
  }

  /** Where the descriptor of a group begins. */
  descriptor(group: number): number {
    const first = this.volume.blockSize === 1024 ? 2048 : this.volume.blockSize;
    return first + group * this.volume.descriptorSize;
  }

  flip(at: number, mask = 1): void {
    this.bytes[at]! ^= mask;
  }

  hasExtents(path: string): boolean {
    return (this.get32(this.field(path, 'flags')) & INODE_EXTENTS) !== 0;
  }

  /** Where the block of extended attributes of an inode begins. */
  attributes(path: string): number {
    const block = this.get32(this.field(path, 'fileAcl'));
    assert.notEqual(block, 0, `${path} has a block of attributes`);
    assert.equal(this.get32(this.block(block)), XATTR_MAGIC);
    return this.block(block);
  }

  /** Where the first block of the map below an inode's root begins. */
  node(path: string): number {
    const root = this.field(path, 'block');
    return this.block(this.hasExtents(path) ? this.get32(root + 16) : this.get32(root + 48));
  }
}

/** A damage. It returns false where the image has no such structure. */
export type Damage = (p: Patient) => unknown;

const bit = (p: Patient, block: number, index: number) => p.flip(p.block(block) + (index >> 3), 1 << (index & 7));
/** Bit of a block in the bitmap of the first group. */
const bitOf = (p: Patient, byte: number) => byte / p.volume.blockSize - p.volume.sb.firstDataBlock;

const SUPERBLOCK: Record<string, Damage> = {
  'total of free blocks': (p) => p.u32(1024 + 0x0c, p.get32(1024 + 0x0c) + 1),
  'total of free inodes': (p) => p.u32(1024 + 0x10, p.get32(1024 + 0x10) - 1),
  'number of inodes': (p) => p.u32(1024, p.get32(1024) - 8),
  'number of blocks': (p) => p.u32(1024 + 4, p.get32(1024 + 4) - 100),
  'reserved blocks': (p) => p.u32(1024 + 8, p.volume.blocks),
  'block size': (p) => p.u32(1024 + 0x18, 3),
  'cluster size': (p) => p.u32(1024 + 0x1c, 5),
  'blocks per group': (p) => p.u32(1024 + 0x20, 4096),
  'clusters per group': (p) => p.u32(1024 + 0x24, 4096),
  'inodes per group': (p) => p.u32(1024 + 0x28, p.get32(1024 + 0x28) / 2),
  'first data block': (p) => p.u32(1024 + 0x14, 0),
  'inode size': (p) => p.u16(1024 + 0x58, 512),
  'first inode': (p) => p.u32(1024 + 0x54, 5),
  'journal inode': (p) => p.volume.features.has('has_journal') && p.u32(1024 + 0xe0, 13),
  'journal inode without the feature': (p) => p.u32(1024 + 0x5c, p.get32(1024 + 0x5c) & ~4),
  'resize inode without the feature': (p) => p.u32(1024 + 0x5c, p.get32(1024 + 0x5c) & ~0x10),
  'dir_index missing': (p) => p.u32(1024 + 0x5c, p.get32(1024 + 0x5c) & ~0x20),
  'ext_attr missing': (p) => p.u32(1024 + 0x5c, p.get32(1024 + 0x5c) & ~0x8),
  'filetype missing': (p) => p.u32(1024 + 0x60, p.get32(1024 + 0x60) & ~0x2),
  'extent missing': (p) => p.hasExtents('many') && p.u32(1024 + 0x60, p.get32(1024 + 0x60) & ~0x40),
  'meta_bg with resize_inode': (p) => p.u32(1024 + 0x60, p.get32(1024 + 0x60) | 0x10),
  'metadata_csum with uninit_bg': (p) => p.u32(1024 + 0x64, p.get32(1024 + 0x64) ^ 0x10),
  'huge_file missing': (p) => p.u32(1024 + 0x64, p.get32(1024 + 0x64) & ~0x8),
  'no UUID': (p) => p.bytes.fill(0, 1024 + 0x68, 1024 + 0x78),
  'orphan list': (p) => p.u32(1024 + 0xe8, 3),
  'reserved descriptor blocks': (p) => p.u16(1024 + 0xce, p.get16(1024 + 0xce) + 1),
  s_want_extra_isize: (p) => p.u16(1024 + 0x15e, 9000),
  'hash seed': (p) => p.flip(1024 + 0xec, 0xff),
  magic: (p) => p.u16(1024 + 0x38, 0xef52),
  'flexible groups': (p) => p.bytes.fill(115, 1024 + 0x174, 1024 + 0x175),
  'descriptor size': (p) => p.u16(1024 + 0xfe, 2048),
  'UUID of another journal': (p) => p.u32(1024 + 0xd0, 0x1234),
  'device of another journal': (p) => p.u32(1024 + 0xe4, 8192),
  'encoding of names': (p) => p.volume.features.has('casefold') && p.u16(1024 + 0x27c, 81),
  'large_file missing': (p) => {
    p.u32(1024 + 0x64, p.get32(1024 + 0x64) & ~2);
    p.u32(p.field('big', 'size'), 0x80000000);
  },
  'inline_data missing': (p) =>
    p.volume.features.has('inline_data') && p.u32(1024 + 0x60, p.get32(1024 + 0x60) & ~0x8000),
  'casefold missing': (p) => p.volume.features.has('casefold') && p.u32(1024 + 0x60, p.get32(1024 + 0x60) & ~0x20000),
  'bigalloc missing': (p) => p.volume.features.has('bigalloc') && p.u32(1024 + 0x64, p.get32(1024 + 0x64) & ~0x200),
  'orphans said, none there': (p) =>
    p.volume.features.has('orphan_file') && p.u32(1024 + 0x64, p.get32(1024 + 0x64) | 0x10000),
  'first meta group': (p) => p.volume.features.has('meta_bg') && p.u32(1024 + 0x104, 4000),
};

const GROUPS: Record<string, Damage> = {
  'block bitmap elsewhere': (p) => p.u32(p.descriptor(0), p.volume.blocks + 5),
  'block bitmap on the inode bitmap': (p) => p.u32(p.descriptor(0), p.get32(p.descriptor(0) + 4)),
  'inode bitmap at 0': (p) => p.u32(p.descriptor(1) + 4, 0),
  'inode table elsewhere': (p) => p.u32(p.descriptor(1) + 8, p.get32(p.descriptor(1) + 8) + 3),
  'inode table beyond the end': (p) => p.u32(p.descriptor(1) + 8, p.volume.blocks - 1),
  'free blocks of a group': (p) => p.u16(p.descriptor(0) + 12, p.get16(p.descriptor(0) + 12) + 3),
  'free inodes of a group': (p) => p.u16(p.descriptor(0) + 14, p.get16(p.descriptor(0) + 14) + 1),
  'directories of a group': (p) => p.u16(p.descriptor(0) + 16, p.get16(p.descriptor(0) + 16) + 1),
  'unused inodes': (p) => p.u16(p.descriptor(0) + 28, p.volume.sb.inodesPerGroup),
  'inode table not initialised': (p) => p.u16(p.descriptor(0) + 18, p.get16(p.descriptor(0) + 18) | 1),
  'block bitmap not initialised': (p) => p.u16(p.descriptor(0) + 18, p.get16(p.descriptor(0) + 18) | 2),
  'used block free': (p) => bit(p, p.volume.groupOf(0).blockBitmap, bitOf(p, p.blocksOf('dir')[0]!)),
  'free block used': (p) => bit(p, p.volume.groupOf(0).blockBitmap, 7900),
  'metadata block free': (p) => bit(p, p.volume.groupOf(0).blockBitmap, 0),
  'used inode free': (p) => bit(p, p.volume.groupOf(0).inodeBitmap, p.number('hard') - 1),
  'free inode used': (p) => bit(p, p.volume.groupOf(0).inodeBitmap, p.volume.sb.inodesPerGroup - 3),
  'reserved inode free': (p) => bit(p, p.volume.groupOf(0).inodeBitmap, 5),
  'end of the inode bitmap': (p) => bit(p, p.volume.groupOf(0).inodeBitmap, p.volume.sb.inodesPerGroup + 9),
  'bits behind the last block': (p) => {
    const last = p.volume.groups - 1;
    bit(p, p.volume.groupOf(last).blockBitmap, p.volume.sb.blocksPerGroup - 2);
  },
};

const INODES: Record<string, Damage> = {
  'root is a file': (p) => p.u16(p.inode(2), 0o100755),
  'root is gone': (p) => p.bytes.fill(0, p.inode(2), p.inode(2) + 128),
  'mode without type': (p) => p.u16(p.inode('hard'), 0o644),
  'mode of another type': (p) => p.u16(p.inode('hard'), 0o040755),
  'directory becomes a file': (p) => p.u16(p.inode('deep'), 0o100755),
  'file becomes a device': (p) => p.u16(p.inode('big'), 0o060644),
  'links too many': (p) => p.u16(p.field('hard', 'links'), 3),
  'links too few': (p) => p.u16(p.field('hard', 'links'), 1),
  'links zero': (p) => p.u16(p.field('hard', 'links'), 0),
  'links of a directory': (p) => p.u16(p.field('deep', 'links'), 9),
  'time of deletion': (p) => p.u32(p.field('hard', 'dtime'), 1000),
  'i_blocks too large': (p) => p.u32(p.field('big', 'blocks'), p.get32(p.field('big', 'blocks')) + 2),
  'i_blocks of a fast link': (p) => p.u32(p.field('fast', 'blocks'), 8),
  'size too small': (p) => p.u32(p.field('big', 'size'), 10),
  'size of a directory': (p) => p.u32(p.field('deep', 'size'), 5000),
  'size of a directory doubled': (p) => p.u32(p.field('dir', 'size'), p.get32(p.field('dir', 'size')) * 2),
  'size of a fifo': (p) => p.u32(p.field('pipe', 'size'), 77),
  'size of a fast link': (p) => p.u32(p.field('fast', 'size'), 12),
  'size of a slow link': (p) => p.u32(p.field('slow', 'size'), 61),
  'link of size 0': (p) => p.u32(p.field('fast', 'size'), 0),
  'blocks of a device': (p) => p.u32(p.field('pipe', 'block') + 20, 500),
  i_faddr: (p) => p.u32(p.field('hard', 'fragment'), 4),
  i_extra_isize: (p) => p.volume.inodeSize > 128 && p.u16(p.field('hard', 'extraSize'), 3),
  'i_extra_isize too large': (p) => p.volume.inodeSize > 128 && p.u16(p.field('hard', 'extraSize'), 4000),
  'index flag on a file': (p) => p.u32(p.field('hard', 'flags'), p.get32(p.field('hard', 'flags')) | 0x1000),
  'inline flag without the feature': (p) =>
    p.u32(p.field('hard', 'flags'), p.get32(p.field('hard', 'flags')) | 0x10000000),
  'encrypt flag without the feature': (p) => p.u32(p.field('hard', 'flags'), p.get32(p.field('hard', 'flags')) | 0x800),
  'immutable fifo': (p) => p.u32(p.field('pipe', 'flags'), p.get32(p.field('pipe', 'flags')) | 0x10),
  'extents flag changed': (p) => p.u32(p.field('many', 'flags'), p.get32(p.field('many', 'flags')) ^ 0x80000),
  'extents flag on a fifo': (p) => p.u32(p.field('pipe', 'flags'), 0x80000),
  'deleted without a time': (p) => p.u16(p.inode(p.volume.sb.inodesPerGroup - 4), 0o100644),
  'unknown file in use': (p) => {
    const at = p.inode(p.number('pipe'));
    const free = p.inode(p.volume.sb.inodesPerGroup - 4);
    p.bytes.copyWithin(free, at, at + p.volume.inodeSize);
  },
  'journal is a directory': (p) => p.volume.features.has('has_journal') && p.u16(p.inode(8), 0o040600),
  'reserved inode with a mode': (p) => p.u16(p.inode(6), 0o040600),
  'deleted in an orphan list': (p) => p.u32(p.field(p.volume.sb.inodesPerGroup - 4, 'dtime'), 40),
  'size beyond the map': (p) => p.u32(p.field('hard', 'sizeHigh'), 0x2000_0000),
  'inline data is longer': (p) => inline(p, 'small') && p.u32(p.field('small', 'size'), 100_000),
  'inline directory is longer': (p) => inline(p, 'hq') && p.u32(p.field('hq', 'size'), 200),
  'inline directory has another parent': (p) => inline(p, 'hq') && p.u32(p.field('hq', 'block'), 500),
  'inline directory with a record of 3': (p) => inline(p, 'hq') && p.u16(p.field('hq', 'block') + 8, 3),
  'inline directory names no inode': (p) => inline(p, 'hq') && p.u32(p.field('hq', 'block') + 4, 3000),
  'inline data and extents': (p) =>
    inline(p, 'small') && p.u32(p.field('small', 'flags'), p.get32(p.field('small', 'flags')) | 0x80000),
  'inline link ends early': (p) =>
    inline(p, 'slow') && p.bytes.fill(0, p.field('slow', 'block') + 9, p.field('slow', 'block') + 10),
};

/** True when the content is in the inode. */
function inline(p: Patient, path: string): boolean {
  return (p.get32(p.field(path, 'flags')) & 0x10000000) !== 0;
}

const MAPS: Record<string, Damage> = {
  'block out of range': (p) =>
    p.hasExtents('big')
      ? p.u32(p.field('big', 'block') + 20, p.volume.blocks + 7)
      : p.u32(p.field('big', 'block'), p.volume.blocks + 7),
  'block in the metadata': (p) =>
    p.hasExtents('big') ? p.u32(p.field('big', 'block') + 20, 3) : p.u32(p.field('big', 'block'), 3),
  'block of another file': (p) => {
    const other = p.blocksOf('dir')[0]! / p.volume.blockSize;
    p.u32(p.field('big', 'block') + (p.hasExtents('big') ? 20 : 0), other);
  },
  'block twice in a file': (p) =>
    !p.hasExtents('big') && p.u32(p.field('big', 'block') + 4, p.get32(p.field('big', 'block'))),
  'no extent magic': (p) => p.hasExtents('many') && p.u16(p.field('many', 'block'), 0),
  'extent depth': (p) => p.hasExtents('many') && p.u16(p.field('many', 'block') + 6, 5),
  'extent depth too large': (p) => p.hasExtents('many') && p.u16(p.field('many', 'block') + 6, 9),
  'too many extents': (p) => p.hasExtents('many') && p.u16(p.field('many', 'block') + 2, 5),
  'extents lost': (p) => p.hasExtents('many') && p.u16(p.field('many', 'block') + 2, 1),
  'extent room': (p) => p.hasExtents('many') && p.u16(p.field('many', 'block') + 4, 99),
  'index starts elsewhere': (p) => p.hasExtents('many') && p.u32(p.field('many', 'block') + 24, 1),
  'index names another block': (p) => p.hasExtents('many') && p.u32(p.field('many', 'block') + 16, 9),
  'index names no block': (p) => p.hasExtents('many') && p.u32(p.field('many', 'block') + 16, p.volume.blocks + 9),
  'node without magic': (p) => p.hasExtents('many') && p.u16(p.node('many'), 0xf30b),
  'node is empty': (p) => p.hasExtents('many') && p.u16(p.node('many') + 2, 0),
  'node of another depth': (p) => p.hasExtents('many') && p.u16(p.node('many') + 6, 3),
  'extents out of order': (p) => p.hasExtents('many') && p.u32(p.node('many') + 24, 4000),
  'extents overlap': (p) => p.hasExtents('many') && p.u32(p.node('many') + 24, p.get32(p.node('many') + 12)),
  'extent without length': (p) => p.hasExtents('many') && p.u16(p.node('many') + 28, 0),
  'extent beyond the end': (p) => p.hasExtents('many') && p.u32(p.node('many') + 32, p.volume.blocks),
  'room of the root too small': (p) => p.hasExtents('hard') && p.u16(p.field('hard', 'block') + 4, 1),
  'no room in the root': (p) => p.hasExtents('empty') && p.u16(p.field('empty', 'block') + 4, 0),
  'extent in the middle of a cluster': (p) =>
    p.hasExtents('big') && p.u32(p.field('big', 'block') + 20, p.get32(p.field('big', 'block') + 20) + 1),
  'extent longer': (p) => p.hasExtents('many') && p.u16(p.node('many') + 16, 3),
  'indirect block out of range': (p) =>
    !p.hasExtents('big') && p.u32(p.field('big', 'block') + 48, p.volume.blocks * 2),
  'indirect block in the metadata': (p) => !p.hasExtents('big') && p.u32(p.field('big', 'block') + 48, 2),
  'indirect block is its own': (p) =>
    !p.hasExtents('big') && p.u32(p.field('big', 'block') + 52, p.get32(p.field('big', 'block') + 48)),
  'number in an indirect block': (p) => !p.hasExtents('big') && p.u32(p.node('big') + 8, p.volume.blocks + 1),
  'hole in place of a block': (p) => !p.hasExtents('big') && p.u32(p.node('big') + 8, 0),
  'directory with a hole': (p) => {
    if (p.hasExtents('dir')) p.u32(p.field('dir', 'block') + 12, 5);
    else p.u32(p.field('dir', 'block') + 4, 0);
  },
};

const leaf = (p: Patient) => p.blocksOf('dir')[2]!;
const root = (p: Patient) => p.blocksOf('dir')[0]!;
const second = (p: Patient, at: number) => at + p.get16(at + 4);

const DIRECTORIES: Record<string, Damage> = {
  'dot is another inode': (p) => p.u32(p.blocksOf('deep')[0]!, 2),
  'dot has another name': (p) => p.flip(p.blocksOf('deep')[0]! + 8, 1),
  'dot without end': (p) => p.flip(p.blocksOf('deep')[0]! + 9, 0x41),
  'dot is longer': (p) => p.u16(p.blocksOf('deep')[0]! + 4, 24),
  'dot-dot is another inode': (p) => p.u32(p.blocksOf('deep/er')[0]! + 12, 2),
  'dot-dot has another name': (p) => p.flip(p.blocksOf('deep')[0]! + 12 + 9, 1),
  'dot-dot is missing': (p) => p.u32(p.blocksOf('deep')[0]! + 12, 0),
  'record length 0': (p) => p.u16(second(p, leaf(p)) + 4, 0),
  'record length 7': (p) => p.u16(second(p, leaf(p)) + 4, 7),
  'record length too large': (p) => p.u16(second(p, leaf(p)) + 4, 2000),
  'record length of the last': (p) => p.u16(p.entry('deep', 'er') + 4, 16),
  'name longer than its record': (p) => p.flip(leaf(p) + 6, 0x80),
  'name of no length': (p) => p.bytes.fill(0, leaf(p) + 6, leaf(p) + 7),
  'name with a slash': (p) => p.bytes.fill(0x2f, leaf(p) + 9, leaf(p) + 10),
  'name with a NUL': (p) => p.bytes.fill(0, leaf(p) + 9, leaf(p) + 10),
  'name dot-dot': (p) => {
    const at = p.entry(2, 'hd');
    p.bytes.fill(0x2e, at + 8, at + 10);
  },
  'name twice': (p) => {
    const at = p.entry(2, 'he');
    p.bytes.fill(0x64, at + 9, at + 10);
  },
  'name of another hash': (p) => p.bytes.fill(0x7a, leaf(p) + 10, leaf(p) + 14),
  'entry of no inode': (p) => p.u32(p.entry(2, 'hd'), p.volume.sb.inodesPerGroup - 9),
  'entry of a reserved inode': (p) => p.u32(p.entry(2, 'hd'), 8),
  'entry of the root': (p) => p.u32(p.entry(2, 'hd'), 2),
  'entry beyond the inodes': (p) => p.u32(p.entry(2, 'hd'), 4_000_000),
  'entry of another file': (p) => p.u32(p.entry(2, 'hd'), p.number('big')),
  'second name of a directory': (p) => p.u32(p.entry(2, 'hd'), p.number('deep')),
  'entry gone': (p) => p.u32(p.entry(2, 'big'), 0),
  'directory entry gone': (p) => p.u32(p.entry(2, 'deep'), 0),
  'directory below itself': (p) =>
    p.u32(p.entry(2, 'deep'), 0) === undefined && p.u32(p.entry(p.number('hq'), 'hr'), 0),
  'file type': (p) => p.bytes.fill(2, p.entry(2, 'hd') + 7, p.entry(2, 'hd') + 8),
  'no file type': (p) => p.bytes.fill(0, p.entry(2, 'hd') + 7, p.entry(2, 'hd') + 8),
  'unknown file type': (p) => p.bytes.fill(9, p.entry(2, 'hd') + 7, p.entry(2, 'hd') + 8),
  'block of zeros': (p) => p.bytes.fill(0, leaf(p), leaf(p) + p.volume.blockSize),
  'block of noise': (p) => {
    for (let i = 0; i < p.volume.blockSize; i++) p.bytes[leaf(p) + i] = (i * 7919) >> 3;
  },
  'hash version': (p) => p.bytes.fill(77, root(p) + 28, root(p) + 29),
  'another hash': (p) => p.bytes.fill(2, root(p) + 28, root(p) + 29),
  'root of the index': (p) => p.bytes.fill(3, root(p) + 29, root(p) + 30),
  'levels of the index': (p) => p.bytes.fill(7, root(p) + 30, root(p) + 31),
  'limit of the index': (p) => p.u16(root(p) + 32, 10),
  'count of the index': (p) => p.u16(root(p) + 34, 2),
  'count of the index too large': (p) => p.u16(root(p) + 34, 5000),
  'hashes out of order': (p) => p.u32(root(p) + 40, 0xfffffff0),
  'index block twice': (p) => p.u32(root(p) + 44, p.get32(root(p) + 36)),
  'index block out of range': (p) => p.u32(root(p) + 44, 100_000),
  'reserved word of the index': (p) => p.u32(root(p) + 24, 1),
  'no index, but the flag': (p) => p.u32(p.field('deep', 'flags'), p.get32(p.field('deep', 'flags')) | 0x1000),
};

const SPECIAL: Record<string, Damage> = {
  'attribute magic': (p) => p.u32(p.attributes('attrs'), 0),
  'attribute references': (p) => p.u32(p.attributes('attrs') + 4, 5),
  'attribute blocks': (p) => p.u32(p.attributes('attrs') + 8, 2),
  'attribute hash': (p) => p.flip(p.attributes('attrs') + 32 + 12),
  'attribute value': (p) => p.flip(p.attributes('attrs') + p.volume.blockSize - 3),
  'attribute name length': (p) => p.bytes.fill(255, p.attributes('attrs') + 32, p.attributes('attrs') + 33),
  'attribute offset': (p) => p.u16(p.attributes('attrs') + 34, 5000),
  'attribute one shorter': (p) => p.u32(p.attributes('attrs') + 40, p.get32(p.attributes('attrs') + 40) - 1),
  'attribute in an inode of no value': (p) => p.u32(p.attributes('attrs') + 36, 12),
  'attribute size': (p) => p.u32(p.attributes('attrs') + 40, 70_000),
  'attribute values overlap': (p) => p.u16(p.attributes('attrs') + 34, 40),
  'attribute block out of range': (p) => p.u32(p.field('attrs', 'fileAcl'), p.volume.blocks + 1),
  'attribute block of another file': (p) =>
    p.u32(p.field('hard', 'fileAcl'), p.blocksOf('dir')[0]! / p.volume.blockSize),
  'attribute in the inode': (p) => {
    if (p.volume.inodeSize <= 128) return false;
    const start = p.inode('small') + 128 + p.get16(p.field('small', 'extraSize'));
    assert.equal(p.get32(start), XATTR_MAGIC);
    return p.u32(start + 4 + 8, 9000);
  },
  'attribute offset in the inode': (p) => {
    if (p.volume.inodeSize <= 128) return false;
    return p.u16(p.inode('small') + 128 + p.get16(p.field('small', 'extraSize')) + 4 + 2, 4096);
  },
  'journal magic': (p) => p.volume.features.has('has_journal') && p.u32(p.blocksOf(8)[0]!, 7),
  'journal block size': (p) => p.volume.features.has('has_journal') && p.flip(p.blocksOf(8)[0]! + 14, 8),
  'journal length': (p) =>
    p.volume.features.has('has_journal') && p.bytes.fill(0x7f, p.blocksOf(8)[0]! + 16, p.blocksOf(8)[0]! + 17),
  'journal not empty': (p) =>
    p.volume.features.has('has_journal') && p.bytes.fill(1, p.blocksOf(8)[0]! + 31, p.blocksOf(8)[0]! + 32),
  'journal feature': (p) =>
    p.volume.features.has('has_journal') && p.bytes.fill(0x40, p.blocksOf(8)[0]! + 40, p.blocksOf(8)[0]! + 41),
  'journal too short': (p) => p.volume.features.has('has_journal') && p.u32(p.field(8, 'size'), 300 * 1024),
  'journal begins at 0': (p) =>
    p.volume.features.has('has_journal') && p.bytes.fill(0, p.blocksOf(8)[0]! + 20, p.blocksOf(8)[0]! + 24),
  'journal begins at 2': (p) =>
    p.volume.features.has('has_journal') && p.bytes.fill(2, p.blocksOf(8)[0]! + 23, p.blocksOf(8)[0]! + 24),
  'journal file is longer': (p) => p.volume.features.has('has_journal') && p.u32(p.field(8, 'sizeHigh'), 2),
  'mmp in use': (p) => p.volume.features.has('mmp') && p.u32(p.block(p.volume.sb.mmpBlock) + 4, 77),
  'mmp by e2fsck': (p) => p.volume.features.has('mmp') && p.u32(p.block(p.volume.sb.mmpBlock) + 4, 0xe24d4d50),
  'mmp magic': (p) => p.volume.features.has('mmp') && p.u32(p.block(p.volume.sb.mmpBlock), 7),
  'mmp block': (p) => p.volume.features.has('mmp') && p.u32(1024 + 0x168, 4_000_000),
  'resize inode is shorter': (p) => p.u32(p.field(7, 'size'), 12288),
  'resize inode with a block too many': (p) => p.u32(p.block(p.get32(p.field(7, 'block') + 52)), 226),
  'resize inode with a block beyond': (p) => p.u32(p.block(p.get32(p.field(7, 'block') + 52)) + 1000, 4_000_000),
  'resize inode is empty': (p) => p.u32(p.field(7, 'block') + 52, 0),
  'resize inode with another block': (p) => p.u32(p.field(7, 'block'), 400),
  'resize inode without links': (p) => p.u16(p.field(7, 'links'), 0),
  'reserved block of the resize inode': (p) => {
    const double = p.block(p.get32(p.field(7, 'block') + 52));
    p.u32(double + 4, 77);
  },
  'copy below the resize inode': (p) => {
    const double = p.block(p.get32(p.field(7, 'block') + 52));
    const at = Array.from({ length: 256 }, (_, i) => p.get32(double + i * 4)).find((block) => block !== 0)!;
    p.u32(p.block(at), 99);
  },
  'orphan file entry': (p) => orphan(p, (at) => p.u32(at, 12)),
  'orphan file magic': (p) => orphan(p, (at) => p.u32(at + p.volume.blockSize - 8, 3)),
  'quota file': (p) => p.volume.features.has('quota') && p.u32(p.blocksOf(3)[0]!, 3),
  // the image's blocks are those of quota files: header, root, three levels, then entries behind a head of 16 bytes
  'bytes in the quota file': (p) => p.volume.features.has('quota') && p.u32(p.blocksOf(3)[5]! + 16 + 48, 4096),
  'inodes in the quota file': (p) => p.volume.features.has('quota') && p.u32(p.blocksOf(4)[5]! + 16 + 24, 7),
  'id in the quota file': (p) => p.volume.features.has('quota') && p.u32(p.blocksOf(3)[5]! + 16, 77),
  'tree of the quota file': (p) => p.volume.features.has('quota') && p.u32(p.blocksOf(4)[1]!, 9999),
};

function orphan(p: Patient, change: (at: number) => void): boolean {
  if (!p.volume.features.has('orphan_file')) return false;
  change(p.blocksOf(p.volume.sb.orphanFileInode)[0]!);
  return true;
}

/** Every value of a field, or every field of something: many damages of a kind, for a few images. */
const SWEEPS: Record<string, Damage> = {
  ...Object.fromEntries(
    [
      ['quota of users', 0x240],
      ['quota of groups', 0x244],
      ['quota of projects', 0x26c],
      ['orphan file', 0x280],
    ].flatMap(([what, at]) =>
      [1, 2, 5, 8, 30, 4_000_000].map((number) => [
        `${what} is inode ${number}`,
        (p: Patient) => p.u32(1024 + (at as number), number),
      ]),
    ),
  ),
  ...Object.fromEntries(
    [0x5c, 0x60, 0x64].flatMap((word) =>
      Array.from({ length: 32 }, (_, bit) => [
        `feature 0x${word.toString(16)} bit ${bit}`,
        (p: Patient) => p.u32(1024 + word, p.get32(1024 + word) ^ (1 << bit)),
      ]),
    ),
  ),
  ...Object.fromEntries(
    [1, 3, 4, 5, 6, 7, 9, 10].flatMap((number) =>
      (
        [
          ['mode', (p) => p.u16(p.inode(number), 0o040600)],
          ['mode of no type', (p) => p.u16(p.inode(number), 1)],
          ['links', (p) => p.u16(p.field(number, 'links'), 3)],
          ['owner', (p) => p.u16(p.field(number, 'uid'), 7)],
          ['i_blocks', (p) => p.u32(p.field(number, 'blocks'), 8)],
          ['size', (p) => p.u32(p.field(number, 'sizeHigh'), 0x7000_0000)],
          ['a block', (p) => p.u32(p.field(number, 'block'), 900)],
          ['another block', (p) => p.u32(p.field(number, 'block') + 20, 1_000_000)],
          ['a time of deletion', (p) => p.u32(p.field(number, 'dtime'), 12)],
          ['the flag of an index', (p) => p.u32(p.field(number, 'flags'), p.get32(p.field(number, 'flags')) | 0x1000)],
          ['the flag of case', (p) => p.u32(p.field(number, 'flags'), p.get32(p.field(number, 'flags')) | 0x40000000)],
          ['attributes', (p) => p.u32(p.field(number, 'fileAcl'), 167)],
        ] as readonly (readonly [string, Damage])[]
      ).map(([what, damage]) => [`reserved inode ${number} with ${what}`, damage]),
    ),
  ),
};

/** A damage and its name. */
export type NamedDamage = readonly [name: string, damage: Damage];

export const SWEPT: readonly NamedDamage[] = Object.entries(SWEEPS);

/** All other damages, by group and name. */
export const DAMAGES: readonly NamedDamage[] = Object.entries({
  superblock: SUPERBLOCK,
  group: GROUPS,
  inode: INODES,
  map: MAPS,
  directory: DIRECTORIES,
  special: SPECIAL,
}).flatMap(([group, table]) => Object.entries(table).map(([name, damage]) => [`${group}: ${name}`, damage] as const));
