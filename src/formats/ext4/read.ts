import { type Bytes, copyOf, type Extent, type FileContent, PIECE, zeroPieces } from '../../bytes/content.ts';
import type { RandomAccess } from '../../bytes/file.ts';
import { latin1 } from '../../bytes/struct.ts';
import { BuildError } from '../../errors/error.ts';
import {
  type Directory,
  device,
  directory,
  file,
  type Inode,
  kindOf,
  type Meta,
  special,
  symlink,
} from '../../tree/inode.ts';
import { display } from '../../tree/path.ts';
import { Tree } from '../../tree/tree.ts';
import { LOST_FOUND } from './census.ts';
import { directoryBlockSums, xattrBlockSums } from './checksums.ts';
import {
  FIRST_INODE,
  INODE_EA_INODE,
  INODE_ENCRYPTED,
  INODE_EXTENTS,
  INODE_INDEX,
  INODE_INLINE_DATA,
  OLD_INODE_SIZE,
  ROOT_INODE,
  XATTR_MAGIC,
  XattrHeader,
} from './layout.ts';
import { type MappedExtent, type RawInode, type ReadOptions, Volume } from './volume.ts';
import { decodeXattrs } from './xattr.ts';

/** Largest value of an extended attribute, XATTR_SIZE_MAX of the kernel. */
const XATTR_VALUE_MAX = 65536;

/** What to include in the tree. */
export interface TreeOptions {
  /** Keep an empty lost+found, which belongs to the file system more than to the tree; false by default. */
  readonly lostFound?: boolean;
  /** Called with each encrypted entry, which is then left out; without it an encrypted entry is rejected. */
  readonly encrypted?: (path: string) => void;
}

/** An opened file system. */
export interface Ext4Reader {
  /** The tree. Contents are slices of the image, read when needed. */
  tree(options?: TreeOptions): Tree;
  readonly volume: Volume;
}

/**
 * Opens an ext2, ext3 or ext4 file system for reading. A damaged one is rejected with a code as soon as the damage
 * is read; one whose journal has unreplayed changes is rejected too, since its tree would be stale.
 *
 * @example
 * ```ts
 * import { ext4Image, openExt4, pour, randomAccess, Tree } from 'osbuilder';
 *
 * await pour(ext4Image(new Tree()).open(), 'empty.ext4');
 * console.log(openExt4(randomAccess('empty.ext4'), { name: 'empty.ext4' }).tree().list('')); // prints: []
 * ```
 */
export function openExt4(access: RandomAccess, options: ReadOptions = {}): Ext4Reader {
  const volume = new Volume(access, options);
  return { volume, tree: (how = {}) => readTree(volume, how) };
}

function readTree(volume: Volume, how: TreeOptions): Tree {
  volume.beginPass();
  const inodes = new Map<number, Inode>();
  const root = readInode(volume, ROOT_INODE, '');
  if (root.kind !== 'directory') throw volume.corrupt('inode 2', `the root is a ${root.kind}`);
  inodes.set(ROOT_INODE, root);
  const queue: { directory: Directory; number: number; path: string }[] = [
    { directory: root, number: ROOT_INODE, path: '' },
  ];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const { name, number } of entriesOf(volume, volume.inode(next.number))) {
      const path = `${next.path}/${name}`;
      const at = display(path);
      if (next.directory.children.has(name)) throw volume.corrupt(at, 'the name is in its directory twice');
      if (number < volume.firstInode) throw volume.corrupt(at, `it is the reserved inode ${number}`);
      let inode = inodes.get(number);
      if (inode?.kind === 'directory') throw volume.corrupt(at, `directory ${number} has a second name`);
      if (inode === undefined) {
        if (how.encrypted !== undefined && volume.inode(number).record.flags & INODE_ENCRYPTED) {
          how.encrypted(at);
          continue;
        }
        inode = readInode(volume, number, at);
        inodes.set(number, inode);
        if (inode.kind === 'directory') queue.push({ directory: inode, number, path });
      }
      next.directory.children.set(name, inode);
    }
  }
  const lostFound = root.children.get(LOST_FOUND);
  if (!how.lostFound && lostFound?.kind === 'directory' && lostFound.children.size === 0)
    if (inodes.get(FIRST_INODE) === lostFound) root.children.delete(LOST_FOUND);
  return new Tree(root);
}

