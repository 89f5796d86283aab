import { BuildError } from '../../errors/error.ts';
import { Losses } from '../../tree/losses.ts';
import type { Tree } from '../../tree/tree.ts';
import { deriveUuid } from '../disk/uuid.ts';
import { type XfsCensus, xfsCensus } from './census.ts';
import { type Geometry, geometryOf, LEAST_BLOCKS, LEAST_SMALL } from './geometry.ts';
import { BLOCK, CHUNK } from './layout.ts';
import { type Node, nodeOf } from './node.ts';
import { type Settings, settingsOf, type XfsOptions } from './options.ts';
import { type Layout, place } from './place.ts';

/** Everything about a file system that is decided before a byte of it is written. */
export interface Plan {
  readonly settings: Settings;
  readonly uuid: Uint8Array;
  readonly census: XfsCensus;
  /** In the order of inodes. */
  readonly nodes: readonly Node[];
  readonly geometry: Geometry;
  readonly layout: Layout;
  /** Bytes of the image. */
  readonly size: number;
  readonly inodePercent: number;
}

/** Lays out a tree as XFS. Throws what XFS cannot hold. No content is read. */
export function planXfs(tree: Tree, options: XfsOptions = {}): Plan {
  const settings = settingsOf(options);
  const census = xfsCensus(tree);
  const losses = settings.report === undefined ? undefined : new Losses(settings.report);
  const nodes = census.nodes.map((node) => nodeOf(node, tree, settings, losses));
  losses?.flush();
  const { geometry, layout, size } = solve(nodes, census, settings);
  // more than what a quarter of the blocks holds must be allowed
  const needed = Math.ceil((100 * layout.chunks * geometry.chunkBlocks) / geometry.blocks);
  const inodePercent = Math.min(100, Math.max(settings.inodePercent, needed));
  const uuid = settings.uuid ?? deriveUuid('xfs', census.digest);
  return { settings, uuid, census, nodes, geometry, layout, size, inodePercent };
}

interface Solution {
  readonly geometry: Geometry;
  readonly layout: Layout;
  readonly size: number;
}

function solve(nodes: readonly Node[], census: XfsCensus, settings: Settings): Solution {
  const { size } = settings;
  if (size === undefined) return least(nodes, census, settings);
  const small = least(nodes, census, settings);
  const given = typeof size === 'number' ? size : size(small.size);
  const needed = small.size;
  const found = given < needed ? undefined : attempt(nodes, census, settings, Math.floor(given / BLOCK));
  if (found === undefined || 'missing' in found)
    throw new BuildError('XFS_TOO_SMALL', { given, needed }, { hint: 'give a larger size, or none' });
  return { ...found, size: given };
}

/** Free blocks that a group needs so that the kernel can work on it. */
const SPARE = 64;

/** The file system of so many blocks, or how many more are needed. */
function attempt(
  nodes: readonly Node[],
  census: XfsCensus,
  settings: Settings,
  blocks: number,
): Omit<Solution, 'size'> | { readonly missing: number } {
  const geometry = geometryOf(settings, blocks);
  if (geometry === undefined) return { missing: 1024 };
  // the kernel keeps a twentieth back, at most 32 MiB, beside what it reserves for its own trees
  const kept = settings.freeSpace === 0 ? 0 : Math.min(Math.ceil(blocks / 20), 8192) + Math.ceil(blocks / 128);
  const reserve = geometry.groups * SPARE + Math.ceil(settings.freeSpace / BLOCK) + kept;
  const layout = place(nodes, census.inodes, settings, geometry);
  if (typeof layout === 'number') return { missing: Math.max(layout, 1) };
  const missing = reserve - layout.free;
  return missing > 0 ? { missing } : { geometry, layout };
}

/** The smallest file system that holds everything. */
function least(nodes: readonly Node[], census: XfsCensus, settings: Settings): Solution {
  const data = nodes.reduce((sum, { blocks, attributes }) => sum + blocks + (attributes?.blocks ?? 0), 0);
  const chunks = Math.ceil(census.inodes / CHUNK) * ((CHUNK * settings.inodeSize) / BLOCK);
  let blocks = Math.max(settings.small ? LEAST_SMALL : LEAST_BLOCKS, data + chunks);
  for (;;) {
    const found = attempt(nodes, census, settings, blocks);
    if (!('missing' in found)) return { ...found, size: blocks * BLOCK };
    blocks += found.missing;
  }
}
