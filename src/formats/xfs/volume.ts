import type { RandomAccess } from '../../bytes/file.ts';
import type { Of } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import { checksum } from './checksums.ts';
import {
  FLAG,
  FLAG2,
  FORMAT,
  INCOMPAT,
  INODE_MAGIC,
  Inode as InodeTable,
  RO_COMPAT,
  SUPERBLOCK_MAGIC,
  Superblock,
} from './layout.ts';
import { logFault } from './log.ts';

/** Options for reading. */
export interface ReadOptions {
  /** The image's name in messages. */
  readonly name?: string;
  /** Verify checksums; true by default. */
  readonly verify?: boolean;
}

/** An inode as found. */
export interface RawInode extends Of<typeof InodeTable> {
  /** The whole inode. */
  readonly bytes: Uint8Array;
  /** Bytes of its data fork, and of its attribute fork. */
  readonly dataRoom: number;
  readonly attributeRoom: number;
  readonly dataExtents: number;
  readonly attributeExtents: number;
}

/** Incompatible features that are read. */
const READABLE: ReadonlySet<string> = new Set([
  'ftype',
  'sparse',
  'meta_uuid',
  'bigtime',
  'nrext64',
  'exchange',
  'parent',
]);

/** Names of the bits that are set, as mkfs.xfs has them; `incompat 0x200` for a bit without one. */
export function featureNames(word: number, names: Readonly<Record<string, number>>, kind: string): string[] {
  const found: string[] = [];
  for (let bit = 1; bit <= 0x8000_0000; bit *= 2) {
    if ((word & bit) === 0) continue;
    found.push(Object.entries(names).find(([, value]) => value === bit)?.[0] ?? `${kind} 0x${bit.toString(16)}`);
  }
  return found;
}

/** The numbers of an XFS file system: superblock, inodes, blocks. Every address is checked before it is read. */
export class Volume {
  readonly access: RandomAccess;
  readonly name: string;
  readonly sb: Of<typeof Superblock>;
  readonly blockSize: number;
  readonly features: ReadonlySet<string>;
  /** The UUID that structures carry. */
  readonly uuid: Uint8Array;
  readonly verify: boolean;
  private budget = 0;

  constructor(access: RandomAccess, options: ReadOptions = {}) {
    this.access = access;
    this.name = options.name ?? 'image';
    this.verify = options.verify !== false;
    this.beginPass();
    if (access.size < 512) throw this.not('it is too short');
    const head = new Uint8Array(512);
    access.readAt(0, head);
    this.sb = Superblock.read(head);
    const { sb } = this;
    if (sb.magic !== SUPERBLOCK_MAGIC) throw this.not('there is no superblock at its start');
    const version = sb.version & 0xf;
    if (version !== 5) throw this.unsupported(`version ${version}, without checksums`);
    this.blockSize = sb.blockSize;
    this.features = new Set([
      ...featureNames(sb.roCompat, RO_COMPAT, 'ro_compat'),
      ...featureNames(sb.incompat, INCOMPAT, 'incompat'),
    ]);
    this.uuid = sb.incompat & INCOMPAT.meta_uuid ? sb.metaUuid : sb.uuid;
    this.checkGeometry();
    if (this.verify) {
      const sector = new Uint8Array(sb.sectorSize);
      access.readAt(0, sector);
      this.checkSum(sector, Superblock.offset.checksum, 'superblock');
    }
    for (const feature of featureNames(sb.incompat, INCOMPAT, 'incompat'))
      if (!READABLE.has(feature)) throw this.unsupported(feature);
    // before the feature ftype entries lack a byte
    if (!this.features.has('ftype')) throw this.unsupported('directories without ftype');
    if (sb.logStart === 0) throw this.unsupported('its log on another device');
    if (sb.inProgress !== 0) throw this.corrupt('superblock', 'it was not made to the end');
  }

