import type { RandomAccess } from '../../bytes/file.ts';
import { isBuildError } from '../../errors/error.ts';
import type { Inode } from '../../tree/inode.ts';
import { BlockMap } from './block-map.ts';
import { checkAttributes } from './check-attributes.ts';
import { checkHashes } from './check-directory.ts';
import { forkExtents } from './forks.ts';
import { InodeMap } from './inode-map.ts';
import {
  BTREE,
  CHUNK,
  FORMAT,
  FREE_LIST_MAGIC,
  FREE_MAGIC,
  FreeHeader,
  FreeList,
  INODE_HEADER_MAGIC,
  InodeHeader,
  NULL32,
  ShortBlock,
  SUPERBLOCK_MAGIC,
  Superblock,
} from './layout.ts';
import { openXfs, readTree } from './read.ts';
import type { RawInode, ReadOptions, Volume } from './volume.ts';

/** A problem that was found. */
export interface Fault {
  readonly at: string;
  readonly reason: string;
}

/** What a check found. */
export interface Checked {
  readonly checked: Readonly<Record<string, number>>;
  readonly faults: readonly Fault[];
  readonly unchecked: readonly string[];
}

/** Faults that are listed; more of them say nothing new. */
const FAULTS_MAX = 100;

/**
 * Checks everything that can be known of a file system: checksums and places of all structures, free space and inodes of
 * each group, that each block has one owner, directories with their hashes, links and counters.
 */
export function checkXfs(access: RandomAccess, options: ReadOptions = {}): Checked {
  const check = new Check();
  try {
    const { volume } = openXfs(access, options);
    check.run(volume);
  } catch (error) {
    check.note(error);
  }
  return check.result();
}

class Check {
  private readonly faults: Fault[] = [];
  private readonly unchecked: string[] = [];
  private readonly counts = { groups: 0, blocks: 0, inodes: 0, directories: 0 };
  private readonly chunks = new InodeMap();

  result(): Checked {
    return { checked: this.counts, faults: this.faults, unchecked: this.unchecked };
  }

