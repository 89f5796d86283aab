import { crc32c } from '../../bytes/crc32c.ts';
import type { RandomAccess } from '../../bytes/file.ts';
import type { Of } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import {
  COMPAT,
  CompactInode,
  EXTENDED,
  ExtendedInode,
  INCOMPAT,
  MAGIC,
  SUPERBLOCK_OFFSET,
  Superblock,
} from './layout.ts';

/** Options for reading. */
export interface ReadOptions {
  /** The image's name in messages. */
  readonly name?: string;
  /** Verify the checksum of the superblock; true by default. */
  readonly verify?: boolean;
}

/** An inode as found. */
export interface RawInode {
  readonly nid: number;
  /** Value of `LAYOUT`. */
  readonly layout: number;
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly nanoseconds: number;
  readonly size: number;
  readonly u: number;
  /** Bytes of attributes behind the inode. */
  readonly xattrSize: number;
  /** Address of the attributes, and of what follows them. */
  readonly xattrsAt: number;
  readonly tailAt: number;
}

/** Incompatible features that are read. */
const READABLE: ReadonlySet<string> = new Set([
  'zero_padding',
  'compr_cfgs',
  'chunked_file',
  'device_table',
  'ztailpacking',
  'fragments',
]);

/** Compression algorithms by number (Z_EROFS_COMPRESSION_…). */
export const ALGORITHMS = ['lz4', 'lzma', 'deflate', 'zstd'] as const;

/** Names of the bits that are set, by the kernel's names; `0x200` for a bit without one. */
export function featureNames(incompat: number): string[] {
  const names: string[] = [];
  for (let bit = 1; bit !== 0 && bit <= 0x80000000; bit = (bit << 1) >>> 0) {
    if ((incompat & bit) === 0) continue;
    names.push(Object.entries(INCOMPAT).find(([, value]) => value === bit)?.[0] ?? `0x${bit.toString(16)}`);
  }
  return names;
}

/** The numbers of an EROFS file system: superblock and inodes. Every address is checked before it is read. */
export class Volume {
  readonly access: RandomAccess;
  readonly name: string;
  readonly sb: Of<typeof Superblock>;
  readonly blockSize: number;
  readonly blocks: number;
  readonly features: ReadonlySet<string>;
  /** The superblock's checksum: stored and computed; undefined where there is none. */
  readonly checksum: { readonly stored: number; readonly computed: number } | undefined;
  private budget = 0;

  constructor(access: RandomAccess, options: ReadOptions = {}) {
    this.access = access;
    this.name = options.name ?? 'image';
    if (access.size < SUPERBLOCK_OFFSET + Superblock.size) throw this.not('it is too short');
    const bytes = new Uint8Array(Superblock.size);
    access.readAt(SUPERBLOCK_OFFSET, bytes);
    this.sb = Superblock.read(bytes);
    const { sb } = this;
    if (sb.magic !== MAGIC) throw this.not('there is no superblock at byte 1024');
    if (sb.blockBits < 9 || sb.blockBits > 16) throw this.corrupt('superblock', `a block size of 2^${sb.blockBits}`);
    this.blockSize = 2 ** sb.blockBits;
    this.blocks = sb.blocks;
    this.features = new Set(featureNames(sb.incompat));
    for (const feature of this.features)
      if (!READABLE.has(feature)) throw new BuildError('EROFS_UNSUPPORTED', { path: this.name, feature });
    if (sb.extraDevices > 0)
      throw new BuildError('EROFS_UNSUPPORTED', { path: this.name, feature: 'device_table with further devices' });
    if (sb.directoryBlockBits !== 0)
      throw new BuildError('EROFS_UNSUPPORTED', { path: this.name, feature: 'directory blocks of another size' });
    const end = this.blocks * this.blockSize;
    if (this.blocks === 0 || end > access.size)
      throw this.corrupt('superblock', `${this.blocks} blocks of ${this.blockSize} bytes in ${access.size} bytes`);
    this.checksum = sb.compat & COMPAT.sb_chksum ? this.sums() : undefined;
    if (options.verify !== false && this.checksum !== undefined && this.checksum.stored !== this.checksum.computed) {
      const { stored, computed } = this.checksum;
      throw new BuildError('EROFS_CHECKSUM', { path: this.name, stored: hex(stored), computed: hex(computed) });
    }
  }

