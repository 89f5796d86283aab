import { type Inode, TYPE_BITS } from '../../tree/inode.ts';
import { writeLocal } from './attributes.ts';
import { extentTreeBlocks, type LongTree, longTreeBlocks, setPointer, writeExtent, writeRoot } from './btree.ts';
import { seal } from './checksums.ts';
import { type Entry, writeShort } from './directory.ts';
import { extentsOf, physical, storedBlock } from './geometry.ts';
import {
  BTREE,
  FILE_TYPE,
  FLAG,
  FLAG2,
  FORMAT,
  INODE_MAGIC,
  Inode as InodeTable,
  NULL32,
  RESERVED_INODES,
} from './layout.ts';
import { clampedTime, type Node } from './node.ts';
import { dataExtents, dataFormat, inodeNumber } from './place.ts';
import type { Plan } from './plan.ts';

const at = InodeTable.offset;

/** Writes the inodes of a plan. */
export class InodeWriter {
  private readonly plan: Plan;
  private readonly numbers: Float64Array;
  private readonly bigtime: boolean;
  private readonly nrext64: boolean;
  private time = { mtime: Number.NaN, nanoseconds: 0, high: 0, low: 0 };

  constructor(plan: Plan) {
    this.plan = plan;
    const { layout, geometry, census, settings } = plan;
    this.numbers = new Float64Array(census.inodes);
    for (let i = 0; i < census.inodes; i++) this.numbers[i] = inodeNumber(layout.zones, geometry, i);
    this.bigtime = settings.chosen.has('bigtime');
    this.nrext64 = settings.chosen.has('nrext64');
  }

  /** The inode's number. */
  number(node: { readonly index: number }): number {
    return this.numbers[node.index]!;
  }

  /** The entries of a directory, without `.` and `..`. */
  entries(node: Node): Entry[] {
    const { inode } = node;
    if (inode.kind !== 'directory') throw new TypeError(`a ${inode.kind} has no entries`);
    return node.names.map((name) => {
      const child = inode.children.get(name)!;
      return { name, number: this.number(this.plan.census.numbers.get(child)!), type: FILE_TYPE[child.kind] };
    });
  }

  /** The number of the directory above; the root is above itself. */
  parent(node: Node): number {
    return this.number(node.parent ?? node);
  }

  /** The blocks of the extent btree of node `i`. */
  treeBlocks(i: number): Uint8Array[] {
    return longTreeBlocks(this.tree(i), this.plan.nodes[i]!.dataRoom, BTREE.extents);
  }

  private tree(i: number): LongTree {
    const { nodes, layout, geometry, uuid } = this.plan;
    const { segments, dataAt, treeBlocks } = layout;
    const node = nodes[i]!;
    const first = dataAt[i]! + node.blocks;
    return {
      extents: dataExtents(node, dataAt[i]!, segments),
      owner: this.number(node),
      uuid,
      blocks: Array.from({ length: treeBlocks[i]! }, (_, k) => physical(segments, first + k)),
      stored: (block) => storedBlock(geometry, block),
    };
  }

  /** Writes the inode with that place among all into `into`, which is zero. */
  write(into: Uint8Array, index: number, number: number): void {
    const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
    view.setUint16(at.magic, INODE_MAGIC);
    view.setUint8(at.version, 3);
    view.setUint32(at.nextUnlinked, NULL32);
    setPointer(view, at.number, number);
    into.set(this.plan.uuid, at.uuid);
    if (index < this.plan.census.inodes) {
      if (index > 0 && index < RESERVED_INODES) this.realtime(view, index);
      else this.node(into, view, index === 0 ? 0 : index - RESERVED_INODES + 1);
    }
    seal(into, at.checksum);
  }

  /** An inode of the real-time section, which must exist, but is empty. */
  private realtime(view: DataView, index: number): void {
    const { mtime } = this.plan.nodes[0]!.inode;
    view.setUint16(at.mode, TYPE_BITS.file);
    view.setUint8(at.format, FORMAT.extents);
    view.setUint8(at.attrFormat, FORMAT.extents);
    view.setUint32(at.links, 1);
    // the layout of the bitmap is a newer one
    if (index === 1) view.setUint16(at.flags, FLAG.newBitmap);
    this.setTimes(view, mtime, 0);
    this.setFlags2(view);
  }