  private checkGeometry(): void {
    const { sb } = this;
    const power = (value: number, bits: number, least: number, most: number) =>
      bits >= least && bits <= most && value === 2 ** bits;
    const fault = (reason: string) => this.corrupt('superblock', reason);
    if (!power(sb.blockSize, sb.blockBits, 9, 16)) throw fault(`a block size of ${sb.blockSize}`);
    if (!power(sb.sectorSize, sb.sectorBits, 9, 15)) throw fault(`a sector size of ${sb.sectorSize}`);
    if (!power(sb.inodeSize, sb.inodeBits, 8, 11) || sb.inodeSize > sb.blockSize || sb.inodeSize < 512)
      throw fault(`an inode size of ${sb.inodeSize}`);
    if (sb.inodesPerBlock !== sb.blockSize / sb.inodeSize || 2 ** sb.inodesPerBlockBits !== sb.inodesPerBlock)
      throw fault(`${sb.inodesPerBlock} inodes in a block`);
    if (sb.directoryBits + sb.blockBits > 16) throw fault(`directory blocks of 2^${sb.directoryBits} blocks`);
    if (sb.groups === 0 || sb.groupBlocks < 16 || sb.groupBits > 32 || 2 ** sb.groupBits < sb.groupBlocks)
      throw fault(`${sb.groups} groups of ${sb.groupBlocks} blocks`);
    const last = sb.blocks - (sb.groups - 1) * sb.groupBlocks;
    if (!Number.isSafeInteger(sb.blocks) || last <= 0 || last > sb.groupBlocks)
      throw fault(`${sb.blocks} blocks in ${sb.groups} groups of ${sb.groupBlocks}`);
    if (sb.blocks * sb.blockSize > this.access.size)
      throw fault(`${sb.blocks} blocks of ${sb.blockSize} bytes in ${this.access.size} bytes`);
  }

  not(reason: string): BuildError<'XFS_NOT'> {
    return new BuildError('XFS_NOT', { path: this.name, reason });
  }

  corrupt(at: string, reason: string): BuildError<'XFS_CORRUPT'> {
    return new BuildError('XFS_CORRUPT', { path: this.name, at, reason });
  }

  unsupported(feature: string): BuildError<'XFS_UNSUPPORTED'> {
    return new BuildError('XFS_UNSUPPORTED', { path: this.name, feature });
  }

  /** Rejects a log that holds changes which are not in their places yet. */
  checkLog(): void {
    const { sb } = this;
    const start = this.address(sb.logStart, 'log');
    const size = sb.logBlocks * this.blockSize;
    if (sb.logBlocks === 0 || start + size > sb.blocks * this.blockSize) throw this.corrupt('log', 'it is too long');
    const fault = logFault((offset, length) => this.bytes(start + offset, length, 'log'), size);
    if (fault !== undefined) throw new BuildError('XFS_LOG', { path: this.name, reason: fault });
  }

  /** Starts counting {@link spend} anew. */
  beginPass(): void {
    // each byte of metadata is read a few times in a sound image
    this.budget = 64 * (this.access.size + 1024 * 1024);
  }

  /** Counts bytes of work, so that an image that refers to itself everywhere ends. */
  spend(bytes: number, at: string): void {
    this.budget -= bytes;
    if (this.budget < 0) throw this.corrupt(at, 'its structures refer to the same data over and over');
  }

  /** Bytes at an address, all of which must be inside the file system. */
  bytes(address: number, size: number, at: string): Uint8Array {
    if (!Number.isSafeInteger(address) || address < 0 || address + size > this.sb.blocks * this.blockSize)
      throw this.corrupt(at, `${size} bytes at ${address}, beyond the end of the file system`);
    this.spend(size, at);
    const into = new Uint8Array(size);
    this.access.readAt(address, into);
    return into;
  }