/** Reads one inode; directories come without their children. */
function readInode(volume: Volume, number: number, path: string): Inode {
  const raw = volume.inode(number);
  const { record } = raw;
  const at = path === '' ? `inode ${number}` : `${path} (inode ${number})`;
  const kind = kindOf(record.mode);
  if (kind === undefined || record.links === 0) throw volume.corrupt(at, 'it is not in use');
  if (record.flags & INODE_ENCRYPTED)
    throw new BuildError('EXT4_UNSUPPORTED', { path: volume.name, feature: `encrypt, which ${at} has` });
  if (record.flags & INODE_EA_INODE) throw volume.corrupt(at, 'it is the value of an extended attribute');
  const xattrs = readXattrs(volume, raw, at);
  const inline = xattrs.get('system.data');
  xattrs.delete('system.data');
  const extra = raw.extraSize >= 12 ? record.mtimeExtra : 0;
  const nanoseconds = extra >>> 2;
  if (nanoseconds > 999_999_999) throw volume.corrupt(at, `a time with ${nanoseconds} nanoseconds`);
  const meta: Meta = {
    mode: record.mode & 0o7777,
    uid: record.uid + record.uidHigh * 2 ** 16,
    gid: record.gid + record.gidHigh * 2 ** 16,
    mtime: record.mtime + (extra & 3) * 2 ** 32,
    ...(nanoseconds === 0 ? {} : { nanoseconds }),
    ...(xattrs.size === 0 ? {} : { xattrs }),
  };
  switch (kind) {
    case 'directory':
      return directory(meta);
    case 'file':
      return file(fileContent(volume, raw, inline, at), meta);
    case 'symlink':
      return symlink(readTarget(volume, raw, inline, at), meta);
    case 'char':
    case 'block': {
      const view = new DataView(record.block.buffer, record.block.byteOffset);
      const small = view.getUint32(0, true);
      const large = view.getUint32(4, true);
      return small !== 0
        ? device(kind, (small >>> 8) & 0xff, small & 0xff, meta)
        : device(kind, (large >>> 8) & 0xfff, (large & 0xff) | ((large >>> 12) & 0xfff00), meta);
    }
    default:
      return special(kind, meta);
  }
}

/** Reads up to `size` bytes of mapped data into memory; holes are zeros. */
function readMapped(volume: Volume, extents: readonly MappedExtent[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const { logical, physical, length } of extents) {
    const from = logical * volume.blockSize;
    if (from >= size) break;
    volume.access.readAt(
      physical * volume.blockSize,
      bytes.subarray(from, Math.min(size, from + length * volume.blockSize)),
    );
  }
  return bytes;
}

function inlineBytes(raw: RawInode, rest: Uint8Array | undefined): Uint8Array {
  const whole = new Uint8Array(60 + (rest?.length ?? 0));
  whole.set(raw.record.block);
  if (rest !== undefined) whole.set(rest, 60);
  return whole;
}

function readTarget(volume: Volume, raw: RawInode, inline: Uint8Array | undefined, at: string): string {
  if (raw.size === 0 || raw.size > 4096) throw volume.corrupt(at, `a symbolic link to ${raw.size} bytes`);
  let bytes: Uint8Array;
  if (raw.record.flags & INODE_INLINE_DATA) bytes = inlineBytes(raw, inline).subarray(0, raw.size);
  else if (isFast(volume, raw)) bytes = raw.record.block.subarray(0, raw.size);
  else bytes = readMapped(volume, volume.mapping(raw), raw.size);
  if (bytes.length < raw.size || bytes.includes(0))
    throw volume.corrupt(at, 'the target of the symbolic link is cut off');
  return latin1(bytes);
}

/** True when the target is in the inode itself: no blocks but that of the extended attributes. */
function isFast(volume: Volume, { record, size }: RawInode): boolean {
  if (record.flags & INODE_EXTENTS || size >= 60) return false;
  // a block of attributes takes a whole cluster
  const cluster = volume.features.has('bigalloc') ? 1024 * 2 ** volume.sb.logClusterSize : volume.blockSize;
  const sectors = record.fileAcl === 0 ? 0 : cluster / 512;
  return volume.features.has('ea_inode') || record.blocks <= sectors;
}