  private node(into: Uint8Array, view: DataView, i: number): void {
    const { layout } = this.plan;
    const node = this.plan.nodes[i]!;
    const { inode, attributes } = node;
    const treeBlocks = layout.treeBlocks[i]!;
    const format = dataFormat(node, treeBlocks);
    view.setUint16(at.mode, TYPE_BITS[inode.kind] | inode.mode);
    view.setUint8(at.format, format);
    view.setUint32(at.uid, inode.uid);
    view.setUint32(at.gid, inode.gid);
    view.setUint32(at.links, node.links);
    this.setTimes(view, inode.mtime, inode.nanoseconds ?? 0);
    setPointer(view, at.size, node.size);
    setPointer(view, at.blocks, node.blocks + treeBlocks + (attributes?.blocks ?? 0));
    this.setFlags2(view);
    const extents = this.data(into, view, i, format);
    view.setUint8(at.attrFormat, FORMAT.extents);
    let attributeExtents = 0;
    if (attributes !== undefined) {
      view.setUint8(at.forkOffset, node.dataRoom / 8);
      const fork = InodeTable.size + node.dataRoom;
      if (attributes.local !== undefined) {
        view.setUint8(at.attrFormat, FORMAT.local);
        writeLocal(into.subarray(fork), attributes);
      } else {
        const all = extentsOf(layout.segments, layout.attributesAt[i]!, [[0, attributes.blocks]]);
        for (const [k, extent] of all.entries())
          writeExtent(view, fork + 16 * k, extent, storedBlock(this.plan.geometry, extent.block));
        attributeExtents = all.length;
      }
    }
    if (this.nrext64) {
      setPointer(view, at.extents64, extents);
      view.setUint32(at.extents, attributeExtents);
    } else {
      view.setUint32(at.extents, extents);
      view.setUint16(at.attrExtents, attributeExtents);
    }
  }

  /** Writes the data fork. Returns the number of extents. */
  private data(into: Uint8Array, view: DataView, i: number, format: number): number {
    const { layout, geometry } = this.plan;
    const node = this.plan.nodes[i]!;
    const fork = InodeTable.size;
    switch (format) {
      case FORMAT.device:
        view.setUint32(fork, deviceNumber(node.inode));
        return 0;
      case FORMAT.local: {
        const { inode } = node;
        if (inode.kind === 'symlink') for (let k = 0; k < node.size; k++) into[fork + k] = inode.target.charCodeAt(k);
        else writeShort(into.subarray(fork), this.parent(node), this.entries(node));
        return 0;
      }
      case FORMAT.extents: {
        const extents = dataExtents(node, layout.dataAt[i]!, layout.segments);
        for (const [k, extent] of extents.entries())
          writeExtent(view, fork + 16 * k, extent, storedBlock(geometry, extent.block));
        return extents.length;
      }
      default: {
        const tree = this.tree(i);
        if (extentTreeBlocks(tree.extents.length, node.dataRoom) !== tree.blocks.length)
          throw new RangeError('the extent btree is not as planned');
        writeRoot(view, fork, node.dataRoom, tree);
        return tree.extents.length;
      }
    }
  }

  private setFlags2(view: DataView): void {
    view.setUint32(at.flags2 + 4, (this.bigtime ? FLAG2.bigtime : 0) | (this.nrext64 ? FLAG2.nrext64 : 0));
  }

  /** All times are that of modification: the only one that a tree has. */
  private setTimes(view: DataView, mtime: number, nanoseconds: number): void {
    if (mtime !== this.time.mtime || nanoseconds !== this.time.nanoseconds)
      this.time = { mtime, nanoseconds, ...this.encodeTime(clampedTime(mtime, this.plan.settings), nanoseconds) };
    const { high, low } = this.time;
    for (const offset of [at.atime, at.mtime, at.ctime, at.crtime]) {
      view.setUint32(offset, high);
      view.setUint32(offset + 4, low);
    }
  }

  private encodeTime(seconds: number, nanoseconds: number): { high: number; low: number } {
    if (!this.bigtime) return { high: seconds >>> 0, low: nanoseconds };
    // nanoseconds since 1901-12-13, the earliest time of the older form
    const since = BigInt(seconds + 2 ** 31) * 1_000_000_000n + BigInt(nanoseconds);
    return { high: Number(since >> 32n), low: Number(since & 0xffff_ffffn) };
  }
}

/** A device as XFS stores it: 14 bits of the major number, 18 of the minor one. */
function deviceNumber(inode: Inode): number {
  return inode.kind === 'char' || inode.kind === 'block' ? inode.major * 2 ** 18 + inode.minor : 0;
}