  /** The byte address of a block as XFS numbers it: the group above the block inside of it. */
  address(stored: number, at: string, count = 1): number {
    const { groupBits, groupBlocks, groups, blocks } = this.sb;
    const group = Math.floor(stored / 2 ** groupBits);
    const inGroup = stored % 2 ** groupBits;
    const room = group === groups - 1 ? blocks - group * groupBlocks : groupBlocks;
    if (!(group < groups) || inGroup + count > room)
      throw this.corrupt(at, `${count} blocks at block ${inGroup} of group ${group}, beyond its end`);
    return (group * groupBlocks + inGroup) * this.blockSize;
  }

  /** Compares a stored checksum. */
  checkSum(bytes: Uint8Array, field: number, at: string): void {
    if (!this.verify) return;
    this.spend(bytes.length, at);
    const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(field, true);
    const computed = checksum(bytes, field);
    if (stored !== computed) throw this.corrupt(at, `checksum ${hex(stored)} is stored, ${hex(computed)} is right`);
  }

  /** Checks what every block of metadata says of itself: checksum, UUID, its own place, its owner. */
  checkBlock(
    bytes: Uint8Array,
    fields: { readonly checksum: number; readonly uuid: number; readonly address: number; readonly owner?: number },
    place: { readonly address: number; readonly owner: number; readonly at: string },
  ): void {
    const { at } = place;
    this.checkSum(bytes, fields.checksum, at);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const wide = (offset: number) => view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
    if (wide(fields.address) * 512 !== place.address)
      throw this.corrupt(at, `the block at ${place.address} says it is at ${wide(fields.address) * 512}`);
    if (fields.owner !== undefined && wide(fields.owner) !== place.owner)
      throw this.corrupt(at, `the block at ${place.address} belongs to inode ${wide(fields.owner)}`);
    this.checkUuid(bytes, fields.uuid, at);
  }

  /** Compares the UUID of a structure. */
  checkUuid(bytes: Uint8Array, field: number, at: string): void {
    if (Buffer.compare(bytes.subarray(field, field + 16), this.uuid) !== 0)
      throw this.corrupt(at, 'a structure with the UUID of another file system');
  }

  /** Where an inode is. */
  inodeAddress(number: number, at: string): number {
    const { inodesPerBlockBits, inodeSize } = this.sb;
    if (!Number.isSafeInteger(number) || number < 0) throw this.corrupt(at, 'an inode number that is out of range');
    const block = Math.floor(number / 2 ** inodesPerBlockBits);
    return this.address(block, at) + (number % 2 ** inodesPerBlockBits) * inodeSize;
  }

  /** Reads an inode and checks what it says of itself. */
  inode(number: number, at: string): RawInode {
    const { inodeSize } = this.sb;
    const bytes = this.bytes(this.inodeAddress(number, at), inodeSize, at);
    const raw = InodeTable.read(bytes);
    if (raw.magic !== INODE_MAGIC || raw.version !== 3) throw this.corrupt(at, 'there is no inode at its place');
    this.checkSum(bytes, InodeTable.offset.checksum, at);
    if (raw.number !== number) throw this.corrupt(at, `it says it is inode ${raw.number}`);
    this.checkUuid(bytes, InodeTable.offset.uuid, at);
    if (!Number.isSafeInteger(raw.size)) throw this.corrupt(at, `a size of ${raw.size} bytes`);
    const room = inodeSize - InodeTable.size;
    const dataRoom = raw.forkOffset === 0 ? room : raw.forkOffset * 8;
    if (dataRoom >= room && raw.forkOffset !== 0) throw this.corrupt(at, `its attributes begin at byte ${dataRoom}`);
    // the low word of the 64 bits holds all of them
    const wide = (raw.flags2 & FLAG2.nrext64) !== 0;
    const dataExtents = wide ? raw.extents64 : raw.extents;
    const attributeExtents = wide ? raw.extents : raw.attrExtents;
    if (raw.flags & FLAG.realtime && raw.format !== FORMAT.device)
      throw this.unsupported('files in its real-time section');
    return {
      ...raw,
      bytes,
      dataRoom,
      attributeRoom: raw.forkOffset === 0 ? 0 : room - dataRoom,
      dataExtents,
      attributeExtents,
    };
  }
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
