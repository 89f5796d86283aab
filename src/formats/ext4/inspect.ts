import { crc32c } from '../../bytes/crc32c.ts';
import type { RandomAccess } from '../../bytes/file.ts';
import { BuildError } from '../../errors/error.ts';
import { TYPE_BITS } from '../../tree/inode.ts';
import { directoryBlockSums, orphanBlockSums, xattrBlockSums } from './checksums.ts';
import {
  GROUP_BLOCK_UNINIT,
  GROUP_INODE_UNINIT,
  GroupDescriptor,
  INODE_EXTENTS,
  INODE_INDEX,
  INODE_INLINE_DATA,
  JOURNAL_CHECKSUMS,
  JOURNAL_INCOMPAT,
  JOURNAL_MAGIC,
  JOURNAL_SUPERBLOCK_V1,
  JOURNAL_SUPERBLOCK_V2,
  JournalSuperblock,
  Superblock,
} from './layout.ts';
import { descriptorChecksum } from './superblock.ts';
import { type RawInode, type ReadOptions, Volume } from './volume.ts';

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

/** What was recomputed, and what was found wrong. */
export interface Ext4Verified {
  /** Checksums compared, by kind of structure. */
  readonly checked: Readonly<Record<string, number>>;
  readonly faults: readonly { readonly at: string; readonly reason: string }[];
}

/**
 * Recomputes every checksum of a file system. Damage is reported, not thrown; what is not an ext4 at all is rejected.
 */
export function verifyExt4(access: RandomAccess, options: Omit<ReadOptions, 'verify'> = {}): Ext4Verified {
  const volume = new Volume(access, { ...options, verify: false });
  return new Verifier(volume).run();
}

class Verifier {
  private readonly volume: Volume;
  private readonly checked: Record<string, number> = {};
  private readonly faults: { at: string; reason: string }[] = [];
  private readonly xattrBlocks = new Set<number>();

  constructor(volume: Volume) {
    this.volume = volume;
  }

  run(): Ext4Verified {
    const { volume } = this;
    if (volume.checksums) this.sum('superblock', 'superblock', volume.superblockSums());
    for (let group = 0; group < volume.groups; group++) this.attempt(`group ${group}`, () => this.group(group));
    return { checked: this.checked, faults: this.faults };
  }

  private sum(kind: string, at: string, sums: { stored: number; computed: number } | undefined): void {
    this.checked[kind] = (this.checked[kind] ?? 0) + 1;
    if (sums === undefined) this.faults.push({ at, reason: 'there is no checksum where one should be' });
    else if (sums.stored !== sums.computed)
      this.faults.push({
        at,
        reason: `checksum 0x${sums.stored.toString(16)} is stored, 0x${sums.computed.toString(16)} is right`,
      });
  }

