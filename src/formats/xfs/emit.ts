import { type Bytes, type Content, PIECE, zeroPieces } from '../../bytes/content.ts';
import { Gatherer } from '../../bytes/gather.ts';
import { blockData } from '../../bytes/ranges.ts';
import { Taker } from '../../bytes/taker.ts';
import { BuildError } from '../../errors/error.ts';
import { pathIn } from '../../tree/names.ts';
import type { Tree } from '../../tree/tree.ts';
import { attributeBlocks } from './attributes.ts';
import { seal } from './checksums.ts';
import { directoryBlocks } from './directory.ts';
import { blocksOf, firstFree, physical } from './geometry.ts';
import { groupHead, groupTail, superblock } from './groups.ts';
import { InodeWriter } from './inodes.ts';
import { BLOCK, CHUNK, DADDR, RemoteBlock, SYMLINK_MAGIC } from './layout.ts';
import { logStart } from './log.ts';
import { fileOf } from './node.ts';
import type { XfsOptions } from './options.ts';
import type { Zone } from './place.ts';
import { type Plan, planXfs } from './plan.ts';

/**
 * An XFS file system with this tree, as one stream of exactly known length. Everything is decided here, nothing is read;
 * contents are read once, in the tree's order, while the image is poured.
 *
 * @example
 * ```ts
 * import { file, memory, openXfs, pour, randomAccess, Tree, xfsImage } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.set('etc/hostname', file(memory('kata')));
 * const image = xfsImage(tree, { label: 'kata' });
 * await pour(image.open(), 'root.xfs', { sparse: true });
 * console.log(openXfs(randomAccess('root.xfs')).tree().text('etc/hostname')); // prints: kata
 * ```
 */
export function xfsImage(tree: Tree, options: XfsOptions = {}): Content & { readonly plan: Plan } {
  const plan = planXfs(tree, options);
  return { size: plan.size, open: () => emitXfs(plan), plan };
}

/** Pours a planned file system, front to back: group by group. */
export async function* emitXfs(plan: Plan): Bytes {
  const { geometry, layout } = plan;
  const { segments } = layout;
  const inodes = new InodeWriter(plan);
  const sb = superblock(plan);
  const row = new Taker(emitRow(plan, inodes));
  let left = layout.used;
  try {
    for (const [index, group] of layout.groups.entries()) {
      const base = index * geometry.groupBlocks;
      let at = geometry.fixed.end;
      yield groupHead(plan, index, sb);
      if (index === geometry.logGroup) {
        const log = logStart(plan);
        yield log;
        yield* zeroPieces(geometry.logBlocks * BLOCK - log.length);
        at += geometry.logBlocks;
      }
      if (group.zone !== undefined) {
        yield* zeroPieces((group.zone.block - base - at) * BLOCK);
        yield* emitInodes(plan, inodes, group.zone);
        at = group.zone.block - base + group.zone.chunks * geometry.chunkBlocks;
      } else {
        // blocks of the free list
        yield* zeroPieces((firstFree(geometry, index) - at) * BLOCK);
        at = firstFree(geometry, index);
      }
      for (const block of groupTail(plan, index)) {
        yield block;
        at++;
      }
      const taken = Math.min(left, segments.find((segment) => segment.group === index)?.length ?? 0);
      yield* row.take(taken * BLOCK);
      left -= taken;
      yield* zeroPieces((blocksOf(geometry, index) - at - taken) * BLOCK);
    }
  } finally {
    await row.close();
  }
  yield* zeroPieces(plan.size - geometry.blocks * BLOCK);
}

function* emitInodes(plan: Plan, inodes: InodeWriter, zone: Zone): Generator<Uint8Array> {
  const { settings, geometry } = plan;
  const { inodeSize } = settings;
  const { groupBits, groupBlocks, inodesPerBlockBits } = geometry;
  const inGroup = (zone.block - zone.group * groupBlocks) * 2 ** inodesPerBlockBits;
  const first = zone.group * 2 ** (groupBits + inodesPerBlockBits) + inGroup;
  for (let chunk = 0; chunk < zone.chunks; chunk++) {
    const bytes = new Uint8Array(CHUNK * inodeSize);
    for (let i = 0; i < CHUNK; i++) {
      const place = chunk * CHUNK + i;
      inodes.write(bytes.subarray(i * inodeSize, (i + 1) * inodeSize), zone.first * CHUNK + place, first + place);
    }
    yield bytes;
  }
}

/** Everything in the row of free blocks, in the order in which it was placed. */
async function* emitRow(plan: Plan, inodes: InodeWriter): Bytes {
  const { nodes, layout, uuid, census } = plan;
  const { segments, dataAt, attributesAt, treeBlocks } = layout;
  const gather = new Gatherer();
  for (const [i, node] of nodes.entries()) {
    const number = inodes.number(node);
    if (node.inode.kind !== 'file' && node.blocks > 0) {
      const at = (index: number) => physical(segments, dataAt[i]! + index);
      if (node.directory === undefined) yield* gather.put(targetBlock(plan, i, number));
      else {
        const context = { uuid, number, parent: inodes.parent(node), physical: at };
        yield* gather.put(directoryBlocks(node.directory, inodes.entries(node), context));
      }
      if (treeBlocks[i]! > 0) for (const block of inodes.treeBlocks(i)) yield* gather.put(block);
    }
    if (node.attributes !== undefined && node.attributes.blocks > 0) {
      const at = (index: number) => physical(segments, attributesAt[i]! + index);
      yield* gather.put(attributeBlocks(node.attributes, { uuid, number, physical: at }));
    }
  }
  for (const i of layout.files) {
    const node = nodes[i]!;
    const { content } = fileOf(node);
    const wrong = (read: number) => {
      const path = pathIn(census.nodes[0]!.inode as never, node.inode);
      return new BuildError('CONTENT_SIZE', { path: `/${path}`, declared: content.size, read });
    };
    if (content.size <= PIECE && content.extents === undefined) {
      const padded = node.blocks * BLOCK;
      if (!gather.fits(padded)) yield gather.letGo();
      const read = gather.read(content, padded);
      if (read !== content.size) throw wrong(read);
    } else {
      let total = 0;
      for await (const piece of blockData(content, BLOCK, (read) => (total = read))) yield* gather.put(piece);
      if (total !== content.size) throw wrong(total);
    }
    if (treeBlocks[i]! > 0) for (const block of inodes.treeBlocks(i)) yield* gather.put(block);
  }
  yield* gather.flush();
}

/** The block of a target that does not fit its inode. */
function targetBlock({ nodes, layout, uuid }: Plan, i: number, owner: number): Uint8Array {
  const { inode } = nodes[i]!;
  if (inode.kind !== 'symlink') throw new TypeError(`a ${inode.kind} has no target`);
  const bytes = new Uint8Array(BLOCK);
  RemoteBlock.write(bytes, 0, {
    magic: SYMLINK_MAGIC,
    bytes: inode.target.length,
    uuid,
    owner,
    address: (physical(layout.segments, layout.dataAt[i]!) * BLOCK) / DADDR,
  });
  for (let k = 0; k < inode.target.length; k++) bytes[RemoteBlock.size + k] = inode.target.charCodeAt(k);
  seal(bytes, RemoteBlock.offset.checksum);
  return bytes;
}