  private sums(): { stored: number; computed: number } {
    const end = Math.max(this.blockSize, SUPERBLOCK_OFFSET + Superblock.size);
    const block = new Uint8Array(end - SUPERBLOCK_OFFSET);
    this.access.readAt(SUPERBLOCK_OFFSET, block);
    block.fill(0, Superblock.offset.checksum, Superblock.offset.checksum + 4);
    return { stored: this.sb.checksum, computed: crc32c(0xffffffff, block) };
  }

  not(reason: string): BuildError<'EROFS_NOT'> {
    return new BuildError('EROFS_NOT', { path: this.name, reason });
  }

  corrupt(at: string, reason: string): BuildError<'EROFS_CORRUPT'> {
    return new BuildError('EROFS_CORRUPT', { path: this.name, at, reason });
  }

  /** Starts counting {@link spend} anew. */
  beginPass(): void {
    // each byte of metadata is read once in a sound image; names of hard links several times
    this.budget = 64 * (this.access.size + 1024 * 1024);
  }

  /** Counts bytes of work, so that an image that refers to itself everywhere ends. */
  spend(bytes: number, at: string): void {
    this.budget -= bytes;
    if (this.budget < 0) throw this.corrupt(at, 'its structures refer to the same data over and over');
  }

  /** Bytes at an address, all of which must be inside the file system. */
  bytes(address: number, size: number, at: string): Uint8Array {
    if (!Number.isSafeInteger(address) || address < 0 || address + size > this.blocks * this.blockSize)
      throw this.corrupt(at, `${size} bytes at ${address}, beyond the end of the file system`);
    this.spend(size, at);
    const into = new Uint8Array(size);
    this.access.readAt(address, into);
    return into;
  }

  /** Reads the fixed part of an inode. */
  inode(nid: number, at: string): RawInode {
    const address = this.sb.metaBlock * this.blockSize + nid * 32;
    const format = this.bytes(address, 2, at)[0]!;
    const extended = (format & EXTENDED) !== 0;
    const layout = (format >> 1) & 7;
    if (layout > 4) throw this.corrupt(at, `the unknown data layout ${layout}`);
    const table = extended ? ExtendedInode : CompactInode;
    const bytes = this.bytes(address, table.size, at);
    const count = new DataView(bytes.buffer).getUint16(2, true);
    const xattrSize = count === 0 ? 0 : 12 + 4 * (count - 1);
    const places = { nid, layout, xattrSize, xattrsAt: address + table.size, tailAt: address + table.size + xattrSize };
    if (!extended) {
      const { mode, links, uid, gid, size, u } = CompactInode.read(bytes);
      const { epoch: mtime, epochNanoseconds: nanoseconds } = this.sb;
      return this.checked({ ...places, mode, links, uid, gid, size, u, mtime, nanoseconds }, at);
    }
    const { mode, links, uid, gid, size, u, mtime, nanoseconds } = ExtendedInode.read(bytes);
    return this.checked({ ...places, mode, links, uid, gid, size, u, mtime, nanoseconds }, at);
  }

  private checked(inode: RawInode, at: string): RawInode {
    if (inode.nanoseconds > 999_999_999) throw this.corrupt(at, `a time with ${inode.nanoseconds} nanoseconds`);
    if (!Number.isSafeInteger(inode.mtime)) throw this.corrupt(at, 'a time that is out of range');
    // more than any kernel takes; also keeps numbers exact
    if (inode.size > 2 ** 52) throw this.corrupt(at, `a size of ${inode.size} bytes`);
    return inode;
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