  fault(at: string, reason: string): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push({ at, reason });
  }

  /** Takes what a reader threw; anything but damage goes on. */
  note(error: unknown): void {
    if (isBuildError(error, 'XFS_CORRUPT')) this.fault(error.context.at, error.context.reason);
    else if (isBuildError(error, 'XFS_LOG')) this.fault('log', error.context.reason);
    else if (isBuildError(error, 'CONTENT_SHORT')) this.fault('the image', 'it is cut off');
    else throw error;
  }

  private attempt(what: () => void): void {
    try {
      what();
    } catch (error) {
      this.note(error);
    }
  }

  run(volume: Volume): void {
    const { sb } = volume;
    volume.beginPass();
    const map = new BlockMap(volume);
    const totals = { inodes: 0, freeInodes: 0, freeBlocks: 0 };
    for (let group = 0; group < sb.groups; group++)
      this.attempt(() => {
        this.group(volume, map, group, totals);
        this.counts.groups++;
      });
    this.tree(volume, map);
    const compare = (what: string, stored: number, found: number) => {
      if (stored !== found) this.fault('superblock', `it counts ${stored} ${what}, ${found} are there`);
    };
    if (this.faults.length > 0) return;
    compare('inodes', sb.inodes, totals.inodes);
    compare('free inodes', sb.freeInodes, totals.freeInodes);
    compare('free blocks', sb.freeBlocks, totals.freeBlocks);
    if (volume.features.has('rmapbt')) this.unchecked.push('reverse mappings: only their blocks are read');
    if (volume.features.has('reflink')) this.unchecked.push('shared blocks: their counters are not compared');
    const lost = map.unowned();
    if (lost !== undefined) this.fault(`block ${lost}`, 'nothing owns it, and it is not free');
  }

  private group(
    volume: Volume,
    map: BlockMap,
    group: number,
    totals: { inodes: number; freeInodes: number; freeBlocks: number },
  ): void {
    const { sb } = volume;
    const { sectorSize, groupBlocks } = sb;
    const name = `group ${group}`;
    const start = group * groupBlocks * volume.blockSize;
    const blocks = group === sb.groups - 1 ? sb.blocks - group * groupBlocks : groupBlocks;
    const sector = (index: number) => volume.bytes(start + index * sectorSize, sectorSize, name);
    const copy = sector(0);
    volume.checkSum(copy, Superblock.offset.checksum, `${name}: superblock`);
    const second = Superblock.read(copy);
    const same = second.blocks === sb.blocks && second.groups === sb.groups && second.groupBlocks === groupBlocks;
    if (second.magic !== SUPERBLOCK_MAGIC || !same) this.fault(`${name}: superblock`, 'it differs from the first one');
    const agf = sector(1);
    const free = FreeHeader.read(agf);
    const agi = sector(2);
    const inodes = InodeHeader.read(agi);
    const list = sector(3);
    for (const [bytes, field, magic, header, what] of [
      [agf, FreeHeader.offset.checksum, FREE_MAGIC, free, 'AGF'],
      [agi, InodeHeader.offset.checksum, INODE_HEADER_MAGIC, inodes, 'AGI'],
    ] as const) {
      volume.checkSum(bytes, field, `${name}: ${what}`);
      if (header.magic !== magic || header.group !== group || header.blocks !== blocks)
        throw volume.corrupt(`${name}: ${what}`, `it is of group ${header.group} with ${header.blocks} blocks`);
    }
    const listHeader = FreeList.read(list);
    volume.checkSum(list, FreeList.offset.checksum, `${name}: AGFL`);
    if (listHeader.magic !== FREE_LIST_MAGIC || listHeader.group !== group)
      throw volume.corrupt(`${name}: AGFL`, `it is of group ${listHeader.group}`);
    const base = group * groupBlocks;
    const own = (block: number, count: number, what: string) => {
      if (block + count > blocks) throw volume.corrupt(name, `${what} at block ${block} is beyond its end`);
      map.take(base + block, count, `${name}: ${what}`);
    };
    own(0, Math.ceil((4 * sectorSize) / volume.blockSize), 'headers');
    if (Math.floor(sb.logStart / 2 ** sb.groupBits) === group)
      own(sb.logStart % 2 ** sb.groupBits, sb.logBlocks, 'log');
    const slots = Math.floor((sectorSize - FreeList.size) / 4);
    const view = new DataView(list.buffer);
    if (free.listCount > slots || free.listFirst >= slots)
      throw volume.corrupt(`${name}: AGF`, 'its free list is too long');
    for (let i = 0; i < free.listCount; i++)
      own(view.getUint32(FreeList.size + 4 * ((free.listFirst + i) % slots)), 1, 'free list');
    const tree = (kind: Omit<Walk, 'group' | 'own'>) => walk(volume, { ...kind, group, own });
    const freeBlocks = this.freeSpace(volume, tree, name, free, own);
    const counted = this.inodes(volume, map, tree, group, inodes);
    totals.freeBlocks += freeBlocks + free.listCount + free.btreeBlocks;
    totals.inodes += counted.all;
    totals.freeInodes += counted.free;
    for (const [magic, root, levels, recordSize, what] of [
      [BTREE.rmap, free.rmapRoot, free.rmapLevels, 24, 'reverse mappings'],
      [BTREE.refcount, free.refcountRoot, free.refcountLevels, 12, 'counters of shared blocks'],
    ] as const)
      if (levels > 0) {
        const keySize = magic === BTREE.rmap ? 40 : 4;
        this.counts.blocks += tree({ magic, root, levels, recordSize, keySize, what, each() {} });
      }
  }

  private freeSpace(
    volume: Volume,
    tree: (kind: Omit<Walk, 'group' | 'own'>) => number,
    name: string,
    free: ReturnType<typeof FreeHeader.read>,
    own: (block: number, count: number, what: string) => void,
  ): number {
    const sums = { byBlock: 0, bySize: 0, longest: 0, runs: 0 };
    let end = 0;
    let last = { length: 0, block: -1 };
    const kind = { recordSize: 8, keySize: 8 };
    const byBlock = {
      ...kind,
      magic: BTREE.byBlock,
      root: free.byBlockRoot,
      levels: free.byBlockLevels,
      what: 'free space by block',
      each(view: DataView, at: number) {
        const block = view.getUint32(at);
        const length = view.getUint32(at + 4);
        if (block < end || length === 0) throw volume.corrupt(name, `a free run at block ${block} out of order`);
        own(block, length, 'free space');
        end = block + length;
        sums.byBlock += length;
        sums.runs++;
        sums.longest = Math.max(sums.longest, length);
      },
    };
    const bySize = {
      ...kind,
      magic: BTREE.bySize,
      root: free.bySizeRoot,
      levels: free.bySizeLevels,
      what: 'free space by size',
      each(view: DataView, at: number) {
        const block = view.getUint32(at);
        const length = view.getUint32(at + 4);
        if (length < last.length || (length === last.length && block <= last.block))
          throw volume.corrupt(name, `a free run of ${length} blocks out of order`);
        last = { length, block };
        sums.bySize += length;
        sums.runs--;
      },
    };
    this.counts.blocks += tree(byBlock) + tree(bySize);
    if (sums.runs !== 0 || sums.byBlock !== sums.bySize) this.fault(name, 'its two trees of free space differ');
    if (sums.byBlock !== free.freeBlocks || sums.longest !== free.longest)
      this.fault(
        `${name}: AGF`,
        `${free.freeBlocks} free blocks, ${free.longest} in a row; there are ${sums.byBlock}, ${sums.longest} in a row`,
      );
    return sums.byBlock;
  }

  private inodes(
    volume: Volume,
    map: BlockMap,
    tree: (kind: Omit<Walk, 'group' | 'own'>) => number,
    group: number,
    header: ReturnType<typeof InodeHeader.read>,
  ): { all: number; free: number } {
    const { sb } = volume;
    const name = `group ${group}`;
    const sparse = volume.features.has('sparse');
    const perBlock = sb.inodesPerBlock;
    const inGroup = 2 ** (sb.groupBits + sb.inodesPerBlockBits);
    const found = { all: 0, free: 0, listed: 0 };
    const record = (view: DataView, at: number) => {
      const first = view.getUint32(at);
      const holes = sparse ? view.getUint16(at + 4) : 0;
      const free = sparse ? view.getUint8(at + 7) : view.getUint32(at + 4);
      return { first, holes, free, mask: view.getBigUint64(at + 8) };
    };
    let end = 0;
    const kind = { recordSize: 16, keySize: 4 };
    const all = {
      ...kind,
      magic: BTREE.inodes,
      root: header.root,
      levels: header.levels,
      what: 'inodes',
      each: (view: DataView, at: number) => {
        const { first, holes, free, mask } = record(view, at);
        if (first < end || first % CHUNK >= CHUNK || free > CHUNK)
          throw volume.corrupt(name, `a chunk at inode ${first} out of order`);
        end = first + CHUNK;
        // a bit of the holes stands for four inodes
        const step = Math.max(4, perBlock);
        for (let i = 0; i < CHUNK; i += step) {
          if ((holes >> (i / 4)) & 1) continue;
          if (i % perBlock === 0)
            map.take(group * sb.groupBlocks + (first + i) / perBlock, Math.max(1, step / perBlock), `${name}: inodes`);
          found.all += step;
        }
        found.free += free;
        this.chunks.add(group * inGroup + first, mask);
      },
    };
    this.counts.blocks += tree(all);
    if (header.freeLevels > 0) {
      const listed = {
        ...kind,
        magic: BTREE.freeInodes,
        root: header.freeRoot,
        levels: header.freeLevels,
        what: 'free inodes',
        each: (view: DataView, at: number) => {
          const { first, free, mask } = record(view, at);
          if (this.chunks.maskAt(group * inGroup + first) !== mask)
            this.fault(name, `the chunk at inode ${first} differs in the tree of free inodes`);
          found.listed += free;
        },
      };
      this.counts.blocks += tree(listed);
      if (found.listed !== found.free)
        this.fault(name, `${found.free} inodes are free, ${found.listed} are in the tree of free ones`);
    }
    if (header.inodes !== found.all || header.freeInodes !== found.free)
      this.fault(
        `${name}: AGI`,
        `it counts ${header.inodes} inodes, ${header.freeInodes} free; there are ${found.all} and ${found.free}`,
      );
    return found;
  }

  /** Every inode that has a name: its blocks, directories, and that it is allocated. */
  private tree(volume: Volume, map: BlockMap): void {
    const links = new Map<number, { stored: number; at: string; inode: Inode }>();
    const shared = volume.features.has('reflink');
    const visit = (raw: RawInode, inode: Inode, at: string) => {
      this.counts.inodes++;
      this.inodeBlocks(volume, map, raw, at, shared);
      links.set(raw.number, { stored: raw.links, at, inode });
      if (!this.chunks.take(raw.number)) this.fault(at, `inode ${raw.number} is not allocated`);
      this.attempt(() => checkAttributes(volume, raw, `${at} (inode ${raw.number})`));
      if (inode.kind === 'directory') {
        this.counts.directories++;
        this.attempt(() => checkHashes(volume, raw, `${at} (inode ${raw.number})`));
      }
    };
    const { sb } = volume;
    this.attempt(() => {
      const tree = readTree(volume, visit);
      // names of each inode, and for a directory those that its children have for it
      const names = new Map<Inode, number>([[tree.root, 1]]);
      for (const { inode } of tree.walk())
        if (inode.kind === 'directory')
          for (const child of inode.children.values()) {
            names.set(child, (names.get(child) ?? 0) + 1);
            if (child.kind === 'directory') names.set(inode, (names.get(inode) ?? 0) + 1);
          }
      for (const { stored, at, inode } of links.values()) {
        const found = (names.get(inode) ?? 0) + (inode.kind === 'directory' ? 1 : 0);
        if (stored !== found) this.fault(at, `it counts ${stored} links, ${found} are there`);
      }
      for (const number of [sb.bitmapInode, sb.summaryInode, sb.userQuota, sb.groupQuota, sb.projectQuota])
        if (Number.isSafeInteger(number) && number !== 0)
          this.attempt(() => {
            const raw = volume.inode(number, `inode ${number}`);
            this.inodeBlocks(volume, map, raw, `inode ${number}`, shared);
            this.chunks.take(number);
          });
      for (const number of this.chunks.unnamed()) this.fault(`inode ${number}`, 'it is allocated, but has no name');
    });
  }

  private inodeBlocks(volume: Volume, map: BlockMap, raw: RawInode, at: string, shared: boolean): void {
    const { blockSize } = volume;
    let blocks = 0;
    const tree = (address: number) => {
      blocks++;
      map.take(address / blockSize, 1, at);
    };
    for (const [fork, format] of [
      ['data', raw.format],
      ['attributes', raw.attributeRoom === 0 ? FORMAT.local : raw.attrFormat],
    ] as const) {
      if (format !== FORMAT.extents && format !== FORMAT.btree) continue;
      for (const { address, length } of forkExtents(volume, raw, fork, at, tree)) {
        blocks += length;
        map.take(address / blockSize, length, at, shared && fork === 'data');
      }
    }
    if (raw.blocks !== blocks) this.fault(at, `it counts ${raw.blocks} blocks, ${blocks} are there`);
  }
}

