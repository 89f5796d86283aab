import { INODE_TREE, RMAP_TREE, type ShortTree, shortTreeBlocks, type TreeKind } from './btree.ts';
import { seal } from './checksums.ts';
import { blocksOf, firstFree, incompatWord, storedBlock } from './geometry.ts';
import {
  BLOCK,
  BTREE,
  CHUNK,
  FEATURES2,
  FREE_LIST_MAGIC,
  FREE_MAGIC,
  FreeHeader,
  FreeList,
  INODE_HEADER_MAGIC,
  InodeHeader,
  NULL32,
  RO_COMPAT,
  SUPERBLOCK_MAGIC,
  Superblock,
  VERSION,
} from './layout.ts';
import { type Group, inodeNumber, type Mapping } from './place.ts';
import type { Plan } from './plan.ts';

/** Counters of inodes. */
interface Inodes {
  readonly all: number;
  readonly free: number;
}

/** Inodes of a group; those behind the last of the tree are free. */
function inodesOf(plan: Plan, { zone }: Group): Inodes {
  if (zone === undefined) return { all: 0, free: 0 };
  const all = zone.chunks * CHUNK;
  return { all, free: Math.max(0, (zone.first + zone.chunks) * CHUNK - plan.census.inodes) };
}

function freeOf({ free }: Group): number {
  return free.reduce((sum, { length }) => sum + length, 0);
}

/** Blocks of the free-space btrees beyond their roots. */
function extraBlocks(group: Group): number {
  return group.trees.rmap.length;
}

/** The superblock: a copy is at the start of each group. */
export function superblock(plan: Plan): Uint8Array {
  const { settings, geometry, layout, uuid } = plan;
  const { chosen, sectorSize, inodeSize } = settings;
  const { blocks, groups, groupBlocks, groupBits, fixed } = geometry;
  const large = sectorSize > 512;
  const counts = layout.groups.map((group) => inodesOf(plan, group));
  const free = layout.groups.reduce((sum, group) => sum + freeOf(group) + fixed.list + extraBlocks(group), 0);
  const attributes = plan.nodes.some((node) => node.attributes !== undefined);
  let version = 5 | VERSION.nlink | VERSION.align | VERSION.logV2 | VERSION.extent | VERSION.dirV2 | VERSION.more;
  if (attributes) version |= VERSION.attr;
  if (large) version |= VERSION.sector;
  let roCompat = 0;
  for (const name of ['finobt', 'rmapbt', 'reflink', 'inobtcount'] as const)
    if (chosen.has(name)) roCompat |= RO_COMPAT[name];
  const root = inodeNumber(layout.zones, geometry, 0);
  const bytes = new Uint8Array(sectorSize);
  Superblock.write(bytes, 0, {
    magic: SUPERBLOCK_MAGIC,
    blockSize: BLOCK,
    blocks,
    uuid,
    logStart: storedBlock(geometry, geometry.logGroup * groupBlocks + fixed.end),
    root,
    bitmapInode: root + 1,
    summaryInode: root + 2,
    realtimeExtentSize: 1,
    groupBlocks,
    groups,
    logBlocks: geometry.logBlocks,
    version,
    sectorSize,
    inodeSize,
    inodesPerBlock: BLOCK / inodeSize,
    label: Buffer.from(settings.label ?? '', 'utf8'),
    blockBits: 12,
    sectorBits: Math.log2(sectorSize),
    inodeBits: Math.log2(inodeSize),
    inodesPerBlockBits: geometry.inodesPerBlockBits,
    groupBits,
    inodePercent: plan.inodePercent,
    inodes: counts.reduce((sum, { all }) => sum + all, 0),
    freeInodes: counts.reduce((sum, one) => sum + one.free, 0),
    freeBlocks: free,
    inodeAlignment: geometry.alignment,
    logSectorBits: large ? 12 : 0,
    logSectorSize: large ? sectorSize : 0,
    logUnit: large ? sectorSize : 1,
    features2: FEATURES2,
    badFeatures2: FEATURES2,
    roCompat,
    incompat: incompatWord(settings),
    sparseAlignment: chosen.has('sparse') ? geometry.chunkBlocks / 2 : 0,
  });
  seal(bytes, Superblock.offset.checksum);
  return bytes;
}

