import { BuildError } from '../../errors/error.ts';
import { packsOf } from './cluster-index.ts';
import { ADVISE, BLOCK_COUNT, CLUSTER, FullIndex, LAYOUT, MapHeader, WHOLE_FRAGMENT } from './layout.ts';
import { ALGORITHMS, type RawInode, type Volume } from './volume.ts';

/** Where an extent of a compressed file is stored. */
export type Stored =
  | { readonly kind: 'blocks'; readonly address: number; readonly size: number }
  | { readonly kind: 'inline'; readonly address: number; readonly size: number }
  /** In the packed inode, at this byte of its content. */
  | { readonly kind: 'fragment'; readonly offset: number };

/** A run of a compressed file that decodes on its own. */
export interface Extent {
  /** Where it begins in the file, and how many bytes it decodes to. */
  readonly start: number;
  readonly length: number;
  readonly algorithm: (typeof ALGORITHMS)[number] | 'plain' | 'interlaced';
  readonly stored: Stored;
  /** The cluster holds more than this extent needs (data shared with other files). */
  readonly partial: boolean;
}

/** The largest physical cluster that the kernel takes (Z_EROFS_PCLUSTER_MAX_SIZE). */
const CLUSTER_MAX = 1 << 20;
/** The most bytes that one physical cluster may decode to (Z_EROFS_PCLUSTER_MAX_DSIZE). */
const DECODED_MAX = 12 << 20;

interface Cluster {
  readonly type: number;
  /** For a head: where the extent begins in the cluster; else the count with its mark, or a distance. */
  readonly value: number;
  /** For a head: its block. */
  readonly block: number;
  readonly partial: boolean;
}

/** Reads the index of a compressed file into its extents. */
export function readExtents(volume: Volume, inode: RawInode, at: string): Extent[] {
  const header = Math.ceil(inode.tailAt / 8) * 8;
  const raw = volume.bytes(header, MapHeader.size, at);
  const { fragmentOffset, inlineSize, advise, algorithms, clusterBits } = MapHeader.read(raw);
  if (clusterBits & WHOLE_FRAGMENT) {
    const view = new DataView(raw.buffer);
    const offset = view.getUint32(0, true) + (view.getUint32(4, true) & 0x7fffffff) * 2 ** 32;
    return split(inode.size, { kind: 'fragment', offset });
  }
  const bits = volume.sb.blockBits + (clusterBits & 7);
  if (bits > 14) throw volume.corrupt(at, `logical clusters of 2^${bits} bytes`);
  const clusterSize = 2 ** bits;
  const total = Math.ceil(inode.size / clusterSize);
  const big = (advise & (ADVISE.bigCluster1 | ADVISE.bigCluster2)) !== 0;
  const index = header + MapHeader.size;
  const { clusters, end } =
    inode.layout === LAYOUT.fullIndex
      ? fullIndex(volume, index + 8, total, at)
      : compactIndex(volume, index, total, advise, big, at);
  const heads: { start: number; cluster: Cluster; blocks: number }[] = [];
  for (const [i, cluster] of clusters.entries()) {
    if (cluster.type === CLUSTER.nonHead) {
      if (heads.length === 0) throw volume.corrupt(at, 'its first cluster does not begin an extent');
      continue;
    }
    if (cluster.value >= clusterSize)
      throw volume.corrupt(at, `an extent begins at byte ${cluster.value} of a cluster`);
    // writers may mark the end of the file with a further head
    if (i * clusterSize + cluster.value === inode.size) continue;
    const follower = clusters[i + 1];
    const counted = big && follower?.type === CLUSTER.nonHead && (follower.value & BLOCK_COUNT) !== 0;
    const blocks = counted ? follower.value & ~BLOCK_COUNT : 1;
    heads.push({
      start: i * clusterSize + cluster.value,
      cluster,
      blocks: counted ? blocks : clusterSize / volume.blockSize,
    });
  }
  const extents: Extent[] = [];
  if (heads[0]?.start !== 0 && total > 0) throw volume.corrupt(at, 'its first extent does not begin at byte 0');
  for (const [i, { start, cluster, blocks }] of heads.entries()) {
    const length = (heads[i + 1]?.start ?? inode.size) - start;
    if (length <= 0 || length > DECODED_MAX) throw volume.corrupt(at, `an extent of ${length} bytes at ${start}`);
    const last = i + 1 === heads.length;
    const algorithm = algorithmOf(volume, cluster.type, advise, algorithms, at);
    if (last && advise & ADVISE.fragment) {
      const offset = fragmentOffset + inlineSize * 2 ** 16;
      extents.push({ start, length, algorithm: 'plain', stored: { kind: 'fragment', offset }, partial: false });
    } else if (last && advise & ADVISE.inlineCluster) {
      if (inlineSize > volume.blockSize) throw volume.corrupt(at, `an inline cluster of ${inlineSize} bytes`);
      extents.push({
        start,
        length,
        algorithm,
        stored: { kind: 'inline', address: end, size: inlineSize },
        partial: false,
      });
    } else {
      const size = blocks * volume.blockSize;
      if (blocks === 0 || size > CLUSTER_MAX) throw volume.corrupt(at, `a physical cluster of ${blocks} blocks`);
      const address = cluster.block * volume.blockSize;
      extents.push({ start, length, algorithm, stored: { kind: 'blocks', address, size }, partial: cluster.partial });
    }
  }
  return extents;
}