function fileContent(volume: Volume, raw: RawInode, inline: Uint8Array | undefined, at: string): FileContent {
  const { size } = raw;
  if (size > 2 ** 32 * volume.blockSize) throw volume.corrupt(at, `a file of ${size} bytes`);
  if (raw.record.flags & INODE_INLINE_DATA) {
    const bytes = inlineBytes(raw, inline);
    // a file that was made longer keeps what it had in its inode, and ends with a hole
    return new ImageFile(volume, [], size, copyOf(bytes.subarray(0, size)));
  }
  return new ImageFile(volume, volume.mapping(raw), size, undefined);
}

/** A regular file as slices of the image. */
class ImageFile implements FileContent {
  readonly size: number;
  readonly extents?: readonly Extent[];
  readonly place?: { readonly file: string; readonly offset: number };
  private readonly volume: Volume;
  private readonly mapped: readonly MappedExtent[];
  private readonly bytes: Uint8Array | undefined;

  constructor(volume: Volume, mapped: readonly MappedExtent[], size: number, bytes: Uint8Array | undefined) {
    this.volume = volume;
    this.size = size;
    this.bytes = bytes;
    const { blockSize } = volume;
    this.mapped = mapped.filter(({ logical }) => logical * blockSize < size);
    if (bytes !== undefined) {
      if (bytes.length < size) this.extents = [{ offset: 0, size: bytes.length }];
      return;
    }
    const runs: { offset: number; size: number }[] = [];
    for (const { logical, length } of this.mapped) {
      const offset = logical * blockSize;
      const end = Math.min(size, offset + length * blockSize);
      const last = runs[runs.length - 1];
      if (last !== undefined && last.offset + last.size === offset) last.size = end - last.offset;
      else runs.push({ offset, size: end - offset });
    }
    if (size > 0 && !(runs.length === 1 && runs[0]!.offset === 0 && runs[0]!.size === size)) this.extents = runs;
    const { place } = volume.access as { place?: { file: string; offset: number } };
    const first = this.mapped[0];
    if (place !== undefined && first !== undefined && this.inOnePiece())
      this.place = { file: place.file, offset: place.offset + first.physical * blockSize };
  }

  /** True when the file's blocks are contiguous and without holes. */
  private inOnePiece(): boolean {
    const [first] = this.mapped;
    const whole = this.extents === undefined;
    return whole && this.mapped.every((run) => run.physical - run.logical === first!.physical - first!.logical);
  }

  async *open(): Bytes {
    if (this.bytes !== undefined) {
      yield this.bytes;
      yield* zeroPieces(this.size - this.bytes.length);
      return;
    }
    const { blockSize, access } = this.volume;
    let at = 0;
    for (const { logical, physical, length } of this.mapped) {
      const start = logical * blockSize;
      yield* zeroPieces(start - at);
      const end = Math.min(this.size, start + length * blockSize);
      for (at = start; at < end; ) {
        const piece = new Uint8Array(Math.min(PIECE, end - at));
        access.readAt(physical * blockSize + at - start, piece);
        at += piece.length;
        yield piece;
      }
    }
    yield* zeroPieces(this.size - at);
  }

  readSync(): Uint8Array {
    if (this.bytes === undefined) return readMapped(this.volume, this.mapped, this.size);
    if (this.bytes.length === this.size) return this.bytes;
    const whole = new Uint8Array(this.size);
    whole.set(this.bytes);
    return whole;
  }
}

function readXattrs(volume: Volume, raw: RawInode, at: string): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>();
  const valueInode = (number: number, size: number): Uint8Array | undefined => {
    if (size > XATTR_VALUE_MAX) return undefined;
    const inode = volume.inode(number);
    if ((inode.record.flags & INODE_EA_INODE) === 0 || inode.size !== size) return undefined;
    volume.spend(Math.ceil(size / volume.blockSize), at);
    return readMapped(volume, volume.mapping(inode), size);
  };
  const check = (fault: string | undefined) => {
    if (fault !== undefined) throw volume.corrupt(at, fault);
  };
  const start = OLD_INODE_SIZE + raw.extraSize;
  if (raw.extraSize > 0 && start + 8 <= raw.bytes.length) {
    const area = raw.bytes.subarray(start);
    if (new DataView(area.buffer, area.byteOffset).getUint32(0, true) === XATTR_MAGIC)
      check(decodeXattrs(area, 4, 4, found, valueInode));
  }
  const block = raw.record.fileAcl + (volume.features.has('64bit') ? raw.record.fileAclHigh * 2 ** 32 : 0);
  if (block !== 0) {
    const bytes = volume.block(block, at);
    const header = XattrHeader.read(bytes);
    if (header.magic !== XATTR_MAGIC || header.blocks !== 1)
      throw volume.corrupt(at, `block ${block} does not hold extended attributes`);
    if (volume.checksums && volume.verify)
      volume.compare(xattrBlockSums(bytes, block, volume.seed), `extended attributes in block ${block}`);
    check(decodeXattrs(bytes, XattrHeader.size, 0, found, valueInode));
  }
  return found;
}