/** The blocks of a group before what is at no fixed place: headers and roots of btrees; the free list is not poured. */
export function groupHead(plan: Plan, index: number, sb: Uint8Array): Uint8Array {
  const { geometry, layout, settings, uuid } = plan;
  const { sectorSize, chosen } = settings;
  const { fixed } = geometry;
  const group = layout.groups[index]!;
  const bytes = new Uint8Array(fixed.end * BLOCK);
  bytes.set(sb);
  const trees = groupTrees(plan, index);
  for (const [tree, at] of [
    [trees.byBlock, fixed.byBlock],
    [trees.bySize, fixed.bySize],
    [trees.inodes, fixed.inodes],
    [trees.freeInodes, fixed.freeInodes],
    [trees.rmap, fixed.rmap],
    [trees.refcount, fixed.refcount],
  ] as const)
    if (tree !== undefined && at !== undefined) bytes.set(tree[0]!, at * BLOCK);
  const levels = (tree: readonly Uint8Array[]) => new DataView(tree[0]!.buffer).getUint16(4) + 1;
  const header = bytes.subarray(sectorSize, 2 * sectorSize);
  FreeHeader.write(header, 0, {
    magic: FREE_MAGIC,
    version: 1,
    group: index,
    blocks: blocksOf(geometry, index),
    byBlockRoot: fixed.byBlock,
    bySizeRoot: fixed.bySize,
    rmapRoot: fixed.rmap ?? 0,
    byBlockLevels: 1,
    bySizeLevels: 1,
    rmapLevels: trees.rmap === undefined ? 0 : levels(trees.rmap),
    listFirst: 1,
    listLast: fixed.list,
    listCount: fixed.list,
    freeBlocks: freeOf(group),
    longest: group.free.reduce((most, { length }) => Math.max(most, length), 0),
    btreeBlocks: extraBlocks(group),
    uuid,
    rmapBlocks: trees.rmap?.length ?? 0,
    refcountBlocks: trees.refcount?.length ?? 0,
    refcountRoot: fixed.refcount ?? 0,
    refcountLevels: trees.refcount === undefined ? 0 : 1,
  });
  seal(header, FreeHeader.offset.checksum);
  const inodes = inodesOf(plan, group);
  const { groupBits, inodesPerBlockBits } = geometry;
  const inGroup = 2 ** (groupBits + inodesPerBlockBits);
  const { zone } = group;
  const counted = chosen.has('inobtcount');
  const second = bytes.subarray(2 * sectorSize, 3 * sectorSize);
  InodeHeader.write(second, 0, {
    magic: INODE_HEADER_MAGIC,
    version: 1,
    group: index,
    blocks: blocksOf(geometry, index),
    inodes: inodes.all,
    root: fixed.inodes,
    levels: levels(trees.inodes),
    freeInodes: inodes.free,
    // the newest chunk
    newInode:
      zone === undefined
        ? NULL32
        : inodeNumber(layout.zones, geometry, (zone.first + zone.chunks - 1) * CHUNK) - index * inGroup,
    directoryInode: NULL32,
    unlinked: new Array<number>(64).fill(NULL32),
    uuid,
    freeRoot: fixed.freeInodes ?? 0,
    freeLevels: trees.freeInodes === undefined ? 0 : 1,
    inodeBlocks: counted ? trees.inodes.length : 0,
    freeInodeBlocks: counted ? 1 : 0,
  });
  seal(second, InodeHeader.offset.checksum);
  const list = bytes.subarray(3 * sectorSize, 4 * sectorSize);
  list.fill(0xff);
  FreeList.write(list, 0, { magic: FREE_LIST_MAGIC, group: index, uuid });
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const first = firstFree(geometry, index) - fixed.list;
  for (let i = 0; i < fixed.list; i++) view.setUint32(FreeList.size + 4 * (i + 1), first + i);
  seal(list, FreeList.offset.checksum);
  return bytes;
}

/** The blocks below the roots of a group's btrees, in the order of {@link GroupTrees}. */
export function* groupTail(plan: Plan, index: number): Generator<Uint8Array> {
  const group = plan.layout.groups[index]!;
  if (group.trees.inodes.length + group.trees.rmap.length === 0) return;
  const { inodes, rmap = [] } = groupTrees(plan, index);
  yield* inodes.slice(1);
  yield* rmap.slice(1);
}

