import { extentTreeBlocks, INODE_TREE, levelsOf, RMAP_TREE, shortCapacity } from './btree.ts';
import { blocksOf, type Extent, extentsOf, firstFree, type Geometry, physical, type Segment } from './geometry.ts';
import { CHUNK, FORMAT, OWNER } from './layout.ts';
import type { Node } from './node.ts';
import type { Settings } from './options.ts';

/** Consecutive chunks of 64 inodes in one group. */
export interface Zone {
  readonly group: number;
  /** First block, counted through all groups. */
  readonly block: number;
  readonly chunks: number;
  /** Index of its first chunk among all. */
  readonly first: number;
}

/** What an extent belongs to, for the reverse mapping. */
export interface Mapping {
  /** First block, from the group's start. */
  readonly start: number;
  readonly length: number;
  /** An inode's number, or minus one of {@link OWNER}. */
  readonly owner: number;
  readonly offset: number;
  readonly attribute: boolean;
  readonly tree: boolean;
}

/** Blocks of btrees below their roots, from the group's start. */
export interface GroupTrees {
  readonly inodes: readonly number[];
  readonly rmap: readonly number[];
}

/** One allocation group. */
export interface Group {
  readonly zone: Zone | undefined;
  readonly trees: GroupTrees;
  /** Free runs, from the group's start. */
  readonly free: readonly { readonly start: number; readonly length: number }[];
  /** In ascending order; empty without rmapbt. */
  readonly mappings: readonly Mapping[];
}

/** Where everything is. */
export interface Layout {
  readonly chunks: number;
  readonly zones: readonly Zone[];
  readonly groups: readonly Group[];
  readonly segments: readonly Segment[];
  /** Blocks of the row that are in use. */
  readonly used: number;
  readonly free: number;
  /** By node: place of its data in the row; its extent btree follows. */
  readonly dataAt: Float64Array;
  readonly treeBlocks: Uint32Array;
  readonly attributesAt: Float64Array;
  /** Nodes in the order in which their blocks are in the row: first metadata, then files. */
  readonly files: readonly number[];
}

/** The number of an inode by its place among all. */
export function inodeNumber(zones: readonly Zone[], geometry: Geometry, index: number): number {
  const chunk = Math.floor(index / CHUNK);
  let at = zones.length - 1;
  while (zones[at]!.first > chunk) at--;
  const zone = zones[at]!;
  const { groupBits, groupBlocks, inodesPerBlockBits } = geometry;
  const inGroup = zone.block - zone.group * groupBlocks + (chunk - zone.first) * geometry.chunkBlocks;
  return zone.group * 2 ** (groupBits + inodesPerBlockBits) + inGroup * 2 ** inodesPerBlockBits + (index % CHUNK);
}

/** Gives everything its place. Returns the number of missing blocks when it does not fit. */
export function place(nodes: readonly Node[], inodes: number, settings: Settings, geometry: Geometry): Layout | number {
  const chunks = Math.ceil(inodes / CHUNK);
  const zones = zonesOf(geometry, chunks);
  if (typeof zones === 'number') return zones;
  // blocks of the reverse mapping lie in their group: reserve, place, count, and again with what was missing
  let reserved: readonly number[] = new Array<number>(geometry.groups).fill(0);
  for (;;) {
    const layout = placeWith(nodes, chunks, zones, settings, geometry, reserved);
    if (typeof layout === 'number' || !settings.chosen.has('rmapbt')) return layout;
    const needed = layout.groups.map(({ mappings }) => {
      const { perLeaf, perNode } = shortCapacity(RMAP_TREE);
      return levelsOf(mappings.length, perLeaf, perNode).reduce((sum, width) => sum + width, 0) - 1;
    });
    if (needed.every((count, i) => count === reserved[i])) return layout;
    reserved = needed.map((count, i) => Math.max(count, reserved[i]!));
    if (needed.every((count, i) => count <= layout.groups[i]!.trees.rmap.length)) return layout;
  }
}

function zonesOf(geometry: Geometry, chunks: number): Zone[] | number {
  const { alignment, chunkBlocks, groupBlocks } = geometry;
  const zones: Zone[] = [];
  let left = chunks;
  for (let group = 0; group < geometry.groups && left > 0; group++) {
    const start = Math.ceil(firstFree(geometry, group) / alignment) * alignment;
    // what is behind belongs to trees and data
    const room = blocksOf(geometry, group) - start - 256;
    const own = Math.min(left, Math.floor(room / chunkBlocks));
    if (own <= 0) continue;
    zones.push({ group, block: group * groupBlocks + start, chunks: own, first: chunks - left });
    left -= own;
  }
  return left > 0 ? left * chunkBlocks : zones;
}

