import { type Bytes, type Content, copyOf, PIECE, zeroPieces } from '../../bytes/content.ts';
import { crc32c, crc32cWord } from '../../bytes/crc32c.ts';
import { Gatherer } from '../../bytes/gather.ts';
import { blockData } from '../../bytes/ranges.ts';
import { Taker } from '../../bytes/taker.ts';
import { BuildError } from '../../errors/error.ts';
import { pathIn } from '../../tree/names.ts';
import type { Tree } from '../../tree/tree.ts';
import { childNumbers } from './census.ts';
import { writeDirectory } from './directory.ts';
import { physical, type Region } from './geometry.ts';
import { InodeWriter, reserveBlock, resizeBlock } from './inodes.ts';
import {
  FILE_TYPE,
  JOURNAL_INODE,
  JOURNAL_MAGIC,
  JOURNAL_SUPERBLOCK_V2,
  JournalSuperblock,
  ORPHAN_MAGIC,
  OrphanTail,
  SUPERBLOCK_OFFSET,
  XattrHeader,
} from './layout.ts';
import type { Ext4Options } from './options.ts';
import { type Plan, planExt4 } from './plan.ts';
import { blockBitmap, checksumSeed, descriptorTable, inodeBitmap, superblock } from './superblock.ts';

/**
 * An ext4 file system with this tree, as one stream of exactly known length. Everything is decided here, nothing is
 * read; contents are read once, in the tree's order, while the image is poured.
 *
 * @example
 * ```ts
 * import { ext4Image, file, memory, openExt4, pour, randomAccess, Tree } from 'osbuilder';
 *
 * const tree = new Tree();
 * tree.set('etc/hostname', file(memory('kata')));
 * const image = ext4Image(tree, { label: 'kata', freeSpace: 8 * 1024 * 1024 });
 * await pour(image.open(), 'root.ext4', { sparse: true });
 * console.log(openExt4(randomAccess('root.ext4')).tree().text('etc/hostname')); // prints: kata
 * ```
 */
export function ext4Image(tree: Tree, options: Ext4Options = {}): Content & { readonly plan: Plan } {
  const plan = planExt4(tree, options);
  return { size: plan.size, open: () => emitExt4(plan), plan };
}

/** Pours a planned file system, front to back. */
export async function* emitExt4(plan: Plan): Bytes {
  const { geometry, placement, settings } = plan;
  const { blockSize } = settings;
  const seed = checksumSeed(plan.uuid);
  const inodes = new InodeWriter(plan, seed);
  const table = descriptorTable(plan, seed);
  const data = new Taker(emitData(plan, inodes, seed));
  let left = placement.used * blockSize;
  let segment = 0;
  yield* zeroPieces(geometry.firstDataBlock * blockSize);
  try {
    for (const region of [...geometry.regions, undefined]) {
      for (; segment < geometry.segments.length; segment++) {
        const { start, length } = geometry.segments[segment]!;
        if (region !== undefined && start > region.start) break;
        const bytes = length * blockSize;
        const full = Math.min(bytes, left);
        yield* data.take(full);
        left -= full;
        yield* zeroPieces(bytes - full);
      }
      if (region !== undefined) yield* emitRegion(plan, region, inodes, table, seed);
    }
  } finally {
    await data.close();
  }
  yield* zeroPieces(plan.size - geometry.blocks * blockSize);
}

function* emitRegion(
  plan: Plan,
  region: Region,
  inodes: InodeWriter,
  table: Uint8Array,
  seed: number,
): Generator<Uint8Array> {
  const { settings, geometry } = plan;
  const { blockSize } = settings;
  switch (region.kind) {
    case 'super': {
      const block = new Uint8Array(blockSize);
      block.set(superblock(plan, region.group, seed), region.group === 0 && blockSize > 1024 ? SUPERBLOCK_OFFSET : 0);
      yield block;
      yield table;
      const reserved = geometry.reservedDescriptorBlocks;
      if (region.group === 0) for (let i = 0; i < reserved; i++) yield reserveBlock(plan, i);
      else yield* zeroPieces(reserved * blockSize);
      return;
    }
    case 'blockBitmap':
      yield blockBitmap(plan, region.group);
      return;
    case 'inodeBitmap':
      yield inodeBitmap(plan, region.group);
      return;
    case 'inodeTable': {
      const first = region.group * geometry.inodesPerGroup + 1;
      const used = Math.max(0, Math.min(plan.census.used + 1 - first, geometry.inodesPerGroup));
      const usedBytes = Math.ceil((used * settings.inodeSize) / blockSize) * blockSize;
      for (let done = 0; done < usedBytes; ) {
        const piece = new Uint8Array(Math.min(PIECE, usedBytes - done));
        const from = first + done / settings.inodeSize;
        const count = Math.min(piece.length / settings.inodeSize, used - done / settings.inodeSize);
        for (let i = 0; i < count; i++) inodes.write(piece, i * settings.inodeSize, from + i);
        yield piece;
        done += piece.length;
      }
      yield* zeroPieces(region.length * blockSize - usedBytes);
      return;
    }
    default:
      region.kind satisfies never;
  }
}