  private attempt(at: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof BuildError)) throw error;
      this.faults.push({ at, reason: error.message });
    }
  }

  private group(group: number): void {
    const { volume } = this;
    const { sb } = volume;
    const descriptor = volume.descriptor(group);
    const { record, blockBitmap, inodeBitmap } = volume.groupOf(group);
    const lazy = volume.checksums || volume.features.has('uninit_bg');
    if (lazy) this.sum('descriptor', `descriptor of group ${group}`, this.descriptorSums(descriptor, group));
    if (group > 0 && volume.superIn(group)) {
      this.backup(group);
      if (lazy) this.descriptorCopies(group);
    }
    const uninitialised = lazy && (record.flags & GROUP_INODE_UNINIT) !== 0;
    if (volume.checksums) {
      const wide = volume.descriptorSize >= 64;
      const join = (low: number, high: number) => (wide ? high * 2 ** 16 : 0) + low;
      const bitmap = (at: string, block: number, bits: number, stored: number) => {
        const bytes = volume.block(block, at);
        const crc = crc32c(volume.seed, bytes, 0, bits / 8);
        this.sum('bitmap', at, { stored, computed: wide ? crc : crc & 0xffff });
        // no checksum covers what is behind the last bit
        if (bytes.subarray(bits / 8).some((byte) => byte !== 0xff))
          this.faults.push({ at, reason: `what follows its ${bits} bits is not all ones` });
      };
      const clusters = volume.features.has('bigalloc') ? sb.clustersPerGroup : sb.blocksPerGroup;
      if ((record.flags & GROUP_BLOCK_UNINIT) === 0 && clusters <= volume.blockSize * 8)
        bitmap(
          `block bitmap of group ${group}`,
          blockBitmap,
          clusters,
          join(record.blockBitmapChecksum, record.blockBitmapChecksumHigh),
        );
      if (!uninitialised)
        bitmap(
          `inode bitmap of group ${group}`,
          inodeBitmap,
          sb.inodesPerGroup,
          join(record.inodeBitmapChecksum, record.inodeBitmapChecksumHigh),
        );
    }
    if (uninitialised || !volume.checksums) return;
    const unused = record.unusedInodes + (volume.descriptorSize >= 64 ? record.unusedInodesHigh * 2 ** 16 : 0);
    const bits = volume.block(inodeBitmap, `inode bitmap of group ${group}`);
    for (let i = 0; i < sb.inodesPerGroup - unused; i++) {
      const number = group * sb.inodesPerGroup + i + 1;
      if ((bits[i >> 3]! >> (i & 7)) & 1 && number <= sb.inodes)
        this.attempt(`inode ${number}`, () => this.inode(number));
    }
  }

  /** A copy of the superblock differs in its group's number, so it has its own checksum. */
  private backup(group: number): void {
    const { volume } = this;
    if (!volume.checksums) return;
    const { firstDataBlock, blocksPerGroup } = volume.sb;
    const bytes = volume.block(firstDataBlock + group * blocksPerGroup, `superblock of group ${group}`);
    this.sum('superblock', `superblock of group ${group}`, volume.superblockSums(bytes.subarray(0, Superblock.size)));
  }

  /**
   * A copy of the descriptors. The kernel does not keep the copies up to date, so counts may differ, but each has its
   * checksum and the right locations of bitmaps and tables.
   */
  private descriptorCopies(group: number): void {
    const { volume } = this;
    const { descriptorSize, blockSize, sb } = volume;
    const start = sb.firstDataBlock + group * sb.blocksPerGroup + 1;
    const per = blockSize / descriptorSize;
    const blocks = volume.features.has('meta_bg') ? sb.firstMetaGroup : Math.ceil(volume.groups / per);
    for (let i = 0; i < blocks; i++) {
      const bytes = volume.block(start + i, `copy of the descriptors in group ${group}`);
      for (let of = i * per; of < Math.min((i + 1) * per, volume.groups); of++) {
        const copy = bytes.subarray((of % per) * descriptorSize, ((of % per) + 1) * descriptorSize);
        const at = `copy in group ${group} of the descriptor of group ${of}`;
        const sums = this.descriptorSums(copy, of);
        // a copy from before checksums were switched on has none
        if (sums.stored !== 0) this.sum('descriptor', at, sums);
        // bg_block_bitmap_lo, bg_inode_bitmap_lo and bg_inode_table_lo
        if (Buffer.compare(copy.subarray(0, 12), volume.descriptor(of).subarray(0, 12)) !== 0)
          this.faults.push({ at, reason: 'it names other blocks than the descriptor itself' });
      }
    }
  }

  private descriptorSums(descriptor: Uint8Array, group: number): { stored: number; computed: number } {
    const { volume } = this;
    const stored = new DataView(descriptor.buffer, descriptor.byteOffset).getUint16(
      GroupDescriptor.offset.checksum,
      true,
    );
    const how = { metadata: volume.checksums, groups: true, seed: volume.seed, uuid: volume.sb.uuid };
    return { stored, computed: descriptorChecksum(descriptor, group, how) };
  }

  private inode(number: number): void {
    const { volume } = this;
    const inode = volume.inode(number);
    const { record } = inode;
    this.sum('inode', `inode ${number}`, volume.inodeSums(inode));
    if (record.links === 0) return;
    this.xattrs(inode);
    if (record.flags & INODE_INLINE_DATA) return;
    if (record.flags & INODE_EXTENTS)
      volume.walkExtents(
        inode,
        () => {},
        (block, bytes) =>
          this.sum('extents', `inode ${number}, extent block ${block}`, volume.extentSums(inode, bytes)),
      );
    if ((record.mode & 0o170000) === TYPE_BITS.directory) this.directory(inode);
    if (number === volume.sb.orphanFileInode && volume.features.has('orphan_file')) this.orphans(inode);
    if (number === volume.sb.journalInode && volume.features.has('has_journal')) this.journal(inode);
  }

  private xattrs({ record }: RawInode): void {
    const { volume } = this;
    const block = record.fileAcl + (volume.features.has('64bit') ? record.fileAclHigh * 2 ** 32 : 0);
    if (block === 0 || this.xattrBlocks.has(block)) return;
    this.xattrBlocks.add(block);
    const at = `extended attributes in block ${block}`;
    this.sum('xattrs', at, xattrBlockSums(volume.block(block, at), block, volume.seed));
  }

  private eachBlock(inode: RawInode, visit: (bytes: Uint8Array, logical: number, physical: number) => void): void {
    const end = Math.ceil(inode.size / this.volume.blockSize);
    for (const { logical, physical, length } of this.volume.mapping(inode))
      for (let i = 0; i < length && logical + i < end; i++) {
        this.volume.spend(1, `inode ${inode.number}`);
        visit(this.volume.block(physical + i, `inode ${inode.number}`), logical + i, physical + i);
      }
  }

  private directory(inode: RawInode): void {
    const indexed = (inode.record.flags & INODE_INDEX) !== 0;
    this.eachBlock(inode, (bytes, logical) =>
      this.sum(
        'directory',
        `directory ${inode.number}, block ${logical}`,
        directoryBlockSums(bytes, inode.seed, indexed, logical === 0),
      ),
    );
  }

  private orphans(inode: RawInode): void {
    this.eachBlock(inode, (bytes, logical, physical) =>
      this.sum('orphans', `orphan file, block ${logical}`, orphanBlockSums(bytes, physical, inode.seed)),
    );
  }

  /**
   * The journal's superblock has a checksum once the kernel has switched the journal's checksums on; before that, its
   * numbers must agree with those of the file system.
   */
  private journal(inode: RawInode): void {
    const { volume } = this;
    const first = volume.mapping(inode)[0];
    if (first === undefined) return;
    const bytes = volume.block(first.physical, 'journal').subarray(0, JournalSuperblock.size);
    const found = JournalSuperblock.read(bytes);
    const fault = (reason: string) => this.faults.push({ at: 'journal superblock', reason });
    if (found.magic !== JOURNAL_MAGIC) {
      fault('there is no superblock in it');
      return;
    }
    const blocks = Math.floor(inode.size / volume.blockSize);
    if (found.type !== JOURNAL_SUPERBLOCK_V2 && found.type !== JOURNAL_SUPERBLOCK_V1)
      fault(`blocks of type ${found.type} are not a superblock`);
    if (found.blockSize !== volume.blockSize)
      fault(`blocks of ${found.blockSize} bytes, the file system has ${volume.blockSize}`);
    if (found.blocks > blocks) fault(`${found.blocks} blocks, its file has ${blocks}`);
    // a journal on its own device has a superblock copy of the file system before its log, an internal one has nothing
    if (found.first !== 1) fault(`its log begins at block ${found.first}, not 1`);
    if (found.start !== 0)
      fault(`it has transactions from block ${found.start} on, and the file system says it is clean`);
    if (found.error !== 0) fault(`it noted error ${found.error | 0}`);
    // a journal inside the file system has one user, and mke2fs leaves the count zero
    if (found.users > 1) fault(`it says that ${found.users} file systems use it`);
    if (found.incompat & ~JOURNAL_INCOMPAT || found.roCompat !== 0) fault('it has features that are not known');
    if (found.incompat & JOURNAL_CHECKSUMS) {
      bytes.fill(0, JournalSuperblock.offset.checksum, JournalSuperblock.offset.checksum + 4);
      this.sum('journal', 'journal superblock', { stored: found.checksum, computed: crc32c(0xffffffff, bytes) });
    }
  }
}