interface Found {
  readonly name: string;
  readonly number: number;
}

/** The entries of a directory, "." and ".." left out. A hashed one is read like any other: its index looks empty. */
function entriesOf(volume: Volume, raw: RawInode): Found[] {
  const found: Found[] = [];
  const at = `directory ${raw.number}`;
  if (raw.record.flags & INODE_INLINE_DATA) {
    const xattrs = readXattrs(volume, raw, at);
    // the parent's number comes first; what does not fit the inode's fields is a second run of records
    readRecords(volume, raw.record.block.subarray(4), found, at, false);
    const rest = xattrs.get('system.data');
    if (rest !== undefined && rest.length > 0) readRecords(volume, rest, found, at, false);
    return found;
  }
  const { blockSize } = volume;
  const end = Math.ceil(raw.size / blockSize);
  const indexed = (raw.record.flags & INODE_INDEX) !== 0;
  let expected = 0;
  for (const { logical, physical, length } of volume.mapping(raw)) {
    if (logical >= end) break;
    if (logical !== expected) throw volume.corrupt(at, `block ${expected} of it is a hole`);
    for (let i = 0; i < length && logical + i < end; i++) {
      volume.spend(1, at);
      const block = volume.block(physical + i, at);
      if (volume.checksums && volume.verify) {
        const sums = directoryBlockSums(block, raw.seed, indexed, logical + i === 0);
        if (sums === undefined) throw volume.corrupt(at, `block ${logical + i} has no place for its checksum`);
        volume.compare(sums, `${at}, block ${logical + i}`);
      }
      readRecords(volume, block, found, at, logical + i === 0);
    }
    expected = logical + length;
  }
  if (expected < end) throw volume.corrupt(at, `block ${expected} of it is a hole`);
  return found;
}

/** `dots`: the block begins with "." and ".."; anywhere else these names would hide what they lead to. */
function readRecords(volume: Volume, block: Uint8Array, found: Found[], at: string, dots: boolean): void {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const types = volume.features.has('filetype');
  let count = 0;
  for (let record = 0; record < block.length; count++) {
    if (record + 8 > block.length) throw volume.corrupt(at, 'an entry is cut off');
    const number = view.getUint32(record, true);
    const stored = view.getUint16(record + 4, true);
    // 65536 does not fit the field
    const length = block.length >= 65536 && (stored === 65535 || stored === 0) ? block.length - record : stored;
    const nameLength = types ? view.getUint8(record + 6) : view.getUint16(record + 6, true);
    if (length < 8 || (length & 3) !== 0 || record + length > block.length)
      throw volume.corrupt(at, `an entry of ${length} bytes at ${record}`);
    if (number !== 0) {
      if (nameLength === 0 || nameLength > 255 || nameLength + 8 > length)
        throw volume.corrupt(at, `a name of ${nameLength} bytes in an entry of ${length}`);
      const name = latin1(block.subarray(record + 8, record + 8 + nameLength));
      if (name.includes('/') || name.includes('\0')) throw volume.corrupt(at, `the name "${display(name)}"`);
      if (number > volume.sb.inodes)
        throw volume.corrupt(at, `"${display(name)}" is inode ${number} of ${volume.sb.inodes}`);
      const dot = name === '.' || name === '..';
      if (dot && !(dots && count === name.length - 1))
        throw volume.corrupt(at, `an entry "${name}" that is not its own`);
      if (!dot) found.push({ name, number });
    }
    record += length;
  }
}