/** The least blocks that a group gives to the row, so that small trees are in one piece. */
const SHARE_LEAST = 4096;

function placeWith(
  nodes: readonly Node[],
  chunks: number,
  zones: readonly Zone[],
  settings: Settings,
  geometry: Geometry,
  reserved: readonly number[],
): Layout | number {
  const { groups, groupBlocks } = geometry;
  const starts: number[] = [];
  const trees: GroupTrees[] = [];
  for (let group = 0; group < groups; group++) {
    const zone = zones.find((one) => one.group === group);
    let next =
      zone === undefined
        ? firstFree(geometry, group)
        : zone.block - group * groupBlocks + zone.chunks * geometry.chunkBlocks;
    const take = (count: number) => Array.from({ length: count }, () => next++);
    const { perLeaf, perNode } = shortCapacity(INODE_TREE);
    const below = (records: number) => levelsOf(records, perLeaf, perNode).reduce((sum, width) => sum + width, 0) - 1;
    trees.push({ inodes: take(below(zone?.chunks ?? 0)), rmap: take(reserved[group]!) });
    starts.push(next);
  }
  const capacities = starts.map((start, group) => Math.max(0, blocksOf(geometry, group) - start));
  const capacity = capacities.reduce((sum, one) => sum + one, 0);
  const wanted = nodes.reduce((sum, { blocks, attributes }) => sum + blocks + (attributes?.blocks ?? 0), 0);
  if (wanted > capacity) return wanted - capacity;
  // each group gets its share, so that free space is in all of them
  const part = Math.min(1, wanted / capacity);
  for (const even of [true, false]) {
    const segments: Segment[] = [];
    let virtual = 0;
    for (const [group, start] of starts.entries()) {
      const length = even
        ? Math.min(capacities[group]!, Math.max(SHARE_LEAST, Math.ceil(capacities[group]! * part)))
        : capacities[group]!;
      if (length > 0) segments.push({ group, start: group * groupBlocks + start, length, virtual });
      virtual += length;
    }
    // beyond the end there is no limit, so that the missing amount is known
    const open = [...segments, { group: groups, start: geometry.blocks, length: Number.POSITIVE_INFINITY, virtual }];
    const row = fill(nodes, open);
    if (row.used > virtual) {
      if (even) continue;
      return row.used - virtual;
    }
    const made = groupsOf(nodes, { zones, segments, ...row }, trees, settings, geometry);
    const free = made.reduce((sum, group) => sum + group.free.reduce((own, { length }) => own + length, 0), 0);
    return { chunks, zones, groups: made, segments, free, ...row };
  }
  throw new RangeError('a row either fits or is too long');
}

type Row = Pick<Layout, 'used' | 'dataAt' | 'treeBlocks' | 'attributesAt' | 'files'>;

/** Puts blocks into the row: directories, long targets and attributes, then files in the tree's order. */
function fill(nodes: readonly Node[], segments: readonly Segment[]): Row {
  const dataAt = new Float64Array(nodes.length);
  const treeBlocks = new Uint32Array(nodes.length);
  const attributesAt = new Float64Array(nodes.length);
  const files: number[] = [];
  let used = 0;
  const put = (i: number) => {
    const { blocks, ranges, dataRoom } = nodes[i]!;
    dataAt[i] = used;
    if (blocks === 0) return;
    // most are in one piece, which always fits
    const extents = blocks === 1 ? 1 : extentsOf(segments, used, ranges).length;
    const below = extentTreeBlocks(extents, dataRoom);
    treeBlocks[i] = below;
    used += blocks + below;
  };
  for (const [i, { inode, attributes, blocks }] of nodes.entries()) {
    if (inode.kind !== 'file') put(i);
    else if (blocks > 0) files.push(i);
    attributesAt[i] = used;
    used += attributes?.blocks ?? 0;
  }
  for (const i of files) put(i);
  return { used, dataAt, treeBlocks, attributesAt, files };
}

/** Extents of a node's data. */
export function dataExtents(node: Node, at: number, segments: readonly Segment[]): Extent[] {
  return node.blocks === 0 ? [] : extentsOf(segments, at, node.ranges);
}

type Placed = Row & { readonly zones: readonly Zone[]; readonly segments: readonly Segment[] };