/** Everything in the row of free blocks, in the order of {@link Plan.placement}. */
async function* emitData(plan: Plan, inodes: InodeWriter, seed: number): Bytes {
  const { census, placement, settings } = plan;
  const { blockSize } = settings;
  const gather = new Gatherer();
  const mapOf = function* (number: number): Generator<Uint8Array> {
    if (placement.treeBlocks[number]! > 0) for (const node of inodes.mapping(number).nodes) yield* gather.put(node);
  };

  for (const [i, numbered] of census.directories.entries()) {
    const { number, parent, directory, names } = numbered;
    const layout = plan.directories[i]!;
    const numbers = childNumbers(census, numbered);
    const blocks = new Uint8Array(layout.blocks * blockSize);
    const child = (index: number) => ({
      number: numbers[index]!,
      type: FILE_TYPE[directory.children.get(names[index]!)!.kind],
    });
    writeDirectory(blocks, layout, { number, parent, names, child, seed: inodes.seedOf(number) }, plan.rules);
    yield* gather.put(blocks);
    yield* mapOf(number);
  }
  if (placement.resize >= 0) yield* gather.put(resizeBlock(plan));
  if (placement.orphanBlocks > 0) {
    for (let i = 0; i < placement.orphanBlocks; i++) yield* gather.put(orphanBlock(plan, i, inodes));
    yield* mapOf(census.orphanFile);
  }
  for (let i = 0; i < plan.xattrs.length; i++) yield* gather.put(xattrBlock(plan, i, seed));
  for (let number = 0; number <= census.used; number++) {
    const node = census.nodes[number];
    if (node?.kind !== 'symlink' || plan.dataBlocks[number] === 0) continue;
    yield* gather.put(padded(Buffer.from(node.target, 'latin1'), blockSize));
    yield* mapOf(number);
  }
  if (placement.journalBlocks > 0) {
    yield* gather.put(journalSuperblock(plan));
    yield* gather.zeros((placement.journalBlocks - 1) * blockSize);
    yield* mapOf(JOURNAL_INODE);
  }
  for (const number of plan.files) {
    const node = census.nodes[number];
    if (node?.kind !== 'file') throw new TypeError(`inode ${number} is not a file`);
    const { content } = node;
    const short = (read: number) =>
      new BuildError('CONTENT_SIZE', { path: `/${pathIn(census.root, node)}`, declared: content.size, read });
    if (content.size <= PIECE && content.extents === undefined) {
      const padded = content.size + (-content.size & (blockSize - 1));
      if (!gather.fits(padded)) yield gather.letGo();
      const read = gather.read(content, padded);
      if (read !== content.size) throw short(read);
    } else {
      let total = 0;
      for await (const piece of blockData(content, blockSize, (read) => (total = read))) yield* gather.put(piece);
      if (total !== content.size) throw short(total);
    }
    if (placement.treeBlocks[number]! > 0) yield* mapOf(number);
  }
  yield* gather.flush();
}

function padded(bytes: Uint8Array, blockSize: number): Uint8Array {
  const block = new Uint8Array(blockSize);
  block.set(bytes);
  return block;
}

function journalSuperblock(plan: Plan): Uint8Array {
  const bytes = JournalSuperblock.bytes({
    magic: JOURNAL_MAGIC,
    type: JOURNAL_SUPERBLOCK_V2,
    blockSize: plan.settings.blockSize,
    blocks: plan.placement.journalBlocks,
    first: 1,
    sequence: 1,
    uuid: plan.uuid,
    users: 1,
  });
  return padded(bytes, plan.settings.blockSize);
}

function orphanBlock(plan: Plan, index: number, inodes: InodeWriter): Uint8Array {
  const { census, placement, settings, geometry } = plan;
  const block = new Uint8Array(settings.blockSize);
  const tail = settings.blockSize - OrphanTail.size;
  let checksum = 0;
  if (settings.chosen.has('metadata_csum')) {
    const at = physical(geometry.segments, placement.start[census.orphanFile]! + index);
    checksum = crc32cWord(inodes.seedOf(census.orphanFile), at % 2 ** 32);
    checksum = crc32cWord(checksum, Math.floor(at / 2 ** 32));
    checksum = crc32c(checksum, block, 0, tail);
  }
  OrphanTail.write(block, tail, { magic: ORPHAN_MAGIC, checksum });
  return block;
}

function xattrBlock(plan: Plan, index: number, seed: number): Uint8Array {
  const { bytes, references } = plan.xattrs[index]!;
  const block = copyOf(bytes);
  const view = new DataView(block.buffer);
  view.setUint32(XattrHeader.offset.references, references, true);
  if (plan.settings.chosen.has('metadata_csum')) {
    const at = physical(plan.geometry.segments, plan.placement.xattrs + index);
    let checksum = crc32cWord(seed, at % 2 ** 32);
    checksum = crc32cWord(checksum, Math.floor(at / 2 ** 32));
    view.setUint32(XattrHeader.offset.checksum, crc32c(checksum, block), true);
  }
  return block;
}
