import { walkBlockMap } from '../block-map.ts';
import { EXTENT_MAGIC, EXTENT_MAX, ExtentHeader, ExtentIndex, ExtentLeaf, INODE_EXTENTS } from '../layout.ts';
import type { RawInode, Volume } from '../volume.ts';

/** What a walk over an inode's map meets. */
export interface MapVisitor {
  /** Data: blocks that the file system has. */
  data(logical: number, physical: number, length: number, unwritten: boolean): void;
  /** A block of the map itself. Its content is visited when the answer is true. */
  node(block: number): boolean;
  fault(reason: string): void;
  /** A checksum of an extent block. */
  sum?(block: number, bytes: Uint8Array): void;
}

/** Walks the blocks of an inode, going on after damage. Blocks out of range are reported and left out. */
export function walkMap(volume: Volume, inode: RawInode, visitor: MapVisitor): void {
  if (inode.record.flags & INODE_EXTENTS) new ExtentWalk(volume, inode, visitor).run();
  else walkNumbers(volume, inode, visitor);
}

class ExtentWalk {
  private readonly volume: Volume;
  private readonly inode: RawInode;
  private readonly visitor: MapVisitor;
  /** First block of the file behind the last extent. */
  private next = 0;

  constructor(volume: Volume, inode: RawInode, visitor: MapVisitor) {
    this.volume = volume;
    this.inode = inode;
    this.visitor = visitor;
  }

  run(): void {
    this.walk(this.inode.record.block, undefined, undefined, 'the root of the extent tree');
  }

  /** Walks one node, whose first entry begins at block `from` of the file according to the node above it. */
  private walk(bytes: Uint8Array, depth: number | undefined, from: number | undefined, at: string): void {
    const { visitor } = this;
    const header = ExtentHeader.read(bytes);
    if (header.magic !== EXTENT_MAGIC) return visitor.fault(`${at} is not an extent tree`);
    if (header.depth > 5 || (depth !== undefined && header.depth !== depth))
      return visitor.fault(`${at} has depth ${header.depth}${depth === undefined ? '' : ` in place of ${depth}`}`);
    const room = Math.floor(bytes.length / ExtentHeader.size) - 1;
    // a block has room for its checksum behind the entries
    if (header.entries > header.max || header.max > room || header.max < room - 2)
      return visitor.fault(`${at} has ${header.entries} entries of ${header.max} in a place for ${room}`);
    if (header.entries === 0 && depth !== undefined) return visitor.fault(`${at} is empty`);
    for (let i = 0; i < header.entries; i++) {
      const where = ExtentHeader.size * (1 + i);
      if (header.depth === 0) this.leaf(bytes, where, i === 0 ? from : undefined, at);
      else this.index(bytes, where, header.depth, i === 0 ? from : undefined, at);
    }
  }

  private start(block: number, from: number | undefined, at: string): void {
    if (from !== undefined && block !== from)
      this.visitor.fault(`${at} begins with block ${block} of the file, the node above it says ${from}`);
  }

  private leaf(bytes: Uint8Array, where: number, from: number | undefined, at: string): void {
    const { volume, visitor } = this;
    const leaf = ExtentLeaf.read(bytes, where);
    this.start(leaf.block, from, at);
    const unwritten = leaf.length > EXTENT_MAX;
    const length = unwritten ? leaf.length - EXTENT_MAX : leaf.length;
    const physical = leaf.start + leaf.startHigh * 2 ** 32;
    if (length === 0) return visitor.fault(`${at} has an extent without length`);
    if (leaf.block < this.next) return visitor.fault(`${at} has block ${leaf.block} of the file out of order or twice`);
    if (leaf.block + length > 2 ** 32) return visitor.fault(`${at} has an extent that ends at ${leaf.block + length}`);
    this.next = leaf.block + length;
    if (physical < volume.sb.firstDataBlock || physical + length > volume.blocks || physical === 0)
      return visitor.fault(`${at} names blocks ${physical}+${length} of ${volume.blocks}`);
    visitor.data(leaf.block, physical, length, unwritten);
  }

  private index(bytes: Uint8Array, where: number, depth: number, from: number | undefined, at: string): void {
    const { volume, visitor } = this;
    const index = ExtentIndex.read(bytes, where);
    this.start(index.block, from, at);
    const block = index.leaf + index.leafHigh * 2 ** 32;
    if (index.block < this.next) visitor.fault(`${at} has block ${index.block} of the file out of order or twice`);
    if (block < volume.sb.firstDataBlock || block >= volume.blocks || block === 0)
      return visitor.fault(`${at} names block ${block} of ${volume.blocks}`);
    if (!visitor.node(block)) return;
    const below = volume.block(block, at);
    visitor.sum?.(block, below);
    this.walk(below, depth - 1, index.block, `extent block ${block}`);
  }
}

/** The older map, see {@link walkBlockMap}. */
function walkNumbers(volume: Volume, inode: RawInode, visitor: MapVisitor): void {
  const wrong = (block: number): boolean => {
    if (block >= volume.sb.firstDataBlock && block < volume.blocks) return false;
    visitor.fault(`it names block ${block} of ${volume.blocks}`);
    return true;
  };
  walkBlockMap(inode.record.block, volume.blockSize, {
    data(logical, block) {
      if (!wrong(block)) visitor.data(logical, block, 1, false);
    },
    numbers: (block) =>
      wrong(block) || !visitor.node(block) ? undefined : volume.block(block, `inode ${inode.number}`),
  });
}