function groupsOf(
  nodes: readonly Node[],
  placed: Placed,
  trees: readonly GroupTrees[],
  settings: Settings,
  geometry: Geometry,
): Group[] {
  const { zones, segments, used } = placed;
  const mappings = settings.chosen.has('rmapbt') ? mappingsOf(nodes, placed, trees, geometry) : undefined;
  return Array.from({ length: geometry.groups }, (_, group) => {
    const base = group * geometry.groupBlocks;
    const zone = zones.find((one) => one.group === group);
    const free: { start: number; length: number }[] = [];
    const add = (start: number, end: number) => {
      if (end > start) free.push({ start, length: end - start });
    };
    if (zone !== undefined) add(firstFree(geometry, group), zone.block - base);
    const segment = segments.find((one) => one.group === group);
    const own = trees[group]!;
    const behind =
      (zone === undefined ? firstFree(geometry, group) : zone.block - base + zone.chunks * geometry.chunkBlocks) +
      own.inodes.length +
      own.rmap.length;
    const taken = segment === undefined ? 0 : Math.min(Math.max(used - segment.virtual, 0), segment.length);
    add(behind + taken, blocksOf(geometry, group));
    return { zone, trees: own, free, mappings: mappings?.[group] ?? [] };
  });
}

/** Who owns each extent in use, by group and ascending. */
function mappingsOf(
  nodes: readonly Node[],
  { zones, segments, dataAt, treeBlocks, attributesAt }: Placed,
  trees: readonly GroupTrees[],
  geometry: Geometry,
): Mapping[][] {
  const { fixed, groupBlocks, groups, logGroup, logBlocks } = geometry;
  const all: Mapping[][] = [];
  const put = (group: number, start: number, length: number, owner: number, rest: Partial<Mapping> = {}) => {
    if (length === 0) return;
    const list = all[group]!;
    const last = list[list.length - 1];
    const special = owner < 0;
    const { offset = 0, attribute = false, tree = false } = rest;
    // neighbours of one owner are one record
    const follows =
      last !== undefined &&
      last.owner === owner &&
      last.start + last.length === start &&
      last.attribute === attribute &&
      last.tree === tree &&
      (special || tree || last.offset + last.length === offset);
    if (follows) list[list.length - 1] = { ...last, length: last.length + length };
    else list.push({ start, length, owner, offset, attribute, tree });
  };
  for (let group = 0; group < groups; group++) {
    all.push([]);
    put(group, 0, fixed.byBlock, -OWNER.fs);
    put(group, fixed.byBlock, 2, -OWNER.group);
    put(group, fixed.inodes, fixed.freeInodes === undefined ? 1 : 2, -OWNER.inodeTree);
    put(group, fixed.rmap!, 1, -OWNER.group);
    if (fixed.refcount !== undefined) put(group, fixed.refcount, 1, -OWNER.refcount);
    if (group === logGroup) put(group, fixed.end, logBlocks, -OWNER.log);
    put(group, firstFree(geometry, group) - fixed.list, fixed.list, -OWNER.group);
    const zone = zones.find((one) => one.group === group);
    if (zone !== undefined)
      put(group, zone.block - group * groupBlocks, zone.chunks * geometry.chunkBlocks, -OWNER.inodes);
    for (const block of trees[group]!.inodes) put(group, block, 1, -OWNER.inodeTree);
    for (const block of trees[group]!.rmap) put(group, block, 1, -OWNER.group);
  }
  const putExtents = (extents: readonly Extent[], owner: number, attribute: boolean, tree: boolean) => {
    for (const { block, offset, length } of extents) {
      const group = Math.floor(block / groupBlocks);
      put(group, block - group * groupBlocks, length, owner, { offset: tree ? 0 : offset, attribute, tree });
    }
  };
  const putData = (i: number) => {
    const node = nodes[i]!;
    if (node.blocks === 0) return;
    const owner = inodeNumber(zones, geometry, node.index);
    putExtents(dataExtents(node, dataAt[i]!, segments), owner, false, false);
    for (let k = 0; k < treeBlocks[i]!; k++) {
      const block = physical(segments, dataAt[i]! + node.blocks + k);
      putExtents([{ offset: 0, block, length: 1 }], owner, false, true);
    }
  };
  for (const [i, node] of nodes.entries()) {
    if (node.inode.kind !== 'file') putData(i);
    const count = node.attributes?.blocks ?? 0;
    if (count === 0) continue;
    const extents = extentsOf(segments, attributesAt[i]!, [[0, count]]);
    putExtents(extents, inodeNumber(zones, geometry, node.index), true, false);
  }
  for (const [i, { inode }] of nodes.entries()) if (inode.kind === 'file') putData(i);
  return all;
}

/** The format of a node's data fork, now that the extents are known. */
export function dataFormat(node: Node, treeBlocks: number): number {
  return treeBlocks > 0 ? FORMAT.btree : node.format;
}