function split(size: number, stored: Stored & { kind: 'fragment' }): Extent[] {
  const extents: Extent[] = [];
  for (let start = 0; start < size; start += DECODED_MAX)
    extents.push({
      start,
      length: Math.min(DECODED_MAX, size - start),
      algorithm: 'plain',
      stored: { kind: 'fragment', offset: stored.offset + start },
      partial: false,
    });
  return extents;
}

function algorithmOf(
  volume: Volume,
  type: number,
  advise: number,
  algorithms: number,
  at: string,
): Extent['algorithm'] {
  if (type === CLUSTER.plain) return advise & ADVISE.interlaced ? 'interlaced' : 'plain';
  const number = type === CLUSTER.head1 ? algorithms & 15 : algorithms >> 4;
  const name = ALGORITHMS[number];
  if (name === undefined) throw volume.corrupt(at, `the unknown compression algorithm ${number}`);
  if (name === 'lzma')
    throw new BuildError('EROFS_UNSUPPORTED', { path: volume.name, feature: `lzma, which ${at} has` });
  return name;
}

interface Index {
  readonly clusters: Cluster[];
  /** Address behind the index. */
  readonly end: number;
}

function fullIndex(volume: Volume, address: number, total: number, at: string): Index {
  const bytes = volume.bytes(address, total * FullIndex.size, at);
  const clusters: Cluster[] = [];
  for (let i = 0; i < total; i++) {
    const { advise, offset, u } = FullIndex.read(bytes, i * FullIndex.size);
    const type = advise & 3;
    const value = type === CLUSTER.nonHead ? u & 0xffff : offset;
    clusters.push({ type, value, block: u, partial: (advise & 0x8000) !== 0 });
  }
  return { clusters, end: address + bytes.length };
}

function compactIndex(volume: Volume, address: number, total: number, advise: number, big: boolean, at: string): Index {
  const [first, middle, rest] = packsOf(total, address % 32, (advise & ADVISE.compact2) !== 0);
  const clusters: Cluster[] = [];
  let here = address;
  const packs = [
    ...Array.from({ length: Math.ceil(first / 2) }, () => false),
    ...Array.from({ length: middle / 16 }, () => true),
    ...Array.from({ length: Math.ceil(rest / 2) }, () => false),
  ];
  const index = volume.bytes(
    address,
    packs.reduce((sum, large) => sum + (large ? 32 : 8), 0),
    at,
  );
  const view = new DataView(index.buffer);
  for (const large of packs) {
    const records = large ? 16 : 2;
    const size = large ? 32 : 8;
    const bits = large ? 14 : 16;
    const offset = here - address;
    let block = view.getUint32(offset + size - 4, true);
    let open = false;
    for (let i = 0; i < records && clusters.length < total; i++) {
      const bit = i * bits;
      const byte = offset + (bit >>> 3);
      const word = index[byte]! | (index[byte + 1]! << 8) | (index[byte + 2]! << 16);
      const record = (word >>> (bit & 7)) & 0x3fff;
      const type = record >>> 12;
      const value = record & 0xfff;
      if (type === CLUSTER.nonHead) {
        if (big && value & BLOCK_COUNT) {
          block += value & ~BLOCK_COUNT;
          open = false;
        }
      } else {
        // without big clusters the address is that of the block before the first head
        if (!big || open) block++;
        open = true;
      }
      clusters.push({ type, value, block: block >>> 0, partial: false });
    }
    here += size;
  }
  return { clusters, end: here };
}