function groupTrees(plan: Plan, index: number) {
  const { geometry, layout, uuid, census } = plan;
  const { fixed, chunkBlocks, inodesPerBlockBits } = geometry;
  const group = layout.groups[index]!;
  const base = index * geometry.groupBlocks;
  const tree = (kind: TreeKind, blocks: readonly number[], records: Pick<ShortTree, 'count' | 'record' | 'key'>) =>
    shortTreeBlocks({ kind, blocks, group: index, base, uuid, ...records });
  const runs = (free: Group['free']) => ({
    count: free.length,
    record(view: DataView, at: number, i: number) {
      view.setUint32(at, free[i]!.start);
      view.setUint32(at + 4, free[i]!.length);
    },
    key() {
      throw new RangeError('there are few free runs, so their tree has one level');
    },
  });
  const bySize = [...group.free].sort((a, b) => a.length - b.length || a.start - b.start);
  const { zone } = group;
  const firstInode = (i: number) => (zone!.block - base + i * chunkBlocks) * 2 ** inodesPerBlockBits;
  const chunks = (from: number) => ({
    count: (zone?.chunks ?? 0) - from,
    record(view: DataView, at: number, i: number) {
      const used = Math.min(CHUNK, census.inodes - (zone!.first + from + i) * CHUNK);
      view.setUint32(at, firstInode(from + i));
      view.setUint8(at + 6, plan.settings.chosen.has('sparse') ? CHUNK : 0);
      view.setUint8(at + 7, CHUNK - used);
      // a bit for each free inode, the first one lowest
      view.setUint32(at + 8, freeMask(used - 32));
      view.setUint32(at + 12, freeMask(used));
    },
    key: (view: DataView, at: number, first: number) => view.setUint32(at, firstInode(from + first)),
  });
  const { free } = inodesOf(plan, group);
  return {
    byBlock: tree({ magic: BTREE.byBlock, recordSize: 8, keySize: 8 }, [fixed.byBlock], runs(group.free)),
    bySize: tree({ magic: BTREE.bySize, recordSize: 8, keySize: 8 }, [fixed.bySize], runs(bySize)),
    inodes: tree(INODE_TREE, [fixed.inodes, ...group.trees.inodes], chunks(0)),
    freeInodes:
      fixed.freeInodes === undefined
        ? undefined
        : // only the last chunk has free inodes
          tree(
            { ...INODE_TREE, magic: BTREE.freeInodes },
            [fixed.freeInodes],
            chunks((zone?.chunks ?? 0) - (free > 0 ? 1 : 0)),
          ),
    rmap:
      fixed.rmap === undefined
        ? undefined
        : tree(RMAP_TREE, [fixed.rmap, ...group.trees.rmap], mappingRecords(group.mappings)),
    refcount:
      fixed.refcount === undefined
        ? undefined
        : tree({ magic: BTREE.refcount, recordSize: 12, keySize: 4 }, [fixed.refcount], { ...runs([]) }),
  };
}

function freeMask(used: number): number {
  if (used <= 0) return NULL32;
  return used >= 32 ? 0 : (NULL32 << used) >>> 0;
}

function mappingRecords(mappings: readonly Mapping[]): Pick<ShortTree, 'count' | 'record' | 'key'> {
  const ownerAndOffset = (view: DataView, at: number, { owner, offset, attribute, tree }: Mapping, add: number) => {
    if (owner < 0) {
      view.setUint32(at, NULL32);
      view.setUint32(at + 4, 2 ** 32 + owner);
    } else {
      view.setUint32(at, Math.floor(owner / 2 ** 32));
      view.setUint32(at + 4, owner % 2 ** 32);
    }
    const value = owner < 0 || tree ? 0 : offset + add;
    const flags = (attribute ? 0x8000_0000 : 0) + (tree ? 0x4000_0000 : 0);
    view.setUint32(at + 8, flags + Math.floor(value / 2 ** 32));
    view.setUint32(at + 12, value % 2 ** 32);
  };
  return {
    count: mappings.length,
    record(view, at, i) {
      const mapping = mappings[i]!;
      view.setUint32(at, mapping.start);
      view.setUint32(at + 4, mapping.length);
      ownerAndOffset(view, at + 8, mapping, 0);
    },
    key(view, at, first, last) {
      view.setUint32(at, mappings[first]!.start);
      ownerAndOffset(view, at + 4, mappings[first]!, 0);
      // extents do not overlap, so the last one ends last
      const end = mappings[last]!;
      view.setUint32(at + 20, end.start + end.length - 1);
      ownerAndOffset(view, at + 24, end, end.length - 1);
    },
  };
}