/** A btree of a group that is walked. */
interface Walk {
  readonly group: number;
  readonly magic: number;
  readonly root: number;
  readonly levels: number;
  readonly recordSize: number;
  readonly keySize: number;
  readonly what: string;
  own(block: number, count: number, what: string): void;
  each(view: DataView, at: number): void;
}

/** Calls `each` for every record of a btree, in order. Returns its number of blocks. */
function walk(volume: Volume, tree: Walk): number {
  const { blockSize, sb } = volume;
  const at = `group ${tree.group}: ${tree.what}`;
  if (tree.levels === 0 || tree.levels > 9) throw volume.corrupt(at, `a btree of ${tree.levels} levels`);
  let blocks = 0;
  const descend = (block: number, level: number) => {
    // a block has one place in one tree, so this also ends loops
    tree.own(block, 1, tree.what);
    blocks++;
    const address = (tree.group * sb.groupBlocks + block) * blockSize;
    const bytes = volume.bytes(address, blockSize, at);
    const header = ShortBlock.read(bytes);
    if (header.magic !== tree.magic) throw volume.corrupt(at, `there is no block of it at ${address}`);
    const { checksum, uuid, address: place } = ShortBlock.offset;
    volume.checkBlock(bytes, { checksum, uuid, address: place }, { address, owner: 0, at });
    const room = blockSize - ShortBlock.size;
    const capacity = Math.floor(room / (level === 0 ? tree.recordSize : tree.keySize + 4));
    if (header.owner !== tree.group || header.level !== level || header.count > capacity)
      throw volume.corrupt(at, `a block on level ${header.level} with ${header.count} records`);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < header.count; i++) {
      if (level === 0) tree.each(view, ShortBlock.size + i * tree.recordSize);
      else {
        const child = view.getUint32(ShortBlock.size + capacity * tree.keySize + 4 * i);
        if (child === NULL32) throw volume.corrupt(at, 'a pointer to nothing');
        descend(child, level - 1);
      }
    }
  };
  descend(tree.root, tree.levels - 1);
  return blocks;
}
